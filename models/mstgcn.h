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

#include "models/recurrent.h"
#include "nn/conv.h"
#include "nn/gcn.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of a block of MSTGCN or ASTGCN. published: as PyTorch Geometric Temporal computes it; what that
 * changes is in models/README.md. */
struct wf_st_block_sizes {
    int nodes, steps;    /* N, T: the attentions have parameters for each */
    int in, hidden, out; /* hidden: channels of the graph convolution */
    int terms, stride;   /* of the Chebyshev polynomial; of F and R along time */
    bool published;
};

/* How both end: u [B, T, N, hidden], x [B, T, N, in] -> LN(relu(R(x) + F(u))),
 * [B, ceil(T / stride), N, out]. Parameters name.time, name.residual, name.norm. */
struct wf_st_block_end {
    struct wf_conv time, residual;
    struct wf_layer_norm norm;
};
void wf_st_block_end_init(struct wf_st_block_end *l, struct wf_params *ps, const char *name,
                          const struct wf_st_block_sizes *s);
struct wf_tensor *wf_st_block_end(struct wf_tape *g, const struct wf_st_block_end *l,
                                  struct wf_tensor *u, struct wf_tensor *x);
/* theirs: prefix of the block; conv: how they end the names of F and R. */
void wf_st_block_end_names(const struct wf_st_block_end *l, struct wf_renames *t,
                           const char *theirs, const char *ours, const char *conv);

/* A block, x [B, T, N, in] -> [B, ceil(T / stride), N, out]. S: `graphs` times one support of
 * WF_CHEB, one for all steps or one for each of T <= WF_ST_GRAPHS. Parameters name.graph and those
 * of the end. */
enum { WF_ST_GRAPHS = 512 };
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
enum { WF_ST_BLOCKS = 8 };
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

/* What the networks share: blocks within bounds (else ps has the error); the graphs of a batch, and
 * how many; x [B, T, N, C] as [B, N, T C]; the linear layer's names. */
bool wf_st_blocks_fit(struct wf_params *ps, const char *model, int blocks);
int wf_st_graphs(struct wf_tape *g, const struct wf_batch *b, const struct wf_supports **S);
struct wf_tensor *wf_st_all_steps(struct wf_tape *g, struct wf_tensor *x);
void wf_st_head_names(struct wf_renames *t);

#ifdef __cplusplus
}
#endif
#endif
