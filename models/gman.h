/* gman.h - GMAN: Zheng, Fan, Wang, Qi, "GMAN: A Graph Multi-Attention Network for Traffic
 * Prediction", AAAI 2020. It reads no graph: nodes attend to nodes and steps to steps, guided by an
 * embedding of place and time (STE). FC is one or two linear layers, each followed by batch
 * normalisation.
 *
 *     STE[t, n] = FC(place of n) + FC(one-hot day of week and step of the day of t)
 *     block(x)  = x + FC(z HS + (1 - z) HT),  z = sigmoid(FC(HS) + FC(HT)),
 *                 HS, HT = attention of [x STE] over nodes, over steps
 *     x = blocks of FC(X), with STE of the past
 *     x = attention with queries from STE to come, keys from STE of the past, values x
 *     forecast = FC(blocks of x, with STE to come)
 *
 * In an attention relu follows queries, keys, values and the output. models/gman_layers.h has FC,
 * the attention and the embedding. */
#ifndef WF_GMAN_H
#define WF_GMAN_H

#include "models/gman_layers.h"
#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_GMAN_BLOCKS = 8 };
struct wf_gman_sizes {
    int in, out;       /* channels that are read, that are forecast */
    int channels;      /* D */
    int heads, blocks; /* heads of an attention; blocks for the past, and as many for the future */
    int steps_per_day;
    bool days;       /* the day of the week is known */
    bool causal;     /* no step of a block attends to a later one */
    double scale;    /* factor of the scores; 0: 1 / sqrt(D / heads) */
    double momentum; /* share of a new batch in the running moments of the normalisations */
};
struct wf_gman_block {
    struct wf_gman_attention space, time;
    struct wf_gman_fc gate_space, gate_time, out[2];
};
/* The network, which is given the embedding of place and time by its caller. */
struct wf_gman_net {
    struct wf_gman_sizes sizes;
    struct wf_gman_embedding embedding;
    struct wf_gman_fc in[2], out[2];
    struct wf_gman_block past[WF_GMAN_BLOCKS], future[WF_GMAN_BLOCKS];
    struct wf_gman_attention bridge;
};
void wf_gman_net_init(struct wf_gman_net *l, struct wf_params *ps, const char *name,
                      struct wf_gman_sizes sizes);
/* x [B, T, N, in] and STE [B, T + Q, N, D], as wf_gman_embed() makes it -> [B, Q, N, out] */
struct wf_tensor *wf_gman_net(struct wf_tape *g, const struct wf_gman_net *l, struct wf_tensor *x,
                              struct wf_tensor *STE);

/* The forecasting model. The embedding of the places is learned; the times follow from the last
 * input channels. Where the inputs lack the time of day, the place of a step in the window stands
 * for it. */
struct wf_gman_config {
    int heads, width, blocks; /* K, d (D = K d), L */
    bool causal;              /* no step of a block attends to a later one */
};
struct wf_gman_config wf_gman_defaults(void);

struct wf_gman {
    struct wf_gman_config cfg;
    struct wf_task task;
    struct wf_tensor *places; /* [N, D] */
    bool clock;               /* the inputs tell the time of day */
    struct wf_gman_net net;
};
void wf_gman_init(struct wf_gman *m, struct wf_params *ps, struct wf_gman_config cfg,
                  const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. b->supports are not used. */
struct wf_tensor *wf_gman_forward(struct wf_tape *g, const struct wf_gman *m,
                                  const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
