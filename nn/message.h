/* message.h - convolutions by message passing over the edges of a graph, pooling of nodes.
 *
 * A pattern (tensor/csr.h) says who hears whom: entry (i, j) is an edge from source j to target i;
 * parallel edges are entries of their own. Weights [E], or [.., E] for every sample its own, are in
 * the order of the entries; in the second an edge of weight 0 is not there (nn/graph.h). Layers
 * without use for weights take them to know just that. Patterns must live until the tape is reset;
 * nothing here owns one.
 * Attention over edges is in nn/gat.h. Nothing here is freed; parameters belong to struct
 * wf_params. */
#ifndef WF_MESSAGE_H
#define WF_MESSAGE_H

#include "nn/graph.h"
#include "nn/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the messages into a node become one. A node without any gets 0; the mean divides by their
 * number, not by the sum of weights. The largest is not to be had for weights [.., E]: the message
 * of an edge that is not there would be 0, which may be the largest. */
enum wf_aggr { WF_AGGR_MEAN, WF_AGGR_ADD, WF_AGGR_MAX };

/* Of the messages weight_e x[.., j, :] into every target: x [.., sources, C] -> [.., targets, C];
 * weight NULL: 1. */
struct wf_tensor *wf_aggregate(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *weight,
                               struct wf_tensor *x, enum wf_aggr aggr);

/* GraphSAGE (Hamilton et al. 2017, algorithm 1): y_i = W aggr_j(x_j) + b + R t_i, with normalize
 * divided by its 2-norm (at least 1e-12). x [.., sources, source], t [.., targets, target] of the
 * targets themselves, which is x where they are the same nodes -> [.., targets, out]; weight says
 * which edges are there, NULL: all. Parameters name.neighbour.weight, .bias; name.root. */
struct wf_sage_config {
    int source, target, out; /* channels; target 0: as source */
    enum wf_aggr aggr;
    bool no_root, no_bias, normalize;
};
struct wf_sage {
    struct wf_sage_config cfg;
    struct wf_linear neighbour;
    struct wf_tensor *root; /* [target, out], or NULL */
};
void wf_sage_init(struct wf_sage *l, struct wf_params *ps, const char *name,
                  struct wf_sage_config cfg);
struct wf_tensor *wf_sage(struct wf_tape *g, const struct wf_sage *l, const struct wf_csr *A,
                          struct wf_tensor *weight, struct wf_tensor *x, struct wf_tensor *t);
/* PyTorch Geometric's SAGEConv, lin_l and lin_r, from column `first` of ours on. */
void wf_sage_names(struct wf_renames *t, const char *theirs, const char *ours,
                   const struct wf_sage *l, int first);

/* Relational graph convolution (Schlichtkrull et al. 2018, eq. 2 and 3):
 *     y_i = sum_r mean_{j into i by r}(x_j) W_r + x_i R + b,  W_r = sum_k comp[r, k] V_k
 * x [.., N, in] -> [.., N, out]. `parts` convolutions stand side by side, each with bases and
 * coefficients of its own, `out` columns in all: the gates of a cell share one pass over the edges.
 * Parameters name.weight [bases, in, out], name.comp [relations, parts * bases]; without bases
 * name.weight [relations, in, out]; name.root [in, out], name.bias [out]. */
struct wf_rgcn_config {
    int in, out, relations, bases, parts; /* bases 0: a matrix per relation; parts 0: 1 */
};
struct wf_rgcn {
    struct wf_rgcn_config cfg;
    struct wf_tensor *weight, *comp, *root, *bias; /* comp NULL: no bases */
};
void wf_rgcn_init(struct wf_rgcn *l, struct wf_params *ps, const char *name,
                  struct wf_rgcn_config cfg);
/* A: the pattern of wf_relation_pattern(); weight says which edges are there, NULL: all. */
struct wf_tensor *wf_rgcn(struct wf_tape *g, const struct wf_rgcn *l, const struct wf_csr *A,
                          struct wf_tensor *weight, struct wf_tensor *x);
/* PyTorch Geometric's RGCNConv as the given part of ours. */
void wf_rgcn_names(struct wf_renames *t, const char *theirs, const char *ours,
                   const struct wf_rgcn *l, int part);

/* Pattern [N * relations, N] whose row i * relations + r holds the edges of type r into node i.
 * type [E] host; ed->weight is not looked at. WF_EINVAL when an end or a type is out of range. */
enum wf_status wf_relation_pattern(struct wf_csr *A, struct wf_backend *be,
                                   const struct wf_edges *ed, const int *type, int relations,
                                   struct wf_error *err);

/* Gated graph convolution (Li et al. 2016, eq. 1 to 6): x gets zero columns up to `channels`; for
 * each layer m = aggr of weight_e (x W_l)_j, x = GRU(m, x). x [.., N, at most channels] -> [.., N,
 * channels]. Parameters name.weight [layers, channels, channels], name.rnn. */
struct wf_gated_graph {
    int layers, channels;
    enum wf_aggr aggr;
    struct wf_tensor *weight;
    struct wf_gru rnn;
};
void wf_gated_graph_init(struct wf_gated_graph *l, struct wf_params *ps, const char *name,
                         int layers, int channels, enum wf_aggr aggr);
struct wf_tensor *wf_gated_graph(struct wf_tape *g, const struct wf_gated_graph *l,
                                 const struct wf_csr *A, struct wf_tensor *weight,
                                 struct wf_tensor *x);
/* PyTorch Geometric's GatedGraphConv. */
void wf_gated_graph_names(struct wf_renames *t, const char *theirs, const char *ours);

/* The k nodes of largest score y = tanh(x p / |p|), falling, each times its score (Gao and Ji 2019,
 * eq. 2): x [.., N, C] -> x [.., k, C], score [.., k], and perm [.., k], which nodes they are, as
 * numbers. The choice is made on the device, sample by sample. Parameter name.weight [C, 1]. */
struct wf_topk_pool {
    struct wf_tensor *weight;
};
struct wf_pooled {
    struct wf_tensor *x, *score, *perm;
};
void wf_topk_pool_init(struct wf_topk_pool *l, struct wf_params *ps, const char *name,
                       int channels);
struct wf_pooled wf_topk_pool(struct wf_tape *g, const struct wf_topk_pool *l, struct wf_tensor *x,
                              int k);
/* PyTorch Geometric's TopKPooling. */
void wf_topk_pool_names(struct wf_renames *t, const char *theirs, const char *ours);

/* Host: the edges of which perm [k] keeps both ends, in their order, with ends numbered by the
 * place in perm, into source and target, which have room for all. How many; -1: no memory. */
int wf_topk_edges(const struct wf_edges *ed, int k, const int *perm, int *source, int *target);

#ifdef __cplusplus
}
#endif
#endif
