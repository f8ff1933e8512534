/* layers.h - layers: a struct of parameters, x_init(layer, params, name, sizes) that declares them,
 * and x(tape, layer, input). Nothing here is freed; parameters belong to struct wf_params. */
#ifndef WF_LAYERS_H
#define WF_LAYERS_H

#include "nn/graph.h"
#include "nn/params.h"
#include "nn/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y = x W + b, x [.., in] -> [.., out]. Parameters name.weight [in, out], name.bias [out], both
 * U(-1/sqrt(in), 1/sqrt(in)). */
struct wf_linear {
    struct wf_tensor *weight, *bias;
};
void wf_linear_init(struct wf_linear *l, struct wf_params *ps, const char *name, int in, int out);
struct wf_tensor *wf_linear(struct wf_tape *g, const struct wf_linear *l, struct wf_tensor *x);
/* The names of PyTorch's Linear: weight [out, in] and bias. */
void wf_linear_names(struct wf_renames *t, const char *theirs, const char *ours);
/* The same names for a layer that was published as a convolution of one tap: its weight is
 * [out, in, 1, 1]. */
void wf_pointwise_names(struct wf_renames *t, const char *theirs, const char *ours);

/* Diffusion convolution (DCRNN, Li et al. 2018, eq. 2), of the input alone or of input and state:
 *     y = act(sum_m T_m([x h]) W_m + b)
 * x [B, N, C0], h [B, N, C1] or NULL -> [B, N, out], with in = C0 + C1. Supports that differ from
 * sample to sample also take [B, .., N, C]. Parameters name.weight [terms * in, out], term-major,
 * Xavier-normal; name.bias [out], which starts as the constant `bias`. */
struct wf_dconv {
    struct wf_tensor *weight, *bias;
};
void wf_dconv_init(struct wf_dconv *l, struct wf_params *ps, const char *name, int in, int out,
                   int terms, double bias);
struct wf_tensor *wf_dconv(struct wf_tape *g, const struct wf_dconv *l, const struct wf_supports *S,
                           struct wf_tensor *x, struct wf_tensor *h, enum wf_act act);

/* Diffusion convolutional GRU cell (DCRNN, eq. 3); the two gates are one convolution:
 *     [r z] = sigmoid(G [x h]),  c = tanh(C [x r*h]),  h' = z h + (1 - z) c
 * x [B, N, in], h [B, N, hidden] -> h'. Parameters name.gates, name.cand; the gates' bias starts at
 * 1, so that a new cell keeps its state. */
struct wf_dcgru {
    struct wf_dconv gates, cand;
    int hidden;
};
void wf_dcgru_init(struct wf_dcgru *l, struct wf_params *ps, const char *name, int in, int hidden,
                   int terms);
struct wf_tensor *wf_dcgru(struct wf_tape *g, const struct wf_dcgru *l, const struct wf_supports *S,
                           struct wf_tensor *x, struct wf_tensor *h);

/* GRU cell as PyTorch's GRUCell (Cho et al. 2014, reset gate after the product):
 *     r = sigmoid(Wr x + br + Ur h + cr),  z = sigmoid(Wz x + bz + Uz h + cz)
 *     n = tanh(Wn x + bn + r (Un h + cn)),  h' = (1 - z) n + z h
 * x [.., in], h [.., hidden] -> h'. Parameters name.input and name.hidden, linear layers to
 * [r z n]. */
struct wf_gru {
    struct wf_linear input, state;
    int hidden;
};
void wf_gru_init(struct wf_gru *l, struct wf_params *ps, const char *name, int in, int hidden);
struct wf_tensor *wf_gru(struct wf_tape *g, const struct wf_gru *l, struct wf_tensor *x,
                         struct wf_tensor *h);
/* The same step from a = input(x) [.., 3 hidden], for a caller that computes input(x) for all steps
 * at once. */
struct wf_tensor *wf_gru_step(struct wf_tape *g, const struct wf_gru *l, struct wf_tensor *a,
                              struct wf_tensor *h);

#ifdef __cplusplus
}
#endif
#endif
