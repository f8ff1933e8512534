/* csr.h - sparsity patterns, index lists, and the supports of a diffusion convolution.
 *
 * A sparse matrix is a pattern (struct wf_csr, integers only) and an ordinary tensor [E] of values
 * in the pattern's entry order, constant or learned. The pattern carries its transpose and the
 * permutation between the two, so that no product, in either direction, needs atomics. */
#ifndef WF_CSR_H
#define WF_CSR_H

#include "tensor/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_csr {
    struct wf_backend *be;
    int rows, cols, nnz;
    int *ptr, *idx;           /* [rows + 1], [nnz]: entry e of row i sits in column idx[e] */
    int *tptr, *tidx, *tperm; /* [cols + 1], [nnz], [nnz]: transposed entry k is entry tperm[k] */
};

/* Builds a pattern from nnz coordinate pairs (host memory, any order, parallel entries allowed);
 * entries are sorted by (row, column), equal ones keep their order. Where entry_of is not NULL, it
 * receives the CSR entry of each pair. Fails with WF_EINVAL when an index lies outside. */
enum wf_status wf_csr_from_pairs(struct wf_csr *A, struct wf_backend *be, int rows, int cols,
                                 int nnz, const int *row, const int *col, int *entry_of,
                                 struct wf_error *err);
void wf_csr_free(struct wf_csr *A);

/* A list of n indices into an array of `range` rows, with its inverse lists: positions
 * inv[ptr[r]] .. inv[ptr[r+1]-1] hold r. They let the gradient of a gather add up in a fixed
 * order. */
struct wf_index {
    struct wf_backend *be;
    int n, range;
    int *idx, *ptr, *inv;
};
enum wf_status wf_index_init(struct wf_index *ix, struct wf_backend *be, int range, int n,
                             const int *idx, struct wf_error *err);
void wf_index_free(struct wf_index *ix);

/* Term m of a diffusion convolution, m >= 1; term 0 is the input X itself:
 *     T_m = S T_src                  when sub < 0
 *     T_m = 2 S T_src - T_sub        otherwise        (S = supports.value[support])
 * src and sub are earlier terms. The list expresses Chebyshev recursions and their variants. */
struct wf_hop {
    int support, src, sub;
};

enum { WF_MAXSUPPORT = 4, WF_MAXTERM = 32 };

/* The supports (diffusion matrices [N, N]) and the terms built from them. The struct owns nothing.
 */
struct wf_supports {
    int count, nodes;
    const struct wf_csr *pattern[WF_MAXSUPPORT];
    struct wf_tensor *value[WF_MAXSUPPORT]; /* [E] each */
    int terms;                              /* M: term 0 and the hops */
    struct wf_hop hop[WF_MAXTERM];          /* hop[m] makes term m; hop[0] is unused */
};

/* How the terms follow each other, K hops per support:
 * WF_DIFFUSION        T_1 = S X, T_k = 2 S T_{k-1} - T_{k-2}, each support from X (Li et al. 2018)
 * WF_DIFFUSION_CARRY  as above, but a support after the first takes the term before the last of
 *                     its predecessor for X (the published DCRNN codes)
 * WF_DIFFUSION_FIXED  T_k = 2 S T_{k-1} - X for every k >= 2 (PyTorch Geometric Temporal) */
enum wf_diffusion { WF_DIFFUSION, WF_DIFFUSION_CARRY, WF_DIFFUSION_FIXED };

/* Writes terms = 1 + count * hops and the hop list. Returns WF_EINVAL when there would be more than
 * WF_MAXTERM terms. */
enum wf_status wf_supports_terms(struct wf_supports *S, int hops, enum wf_diffusion kind);

/* Returns whether every term is a polynomial of one support alone, so that terms and supports
 * commute and the hops may be applied after the product with the weights. */
bool wf_supports_commute(const struct wf_supports *S);

#ifdef __cplusplus
}
#endif
#endif
