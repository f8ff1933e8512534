/* sparse.cuh - rows of a sparse matrix. */
#ifndef WF_CUDA_SPARSE_CUH
#define WF_CUDA_SPARSE_CUH

#include "tensor/cuda/vec.cuh"

/* Describes a sparsity pattern, or its transpose, with values: entry e of row i, where
 * ptr[i] <= e < ptr[i + 1], lies in column idx[e] and has the value val[perm[e] * stride], or
 * val[e * stride] where perm is NULL. */
struct wf_sparse {
    const int *ptr, *idx, *perm;
    const wf_real *val;
    ptrdiff_t stride;
    int nnz;
};

static inline struct wf_sparse wf_sparse_of(const struct wf_csr *A, const struct wf_tensor *val,
                                            bool transpose)
{
    struct wf_sparse s = { A->ptr, A->idx, NULL, val->data, val->stride[val->ndim - 1], A->nnz };
    if (transpose) {
        s.ptr = A->tptr;
        s.idx = A->tidx;
        s.perm = A->tperm;
    }
    return s;
}

static inline __device__ wf_real wf_sparse_value(const struct wf_sparse &A, int e)
{
    return A.val[(A.perm ? A.perm[e] : e) * A.stride];
}

/* Sets sum to row i of A times W columns of x, for S matrices x that lie `sample` apart and whose
 * rows lie `row` apart. Each entry of A is read once for all of them. */
template <int W, int S>
static inline __device__ void wf_sparse_row(wf_vec<W> (&sum)[S], const struct wf_sparse &A, int i,
                                            const wf_real *x, ptrdiff_t row, ptrdiff_t sample)
{
    for (int s = 0; s < S; s++) sum[s] = wf_vec_zero<W>();
    int to = A.ptr[i + 1];
    WF_UNROLL((S > 1 ? 2 : 4))
    for (int e = A.ptr[i]; e < to; e++) {
        wf_real v = wf_sparse_value(A, e);
        const wf_real *p = x + A.idx[e] * row;
        for (int s = 0; s < S; s++) wf_vec_fma(sum[s], v, wf_vec_load<W>(p + s * sample));
    }
}

/* Describes products at the entries e = (i, j) of A: the sum over c < C and b < B of
 * a[b, i, c] x[b, j, c], times scale, is added to out[e]. With `apart`, the sum over c alone is
 * added to out[b, e]. */
struct wf_dots {
    const wf_real *a, *x;
    ptrdiff_t a_sample, a_row, x_sample, x_row;
    int B, C;
    wf_real scale;
    wf_real *out;
    ptrdiff_t out_sample, out_stride;
    bool apart; /* out has a result for each sample */
};
enum wf_status wf_cuda_dots(struct wf_backend *be, const struct wf_csr *A, const struct wf_dots *d);

#endif
