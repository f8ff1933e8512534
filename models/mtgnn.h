/* mtgnn.h - MTGNN: Wu, Pan, Long, Jiang, Chang, Zhang, "Connecting the Dots: Multivariate Time
 * Series Forecasting with Graph Neural Networks", KDD 2020. A graph learned from embeddings of the
 * nodes, and layers of gated convolutions over time and mix-hop propagation over that graph:
 *
 *     M_i = tanh(a (E_i W_i + b_i)),  A = relu(tanh(a (M_1 M_2^T - M_2 M_1^T))),
 *     of every row of A only the k largest entries                            (section 4.2)
 *     MP(A, x) = [h_0 .. h_K] W + b,  h_0 = x, h_k = beta x + (1 - beta) D^-1 (A + I) h_(k-1)
 *                                                                             (section 4.3)
 *     h = tanh(TC_1(x)) sigmoid(TC_2(x)), TC: convolutions of several widths  (section 4.4)
 *     x <- LN(MP(A, h) + MP'(A^T, h) + x)
 *
 * The input, every h and the last x each give a convolution over all their steps; the forecast is
 * made from the sum of these skips. models/mtgnn_layers.h has MP, TC and A. */
#ifndef WF_MTGNN_H
#define WF_MTGNN_H

#include "models/model.h"
#include "models/mtgnn_layers.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_MTGNN_LAYERS = 8 };
struct wf_mtgnn_config {
    int channels, skip, end;          /* channels between layers, of the skips, of the last layer */
    int layers, dilation;             /* dilation grows by this factor from layer to layer */
    int depth, neighbours, embedding; /* K, k, width of E */
    double keep, saturation, dropout; /* beta, a */
};
struct wf_mtgnn_config wf_mtgnn_defaults(void);

/* The network, which can do more than the forecasting model below makes use of. */
struct wf_mtgnn_sizes {
    struct wf_mtgnn_config cfg;
    int nodes, in, out, T;
    int hidden;                             /* channels inside a layer */
    int widths, width[WF_INCEPTION_WIDTHS]; /* how many widths TC has, and which */
    int features; /* columns of the features that are given in place of E_i; 0: none are */
    bool given_graph, no_graph; /* A is given instead of learned; there is no A */
    bool plain_norm;            /* LN has no weight and bias */
};
struct wf_mtgnn_layer {
    struct wf_inception filter, gate; /* TC_1, TC_2 */
    struct wf_mixprop from, to;       /* MP, MP' */
    struct wf_conv skip;              /* hidden -> skip, over all steps */
    struct wf_linear residual;        /* hidden -> channels, where there is no graph */
    struct wf_layer_norm norm;
};
struct wf_mtgnn_net {
    struct wf_mtgnn_sizes sizes;
    int steps; /* steps that it reads: T, or more, with zeros in front of the inputs */
    struct wf_graph_learner graph;
    struct wf_linear start, end, head; /* in -> channels, skip -> end, end -> out */
    struct wf_conv first, last;        /* in -> skip, channels -> skip, over all steps */
    struct wf_mtgnn_layer layer[WF_MTGNN_LAYERS];
};
struct wf_mtgnn_input {
    struct wf_tensor *x;         /* [B, T, N, in] */
    struct wf_tensor *A;         /* [N, N], with given_graph */
    struct wf_tensor *features;  /* [nodes, features], where sizes.features is not 0 */
    const struct wf_index *only; /* the nodes that x has, where they are not all; else NULL */
};
void wf_mtgnn_net_init(struct wf_mtgnn_net *l, struct wf_params *ps, const char *name,
                       struct wf_mtgnn_sizes sizes);
/* in.x [B, T, N, in] -> [B, 1, N, out] */
struct wf_tensor *wf_mtgnn_net(struct wf_tape *g, const struct wf_mtgnn_net *l,
                               struct wf_mtgnn_input in);

/* The forecasting model: TC has the widths 2, 3, 6 and 7, and the graph is learned. */
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
