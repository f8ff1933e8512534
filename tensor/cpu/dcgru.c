/* dcgru.c - a diffusion convolutional GRU cell and its gradient.
 *
 * A group of samples goes through the whole cell while it is in the cache of its core: both
 * convolutions (dconv_private.h) and what lies between them. In between, only r, z and the
 * candidate go to memory, because the gradient needs them; it computes r h again. */
#include "tensor/cpu/cpu_private.h"
#include "tensor/cpu/dconv_private.h"

enum { GATES, CAND };

struct cell {
    const struct wf_tensor *x, *h, *rz, *c, *y, *dy;
    struct wf_tensor *dx, *dh;
    int H;
    bool add_h; /* whether to add to dh */
    struct wf_dconv_in in[2];
    struct wf_dconv_grad grad[2];
    struct wf_tensor inner; /* takes the place of dx[1] of the candidate */
    struct wf_dconv_plan plan[2];
};

static void plan(struct cell *k, const struct wf_dcgru_in *in, const struct wf_dcgru_grad *grad)
{
    const struct wf_dconv_grad *d[2] = { NULL, NULL };
    k->x = in->x;
    k->h = in->h;
    k->H = in->h->shape[2];
    for (int i = 0; i < 2; i++) {
        k->in[i] = (struct wf_dconv_in){ in->S, { in->x, in->h }, in->w[i], in->b[i], WF_ACT_NONE };
        k->in[i].act = i == 0 ? WF_ACT_SIGMOID : WF_ACT_TANH;
        if (grad == NULL) continue;
        k->grad[i] = (struct wf_dconv_grad){ .dw = grad->dw[i], .db = grad->db[i] };
        k->grad[i].dx[0] = grad->dx;
        k->grad[i].dx[1] = i == 0 ? grad->dh : &k->inner;
        for (int s = 0; s < WF_MAXSUPPORT; s++) k->grad[i].dvalue[s] = grad->dvalue[s];
        d[i] = &k->grad[i];
    }
    wf_dconv_plan_init(&k->plan[GATES], &k->in[0], d[0], WF_LANES);
    wf_dconv_plan_init(&k->plan[CAND], &k->in[1], d[1], k->plan[GATES].lanes);
    if (k->plan[CAND].lanes < k->plan[GATES].lanes)
        wf_dconv_plan_init(&k->plan[GATES], &k->in[0], d[0], k->plan[CAND].lanes);
}

/* Returns how many numbers stand in front of a tile: twice the width of the state for each row of a
 * group. */
static size_t temp_size(const struct cell *k)
{
    size_t n = (size_t)k->plan[GATES].lanes * (size_t)k->plan[GATES].N * 2 * (size_t)k->H;
    return (n + WF_LANES - 1) / WF_LANES * WF_LANES;
}

/* Columns [first, first + width) of the numbers in front of the tile. */
static struct wf_tensor temp(const struct cell *k, wf_real *memory, int first, int width)
{
    struct wf_tensor t = { .data = memory + first };
    wf_tensor_shape(&t, 3, wf_dims(k->plan[GATES].lanes, k->plan[GATES].N, 2 * k->H));
    t.shape[2] = width;
    return t;
}

static wf_real *row(const struct wf_tensor *t, int b, int i)
{
    return t->data + b * t->stride[0] + i * t->stride[1];
}

/* Loops over the rows that are this thread's: row i of sample b. */
#define EACH_ROW(b, i, rows)                                                                       \
    for (int b = 0; b < (rows).count; b++)                                                         \
        for (int i = (rows).from; i < (rows).to; i++)

/* to = r h */
static void reset(const struct wf_tensor *to, const struct wf_tensor *rz, const struct wf_tensor *h,
                  struct wf_tile_rows rows)
{
    EACH_ROW(b, i, rows)
    WF_EACH_VECTOR(c, n, h->shape[2])
    {
        wf_vec r = vec_load_some(row(rz, b, i) + c, n), x = vec_load_some(row(h, b, i) + c, n);
        vec_store_some(row(to, b, i) + c, vec_mul(r, x), n);
    }
}

static void forward(void *job, int i, wf_real *memory, struct wf_team t)
{
    const struct cell *k = job;
    wf_real *tile = memory + temp_size(k);
    struct wf_group g = { .count = wf_group_count(&k->plan[GATES], i),
                          .x = { wf_group_of(&k->plan[GATES], i, k->x),
                                 wf_group_of(&k->plan[GATES], i, k->h) },
                          .y = wf_group_of(&k->plan[GATES], i, k->rz) };
    struct wf_tensor h = g.x[1], rz = g.y, y = wf_group_of(&k->plan[GATES], i, k->y);
    struct wf_tile_rows rows = wf_group_rows(&k->plan[GATES], g.count, t);
    wf_dconv_forward(&k->plan[GATES], &g, tile, t);
    g.x[1] = temp(k, memory, 0, k->H);
    reset(&g.x[1], &rz, &h, rows);
    wf_team_sync(t);
    g.y = wf_group_of(&k->plan[GATES], i, k->c);
    wf_dconv_forward(&k->plan[CAND], &g, tile, t);
    EACH_ROW(b, j, rows)
    WF_EACH_VECTOR(c, n, k->H)
    {
        wf_vec a = vec_load_some(row(&g.y, b, j) + c, n),
               z = vec_load_some(row(&rz, b, j) + k->H + c, n),
               d = vec_sub(vec_load_some(row(&h, b, j) + c, n), a);
        vec_store_some(row(&y, b, j) + c, vec_fma(z, d, a), n);
    }
}

enum wf_status wf_cpu_dcgru(struct wf_backend *be, struct wf_tensor *y, struct wf_tensor *rz,
                            struct wf_tensor *c, const struct wf_dcgru_in *in)
{
    struct cell k = { .y = y, .rz = rz, .c = c };
    struct wf_workers w;
    plan(&k, in, NULL);
    if (k.plan[GATES].B == 0 || k.plan[GATES].N == 0) return WF_OK;
    WF_TRY(wf_dconv_allocate(be, k.plan, 2, temp_size(&k), &w));
#pragma omp parallel num_threads(w.threads)
    {
        unsigned flush = wf_cpu_flush_begin();
        wf_dconv_pack(&k.plan[GATES]);
        wf_dconv_pack(&k.plan[CAND]);
        wf_workers_run(&w, k.plan[GATES].groups, forward, &k);
        wf_cpu_flush_end(flush);
    }
    return WF_OK;
}

/* dc = dy (1 - z) */
static void update_bwd(const struct wf_tensor *dc, const struct wf_tensor *rz,
                       const struct wf_tensor *dy, struct wf_tile_rows rows)
{
    int H = dc->shape[2];
    EACH_ROW(b, i, rows)
    WF_EACH_VECTOR(c, n, H)
    {
        wf_vec z = vec_load_some(row(rz, b, i) + H + c, n), d = vec_load_some(row(dy, b, i) + c, n);
        vec_store_some(row(dc, b, i) + c, vec_mul(d, vec_sub(vec_set(1), z)), n);
    }
}

/* Computes dr = d h, dz = dy (h - c) and dh (+)= dy z + d r, where d, the gradient of r h, is read
 * from the second half of drz before it is overwritten. */
static void reset_bwd(const struct cell *k, const struct wf_tensor *drz, const struct wf_tensor *dh,
                      const struct wf_group *g, const struct wf_tensor *cand,
                      const struct wf_tensor *dy, struct wf_tile_rows rows)
{
    int H = k->H;
    EACH_ROW(b, i, rows)
    WF_EACH_VECTOR(c, n, H)
    {
        wf_real *to = row(drz, b, i) + c;
        const wf_real *rz = row(&g->y, b, i) + c;
        wf_vec d = vec_load_some(to + H, n), e = vec_load_some(row(dy, b, i) + c, n),
               h = vec_load_some(row(&g->x[1], b, i) + c, n),
               a = vec_load_some(row(cand, b, i) + c, n);
        vec_store_some(to, vec_mul(d, h), n);
        vec_store_some(to + H, vec_mul(e, vec_sub(h, a)), n);
        if (dh->data == NULL) continue;
        wf_real *sum = row(dh, b, i) + c;
        d = vec_mul(d, vec_load_some(rz, n));
        d = vec_fma(e, vec_load_some(rz + H, n), d);
        vec_store_some(sum, k->add_h ? vec_add(vec_load_some(sum, n), d) : d, n);
    }
}

static void group_backward(const struct cell *k, int chunk, int i, wf_real *memory,
                           struct wf_team t)
{
    const struct wf_dconv_plan *p = &k->plan[GATES];
    wf_real *tile = memory + temp_size(k);
    struct wf_tensor dy = wf_group_of(p, i, k->dy), inner = temp(k, memory, k->H, k->H);
    struct wf_group gates = { .count = wf_group_count(p, i),
                              .x = { wf_group_of(p, i, k->x), wf_group_of(p, i, k->h) },
                              .y = wf_group_of(p, i, k->rz),
                              .dy = temp(k, memory, 0, 2 * k->H),
                              .dx = { wf_group_of(p, i, k->dx), wf_group_of(p, i, k->dh) } };
    struct wf_group cand = gates;
    struct wf_tile_rows rows = wf_group_rows(p, gates.count, t);
    cand.x[1] = temp(k, memory, 0, k->H);
    cand.y = wf_group_of(p, i, k->c);
    cand.dy = cand.dx[1] = inner;
    reset(&cand.x[1], &gates.y, &gates.x[1], rows);
    update_bwd(&inner, &gates.y, &dy, rows);
    wf_team_sync(t);
    wf_dconv_backward(&k->plan[CAND], chunk, &cand, tile, t);
    reset_bwd(k, &gates.dy, &gates.dx[1], &gates, &cand.y, &dy, rows);
    wf_team_sync(t);
    wf_dconv_backward(&k->plan[GATES], chunk, &gates, tile, t);
}

static void backward(void *job, int chunk, wf_real *memory, struct wf_team t)
{
    const struct cell *k = job;
    const struct wf_dconv_plan *p = &k->plan[GATES];
    wf_dconv_clear(&k->plan[GATES], chunk, t);
    wf_dconv_clear(&k->plan[CAND], chunk, t);
    for (int i = wf_dconv_chunk(p, chunk); i < wf_dconv_chunk(p, chunk + 1); i++)
        group_backward(k, chunk, i, memory, t);
}

enum wf_status wf_cpu_dcgru_bwd(struct wf_backend *be, const struct wf_dcgru_grad *grad,
                                const struct wf_dcgru_in *in, const struct wf_tensor *rz,
                                const struct wf_tensor *c, const struct wf_tensor *dy)
{
    struct cell k = { .rz = rz, .c = c, .dy = dy, .dx = grad->dx, .dh = grad->dh };
    struct wf_workers w;
    plan(&k, in, grad);
    k.plan[CAND].add[0] = wf_grad_claim(grad->dx);
    k.plan[CAND].add[1] = false;
    k.add_h = wf_grad_claim(grad->dh);
    if (k.plan[GATES].B == 0 || k.plan[GATES].N == 0) return WF_OK;
    WF_TRY(wf_dconv_allocate(be, k.plan, 2, temp_size(&k), &w));
#pragma omp parallel num_threads(w.threads)
    {
        unsigned flush = wf_cpu_flush_begin();
        wf_dconv_pack(&k.plan[GATES]);
        wf_dconv_pack(&k.plan[CAND]);
        wf_workers_run(&w, k.plan[GATES].chunks, backward, &k);
        wf_dconv_sum(&k.plan[GATES]);
        wf_dconv_sum(&k.plan[CAND]);
        wf_cpu_flush_end(flush);
    }
    return WF_OK;
}
