/* results.h - what a finished experiment says: test errors beside those of simple forecasts, tables
 * and pictures in the experiment's folder. */
#ifndef WF_RESULTS_H
#define WF_RESULTS_H

#include "apps/experiment/experiment.h"
#include "apps/experiment/report.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_RESULT_MODELS = 4 };
struct wf_results {
    int count;
    const char *name[WF_RESULT_MODELS]; /* the model first */
    struct wf_metrics metrics[WF_RESULT_MODELS];
    int step[WF_RESULT_MODELS]; /* horizons shown: a quarter, a half and all of Q, the mean */
    struct wf_horizons horizons;
    const struct wf_series *series; /* the experiment's, on the CPU */
    struct wf_series copy;          /* where it lives on a device */
};

/* Errors over the test part, of the model and, when asked for and where rank 0 has the whole
 * series, of the baselines (on rank 0). All ranks. */
enum wf_status wf_results_make(struct wf_results *r, struct wf_experiment *x, struct wf_error *err);
void wf_results_free(struct wf_results *r);

/* By rank 0: the table on log; metrics.csv and metrics.md in the folder; pictures, when asked for.
 */
enum wf_status wf_results_write(const struct wf_results *r, struct wf_experiment *x,
                                const struct wf_history *history, FILE *log, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
