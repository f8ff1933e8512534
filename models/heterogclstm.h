/* heterogclstm.h - HeteroGCLSTM of PyTorch Geometric Temporal (Rozemberczki et al., CIKM 2021): an
 * LSTM on graphs with several types of nodes and of edges, whose states are mixed along the edges
 * by GraphSAGE, a convolution per relation (Hamilton et al. 2017). */
#ifndef WF_HETEROGCLSTM_H
#define WF_HETEROGCLSTM_H

#include "nn/message.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_HETERO_TYPES = 8, WF_HETERO_RELATIONS = 16 };

/* Edges of one kind, from nodes of one type to nodes of one type. */
struct wf_relation {
    const char *name;
    int source, target;
};

/* Names must live as long as the configuration is used. */
struct wf_heterogclstm_config {
    int types, relations, hidden;
    const char *type[WF_HETERO_TYPES];
    int channels[WF_HETERO_TYPES];
    struct wf_relation relation[WF_HETERO_RELATIONS];
};

/* Parameters name.input.TYPE and name.relation.SOURCE.NAME.TARGET, linears and convolutions to
 * [i f g o]. */
struct wf_heterogclstm_cell {
    struct wf_heterogclstm_config cfg;
    struct wf_linear input[WF_HETERO_TYPES];
    struct wf_sage relation[WF_HETERO_RELATIONS];
};
void wf_heterogclstm_cell_init(struct wf_heterogclstm_cell *l, struct wf_params *ps,
                               const char *name, const struct wf_heterogclstm_config *cfg);

/* One step. A: a pattern per relation, [targets, sources]. Per type: x [.., N, channels]; h and c
 * [.., N, hidden], which are replaced. */
void wf_heterogclstm_cell(struct wf_tape *g, const struct wf_heterogclstm_cell *l,
                          const struct wf_csr *A, struct wf_tensor *const *x, struct wf_tensor **h,
                          struct wf_tensor **c);

void wf_heterogclstm_cell_names(struct wf_renames *t, const char *theirs, const char *ours,
                                const struct wf_heterogclstm_cell *l);

#ifdef __cplusplus
}
#endif
#endif
