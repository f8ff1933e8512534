/* agcrn.h - AGCRN: Bai, Yao, Li, Wang, Wang, "Adaptive Graph Convolutional Recurrent Network for
 * Traffic Forecasting", NeurIPS 2020. The graph is learned, and every node has weights of its own,
 * both from an embedding E [N, d] of the nodes:
 *
 *     S = softmax(relu(E E^T)),  T_0 = I, T_1 = S, T_k = 2 S T_{k-1} - T_{k-2}
 *     AV(x)_n = sum_k (T_k x)_n W_nk + b_n,  W_nk = sum_e E_ne W_ek,  b = E B          (eq. 5, 6)
 *     [z r] = sigmoid(AV_g [x h]),  c = tanh(AV_u [x z*h]),  h' = r h + (1 - r) c      (eq. 7)
 *
 * One term is the paper's (I + S) x W: both share the weight. */
#ifndef WF_AGCRN_H
#define WF_AGCRN_H

#include "models/recurrent.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Node-adaptive convolution. Parameters name.weight [d, terms, in, out] and name.bias [d, out]. */
struct wf_avwgcn {
    struct wf_tensor *weight, *bias;
};
void wf_avwgcn_init(struct wf_avwgcn *l, struct wf_params *ps, const char *name, int embedding,
                    int in, int out, int terms);
/* Its weights for the nodes of E [N, d], the same in every step of a sequence: weight
 * [N, terms * in, out], bias [N, 1, out]. */
struct wf_avwgcn_nodes {
    struct wf_tensor *weight, *bias;
    int terms;
};
struct wf_avwgcn_nodes wf_avwgcn_bind(struct wf_tape *g, const struct wf_avwgcn *l,
                                      struct wf_tensor *E);
/* x [B, N, in] -> [B, N, out]. S [N, N] is wf_agcrn_graph(). */
struct wf_tensor *wf_avwgcn(struct wf_tape *g, const struct wf_avwgcn_nodes *l, struct wf_tensor *S,
                            struct wf_tensor *x);
struct wf_tensor *wf_agcrn_graph(struct wf_tape *g, struct wf_tensor *E);

/* Parameters name.gate (columns z, r) and name.update. */
struct wf_agcrn_cell {
    struct wf_avwgcn gate, update;
    int hidden;
};
struct wf_agcrn_sizes {
    int in, hidden, embedding, terms;
};
void wf_agcrn_cell_init(struct wf_agcrn_cell *l, struct wf_params *ps, const char *name,
                        struct wf_agcrn_sizes sizes);
struct wf_agcrn_nodes {
    struct wf_tensor *S;
    struct wf_avwgcn_nodes gate, update;
    int hidden;
};
struct wf_agcrn_nodes wf_agcrn_bind(struct wf_tape *g, const struct wf_agcrn_cell *l,
                                    struct wf_tensor *E, struct wf_tensor *S);
/* x [B, N, in], h [B, N, hidden] -> h'. */
struct wf_tensor *wf_agcrn_step(struct wf_tape *g, const struct wf_agcrn_nodes *l,
                                struct wf_tensor *x, struct wf_tensor *h);
/* AVWGCN and AGCRN of PyTorch Geometric Temporal. */
void wf_avwgcn_names(struct wf_renames *t, const char *theirs, const char *ours);
void wf_agcrn_cell_names(struct wf_renames *t, const char *theirs, const char *ours);

/* The published model: `layers` cells on one embedding, all Q steps from the last state. */
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
