#include "data/series.h"
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include "data/piece_private.h"
#include "tensor/alloc.h"

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
    struct wf_piece piece;
    ptrdiff_t row = (ptrdiff_t)s->N * s->C, n = rows * row;
    wf_real *to = s->values + first * row;
    enum wf_status rc = WF_OK;
    wf_piece_init(&piece, s->be);
    for (ptrdiff_t at = 0; at < n && rc == WF_OK; at += piece.size) {
        int size = n - at < piece.size ? (int)(n - at) : piece.size;
        for (int i = 0; i < size; i++) {
            bool missing = zero_missing && i % s->C == 0 && host[at + i] == 0;
            piece.at[i] = missing ? (wf_real)NAN : (wf_real)host[at + i];
        }
        rc = s->be->upload(s->be, to + at, piece.at, (size_t)size * sizeof *piece.at);
    }
    wf_piece_free(&piece, s->be);
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
