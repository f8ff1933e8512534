/* mstgcn.h - MSTGCN: what is left of ASTGCN (models/astgcn.h) without its attentions; a baseline of
 * the same paper: Guo, Lin, Feng, Song, Wan, "Attention Based Spatial-Temporal Graph Convolutional
 * Networks for Traffic Flow Forecasting", AAAI 2019.
 *
 *     block(x) = LN(relu(R(x) + F(relu(Cheb(x)))))
 *
 * Cheb: Chebyshev convolution on 2 (D - A) / lambda_max - I, step by step; F: convolution over 3
 * steps; R: a linear layer; LN: normalisation of the channels. After the last block a linear layer
 * sees all channels of all steps of a node. */
#ifndef WF_MSTGCN_H
#define WF_MSTGCN_H

#include "models/st_block.h"
#include "nn/gcn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A block, x [B, T, N, in] -> [B, ceil(T / stride), N, out]. S: `graphs` times one support of
 * WF_CHEB, one for all steps or one for each of T <= WF_ST_GRAPHS. Parameters name.graph and those
 * of the end. */
struct wf_mstgcn_block {
    struct wf_st_block_sizes sizes;
    struct wf_cheb graph;
    struct wf_st_block_end end;
};
void wf_mstgcn_block_init(struct wf_mstgcn_block *l, struct wf_params *ps, const char *name,
                          struct wf_st_block_sizes sizes);
struct wf_tensor *wf_mstgcn_block(struct wf_tape *g, const struct wf_mstgcn_block *l,
                                  const struct wf_supports *S, int graphs, struct wf_tensor *x);
/* MSTGCNBlock of PyTorch Geometric Temporal. */
void wf_mstgcn_block_names(const struct wf_mstgcn_block *l, struct wf_renames *t,
                           const char *theirs, const char *ours);

/* `blocks` of them, the first with the stride, and the linear layer. */
struct wf_mstgcn_config {
    int hidden, channels, blocks, stride; /* of Cheb, of F */
    bool published;
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
/* x [B, T, N, C] -> [B, Q, N, targets], with graphs as above; forward() has one, or one per step
 * where the graph changes. */
struct wf_tensor *wf_mstgcn(struct wf_tape *g, const struct wf_mstgcn *m,
                            const struct wf_supports *S, int graphs, struct wf_tensor *x);
struct wf_tensor *wf_mstgcn_forward(struct wf_tape *g, const struct wf_mstgcn *m,
                                    const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
