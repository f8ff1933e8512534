/* evolvegcn.h - EvolveGCN: Pareja, Domeniconi, Chen, Ma, Suzumura, Kanezashi, Kaler, Schardl,
 * Leiserson, "EvolveGCN: Evolving Graph Convolutional Networks for Dynamic Graphs", AAAI 2020: a
 * recurrent cell moves the weight of a graph convolution from step to step. */
#ifndef WF_EVOLVEGCN_H
#define WF_EVOLVEGCN_H

#include "nn/message.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_evolvegcn_config {
    int channels;
    bool nodes; /* -H: the cell reads the top nodes of each step; else -O: the weight alone */
};

/* Parameters name.weight [channels, channels], where every sequence starts; name.rnn; with nodes
 * name.pool. */
struct wf_evolvegcn_cell {
    struct wf_evolvegcn_config cfg;
    struct wf_tensor *weight;
    struct wf_gru rnn;
    struct wf_topk_pool pool;
};
void wf_evolvegcn_cell_init(struct wf_evolvegcn_cell *l, struct wf_params *ps, const char *name,
                            struct wf_evolvegcn_config cfg);

/* One step: x [.., N, channels] -> [.., N, channels]. *weight is the state of the sequence: NULL
 * before the first step, then what the step before left; [channels, channels], with nodes one per
 * sample [.., channels, channels]. S is one support, as WF_GCN makes it. With nodes there must be
 * at least as many nodes as channels. */
struct wf_tensor *wf_evolvegcn_cell(struct wf_tape *g, const struct wf_evolvegcn_cell *l,
                                    const struct wf_supports *S, struct wf_tensor *x,
                                    struct wf_tensor **weight);

/* PyTorch Geometric Temporal's EvolveGCNO and EvolveGCNH. */
void wf_evolvegcn_cell_names(struct wf_renames *t, const char *theirs, const char *ours,
                             const struct wf_evolvegcn_cell *l);

#ifdef __cplusplus
}
#endif
#endif
