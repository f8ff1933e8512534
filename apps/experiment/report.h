/* report.h - the numbers an experiment leaves behind: one row per epoch, one row for the whole run,
 * and the table of test errors.
 *
 * Every file is written whole and then put in place, so that it is never half a file. Columns are
 * listed in apps/README.md. Keeps no copy of names or metrics: they are the caller's. */
#ifndef WF_REPORT_H
#define WF_REPORT_H

#include <stdio.h>
#include "data/metrics.h"
#include "dist/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* per_epoch_stats.csv: epoch (from 1), runtime (seconds), t_mae (training loss), v_mae and
 * pgt_v_mae (validation MAE, and as the reference computes it). */
struct wf_history {
    char *path;
    int count;
    struct wf_epoch_stats *rows; /* by increasing epoch */
};
/* Begins a history. With resume the rows of the file are read back; a file that is not there has
 * none. Free h with wf_history_free. WF_EFORMAT: the file holds something else. */
enum wf_status wf_history_open(struct wf_history *h, const char *path, bool resume,
                               struct wf_error *err);
/* Puts the row in place of all rows of its epoch and later ones, then rewrites the file. */
enum wf_status wf_history_add(struct wf_history *h, const struct wf_epoch_stats *row,
                              struct wf_error *err);
void wf_history_free(struct wf_history *h);

/* The horizons to show. Step 1 is the first that is forecast; step 0 stands for the mean over
 * all. */
struct wf_horizons {
    int count;
    const int *step;
    int interval_s; /* seconds between two steps of the data; 0: unknown */
};
/* Writes "15 min", "3 h", "step 2" (no clock, or a day and more between steps) or "mean". */
void wf_horizon_label(char *text, size_t size, int step, int interval_s);

struct wf_scored {
    const char *name; /* the model's name */
    const struct wf_metrics *metrics;
};
/* These three write the errors of `count` models: print as a table for a terminal or a log, csv
 * with one row per model and horizon, markdown as a table to paste. WF_EINVAL: a step lies beyond
 * the metrics' horizon. */
enum wf_status wf_report_print(FILE *out, const struct wf_scored *models, int count,
                               const struct wf_horizons *h, struct wf_error *err);
enum wf_status wf_report_csv(const char *path, const struct wf_scored *models, int count,
                             const struct wf_horizons *h, struct wf_error *err);
enum wf_status wf_report_markdown(const char *path, const struct wf_scored *models, int count,
                                  const struct wf_horizons *h, struct wf_error *err);

/* stats.csv: a header and one row; the reference's columns first. */
struct wf_summary {
    double preprocessing_s, training_s, total_s;
    double best_t_mae, best_v_mae, best_pgt_v_mae; /* smallest of all epochs */
    double system_mb, gpu_mb;                      /* memory of the machine and of the GPU */
    double max_system_mb, max_gpu_mb;              /* the most that the run has used of each */
    const char *model, *dataset, *mode;            /* mode: index, base, .. */
    bool synthetic;
    ptrdiff_t nodes, windows, parameters;
    int64_t steps;
    const struct wf_metrics *test;
};
enum wf_status wf_summary_write(const char *path, const struct wf_summary *r,
                                const struct wf_horizons *h, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
