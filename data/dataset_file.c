/* dataset_file.c - writes a loaded data set to a file: Weft's HDF5 layout, or CSV. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "data/dataset.h"
#include "data/file.h"
#include "data/formats/series_file.h"
#include "tensor/alloc.h"

#define NS_PER_S INT64_C(1000000000)

/* ---- a loaded set ---- */

/* The rows of a series on their way to a file, a few at a time. */
struct rows {
    const struct wf_series *s;
    ptrdiff_t step;  /* most rows at a time */
    float *host;     /* [step, N * C] values to write */
    wf_real *from;   /* [step, N * C] the same values as the backend has them */
    int64_t *time_s; /* [E] in host memory, or NULL */
};

static void rows_free(struct rows *r)
{
    wf_free(r->host);
    wf_free(r->from);
    wf_free(r->time_s);
}

static enum wf_status rows_init(struct rows *r, const struct wf_series *s, struct wf_error *err)
{
    ptrdiff_t width = (ptrdiff_t)s->N * s->C;
    size_t times = (size_t)s->E * sizeof *s->time_s;
    *r = (struct rows){ .s = s, .step = wf_series_file_chunk(s->E, width) };
    r->host = wf_malloc((size_t)(r->step * width) * sizeof *r->host);
    r->from = wf_malloc((size_t)(r->step * width) * sizeof *r->from);
    if (s->time_s) r->time_s = wf_malloc(times);
    if (!r->host || !r->from || (s->time_s && !r->time_s))
        return wf_fail(err, WF_ENOMEM, "no memory to write %td rows at a time", r->step);
    if (!s->time_s || s->be->download(s->be, r->time_s, s->time_s, times) == WF_OK) return WF_OK;
    return wf_fail(err, WF_EDEVICE, "cannot copy the times from %s", s->be->name);
}

static enum wf_status rows_get(struct rows *r, ptrdiff_t first, ptrdiff_t n, struct wf_error *err)
{
    ptrdiff_t width = (ptrdiff_t)r->s->N * r->s->C;
    struct wf_backend *be = r->s->be;
    size_t bytes = (size_t)(n * width) * sizeof *r->from;
    if (be->download(be, r->from, r->s->values + first * width, bytes) != WF_OK)
        return wf_fail(err, WF_EDEVICE, "cannot copy the series from %s", be->name);
    for (ptrdiff_t i = 0; i < n * width; i++) r->host[i] = (float)r->from[i];
    return WF_OK;
}

/* Whether the rows follow one another at the same interval. */
static bool is_even(const struct rows *r)
{
    for (ptrdiff_t e = 1; r->time_s && e < r->s->E; e++)
        if (r->time_s[e] - r->time_s[e - 1] != r->s->interval_s) return false;
    return true;
}

static enum wf_status write_all(struct wf_series_writer *w, struct rows *r,
                                const struct wf_dataset *ds, struct wf_error *err)
{
    if (ds->edges)
        WF_TRY(wf_series_writer_graph(w, ds->edges, ds->source, ds->target, ds->weight, err));
    for (ptrdiff_t e = 0; e < r->s->E; e += r->step) {
        ptrdiff_t n = r->s->E - e < r->step ? r->s->E - e : r->step;
        WF_TRY(rows_get(r, e, n, err));
        WF_TRY(wf_series_writer_rows(w, n, r->host, err));
    }
    return WF_OK;
}

static enum wf_status write_h5(const char *path, struct rows *r, const struct wf_dataset *ds,
                               struct wf_error *err)
{
    struct wf_series_file head = { .E = ds->series.E,
                                   .N = ds->series.N,
                                   .C = ds->series.C,
                                   .nodes = ds->nodes,
                                   .t0_ns = r->time_s ? r->time_s[0] * NS_PER_S : 0,
                                   .interval_s = ds->series.interval_s,
                                   .synthetic = ds->synthetic };
    struct wf_series_writer *w;
    bool even = is_even(r);
    for (ptrdiff_t e = 0; !even && e < head.E; e++) r->time_s[e] *= NS_PER_S;
    if (!even) head.times_ns = r->time_s;
    WF_TRY(wf_series_writer_open(&w, path, &head, err));
    return wf_series_writer_end(w, write_all(w, r, ds, err), path, err);
}

enum wf_status wf_dataset_write(const char *path, const struct wf_dataset *ds, struct wf_error *err)
{
    struct rows r;
    if (ds->weights.values)
        return wf_fail(err, WF_EINVAL, "%s: HDF5 holds no graph that changes, as %s has it", path,
                       ds->name);
    enum wf_status s = rows_init(&r, &ds->series, err);
    if (s == WF_OK) s = write_h5(path, &r, ds, err);
    rows_free(&r);
    return s;
}

/* ---- CSV ---- */

static void put_quoted(FILE *f, const char *text)
{
    bool plain = !strpbrk(text, ",\"\r\n");
    if (plain) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (; *text; text++) fputs(*text == '"' ? "\"\"" : (char[]){ *text, 0 }, f);
    fputc('"', f);
}

static void put_header(FILE *f, const struct wf_dataset *ds)
{
    fputs("time", f);
    for (int n = 0; n < ds->series.N; n++) {
        fputc(',', f);
        if (ds->nodes.count)
            put_quoted(f, ds->nodes.name[n]);
        else
            fprintf(f, "%d", n);
    }
    fputc('\n', f);
}

static void put_row(FILE *f, const int64_t *time_s, const float *row, int N)
{
    char text[32];
    struct tm tm;
    if (time_s) {
        time_t t = (time_t)*time_s;
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S,", gmtime_r(&t, &tm));
        fputs(text, f);
    }
    for (int n = 0; n < N; n++) {
        if (n) fputc(',', f);
        if (isfinite(row[n])) fprintf(f, "%.9g", (double)row[n]);
    }
    fputc('\n', f);
}

static enum wf_status put_rows(FILE *f, struct rows *r, const struct wf_dataset *ds,
                               struct wf_error *err)
{
    if (r->time_s) put_header(f, ds);
    for (ptrdiff_t e = 0; e < r->s->E; e += r->step) {
        ptrdiff_t n = r->s->E - e < r->step ? r->s->E - e : r->step;
        WF_TRY(rows_get(r, e, n, err));
        for (ptrdiff_t i = 0; i < n; i++)
            put_row(f, r->time_s ? r->time_s + e + i : NULL, r->host + i * r->s->N, r->s->N);
        if (ferror(f)) return wf_fail(err, WF_EIO, "%s", strerror(errno));
    }
    return WF_OK;
}

static enum wf_status write_csv(const char *path, const char *temporary, struct rows *r,
                                const struct wf_dataset *ds, struct wf_error *err)
{
    FILE *f = fopen(temporary, "wb");
    if (!f) return wf_fail(err, WF_EIO, "%s: %s", path, strerror(errno));
    enum wf_status s = put_rows(f, r, ds, err);
    if (fclose(f) != 0 && s == WF_OK) s = wf_fail(err, WF_EIO, "%s", strerror(errno));
    if (s == WF_OK) return wf_file_commit(temporary, path, err);
    unlink(temporary);
    return wf_file_context(s, path, err);
}

enum wf_status wf_dataset_write_csv(const char *path, const struct wf_dataset *ds,
                                    struct wf_error *err)
{
    struct rows r = { 0 };
    if (ds->series.C != 1)
        return wf_fail(err, WF_EINVAL, "%s: CSV holds one channel, the series has %d", path,
                       ds->series.C);
    char *temporary = wf_file_temporary(path);
    enum wf_status s = WF_OK;
    if (!temporary) s = wf_fail(err, WF_ENOMEM, "%s: no memory to write it", path);
    if (s == WF_OK) s = rows_init(&r, &ds->series, err);
    if (s == WF_OK) s = write_csv(path, temporary, &r, ds, err);
    rows_free(&r);
    wf_free(temporary);
    return s;
}
