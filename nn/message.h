/* message.h - convolutions by message passing over the edges of a graph, pooling of nodes.
 *
 * A pattern (tensor/csr.h) says which node hears which: entry (i, j) is an edge from source j to
 * target i; parallel edges are entries of their own. Weights are in the order of the entries: [E]
 * for all samples, or [.., E] for each sample its own. In the second form an edge of weight 0 is
 * not there (nn/graph.h); layers that do not weigh messages take weights only to know which edges
 * are there.
 *
 * Attention over edges is in nn/gat.h. Nothing here is freed: parameters belong to struct
 * wf_params, and patterns, which must live until the tape is reset, to the caller. */
#ifndef WF_MESSAGE_H
#define WF_MESSAGE_H

#include "nn/graph.h"
#include "nn/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the messages into a node become one, channel by channel. A node without messages gets 0.
 * WF_AGGR_MAX is refused with weights [.., E]: an edge that is not there would send 0, which might
 * be the largest message. */
enum wf_aggr {
    WF_AGGR_MEAN, /* the sum of the messages divided by their number, not by the sum of weights */
    WF_AGGR_ADD,  /* the sum of the messages */
    WF_AGGR_MAX   /* the largest message */
};

/* Sends the message weight_e x[.., j, :] along every edge e and joins what arrives at each target:
 * x [.., sources, C] -> [.., targets, C]. weight NULL: all weigh 1. */
struct wf_tensor *wf_aggregate(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *weight,
                               struct wf_tensor *x, enum wf_aggr aggr);

/* GraphSAGE (Hamilton et al. 2017, algorithm 1):
 *     y_i = W aggr_j(x_j) + b + R t_i
 * Parameters name.neighbour.weight [source, out], name.neighbour.bias [out], name.root
 * [target, out]. */
struct wf_sage_config {
    int source, target, out; /* channels of x, of t, of y; target 0: as many as source */
    enum wf_aggr aggr;
    bool no_root, no_bias; /* without R t_i, without b */
    bool normalize;        /* divide y_i by its 2-norm (at least 1e-12) */
};
struct wf_sage {
    struct wf_sage_config cfg;
    struct wf_linear neighbour;
    struct wf_tensor *root; /* [target, out], or NULL */
};
void wf_sage_init(struct wf_sage *l, struct wf_params *ps, const char *name,
                  struct wf_sage_config cfg);
/* x [.., sources, source], and t [.., targets, target], the targets' own values, which is x where
 * sources and targets are the same nodes -> [.., targets, out]. weight says which edges are there;
 * NULL: all are. */
struct wf_tensor *wf_sage(struct wf_tape *g, const struct wf_sage *l, const struct wf_csr *A,
                          struct wf_tensor *weight, struct wf_tensor *x, struct wf_tensor *t);
/* The names of PyTorch Geometric's SAGEConv, lin_l and lin_r. Its columns become ours from column
 * `first` on. */
void wf_sage_names(struct wf_renames *t, const char *theirs, const char *ours,
                   const struct wf_sage *l, int first);

/* Relational graph convolution (Schlichtkrull et al. 2018, eq. 2 and 3):
 *     y_i = sum_r mean_{j into i by r}(x_j) W_r + x_i R + b,  W_r = sum_k comp[r, k] V_k
 * One layer may hold `parts` convolutions side by side, each with bases and coefficients of its
 * own, so that the gates of a cell share one pass over the edges; `out` counts the columns of all.
 * Parameters name.weight [bases, in, out] (V) and name.comp [relations, parts * bases], or without
 * bases name.weight [relations, in, out] (W); name.root [in, out], name.bias [out]. */
struct wf_rgcn_config {
    int in, out, relations;
    int bases; /* 0: a matrix of its own for each relation */
    int parts; /* 0: one */
};
struct wf_rgcn {
    struct wf_rgcn_config cfg;
    struct wf_tensor *weight, *comp, *root, *bias; /* comp is NULL without bases */
};
void wf_rgcn_init(struct wf_rgcn *l, struct wf_params *ps, const char *name,
                  struct wf_rgcn_config cfg);
/* x [.., N, in] -> [.., N, out]. A is the pattern of wf_relation_pattern(); weight says which edges
 * are there; NULL: all are. */
struct wf_tensor *wf_rgcn(struct wf_tape *g, const struct wf_rgcn *l, const struct wf_csr *A,
                          struct wf_tensor *weight, struct wf_tensor *x);
/* The names of PyTorch Geometric's RGCNConv, which becomes the given part of ours. */
void wf_rgcn_names(struct wf_renames *t, const char *theirs, const char *ours,
                   const struct wf_rgcn *l, int part);

/* Makes the pattern [N * relations, N] whose row i * relations + r holds the edges of type r into
 * node i, for wf_csr_free(). type [E] is in host memory; ed->weight is not read. WF_EINVAL when an
 * end or a type is out of range. */
enum wf_status wf_relation_pattern(struct wf_csr *A, struct wf_backend *be,
                                   const struct wf_edges *ed, const int *type, int relations,
                                   struct wf_error *err);

/* Gated graph convolution (Li et al. 2016, eq. 1 to 6). x gets zero columns up to `channels`, and
 * then for each layer l
 *     m_i = aggr_j(weight_ij (x W_l)_j),  x = GRU(m, x)
 * Parameters name.weight [layers, channels, channels], name.rnn. */
struct wf_gated_graph {
    int layers, channels;
    enum wf_aggr aggr;
    struct wf_tensor *weight;
    struct wf_gru rnn;
};
void wf_gated_graph_init(struct wf_gated_graph *l, struct wf_params *ps, const char *name,
                         int layers, int channels, enum wf_aggr aggr);
/* x [.., N, at most channels] -> [.., N, channels]. weight NULL: all weigh 1. */
struct wf_tensor *wf_gated_graph(struct wf_tape *g, const struct wf_gated_graph *l,
                                 const struct wf_csr *A, struct wf_tensor *weight,
                                 struct wf_tensor *x);
/* The names of PyTorch Geometric's GatedGraphConv. */
void wf_gated_graph_names(struct wf_renames *t, const char *theirs, const char *ours);

/* Top-k pooling (Gao and Ji 2019, eq. 2): keeps the k nodes of largest score y = tanh(x p / |p|),
 * each multiplied by its score, the largest first. Parameter name.weight [C, 1] (p). */
struct wf_topk_pool {
    struct wf_tensor *weight;
};
struct wf_pooled {
    struct wf_tensor *x;     /* [.., k, C] */
    struct wf_tensor *score; /* [.., k] */
    struct wf_tensor *perm;  /* [.., k], the numbers of the nodes that were kept */
};
void wf_topk_pool_init(struct wf_topk_pool *l, struct wf_params *ps, const char *name,
                       int channels);
/* x [.., N, C]. The nodes are chosen on the device, for each sample by itself. */
struct wf_pooled wf_topk_pool(struct wf_tape *g, const struct wf_topk_pool *l, struct wf_tensor *x,
                              int k);
/* The names of PyTorch Geometric's TopKPooling. */
void wf_topk_pool_names(struct wf_renames *t, const char *theirs, const char *ours);

/* Writes to source and target the edges both of whose ends are among the nodes perm [k], in their
 * order; an end becomes its place in perm. Everything is in host memory, and source and target have
 * room for all edges. Returns how many edges are left, or -1 for lack of memory. */
int wf_topk_edges(const struct wf_edges *ed, int k, const int *perm, int *source, int *target);

#ifdef __cplusplus
}
#endif
#endif
