/* spmm.cu - products of sparse and dense matrices, and products sampled at the entries of a
 * pattern.
 *
 * y = A x, x [B, N, C], reads 8 bytes and C numbers per entry and sample and writes C numbers per
 * row and sample; the reads of one sample, nnz C numbers, find x's N C numbers in the L2 cache as
 * long as a few samples fit there. So threads run over the channels of a row, 16 bytes each, then
 * over the rows, and last over the samples. Where all samples share the values, a thread takes its
 * row of 4 samples at once: it reads each entry once for them, and has 4 loads under way. */
#include "tensor/cuda/sparse.cuh"

struct spmm {
    struct wf_sparse A;
    ptrdiff_t lead; /* distance between the values of two samples; 0 where samples share them */
    const wf_real *x;
    wf_real *y;
    ptrdiff_t x_sample, x_row, y_sample, y_row;
    int B, rows, vecs; /* samples, rows, vectors of W columns */
    bool add;
};

/* Computes vector v of row `row` of y for samples b .. b + S - 1. */
template <int W, int S> static __device__ void spmm_row(const struct spmm &p, int b, int row, int v)
{
    struct wf_sparse A = p.A;
    wf_vec<W> sum[S];
    A.val += b * p.lead;
    wf_sparse_row<W, S>(sum, A, row, p.x + b * p.x_sample + v * W, p.x_row, p.x_sample);
    wf_real *y = p.y + b * p.y_sample + row * p.y_row + v * W;
    for (int s = 0; s < S; s++, y += p.y_sample) {
        if (p.add) wf_vec_fma(sum[s], 1, wf_vec_load<W>(y));
        wf_vec_store(y, sum[s]);
    }
}

template <int W, int S> static __global__ void spmm_kernel(const __grid_constant__ struct spmm p)
{
    ptrdiff_t groups = (p.B + S - 1) / S;
    EACH_ITEM(i, groups * p.rows * p.vecs)
    {
        ptrdiff_t row = wf_div(i, p.vecs), group = wf_div(row, p.rows);
        int v = (int)(i - row * p.vecs), b = (int)group * S, r = (int)(row - group * p.rows);
        if (b + S <= p.B)
            spmm_row<W, S>(p, b, r, v);
        else
            for (; b < p.B; b++) spmm_row<W, 1>(p, b, r, v);
    }
}

template <int W> static enum wf_status run_spmm(struct wf_backend *be, struct spmm p)
{
    p.vecs /= W;
    bool four = p.lead == 0 && p.B > 1;
    ptrdiff_t items = (ptrdiff_t)(four ? (p.B + 3) / 4 : p.B) * p.rows * p.vecs;
    unsigned blocks = wf_cuda_blocks(wf_cuda_of(be), items);
    if (four) return LAUNCH(be, (spmm_kernel<W, 4>), blocks, WF_CUDA_BLOCK, 0, p);
    return LAUNCH(be, (spmm_kernel<W, 1>), blocks, WF_CUDA_BLOCK, 0, p);
}

/* ---- cuSPARSE ---- */

/* Returns whether cuSPARSE is faster. It balances rows of very different lengths, which pays on a
 * large graph, but its one deterministic algorithm supports neither groups of matrices nor
 * transposes. */
static bool library_wins(const struct spmm *p)
{
    return p->B == 1 && p->rows >= 4096 && p->vecs >= 32 && p->A.perm == NULL && p->A.stride == 1 &&
           p->A.nnz > 0 && p->x_row >= p->vecs && p->y_row >= p->vecs &&
           wf_aligned(p->x, p->x_row, 0) && wf_aligned(p->y, p->y_row, 0);
}

struct library {
    cusparseConstSpMatDescr_t A;
    cusparseConstDnMatDescr_t x;
    cusparseDnMatDescr_t y;
};

static cusparseStatus_t describe(struct library *l, const struct spmm *p, int cols)
{
    cusparseStatus_t rc = cusparseCreateConstCsr(&l->A, p->rows, cols, p->A.nnz, p->A.ptr, p->A.idx,
                                                 p->A.val, CUSPARSE_INDEX_32I, CUSPARSE_INDEX_32I,
                                                 CUSPARSE_INDEX_BASE_ZERO, WF_CUDA_REAL);
    if (rc == CUSPARSE_STATUS_SUCCESS)
        rc = cusparseCreateConstDnMat(&l->x, cols, p->vecs, p->x_row, p->x, WF_CUDA_REAL,
                                      CUSPARSE_ORDER_ROW);
    if (rc == CUSPARSE_STATUS_SUCCESS)
        rc = cusparseCreateDnMat(&l->y, p->rows, p->vecs, p->y_row, p->y, WF_CUDA_REAL,
                                 CUSPARSE_ORDER_ROW);
    return rc;
}

static enum wf_status multiply(struct wf_backend *be, const struct library *l, bool add)
{
    const cusparseOperation_t plain = CUSPARSE_OPERATION_NON_TRANSPOSE;
    const cusparseSpMMAlg_t deterministic = CUSPARSE_SPMM_CSR_ALG3;
    const wf_real one = 1, beta = add;
    cusparseHandle_t h = wf_cuda_of(be)->sparse;
    size_t bytes = 0;
    WF_TRY(wf_cuda_check_sparse(be,
                                cusparseSpMM_bufferSize(h, plain, plain, &one, l->A, l->x, &beta,
                                                        l->y, WF_CUDA_REAL, deterministic, &bytes),
                                "cusparseSpMM_bufferSize"));
    void *buffer = wf_cuda_scratch(be, bytes ? bytes : 1);
    if (!buffer) return WF_ENOMEM;
    return wf_cuda_check_sparse(be,
                                cusparseSpMM(h, plain, plain, &one, l->A, l->x, &beta, l->y,
                                             WF_CUDA_REAL, deterministic, buffer),
                                "cusparseSpMM");
}

static enum wf_status run_library(struct wf_backend *be, const struct spmm *p, int cols)
{
    struct library l = {};
    enum wf_status s = wf_cuda_check_sparse(be, describe(&l, p, cols), "cusparseCreate");
    if (s == WF_OK) s = multiply(be, &l, p->add);
    if (l.A) cusparseDestroySpMat(l.A);
    if (l.x) cusparseDestroyDnMat(l.x);
    if (l.y) cusparseDestroyDnMat(l.y);
    return s;
}

extern "C" enum wf_status wf_cuda_spmm(struct wf_backend *be, struct wf_tensor *y,
                                       const struct wf_csr *A, const struct wf_tensor *val,
                                       const struct wf_tensor *x, bool transpose, bool add)
{
    struct spmm p = {};
    p.A = wf_sparse_of(A, val, transpose);
    p.x = x->data;
    p.y = y->data;
    p.lead = val->ndim == 2 ? val->stride[0] : 0;
    p.x_sample = x->stride[0];
    p.x_row = x->stride[1];
    p.y_sample = y->stride[0];
    p.y_row = y->stride[1];
    p.B = y->shape[0];
    p.rows = y->shape[1];
    p.vecs = y->shape[2];
    p.add = add;
    if (p.B == 0 || p.rows == 0 || p.vecs == 0) return WF_OK;
    if (library_wins(&p)) return run_library(be, &p, x->shape[1]);
    bool wide = p.vecs % WF_VEC == 0 && wf_aligned(p.x, p.x_sample, p.x_row) &&
                wf_aligned(p.y, p.y_sample, p.y_row);
    return wide ? run_spmm<WF_VEC>(be, p) : run_spmm<1>(be, p);
}

/* ---- products at the entries ---- */

struct dots {
    struct wf_dots d;
    const int *ptr, *idx;
    int rows, nnz, vecs; /* rows, entries, vectors of W columns */
    int lanes;           /* threads that share a sum: a power of 2, at most 32 */
};

/* Returns the row of entry e: the last row that begins at or before e. */
static __device__ int row_of(const int *ptr, int rows, int e)
{
    int from = 0, to = rows;
    while (to - from > 1) {
        int half = from + (to - from) / 2;
        if (ptr[half] <= e)
            from = half;
        else
            to = half;
    }
    return from;
}

/* Returns this lane's share of the sum for entry e over samples [b, b + count). */
template <int W>
static __device__ wf_real dot(const struct dots &p, int e, ptrdiff_t b, int count, int lane)
{
    const wf_real *a = p.d.a + b * p.d.a_sample + row_of(p.ptr, p.rows, e) * p.d.a_row;
    const wf_real *x = p.d.x + b * p.d.x_sample + p.idx[e] * p.d.x_row;
    wf_vec<W> sum = wf_vec_zero<W>();
    WF_UNROLL(4)
    for (int t = lane; t < count * p.vecs; t += p.lanes) {
        int s = t / p.vecs, v = t - s * p.vecs;
        wf_vec<W> left = wf_vec_load<W>(a + s * p.d.a_sample + v * W);
        wf_vec<W> right = wf_vec_load<W>(x + s * p.d.x_sample + v * W);
        for (int k = 0; k < W; k++) sum.v[k] += left.v[k] * right.v[k];
    }
    wf_real total = 0;
    for (int k = 0; k < W; k++) total += sum.v[k];
    return total;
}

/* All threads of a warp stay in the loop, because they exchange their shares of the sums. */
template <int W> static __global__ void dots_kernel(const __grid_constant__ struct dots p)
{
    ptrdiff_t items = p.d.apart ? (ptrdiff_t)p.d.B * p.nnz : p.nnz, at = blockIdx.x;
    int lane = (int)threadIdx.x % p.lanes, per_block = WF_CUDA_BLOCK / p.lanes;
    for (at *= per_block; at < items; at += (ptrdiff_t)gridDim.x * per_block) {
        ptrdiff_t item = at + (int)threadIdx.x / p.lanes, b = wf_div(item, p.nnz);
        int e = (int)(item - b * p.nnz);
        wf_real sum = item < items ? dot<W>(p, e, b, p.d.apart ? 1 : p.d.B, lane) : 0;
        for (int k = p.lanes / 2; k > 0; k /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, k);
        if (lane == 0 && item < items)
            p.d.out[b * p.d.out_sample + e * p.d.out_stride] += p.d.scale * sum;
    }
}

enum wf_status wf_cuda_dots(struct wf_backend *be, const struct wf_csr *A, const struct wf_dots *d)
{
    bool wide = d->C % WF_VEC == 0 && wf_aligned(d->a, d->a_sample, d->a_row) &&
                wf_aligned(d->x, d->x_sample, d->x_row);
    struct dots p = { *d, A->ptr, A->idx, A->rows, A->nnz, wide ? d->C / WF_VEC : d->C, 1 };
    ptrdiff_t items = (ptrdiff_t)(d->apart ? d->B : 1) * A->nnz;
    if (items == 0 || d->B == 0) return WF_OK;
    while (p.lanes < 32 && p.lanes < (d->apart ? 1 : d->B) * p.vecs) p.lanes *= 2;
    unsigned blocks = wf_cuda_blocks(wf_cuda_of(be), items * p.lanes);
    if (wide) return LAUNCH(be, (dots_kernel<WF_VEC>), blocks, WF_CUDA_BLOCK, 0, p);
    return LAUNCH(be, (dots_kernel<1>), blocks, WF_CUDA_BLOCK, 0, p);
}

extern "C" enum wf_status wf_cuda_spmm_bwd_val(struct wf_backend *be, struct wf_tensor *dval,
                                               const struct wf_csr *A, const struct wf_tensor *dy,
                                               const struct wf_tensor *x)
{
    struct wf_dots d = {};
    d.a = dy->data;
    d.x = x->data;
    d.a_sample = dy->stride[0];
    d.a_row = dy->stride[1];
    d.x_sample = x->stride[0];
    d.x_row = x->stride[1];
    d.B = x->shape[0];
    d.C = x->shape[2];
    d.scale = 1;
    d.out = dval->data;
    d.apart = dval->ndim == 2;
    d.out_sample = d.apart ? dval->stride[0] : 0;
    d.out_stride = d.apart ? 1 : dval->stride[0];
    return wf_cuda_dots(be, A, &d);
}
