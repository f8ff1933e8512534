/* json.h - the JSON data sets of PyTorch Geometric Temporal: a series on the nodes of a graph that
 * is fixed or changes with every step.
 *
 * Knows eight layouts by their keys: chickenpox (FX), pedalme (X, weights), windmill_output
 * (block), wikivital_mathematics (edges, and an object per step), england_covid (edge_mapping),
 * montevideo_bus (nodes, links), twitter_tennis (an object with edges per step) and mtm_1 (LABEL,
 * and an object per joint). The last is made for classification: here the x of each joint is what
 * is forecast, y, z and the frame's class are features beside it. Values come raw: no lags, no
 * standardisation, no logarithms; null is missing (NaN). Messages name the key with what was found
 * there and what was expected. The caller frees. */
#ifndef WF_JSON_H
#define WF_JSON_H

#include "data/formats/array.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_json_edges {
    ptrdiff_t count;
    int64_t *from, *to; /* node indices, below N */
    float *weight;      /* finite, >= 0; 1 where the file has none */
};

struct wf_temporal_graph {
    ptrdiff_t E, N, C;
    float *y;         /* [E, N] what is forecast */
    float *x;         /* [E, N, C] features beside it; NULL with C = 0 */
    ptrdiff_t graphs; /* 1, or E when every step has its own edges */
    struct wf_json_edges *edges;
    struct wf_names ids; /* N of them, or none */
};

/* Reads a data set in one of these layouts from a file, or from the bytes of one. WF_EFORMAT,
 * WF_ENUMERIC (a weight), WF_EIO, WF_ENOMEM; on failure *out is empty. */
enum wf_status wf_json_read(const char *path, struct wf_temporal_graph *out, struct wf_error *err);
enum wf_status wf_json_parse(const void *bytes, size_t size, struct wf_temporal_graph *out,
                             struct wf_error *err);
void wf_temporal_graph_free(struct wf_temporal_graph *g);

/* The edges of all steps as one list, in order of source and target, and what each weighs in every
 * step: 0 where it is not there. Parallel edges stay apart; a step with fewer of them than others
 * has the last ones, so that the last of several loops, which is the one that counts (nn/graph.h),
 * is always the same. */
struct wf_edge_union {
    ptrdiff_t count;
    int *source, *target;
    float *weight; /* [graphs, count] */
};
enum wf_status wf_edge_union_make(struct wf_edge_union *u, const struct wf_temporal_graph *g,
                                  struct wf_error *err);
void wf_edge_union_free(struct wf_edge_union *u);

#ifdef __cplusplus
}
#endif
#endif
