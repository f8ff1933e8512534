/* blas.cpp - cuBLAS in plain loops. */
#include "tests/emulator/cublas_v2.h"

struct cublasContext {
    cudaStream_t stream;
    cublasMath_t math;
    cublasPointerMode_t scalars;
};

namespace
{
using i64 = long long;

/* How the factors are rounded before they are multiplied: to so many bits of mantissa. */
enum rounding { FULL = 23, TF32 = 10, BF16 = 7 };

struct gemm {
    cublasOperation_t transa, transb;
    int m, n, k;
    double alpha, beta;
    const void *A, *B;
    void *C;
    cudaDataType a, b, c;
    int lda, ldb, ldc;
    i64 stridea, strideb, stridec;
    int batches;
    enum rounding rounding;
};

float rounded(float v, enum rounding r)
{
    if (r == FULL || v != v) return v;
    uint32_t x = emulator::bits<uint32_t>(v), drop = FULL - r;
    uint32_t odd = x >> drop & 1; /* to nearest, ties to even */
    x += (1u << (drop - 1)) - 1 + odd;
    return emulator::bits<float>(x >> drop << drop);
}

double load(const void *p, i64 i, cudaDataType type)
{
    switch (type) {
    case CUDA_R_64F:
        return ((const double *)p)[i];
    case CUDA_R_16BF:
        return emulator::bits<float>((uint32_t)((const uint16_t *)p)[i] << 16);
    default:
        return ((const float *)p)[i];
    }
}

void store(void *p, i64 i, cudaDataType type, double v)
{
    switch (type) {
    case CUDA_R_64F:
        ((double *)p)[i] = v;
        break;
    case CUDA_R_16BF:
        ((uint16_t *)p)[i] = (uint16_t)(emulator::bits<uint32_t>(rounded((float)v, BF16)) >> 16);
        break;
    default:
        ((float *)p)[i] = (float)v;
    }
}

size_t bytes_of(cudaDataType type)
{
    return type == CUDA_R_64F ? 8 : type == CUDA_R_16BF ? 2 : 4;
}

/* T: what products and sums are computed in. */
template <typename T> void multiply(const gemm &g, const void *A, const void *B, void *C)
{
    for (i64 j = 0; j < g.n; j++)
        for (i64 i = 0; i < g.m; i++) {
            T sum = 0;
            for (i64 l = 0; l < g.k; l++) {
                T a = (T)load(A, g.transa == CUBLAS_OP_N ? l * g.lda + i : i * g.lda + l, g.a);
                T b = (T)load(B, g.transb == CUBLAS_OP_N ? j * g.ldb + l : l * g.ldb + j, g.b);
                if (sizeof(T) == 4) {
                    a = (T)rounded((float)a, g.rounding);
                    b = (T)rounded((float)b, g.rounding);
                }
                sum += a * b;
            }
            i64 at = j * g.ldc + i;
            T y = (T)g.alpha * sum;
            if (g.beta != 0) y += (T)g.beta * (T)load(C, at, g.c);
            store(C, at, g.c, (double)y);
        }
}

void multiply(const gemm &g, const void *A, const void *B, void *C)
{
    if (g.c == CUDA_R_64F)
        multiply<double>(g, A, B, C);
    else
        multiply<float>(g, A, B, C);
}

cublasStatus_t queued(cublasHandle_t h, emulator::work w)
{
    return emulator::enqueue(h->stream, w) == cudaSuccess ? CUBLAS_STATUS_SUCCESS
                                                          : CUBLAS_STATUS_EXECUTION_FAILED;
}

bool valid(const gemm &g, cublasComputeType_t compute)
{
    bool wide = compute == CUBLAS_COMPUTE_64F || compute == CUBLAS_COMPUTE_64F_PEDANTIC;
    int rowsa = g.transa == CUBLAS_OP_N ? g.m : g.k, rowsb = g.transb == CUBLAS_OP_N ? g.k : g.n;
    return g.m >= 0 && g.n >= 0 && g.k >= 0 && g.batches >= 0 && g.lda >= (rowsa > 1 ? rowsa : 1) &&
           g.ldb >= (rowsb > 1 ? rowsb : 1) && g.ldc >= (g.m > 1 ? g.m : 1) && g.a == g.b &&
           wide == (g.a == CUDA_R_64F) && wide == (g.c == CUDA_R_64F);
}

/* The scalars are of the type that is computed in. */
cublasStatus_t complete(cublasHandle_t h, gemm *g, const void *alpha, const void *beta,
                        cublasComputeType_t compute)
{
    if (!h) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (h->scalars != CUBLAS_POINTER_MODE_HOST) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (!valid(*g, compute)) return CUBLAS_STATUS_INVALID_VALUE;
    cudaDataType type = g->c == CUDA_R_64F ? CUDA_R_64F : CUDA_R_32F;
    g->alpha = load(alpha, 0, type);
    g->beta = load(beta, 0, type);
    g->rounding = FULL;
    if (compute == CUBLAS_COMPUTE_32F_FAST_16BF) g->rounding = BF16;
    if (compute == CUBLAS_COMPUTE_32F_FAST_TF32) g->rounding = TF32;
    if (compute == CUBLAS_COMPUTE_32F && h->math == CUBLAS_TF32_TENSOR_OP_MATH) g->rounding = TF32;
    return CUBLAS_STATUS_SUCCESS;
}
} // namespace

cublasStatus_t cublasCreate(cublasHandle_t *h)
{
    *h = new cublasContext();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t h)
{
    delete h;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t h, cudaStream_t stream)
{
    h->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t, void *, size_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t h, cublasMath_t mode)
{
    h->math = mode;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetPointerMode(cublasHandle_t h, cublasPointerMode_t mode)
{
    h->scalars = mode;
    return CUBLAS_STATUS_SUCCESS;
}

const char *cublasGetStatusString(cublasStatus_t s)
{
    switch (s) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
    return "unknown status";
}

cublasStatus_t cublasGemmStridedBatchedEx(
    cublasHandle_t h, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,
    const void *alpha, const void *A, cudaDataType typeA, int lda, long long strideA, const void *B,
    cudaDataType typeB, int ldb, long long strideB, const void *beta, void *C, cudaDataType typeC,
    int ldc, long long strideC, int batches, cublasComputeType_t compute, cublasGemmAlgo_t)
{
    gemm g = { transa, transb, m,   n,   k,   0,       0,       A,       B,       C,   typeA,
               typeB,  typeC,  lda, ldb, ldc, strideA, strideB, strideC, batches, FULL };
    cublasStatus_t rc = complete(h, &g, alpha, beta, compute);
    if (rc != CUBLAS_STATUS_SUCCESS) return rc;
    return queued(h, [g] {
        for (i64 b = 0; b < g.batches; b++)
            multiply(g, (const char *)g.A + b * g.stridea * (i64)bytes_of(g.a),
                     (const char *)g.B + b * g.strideb * (i64)bytes_of(g.b),
                     (char *)g.C + b * g.stridec * (i64)bytes_of(g.c));
    });
}

cublasStatus_t cublasGemmBatchedEx(cublasHandle_t h, cublasOperation_t transa,
                                   cublasOperation_t transb, int m, int n, int k, const void *alpha,
                                   const void *const A[], cudaDataType typeA, int lda,
                                   const void *const B[], cudaDataType typeB, int ldb,
                                   const void *beta, void *const C[], cudaDataType typeC, int ldc,
                                   int batches, cublasComputeType_t compute, cublasGemmAlgo_t)
{
    gemm g = { transa, transb, m,   n,   k,   0, 0, NULL, NULL,    NULL, typeA,
               typeB,  typeC,  lda, ldb, ldc, 0, 0, 0,    batches, FULL };
    cublasStatus_t rc = complete(h, &g, alpha, beta, compute);
    if (rc != CUBLAS_STATUS_SUCCESS) return rc;
    return queued(h, [=] {
        for (int b = 0; b < batches; b++) multiply(g, A[b], B[b], C[b]);
    });
}

cublasStatus_t cublasGemmEx(cublasHandle_t h, cublasOperation_t transa, cublasOperation_t transb,
                            int m, int n, int k, const void *alpha, const void *A,
                            cudaDataType typeA, int lda, const void *B, cudaDataType typeB, int ldb,
                            const void *beta, void *C, cudaDataType typeC, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t algorithm)
{
    return cublasGemmStridedBatchedEx(h, transa, transb, m, n, k, alpha, A, typeA, lda, 0, B, typeB,
                                      ldb, 0, beta, C, typeC, ldc, 0, 1, compute, algorithm);
}

#define WF_CUBLAS(S, T, type, compute)                                                             \
    cublasStatus_t cublas##S##gemmStridedBatched(                                                  \
        cublasHandle_t h, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k, \
        const T *alpha, const T *A, int lda, long long strideA, const T *B, int ldb,               \
        long long strideB, const T *beta, T *C, int ldc, long long strideC, int batches)           \
    {                                                                                              \
        return cublasGemmStridedBatchedEx(h, transa, transb, m, n, k, alpha, A, type, lda,         \
                                          strideA, B, type, ldb, strideB, beta, C, type, ldc,      \
                                          strideC, batches, compute, CUBLAS_GEMM_DEFAULT);         \
    }                                                                                              \
    cublasStatus_t cublas##S##gemm(                                                                \
        cublasHandle_t h, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k, \
        const T *alpha, const T *A, int lda, const T *B, int ldb, const T *beta, T *C, int ldc)    \
    {                                                                                              \
        return cublasGemmEx(h, transa, transb, m, n, k, alpha, A, type, lda, B, type, ldb, beta,   \
                            C, type, ldc, compute, CUBLAS_GEMM_DEFAULT);                           \
    }                                                                                              \
    cublasStatus_t cublas##S##gemv(cublasHandle_t h, cublasOperation_t trans, int m, int n,        \
                                   const T *alpha, const T *A, int lda, const T *x, int incx,      \
                                   const T *beta, T *y, int incy)                                  \
    {                                                                                              \
        /* x and y as matrices with one row: y^T = x^T op(A)^T */                                  \
        bool plain = trans == CUBLAS_OP_N;                                                         \
        return cublas##S##gemm(h, CUBLAS_OP_N, plain ? CUBLAS_OP_T : CUBLAS_OP_N, 1,               \
                               plain ? m : n, plain ? n : m, alpha, x, incx, A, lda, beta, y,      \
                               incy);                                                              \
    }
WF_CUBLAS(S, float, CUDA_R_32F, CUBLAS_COMPUTE_32F)
WF_CUBLAS(D, double, CUDA_R_64F, CUBLAS_COMPUTE_64F)
