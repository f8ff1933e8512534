/* dataset_graph.c - reads the graph of a data set from a file of any kind that can hold one. */
#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/dataset_private.h"
#include "data/file.h"
#include "data/formats/csv.h"
#include "data/formats/h5.h"
#include "data/formats/npy.h"
#include "data/formats/pickle.h"
#include "tensor/alloc.h"

#define CHUNK_BYTES (2 << 20)

/* What all functions here need to know of the file that is being read. */
struct job {
    struct wf_dataset *ds;
    const char *path; /* the file */
    const char *data; /* the file of the series, for messages */
    const char *key;  /* name of the graph in an .npz file */
    ptrdiff_t N;      /* nodes of the series */
    double threshold; /* weights of road distances that are below it become 0 */
    int *place; /* [N] where each node of the file stands in the series; NULL: in the same place */
    struct wf_error *err;
};

enum wf_status wf_dataset_reserve(struct wf_dataset *ds, ptrdiff_t edges, struct wf_error *err)
{
    if (edges > INT_MAX - ds->edges)
        return wf_fail(err, WF_EINVAL, "%td edges and more, expected at most %d", edges, INT_MAX);
    size_t room = (size_t)ds->edges + (size_t)edges;
    int *source = wf_realloc(ds->source, room * sizeof *source);
    if (source) ds->source = source;
    int *target = wf_realloc(ds->target, room * sizeof *target);
    if (target) ds->target = target;
    float *weight = wf_realloc(ds->weight, room * sizeof *weight);
    if (weight) ds->weight = weight;
    if (source && target && weight) return WF_OK;
    return wf_fail(err, WF_ENOMEM, "no memory for %zu edges", room);
}

/* Appends the edges in rows first .. first + rows - 1 of a dense matrix. */
static enum wf_status add_rows(const struct job *j, ptrdiff_t first, ptrdiff_t rows, const float *A)
{
    struct wf_dataset *ds = j->ds;
    ptrdiff_t edges = 0;
    for (ptrdiff_t i = 0; i < rows * j->N; i++) {
        if (!isfinite(A[i]) || A[i] < 0)
            return wf_fail(j->err, WF_ENUMERIC,
                           "weight [%td, %td] is %g, expected a finite one >= 0", first + i / j->N,
                           i % j->N, (double)A[i]);
        edges += A[i] != 0;
    }
    WF_TRY(wf_dataset_reserve(ds, edges, j->err));
    for (ptrdiff_t i = 0; i < rows * j->N; i++) {
        if (A[i] == 0) continue;
        int from = (int)(first + i / j->N), to = (int)(i % j->N);
        ds->source[ds->edges] = j->place ? j->place[from] : from;
        ds->target[ds->edges] = j->place ? j->place[to] : to;
        ds->weight[ds->edges++] = A[i];
    }
    return WF_OK;
}

static enum wf_status check_size(const struct job *j, const struct wf_array *a)
{
    char shape[160];
    if (a->ndim == 2 && a->dim[0] == j->N && a->dim[1] == j->N) return WF_OK;
    if (a->ndim != 2)
        return wf_fail(j->err, WF_EINVAL, "adjacency %s has shape %s, expected [%td, %td]", j->path,
                       wf_array_shape(shape, sizeof shape, a->ndim, a->dim), j->N, j->N);
    return wf_fail(j->err, WF_EINVAL, "adjacency %s is %td x %td, series %s has %td nodes", j->path,
                   a->dim[0], a->dim[1], j->data, j->N);
}

/* ---- names ---- */

struct node {
    const char *name;
    int at;
};

static int by_name(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* Fills j->place. Every name of the file must be in the series, once. */
static enum wf_status find_places(const struct job *j, const struct wf_names *ids,
                                  struct node *sorted)
{
    const struct wf_names *have = &j->ds->nodes;
    for (int i = 0; i < (int)have->count; i++) sorted[i] = (struct node){ have->name[i], i };
    qsort(sorted, (size_t)have->count, sizeof *sorted, by_name);
    for (ptrdiff_t i = 0; i < ids->count; i++) {
        struct node key = { ids->name[i], 0 };
        struct node *found = bsearch(&key, sorted, (size_t)have->count, sizeof *sorted, by_name);
        if (!found || found->at < 0)
            return wf_fail(j->err, WF_EINVAL,
                           "adjacency %s: node %td is '%.60s'%s, series %s has '%.60s' there",
                           j->path, i, ids->name[i], found ? " again" : "", j->data, have->name[i]);
        j->place[i] = found->at;
        found->at = -1;
    }
    return WF_OK;
}

/* Compares the names of the file's nodes, N of them or none, with those of the series. */
static enum wf_status match(struct job *j, struct wf_names *ids)
{
    struct wf_names *have = &j->ds->nodes;
    if (!ids->count) return WF_OK;
    if (!have->count) {
        *have = *ids;
        *ids = (struct wf_names){ 0 };
        return WF_OK;
    }
    bool same = true;
    for (ptrdiff_t i = 0; i < ids->count && same; i++)
        same = strcmp(ids->name[i], have->name[i]) == 0;
    if (same) return WF_OK;
    struct node *sorted = wf_calloc((size_t)j->N, sizeof *sorted);
    j->place = wf_calloc((size_t)j->N, sizeof *j->place);
    enum wf_status s = WF_OK;
    if (!sorted || !j->place) s = wf_fail(j->err, WF_ENOMEM, "no memory for %td nodes", j->N);
    if (s == WF_OK) s = find_places(j, ids, sorted);
    wf_free(sorted);
    j->ds->reordered = s == WF_OK;
    return s;
}

/* ---- formats ---- */

static enum wf_status take_dense(struct job *j, struct wf_adjacency *g)
{
    struct wf_array shape = { .ndim = 2, .dim = { g->N, g->N } };
    WF_TRY(check_size(j, &shape));
    WF_TRY(match(j, &g->ids));
    return add_rows(j, 0, g->N, g->A);
}

static enum wf_status from_pickle(struct job *j)
{
    struct wf_adjacency g;
    WF_TRY(wf_pickle_adjacency(j->path, &g, j->err));
    enum wf_status s = take_dense(j, &g);
    wf_adjacency_free(&g);
    return s;
}

static enum wf_status from_numpy(struct job *j, enum wf_file_kind kind)
{
    struct wf_array a;
    WF_TRY(kind == WF_FILE_NPY ? wf_npy_read(j->path, WF_F32, &a, j->err)
                               : wf_dataset_npz(j->path, j->key, &a, j->err));
    enum wf_status s = check_size(j, &a);
    if (s == WF_OK) s = add_rows(j, 0, j->N, a.f32);
    wf_array_free(&a);
    return s;
}

/* Reads a few rows at a time: the matrix of 100,000 nodes is 40 GB, its edges are not. */
static enum wf_status add_all_rows(const struct job *j, const struct wf_h5 *f)
{
    ptrdiff_t step = CHUNK_BYTES / (ptrdiff_t)sizeof(float) / j->N;
    step = step < 1 ? 1 : step < j->N ? step : j->N;
    struct wf_array chunk;
    enum wf_status s = WF_OK;
    WF_TRY(wf_array_alloc(&chunk, WF_F32, 2, (ptrdiff_t[]){ step, j->N }, j->err));
    for (ptrdiff_t r = 0; r < j->N && s == WF_OK; r += step) {
        chunk.dim[0] = j->N - r < step ? j->N - r : step;
        chunk.count = chunk.dim[0] * j->N;
        s = wf_h5_read_rows(f, "adjacency", r, &chunk, j->err);
        if (s == WF_OK) s = add_rows(j, r, chunk.dim[0], chunk.f32);
    }
    wf_array_free(&chunk);
    return s;
}

static enum wf_status take_h5(struct job *j, const struct wf_h5 *f)
{
    struct wf_array a;
    struct wf_names ids = { 0 };
    enum wf_status s = WF_OK;
    if (wf_h5_kind(f, "adjacency") != WF_H5_DATASET)
        return wf_fail(j->err, WF_EFORMAT, "holds no 'adjacency'");
    WF_TRY(wf_h5_shape(f, "adjacency", &a, j->err));
    WF_TRY(check_size(j, &a));
    if (wf_h5_kind(f, "nodes") == WF_H5_DATASET) s = wf_h5_read_names(f, "nodes", &ids, j->err);
    if (s == WF_OK && ids.count && ids.count != j->N)
        s = wf_fail(j->err, WF_EFORMAT, "%td names in 'nodes' for %td nodes", ids.count, j->N);
    if (s == WF_OK) s = match(j, &ids);
    wf_names_free(&ids);
    return s == WF_OK ? add_all_rows(j, f) : s;
}

static enum wf_status from_h5(struct job *j)
{
    struct wf_h5 *f;
    WF_TRY(wf_h5_open(&f, j->path, j->err));
    enum wf_status s = take_h5(j, f);
    wf_h5_close(f);
    return s;
}

/* Whether a CSV text is a list of lines from,to,distance: its first line has three fields, and it
 * cannot be a matrix of three nodes. */
static bool is_list(const char *text, ptrdiff_t N)
{
    size_t commas = 0;
    for (const char *p = text; *p && *p != '\n'; p++) commas += *p == ',';
    return commas == 2 && (N != 3 || isalpha((unsigned char)text[strspn(text, "\" \xef\xbb\xbf")]));
}

/* Gives nodes without names their numbers as names. */
static enum wf_status number_nodes(struct wf_names *n, ptrdiff_t N, struct wf_error *err)
{
    WF_TRY(wf_names_alloc(n, N, err));
    for (ptrdiff_t i = 0; i < N; i++) {
        char text[24];
        int len = snprintf(text, sizeof text, "%td", i);
        WF_TRY(wf_names_set(n, i, text, (size_t)len, err));
    }
    return WF_OK;
}

static enum wf_status from_list(struct job *j, const char *bytes, size_t size)
{
    struct wf_names numbers = { 0 };
    struct wf_adjacency g = { 0 };
    enum wf_status s = WF_OK;
    if (!j->ds->nodes.count) s = number_nodes(&numbers, j->N, j->err);
    if (s == WF_OK)
        s = wf_csv_adjacency_parse(bytes, size, numbers.count ? &numbers : &j->ds->nodes,
                                   j->threshold, &g, j->err);
    if (s == WF_OK) s = add_rows(j, 0, j->N, g.A);
    wf_adjacency_free(&g);
    wf_names_free(&numbers);
    return s;
}

static enum wf_status from_matrix(struct job *j, const char *bytes, size_t size)
{
    struct wf_csv c;
    WF_TRY(wf_csv_parse(bytes, size, WF_CSV_NO, &c, j->err));
    struct wf_array a = { .ndim = 2, .dim = { c.rows, c.cols } };
    enum wf_status s = check_size(j, &a);
    if (s == WF_OK) s = wf_array_alloc(&a, WF_F32, 2, (ptrdiff_t[]){ j->N, j->N }, j->err);
    if (s == WF_OK) {
        for (ptrdiff_t i = 0; i < a.count; i++) a.f32[i] = (float)c.values[i];
        s = add_rows(j, 0, j->N, a.f32);
    }
    wf_array_free(&a);
    wf_csv_free(&c);
    return s;
}

static enum wf_status from_csv(struct job *j)
{
    char *bytes;
    size_t size;
    WF_TRY(wf_file_read(j->path, &bytes, &size, j->err));
    enum wf_status s =
        is_list(bytes, j->N) ? from_list(j, bytes, size) : from_matrix(j, bytes, size);
    wf_free(bytes);
    return s;
}

static enum wf_status from_any(struct job *j)
{
    enum wf_file_kind kind;
    WF_TRY(wf_dataset_kind(j->path, &kind, j->err));
    switch (kind) {
    case WF_FILE_HDF5:
        return from_h5(j);
    case WF_FILE_CSV:
        return from_csv(j);
    case WF_FILE_NPY:
    case WF_FILE_NPZ:
        return from_numpy(j, kind);
    case WF_FILE_PICKLE:
        return from_pickle(j);
    case WF_FILE_JSON:
        break;
    }
    return wf_fail(j->err, WF_EFORMAT, "no adjacency; want .pkl, .csv, .npy, .npz or .h5");
}

enum wf_status wf_dataset_graph(struct wf_dataset *ds, const char *path,
                                const struct wf_dataset_source *src, ptrdiff_t N,
                                struct wf_error *err)
{
    struct job j = { .ds = ds,
                     .path = path,
                     .data = src->data,
                     .key = src->adjacency_key,
                     .N = N,
                     .threshold = src->threshold,
                     .err = err };
    enum wf_status s = from_any(&j);
    if (s == WF_OK && ds->edges == 0) s = wf_fail(err, WF_EFORMAT, "adjacency without an edge");
    wf_free(j.place);
    /* The file is not put in front of a message that names it already. */
    if (s != WF_OK && err && strstr(err->message, path)) return s;
    return wf_file_context(s, path, err);
}
