#include "data/formats/series_file.h"
#include <stdio.h>
#include <string.h>
#include "data/file.h"
#include "data/formats/h5.h"
#include "tensor/alloc.h"

#define NS_PER_S    INT64_C(1000000000)
#define CHUNK_BYTES (2 << 20)

void wf_series_file_free(struct wf_series_file *s)
{
    wf_free(s->values);
    wf_free(s->times_ns);
    wf_names_free(&s->nodes);
    *s = (struct wf_series_file){ 0 };
}

/* Takes first time and interval from the times of all rows, and keeps the times when their steps
 * differ. */
static enum wf_status set_times(struct wf_series_file *s, struct wf_array *times,
                                struct wf_error *err)
{
    const int64_t *t = times->i64;
    int64_t shortest = INT64_MAX, longest = 0;
    if (times->ndim != 1 || times->count != s->E)
        return wf_fail(err, WF_EFORMAT, "%td times for %td rows", times->count, s->E);
    for (ptrdiff_t i = 1; i < s->E; i++) {
        int64_t step = 0;
        if (t[i] > t[i - 1] && (t[i - 1] > 0 || t[i] < INT64_MAX + t[i - 1]))
            step = t[i] - t[i - 1];
        if (step <= 0)
            return wf_fail(err, WF_EFORMAT, "time of row %td is not after the one before", i);
        shortest = step < shortest ? step : shortest;
        longest = step > longest ? step : longest;
    }
    s->t0_ns = s->E ? t[0] : 0;
    if (s->E < 2) return WF_OK;
    if (shortest % NS_PER_S)
        return wf_fail(err, WF_EFORMAT, "interval of %lld ns, expected whole seconds",
                       (long long)shortest);
    s->interval_s = shortest / NS_PER_S;
    if (shortest == longest) return WF_OK;
    s->times_ns = times->i64;
    times->i64 = NULL;
    return WF_OK;
}

static enum wf_status set_shape(struct wf_series_file *s, const struct wf_array *head,
                                struct wf_error *err)
{
    char shape[160];
    bool sound = head->ndim == 2 || head->ndim == 3;
    for (int i = 0; i < head->ndim && sound; i++) sound = head->dim[i] > 0;
    if (!sound)
        return wf_fail(err, WF_EFORMAT, "values have shape %s, expected [E, N] or [E, N, C]",
                       wf_array_shape(shape, sizeof shape, head->ndim, head->dim));
    s->E = head->dim[0];
    s->N = head->dim[1];
    s->C = head->ndim == 3 ? head->dim[2] : 1;
    return WF_OK;
}

/* Reads the chosen rows of a dataset of the shape `head`, which is as wide as the series, one range
 * after the other. */
static enum wf_status read_ranges(struct wf_series_file *s, const struct wf_h5 *f, const char *name,
                                  const struct wf_array *head, struct wf_error *err)
{
    struct wf_array part = *head;
    part.elem = WF_F32;
    part.f32 = s->values;
    for (int i = 0; i < s->ranges; i++) {
        part.dim[0] = s->rows[i].count;
        part.count = part.dim[0] * s->N * s->C;
        WF_TRY(wf_h5_read_rows(f, name, s->rows[i].first, &part, err));
        part.f32 += part.count;
    }
    return WF_OK;
}

static enum wf_status alloc_values(struct wf_series_file *s, struct wf_error *err)
{
    struct wf_array a;
    WF_TRY(wf_array_alloc(&a, WF_F32, 3, (ptrdiff_t[]){ s->E, s->N, s->C }, err));
    s->values = a.f32;
    return WF_OK;
}

static enum wf_status read_mark(bool *synthetic, const struct wf_h5 *f, struct wf_error *err)
{
    int64_t mark = 0;
    if (wf_h5_has_attr(f, "/", "synthetic"))
        WF_TRY(wf_h5_attr_int(f, "/", "synthetic", &mark, err));
    *synthetic = mark != 0;
    return WF_OK;
}

bool wf_series_file_synthetic(const char *path)
{
    struct wf_error none = { 0 };
    struct wf_h5 *f;
    bool synthetic = false;
    if (wf_h5_open(&f, path, &none) != WF_OK) return false;
    read_mark(&synthetic, f, &none);
    wf_h5_close(f);
    return synthetic;
}

static enum wf_status read_own(struct wf_series_file *s, const struct wf_h5 *f,
                               const struct wf_row_choice *rows, struct wf_error *err)
{
    struct wf_array a, head;
    WF_TRY(wf_h5_shape(f, "values", &head, err));
    WF_TRY(set_shape(s, &head, err));
    WF_TRY(wf_h5_attr_int(f, "/", "t0", &s->t0_ns, err));
    WF_TRY(wf_h5_attr_int(f, "/", "interval_s", &s->interval_s, err));
    WF_TRY(read_mark(&s->synthetic, f, err));
    if (s->interval_s < 0)
        return wf_fail(err, WF_EFORMAT, "attribute interval_s is %lld, expected 0 or more",
                       (long long)s->interval_s);
    if (wf_h5_kind(f, "nodes") == WF_H5_DATASET)
        WF_TRY(wf_h5_read_names(f, "nodes", &s->nodes, err));
    if (s->nodes.count && s->nodes.count != s->N)
        return wf_fail(err, WF_EFORMAT, "%td names in 'nodes' for %td columns", s->nodes.count,
                       s->N);
    if (wf_h5_kind(f, "times") == WF_H5_DATASET) {
        WF_TRY(wf_h5_read(f, "times", WF_I64, &a, err));
        enum wf_status rc = set_times(s, &a, err);
        wf_array_free(&a);
        WF_TRY(rc);
    }
    WF_TRY(wf_series_file_choose(s, rows, err));
    WF_TRY(alloc_values(s, err));
    return read_ranges(s, f, "values", &head, err);
}

/* ---- pandas ---- */

/* A DataFrame of pandas in an open file. */
struct frame {
    const struct wf_h5 *f;
    char key[160];
};

/* Writes "KEY/member" to text; with i >= 0, the member of block i. */
static const char *member(char *text, size_t size, const struct frame *fr, const char *fmt, int i)
{
    int n = snprintf(text, size, "%s/", fr->key);
    if (n > 0 && (size_t)n < size) {
        if (i < 0)
            snprintf(text + n, size - (size_t)n, "%s", fmt);
        else
            snprintf(text + n, size - (size_t)n, "block%d_%s", i, fmt);
    }
    return text;
}

/* Returns the nanoseconds in one unit of a time axis, by pandas' word for it; 0: it holds no
 * dates. */
static int64_t unit_of(const char *kind)
{
    if (!strcmp(kind, "datetime64") || !strcmp(kind, "datetime64[ns]")) return 1;
    if (!strcmp(kind, "datetime64[us]")) return 1000;
    if (!strcmp(kind, "datetime64[ms]")) return 1000000;
    if (!strcmp(kind, "datetime64[s]")) return NS_PER_S;
    return 0;
}

static enum wf_status scale_times(struct wf_array *times, int64_t unit, struct wf_error *err)
{
    for (ptrdiff_t i = 0; i < times->count; i++) {
        if (times->i64[i] > INT64_MAX / unit || times->i64[i] < INT64_MIN / unit)
            return wf_fail(err, WF_EFORMAT, "time of row %td is out of range", i);
        times->i64[i] *= unit;
    }
    return WF_OK;
}

static enum wf_status read_dates(struct wf_series_file *s, const struct frame *fr,
                                 struct wf_error *err)
{
    char name[200], *kind;
    struct wf_array times;
    member(name, sizeof name, fr, "axis1", -1);
    WF_TRY(wf_h5_attr_text(fr->f, name, "kind", &kind, err));
    int64_t unit = unit_of(kind);
    bool plain = !strcmp(kind, "integer");
    enum wf_status rc = WF_OK;
    if (!unit && !plain)
        rc = wf_fail(err, WF_EFORMAT, "rows are labelled by '%.40s', expected dates", kind);
    wf_free(kind);
    if (rc != WF_OK) return rc;
    WF_TRY(wf_h5_read(fr->f, name, WF_I64, &times, err));
    s->E = times.count;
    if (!plain) rc = scale_times(&times, unit, err);
    if (!plain && rc == WF_OK) rc = set_times(s, &times, err);
    wf_array_free(&times);
    return rc;
}

/* Finds the place in the frame of each of a block's columns. Blocks keep the frame's order, so the
 * search goes on from the last place found. */
static enum wf_status place_columns(ptrdiff_t *column, const struct wf_names *items,
                                    struct wf_series_file *s, bool *taken, struct wf_error *err)
{
    ptrdiff_t at = 0;
    for (ptrdiff_t j = 0; j < items->count; j++) {
        ptrdiff_t tried = 0;
        while (tried < s->N && (taken[at] || strcmp(items->name[j], s->nodes.name[at]) != 0)) {
            at = (at + 1) % s->N;
            tried++;
        }
        if (tried == s->N)
            return wf_fail(err, WF_EFORMAT, "column '%.60s' of a block is not in axis0",
                           items->name[j]);
        taken[at] = true;
        column[j] = at;
    }
    return WF_OK;
}

/* Reads the chosen rows of a block, a few at a time, and puts each column in its place. */
static enum wf_status scatter(struct wf_series_file *s, const struct frame *fr, const char *name,
                              const ptrdiff_t *column, ptrdiff_t width, struct wf_error *err)
{
    /* The reader below may need room for the same rows as doubles. */
    ptrdiff_t step = CHUNK_BYTES / (ptrdiff_t)(sizeof(float) + sizeof(double)) / width;
    step = step < 1 ? 1 : step < s->E ? step : s->E;
    enum wf_status rc = WF_OK;
    struct wf_array chunk;
    float *to = s->values;
    WF_TRY(wf_array_alloc(&chunk, WF_F32, 2, (ptrdiff_t[]){ step, width }, err));
    for (int k = 0; k < s->ranges; k++) {
        ptrdiff_t first = s->rows[k].first, end = first + s->rows[k].count;
        for (ptrdiff_t r = first; r < end && rc == WF_OK; r += step) {
            chunk.dim[0] = end - r < step ? end - r : step;
            chunk.count = chunk.dim[0] * width;
            rc = wf_h5_read_rows(fr->f, name, r, &chunk, err);
            for (ptrdiff_t i = 0; i < chunk.count && rc == WF_OK; i++)
                to[i / width * s->N + column[i % width]] = chunk.f32[i];
            to += chunk.dim[0] * s->N;
        }
    }
    wf_array_free(&chunk);
    return rc;
}

static enum wf_status read_columns(struct wf_series_file *s, const struct frame *fr,
                                   const char *name, const ptrdiff_t *column, ptrdiff_t width,
                                   struct wf_error *err)
{
    struct wf_array head;
    char shape[160];
    WF_TRY(wf_h5_shape(fr->f, name, &head, err));
    if (head.ndim != 2 || head.dim[0] != s->total || head.dim[1] != width)
        return wf_fail(err, WF_EFORMAT, "'%s' has shape %s, expected [%td, %td]", name,
                       wf_array_shape(shape, sizeof shape, head.ndim, head.dim), s->total, width);
    bool in_order = width == s->N;
    for (ptrdiff_t j = 0; j < width && in_order; j++) in_order = column[j] == j;
    return in_order ? read_ranges(s, fr->f, name, &head, err)
                    : scatter(s, fr, name, column, width, err);
}

static enum wf_status read_block(struct wf_series_file *s, const struct frame *fr, int block,
                                 bool *taken, struct wf_error *err)
{
    char name[200];
    struct wf_names items;
    WF_TRY(wf_h5_read_names(fr->f, member(name, sizeof name, fr, "items", block), &items, err));
    ptrdiff_t *column = wf_calloc((size_t)items.count, sizeof *column);
    enum wf_status rc = WF_OK;
    if (!column) rc = wf_fail(err, WF_ENOMEM, "no memory for %td columns", items.count);
    if (rc == WF_OK) rc = place_columns(column, &items, s, taken, err);
    if (rc == WF_OK && items.count > 0)
        rc = read_columns(s, fr, member(name, sizeof name, fr, "values", block), column,
                          items.count, err);
    wf_free(column);
    wf_names_free(&items);
    return rc;
}

static enum wf_status read_blocks(struct wf_series_file *s, const struct frame *fr,
                                  struct wf_error *err)
{
    char name[200];
    bool *taken = wf_calloc((size_t)s->N, sizeof *taken);
    if (!taken) return wf_fail(err, WF_ENOMEM, "no memory for %td columns", s->N);
    enum wf_status rc = WF_OK;
    int block = 0;
    while (rc == WF_OK &&
           wf_h5_kind(fr->f, member(name, sizeof name, fr, "items", block)) == WF_H5_DATASET)
        rc = read_block(s, fr, block++, taken, err);
    for (ptrdiff_t i = 0; i < s->N && rc == WF_OK; i++)
        if (!taken[i])
            rc = wf_fail(err, WF_EFORMAT, "column '%.60s' is in no block", s->nodes.name[i]);
    wf_free(taken);
    return rc;
}

/* Checks that the blocks together are as large as the frame says, which keeps a damaged axis from
 * asking for more memory than the file has data. */
static enum wf_status check_blocks(const struct wf_series_file *s, const struct frame *fr,
                                   struct wf_error *err)
{
    char name[200];
    struct wf_array a;
    ptrdiff_t width = 0;
    for (int block = 0;; block++) {
        member(name, sizeof name, fr, "values", block);
        if (wf_h5_kind(fr->f, name) != WF_H5_DATASET) break;
        WF_TRY(wf_h5_shape(fr->f, name, &a, err));
        if (a.ndim != 2 || a.dim[0] != s->E || a.dim[1] > s->N - width)
            return wf_fail(err, WF_EFORMAT, "'%s' does not fit a frame of [%td, %td]", name, s->E,
                           s->N);
        width += a.dim[1];
    }
    if (width != s->N || s->E == 0 || s->N == 0)
        return wf_fail(err, WF_EFORMAT, "blocks hold %td columns of a frame of [%td, %td]", width,
                       s->E, s->N);
    return WF_OK;
}

static enum wf_status read_frame(struct wf_series_file *s, const struct frame *fr,
                                 const struct wf_row_choice *rows, struct wf_error *err)
{
    char name[200];
    if (wf_h5_kind(fr->f, member(name, sizeof name, fr, "table", -1)) == WF_H5_DATASET)
        return wf_fail(err, WF_EFORMAT,
                       "'%s' is in pandas' 'table' format; write it with format='fixed'", fr->key);
    if (wf_h5_kind(fr->f, member(name, sizeof name, fr, "values", 0)) != WF_H5_DATASET)
        return wf_fail(err, WF_EFORMAT, "'%s' is no pandas DataFrame ('%s' is not there)", fr->key,
                       name);
    WF_TRY(read_dates(s, fr, err));
    WF_TRY(wf_h5_read_names(fr->f, member(name, sizeof name, fr, "axis0", -1), &s->nodes, err));
    s->N = s->nodes.count;
    s->C = 1;
    WF_TRY(check_blocks(s, fr, err));
    WF_TRY(wf_series_file_choose(s, rows, err));
    WF_TRY(alloc_values(s, err));
    return read_blocks(s, fr, err);
}

/* Finds the only group of the file that pandas wrote. */
static enum wf_status find_key(struct frame *fr, struct wf_error *err)
{
    struct wf_names names;
    int found = 0;
    WF_TRY(wf_h5_list(fr->f, "/", &names, err));
    for (ptrdiff_t i = 0; i < names.count; i++)
        if (wf_h5_has_attr(fr->f, names.name[i], "pandas_type")) {
            snprintf(fr->key, sizeof fr->key, "%s", names.name[i]);
            found++;
        }
    wf_names_free(&names);
    if (found == 1) return WF_OK;
    return wf_fail(err, WF_EFORMAT,
                   found ? "%d pandas keys; name one"
                         : "%d pandas keys and no 'values': holds no time series",
                   found);
}

/* Reads from an open file and closes it. */
static enum wf_status read_open(struct wf_series_file *out, struct wf_h5 *f, const char *key,
                                const struct wf_row_choice *rows, struct wf_error *err)
{
    struct wf_series_file s = { 0 };
    struct frame fr = { .f = f };
    enum wf_status rc = WF_OK;
    if (!key && wf_h5_kind(f, "values") == WF_H5_DATASET) {
        rc = read_own(&s, f, rows, err);
    } else {
        if (key)
            snprintf(fr.key, sizeof fr.key, "%s", key);
        else
            rc = find_key(&fr, err);
        if (rc == WF_OK) rc = read_frame(&s, &fr, rows, err);
    }
    wf_h5_close(f);
    if (rc == WF_OK)
        *out = s;
    else
        wf_series_file_free(&s);
    return rc;
}

enum wf_status wf_series_file_read(struct wf_series_file *out, const char *path, const char *key,
                                   const struct wf_row_choice *rows, struct wf_error *err)
{
    struct wf_h5 *f;
    *out = (struct wf_series_file){ 0 };
    WF_TRY(wf_h5_open(&f, path, err));
    return wf_file_context(read_open(out, f, key, rows, err), path, err);
}

enum wf_status wf_series_file_parse(struct wf_series_file *out, const void *bytes, size_t size,
                                    const char *key, const struct wf_row_choice *rows,
                                    struct wf_error *err)
{
    struct wf_h5 *f;
    *out = (struct wf_series_file){ 0 };
    WF_TRY(wf_h5_open_bytes(&f, bytes, size, err));
    return read_open(out, f, key, rows, err);
}

/* ---- writing ---- */

struct wf_series_writer {
    struct wf_h5 *f;
    struct wf_array rows; /* shape of one write */
    ptrdiff_t E, written; /* rows in all, and those that are written */
};

static enum wf_status write_head(struct wf_h5 *f, const struct wf_series_file *head,
                                 struct wf_error *err)
{
    ptrdiff_t dim[] = { head->E, head->N, head->C };
    struct wf_array values = { .elem = WF_F32, .ndim = head->C > 1 ? 3 : 2 };
    struct wf_array times = {
        .elem = WF_I64, .ndim = 1, .dim = { head->E }, .count = head->E, .i64 = head->times_ns
    };
    memcpy(values.dim, dim, sizeof dim);
    WF_TRY(wf_h5_reserve(f, "values", &values, err));
    WF_TRY(wf_h5_set_int(f, "/", "t0", head->t0_ns, err));
    WF_TRY(wf_h5_set_int(f, "/", "interval_s", head->interval_s, err));
    if (head->synthetic) WF_TRY(wf_h5_set_int(f, "/", "synthetic", 1, err));
    if (head->nodes.count) WF_TRY(wf_h5_write_names(f, "nodes", &head->nodes, err));
    return head->times_ns ? wf_h5_write(f, "times", &times, err) : WF_OK;
}

enum wf_status wf_series_writer_open(struct wf_series_writer **w, const char *path,
                                     const struct wf_series_file *head, struct wf_error *err)
{
    *w = NULL;
    if (head->E < 1 || head->N < 1 || head->C < 1 || head->interval_s < 0 ||
        (head->nodes.count && head->nodes.count != head->N))
        return wf_fail(err, WF_EINVAL,
                       "%s: cannot write a series of shape [%td, %td, %td] with "
                       "%td names",
                       path, head->E, head->N, head->C, head->nodes.count);
    struct wf_series_writer *made = wf_calloc(1, sizeof *made);
    if (!made) return wf_fail(err, WF_ENOMEM, "%s: no memory to write it", path);
    made->E = head->E;
    made->rows = (struct wf_array){ .elem = WF_F32,
                                    .ndim = head->C > 1 ? 3 : 2,
                                    .dim = { 0, head->N, head->C > 1 ? head->C : 0 } };
    enum wf_status s = wf_h5_create(&made->f, path, err);
    if (s == WF_OK) s = write_head(made->f, head, err);
    if (s == WF_OK)
        *w = made;
    else
        wf_series_writer_discard(made);
    return s;
}

enum wf_status wf_series_writer_rows(struct wf_series_writer *w, ptrdiff_t rows,
                                     const float *values, struct wf_error *err)
{
    struct wf_array part = w->rows;
    part.dim[0] = rows;
    part.count = rows * part.dim[1] * (part.ndim == 3 ? part.dim[2] : 1);
    part.data = (void *)(uintptr_t)values;
    WF_TRY(wf_h5_write_rows(w->f, "values", w->written, &part, err));
    w->written += rows;
    return WF_OK;
}

ptrdiff_t wf_series_file_chunk(ptrdiff_t rows, ptrdiff_t width)
{
    ptrdiff_t n = CHUNK_BYTES / (ptrdiff_t)sizeof(float) / width;
    return n < 1 ? 1 : n < rows ? n : rows;
}

/* Makes and writes a few rows of the matrix at a time: as a whole it would be larger than anything
 * else in memory. */
enum wf_status wf_series_writer_graph(struct wf_series_writer *w, ptrdiff_t edges,
                                      const int *source, const int *target, const float *weight,
                                      struct wf_error *err)
{
    ptrdiff_t N = w->rows.dim[1], step = wf_series_file_chunk(N, N);
    struct wf_array all = { .elem = WF_F32, .ndim = 2, .dim = { N, N } }, chunk;
    enum wf_status s = WF_OK;
    WF_TRY(wf_h5_reserve(w->f, "adjacency", &all, err));
    WF_TRY(wf_array_alloc(&chunk, WF_F32, 2, (ptrdiff_t[]){ step, N }, err));
    for (ptrdiff_t r = 0; r < N && s == WF_OK; r += step) {
        chunk.dim[0] = N - r < step ? N - r : step;
        chunk.count = chunk.dim[0] * N;
        memset(chunk.f32, 0, (size_t)chunk.count * sizeof *chunk.f32);
        for (ptrdiff_t e = 0; e < edges; e++)
            if (source[e] >= r && source[e] < r + chunk.dim[0])
                chunk.f32[(source[e] - r) * N + target[e]] += weight[e];
        s = wf_h5_write_rows(w->f, "adjacency", r, &chunk, err);
    }
    wf_array_free(&chunk);
    return s;
}

struct wf_h5 *wf_series_writer_h5(struct wf_series_writer *w)
{
    return w->f;
}

enum wf_status wf_series_writer_commit(struct wf_series_writer *w, struct wf_error *err)
{
    enum wf_status s = WF_OK;
    if (w->written != w->E) {
        s = wf_fail(err, WF_EINVAL, "series has %td of %td rows", w->written, w->E);
        wf_h5_close(w->f);
    } else {
        s = wf_h5_commit(w->f, err);
    }
    wf_free(w);
    return s;
}

void wf_series_writer_discard(struct wf_series_writer *w)
{
    if (!w) return;
    wf_h5_close(w->f);
    wf_free(w);
}

enum wf_status wf_series_writer_end(struct wf_series_writer *w, enum wf_status s, const char *path,
                                    struct wf_error *err)
{
    if (s == WF_OK)
        s = wf_series_writer_commit(w, err);
    else
        wf_series_writer_discard(w);
    return wf_file_context(s, path, err);
}

enum wf_status wf_series_file_write(const char *path, const struct wf_series_file *s,
                                    struct wf_error *err)
{
    struct wf_series_writer *w;
    WF_TRY(wf_series_writer_open(&w, path, s, err));
    enum wf_status rc = wf_series_writer_rows(w, s->E, s->values, err);
    if (rc == WF_OK) return wf_series_writer_commit(w, err);
    wf_series_writer_discard(w);
    return rc;
}
