/* recurrent.h - forecasting with a recurrent cell: the cell reads T steps, starting from states of
 * zero, and one linear layer makes all Q steps of the forecast out of its last state. Nothing here
 * is freed. */
#ifndef WF_RECURRENT_H
#define WF_RECURRENT_H

#include "models/model.h"
#include "nn/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_MAXSTATE = 8 };

struct wf_recurrent {
    const void *cell; /* handed to step() */
    /* One step: x [B, N, C] and the supports S of that step. Replaces the states [B, N, hidden];
     * the linear layer reads state[0]. */
    void (*step)(struct wf_tape *g, const void *cell, const struct wf_supports *S,
                 struct wf_tensor *x, struct wf_tensor **state);
    int states, hidden;           /* number of states, their width */
    const struct wf_linear *head; /* the linear layer, from wf_horizon_init() */
    const struct wf_task *task;
};

/* b->x [B, T, N, C] -> [B, Q, N, targets]. Outside training each step gives its memory back. */
struct wf_tensor *wf_recurrent_forecast(struct wf_tape *g, const struct wf_recurrent *m,
                                        const struct wf_batch *b);

/* The layer that makes a forecast out of a vector per node: a linear layer hidden -> Q * targets
 * with the parameters head.weight and head.bias; h [B, N, hidden] -> [B, Q, N, targets]. */
void wf_horizon_init(struct wf_linear *head, struct wf_params *ps, int hidden,
                     const struct wf_task *task);
struct wf_tensor *wf_horizon(struct wf_tape *g, const struct wf_linear *head,
                             const struct wf_task *task, struct wf_tensor *h);

/* What a decoder reads after step q by scheduled sampling (Bengio et al. 2015): while training the
 * truth with probability wf_step.teach, otherwise its own forecast y [B, N, targets]. */
struct wf_tensor *wf_sampled(struct wf_tape *g, const struct wf_batch *b, struct wf_tensor *y,
                             int q);

#ifdef __cplusplus
}
#endif
#endif
