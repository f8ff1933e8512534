/* vec_private.h - vectors of 16 wf_real, the unit of the CPU kernels. Private to tensor/cpu.
 *
 * The kernels are written once, in these operations, which have two implementations: AVX-512 for
 * float, and plain C for everything else (double, other machines, WF_PLAIN). */
#ifndef WF_VEC_H
#define WF_VEC_H

#include "tensor/cpu/vmath_private.h"

enum { WF_LANES = 16 };

/* A kernel takes the size of its register block as a constant argument, so it must be inlined. */
#define WF_INLINE static inline __attribute__((always_inline))

#if defined(__clang__)
#define WF_UNROLL _Pragma("clang loop unroll(full)")
#else
#define WF_UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__AVX512F__) && !defined(WF_DOUBLE) && !defined(WF_PLAIN)

#include <immintrin.h>

#define WF_VEC_FAST 1
typedef __m512 wf_vec;

WF_INLINE wf_vec vec_set(wf_real a)
{
    return _mm512_set1_ps(a);
}

WF_INLINE wf_vec vec_load(const wf_real *p)
{
    return _mm512_loadu_ps(p);
}

/* Loads n numbers and sets the lanes from n on to 0. */
WF_INLINE wf_vec vec_load_some(const wf_real *p, int n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
}

WF_INLINE void vec_store(wf_real *p, wf_vec a)
{
    _mm512_storeu_ps(p, a);
}

WF_INLINE void vec_store_some(wf_real *p, wf_vec a, int n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), a);
}

WF_INLINE wf_vec vec_add(wf_vec a, wf_vec b)
{
    return _mm512_add_ps(a, b);
}

WF_INLINE wf_vec vec_sub(wf_vec a, wf_vec b)
{
    return _mm512_sub_ps(a, b);
}

WF_INLINE wf_vec vec_mul(wf_vec a, wf_vec b)
{
    return _mm512_mul_ps(a, b);
}

/* Returns a b + c. */
WF_INLINE wf_vec vec_fma(wf_vec a, wf_vec b, wf_vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* Returns the larger of a and b, or b where one of them is NaN. */
WF_INLINE wf_vec vec_max(wf_vec a, wf_vec b)
{
    return _mm512_max_ps(a, b);
}

/* Returns a where x > 0, and 0 elsewhere. */
WF_INLINE wf_vec vec_where_positive(wf_vec x, wf_vec a)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), a);
}

WF_INLINE wf_real vec_sum(wf_vec a)
{
    return _mm512_reduce_add_ps(a);
}

WF_INLINE void vec_prefetch(const wf_real *p)
{
    _mm_prefetch((const char *)p, _MM_HINT_T0);
}

/* Writes to `to` [16, 16] the transpose of `rows` <= 16 rows of n <= 16 numbers, padded with 0. */
WF_INLINE void vec_transpose(wf_real *to, ptrdiff_t to_ld, const wf_real *from, ptrdiff_t from_ld,
                             int rows, int n)
{
    __m512 a[16], b[16];
    for (int i = 0; i < 16; i++)
        a[i] = i < rows ? vec_load_some(from + i * from_ld, n) : _mm512_setzero_ps();
    for (int i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            __m512d lo = _mm512_castps_pd(b[i + j]), hi = _mm512_castps_pd(b[i + j + 2]);
            a[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(lo, hi));
            a[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(lo, hi));
        }
    /* a[4 i + j] now holds columns j, j + 4, j + 8, j + 12 of rows 4 i .. */
    for (int j = 0; j < 4; j++) {
        __m512 even0 = _mm512_shuffle_f32x4(a[j], a[j + 4], 0x88);
        __m512 even1 = _mm512_shuffle_f32x4(a[j + 8], a[j + 12], 0x88);
        __m512 odd0 = _mm512_shuffle_f32x4(a[j], a[j + 4], 0xdd);
        __m512 odd1 = _mm512_shuffle_f32x4(a[j + 8], a[j + 12], 0xdd);
        vec_store(to + j * to_ld, _mm512_shuffle_f32x4(even0, even1, 0x88));
        vec_store(to + (j + 4) * to_ld, _mm512_shuffle_f32x4(odd0, odd1, 0x88));
        vec_store(to + (j + 8) * to_ld, _mm512_shuffle_f32x4(even0, even1, 0xdd));
        vec_store(to + (j + 12) * to_ld, _mm512_shuffle_f32x4(odd0, odd1, 0xdd));
    }
}

WF_INLINE wf_vec vec_relu(wf_vec x)
{
    return _mm512_max_ps(_mm512_setzero_ps(), x); /* a NaN as second operand stays NaN */
}

/* Returns exp(x) - 1, or its value at the limit where x > limit. The functions of vmath_private.h
 * go through memory and would take twice the time here.
 *
 * With n = round(x / ln 2), r = x - n ln 2 and p = exp(r) - 1 from Taylor's series (|r| < 0.35: the
 * 8th term is below 2^-26 |r|), the result is 2^n p + (2^n - 1), which loses nothing near 0. ln 2
 * is split into two parts, the first with few bits, so that n times it is exact. */
WF_INLINE wf_vec vec_expm1(wf_vec x, float limit)
{
    x = _mm512_min_ps(vec_set(limit), x);
    x = _mm512_max_ps(vec_set(-80.0f), x);
    wf_vec n = _mm512_roundscale_ps(vec_mul(x, vec_set(1.44269504f)), 8);
    wf_vec r = _mm512_fnmadd_ps(n, vec_set(0.693359375f), x);
    r = _mm512_fnmadd_ps(n, vec_set(-2.12194440e-4f), r);
    wf_vec q = vec_fma(r, vec_set(1.0f / 5040), vec_set(1.0f / 720));
    q = vec_fma(q, r, vec_set(1.0f / 120));
    q = vec_fma(q, r, vec_set(1.0f / 24));
    q = vec_fma(q, r, vec_set(1.0f / 6));
    q = vec_fma(q, r, vec_set(0.5f));
    wf_vec p = vec_fma(vec_mul(r, r), q, r);
    wf_vec scale = _mm512_scalef_ps(vec_set(1.0f), n);
    return vec_fma(scale, p, vec_sub(scale, vec_set(1.0f)));
}

/* Returns exp(x) by the polynomial of wf_vexp() (vmath_private.h), with fused multiply-adds. */
WF_INLINE wf_vec vec_exp(wf_vec x)
{
    x = _mm512_min_ps(vec_set(89.0f), x);
    x = _mm512_max_ps(vec_set(-104.0f), x);
    wf_vec n = _mm512_roundscale_ps(vec_mul(x, vec_set(1.44269504f)), 8);
    wf_vec r = _mm512_fnmadd_ps(n, vec_set(0.693359375f), x);
    r = vec_fma(n, vec_set(2.12194440e-4f), r);
    wf_vec p = vec_fma(r, vec_set(1.9875691500e-4f), vec_set(1.3981999507e-3f));
    p = vec_fma(p, r, vec_set(8.3334519073e-3f));
    p = vec_fma(p, r, vec_set(4.1665795894e-2f));
    p = vec_fma(p, r, vec_set(1.6666665459e-1f));
    p = vec_fma(p, r, vec_set(5.0000001201e-1f));
    p = vec_add(vec_fma(vec_mul(p, r), r, r), vec_set(1.0f));
    return _mm512_scalef_ps(p, n);
}

/* Returns 1 / (1 + exp(-x)). */
WF_INLINE wf_vec vec_sigmoid(wf_vec x)
{
    wf_vec e = vec_expm1(vec_sub(_mm512_setzero_ps(), x), 88.0f);
    return _mm512_div_ps(vec_set(1.0f), vec_add(vec_set(2.0f), e));
}

/* Returns tanh(x) = e / (e + 2), with e = exp(2x) - 1. */
WF_INLINE wf_vec vec_tanh(wf_vec x)
{
    wf_vec e = vec_expm1(vec_add(x, x), 40.0f);
    return _mm512_div_ps(e, vec_add(e, vec_set(2.0f)));
}

#else

#define WF_VEC_FAST 0
typedef struct {
    wf_real lane[WF_LANES];
} wf_vec;

#define VEC_EACH(expr)                                                                             \
    wf_vec y;                                                                                      \
    for (int i = 0; i < WF_LANES; i++) y.lane[i] = (expr);                                         \
    return y

WF_INLINE wf_vec vec_set(wf_real a)
{
    VEC_EACH(a);
}

WF_INLINE wf_vec vec_load(const wf_real *p)
{
    VEC_EACH(p[i]);
}

WF_INLINE wf_vec vec_load_some(const wf_real *p, int n)
{
    VEC_EACH(i < n ? p[i] : 0);
}

WF_INLINE void vec_store(wf_real *p, wf_vec a)
{
    for (int i = 0; i < WF_LANES; i++) p[i] = a.lane[i];
}

WF_INLINE void vec_store_some(wf_real *p, wf_vec a, int n)
{
    for (int i = 0; i < n; i++) p[i] = a.lane[i];
}

WF_INLINE wf_vec vec_add(wf_vec a, wf_vec b)
{
    VEC_EACH(a.lane[i] + b.lane[i]);
}

WF_INLINE wf_vec vec_sub(wf_vec a, wf_vec b)
{
    VEC_EACH(a.lane[i] - b.lane[i]);
}

WF_INLINE wf_vec vec_mul(wf_vec a, wf_vec b)
{
    VEC_EACH(a.lane[i] * b.lane[i]);
}

WF_INLINE wf_vec vec_fma(wf_vec a, wf_vec b, wf_vec c)
{
    VEC_EACH(a.lane[i] * b.lane[i] + c.lane[i]);
}

WF_INLINE wf_vec vec_max(wf_vec a, wf_vec b)
{
    VEC_EACH(a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]);
}

WF_INLINE wf_vec vec_where_positive(wf_vec x, wf_vec a)
{
    VEC_EACH(x.lane[i] > 0 ? a.lane[i] : 0);
}

WF_INLINE wf_real vec_sum(wf_vec a)
{
    wf_real s = 0;
    for (int i = 0; i < WF_LANES; i++) s += a.lane[i];
    return s;
}

WF_INLINE wf_vec vec_relu(wf_vec x)
{
    VEC_EACH(x.lane[i] < 0 ? 0 : x.lane[i]);
}

WF_INLINE wf_vec vec_exp(wf_vec x)
{
    VEC_EACH(wf_vexp(x.lane[i]));
}

WF_INLINE wf_vec vec_sigmoid(wf_vec x)
{
    VEC_EACH(wf_vsigmoid(x.lane[i]));
}

WF_INLINE wf_vec vec_tanh(wf_vec x)
{
    VEC_EACH(wf_vtanh(x.lane[i]));
}

#undef VEC_EACH
#endif
/* These return dy s'(.) given y = s(.), where s is the logistic function, and likewise for tanh. */
WF_INLINE wf_vec vec_sigmoid_grad(wf_vec y, wf_vec dy)
{
    return vec_mul(dy, vec_mul(y, vec_sub(vec_set(1), y)));
}

WF_INLINE wf_vec vec_tanh_grad(wf_vec y, wf_vec dy)
{
    return vec_mul(dy, vec_sub(vec_set(1), vec_mul(y, y)));
}

/* Loops over the vectors of a row of `width` numbers; each holds n of them, from number c on. */
#define WF_EACH_VECTOR(c, n, width)                                                                \
    for (int c = 0, n; c < (width) && (n = (width)-c < WF_LANES ? (width)-c : WF_LANES);           \
         c += WF_LANES)

#endif
