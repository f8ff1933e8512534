/* edge.c - sums, softmax and maxima over the entries of a row of a sparse matrix. */
#include "tensor/cpu/cpu_private.h"
#include "tensor/cpu/vmath_private.h"

/* Describes a vector, or a matrix with a row per sample, of numbers per node or per entry. Element
 * (b, i) is p[b * lead + i * step]. */
struct rows {
    wf_real *p;
    int B;
    ptrdiff_t lead, step;
};

static struct rows rows_of(const struct wf_tensor *x)
{
    bool one = x->ndim == 1;
    return (struct rows){ .p = x->data,
                          .B = one ? 1 : x->shape[0],
                          .lead = one ? 0 : x->stride[0],
                          .step = x->stride[x->ndim - 1] };
}

static bool many(const struct wf_csr *A, int B)
{
    return (ptrdiff_t)A->nnz * B > 1 << 14;
}

enum wf_status wf_cpu_edge_sum(struct wf_backend *be, struct wf_tensor *y, const struct wf_csr *A,
                               const struct wf_tensor *x, bool columns, bool add)
{
    (void)be;
    const int *ptr = columns ? A->tptr : A->ptr;
    struct rows in = rows_of(x), out = rows_of(y);
    int n = columns ? A->cols : A->rows;
#pragma omp parallel for collapse(2) if (many(A, in.B))
    for (int b = 0; b < in.B; b++) {
        for (int i = 0; i < n; i++) {
            wf_real s = 0, *to = out.p + b * out.lead + i * out.step;
            for (int e = ptr[i]; e < ptr[i + 1]; e++)
                s += in.p[b * in.lead + (columns ? A->tperm[e] : e) * in.step];
            *to = add ? *to + s : s;
        }
    }
    return WF_OK;
}

enum wf_status wf_cpu_edge_spread(struct wf_backend *be, struct wf_tensor *y,
                                  const struct wf_csr *A, const struct wf_tensor *x, bool columns,
                                  bool add)
{
    (void)be;
    struct rows in = rows_of(x), out = rows_of(y);
#pragma omp parallel for collapse(2) if (many(A, in.B))
    for (int b = 0; b < in.B; b++) {
        for (int i = 0; i < A->rows; i++) {
            for (int e = A->ptr[i]; e < A->ptr[i + 1]; e++) {
                wf_real v = in.p[b * in.lead + (columns ? A->idx[e] : i) * in.step];
                wf_real *to = out.p + b * out.lead + e * out.step;
                *to = add ? *to + v : v;
            }
        }
    }
    return WF_OK;
}

/* ---- softmax over the entries of a row ---- */

static void softmax_row(wf_real *y, ptrdiff_t ys, const wf_real *x, ptrdiff_t xs, int n)
{
    wf_real top = x[0];
    double total = 0;
    for (int e = 1; e < n; e++) top = x[e * xs] > top ? x[e * xs] : top;
    for (int e = 0; e < n; e++) {
        y[e * ys] = wf_vexp(x[e * xs] - top);
        total += (double)y[e * ys];
    }
    for (int e = 0; e < n; e++) y[e * ys] *= (wf_real)(1 / total);
}

enum wf_status wf_cpu_edge_softmax(struct wf_backend *be, struct wf_tensor *y,
                                   const struct wf_csr *A, const struct wf_tensor *x)
{
    (void)be;
    struct rows in = rows_of(x), out = rows_of(y);
#pragma omp parallel for collapse(2) if (many(A, in.B))
    for (int b = 0; b < in.B; b++) {
        for (int i = 0; i < A->rows; i++) {
            int e = A->ptr[i], n = A->ptr[i + 1] - e;
            if (n > 0)
                softmax_row(out.p + b * out.lead + e * out.step, out.step,
                            in.p + b * in.lead + e * in.step, in.step, n);
        }
    }
    return WF_OK;
}

/* Adds y (dy - <y, dy>) to dx, with the inner product over the entries of a row. */
enum wf_status wf_cpu_edge_softmax_bwd(struct wf_backend *be, struct wf_tensor *dx,
                                       const struct wf_csr *A, const struct wf_tensor *y,
                                       const struct wf_tensor *dy)
{
    (void)be;
    struct rows to = rows_of(dx), v = rows_of(y), d = rows_of(dy);
#pragma omp parallel for collapse(2) if (many(A, v.B))
    for (int b = 0; b < v.B; b++) {
        for (int i = 0; i < A->rows; i++) {
            const wf_real *yb = v.p + b * v.lead, *db = d.p + b * d.lead;
            double dot = 0;
            for (int e = A->ptr[i]; e < A->ptr[i + 1]; e++)
                dot += (double)yb[e * v.step] * (double)db[e * d.step];
            for (int e = A->ptr[i]; e < A->ptr[i + 1]; e++)
                to.p[b * to.lead + e * to.step] += yb[e * v.step] * (db[e * d.step] - (wf_real)dot);
        }
    }
    return WF_OK;
}

/* ---- largest message of a row ---- */

enum { CHANNELS = 64 };

/* Describes the messages of a sample, which are val[e] x[idx[e], :]. */
struct messages {
    const struct wf_csr *A;
    struct rows val;
    const struct wf_tensor *x;
};

static wf_real factor(const struct messages *m, int b, int e)
{
    return m->val.p[b * m->val.lead + e * m->val.step];
}

static const wf_real *source(const struct messages *m, int b, int e, int c)
{
    return m->x->data + b * m->x->stride[0] + m->A->idx[e] * m->x->stride[1] + c;
}

/* Finds, for n channels from channel c on, the largest message of row i and the first entry that
 * attains it; NaN is above all numbers. For an empty row these are the message 0 and entry -1. */
static void largest(const struct messages *m, int b, int i, int c, int n, int *best, wf_real *top)
{
    for (int k = 0; k < n; k++) {
        best[k] = -1;
        top[k] = 0;
    }
    for (int e = m->A->ptr[i]; e < m->A->ptr[i + 1]; e++) {
        wf_real w = factor(m, b, e);
        const wf_real *x = source(m, b, e, c);
        for (int k = 0; k < n; k++) {
            wf_real v = w * x[k];
            if (best[k] >= 0 && (v <= top[k] || top[k] != top[k])) continue;
            best[k] = e;
            top[k] = v;
        }
    }
}

enum wf_status wf_cpu_edge_max(struct wf_backend *be, struct wf_tensor *y, const struct wf_csr *A,
                               const struct wf_tensor *val, const struct wf_tensor *x)
{
    (void)be;
    struct messages m = { A, rows_of(val), x };
    int B = y->shape[0], C = y->shape[2];
#pragma omp parallel for collapse(2) if (many(A, B * C))
    for (int b = 0; b < B; b++) {
        for (int i = 0; i < A->rows; i++) {
            wf_real *out = y->data + b * y->stride[0] + i * y->stride[1];
            int best[CHANNELS];
            for (int c = 0; c < C; c += CHANNELS)
                largest(&m, b, i, c, C - c < CHANNELS ? C - c : CHANNELS, best, out + c);
        }
    }
    return WF_OK;
}

/* Different rows may read the same source, so a thread takes some channels of a sample and walks
 * over all rows. */
static void max_bwd_x(struct wf_tensor *dx, const struct messages *m, const struct wf_tensor *dy)
{
    int B = dx->shape[0], C = dx->shape[2];
#pragma omp parallel for collapse(2) if (many(m->A, B * C))
    for (int b = 0; b < B; b++) {
        for (int c = 0; c < C; c += CHANNELS) {
            int best[CHANNELS], n = C - c < CHANNELS ? C - c : CHANNELS;
            wf_real top[CHANNELS], *to = dx->data + b * dx->stride[0] + c;
            for (int i = 0; i < m->A->rows; i++) {
                const wf_real *d = dy->data + b * dy->stride[0] + i * dy->stride[1] + c;
                largest(m, b, i, c, n, best, top);
                for (int k = 0; k < n; k++)
                    if (best[k] >= 0)
                        to[m->A->idx[best[k]] * dx->stride[1] + k] += factor(m, b, best[k]) * d[k];
            }
        }
    }
}

/* Every entry belongs to one row, so a thread takes some rows and walks over all samples. */
static void max_bwd_val(struct wf_tensor *dval, const struct messages *m,
                        const struct wf_tensor *dy)
{
    struct rows to = rows_of(dval);
    int B = dy->shape[0], C = dy->shape[2];
#pragma omp parallel for if (many(m->A, B * C))
    for (int i = 0; i < m->A->rows; i++) {
        int best[CHANNELS];
        wf_real top[CHANNELS];
        for (int b = 0; b < B; b++) {
            for (int c = 0; c < C; c += CHANNELS) {
                const wf_real *d = dy->data + b * dy->stride[0] + i * dy->stride[1] + c;
                int n = C - c < CHANNELS ? C - c : CHANNELS;
                largest(m, b, i, c, n, best, top);
                for (int k = 0; k < n; k++)
                    if (best[k] >= 0)
                        to.p[b * to.lead + best[k] * to.step] += source(m, b, best[k], c)[k] * d[k];
            }
        }
    }
}

enum wf_status wf_cpu_edge_max_bwd(struct wf_backend *be, struct wf_tensor *dx,
                                   struct wf_tensor *dval, const struct wf_csr *A,
                                   const struct wf_tensor *val, const struct wf_tensor *x,
                                   const struct wf_tensor *dy)
{
    (void)be;
    struct messages m = { A, rows_of(val), x };
    if (dx) max_bwd_x(dx, &m, dy);
    if (dval) max_bwd_val(dval, &m, dy);
    return WF_OK;
}
