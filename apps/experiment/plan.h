/* plan.h - the memory an experiment will take, before it takes it: one step runs on a backend that
 * computes nothing and holds nothing (wf_backend_dry), and its arena says what a real one needs. */
#ifndef WF_PLAN_H
#define WF_PLAN_H

#include "apps/experiment/experiment.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes. */
struct wf_plan {
    size_t parameters; /* with gradients, moments and state */
    size_t series;     /* on the backend that computes; 0 where it stays with the host */
    size_t batch;      /* windows of a batch, and those on their way */
    size_t step;       /* activations and their gradients at their peak, in training */
    size_t forecast;   /* the same without recording; takes the place of `step` */
    size_t workspace;  /* of the backend's libraries */
};

/* For batches of B windows; the experiment is built (see wf_experiment_open). */
enum wf_status wf_plan_make(struct wf_plan *p, const struct wf_experiment *x, int B,
                            struct wf_error *err);
size_t wf_plan_total(const struct wf_plan *p);

/* The largest batch whose plan stays below `bytes`; 0: not even one window. */
enum wf_status wf_plan_fit(int *B, const struct wf_experiment *x, size_t bytes,
                           struct wf_error *err);

void wf_plan_print(const struct wf_plan *p, const struct wf_experiment *x, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
