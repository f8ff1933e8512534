/* graph.h - a weighted directed graph and the matrices (supports) that models propagate with.
 *
 * A[i, j] is the weight of edge i -> j; a support S[j, i] is what node j takes from node i.
 * Supports are sparse. Where edge weights are learned, wf_graph_supports() builds them on the tape,
 * differentiable through degrees and maxima; for constant weights they are built once, at
 * wf_graph_init(). 1/0 is taken as 0.
 *
 * Two forms of weights, everywhere: [E], where every edge is there whatever it weighs; and [B, E]
 * of a graph that is another in every sample, given as the edges of all of them, where an edge of
 * weight 0 is not there: it has no message, no degree, no place in a mean or a softmax. */
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

/* Which supports. D_O, D_I: diagonal matrices of the sums of weights out of and into each node.
 * WF_DUAL_RANDOM_WALK: diffusion forward (D_O^-1 A)^T and backward (D_I^-1 A^T)^T (DCRNN, Li et al.
 *     2018).
 * WF_RANDOM_WALK: forward only.
 * WF_NO_GRAPH: none, every node on its own.
 * WF_GCN: P = (D_I^-1/2 (A + loops) D_I^-1/2)^T, D_I with the loops. A node that has a loop keeps
 *     its weight (the last one given); other nodes get one of weight 1 (GCN, Kipf and Welling
 * 2017). WF_CHEB: Lt^T, Lt = 2 L / lambda_max - I, for Chebyshev polynomials (Defferrard et al.
 * 2016). Loops are dropped, degrees are D_O. */
enum wf_support_kind { WF_DUAL_RANDOM_WALK, WF_RANDOM_WALK, WF_NO_GRAPH, WF_GCN, WF_CHEB };

/* L = I - D^-1/2 A D^-1/2, I - D^-1 A, or D - A */
enum wf_laplacian { WF_LAPLACIAN_SYM, WF_LAPLACIAN_RW, WF_LAPLACIAN_NONE };

/* How to make the supports; fields that do not belong to the kind are ignored, zero is a default.
 */
struct wf_graph_config {
    enum wf_support_kind kind;
    int hops;                    /* K of the paper, terms per support beside X itself */
    enum wf_compat compat;       /* random walks */
    bool improved;               /* WF_GCN: loops that are added weigh 2 */
    bool no_loops;               /* WF_GCN: none are added, those given are ordinary edges */
    bool raw;                    /* WF_GCN: P = A^T, nothing added, no degrees */
    enum wf_laplacian laplacian; /* WF_CHEB */
    double lambda_max; /* WF_CHEB: 0: twice the largest entry of L, as PyTorch Geometric */
    bool dominant;     /* WF_CHEB: lambda_max is the real part of the eigenvalue of L of largest */
                       /* modulus, computed once from the constant weights; N at most 4096 */
};

struct wf_edges {
    int nodes, count;
    const int *source, *target; /* [E] host */
    const float *weight;        /* [E] host, or NULL: all 1 */
};

struct wf_graph {
    struct wf_backend *be;
    struct wf_graph_config cfg; /* lambda_max as computed */
    int nodes, edges;
    struct wf_csr to_target, to_source; /* patterns of support 0 (row = target) and 1 (source) */
    struct wf_index order[2];           /* entry of a pattern -> edge whose weight stands there; */
                                        /* edge E is the loop that WF_GCN and WF_CHEB add */
    struct wf_tensor loop;      /* WF_GCN that adds loops: [entries], 1 at every loop, else 0 */
    struct wf_index misaligned; /* WF_COMPAT_PGT: entry of S1 -> node whose degree divides */
    struct wf_tensor weight, value[2]; /* [E] constant weights, and values of the supports */
    struct wf_supports supports;       /* constant, `hops` per support */
};

/* Weights must be finite and >= 0. */
enum wf_status wf_graph_init(struct wf_graph *gr, struct wf_backend *be,
                             const struct wf_edges *edges, const struct wf_graph_config *cfg,
                             struct wf_error *err);
void wf_graph_free(struct wf_graph *gr);

/* From a dense adjacency matrix [N, N] in host memory; entries that are 0 are no edges. Row by row,
 * so edges are sorted by (source, target). */
enum wf_status wf_graph_from_dense(struct wf_graph *gr, struct wf_backend *be, int nodes,
                                   const float *A, const struct wf_graph_config *cfg,
                                   struct wf_error *err);

/* From two supports given as dense matrices [N, N]: S[d][i, j] is what node i takes from node j.
 * Their entries other than 0 are kept as they are; compat decides the recursion alone. */
enum wf_status wf_graph_from_supports(struct wf_graph *gr, struct wf_backend *be, int nodes,
                                      const float *const S[2], int hops, enum wf_compat compat,
                                      struct wf_error *err);

/* The supports as functions of weight [E] or [B, E] >= 0 (in the given order of the edges), on the
 * tape. The second is refused for what depends on more than the weights of a sample: `dominant`,
 * WF_COMPAT_DCRNN_REVERSED, and the second support of WF_COMPAT_PGT. */
struct wf_supports wf_graph_supports(struct wf_tape *g, const struct wf_graph *gr,
                                     struct wf_tensor *weight);

/* Whether the values of S belong to samples: [B, E]. */
static inline bool wf_supports_vary(const struct wf_supports *S)
{
    return S->count > 0 && S->value[0]->ndim > 1;
}

/* Which edges are there, for layers that count them: 1 or 0 for weight [B, E], without a gradient;
 * NULL for [E] and for NULL. */
struct wf_tensor *wf_present(struct wf_tape *g, struct wf_tensor *weight);

/* weight [.., E] at the entries of a pattern, one or two axes. */
struct wf_tensor *wf_at_entries(struct wf_tape *g, struct wf_tensor *weight,
                                const struct wf_index *order);

#ifdef __cplusplus
}
#endif
#endif
