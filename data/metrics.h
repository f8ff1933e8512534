/* metrics.h - masked MAE, RMSE and MAPE per horizon, in the data's units.
 *
 * Sums run over a whole split and are divided once; an average of per-batch means would weigh
 * batches with few valid targets too much. Missing targets (NaN) do not count; targets of 0 do not
 * count in MAPE.
 *
 * Beside them the number that PyTorch Geometric Temporal's experiments report, which is such an
 * average and leaves out targets of 0: see wf_metrics_pgt_mae(). */
#ifndef WF_METRICS_H
#define WF_METRICS_H

#include "data/series.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_metrics {
    int Q;
    double *abs, *sq, *pct, *count, *pct_count; /* [Q] sums over all samples, nodes and channels */
    double *batch_abs, *batch_count; /* [Q] sums over the last batch, targets of 0 left out */
    double pgt[2];                   /* sum of the batches' means, and how many batches */
};
/* Makes room for Q horizons, all sums 0. WF_EINVAL, WF_ENOMEM. Free with wf_metrics_free. */
enum wf_status wf_metrics_init(struct wf_metrics *m, int Q, struct wf_error *err);
void wf_metrics_free(struct wf_metrics *m);
/* Sets all sums to 0. */
void wf_metrics_reset(struct wf_metrics *m);

/* Adds the errors of a batch: pred and target [B, Q, N, C] in host memory, contiguous. Sums in a
 * fixed order. */
void wf_metrics_add(struct wf_metrics *m, const wf_real *pred, const wf_real *target, int B, int N,
                    int C);

/* Return the error at horizon q (0-based), or over all horizons for q = -1; NaN when nothing
 * counted. */
double wf_metrics_mae(const struct wf_metrics *m, int q);
double wf_metrics_rmse(const struct wf_metrics *m, int q);
double wf_metrics_mape(const struct wf_metrics *m, int q); /* per cent */

/* Returns the mean, over the calls of wf_metrics_add(), of each one's MAE, with missing targets and
 * targets of 0 left out; a batch of only such counts as 0. It is masked_mae_loss() of the
 * reference, averaged as there. */
double wf_metrics_pgt_mae(const struct wf_metrics *m);

#ifdef __cplusplus
}
#endif
#endif
