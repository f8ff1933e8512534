/* reduce.cuh - sums over some axes of an array, N of them at once, in an order fixed by its shape.
 *
 * The threads of a warp read along the axis in which the array is contiguous, whether that axis is
 * summed ("rows") or kept ("columns"). Where there are too few outputs to occupy the device, the
 * terms of each output are cut into parts for different blocks, and a second kernel adds up the
 * parts: each term is still read once, and 16 N more bytes move per part and output. Sums are
 * accumulated in double. */
#ifndef WF_CUDA_REDUCE_CUH
#define WF_CUDA_REDUCE_CUH

#include "tensor/cuda/vec.cuh"

/* Holds axes of an array from slow to fast; there is at least one. */
struct wf_axes {
    int n;
    ptrdiff_t count, size[WF_MAXDIM], stride[WF_MAXDIM];
};

static __device__ ptrdiff_t wf_axes_at(const struct wf_axes &a, ptrdiff_t i)
{
    ptrdiff_t at = 0;
    for (int d = a.n - 1; d > 0; d--) {
        ptrdiff_t rest = wf_div(i, a.size[d]);
        at += (i - rest * a.size[d]) * a.stride[d];
        i = rest;
    }
    return at + i * a.stride[0];
}

/* Describes how an array is summed. Outputs and terms are vectors of `vec` numbers along the
 * contiguous axis. */
struct wf_reduction {
    struct wf_axes kept, gone;
    struct wf_axes out; /* the kept axes in the result, number by number */
    bool columns;
    int vec, across, down;  /* a block has `across` outputs, and `down` threads for each */
    ptrdiff_t tiles, parts; /* blocks along the outputs, and for the terms of each output */
    ptrdiff_t each;         /* number of terms in a part */
};

enum { WF_REDUCE_BLOCK = 256, WF_REDUCE_THREADS = 1 << 17 /* they occupy the device */ };

static inline ptrdiff_t wf_div_up(ptrdiff_t a, ptrdiff_t b)
{
    return (a + b - 1) / b;
}

static inline void wf_axes_push(struct wf_axes *a, ptrdiff_t size, ptrdiff_t stride)
{
    a->size[a->n] = size;
    a->stride[a->n++] = stride;
}

/* Sorts the axes of a by stride, the largest first but broadcast axes (stride 0) before all, and
 * merges those that are evenly strided in both a and b. The axes of b keep to the same order. */
static inline void wf_axes_tidy(struct wf_axes *a, struct wf_axes *b)
{
    struct wf_axes x = *a, y = *b;
    a->n = b->n = 0;
    for (int left = x.n; left > 0; left--) {
        int k = 0;
        for (int i = 1; i < left; i++)
            if (x.stride[k] && (!x.stride[i] || x.stride[i] > x.stride[k])) k = i;
        int d = a->n - 1;
        if (d >= 0 && a->stride[d] == x.stride[k] * x.size[k] &&
            b->stride[d] == y.stride[k] * x.size[k]) {
            a->size[d] = b->size[d] *= x.size[k];
            a->stride[d] = x.stride[k];
            b->stride[d] = y.stride[k];
        } else {
            wf_axes_push(a, x.size[k], x.stride[k]);
            wf_axes_push(b, x.size[k], y.stride[k]);
        }
        for (int i = k; i < left - 1; i++) {
            x.size[i] = x.size[i + 1];
            x.stride[i] = x.stride[i + 1];
            y.stride[i] = y.stride[i + 1];
        }
    }
    if (a->n == 0) {
        wf_axes_push(a, 1, 0);
        wf_axes_push(b, 1, 0);
    }
    a->count = 1;
    for (int i = 0; i < a->n; i++) a->count *= a->size[i];
    b->count = a->count;
}

/* Makes the last axis advance a vector per step; returns false where vectors are not aligned. */
static inline bool wf_axes_vectorize(struct wf_axes *fast, const struct wf_axes *other)
{
    int last = fast->n - 1;
    if (fast->stride[last] != 1 || fast->size[last] % WF_VEC) return false;
    for (int i = 0; i < last; i++)
        if (fast->stride[i] % WF_VEC) return false;
    for (int i = 0; i < other->n; i++)
        if (other->stride[i] % WF_VEC) return false;
    fast->size[last] /= WF_VEC;
    fast->count /= WF_VEC;
    fast->stride[last] = WF_VEC;
    return true;
}

/* Returns how many threads sum one output. This power of two grows to `least`, and further until
 * the device is occupied, as long as each thread has four terms. */
static inline int wf_reduce_down(ptrdiff_t outputs, ptrdiff_t terms, int least, int most)
{
    int down = 1;
    while (down < most && down < terms / 4 && (down < least || outputs * down < WF_REDUCE_THREADS))
        down *= 2;
    return down;
}

static inline void wf_reduce_blocks(struct wf_reduction *w)
{
    ptrdiff_t outputs = w->kept.count, terms = w->gone.count;
    if (w->columns) {
        int narrow = w->vec > 1 ? 16 : 32; /* so many threads read memory at full speed */
        if (outputs < narrow) narrow = (int)outputs;
        ptrdiff_t wide =
            WF_REDUCE_BLOCK / wf_reduce_down(outputs, terms, 1, WF_REDUCE_BLOCK / narrow);
        w->across = (int)wf_div_up(outputs, wf_div_up(outputs, wide));
        w->down = WF_REDUCE_BLOCK / w->across;
    } else {
        w->down = wf_reduce_down(outputs, terms, 32, WF_REDUCE_BLOCK);
        w->across = WF_REDUCE_BLOCK / w->down;
    }
    ptrdiff_t parts = WF_REDUCE_THREADS / (outputs * w->down), most = terms / (w->down * 8);
    if (parts > most) parts = most;
    w->each = wf_div_up(terms, parts < 1 ? 1 : parts);
    w->parts = terms ? wf_div_up(terms, w->each) : 1;
    w->tiles = wf_div_up(outputs, w->across);
}

/* Plans the sum of x over the axes where y has size 1. `aligned` says whether every array that is
 * to be read in vectors is aligned. */
static inline struct wf_reduction wf_reduction_of(const struct wf_tensor *y,
                                                  const struct wf_tensor *x, bool aligned)
{
    struct wf_reduction w = {};
    struct wf_axes none = {};
    for (int i = 0; i < x->ndim; i++) {
        if (x->shape[i] == 1) continue;
        bool gone = y->shape[i] == 1;
        wf_axes_push(gone ? &w.gone : &w.kept, x->shape[i], x->stride[i]);
        wf_axes_push(gone ? &none : &w.out, x->shape[i], gone ? 0 : y->stride[i]);
    }
    wf_axes_tidy(&w.kept, &w.out);
    wf_axes_tidy(&w.gone, &none);
    ptrdiff_t kept = w.kept.stride[w.kept.n - 1], gone = w.gone.stride[w.gone.n - 1];
    w.columns = kept && (!gone || kept < gone);
    bool even = aligned && (w.columns ? wf_axes_vectorize(&w.kept, &w.gone)
                                      : wf_axes_vectorize(&w.gone, &w.kept));
    w.vec = even ? WF_VEC : 1;
    if (w.kept.count) wf_reduce_blocks(&w);
    return w;
}

/* Returns how many bytes of scratch memory N sums need. */
static inline size_t wf_reduce_bytes(const struct wf_reduction *w, int N)
{
    return w->parts < 2 ? 0 : (size_t)(w->out.count * w->parts) * (size_t)N * sizeof(double);
}

/* Calls f(k, r, at, s) to add term r, which lies at offset `at`, to the sums s of the outputs from
 * k on, and finish(k, s) with the finished sums s of output k. */
template <int N, int VEC, bool COLUMNS, typename F, typename G>
static __global__ void __launch_bounds__(WF_REDUCE_BLOCK)
    wf_reduce_terms(struct wf_reduction w, double *part, F f, G finish)
{
    enum { OUT = COLUMNS ? VEC : 1 };
    __shared__ double sh[N * OUT][WF_REDUCE_BLOCK];
    int t = (int)threadIdx.x, a = COLUMNS ? t % w.across : t / w.down;
    int d = COLUMNS ? t / w.across : t % w.down, next = COLUMNS ? w.across : 1;
    ptrdiff_t k = blockIdx.x % w.tiles * w.across + a, p = blockIdx.x / w.tiles;
    ptrdiff_t to = (p + 1) * w.each < w.gone.count ? (p + 1) * w.each : w.gone.count;
    bool mine = k < w.kept.count && d < w.down;
    double s[N][VEC] = {};
    if (mine) {
        ptrdiff_t at = wf_axes_at(w.kept, k), r = p * w.each + d;
        if (w.gone.n == 1) {
            WF_UNROLL(4)
            for (; r < to; r += w.down) f(k * OUT, r, at + r * w.gone.stride[0], s);
        } else {
            for (; r < to; r += w.down) f(k * OUT, r, at + wf_axes_at(w.gone, r), s);
        }
    }
    for (int i = 0; i < N; i++) {
        if (!COLUMNS)
            for (int v = 1; v < VEC; v++) s[i][0] += s[i][v];
        for (int v = 0; v < OUT; v++) sh[i * OUT + v][t] = s[i][v];
    }
    for (int n = w.down; n > 1; n = (n + 1) / 2) {
        int half = (n + 1) / 2;
        __syncthreads();
        if (!mine || d + half >= n) continue;
        for (int i = 0; i < N * OUT; i++) sh[i][t] += sh[i][t + half * next];
    }
    if (!mine || d > 0) return;
    for (int v = 0; v < OUT; v++) {
        double sum[N];
        for (int i = 0; i < N; i++) sum[i] = sh[i * OUT + v][t];
        if (w.parts == 1) {
            finish(k * OUT + v, sum);
            continue;
        }
        for (int i = 0; i < N; i++) part[(i * w.out.count + k * OUT + v) * w.parts + p] = sum[i];
    }
}

/* Adds up the parts of the sums; a warp handles one output. */
template <int N, typename G>
static __global__ void __launch_bounds__(WF_REDUCE_BLOCK)
    wf_reduce_parts(ptrdiff_t outputs, ptrdiff_t parts, const double *part, G finish)
{
    ptrdiff_t k = ((ptrdiff_t)blockIdx.x * blockDim.x + threadIdx.x) / 32;
    int lane = (int)threadIdx.x % 32;
    if (k >= outputs) return;
    double sum[N] = {};
    for (int i = 0; i < N; i++) {
        const double *from = part + (i * outputs + k) * parts;
        WF_UNROLL(4)
        for (ptrdiff_t p = lane; p < parts; p += 32) sum[i] += from[p];
        for (int h = 16; h > 0; h /= 2) sum[i] += __shfl_xor_sync(0xffffffffu, sum[i], h);
    }
    if (lane == 0) finish(k, sum);
}

template <int N, typename G>
static enum wf_status wf_reduce_finish(struct wf_backend *be, ptrdiff_t outputs, ptrdiff_t parts,
                                       const double *part, G finish)
{
    unsigned blocks = (unsigned)wf_div_up(outputs * 32, WF_REDUCE_BLOCK);
    return LAUNCH(be, (wf_reduce_parts<N, G>), blocks, WF_REDUCE_BLOCK, 0, outputs, parts, part,
                  finish);
}

/* Runs a planned sum. `part` points to wf_reduce_bytes() bytes of scratch memory. */
template <int N, typename F, typename G>
static enum wf_status wf_reduce(struct wf_backend *be, const struct wf_reduction &w, double *part,
                                F f, G finish)
{
    enum wf_status s;
    if (w.kept.count == 0) return WF_OK;
    unsigned blocks = (unsigned)(w.tiles * w.parts);
#define RUN(VEC, COLUMNS)                                                                          \
    LAUNCH(be, (wf_reduce_terms<N, VEC, COLUMNS, F, G>), blocks, WF_REDUCE_BLOCK, 0, w, part, f,   \
           finish)
    if (w.columns)
        s = w.vec > 1 ? RUN(WF_VEC, true) : RUN(1, true);
    else
        s = w.vec > 1 ? RUN(WF_VEC, false) : RUN(1, false);
#undef RUN
    if (s != WF_OK || w.parts == 1) return s;
    return wf_reduce_finish<N>(be, w.out.count, w.parts, part, finish);
}

/* ---- one plain sum ---- */

struct wf_sum_terms {
    const wf_real *x;
    bool square;
    template <int VEC>
    __device__ void operator()(ptrdiff_t, ptrdiff_t, ptrdiff_t at, double (&s)[1][VEC]) const
    {
        wf_vec<VEC> a = wf_vec_load<VEC>(x + at);
        for (int v = 0; v < VEC; v++) s[0][v] += (double)a.v[v] * (square ? (double)a.v[v] : 1);
    }
};

/* Sets y to scale * sum, or adds that to y. */
struct wf_sum_into {
    wf_real *y;
    struct wf_axes axes;
    double scale;
    bool add;
    __device__ void operator()(ptrdiff_t k, const double (&s)[1]) const
    {
        wf_real *to = y + wf_axes_at(axes, k);
        *to = (wf_real)(scale * s[0]) + (add ? *to : 0);
    }
};

#endif
