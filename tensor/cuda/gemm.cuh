/* gemm.cuh - dense products of plain row-major matrices, for the files that need more than the
 * kernel gemm. */
#ifndef WF_CUDA_GEMM_CUH
#define WF_CUDA_GEMM_CUH

#include "tensor/cuda/cuda.cuh"

/* A group of matrices: ld is the stride between rows as stored, group that between matrices. Where
 * transposed, the stored rows are the columns. */
struct wf_device_matrix {
    wf_real *data;
    ptrdiff_t group;
    int ld;
    bool transposed;
};

/* c [G, M, N] = a [G, M, K] b [G, K, N] + beta c, c not transposed, in the backend's precision. */
struct wf_product {
    struct wf_device_matrix a, b, c;
    int G, M, N, K;
    wf_real beta;
};
enum wf_status wf_cuda_product(struct wf_backend *be, const struct wf_product *p);

/* Returns the length of the pieces that a long sum over K with few elements of c is cut into, to
 * keep the whole device busy (the last one may be shorter); K where it is not cut. G is 1. */
int wf_cuda_piece(const struct wf_backend *be, const struct wf_product *p);

/* Writes the product of each piece to part [ceil(K / piece), M, N]; ignores c and beta. */
enum wf_status wf_cuda_partial_products(struct wf_backend *be, const struct wf_product *p,
                                        int piece, wf_real *part);

#endif
