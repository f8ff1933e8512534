/* st_block.h - what MSTGCN and ASTGCN share (Guo et al. 2019): the end of a block, and the network
 * made of blocks. Nothing here is freed. */
#ifndef WF_ST_BLOCK_H
#define WF_ST_BLOCK_H

#include "models/recurrent.h"
#include "nn/conv.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_ST_GRAPHS = 512, WF_ST_BLOCKS = 8 };

/* The sizes of a block. */
struct wf_st_block_sizes {
    int nodes, steps;    /* N, T; ASTGCN's attentions have parameters for each node and step */
    int in, hidden, out; /* channels; hidden: of the graph convolution */
    int terms, stride;   /* terms of the Chebyshev polynomial; stride of F and R along time */
    bool published;      /* compute as PyTorch Geometric Temporal does; see models/README.md */
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
/* The names of PyTorch Geometric Temporal. theirs is the prefix of the block; conv is how the names
 * of F and R end there. */
void wf_st_block_end_names(const struct wf_st_block_end *l, struct wf_renames *t,
                           const char *theirs, const char *ours, const char *conv);

/* What the network has to know of its blocks. */
struct wf_st_block_type {
    const char *model; /* its name, for messages */
    size_t size;       /* bytes of a block */
    void (*init)(void *block, struct wf_params *ps, const char *name, struct wf_st_block_sizes s);
    /* x [B, T, N, in] -> [B, ceil(T / stride), N, out]; S [graphs], one graph for all steps or one
     * for each. */
    struct wf_tensor *(*forward)(struct wf_tape *g, const void *block, const struct wf_supports *S,
                                 int graphs, struct wf_tensor *x);
    /* The parameters of the block under the names of PyTorch Geometric Temporal. */
    void (*names)(const void *block, struct wf_renames *t, const char *theirs, const char *ours);
};

/* The network of either model: blocks one behind the other, and a linear layer that makes all Q
 * steps out of all channels of all steps of a node. */
struct wf_st_net {
    const struct wf_st_block_type *type;
    const void *block; /* the first of `blocks` blocks, which lie in one array */
    int blocks;
    const struct wf_linear *head; /* wf_horizon_init() */
    const struct wf_task *task;
};
/* Declares block.0, block.1, .. in the array `block`. `first` has the sizes of the first block; the
 * others read what it writes, with stride 1. Returns how many steps the last block leaves, or 0 if
 * `blocks` is not 1 to WF_ST_BLOCKS: then ps holds the error. */
int wf_st_net_init(const struct wf_st_block_type *type, void *block, struct wf_params *ps,
                   int blocks, struct wf_st_block_sizes first);
/* x [B, T, N, C] -> [B, Q, N, targets], with S and graphs as a block takes them. */
struct wf_tensor *wf_st_net(struct wf_tape *g, const struct wf_st_net *m,
                            const struct wf_supports *S, int graphs, struct wf_tensor *x);
/* The same for b->x with the graph of b: one for all steps, or, where it changes, one per step. */
struct wf_tensor *wf_st_net_forward(struct wf_tape *g, const struct wf_st_net *m,
                                    const struct wf_batch *b);
/* The names of PyTorch Geometric Temporal. */
void wf_st_net_names(const struct wf_st_net *m, struct wf_renames *t);

#ifdef __cplusplus
}
#endif
#endif
