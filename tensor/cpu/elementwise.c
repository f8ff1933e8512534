/* elementwise.c - functions of one element each, their gradients, and dropout. */
#include <math.h>
#include "tensor/cpu/cpu_private.h"
#include "tensor/cpu/loop_private.h"
#include "tensor/cpu/vmath_private.h"
#include "tensor/rng.h"

/* EACHn(expr): p0[i] = expr for i in [0, n), where unit strides get a loop that vectorises. Operand
 * p0 is written, p1, p2 and p3 are read; EACHn uses p0 to pn, and expr calls the read ones a, b, c.
 */
#define EACH1(expr)                                                                                \
    do {                                                                                           \
        if (s[0] == 1 && s[1] == 1) {                                                              \
            _Pragma("omp simd") for (ptrdiff_t i = 0; i < n; i++)                                  \
            {                                                                                      \
                wf_real a = p[1][i];                                                               \
                (void)a;                                                                           \
                p[0][i] = (expr);                                                                  \
            }                                                                                      \
        } else                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) {                                                    \
                wf_real a = p[1][i * s[1]];                                                        \
                (void)a;                                                                           \
                p[0][i * s[0]] = (expr);                                                           \
            }                                                                                      \
    } while (0)

#define EACH2(expr)                                                                                \
    do {                                                                                           \
        if (s[0] == 1 && s[1] == 1 && s[2] == 1) {                                                 \
            _Pragma("omp simd") for (ptrdiff_t i = 0; i < n; i++)                                  \
            {                                                                                      \
                wf_real a = p[1][i], b = p[2][i];                                                  \
                p[0][i] = (expr);                                                                  \
            }                                                                                      \
        } else                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) {                                                    \
                wf_real a = p[1][i * s[1]], b = p[2][i * s[2]];                                    \
                p[0][i * s[0]] = (expr);                                                           \
            }                                                                                      \
    } while (0)

#define EACH3(expr)                                                                                \
    do {                                                                                           \
        if (s[0] == 1 && s[1] == 1 && s[2] == 1 && s[3] == 1) {                                    \
            _Pragma("omp simd") for (ptrdiff_t i = 0; i < n; i++)                                  \
            {                                                                                      \
                wf_real a = p[1][i], b = p[2][i], c = p[3][i];                                     \
                (void)a, (void)b, (void)c;                                                         \
                p[0][i] = (expr);                                                                  \
            }                                                                                      \
        } else                                                                                     \
            for (ptrdiff_t i = 0; i < n; i++) {                                                    \
                wf_real a = p[1][i * s[1]], b = p[2][i * s[2]], c = p[3][i * s[3]];                \
                (void)a, (void)b, (void)c;                                                         \
                p[0][i * s[0]] = (expr);                                                           \
            }                                                                                      \
    } while (0)

/* A gradient: d[i] = expr, or += expr with `add`. */
#define GRAD(EACH, expr)                                                                           \
    do {                                                                                           \
        if (add)                                                                                   \
            EACH(p[0][i * s[0]] + (expr));                                                         \
        else                                                                                       \
            EACH(expr);                                                                            \
    } while (0)

#define BODY(name)                                                                                 \
    static void name(void *ctx, ptrdiff_t first, ptrdiff_t n, wf_real *const *p, const ptrdiff_t *s)

struct scalars {
    wf_real scale, shift;
    bool add;
};

BODY(fill_body)
{
    (void)first;
    wf_real v = ((const struct scalars *)ctx)->shift;
    for (ptrdiff_t i = 0; i < n; i++) p[0][i * s[0]] = v;
}

enum wf_status wf_cpu_fill(struct wf_backend *be, struct wf_tensor *y, double v)
{
    (void)be;
    struct scalars c = { .shift = (wf_real)v };
    wf_cpu_loop(1, (const struct wf_tensor *const[]){ y }, false, &c, fill_body);
    return WF_OK;
}

BODY(copy_body)
{
    (void)first;
    if (((const struct scalars *)ctx)->add)
        EACH1(p[0][i * s[0]] + a);
    else
        EACH1(a);
}

enum wf_status wf_cpu_copy(struct wf_backend *be, struct wf_tensor *y, const struct wf_tensor *x,
                           bool add)
{
    (void)be;
    struct scalars c = { .add = add };
    wf_cpu_loop(2, (const struct wf_tensor *const[]){ y, x }, false, &c, copy_body);
    return WF_OK;
}

BODY(affine_body)
{
    (void)first;
    const struct scalars *c = ctx;
    if (c->add)
        EACH1(p[0][i * s[0]] + c->scale * a + c->shift);
    else
        EACH1(c->scale * a + c->shift);
}

enum wf_status wf_cpu_affine(struct wf_backend *be, struct wf_tensor *y, const struct wf_tensor *x,
                             double scale, double shift, bool add)
{
    (void)be;
    struct scalars c = { (wf_real)scale, (wf_real)shift, add };
    wf_cpu_loop(2, (const struct wf_tensor *const[]){ y, x }, false, &c, affine_body);
    return WF_OK;
}

/* How this backend computes the functions that tensor/unary.def names. */
#define u_sigmoid(x) wf_vsigmoid(x)
#define u_tanh(x)    wf_vtanh(x)
#define u_exp(x)     wf_vexp(x)
#define u_log(x)     (wf_real) log((double)(x))
#define u_sqrt(x)    (wf_real) sqrt((double)(x))
#define u_rsqrt(x)   (wf_real)(1 / sqrt((double)(x)))

BODY(unary_body)
{
    (void)first;
    switch (*(const enum wf_unary *)ctx) {
#define U(name, f, df)                                                                             \
    case WF_##name:                                                                                \
        EACH1(f);                                                                                  \
        break;
#include "tensor/unary.def"
#undef U
    }
}

enum wf_status wf_cpu_unary(struct wf_backend *be, enum wf_unary f, struct wf_tensor *y,
                            const struct wf_tensor *x)
{
    (void)be;
    wf_cpu_loop(2, (const struct wf_tensor *const[]){ y, x }, false, &f, unary_body);
    return WF_OK;
}

struct unary_grad {
    enum wf_unary f;
    bool add;
};

/* a = x, b = y, c = dy */
BODY(unary_bwd_body)
{
    (void)first;
    const struct unary_grad *d = ctx;
    bool add = d->add;
    switch (d->f) {
#define U(name, f, df)                                                                             \
    case WF_##name:                                                                                \
        GRAD(EACH3, df);                                                                           \
        break;
#include "tensor/unary.def"
#undef U
    }
}

enum wf_status wf_cpu_unary_bwd(struct wf_backend *be, enum wf_unary f, struct wf_tensor *dx,
                                const struct wf_tensor *x, const struct wf_tensor *y,
                                const struct wf_tensor *dy)
{
    (void)be;
    struct unary_grad d = { f, wf_grad_claim(dx) };
    wf_cpu_loop(4, (const struct wf_tensor *const[]){ dx, x, y, dy }, false, &d, unary_bwd_body);
    return WF_OK;
}

BODY(binary_body)
{
    (void)first;
    switch (*(const enum wf_binary *)ctx) {
    case WF_ADD:
        EACH2(a + b);
        break;
    case WF_SUB:
        EACH2(a - b);
        break;
    case WF_MUL:
        EACH2(a * b);
        break;
    case WF_DIV:
        EACH2(a / b);
        break;
    case WF_MAX:
        EACH2(a >= b ? a : b);
        break;
    case WF_MIN:
        EACH2(a <= b ? a : b);
        break;
    }
}

enum wf_status wf_cpu_binary(struct wf_backend *be, enum wf_binary f, struct wf_tensor *y,
                             const struct wf_tensor *a, const struct wf_tensor *b)
{
    (void)be;
    wf_cpu_loop(3, (const struct wf_tensor *const[]){ y, a, b }, false, &f, binary_body);
    return WF_OK;
}

/* The gradient of operand 0 or 1; p holds that gradient, dy and both operands. At a tie, max and
 * min give the whole gradient to the first operand. */
static void binary_grad(int which, bool add, ptrdiff_t n, wf_real *const *p, const ptrdiff_t *s)
{
    switch (which) { /* a = dy; b, c = the operands */
    case WF_ADD * 2:
    case WF_ADD * 2 + 1:
    case WF_SUB * 2:
        GRAD(EACH1, a);
        break;
    case WF_SUB * 2 + 1:
        GRAD(EACH1, -a);
        break;
    case WF_MUL * 2:
        GRAD(EACH3, c * a);
        break;
    case WF_MUL * 2 + 1:
        GRAD(EACH3, b * a);
        break;
    case WF_DIV * 2:
        GRAD(EACH3, a / c);
        break;
    case WF_DIV * 2 + 1:
        GRAD(EACH3, -a * b / (c * c));
        break;
    case WF_MAX * 2:
        GRAD(EACH3, b >= c ? a : 0);
        break;
    case WF_MAX * 2 + 1:
        GRAD(EACH3, b >= c ? 0 : a);
        break;
    case WF_MIN * 2:
        GRAD(EACH3, b <= c ? a : 0);
        break;
    case WF_MIN * 2 + 1:
        GRAD(EACH3, b <= c ? 0 : a);
        break;
    }
}

struct binary_grads {
    enum wf_binary f;
    bool add[2];
};

/* p: dy, a, b, da, db */
BODY(binary_bwd_body)
{
    (void)first;
    const struct binary_grads *d = ctx;
    for (int k = 0; k < 2; k++)
        if (p[3 + k])
            binary_grad((int)d->f * 2 + k, d->add[k], n,
                        (wf_real *const[]){ p[3 + k], p[0], p[1], p[2] },
                        (const ptrdiff_t[]){ s[3 + k], s[0], s[1], s[2] });
}

enum wf_status wf_cpu_binary_bwd(struct wf_backend *be, enum wf_binary f, struct wf_tensor *da,
                                 struct wf_tensor *db, const struct wf_tensor *a,
                                 const struct wf_tensor *b, const struct wf_tensor *dy)
{
    (void)be;
    struct binary_grads d = { f, { wf_grad_claim(da), wf_grad_claim(db) } };
    wf_cpu_loop(5, (const struct wf_tensor *const[]){ dy, a, b, da, db }, false, &d,
                binary_bwd_body);
    return WF_OK;
}

BODY(lerp_body)
{
    (void)first;
    (void)ctx;
    if (s[0] == 1 && s[1] == 1 && s[2] == 1 && s[3] == 1) {
#pragma omp simd
        for (ptrdiff_t i = 0; i < n; i++) p[0][i] = p[1][i] + p[3][i] * (p[2][i] - p[1][i]);
    } else
        for (ptrdiff_t i = 0; i < n; i++) {
            wf_real a = p[1][i * s[1]], b = p[2][i * s[2]], w = p[3][i * s[3]];
            p[0][i * s[0]] = a + w * (b - a);
        }
}

enum wf_status wf_cpu_lerp(struct wf_backend *be, struct wf_tensor *y, const struct wf_tensor *a,
                           const struct wf_tensor *b, const struct wf_tensor *w)
{
    (void)be;
    wf_cpu_loop(4, (const struct wf_tensor *const[]){ y, a, b, w }, false, NULL, lerp_body);
    return WF_OK;
}

/* d (+)= expr of element i, for the gradient that is operand k. */
#define LERP_GRAD(k, expr)                                                                         \
    do {                                                                                           \
        if (p[k] && add[(k)-4])                                                                    \
            for (ptrdiff_t i = 0; i < n; i++) p[k][i * s[k]] += (expr);                            \
        else if (p[k])                                                                             \
            for (ptrdiff_t i = 0; i < n; i++) p[k][i * s[k]] = (expr);                             \
    } while (0)

/* p: dy, a, b, w, da, db, dw */
BODY(lerp_bwd_body)
{
    (void)first;
    const bool *add = ctx;
    LERP_GRAD(4, (1 - p[3][i * s[3]]) * p[0][i * s[0]]);
    LERP_GRAD(5, p[3][i * s[3]] * p[0][i * s[0]]);
    LERP_GRAD(6, (p[2][i * s[2]] - p[1][i * s[1]]) * p[0][i * s[0]]);
}
#undef LERP_GRAD

enum wf_status wf_cpu_lerp_bwd(struct wf_backend *be, struct wf_tensor *da, struct wf_tensor *db,
                               struct wf_tensor *dw, const struct wf_tensor *a,
                               const struct wf_tensor *b, const struct wf_tensor *w,
                               const struct wf_tensor *dy)
{
    (void)be;
    bool add[] = { wf_grad_claim(da), wf_grad_claim(db), wf_grad_claim(dw) };
    wf_cpu_loop(7, (const struct wf_tensor *const[]){ dy, a, b, w, da, db, dw }, false, add,
                lerp_bwd_body);
    return WF_OK;
}

struct drop {
    double p;
    const struct wf_step *step;
    uint32_t stream;
    bool add;
    ptrdiff_t sample; /* elements of one sample; 0 where the first axis is not the batch */
};

/* Returns the number that element e has in the joined batch of all ranks. */
static uint64_t global_element(const struct drop *d, ptrdiff_t e)
{
    if (!d->sample) return (uint64_t)e;
    int64_t sample = e / d->sample * d->step->stride + d->step->first;
    return (uint64_t)(sample * d->sample + e % d->sample);
}

/* Writes the random words of the aligned block of DRAW elements that holds e. One draw of Philox
 * gives four words, and several draws are computed side by side. */
enum { DRAW = 64 };
static void draw(const struct drop *d, uint64_t e, uint32_t *word)
{
    uint64_t seed = d->step->seed, step = d->step->step, index = e / DRAW * (DRAW / 4);
    uint32_t stream = d->stream;
#pragma omp simd
    for (int j = 0; j < DRAW / 4; j++) {
        struct wf_philox r = wf_philox(seed, stream, step, index + (uint64_t)j);
        word[4 * j] = r.v[0];
        word[4 * j + 1] = r.v[1];
        word[4 * j + 2] = r.v[2];
        word[4 * j + 3] = r.v[3];
    }
}

/* Drops the elements whose uniform number of 24 bits is below p. */
static void drop_run(const struct drop *d, const uint32_t *word, ptrdiff_t n, wf_real *const *p,
                     const ptrdiff_t *s)
{
    wf_real scale = (wf_real)(1 / (1 - d->p));
    uint32_t least = (uint32_t)ceil(d->p * 0x1p24);
    if (d->add)
        EACH1(p[0][i * s[0]] + (word[i] >> 8 < least ? 0 : a * scale));
    else
        EACH1(word[i] >> 8 < least ? 0 : a * scale);
}

BODY(dropout_body)
{
    const struct drop *d = ctx;
    for (ptrdiff_t i = 0, run; i < n; i += run) {
        uint32_t word[DRAW];
        uint64_t e = global_element(d, first + i);
        ptrdiff_t left = d->sample ? d->sample - (first + i) % d->sample : n;
        run = DRAW - (ptrdiff_t)(e % DRAW);
        if (left < run) run = left;
        if (n - i < run) run = n - i;
        draw(d, e, word);
        drop_run(d, word + e % DRAW, run, (wf_real *const[]){ p[0] + i * s[0], p[1] + i * s[1] },
                 s);
    }
}

enum wf_status wf_cpu_dropout(struct wf_backend *be, struct wf_tensor *y, const struct wf_tensor *x,
                              double p, const struct wf_step *step, uint32_t stream, bool add)
{
    (void)be;
    ptrdiff_t n = wf_tensor_count(x), sample = step->samples ? n / step->samples : 0;
    struct drop d = { p, step, stream, add, sample && n % step->samples == 0 ? sample : 0 };
    wf_cpu_loop(2, (const struct wf_tensor *const[]){ y, x }, true, &d, dropout_body);
    return WF_OK;
}

enum wf_status wf_cpu_coin(struct wf_backend *be, struct wf_tensor *y, const struct wf_step *step,
                           uint32_t stream)
{
    (void)be;
    struct wf_philox r = wf_philox(step->seed, stream, step->step, 0);
    y->data[0] = wf_uniform_f64(r.v[0], r.v[1]) < step->teach;
    return WF_OK;
}
