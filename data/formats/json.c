#include "data/formats/json.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/file.h"
#include "data/formats/json_tree.h"
#include "tensor/alloc.h"

struct reader {
    struct wf_temporal_graph *g;
    size_t size; /* bytes of the text, which cannot hold more numbers than that */
    char at[64]; /* the key that is being read, for messages */
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

static const struct wf_json *get(const struct wf_json *object, const char *key)
{
    return wf_json_get(object, key);
}

/* Returns the items of a list; -1: v is no list. */
static ptrdiff_t length(const struct wf_json *v)
{
    return v && v->kind == WF_JSON_LIST ? v->count : -1;
}

/* Returns the items of a list or the members of an object. */
static ptrdiff_t size(const struct wf_json *v)
{
    return v ? v->count : 0;
}

static bool is_number(const struct wf_json *v)
{
    return v && v->kind == WF_JSON_NUMBER;
}

static bool is_object(const struct wf_json *v)
{
    return v && v->kind == WF_JSON_OBJECT;
}

/* Notes which key is being read, for messages. */
static void at(struct reader *r, const char *key)
{
    snprintf(r->at, sizeof r->at, "%s", key);
}

/* As at(), for item i of key: "edge_mapping.edge_index.3". */
static void at_item(struct reader *r, const char *key, ptrdiff_t i)
{
    snprintf(r->at, sizeof r->at, "%s.%td", key, i);
}

static const char *kind(const struct wf_json *v)
{
    static const char *const names[] = { "null",   "true or false", "a number",
                                         "a text", "a list",        "an object" };
    return v ? names[v->kind] : "nothing";
}

static enum wf_status wrong(const struct reader *r, const struct wf_json *found,
                            const char *expected)
{
    return wf_fail(r->err, WF_EFORMAT, "%s: found %s, expected %s", r->at, kind(found), expected);
}

static enum wf_status miscounted(const struct reader *r, ptrdiff_t found, const char *what,
                                 ptrdiff_t expected)
{
    return wf_fail(r->err, WF_EFORMAT, "%s: found %td %s, expected %td", r->at, found, what,
                   expected);
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

/* Writes the n numbers of an array to out, stride apart. */
static enum wf_status take_numbers(const struct reader *r, const struct wf_json *array, ptrdiff_t n,
                                   float *out, ptrdiff_t stride)
{
    if (length(array) < 0) return wrong(r, array, "a list of numbers");
    if (length(array) != n) return miscounted(r, length(array), "values", n);
    for (ptrdiff_t i = 0; i < n; i++) {
        struct wf_json v = wf_json_at(array, i);
        bool null = v.kind == WF_JSON_NULL;
        float x = is_number(&v) ? (float)v.number : NAN;
        if (!null && !isfinite(x))
            return wf_fail(r->err, WF_EFORMAT, "%s: value %td is %s, expected a finite number",
                           r->at, i, is_number(&v) ? "infinite" : kind(&v));
        out[i * stride] = x;
    }
    return WF_OK;
}

/* Reads a list of E lists of N numbers. */
static enum wf_status take_series(struct reader *r, const struct wf_json *rows, const char *name)
{
    struct wf_temporal_graph *g = r->g;
    at(r, name);
    if (length(rows) < 1) return wrong(r, rows, "a list of rows, at least one");
    at_item(r, name, 0);
    struct wf_json row = wf_json_at(rows, 0);
    if (length(&row) < 1) return wrong(r, &row, "a list of numbers, at least one");
    g->E = length(rows);
    g->N = length(&row);
    WF_TRY(make_floats(r, &g->y, g->E, g->N, 1));
    for (ptrdiff_t t = 0; t < g->E; t++) {
        row = wf_json_at(rows, t);
        at_item(r, name, t);
        WF_TRY(take_numbers(r, &row, g->N, g->y + t * g->N, 1));
    }
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

static bool node_index(const struct reader *r, const struct wf_json *v, int64_t *out)
{
    double x = is_number(v) ? v->number : -1;
    if (!(x >= 0 && x < (double)r->g->N) || x != floor(x)) return false;
    *out = (int64_t)x;
    return true;
}

static enum wf_status no_edge(const struct reader *r, ptrdiff_t i, const struct wf_json *p)
{
    char found[64];
    snprintf(found, sizeof found, "%s", kind(p));
    if (length(p) >= 0) snprintf(found, sizeof found, "a list of %td", length(p));
    if (length(p) == 2) {
        struct wf_json a = wf_json_at(p, 0), b = wf_json_at(p, 1);
        if (is_number(&a) && is_number(&b))
            snprintf(found, sizeof found, "[%g, %g]", a.number, b.number);
    }
    return wf_fail(r->err, WF_EFORMAT, "%s: edge %td is %s, expected two nodes from 0 to %td",
                   r->at, i, found, r->g->N - 1);
}

/* Reads pairs [from, to] as edges of weight 1. */
static enum wf_status take_pairs(struct reader *r, struct wf_json_edges *e,
                                 const struct wf_json *pairs)
{
    if (length(pairs) < 0) return wrong(r, pairs, "a list of edges");
    WF_TRY(make_edges(r, e, length(pairs)));
    for (ptrdiff_t i = 0; i < e->count; i++) {
        struct wf_json p = wf_json_at(pairs, i);
        if (length(&p) != 2) return no_edge(r, i, &p);
        struct wf_json from = wf_json_at(&p, 0), to = wf_json_at(&p, 1);
        if (!node_index(r, &from, &e->from[i]) || !node_index(r, &to, &e->to[i]))
            return no_edge(r, i, &p);
        e->weight[i] = 1;
    }
    return WF_OK;
}

static enum wf_status check_weight(const struct reader *r, ptrdiff_t i, float weight)
{
    if (isfinite(weight) && weight >= 0) return WF_OK;
    return wf_fail(r->err, WF_ENUMERIC, "%s: weight of edge %td is %g, expected a finite one >= 0",
                   r->at, i, (double)weight);
}

/* Reads as many weights as there are edges. */
static enum wf_status take_weights(const struct reader *r, struct wf_json_edges *e,
                                   const struct wf_json *weights)
{
    WF_TRY(take_numbers(r, weights, e->count, e->weight, 1));
    for (ptrdiff_t i = 0; i < e->count; i++) WF_TRY(check_weight(r, i, e->weight[i]));
    return WF_OK;
}

/* Reads the names of nodes: an object that maps each name to its node's index. */
static enum wf_status take_ids(struct reader *r, const struct wf_json *ids)
{
    if (!ids) return WF_OK;
    at(r, "node_ids");
    if (size(ids) != r->g->N) return miscounted(r, size(ids), "names", r->g->N);
    WF_TRY(wf_names_alloc(&r->g->ids, r->g->N, r->err));
    for (ptrdiff_t k = 0; k < r->g->N; k++) {
        struct wf_json v = wf_json_at(ids, k);
        int64_t i;
        if (!v.key || !node_index(r, &v, &i) || r->g->ids.name[i])
            return wf_fail(r->err, WF_EFORMAT, "node_ids: '%.60s' has no index of its own",
                           v.key ? v.key : "");
        WF_TRY(wf_names_set(&r->g->ids, i, v.key, strlen(v.key), r->err));
    }
    return WF_OK;
}

/* ---- layouts ---- */

/* Reads one graph for all steps. */
static enum wf_status take_graph(struct reader *r, const struct wf_json *root)
{
    const struct wf_json *weights = get(root, "weights");
    WF_TRY(make_graphs(r, 1));
    at(r, "edges");
    WF_TRY(take_pairs(r, r->g->edges, get(root, "edges")));
    at(r, "weights");
    if (weights) WF_TRY(take_weights(r, r->g->edges, weights));
    return take_ids(r, get(root, "node_ids"));
}

/* Returns the member whose key is the step's number. */
static const struct wf_json *get_step(const struct wf_json *object, ptrdiff_t t)
{
    char key[24];
    snprintf(key, sizeof key, "%td", t);
    return get(object, key);
}

/* Checks the number of steps, where the file says one. */
static enum wf_status check_periods(struct reader *r, const struct wf_json *root)
{
    const struct wf_json *periods = get(root, "time_periods");
    at(r, "time_periods");
    if (!periods) return WF_OK;
    if (!is_number(periods)) return wrong(r, periods, "the number of steps");
    if (periods->number == (double)r->g->E) return WF_OK;
    return wf_fail(r->err, WF_EFORMAT, "time_periods: found %g, expected %td, the rows of y",
                   periods->number, r->g->E);
}

static enum wf_status read_static(struct reader *r, const struct wf_json *root, const char *series)
{
    WF_TRY(take_series(r, get(root, series), series));
    WF_TRY(check_periods(r, root));
    return take_graph(r, root);
}

/* Reads wikimaths: one graph, and an object with y for each step. */
static enum wf_status read_pages(struct reader *r, const struct wf_json *root)
{
    struct wf_temporal_graph *g = r->g;
    ptrdiff_t t = 0;
    while (get_step(root, g->E)) g->E++;
    at(r, "0.y");
    g->N = length(get(get_step(root, 0), "y"));
    if (g->N < 1) return wrong(r, get(get_step(root, 0), "y"), "a list of numbers, at least one");
    WF_TRY(check_periods(r, root));
    WF_TRY(make_floats(r, &g->y, g->E, g->N, 1));
    for (; t < g->E; t++) {
        snprintf(r->at, sizeof r->at, "%td.y", t);
        WF_TRY(take_numbers(r, get(get_step(root, t), "y"), g->N, g->y + t * g->N, 1));
    }
    return take_graph(r, root);
}

static enum wf_status read_covid(struct reader *r, const struct wf_json *root)
{
    static const char *const name[] = { "edge_mapping.edge_index", "edge_mapping.edge_weight" };
    const struct wf_json *map[] = { get(get(root, "edge_mapping"), "edge_index"),
                                    get(get(root, "edge_mapping"), "edge_weight") };
    WF_TRY(take_series(r, get(root, "y"), "y"));
    WF_TRY(check_periods(r, root));
    for (int k = 0; k < 2; k++) {
        at(r, name[k]);
        if (!is_object(map[k])) return wrong(r, map[k], "an object with a list for each step");
        if (size(map[k]) != r->g->E) return miscounted(r, size(map[k]), "steps", r->g->E);
    }
    WF_TRY(make_graphs(r, r->g->E));
    for (ptrdiff_t t = 0; t < r->g->E; t++) {
        at_item(r, name[0], t);
        WF_TRY(take_pairs(r, &r->g->edges[t], get_step(map[0], t)));
        at_item(r, name[1], t);
        WF_TRY(take_weights(r, &r->g->edges[t], get_step(map[1], t)));
    }
    return WF_OK;
}

/* Reads N lists of C numbers; those of the first step decide C. */
static enum wf_status take_features(struct reader *r, const struct wf_json *lists, ptrdiff_t t)
{
    struct wf_temporal_graph *g = r->g;
    char key[32];
    snprintf(key, sizeof key, "%td.X", t);
    at(r, key);
    if (length(lists) < 0) return wrong(r, lists, "a list of features for each node");
    if (length(lists) != g->N) return miscounted(r, length(lists), "nodes", g->N);
    if (!g->x) {
        struct wf_json first = wf_json_at(lists, 0);
        g->C = length(&first);
        WF_TRY(make_floats(r, &g->x, g->E, g->N, g->C < 0 ? 0 : g->C));
    }
    for (ptrdiff_t n = 0; n < g->N; n++) {
        struct wf_json v = wf_json_at(lists, n);
        at_item(r, key, n);
        WF_TRY(take_numbers(r, &v, g->C, g->x + (t * g->N + n) * g->C, 1));
    }
    return WF_OK;
}

/* Reads the object of step t: y, edges, perhaps weights, and X in all steps or none. */
static enum wf_status take_step(struct reader *r, const struct wf_json *step, ptrdiff_t t)
{
    struct wf_temporal_graph *g = r->g;
    const struct wf_json *y = get(step, "y"), *x = get(step, "X"), *weights = get(step, "weights");
    snprintf(r->at, sizeof r->at, "%td", t);
    if (!is_object(step)) return wrong(r, step, "an object for the step");
    snprintf(r->at, sizeof r->at, "%td.y", t);
    if (length(y) < 1) return wrong(r, y, "a list of numbers, at least one");
    if (t == 0) {
        g->N = length(y);
        WF_TRY(make_floats(r, &g->y, g->E, g->N, 1));
    }
    WF_TRY(take_numbers(r, y, g->N, g->y + t * g->N, 1));
    snprintf(r->at, sizeof r->at, "%td.edges", t);
    WF_TRY(take_pairs(r, &g->edges[t], get(step, "edges")));
    snprintf(r->at, sizeof r->at, "%td.weights", t);
    if (weights) WF_TRY(take_weights(r, &g->edges[t], weights));
    snprintf(r->at, sizeof r->at, "%td.X", t);
    if (t > 0 && (x != NULL) != (g->x != NULL))
        return wrong(r, x, x ? "nothing, as in step 0" : "features, as in step 0");
    return x ? take_features(r, x, t) : WF_OK;
}

static enum wf_status read_steps(struct reader *r, const struct wf_json *root)
{
    const struct wf_json *periods = get(root, "time_periods");
    double E = is_number(periods) ? periods->number : 0;
    at(r, "time_periods");
    if (!is_number(periods)) return wrong(r, periods, "the number of steps");
    if (!(E >= 1 && E < size(root)) || E != floor(E) || get_step(root, (ptrdiff_t)E)) {
        ptrdiff_t steps = 0;
        while (get_step(root, steps)) steps++;
        return wf_fail(r->err, WF_EFORMAT, "time_periods: found %g, expected %td, the steps", E,
                       steps);
    }
    r->g->E = (ptrdiff_t)E;
    WF_TRY(make_graphs(r, r->g->E));
    for (ptrdiff_t t = 0; t < r->g->E; t++) WF_TRY(take_step(r, get_step(root, t), t));
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

static enum wf_status take_node(struct reader *r, const struct wf_json *node, ptrdiff_t n,
                                struct stop *stop)
{
    struct wf_temporal_graph *g = r->g;
    const struct wf_json *id = get(node, "bus_stop"), *x = get(node, "X");
    char text[32];
    snprintf(r->at, sizeof r->at, "nodes.%td.bus_stop", n);
    if (!is_number(id)) return wrong(r, id, "its number");
    snprintf(r->at, sizeof r->at, "nodes.%td.X", n);
    if (size(x) != g->C) return miscounted(r, size(x), "features", g->C);
    stop[n] = (struct stop){ id->number, n };
    int len = snprintf(text, sizeof text, "%.15g", id->number);
    WF_TRY(wf_names_set(&g->ids, n, text, (size_t)len, r->err));
    for (ptrdiff_t c = 0; c < g->C; c++) {
        struct wf_json v = wf_json_at(x, c);
        WF_TRY(take_numbers(r, &v, g->E, g->x + n * g->C + c, g->N * g->C));
    }
    snprintf(r->at, sizeof r->at, "nodes.%td.y", n);
    WF_TRY(take_numbers(r, get(node, "y"), g->E, g->y + n, g->N));
    return WF_OK;
}

static const struct stop *find_stop(const struct reader *r, const struct stop *stop,
                                    const struct wf_json *id)
{
    struct stop key = { is_number(id) ? id->number : NAN, 0 };
    return isnan(key.number) ? NULL : bsearch(&key, stop, (size_t)r->g->N, sizeof *stop, by_number);
}

static enum wf_status take_links(struct reader *r, const struct wf_json *links,
                                 const struct stop *stop)
{
    struct wf_json_edges *e = r->g->edges;
    at(r, "links");
    if (length(links) < 0) return wrong(r, links, "a list of links");
    WF_TRY(make_edges(r, e, length(links)));
    for (ptrdiff_t i = 0; i < e->count; i++) {
        struct wf_json v = wf_json_at(links, i);
        const struct stop *from = find_stop(r, stop, get(&v, "source"));
        const struct stop *to = find_stop(r, stop, get(&v, "target"));
        const struct wf_json *weight = get(&v, "weight");
        if (!from || !to || !is_number(weight))
            return wf_fail(r->err, WF_EFORMAT,
                           "links: link %td lacks a known source, target or weight", i);
        e->from[i] = from->at;
        e->to[i] = to->at;
        e->weight[i] = (float)weight->number;
        WF_TRY(check_weight(r, i, e->weight[i]));
    }
    return WF_OK;
}

static enum wf_status take_network(struct reader *r, const struct wf_json *root, struct stop *stop)
{
    WF_TRY(make_graphs(r, 1));
    WF_TRY(wf_names_alloc(&r->g->ids, r->g->N, r->err));
    for (ptrdiff_t n = 0; n < r->g->N; n++) {
        struct wf_json node = wf_json_at(get(root, "nodes"), n);
        WF_TRY(take_node(r, &node, n, stop));
    }
    qsort(stop, (size_t)r->g->N, sizeof *stop, by_number);
    for (ptrdiff_t n = 1; n < r->g->N; n++)
        if (stop[n].number == stop[n - 1].number)
            return wf_fail(r->err, WF_EFORMAT, "bus stop %.15g is there twice", stop[n].number);
    return take_links(r, get(root, "links"), stop);
}

static enum wf_status read_network(struct reader *r, const struct wf_json *root)
{
    struct wf_temporal_graph *g = r->g;
    const struct wf_json *nodes = get(root, "nodes");
    at(r, "nodes");
    if (length(nodes) < 1) return wrong(r, nodes, "a list of nodes, at least one");
    struct wf_json first = wf_json_at(nodes, 0);
    const struct wf_json *y = get(&first, "y");
    at(r, "nodes.0.y");
    if (length(y) < 1) return wrong(r, y, "a list of numbers, at least one");
    g->N = length(nodes);
    g->E = length(y);
    g->C = size(get(&first, "X"));
    WF_TRY(make_floats(r, &g->y, g->E, g->N, 1));
    if (g->C) WF_TRY(make_floats(r, &g->x, g->E, g->N, g->C));
    struct stop *stop = wf_calloc((size_t)g->N, sizeof *stop);
    if (!stop) return wf_fail(r->err, WF_ENOMEM, "no memory for %td nodes", g->N);
    enum wf_status s = take_network(r, root, stop);
    wf_free(stop);
    return s;
}

/* ---- mtm: by joint of a hand, the texts "(x,y,z)" of all frames; a class for each frame ---- */

/* Reads a text "(x,y,z)", in which blanks do not count. */
static bool read_point(const struct wf_json *v, float xyz[3])
{
    const char *p = v->kind == WF_JSON_TEXT ? v->text : "";
    for (int k = 0; k < 3; k++) {
        char *end;
        p += strspn(p, " ");
        if (*p++ != "(,,"[k]) return false;
        xyz[k] = (float)strtod(p, &end);
        if (end == p || !isfinite(xyz[k])) return false;
        p = end;
    }
    p += strspn(p, " ");
    return p[0] == ')' && !p[1];
}

/* Reads the j-th joint: x is what is forecast, y and z are features 0 and 1. */
static enum wf_status take_joint(struct reader *r, const struct wf_json *frames, ptrdiff_t j)
{
    struct wf_temporal_graph *g = r->g;
    float point[3];
    snprintf(r->at, sizeof r->at, "%td", j);
    if (!is_object(frames)) return wrong(r, frames, "an object with a text for each frame");
    if (size(frames) != g->E) return miscounted(r, size(frames), "frames", g->E);
    for (ptrdiff_t t = 0; t < g->E; t++) {
        struct wf_json v = wf_json_at(frames, t);
        if (!read_point(&v, point))
            return wf_fail(r->err, WF_EFORMAT, "%td: frame %td is %.40s, expected a text (x,y,z)",
                           j, t, v.kind == WF_JSON_TEXT ? v.text : kind(&v));
        g->y[t * g->N + j] = point[0];
        memcpy(g->x + (t * g->N + j) * g->C, point + 1, 2 * sizeof *point);
    }
    return WF_OK;
}

/* Reads the classes as feature 2, the same for all joints. */
static enum wf_status take_labels(struct reader *r, const struct wf_json *labels)
{
    struct wf_temporal_graph *g = r->g;
    at(r, "LABEL");
    for (ptrdiff_t t = 0; t < g->E; t++) {
        struct wf_json v = wf_json_at(labels, t);
        float label = is_number(&v) ? (float)v.number : NAN;
        if (!isfinite(label)) return wrong(r, &v, "the number of a class for each frame");
        for (ptrdiff_t j = 0; j < g->N; j++) g->x[(t * g->N + j) * g->C + 2] = label;
    }
    return WF_OK;
}

static enum wf_status read_motion(struct reader *r, const struct wf_json *root)
{
    struct wf_temporal_graph *g = r->g;
    const struct wf_json *labels = get(root, "LABEL");
    at(r, "LABEL");
    if (!is_object(labels) || size(labels) < 1)
        return wrong(r, labels, "an object with a class for each frame");
    g->E = size(labels);
    while (get_step(root, g->N)) g->N++;
    g->C = 3;
    at(r, "0");
    if (!g->N) return wrong(r, NULL, "an object with a text for each frame");
    WF_TRY(make_floats(r, &g->y, g->E, g->N, 1));
    WF_TRY(make_floats(r, &g->x, g->E, g->N, g->C));
    for (ptrdiff_t j = 0; j < g->N; j++) WF_TRY(take_joint(r, get_step(root, j), j));
    WF_TRY(take_labels(r, labels));
    return take_graph(r, root);
}

/* ---- all ---- */

static enum wf_status read_any(struct reader *r, const struct wf_json *root)
{
    if (get(root, "edge_mapping")) return read_covid(r, root);
    if (get(root, "nodes") && get(root, "links")) return read_network(r, root);
    if (get(root, "LABEL")) return read_motion(r, root);
    if (get(root, "FX")) return read_static(r, root, "FX");
    if (get(root, "block")) return read_static(r, root, "block");
    if (get(root, "X") && get(root, "edges")) return read_static(r, root, "X");
    if (get(root, "0") && get(root, "edges")) return read_pages(r, root);
    if (get(root, "0")) return read_steps(r, root);
    return wf_fail(r->err, WF_EFORMAT,
                   "has none of the keys FX, X, block, edge_mapping, nodes, LABEL or 0 of a known "
                   "data set");
}

/* Reads what the tree holds, and frees the tree. */
static enum wf_status read_tree(struct wf_json_tree *t, struct wf_temporal_graph *out,
                                struct wf_error *err)
{
    struct reader r = { .g = out, .size = t->size, .err = err };
    enum wf_status s = read_any(&r, &t->root);
    wf_json_tree_free(t);
    if (s != WF_OK) wf_temporal_graph_free(out);
    return s;
}

enum wf_status wf_json_parse(const void *bytes, size_t n, struct wf_temporal_graph *out,
                             struct wf_error *err)
{
    struct wf_json_tree t;
    *out = (struct wf_temporal_graph){ 0 };
    WF_TRY(wf_json_tree_parse(&t, bytes, n, err));
    return read_tree(&t, out, err);
}

enum wf_status wf_json_read(const char *path, struct wf_temporal_graph *out, struct wf_error *err)
{
    struct wf_json_tree t;
    *out = (struct wf_temporal_graph){ 0 };
    WF_TRY(wf_json_tree_read(&t, path, err));
    return wf_file_context(read_tree(&t, out, err), path, err);
}
