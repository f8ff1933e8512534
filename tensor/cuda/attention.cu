/* attention.cu - attention, a tile of scores at a time, which never leave the chip (Dao et al.
 * 2022, FlashAttention), and its gradient.
 *
 * A tile holds rows of one side of the scores ("own": queries, or keys in the gradients of k and v)
 * and walks the other side: scores, weights out of them, and the weights times the rows of a third
 * array, added up in registers. Each gradient is a walk of its own, so nothing is added by two
 * blocks, and gradients that share memory follow each other; that costs 8 products of a tile's size
 * instead of the 5 of a walk that adds with atomics.
 * Own rows are read once where a head has up to DEEP channels; the other side once per tile, out of
 * cache. METR-LA's spatial attention, 768 groups of 4 heads, L = S = 207, d = e = 38, is 20 GFLOP
 * and 390 MB forward (0.3 ms at 67 TFLOP/s, 0.12 ms at 3.35 TB/s), 80 GFLOP in the gradient; its
 * temporal one, L = S = 12, waits for memory. */
#include "tensor/cuda/rows.cuh"
#include "tensor/cuda/vec.cuh"

enum role { FORWARD, GRAD_Q, GRAD_K, GRAD_V };

enum {
    LANES = 8,     /* threads along the other side, or along the channels of the sums */
    ROWS = 4,      /* rows of a thread */
    DEEP = 40,     /* channels of a product between two barriers */
    LD = DEEP + 4, /* so that 8 rows lie in different banks, 4 numbers at a time */
    MAX_SHARED = 48 << 10,
};

/* [.., rows, heads * width] */
struct side {
    wf_real *p;
    ptrdiff_t lead[WF_MAXDIM - 2];
    int row, width; /* strides of rows are below 2^31 */
    bool even;      /* rows of a head begin on 16-byte borders */
    bool add;       /* to it, where it is a gradient */
};

struct attention {
    struct side q, k, v, y, dy;
    const wf_real *mask;
    wf_real *lse, *delta; /* [G, H, L]; delta = <dy, y> */
    wf_real scale;
    ptrdiff_t groups;
    int lead[WF_MAXDIM - 2], leads, heads, L, S;
};

static struct side side_of(const struct wf_tensor *t, int heads)
{
    struct side s = {};
    int n = t->ndim;
    s.p = t->data;
    s.row = (int)t->stride[n - 2];
    s.width = t->shape[n - 1] / heads;
    s.even = wf_aligned(t->data) && s.row % WF_VEC == 0 && s.width % WF_VEC == 0;
    for (int i = 0; i < n - 2; i++) {
        s.lead[i] = t->stride[i];
        if (t->shape[i] > 1 && s.lead[i] % WF_VEC) s.even = false;
    }
    return s;
}

static struct side side_of_grad(struct wf_tensor *d, int heads)
{
    struct side s = side_of(d, heads);
    s.add = wf_tensor_adds(d);
    return s;
}

static struct attention attention_of(const struct wf_attention_in *in, const struct wf_tensor *y,
                                     const struct wf_tensor *lse)
{
    struct attention a = {};
    int n = in->q->ndim;
    a.q = side_of(in->q, in->heads);
    a.k = side_of(in->k, in->heads);
    a.v = side_of(in->v, in->heads);
    a.y = side_of(y, in->heads);
    a.mask = in->mask ? in->mask->data : NULL;
    a.lse = lse->data;
    a.scale = (wf_real)in->scale;
    a.groups = 1;
    a.leads = n - 2;
    for (int i = 0; i < n - 2; i++) a.groups *= a.lead[i] = in->q->shape[i];
    a.heads = in->heads;
    a.L = in->q->shape[n - 2];
    a.S = in->k->shape[n - 2];
    return a;
}

/* Row 0 of a head of a group. */
static __device__ wf_real *head_at(const struct attention &a, const struct side &s, ptrdiff_t group,
                                   int h)
{
    wf_real *p = s.p + (ptrdiff_t)h * s.width;
    for (int i = a.leads - 1; i >= 0; i--) {
        ptrdiff_t rest = wf_div(group, a.lead[i]);
        p += (group - rest * a.lead[i]) * s.lead[i];
        group = rest;
    }
    return p;
}

/* ---- tiles ---- TY x LANES threads own TY * ROWS rows: row r of a thread is ty + r TY; of the
 * other side, row n is tx + n LANES. HEADS tiles to a block; CT * LANES channels of the sums. */

template <int TY, int NT, int HEADS, int CT, int PRODUCTS> struct shared_tile {
    enum {
        OWN = TY * ROWS,
        OTHER = NT * LANES,
        WIDE = OTHER + 8,
        OTHER_SIZE = OTHER * (LD > CT * LANES ? LD : CT * LANES),
        /* own rows for each product where there is room, or for one after the other */
        REST = HEADS * (OTHER_SIZE + OWN * WIDE) * sizeof(wf_real),
        KEPT = PRODUCTS == 2 && REST + HEADS * 2 * OWN * LD * sizeof(wf_real) <= MAX_SHARED ? 2 : 1
    };
    wf_real own[KEPT][OWN * LD];
    wf_real other[OTHER_SIZE];
    wf_real weight[OWN * WIDE];
};

/* Threads of one tile wait for each other; a tile of one warp without the others of its block. */
template <int TY> static __device__ void tile_sync(void)
{
    if (TY * LANES == 32)
        __syncwarp();
    else
        __syncthreads();
}

/* `rows` rows of `width` numbers to shared memory, with zeros up to `padded` numbers. */
template <int THREADS>
static __device__ void load_rows(wf_real *to, int ld, const wf_real *from, int row, int rows,
                                 int width, int padded, bool even, int t)
{
    if (even && padded == width) {
        int vectors = width / WF_VEC, shift = 0;
        while (1 << shift < vectors) shift++;
        for (int i = t; i < rows << shift; i += THREADS) {
            int r = i >> shift, c = (i - (r << shift)) * WF_VEC;
            if (c < width)
                wf_vec_store(to + r * ld + c, wf_vec_load<WF_VEC>(from + (ptrdiff_t)r * row + c));
        }
        return;
    }
    for (int c0 = 0; c0 < padded; c0 += 32) {
        int shift = 0;
        while (shift < 5 && 1 << shift < padded - c0) shift++;
        for (int i = t; i < rows << shift; i += THREADS) {
            int r = i >> shift, c = c0 + i - (r << shift);
            if (c < padded) to[r * ld + c] = c < width ? from[(ptrdiff_t)r * row + c] : 0;
        }
    }
}

/* s[r][n] = products of own and other rows, `width` (up to DEEP) channels of them a multiple of 4.
 */
template <int TY, int NT>
static __device__ void add_products(wf_real (&s)[ROWS][NT], const wf_real *own,
                                    const wf_real *other, int rows, int width, int tx, int ty)
{
    for (int c = 0; c < width; c += 4) {
        wf_vec<4> b[NT];
#pragma unroll
        for (int n = 0; n < NT; n++) b[n] = wf_vec_load<4>(other + (tx + n * LANES) * LD + c);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            if (r * TY >= rows) break;
            wf_vec<4> a = wf_vec_load<4>(own + (ty + r * TY) * LD + c);
#pragma unroll
            for (int n = 0; n < NT; n++)
#pragma unroll
                for (int v = 0; v < 4; v++) s[r][n] += a.v[v] * b[n].v[v];
        }
    }
}

/* sum[r][c] += weights times rows of z, of which `others`, up to a multiple of 4, count. */
template <int TY, int NT, int CT>
static __device__ void add_weighted(wf_real (&sum)[ROWS][CT], const wf_real *weight,
                                    const wf_real *z, int rows, int others, int tx, int ty)
{
    for (int j = 0; j < others; j += 4) {
        wf_vec<4> w[ROWS];
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            if (r * TY >= rows) break;
            w[r] = wf_vec_load<4>(weight + (ty + r * TY) * (NT * LANES + 8) + j);
        }
#pragma unroll
        for (int v = 0; v < 4; v++) {
            wf_real b[CT];
#pragma unroll
            for (int c = 0; c < CT; c++) b[c] = z[(j + v) * CT * LANES + tx + c * LANES];
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                if (r * TY >= rows) break;
#pragma unroll
                for (int c = 0; c < CT; c++) sum[r][c] += w[r].v[v] * b[c];
            }
        }
    }
}

/* Rows of one head that a tile looks at. */
struct rows {
    wf_real *p;
    int row, count;
    bool even;
};

static __device__ struct rows rows_of(const struct attention &a, const struct side &s,
                                      ptrdiff_t head)
{
    ptrdiff_t group = wf_div(head, a.heads);
    return { head_at(a, s, group, (int)(head - group * a.heads)), s.row, 0, s.even };
}

/* The products of all own rows with all other rows, of `width` channels. kept: own rows are in
 * shared memory already if they fit. */
template <int TY, int NT>
static __device__ void multiply(wf_real (&s)[ROWS][NT], wf_real *sh_own, wf_real *sh_other,
                                const struct rows &own, const struct rows &other, int width,
                                bool kept, int t)
{
    int pieces = (width + DEEP - 1) / DEEP, step = ((width + pieces - 1) / pieces + 3) / 4 * 4;
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
        for (int n = 0; n < NT; n++) s[r][n] = 0;
    for (int c = 0; c < width; c += step) {
        int here = width - c < step ? width - c : step, padded = (here + 3) / 4 * 4;
        if (!kept || pieces > 1)
            load_rows<TY * LANES>(sh_own, LD, own.p + c, own.row, own.count, here, padded, own.even,
                                  t);
        load_rows<TY * LANES>(sh_other, LD, other.p + c, other.row, other.count, here, padded,
                              other.even, t);
        tile_sync<TY>();
        add_products<TY, NT>(s, sh_own, sh_other, own.count, padded, t % LANES, t / LANES);
        tile_sync<TY>();
    }
}

/* What a thread knows of the softmax of its own rows: greatest score, its share of the sum. */
struct online {
    wf_real top[ROWS], total[ROWS];
};

/* Scores to weights relative to the greatest score so far, sums and their weights follow it. */
template <int TY, int NT, int CT>
static __device__ void exp_scores(wf_real (&s)[ROWS][NT], wf_real (&sum)[ROWS][CT],
                                  struct online *o, int rows)
{
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (r * TY >= rows) break;
        wf_real top = o->top[r];
#pragma unroll
        for (int n = 0; n < NT; n++) top = s[r][n] > top ? s[r][n] : top;
        top = wf_group_max(top, LANES);
        wf_real base = top == -INFINITY ? 0 : top, shrink = exp(o->top[r] - base);
        o->top[r] = top;
        o->total[r] *= shrink;
#pragma unroll
        for (int c = 0; c < CT; c++) sum[r][c] *= shrink;
#pragma unroll
        for (int n = 0; n < NT; n++) {
            s[r][n] = exp(s[r][n] - base);
            o->total[r] += s[r][n];
        }
    }
}

/* Where a thread stands in the scores. */
struct spot {
    ptrdiff_t head;  /* number of the head among all */
    int from, other; /* first own row, first other row */
    int rows, others;
    int tx, ty;
};

/* Scores scaled and masked, or -infinity where there are none; in the gradients already weights.
 * d: the products of dy and v. */
template <enum role ROLE, int TY, int NT>
static __device__ void weigh(const struct attention &a, const struct spot &at,
                             wf_real (&s)[ROWS][NT], const wf_real (&d)[ROWS][NT])
{
    const bool by_query = ROLE == FORWARD || ROLE == GRAD_Q;
    const wf_real *lse = a.lse + at.head * a.L;
    const wf_real *delta = ROLE == GRAD_Q || ROLE == GRAD_K ? a.delta + at.head * a.L : NULL;
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (r * TY >= at.rows) break;
#pragma unroll
        for (int n = 0; n < NT; n++) {
            int own = at.ty + r * TY, other = at.tx + n * LANES;
            if (own >= at.rows || other >= at.others) {
                s[r][n] = ROLE == FORWARD ? (wf_real)-INFINITY : 0;
                continue;
            }
            int i = by_query ? at.from + own : at.other + other;
            int j = by_query ? at.other + other : at.from + own;
            s[r][n] *= a.scale;
            if (a.mask) s[r][n] += a.mask[(ptrdiff_t)i * a.S + j];
            if (ROLE == FORWARD) continue;
            s[r][n] = exp(s[r][n] - lse[i]);
            if (ROLE != GRAD_V) s[r][n] *= (d[r][n] - delta[i]) * a.scale;
        }
    }
}

template <int TY, int CT>
static __device__ void write_sums(const struct attention &a, const struct spot &at, wf_real *out,
                                  int row, int width, bool forward, bool add,
                                  const wf_real (&sum)[ROWS][CT], struct online *o)
{
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        int own = at.ty + r * TY;
        wf_real total = forward ? wf_group_sum(o->total[r], LANES) : 1, inv = 1 / total;
        if (own >= at.rows) continue;
        if (forward && at.tx == 0 && blockIdx.y == 0)
            a.lse[at.head * a.L + at.from + own] = o->top[r] + log(total);
#pragma unroll
        for (int c = 0; c < CT; c++) {
            int k = at.tx + c * LANES;
            wf_real *to = out + (ptrdiff_t)own * row + k;
            if (k < width) *to = forward ? sum[r][c] * inv : add ? *to + sum[r][c] : sum[r][c];
        }
    }
}

static __device__ void start(struct rows *r, int from, int count)
{
    r->p += (ptrdiff_t)from * r->row;
    r->count = count;
}

/* out: y, or the gradient that ROLE says. Blocks along y take slices of its channels. */
template <enum role ROLE, int TY, int NT, int HEADS, int CT>
static __global__ void __launch_bounds__(TY *LANES *HEADS)
    attend(const __grid_constant__ struct attention a, const __grid_constant__ struct side out,
           int tiles)
{
    enum {
        PRODUCTS = ROLE == GRAD_Q || ROLE == GRAD_K ? 2 : 1,
        OWN = TY * ROWS,
        OTHER = NT * LANES,
        THREADS = TY * LANES
    };
    __shared__ __align__(16) struct shared_tile<TY, NT, HEADS, CT, PRODUCTS> shared[HEADS];
    const bool by_query = ROLE == FORWARD || ROLE == GRAD_Q;
    int t = (int)threadIdx.x % THREADS, slice = (int)blockIdx.y * CT * LANES;
    struct shared_tile<TY, NT, HEADS, CT, PRODUCTS> &sh = shared[threadIdx.x / THREADS];
    ptrdiff_t job = (ptrdiff_t)blockIdx.x * HEADS + threadIdx.x / THREADS;
    bool mine = job < a.groups * a.heads * tiles;
    if (!mine) job = 0; /* keeps the others company */
    struct spot at = { wf_div(job, tiles) };
    int owns = by_query ? a.L : a.S, all = by_query ? a.S : a.L;
    at.tx = t % LANES;
    at.ty = t / LANES;
    at.from = (int)(job - at.head * tiles) * OWN;
    at.rows = !mine ? 0 : owns - at.from < OWN ? owns - at.from : OWN;
    struct rows q = rows_of(a, by_query ? a.q : a.k, at.head), dy = {}, v = {};
    struct rows k = rows_of(a, by_query ? a.k : a.q, at.head), to = rows_of(a, out, at.head);
    struct rows z = rows_of(a,
                            ROLE == GRAD_Q   ? a.k
                            : ROLE == GRAD_K ? a.q
                            : ROLE == GRAD_V ? a.dy
                                             : a.v,
                            at.head);
    start(&q, at.from, at.rows);
    if (PRODUCTS == 2) {
        dy = rows_of(a, by_query ? a.dy : a.v, at.head);
        v = rows_of(a, by_query ? a.v : a.dy, at.head);
        start(&dy, at.from, at.rows);
    }
    int width = out.width - slice < CT * LANES ? out.width - slice : CT * LANES;
    wf_real sum[ROWS][CT] = {};
    struct online o;
    for (int r = 0; r < ROWS; r++) {
        o.top[r] = -INFINITY;
        o.total[r] = 0;
    }
    for (at.other = 0; at.other < all; at.other += OTHER) {
        wf_real s[ROWS][NT], d[ROWS][NT];
        at.others = k.count = v.count = all - at.other < OTHER ? all - at.other : OTHER;
        if (PRODUCTS == 2)
            multiply<TY, NT>(d, sh.own[sh.KEPT - 1], sh.other, dy, v, a.v.width,
                             at.other > 0 && sh.KEPT == 2, t);
        multiply<TY, NT>(s, sh.own[0], sh.other, q, k, a.q.width,
                         at.other > 0 && sh.KEPT == PRODUCTS, t);
        weigh<ROLE, TY, NT>(a, at, s, d);
        if (ROLE == FORWARD) exp_scores<TY, NT, CT>(s, sum, &o, at.rows);
#pragma unroll
        for (int r = 0; r < ROWS; r++)
#pragma unroll
            for (int n = 0; n < NT; n++)
                sh.weight[(at.ty + r * TY) * sh.WIDE + at.tx + n * LANES] = s[r][n];
        load_rows<THREADS>(sh.other, CT * LANES, z.p + slice, z.row, at.others, width, width,
                           z.even, t);
        for (int i = at.others * CT * LANES + t; i < (at.others + 3) / 4 * 4 * CT * LANES;
             i += THREADS)
            sh.other[i] = 0;
        tile_sync<TY>();
        add_weighted<TY, NT, CT>(sum, sh.weight, sh.other, at.rows, at.others, at.tx, at.ty);
        tile_sync<TY>();
        k.p += (ptrdiff_t)OTHER * k.row;
        v.p += (ptrdiff_t)OTHER * v.row;
        z.p += (ptrdiff_t)OTHER * z.row;
    }
    start(&to, at.from, at.rows);
    write_sums<TY, CT>(a, at, to.p + slice, to.row, width, ROLE == FORWARD, out.add, sum, &o);
}

/* ---- launches ---- */

template <enum role ROLE, int TY, int NT, int HEADS, int CT>
static enum wf_status launch_tiles(struct wf_backend *be, const struct attention &a,
                                   const struct side &out)
{
    int owns = ROLE == FORWARD || ROLE == GRAD_Q ? a.L : a.S, own = TY * ROWS;
    int tiles = (owns + own - 1) / own;
    ptrdiff_t jobs = a.groups * a.heads * tiles;
    if (jobs == 0 || out.width == 0) return WF_OK;
    dim3 grid((unsigned)((jobs + HEADS - 1) / HEADS),
              (unsigned)((out.width + CT * LANES - 1) / (CT * LANES)));
    return LAUNCH(be, (attend<ROLE, TY, NT, HEADS, CT>), grid, TY * LANES * HEADS, 0, a, out,
                  tiles);
}

/* The tile for `columns` times LANES channels. */
template <enum role ROLE, int TY, int NT, int HEADS>
static enum wf_status launch_width(struct wf_backend *be, const struct attention &a,
                                   const struct side &out)
{
    int columns = (out.width + LANES - 1) / LANES;
    if (columns <= 1) return launch_tiles<ROLE, TY, NT, HEADS, 1>(be, a, out);
    if (columns <= 2) return launch_tiles<ROLE, TY, NT, HEADS, 2>(be, a, out);
    if (columns <= 5) return launch_tiles<ROLE, TY, NT, HEADS, 5>(be, a, out);
    return launch_tiles<ROLE, TY, NT, HEADS, 8>(be, a, out);
}

/* Tiles of 64 x 32 scores, or of 16 x 16, a warp for each, where a side is that short. */
template <enum role ROLE>
static enum wf_status launch(struct wf_backend *be, const struct attention &a,
                             const struct side &out)
{
    bool by_query = ROLE == FORWARD || ROLE == GRAD_Q;
    int own = by_query ? a.L : a.S, other = by_query ? a.S : a.L;
    enum { TALL = 64 / sizeof(wf_real), HEADS = 16 / sizeof(wf_real) };
    if (own <= 32 || other <= 16) return launch_width<ROLE, 4, 2, HEADS>(be, a, out);
    return launch_width<ROLE, TALL, 4, 1>(be, a, out);
}

extern "C" enum wf_status wf_cuda_attention(struct wf_backend *be, struct wf_tensor *y,
                                            struct wf_tensor *lse, const struct wf_attention_in *in)
{
    struct attention a = attention_of(in, y, lse);
    return launch<FORWARD>(be, a, a.y);
}

/* ---- gradient ---- with P the softmax, computed again, and D_i = <dy_i, y_i>:
 *     dV = P^T dY,  dS = P (dY V^T - D) scale,  dQ = dS K,  dK = dS^T Q */

/* A group of LANES threads for each row of a head, neighbours in memory. */
static __global__ void row_products(struct attention a)
{
    ptrdiff_t job = wf_group_row(LANES), row = job / a.heads, group = row / a.L;
    int lane = wf_group_lane(LANES), h = (int)(job % a.heads), i = (int)(row % a.L);
    bool mine = group < a.groups;
    wf_real dot = 0;
    if (mine) {
        const wf_real *y = head_at(a, a.y, group, h) + (ptrdiff_t)i * a.y.row;
        const wf_real *dy = head_at(a, a.dy, group, h) + (ptrdiff_t)i * a.dy.row;
        for (int c = lane; c < a.v.width; c += LANES) dot += y[c] * dy[c];
    }
    dot = wf_group_sum(dot, LANES);
    if (mine && lane == 0) a.delta[(group * a.heads + h) * a.L + i] = dot;
}

extern "C" enum wf_status wf_cuda_attention_bwd(
    struct wf_backend *be, const struct wf_attention_grad *grad, const struct wf_attention_in *in,
    const struct wf_tensor *y, const struct wf_tensor *lse, const struct wf_tensor *dy)
{
    struct attention a = attention_of(in, y, lse);
    ptrdiff_t rows = a.groups * a.heads * a.L;
    if (rows == 0) return WF_OK;
    a.dy = side_of(dy, in->heads);
    a.delta = (wf_real *)wf_cuda_scratch(be, (size_t)rows * sizeof *a.delta);
    if (!a.delta) return WF_ENOMEM;
    if (grad->dq || grad->dk)
        WF_TRY(LAUNCH(be, row_products, wf_group_blocks(rows, LANES), WF_CUDA_BLOCK, 0, a));
    if (grad->dq) WF_TRY(launch<GRAD_Q>(be, a, side_of_grad(grad->dq, in->heads)));
    if (grad->dk) WF_TRY(launch<GRAD_K>(be, a, side_of_grad(grad->dk, in->heads)));
    if (grad->dv) WF_TRY(launch<GRAD_V>(be, a, side_of_grad(grad->dv, in->heads)));
    return WF_OK;
}
