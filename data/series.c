#include "data/series.h"
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include "tensor/alloc.h"

/* Values on their way between host and backend pass through a piece of the stack: no second copy
 * of the series, and nothing that can fail. A device gets larger ones out of memory it copies fast
 * from, where there is some. Multiples of every channel count up to 8. */
enum { PIECE = 3360, DEVICE_PIECE = 840 * 1248 };
struct piece {
    wf_real stack[PIECE], *at;
    int size;
};

static void piece_init(struct piece *p, struct wf_backend *be)
{
    p->at = NULL;
    if (be->device) p->at = be->device->host_alloc(be, DEVICE_PIECE * sizeof *p->at);
    p->size = p->at ? DEVICE_PIECE : PIECE;
    if (!p->at) p->at = p->stack;
}

static void piece_free(struct piece *p, struct wf_backend *be)
{
    if (p->at != p->stack) be->device->host_free(be, p->at);
}

static size_t value_bytes(const struct wf_series *s)
{
    return (size_t)s->E * (size_t)s->N * (size_t)s->C * sizeof(wf_real);
}

enum wf_status wf_series_init(struct wf_series *s, struct wf_backend *be, int64_t E, int N, int C,
                              struct wf_error *err)
{
    *s = (struct wf_series){ .be = be, .E = E, .N = N, .C = C };
    if (E < 1 || E > INT_MAX || N < 1 || C < 1 || C > WF_MAXCHANNEL)
        return wf_fail(err, WF_EINVAL,
                       "series [%lld, %d, %d]: expected 1 to %d steps, at least 1 node and 1 to %d "
                       "channels",
                       (long long)E, N, C, INT_MAX, WF_MAXCHANNEL);
    s->values = be->alloc(be, value_bytes(s));
    if (s->values) return WF_OK;
    return wf_fail(err, WF_ENOMEM, "no memory for a series [%lld, %d, %d] of %zu bytes on %s",
                   (long long)E, N, C, value_bytes(s), be->name);
}

enum wf_status wf_series_to_host(struct wf_series *host, const struct wf_series *s,
                                 struct wf_error *err)
{
    size_t times = (size_t)s->E * sizeof *s->time_s;
    WF_TRY(wf_series_init(host, wf_backend_cpu(), s->E, s->N, s->C, err));
    host->interval_s = s->interval_s;
    if (s->time_s && !(host->time_s = host->be->alloc(host->be, times))) {
        wf_series_free(host);
        return wf_fail(err, WF_ENOMEM, "no memory for a clock of %zu bytes", times);
    }
    enum wf_status rc = s->be->download(s->be, host->values, s->values, value_bytes(s));
    if (rc == WF_OK && s->time_s) rc = s->be->download(s->be, host->time_s, s->time_s, times);
    if (rc == WF_OK) return WF_OK;
    wf_series_free(host);
    return wf_fail(err, rc, "cannot read the series from %s", s->be->name);
}

void wf_series_free(struct wf_series *s)
{
    if (s->values && !s->borrowed) s->be->free(s->be, s->values, value_bytes(s));
    if (s->time_s) s->be->free(s->be, s->time_s, (size_t)s->E * sizeof *s->time_s);
    s->values = NULL;
    s->borrowed = false;
    s->time_s = NULL;
}

enum wf_status wf_series_put(struct wf_series *s, int64_t first, int64_t rows, const float *host,
                             bool zero_missing)
{
    if (first < 0 || rows < 0 || first > s->E - rows) return WF_EINVAL;
    struct piece piece;
    ptrdiff_t row = (ptrdiff_t)s->N * s->C, n = rows * row;
    wf_real *to = s->values + first * row;
    enum wf_status rc = WF_OK;
    piece_init(&piece, s->be);
    for (ptrdiff_t at = 0; at < n && rc == WF_OK; at += piece.size) {
        int size = n - at < piece.size ? (int)(n - at) : piece.size;
        for (int i = 0; i < size; i++) {
            bool missing = zero_missing && i % s->C == 0 && host[at + i] == 0;
            piece.at[i] = missing ? (wf_real)NAN : (wf_real)host[at + i];
        }
        rc = s->be->upload(s->be, to + at, piece.at, (size_t)size * sizeof *piece.at);
    }
    piece_free(&piece, s->be);
    return rc;
}

enum wf_status wf_series_adopt(struct wf_series *s, float *values, bool zero_missing)
{
    if (s->be != wf_backend_cpu() || sizeof *values != sizeof *s->values) {
        enum wf_status rc = wf_series_put(s, 0, s->E, values, zero_missing);
        wf_free(values);
        return rc;
    }
    if (!s->borrowed) s->be->free(s->be, s->values, value_bytes(s));
    s->borrowed = false;
    s->values = (void *)values;
    for (ptrdiff_t i = 0; zero_missing && i < s->E * s->N * s->C; i += s->C)
        if (values[i] == 0) values[i] = NAN;
    return WF_OK;
}

/* Checks the times and finds the smallest step between them. */
static enum wf_status check_times(const int64_t *time_s, int64_t E, int64_t *step,
                                  struct wf_error *err)
{
    *step = 0;
    for (int64_t e = 0; e < E; e++) {
        if (time_s[e] < 0)
            return wf_fail(err, WF_EINVAL,
                           "clock: row %lld is at %lld s, expected a time not before 1970",
                           (long long)e, (long long)time_s[e]);
        int64_t d = e ? time_s[e] - time_s[e - 1] : 0;
        if (d > 0 && (*step == 0 || d < *step)) *step = d;
    }
    return WF_OK;
}

enum wf_status wf_series_clock(struct wf_series *s, const int64_t *time_s, int64_t t0_s,
                               int interval_s, struct wf_error *err)
{
    enum { TIMES = 512 };
    int64_t piece[TIMES], step = interval_s;
    if (interval_s < 0 || (!time_s && (interval_s == 0 || t0_s < 0)))
        return wf_fail(
            err, WF_EINVAL,
            "clock: starts at %lld s with interval %d s, expected a time not before 1970 "
            "and a positive interval",
            (long long)t0_s, interval_s);
    if (time_s) WF_TRY(check_times(time_s, s->E, &step, err));
    if (step > INT_MAX) step = 0;
    size_t bytes = (size_t)s->E * sizeof *s->time_s;
    if (!s->time_s) s->time_s = s->be->alloc(s->be, bytes);
    if (!s->time_s) return wf_fail(err, WF_ENOMEM, "no memory for a clock of %zu bytes", bytes);
    s->interval_s = interval_s ? interval_s : (int)step;
    for (int64_t at = 0; at < s->E; at += TIMES) {
        int size = s->E - at < TIMES ? (int)(s->E - at) : TIMES;
        for (int i = 0; i < size; i++)
            piece[i] = time_s ? time_s[at + i] : t0_s + (at + i) * interval_s;
        enum wf_status rc =
            s->be->upload(s->be, s->time_s + at, piece, (size_t)size * sizeof *piece);
        if (rc != WF_OK) return wf_fail(err, rc, "clock: cannot copy it to %s", s->be->name);
    }
    return WF_OK;
}

enum wf_status wf_split_make(struct wf_split *sp, const struct wf_series *s, int T, int Q,
                             const double share[3], struct wf_error *err)
{
    double sum = share[0] + share[1] + share[2];
    if (!(share[0] >= 0 && share[1] >= 0 && share[2] >= 0 && fabs(sum - 1) < 1e-9))
        return wf_fail(err, WF_EINVAL, "split: shares %g, %g, %g add up to %g, expected 1",
                       share[0], share[1], share[2], sum);
    if (T < 1 || Q < 1 || (int64_t)T + Q > s->E)
        return wf_fail(
            err, WF_EINVAL,
            "split: %d input and %d target steps need a series of %lld rows, it has %lld", T, Q,
            (long long)T + Q, (long long)s->E);
    int n = (int)(s->E - (T + Q - 1));
    int train = (int)rint(share[0] * n), test = (int)rint(share[2] * n);
    int valid = n - train - test;
    if (train < 1 || valid < 1 || test < 1)
        return wf_fail(err, WF_EINVAL,
                       "split: %d windows make %d for training, %d for validation and %d for "
                       "testing, expected at least 1 each",
                       n, train, valid, test);
    *sp = (struct wf_split){ { 0, train, n - test }, { train, valid, test } };
    return WF_OK;
}

static void add_piece(struct wf_moments *m, const wf_real *v, int n, int C, const double *mean)
{
    for (int i = 0; i < n; i++) {
        int c = i % C;
        double x = (double)v[i] - (mean ? mean[c] : 0);
        if (x != x) continue;
        if (mean)
            m->square[c] += x * x;
        else
            m->sum[c] += x;
        m->count[c] += !mean;
    }
}

enum wf_status wf_moments_add(struct wf_moments *m, const struct wf_series *s, int64_t from,
                              int64_t to, const double *mean, struct wf_error *err)
{
    struct piece piece;
    ptrdiff_t row = (ptrdiff_t)s->N * s->C, end = to * row;
    enum wf_status rc = WF_OK;
    piece_init(&piece, s->be);
    for (ptrdiff_t at = from * row; at < end && rc == WF_OK; at += piece.size) {
        int size = end - at < piece.size ? (int)(end - at) : piece.size;
        rc = s->be->download(s->be, piece.at, s->values + at, (size_t)size * sizeof *piece.at);
        if (rc == WF_OK) add_piece(m, piece.at, size, s->C, mean);
    }
    piece_free(&piece, s->be);
    if (rc == WF_OK) return WF_OK;
    return wf_fail(err, rc, "scaler: cannot read the series from %s", s->be->name);
}

void wf_moments_mean(const struct wf_moments *m, int C, double *mean)
{
    for (int c = 0; c < C; c++) mean[c] = m->sum[c] / (m->count[c] > 0 ? m->count[c] : 1);
}

enum wf_status wf_scaler_make(struct wf_scaler *sc, const struct wf_moments *m, int C,
                              struct wf_error *err)
{
    double mean[WF_MAXCHANNEL];
    wf_moments_mean(m, C, mean);
    *sc = (struct wf_scaler){ .C = C };
    for (int c = 0; c < C; c++) {
        if (!(m->count[c] > 0))
            return wf_fail(err, WF_ENUMERIC, "scaler: channel %d has no valid value", c);
        double std = sqrt(m->square[c] / m->count[c]);
        if (!isfinite(mean[c]) || !isfinite(std))
            return wf_fail(err, WF_ENUMERIC, "scaler: channel %d has infinite values", c);
        sc->mean[c] = (wf_real)mean[c];
        sc->std[c] = (wf_real)std > 0 ? (wf_real)std : 1;
    }
    return WF_OK;
}

/* Two passes: the sum of squares of a series far from 0 would lose the spread in rounding. */
enum wf_status wf_scaler_fit(struct wf_scaler *sc, const struct wf_series *s,
                             const struct wf_split *sp, int T, bool whole, struct wf_error *err)
{
    int64_t from = whole ? 0 : sp->first[WF_TRAIN];
    int64_t to = whole ? s->E : from + sp->count[WF_TRAIN] + T - 1;
    if (from < 0 || from >= to || to > s->E)
        return wf_fail(err, WF_EINVAL, "scaler: rows %lld to %lld of a series of %lld rows",
                       (long long)from, (long long)to - 1, (long long)s->E);
    struct wf_moments m = { 0 };
    double mean[WF_MAXCHANNEL];
    WF_TRY(wf_moments_add(&m, s, from, to, NULL, err));
    wf_moments_mean(&m, s->C, mean);
    WF_TRY(wf_moments_add(&m, s, from, to, mean, err));
    return wf_scaler_make(sc, &m, s->C, err);
}
