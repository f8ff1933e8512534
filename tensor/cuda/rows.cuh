/* rows.cuh - rows of numbers that a group of neighbouring threads share: a power of two of them, up
 * to a warp, so that what belongs to a row is exchanged without barriers. */
#ifndef WF_CUDA_ROWS_CUH
#define WF_CUDA_ROWS_CUH

#include "tensor/cuda/cuda.cuh"

/* A thread for each of n numbers, or a warp. */
static inline int wf_group_for(ptrdiff_t n)
{
    int group = 1;
    while (group < 32 && group < n) group *= 2;
    return group;
}

/* Every thread of the warp calls these. */
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

/* Blocks for so many rows, a group for each, without end. */
static inline unsigned wf_group_blocks(ptrdiff_t rows, int group)
{
    ptrdiff_t each = WF_CUDA_BLOCK / group;
    return (unsigned)((rows + each - 1) / each);
}

/* The row of this thread's group, and the thread's place in it. */
static __device__ ptrdiff_t wf_group_row(int group)
{
    return ((ptrdiff_t)blockIdx.x * blockDim.x + threadIdx.x) / group;
}

static __device__ int wf_group_lane(int group)
{
    return (int)threadIdx.x % group;
}

#endif
