/* attention.c - attention, a panel of scores at a time, and its gradient. */
#include <math.h>
#include <omp.h>
#include "tensor/cpu/cpu_private.h"
#include "tensor/cpu/tile_private.h"

/* A thread computes one head of one group at a time. Scores are panels of 32 columns that stay in
 * cache: forward a column is a query, so that a softmax runs down a column and 16 of them go side
 * by side; in the gradient a column is a key. Both ways vectors are full, however narrow a head is.
 */

/* One head of one group in a tensor [.., rows, heads * width]: where it begins, and the distance
 * between its rows. */
struct head {
    wf_real *data;
    ptrdiff_t ld;
};

static struct wf_matrix rows_of(struct head h, int from)
{
    return (struct wf_matrix){ h.data + from * h.ld, h.ld, 1 };
}

static struct wf_matrix transposed(struct wf_matrix m)
{
    return (struct wf_matrix){ m.data, m.col, m.row };
}

static ptrdiff_t row_stride(const struct wf_tensor *t)
{
    return t->stride[t->ndim - 2];
}

static struct head head_of(const struct wf_tensor *t, ptrdiff_t group, int h, int heads)
{
    ptrdiff_t at = t->shape[t->ndim - 1] / heads * (ptrdiff_t)h;
    for (int i = t->ndim - 3; i >= 0; i--) {
        at += group % t->shape[i] * t->stride[i];
        group /= t->shape[i];
    }
    return (struct head){ t->data + at, row_stride(t) };
}

struct sizes {
    ptrdiff_t groups;
    int L, S, d, e, heads;
};

static struct sizes sizes_of(const struct wf_attention_in *in)
{
    int n = in->q->ndim;
    struct sizes z = { 1,
                       in->q->shape[n - 2],
                       in->k->shape[n - 2],
                       in->q->shape[n - 1] / in->heads,
                       in->v->shape[n - 1] / in->heads,
                       in->heads };
    for (int i = 0; i < n - 2; i++) z.groups *= in->q->shape[i];
    return z;
}

/* The arrays of one head of one group. */
struct job {
    struct head q, k, v, y, dy, dq, dk, dv; /* data is NULL where one is not wanted */
    wf_real *lse;
    bool add_q, add_k, add_v; /* whether to add to dq, dk, dv */
};

static struct job job_of(const struct wf_attention_in *in, const struct wf_tensor *y,
                         const struct wf_tensor *lse, ptrdiff_t job)
{
    int heads = in->heads, h = (int)(job % heads);
    ptrdiff_t group = job / heads;
    return (struct job){ .q = head_of(in->q, group, h, heads),
                         .k = head_of(in->k, group, h, heads),
                         .v = head_of(in->v, group, h, heads),
                         .y = head_of(y, group, h, heads),
                         .lse = lse->data + job * lse->shape[2] };
}

static void add_grads(struct job *j, const struct wf_attention_grad *grad,
                      const struct wf_tensor *dy, int heads, ptrdiff_t job)
{
    int h = (int)(job % heads);
    ptrdiff_t group = job / heads;
    j->dy = head_of(dy, group, h, heads);
    if (grad->dq) j->dq = head_of(grad->dq, group, h, heads);
    if (grad->dk) j->dk = head_of(grad->dk, group, h, heads);
    if (grad->dv) j->dv = head_of(grad->dv, group, h, heads);
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* Returns the size of a panel of so many rows, with the room that wf_cpu_pack() needs. */
static ptrdiff_t panel_size(int rows)
{
    return (ptrdiff_t)wf_blocks(rows, WF_LANES) * WF_LANES * WF_PANEL;
}

/* Rounds columns up to whole vectors. The columns that this adds are 0, and cost nothing. */
static int whole(int cols)
{
    return cols > WF_LANES ? WF_PANEL : WF_LANES;
}

/* Multiplies each column of the panel by its factor. */
static void scale_columns(wf_real *panel, int rows, int cols, const wf_real *by)
{
    for (int i = 0; i < rows; i++, panel += WF_PANEL)
        for (int j = 0; j < cols; j += WF_LANES)
            vec_store(panel + j, vec_mul(vec_load(panel + j), vec_load(by + j)));
}

/* panel [width, cols] = scale times the transpose of the head's rows [from, from + cols). */
static void pack_scaled(wf_real *panel, struct head h, int from, int width, int cols, double scale)
{
    wf_real by[WF_PANEL];
    for (int j = 0; j < WF_PANEL; j++) by[j] = (wf_real)scale;
    wf_cpu_pack(panel, transposed(rows_of(h, from)), width, cols);
    scale_columns(panel, width, cols, by);
}

static wf_real *scratch(struct wf_backend *be, ptrdiff_t each)
{
    return wf_cpu_scratch(be, (size_t)omp_get_max_threads() * (size_t)each * sizeof(wf_real));
}

static wf_real *take(wf_real **room, ptrdiff_t count)
{
    wf_real *p = *room;
    *room += count;
    return p;
}

/* ---- forward ---- */

/* The panels that a thread has to itself: queries, scores, mask and outputs, a column per query. */
struct room {
    wf_real *q, *s, *mask, *y;
};

static ptrdiff_t room_size(const struct sizes *z)
{
    return panel_size(z->d) + 2 * panel_size(z->S) + panel_size(z->e);
}

static struct room room_of(wf_real *all, const struct sizes *z)
{
    wf_real *p = all + omp_get_thread_num() * room_size(z);
    return (struct room){ take(&p, panel_size(z->d)), take(&p, panel_size(z->S)),
                          take(&p, panel_size(z->S)), take(&p, panel_size(z->e)) };
}

/* s = exp(s + mask - top) down each column of V vectors, where top is the largest number of the
 * column; sum is the sum of the column. Numbers add up in groups of 16 rows, which keeps the error
 * of long sums small. */
WF_INLINE void softmax(wf_real *s, const wf_real *mask, int S, wf_real *top, wf_real *sum, int V)
{
    wf_vec max[2], total[2];
    for (int v = 0; v < V; v++) {
        max[v] = vec_set(-INFINITY);
        total[v] = vec_set(0);
    }
    for (int j = 0; j < S; j++)
        for (int v = 0; v < V; v++) {
            ptrdiff_t at = (ptrdiff_t)j * WF_PANEL + v * WF_LANES;
            wf_vec x = vec_load(s + at);
            if (mask) {
                x = vec_add(x, vec_load(mask + at));
                vec_store(s + at, x);
            }
            max[v] = vec_max(max[v], x);
        }
    for (int from = 0; from < S; from += WF_LANES)
        for (int v = 0; v < V; v++) {
            wf_vec part = vec_set(0);
            for (int j = from; j < from + WF_LANES && j < S; j++) {
                wf_real *at = s + (ptrdiff_t)j * WF_PANEL + v * WF_LANES;
                wf_vec x = vec_exp(vec_sub(vec_load(at), max[v]));
                vec_store(at, x);
                part = vec_add(part, x);
            }
            total[v] = vec_add(total[v], part);
        }
    for (int v = 0; v < V; v++) {
        vec_store(top + v * WF_LANES, max[v]);
        vec_store(sum + v * WF_LANES, total[v]);
    }
}

/* Computes y, and the logarithms of the denominators, of at most 32 queries of a head. */
static void attend(const struct wf_attention_in *in, const struct sizes *z, struct room r,
                   const struct job *j, int from)
{
    int cols = min_int(WF_PANEL, z->L - from), n = whole(cols);
    const wf_real *mask = in->mask ? r.mask : NULL;
    wf_real top[WF_PANEL], sum[WF_PANEL];
    pack_scaled(r.q, j->q, from, z->d, cols, in->scale);
    wf_cpu_panel_product(z->S, n, z->d, rows_of(j->k, 0), r.q, 0, r.s, WF_PANEL);
    if (mask)
        wf_cpu_pack(r.mask, (struct wf_matrix){ in->mask->data + (ptrdiff_t)from * z->S, 1, z->S },
                    z->S, cols);
    if (n > WF_LANES)
        softmax(r.s, mask, z->S, top, sum, 2);
    else
        softmax(r.s, mask, z->S, top, sum, 1);
    wf_cpu_panel_product(z->e, n, z->S, transposed(rows_of(j->v, 0)), r.s, 0, r.y, WF_PANEL);
    for (int i = 0; i < cols; i++) {
        j->lse[from + i] = (wf_real)((double)top[i] + log((double)sum[i]));
        sum[i] = 1 / sum[i];
    }
    scale_columns(r.y, z->e, cols, sum);
    wf_cpu_unpack(j->y.data + from * j->y.ld, j->y.ld, r.y, z->e, cols, false);
}

enum wf_status wf_cpu_attention(struct wf_backend *be, struct wf_tensor *y, struct wf_tensor *lse,
                                const struct wf_attention_in *in)
{
    struct sizes z = sizes_of(in);
    int panels = wf_panels(z.L);
    wf_real *all = scratch(be, room_size(&z));
    if (!all) return WF_ENOMEM;
#pragma omp parallel for schedule(static)
    for (ptrdiff_t i = 0; i < z.groups * z.heads * panels; i++) {
        struct job j = job_of(in, y, lse, i / panels);
        attend(in, &z, room_of(all, &z), &j, (int)(i % panels) * WF_PANEL);
    }
    return WF_OK;
}

/* ---- gradient ----
 * With P the softmax, which is computed again, and D_i = <dy_i, y_i>,
 *     dV = P^T dY,  dS = P (dY V^T - D) scale,  dQ = dS K,  dK = dS^T Q
 * for a panel of keys and a block of queries at a time. */

enum { BLOCK = 96 };

/* What a thread has to itself: the panels of keys, values and their gradients, [width, 32]; of P
 * and dS, [BLOCK, 32]; and D of all queries. */
struct grad_room {
    wf_real *k, *v, *dk, *dv, *p, *ds, *D;
};

static ptrdiff_t grad_room_size(const struct sizes *z)
{
    return 2 * panel_size(z->d) + 2 * panel_size(z->e) + 2 * panel_size(BLOCK) + panel_size(z->L);
}

static struct grad_room grad_room_of(wf_real *all, const struct sizes *z)
{
    wf_real *p = all + omp_get_thread_num() * grad_room_size(z);
    ptrdiff_t d = panel_size(z->d), e = panel_size(z->e), block = panel_size(BLOCK);
    return (struct grad_room){
        take(&p, d), take(&p, e), take(&p, d), take(&p, e), take(&p, block), take(&p, block), p
    };
}

static void row_dots(wf_real *D, const struct sizes *z, struct head a, struct head b)
{
    for (int i = 0; i < z->L; i++) {
        wf_vec sum = vec_set(0);
        for (int c = 0; c < z->e; c += WF_LANES) {
            int n = min_int(WF_LANES, z->e - c);
            sum = vec_fma(vec_load_some(a.data + i * a.ld + c, n),
                          vec_load_some(b.data + i * b.ld + c, n), sum);
        }
        D[i] = vec_sum(sum);
    }
}

/* A block of the scores: keys [at, at + cols), at most 32, and queries [from, from + rows). */
struct block {
    int at, cols, from, rows;
};

/* Turns the scores in p into P, and dY V^T in ds into dS. */
static void score_grad(const struct wf_attention_in *in, const struct grad_room *r,
                       const wf_real *lse, struct block b)
{
    ptrdiff_t S = in->k->shape[in->k->ndim - 2];
    wf_vec scale = vec_set((wf_real)in->scale);
    for (int i = 0; i < b.rows; i++) {
        wf_vec norm = vec_set(lse[b.from + i]), D = vec_set(r->D[b.from + i]);
        const wf_real *mask = in->mask ? in->mask->data + (b.from + i) * S + b.at : NULL;
        for (int j = 0; j < b.cols; j += WF_LANES) {
            wf_real *p = r->p + i * WF_PANEL + j, *ds = r->ds + i * WF_PANEL + j;
            wf_vec x = vec_load(p);
            if (mask) x = vec_add(x, vec_load_some(mask + j, min_int(WF_LANES, b.cols - j)));
            x = vec_exp(vec_sub(x, norm));
            vec_store(p, x);
            vec_store(ds, vec_mul(vec_mul(x, scale), vec_sub(vec_load(ds), D)));
        }
    }
}

static void block_bwd(const struct job *j, const struct wf_attention_in *in, const struct sizes *z,
                      const struct grad_room *r, struct block b)
{
    int n = whole(b.cols);
    wf_real beta = b.from > 0;
    struct wf_matrix q = rows_of(j->q, b.from), dy = rows_of(j->dy, b.from);
    wf_cpu_panel_product(b.rows, n, z->d, q, r->k, 0, r->p, WF_PANEL);
    wf_cpu_panel_product(b.rows, n, z->e, dy, r->v, 0, r->ds, WF_PANEL);
    score_grad(in, r, j->lse, b);
    if (j->dq.data)
        wf_cpu_product(b.rows, z->d, b.cols, (struct wf_matrix){ r->ds, WF_PANEL, 1 },
                       rows_of(j->k, b.at), b.at > 0 || j->add_q, j->dq.data + b.from * j->dq.ld,
                       j->dq.ld);
    if (j->dk.data)
        wf_cpu_panel_product(z->d, n, b.rows, transposed(q), r->ds, beta, r->dk, WF_PANEL);
    if (j->dv.data)
        wf_cpu_panel_product(z->e, n, b.rows, transposed(dy), r->p, beta, r->dv, WF_PANEL);
}

static void head_bwd(const struct job *j, const struct wf_attention_in *in, const struct sizes *z,
                     const struct grad_room *r)
{
    int blocks = wf_blocks(z->L, BLOCK);
    row_dots(r->D, z, j->y, j->dy);
    for (int at = 0; at < z->S; at += WF_PANEL) {
        struct block b = { .at = at, .cols = min_int(WF_PANEL, z->S - at) };
        pack_scaled(r->k, j->k, at, z->d, b.cols, in->scale);
        wf_cpu_pack(r->v, transposed(rows_of(j->v, at)), z->e, b.cols);
        for (int i = 0; i < blocks; i++) {
            b.from = wf_block_from(i, blocks, z->L);
            b.rows = wf_block_from(i + 1, blocks, z->L) - b.from;
            block_bwd(j, in, z, r, b);
        }
        if (j->dk.data)
            wf_cpu_unpack(j->dk.data + at * j->dk.ld, j->dk.ld, r->dk, z->d, b.cols, j->add_k);
        if (j->dv.data)
            wf_cpu_unpack(j->dv.data + at * j->dv.ld, j->dv.ld, r->dv, z->e, b.cols, j->add_v);
    }
}

enum wf_status wf_cpu_attention_bwd(struct wf_backend *be, const struct wf_attention_grad *grad,
                                    const struct wf_attention_in *in, const struct wf_tensor *y,
                                    const struct wf_tensor *lse, const struct wf_tensor *dy)
{
    struct sizes z = sizes_of(in);
    if (z.L == 0 || z.S == 0) return WF_OK;
    wf_real *all = scratch(be, grad_room_size(&z));
    if (!all) return WF_ENOMEM;
    bool add_q = wf_grad_claim(grad->dq), add_k = wf_grad_claim(grad->dk);
    bool add_v = wf_grad_claim(grad->dv);
#pragma omp parallel for schedule(static)
    for (ptrdiff_t i = 0; i < z.groups * z.heads; i++) {
        struct job j = job_of(in, y, lse, i);
        j.add_q = add_q;
        j.add_k = add_k;
        j.add_v = add_v;
        add_grads(&j, grad, dy, z.heads, i);
        struct grad_room r = grad_room_of(all, &z);
        head_bwd(&j, in, &z, &r);
    }
    return WF_OK;
}
