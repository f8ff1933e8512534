/* gclstm.h - GC-LSTM: Chen, Wang, Xu, "GC-LSTM: Graph Convolution Embedded LSTM for Dynamic Network
 * Link Prediction", Applied Intelligence 52, 2022. An LSTM whose states, and they alone, are
 * convolved:
 *
 *     g = x W + C(h) + b, parts i, f, o, c
 *     c' = sigmoid(g_f) c + sigmoid(g_i) tanh(g_c),  h' = sigmoid(g_o) tanh(c')
 */
#ifndef WF_GCLSTM_H
#define WF_GCLSTM_H

#include "nn/gcn.h"
#include "nn/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parameters name.input [in, 4 hidden] and name.conv, a Chebyshev convolution; columns i, f, o, c.
 */
struct wf_gclstm_cell {
    struct wf_linear input;
    struct wf_cheb conv;
    int hidden, terms;
};
void wf_gclstm_cell_init(struct wf_gclstm_cell *l, struct wf_params *ps, const char *name, int in,
                         int hidden, int terms);
/* x [B, N, in]; *h and *c [B, N, hidden] are replaced. S: one support, of WF_CHEB. */
void wf_gclstm_step(struct wf_tape *g, const struct wf_gclstm_cell *l, const struct wf_supports *S,
                    struct wf_tensor *x, struct wf_tensor **h, struct wf_tensor **c);
/* GCLSTM of PyTorch Geometric Temporal. */
void wf_gclstm_cell_names(const struct wf_gclstm_cell *l, struct wf_renames *t, const char *theirs,
                          const char *ours);

#ifdef __cplusplus
}
#endif
#endif
