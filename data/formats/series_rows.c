/* series_rows.c - keeps the chosen rows of a series that a file holds. */
#include <stdbool.h>
#include <string.h>
#include "data/formats/series_file.h"
#include "tensor/alloc.h"

#define NS_PER_S INT64_C(1000000000)

static enum wf_status check_choice(const struct wf_rows *rows, int n, ptrdiff_t E,
                                   struct wf_error *err)
{
    if (n < 1 || n > WF_ROW_RANGES)
        return wf_fail(err, WF_EINVAL, "%d ranges of rows were chosen, expected 1 to %d", n,
                       WF_ROW_RANGES);
    for (int i = 0; i < n; i++) {
        const struct wf_rows *r = &rows[i];
        if (r->first < 0 || r->count < 1 || r->count > E || r->first > E - r->count)
            return wf_fail(err, WF_EINVAL, "%td rows from row %td were chosen of a series of %td",
                           r->count, r->first, E);
        if (i && r->first < r[-1].first)
            return wf_fail(err, WF_EINVAL,
                           "rows from %td were chosen after those from %td, expected rising ones",
                           r->first, r[-1].first);
    }
    return WF_OK;
}

ptrdiff_t wf_series_file_row(const struct wf_series_file *s, ptrdiff_t e)
{
    int i = 0;
    while (i < s->ranges - 1 && e >= s->rows[i].count) e -= s->rows[i++].count;
    return s->rows[i].first + e;
}

/* Reduces *block, which has all rows, to the chosen ones. */
static enum wf_status keep_rows(void **block, size_t row_bytes, const struct wf_series_file *s,
                                struct wf_error *err)
{
    size_t bytes = (size_t)s->E * row_bytes;
    ptrdiff_t at = 0;
    /* Ranges that only move down leave the later ones whole; overlapping ones may have to move
     * up. */
    bool slides = true;
    for (int i = 0; i < s->ranges; i++) {
        slides = slides && at <= s->rows[i].first;
        at += s->rows[i].count;
    }
    char *from = *block, *to = slides ? from : wf_malloc(bytes);
    if (!to) return wf_fail(err, WF_ENOMEM, "no memory for %td chosen rows", s->E);
    char *next = to;
    for (int i = 0; i < s->ranges; i++) {
        size_t part = (size_t)s->rows[i].count * row_bytes;
        memmove(next, from + (size_t)s->rows[i].first * row_bytes, part);
        next += part;
    }
    if (!slides) wf_free(from);
    *block = to;
    void *fitted = slides ? wf_realloc(to, bytes) : to;
    if (!fitted) return wf_fail(err, WF_ENOMEM, "no memory for %td chosen rows", s->E);
    *block = fitted;
    return WF_OK;
}

/* Makes the times of the chosen rows from the time of the file's first row and the interval. */
static enum wf_status make_times(struct wf_series_file *s, struct wf_error *err)
{
    int64_t last = s->total - 1, step = s->interval_s;
    if (step > INT64_MAX / NS_PER_S / s->total ||
        (s->t0_ns > 0 && last * step * NS_PER_S > INT64_MAX - s->t0_ns))
        return wf_fail(err, WF_EFORMAT, "%td rows every %lld s end after the year 2262", s->total,
                       (long long)step);
    s->times_ns = wf_malloc((size_t)s->E * sizeof *s->times_ns);
    if (!s->times_ns) return wf_fail(err, WF_ENOMEM, "no memory for %td times", s->E);
    for (ptrdiff_t e = 0; e < s->E; e++)
        s->times_ns[e] = s->t0_ns + wf_series_file_row(s, e) * step * NS_PER_S;
    return WF_OK;
}

enum wf_status wf_series_file_choose(struct wf_series_file *s, const struct wf_row_choice *rows,
                                     struct wf_error *err)
{
    s->total = s->E;
    s->ranges = 1;
    s->rows[0] = (struct wf_rows){ 0, s->E };
    if (!rows) return WF_OK;
    struct wf_rows chosen[WF_ROW_RANGES] = { 0 };
    int n = rows->choose(rows->ctx, s->total, chosen);
    WF_TRY(check_choice(chosen, n, s->total, err));
    memcpy(s->rows, chosen, sizeof chosen);
    s->ranges = n;
    s->E = 0;
    for (int i = 0; i < n; i++) s->E += chosen[i].count;
    if (s->times_ns) {
        void *times = s->times_ns;
        enum wf_status rc = keep_rows(&times, sizeof *s->times_ns, s, err);
        s->times_ns = times;
        WF_TRY(rc);
    } else if (s->interval_s > 0) {
        WF_TRY(make_times(s, err));
    }
    if (s->times_ns) s->t0_ns = s->times_ns[0];
    return WF_OK;
}

enum wf_status wf_series_file_keep(struct wf_series_file *s, const struct wf_row_choice *rows,
                                   struct wf_error *err)
{
    WF_TRY(wf_series_file_choose(s, rows, err));
    if (!rows) return WF_OK;
    void *values = s->values;
    enum wf_status rc = keep_rows(&values, (size_t)(s->N * s->C) * sizeof *s->values, s, err);
    s->values = values;
    return rc;
}
