/* avwgcn.h - the convolution of AGCRN (Bai et al. 2020, eq. 5 and 6). Its graph S is learned, and
 * every node n has weights W_n of its own; both are made from an embedding E [N, d] of the nodes:
 *
 *     S = softmax(relu(E E^T)),  T_0 = I, T_1 = S, T_k = 2 S T_{k-1} - T_{k-2}
 *     AV(x)_n = sum_k (T_k x)_n W_nk + b_n,  W_nk = sum_e E_ne W_ek,  b = E B
 *
 * With one term, AV(x) is the paper's (I + S) x W, where I and S share the weight. Nothing here is
 * freed. */
#ifndef WF_AVWGCN_H
#define WF_AVWGCN_H

#include "autograd/ops.h"
#include "nn/params.h"
#include "nn/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parameters name.weight [d, terms, in, out] (W) and name.bias [d, out] (B). */
struct wf_avwgcn {
    struct wf_tensor *weight, *bias;
};
void wf_avwgcn_init(struct wf_avwgcn *l, struct wf_params *ps, const char *name, int embedding,
                    int in, int out, int terms);
/* The weights of the layer for the nodes of E [N, d], which are the same in every step of a
 * sequence. */
struct wf_avwgcn_nodes {
    struct wf_tensor *weight, *bias; /* [N, terms * in, out], [N, 1, out] */
    int terms;
};
struct wf_avwgcn_nodes wf_avwgcn_bind(struct wf_tape *g, const struct wf_avwgcn *l,
                                      struct wf_tensor *E);
/* AV: x [B, N, in] -> [B, N, out], with S [N, N] from wf_agcrn_graph(E). */
struct wf_tensor *wf_avwgcn(struct wf_tape *g, const struct wf_avwgcn_nodes *l, struct wf_tensor *S,
                            struct wf_tensor *x);
struct wf_tensor *wf_agcrn_graph(struct wf_tape *g, struct wf_tensor *E);
/* The same with nodes first, x [N, B, in] -> [N, B, out]. This is how it is computed: where weights
 * differ from node to node, there is one product for each node. */
struct wf_tensor *wf_avwgcn_by_node(struct wf_tape *g, const struct wf_avwgcn_nodes *l,
                                    struct wf_tensor *S, struct wf_tensor *x);
/* [B, N, C] as [N, B, C], or back: a view. */
struct wf_tensor *wf_nodes_first(struct wf_tape *g, struct wf_tensor *x);
/* The names of AVWGCN of PyTorch Geometric Temporal. */
void wf_avwgcn_names(struct wf_renames *t, const char *theirs, const char *ours);

#ifdef __cplusplus
}
#endif
#endif
