/* d2stgnn_blocks.h - the parts of D2STGNN (models/d2stgnn.h), usable alone: graphs of a window, and
 * a block for each of the two signals in the data.
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

#include "nn/attention.h"
#include "nn/conv.h"
#include "nn/layers.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- graphs ----
 * Of a window, one for each support S_d, and one that is learned:
 *
 *     f = [W_2 BN(relu(W_1 x)) when E_d],  q = f W_q,  k = f W_k
 *     P_d[i, j] = S_d[i, j] exp(q_i . k_j / sqrt(H)) / (the same, summed over j)
 *     A = softmax(relu(E_1 E_2^T))
 *
 * Their powers act without diagonal: what a node keeps to itself is no diffusion. */
enum { WF_D2STGNN_GRAPHS = 2 };
struct wf_d2stgnn_graph_config {
    int nodes, hidden, embedding; /* N, H, width of E_d */
    int window, times;            /* numbers of x, of when */
    int hops;                     /* powers 1 .. hops of each graph */
    bool given;                   /* there are supports */
    double dropout;               /* behind BN */
};
/* Parameters name.embedding.0 and .1; with supports name.first, .norm, .second and .query_key. */
struct wf_d2stgnn_graph {
    struct wf_d2stgnn_graph_config cfg;
    struct wf_tensor *E[WF_D2STGNN_GRAPHS]; /* [N, embedding] */
    struct wf_linear first, second;         /* window -> 2 H -> H */
    struct wf_batch_norm norm;
    struct wf_tensor *query_key; /* [H + times + embedding, 2 H] */
};
struct wf_d2stgnn_graphs {
    int count, hops;
    const struct wf_csr *pattern[WF_D2STGNN_GRAPHS];
    struct wf_tensor *value[WF_D2STGNN_GRAPHS]; /* [B, E]: P_d */
    struct wf_tensor *loops[WF_D2STGNN_GRAPHS]; /* [B, hops, N, 1]: diagonals of its powers */
    struct wf_tensor *learned;                  /* [hops * N, N]: powers of A, with none */
};
void wf_d2stgnn_graph_init(struct wf_d2stgnn_graph *l, struct wf_params *ps, const char *name,
                           struct wf_d2stgnn_graph_config cfg);
/* x [B, N, window], when [B, 1, times] or NULL where times is 0; at most two supports. */
void wf_d2stgnn_graph(struct wf_tape *g, const struct wf_d2stgnn_graph *l,
                      const struct wf_supports *S, struct wf_tensor *x, struct wf_tensor *when,
                      struct wf_d2stgnn_graphs *G);

/* ---- blocks ---- */

enum { WF_D2STGNN_HIDDEN = 1024, WF_D2STGNN_STEPS = 512, WF_D2STGNN_KERNEL = 16 };
struct wf_d2stgnn_sizes {
    int hidden, states;
    int kernel, terms; /* diffusion: steps that are seen together; 1 + hops * graphs */
    int heads;         /* inherent */
    bool last;         /* x' is not wanted: backcast and norm are not there */
    double dropout;
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
    struct wf_linear terms, backcast;
    struct wf_layer_norm norm;
};
void wf_d2stgnn_diffusion_init(struct wf_d2stgnn_diffusion *l, struct wf_params *ps,
                               const char *name, struct wf_d2stgnn_sizes sizes);
/* x, and the share of it that diffused, both [B, T, N, H] -> x' [B, T - kernel + 1, N, H], NULL
 * for the last; *ahead [B, states, N, H] */
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
    struct wf_linear backcast;
    struct wf_layer_norm norm;
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
