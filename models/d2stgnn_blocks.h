/* d2stgnn_blocks.h - the two blocks of a layer of D2STGNN (models/d2stgnn.h), one for each of the
 * two signals that the data have: what diffuses and what is inherent.
 *
 * A block reads x [B, T, N, H] and makes hidden values h of it; it forecasts the `states` values of
 * h that follow the last step, and returns the part of x that h does not explain (the backcast):
 *
 *     x' = LN(x - relu(h W + b))
 *
 * models/d2stgnn.h makes the forecast of the series from the states of all blocks. Nothing here is
 * freed. */
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
    int hidden, states; /* H; states to come */
    int kernel, terms;  /* diffusion block: steps seen together; 1 + hops * graphs */
    int heads;          /* inherent block: heads of the attention */
    bool last;          /* inherent block of the last layer: it makes no x' */
    double dropout;
};

/* The layers that make x' from x and h. */
struct wf_d2stgnn_backcast {
    struct wf_linear map; /* H -> H */
    struct wf_layer_norm norm;
};

/* The diffusion block, for what comes from other nodes: a graph convolution over `kernel` steps,
 *
 *     s_t = sum over i of relu([x_{t-kernel+1} .. x_t] V_i),  i = 1 .. kernel
 *     h_t = [s_t / kernel  P s_t .. ] U + c
 *
 * where P runs through all powers of all graphs. It leaves kernel - 1 steps less. A state to come
 * is the h of the step after the last one, and is then taken as the input of that step. Parameters
 * name.steps (V), name.terms (U, c), name.backcast and name.norm. */
struct wf_d2stgnn_diffusion {
    struct wf_d2stgnn_sizes sizes;
    struct wf_conv steps;
    struct wf_linear terms;
    struct wf_d2stgnn_backcast backcast;
};
void wf_d2stgnn_diffusion_init(struct wf_d2stgnn_diffusion *l, struct wf_params *ps,
                               const char *name, struct wf_d2stgnn_sizes sizes);
/* x, and `share`, the part of it that diffused, both [B, T, N, H] -> x' [B, T - kernel + 1, N, H].
 * *ahead becomes the states to come, [B, states, N, H]. */
struct wf_tensor *wf_d2stgnn_diffusion(struct wf_tape *g, const struct wf_d2stgnn_diffusion *l,
                                       const struct wf_d2stgnn_graphs *G, struct wf_tensor *x,
                                       struct wf_tensor *share, struct wf_tensor **ahead);

/* The inherent block, for what a node does on its own: attention over the states of a GRU,
 *
 *     r_t = GRU(x_t, r_{t-1}),  e_t = r_t + p_t,  h_t = MHA(e_t; e_1 .. e_T)
 *
 * where p_t are sines and cosines of t (Vaswani et al. 2017). After the last step the GRU goes on
 * with r_{t+1} = GRU(h_t, r_t), and the state to come h_{t+1} attends to all steps before it.
 * Parameters name.gru, name.attention, name.backcast and name.norm. */
struct wf_d2stgnn_inherent {
    struct wf_d2stgnn_sizes sizes;
    struct wf_gru gru;
    struct wf_mha attention;
    struct wf_d2stgnn_backcast backcast;
};
void wf_d2stgnn_inherent_init(struct wf_d2stgnn_inherent *l, struct wf_params *ps, const char *name,
                              struct wf_d2stgnn_sizes sizes);
/* x [B, T, N, H] -> x' [B, T, N, H], or NULL with sizes.last. *ahead becomes the states to come,
 * [B, states, N, H]. */
struct wf_tensor *wf_d2stgnn_inherent(struct wf_tape *g, const struct wf_d2stgnn_inherent *l,
                                      struct wf_tensor *x, struct wf_tensor **ahead);

#ifdef __cplusplus
}
#endif
#endif
