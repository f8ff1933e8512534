/* cuda.cuh - what the files of the CUDA backend share. Private to tensor/cuda.
 *
 * Kernels go to one stream, in order. Nothing here waits for the device but download and sync, and
 * nothing adds with atomics: every sum has an order fixed by its shape, so results repeat bit for
 * bit. Kernels are launched by LAUNCH alone. */
#ifndef WF_CUDA_CUH
#define WF_CUDA_CUH

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cusparse.h>
#include "tensor/backend.h"

#define K(name, params, args) extern "C" enum wf_status wf_cuda_##name params;
#include "tensor/kernels.def"
#undef K

struct wf_cuda {
    struct wf_backend be; /* comes first, so that a struct wf_backend * is a struct wf_cuda * */
    int index, sms;       /* number of the device, and of its multiprocessors */
    int shared, cache;    /* bytes of shared memory that a block can have, and of the L2 cache */
    enum wf_precision precision;
    cudaStream_t stream, copies; /* the queue of kernels; copies from the host beside it */
    cudaEvent_t consumed, arrived;
    cublasHandle_t blas;
    cusparseHandle_t sparse;
    void *workspace;              /* memory of cuBLAS, fixed so that its algorithms are */
    char *scratch;                /* reserved addresses, backed as far as was ever asked for */
    struct wf_cuda_range *ranges; /* reserved addresses and how much of each is backed */
    cudaEvent_t *marks;           /* points of the queue that have a number */
    int mark_count;
    void *comm; /* NCCL's communicator of the processes that joined; NULL where there is none */
};

static inline struct wf_cuda *wf_cuda_of(struct wf_backend *be)
{
    return (struct wf_cuda *)be;
}

/* Returns WF_OK on success; otherwise keeps the device's message in be->reason, after `what`, the
 * name of the call or kernel. */
enum wf_status wf_cuda_check(struct wf_backend *be, cudaError_t rc, const char *what);
enum wf_status wf_cuda_check_blas(struct wf_backend *be, cublasStatus_t rc, const char *what);
enum wf_status wf_cuda_check_sparse(struct wf_backend *be, cusparseStatus_t rc, const char *what);

/* nccl.cu */
enum wf_status wf_cuda_invite(struct wf_backend *be, char invitation[WF_INVITATION]);
enum wf_status wf_cuda_join(struct wf_backend *be, const char invitation[WF_INVITATION], int rank,
                            int ranks);
enum wf_status wf_cuda_sum(struct wf_backend *be, wf_real *x, size_t n);
void wf_cuda_leave(struct wf_backend *be);

/* Returns scratch memory, aligned to 256 bytes, that never moves and is valid for the kernels
 * queued until the next call; NULL when there is none. The host function of a kernel calls this
 * once. */
void *wf_cuda_scratch(struct wf_backend *be, size_t bytes);

/* Launches a kernel (in parentheses where it has template arguments) on the backend's stream with
 * `shared` bytes of dynamic shared memory. The value is an enum wf_status. */
#ifndef LAUNCH
#define LAUNCH(be, kernel, grid, block, shared, ...)                                               \
    (kernel<<<(grid), (block), (shared), wf_cuda_of(be)->stream>>>(__VA_ARGS__),                   \
     wf_cuda_check(be, cudaGetLastError(), #kernel))
/* type *name = the block's dynamic shared memory. */
#define DYNAMIC_SHARED(type, name)                                                                 \
    extern __shared__ __align__(16) unsigned char wf_dynamic_shared[];                             \
    type *name = reinterpret_cast<type *>(wf_dynamic_shared)
#endif

enum { WF_CUDA_BLOCK = 256 };

/* The type wf_real as the libraries of CUDA name it. */
static const cudaDataType_t WF_CUDA_REAL = sizeof(wf_real) == 8 ? CUDA_R_64F : CUDA_R_32F;

/* Returns how many blocks to launch for n items: one thread per item, or on a device with fewer
 * places, threads that each take every (blocks * threads)-th item. */
static inline unsigned wf_cuda_blocks(const struct wf_cuda *c, ptrdiff_t n)
{
    ptrdiff_t blocks = (n + WF_CUDA_BLOCK - 1) / WF_CUDA_BLOCK, most = (ptrdiff_t)c->sms * 32;
    return (unsigned)(blocks < 1 ? 1 : blocks < most ? blocks : most);
}

/* Loops over the items i of n that are this thread's. */
#define EACH_ITEM(i, n)                                                                            \
    for (ptrdiff_t i = (ptrdiff_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n);                  \
         i += (ptrdiff_t)gridDim.x * blockDim.x)

/* Returns the sum over the threads of a block, in a fixed order. Every thread of the block calls
 * it; blockDim.x is a multiple of 32. */
template <typename T> static __device__ T wf_block_sum(T v)
{
    __shared__ T part[32];
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, warps = (int)blockDim.x / 32;
    for (int k = 16; k > 0; k /= 2) v += __shfl_xor_sync(0xffffffffu, v, k);
    __syncthreads(); /* part may still be read from the call before */
    if (lane == 0) part[warp] = v;
    __syncthreads();
    T sum = part[0];
    for (int w = 1; w < warps; w++) sum += part[w];
    return sum;
}

template <typename T> static __device__ T wf_block_max(T v)
{
    __shared__ T part[32];
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, warps = (int)blockDim.x / 32;
    for (int k = 16; k > 0; k /= 2) {
        T other = __shfl_xor_sync(0xffffffffu, v, k);
        v = other > v ? other : v;
    }
    __syncthreads();
    if (lane == 0) part[warp] = v;
    __syncthreads();
    T most = part[0];
    for (int w = 1; w < warps; w++) most = part[w] > most ? part[w] : most;
    return most;
}

#endif
