/* dataset_tables.c - completes series that come from tables: channels, names and clock. */
#include <string.h>
#include "data/dataset_private.h"
#include "data/file.h"
#include "data/formats/csv.h"
#include "tensor/alloc.h"

enum wf_status wf_dataset_join(struct wf_series_file *f, const struct wf_series_file *g,
                               struct wf_error *err)
{
    struct wf_array a;
    if (g->E != f->E || g->N != f->N)
        return wf_fail(err, WF_EINVAL, "%td x %td values, expected %td x %td as in the first file",
                       g->E, g->N, f->E, f->N);
    ptrdiff_t C = f->C + g->C, rows = f->E * f->N;
    WF_TRY(wf_array_alloc(&a, WF_F32, 3, (ptrdiff_t[]){ f->E, f->N, C }, err));
    for (ptrdiff_t i = 0; i < rows; i++) {
        memcpy(a.f32 + i * C, f->values + i * f->C, (size_t)f->C * sizeof *a.f32);
        memcpy(a.f32 + i * C + f->C, g->values + i * g->C, (size_t)g->C * sizeof *a.f32);
    }
    wf_free(f->values);
    f->values = a.f32;
    f->C = C;
    return WF_OK;
}

enum wf_status wf_dataset_transpose(struct wf_series_file *f, struct wf_error *err)
{
    struct wf_array a;
    ptrdiff_t E = f->N, N = f->E, C = f->C;
    if (f->times_ns)
        return wf_fail(err, WF_EINVAL, "has times in its rows, rows-are-nodes was asked for");
    WF_TRY(wf_array_alloc(&a, WF_F32, 3, (ptrdiff_t[]){ E, N, C }, err));
    for (ptrdiff_t e = 0; e < E; e++)
        for (ptrdiff_t n = 0; n < N; n++)
            memcpy(a.f32 + (e * N + n) * C, f->values + (n * E + e) * C, (size_t)C * sizeof *a.f32);
    wf_free(f->values);
    wf_names_free(&f->nodes); /* these named the columns, which are times now */
    f->values = a.f32;
    f->E = E;
    f->N = N;
    return WF_OK;
}

/* Splits a text at commas, blanks and line ends into names; where out is NULL, only counts them. */
static enum wf_status split_names(const char *text, struct wf_names *out, ptrdiff_t *count,
                                  struct wf_error *err)
{
    static const char between[] = ", \t\r\n";
    *count = 0;
    for (text += strspn(text, between); *text; text += strspn(text, between), ++*count) {
        size_t len = strcspn(text, between);
        if (out) WF_TRY(wf_names_set(out, *count, text, len, err));
        text += len;
    }
    return WF_OK;
}

/* Reads the names of the nodes from a text file. */
static enum wf_status read_names(struct wf_series_file *f, const char *path, struct wf_error *err)
{
    char *text;
    size_t size;
    ptrdiff_t count;
    WF_TRY(wf_file_read(path, &text, &size, err));
    enum wf_status s = split_names(text, NULL, &count, err);
    wf_names_free(&f->nodes);
    if (count != f->N)
        s = wf_fail(err, WF_EFORMAT, "%s: %td names for %td nodes", path, count, f->N);
    if (s == WF_OK) s = wf_names_alloc(&f->nodes, count, err);
    if (s == WF_OK) s = split_names(text, &f->nodes, &count, err);
    wf_free(text);
    return s;
}

static enum wf_status set_clock(struct wf_series_file *f, const struct wf_dataset_source *src,
                                enum wf_file_kind kind, struct wf_error *err)
{
    if (kind == WF_FILE_HDF5 || f->times_ns)
        return wf_fail(err, WF_EINVAL, "has its own times, a start at %s was asked for",
                       src->start);
    if (!wf_csv_date(src->start, &f->t0_ns))
        return wf_fail(err, WF_EINVAL, "start '%.40s': want a date, 2018-01-01 or 2018-01-01 06:00",
                       src->start);
    if (src->interval_s < 1)
        return wf_fail(err, WF_EINVAL, "a start at %s without an interval", src->start);
    f->interval_s = src->interval_s;
    return WF_OK;
}

enum wf_status wf_dataset_complete(struct wf_series_file *f, const struct wf_dataset_source *src,
                                   enum wf_file_kind kind, struct wf_error *err)
{
    if (src->names[0]) WF_TRY(read_names(f, src->names, err));
    if (src->start[0]) return set_clock(f, src, kind, err);
    return src->interval_s ? wf_fail(err, WF_EINVAL, "an interval without a start") : WF_OK;
}
