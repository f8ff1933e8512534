/* astgcn.h - ASTGCN: Guo, Lin, Feng, Song, Wan, "Attention Based Spatial-Temporal Graph
 * Convolutional Networks for Traffic Flow Forecasting", AAAI 2019. Of the paper's three components
 * this is the one that reads the most recent steps. Two attentions, E over steps and S over nodes,
 * read the whole window:
 *
 *     E = softmax(Ve s((x^T U1) U2 (U3 x) + be)),  x~ = x E                     (eq. 2, 3)
 *     S = softmax(Vs s((x~ W1) W2 (W3 x~)^T + bs))                              (eq. 1)
 *     block(x) = LN(relu(R(x) + F(relu(sum_k (T_k(Lt) * S) x~ Theta_k))))       (eq. 5, 6)
 *
 * s is the logistic function; the softmax makes rows sum to 1. The rest is as in
 * models/mstgcn.h. */
#ifndef WF_ASTGCN_H
#define WF_ASTGCN_H

#include "models/mstgcn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Attention between the steps of x [B, T, N, C], or with `nodes` between its nodes. With I the
 * number of those that attend, T or N, and J the other of both numbers: x -> [B, I, I]. Parameters
 * name.U1 [J], name.U2 [C, J], name.U3 [C]; name.V and name.bias [I, I] are the transposes of what
 * the formulas have. */
struct wf_astgcn_attention {
    struct wf_tensor *U1, *U2, *U3, *V, *bias;
    struct wf_st_block_sizes sizes;
    bool nodes;
};
void wf_astgcn_attention_init(struct wf_astgcn_attention *l, struct wf_params *ps, const char *name,
                              const struct wf_st_block_sizes *s, bool nodes);
struct wf_tensor *wf_astgcn_attention(struct wf_tape *g, const struct wf_astgcn_attention *l,
                                      struct wf_tensor *x);
/* The names of TemporalAttention and SpatialAttention of PyTorch Geometric Temporal. */
void wf_astgcn_attention_names(const struct wf_astgcn_attention *l, struct wf_renames *t,
                               const char *theirs, const char *ours);

/* A block. Parameters name.steps and name.nodes (the attentions), name.graph, and those of struct
 * wf_st_block_end. */
struct wf_astgcn_block {
    struct wf_st_block_sizes sizes;
    struct wf_astgcn_attention steps, nodes;
    struct wf_cheb_attention graph;
    struct wf_st_block_end end;
};
void wf_astgcn_block_init(struct wf_astgcn_block *l, struct wf_params *ps, const char *name,
                          struct wf_st_block_sizes sizes);
/* Shapes, S and graphs are those of wf_mstgcn_block(). */
struct wf_tensor *wf_astgcn_block(struct wf_tape *g, const struct wf_astgcn_block *l,
                                  const struct wf_supports *S, int graphs, struct wf_tensor *x);
/* The names of ASTGCNBlock of PyTorch Geometric Temporal. */
void wf_astgcn_block_names(const struct wf_astgcn_block *l, struct wf_renames *t,
                           const char *theirs, const char *ours);

/* The network: `blocks` blocks, of which the first has the stride, and the linear layer. */
struct wf_astgcn_config {
    int hidden, channels; /* channels of the graph convolution, of F */
    int blocks, stride;
    bool published; /* compute as PyTorch Geometric Temporal does; see models/README.md */
};
struct wf_astgcn_config wf_astgcn_defaults(void);

struct wf_astgcn {
    struct wf_astgcn_config cfg;
    struct wf_task task;
    struct wf_astgcn_block block[WF_ST_BLOCKS];
    struct wf_linear head; /* steps * channels -> Q * targets, per node */
};
void wf_astgcn_init(struct wf_astgcn *m, struct wf_params *ps, struct wf_astgcn_config cfg,
                    const struct wf_task *task);
/* x [B, T, N, C] -> [B, Q, N, targets], with S and graphs as wf_mstgcn_block() takes them.
 * forward() takes x and the graph of b: one for all steps, or one per step where it changes. */
struct wf_tensor *wf_astgcn(struct wf_tape *g, const struct wf_astgcn *m,
                            const struct wf_supports *S, int graphs, struct wf_tensor *x);
struct wf_tensor *wf_astgcn_forward(struct wf_tape *g, const struct wf_astgcn *m,
                                    const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
