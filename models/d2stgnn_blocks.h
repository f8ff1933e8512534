/* d2stgnn_blocks.h - a layer of D2STGNN (models/d2stgnn.h): a block for each of the two signals
 * that the data have.
 *
 * A block takes its signal x [B, T, N, H] in, forecasts `states` hidden states that follow the last
 * step, and returns what of x it does not explain, h being its own view of it:
 *
 *     x' = LN(x - relu(h W + b))
 *
 * d2stgnn.h makes the forecast of the series from the states of all blocks. Nothing here is freed.
 */
#ifndef WF_D2STGNN_BLOCKS_H
#define WF_D2STGNN_BLOCKS_H

#include "models/d2stgnn_graph.h"
#include "nn/attention.h"
#include "nn/conv.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_D2STGNN_HIDDEN = 1024, WF_D2STGNN_STEPS = 512, WF_D2STGNN_KERNEL = 16 };
struct wf_d2stgnn_sizes {
    int hidden, states;
    int kernel, terms; /* diffusion: steps that are seen together; 1 + hops * graphs */
    int heads;         /* inherent */
    bool last;         /* inherent: no x', and nothing to make it with */
    double dropout;
};

/* x' from x and h. */
struct wf_d2stgnn_backcast {
    struct wf_linear map; /* H -> H */
    struct wf_layer_norm norm;
};

/* What comes from other nodes: a graph convolution over `kernel` steps,
 *
 *     s_t = sum over i of relu([x_{t-kernel+1} .. x_t] V_i),  i = 1 .. kernel
 *     h_t = [s_t / kernel  P s_t .. ] U + c,  P: all powers of all graphs
 *
 * whose states to come are those of steps that are not there yet: each counts as an input of the
 * next. kernel - 1 steps go. Parameters name.steps (V), name.terms (U, c), name.backcast and
 * name.norm. */
struct wf_d2stgnn_diffusion {
    struct wf_d2stgnn_sizes sizes;
    struct wf_conv steps;
    struct wf_linear terms;
    struct wf_d2stgnn_backcast backcast;
};
void wf_d2stgnn_diffusion_init(struct wf_d2stgnn_diffusion *l, struct wf_params *ps,
                               const char *name, struct wf_d2stgnn_sizes sizes);
/* x, and the share of it that diffused, both [B, T, N, H] -> x' [B, T - kernel + 1, N, H];
 * *ahead [B, states, N, H] */
struct wf_tensor *wf_d2stgnn_diffusion(struct wf_tape *g, const struct wf_d2stgnn_diffusion *l,
                                       const struct wf_d2stgnn_graphs *G, struct wf_tensor *x,
                                       struct wf_tensor *share, struct wf_tensor **ahead);

/* What a node does on its own: attention over the states of a GRU,
 *
 *     r_t = GRU(x_t, r_{t-1}),  e_t = r_t + p_t,  h_t = MHA(e_t; e_1 .. e_T)
 *
 * p_t: sines and cosines of t (Vaswani et al. 2017). States to come: r_{t+1} = GRU(h_t, r_t), whose
 * h attends to all before. Parameters name.gru, name.attention, name.backcast and name.norm. */
struct wf_d2stgnn_inherent {
    struct wf_d2stgnn_sizes sizes;
    struct wf_gru gru;
    struct wf_mha attention;
    struct wf_d2stgnn_backcast backcast;
};
void wf_d2stgnn_inherent_init(struct wf_d2stgnn_inherent *l, struct wf_params *ps, const char *name,
                              struct wf_d2stgnn_sizes sizes);
/* x [B, T, N, H] -> x' [B, T, N, H], NULL for the last; *ahead [B, states, N, H] */
struct wf_tensor *wf_d2stgnn_inherent(struct wf_tape *g, const struct wf_d2stgnn_inherent *l,
                                      struct wf_tensor *x, struct wf_tensor **ahead);

#ifdef __cplusplus
}
#endif
#endif
