/* dcrnn.h - DCRNN: Li, Yu, Shahabi, Liu, "Diffusion Convolutional Recurrent Neural Network:
 * Data-Driven Traffic Forecasting", ICLR 2018.
 *
 * A stack of diffusion convolutional GRU cells reads T steps; a second stack, starting from its
 * states, writes Q steps, each reading the forecast of the step before (or, while training and with
 * a probability that falls as k / (k + exp(i / k)), the truth: scheduled sampling). */
#ifndef WF_DCRNN_H
#define WF_DCRNN_H

#include "data/windows.h"
#include "models/recurrent.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_DCRNN_LAYERS = 4, WF_DCRNN_HORIZON = 500 };

struct wf_dcrnn_config {
    int hidden, layers; /* units per cell, cells per stack */
    bool sampling;      /* scheduled sampling; the decay belongs to the trainer */
};
struct wf_dcrnn_config wf_dcrnn_defaults(void);

struct wf_dcrnn {
    struct wf_dcrnn_config cfg;
    struct wf_task task;
    struct wf_dcgru encoder[WF_DCRNN_LAYERS], decoder[WF_DCRNN_LAYERS];
    struct wf_linear head; /* hidden -> targets, per node */
};
void wf_dcrnn_init(struct wf_dcrnn *m, struct wf_params *ps, struct wf_dcrnn_config cfg,
                   const struct wf_task *task);

/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. b->y_std [B, Q, N, targets] is
 * read only while training with sampling. */
struct wf_tensor *wf_dcrnn_forward(struct wf_tape *g, const struct wf_dcrnn *m,
                                   const struct wf_batch *b);

/* The model PyTorch Geometric Temporal trains as DCRNN: one cell, from zero, whose state after each
 * of the T inputs is itself the forecast of the T steps that follow (so Q = T): as many units as
 * input channels, the first of them the targets. With more units a linear layer reads relu(state).
 */
struct wf_dcrnn_pgt_config {
    int hidden; /* 0: as many as input channels, no linear layer */
};
struct wf_dcrnn_pgt_config wf_dcrnn_pgt_defaults(void);

struct wf_dcrnn_pgt {
    struct wf_dcrnn_pgt_config cfg;
    struct wf_task task;
    struct wf_dcgru cell;
    struct wf_linear head;
};
void wf_dcrnn_pgt_init(struct wf_dcrnn_pgt *m, struct wf_params *ps, struct wf_dcrnn_pgt_config cfg,
                       const struct wf_task *task);
struct wf_tensor *wf_dcrnn_pgt_forward(struct wf_tape *g, const struct wf_dcrnn_pgt *m,
                                       const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
