/* vec.cuh - several neighbouring numbers read and written at once, 16 bytes of them where they lie
 * on 16-byte borders. */
#ifndef WF_CUDA_VEC_CUH
#define WF_CUDA_VEC_CUH

#include "tensor/cuda/cuda.cuh"

enum { WF_VEC = 16 / sizeof(wf_real) };

template <int V> struct __align__(V * sizeof(wf_real)) wf_vec
{
    wf_real v[V];
};

/* Whether the numbers at p begin on such a border; NULL does. */
static inline bool wf_aligned(const wf_real *p)
{
    return (uintptr_t)p % 16 == 0;
}

template <int V> static __device__ wf_vec<V> wf_load(const wf_real *p)
{
    return *reinterpret_cast<const wf_vec<V> *>(p);
}

template <int V> static __device__ void wf_store(wf_real *p, const wf_vec<V> &a)
{
    *reinterpret_cast<wf_vec<V> *>(p) = a;
}

#endif
