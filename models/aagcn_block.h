/* aagcn_block.h - the block of AAGCN: Shi, Zhang, Cheng, Lu, "Two-Stream Adaptive Graph
 * Convolutional Networks for Skeleton-Based Action Recognition", CVPR 2019, with the attention of
 * the same authors' "Skeleton-Based Action Recognition with Multi-Stream Adaptive Graph
 * Convolutional Networks", IEEE Transactions on Image Processing 29, 2020. Every sample has its own
 * graphs:
 *
 *     G_k = P_k + A_k + alpha tanh(theta_k(x)^T phi_k(x) / (Ci T)),  k = 0, 1, 2       (eq. 3)
 *     y = relu(BN(sum_k D_k(G_k^T x)) + down(x))                                       (eq. 2)
 *     y <- y (1 + s(.)) over nodes, then steps, then channels; each s(.) sees means of y
 *     out = relu(BN(convolution of y over 9 steps) + residual(x))
 *
 * P_0 = I, and P_1, P_2 are the two random walks of the graph; A_k [N, N] and alpha are learned,
 * theta_k and phi_k are linear layers to Ci = out / 4 channels. Nothing here is freed. */
#ifndef WF_AAGCN_BLOCK_H
#define WF_AAGCN_BLOCK_H

#include "nn/conv.h"
#include "nn/layers.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_AAGCN_GRAPHS = 3 }; /* k = 0, 1, 2 */
struct wf_aagcn_sizes {
    int nodes, in, out, stride; /* out is a multiple of 4; stride is along time */
    bool fixed;                 /* G_k = P_k: nothing is learned of the graphs */
    bool no_attention, no_residual;
};

/* Parameters, each under `name`:
 *     mix (D_k, one below the other), mix.bias [3, out], norm
 *     A [3, N, N], alpha [1], embed (theta_0..2, phi_0..2 side by side)   unless fixed
 *     down, down.norm                                                     where in is not out
 *     nodes, steps, squeeze, excite                                       for the attention
 *     time, time.norm
 *     residual, residual.norm               where in is not out or stride is not 1 */
struct wf_aagcn_block {
    struct wf_aagcn_sizes sizes;
    struct wf_tensor *A, *alpha, *bias;
    struct wf_conv mix, nodes, steps, time, residual;
    struct wf_linear embed, down, squeeze, excite;
    struct wf_batch_norm norm, down_norm, time_norm, residual_norm;
};
void wf_aagcn_block_init(struct wf_aagcn_block *l, struct wf_params *ps, const char *name,
                         struct wf_aagcn_sizes sizes);
/* x [B, T, N, in] -> [B, ceil(T / stride), N, out]. S has the two supports of WF_DUAL_RANDOM_WALK,
 * or none: then all P_k are 0, which weights want whose A was trained as the whole graph. A fixed
 * block needs the supports. */
struct wf_tensor *wf_aagcn_block(struct wf_tape *g, const struct wf_aagcn_block *l,
                                 const struct wf_supports *S, struct wf_tensor *x);

#ifdef __cplusplus
}
#endif
#endif
