/* hops.cuh - the terms of a diffusion convolution on the device.
 *
 * Terms are [samples, rows, width] with channels in vectors of WF_VEC; channels beyond the width
 * are 0. A source makes term 0 from tensors, a sink takes term 0 to tensors. Hops go both ways:
 *     build    T_0 = source, then T_m = a S T_src - T_sub for m = 1, 2, ..
 *     fold     T_src += a S T_m, T_sub -= T_m for m = .., 2, 1, then sink = T_0
 * where a is 2, or 1 where there is no T_sub, and S is a support or its transpose. */
#ifndef WF_CUDA_HOPS_CUH
#define WF_CUDA_HOPS_CUH

#include "tensor/cuda/columns.cuh"
#include "tensor/cuda/sparse.cuh"

/* What a term 0 is made of: [part[0] part[1]], or part[0] act'(.) where y = act(.) is given. */
struct wf_source {
    struct wf_columns part[2], y;
    enum wf_act act;
};

/* A blend: out = y + z (h - y), or y h where there is no z, with the first columns of y. out.x is
 * NULL where nothing is blended. */
struct wf_blend {
    struct wf_columns h, z, out;
};

/* y = act(x + bias) goes to [part[0] part[1]], or x is added to the parts that add; blend says what
 * else becomes of y. */
struct wf_sink {
    struct wf_columns part[2];
    const wf_real *bias; /* NULL where there is none */
    ptrdiff_t bias_stride;
    enum wf_act act;
    bool add[2];
    struct wf_blend blend;
};

/* The numbers that a vector of a source is computed from. */
struct wf_source_fetched {
    wf_wide x, y;
};

/* Reads what vector v of row n of sample b is computed from. */
static inline __device__ struct wf_source_fetched wf_source_fetch(const struct wf_source &s, int b,
                                                                  int n, int v)
{
    struct wf_source_fetched f = { wf_columns_load(s.part[0], s.part[1], b, n, v * WF_VEC),
                                   wf_vec_zero<WF_VEC>() };
    if (s.y.x) f.y = wf_columns_load(s.y, b, n, v * WF_VEC);
    return f;
}

static inline __device__ wf_wide wf_source_value(const struct wf_source &s,
                                                 struct wf_source_fetched f)
{
    if (s.y.x)
        for (int k = 0; k < WF_VEC; k++) f.x.v[k] = wf_activate_bwd(s.act, f.y.v[k], f.x.v[k]);
    return f.x;
}

static inline __device__ void wf_blend_store(const struct wf_blend &s, int b, int n, int first,
                                             const wf_wide &y)
{
    wf_wide h = wf_columns_load(s.h, b, n, first), z = y;
    if (s.z.x) z = wf_columns_load(s.z, b, n, first);
    for (int k = 0; k < WF_VEC; k++)
        h.v[k] = s.z.x ? y.v[k] + z.v[k] * (h.v[k] - y.v[k]) : y.v[k] * h.v[k];
    wf_columns_store(s.out, b, n, first, h);
}

static inline __device__ void wf_sink_store(const struct wf_sink &s, int b, int n, int v, wf_wide x)
{
    int first = v * WF_VEC, seam = s.part[0].width;
    if (s.bias)
        for (int k = 0; k < WF_VEC; k++)
            if (first + k < seam) x.v[k] += s.bias[(first + k) * s.bias_stride];
    for (int k = 0; k < WF_VEC; k++) x.v[k] = wf_activate(s.act, x.v[k]);
    if (s.blend.out.x && first < s.blend.out.width) wf_blend_store(s.blend, b, n, first, x);
    if (s.part[0].x && wf_whole(s.part[0], first)) {
        wf_real *to = s.part[0].x + b * s.part[0].sample + n * s.part[0].row + first;
        if (s.add[0]) wf_vec_fma(x, 1, wf_vec_load<WF_VEC>(to));
        wf_vec_store(to, x);
        return;
    }
    for (int k = 0; k < WF_VEC; k++) {
        bool second = first + k >= seam;
        const struct wf_columns &c = s.part[second];
        int at = first + k - (second ? seam : 0);
        if (!c.x || at >= c.width) continue;
        wf_real *to = c.x + b * c.sample + n * c.row + at;
        *to = (second ? s.add[1] : s.add[0]) ? *to + x.v[k] : x.v[k];
    }
}

/* ---- work beside the hops, done by blocks that their launch has to spare ---- */

/* Packs weights: to[m sm + c sc + o so] = w[m, channel, o] for all of w [M, C, O]. The channels c
 * are in the order of a source, whose first part is the last C1 channels of w. Elements with c in
 * [C, rows) or o in [O, cols) become 0. */
struct wf_pack {
    const wf_real *w;
    wf_real *to; /* NULL where there is nothing to pack */
    int M, C, O, C1, rows, cols;
    ptrdiff_t sm, sc, so;
};

struct wf_terms {
    wf_real *data;
    ptrdiff_t sample, row, term; /* strides */
    int samples, rows, vecs;
};

/* Copies a source to term 0 of `to`; sums [blocks, vecs] takes partial sums over all rows, unless
 * it is NULL. */
struct wf_copy {
    struct wf_source from;
    struct wf_terms to; /* data is NULL where there is nothing to copy */
    wf_real *sums;
};

struct wf_side {
    struct wf_pack pack;
    struct wf_copy copy[2];
    int blocks; /* set by the function that launches it */
};

/* Does the work of `side` in a launch of its own. */
enum wf_status wf_cuda_side(struct wf_backend *be, struct wf_side *side);

/* ---- the hops ---- */

struct wf_build {
    const struct wf_supports *S;
    bool transpose;
    struct wf_source source;
    struct wf_terms T;
    wf_real *sums; /* [sum_rows, vecs] partial sums of term 0 over all rows, or NULL */
    int sum_rows;  /* set by the build: at most the samples or the multiprocessors */
    struct wf_side side;
};
enum wf_status wf_cuda_build(struct wf_backend *be, struct wf_build *job);

struct wf_fold {
    const struct wf_supports *S;
    bool transpose;
    struct wf_terms T;
    struct wf_sink sink;
    bool keep; /* whether T shall hold the other terms afterwards; else it holds garbage */
};
enum wf_status wf_cuda_fold(struct wf_backend *be, const struct wf_fold *job);

/* Takes `from` [samples, rows, width] to the sink, a part of which may be `from` itself. */
enum wf_status wf_cuda_finish(struct wf_backend *be, const struct wf_columns *from, int samples,
                              int rows, const struct wf_sink *sink);

#endif
