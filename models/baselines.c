#include "models/baselines.h"
#include <math.h>
#include "tensor/alloc.h"

/* Samples that a ridge regression reads, at most. Overlapping windows say much the same, and a
 * model of some 20 numbers needs no more. */
enum { RIDGE_SAMPLES = 400000, NEIGHBOURS = WF_BASELINE_NEIGHBOURS };

struct wf_baseline_config wf_baseline_defaults(void)
{
    return (struct wf_baseline_config){ .T = 12, .Q = 12, .lambda = 1 };
}

/* Channel 0 of node n in row e; NaN where it is missing. */
static double value(const struct wf_baseline *b, int64_t e, int n)
{
    return (double)b->series->values[(e * b->series->N + n) * b->series->C];
}

/* The cell of the table of averages that row e belongs to, by its time of day and by weekday or
 * weekend. */
static ptrdiff_t cell_of(const struct wf_baseline *b, int64_t e)
{
    const int64_t *time_s = b->series->time_s;
    if (!time_s) return 0;
    bool weekend = (time_s[e] / 86400 + 3) % 7 >= 5; /* 1970-01-01 was a Thursday */
    return time_s[e] % 86400 * b->slots / 86400 * 2 + weekend;
}

static double average(const struct wf_baseline *b, int64_t e, int n)
{
    return (double)b->average[cell_of(b, e) * b->series->N + n];
}

/* Fills the averages from rows from .. to - 1; sum and count [cells, N] are scratch, zero
 * before. */
static void fill_averages(struct wf_baseline *b, int64_t from, int64_t to, double *sum,
                          double *count)
{
    int N = b->series->N, cells = 2 * b->slots;
    for (int64_t e = from; e < to; e++) {
        ptrdiff_t at = cell_of(b, e) * N;
        for (int n = 0; n < N; n++) {
            double v = value(b, e, n);
            if (v != v) continue;
            sum[at + n] += v;
            count[at + n]++;
        }
    }
    for (int n = 0; n < N; n++) {
        double total = 0, valid = 0;
        for (ptrdiff_t i = n; i < (ptrdiff_t)cells * N; i += N) {
            total += sum[i];
            valid += count[i];
        }
        b->node_mean[n] = valid > 0 ? (wf_real)(total / valid) : b->scaler.mean[0];
        for (ptrdiff_t i = n; i < (ptrdiff_t)cells * N; i += N)
            b->average[i] = count[i] > 0 ? (wf_real)(sum[i] / count[i]) : b->node_mean[n];
    }
}

static enum wf_status fit_averages(struct wf_baseline *b, const struct wf_split *sp,
                                   struct wf_error *err)
{
    const struct wf_series *s = b->series;
    int64_t from = sp->first[WF_TRAIN], to = from + sp->count[WF_TRAIN] + b->cfg.T - 1;
    bool daily = s->time_s && s->interval_s > 0 && s->interval_s < 86400;
    b->slots = daily ? 86400 / s->interval_s : 1;
    size_t cells = (size_t)b->slots * 2 * (size_t)s->N;
    b->average = wf_malloc(cells * sizeof *b->average);
    b->node_mean = wf_malloc((size_t)s->N * sizeof *b->node_mean);
    double *sum = wf_calloc(cells * 2, sizeof *sum);
    if (b->average && b->node_mean && sum) {
        fill_averages(b, from, to, sum, sum + cells);
        wf_free(sum);
        return WF_OK;
    }
    wf_free(sum);
    return wf_fail(err, WF_ENOMEM, "baseline: no memory for %zu averages", cells);
}

/* The nodes to which row n of the graph gives the largest weights, the largest first; -1 where
 * there are fewer. */
static void pick_neighbours(const struct wf_baseline_config *cfg, int n, int *best)
{
    wf_real top[NEIGHBOURS];
    int count = 0;
    for (int e = cfg->graph->ptr[n]; e < cfg->graph->ptr[n + 1]; e++) {
        wf_real w = cfg->weight[e];
        if (cfg->graph->idx[e] == n || !(w > 0)) continue;
        if (count == NEIGHBOURS && w <= top[NEIGHBOURS - 1]) continue;
        int at = count < NEIGHBOURS ? count++ : NEIGHBOURS - 1;
        for (; at > 0 && top[at - 1] < w; at--) {
            top[at] = top[at - 1];
            best[at] = best[at - 1];
        }
        top[at] = w;
        best[at] = cfg->graph->idx[e];
    }
    while (count < NEIGHBOURS) best[count++] = -1;
}

/* Feature k of node n for horizon q. In this order the features are a constant, the T inputs, the
 * average at the time of the last input, the average at the target time, and the neighbours' last
 * inputs. All but the constant are standardised, and 0 when missing. */
static double feature(const struct wf_baseline *b, int64_t start, int n, int q, int k)
{
    int T = b->cfg.T;
    double v = NAN;
    if (k == 0) return 1;
    if (k <= T)
        v = value(b, start + k - 1, n);
    else if (k == T + 1)
        v = average(b, start + T - 1, n);
    else if (k == T + 2)
        v = average(b, start + T + q, n);
    else if (b->neighbour[n * NEIGHBOURS + k - T - 3] >= 0)
        v = value(b, start + T - 1, b->neighbour[n * NEIGHBOURS + k - T - 3]);
    return v == v ? (v - (double)b->scaler.mean[0]) / (double)b->scaler.std[0] : 0;
}

/* Sums up the normal equations of horizon q: the lower triangle of A [F, F], and r [F], both zero
 * before; f [F] is scratch. */
static void add_samples(const struct wf_baseline *b, const struct wf_split *sp, int q, double *A,
                        double *r, double *f)
{
    int F = b->features, N = b->series->N, count = sp->count[WF_TRAIN];
    int64_t step = (int64_t)count * N / RIDGE_SAMPLES + 1;
    for (int64_t i = 0; i < count; i += step) {
        int64_t start = sp->first[WF_TRAIN] + i;
        for (int n = 0; n < N; n++) {
            double y = value(b, start + b->cfg.T + q, n);
            if (y != y) continue;
            y = (y - (double)b->scaler.mean[0]) / (double)b->scaler.std[0];
            for (int k = 0; k < F; k++) f[k] = feature(b, start, n, q, k);
            for (int k = 0; k < F; k++) {
                r[k] += f[k] * y;
                for (int l = 0; l <= k; l++) A[k * F + l] += f[k] * f[l];
            }
        }
    }
}

/* Solves A x = r by Cholesky's A = L L'; r becomes x, and A becomes L. A is symmetric, and only its
 * lower triangle is read. False when A is not positive definite. */
static bool solve(double *A, double *r, int n)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            double v = A[i * n + j];
            for (int k = 0; k < j; k++) v -= A[i * n + k] * A[j * n + k];
            if (i == j && !(v > 1e-12 * A[i * n + i])) return false;
            A[i * n + j] = i == j ? sqrt(v) : v / A[j * n + j];
        }
        for (int k = 0; k < i; k++) r[i] -= A[i * n + k] * r[k];
        r[i] /= A[i * n + i];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++) r[i] -= A[k * n + i] * r[k];
        r[i] /= A[i * n + i];
    }
    return true;
}

static enum wf_status fit_ridge(struct wf_baseline *b, const struct wf_split *sp,
                                struct wf_error *err)
{
    int N = b->series->N, Q = b->cfg.Q, F = b->cfg.T + 3 + (b->cfg.graph ? NEIGHBOURS : 0);
    size_t block = (size_t)F * (size_t)F + (size_t)F;
    b->features = F;
    b->neighbour = wf_malloc((size_t)N * NEIGHBOURS * sizeof *b->neighbour);
    b->coef = wf_calloc((size_t)Q * (size_t)F, sizeof *b->coef);
    double *work = wf_calloc((size_t)Q * block, sizeof *work);
    if (!b->neighbour || !b->coef || !work) {
        wf_free(work);
        return wf_fail(err, WF_ENOMEM, "baseline: no memory for %d ridge models of %d features", Q,
                       F);
    }
    for (int n = 0; b->cfg.graph && n < N; n++)
        pick_neighbours(&b->cfg, n, b->neighbour + (ptrdiff_t)n * NEIGHBOURS);
    int singular = 0;
#pragma omp parallel for schedule(static) reduction(+ : singular)
    for (int q = 0; q < Q; q++) {
        double *A = work + (size_t)q * block, *r = b->coef + (ptrdiff_t)q * F;
        add_samples(b, sp, q, A, r, A + F * F);
        /* The constant, feature 0, is not penalised. */
        for (int k = 1; k < F; k++) A[k * F + k] += b->cfg.lambda;
        singular += !solve(A, r, F);
    }
    wf_free(work);
    if (!singular) return WF_OK;
    return wf_fail(err, WF_ENUMERIC,
                   "baseline: the ridge equations of %d of %d horizons are singular, lambda is %g",
                   singular, Q, b->cfg.lambda);
}

static enum wf_status check(const struct wf_series *s, const struct wf_split *sp,
                            const struct wf_baseline_config *cfg, struct wf_error *err)
{
    if (s->be != wf_backend_cpu())
        return wf_fail(err, WF_EINVAL, "baseline: the series is on %s, expected the CPU",
                       s->be->name);
    int64_t rows = (int64_t)sp->first[WF_TEST] + sp->count[WF_TEST] + cfg->T + cfg->Q - 1;
    if (cfg->T < 1 || cfg->Q < 1 || rows > s->E)
        return wf_fail(
            err, WF_EINVAL,
            "baseline: %d input and %d target steps need %lld rows after this split, the "
            "series has %lld",
            cfg->T, cfg->Q, (long long)rows, (long long)s->E);
    if (!(cfg->lambda >= 0))
        return wf_fail(err, WF_EINVAL, "baseline: lambda is %g, expected at least 0", cfg->lambda);
    if (cfg->graph && (cfg->graph->rows != s->N || cfg->graph->cols != s->N || !cfg->weight))
        return wf_fail(err, WF_EINVAL,
                       "baseline: graph [%d, %d]%s for %d nodes, expected [%d, %d] with weights",
                       cfg->graph->rows, cfg->graph->cols, cfg->weight ? "" : " without weights",
                       s->N, s->N, s->N);
    return WF_OK;
}

enum wf_status wf_baseline_fit(struct wf_baseline *b, enum wf_baseline_kind kind,
                               const struct wf_series *s, const struct wf_split *sp,
                               const struct wf_baseline_config *cfg, struct wf_error *err)
{
    *b = (struct wf_baseline){ .kind = kind, .cfg = *cfg, .series = s };
    WF_TRY(check(s, sp, cfg, err));
    enum wf_status rc = wf_scaler_fit(&b->scaler, s, sp, cfg->T, false, err);
    if (rc == WF_OK) rc = fit_averages(b, sp, err);
    if (rc == WF_OK && kind == WF_RIDGE) rc = fit_ridge(b, sp, err);
    if (rc != WF_OK) wf_baseline_free(b);
    return rc;
}

void wf_baseline_free(struct wf_baseline *b)
{
    wf_free(b->average);
    wf_free(b->node_mean);
    wf_free(b->neighbour);
    wf_free(b->coef);
    *b = (struct wf_baseline){ 0 };
}

static double last_valid(const struct wf_baseline *b, int64_t start, int n)
{
    for (int64_t e = start + b->cfg.T - 1; e >= start; e--) {
        double v = value(b, e, n);
        if (v == v) return v;
    }
    return (double)b->node_mean[n];
}

static double ridge(const struct wf_baseline *b, int64_t start, int n, int q)
{
    const double *coef = b->coef + (ptrdiff_t)q * b->features;
    double y = 0;
    for (int k = 0; k < b->features; k++) y += coef[k] * feature(b, start, n, q, k);
    return (double)b->scaler.mean[0] + y * (double)b->scaler.std[0];
}

void wf_baseline_predict(const struct wf_baseline *b, int start, wf_real *pred)
{
    int N = b->series->N, Q = b->cfg.Q;
#pragma omp parallel for schedule(static) if ((ptrdiff_t)N * Q > 8192)
    for (int n = 0; n < N; n++) {
        double last = b->kind == WF_PERSISTENCE ? last_valid(b, start, n) : 0;
        for (int q = 0; q < Q; q++) {
            double y = last;
            if (b->kind == WF_HISTORICAL_AVERAGE) y = average(b, (int64_t)start + b->cfg.T + q, n);
            if (b->kind == WF_RIDGE) y = ridge(b, start, n, q);
            pred[(ptrdiff_t)q * N + n] = (wf_real)y;
        }
    }
}

enum wf_status wf_baseline_eval(enum wf_baseline_kind kind, const struct wf_series *s,
                                const struct wf_split *sp, const struct wf_baseline_config *cfg,
                                struct wf_metrics *m, struct wf_error *err)
{
    if (m->Q != cfg->Q)
        return wf_fail(err, WF_EINVAL, "baseline: metrics of %d horizons for a forecast of %d",
                       m->Q, cfg->Q);
    struct wf_baseline b;
    WF_TRY(wf_baseline_fit(&b, kind, s, sp, cfg, err));
    size_t n = (size_t)cfg->Q * (size_t)s->N;
    wf_real *pred = wf_malloc(2 * n * sizeof *pred);
    if (!pred) {
        wf_baseline_free(&b);
        return wf_fail(err, WF_ENOMEM, "baseline: no memory for a forecast of %zu values", n);
    }
    wf_real *target = pred + n;
    wf_metrics_reset(m);
    for (int i = 0; i < sp->count[WF_TEST]; i++) {
        int start = sp->first[WF_TEST] + i;
        wf_baseline_predict(&b, start, pred);
        for (size_t k = 0; k < n; k++)
            target[k] = s->values[((ptrdiff_t)(start + cfg->T) * s->N + (ptrdiff_t)k) * s->C];
        wf_metrics_add(m, pred, target, 1, s->N, 1);
    }
    wf_free(pred);
    wf_baseline_free(&b);
    return WF_OK;
}
