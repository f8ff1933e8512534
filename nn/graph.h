/* graph.h - a weighted directed graph and the matrices (supports) that models propagate with.
 *
 * A[i, j] is the weight of edge i -> j; a support S[j, i] is what node j takes from node i.
 * Supports are sparse. Where edge weights are learned, wf_graph_supports() builds them on the tape,
 * differentiable through degrees and maxima; for constant weights they are built once, at
 * wf_graph_init(). 1/0 is taken as 0.
 *
 * Weights have one of two forms, everywhere. In weights [E] every edge is there, whatever it
 * weighs. Weights [B, E] are those of a graph that differs from sample to sample: its edges are the
 * union of the edges of all samples, and in a sample an edge of weight 0 is not there: it carries
 * no message and counts in no degree, no mean and no softmax.
 *
 * Whoever makes a graph frees it with wf_graph_free(). */
#ifndef WF_GRAPH_H
#define WF_GRAPH_H

#include "autograd/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which published implementation's mathematics the random walks follow where it differs from the
 * paper. */
enum wf_compat {
    /* The paper's: no published code is followed. */
    WF_COMPAT_NONE,

    /* DConv of PyTorch Geometric Temporal. The weights enter the degrees only: a hop sums
     * x_j / degree. Its backward edges are in (target, source) order, their factors are not: the
     * e-th of them takes the factor 1 / D_I of the source of the e-th edge in the given order. The
     * recursion subtracts X itself:
     *     T_k = 2 S T_{k-1} - X */
    WF_COMPAT_PGT,

    /* The published codes of DCRNN. The recursion of the second support starts from the last term
     * but one of the first support, in place of X. */
    WF_COMPAT_DCRNN,

    /* As WF_COMPAT_DCRNN; besides, the weights within each source's row stand in reverse order. So
     * PyTorch ports built them, and so the published METR-LA weights were trained. */
    WF_COMPAT_DCRNN_REVERSED
};

/* Which supports a graph has. D_O and D_I are the diagonal matrices of the sums of weights out of
 * and into each node. */
enum wf_support_kind {
    /* Diffusion forward and backward (DCRNN, Li et al. 2018):
     *     S_0 = (D_O^-1 A)^T,  S_1 = (D_I^-1 A^T)^T */
    WF_DUAL_RANDOM_WALK,

    /* Diffusion forward only:
     *     S_0 = (D_O^-1 A)^T */
    WF_RANDOM_WALK,

    /* No supports: every node is on its own. */
    WF_NO_GRAPH,

    /* The operator of GCN (Kipf and Welling 2017), D_I with the loops:
     *     P = (D_I^-1/2 (A + loops) D_I^-1/2)^T
     * A node that has a loop keeps its weight (the last one given); any other node gets a loop of
     * weight 1. */
    WF_GCN,

    /* The operator of Chebyshev polynomials (Defferrard et al. 2016), on L as enum wf_laplacian
     * says:
     *     Lt^T,  Lt = 2 L / lambda_max - I
     * Loops are dropped, and degrees are D_O. */
    WF_CHEB
};

/* The Laplacian of WF_CHEB, D being D_O. */
enum wf_laplacian {
    WF_LAPLACIAN_SYM, /* L = I - D^-1/2 A D^-1/2 */
    WF_LAPLACIAN_RW,  /* L = I - D^-1 A */
    WF_LAPLACIAN_NONE /* L = D - A */
};

/* How to make the supports. A field that does not belong to the kind is ignored, and 0 is the
 * default of each. */
struct wf_graph_config {
    enum wf_support_kind kind;
    int hops;                    /* K of the paper: terms per support beside X itself */
    enum wf_compat compat;       /* read for random walks only */
    bool improved;               /* WF_GCN: loops that are added weigh 2 */
    bool no_loops;               /* WF_GCN: no loops are added, given ones are ordinary edges */
    bool raw;                    /* WF_GCN: P = A^T, without added loops and without degrees */
    enum wf_laplacian laplacian; /* read for WF_CHEB only */
    double lambda_max; /* WF_CHEB; 0: 2 for SYM and RW, for NONE twice the largest entry of L */
    /* WF_CHEB: lambda_max is the real part of that eigenvalue of L which has the largest modulus,
     * computed once from the constant weights. At most 4096 nodes. */
    bool dominant;
};

/* A list of edges, which belongs to the caller. */
struct wf_edges {
    int nodes, count;
    const int *source, *target; /* [E] host */
    const float *weight;        /* [E] host, or NULL: all 1 */
};

struct wf_graph {
    struct wf_backend *be;
    struct wf_graph_config cfg; /* as given, with lambda_max as computed */
    int nodes, edges;
    struct wf_csr to_target; /* pattern of support 0: its rows are targets */
    struct wf_csr to_source; /* pattern of support 1: its rows are sources */
    /* For each pattern: entry -> edge whose weight stands there. Number E, one past the last edge,
     * is the loop that WF_GCN and WF_CHEB add. */
    struct wf_index order[2];
    struct wf_tensor loop;       /* WF_GCN that adds loops: [entries], 1 at every loop, else 0 */
    struct wf_index misaligned;  /* WF_COMPAT_PGT: entry of S_1 -> node whose degree divides */
    struct wf_tensor weight;     /* [E], the constant weights */
    struct wf_tensor value[2];   /* [entries], the values of the supports for these weights */
    struct wf_supports supports; /* the constant supports, `hops` terms for each */
};

/* Builds the patterns and the constant supports on backend be; the edges are copied. Weights must
 * be finite and >= 0, nodes within 0 .. N - 1; WF_EINVAL says what is wrong. On failure gr is
 * freed. */
enum wf_status wf_graph_init(struct wf_graph *gr, struct wf_backend *be,
                             const struct wf_edges *edges, const struct wf_graph_config *cfg,
                             struct wf_error *err);
void wf_graph_free(struct wf_graph *gr);

/* The same from a dense adjacency matrix A [N, N] in host memory, whose entries other than 0 are
 * the edges, read row by row: so they are sorted by (source, target). */
enum wf_status wf_graph_from_dense(struct wf_graph *gr, struct wf_backend *be, int nodes,
                                   const float *A, const struct wf_graph_config *cfg,
                                   struct wf_error *err);

/* A graph of two supports that are given as dense matrices [N, N] in host memory: S[d][i, j] is
 * what node i takes from node j. Entries other than 0 are kept as they are, and compat decides
 * nothing but the recursion of the terms. */
enum wf_status wf_graph_from_supports(struct wf_graph *gr, struct wf_backend *be, int nodes,
                                      const float *const S[2], int hops, enum wf_compat compat,
                                      struct wf_error *err);

/* The supports as functions of weight [E] or [B, E], on the tape. Weights are >= 0 and in the given
 * order of the edges. [B, E] is refused (WF_EINVAL) where a support depends on more than the
 * weights of its own sample: with `dominant`, with WF_COMPAT_DCRNN_REVERSED, and for the second
 * support of WF_COMPAT_PGT. */
struct wf_supports wf_graph_supports(struct wf_tape *g, const struct wf_graph *gr,
                                     struct wf_tensor *weight);

/* Whether the values of S differ from sample to sample: [B, E] instead of [E]. */
static inline bool wf_supports_vary(const struct wf_supports *S)
{
    return S->count > 0 && S->value[0]->ndim > 1;
}

/* For layers that count edges: 1 for each edge of weight [B, E] that is there, 0 for each that is
 * not, without a gradient. NULL where all edges are there: for weight [E] and for NULL. */
struct wf_tensor *wf_present(struct wf_tape *g, struct wf_tensor *weight);

/* weight [E] or [B, E] rearranged to the entries of a pattern: entry k gets the weight of edge
 * order[k]. */
struct wf_tensor *wf_at_entries(struct wf_tape *g, struct wf_tensor *weight,
                                const struct wf_index *order);

#ifdef __cplusplus
}
#endif
#endif
