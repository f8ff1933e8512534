/* elementwise.cu - functions of one element each, and random masks. */
#include "tensor/cuda/nest.cuh"
#include "tensor/rng.h"

/* The structs below are functions f(i, p) of element i, with p[0] the address of the result and
 * p[1], .. those of the operands. If `add`, the result is added to p[0]. */

struct fill {
    static constexpr bool add = false;
    wf_real v;
    __device__ void operator()(ptrdiff_t, wf_real **p) const
    {
        *p[0] = v;
    }
};

extern "C" enum wf_status wf_cuda_fill(struct wf_backend *be, struct wf_tensor *y, double v)
{
    const struct wf_tensor *op[] = { y };
    if (v == 0 && !signbit(v) && wf_tensor_contiguous(y))
        return wf_cuda_check(be,
                             cudaMemsetAsync(y->data, 0,
                                             (size_t)wf_tensor_count(y) * sizeof(wf_real),
                                             wf_cuda_of(be)->stream),
                             "fill");
    return wf_map<1>(be, op, fill{ (wf_real)v });
}

struct affine {
    wf_real scale, shift;
    bool add;
    __device__ void operator()(ptrdiff_t, wf_real **p) const
    {
        wf_real v = scale * *p[1] + shift;
        *p[0] = add ? *p[0] + v : v;
    }
};

extern "C" enum wf_status wf_cuda_affine(struct wf_backend *be, struct wf_tensor *y,
                                         const struct wf_tensor *x, double scale, double shift,
                                         bool add)
{
    const struct wf_tensor *op[] = { y, x };
    return wf_map<1>(be, op, affine{ (wf_real)scale, (wf_real)shift, add });
}

struct copy {
    bool add;
    __device__ void operator()(ptrdiff_t, wf_real **p) const
    {
        *p[0] = add ? *p[0] + *p[1] : *p[1];
    }
};

extern "C" enum wf_status wf_cuda_copy(struct wf_backend *be, struct wf_tensor *y,
                                       const struct wf_tensor *x, bool add)
{
    const struct wf_tensor *op[] = { y, x };
    return wf_map<1>(be, op, copy{ add });
}

/* How this backend computes the functions that tensor/unary.def names. */
static __device__ wf_real u_sigmoid(wf_real x)
{
    return 1 / (1 + exp(-x));
}
#define u_tanh(x)  tanh(x)
#define u_exp(x)   exp(x)
#define u_log(x)   log(x)
#define u_sqrt(x)  sqrt(x)
#define u_rsqrt(x) (1 / sqrt(x))

template <enum wf_unary F> struct unary {
    static constexpr bool add = false;
    __device__ void operator()(ptrdiff_t, wf_real **p) const
    {
        wf_real a = *p[1];
        switch (F) {
#define U(name, f, df)                                                                             \
    case WF_##name:                                                                                \
        *p[0] = f;                                                                                 \
        break;
#include "tensor/unary.def"
#undef U
        }
    }
};

/* p: dx, x, y, dy */
template <enum wf_unary F> struct unary_bwd {
    bool add;
    __device__ void operator()(ptrdiff_t, wf_real **p) const
    {
        wf_real a = *p[1], b = *p[2], c = *p[3], d = 0;
        switch (F) {
#define U(name, f, df)                                                                             \
    case WF_##name:                                                                                \
        d = df;                                                                                    \
        break;
#include "tensor/unary.def"
#undef U
        }
        *p[0] = add ? *p[0] + d : d;
    }
};

extern "C" enum wf_status wf_cuda_unary(struct wf_backend *be, enum wf_unary f, struct wf_tensor *y,
                                        const struct wf_tensor *x)
{
    const struct wf_tensor *op[] = { y, x };
    switch (f) {
#define U(name, f, df)                                                                             \
    case WF_##name:                                                                                \
        return wf_map<1>(be, op, unary<WF_##name>{});
#include "tensor/unary.def"
#undef U
    }
    return WF_EINVAL;
}

extern "C" enum wf_status wf_cuda_unary_bwd(struct wf_backend *be, enum wf_unary f,
                                            struct wf_tensor *dx, const struct wf_tensor *x,
                                            const struct wf_tensor *y, const struct wf_tensor *dy)
{
    const struct wf_tensor *op[] = { dx, x, y, dy };
    bool add = wf_grad_claim(dx);
    switch (f) {
#define U(name, f, df)                                                                             \
    case WF_##name:                                                                                \
        return wf_map<1>(be, op, unary_bwd<WF_##name>{ add });
#include "tensor/unary.def"
#undef U
    }
    return WF_EINVAL;
}

template <enum wf_binary F> struct binary {
    static constexpr bool add = false;
    __device__ void operator()(ptrdiff_t, wf_real **p) const
    {
        wf_real a = *p[1], b = *p[2], y = 0;
        switch (F) {
        case WF_ADD:
            y = a + b;
            break;
        case WF_SUB:
            y = a - b;
            break;
        case WF_MUL:
            y = a * b;
            break;
        case WF_DIV:
            y = a / b;
            break;
        case WF_MAX:
            y = a >= b ? a : b;
            break;
        case WF_MIN:
            y = a <= b ? a : b;
            break;
        }
        *p[0] = y;
    }
};

/* p: da, db, a, b, dy; at a tie, max and min give the whole gradient to the first operand. */
template <enum wf_binary F> struct binary_bwd {
    bool add[2];
    __device__ void operator()(ptrdiff_t, wf_real **p) const
    {
        wf_real c = *p[4], da = 0, db = 0;
        switch (F) {
        case WF_ADD:
            da = db = c;
            break;
        case WF_SUB:
            da = c;
            db = -c;
            break;
        case WF_MUL:
            da = *p[3] * c;
            db = *p[2] * c;
            break;
        case WF_DIV:
            da = c / *p[3];
            db = -c * *p[2] / (*p[3] * *p[3]);
            break;
        case WF_MAX:
            (*p[2] >= *p[3] ? da : db) = c;
            break;
        case WF_MIN:
            (*p[2] <= *p[3] ? da : db) = c;
            break;
        }
        if (p[0]) *p[0] = add[0] ? *p[0] + da : da;
        if (p[1]) *p[1] = add[1] ? *p[1] + db : db;
    }
};

#define SWITCH_BINARY(f, RUN)                                                                      \
    switch (f) {                                                                                   \
    case WF_ADD:                                                                                   \
        return RUN(WF_ADD);                                                                        \
    case WF_SUB:                                                                                   \
        return RUN(WF_SUB);                                                                        \
    case WF_MUL:                                                                                   \
        return RUN(WF_MUL);                                                                        \
    case WF_DIV:                                                                                   \
        return RUN(WF_DIV);                                                                        \
    case WF_MAX:                                                                                   \
        return RUN(WF_MAX);                                                                        \
    case WF_MIN:                                                                                   \
        return RUN(WF_MIN);                                                                        \
    }                                                                                              \
    return WF_EINVAL

extern "C" enum wf_status wf_cuda_binary(struct wf_backend *be, enum wf_binary f,
                                         struct wf_tensor *y, const struct wf_tensor *a,
                                         const struct wf_tensor *b)
{
    const struct wf_tensor *op[] = { y, a, b };
#define RUN(F) wf_map<1>(be, op, binary<F>{})
    SWITCH_BINARY(f, RUN);
#undef RUN
}

extern "C" enum wf_status wf_cuda_binary_bwd(struct wf_backend *be, enum wf_binary f,
                                             struct wf_tensor *da, struct wf_tensor *db,
                                             const struct wf_tensor *a, const struct wf_tensor *b,
                                             const struct wf_tensor *dy)
{
    const struct wf_tensor *op[] = { da, db, a, b, dy };
    bool add_a = wf_grad_claim(da), add_b = wf_grad_claim(db);
#define RUN(F) wf_map<2>(be, op, binary_bwd<F>{ { add_a, add_b } })
    SWITCH_BINARY(f, RUN);
#undef RUN
}

/* p: y, a, b, w */
struct lerp {
    static constexpr bool add = false;
    __device__ void operator()(ptrdiff_t, wf_real **p) const
    {
        *p[0] = *p[1] + *p[3] * (*p[2] - *p[1]);
    }
};

extern "C" enum wf_status wf_cuda_lerp(struct wf_backend *be, struct wf_tensor *y,
                                       const struct wf_tensor *a, const struct wf_tensor *b,
                                       const struct wf_tensor *w)
{
    const struct wf_tensor *op[] = { y, a, b, w };
    return wf_map<1>(be, op, lerp{});
}

/* p: da, db, dw, a, b, w, dy */
struct lerp_bwd {
    bool add[3];
    __device__ void operator()(ptrdiff_t, wf_real **p) const
    {
        wf_real w = *p[5], dy = *p[6], da = (1 - w) * dy, db = w * dy, dw = (*p[4] - *p[3]) * dy;
        if (p[0]) *p[0] = add[0] ? *p[0] + da : da;
        if (p[1]) *p[1] = add[1] ? *p[1] + db : db;
        if (p[2]) *p[2] = add[2] ? *p[2] + dw : dw;
    }
};

extern "C" enum wf_status wf_cuda_lerp_bwd(struct wf_backend *be, struct wf_tensor *da,
                                           struct wf_tensor *db, struct wf_tensor *dw,
                                           const struct wf_tensor *a, const struct wf_tensor *b,
                                           const struct wf_tensor *w, const struct wf_tensor *dy)
{
    const struct wf_tensor *op[] = { da, db, dw, a, b, w, dy };
    bool add_a = wf_grad_claim(da), add_b = wf_grad_claim(db), add_w = wf_grad_claim(dw);
    return wf_map<3>(be, op, lerp_bwd{ { add_a, add_b, add_w } });
}

/* Dropout draws as on the CPU: word e % 4 of Philox block e / 4, e the element's number in the
 * joined batch of all ranks; those whose uniform number of 24 bits is below p are dropped. */
struct dropout {
    wf_real scale;
    uint32_t least; /* the least uniform number of an element that stays, times 2^24 */
    const struct wf_step *step;
    uint32_t stream;
    bool add;
    ptrdiff_t count;

    /* Returns the elements of one sample; 0 where the first axis is not the batch. */
    __device__ ptrdiff_t sample() const
    {
        ptrdiff_t samples = step->samples, size = samples ? wf_div(count, samples) : 0;
        return size * samples == count ? size : 0;
    }
    __device__ uint64_t number(ptrdiff_t i, ptrdiff_t sample) const
    {
        if (!sample) return (uint64_t)i;
        ptrdiff_t b = wf_div(i, sample);
        return (uint64_t)((b * step->stride + step->first) * sample + i - b * sample);
    }
    __device__ struct wf_philox draw(uint64_t e) const
    {
        return wf_philox(step->seed, stream, step->step, e / 4);
    }
    __device__ uint32_t word(uint64_t e) const
    {
        struct wf_philox r = draw(e);
        return e & 2 ? e & 1 ? r.v[3] : r.v[2] : e & 1 ? r.v[1] : r.v[0];
    }
    __device__ void apply(wf_real *y, wf_real x, uint32_t word) const
    {
        wf_real v = word >> 8 < least ? 0 : x * scale;
        *y = add ? *y + v : v;
    }
    __device__ void operator()(ptrdiff_t i, wf_real **p) const
    {
        apply(p[0], *p[1], word(number(i, sample())));
    }
};

/* Takes four neighbours at a time; they share one draw unless a sample begins among them. */
static __global__ void dropout_fours(wf_real *y, const wf_real *x, struct dropout f)
{
    ptrdiff_t sample = f.sample();
    EACH_ITEM(j, f.count / 4)
    {
        ptrdiff_t i = j * 4;
        struct wf_philox r;
        if (sample % 4 == 0)
            r = f.draw(f.number(i, sample));
        else
            for (int k = 0; k < 4; k++) r.v[k] = f.word(f.number(i + k, sample));
        for (int k = 0; k < 4; k += WF_VEC) {
            wf_vec<WF_VEC> a = wf_vec_load<WF_VEC>(x + i + k), out;
            if (f.add) out = wf_vec_load<WF_VEC>(y + i + k);
            for (int v = 0; v < WF_VEC; v++) f.apply(&out.v[v], a.v[v], r.v[k + v]);
            wf_vec_store(y + i + k, out);
        }
    }
}

extern "C" enum wf_status wf_cuda_dropout(struct wf_backend *be, struct wf_tensor *y,
                                          const struct wf_tensor *x, double p,
                                          const struct wf_step *step, uint32_t stream, bool add)
{
    const struct wf_tensor *op[] = { y, x };
    struct dropout f = { (wf_real)(1 / (1 - p)), (uint32_t)ceil(p * 0x1p24), step, stream, add,
                         wf_tensor_count(x) };
    if (f.count % 4 || !wf_tensor_contiguous(y) || !wf_tensor_contiguous(x) ||
        !wf_aligned(y->data) || !wf_aligned(x->data))
        return wf_each(be, op, f);
    if (f.count == 0) return WF_OK;
    return LAUNCH(be, dropout_fours, wf_cuda_blocks(wf_cuda_of(be), f.count / 4), WF_CUDA_BLOCK, 0,
                  y->data, x->data, f);
}

struct coin {
    const struct wf_step *step;
    uint32_t stream;
    __device__ void operator()(ptrdiff_t, wf_real **p) const
    {
        struct wf_philox r = wf_philox(step->seed, stream, step->step, 0);
        *p[0] = wf_uniform_f64(r.v[0], r.v[1]) < step->teach;
    }
};

extern "C" enum wf_status wf_cuda_coin(struct wf_backend *be, struct wf_tensor *y,
                                       const struct wf_step *step, uint32_t stream)
{
    const struct wf_tensor *op[] = { y };
    return wf_each(be, op, coin{ step, stream });
}
