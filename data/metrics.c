#include "data/metrics.h"
#include <math.h>
#include <string.h>
#include "tensor/alloc.h"

enum { SUMS = 7 }; /* arrays of struct wf_metrics, each [Q] */

enum wf_status wf_metrics_init(struct wf_metrics *m, int Q, struct wf_error *err)
{
    *m = (struct wf_metrics){ 0 };
    if (Q < 1) return wf_fail(err, WF_EINVAL, "metrics: %d horizons, expected at least 1", Q);
    double *sums = wf_calloc((size_t)Q * SUMS, sizeof *sums);
    if (!sums) return wf_fail(err, WF_ENOMEM, "metrics: no memory for %d horizons", Q);
    *m = (struct wf_metrics){ .Q = Q,
                              .abs = sums,
                              .sq = sums + Q,
                              .pct = sums + 2 * Q,
                              .count = sums + 3 * Q,
                              .pct_count = sums + 4 * Q,
                              .batch_abs = sums + 5 * Q,
                              .batch_count = sums + 6 * Q };
    return WF_OK;
}

void wf_metrics_free(struct wf_metrics *m)
{
    wf_free(m->abs); /* one block holds all sums */
    *m = (struct wf_metrics){ 0 };
}

void wf_metrics_reset(struct wf_metrics *m)
{
    memset(m->abs, 0, (size_t)m->Q * SUMS * sizeof *m->abs);
    m->pgt[0] = m->pgt[1] = 0;
}

/* Adds n values of one sample at horizon q. */
static void add_block(struct wf_metrics *m, int q, const wf_real *pred, const wf_real *target,
                      ptrdiff_t n)
{
    double total = 0, square = 0, share = 0, count = 0, shares = 0, nonzero = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        double t = (double)target[i], d = fabs((double)pred[i] - t);
        if (t != t) continue;
        total += d;
        square += d * d;
        count++;
        if (t == 0) continue;
        share += d / fabs(t);
        nonzero += d;
        shares++;
    }
    m->abs[q] += total;
    m->sq[q] += square;
    m->pct[q] += share;
    m->count[q] += count;
    m->pct_count[q] += shares;
    m->batch_abs[q] += nonzero;
    m->batch_count[q] += shares;
}

/* Each horizon has one thread, which takes the samples in order. */
void wf_metrics_add(struct wf_metrics *m, const wf_real *pred, const wf_real *target, int B, int N,
                    int C)
{
    ptrdiff_t n = (ptrdiff_t)N * C;
    double total = 0, count = 0;
    memset(m->batch_abs, 0, 2 * (size_t)m->Q * sizeof *m->batch_abs);
#pragma omp parallel for schedule(static) if (n * B * m->Q > 65536)
    for (int q = 0; q < m->Q; q++)
        for (ptrdiff_t b = 0; b < B; b++)
            add_block(m, q, pred + (b * m->Q + q) * n, target + (b * m->Q + q) * n, n);
    for (int q = 0; q < m->Q; q++) {
        total += m->batch_abs[q];
        count += m->batch_count[q];
    }
    m->pgt[0] += count > 0 ? total / count : 0;
    m->pgt[1]++;
}

static double ratio(const struct wf_metrics *m, const double *sum, const double *count, int q)
{
    WF_CHECK(q >= -1 && q < m->Q);
    double total = 0, n = 0;
    for (int i = q < 0 ? 0 : q; i < (q < 0 ? m->Q : q + 1); i++) {
        total += sum[i];
        n += count[i];
    }
    return total / n; /* 0 / 0 when nothing counted */
}

double wf_metrics_mae(const struct wf_metrics *m, int q)
{
    return ratio(m, m->abs, m->count, q);
}

double wf_metrics_rmse(const struct wf_metrics *m, int q)
{
    return sqrt(ratio(m, m->sq, m->count, q));
}

double wf_metrics_mape(const struct wf_metrics *m, int q)
{
    return 100 * ratio(m, m->pct, m->pct_count, q);
}

double wf_metrics_pgt_mae(const struct wf_metrics *m)
{
    return m->pgt[0] / m->pgt[1];
}
