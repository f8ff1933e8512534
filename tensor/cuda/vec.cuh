/* vec.cuh - vectors of 16 bytes, division of indices, activations of fused kernels. */
#ifndef WF_CUDA_VEC_CUH
#define WF_CUDA_VEC_CUH

#include "tensor/cuda/cuda.cuh"

enum { WF_VEC = 16 / sizeof(wf_real) };

/* A host compiler decides by itself what to unroll. */
#ifdef __CUDACC__
#define WF_PRAGMA(text) _Pragma(#text)
#define WF_UNROLL(n)    WF_PRAGMA(unroll n)
#else
#define WF_UNROLL(n)
#endif

/* Holds W numbers that are contiguous in memory, at an address that is a multiple of their size. */
template <int W> struct alignas(W * sizeof(wf_real)) wf_vec {
    wf_real v[W];
};

template <int W> static __device__ wf_vec<W> wf_vec_all(wf_real value)
{
    wf_vec<W> r;
    for (int k = 0; k < W; k++) r.v[k] = value;
    return r;
}

template <int W> static __device__ wf_vec<W> wf_vec_zero()
{
    return wf_vec_all<W>(0);
}

template <int W> static __device__ wf_vec<W> wf_vec_load(const wf_real *p)
{
    return *reinterpret_cast<const wf_vec<W> *>(p);
}

template <int W> static __device__ void wf_vec_store(wf_real *p, const wf_vec<W> &x)
{
    *reinterpret_cast<wf_vec<W> *>(p) = x;
}

/* Adds a x to s. */
template <int W> static __device__ void wf_vec_fma(wf_vec<W> &s, wf_real a, const wf_vec<W> &x)
{
    for (int k = 0; k < W; k++) s.v[k] += a * x.v[k];
}

/* Calls put(i, get(i)) for i = from, from + step, .. below to. COUNT numbers are loaded before the
 * first of them is used, so that a thread waits for memory once for all of them. get(to - 1) may be
 * called more than once. */
template <int COUNT, typename T, typename I, typename GET, typename PUT>
static inline __device__ void wf_fetch(I from, I to, I step, GET get, PUT put)
{
    for (I first = from; first < to; first += COUNT * step) {
        T x[COUNT];
        WF_UNROLL(COUNT)
        for (int k = 0; k < COUNT; k++) x[k] = get(min(first + k * step, to - 1));
        WF_UNROLL(COUNT)
        for (int k = 0; k < COUNT; k++)
            if (first + k * step < to) put(first + k * step, x[k]);
    }
}

/* Returns i / n for i >= 0, in 32 bits where they suffice, which is several times as fast. */
static inline __device__ ptrdiff_t wf_div(ptrdiff_t i, ptrdiff_t n)
{
    return (i | n) >> 31 ? i / n : (ptrdiff_t)((unsigned)i / (unsigned)n);
}

/* Returns how many vectors of WF_VEC numbers hold n numbers. */
static inline int wf_vecs(int n)
{
    return (n + WF_VEC - 1) / WF_VEC;
}

static inline bool wf_aligned(const void *p, ptrdiff_t stride0 = 0, ptrdiff_t stride1 = 0)
{
    return (uintptr_t)p % 16 == 0 && stride0 % WF_VEC == 0 && stride1 % WF_VEC == 0;
}

static inline __device__ wf_real wf_activate(enum wf_act act, wf_real x)
{
    switch (act) {
    case WF_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case WF_ACT_TANH:
        return tanh(x);
    case WF_ACT_RELU:
        return x < 0 ? 0 : x;
    case WF_ACT_NONE:
        break;
    }
    return x;
}

/* Returns dy times the derivative of the activation whose result was y. */
static inline __device__ wf_real wf_activate_bwd(enum wf_act act, wf_real y, wf_real dy)
{
    switch (act) {
    case WF_ACT_SIGMOID:
        return dy * y * (1 - y);
    case WF_ACT_TANH:
        return dy * (1 - y * y);
    case WF_ACT_RELU:
        return y > 0 ? dy : 0;
    case WF_ACT_NONE:
        break;
    }
    return dy;
}

#endif
