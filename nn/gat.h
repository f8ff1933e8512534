/* gat.h - graph attention (Velickovic et al. 2018). */
#ifndef WF_GAT_H
#define WF_GAT_H

#include "nn/graph.h"
#include "nn/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which nodes attend to which: target i to the sources j of its in-edges. With loops, edges from a
 * node to itself are dropped and every node gets one. Free with wf_gat_graph_free. */
struct wf_gat_graph {
    struct wf_csr pattern;
    struct wf_index order; /* entry -> edge; E for a loop that was added */
    struct wf_tensor loop; /* [entries]: 1 for a loop that was added, else 0 */
};
/* ed->weight is not looked at. */
enum wf_status wf_gat_graph_init(struct wf_gat_graph *G, struct wf_backend *be,
                                 const struct wf_edges *ed, bool loops, struct wf_error *err);
void wf_gat_graph_free(struct wf_gat_graph *G);

/* Attention with several heads (eq. 3 and 5): h = x W, split in heads,
 *     e_ij = LeakyReLU(s . h_j + t . h_i + u . (a_ij V)),  y_i = sum_j softmax_j(e_ij) h_j + b
 * x [.., N, in] -> [.., N, heads * channels], or, with mean, the average of the heads [.., N,
 * channels]. weight [.., E] with the leading axes of x says which edges are there, those that are
 * not 0; NULL: all. a [E, edge_channels], or NULL; a loop that was added has the mean of a over the
 * other edges into its node. Both are in the order of the edges. Parameters name.weight [in, heads
 * * channels], name.source, name.target [heads, channels], name.bias; with edge_channels
 * name.edge_weight, name.edge. */
struct wf_gat_config {
    int in, heads, channels, edge_channels;
    bool mean, no_bias;
    double slope; /* of LeakyReLU below 0 */
};
struct wf_gat_config wf_gat_defaults(int in, int channels); /* one head, slope 0.2 */
struct wf_gat {
    struct wf_gat_config cfg;
    struct wf_tensor *weight, *source, *target, *edge_weight, *edge, *bias;
};
void wf_gat_init(struct wf_gat *l, struct wf_params *ps, const char *name,
                 struct wf_gat_config cfg);
struct wf_tensor *wf_gat(struct wf_tape *g, const struct wf_gat *l, const struct wf_gat_graph *G,
                         struct wf_tensor *weight, struct wf_tensor *x, struct wf_tensor *a);
/* PyTorch Geometric's GATConv. */
void wf_gat_names(struct wf_renames *t, const char *theirs, const char *ours,
                  const struct wf_gat *l);

#ifdef __cplusplus
}
#endif
#endif
