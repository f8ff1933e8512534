/* norm.h - batch and layer normalisation: (x - mean) / sqrt(var + eps) * weight + bias.
 *
 * Parameters name.weight (1) and name.bias (0); nothing here is freed. */
#ifndef WF_NORM_H
#define WF_NORM_H

#include "autograd/ops.h"
#include "nn/params.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Per channel over all other axes (Ioffe & Szegedy 2015), as PyTorch's BatchNorm. While the tape is
 * training, the moments of the batch, which also move the state slots name.mean, name.var (the
 * unbiased one) and name.count; else the state, constant for the gradient. momentum is the share of
 * the new batch; below 0 the state is the average of all batches so far. eps is 1e-5. */
struct wf_batch_norm {
    struct wf_tensor *weight, *bias; /* [channels] */
    struct wf_running running;
};
void wf_batch_norm_init(struct wf_batch_norm *l, struct wf_params *ps, const char *name,
                        int channels, double momentum);
/* axis of x has the channels: -1 in [B, T, N, C], or 2 for nodes as channels. */
struct wf_tensor *wf_batch_norm(struct wf_tape *g, const struct wf_batch_norm *l,
                                struct wf_tensor *x, int axis);

/* Over the last ndim axes jointly (Ba et al. 2016), of the given shape; eps is 1e-5. */
struct wf_layer_norm {
    struct wf_tensor *weight, *bias; /* [shape] */
    double eps;
};
void wf_layer_norm_init(struct wf_layer_norm *l, struct wf_params *ps, const char *name, int ndim,
                        const int *shape);
struct wf_tensor *wf_layer_norm(struct wf_tape *g, const struct wf_layer_norm *l,
                                struct wf_tensor *x);

#ifdef __cplusplus
}
#endif
#endif
