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
 * temporal one, L = S = 12, waits for memory.
 *
 * Instructions of sm_90 for a multiply-add of a full tile, softmax and loads included, added up
 * from its code, never measured: about 1.9 forward and 1.6 in the gradients of q and k with 38
 * channels, 4.2 and 3.3 with 8, where the softmax is half of them. So with 207 rows, whose last
 * tiles are not full, no more than half of the peak, or a quarter of it. */
#include "tensor/cuda/rows.cuh"
#include "tensor/cuda/vec.cuh"

enum role { FORWARD, GRAD_Q, GRAD_K, GRAD_V };

enum {
    LANES = 8,     /* threads along the other side, or along the channels of the sums */
    DEEP = 40,     /* channels of a product between two barriers */
    LD = DEEP + 4, /* distance of rows; 8 rows then lie in different banks, 4 numbers at a time */
    MAX_SHARED = 48 << 10,
};

/* A tensor [.., rows, heads * width], one side of a product. */
struct side {
    wf_real *p;
    ptrdiff_t lead[WF_MAXDIM - 2];
    int row, width; /* strides of rows are below 2^31 */
    int step;       /* channels of a product between two barriers */
    bool even;      /* rows of a head begin on borders of two numbers */
    bool add;       /* whether to add to it, where it is a gradient */
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
    int pieces = s.width > DEEP ? (s.width + DEEP - 1) / DEEP : 1;
    s.step = ((s.width + pieces - 1) / pieces + 3) / 4 * 4;
    size_t odd = (uintptr_t)s.p / sizeof *s.p | (size_t)s.row | (size_t)s.width;
    for (int i = 0; i < n - 2; i++) {
        s.lead[i] = t->stride[i];
        if (t->shape[i] > 1) odd |= (size_t)s.lead[i];
    }
    s.even = odd % 2 == 0;
    return s;
}

static struct side side_of_grad(struct wf_tensor *d, int heads)
{
    struct side s = side_of(d, heads);
    s.add = wf_grad_claim(d);
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

/* Which head a tile belongs to. */
struct place {
    int h, at[WF_MAXDIM - 2]; /* number within its group; indices of the group */
};

static __device__ struct place place_of(const struct attention &a, ptrdiff_t head)
{
    struct place w;
    ptrdiff_t group = wf_div(head, a.heads);
    w.h = (int)(head - group * a.heads);
#pragma unroll
    for (int i = WF_MAXDIM - 3; i > 0; i--) {
        w.at[i] = 0; /* also of an axis that is not there, whose stride is 0 */
        if (i >= a.leads) continue;
        ptrdiff_t rest = wf_div(group, a.lead[i]);
        w.at[i] = (int)(group - rest * a.lead[i]);
        group = rest;
    }
    w.at[0] = (int)group;
    return w;
}

/* ---- tiles ---- TY x LANES threads own TY * ROWS rows: row r of a thread is ty + r TY, its row n
 * of the other side tx + n LANES. A block has HEADS tiles, whose sums have CT * LANES channels.
 *
 * A thread of a wide tile sums CT channels of its rows over all columns, and weights go through
 * shared memory. A thread of a narrow tile sums all channels over its own columns, whose weights it
 * holds; the threads add their sums up in the end, which pays only after a walk of some length. */

template <int TY, int ROWS, int NT, int HEADS, int CT, int PRODUCTS> struct shared_tile {
    enum {
        NARROW = HEADS == 1 && CT <= 2,
        SUMS = NARROW ? CT * LANES : CT, /* sums that a thread has of a row */
        OWN = TY * ROWS,
        OTHER = NT * LANES,
        WIDE = OTHER + 8,
        LZ = CT * LANES + (NARROW ? WF_VEC : 0), /* as LD, of the rows that weights multiply */
        OTHER_SIZE = OTHER * (LD > LZ ? LD : LZ),
        WEIGHTS = NARROW ? WF_VEC : OWN * WIDE,
        /* Own rows are kept for each product where there is room, else loaded for one at a time. */
        REST = HEADS * (OTHER_SIZE + WEIGHTS) * sizeof(wf_real),
        KEPT = PRODUCTS == 2 && REST + HEADS * 2 * OWN * LD * sizeof(wf_real) <= MAX_SHARED ? 2 : 1
    };
    wf_real own[KEPT][OWN * LD];
    wf_real other[OTHER_SIZE];
    wf_real weight[WEIGHTS];
};

/* The threads of a tile wait for each other; a tile of one warp waits for no other of its block. */
template <int TY> static __device__ void tile_sync(void)
{
    if (TY * LANES == 32)
        __syncwarp();
    else
        __syncthreads();
}

/* The rows of one head that a tile looks at. */
struct rows {
    wf_real *p;
    int row, count;
    bool even;
};

static __device__ struct rows rows_of(const struct side &s, const struct place &w)
{
    wf_real *p = s.p + (ptrdiff_t)w.h * s.width;
#pragma unroll
    for (int i = 0; i < WF_MAXDIM - 2; i++) p += w.at[i] * s.lead[i];
    return { p, s.row, 0, s.even };
}

/* Copies `width` (up to MOST) channels of the rows x, from channel c0 on, to shared memory, V
 * numbers at a time, with zeros up to `padded`. The loads of a row are on their way together. */
template <int V, int MOST, int TY>
static __device__ void load_vectors(wf_real *to, int ld, const struct rows &x, int c0, int width,
                                    int padded, int tx, int ty)
{
    enum { EACH = (MOST + LANES * V - 1) / (LANES * V) };
#pragma unroll 1
    for (int r = ty; r < x.count; r += TY) {
        const wf_real *from = x.p + (ptrdiff_t)r * x.row + c0;
        wf_vec<V> v[EACH];
#pragma unroll
        for (int k = 0; k < EACH; k++) {
            int c = (tx + k * LANES) * V;
            v[k] = c < width ? wf_vec_load<V>(from + c) : wf_vec_zero<V>();
        }
#pragma unroll
        for (int k = 0; k < EACH; k++) {
            int c = (tx + k * LANES) * V;
            if (c < padded) wf_vec_store(to + r * ld + c, v[k]);
        }
    }
}

template <int MOST, int TY>
static __device__ void load_rows(wf_real *to, int ld, const struct rows &x, int c0, int width,
                                 int padded, int tx, int ty)
{
    if (x.even)
        load_vectors<2, MOST, TY>(to, ld, x, c0, width, padded, tx, ty);
    else
        load_vectors<1, MOST, TY>(to, ld, x, c0, width, padded, tx, ty);
}

/* An inner loop is compiled for R rows of a thread, so that it has no branches, and leaves a tile
 * with few rows to the loop for fewer. */
template <int R> struct fewer {
    enum { ROWS = R > 4 ? R / 2 : R > 1 ? R - 1 : 1 };
};

/* s[r][n] += products of own and other rows, `width` (up to DEEP) channels of them, a multiple of
 * 4. */
template <int R, int TY, int ROWS, int NT>
static __device__ void add_products(wf_real (&s)[ROWS][NT], const wf_real *own,
                                    const wf_real *other, int rows, int width, int tx, int ty)
{
    enum { FEWER = fewer<R>::ROWS };
    if (R > 1 && rows <= FEWER * TY)
        return add_products<FEWER, TY>(s, own, other, rows, width, tx, ty);
    own += ty * LD;
    other += tx * LD;
#pragma unroll 1
    for (int c = 0; c < width; c += 4) {
        wf_vec<4> b[NT];
#pragma unroll
        for (int n = 0; n < NT; n++) b[n] = wf_vec_load<4>(other + n * LANES * LD + c);
#pragma unroll
        for (int r = 0; r < R; r++) {
            wf_vec<4> a = wf_vec_load<4>(own + r * TY * LD + c);
#pragma unroll
            for (int n = 0; n < NT; n++)
#pragma unroll
                for (int v = 0; v < 4; v++) s[r][n] += a.v[v] * b[n].v[v];
        }
    }
}

/* sum[r][c] += weights times the first `others` (up to a multiple of 4) rows of z. */
template <int R, int TY, int NT, int ROWS, int CT>
static __device__ void add_weighted(wf_real (&sum)[ROWS][CT], const wf_real *weight,
                                    const wf_real *z, int rows, int others, int tx, int ty)
{
    enum { FEWER = fewer<R>::ROWS, WIDE = NT * LANES + 8 };
    if (R > 1 && rows <= FEWER * TY)
        return add_weighted<FEWER, TY, NT>(sum, weight, z, rows, others, tx, ty);
    weight += ty * WIDE;
    z += tx;
#pragma unroll 1
    for (int j = 0; j < others; j += 4) {
        wf_vec<4> w[R];
#pragma unroll
        for (int r = 0; r < R; r++) w[r] = wf_vec_load<4>(weight + r * TY * WIDE + j);
#pragma unroll
        for (int v = 0; v < 4; v++) {
            wf_real b[CT];
#pragma unroll
            for (int c = 0; c < CT; c++) b[c] = z[((j + v) * CT + c) * LANES];
#pragma unroll
            for (int r = 0; r < R; r++)
#pragma unroll
                for (int c = 0; c < CT; c++) sum[r][c] += w[r].v[v] * b[c];
        }
    }
}

/* sum[r][c] += this thread's weights times their rows of z, LZ apart. */
template <int R, int TY, int ROWS, int NT, int SUMS>
static __device__ void add_own_weighted(wf_real (&sum)[ROWS][SUMS], const wf_real (&s)[ROWS][NT],
                                        const wf_real *z, int rows, int tx)
{
    enum { FEWER = fewer<R>::ROWS, LZ = SUMS + WF_VEC };
    if (R > 1 && rows <= FEWER * TY) return add_own_weighted<FEWER, TY>(sum, s, z, rows, tx);
#pragma unroll
    for (int n = 0; n < NT; n++)
#pragma unroll
        for (int c = 0; c < SUMS; c += WF_VEC) {
            wf_vec<WF_VEC> b = wf_vec_load<WF_VEC>(z + (tx + n * LANES) * LZ + c);
#pragma unroll
            for (int r = 0; r < R; r++)
#pragma unroll
                for (int v = 0; v < WF_VEC; v++) sum[r][c + v] += s[r][n] * b.v[v];
        }
}

/* Each of LANES threads has LANES numbers. Returns the sum over the threads of number tx. */
static __device__ wf_real sum_of_lanes(const wf_real *x, int tx)
{
    wf_real part[LANES];
#pragma unroll
    for (int c = 0; c < LANES; c++) part[c] = x[c];
#pragma unroll
    for (int half = LANES / 2; half > 0; half /= 2)
#pragma unroll
        for (int c = 0; c < half; c++) {
            wf_real low = part[c], high = part[c + half];
            part[c] = (tx & half ? high : low) +
                      __shfl_xor_sync(0xffffffffu, tx & half ? low : high, half);
        }
    return part[0];
}

/* Computes the products of all own rows with all other rows over the channels of x. kept: the own
 * rows are in shared memory already if they fit. */
template <int TY, int ROWS, int NT>
static __device__ void multiply(wf_real (&s)[ROWS][NT], wf_real *sh_own, wf_real *sh_other,
                                const struct rows &own, const struct rows &other,
                                const struct side &x, bool kept, int tx, int ty)
{
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
        for (int n = 0; n < NT; n++) s[r][n] = 0;
    for (int c = 0; c < x.width; c += x.step) {
        int here = x.width - c < x.step ? x.width - c : x.step, padded = (here + 3) / 4 * 4;
        if (!kept || x.step < x.width)
            load_rows<DEEP, TY>(sh_own, LD, own, c, here, padded, tx, ty);
        load_rows<DEEP, TY>(sh_other, LD, other, c, here, padded, tx, ty);
        tile_sync<TY>();
        add_products<ROWS, TY>(s, sh_own, sh_other, own.count, padded, tx, ty);
        tile_sync<TY>();
    }
}

/* What a thread knows of the softmax of its own rows: greatest score, share of the denominator. */
template <int ROWS> struct online {
    wf_real top[ROWS], total[ROWS];
};

/* Turns scores into weights relative to the greatest score so far, and scales the sums, and the
 * sums of weights, to it. */
template <int TY, int ROWS, int NT, int SUMS>
static __device__ void exp_scores(wf_real (&s)[ROWS][NT], wf_real (&sum)[ROWS][SUMS],
                                  struct online<ROWS> *o, int rows)
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
        for (int c = 0; c < SUMS; c++) sum[r][c] *= shrink;
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

/* Scales and masks the scores s, which are -infinity where there are none; in the gradients s ends
 * as weights, or with d, the products of dy and v, as dS. Rows that are not there read what the
 * last row reads; their sums are not written. */
template <enum role ROLE, int TY, int ROWS, int NT>
static __device__ void weigh(const struct attention &a, const struct spot &at,
                             wf_real (&s)[ROWS][NT], const wf_real (&d)[ROWS][NT])
{
    const bool by_query = ROLE == FORWARD || ROLE == GRAD_Q, two = ROLE == GRAD_Q || ROLE == GRAD_K;
    const wf_real *lse = a.lse + at.head * a.L, *delta = two ? a.delta + at.head * a.L : NULL;
    int first = at.other + at.tx;
    wf_real top[NT] = {}, D[NT] = {}; /* lse and delta of the other rows, if those are queries */
#pragma unroll
    for (int n = 0; n < NT; n++) {
        if (by_query || at.tx + n * LANES >= at.others) continue;
        top[n] = lse[first + n * LANES];
        if (two) D[n] = delta[first + n * LANES];
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (r * TY >= at.rows) break;
        int own = at.from + (at.ty + r * TY < at.rows ? at.ty + r * TY : at.rows - 1);
        const wf_real *mask = a.mask;
        if (mask) mask += by_query ? (ptrdiff_t)own * a.S + first : (ptrdiff_t)first * a.S + own;
#pragma unroll
        for (int n = 0; n < NT; n++) {
            bool there = at.tx + n * LANES < at.others;
            wf_real x = s[r][n] * a.scale;
            if (mask && there) x += mask[by_query ? n * LANES : (ptrdiff_t)n * LANES * a.S];
            if (ROLE != FORWARD) x = exp(x - (by_query ? lse[own] : top[n]));
            if (two) x *= (d[r][n] - (by_query ? delta[own] : D[n])) * a.scale;
            s[r][n] = there ? x : ROLE == FORWARD ? (wf_real)-INFINITY : 0;
        }
    }
}

template <int TY, int ROWS, int CT>
static __device__ void write_sums(const struct attention &a, const struct spot &at, wf_real *out,
                                  int row, int width, bool forward, bool add,
                                  const wf_real (&sum)[ROWS][CT], struct online<ROWS> *o)
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

/* Returns where thread t of a tile of OWN rows stands; a tile without a job has no rows. */
template <int OWN>
static __device__ struct spot spot_of(ptrdiff_t job, bool mine, int tiles, int owns, int t)
{
    struct spot at = { wf_div(job, tiles) };
    at.tx = t % LANES;
    at.ty = t / LANES;
    at.from = (int)(job - at.head * tiles) * OWN;
    at.rows = !mine ? 0 : owns - at.from < OWN ? owns - at.from : OWN;
    return at;
}

/* Returns the array whose rows the weights multiply. */
template <enum role ROLE> static __device__ const struct side &third(const struct attention &a)
{
    return ROLE == GRAD_Q ? a.k : ROLE == GRAD_K ? a.q : ROLE == GRAD_V ? a.dy : a.v;
}

/* Returns how many blocks of a multiprocessor share its registers: with more, registers spill. */
static constexpr int blocks_of(int rows, int columns)
{
    return rows == 8 && columns <= 5 ? 5 : columns == 2 ? 3 : 4;
}

/* Computes out: y, or the gradient that ROLE names. Blocks along y take slices of its channels. */
template <enum role ROLE, int TY, int ROWS, int NT, int HEADS, int CT>
static __global__ void __launch_bounds__(TY *LANES *HEADS, blocks_of(ROWS, CT))
    attend(const __grid_constant__ struct attention a, const __grid_constant__ struct side out,
           int tiles)
{
    enum { PRODUCTS = ROLE == GRAD_Q || ROLE == GRAD_K ? 2 : 1, THREADS = TY * LANES };
    using tile = struct shared_tile<TY, ROWS, NT, HEADS, CT, PRODUCTS>;
    __shared__ __align__(16) tile shared[HEADS];
    const bool by_query = ROLE == FORWARD || ROLE == GRAD_Q;
    int t = (int)threadIdx.x % THREADS, slice = (int)blockIdx.y * CT * LANES;
    tile &sh = shared[threadIdx.x / THREADS];
    ptrdiff_t job = (ptrdiff_t)blockIdx.x * HEADS + threadIdx.x / THREADS;
    bool mine = job < a.groups * a.heads * tiles;
    if (!mine) job = 0; /* these threads only take part in the barriers */
    int all = by_query ? a.S : a.L;
    struct spot at = spot_of<tile::OWN>(job, mine, tiles, by_query ? a.L : a.S, t);
    struct place head = place_of(a, at.head);
    struct rows q = rows_of(by_query ? a.q : a.k, head), k = rows_of(by_query ? a.k : a.q, head);
    struct rows dy = {}, v = {}, to = rows_of(out, head), z = rows_of(third<ROLE>(a), head);
    start(&q, at.from, at.rows);
    if (PRODUCTS == 2) {
        dy = rows_of(by_query ? a.dy : a.v, head);
        v = rows_of(by_query ? a.v : a.dy, head);
        start(&dy, at.from, at.rows);
    }
    int width = out.width - slice < CT * LANES ? out.width - slice : CT * LANES;
    wf_real sum[ROWS][tile::SUMS] = {};
    struct online<ROWS> o;
    for (int r = 0; r < ROWS; r++) {
        o.top[r] = -INFINITY;
        o.total[r] = 0;
    }
    for (at.other = 0; at.other < all; at.other += tile::OTHER) {
        wf_real s[ROWS][NT], d[ROWS][NT];
        at.others = all - at.other < tile::OTHER ? all - at.other : tile::OTHER;
        k.count = v.count = z.count = at.others;
        if (PRODUCTS == 2)
            multiply<TY>(d, sh.own[tile::KEPT - 1], sh.other, dy, v, a.v,
                         at.other > 0 && tile::KEPT == 2, at.tx, at.ty);
        multiply<TY>(s, sh.own[0], sh.other, q, k, a.q, at.other > 0 && tile::KEPT == PRODUCTS,
                     at.tx, at.ty);
        weigh<ROLE, TY>(a, at, s, d);
        if (ROLE == FORWARD) exp_scores<TY>(s, sum, &o, at.rows);
        if (!tile::NARROW)
#pragma unroll
            for (int r = 0; r < ROWS; r++)
#pragma unroll
                for (int n = 0; n < NT; n++)
                    sh.weight[(at.ty + r * TY) * tile::WIDE + at.tx + n * LANES] = s[r][n];
        load_rows<CT * LANES, TY>(sh.other, tile::LZ, z, slice, width, width, at.tx, at.ty);
        for (int i = at.others * tile::LZ + t; i < tile::OTHER * tile::LZ; i += THREADS)
            sh.other[i] = 0;
        tile_sync<TY>();
        if constexpr (tile::NARROW)
            add_own_weighted<ROWS, TY>(sum, s, sh.other, at.rows, at.tx);
        else
            add_weighted<ROWS, TY, NT>(sum, sh.weight, sh.other, at.rows, at.others, at.tx, at.ty);
        tile_sync<TY>();
        k.p += (ptrdiff_t)tile::OTHER * k.row;
        v.p += (ptrdiff_t)tile::OTHER * v.row;
        z.p += (ptrdiff_t)tile::OTHER * z.row;
    }
    wf_real total[ROWS][CT];
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
        for (int c = 0; c < CT; c++)
            total[r][c] = tile::NARROW ? sum_of_lanes(sum[r] + c * LANES, at.tx) : sum[r][c];
    start(&to, at.from, at.rows);
    write_sums<TY>(a, at, to.p + slice, to.row, width, ROLE == FORWARD, out.add, total, &o);
}

/* ---- launches ---- */

template <enum role ROLE, int TY, int ROWS, int NT, int HEADS, int CT>
static enum wf_status launch_tiles(struct wf_backend *be, const struct attention &a,
                                   const struct side &out)
{
    int owns = ROLE == FORWARD || ROLE == GRAD_Q ? a.L : a.S, own = TY * ROWS;
    int tiles = (owns + own - 1) / own;
    ptrdiff_t jobs = a.groups * a.heads * tiles;
    if (jobs == 0 || out.width == 0) return WF_OK;
    dim3 grid((unsigned)((jobs + HEADS - 1) / HEADS),
              (unsigned)((out.width + CT * LANES - 1) / (CT * LANES)));
    return LAUNCH(be, (attend<ROLE, TY, ROWS, NT, HEADS, CT>), grid, TY * LANES * HEADS, 0, a, out,
                  tiles);
}

/* Tiles of 64 x 32 scores, half as high in double, or of 16 x 16, a warp for each, where a side is
 * that short; with columns of LANES channels. A thread of a wide tile has as many rows as there are
 * registers, because a row of the other side costs the same for each. */
template <enum role ROLE>
static enum wf_status launch(struct wf_backend *be, const struct attention &a,
                             const struct side &out)
{
    enum { WORD = sizeof(wf_real), TALL = 64 / WORD, MORE = 32 / WORD, HEADS = 16 / WORD };
    bool by_query = ROLE == FORWARD || ROLE == GRAD_Q;
    int own = by_query ? a.L : a.S, other = by_query ? a.S : a.L;
    int columns = (out.width + LANES - 1) / LANES;
    if (own <= 32 || other <= 16) {
        if (columns <= 1) return launch_tiles<ROLE, 4, 4, 2, HEADS, 1>(be, a, out);
        if (columns <= 2) return launch_tiles<ROLE, 4, 4, 2, HEADS, 2>(be, a, out);
        if (columns <= 5) return launch_tiles<ROLE, 4, 4, 2, HEADS, 5>(be, a, out);
        return launch_tiles<ROLE, 4, 4, 2, HEADS, 8>(be, a, out);
    }
    if (columns <= 1) return launch_tiles<ROLE, TALL, 4, 4, 1, 1>(be, a, out);
    if (columns <= 2) return launch_tiles<ROLE, TALL, 4, 4, 1, 2>(be, a, out);
    if (columns <= 5) return launch_tiles<ROLE, 8, MORE, 4, 1, 5>(be, a, out);
    return launch_tiles<ROLE, 8, MORE, 4, 1, 8>(be, a, out);
}

extern "C" enum wf_status wf_cuda_attention(struct wf_backend *be, struct wf_tensor *y,
                                            struct wf_tensor *lse, const struct wf_attention_in *in)
{
    struct attention a = attention_of(in, y, lse);
    return launch<FORWARD>(be, a, a.y);
}

/* ---- gradient ---- P being the softmax, which is computed again, and D_i = <dy_i, y_i>,
 *     dV = P^T dY,  dS = P (dY V^T - D) scale,  dQ = dS K,  dK = dS^T Q */

/* LANES threads share a row of a head, whose numbers are neighbours: y and dy are contiguous. */
static __global__ void row_products(const __grid_constant__ struct attention a)
{
    ptrdiff_t job = wf_group_row(LANES), row = wf_div(job, a.heads), group = wf_div(row, a.L);
    int lane = wf_group_lane(LANES);
    bool mine = group < a.groups;
    wf_real dot = 0;
    if (mine) {
        const wf_real *y = a.y.p + job * a.v.width, *dy = a.dy.p + job * a.v.width;
        for (int c = lane; c < a.v.width; c += LANES) dot += y[c] * dy[c];
    }
    dot = wf_group_sum(dot, LANES);
    if (mine && lane == 0)
        a.delta[(group * a.heads + job - row * a.heads) * a.L + row - group * a.L] = dot;
}

extern "C" enum wf_status wf_cuda_attention_bwd(
    struct wf_backend *be, const struct wf_attention_grad *grad, const struct wf_attention_in *in,
    const struct wf_tensor *y, const struct wf_tensor *lse, const struct wf_tensor *dy)
{
    struct attention a = attention_of(in, y, lse);
    ptrdiff_t rows = a.groups * a.heads * a.L;
    if (rows == 0 || a.v.width == 0) return WF_OK;
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
