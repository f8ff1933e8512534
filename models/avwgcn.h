/* avwgcn.h - the convolution of AGCRN (Bai et al. 2020, eq. 5 and 6), over a graph that is learned
 * and with weights for every node; both are made of an embedding E [N, d] of the nodes:
 *
 *     S = softmax(relu(E E^T)),  T_0 = I, T_1 = S, T_k = 2 S T_{k-1} - T_{k-2}
 *     AV(x)_n = sum_k (T_k x)_n W_nk + b_n,  W_nk = sum_e E_ne W_ek,  b = E B
 *
 * One term is the paper's (I + S) x W: both share the weight. */
#ifndef WF_AVWGCN_H
#define WF_AVWGCN_H

#include "autograd/ops.h"
#include "nn/params.h"
#include "nn/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parameters name.weight [d, terms, in, out] and name.bias [d, out]. */
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
/* The same with nodes first, x [N, B, in] -> [N, B, out]: weights that differ from node to node are
 * a product for each, so that is how it is computed. */
struct wf_tensor *wf_avwgcn_by_node(struct wf_tape *g, const struct wf_avwgcn_nodes *l,
                                    struct wf_tensor *S, struct wf_tensor *x);
/* [B, N, C] as [N, B, C] and back, a view. */
struct wf_tensor *wf_nodes_first(struct wf_tape *g, struct wf_tensor *x);
/* AVWGCN of PyTorch Geometric Temporal. */
void wf_avwgcn_names(struct wf_renames *t, const char *theirs, const char *ours);

#ifdef __cplusplus
}
#endif
#endif
