/* graph_private.h - what graph.c and laplacian.c share. */
#ifndef WF_GRAPH_PRIVATE_H
#define WF_GRAPH_PRIVATE_H

#include "nn/graph.h"

/* Entries of a support, in any order: what target[k] takes from source[k] depends on the weight of
 * edge[k], where edge E is the loop that every node without an edge of its own gets. */
struct wf_entries {
    int count, *source, *target, *edge; /* one block, at source */
};
enum wf_status wf_entries_init(struct wf_entries *en, const struct wf_edges *ed,
                               const struct wf_graph_config *cfg, struct wf_error *err);
void wf_entries_free(struct wf_entries *en);

/* The eigenvalue of the Laplacian that cfg asks for, 0 where L has none but 0. Edges with an end
 * outside 0..N-1 are left out. */
enum wf_status wf_dominant_eigenvalue(const struct wf_edges *ed, const struct wf_graph_config *cfg,
                                      double *lambda, struct wf_error *err);

/* Values of the one support of WF_GCN and WF_CHEB. */
struct wf_tensor *wf_spectral_values(struct wf_tape *g, const struct wf_graph *gr,
                                     struct wf_tensor *weight);

static inline bool wf_graph_adds_loops(const struct wf_graph_config *cfg)
{
    return cfg->kind == WF_GCN && !cfg->no_loops && !cfg->raw;
}

static inline bool wf_graph_spectral(const struct wf_graph *gr)
{
    return gr->cfg.kind == WF_GCN || gr->cfg.kind == WF_CHEB;
}

#endif
