/* norm.h - batch and layer normalisation: (x - mean) / sqrt(var + eps) * weight + bias.
 *
 * Parameters name.weight (1) and name.bias (0); nothing here is freed. */
#ifndef WF_NORM_H
#define WF_NORM_H

#include "autograd/ops.h"
#include "nn/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Batch normalisation, per channel over all other axes (Ioffe & Szegedy 2015), as PyTorch's
 * BatchNorm. While the tape is training, mean and var are those of the batch, and they also move
 * the running moments: the state slots name.mean, name.var (the unbiased variance) and name.count.
 * Otherwise mean and var are the running moments, constants for the gradient. momentum is the share
 * of the new batch in the running moments; below 0 they are the average over all batches so far.
 * eps is 1e-5. */
struct wf_batch_norm {
    struct wf_tensor *weight, *bias; /* [channels] */
    struct wf_running running;
};
void wf_batch_norm_init(struct wf_batch_norm *l, struct wf_params *ps, const char *name,
                        int channels, double momentum);
/* `axis` is the axis of x that counts as channels: -1 in [B, T, N, C], or 2 to normalise node by
 * node. */
struct wf_tensor *wf_batch_norm(struct wf_tape *g, const struct wf_batch_norm *l,
                                struct wf_tensor *x, int axis);

/* The names of PyTorch's BatchNorm, its running moments included. */
void wf_batch_norm_names(struct wf_renames *t, const char *theirs, const char *ours);

/* Layer normalisation over the last ndim axes together, which have the given shape (Ba et al.
 * 2016); eps is 1e-5. */
struct wf_layer_norm {
    struct wf_tensor *weight, *bias; /* [shape] */
    double eps;
};
void wf_layer_norm_init(struct wf_layer_norm *l, struct wf_params *ps, const char *name, int ndim,
                        const int *shape);
struct wf_tensor *wf_layer_norm(struct wf_tape *g, const struct wf_layer_norm *l,
                                struct wf_tensor *x);

/* The names of PyTorch's LayerNorm. */
void wf_layer_norm_names(struct wf_renames *t, const char *theirs, const char *ours);

#ifdef __cplusplus
}
#endif
#endif
