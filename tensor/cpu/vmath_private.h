/* vmath_private.h - exp, tanh and the logistic function without branches, so that the compiler
 * turns a loop over them into vector code. In float the error of exp is below 2 units in the last
 * place, the relative error of tanh below 4e-7. The double build, which exists for tests, uses the
 * C library. */
#ifndef WF_VMATH_H
#define WF_VMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#include "tensor/real.h"

#ifdef WF_DOUBLE

static inline double wf_vexp(double x)
{
    return exp(x);
}
static inline double wf_vtanh(double x)
{
    return tanh(x);
}
static inline double wf_vsigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

#else

/* x = n ln 2 + r, |r| <= ln 2 / 2; e^r by its Taylor polynomial with the last coefficients fitted;
 * 2^n goes into the exponent in two halves, so that results near the ends of the range are right.
 * NaN stays NaN. */
static inline float wf_vexp(float x)
{
    float c = x > 89.0f ? 89.0f : x < -104.0f ? -104.0f : x;
    float n = rintf(c * 1.44269504f);
    float r = (c - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t i = (int32_t)(n == n ? n : 0.0f), half = i >> 1;
    uint32_t b0 = (uint32_t)(half + 127) << 23, b1 = (uint32_t)(i - half + 127) << 23;
    float s0, s1;
    memcpy(&s0, &b0, sizeof s0);
    memcpy(&s1, &b1, sizeof s1);
    return p * s0 * s1;
}

static inline float wf_vsigmoid(float x)
{
    return 1.0f / (1.0f + wf_vexp(-x));
}

/* An odd polynomial is used near 0, where 1 - 2 / (e^2x + 1) would cancel. */
static inline float wf_vtanh(float x)
{
    float a = fabsf(x), z = x * x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    p = p * z * x + x;
    float big = copysignf(1.0f - 2.0f / (wf_vexp(2.0f * a) + 1.0f), x);
    return a < 0.625f ? p : big;
}

#endif
#endif
