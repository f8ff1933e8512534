/* tgcn.h - T-GCN: Zhao et al., "T-GCN: A Temporal Graph Convolutional Network for Traffic
 * Prediction", IEEE Transactions on Intelligent Transportation Systems 21(9), 2020. Its cell is a
 * GRU that sees the graph only through its input:
 *
 *     U_* = GCN_*(x),  [r z] = sigmoid(A_* [U_* h] + a_*),  c = tanh(A_c [U_c r*h] + a_c),
 *     h' = z h + (1 - z) c
 * / */
#ifndef WF_TGCN_H
#define WF_TGCN_H

#include "models/recurrent.h"
#include "nn/gcn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The cell. Parameters name.conv [in, 3 hidden] (GCN) and name.mix [2 hidden, 3 hidden] (A, a),
 * both with columns r, z, c. */
struct wf_tgcn_cell {
    struct wf_gcn conv;
    struct wf_linear mix;
    int hidden;
};
void wf_tgcn_cell_init(struct wf_tgcn_cell *l, struct wf_params *ps, const char *name, int in,
                       int hidden);
/* The weights of the cell in the form in which the steps of one tape read them. */
struct wf_tgcn_weights {
    struct wf_gcn input;            /* of the input: in -> 3 hidden */
    struct wf_tensor *gates, *cand; /* of the state: [hidden, 2 hidden], [hidden, hidden] */
};
struct wf_tgcn_weights wf_tgcn_bind(struct wf_tape *g, const struct wf_tgcn_cell *l);
/* One step: x [B, N, in], h [B, N, hidden] -> h'. S has one support, of WF_GCN. */
struct wf_tensor *wf_tgcn_step(struct wf_tape *g, const struct wf_tgcn_weights *l,
                               const struct wf_supports *S, struct wf_tensor *x,
                               struct wf_tensor *h);
/* The names of TGCN and TGCN2 of PyTorch Geometric Temporal. */
void wf_tgcn_cell_names(const struct wf_tgcn_cell *l, struct wf_renames *t, const char *theirs,
                        const char *ours);

/* The forecasting model: models/recurrent.h around the cell. */
struct wf_tgcn_config {
    int hidden; /* units of the cell */
};
struct wf_tgcn_config wf_tgcn_defaults(void);

struct wf_tgcn {
    struct wf_tgcn_config cfg;
    struct wf_task task;
    struct wf_tgcn_cell cell;
    struct wf_linear head; /* hidden -> Q * targets, per node */
};
void wf_tgcn_init(struct wf_tgcn *m, struct wf_params *ps, struct wf_tgcn_config cfg,
                  const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_tgcn_forward(struct wf_tape *g, const struct wf_tgcn *m,
                                  const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
