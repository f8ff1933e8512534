#include <math.h>
#include <omp.h>
#include "tensor/cpu/cpu.h"
#include "tensor/cpu/vmath.h"

/* One head of one group at a time, BLOCK rows of scores at a time, which stay in cache. Heads lie
 * side by side in a row, so BLAS reads and writes them where they are. */
enum { BLOCK = 64 };

/* [.., rows, heads * width]: where a head of a group begins, and its rows. */
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

/* Room for `blocks` blocks of scores per thread. */
static wf_real *scores(struct wf_backend *be, const struct sizes *z, int blocks)
{
    size_t one = (size_t)blocks * BLOCK * (size_t)z->S;
    return wf_cpu_scratch(be, (size_t)omp_get_max_threads() * one * sizeof(wf_real) + 64);
}

static wf_real *own(wf_real *all, const struct sizes *z, int blocks)
{
    return all + (ptrdiff_t)omp_get_thread_num() * blocks * BLOCK * z->S;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* s = exp(scale s + mask - max); returns the sum, and max in *top. */
static double exp_row(wf_real *s, const struct wf_attention_in *in, int row, int S, wf_real *top)
{
    wf_real scale = (wf_real)in->scale, max = -INFINITY;
    const wf_real *mask = in->mask ? in->mask->data + (ptrdiff_t)row * S : NULL;
    double sum = 0;
    if (mask)
        for (int j = 0; j < S; j++) s[j] = scale * s[j] + mask[j];
    else
        for (int j = 0; j < S; j++) s[j] *= scale;
    for (int j = 0; j < S; j++) max = s[j] > max ? s[j] : max;
#pragma omp simd
    for (int j = 0; j < S; j++) s[j] = wf_vexp(s[j] - max);
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < S; j++) sum += (double)s[j];
    *top = max;
    return sum;
}

enum wf_status wf_cpu_attention(struct wf_backend *be, struct wf_tensor *y, struct wf_tensor *lse,
                                const struct wf_attention_in *in)
{
    struct sizes z = sizes_of(in);
    int blocks = (z.L + BLOCK - 1) / BLOCK;
    wf_real *all = scores(be, &z, 1);
    if (!all) return WF_ENOMEM;
#pragma omp parallel for schedule(static)
    for (ptrdiff_t job = 0; job < z.groups * z.heads * blocks; job++) {
        int from = (int)(job % blocks) * BLOCK, rows = min_int(BLOCK, z.L - from);
        int h = (int)(job / blocks % z.heads);
        ptrdiff_t group = job / blocks / z.heads;
        struct head q = head_of(in->q, group, h, z.heads), k = head_of(in->k, group, h, z.heads);
        struct head v = head_of(in->v, group, h, z.heads), to = head_of(y, group, h, z.heads);
        wf_real *s = own(all, &z, 1), *out = to.data + (ptrdiff_t)from * to.ld;
        wf_real *norm = lse->data + (group * z.heads + h) * z.L + from, inv[BLOCK];
        struct wf_matrix P = { s, z.S, 1 };
        wf_cpu_product(rows, z.S, z.d, rows_of(q, from), transposed(rows_of(k, 0)), 0, s, z.S);
        for (int i = 0; i < rows; i++) {
            wf_real top;
            double sum = exp_row(s + (ptrdiff_t)i * z.S, in, from + i, z.S, &top);
            norm[i] = (wf_real)((double)top + log(sum));
            inv[i] = (wf_real)(1 / sum);
        }
        wf_cpu_product(rows, z.e, z.S, P, rows_of(v, 0), 0, out, to.ld);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < z.e; j++) out[(ptrdiff_t)i * to.ld + j] *= inv[i];
    }
    return WF_OK;
}

/* ---- gradient ---- with P the softmax, computed again, and D_i = <dy_i, y_i>:
 *     dV = P^T dY,  dS = P (dY V^T - D) scale,  dQ = dS K,  dK = dS^T Q */

struct block {
    struct head q, k, v, y, dy;
    const wf_real *norm;
    int from, rows;
};

/* P into s and dS into ds, BLOCK x S each. */
static void score_grad(const struct wf_attention_in *in, const struct sizes *z,
                       const struct block *b, wf_real *s, wf_real *ds)
{
    wf_real scale = (wf_real)in->scale;
    wf_cpu_product(b->rows, z->S, z->d, rows_of(b->q, b->from), transposed(rows_of(b->k, 0)), 0, s,
                   z->S);
    wf_cpu_product(b->rows, z->S, z->e, rows_of(b->dy, b->from), transposed(rows_of(b->v, 0)), 0,
                   ds, z->S);
    for (int i = 0; i < b->rows; i++) {
        const wf_real *y = b->y.data + (ptrdiff_t)(b->from + i) * b->y.ld;
        const wf_real *dy = b->dy.data + (ptrdiff_t)(b->from + i) * b->dy.ld;
        const wf_real *mask = in->mask ? in->mask->data + (ptrdiff_t)(b->from + i) * z->S : NULL;
        wf_real *p = s + (ptrdiff_t)i * z->S, *d = ds + (ptrdiff_t)i * z->S, dot = 0;
        wf_real norm = b->norm[b->from + i];
        for (int j = 0; j < z->e; j++) dot += y[j] * dy[j];
        if (mask)
            for (int j = 0; j < z->S; j++) p[j] = scale * p[j] + mask[j];
        else
            for (int j = 0; j < z->S; j++) p[j] *= scale;
#pragma omp simd
        for (int j = 0; j < z->S; j++) {
            p[j] = wf_vexp(p[j] - norm);
            d[j] = p[j] * (d[j] - dot) * scale;
        }
    }
}

enum wf_status wf_cpu_attention_bwd(struct wf_backend *be, const struct wf_attention_grad *grad,
                                    const struct wf_attention_in *in, const struct wf_tensor *y,
                                    const struct wf_tensor *lse, const struct wf_tensor *dy)
{
    struct sizes z = sizes_of(in);
    wf_real *all = scores(be, &z, 2);
    if (!all) return WF_ENOMEM;
#pragma omp parallel for schedule(static)
    for (ptrdiff_t job = 0; job < z.groups * z.heads; job++) {
        int h = (int)(job % z.heads);
        ptrdiff_t group = job / z.heads;
        struct block b = { head_of(in->q, group, h, z.heads),
                           head_of(in->k, group, h, z.heads),
                           head_of(in->v, group, h, z.heads),
                           head_of(y, group, h, z.heads),
                           head_of(dy, group, h, z.heads),
                           lse->data + job * z.L,
                           0,
                           0 };
        struct head d[3] = { { 0 } };
        struct wf_tensor *g[3] = { grad->dq, grad->dk, grad->dv };
        for (int i = 0; i < 3; i++)
            if (g[i]) d[i] = head_of(g[i], group, h, z.heads);
        wf_real *s = own(all, &z, 2), *ds = s + (ptrdiff_t)BLOCK * z.S;
        for (b.from = 0; b.from < z.L; b.from += BLOCK) {
            b.rows = min_int(BLOCK, z.L - b.from);
            score_grad(in, &z, &b, s, ds);
            struct wf_matrix P = { s, z.S, 1 }, dS = { ds, z.S, 1 };
            if (g[0])
                wf_cpu_product(b.rows, z.d, z.S, dS, rows_of(b.k, 0), 1,
                               d[0].data + b.from * d[0].ld, d[0].ld);
            if (g[1])
                wf_cpu_product(z.S, z.d, b.rows, transposed(dS), rows_of(b.q, b.from), 1, d[1].data,
                               d[1].ld);
            if (g[2])
                wf_cpu_product(z.S, z.e, b.rows, transposed(P), rows_of(b.dy, b.from), 1, d[2].data,
                               d[2].ld);
        }
    }
    return WF_OK;
}
