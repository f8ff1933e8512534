/* mstgcn.h - MSTGCN: ASTGCN (models/astgcn.h) without its attentions, a baseline of the same paper:
 * Guo, Lin, Feng, Song, Wan, "Attention Based Spatial-Temporal Graph Convolutional Networks for
 * Traffic Flow Forecasting", AAAI 2019.
 *
 *     block(x) = LN(relu(R(x) + F(relu(Cheb(x)))))
 *
 * Cheb is a Chebyshev convolution on 2 (D - A) / lambda_max - I, step by step; F a convolution over
 * 3 steps; R a linear layer; LN the normalisation of the channels. After the last block a linear
 * layer reads all channels of all steps of a node. */
#ifndef WF_MSTGCN_H
#define WF_MSTGCN_H

#include "models/st_block.h"
#include "nn/gcn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A block. Parameters name.graph, and those of struct wf_st_block_end. */
struct wf_mstgcn_block {
    struct wf_st_block_sizes sizes;
    struct wf_cheb graph;
    struct wf_st_block_end end;
};
void wf_mstgcn_block_init(struct wf_mstgcn_block *l, struct wf_params *ps, const char *name,
                          struct wf_st_block_sizes sizes);
/* x [B, T, N, in] -> [B, ceil(T / stride), N, out]. S [graphs] has one support of WF_CHEB in each
 * element; graphs is 1, for all steps, or T <= WF_ST_GRAPHS, one graph per step. */
struct wf_tensor *wf_mstgcn_block(struct wf_tape *g, const struct wf_mstgcn_block *l,
                                  const struct wf_supports *S, int graphs, struct wf_tensor *x);
/* The names of MSTGCNBlock of PyTorch Geometric Temporal. */
void wf_mstgcn_block_names(const struct wf_mstgcn_block *l, struct wf_renames *t,
                           const char *theirs, const char *ours);

/* The network: `blocks` blocks, of which the first has the stride, and the linear layer. */
struct wf_mstgcn_config {
    int hidden, channels; /* channels of Cheb, of F */
    int blocks, stride;
    bool published; /* compute as PyTorch Geometric Temporal does; see models/README.md */
};
struct wf_mstgcn_config wf_mstgcn_defaults(void);

struct wf_mstgcn {
    struct wf_mstgcn_config cfg;
    struct wf_task task;
    struct wf_mstgcn_block block[WF_ST_BLOCKS];
    struct wf_linear head; /* steps * channels -> Q * targets, per node */
};
void wf_mstgcn_init(struct wf_mstgcn *m, struct wf_params *ps, struct wf_mstgcn_config cfg,
                    const struct wf_task *task);
/* x [B, T, N, C] -> [B, Q, N, targets], with S and graphs as wf_mstgcn_block() takes them.
 * forward() takes x and the graph of b: one for all steps, or one per step where it changes. */
struct wf_tensor *wf_mstgcn(struct wf_tape *g, const struct wf_mstgcn *m,
                            const struct wf_supports *S, int graphs, struct wf_tensor *x);
struct wf_tensor *wf_mstgcn_forward(struct wf_tape *g, const struct wf_mstgcn *m,
                                    const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
