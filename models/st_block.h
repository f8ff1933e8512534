/* st_block.h - what the networks of MSTGCN and ASTGCN share (Guo et al. 2019). */
#ifndef WF_ST_BLOCK_H
#define WF_ST_BLOCK_H

#include "models/recurrent.h"
#include "nn/conv.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_ST_GRAPHS = 512, WF_ST_BLOCKS = 8 };

/* Of a block. published: as PyTorch Geometric Temporal computes it; models/README.md says what that
 * changes. */
struct wf_st_block_sizes {
    int nodes, steps;    /* N, T: the attentions have parameters for each */
    int in, hidden, out; /* hidden: channels of the graph convolution */
    int terms, stride;   /* of the Chebyshev polynomial; of F and R along time */
    bool published;
};

/* How a block ends: u [B, T, N, hidden], x [B, T, N, in] -> LN(relu(R(x) + F(u))),
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

/* Blocks within bounds (else ps has the error); the graphs of a batch, and how many; x [B, T, N, C]
 * as [B, N, T C]; the linear layer's names. */
bool wf_st_blocks_fit(struct wf_params *ps, const char *model, int blocks);
int wf_st_graphs(struct wf_tape *g, const struct wf_batch *b, const struct wf_supports **S);
struct wf_tensor *wf_st_all_steps(struct wf_tape *g, struct wf_tensor *x);
void wf_st_head_names(struct wf_renames *t);

#ifdef __cplusplus
}
#endif
#endif
