/* mtgnn_layers.h - what MTGNN is made of: propagation over a graph, convolutions over time of
 * several widths, and the graph that is learned. models/mtgnn.h has the formulas and their source.
 * Nothing here is freed. */
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

/* TC: x [B, T, N, in] -> [B, T - dilation (widest - 1), N, out]. Every width makes out / widths of
 * the channels. Parameters name.I.weight and name.I.bias for width number I. */
struct wf_inception_config {
    int in, out, dilation, widths;
    int width[WF_INCEPTION_WIDTHS]; /* in rising order */
};
struct wf_inception {
    struct wf_conv branch[WF_INCEPTION_WIDTHS];
    struct wf_inception_config cfg;
};
void wf_inception_init(struct wf_inception *l, struct wf_params *ps, const char *name,
                       struct wf_inception_config cfg);
struct wf_tensor *wf_inception(struct wf_tape *g, const struct wf_inception *l,
                               struct wf_tensor *x);

/* The learned graph A. Parameters name.E.0 and name.E.1 [nodes, dim], unless features are given,
 * and the linear layers name.map.0 and name.map.1. The k largest entries are chosen on the
 * device. */
struct wf_graph_learner_config {
    int nodes, dim, features; /* dim: width of E_i; features: columns given instead; 0: none */
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
/* A [n, n] of the n nodes listed in `only`, or of all nodes where it is NULL. features are
 * [nodes, features], or NULL where cfg.features is 0. */
struct wf_tensor *wf_graph_learner(struct wf_tape *g, const struct wf_graph_learner *l,
                                   struct wf_tensor *features, const struct wf_index *only);

#ifdef __cplusplus
}
#endif
#endif
