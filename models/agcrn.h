/* agcrn.h - AGCRN: Bai, Yao, Li, Wang, Wang, "Adaptive Graph Convolutional Recurrent Network for
 * Traffic Forecasting", NeurIPS 2020. The graph is learned, and every node has weights of its own
 * (models/avwgcn.h). A GRU of such convolutions:
 *
 *     [z r] = sigmoid(AV_g [x h]),  c = tanh(AV_u [x z*h]),  h' = r h + (1 - r) c      (eq. 7) */
#ifndef WF_AGCRN_H
#define WF_AGCRN_H

#include "models/avwgcn.h"
#include "models/recurrent.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The cell. Parameters name.gate (AV_g, columns z, r) and name.update (AV_u). */
struct wf_agcrn_cell {
    struct wf_avwgcn gate, update;
};
struct wf_agcrn_sizes {
    int in, hidden, embedding, terms;
};
void wf_agcrn_cell_init(struct wf_agcrn_cell *l, struct wf_params *ps, const char *name,
                        struct wf_agcrn_sizes sizes);
/* The weights of the cell for the nodes of E [N, d], and the graph S = wf_agcrn_graph(E); they are
 * the same in every step of a sequence. */
struct wf_agcrn_nodes {
    struct wf_tensor *S;
    struct wf_avwgcn_nodes gate, update;
};
struct wf_agcrn_nodes wf_agcrn_bind(struct wf_tape *g, const struct wf_agcrn_cell *l,
                                    struct wf_tensor *E, struct wf_tensor *S);
/* x [B, N, in], h [B, N, hidden] -> h'. */
struct wf_tensor *wf_agcrn_step(struct wf_tape *g, const struct wf_agcrn_nodes *l,
                                struct wf_tensor *x, struct wf_tensor *h);
/* The names of AGCRN of PyTorch Geometric Temporal. */
void wf_agcrn_cell_names(struct wf_renames *t, const char *theirs, const char *ours);

/* The published model: `layers` cells on each other share one embedding, and a linear layer makes
 * all Q steps out of the last state. */
enum { WF_AGCRN_LAYERS = 4 };
struct wf_agcrn_config {
    int hidden, layers, embedding, terms; /* units, cells, d, Chebyshev terms */
};
struct wf_agcrn_config wf_agcrn_defaults(void);

struct wf_agcrn {
    struct wf_agcrn_config cfg;
    struct wf_task task;
    struct wf_tensor *E; /* [N, d] */
    struct wf_agcrn_cell cell[WF_AGCRN_LAYERS];
    struct wf_linear head; /* hidden -> Q * targets, the same for every node */
};
void wf_agcrn_init(struct wf_agcrn *m, struct wf_params *ps, struct wf_agcrn_config cfg,
                   const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. b->supports are not used. */
struct wf_tensor *wf_agcrn_forward(struct wf_tape *g, const struct wf_agcrn *m,
                                   const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
