/* graph.h - a weighted directed graph and the diffusion matrices made from it.
 *
 * With A[i, j] the weight of edge i -> j and D_O, D_I the diagonal matrices of its row and column
 * sums, diffusion forward is S0 = (D_O^-1 A)^T and backward S1 = (D_I^-1 A^T)^T (DCRNN, Li et al.
 * 2018); 1/0 is taken as 0. Supports are sparse. Where edge weights are learned,
 * wf_graph_supports() builds them on the tape; for constant weights they are built once, at
 * wf_graph_init(). */
#ifndef WF_GRAPH_H
#define WF_GRAPH_H

#include "autograd/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which published implementation's mathematics to follow where it differs from the paper.
 * WF_COMPAT_PGT: PyTorch Geometric Temporal's DConv. The weights enter the degrees only, a hop sums
 *     x_j / degree; the backward factor of the e-th edge in (target, source) order is 1 / D_I of
 * the source of the e-th edge in the given order; T_k = 2 S T_{k-1} - X. WF_COMPAT_DCRNN: the
 * published DCRNN codes. The second support's recursion starts from the term before the last of the
 * first support. WF_COMPAT_DCRNN_REVERSED: as WF_COMPAT_DCRNN, and within each source's row the
 * weights stand in reverse order, as PyTorch ports built them and the published METR-LA weights
 * were trained. */
enum wf_compat { WF_COMPAT_NONE, WF_COMPAT_PGT, WF_COMPAT_DCRNN, WF_COMPAT_DCRNN_REVERSED };

/* Which supports: forward diffusion, both directions, or none (every node on its own). */
enum wf_support_kind { WF_DUAL_RANDOM_WALK, WF_RANDOM_WALK, WF_NO_GRAPH };

struct wf_edges {
    int nodes, count;
    const int *source, *target; /* [E] host */
    const float *weight;        /* [E] host, or NULL: all 1 */
};

struct wf_graph {
    struct wf_backend *be;
    int nodes, edges;
    enum wf_support_kind kind;
    enum wf_compat compat;
    struct wf_csr to_target, to_source; /* patterns of S0 (row = target) and S1 (row = source) */
    struct wf_index order[2];           /* entry of a pattern -> edge whose weight stands there */
    struct wf_index misaligned;        /* WF_COMPAT_PGT: entry of S1 -> node whose degree divides */
    struct wf_tensor weight, value[2]; /* [E] constant weights and support values */
    struct wf_supports supports;       /* constant, `hops` per support */
};

/* hops: K of the paper, terms per support beside X itself. Weights must be finite and >= 0. */
enum wf_status wf_graph_init(struct wf_graph *gr, struct wf_backend *be,
                             const struct wf_edges *edges, enum wf_support_kind kind, int hops,
                             enum wf_compat compat, struct wf_error *err);
void wf_graph_free(struct wf_graph *gr);

/* From a dense adjacency matrix [N, N] in host memory; entries that are 0 are no edges. Row by row,
 * so edges are sorted by (source, target). */
enum wf_status wf_graph_from_dense(struct wf_graph *gr, struct wf_backend *be, int nodes,
                                   const float *A, enum wf_support_kind kind, int hops,
                                   enum wf_compat compat, struct wf_error *err);

/* From two supports given as dense matrices [N, N]: S[d][i, j] is what node i takes from node j.
 * Their entries other than 0 are kept as they are; compat decides the recursion alone. */
enum wf_status wf_graph_from_supports(struct wf_graph *gr, struct wf_backend *be, int nodes,
                                      const float *const S[2], int hops, enum wf_compat compat,
                                      struct wf_error *err);

/* The supports as functions of weight [E] (in the given order of the edges), on the tape. */
struct wf_supports wf_graph_supports(struct wf_tape *g, const struct wf_graph *gr,
                                     struct wf_tensor *weight);

#ifdef __cplusplus
}
#endif
#endif
