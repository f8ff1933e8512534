/* rows.cuh - rows of numbers that a group of neighbouring threads share: a power of two of them, up
 * to a warp, so that what belongs to a row is exchanged without barriers. */
#ifndef WF_CUDA_ROWS_CUH
#define WF_CUDA_ROWS_CUH

#include "tensor/cuda/cuda.cuh"

/* Returns the size of a group for rows of n numbers: a thread for each number, at most a warp. */
static inline int wf_group_for(ptrdiff_t n)
{
    int group = 1;
    while (group < 32 && group < n) group *= 2;
    return group;
}

/* Return the sum, and below the maximum, over the threads of a group. Every thread of the warp
 * calls them. */
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

/* Returns how many blocks it takes to give each row a group, however many these are. */
static inline unsigned wf_group_blocks(ptrdiff_t rows, int group)
{
    ptrdiff_t each = WF_CUDA_BLOCK / group;
    return (unsigned)((rows + each - 1) / each);
}

/* Return the row of this thread's group, and the thread's place in the group. */
static __device__ ptrdiff_t wf_group_row(int group)
{
    return ((ptrdiff_t)blockIdx.x * blockDim.x + threadIdx.x) / group;
}

static __device__ int wf_group_lane(int group)
{
    return (int)threadIdx.x % group;
}

#endif
