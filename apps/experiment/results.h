/* results.h - what a finished experiment says: its test errors beside those of simple forecasts, as
 * tables and pictures in the experiment's folder. */
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
    const char *name[WF_RESULT_MODELS]; /* the experiment's model first, then simple forecasts */
    struct wf_metrics metrics[WF_RESULT_MODELS];
    int step[WF_RESULT_MODELS]; /* the horizons: a quarter, a half and all of Q; the mean */
    struct wf_horizons horizons;
    const struct wf_series *series; /* the experiment's series on the CPU, perhaps `copy` */
    struct wf_series copy;          /* a copy of a series that lives on a device */
};

/* Computes the errors over the test part: of the model, and on rank 0, when asked for and where it
 * has the whole series, of the baselines. Collective. Free r with wf_results_free. */
enum wf_status wf_results_make(struct wf_results *r, struct wf_experiment *x, struct wf_error *err);
void wf_results_free(struct wf_results *r);

/* Called on rank 0: prints the table on log; writes metrics.csv and metrics.md into the folder, and
 * pictures when asked for. */
enum wf_status wf_results_write(const struct wf_results *r, struct wf_experiment *x,
                                const struct wf_history *history, FILE *log, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
