/* evolvegcn.h - EvolveGCN: Pareja, Domeniconi, Chen, Ma, Suzumura, Kanezashi, Kaler, Schardl,
 * Leiserson, "EvolveGCN: Evolving Graph Convolutional Networks for Dynamic Graphs", AAAI 2020. A
 * recurrent cell changes the weight of a graph convolution from step to step:
 *
 *     W_t = GRU(W_(t-1), W_(t-1))                    -O: the weight evolves by itself
 *     W_t = GRU(the top F nodes of x_t, W_(t-1))     -H: the weight follows the nodes
 *     y_t = P x_t W_t */
#ifndef WF_EVOLVEGCN_H
#define WF_EVOLVEGCN_H

#include "models/recurrent.h"
#include "nn/message.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_evolvegcn_sizes {
    int channels; /* F */
    bool nodes;   /* -H, whose cell reads the top nodes of each step; otherwise -O */
};

/* The cell. Parameters name.weight [channels, channels], with which every sequence starts;
 * name.rnn; with `nodes` also name.pool. */
struct wf_evolvegcn_cell {
    struct wf_evolvegcn_sizes sizes;
    struct wf_tensor *weight;
    struct wf_gru rnn;
    struct wf_topk_pool pool;
};
void wf_evolvegcn_cell_init(struct wf_evolvegcn_cell *l, struct wf_params *ps, const char *name,
                            struct wf_evolvegcn_sizes sizes);

/* One step: x [.., N, channels] -> [.., N, channels]. *weight is the state of the sequence: NULL
 * before the first step, then what the step before left. It is [channels, channels], or with
 * `nodes` one per sample, [.., channels, channels]. S has one support, such as WF_GCN makes it.
 * With `nodes` there must be at least as many nodes as channels. */
struct wf_tensor *wf_evolvegcn_cell(struct wf_tape *g, const struct wf_evolvegcn_cell *l,
                                    const struct wf_supports *S, struct wf_tensor *x,
                                    struct wf_tensor **weight);
/* The two halves of a step, for a caller that does not need every y: the next *weight, and the
 * convolution P x W. */
void wf_evolvegcn_evolve(struct wf_tape *g, const struct wf_evolvegcn_cell *l, struct wf_tensor *x,
                         struct wf_tensor **weight);
struct wf_tensor *wf_evolvegcn_convolve(struct wf_tape *g, const struct wf_supports *S,
                                        struct wf_tensor *x, struct wf_tensor *weight);

/* The names of PyTorch Geometric Temporal's EvolveGCNO and EvolveGCNH. */
void wf_evolvegcn_cell_names(struct wf_renames *t, const char *theirs, const char *ours,
                             const struct wf_evolvegcn_cell *l);

/* The forecasting model. In every input step from the lags-th on, the features of a node are its
 * inputs in the last `lags` steps. `layers` cells, each followed by a leaky ReLU, stand on each
 * other, and a linear layer reads what they make of the last step. All cells have F = lags * input
 * channels; for -H there must be at least as many nodes. */
enum { WF_EVOLVEGCN_LAYERS = 4 };
struct wf_evolvegcn_config {
    int lags, layers;
    bool skip; /* the layer behind the cells also reads the features of the node, as they were */
    int end;   /* > 0: two layers are behind the cells, with `end` units and relu between them */
};
struct wf_evolvegcn_config wf_evolvegcn_defaults(void);

struct wf_evolvegcn {
    struct wf_evolvegcn_config cfg;
    struct wf_task task;
    bool nodes; /* -H */
    struct wf_evolvegcn_cell cell[WF_EVOLVEGCN_LAYERS];
    struct wf_linear end, head; /* F (with skip 2 F) -> end -> Q * targets, per node */
};
void wf_evolvegcn_init(struct wf_evolvegcn *m, struct wf_params *ps, struct wf_evolvegcn_config cfg,
                       const struct wf_task *task, bool nodes);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_evolvegcn_forward(struct wf_tape *g, const struct wf_evolvegcn *m,
                                       const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
