/* hops.cu - the hops of a diffusion convolution, and what can run beside them.
 *
 * A sample of a graph of some hundred nodes fits in shared memory, a few channels at a time: a term
 * of 207 rows and 32 channels takes 26 KB, and the usual recursions need at most three terms at
 * once. A block then computes all terms in one launch and writes each to global memory once, in the
 * layout that the product after it reads. The speed of shared memory is the limit, since each lane
 * reads 16 bytes per entry. For larger graphs the terms stay in global memory, and each launch
 * computes one level of hops for all supports. */
#include "tensor/cuda/shared.cuh"

/* RESERVED is how many bytes of shared memory the device takes for every block. */
enum { BLOCK = 512, LARGE_BLOCK = 1024, MOST_BITS = 3, RESERVED = 1024 };

/* ---- plans ---- */

static void plan_supports(struct wf_hop_plan *p, const struct wf_supports *S, bool transpose,
                          int rows)
{
    *p = {};
    p->rows = rows;
    p->count = S->count;
    p->steps = S->terms - 1;
    for (int k = 0; k < S->count; k++) {
        p->support[k] = wf_sparse_of(S->pattern[k], S->value[k], transpose);
        p->first[k] = p->entries;
        p->entries += S->pattern[k]->nnz;
    }
}

/* Records which term each slot of memory holds, or -1 for none. */
struct slots {
    int term[WF_MAXTERM], count;
};

static short slot_take(struct slots *s, int term)
{
    int i = 0;
    while (i < s->count && s->term[i] >= 0) i++;
    if (i == s->count) s->count++;
    s->term[i] = term;
    return (short)i;
}

static short slot_of(const struct slots *s, int term)
{
    for (int i = 0; term >= 0 && i < s->count; i++)
        if (s->term[i] == term) return (short)i;
    return -1;
}

static void slot_drop(struct slots *s, int term)
{
    short i = slot_of(s, term);
    if (i >= 0) s->term[i] = -1;
}

static struct wf_hop_step step_of(const struct wf_supports *S, int m)
{
    struct wf_hop_step h = {};
    h.support = (short)S->hop[m].support;
    h.term = (short)m;
    h.src = (short)S->hop[m].src;
    h.sub = (short)S->hop[m].sub;
    return h;
}

void wf_hop_plan_build(struct wf_hop_plan *p, const struct wf_supports *S, bool transpose, int rows,
                       bool all)
{
    struct slots s = {};
    int last[WF_MAXTERM] = {}; /* the last hop that reads a term */
    plan_supports(p, S, transpose, rows);
    for (int m = 1; m < S->terms; m++) {
        last[S->hop[m].src] = m;
        if (S->hop[m].sub >= 0) last[S->hop[m].sub] = m;
    }
    slot_take(&s, 0);
    for (int m = 1; m < S->terms; m++) {
        struct wf_hop_step *h = &p->step[m - 1];
        *h = step_of(S, m);
        h->at_src = slot_of(&s, h->src);
        h->at_sub = slot_of(&s, h->sub);
        /* T_m may take the slot of T_sub: the thread that writes a place has read it before. */
        if (!all && h->sub >= 0 && h->sub != h->src && last[h->sub] == m) slot_drop(&s, h->sub);
        h->at_term = all || last[m] > m ? slot_take(&s, m) : -1;
        if (!all && last[h->src] == m) slot_drop(&s, h->src);
    }
    p->slots = s.count;
}

void wf_hop_plan_fold(struct wf_hop_plan *p, const struct wf_supports *S, bool transpose, int rows)
{
    struct slots s = {};
    plan_supports(p, S, transpose, rows);
    for (int m = S->terms - 1; m > 0; m--) {
        struct wf_hop_step *h = &p->step[S->terms - 1 - m];
        *h = step_of(S, m);
        h->new_term = slot_of(&s, m) < 0;
        h->at_term = h->new_term ? slot_take(&s, m) : slot_of(&s, m);
        h->new_src = slot_of(&s, h->src) < 0;
        h->at_src = h->new_src ? slot_take(&s, h->src) : slot_of(&s, h->src);
        h->new_sub = h->sub >= 0 && slot_of(&s, h->sub) < 0;
        h->at_sub = h->new_sub ? slot_take(&s, h->sub) : slot_of(&s, h->sub);
        slot_drop(&s, m);
    }
    p->slots = s.count;
}

size_t wf_hop_plan_bytes(const struct wf_hop_plan *p)
{
    return ((size_t)p->slots * (size_t)p->rows << p->bits) * sizeof(wf_wide) +
           (size_t)p->entries * sizeof(struct wf_hop_entry) +
           (size_t)p->count * (size_t)(p->rows + 1) * sizeof(int);
}

/* Describes the blocks of a launch and their size. */
struct launch {
    int slices; /* blocks per sample */
    int threads;
    size_t bytes;
};

static int slices_of(const struct wf_hop_plan *p, int vecs)
{
    return (vecs + (1 << p->bits) - 1) >> p->bits;
}

/* Plans as many lanes as fit, but at most 8, because shared memory delivers 8 vectors at once, and
 * fewer where there would be too few blocks. Returns false when nothing fits. */
static bool plan_lanes(const struct wf_backend *be, struct wf_hop_plan *p, int samples, int vecs,
                       struct launch *l)
{
    const struct wf_cuda *c = (const struct wf_cuda *)be;
    size_t room = (size_t)c->shared;
    int least = vecs > 1;
    while (p->bits < MOST_BITS && 1 << p->bits < vecs) p->bits++;
    while (p->bits > least && wf_hop_plan_bytes(p) > room) p->bits--;
    if (wf_hop_plan_bytes(p) > room) return false;
    while (p->bits > least && 2 * samples * slices_of(p, vecs) <= c->sms) p->bits--;
    l->slices = slices_of(p, vecs);
    l->bytes = wf_hop_plan_bytes(p);
    bool two = 2 * (l->bytes + RESERVED) <= room + RESERVED; /* whether two blocks fit at once */
    l->threads = two && samples * l->slices > c->sms ? BLOCK : LARGE_BLOCK;
    return true;
}

/* ---- beside the hops ---- */

static __device__ void run_pack(const struct wf_pack &p, int block, int blocks)
{
    int items = p.M * p.rows * p.cols, step = blocks * (int)blockDim.x;
    for (int i = block * (int)blockDim.x + (int)threadIdx.x; i < items; i += step) {
        int row = i / p.cols, o = i - row * p.cols, m = row / p.rows, c = row - m * p.rows;
        int channel = c < p.C1 ? p.C - p.C1 + c : c - p.C1;
        wf_real v = 0;
        if (c < p.C && o < p.O) v = p.w[((ptrdiff_t)m * p.C + channel) * p.O + o];
        p.to[m * p.sm + c * p.sc + o * p.so] = v;
    }
}

static __device__ void run_copy(const struct wf_copy &c, int block, int blocks, wf_wide *room)
{
    int rows = c.to.samples * c.to.rows;
    int from = (int)((ptrdiff_t)rows * block / blocks);
    int to = (int)((ptrdiff_t)rows * (block + 1) / blocks);
    for (int first = 0; first < c.to.vecs; first += (int)blockDim.x) {
        int width = min(c.to.vecs - first, (int)blockDim.x), groups = (int)blockDim.x / width;
        int group = (int)threadIdx.x / width, v = first + (int)threadIdx.x % width;
        wf_wide sum = wf_vec_zero<WF_VEC>();
        wf_fetch<2, struct wf_source_fetched>(
            group < groups ? from + group : to, to, groups,
            [&](int r) {
                int b = r / c.to.rows;
                return wf_source_fetch(c.from, b, r - b * c.to.rows, v);
            },
            [&](int r, const struct wf_source_fetched &f) {
                int b = r / c.to.rows, n = r - b * c.to.rows;
                wf_wide x = wf_source_value(c.from, f);
                wf_vec_store(c.to.data + b * c.to.sample + n * c.to.row + v * WF_VEC, x);
                wf_vec_fma(sum, 1, x);
            });
        if (c.sums)
            wf_column_sums(sum, width, groups, room,
                           c.sums + ((ptrdiff_t)block * c.to.vecs + first) * WF_VEC, width);
    }
}

static __device__ void run_side(const struct wf_side &s, int block, wf_wide *room)
{
    if (s.pack.to) run_pack(s.pack, block, s.blocks);
    WF_UNROLL(1)
    for (int i = 0; i < 2; i++)
        if (s.copy[i].to.data) run_copy(s.copy[i], block, s.blocks, room);
}

static __global__ void __launch_bounds__(LARGE_BLOCK)
    side_kernel(const __grid_constant__ struct wf_side s)
{
    DYNAMIC_SHARED(wf_wide, memory);
    run_side(s, (int)blockIdx.x, memory);
}

/* Sets the number of blocks for the side work: each thread gets four items, but there are no more
 * blocks than multiprocessors. */
static void count_side(const struct wf_backend *be, struct wf_side *s, int threads)
{
    ptrdiff_t items = s->pack.to ? (ptrdiff_t)s->pack.M * s->pack.rows * s->pack.cols : 0;
    for (int i = 0; i < 2; i++)
        if (s->copy[i].to.data)
            items += (ptrdiff_t)s->copy[i].to.samples * s->copy[i].to.rows * s->copy[i].to.vecs;
    ptrdiff_t blocks = (items + 4 * threads - 1) / (4 * threads),
              sms = ((const struct wf_cuda *)be)->sms;
    s->blocks = (int)(blocks < sms ? blocks : sms);
}

enum wf_status wf_cuda_side(struct wf_backend *be, struct wf_side *side)
{
    count_side(be, side, LARGE_BLOCK);
    if (side->blocks == 0) return WF_OK;
    return LAUNCH(be, side_kernel, (unsigned)side->blocks, LARGE_BLOCK,
                  LARGE_BLOCK * sizeof(wf_wide), *side);
}

/* ---- in shared memory ---- */

/* Finds the sample and the first vector of a block. Blocks are ordered by slice and then by sample,
 * so that the last slices, which may be narrow, run last. */
static __device__ void slice_of(const struct wf_hop_plan &p, const struct wf_terms &T, int block,
                                int *b, int *first)
{
    int slice = block / T.samples;
    *b = block - slice * T.samples;
    *first = slice << p.bits;
}

struct build {
    struct wf_hop_plan plan;
    struct wf_source source;
    struct wf_terms T;
    wf_real *sums;
    struct wf_side side; /* its blocks come first, because they are short */
};

static __global__ void __launch_bounds__(LARGE_BLOCK)
    build_kernel(const __grid_constant__ struct build p)
{
    DYNAMIC_SHARED(wf_wide, memory);
    int block = (int)blockIdx.x - p.side.blocks, b, first;
    if (block < 0) {
        run_side(p.side, (int)blockIdx.x, memory);
        return;
    }
    slice_of(p.plan, p.T, block, &b, &first);
    int lanes = min(p.T.vecs - first, 1 << p.plan.bits);
    struct wf_hop_stage s = wf_hop_stage_supports(p.plan, memory);
    wf_real *T = p.T.data + b * p.T.sample + first * WF_VEC;
    wf_wide sum = wf_vec_zero<WF_VEC>();
    wf_fetch_places<struct wf_source_fetched>(
        p.plan, lanes, [&](int n, int v) { return wf_source_fetch(p.source, b, n, first + v); },
        [&](int t, int n, int v, const struct wf_source_fetched &f) {
            wf_wide x = wf_source_value(p.source, f);
            s.slot[t] = x;
            wf_vec_store(T + n * p.T.row + v * WF_VEC, x);
            wf_vec_fma(sum, 1, x);
        });
    __syncthreads();
    wf_hop_stage_build(p.plan, s, lanes, [&](int m, int n, int v, const wf_wide &x) {
        wf_vec_store(T + m * p.T.term + n * p.T.row + v * WF_VEC, x);
    });
    if (p.sums)
        wf_column_sums(sum, 1 << p.plan.bits, (int)blockDim.x >> p.plan.bits, memory,
                       p.sums + ((ptrdiff_t)b * p.T.vecs + first) * WF_VEC, lanes);
}

static enum wf_status build_shared(struct wf_backend *be, struct wf_build *job,
                                   const struct wf_hop_plan *plan, struct launch l)
{
    struct build p = {};
    p.plan = *plan;
    p.source = job->source;
    p.T = job->T;
    p.sums = job->sums;
    count_side(be, &job->side, l.threads);
    p.side = job->side;
    job->sum_rows = job->T.samples;
    size_t room = (size_t)l.threads * sizeof(wf_wide); /* what wf_column_sums() needs */
    if (l.bytes < room) l.bytes = room;
    WF_TRY(wf_allow_shared(be, build_kernel));
    return LAUNCH(be, build_kernel, (unsigned)(p.side.blocks + job->T.samples * l.slices),
                  (unsigned)l.threads, l.bytes, p);
}

struct fold {
    struct wf_hop_plan plan;
    struct wf_terms T;
    struct wf_sink sink;
};

static __global__ void __launch_bounds__(LARGE_BLOCK)
    fold_kernel(const __grid_constant__ struct fold p)
{
    DYNAMIC_SHARED(wf_wide, memory);
    int b, first;
    slice_of(p.plan, p.T, (int)blockIdx.x, &b, &first);
    int lanes = min(p.T.vecs - first, 1 << p.plan.bits);
    const wf_real *T = p.T.data + b * p.T.sample + first * WF_VEC;
    struct wf_hop_stage s = wf_hop_stage_supports(p.plan, memory);
    wf_hop_stage_fold(p.plan, s, lanes, [&](int m, int n, int v) {
        return wf_vec_load<WF_VEC>(T + m * p.T.term + n * p.T.row + v * WF_VEC);
    });
    const wf_wide *end = wf_slot(p.plan, s, p.plan.step[p.plan.steps - 1].at_src);
    WF_EACH_PLACE(t, n, v, p.plan)
    {
        if (v < lanes) wf_sink_store(p.sink, b, n, first + v, end[t]);
    }
}

static enum wf_status fold_shared(struct wf_backend *be, const struct wf_fold *job,
                                  const struct wf_hop_plan *plan, struct launch l)
{
    struct fold p = {};
    p.plan = *plan;
    p.T = job->T;
    p.sink = job->sink;
    WF_TRY(wf_allow_shared(be, fold_kernel));
    return LAUNCH(be, fold_kernel, (unsigned)(job->T.samples * l.slices), (unsigned)l.threads,
                  l.bytes, p);
}

/* ---- in global memory ---- */

struct level {
    struct wf_sparse support[WF_MAXSUPPORT];
    struct wf_terms T;
    struct wf_hop_step step[WF_MAXTERM];
    int steps;
};

/* Returns the address of the vector of item i, and its row n. Items run over samples before rows,
 * so that a warp of few channels reads an entry once for many samples. */
static __device__ wf_real *place(const struct wf_terms &T, ptrdiff_t i, int *n)
{
    ptrdiff_t q = wf_div(i, T.vecs), v = i - q * T.vecs, row = wf_div(q, T.samples);
    *n = (int)row;
    return T.data + (q - row * T.samples) * T.sample + v * WF_VEC;
}

static __device__ ptrdiff_t places(const struct wf_terms &T)
{
    return (ptrdiff_t)T.samples * T.rows * T.vecs;
}

/* Each row of the grid of blocks computes one hop. */
static __global__ void build_level_kernel(const __grid_constant__ struct level p)
{
    const struct wf_hop_step &h = p.step[blockIdx.y];
    EACH_ITEM(i, places(p.T))
    {
        int n;
        wf_real *T = place(p.T, i, &n);
        wf_wide x[1];
        wf_sparse_row<WF_VEC, 1>(x, p.support[h.support], n, T + h.src * p.T.term, p.T.row, 0);
        T += n * p.T.row;
        wf_wide sub = wf_vec_zero<WF_VEC>();
        if (h.sub >= 0) sub = wf_vec_load<WF_VEC>(T + h.sub * p.T.term);
        wf_real a = h.sub >= 0 ? 2 : 1;
        for (int k = 0; k < WF_VEC; k++) x[0].v[k] = a * x[0].v[k] - sub.v[k];
        wf_vec_store(T + h.term * p.T.term, x[0]);
    }
}

static __global__ void fold_level_kernel(const __grid_constant__ struct level p)
{
    const struct wf_hop_step &h = p.step[0];
    EACH_ITEM(i, places(p.T))
    {
        int n;
        wf_real *T = place(p.T, i, &n), *term = T + h.term * p.T.term;
        wf_wide sum[1];
        wf_sparse_row<WF_VEC, 1>(sum, p.support[h.support], n, term, p.T.row, 0);
        T += n * p.T.row;
        wf_wide x = wf_vec_load<WF_VEC>(T + h.src * p.T.term);
        wf_vec_fma(x, h.sub < 0 ? 1 : 2, sum[0]);
        wf_vec_store(T + h.src * p.T.term, x);
        if (h.sub < 0) continue;
        x = wf_vec_load<WF_VEC>(T + h.sub * p.T.term);
        wf_vec_fma(x, -1, wf_vec_load<WF_VEC>(term + n * p.T.row));
        wf_vec_store(T + h.sub * p.T.term, x);
    }
}

static struct level level_of(const struct wf_supports *S, bool transpose, const struct wf_terms *T)
{
    struct level p = {};
    for (int k = 0; k < S->count; k++)
        p.support[k] = wf_sparse_of(S->pattern[k], S->value[k], transpose);
    p.T = *T;
    return p;
}

static unsigned place_blocks(struct wf_backend *be, const struct wf_terms *T)
{
    return wf_cuda_blocks(wf_cuda_of(be), (ptrdiff_t)T->samples * T->rows * T->vecs);
}

static enum wf_status build_levels(struct wf_backend *be, struct wf_build *job)
{
    const struct wf_supports *S = job->S;
    struct wf_copy *first = &job->side.copy[job->side.copy[0].to.data != NULL];
    *first = { job->source, job->T, job->sums };
    WF_TRY(wf_cuda_side(be, &job->side));
    job->sum_rows = job->side.blocks;
    int level[WF_MAXTERM] = {}, done = 1;
    for (int m = 1; m < S->terms; m++) {
        int src = level[S->hop[m].src], sub = S->hop[m].sub < 0 ? 0 : level[S->hop[m].sub];
        level[m] = 1 + (src > sub ? src : sub);
    }
    for (int l = 1; done < S->terms; l++) {
        struct level p = level_of(S, job->transpose, &job->T);
        for (int m = 1; m < S->terms; m++)
            if (level[m] == l) p.step[p.steps++] = step_of(S, m);
        done += p.steps;
        WF_TRY(LAUNCH(be, build_level_kernel, dim3(place_blocks(be, &p.T), (unsigned)p.steps),
                      WF_CUDA_BLOCK, 0, p));
    }
    return WF_OK;
}

struct finish {
    struct wf_columns from;
    int samples, rows, vecs;
    struct wf_sink sink;
};

static __global__ void finish_kernel(const __grid_constant__ struct finish p)
{
    EACH_ITEM(i, (ptrdiff_t)p.samples * p.rows * p.vecs)
    {
        struct wf_place at = wf_place_of(i, p.rows, p.vecs);
        wf_sink_store(p.sink, at.b, at.n, at.first / WF_VEC, wf_columns_load(p.from, at));
    }
}

enum wf_status wf_cuda_finish(struct wf_backend *be, const struct wf_columns *from, int samples,
                              int rows, const struct wf_sink *sink)
{
    struct finish p = { *from, samples, rows, wf_vecs(from->width), *sink };
    unsigned blocks = wf_cuda_blocks(wf_cuda_of(be), (ptrdiff_t)samples * rows * p.vecs);
    return LAUNCH(be, finish_kernel, blocks, WF_CUDA_BLOCK, 0, p);
}

static enum wf_status finish_fold(struct wf_backend *be, const struct wf_fold *job)
{
    const struct wf_terms *T = &job->T;
    struct wf_columns from = { T->data, T->sample, T->row, T->vecs * WF_VEC, true };
    return wf_cuda_finish(be, &from, T->samples, T->rows, &job->sink);
}

static enum wf_status fold_levels(struct wf_backend *be, const struct wf_fold *job)
{
    struct level p = level_of(job->S, job->transpose, &job->T);
    for (int m = job->S->terms - 1; m > 0; m--) {
        p.step[0] = step_of(job->S, m);
        WF_TRY(LAUNCH(be, fold_level_kernel, place_blocks(be, &p.T), WF_CUDA_BLOCK, 0, p));
    }
    return finish_fold(be, job);
}

/* ---- shared or global memory ---- */

enum wf_status wf_cuda_build(struct wf_backend *be, struct wf_build *job)
{
    struct wf_hop_plan plan;
    struct launch l;
    wf_hop_plan_build(&plan, job->S, job->transpose, job->T.rows, false);
    if (plan_lanes(be, &plan, job->T.samples, job->T.vecs, &l))
        return build_shared(be, job, &plan, l);
    return build_levels(be, job);
}

enum wf_status wf_cuda_fold(struct wf_backend *be, const struct wf_fold *job)
{
    struct wf_hop_plan plan;
    struct launch l;
    if (job->S->terms == 1) return finish_fold(be, job);
    wf_hop_plan_fold(&plan, job->S, job->transpose, job->T.rows);
    if (!job->keep && plan_lanes(be, &plan, job->T.samples, job->T.vecs, &l))
        return fold_shared(be, job, &plan, l);
    return fold_levels(be, job);
}
