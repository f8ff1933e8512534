/* mtgnn.h - MTGNN: Wu, Pan, Long, Jiang, Chang, Zhang, "Connecting the Dots: Multivariate Time
 * Series Forecasting with Graph Neural Networks", KDD 2020. A graph learned from embeddings of the
 * nodes, and layers of gated convolutions over time and mix-hop propagation over that graph:
 *
 *     M_i = tanh(a (E_i W_i + b_i)),  A = relu(tanh(a (M_1 M_2^T - M_2 M_1^T))), of every row only
 *     the k largest entries                                                   (section 4.2)
 *     MP(A, x) = [h_0 .. h_K] W + b,  h_0 = x, h_k = beta x + (1 - beta) D^-1 (A + I) h_(k-1)
 *                                                                             (section 4.3)
 *     h = tanh(TC_1(x)) sigmoid(TC_2(x)), TC: convolutions of several widths  (section 4.4)
 *     x <- LN(MP(A, h) + MP'(A^T, h) + x)
 *
 * Every h, the input and the last x are summed over all their steps into a forecast. */
#ifndef WF_MTGNN_H
#define WF_MTGNN_H

#include "models/model.h"
#include "nn/conv.h"
#include "nn/layers.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* MP: A [N, N] and x [B, T, N, in] -> [B, T, N, out]. Parameters name.weight
 * [(depth + 1) * in, out], name.bias. */
struct wf_mixprop_config {
    int in, out, depth; /* depth: K */
    double keep;        /* beta */
};
struct wf_mixprop {
    struct wf_conv map;
    struct wf_mixprop_config cfg;
};
void wf_mixprop_init(struct wf_mixprop *l, struct wf_params *ps, const char *name,
                     struct wf_mixprop_config cfg);
struct wf_tensor *wf_mixprop(struct wf_tape *g, const struct wf_mixprop *l, struct wf_tensor *A,
                             struct wf_tensor *x);

/* TC: x [B, T, N, in] -> [B, T - dilation (widest - 1), N, out]; every width has out / widths
 * channels. Parameters name.0.weight, name.0.bias .. */
enum { WF_INCEPTION_WIDTHS = 8 };
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

enum { WF_MTGNN_LAYERS = 8, WF_MTGNN_DEPTH = 8 };
struct wf_mtgnn_sizes {
    int in, out, T;
    int channels, hidden, skip, end; /* between layers, inside, of the sums, before the forecast */
    int layers, dilation;            /* dilation grows by this factor from layer to layer */
    int depth, widths, width[WF_INCEPTION_WIDTHS];
    struct wf_graph_learner_config graph;
    double keep, dropout;
    bool given_graph, no_graph, plain_norm; /* plain: without weight and bias */
};
struct wf_mtgnn_layer {
    struct wf_inception filter, gate;
    struct wf_mixprop from, to;
    struct wf_conv skip, residual;
    struct wf_layer_norm norm;
};
struct wf_mtgnn_net {
    struct wf_mtgnn_sizes sizes;
    struct wf_graph_learner graph;
    struct wf_conv start, first, last, end[2];
    struct wf_mtgnn_layer layer[WF_MTGNN_LAYERS];
};
struct wf_mtgnn_input {
    struct wf_tensor *x;         /* [B, T, N, in] */
    struct wf_tensor *A;         /* [N, N], with given_graph */
    struct wf_tensor *features;  /* of the graph learner */
    const struct wf_index *only; /* the nodes x is of, where it is not all */
};
void wf_mtgnn_net_init(struct wf_mtgnn_net *l, struct wf_params *ps, const char *name,
                       struct wf_mtgnn_sizes sizes);
/* -> [B, 1, N, out] */
struct wf_tensor *wf_mtgnn_net(struct wf_tape *g, const struct wf_mtgnn_net *l,
                               struct wf_mtgnn_input in);

/* MixProp, DilatedInception, GraphConstructor and MTGNN of PyTorch Geometric Temporal. */
void wf_mixprop_names(const struct wf_mixprop *l, struct wf_renames *t, const char *theirs,
                      const char *ours);
void wf_inception_names(const struct wf_inception *l, struct wf_renames *t, const char *theirs,
                        const char *ours);
void wf_graph_learner_names(const struct wf_graph_learner *l, struct wf_renames *t,
                            const char *theirs, const char *ours);
void wf_mtgnn_net_names(const struct wf_mtgnn_net *l, struct wf_renames *t, const char *theirs,
                        const char *ours);

/* The forecast: convolutions of 2, 3, 6 and 7 steps, the graph always learned. */
struct wf_mtgnn_config {
    int channels, skip, end, layers, dilation, depth, neighbours, embedding;
    double keep, saturation, dropout;
};
struct wf_mtgnn_config wf_mtgnn_defaults(void);

struct wf_mtgnn {
    struct wf_mtgnn_config cfg;
    struct wf_task task;
    struct wf_mtgnn_net net; /* out: Q * targets */
};
void wf_mtgnn_init(struct wf_mtgnn *m, struct wf_params *ps, struct wf_mtgnn_config cfg,
                   const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. b->supports are not used. */
struct wf_tensor *wf_mtgnn_forward(struct wf_tape *g, const struct wf_mtgnn *m,
                                   const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
