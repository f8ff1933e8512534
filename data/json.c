#include "data/json.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/file.h"
#include "tensor/alloc.h"

struct reader {
    struct wf_temporal_graph *g;
    size_t size; /* of the text; it cannot hold more numbers than bytes */
    struct wf_error *err;
};

void wf_temporal_graph_free(struct wf_temporal_graph *g)
{
    for (ptrdiff_t i = 0; i < g->graphs && g->edges; i++) {
        wf_free(g->edges[i].from);
        wf_free(g->edges[i].to);
        wf_free(g->edges[i].weight);
    }
    wf_free(g->edges);
    wf_free(g->y);
    wf_free(g->x);
    wf_names_free(&g->ids);
    *g = (struct wf_temporal_graph){ 0 };
}

/* ---- pieces ---- */

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static ptrdiff_t length(const cJSON *array)
{
    return cJSON_IsArray(array) ? cJSON_GetArraySize(array) : -1;
}

static enum wf_status bad(const struct reader *r, const char *what, ptrdiff_t step)
{
    return wf_fail(r->err, WF_EFORMAT, "%s, step or node %td: missing or malformed", what, step);
}

static enum wf_status make_floats(const struct reader *r, float **out, ptrdiff_t a, ptrdiff_t b,
                                  ptrdiff_t c)
{
    struct wf_array made;
    double count = (double)a * (double)b * (double)c;
    if (count < 1 || count > (double)r->size)
        return wf_fail(r->err, WF_EFORMAT, "shape [%td, %td, %td] for a text of %zu bytes", a, b, c,
                       r->size);
    WF_TRY(wf_array_alloc(&made, WF_F32, 3, (ptrdiff_t[]){ a, b, c }, r->err));
    *out = made.f32;
    return WF_OK;
}

/* n numbers of an array to out, stride apart. */
static enum wf_status take_numbers(const struct reader *r, const cJSON *array, ptrdiff_t n,
                                   float *out, ptrdiff_t stride)
{
    if (length(array) != n)
        return wf_fail(r->err, WF_EFORMAT, "%td values where %td belong", length(array), n);
    ptrdiff_t i = 0;
    for (const cJSON *v = array->child; v; v = v->next, i++) {
        if (!cJSON_IsNull(v) && !(cJSON_IsNumber(v) && isfinite(v->valuedouble)))
            return wf_fail(r->err, WF_EFORMAT, "value %td of a list is no finite number", i);
        out[i * stride] = cJSON_IsNull(v) ? NAN : (float)v->valuedouble;
    }
    return WF_OK;
}

/* A list of E lists of N numbers. */
static enum wf_status take_series(struct reader *r, const cJSON *rows, const char *name)
{
    struct wf_temporal_graph *g = r->g;
    g->E = length(rows);
    g->N = g->E > 0 ? length(rows->child) : -1;
    if (g->N < 1) return bad(r, name, 0);
    WF_TRY(make_floats(r, &g->y, g->E, g->N, 1));
    float *out = g->y;
    for (const cJSON *row = rows->child; row; row = row->next, out += g->N)
        WF_TRY(take_numbers(r, row, g->N, out, 1));
    return WF_OK;
}

static enum wf_status make_graphs(struct reader *r, ptrdiff_t n)
{
    r->g->edges = wf_calloc((size_t)n, sizeof *r->g->edges);
    if (!r->g->edges) return wf_fail(r->err, WF_ENOMEM, "no memory for %td graphs", n);
    r->g->graphs = n;
    return WF_OK;
}

static enum wf_status make_edges(struct reader *r, struct wf_json_edges *e, ptrdiff_t n)
{
    e->from = wf_calloc((size_t)n, sizeof *e->from);
    e->to = wf_calloc((size_t)n, sizeof *e->to);
    e->weight = wf_calloc((size_t)n, sizeof *e->weight);
    if (!e->from || !e->to || !e->weight)
        return wf_fail(r->err, WF_ENOMEM, "no memory for %td edges", n);
    e->count = n;
    return WF_OK;
}

static bool node_index(const struct reader *r, const cJSON *v, int64_t *out)
{
    double x = cJSON_IsNumber(v) ? v->valuedouble : -1;
    if (!(x >= 0 && x < (double)r->g->N) || x != floor(x)) return false;
    *out = (int64_t)x;
    return true;
}

/* Pairs [from, to], and as many weights or none. */
static enum wf_status take_edges(struct reader *r, ptrdiff_t step, const cJSON *pairs,
                                 const cJSON *weights)
{
    struct wf_json_edges *e = &r->g->edges[step];
    if (length(pairs) < 0) return bad(r, "edges", step);
    WF_TRY(make_edges(r, e, length(pairs)));
    ptrdiff_t i = 0;
    for (const cJSON *p = pairs->child; p; p = p->next, i++) {
        if (length(p) != 2 || !node_index(r, p->child, &e->from[i]) ||
            !node_index(r, p->child->next, &e->to[i]))
            return wf_fail(r->err, WF_EFORMAT, "edge %td of step %td is no pair of nodes below %td",
                           i, step, r->g->N);
        e->weight[i] = 1;
    }
    return weights ? take_numbers(r, weights, e->count, e->weight, 1) : WF_OK;
}

/* An object that maps each name to its node's index. */
static enum wf_status take_ids(struct reader *r, const cJSON *ids)
{
    if (!ids) return WF_OK;
    if (cJSON_GetArraySize(ids) != r->g->N) return bad(r, "node_ids", cJSON_GetArraySize(ids));
    WF_TRY(wf_names_alloc(&r->g->ids, r->g->N, r->err));
    for (const cJSON *v = ids->child; v; v = v->next) {
        int64_t i;
        if (!v->string || !node_index(r, v, &i) || r->g->ids.name[i])
            return wf_fail(r->err, WF_EFORMAT, "node_ids: '%.60s' has no index of its own",
                           v->string ? v->string : "");
        WF_TRY(wf_names_set(&r->g->ids, i, v->string, strlen(v->string), r->err));
    }
    return WF_OK;
}

/* ---- layouts ---- */

static enum wf_status read_static(struct reader *r, const cJSON *root, const char *series)
{
    WF_TRY(take_series(r, get(root, series), series));
    WF_TRY(make_graphs(r, 1));
    WF_TRY(take_edges(r, 0, get(root, "edges"), get(root, "weights")));
    return take_ids(r, get(root, "node_ids"));
}

static enum wf_status read_covid(struct reader *r, const cJSON *root)
{
    const cJSON *mapping = get(root, "edge_mapping");
    WF_TRY(take_series(r, get(root, "y"), "y"));
    WF_TRY(make_graphs(r, r->g->E));
    for (ptrdiff_t t = 0; t < r->g->E; t++) {
        char key[24];
        snprintf(key, sizeof key, "%td", t);
        const cJSON *weights = get(get(mapping, "edge_weight"), key);
        if (!weights) return bad(r, "edge_weight", t);
        WF_TRY(take_edges(r, t, get(get(mapping, "edge_index"), key), weights));
    }
    return WF_OK;
}

static enum wf_status take_features(struct reader *r, const cJSON *lists, ptrdiff_t t)
{
    struct wf_temporal_graph *g = r->g;
    if (length(lists) != g->N) return bad(r, "X", t);
    if (!g->x) {
        g->C = length(lists->child);
        WF_TRY(make_floats(r, &g->x, g->E, g->N, g->C < 0 ? 0 : g->C));
    }
    float *out = g->x + t * g->N * g->C;
    for (const cJSON *v = lists->child; v; v = v->next, out += g->C)
        WF_TRY(take_numbers(r, v, g->C, out, 1));
    return WF_OK;
}

static enum wf_status read_steps(struct reader *r, const cJSON *root)
{
    struct wf_temporal_graph *g = r->g;
    const cJSON *periods = get(root, "time_periods");
    double E = cJSON_IsNumber(periods) ? periods->valuedouble : 0;
    if (!(E >= 1 && E < cJSON_GetArraySize(root)) || E != floor(E))
        return bad(r, "time_periods", 0);
    g->E = (ptrdiff_t)E;
    WF_TRY(make_graphs(r, g->E));
    for (ptrdiff_t t = 0; t < g->E; t++) {
        char key[24];
        snprintf(key, sizeof key, "%td", t);
        const cJSON *step = get(root, key), *y = get(step, "y");
        if (length(y) < 1) return bad(r, "y", t);
        if (t == 0) {
            g->N = length(y);
            WF_TRY(make_floats(r, &g->y, g->E, g->N, 1));
        }
        WF_TRY(take_numbers(r, y, g->N, g->y + t * g->N, 1));
        WF_TRY(take_edges(r, t, get(step, "edges"), get(step, "weights")));
        const cJSON *x = get(step, "X");
        if (t > 0 && (x != NULL) != (g->x != NULL)) return bad(r, "X", t);
        if (x) WF_TRY(take_features(r, x, t));
    }
    return take_ids(r, get(root, "node_ids"));
}

/* ---- montevideo: nodes and links, by number of the bus stop ---- */

struct stop {
    double number;
    int64_t at;
};

static int by_number(const void *a, const void *b)
{
    double x = ((const struct stop *)a)->number, y = ((const struct stop *)b)->number;
    return (x > y) - (x < y);
}

static enum wf_status take_node(struct reader *r, const cJSON *node, ptrdiff_t n, struct stop *stop)
{
    struct wf_temporal_graph *g = r->g;
    const cJSON *id = get(node, "bus_stop"), *x = get(node, "X");
    char text[32];
    if (!cJSON_IsNumber(id) || (x ? cJSON_GetArraySize(x) : 0) != g->C) return bad(r, "nodes", n);
    stop[n] = (struct stop){ id->valuedouble, n };
    int len = snprintf(text, sizeof text, "%.15g", id->valuedouble);
    WF_TRY(wf_names_set(&g->ids, n, text, (size_t)len, r->err));
    WF_TRY(take_numbers(r, get(node, "y"), g->E, g->y + n, g->N));
    ptrdiff_t c = 0;
    for (const cJSON *v = x ? x->child : NULL; v; v = v->next, c++)
        WF_TRY(take_numbers(r, v, g->E, g->x + n * g->C + c, g->N * g->C));
    return WF_OK;
}

static const struct stop *find_stop(const struct reader *r, const struct stop *stop,
                                    const cJSON *id)
{
    struct stop key = { cJSON_IsNumber(id) ? id->valuedouble : NAN, 0 };
    return isnan(key.number) ? NULL : bsearch(&key, stop, (size_t)r->g->N, sizeof *stop, by_number);
}

static enum wf_status take_links(struct reader *r, const cJSON *links, const struct stop *stop)
{
    struct wf_json_edges *e = r->g->edges;
    if (length(links) < 0) return bad(r, "links", 0);
    WF_TRY(make_edges(r, e, length(links)));
    ptrdiff_t i = 0;
    for (const cJSON *v = links->child; v; v = v->next, i++) {
        const struct stop *from = find_stop(r, stop, get(v, "source"));
        const struct stop *to = find_stop(r, stop, get(v, "target"));
        const cJSON *weight = get(v, "weight");
        if (!from || !to || !cJSON_IsNumber(weight) || !isfinite(weight->valuedouble))
            return wf_fail(r->err, WF_EFORMAT, "link %td lacks a known source, target or weight",
                           i);
        e->from[i] = from->at;
        e->to[i] = to->at;
        e->weight[i] = (float)weight->valuedouble;
    }
    return WF_OK;
}

static enum wf_status take_network(struct reader *r, const cJSON *root, struct stop *stop)
{
    ptrdiff_t n = 0;
    WF_TRY(make_graphs(r, 1));
    WF_TRY(wf_names_alloc(&r->g->ids, r->g->N, r->err));
    for (const cJSON *v = get(root, "nodes")->child; v; v = v->next, n++)
        WF_TRY(take_node(r, v, n, stop));
    qsort(stop, (size_t)r->g->N, sizeof *stop, by_number);
    for (n = 1; n < r->g->N; n++)
        if (stop[n].number == stop[n - 1].number)
            return wf_fail(r->err, WF_EFORMAT, "bus stop %.15g is there twice", stop[n].number);
    return take_links(r, get(root, "links"), stop);
}

static enum wf_status read_network(struct reader *r, const cJSON *root)
{
    struct wf_temporal_graph *g = r->g;
    const cJSON *nodes = get(root, "nodes"), *first = cJSON_IsArray(nodes) ? nodes->child : NULL;
    if (!first || length(get(first, "y")) < 1) return bad(r, "nodes", 0);
    g->N = length(nodes);
    g->E = length(get(first, "y"));
    g->C = get(first, "X") ? cJSON_GetArraySize(get(first, "X")) : 0;
    WF_TRY(make_floats(r, &g->y, g->E, g->N, 1));
    if (g->C) WF_TRY(make_floats(r, &g->x, g->E, g->N, g->C));
    struct stop *stop = wf_calloc((size_t)g->N, sizeof *stop);
    if (!stop) return wf_fail(r->err, WF_ENOMEM, "no memory for %td nodes", g->N);
    enum wf_status s = take_network(r, root, stop);
    wf_free(stop);
    return s;
}

/* ---- all ---- */

static enum wf_status read_any(struct reader *r, const cJSON *root)
{
    if (get(root, "edge_mapping")) return read_covid(r, root);
    if (get(root, "nodes") && get(root, "links")) return read_network(r, root);
    if (get(root, "FX")) return read_static(r, root, "FX");
    if (get(root, "X") && get(root, "edges")) return read_static(r, root, "X");
    if (get(root, "0")) return read_steps(r, root);
    return wf_fail(r->err, WF_EFORMAT,
                   "has none of the keys FX, X, edge_mapping, nodes or 0 of a known data set");
}

static bool blank(const char *from, const char *end)
{
    while (from < end && strchr(" \t\r\n", *from) && *from) from++;
    return from == end;
}

enum wf_status wf_json_parse(const void *bytes, size_t size, struct wf_temporal_graph *out,
                             struct wf_error *err)
{
    const char *text = bytes, *stop = text;
    struct reader r = { out, size, err };
    *out = (struct wf_temporal_graph){ 0 };
    cJSON *root = cJSON_ParseWithLengthOpts(text, size, &stop, false);
    enum wf_status s;
    if (!root || !blank(stop, text + size))
        s = wf_fail(err, WF_EFORMAT, "not JSON from byte %td on", stop - text);
    else
        s = read_any(&r, root);
    cJSON_Delete(root);
    if (s != WF_OK) wf_temporal_graph_free(out);
    return s;
}

enum wf_status wf_json_read(const char *path, struct wf_temporal_graph *out, struct wf_error *err)
{
    char *bytes;
    size_t size;
    *out = (struct wf_temporal_graph){ 0 };
    WF_TRY(wf_file_read(path, &bytes, &size, err));
    enum wf_status s = wf_json_parse(bytes, size, out, err);
    wf_free(bytes);
    return wf_file_context(s, path, err);
}
