/* dgcrn.h - DGCRN: Li, Feng, Yan, Jin, Yang, Sun, Jin, Li, "Dynamic Graph Convolutional Recurrent
 * Network for Traffic Prediction: Benchmark and Solution", ACM TKDD 17(1), 2023. An encoder-decoder
 * of GRU cells that make a graph of their own in every step, from the input and the state:
 *
 *     G_d(x) = [h_0 .. h_K],  h_0 = x,  h_k = a x + b P_d^T h_(k-1) + c S_d h_(k-1)
 *     F_i = sum_d MLP_id(G_d([x h]) without P),  M_i = tanh(s F_i * E_i), i = 1, 2
 *     A = relu(tanh(s (M_1 M_2^T - M_2 M_1^T)))
 *     P_1 = D^-1 (A + I), P_2 = D'^-1 (A^T + I); S_1, S_2: the given graph, both ways
 *     [z r] = sigmoid([G_1 G_2]([x h]) W + b),  c = tanh([G_1 G_2]([x r*h]) V + d)
 *     h' = z h + (1 - z) c
 *
 * MLP has three layers with sigmoid between them. A step of the decoder reads the time of the step
 * that it makes and the forecast of the step before, or while training at times the truth of that
 * step. */
#ifndef WF_DGCRN_H
#define WF_DGCRN_H

#include "models/calendar.h"
#include "models/recurrent.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_DGCRN_HORIZON = 500, WF_DGCRN_DEPTH = 8 };
struct wf_dgcrn_config {
    int hidden, depth;           /* units, K */
    int embedding, hyper, inner; /* width of E_i, of the first and of the second layer of MLP */
    double saturation;           /* s */
    double keep, learned, given; /* a, b, c */
    bool sampling;               /* scheduled sampling */
};
struct wf_dgcrn_config wf_dgcrn_defaults(void);

/* Parameters name.hyper.I.D.0 .. 2 (the layers of MLP_id), name.gates (W, columns z, r),
 * name.candidate (V). */
struct wf_dgcrn_cell {
    struct wf_linear hyper[2][2][3]; /* [i][d][layer] */
    struct wf_linear gates, candidate;
};
struct wf_dgcrn {
    struct wf_dgcrn_config cfg;
    struct wf_task task;
    struct wf_tensor *E[2]; /* [N, embedding] */
    struct wf_dgcrn_cell encoder, decoder;
    struct wf_linear head; /* hidden -> targets */
};
void wf_dgcrn_init(struct wf_dgcrn *m, struct wf_params *ps, struct wf_dgcrn_config cfg,
                   const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. b->y_std [B, Q, N, targets] is
 * read only while training with sampling. */
struct wf_tensor *wf_dgcrn_forward(struct wf_tape *g, const struct wf_dgcrn *m,
                                   const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
