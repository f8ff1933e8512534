/* json.h - the JSON data sets of PyTorch Geometric Temporal: a series on the nodes of a graph that
 * is fixed or changes with every step.
 *
 * Knows five layouts by their keys: chickenpox (FX), pedalme (X, weights), england_covid
 * (edge_mapping), montevideo_bus (nodes, links) and twitter_tennis (one object per step). Values
 * come raw: no lags, no standardisation, no logarithms; null is missing (NaN). The caller frees. */
#ifndef WF_JSON_H
#define WF_JSON_H

#include "data/array.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_json_edges {
    ptrdiff_t count;
    int64_t *from, *to; /* node indices, below N */
    float *weight;      /* 1 where the file has none */
};

struct wf_temporal_graph {
    ptrdiff_t E, N, C;
    float *y;         /* [E, N], what is forecast */
    float *x;         /* [E, N, C] features beside it; NULL with C = 0 */
    ptrdiff_t graphs; /* 1, or E when every step has its own edges */
    struct wf_json_edges *edges;
    struct wf_names ids; /* N of them, or none */
};

enum wf_status wf_json_read(const char *path, struct wf_temporal_graph *out, struct wf_error *err);
enum wf_status wf_json_parse(const void *bytes, size_t size, struct wf_temporal_graph *out,
                             struct wf_error *err);
void wf_temporal_graph_free(struct wf_temporal_graph *g);

#ifdef __cplusplus
}
#endif
#endif
