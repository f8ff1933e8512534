/* plan.h - the memory an experiment will take, before it takes it: one step runs on a backend that
 * computes nothing and holds nothing (wf_backend_dry), and its arena says what a real one needs. */
#ifndef WF_PLAN_H
#define WF_PLAN_H

#include "apps/experiment/experiment.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a run takes, in bytes. */
struct wf_plan {
    size_t parameters; /* with gradients, moments and state */
    size_t series;     /* the series on the backend that computes; 0: it stays on the host */
    size_t batch;      /* one batch; or three, two of them being copied to the device */
    size_t step;       /* activations and their gradients at their peak, in training */
    size_t forecast;   /* activations at their peak in a forecast; never held beside `step` */
    size_t workspace;  /* what the backend's libraries take */
};

/* Plans batches of B windows for an experiment that wf_experiment_open has built. */
enum wf_status wf_plan_make(struct wf_plan *p, const struct wf_experiment *x, int B,
                            struct wf_error *err);
/* Returns the sum of what is held at the same time. */
size_t wf_plan_total(const struct wf_plan *p);

/* Finds the largest batch whose plan stays within `bytes`; 0: not even one window does. */
enum wf_status wf_plan_fit(int *B, const struct wf_experiment *x, size_t bytes,
                           struct wf_error *err);

/* Prints one line, in MiB, beside what the backend has. */
void wf_plan_print(const struct wf_plan *p, const struct wf_experiment *x, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
