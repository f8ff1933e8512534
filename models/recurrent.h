/* recurrent.h - forecasting with a recurrent cell: it reads T steps from zero states, and one
 * linear layer makes all Q steps out of its last state. */
#ifndef WF_RECURRENT_H
#define WF_RECURRENT_H

#include "models/model.h"
#include "nn/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_MAXSTATE = 8 };

struct wf_recurrent {
    const void *cell;
    /* x [B, N, C], S of that step; the states [B, N, hidden] are replaced, state[0] is the one that
     * is read. */
    void (*step)(struct wf_tape *g, const void *cell, const struct wf_supports *S,
                 struct wf_tensor *x, struct wf_tensor **state);
    int states, hidden;
    const struct wf_linear *head; /* wf_horizon_init() */
    const struct wf_task *task;
};

/* b->x [B, T, N, C] -> [B, Q, N, targets] */
struct wf_tensor *wf_recurrent_forecast(struct wf_tape *g, const struct wf_recurrent *m,
                                        const struct wf_batch *b);

/* The linear layer hidden -> Q * targets, and h [B, N, hidden] -> [B, Q, N, targets]. */
void wf_horizon_init(struct wf_linear *head, struct wf_params *ps, int hidden,
                     const struct wf_task *task);
struct wf_tensor *wf_horizon(struct wf_tape *g, const struct wf_linear *head,
                             const struct wf_task *task, struct wf_tensor *h);

/* What a decoder reads after step q while it is trained by scheduled sampling (Bengio et al. 2015):
 * its own forecast y [B, N, targets], or the truth as often as wf_step.teach says. */
struct wf_tensor *wf_sampled(struct wf_tape *g, const struct wf_batch *b, struct wf_tensor *y,
                             int q);

#ifdef __cplusplus
}
#endif
#endif
