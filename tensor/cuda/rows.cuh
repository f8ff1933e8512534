/* rows.cuh - rows of numbers that a group of neighbouring threads share.
 *
 * The size of a group is a power of two, at most a warp, so that the threads of a row exchange
 * values without barriers. */
#ifndef WF_CUDA_ROWS_CUH
#define WF_CUDA_ROWS_CUH

#include "tensor/cuda/cuda.cuh"

/* Returns the size of a group for rows of n numbers: one thread per number, but at most a warp. */
static inline int wf_group_for(ptrdiff_t n)
{
    int group = 1;
    while (group < 32 && group < n) group *= 2;
    return group;
}

/* These functions return the sum and the maximum over the threads of a group. Every thread of the
 * warp has to call them. */
template <typename T> static __device__ T wf_group_sum(T v, int group)
{
    for (int k = group / 2; k > 0; k /= 2) v += __shfl_xor_sync(0xffffffffu, v, k);
    return v;
}

template <typename T> static __device__ T wf_group_max(T v, int group)
{
    for (int k = group / 2; k > 0; k /= 2) {
        T other = __shfl_xor_sync(0xffffffffu, v, k);
        v = other > v ? other : v;
    }
    return v;
}

/* Returns how many blocks are needed to give each row its own group of threads. */
static inline unsigned wf_group_blocks(ptrdiff_t rows, int group)
{
    ptrdiff_t each = WF_CUDA_BLOCK / group;
    return (unsigned)((rows + each - 1) / each);
}

/* These functions return the row of this thread's group and the thread's place in the group. */
static __device__ ptrdiff_t wf_group_row(int group)
{
    return ((ptrdiff_t)blockIdx.x * blockDim.x + threadIdx.x) / group;
}

static __device__ int wf_group_lane(int group)
{
    return (int)threadIdx.x % group;
}

#endif
