/* graph_private.h - what graph.c and graph_spectral.c share. */
#ifndef WF_GRAPH_PRIVATE_H
#define WF_GRAPH_PRIVATE_H

#include "nn/graph.h"

/* The entries of a support, in any order: what target[k] takes from source[k] depends on the weight
 * of edge[k]. Edge E, one past the last one, is the loop that is added to a node without one. */
struct wf_entries {
    int count, *source, *target, *edge; /* lists in one allocation, which begins at source */
};
enum wf_status wf_entries_init(struct wf_entries *en, const struct wf_edges *ed,
                               const struct wf_graph_config *cfg, struct wf_error *err);
void wf_entries_free(struct wf_entries *en);

/* The real part of that eigenvalue of the Laplacian L of cfg which has the largest modulus; 0 where
 * all are 0. Edges with an end outside 0..N-1 are left out. WF_EINVAL above 4096 nodes. */
enum wf_status wf_dominant_eigenvalue(const struct wf_edges *ed, const struct wf_graph_config *cfg,
                                      double *lambda, struct wf_error *err);

/* The values of the one support of WF_GCN or WF_CHEB, for weight [E] or [B, E]. */
struct wf_tensor *wf_spectral_values(struct wf_tape *g, const struct wf_graph *gr,
                                     struct wf_tensor *weight);

/* Whether each node without a loop gets one. */
static inline bool wf_graph_adds_loops(const struct wf_graph_config *cfg)
{
    return cfg->kind == WF_GCN && !cfg->no_loops && !cfg->raw;
}

/* Whether graph_spectral.c makes the supports. */
static inline bool wf_graph_spectral(const struct wf_graph *gr)
{
    return gr->cfg.kind == WF_GCN || gr->cfg.kind == WF_CHEB;
}

#endif
