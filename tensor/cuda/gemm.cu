/* gemm.cu - dense products: cuBLAS, but for tiny matrices. */
#include "tensor/cuda/gemm.cuh"
#include "tensor/cuda/vec.cuh"

/* TILE is about how many rows and columns of c one multiprocessor works on in cuBLAS; DEPTH is the
 * shortest piece of a sum that is worth a launch; MOST_GROUPS is set because cuBLAS puts groups on
 * an axis of the grid that ends at 65535; TINY and TINY_GROUPS belong to tiny(). */
enum { TILE = 128, DEPTH = 256, MOST_GROUPS = 32768, TINY = 16, TINY_GROUPS = 512 };
static const size_t PARTIAL_BYTES = (size_t)64 << 20;

static cublasComputeType_t compute_type(enum wf_precision precision)
{
    if (sizeof(wf_real) == 8) return CUBLAS_COMPUTE_64F;
    switch (precision) {
    case WF_TF32:
        return CUBLAS_COMPUTE_32F_FAST_TF32;
    case WF_BF16:
        return CUBLAS_COMPUTE_32F_FAST_16BF;
    case WF_FLOAT32:
        break;
    }
    return CUBLAS_COMPUTE_32F;
}

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int most(int a, int b)
{
    return a > b ? a : b;
}

/* Computes tiny products with one thread for each element of c. */
static __global__ void tiny_kernel(const __grid_constant__ struct wf_product p)
{
    ptrdiff_t ar = p.a.transposed ? 1 : p.a.ld, ak = p.a.transposed ? p.a.ld : 1;
    ptrdiff_t bk = p.b.transposed ? 1 : p.b.ld, bc = p.b.transposed ? p.b.ld : 1;
    EACH_ITEM(i, (ptrdiff_t)p.G * p.M * p.N)
    {
        ptrdiff_t row = wf_div(i, p.N), n = i - row * p.N, g = wf_div(row, p.M), m = row - g * p.M;
        const wf_real *a = p.a.data + g * p.a.group + m * ar;
        const wf_real *b = p.b.data + g * p.b.group + n * bc;
        wf_real *c = p.c.data + g * p.c.group + m * p.c.ld + n, sum = 0;
        for (int k = 0; k < p.K; k++) sum += a[k * ak] * b[k * bk];
        *c = p.beta == 0 ? sum : p.beta * *c + sum;
    }
}

/* Returns whether tiny_kernel() is faster: cuBLAS gives each matrix of a group a block of its own,
 * however small, and multiplies with a K of at least 8 or 16. */
static bool tiny(const struct wf_product *p)
{
    if (p->K <= 4) return true;
    return p->G >= TINY_GROUPS && p->M <= TINY && p->N <= TINY && p->K <= 2 * TINY;
}

/* cuBLAS reads matrices column by column, for which a row-major c = a b is c^T = b^T a^T. */
enum wf_status wf_cuda_product(struct wf_backend *be, const struct wf_product *p)
{
    const struct wf_cuda *c = wf_cuda_of(be);
    const wf_real one = 1;
    ptrdiff_t count = (ptrdiff_t)p->G * p->M * p->N;
    if (count == 0) return WF_OK;
    if (tiny(p)) return LAUNCH(be, tiny_kernel, wf_cuda_blocks(c, count), WF_CUDA_BLOCK, 0, *p);
    for (int g = 0; g < p->G; g += MOST_GROUPS)
        WF_TRY(wf_cuda_check_blas(
            be,
            cublasGemmStridedBatchedEx(
                c->blas, p->b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N,
                p->a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N, p->N, p->M, p->K, &one,
                p->b.data + g * p->b.group, WF_CUDA_REAL, p->b.ld, p->b.group,
                p->a.data + g * p->a.group, WF_CUDA_REAL, p->a.ld, p->a.group, &p->beta,
                p->c.data + g * p->c.group, WF_CUDA_REAL, p->c.ld, p->c.group,
                least(p->G - g, MOST_GROUPS), compute_type(c->precision), CUBLAS_GEMM_DEFAULT),
            "cublasGemm"));
    return WF_OK;
}

static int tiles(const struct wf_product *p)
{
    return ceil_div(p->M, TILE) * ceil_div(p->N, TILE);
}

int wf_cuda_piece(const struct wf_backend *be, const struct wf_product *p)
{
    int sms = ((const struct wf_cuda *)be)->sms, pieces = sms / most(1, tiles(p));
    if (p->K < 2 * DEPTH || pieces < 2) return p->K;
    int piece = most(DEPTH, (ceil_div(p->K, pieces) + 7) / 8 * 8); /* keeps matrices aligned */
    for (int k = piece; k <= 2 * piece && k < p->K; k += 8)
        if (p->K % k == 0) return k; /* no shorter piece, which would be a launch of its own */
    return least(piece, p->K);
}

/* Returns the product over the terms [from, ..) of the sum. */
static struct wf_product terms_from(struct wf_product p, ptrdiff_t from)
{
    p.a.data += from * (p.a.transposed ? p.a.ld : 1);
    p.b.data += from * (p.b.transposed ? 1 : p.b.ld);
    return p;
}

enum wf_status wf_cuda_partial_products(struct wf_backend *be, const struct wf_product *p,
                                        int piece, wf_real *part)
{
    int whole = p->K / piece, rest = p->K % piece;
    ptrdiff_t size = (ptrdiff_t)p->M * p->N;
    struct wf_product q = *p;
    q.G = whole;
    q.K = piece;
    q.beta = 0;
    q.a.group = (ptrdiff_t)piece * (p->a.transposed ? p->a.ld : 1);
    q.b.group = (ptrdiff_t)piece * (p->b.transposed ? 1 : p->b.ld);
    q.c = { part, size, p->N, false };
    WF_TRY(wf_cuda_product(be, &q));
    if (rest == 0) return WF_OK;
    q = terms_from(q, (ptrdiff_t)whole * piece);
    q.G = 1;
    q.K = rest;
    q.c.data += whole * size;
    return wf_cuda_product(be, &q);
}

/* ---- the kernel ---- */

/* c [M, N] = beta c + the parts, in their order */
static __global__ void sum_parts_kernel(struct wf_device_matrix c, int M, int N, wf_real beta,
                                        const wf_real *part, int parts)
{
    ptrdiff_t size = (ptrdiff_t)M * N;
    EACH_ITEM(i, size)
    {
        ptrdiff_t m = wf_div(i, N);
        wf_real sum = 0, *to = c.data + m * c.ld + (i - m * N);
        WF_UNROLL(8)
        for (int k = 0; k < parts; k++) sum += part[k * size + i];
        *to = beta == 0 ? sum : beta * *to + sum;
    }
}

static enum wf_status sum_parts(struct wf_backend *be, const struct wf_product *p,
                                const wf_real *part, int parts)
{
    return LAUNCH(be, sum_parts_kernel, wf_cuda_blocks(wf_cuda_of(be), (ptrdiff_t)p->M * p->N),
                  WF_CUDA_BLOCK, 0, p->c, p->M, p->N, p->beta, part, parts);
}

/* Computes one long sum, by pieces. */
static enum wf_status long_sum(struct wf_backend *be, const struct wf_product *p, int piece)
{
    int parts = ceil_div(p->K, piece);
    wf_real *part = (wf_real *)wf_cuda_scratch(be, sizeof(wf_real) * (size_t)parts * (size_t)p->M *
                                                       (size_t)p->N);
    if (!part) return WF_ENOMEM;
    WF_TRY(wf_cuda_partial_products(be, p, piece, part));
    return sum_parts(be, p, part, parts);
}

/* Sums all groups into one c, group g in partial sum g % parts. */
static enum wf_status group_sum(struct wf_backend *be, const struct wf_product *p)
{
    size_t size = sizeof(wf_real) * (size_t)p->M * (size_t)p->N;
    int room = (int)(PARTIAL_BYTES / size < 65536 ? PARTIAL_BYTES / size : 65536);
    int parts = least(p->G, most(1, least(room, 2 * ceil_div(wf_cuda_of(be)->sms, tiles(p)))));
    wf_real *part = (wf_real *)wf_cuda_scratch(be, (size_t)parts * size);
    if (!part) return WF_ENOMEM;
    for (int g = 0; g < p->G; g += parts) {
        struct wf_product q = *p;
        q.G = least(parts, p->G - g);
        q.a.data += g * p->a.group;
        q.b.data += g * p->b.group;
        q.c = { part, (ptrdiff_t)p->M * p->N, p->N, false };
        q.beta = g > 0;
        WF_TRY(wf_cuda_product(be, &q));
    }
    return sum_parts(be, p, part, parts);
}

/* Returns a tensor as a group of matrices. The stride of an axis of size 1 means nothing. */
static struct wf_device_matrix matrix_of(const struct wf_tensor *t)
{
    int rows = t->shape[1], cols = t->shape[2];
    ptrdiff_t row = t->stride[1], col = t->stride[2];
    struct wf_device_matrix m = { t->data, t->stride[0], 1, false };
    m.transposed = !((cols == 1 || col == 1) && (rows == 1 || row >= cols));
    ptrdiff_t ld = m.transposed ? col : row;
    int shortest = m.transposed ? rows : cols;
    m.ld = most(1, ld < shortest ? shortest : (int)ld);
    return m;
}

/* Treats groups as one product where it can: groups whose rows follow each other evenly and that
 * share b are one matrix; with `sum`, groups whose terms follow each other are one sum. */
static bool merge_groups(struct wf_product *p, bool sum)
{
    if (sum) {
        ptrdiff_t a = p->a.transposed ? p->a.ld : 1, b = p->b.transposed ? 1 : p->b.ld;
        if (p->a.group != p->K * a || p->b.group != p->K * b) return false;
        if ((ptrdiff_t)p->G * p->K > 1 << 30) return false;
        p->K *= p->G;
        if (!p->a.transposed) p->a.ld = most(p->a.ld, p->K); /* only a single row can need this */
        if (p->b.transposed) p->b.ld = most(p->b.ld, p->K);
    } else {
        if (p->b.group != 0 || p->a.transposed || (ptrdiff_t)p->G * p->M > 1 << 30) return false;
        if (p->a.group != (ptrdiff_t)p->M * p->a.ld || p->c.group != (ptrdiff_t)p->M * p->c.ld)
            return false;
        p->M *= p->G;
    }
    p->G = 1;
    return true;
}

extern "C" enum wf_status wf_cuda_gemm(struct wf_backend *be, struct wf_tensor *c,
                                       const struct wf_tensor *a, const struct wf_tensor *b,
                                       double beta)
{
    struct wf_product p = { matrix_of(a), matrix_of(b), matrix_of(c), c->shape[0],
                            c->shape[1],  c->shape[2],  a->shape[2],  (wf_real)beta };
    bool sum = c->stride[0] == 0 && p.G > 1;
    p.c.transposed = false;
    if (p.G == 0 || p.M == 0 || p.N == 0) return WF_OK;
    if (p.G > 1 && !merge_groups(&p, sum) && sum) return group_sum(be, &p);
    int piece = p.G == 1 ? wf_cuda_piece(be, &p) : p.K;
    return piece < p.K ? long_sum(be, &p, piece) : wf_cuda_product(be, &p);
}
