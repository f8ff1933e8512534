/* sparse.cpp - cuSPARSE in plain loops. */
#include "tests/emulator/cusparse.h"

struct cusparseContext {
    cudaStream_t stream;
};
struct cusparseSpMatDescr {
    int64_t rows, cols, nnz;
    const int *offsets, *columns;
    const void *values;
    cusparseIndexBase_t base;
    cudaDataType type;
    int batches;
    int64_t offset_stride, value_stride;
};
struct cusparseDnMatDescr {
    int64_t rows, cols, ld;
    void *values;
    cudaDataType type;
    cusparseOrder_t order;
    int batches;
    int64_t stride;
};

namespace
{
/* Element (i, j) of op(B). */
template <typename T>
T *element(const cusparseDnMatDescr &B, cusparseOperation_t op, int64_t batch, int64_t i, int64_t j)
{
    if (op != CUSPARSE_OPERATION_NON_TRANSPOSE) {
        int64_t swap = i;
        i = j;
        j = swap;
    }
    int64_t at = B.order == CUSPARSE_ORDER_ROW ? i * B.ld + j : j * B.ld + i;
    return (T *)B.values + (B.batches > 1 ? batch * B.stride : 0) + at;
}

struct product {
    cusparseOperation_t opA, opB;
    cusparseSpMatDescr A;
    cusparseDnMatDescr B, C;
    double alpha, beta;
};

template <typename T> void multiply(const product &p, int64_t batch)
{
    const cusparseSpMatDescr &A = p.A;
    const cusparseOperation_t plain = CUSPARSE_OPERATION_NON_TRANSPOSE;
    const int *offsets = A.offsets + (A.batches > 1 ? batch * A.offset_stride : 0);
    const int *columns =
        A.columns + (A.batches > 1 && A.offset_stride ? batch * A.value_stride : 0);
    const T *values = (const T *)A.values + (A.batches > 1 ? batch * A.value_stride : 0);
    for (int64_t i = 0; i < p.C.rows; i++)
        for (int64_t j = 0; j < p.C.cols; j++) {
            T *c = element<T>(p.C, plain, batch, i, j);
            *c = p.beta == 0 ? 0 : (T)p.beta * *c;
        }
    for (int64_t r = 0; r < A.rows; r++)
        for (int64_t e = offsets[r] - A.base; e < offsets[r + 1] - A.base; e++) {
            int64_t col = columns[e] - A.base;
            int64_t to = p.opA == plain ? r : col, from = p.opA == plain ? col : r;
            for (int64_t j = 0; j < p.C.cols; j++)
                *element<T>(p.C, plain, batch, to, j) +=
                    (T)p.alpha * values[e] * *element<T>(p.B, p.opB, batch, from, j);
        }
}

bool valid(const product &p, cudaDataType compute)
{
    bool plainA = p.opA == CUSPARSE_OPERATION_NON_TRANSPOSE,
         plainB = p.opB == CUSPARSE_OPERATION_NON_TRANSPOSE;
    int64_t rows = plainA ? p.A.rows : p.A.cols, inner = plainA ? p.A.cols : p.A.rows;
    return (compute == CUDA_R_32F || compute == CUDA_R_64F) && p.A.type == compute &&
           p.B.type == compute && p.C.type == compute && rows == p.C.rows &&
           inner == (plainB ? p.B.rows : p.B.cols) && p.C.cols == (plainB ? p.B.cols : p.B.rows);
}
} // namespace

cusparseStatus_t cusparseCreate(cusparseHandle_t *h)
{
    *h = new cusparseContext();
    return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseDestroy(cusparseHandle_t h)
{
    delete h;
    return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseSetStream(cusparseHandle_t h, cudaStream_t stream)
{
    h->stream = stream;
    return CUSPARSE_STATUS_SUCCESS;
}

const char *cusparseGetErrorString(cusparseStatus_t s)
{
    switch (s) {
    case CUSPARSE_STATUS_SUCCESS:
        return "success";
    case CUSPARSE_STATUS_NOT_INITIALIZED:
        return "initialization error";
    case CUSPARSE_STATUS_ALLOC_FAILED:
        return "out of memory";
    case CUSPARSE_STATUS_INVALID_VALUE:
        return "invalid value";
    case CUSPARSE_STATUS_EXECUTION_FAILED:
        return "kernel launch failure";
    case CUSPARSE_STATUS_NOT_SUPPORTED:
        return "operation not supported";
    }
    return "unknown error";
}

cusparseStatus_t cusparseCreateCsr(cusparseSpMatDescr_t *A, int64_t rows, int64_t cols, int64_t nnz,
                                   void *offsets, void *columns, void *values,
                                   cusparseIndexType_t offset_type, cusparseIndexType_t column_type,
                                   cusparseIndexBase_t base, cudaDataType type)
{
    if (offset_type != CUSPARSE_INDEX_32I || column_type != CUSPARSE_INDEX_32I)
        return CUSPARSE_STATUS_NOT_SUPPORTED;
    *A = new cusparseSpMatDescr{
        rows, cols, nnz, (const int *)offsets, (const int *)columns, values, base, type, 1, 0, 0
    };
    return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseCreateConstCsr(cusparseConstSpMatDescr_t *A, int64_t rows, int64_t cols,
                                        int64_t nnz, const void *offsets, const void *columns,
                                        const void *values, cusparseIndexType_t offset_type,
                                        cusparseIndexType_t column_type, cusparseIndexBase_t base,
                                        cudaDataType type)
{
    cusparseSpMatDescr_t made = NULL;
    cusparseStatus_t rc =
        cusparseCreateCsr(&made, rows, cols, nnz, (void *)offsets, (void *)columns, (void *)values,
                          offset_type, column_type, base, type);
    *A = made;
    return rc;
}

cusparseStatus_t cusparseCsrSetStridedBatch(cusparseSpMatDescr_t A, int batches,
                                            int64_t offset_stride, int64_t value_stride)
{
    A->batches = batches;
    A->offset_stride = offset_stride;
    A->value_stride = value_stride;
    return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseDestroySpMat(cusparseConstSpMatDescr_t A)
{
    delete A;
    return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseCreateDnMat(cusparseDnMatDescr_t *B, int64_t rows, int64_t cols,
                                     int64_t ld, void *values, cudaDataType type,
                                     cusparseOrder_t order)
{
    if (ld < (order == CUSPARSE_ORDER_ROW ? cols : rows)) return CUSPARSE_STATUS_INVALID_VALUE;
    *B = new cusparseDnMatDescr{ rows, cols, ld, values, type, order, 1, 0 };
    return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseCreateConstDnMat(cusparseConstDnMatDescr_t *B, int64_t rows, int64_t cols,
                                          int64_t ld, const void *values, cudaDataType type,
                                          cusparseOrder_t order)
{
    cusparseDnMatDescr_t made = NULL;
    cusparseStatus_t rc = cusparseCreateDnMat(&made, rows, cols, ld, (void *)values, type, order);
    *B = made;
    return rc;
}

cusparseStatus_t cusparseDnMatSetStridedBatch(cusparseDnMatDescr_t B, int batches, int64_t stride)
{
    B->batches = batches;
    B->stride = stride;
    return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseDestroyDnMat(cusparseConstDnMatDescr_t B)
{
    delete B;
    return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseSpMM_bufferSize(cusparseHandle_t, cusparseOperation_t, cusparseOperation_t,
                                         const void *, cusparseConstSpMatDescr_t,
                                         cusparseConstDnMatDescr_t, const void *,
                                         cusparseDnMatDescr_t, cudaDataType, cusparseSpMMAlg_t,
                                         size_t *bytes)
{
    *bytes = 256;
    return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseSpMM_preprocess(cusparseHandle_t, cusparseOperation_t, cusparseOperation_t,
                                         const void *, cusparseConstSpMatDescr_t,
                                         cusparseConstDnMatDescr_t, const void *,
                                         cusparseDnMatDescr_t, cudaDataType, cusparseSpMMAlg_t,
                                         void *)
{
    return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseSpMM(cusparseHandle_t h, cusparseOperation_t opA, cusparseOperation_t opB,
                              const void *alpha, cusparseConstSpMatDescr_t A,
                              cusparseConstDnMatDescr_t B, const void *beta, cusparseDnMatDescr_t C,
                              cudaDataType compute, cusparseSpMMAlg_t, void *)
{
    product p = { opA, opB, *A, *B, *C, 0, 0 };
    if (!valid(p, compute)) return CUSPARSE_STATUS_INVALID_VALUE;
    bool wide = compute == CUDA_R_64F;
    p.alpha = wide ? *(const double *)alpha : *(const float *)alpha;
    p.beta = wide ? *(const double *)beta : *(const float *)beta;
    cudaError_t rc = emulator::enqueue(h->stream, [p, wide] {
        for (int64_t b = 0; b < p.C.batches; b++)
            if (wide)
                multiply<double>(p, b);
            else
                multiply<float>(p, b);
    });
    return rc == cudaSuccess ? CUSPARSE_STATUS_SUCCESS : CUSPARSE_STATUS_EXECUTION_FAILED;
}
