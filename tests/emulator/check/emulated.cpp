/* emulated.cpp - whether the emulator does what its headers say. Exits with the first failure. */
#include <sys/wait.h>
#include <unistd.h>
#include "tests/emulator/check/check.h"
#include "tests/emulator/cublas_v2.h"
#include "tests/emulator/cuda.h"
#include "tests/emulator/cusparse.h"

/* LAUNCH as the plugin has it, without a plugin. */
static struct {
    cudaStream_t stream;
} device;
#define wf_cuda_of(be)                 (&device)
#define wf_cuda_check(be, error, what) (error)

template <typename T> static T *memory(size_t n)
{
    T *p = NULL;
    CHECK(cudaMalloc(&p, n * sizeof(T)) == cudaSuccess);
    return p;
}

static void finish()
{
    CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
}

/* ---- blocks ---- */

static __global__ void reverse(int *x)
{
    DYNAMIC_SHARED(int, tile);
    unsigned n = blockDim.x, i = threadIdx.x;
    int *mine = x + (size_t)(blockIdx.z * gridDim.y + blockIdx.y) * n;
    tile[i] = mine[i];
    __syncthreads();
    mine[i] = tile[n - 1 - i];
}

/* Threads 40 and up return at once; thread i < 40 gets what others of its warp have. */
static __global__ void exchange(int *y)
{
    int i = (int)threadIdx.x, *mine = y + 8 * i;
    if (i >= 40) return;
    __syncthreads();
    mine[0] = (int)__ballot_sync(~0u, i % 3 == 0);
    mine[1] = __shfl_xor_sync(~0u, i, 1);
    mine[2] = __shfl_sync(~0u, i, 5, 8);
    mine[3] = __shfl_down_sync(~0u, i, 1, 4);
    mine[4] = __shfl_up_sync(~0u, i, 2);
    if (i % 2)
        mine[5] = __any_sync(0xaaaaaaaau, i == 7);
    else
        mine[5] = __all_sync(0x55555555u, i < 32);
    mine[6] = __syncthreads_count(i < 10);
    mine[7] = __shfl_sync(~0u, i, 31);
}

static void blocks()
{
    int *x = memory<int>(12 * 1024), *y = memory<int>(8 * 64);
    for (int i = 0; i < 12 * 1024; i++) x[i] = i;
    for (int round = 0; round < 9; round++)
        CHECK(LAUNCH(0, reverse, dim3(1, 3, 4), 1024, 4096, x) == cudaSuccess);
    finish();
    for (int i = 0; i < 12 * 1024; i++) CHECK(x[i] == i / 1024 * 1024 + 1023 - i % 1024);
    for (int round = 0; round < 5; round++) {
        CHECK(LAUNCH(0, exchange, 1, 64, 0, y) == cudaSuccess);
        finish();
        for (int i = 0; i < 40; i++) {
            const int *mine = y + 8 * i;
            unsigned thirds = i < 32 ? 0x49249249u : 0x92u; /* bits of multiples of 3 */
            CHECK(mine[0] == (int)thirds && mine[1] == (i ^ 1) && mine[2] == i / 8 * 8 + 5);
            CHECK(mine[3] == (i % 4 == 3 ? i : i + 1) && mine[4] == (i % 32 < 2 ? i : i - 2));
            CHECK(mine[5] == (i % 2 ? i < 32 : i < 32) && mine[6] == 10);
            CHECK(mine[7] == (i < 32 ? 31 : -1)); /* of lane 31 of the second warp: garbage */
        }
    }
    cudaFree(x);
    cudaFree(y);
}

/* ---- kernels that are wrong ---- */

static __global__ void two_barriers()
{
    if (threadIdx.x % 2)
        __syncthreads();
    else
        __syncthreads_or(1);
}

static __global__ void barrier_and_warp()
{
    if (threadIdx.x == 3)
        __syncwarp();
    else
        __syncthreads();
}

static __global__ void half_a_warp()
{
    if (threadIdx.x < 16)
        __shfl_sync(~0u, 1, 0);
    else
        __syncwarp(0xffff0000u), __shfl_sync(0xffff0000u, 1, 16), __syncthreads();
}

static __global__ void without_itself()
{
    __syncwarp(1);
}

/* What stands in x when nobody waits for thread 0: the order of the launch decides. */
static __global__ void no_barrier(int *y, int v)
{
    __shared__ int x;
    if (threadIdx.x == 0) x = v;
    y[threadIdx.x] = x;
}

static void dies(void (*kernel)(), const char *name)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        freopen("/dev/null", "w", stderr);
        emulator::configure(name, kernel, 1, 64, 0, device.stream)();
        finish();
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void wrong_kernels()
{
    dies(two_barriers, "two_barriers");
    dies(barrier_and_warp, "barrier_and_warp");
    dies(half_a_warp, "half_a_warp");
    dies(without_itself, "without_itself");
    int *y = memory<int>(64);
    bool seen = false;
    for (int i = 0; i < 16 && !seen; i++) {
        LAUNCH(0, no_barrier, 1, 64, 0, y, i);
        finish();
        seen = y[63] != i;
    }
    CHECK(seen);
    cudaFree(y);
}

static void launches()
{
    CHECK(LAUNCH(0, two_barriers, 1, 1025, 0) == cudaErrorInvalidConfiguration);
    CHECK(LAUNCH(0, two_barriers, 0, 32, 0) == cudaErrorInvalidConfiguration);
    CHECK(LAUNCH(0, two_barriers, dim3(1, 65536), 32, 0) == cudaErrorInvalidConfiguration);
    CHECK(LAUNCH(0, two_barriers, 1, 32, 49153) == cudaErrorInvalidValue);
    const cudaFuncAttribute most = cudaFuncAttributeMaxDynamicSharedMemorySize;
    CHECK(cudaFuncSetAttribute(two_barriers, most, (227 << 10) + 1) == cudaErrorInvalidValue);
    CHECK(cudaFuncSetAttribute(reverse, most, 227 << 10) == cudaSuccess);
    CHECK(cudaGetLastError() == cudaErrorInvalidValue && cudaGetLastError() == cudaSuccess);
    int *x = memory<int>(32);
    CHECK(LAUNCH(0, reverse, 1, 32, 227 << 10, x) == cudaSuccess);
    finish();
    cudaFree(x);
}

/* ---- queues ---- */

static __global__ void add(float *y, const float *x, float more)
{
    *y = *x + more;
}

/* Work waits to be waited for, but for what it must come before. */
static void queues()
{
    float *x = memory<float>(2), host[2] = { 1, 2 }, *locked;
    cudaStream_t other;
    cudaEvent_t event;
    CHECK(x[0] != x[0]); /* NaN */
    CHECK(cudaMallocHost((void **)&locked, 8) == cudaSuccess);
    CHECK(cudaStreamCreate(&other) == cudaSuccess && cudaEventCreate(&event) == cudaSuccess);
    CHECK(cudaMemcpyAsync(x, host, 8, cudaMemcpyHostToDevice, device.stream) == cudaSuccess);
    LAUNCH(0, add, 1, 1, 0, x, x, 3.f);
    CHECK(x[0] == 1);
    CHECK(cudaEventRecord(event, device.stream) == cudaSuccess);
    LAUNCH(0, add, 1, 1, 0, x, x, 100.f);
    CHECK(cudaStreamWaitEvent(other, event) == cudaSuccess);
    CHECK(cudaMemcpyAsync(locked, x, 4, cudaMemcpyDeviceToHost, other) == cudaSuccess);
    CHECK(x[0] == 4 && cudaStreamSynchronize(other) == cudaSuccess && locked[0] == 4);
    finish();
    CHECK(x[0] == 104);
    CHECK(cudaMemcpyAsync(x, host, 8, cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue);
    CHECK(cudaMemcpyAsync(x, host, 9, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
    CHECK(cudaMemsetAsync(host, 0, 8, device.stream) == cudaErrorInvalidValue);
    CHECK(cudaFree(x + 1) == cudaErrorInvalidValue && cudaFree(x) == cudaSuccess);
    CHECK(cudaEventDestroy(event) == cudaSuccess && cudaStreamDestroy(other) == cudaSuccess);
    CHECK(cudaFreeHost(locked) == cudaSuccess);
    cudaGetLastError();
}

static void captures()
{
    float *x = memory<float>(1), host = 1, alpha = 2, beta = 1;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    cublasHandle_t blas;
    cudaStream_t s = device.stream;
    const cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal;
    CHECK(cublasCreate(&blas) == CUBLAS_STATUS_SUCCESS);
    cublasSetStream(blas, s);
    CHECK(cudaMemcpy(x, &host, 4, cudaMemcpyHostToDevice) == cudaSuccess);
    CHECK(cudaStreamBeginCapture(s, mode) == cudaSuccess);
    CHECK(LAUNCH(0, add, 1, 1, 0, x, x, 1.f) == cudaSuccess);
    CHECK(cublasSgemm(blas, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &alpha, x, 1, x, 1, &beta, x, 1) ==
          CUBLAS_STATUS_SUCCESS);
    alpha = 1000; /* was read at the call */
    CHECK(cudaStreamEndCapture(s, &graph) == cudaSuccess && x[0] == 1);
    CHECK(cudaGraphInstantiate(&exec, graph) == cudaSuccess);
    CHECK(cudaGraphDestroy(graph) == cudaSuccess);
    for (int i = 0; i < 2; i++) CHECK(cudaGraphLaunch(exec, s) == cudaSuccess);
    finish();
    CHECK(x[0] == 11 + 2 * 11 * 11); /* 1 + 1 = 2, 2 + 2 4 = 10, 10 + 1 = 11, .. */
    CHECK(cudaGraphExecDestroy(exec) == cudaSuccess);
    for (int i = 0; i < 4; i++) {
        void *p = NULL;
        CHECK(cudaStreamBeginCapture(s, mode) == cudaSuccess);
        cudaError_t rc = i == 0   ? cudaMalloc(&p, 4)
                         : i == 1 ? cudaFree(x)
                         : i == 2 ? cudaStreamSynchronize(s)
                                  : cudaMemcpyAsync(x, &host, 4, cudaMemcpyHostToDevice, s);
        CHECK(rc == cudaErrorStreamCaptureUnsupported);
        cudaGetLastError();
        CHECK(LAUNCH(0, add, 1, 1, 0, x, x, 1.f) == cudaErrorStreamCaptureInvalidated);
        CHECK(cudaStreamEndCapture(s, &graph) == cudaErrorStreamCaptureInvalidated && !graph);
    }
    CHECK(cudaStreamEndCapture(s, &graph) == cudaErrorIllegalState);
    CHECK(cublasDestroy(blas) == CUBLAS_STATUS_SUCCESS && cudaFree(x) == cudaSuccess);
    cudaGetLastError();
}

/* ---- products ---- */

/* C [2, 3] of columns with distance 4, of whatever is transposed, against sums. */
static void dense()
{
    cublasHandle_t blas;
    CHECK(cublasCreate(&blas) == CUBLAS_STATUS_SUCCESS);
    cublasSetStream(blas, device.stream);
    double *A = memory<double>(64), *B = memory<double>(64), *C = memory<double>(64);
    const double alpha = 2, beta[] = { 0, -1 };
    for (int i = 0; i < 64; i++) A[i] = i % 7 - 3, B[i] = i % 5 - 1;
    for (int way = 0; way < 8; way++) {
        bool ta = way & 1, tb = way & 2, add = way & 4;
        for (int i = 0; i < 64; i++) C[i] = add ? i : NAN;
        CHECK(cublasDgemmStridedBatched(blas, ta ? CUBLAS_OP_T : CUBLAS_OP_N,
                                        tb ? CUBLAS_OP_T : CUBLAS_OP_N, 2, 3, 5, &alpha, A, 6, 30,
                                        B, 6, 0, &beta[add], C, 4, 12, 2) == CUBLAS_STATUS_SUCCESS);
        finish();
        for (int b = 0; b < 2; b++)
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 3; j++) {
                    int at = 12 * b + 4 * j + i;
                    double want = add ? -at : 0;
                    for (int k = 0; k < 5; k++)
                        want += 2 * A[30 * b + (ta ? 6 * i + k : 6 * k + i)] *
                                B[tb ? 6 * k + j : 6 * j + k];
                    CHECK(C[at] == want);
                }
    }
    CHECK(cublasDgemm(blas, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &alpha, A, 3, B, 4, beta, C, 4) ==
          CUBLAS_STATUS_INVALID_VALUE);
    CHECK(cublasDgemv(blas, CUBLAS_OP_T, 3, 2, &alpha, A, 3, B, 2, beta, C, 1) ==
          CUBLAS_STATUS_SUCCESS);
    finish();
    CHECK(C[1] == 2 * (A[3] * B[0] + A[4] * B[2] + A[5] * B[4]));
    cublasDestroy(blas);
    cudaFree(A);
    cudaFree(B);
    cudaFree(C);
}

/* C += A^T B for A = [[0, 5], [0, 0], [7, 2]] and two samples B [3, 2], row-major. */
static void sparse()
{
    cusparseHandle_t h;
    cusparseSpMatDescr_t A;
    cusparseDnMatDescr_t B, C;
    CHECK(cusparseCreate(&h) == CUSPARSE_STATUS_SUCCESS);
    cusparseSetStream(h, device.stream);
    int *at = memory<int>(8);
    float *v = memory<float>(32), *x = v + 4, *y = v + 16, one = 1;
    const int pattern[] = { 0, 1, 1, 3, 1, 0, 1 };
    for (int i = 0; i < 7; i++) at[i] = pattern[i];
    v[0] = 5, v[1] = 7, v[2] = 2;
    for (int i = 0; i < 12; i++) x[i] = (float)(i + 1);
    for (int i = 0; i < 8; i++) y[i] = 1;
    cusparseCreateCsr(&A, 3, 2, 3, at, at + 4, v, CUSPARSE_INDEX_32I, CUSPARSE_INDEX_32I,
                      CUSPARSE_INDEX_BASE_ZERO, CUDA_R_32F);
    cusparseCreateDnMat(&B, 3, 2, 2, x, CUDA_R_32F, CUSPARSE_ORDER_ROW);
    cusparseCreateDnMat(&C, 2, 2, 2, y, CUDA_R_32F, CUSPARSE_ORDER_ROW);
    cusparseDnMatSetStridedBatch(B, 2, 6);
    cusparseDnMatSetStridedBatch(C, 2, 4);
    const cusparseOperation_t plain = CUSPARSE_OPERATION_NON_TRANSPOSE,
                              turned = CUSPARSE_OPERATION_TRANSPOSE;
    CHECK(cusparseSpMM(h, plain, plain, &one, A, B, &one, C, CUDA_R_32F, CUSPARSE_SPMM_CSR_ALG2,
                       NULL) == CUSPARSE_STATUS_INVALID_VALUE);
    CHECK(cusparseSpMM(h, turned, plain, &one, A, B, &one, C, CUDA_R_32F, CUSPARSE_SPMM_CSR_ALG2,
                       NULL) == CUSPARSE_STATUS_SUCCESS);
    finish();
    for (int b = 0; b < 2; b++)
        for (int c = 0; c < 2; c++) {
            const float *X = x + 6 * b + c;
            CHECK(y[4 * b + c] == 1 + 7 * X[4] && y[4 * b + 2 + c] == 1 + 5 * X[0] + 2 * X[4]);
        }
    cusparseDestroySpMat(A);
    cusparseDestroyDnMat(B);
    cusparseDestroyDnMat(C);
    cusparseDestroy(h);
    cudaFree(at);
    cudaFree(v);
}

int main()
{
    CHECK(cudaStreamCreate(&device.stream) == cudaSuccess);
    blocks();
    wrong_kernels();
    launches();
    queues();
    captures();
    dense();
    sparse();
    cudaStreamDestroy(device.stream);
    puts("the emulator is sound");
}
