/* staeformer.h - STAEformer: Liu, Dong, Jiang, Deng, Deng, Chen, Song, "Spatio-Temporal Adaptive
 * Embedding Makes Vanilla Transformer SOTA for Traffic Forecasting", CIKM 2023. It reads no graph:
 * every step and node has a learned embedding of its own (E_a), and attention runs over time, then
 * over the nodes.
 *
 *     Z = [FC(x)  T_day  D_week  E_a],  E_a [T, N, d_a] learned
 *     h = LN(Z + MHA(Z)),  Z' = LN(h + FF(h)),  FF(h) = relu(h W_1 + b_1) W_2 + b_2
 *     MHA over the T steps of each node in the first layers, over the N nodes of each step in the
 *     others; y = FC of a node's T vectors, side by side
 */
#ifndef WF_STAEFORMER_H
#define WF_STAEFORMER_H

#include "models/calendar.h"
#include "models/recurrent.h"
#include "nn/attention.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_STAEFORMER_LAYERS = 8 };
struct wf_staeformer_config {
    int embedding, adaptive;        /* width of FC(x), T_day and D_week; width of E_a */
    int feedforward, heads, layers; /* width within FF; heads; layers of each of the two kinds */
    double dropout;                 /* behind MHA and FF */
};
struct wf_staeformer_config wf_staeformer_defaults(void);

/* One layer, which attends along the last axis but one. Parameters name.attention, name.norm1,
 * name.ff1, name.ff2, name.norm2. */
struct wf_staeformer_layer {
    struct wf_mha attention;
    struct wf_linear ff1, ff2;
    struct wf_layer_norm norm1, norm2;
};
struct wf_staeformer {
    struct wf_staeformer_config cfg;
    struct wf_task task;
    struct wf_linear inputs; /* C -> embedding */
    struct wf_calendar calendar;
    struct wf_tensor *adaptive; /* [T, N, d_a] */
    struct wf_staeformer_layer time[WF_STAEFORMER_LAYERS], space[WF_STAEFORMER_LAYERS];
    struct wf_linear head; /* T * width -> Q * targets, per node */
};
void wf_staeformer_init(struct wf_staeformer *m, struct wf_params *ps,
                        struct wf_staeformer_config cfg, const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. b->supports are not used. */
struct wf_tensor *wf_staeformer_forward(struct wf_tape *g, const struct wf_staeformer *m,
                                        const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
