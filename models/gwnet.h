/* gwnet.h - Graph WaveNet: Wu, Pan, Long, Jiang, Zhang, "Graph WaveNet for Deep Spatial-Temporal
 * Graph Modeling", IJCAI 2019, section 3. Gated dilated convolutions over time, between them
 * diffusion over the given graph, forward and backward, and over one learned from two embeddings.
 *
 *     A = softmax(relu(E1 E2))
 *     GC(x) = sum_{k=0..K} (P_f^k x W_k1 + P_b^k x W_k2 + A^k x W_k3)
 *     TCN(x) = tanh(Theta_1 * x) sigmoid(Theta_2 * x), dilations 1, 2, .. in a block
 *     u = TCN(x),  skip += u W_s,  x' = BN(GC(u) + x)
 *     y = relu(relu(skip) W_1) W_2
 *
 * Each TCN takes dilation * (kernel - 1) steps away; the last leaves one. A shorter input is filled
 * up with zeros in front. x' of the last layer is read by nothing and is not computed. */
#ifndef WF_GWNET_H
#define WF_GWNET_H

#include "models/recurrent.h"
#include "nn/conv.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* E1 [N, d], E2 [d, N] -> A [N, N]. Row i says what share node i takes from each node; it sums to
 * 1. */
struct wf_tensor *wf_gwnet_graph(struct wf_tape *g, struct wf_tensor *E1, struct wf_tensor *E2);

/* GC: x [B, T, N, in] -> [B, T, N, out]. S has any number of supports, whose powers are taken
 * whatever the hops of S say; A may be NULL. The weight of l has (1 + hops * graphs) * in rows:
 * first those for x itself, then for the powers of each support, then for those of A. */
struct wf_tensor *wf_gwnet_conv(struct wf_tape *g, const struct wf_linear *l, int hops,
                                const struct wf_supports *S, struct wf_tensor *A,
                                struct wf_tensor *x);

enum { WF_GWNET_LAYERS = 32 };
struct wf_gwnet_config {
    int hidden, skip, end;      /* channels of the layers, the sum of skips, the layer after it */
    int blocks, layers, kernel; /* blocks, layers per block, steps that a convolution sees */
    int embedding;              /* d; 0: no learned graph */
    double dropout;             /* behind GC */
};
struct wf_gwnet_config wf_gwnet_defaults(void);

struct wf_gwnet_layer {
    struct wf_conv gated;      /* hidden -> 2 hidden, columns tanh, sigmoid */
    struct wf_linear skip;     /* hidden -> skip */
    struct wf_linear graph;    /* GC; not in the last layer */
    struct wf_batch_norm norm; /* BN; not in the last layer */
};
struct wf_gwnet {
    struct wf_gwnet_config cfg;
    struct wf_task task;
    int reach;                         /* input steps that the forecast sees */
    struct wf_tensor *E1, *E2;         /* [N, d], [d, N]; NULL: no learned graph */
    struct wf_linear start, end, head; /* C -> hidden, skip -> end, end -> Q * targets */
    struct wf_gwnet_layer layer[WF_GWNET_LAYERS];
};
void wf_gwnet_init(struct wf_gwnet *m, struct wf_params *ps, struct wf_gwnet_config cfg,
                   const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_gwnet_forward(struct wf_tape *g, const struct wf_gwnet *m,
                                   const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
