/* fclstm.h - FC-LSTM: the encoder-decoder of fully connected LSTM cells that the DCRNN paper (Li et
 * al., ICLR 2018, appendix E) compares with; after Sutskever, Vinyals, Le, "Sequence to Sequence
 * Learning with Neural Networks", NeurIPS 2014, with the peepholes of Graves, "Generating Sequences
 * With Recurrent Neural Networks", 2013, eq. 7 - 11:
 *
 *     [i f g o] = x W + b + h U + d,  i = s(i + p_i c),  f = s(f + p_f c)
 *     c' = f c + i tanh(g),  o = s(o + p_o c'),  h' = o tanh(c')
 *
 * s is the logistic function. One vector x holds all nodes of a step; with `shared` every node is a
 * sequence by itself. */
#ifndef WF_FCLSTM_H
#define WF_FCLSTM_H

#include "models/recurrent.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The cell. Parameters name.input [in, 4 hidden] (W, b) and name.state [hidden, 4 hidden] (U, d),
 * both with columns i, f, g, o; name.peephole [3, hidden], with rows i, f, o. */
struct wf_peephole_lstm {
    struct wf_linear input, state;
    struct wf_tensor *peephole;
    int hidden;
};
void wf_peephole_lstm_init(struct wf_peephole_lstm *l, struct wf_params *ps, const char *name,
                           int in, int hidden);
/* One step: x [.., in]; *h and *c [.., hidden] are replaced by h' and c'. */
void wf_peephole_lstm(struct wf_tape *g, const struct wf_peephole_lstm *l, struct wf_tensor *x,
                      struct wf_tensor **h, struct wf_tensor **c);

enum { WF_FCLSTM_LAYERS = 4, WF_FCLSTM_HORIZON = 500 };
struct wf_fclstm_config {
    int hidden, layers; /* units per cell, cells per stack */
    bool shared;        /* the network reads every node by itself, with the same weights for all */
    bool sampling;      /* scheduled sampling */
};
struct wf_fclstm_config wf_fclstm_defaults(void);

struct wf_fclstm {
    struct wf_fclstm_config cfg;
    struct wf_task task;
    int together; /* nodes in one vector: N or 1 */
    struct wf_peephole_lstm encoder[WF_FCLSTM_LAYERS], decoder[WF_FCLSTM_LAYERS];
    struct wf_linear head; /* hidden -> together * targets */
};
void wf_fclstm_init(struct wf_fclstm *m, struct wf_params *ps, struct wf_fclstm_config cfg,
                    const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. b->y_std [B, Q, N, targets] is
 * read only while training with sampling; b->supports are not used. */
struct wf_tensor *wf_fclstm_forward(struct wf_tape *g, const struct wf_fclstm *m,
                                    const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
