/* dcrnn.h - DCRNN: Li, Yu, Shahabi, Liu, "Diffusion Convolutional Recurrent Neural Network:
 * Data-Driven Traffic Forecasting", ICLR 2018.
 *
 * A stack of diffusion convolutional GRU cells (struct wf_dcgru of nn/layers.h) reads T steps; a
 * second stack, which starts from the states of the first, writes Q steps, each of which reads the
 * forecast of the step before. While training it reads the truth instead with a probability that
 * falls as k / (k + exp(i / k)) over the steps i of training: scheduled sampling. */
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
    bool sampling;      /* scheduled sampling; the trainer lets its probability fall */
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

/* The model that PyTorch Geometric Temporal trains as DCRNN: one cell that starts from 0 and reads
 * T steps. Its states after the T inputs are the forecast of the T steps that follow, so Q = T: it
 * has as many units as there are input channels, and the first of them are the targets. If `hidden`
 * says otherwise, a linear layer reads relu(state). */
struct wf_dcrnn_pgt_config {
    int hidden; /* 0: as many units as input channels, and no linear layer */
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
/* b->x [B, T, N, C] -> forecast [B, T, N, targets], standardised. */
struct wf_tensor *wf_dcrnn_pgt_forward(struct wf_tape *g, const struct wf_dcrnn_pgt *m,
                                       const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
