/* standardize.cu - normalisation by mean and variance.
 *
 * x [A, C, D] is read as rows [A C, D] with moments per row (layer norm) or as columns [A, C, D]
 * with moments per c (batch norm). A row of up to SHORT vectors stays in the registers of a group
 * of threads: the forward pass reads x and writes y once; the backward pass reads x and dy, updates
 * dx once, and at the same time sums the gradients of the weights over the rows. Columns and longer
 * rows are read a second time, from cache where they fit. METR-LA's [64, 12, 207, 64] is 41 MB:
 * layer norm moves this array twice forward and 4 times backward (24 and 49 us at 3.35 TB/s), batch
 * norm 3 and 6 times. */
#include "tensor/cuda/reduce.cuh"
#include "tensor/cuda/rows.cuh"

enum { SHORT = 256, LONG_BLOCK = 512, PARTS = 528 };

struct norm {
    const wf_real *x, *w, *b, *dy;
    wf_real *y, *dx, *mean, *rstd; /* one mean and rstd = 1 / sqrt(var + eps) per group */
    ptrdiff_t A, C, D, rows;       /* A C rows of D */
    double share;                  /* 1 / D: divisions in double are slow */
    double eps;
    int vec;  /* numbers that are read at once */
    bool add; /* whether to add to dx or to overwrite it */
};

/* Returns the vector of dx at element i, or 0 where dx is overwritten. */
template <int VEC> static __device__ wf_vec<VEC> load_dx(const struct norm &n, ptrdiff_t i)
{
    wf_vec<VEC> v = {};
    return n.add ? wf_vec_load<VEC>(n.dx + i) : v;
}

static struct norm norm_of(const struct wf_norm_in *in, const struct wf_tensor *stat)
{
    struct norm n = {};
    n.x = in->x->data;
    n.w = in->w ? in->w->data : NULL;
    n.b = in->b ? in->b->data : NULL;
    n.mean = stat->data;
    n.rstd = stat->data + stat->shape[1];
    n.A = in->x->shape[0];
    n.C = in->x->shape[1];
    n.D = in->x->shape[2];
    if (n.C == 1 && !in->per_d) { /* then neighbours share a column, unless D is 1 */
        n.D *= n.A;
        n.A = 1;
    }
    n.rows = n.A * n.C;
    n.share = 1 / (double)n.D;
    n.eps = in->eps;
    return n;
}

static bool aligned(const struct norm &n)
{
    return wf_aligned(n.x) && wf_aligned(n.w) && wf_aligned(n.b) && wf_aligned(n.dy) &&
           wf_aligned(n.y) && wf_aligned(n.dx);
}

static __device__ void keep(const struct norm &n, ptrdiff_t group, double mean, double var)
{
    n.mean[group] = (wf_real)mean;
    n.rstd[group] = (wf_real)(1 / sqrt(var + n.eps));
}

/* ---- rows, forward ---- */

/* Returns the vector of weights or biases at d, or `otherwise` where there are none. */
template <int VEC>
static __device__ wf_vec<VEC> load_or(const wf_real *p, ptrdiff_t d, wf_real otherwise)
{
    return p ? wf_vec_load<VEC>(p + d) : wf_vec_all<VEC>(otherwise);
}

template <int VEC>
static __device__ void apply(const struct norm &n, ptrdiff_t row, ptrdiff_t d, const wf_vec<VEC> &x,
                             wf_real mean, wf_real rstd)
{
    wf_vec<VEC> w = load_or<VEC>(n.w, d, 1), b = load_or<VEC>(n.b, d, 0), y;
    for (int v = 0; v < VEC; v++) y.v[v] = (x.v[v] - mean) * rstd * w.v[v] + b.v[v];
    wf_vec_store(n.y + row * n.D + d, y);
}

/* Normalises short rows, of which each thread holds up to K vectors. */
template <int VEC, int K> static __global__ void rows_short(struct norm n, int group)
{
    ptrdiff_t row = wf_group_row(group);
    int lane = wf_group_lane(group), count = (int)(n.D / VEC);
    bool mine = row < n.rows;
    wf_vec<VEC> x[K] = {};
    double sum = 0, square = 0;
#pragma unroll
    for (int k = 0; k < K; k++) {
        int i = lane + k * group;
        if (mine && i < count) x[k] = wf_vec_load<VEC>(n.x + row * n.D + i * VEC);
        for (int v = 0; v < VEC; v++) sum += (double)x[k].v[v];
    }
    double mean = wf_group_sum(sum, group) * n.share;
#pragma unroll
    for (int k = 0; k < K; k++) {
        if (lane + k * group >= count) break;
        for (int v = 0; v < VEC; v++)
            square += ((double)x[k].v[v] - mean) * ((double)x[k].v[v] - mean);
    }
    double var = wf_group_sum(square, group) * n.share;
    if (!mine) return;
    wf_real rstd = (wf_real)(1 / sqrt(var + n.eps));
    if (lane == 0) keep(n, row, mean, var);
#pragma unroll
    for (int k = 0; k < K; k++) {
        int i = lane + k * group;
        if (i < count) apply<VEC>(n, row, i * VEC, x[k], (wf_real)mean, rstd);
    }
}

template <int VEC> static __global__ void rows_long(struct norm n)
{
    ptrdiff_t row = blockIdx.x, step = LONG_BLOCK * VEC, first = (ptrdiff_t)threadIdx.x * VEC;
    const wf_real *x = n.x + row * n.D;
    double sum = 0, square = 0;
    for (ptrdiff_t i = first; i < n.D; i += step) {
        wf_vec<VEC> a = wf_vec_load<VEC>(x + i);
        for (int v = 0; v < VEC; v++) sum += (double)a.v[v];
    }
    double mean = wf_block_sum(sum) * n.share;
    for (ptrdiff_t i = first; i < n.D; i += step) {
        wf_vec<VEC> a = wf_vec_load<VEC>(x + i);
        for (int v = 0; v < VEC; v++) square += ((double)a.v[v] - mean) * ((double)a.v[v] - mean);
    }
    double var = wf_block_sum(square) * n.share;
    wf_real rstd = (wf_real)(1 / sqrt(var + n.eps));
    if (threadIdx.x == 0) keep(n, row, mean, var);
    for (ptrdiff_t i = first; i < n.D; i += step)
        apply<VEC>(n, row, i, wf_vec_load<VEC>(x + i), (wf_real)mean, rstd);
}

/* Returns RUN(VEC, K) from the calling function, with K such that K vectors per thread are enough
 * for a row of `count` vectors of `vec` numbers. */
#define SWITCH_SHORT(vec, count, RUN)                                                              \
    if (vec > 1 && count <= 32) return RUN(WF_VEC, 1);                                             \
    if (vec > 1 && count <= 64) return RUN(WF_VEC, 2);                                             \
    if (vec > 1 && count <= 128) return RUN(WF_VEC, 4);                                            \
    if (vec > 1) return RUN(WF_VEC, 8);                                                            \
    if (count <= 32) return RUN(1, 1);                                                             \
    if (count <= 64) return RUN(1, 2);                                                             \
    if (count <= 128) return RUN(1, 4);                                                            \
    return RUN(1, 8)

static enum wf_status rows_forward(struct wf_backend *be, struct norm n)
{
    n.vec = aligned(n) && n.D % WF_VEC == 0 ? WF_VEC : 1;
    if (n.D > SHORT * n.vec)
        return n.vec > 1 ? LAUNCH(be, (rows_long<WF_VEC>), (unsigned)n.rows, LONG_BLOCK, 0, n)
                         : LAUNCH(be, (rows_long<1>), (unsigned)n.rows, LONG_BLOCK, 0, n);
    int group = wf_group_for(n.D / n.vec);
    unsigned blocks = wf_group_blocks(n.rows, group);
#define RUN(VEC, K) LAUNCH(be, (rows_short<VEC, K>), blocks, WF_CUDA_BLOCK, 0, n, group)
    SWITCH_SHORT(n.vec, n.D / n.vec, RUN);
#undef RUN
}

/* ---- columns, forward ---- */

/* Sums the differences from the first number of the column, and their squares. This shift limits
 * cancellation: since it is one of the numbers, its squared distance from the mean is at most the
 * variance times their count. */
struct moments {
    struct norm n;
    template <int VEC>
    __device__ void operator()(ptrdiff_t c, ptrdiff_t, ptrdiff_t at, double (&s)[2][VEC]) const
    {
        wf_vec<VEC> x = wf_vec_load<VEC>(n.x + at);
        for (int v = 0; v < VEC; v++) {
            double d = (double)x.v[v] - (double)n.x[n.D == 1 ? c + v : c * n.D];
            s[0][v] += d;
            s[1][v] += d * d;
        }
    }
};

struct keep_moments {
    struct norm n;
    wf_real *mean, *var, *number; /* running moments and their count; NULL if not updated */
    double momentum;
    __device__ void operator()(ptrdiff_t c, const double (&s)[2]) const
    {
        double count = (double)(n.A * n.D), m = (double)n.x[c * n.D] + s[0] / count;
        double q = (s[1] - s[0] * s[0] / count) / count;
        if (q < 0) q = 0;
        keep(n, c, m, q);
        if (!mean) return;
        double a = momentum < 0 ? 1 / ((double)*number + 1) : momentum;
        mean[c] = (wf_real)((1 - a) * (double)mean[c] + a * m);
        var[c] = (wf_real)((1 - a) * (double)var[c] + a * q * count / (count - 1));
    }
};

static __global__ void keep_given(struct norm n, const wf_real *mean, const wf_real *var)
{
    EACH_ITEM(c, n.C) keep(n, c, (double)mean[c], (double)var[c]);
}

/* Returns the column of number i. */
static __device__ ptrdiff_t column_of(const struct norm &n, ptrdiff_t i)
{
    ptrdiff_t row = wf_div(i, n.D);
    return row - wf_div(row, n.C) * n.C;
}

/* Returns p[c] for VEC neighbours in memory, which share a column unless D is 1. */
template <int VEC>
static __device__ wf_vec<VEC> of_column(const struct norm &n, const wf_real *p, ptrdiff_t c)
{
    return n.D == 1 ? wf_vec_load<VEC>(p + c) : wf_vec_all<VEC>(p[c]);
}

/* Normalises columns. If `number`, the count of batches, is not NULL, it grows by 1 here, because
 * everything that reads it has run by now. */
template <int VEC> static __global__ void apply_columns(struct norm n, wf_real *number)
{
    if (number && blockIdx.x == 0 && threadIdx.x == 0) *number += 1;
    EACH_ITEM(i, n.rows * n.D / VEC)
    {
        ptrdiff_t c = column_of(n, i * VEC);
        wf_vec<VEC> x = wf_vec_load<VEC>(n.x + i * VEC), y;
        wf_vec<VEC> m = of_column<VEC>(n, n.mean, c), k = of_column<VEC>(n, n.rstd, c);
        wf_vec<VEC> w = n.w ? of_column<VEC>(n, n.w, c) : wf_vec_all<VEC>(1);
        wf_vec<VEC> b = n.b ? of_column<VEC>(n, n.b, c) : wf_vec_all<VEC>(0);
        for (int v = 0; v < VEC; v++) y.v[v] = (x.v[v] - m.v[v]) * (k.v[v] * w.v[v]) + b.v[v];
        wf_vec_store(n.y + i * VEC, y);
    }
}

/* Plans a sum of arrays [A, C, D] to [1, C, 1] or, with per_d, of arrays [rows, D] to [1, D]. */
static struct wf_reduction over_rows(const struct norm &n, const struct wf_tensor *x, bool per_d)
{
    struct wf_tensor all = *x, one = *x;
    const int sizes[2][3] = { { (int)n.A, (int)n.C, (int)n.D }, { 1, (int)n.rows, (int)n.D } };
    const int kept[2][3] = { { 1, (int)n.C, 1 }, { 1, 1, (int)n.D } };
    wf_tensor_shape(&all, 3, sizes[per_d]);
    wf_tensor_shape(&one, 3, kept[per_d]);
    return wf_reduction_of(&one, &all, aligned(n));
}

static enum wf_status column_moments(struct wf_backend *be, const struct norm &n,
                                     const struct wf_norm_in *in)
{
    struct wf_reduction w = over_rows(n, in->x, false);
    struct keep_moments done = { n, NULL, NULL, NULL, in->momentum };
    double *part = (double *)wf_cuda_scratch(be, wf_reduce_bytes(&w, 2));
    if (!part) return WF_ENOMEM;
    if (in->update) {
        done.mean = in->mean->data;
        done.var = in->var->data;
        done.number = in->count->data;
    }
    return wf_reduce<2>(be, w, part, moments{ n }, done);
}

static void columns_vec(struct norm *n)
{
    bool even = n->D % WF_VEC == 0 || (n->D == 1 && n->C % WF_VEC == 0);
    n->vec = aligned(*n) && wf_aligned(n->mean) && even ? WF_VEC : 1;
}

extern "C" enum wf_status wf_cuda_standardize(struct wf_backend *be, struct wf_tensor *y,
                                              struct wf_tensor *stat, const struct wf_norm_in *in)
{
    struct norm n = norm_of(in, stat);
    ptrdiff_t count = n.rows * n.D;
    n.y = y->data;
    if (count == 0) return WF_OK;
    if (in->per_d) return rows_forward(be, n);
    columns_vec(&n);
    if (in->mean && !in->update)
        WF_TRY(LAUNCH(be, keep_given, wf_cuda_blocks(wf_cuda_of(be), n.C), WF_CUDA_BLOCK, 0, n,
                      in->mean->data, in->var->data));
    else
        WF_TRY(column_moments(be, n, in));
    wf_real *number = in->update ? in->count->data : NULL;
    unsigned blocks = wf_cuda_blocks(wf_cuda_of(be), count / n.vec);
    return n.vec > 1 ? LAUNCH(be, (apply_columns<WF_VEC>), blocks, WF_CUDA_BLOCK, 0, n, number)
                     : LAUNCH(be, (apply_columns<1>), blocks, WF_CUDA_BLOCK, 0, n, number);
}

/* ---- gradient ----
 * With z = (x - mean) rstd and e = dy w,
 *     dx = rstd (e - mean(e) - z mean(e z)),  dw = sum dy z,  db = sum dy
 * and dx = rstd e where the moments are given. */

/* Sums dy and dy z per column or, with per_row, over rows that have their own moments. */
struct weight_terms {
    struct norm n;
    bool per_row;
    template <int VEC>
    __device__ void operator()(ptrdiff_t c, ptrdiff_t r, ptrdiff_t at, double (&s)[2][VEC]) const
    {
        wf_vec<VEC> x = wf_vec_load<VEC>(n.x + at), d = wf_vec_load<VEC>(n.dy + at);
        for (int v = 0; v < VEC; v++) {
            ptrdiff_t group = per_row ? r : n.D == 1 ? c + v : c;
            s[0][v] += (double)d.v[v];
            s[1][v] += (double)(d.v[v] * ((x.v[v] - n.mean[group]) * n.rstd[group]));
        }
    }
};

/* Receives the sums of column c: adds them to db and dw, and stores e = mean(dy) and
 * f = mean(dy z) rstd. db and dw may be NULL, and so may e and f together. */
struct keep_sums {
    struct norm n;
    wf_real *dw, *db, *e, *f;
    bool given;
    __device__ void operator()(ptrdiff_t c, const double (&s)[2]) const
    {
        double count = (double)(n.A * n.D);
        if (db) db[c] += (wf_real)s[0];
        if (dw) dw[c] += (wf_real)s[1];
        if (!e) return;
        e[c] = given ? 0 : (wf_real)(s[0] / count);
        f[c] = given ? 0 : (wf_real)(s[1] / count) * n.rstd[c];
    }
};

template <int VEC>
static __global__ void columns_grad(struct norm n, const wf_real *e, const wf_real *f)
{
    EACH_ITEM(i, n.rows * n.D / VEC)
    {
        ptrdiff_t c = column_of(n, i * VEC);
        wf_vec<VEC> x = wf_vec_load<VEC>(n.x + i * VEC), d = wf_vec_load<VEC>(n.dy + i * VEC);
        wf_vec<VEC> out = load_dx<VEC>(n, i * VEC), m = of_column<VEC>(n, n.mean, c);
        wf_vec<VEC> k = of_column<VEC>(n, n.rstd, c), ec = of_column<VEC>(n, e, c);
        wf_vec<VEC> fc = of_column<VEC>(n, f, c),
                    w = n.w ? of_column<VEC>(n, n.w, c) : wf_vec_all<VEC>(1);
        for (int v = 0; v < VEC; v++)
            out.v[v] += k.v[v] * w.v[v] * (d.v[v] - ec.v[v] - (x.v[v] - m.v[v]) * fc.v[v]);
        wf_vec_store(n.dx + i * VEC, out);
    }
}

/* Computes the gradients where moments are per column; `done` adds to those of the weights. */
static enum wf_status columns_bwd(struct wf_backend *be, struct norm n, const struct wf_norm_in *in,
                                  struct keep_sums done)
{
    struct wf_reduction w = over_rows(n, in->x, false);
    ptrdiff_t room = wf_div_up(n.C, WF_VEC) * WF_VEC;
    size_t bytes = (size_t)room * 2 * sizeof(wf_real);
    done.e = (wf_real *)wf_cuda_scratch(be, bytes + wf_reduce_bytes(&w, 2));
    if (!done.e) return WF_ENOMEM;
    done.f = done.e + room;
    done.given = in->mean && !in->update;
    columns_vec(&n);
    WF_TRY(wf_reduce<2>(be, w, (double *)(done.f + room), weight_terms{ n, false }, done));
    if (!n.dx) return WF_OK;
    unsigned blocks = wf_cuda_blocks(wf_cuda_of(be), n.rows * n.D / n.vec);
    return n.vec > 1
               ? LAUNCH(be, (columns_grad<WF_VEC>), blocks, WF_CUDA_BLOCK, 0, n, done.e, done.f)
               : LAUNCH(be, (columns_grad<1>), blocks, WF_CUDA_BLOCK, 0, n, done.e, done.f);
}

/* ---- rows, gradient ---- */

/* Sums s over the groups of threads in a block, in a fixed order, and writes the D results to this
 * block's column of part [D, blocks]. */
template <int VEC, int K>
static __device__ void sum_groups(const wf_vec<VEC> (&s)[K], int group, ptrdiff_t D, double *sums,
                                  double *part)
{
    int lane = (int)threadIdx.x % 32;
    for (int warp = 0; warp < WF_CUDA_BLOCK / 32; warp++) {
        __syncthreads();
        if ((int)threadIdx.x / 32 != warp) continue;
#pragma unroll
        for (int k = 0; k < K; k++)
#pragma unroll
            for (int v = 0; v < VEC; v++) {
                double a = (double)s[k].v[v], *to = sums + (lane + k * group) * VEC + v;
                for (int h = group; h < 32; h *= 2) a += __shfl_xor_sync(0xffffffffu, a, h);
                if (lane < group) *to = warp ? *to + a : a;
            }
    }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < D; i += WF_CUDA_BLOCK)
        part[i * gridDim.x + blockIdx.x] = sums[i];
}

/* Computes the gradient of x. Each block also writes its partial sums for the gradients of the
 * weights to part [2, D, blocks], unless that is NULL. A multiprocessor runs four blocks, so that
 * an H100 runs PARTS of them at once. */
template <int VEC, int K>
static __global__ void __launch_bounds__(WF_CUDA_BLOCK, K <= 2 ? 4 : 1)
    rows_bwd_short(struct norm n, int group, double *part)
{
    __shared__ double sums[32 * K * VEC];
    int lane = wf_group_lane(group), count = (int)(n.D / VEC);
    ptrdiff_t groups = (ptrdiff_t)gridDim.x * (WF_CUDA_BLOCK / group);
    wf_vec<VEC> dw[K] = {}, db[K] = {};
    for (ptrdiff_t first = 0; first < n.rows; first += groups) {
        ptrdiff_t row = first + wf_group_row(group);
        bool mine = row < n.rows;
        wf_real mean = mine ? n.mean[row] : 0, rstd = mine ? n.rstd[row] : 0;
        wf_vec<VEC> x[K] = {}, d[K] = {};
        double sum = 0, dot = 0;
#pragma unroll
        for (int k = 0; k < K; k++) {
            int i = lane + k * group;
            if (!mine || i >= count) continue;
            x[k] = wf_vec_load<VEC>(n.x + row * n.D + i * VEC);
            d[k] = wf_vec_load<VEC>(n.dy + row * n.D + i * VEC);
        }
#pragma unroll
        for (int k = 0; k < K; k++) {
            int i = lane + k * group;
            if (i >= count) continue;
            wf_vec<VEC> w = load_or<VEC>(n.w, i * VEC, 1);
            for (int v = 0; v < VEC; v++) {
                wf_real z = (x[k].v[v] - mean) * rstd;
                dw[k].v[v] += d[k].v[v] * z;
                db[k].v[v] += d[k].v[v];
                x[k].v[v] -= mean;
                d[k].v[v] *= w.v[v];
                sum += (double)d[k].v[v];
                dot += (double)(d[k].v[v] * z);
            }
        }
        wf_real e = (wf_real)(wf_group_sum(sum, group) * n.share);
        wf_real f = (wf_real)(wf_group_sum(dot, group) * n.share) * rstd;
#pragma unroll
        for (int k = 0; k < K; k++) {
            int i = lane + k * group;
            if (!n.dx || !mine || i >= count) continue;
            wf_vec<VEC> out = load_dx<VEC>(n, row * n.D + i * VEC);
            for (int v = 0; v < VEC; v++) out.v[v] += rstd * (d[k].v[v] - e - x[k].v[v] * f);
            wf_vec_store(n.dx + row * n.D + i * VEC, out);
        }
    }
    if (!part) return;
    sum_groups<VEC, K>(db, group, n.D, sums, part);
    sum_groups<VEC, K>(dw, group, n.D, sums, part + n.D * gridDim.x);
}

template <int VEC> static __global__ void rows_bwd_long(struct norm n)
{
    ptrdiff_t row = blockIdx.x, step = LONG_BLOCK * VEC, first = (ptrdiff_t)threadIdx.x * VEC;
    ptrdiff_t at = row * n.D;
    wf_real mean = n.mean[row], rstd = n.rstd[row];
    double sum = 0, dot = 0;
    for (ptrdiff_t i = first; i < n.D; i += step) {
        wf_vec<VEC> x = wf_vec_load<VEC>(n.x + at + i), d = wf_vec_load<VEC>(n.dy + at + i);
        wf_vec<VEC> w = load_or<VEC>(n.w, i, 1);
        for (int v = 0; v < VEC; v++) {
            sum += (double)(d.v[v] * w.v[v]);
            dot += (double)(d.v[v] * w.v[v] * ((x.v[v] - mean) * rstd));
        }
    }
    wf_real e = (wf_real)(wf_block_sum(sum) * n.share);
    wf_real f = (wf_real)(wf_block_sum(dot) * n.share) * rstd;
    for (ptrdiff_t i = first; i < n.D; i += step) {
        wf_vec<VEC> x = wf_vec_load<VEC>(n.x + at + i), d = wf_vec_load<VEC>(n.dy + at + i);
        wf_vec<VEC> w = load_or<VEC>(n.w, i, 1), out = load_dx<VEC>(n, at + i);
        for (int v = 0; v < VEC; v++)
            out.v[v] += rstd * (d.v[v] * w.v[v] - e - (x.v[v] - mean) * f);
        wf_vec_store(n.dx + at + i, out);
    }
}

static enum wf_status launch_short(struct wf_backend *be, const struct norm &n, int group,
                                   unsigned blocks, double *part)
{
#define RUN(VEC, K) LAUNCH(be, (rows_bwd_short<VEC, K>), blocks, WF_CUDA_BLOCK, 0, n, group, part)
    SWITCH_SHORT(n.vec, n.D / n.vec, RUN);
#undef RUN
}

/* Computes the gradients where moments are per row; `done` adds to those of the weights. */
static enum wf_status rows_bwd(struct wf_backend *be, struct norm n, const struct wf_norm_in *in,
                               struct keep_sums done)
{
    bool weights = done.dw || done.db, brief;
    n.vec = aligned(n) && n.D % WF_VEC == 0 ? WF_VEC : 1;
    brief = n.D <= SHORT * n.vec;
    int group = wf_group_for(n.D / n.vec);
    ptrdiff_t parts = n.rows * group / (WF_CUDA_BLOCK * 4); /* four rows for each group */
    parts = parts < 1 ? 1 : parts < (ptrdiff_t)PARTS ? parts : (ptrdiff_t)PARTS;
    struct wf_reduction w = over_rows(n, in->x, true);
    size_t bytes = brief ? (size_t)(2 * n.D * parts) * sizeof(double) : wf_reduce_bytes(&w, 2);
    double *part = weights ? (double *)wf_cuda_scratch(be, bytes) : NULL;
    if (weights && !part) return WF_ENOMEM;
    if (brief) {
        WF_TRY(launch_short(be, n, group, (unsigned)parts, part));
        return weights ? wf_reduce_finish<2>(be, n.D, parts, part, done) : WF_OK;
    }
    if (n.dx)
        WF_TRY(n.vec > 1 ? LAUNCH(be, (rows_bwd_long<WF_VEC>), (unsigned)n.rows, LONG_BLOCK, 0, n)
                         : LAUNCH(be, (rows_bwd_long<1>), (unsigned)n.rows, LONG_BLOCK, 0, n));
    return weights ? wf_reduce<2>(be, w, part, weight_terms{ n, true }, done) : WF_OK;
}

extern "C" enum wf_status wf_cuda_standardize_bwd(struct wf_backend *be, struct wf_tensor *dx,
                                                  struct wf_tensor *dw, struct wf_tensor *db,
                                                  const struct wf_norm_in *in,
                                                  const struct wf_tensor *stat,
                                                  const struct wf_tensor *dy)
{
    struct norm n = norm_of(in, stat);
    n.dy = dy->data;
    n.dx = dx ? dx->data : NULL;
    if (n.rows * n.D == 0) return WF_OK;
    n.add = wf_grad_claim(dx);
    struct keep_sums done = { n, dw ? dw->data : NULL, db ? db->data : NULL, NULL, NULL, false };
    return in->per_d ? rows_bwd(be, n, in, done) : columns_bwd(be, n, in, done);
}
