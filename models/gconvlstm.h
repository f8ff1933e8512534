/* gconvlstm.h - GConvLSTM: Seo, Defferrard, Vandergheynst, Bresson, "Structured Sequence Modeling
 * with Graph Convolutional Recurrent Networks", ICONIP 2018, model 2 (eq. 6). An LSTM with
 * peepholes whose products are Chebyshev convolutions:
 *
 *     g = C_x(x) + C_h(h) + b, parts i, f, c, o
 *     c' = sigmoid(g_f + w_f c) c + sigmoid(g_i + w_i c) tanh(g_c)
 *     h' = sigmoid(g_o + w_o c') tanh(c')
 */
#ifndef WF_GCONVLSTM_H
#define WF_GCONVLSTM_H

#include "models/recurrent.h"
#include "nn/gcn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The cell. Parameters name.conv (C_x and C_h), name.bias [4 hidden], both with columns i, f, c, o;
 * name.peephole [3 hidden], with columns i, f, o. */
struct wf_gconvlstm_cell {
    struct wf_cheb_pair conv;
    struct wf_tensor *bias, *peephole;
};
void wf_gconvlstm_cell_init(struct wf_gconvlstm_cell *l, struct wf_params *ps, const char *name,
                            int in, int hidden, int terms);
/* One step: x [B, N, in]; *h and *c [B, N, hidden] are replaced by h' and c'. S has one support, of
 * WF_CHEB. */
void wf_gconvlstm_step(struct wf_tape *g, const struct wf_gconvlstm_cell *l,
                       const struct wf_supports *S, struct wf_tensor *x, struct wf_tensor **h,
                       struct wf_tensor **c);
/* The names of GConvLSTM of PyTorch Geometric Temporal. */
void wf_gconvlstm_cell_names(const struct wf_gconvlstm_cell *l, struct wf_renames *t,
                             const char *theirs, const char *ours);

/* The forecasting model: models/recurrent.h around the cell. */
struct wf_gconvlstm_config {
    int hidden; /* units of the cell */
};
struct wf_gconvlstm_config wf_gconvlstm_defaults(void);

struct wf_gconvlstm {
    struct wf_gconvlstm_config cfg;
    struct wf_task task;
    struct wf_gconvlstm_cell cell;
    struct wf_linear head; /* hidden -> Q * targets, per node */
};
void wf_gconvlstm_init(struct wf_gconvlstm *m, struct wf_params *ps, struct wf_gconvlstm_config cfg,
                       const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_gconvlstm_forward(struct wf_tape *g, const struct wf_gconvlstm *m,
                                       const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
