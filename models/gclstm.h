/* gclstm.h - GC-LSTM: Chen, Wang, Xu, "GC-LSTM: Graph Convolution Embedded LSTM for Dynamic Network
 * Link Prediction", Applied Intelligence 52, 2022. An LSTM that convolves its state h over the
 * graph, but not its input:
 *
 *     g = x W + C(h) + b, parts i, f, c, o
 *     c' = sigmoid(g_f) c + sigmoid(g_i) tanh(g_c),  h' = sigmoid(g_o) tanh(c')
 * / */
#ifndef WF_GCLSTM_H
#define WF_GCLSTM_H

#include "models/recurrent.h"
#include "nn/gcn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The cell. Parameters name.input [in, 4 hidden] (W, b) and name.conv (C), a Chebyshev convolution;
 * the columns of both are i, f, c, o. */
struct wf_gclstm_cell {
    struct wf_linear input;
    struct wf_cheb conv;
    int hidden, terms;
};
void wf_gclstm_cell_init(struct wf_gclstm_cell *l, struct wf_params *ps, const char *name, int in,
                         int hidden, int terms);
/* One step: x [B, N, in]; *h and *c [B, N, hidden] are replaced by h' and c'. S has one support, of
 * WF_CHEB. */
void wf_gclstm_step(struct wf_tape *g, const struct wf_gclstm_cell *l, const struct wf_supports *S,
                    struct wf_tensor *x, struct wf_tensor **h, struct wf_tensor **c);
/* The names of GCLSTM of PyTorch Geometric Temporal. */
void wf_gclstm_cell_names(const struct wf_gclstm_cell *l, struct wf_renames *t, const char *theirs,
                          const char *ours);

/* The forecasting model: models/recurrent.h around the cell. */
struct wf_gclstm_config {
    int hidden; /* units of the cell */
};
struct wf_gclstm_config wf_gclstm_defaults(void);

struct wf_gclstm {
    struct wf_gclstm_config cfg;
    struct wf_task task;
    struct wf_gclstm_cell cell;
    struct wf_linear head; /* hidden -> Q * targets, per node */
};
void wf_gclstm_init(struct wf_gclstm *m, struct wf_params *ps, struct wf_gclstm_config cfg,
                    const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_gclstm_forward(struct wf_tape *g, const struct wf_gclstm *m,
                                    const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
