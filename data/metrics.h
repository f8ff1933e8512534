/* metrics.h - masked MAE, RMSE and MAPE per horizon, in the data's units.
 *
 * Sums run over a whole split and are divided once; an average of per-batch means would weigh
 * batches with few valid targets too much. Missing targets (NaN) do not count; targets of 0 do not
 * count in MAPE. */
#ifndef WF_METRICS_H
#define WF_METRICS_H

#include "data/series.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_metrics {
    int Q;
    double *abs, *sq, *pct, *count, *pct_count; /* [Q] sums over all samples, nodes and channels */
};
enum wf_status wf_metrics_init(struct wf_metrics *m, int Q, struct wf_error *err);
void wf_metrics_free(struct wf_metrics *m);
void wf_metrics_reset(struct wf_metrics *m);

/* pred and target [B, Q, N, C] in host memory, contiguous; sums in a fixed order. */
void wf_metrics_add(struct wf_metrics *m, const wf_real *pred, const wf_real *target, int B, int N,
                    int C);

/* At horizon q (0-based), or over all horizons for q = -1; NaN when nothing counted. */
double wf_metrics_mae(const struct wf_metrics *m, int q);
double wf_metrics_rmse(const struct wf_metrics *m, int q);
double wf_metrics_mape(const struct wf_metrics *m, int q); /* per cent */

#ifdef __cplusplus
}
#endif
#endif
