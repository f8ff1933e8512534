/* dconv.c - the diffusion convolution and its gradient, a group of samples at a time. */
#include <omp.h>
#include <string.h>
#include "tensor/cpu/cpu_private.h"
#include "tensor/cpu/dconv_private.h"

/* Gradients of weights are summed in at most this many partial sums, whatever the number of
 * threads, so that the order of summation depends on the shape alone. */
enum { CHUNKS = 16 };

/* Y = act(sum_m T_m(X) W_m + b), one group of samples after the other, each in a tile that stays in
 * the cache of its core. With P_m the polynomial of term m there are two orders,
 *     hops first:  Z_m = P_m X, Y = sum_m Z_m W_m              hops on the C input channels
 *     mix first:   U_m = X W_m, Y = sum_m P_m U_m (fold)       hops on the O output channels
 * and for the gradient, with D = dY act'(Y),
 *     mix last:    G_m = P_m^T D, dX = sum_m G_m W_m^T, dW_m = X^T G_m    hops on O, once
 *     hops last:   E_m = D W_m^T, dX = sum_m P_m^T E_m (fold), dW_m = (P_m X)^T D
 *                                                              hops on C, for dX and for dW
 * Mix first and mix last turn the order of the hops round, so they need hops that commute; the
 * gradient of the supports needs the terms that hops last makes. Products cost the same in all. */

/* Scratch memory is laid out twice: first with base NULL, to learn the size, then in the memory. */
struct arena {
    char *base;
    size_t used;
};

static void *carve(struct arena *a, size_t bytes)
{
    char *p = a->base ? a->base + a->used : NULL;
    a->used += (bytes + 63) / 64 * 64;
    return p;
}

static wf_real *carve_reals(struct arena *a, size_t n)
{
    return carve(a, n * sizeof(wf_real));
}

/* Returns which channel of the input stands in column c of a tile. */
static int channel(const struct wf_dconv_plan *d, int c)
{
    return c < d->C1 ? d->C - d->C1 + c : c - d->C1;
}

static int vectors(const struct wf_dconv_plan *d, int width)
{
    return (width * d->lanes + WF_LANES - 1) / WF_LANES * ((d->B + d->lanes - 1) / d->lanes);
}

/* The cost model: products cost the same in every order, so it counts the vectors that pass through
 * hops. */
static bool mix_outside_wins(const struct wf_dconv_plan *d)
{
    if (d->want_value || d->M == 1 || !wf_supports_commute(d->in->S)) return false;
    if (d->grad == NULL) return vectors(d, d->O) < vectors(d, d->C);
    int inside = (d->want_w ? vectors(d, d->C) : 0) + (d->want_x ? vectors(d, d->Cx) : 0);
    return vectors(d, d->O) <= inside;
}

/* Returns how many samples a group has. 16 samples side by side pay when few channels would leave
 * most lanes of a vector empty. */
static int lanes_of(const struct wf_dconv_plan *d)
{
    if (d->want_value || d->C > WF_NARROW_MAX || d->O > WF_NARROW_MAX) return 1;
    struct wf_dconv_plan one = *d, many = *d;
    one.lanes = 1;
    many.lanes = WF_LANES;
    int wide = vectors(&one, d->C) + vectors(&one, d->O) + vectors(&one, d->O) * d->C;
    int narrow = vectors(&many, d->C) + vectors(&many, d->O) + vectors(&many, d->O) * d->C;
    return 2 * narrow <= wide ? WF_LANES : 1;
}

static size_t term_size(const struct wf_dconv_plan *d, int width)
{
    return wf_term_size(d->N, width * d->lanes);
}

/* What a tile holds depends on the order: hops first keeps the terms of X; mix first keeps X and
 * the U; mix last keeps X and the G; hops last keeps the terms of X, D and the E. */
static size_t tile_size(const struct wf_dconv_plan *d)
{
    size_t M = (size_t)d->M, c = term_size(d, d->C), o = term_size(d, d->O);
    if (d->mix_outside) return c + M * o;
    if (d->grad == NULL) return M * c;
    return M * c + o + (d->want_x ? M * term_size(d, d->Cx) : 0);
}

void wf_dconv_plan_init(struct wf_dconv_plan *d, const struct wf_dconv_in *in,
                        const struct wf_dconv_grad *grad, int most_lanes)
{
    const struct wf_tensor *x0 = in->x[0], *x1 = in->x[1];
    *d = (struct wf_dconv_plan){ .in = in, .grad = grad, .add = { true, true } };
    d->B = x0->shape[0];
    d->N = x0->shape[1];
    d->C1 = x1 ? x1->shape[2] : 0;
    d->C = x0->shape[2] + d->C1;
    d->O = in->w->shape[in->w->ndim - 1];
    d->M = in->S->terms;
    if (grad != NULL) {
        d->want_w = grad->dw != NULL;
        for (int s = 0; s < in->S->count; s++) d->want_value |= grad->dvalue[s] != NULL;
        bool all = grad->dx[0] != NULL || d->want_value;
        d->want_x = all || grad->dx[1] != NULL;
        d->Cx = all ? d->C : d->C1;
    }
    d->lanes = most_lanes > 1 ? lanes_of(d) : 1;
    d->steps = d->lanes > 1 ? &wf_steps_narrow : &wf_steps_wide;
    d->groups = (d->B + d->lanes - 1) / d->lanes;
    d->chunks = d->groups < CHUNKS ? d->groups : CHUNKS;
    d->mix_outside = mix_outside_wins(d);
    d->tile_size = tile_size(d);
    d->own_size = wf_term_size(WF_MIX_ROWS, (grad ? d->Cx : d->O) * d->lanes);
}

/* Lays out all scratch memory but that of the hops. */
static void lay_out(struct wf_dconv_plan *d, struct arena *a)
{
    const struct wf_supports *S = d->in->S;
    size_t M = (size_t)d->M, C = (size_t)d->C, O = (size_t)d->O;
    size_t po = (size_t)wf_panels(d->O), pc = (size_t)wf_panels(d->C);
    d->pack = carve_reals(a, M * WF_PANEL * (d->grad ? pc * O : po * C));
    d->bias = carve_reals(a, d->in->b ? po * WF_PANEL : 0);
    if (d->in->b == NULL) d->bias = NULL;
    if (d->grad == NULL) return;
    d->db_at = M * po * C * WF_PANEL;
    d->dvalue_at = d->db_at + po * WF_PANEL;
    d->part_size = d->dvalue_at;
    for (int s = 0; s < (d->want_value ? S->count : 0); s++)
        d->part_size += (size_t)S->pattern[s]->nnz;
    d->part_size = (d->part_size + WF_LANES - 1) / WF_LANES * WF_LANES;
    d->parts = carve_reals(a, d->part_size * (size_t)d->chunks);
}

/* Waking threads takes as long as computing some ten thousand numbers. */
static int threads_of(const struct wf_dconv_plan *d)
{
    bool small = (ptrdiff_t)d->B * d->N * (d->C + d->O) * d->M < 32768;
    return small ? 1 : omp_get_max_threads();
}

enum wf_status wf_dconv_allocate(struct wf_backend *be, struct wf_dconv_plan *d, int plans,
                                 size_t temp, struct wf_workers *w)
{
    const struct wf_supports *S = d->in->S;
    *w = (struct wf_workers){ .threads = threads_of(d) };
    for (int k = 0; k < plans; k++) {
        if (d[k].tile_size > w->tile_size) w->tile_size = d[k].tile_size;
        if (d[k].own_size > w->own_size) w->own_size = d[k].own_size;
    }
    w->tile_size = (w->tile_size + temp + WF_PANEL - 1) / WF_PANEL * WF_PANEL;
    struct arena a = { 0 };
    for (bool last = false;; last = true) {
        for (int back = 0; back < (d->grad ? 2 : 1); back++) {
            void *memory = carve(&a, wf_hops_size(S));
            struct wf_hops hops;
            if (last) wf_hops_init(&hops, S, back, memory);
            for (int k = 0; k < plans && last; k++) *(back ? &d[k].back : &d[k].hops) = hops;
        }
        for (int k = 0; k < plans; k++) lay_out(&d[k], &a);
        w->tiles = carve_reals(&a, w->tile_size * (size_t)w->threads);
        w->own = carve_reals(&a, w->own_size * (size_t)w->threads);
        if (last) return WF_OK;
        a = (struct arena){ .base = wf_cpu_scratch(be, a.used) };
        if (a.base == NULL) return WF_ENOMEM;
    }
}

/* Packs the weights for wf_steps.mix(): lanes are output channels in the forward products, columns
 * of the tile in the backward ones. With `joined` the terms of one panel follow each other, because
 * they are summed; else the panels of one term do. The threads share the terms. */
void wf_dconv_pack(const struct wf_dconv_plan *d)
{
    if (d->grad && !d->want_x) return;
    bool joined = d->grad ? d->mix_outside : !d->mix_outside;
    int C = d->C, O = d->O, M = d->M, lanes = d->grad ? d->Cx : O, K = d->grad ? O : C;
    int P = wf_panels(lanes);
#pragma omp for
    for (int mp = 0; mp < M * P; mp++) {
        int m = mp / P, p = mp % P;
        wf_real *to = d->pack + (ptrdiff_t)(joined ? p * M + m : mp) * K * WF_PANEL;
        const wf_real *w = d->in->w->data + (ptrdiff_t)m * C * O;
        for (int k = 0; k < K; k++) {
            for (int l = 0; l < WF_PANEL; l++, to++) {
                int lane = p * WF_PANEL + l, c = d->grad ? lane : k, o = d->grad ? k : lane;
                *to = lane < lanes ? w[(ptrdiff_t)channel(d, c) * O + o] : 0;
            }
        }
    }
#pragma omp for
    for (int o = 0; o < (d->bias ? wf_panels(O) * WF_PANEL : 0); o++)
        d->bias[o] = o < O ? d->in->b->data[o * d->in->b->stride[0]] : 0;
}

static struct wf_tile tile(const struct wf_dconv_plan *d, wf_real *x, int width)
{
    return (struct wf_tile){ x, d->N, width * d->lanes };
}

/* A tile in the thread's own memory for the few rows of a product that are stored at once. */
static struct wf_tile strip(const struct wf_dconv_plan *d, struct wf_team t, int width)
{
    return (struct wf_tile){ t.own, WF_MIX_ROWS, width * d->lanes };
}

static int blocks_of(const struct wf_dconv_plan *d, struct wf_team t, int rank)
{
    return wf_team_from(t, rank, wf_blocks(d->N, WF_MIX_ROWS));
}

/* The rows of blocks [from, to) of a group. */
static struct wf_tile_rows rows_of(const struct wf_dconv_plan *d, int count, int from, int to)
{
    int blocks = wf_blocks(d->N, WF_MIX_ROWS);
    return (struct wf_tile_rows){ .count = count,
                                  .from = wf_block_from(from, blocks, d->N),
                                  .to = wf_block_from(to, blocks, d->N) };
}

struct wf_tile_rows wf_group_rows(const struct wf_dconv_plan *d, int count, struct wf_team t)
{
    return rows_of(d, count, blocks_of(d, t, t.rank), blocks_of(d, t, t.rank + 1));
}

int wf_group_count(const struct wf_dconv_plan *d, int i)
{
    int left = d->B - i * d->lanes;
    return left < d->lanes ? left : d->lanes;
}

struct wf_tensor wf_group_of(const struct wf_dconv_plan *d, int i, const struct wf_tensor *t)
{
    if (t == NULL) return (struct wf_tensor){ 0 };
    struct wf_tensor part = *t;
    part.data += (ptrdiff_t)i * d->lanes * t->stride[0];
    return part;
}

static void load_x(const struct wf_dconv_plan *d, const struct wf_group *g, struct wf_tile X,
                   struct wf_tile_rows r)
{
    if (g->x[1].data != NULL) d->steps->load(X, 0, &g->x[1], r);
    d->steps->load(X, d->C1, &g->x[0], r);
}

static void hops_first(const struct wf_dconv_plan *d, const struct wf_group *g, wf_real *memory,
                       struct wf_team t)
{
    int from = blocks_of(d, t, t.rank), to = blocks_of(d, t, t.rank + 1);
    struct wf_tile X = tile(d, memory, d->C), Y = strip(d, t, d->O);
    struct wf_mix job = { .Y = Y, .A = X, .terms = d->M, .W = d->pack, .bias = d->bias };
    load_x(d, g, X, rows_of(d, g->count, from, to));
    wf_team_sync(t);
    wf_tile_build(X, &d->hops, t);
    wf_team_sync(t);
    for (int i = from; i < to; i++) {
        struct wf_tile_rows r = rows_of(d, g->count, i, i + 1);
        d->steps->mix(&job, r.from, r.to - r.from, 0);
        r.shift = r.from;
        d->steps->store(&g->y, Y, NULL, d->in->act, r);
    }
    wf_team_sync(t);
}

static void mix_first(const struct wf_dconv_plan *d, const struct wf_group *g, wf_real *memory,
                      struct wf_team t)
{
    int from = blocks_of(d, t, t.rank), to = blocks_of(d, t, t.rank + 1);
    size_t step = (size_t)wf_panels(d->O) * (size_t)d->C * WF_PANEL;
    struct wf_tile X = tile(d, memory, d->C), U = tile(d, memory + term_size(d, d->C), d->O);
    struct wf_tile_rows all = rows_of(d, g->count, from, to);
    load_x(d, g, X, all);
    for (int i = from; i < to; i++) {
        struct wf_mix job = { .Y = U, .A = X, .terms = 1, .W = d->pack };
        struct wf_tile_rows r = rows_of(d, g->count, i, i + 1);
        for (; job.term < d->M; job.term++, job.W += step)
            d->steps->mix(&job, r.from, r.to - r.from, r.from);
    }
    wf_team_sync(t);
    wf_tile_fold(U, &d->hops, t);
    wf_team_sync(t);
    d->steps->store(&g->y, U, d->bias, d->in->act, all);
    wf_team_sync(t);
}

void wf_dconv_forward(const struct wf_dconv_plan *d, const struct wf_group *g, wf_real *tile,
                      struct wf_team t)
{
    if (d->mix_outside)
        mix_first(d, g, tile, t);
    else
        hops_first(d, g, tile, t);
}

void wf_workers_run(const struct wf_workers *w, int pieces,
                    void (*piece)(void *job, int i, wf_real *tile, struct wf_team t), void *job)
{
    int rank = omp_get_thread_num();
    wf_real *own = w->own + (size_t)rank * w->own_size;
    if (w->threads > 1 && pieces < 2 * w->threads) { /* all threads work on one at a time */
        struct wf_team t = { rank, omp_get_num_threads(), own };
        for (int i = 0; i < pieces; i++) piece(job, i, w->tiles, t);
    } else {
        wf_real *tile = w->tiles + (size_t)rank * w->tile_size;
#pragma omp for schedule(dynamic)
        for (int i = 0; i < pieces; i++) piece(job, i, tile, (struct wf_team){ 0, 1, own });
    }
}

struct call {
    struct wf_dconv_plan d;
    const struct wf_tensor *y, *dy;
};

static struct wf_group group(const struct call *c, int i)
{
    const struct wf_dconv_in *in = c->d.in;
    struct wf_group g = { .count = wf_group_count(&c->d, i),
                          .y = wf_group_of(&c->d, i, c->y),
                          .dy = wf_group_of(&c->d, i, c->dy) };
    for (int k = 0; k < 2; k++) {
        g.x[k] = wf_group_of(&c->d, i, in->x[k]);
        if (c->d.grad != NULL) g.dx[k] = wf_group_of(&c->d, i, c->d.grad->dx[k]);
    }
    return g;
}

static void forward(void *job, int i, wf_real *tile, struct wf_team t)
{
    struct wf_group g = group(job, i);
    wf_dconv_forward(&((struct call *)job)->d, &g, tile, t);
}

enum wf_status wf_cpu_dconv(struct wf_backend *be, struct wf_tensor *y,
                            const struct wf_dconv_in *in)
{
    struct call c = { .y = y };
    struct wf_dconv_plan *d = &c.d;
    struct wf_workers w;
    wf_dconv_plan_init(d, in, NULL, WF_LANES);
    if (d->B == 0 || d->N == 0) return WF_OK;
    WF_TRY(wf_dconv_allocate(be, d, 1, 0, &w));
#pragma omp parallel num_threads(w.threads)
    {
        unsigned flush = wf_cpu_flush_begin();
        wf_dconv_pack(d);
        wf_workers_run(&w, d->groups, forward, &c);
        wf_cpu_flush_end(flush);
    }
    return WF_OK;
}

/* dx (+)= X */
static void put_dx(const struct wf_dconv_plan *d, const struct wf_group *g, struct wf_tile X,
                   struct wf_tile_rows r)
{
    if (g->dx[1].data != NULL) d->steps->put(&g->dx[1], X, 0, r, d->add[1]);
    if (g->dx[0].data != NULL) d->steps->put(&g->dx[0], X, d->C1, r, d->add[0]);
}

static void add_dw(const struct wf_dconv_plan *d, struct wf_outer job, bool a_has_terms,
                   struct wf_team t)
{
    size_t step = (size_t)wf_panels(d->O) * (size_t)d->C * WF_PANEL;
    for (int m = 0; m < d->M; m++, job.D += step) {
        job.a = a_has_terms ? m : 0;
        job.b = a_has_terms ? 0 : m;
        d->steps->outer(&job, t);
    }
}

/* Adds a dT_m[i] . T_src[j] to dvalue of entry (i, j) for each hop m that uses the entry. */
static void add_dvalue(const struct wf_dconv_plan *d, struct wf_tile Z, struct wf_tile E,
                       wf_real *out, struct wf_team t)
{
    const struct wf_supports *S = d->in->S;
    for (int s = 0; s < S->count; out += S->pattern[s++]->nnz) {
        const struct wf_csr *A = S->pattern[s];
        int to = wf_team_from(t, t.rank + 1, A->rows);
        for (int m = 1; m < d->M; m++) {
            if (S->hop[m].support != s || d->grad->dvalue[s] == NULL) continue;
            const wf_real *e = wf_tile_panel(E, m, 0), *z = wf_tile_panel(Z, S->hop[m].src, 0);
            for (int i = wf_team_from(t, t.rank, A->rows); i < to; i++) {
                for (int k = A->ptr[i]; k < A->ptr[i + 1]; k++) {
                    wf_vec sum = vec_set(0);
                    for (int c = 0; c < d->C; c += WF_LANES) {
                        ptrdiff_t at = (ptrdiff_t)(c / WF_PANEL) * d->N * WF_PANEL + c % WF_PANEL;
                        sum = vec_fma(vec_load(e + at + (ptrdiff_t)i * WF_PANEL),
                                      vec_load(z + at + (ptrdiff_t)A->idx[k] * WF_PANEL), sum);
                    }
                    out[k] += (S->hop[m].sub < 0 ? 1 : 2) * vec_sum(sum);
                }
            }
        }
    }
}

static void mix_last(const struct wf_dconv_plan *d, const struct wf_group *g, wf_real *memory,
                     wf_real *part, struct wf_team t)
{
    int from = blocks_of(d, t, t.rank), to = blocks_of(d, t, t.rank + 1);
    struct wf_tile X = tile(d, memory, d->C), G = tile(d, memory + term_size(d, d->C), d->O);
    struct wf_tile dX = strip(d, t, d->Cx);
    struct wf_mix job = { .Y = dX, .A = G, .terms = d->M, .W = d->pack };
    struct wf_tile_rows all = rows_of(d, g->count, from, to);
    if (d->want_w) load_x(d, g, X, all);
    d->steps->load_grad(G, &g->dy, &g->y, d->in->act, all);
    wf_team_sync(t);
    wf_tile_build(G, &d->back, t);
    if (d->grad->db) d->steps->sum(part + d->db_at, G, t);
    wf_team_sync(t);
    for (int i = from; d->want_x && i < to; i++) {
        struct wf_tile_rows r = rows_of(d, g->count, i, i + 1);
        d->steps->mix(&job, r.from, r.to - r.from, 0);
        r.shift = r.from;
        put_dx(d, g, dX, r);
    }
    if (d->want_w) add_dw(d, (struct wf_outer){ .A = X, .B = G, .D = part }, false, t);
    wf_team_sync(t);
}

static void hops_last(const struct wf_dconv_plan *d, const struct wf_group *g, wf_real *memory,
                      wf_real *part, struct wf_team t)
{
    int from = blocks_of(d, t, t.rank), to = blocks_of(d, t, t.rank + 1);
    bool want_z = d->want_w || d->want_value;
    struct wf_tile Z = tile(d, memory, d->C), D = tile(d, NULL, d->O), E = tile(d, NULL, d->Cx);
    struct wf_tile_rows all = rows_of(d, g->count, from, to);
    D.x = Z.x + (size_t)d->M * term_size(d, d->C);
    E.x = D.x + term_size(d, d->O);
    if (want_z) load_x(d, g, Z, all);
    d->steps->load_grad(D, &g->dy, &g->y, d->in->act, all);
    for (int i = from; d->want_x && i < to; i++) {
        struct wf_mix job = { .Y = E, .A = D, .terms = 1, .W = d->pack };
        size_t step = (size_t)wf_panels(d->Cx) * (size_t)d->O * WF_PANEL;
        struct wf_tile_rows r = rows_of(d, g->count, i, i + 1);
        for (; job.term < d->M; job.term++, job.W += step)
            d->steps->mix(&job, r.from, r.to - r.from, r.from);
    }
    wf_team_sync(t);
    if (want_z) wf_tile_build(Z, &d->hops, t);
    if (d->want_x) wf_tile_fold(E, &d->back, t);
    if (d->grad->db) d->steps->sum(part + d->db_at, D, t);
    wf_team_sync(t);
    if (d->want_x) put_dx(d, g, E, all);
    if (d->want_w) add_dw(d, (struct wf_outer){ .A = Z, .B = D, .D = part }, true, t);
    if (d->want_value) add_dvalue(d, Z, E, part + d->dvalue_at, t);
    wf_team_sync(t);
}

static wf_real *part_of(const struct wf_dconv_plan *d, int chunk)
{
    return d->parts + (size_t)chunk * d->part_size;
}

int wf_dconv_chunk(const struct wf_dconv_plan *d, int chunk)
{
    return wf_block_from(chunk, d->chunks, d->groups);
}

void wf_dconv_clear(const struct wf_dconv_plan *d, int chunk, struct wf_team t)
{
    if (t.rank == 0) memset(part_of(d, chunk), 0, d->part_size * sizeof(wf_real));
    wf_team_sync(t);
}

void wf_dconv_backward(const struct wf_dconv_plan *d, int chunk, const struct wf_group *g,
                       wf_real *tile, struct wf_team t)
{
    if (d->mix_outside)
        mix_last(d, g, tile, part_of(d, chunk), t);
    else
        hops_last(d, g, tile, part_of(d, chunk), t);
}

static wf_real sum_parts(const struct wf_dconv_plan *d, size_t at)
{
    wf_real s = 0;
    for (int i = 0; i < d->chunks; i++) s += d->parts[(size_t)i * d->part_size + at];
    return s;
}

void wf_dconv_sum(const struct wf_dconv_plan *d)
{
    const struct wf_supports *S = d->in->S;
    int C = d->C, O = d->O, P = wf_panels(O);
#pragma omp for
    for (int mc = 0; mc < (d->want_w ? d->M * C : 0); mc++) {
        int m = mc / C, c = mc % C;
        wf_real *dw = d->grad->dw->data + ((ptrdiff_t)m * C + channel(d, c)) * O;
        for (int o = 0; o < O; o++) {
            ptrdiff_t row = ((ptrdiff_t)m * P + o / WF_PANEL) * C + c;
            dw[o] += sum_parts(d, (size_t)(row * WF_PANEL + o % WF_PANEL));
        }
    }
#pragma omp single
    {
        struct wf_tensor *db = d->grad->db;
        for (int o = 0; o < (db ? O : 0); o++)
            db->data[o * db->stride[0]] += sum_parts(d, d->db_at + (size_t)o);
    }
    size_t at = d->dvalue_at;
    for (int s = 0; s < (d->want_value ? S->count : 0); at += (size_t)S->pattern[s++]->nnz) {
        struct wf_tensor *dv = d->grad->dvalue[s];
#pragma omp for
        for (int e = 0; e < (dv ? S->pattern[s]->nnz : 0); e++)
            dv->data[e * dv->stride[0]] += sum_parts(d, at + (size_t)e);
    }
}

static void backward(void *job, int chunk, wf_real *tile, struct wf_team t)
{
    const struct call *c = job;
    wf_dconv_clear(&c->d, chunk, t);
    for (int i = wf_dconv_chunk(&c->d, chunk); i < wf_dconv_chunk(&c->d, chunk + 1); i++) {
        struct wf_group g = group(c, i);
        wf_dconv_backward(&c->d, chunk, &g, tile, t);
    }
}

enum wf_status wf_cpu_dconv_bwd(struct wf_backend *be, const struct wf_dconv_grad *grad,
                                const struct wf_dconv_in *in, const struct wf_tensor *y,
                                const struct wf_tensor *dy)
{
    struct call c = { .y = y, .dy = dy };
    struct wf_dconv_plan *d = &c.d;
    struct wf_workers w;
    wf_dconv_plan_init(d, in, grad, WF_LANES);
    for (int k = 0; k < 2; k++) d->add[k] = wf_grad_claim(grad->dx[k]);
    if (d->B == 0 || d->N == 0) return WF_OK;
    WF_TRY(wf_dconv_allocate(be, d, 1, 0, &w));
#pragma omp parallel num_threads(w.threads)
    {
        unsigned flush = wf_cpu_flush_begin();
        wf_dconv_pack(d);
        wf_workers_run(&w, d->chunks, backward, &c);
        wf_dconv_sum(d);
        wf_cpu_flush_end(flush);
    }
    return WF_OK;
}
