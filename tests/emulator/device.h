/* device.h - what CUDA adds to C++ for the code of a kernel, for a kernel compiled for the CPU.
 *
 * Blocks run one after the other. The threads of a block are fibers: each runs until it waits for
 * others at a barrier or in an exchange of its warp. So that a missing barrier shows, every other
 * launch or so runs blocks and threads from last to first; nothing else of a race is emulated, and
 * neither is that threads of a warp run in step (they do not, as CUDA allows), or that a block
 * could see another one run. Shared memory starts out as garbage. One thread of the host at a time.
 */
#ifndef WF_EMULATOR_DEVICE_H
#define WF_EMULATOR_DEVICE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <type_traits>

#define __global__
#define __device__ __attribute__((unused))
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n)    __attribute__((aligned(n)))
#define __launch_bounds__(...)

/* A library's thread-local variables lie in one place, which can be filled with garbage before each
 * block; AddressSanitizer, though, knows the bounds of plain ones alone. */
#if defined(__SANITIZE_ADDRESS__)
#define __shared__ static
#else
#define __shared__ static thread_local
#endif

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c)
    {
    }
};
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
static const int warpSize = 32;

#define WF_VECTOR2(name, type, bytes)                                                              \
    struct __align__(bytes) name                                                                   \
    {                                                                                              \
        type x, y;                                                                                 \
    };                                                                                             \
    static inline name make_##name(type x, type y)                                                 \
    {                                                                                              \
        return name{ x, y };                                                                       \
    }
#define WF_VECTOR4(name, type)                                                                     \
    struct __align__(16) name                                                                      \
    {                                                                                              \
        type x, y, z, w;                                                                           \
    };                                                                                             \
    static inline name make_##name(type x, type y, type z, type w)                                 \
    {                                                                                              \
        return name{ x, y, z, w };                                                                 \
    }
WF_VECTOR2(int2, int, 8)
WF_VECTOR2(uint2, unsigned, 8)
WF_VECTOR2(float2, float, 8)
WF_VECTOR2(double2, double, 16)
WF_VECTOR2(longlong2, long long, 16)
WF_VECTOR4(int4, int)
WF_VECTOR4(uint4, unsigned)
WF_VECTOR4(float4, float)
WF_VECTOR4(double4, double)
#undef WF_VECTOR2
#undef WF_VECTOR4

namespace emulator
{
/* Where in a kernel a thread waits; __syncthreads at two places at once is an error. */
struct place {
    const char *file;
    int line;
};

enum exchange { SYNC, SHUFFLE, BALLOT };

/* Waits for all threads of the block that have not returned; of how many predicate was not 0. */
int barrier(int predicate, place p);

/* Waits for the lanes in mask that have not returned. SHUFFLE: the value that lane `from` gave,
 * garbage where that lane does not take part; BALLOT: a bit for each lane that gave not 0. */
uint64_t meet(enum exchange e, unsigned mask, uint64_t value, int from, place p);

int lane();
void *dynamic_shared();

template <typename To, typename From> static inline To bits(From from)
{
    static_assert(sizeof(To) == sizeof(From), "as many bits");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}

template <typename T> static inline T shuffle(unsigned mask, T v, int from, place p)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a value of 4 or 8 bytes");
    uint64_t word = 0;
    memcpy(&word, &v, sizeof v);
    word = meet(SHUFFLE, mask, word, from, p);
    memcpy(&v, &word, sizeof v);
    return v;
}
} // namespace emulator

#define DYNAMIC_SHARED(type, name) type *name = reinterpret_cast<type *>(emulator::dynamic_shared())

/* ---- barriers and exchanges; the last argument is the caller's place ---- */

#define WF_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

static inline void __syncthreads(WF_HERE)
{
    emulator::barrier(0, { file, line });
}

static inline int __syncthreads_count(int predicate, WF_HERE)
{
    return emulator::barrier(predicate, { file, line });
}

static inline int __syncthreads_or(int predicate, WF_HERE)
{
    return emulator::barrier(predicate, { file, line }) != 0;
}

static inline int __syncthreads_and(int predicate, WF_HERE)
{
    return emulator::barrier(!predicate, { file, line }) == 0;
}

static inline void __syncwarp(unsigned mask = 0xffffffffu, WF_HERE)
{
    emulator::meet(emulator::SYNC, mask, 0, 0, { file, line });
}

static inline unsigned __ballot_sync(unsigned mask, int predicate, WF_HERE)
{
    return (unsigned)emulator::meet(emulator::BALLOT, mask, predicate != 0, 0, { file, line });
}

static inline int __any_sync(unsigned mask, int predicate, WF_HERE)
{
    return emulator::meet(emulator::BALLOT, mask, predicate != 0, 0, { file, line }) != 0;
}

static inline int __all_sync(unsigned mask, int predicate, WF_HERE)
{
    return emulator::meet(emulator::BALLOT, mask, predicate == 0, 0, { file, line }) == 0;
}

/* The warp is cut into segments of `width` lanes; a lane beyond its segment gives its own value. */
template <typename T>
static inline T __shfl_sync(unsigned mask, T v, int from, int width = 32, WF_HERE)
{
    int first = emulator::lane() / width * width;
    return emulator::shuffle(mask, v, first + (from & (width - 1)), { file, line });
}

template <typename T>
static inline T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32, WF_HERE)
{
    int at = emulator::lane(), from = at - (int)delta;
    return emulator::shuffle(mask, v, from < at / width * width ? at : from, { file, line });
}

template <typename T>
static inline T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32, WF_HERE)
{
    int at = emulator::lane(), from = at + (int)delta;
    return emulator::shuffle(mask, v, from >= (at / width + 1) * width ? at : from, { file, line });
}

template <typename T>
static inline T __shfl_xor_sync(unsigned mask, T v, int bits, int width = 32, WF_HERE)
{
    int at = emulator::lane(), from = at ^ bits;
    return emulator::shuffle(mask, v, from >= (at / width + 1) * width ? at : from, { file, line });
}
#undef WF_HERE

static inline void __threadfence()
{
}

static inline void __threadfence_block()
{
}

template <typename T> static inline T __ldg(const T *p)
{
    return *p;
}

/* ---- integer atomics: nothing runs at the same time ---- */

template <typename T> using wf_same = std::enable_if_t<std::is_integral<T>::value, T>;

template <typename T> static inline wf_same<T> atomicAdd(T *p, std::common_type_t<T> v)
{
    T old = *p;
    *p = old + v;
    return old;
}

template <typename T> static inline wf_same<T> atomicMax(T *p, std::common_type_t<T> v)
{
    T old = *p;
    *p = old > v ? old : v;
    return old;
}

template <typename T> static inline wf_same<T> atomicMin(T *p, std::common_type_t<T> v)
{
    T old = *p;
    *p = old < v ? old : v;
    return old;
}

template <typename T> static inline wf_same<T> atomicExch(T *p, std::common_type_t<T> v)
{
    T old = *p;
    *p = v;
    return old;
}

template <typename T>
static inline wf_same<T> atomicCAS(T *p, std::common_type_t<T> want, std::common_type_t<T> v)
{
    T old = *p;
    if (old == want) *p = v;
    return old;
}

/* ---- arithmetic; exp, tanh, fma and the like come from math.h ---- */

#define WF_MIN_MAX(type)                                                                           \
    static inline type min(type a, type b)                                                         \
    {                                                                                              \
        return a < b ? a : b;                                                                      \
    }                                                                                              \
    static inline type max(type a, type b)                                                         \
    {                                                                                              \
        return a > b ? a : b;                                                                      \
    }
WF_MIN_MAX(int)
WF_MIN_MAX(unsigned)
WF_MIN_MAX(long)
WF_MIN_MAX(unsigned long)
WF_MIN_MAX(long long)
WF_MIN_MAX(unsigned long long)
#undef WF_MIN_MAX
/* As in CUDA, NaN gives way to a number. */
static inline float min(float a, float b)
{
    return fminf(a, b);
}
static inline float max(float a, float b)
{
    return fmaxf(a, b);
}
static inline double min(double a, double b)
{
    return fmin(a, b);
}
static inline double max(double a, double b)
{
    return fmax(a, b);
}

#define WF_AS(name, expression, type, ...)                                                         \
    static inline type name(__VA_ARGS__)                                                           \
    {                                                                                              \
        return expression;                                                                         \
    }
WF_AS(rsqrt, 1 / sqrt(x), double, double x)
WF_AS(rsqrt, 1 / sqrtf(x), float, float x)
WF_AS(rsqrtf, 1 / sqrtf(x), float, float x)
WF_AS(__fdividef, x / y, float, float x, float y)
WF_AS(__frcp_rn, 1 / x, float, float x)
WF_AS(__fsqrt_rn, sqrtf(x), float, float x)
WF_AS(__fdiv_rn, x / y, float, float x, float y)
WF_AS(__fmaf_rn, fmaf(x, y, z), float, float x, float y, float z)
WF_AS(__fma_rn, fma(x, y, z), double, double x, double y, double z)
WF_AS(saturate, x > 0 ? x < 1 ? x : 1 : 0, float, float x)
WF_AS(__float2int_rz, (int)x, int, float x)
WF_AS(__float2int_rd, (int)floorf(x), int, float x)
WF_AS(__float2int_rn, (int)rintf(x), int, float x)
WF_AS(__int2float_rn, (float)x, float, int x)
WF_AS(__float_as_int, emulator::bits<int>(x), int, float x)
WF_AS(__int_as_float, emulator::bits<float>(x), float, int x)
WF_AS(__float_as_uint, emulator::bits<unsigned>(x), unsigned, float x)
WF_AS(__uint_as_float, emulator::bits<float>(x), float, unsigned x)
WF_AS(__double_as_longlong, emulator::bits<long long>(x), long long, double x)
WF_AS(__longlong_as_double, emulator::bits<double>(x), double, long long x)
WF_AS(__popc, __builtin_popcount(x), int, unsigned x)
WF_AS(__popcll, __builtin_popcountll(x), int, unsigned long long x)
WF_AS(__clz, x ? __builtin_clz((unsigned)x) : 32, int, int x)
WF_AS(__clzll, x ? __builtin_clzll((unsigned long long)x) : 64, int, long long x)
WF_AS(__ffs, __builtin_ffs(x), int, int x)
WF_AS(__mulhi, (int)((long long)x *y >> 32), int, int x, int y)
WF_AS(__umulhi, (unsigned)((unsigned long long)x *y >> 32), unsigned, unsigned x, unsigned y)
#undef WF_AS

/* The approximations; glibc has these names for itself. */
#define __expf  expf
#define __logf  logf
#define __log2f log2f
#define __powf  powf
#define __sinf  sinf
#define __cosf  cosf

/* Products and sums that no compiler may fuse. */
template <typename T> static inline T wf_rounded(T v)
{
    volatile T once = v;
    return once;
}
static inline float __fadd_rn(float x, float y)
{
    return wf_rounded(x + y);
}
static inline float __fmul_rn(float x, float y)
{
    return wf_rounded(x * y);
}
static inline double __dadd_rn(double x, double y)
{
    return wf_rounded(x + y);
}
static inline double __dmul_rn(double x, double y)
{
    return wf_rounded(x * y);
}

#endif
