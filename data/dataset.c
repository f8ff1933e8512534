#include "data/dataset.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "data/dataset_private.h"
#include "data/file.h"
#include "data/formats/csv.h"
#include "data/formats/h5.h"
#include "data/formats/json.h"
#include "data/formats/npy.h"
#include "tensor/alloc.h"

#define NS_PER_S INT64_C(1000000000)
#define DAY_S    86400

const struct wf_field wf_dataset_fields[] = {
    WF_FIELD(wf_dataset_source, "data", TEXT, data, 0, 0, NULL,
             "file with the series: .h5, .csv, .npy or .npz; or a .json set with its graph"),
    WF_FIELD(wf_dataset_source, "key", TEXT, key, 0, 0, NULL,
             "name of the series in an HDF5 or .npz file"),
    WF_FIELD(wf_dataset_source, "adjacency", TEXT, adjacency, 0, 0, NULL,
             "file with the graph: .pkl, .npy, .npz, .h5, or .csv (a matrix, or lines "
             "from,to,distance); default: the graph in the file with the series"),
    WF_FIELD(wf_dataset_source, "adjacency-key", TEXT, adjacency_key, 0, 0, NULL,
             "name of the graph in an .npz file"),
    WF_FIELD(wf_dataset_source, "zero-missing", BOOL, zero_missing, 0, 0, NULL,
             "take zeros for missing values"),
    WF_FIELD(wf_dataset_source, "threshold", DOUBLE, threshold, 0, 1, NULL,
             "drop edges of road distances whose weight is below this"),
    WF_FIELD(wf_dataset_source, "second-data", TEXT, second, 0, 0, NULL,
             "another .csv, .npy or .npz of the same shape, with further channels"),
    WF_FIELD(wf_dataset_source, "rows-are-nodes", BOOL, rows_are_nodes, 0, 0, NULL,
             "the rows of .csv, .npy and .npz files are nodes; else they are times"),
    WF_FIELD(wf_dataset_source, "names", TEXT, names, 0, 0, NULL,
             "text file with the nodes' names in order"),
    WF_FIELD(wf_dataset_source, "start", TEXT, start, 0, 0, NULL,
             "time of the first row, such as 2018-01-01 00:00, where the file has none"),
    WF_FIELD(wf_dataset_source, "interval", INT, interval_s, 0, INT_MAX, NULL,
             "seconds from row to row, where --start is given"),
    { 0 }
};

struct wf_dataset_source wf_dataset_defaults(void)
{
    return (struct wf_dataset_source){ .zero_missing = true, .threshold = 0.1 };
}

void wf_dataset_free(struct wf_dataset *ds)
{
    if (ds->series.be) wf_series_free(&ds->series);
    if (ds->weights.be) wf_series_free(&ds->weights);
    wf_free(ds->source);
    wf_free(ds->target);
    wf_free(ds->weight);
    wf_names_free(&ds->nodes);
    *ds = (struct wf_dataset){ 0 };
}

/* ---- kinds of files ---- */

static const struct {
    const char *ending, *magic;
    size_t len;
    enum wf_file_kind kind;
} kinds[] = {
    { ".h5", "\x89HDF", 4, WF_FILE_HDF5 },   { ".hdf5", "\x89HDF", 4, WF_FILE_HDF5 },
    { ".npy", "\x93NUMPY", 6, WF_FILE_NPY }, { ".npz", "PK\3\4", 4, WF_FILE_NPZ },
    { ".json", "{", 1, WF_FILE_JSON },       { ".pkl", "\x80", 1, WF_FILE_PICKLE },
    { ".csv", "", 0, WF_FILE_CSV },
};

enum wf_status wf_dataset_kind(const char *path, enum wf_file_kind *kind, struct wf_error *err)
{
    char head[8] = "";
    const char *dot = strrchr(path, '.');
    WF_TRY(wf_file_check(path, err));
    for (size_t i = 0; dot && i < sizeof kinds / sizeof *kinds; i++)
        if (strcasecmp(dot, kinds[i].ending) == 0) {
            *kind = kinds[i].kind;
            return WF_OK;
        }
    FILE *f = fopen(path, "rb");
    size_t got = f ? fread(head, 1, sizeof head, f) : 0;
    if (f) fclose(f);
    if (!f || !got) return wf_fail(err, WF_EIO, "%s: cannot be read or is empty", path);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        *kind = kinds[i].kind;
        if (got >= kinds[i].len && memcmp(head, kinds[i].magic, kinds[i].len) == 0) break;
    }
    return WF_OK;
}

/* ---- series ---- */

/* Makes an array [E, N] or [E, N, C] the values of f, which owns it then; frees it on failure. */
static enum wf_status adopt_array(struct wf_series_file *f, struct wf_array *a,
                                  struct wf_error *err)
{
    char shape[160];
    if ((a->ndim != 2 && a->ndim != 3) || a->count == 0) {
        wf_fail(err, WF_EFORMAT, "has shape %s, expected [E, N] or [E, N, C]",
                wf_array_shape(shape, sizeof shape, a->ndim, a->dim));
        wf_array_free(a);
        return WF_EFORMAT;
    }
    f->E = a->dim[0];
    f->N = a->dim[1];
    f->C = a->ndim == 3 ? a->dim[2] : 1;
    f->values = a->f32;
    return WF_OK;
}

static enum wf_status read_member(const struct wf_npz *z, const char *key, struct wf_array *out,
                                  struct wf_error *err)
{
    struct wf_names names;
    if (key[0]) return wf_npz_read(z, key, WF_F32, out, err);
    WF_TRY(wf_npz_list(z, &names, err));
    enum wf_status s =
        names.count == 1 ? wf_npz_read(z, names.name[0], WF_F32, out, err)
                         : wf_fail(err, WF_EFORMAT, "%td arrays; name one by its key", names.count);
    wf_names_free(&names);
    return s;
}

enum wf_status wf_dataset_npz(const char *path, const char *key, struct wf_array *out,
                              struct wf_error *err)
{
    struct wf_npz *z;
    WF_TRY(wf_npz_open(&z, path, err));
    enum wf_status s = read_member(z, key, out, err);
    wf_npz_close(z);
    return wf_file_context(s, path, err);
}

/* Finds the smallest step between the times of all rows, which those that are kept need not show;
 * 0: there is none. */
static enum wf_status csv_interval(const struct wf_csv *c, int64_t *interval_s,
                                   struct wf_error *err)
{
    int64_t shortest = 0;
    for (ptrdiff_t e = 1; c->times_ns && e < c->rows; e++) {
        int64_t step = c->times_ns[e] / NS_PER_S - c->times_ns[e - 1] / NS_PER_S;
        if (c->times_ns[e] <= c->times_ns[e - 1])
            return wf_fail(err, WF_EFORMAT, "time of row %td is not after the one before", e);
        if (step > 0 && (shortest == 0 || step < shortest)) shortest = step;
    }
    *interval_s = shortest <= INT_MAX ? shortest : 0;
    return WF_OK;
}

static enum wf_status read_csv(struct wf_series_file *f, const char *path, struct wf_error *err)
{
    struct wf_csv c;
    struct wf_array a = { 0 };
    WF_TRY(wf_csv_read(path, WF_CSV_AUTO, &c, err));
    enum wf_status s = csv_interval(&c, &f->interval_s, err);
    if (s == WF_OK) s = wf_array_alloc(&a, WF_F32, 2, (ptrdiff_t[]){ c.rows, c.cols }, err);
    if (s == WF_OK) {
        for (ptrdiff_t i = 0; i < a.count; i++) a.f32[i] = (float)c.values[i];
        f->nodes = c.names;
        f->times_ns = c.times_ns;
        c.names = (struct wf_names){ 0 };
        c.times_ns = NULL;
        s = adopt_array(f, &a, err);
    }
    wf_csv_free(&c);
    return s;
}

/* What a file gives. */
struct parts {
    struct wf_series_file series;
    struct wf_series_file weights; /* [E, edges, 1] of a graph that changes; else empty */
};

static enum wf_status take_edges(struct wf_dataset *ds, const struct wf_json_edges *e,
                                 struct wf_error *err)
{
    WF_TRY(wf_dataset_reserve(ds, e->count, err));
    for (ptrdiff_t i = 0; i < e->count; i++) {
        ds->source[i] = (int)e->from[i];
        ds->target[i] = (int)e->to[i];
        ds->weight[i] = e->weight[i];
    }
    ds->edges = (int)e->count;
    return WF_OK;
}

/* Writes to mean [edges] what each edge weighs on average in the steps of w [steps, edges] that
 * have it. */
static void mean_weights(float *mean, const float *w, ptrdiff_t steps, ptrdiff_t edges)
{
    for (ptrdiff_t e = 0; e < edges; e++) {
        double sum = 0, count = 0;
        for (ptrdiff_t t = 0; t < steps; t++) {
            sum += (double)w[t * edges + e];
            count += w[t * edges + e] != 0;
        }
        mean[e] = (float)(count > 0 ? sum / count : 0);
    }
}

/* Takes the edges of all steps, and their weights by step. */
static enum wf_status take_union(struct wf_dataset *ds, struct wf_series_file *weights,
                                 const struct wf_temporal_graph *g, struct wf_error *err)
{
    struct wf_edge_union u;
    WF_TRY(wf_edge_union_make(&u, g, err));
    float *mean = wf_malloc((size_t)u.count * sizeof *mean);
    if (!mean || u.count == 0) {
        wf_free(mean);
        wf_edge_union_free(&u);
        return mean ? WF_OK : wf_fail(err, WF_ENOMEM, "no memory for edges of all steps");
    }
    mean_weights(mean, u.weight, g->graphs, u.count);
    ds->edges = (int)u.count;
    ds->source = u.source;
    ds->target = u.target;
    ds->weight = mean;
    *weights = (struct wf_series_file){ .E = g->graphs, .N = u.count, .C = 1, .values = u.weight };
    return WF_OK;
}

/* Takes target and features: the target is channel 0, and features follow. One that repeats the
 * target is left out. */
static enum wf_status take_channels(struct wf_series_file *f, struct wf_temporal_graph *g,
                                    struct wf_error *err)
{
    ptrdiff_t rows = g->E * g->N, C = g->C;
    if (C == 1 && memcmp(g->x, g->y, (size_t)rows * sizeof *g->y) == 0) C = 0;
    *f = (struct wf_series_file){ .E = g->E, .N = g->N, .C = C + 1, .nodes = g->ids };
    g->ids = (struct wf_names){ 0 };
    if (C == 0) {
        f->values = g->y;
        g->y = NULL;
        return WF_OK;
    }
    struct wf_array a;
    WF_TRY(wf_array_alloc(&a, WF_F32, 3, (ptrdiff_t[]){ g->E, g->N, C + 1 }, err));
    f->values = a.f32;
    for (ptrdiff_t i = 0; i < rows; i++) {
        a.f32[i * (C + 1)] = g->y[i];
        memcpy(a.f32 + i * (C + 1) + 1, g->x + i * C, (size_t)C * sizeof *a.f32);
    }
    return WF_OK;
}

static enum wf_status read_json(struct parts *p, struct wf_dataset *ds,
                                const struct wf_dataset_source *src, struct wf_error *err)
{
    struct wf_temporal_graph g;
    enum wf_status s = WF_OK;
    WF_TRY(wf_json_read(src->data, &g, err));
    if (!src->adjacency[0] && !src->series_only)
        s = g.graphs == 1 ? take_edges(ds, &g.edges[0], err) : take_union(ds, &p->weights, &g, err);
    if (s == WF_OK) s = take_channels(&p->series, &g, err);
    wf_temporal_graph_free(&g);
    return s;
}

static enum wf_status read_table(struct wf_series_file *f, const char *path, const char *key,
                                 enum wf_file_kind kind, struct wf_error *err)
{
    struct wf_array a;
    if (kind == WF_FILE_CSV) return read_csv(f, path, err);
    if (kind == WF_FILE_NPY)
        WF_TRY(wf_npy_read(path, WF_F32, &a, err));
    else
        WF_TRY(wf_dataset_npz(path, key, &a, err));
    return adopt_array(f, &a, err);
}

static bool is_table(enum wf_file_kind kind)
{
    return kind == WF_FILE_CSV || kind == WF_FILE_NPY || kind == WF_FILE_NPZ;
}

static enum wf_status add_second(struct wf_series_file *f, const struct wf_dataset_source *src,
                                 struct wf_error *err)
{
    struct wf_series_file g = { 0 };
    enum wf_file_kind kind;
    WF_TRY(wf_dataset_kind(src->second, &kind, err));
    enum wf_status s = WF_OK;
    if (is_table(kind))
        s = read_table(&g, src->second, src->key, kind, err);
    else
        s = wf_fail(err, WF_EINVAL, "no second table; want .csv, .npy or .npz");
    if (s == WF_OK) s = wf_dataset_join(f, &g, err);
    wf_series_file_free(&g);
    return wf_file_context(s, src->second, err);
}

/* Reads a table, appends the second one, and turns them if their rows are nodes. */
static enum wf_status read_tables(struct wf_series_file *f, const struct wf_dataset_source *src,
                                  enum wf_file_kind kind, struct wf_error *err)
{
    WF_TRY(read_table(f, src->data, src->key, kind, err));
    if (src->second[0]) WF_TRY(add_second(f, src, err));
    return src->rows_are_nodes ? wf_dataset_transpose(f, err) : WF_OK;
}

static enum wf_status read_any(struct parts *p, struct wf_dataset *ds,
                               const struct wf_dataset_source *src, enum wf_file_kind kind,
                               struct wf_error *err)
{
    struct wf_series_file *f = &p->series;
    if (is_table(kind)) return read_tables(f, src, kind, err);
    if (src->second[0] || src->rows_are_nodes)
        return wf_fail(err, WF_EINVAL,
                       "second-data and rows-are-nodes are for .csv, .npy and .npz");
    if (kind == WF_FILE_HDF5)
        return wf_series_file_read(f, src->data, src->key[0] ? src->key : NULL, src->rows, err);
    if (kind == WF_FILE_JSON) return read_json(p, ds, src, err);
    return wf_fail(err, WF_EFORMAT, "no series; want .h5, .csv, .npy, .npz or .json");
}

/* Reads the chosen rows of the series and of the weights. */
static enum wf_status read_parts(struct parts *p, struct wf_dataset *ds,
                                 const struct wf_dataset_source *src, enum wf_file_kind kind,
                                 struct wf_error *err)
{
    if (src->key[0] && kind != WF_FILE_HDF5 && kind != WF_FILE_NPZ)
        return wf_fail(err, WF_EINVAL, "has no keys, '%.60s' was asked for", src->key);
    WF_TRY(read_any(p, ds, src, kind, err));
    WF_TRY(wf_dataset_complete(&p->series, src, kind, err));
    if (p->weights.values) WF_TRY(wf_series_file_keep(&p->weights, src->rows, err));
    return kind == WF_FILE_HDF5 ? WF_OK : wf_series_file_keep(&p->series, src->rows, err);
}

/* ---- from what a file holds to what a run needs ---- */

static enum wf_status check_values(const struct wf_series_file *f, struct wf_error *err)
{
    if (f->N > INT_MAX || f->C > WF_MAXCHANNEL)
        return wf_fail(err, WF_EINVAL, "%td nodes of %td channels, expected at most %d channels",
                       f->N, f->C, WF_MAXCHANNEL);
    for (ptrdiff_t i = 0; i < f->E * f->N * f->C; i++)
        if (isinf(f->values[i]))
            return wf_fail(err, WF_ENUMERIC, "value of row %td, node %td is infinite",
                           wf_series_file_row(f, i / (f->N * f->C)), i / f->C % f->N);
    return WF_OK;
}

/* Returns the time of row e in seconds since 1970. */
static int64_t time_of(const struct wf_series_file *f, ptrdiff_t e)
{
    return f->times_ns ? f->times_ns[e] / NS_PER_S : f->t0_ns / NS_PER_S + e * f->interval_s;
}

/* Appends the time of day as a channel. Widens the values in place, from the end, so that no second
 * copy exists. */
static enum wf_status add_time_of_day(struct wf_series_file *f, struct wf_error *err)
{
    ptrdiff_t C = f->C, rows = f->E * f->N;
    if (C == WF_MAXCHANNEL)
        return wf_fail(err, WF_EINVAL, "%td channels leave none for the time of day", C);
    float *v = wf_realloc(f->values, (size_t)(rows * (C + 1)) * sizeof *v);
    if (!v) return wf_fail(err, WF_ENOMEM, "no memory for a channel with the time of day");
    f->values = v;
    f->C = C + 1;
    for (ptrdiff_t i = rows - 1; i >= 0; i--) {
        int64_t s = time_of(f, i / f->N) % DAY_S;
        v[i * (C + 1) + C] = (float)((double)(s < 0 ? s + DAY_S : s) / DAY_S);
        for (ptrdiff_t c = C - 1; c >= 0; c--) v[i * (C + 1) + c] = v[i * C + c];
    }
    return WF_OK;
}

static enum wf_status set_clock(struct wf_series *s, struct wf_series_file *f, struct wf_error *err)
{
    if (f->interval_s > INT_MAX)
        return wf_fail(err, WF_EFORMAT, "interval of %lld s, expected at most %d",
                       (long long)f->interval_s, INT_MAX);
    int64_t t0_s = time_of(f, 0);
    for (ptrdiff_t e = 0; f->times_ns && e < f->E; e++) {
        f->times_ns[e] /= NS_PER_S;
        if (f->times_ns[e] < 0)
            return wf_fail(err, WF_EINVAL,
                           "clock: row %td is at %lld s, expected a time not before 1970",
                           wf_series_file_row(f, e), (long long)f->times_ns[e]);
    }
    return wf_series_clock(s, f->times_ns, t0_s, (int)f->interval_s, err);
}

static enum wf_status make_series(struct wf_dataset *ds, struct wf_backend *be,
                                  struct wf_series_file *f, bool zero_missing, bool day,
                                  struct wf_error *err)
{
    bool timed = f->times_ns || f->interval_s > 0;
    WF_TRY(check_values(f, err));
    if (timed && day) WF_TRY(add_time_of_day(f, err));
    WF_TRY(wf_series_init(&ds->series, be, f->E, (int)f->N, (int)f->C, err));
    float *values = f->values;
    f->values = NULL;
    enum wf_status s = wf_series_adopt(&ds->series, values, zero_missing);
    if (s != WF_OK) return wf_fail(err, s, "cannot copy the series to %s", be->name);
    return timed ? set_clock(&ds->series, f, err) : WF_OK;
}

static enum wf_status make_weights(struct wf_dataset *ds, struct wf_backend *be,
                                   struct wf_series_file *w, struct wf_error *err)
{
    if (!w->values) return WF_OK;
    WF_TRY(wf_series_init(&ds->weights, be, w->E, (int)w->N, 1, err));
    float *values = w->values;
    w->values = NULL;
    enum wf_status s = wf_series_adopt(&ds->weights, values, false);
    return s == WF_OK ? s : wf_fail(err, s, "cannot copy the graph's weights to %s", be->name);
}

/* Reads the adjacency that was named, or else the one in the file of the series. */
static enum wf_status find_graph(struct wf_dataset *ds, const struct wf_dataset_source *src,
                                 enum wf_file_kind kind, ptrdiff_t N, struct wf_error *err)
{
    const char *path = src->adjacency[0] ? src->adjacency : NULL;
    struct wf_h5 *f;
    if (src->series_only) return WF_OK;
    if (!path && kind == WF_FILE_HDF5) {
        WF_TRY(wf_h5_open(&f, src->data, err));
        if (wf_h5_kind(f, "adjacency") == WF_H5_DATASET) path = src->data;
        wf_h5_close(f);
    }
    if (path) return wf_dataset_graph(ds, path, src, N, err);
    if (ds->edges || src->graph_optional) return WF_OK;
    return wf_fail(err, WF_EINVAL, "%s: holds no graph and no adjacency was given", src->data);
}

static void set_name(struct wf_dataset *ds, const char *path)
{
    const char *slash = strrchr(path, '/'), *from = slash ? slash + 1 : path;
    const char *dot = strrchr(from, '.');
    int len = (int)(dot && dot != from ? (size_t)(dot - from) : strlen(from));
    snprintf(ds->name, sizeof ds->name, "%.*s", len, from);
}

enum wf_status wf_dataset_load(struct wf_dataset *ds, struct wf_backend *be,
                               const struct wf_dataset_source *src, struct wf_error *err)
{
    struct parts p = { 0 };
    struct wf_series_file *f = &p.series;
    enum wf_file_kind kind;
    *ds = (struct wf_dataset){ 0 };
    if (!src->data[0]) return wf_fail(err, WF_EINVAL, "no data file was given (--data)");
    set_name(ds, src->data);
    WF_TRY(wf_dataset_kind(src->data, &kind, err));
    enum wf_status s = wf_file_context(read_parts(&p, ds, src, kind, err), src->data, err);
    ds->nodes = f->nodes;
    f->nodes = (struct wf_names){ 0 };
    ds->total = f->total;
    ds->synthetic = f->synthetic;
    if (s == WF_OK) s = find_graph(ds, src, kind, f->N, err);
    if (s == WF_OK) {
        s = make_series(ds, be, f, src->zero_missing && kind != WF_FILE_JSON && !src->pgt,
                        src->day_channel, err);
        if (s == WF_OK) s = make_weights(ds, be, &p.weights, err);
        s = wf_file_context(s, src->data, err);
    }
    wf_series_file_free(f);
    wf_series_file_free(&p.weights);
    if (s != WF_OK) wf_dataset_free(ds);
    return s;
}
