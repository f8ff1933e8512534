/* gat.h - graph attention (Velickovic et al. 2018), and the pattern of edges it attends along.
 *
 * The pattern must live until the tape is reset; whoever makes it frees it. Parameters belong to
 * struct wf_params. */
#ifndef WF_GAT_H
#define WF_GAT_H

#include "nn/graph.h"
#include "nn/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which nodes attend to which: target i attends to the sources j of the edges into it. */
struct wf_gat_graph {
    struct wf_csr pattern;
    struct wf_index order; /* entry -> its edge; number E for a loop that was added */
    struct wf_tensor loop; /* [entries]: 1 for a loop that was added, else 0 */
};
/* With `loops`, edges from a node to itself are dropped and every node gets one such edge.
 * ed->weight is not read. Free with wf_gat_graph_free. */
enum wf_status wf_gat_graph_init(struct wf_gat_graph *G, struct wf_backend *be,
                                 const struct wf_edges *ed, bool loops, struct wf_error *err);
void wf_gat_graph_free(struct wf_gat_graph *G);

/* Attention with several heads (eq. 3 and 5): h = x W, split into heads,
 *     e_ij = LeakyReLU(s . h_j + t . h_i + u . (a_ij V)),  y_i = sum_j softmax_j(e_ij) h_j + b
 * Parameters name.weight [in, heads * channels] (W), name.source and name.target [heads, channels]
 * (s, t), name.bias (b); with edge_channels also name.edge_weight (V) and name.edge (u). */
struct wf_gat_config {
    int in, heads, channels, edge_channels;
    bool mean; /* average the heads instead of putting them side by side */
    bool no_bias;
    double slope; /* of LeakyReLU below 0 */
};
struct wf_gat_config wf_gat_defaults(int in, int channels); /* one head, slope 0.2 */
struct wf_gat {
    struct wf_gat_config cfg;
    struct wf_tensor *weight, *source, *target, *edge_weight, *edge, *bias;
};
void wf_gat_init(struct wf_gat *l, struct wf_params *ps, const char *name,
                 struct wf_gat_config cfg);
/* x [.., N, in] -> [.., N, heads * channels], or [.., N, channels] with `mean`. weight [.., E] has
 * the leading axes of x and says which edges are there: those whose weight is not 0; NULL: all are.
 * a [E, edge_channels] are the attributes of the edges, or NULL; a loop that was added has the mean
 * attributes of the other edges into its node. Both are in the order of the edges. */
struct wf_tensor *wf_gat(struct wf_tape *g, const struct wf_gat *l, const struct wf_gat_graph *G,
                         struct wf_tensor *weight, struct wf_tensor *x, struct wf_tensor *a);
/* The names of PyTorch Geometric's GATConv. */
void wf_gat_names(struct wf_renames *t, const char *theirs, const char *ours,
                  const struct wf_gat *l);

#ifdef __cplusplus
}
#endif
#endif
