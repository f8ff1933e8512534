#include "data/scaler.h"
#include <math.h>
#include "data/piece_private.h"

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

/* Adds n values, of which the first is of channel 0. */
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
    struct wf_piece piece;
    ptrdiff_t row = (ptrdiff_t)s->N * s->C, end = to * row;
    enum wf_status rc = WF_OK;
    wf_piece_init(&piece, s->be);
    for (ptrdiff_t at = from * row; at < end && rc == WF_OK; at += piece.size) {
        int size = end - at < piece.size ? (int)(end - at) : piece.size;
        rc = s->be->download(s->be, piece.at, s->values + at, (size_t)size * sizeof *piece.at);
        if (rc == WF_OK) add_piece(m, piece.at, size, s->C, mean);
    }
    wf_piece_free(&piece, s->be);
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

/* Takes two passes, because the sum of squares of a series far from 0 would lose the spread in
 * rounding. */
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
