/* fclstm.h - FC-LSTM: the encoder-decoder of fully connected LSTM cells that the DCRNN paper (Li et
 * al., ICLR 2018, appendix E) compares with; after Sutskever, Vinyals, Le, "Sequence to Sequence
 * Learning with Neural Networks", NeurIPS 2014, with the peepholes of Graves, "Generating Sequences
 * With Recurrent Neural Networks", 2013, eq. 7 - 11:
 *
 *     [i f g o] = x W + b + h U + d,  i = s(i + p_i c),  f = s(f + p_f c)
 *     c' = f c + i tanh(g),  o = s(o + p_o c'),  h' = o tanh(c')
 *
 * One vector holds all nodes of a step; with `shared` every node is a sequence of its own. */
#ifndef WF_FCLSTM_H
#define WF_FCLSTM_H

#include "models/recurrent.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parameters name.input [in, 4 hidden], name.state [hidden, 4 hidden], columns i, f, g, o, and
 * name.peephole [3, hidden], rows i, f, o. */
struct wf_peephole_lstm {
    struct wf_linear input, state;
    struct wf_tensor *peephole;
    int hidden;
};
void wf_peephole_lstm_init(struct wf_peephole_lstm *l, struct wf_params *ps, const char *name,
                           int in, int hidden);
/* x [.., in], h and c [.., hidden], which are replaced. */
void wf_peephole_lstm(struct wf_tape *g, const struct wf_peephole_lstm *l, struct wf_tensor *x,
                      struct wf_tensor **h, struct wf_tensor **c);

enum { WF_FCLSTM_LAYERS = 4, WF_FCLSTM_HORIZON = 500 };
struct wf_fclstm_config {
    int hidden, layers; /* units per cell, cells per stack */
    bool shared;        /* one network for every node, which sees that node alone */
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
