/* conv.h - convolution over time and nodes, channels last. Nothing here is freed; the layer must
 * live until the tape is reset. */
#ifndef WF_CONV_H
#define WF_CONV_H

#include "autograd/ops.h"
#include "nn/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* wf_conv_op() as a layer: x [B, H, W, in] -> [B, H', W', out], where H is usually time and W the
 * nodes; a kernel of width 1 along W makes it one-dimensional. Fields of the configuration that are
 * 0 have PyTorch's defaults. Parameters name.weight [kh * kw * in, out], tap-major, and name.bias
 * [out], both U(-a, a) with a = 1/sqrt(kh * kw * in). */
struct wf_conv {
    struct wf_tensor *weight, *bias;
    struct wf_conv_config cfg;
};
void wf_conv_init(struct wf_conv *l, struct wf_params *ps, const char *name, int in, int out,
                  struct wf_conv_config cfg);
struct wf_tensor *wf_conv(struct wf_tape *g, const struct wf_conv *l, struct wf_tensor *x);

/* PyTorch's names. axes lists the axes of their weight in the order of ours, which is kernel along
 * H, kernel along W, in, out: "2310" for their [O, C, kh, kw], "3210" where their last axis is our
 * H, "210" for [O, C, k]. */
void wf_conv_names(struct wf_renames *t, const char *theirs, const char *ours,
                   const struct wf_conv *l, const char *axes);

#ifdef __cplusplus
}
#endif
#endif
