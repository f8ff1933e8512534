/* tgcn.h - T-GCN: Zhao et al., "T-GCN: A Temporal Graph Convolutional Network for Traffic
 * Prediction", IEEE Transactions on Intelligent Transportation Systems 21(9), 2020. Its cell: a GRU
 * that sees the graph through its input alone.
 *
 *     U_* = GCN_*(x),  [r z] = sigmoid(A_* [U_* h] + a_*),  c = tanh(A_c [U_c r*h] + a_c),
 *     h' = z h + (1 - z) c
 */
#ifndef WF_TGCN_H
#define WF_TGCN_H

#include "nn/gcn.h"
#include "nn/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parameters name.conv [in, 3 hidden] and name.mix [2 hidden, 3 hidden]; columns r, z, c. */
struct wf_tgcn_cell {
    struct wf_gcn conv;
    struct wf_linear mix;
    int hidden;
};
void wf_tgcn_cell_init(struct wf_tgcn_cell *l, struct wf_params *ps, const char *name, int in,
                       int hidden);
/* x [B, N, in], h [B, N, hidden] -> h'. S: one support, of WF_GCN. */
struct wf_tensor *wf_tgcn_step(struct wf_tape *g, const struct wf_tgcn_cell *l,
                               const struct wf_supports *S, struct wf_tensor *x,
                               struct wf_tensor *h);
/* TGCN and TGCN2 of PyTorch Geometric Temporal. */
void wf_tgcn_cell_names(const struct wf_tgcn_cell *l, struct wf_renames *t, const char *theirs,
                        const char *ours);

#ifdef __cplusplus
}
#endif
#endif
