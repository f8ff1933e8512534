/* heterogclstm.h - HeteroGCLSTM of PyTorch Geometric Temporal (Rozemberczki et al., CIKM 2021): an
 * LSTM on graphs with several types of nodes and of edges. Its states are mixed along the edges by
 * GraphSAGE (Hamilton et al. 2017), one convolution per relation. For nodes of type a:
 *
 *     [i f g o]_a = x_a W_a + b_a + sum over relations r into a of SAGE_r(h of its sources, h_a)
 *     c_a' = s(f) c_a + s(i) tanh(g),  h_a' = s(o) tanh(c_a')
 *
 * s is the logistic function. It is a cell to be used alone; no forecasting model is made of it.
 * Nothing here is freed. */
#ifndef WF_HETEROGCLSTM_H
#define WF_HETEROGCLSTM_H

#include "nn/message.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_HETERO_TYPES = 8, WF_HETERO_RELATIONS = 16 };

/* A kind of edges. Each leads from a node of type `source` to a node of type `target`. */
struct wf_relation {
    const char *name;
    int source, target;
};

/* The names must live as long as the configuration is used. */
struct wf_heterogclstm_config {
    int types, relations, hidden;
    const char *type[WF_HETERO_TYPES];
    int channels[WF_HETERO_TYPES]; /* input channels of each type */
    struct wf_relation relation[WF_HETERO_RELATIONS];
};

/* Parameters name.input.TYPE, linear layers, and name.relation.SOURCE.NAME.TARGET, convolutions;
 * all have the columns [i f g o]. */
struct wf_heterogclstm_cell {
    struct wf_heterogclstm_config cfg;
    struct wf_linear input[WF_HETERO_TYPES];
    struct wf_sage relation[WF_HETERO_RELATIONS];
};
void wf_heterogclstm_cell_init(struct wf_heterogclstm_cell *l, struct wf_params *ps,
                               const char *name, const struct wf_heterogclstm_config *cfg);

/* One step. A has a pattern [targets, sources] for each relation. x, h and c have a tensor for each
 * type: x [.., N, channels], and h and c [.., N, hidden], which are replaced. */
void wf_heterogclstm_cell(struct wf_tape *g, const struct wf_heterogclstm_cell *l,
                          const struct wf_csr *A, struct wf_tensor *const *x, struct wf_tensor **h,
                          struct wf_tensor **c);

/* The names of HeteroGCLSTM of PyTorch Geometric Temporal. */
void wf_heterogclstm_cell_names(struct wf_renames *t, const char *theirs, const char *ours,
                                const struct wf_heterogclstm_cell *l);

#ifdef __cplusplus
}
#endif
#endif
