/* mtgnn_layers.h - what MTGNN is made of: propagation over a graph, convolutions over time of
 * several widths, and the graph that is learned. Formulas and source are in models/mtgnn.h. */
#ifndef WF_MTGNN_LAYERS_H
#define WF_MTGNN_LAYERS_H

#include "nn/conv.h"
#include "nn/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_MTGNN_DEPTH = 8, WF_INCEPTION_WIDTHS = 8 };

/* MP: A [N, N] and x [B, T, N, in] -> [B, T, N, out]. Parameters name.weight
 * [(depth + 1) * in, out], name.bias. */
struct wf_mixprop_config {
    int in, out, depth; /* depth: K */
    double keep;        /* beta */
};
struct wf_mixprop {
    struct wf_linear map;
    struct wf_mixprop_config cfg;
};
void wf_mixprop_init(struct wf_mixprop *l, struct wf_params *ps, const char *name,
                     struct wf_mixprop_config cfg);
struct wf_tensor *wf_mixprop(struct wf_tape *g, const struct wf_mixprop *l, struct wf_tensor *A,
                             struct wf_tensor *x);

/* TC: x [B, T, N, in] -> [B, T - dilation (widest - 1), N, out]; every width has out / widths
 * channels. Parameters name.0.weight, name.0.bias .. */
struct wf_inception_config {
    int in, out, dilation, widths;
    int width[WF_INCEPTION_WIDTHS]; /* rising */
};
struct wf_inception {
    struct wf_conv branch[WF_INCEPTION_WIDTHS];
    struct wf_inception_config cfg;
};
void wf_inception_init(struct wf_inception *l, struct wf_params *ps, const char *name,
                       struct wf_inception_config cfg);
struct wf_tensor *wf_inception(struct wf_tape *g, const struct wf_inception *l,
                               struct wf_tensor *x);

/* A [n, n]. Parameters name.E.0, name.E.1 [nodes, in], where in is not the width of given features,
 * and name.map.0, name.map.1, linears. The k largest are chosen on the device. */
struct wf_graph_learner_config {
    int nodes, dim, features; /* features: columns that are given instead of E; 0: none */
    int neighbours;           /* k */
    double saturation;        /* a */
};
struct wf_graph_learner {
    struct wf_tensor *E[2];
    struct wf_linear map[2];
    struct wf_graph_learner_config cfg;
};
void wf_graph_learner_init(struct wf_graph_learner *l, struct wf_params *ps, const char *name,
                           struct wf_graph_learner_config cfg);
/* features [nodes, features] or NULL; only: the nodes it is for, NULL: all. */
struct wf_tensor *wf_graph_learner(struct wf_tape *g, const struct wf_graph_learner *l,
                                   struct wf_tensor *features, const struct wf_index *only);

#ifdef __cplusplus
}
#endif
#endif
