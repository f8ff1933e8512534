/* baselines.h - forecasts that a network has to beat: the last value, the historical average, and a
 * ridge autoregression in closed form. They forecast channel 0.
 *
 * They are fitted on the input rows of the training windows, missing values left out. All of it is
 * plain C on the host, so the series must live on the CPU backend. Whoever calls wf_baseline_fit()
 * calls wf_baseline_free(). */
#ifndef WF_BASELINES_H
#define WF_BASELINES_H

#include "data/metrics.h"
#include "data/scaler.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_baseline_kind {
    /* The last valid value of the input window; where there is none, the node's training mean. */
    WF_PERSISTENCE,

    /* The training mean for the node, the time of day, and weekend or weekday; where there is none,
     * the node's training mean. */
    WF_HISTORICAL_AVERAGE,

    /* One linear model per horizon, shared by all nodes. It reads the node's T inputs, its
     * historical averages now and at the target time, and the last inputs of up to 6 neighbours. */
    WF_RIDGE
};

struct wf_baseline_config {
    int T, Q;                   /* input steps, horizon */
    double lambda;              /* ridge: added to the diagonal of the normal equations */
    const struct wf_csr *graph; /* ridge: [N, N], row n lists the neighbours of n; may be NULL */
    const wf_real *weight; /* [E] in the graph's order; neighbours are those of largest weight */
};
struct wf_baseline_config wf_baseline_defaults(void); /* 12 -> 12, lambda 1, no graph */

enum { WF_BASELINE_NEIGHBOURS = 6 };

struct wf_baseline {
    enum wf_baseline_kind kind;
    struct wf_baseline_config cfg;
    const struct wf_series *series;
    struct wf_scaler scaler;
    int slots;          /* slots that a day has; 1 when the series has no clock */
    wf_real *average;   /* [slots, 2, N], for weekdays and for the weekend */
    wf_real *node_mean; /* [N] */
    int features;       /* features of the ridge regression */
    int *neighbour;     /* [N, 6], -1 where there is none */
    double *coef;       /* [Q, features] */
};

/* The series must outlive b. WF_ENUMERIC when the ridge's equations cannot be solved. */
enum wf_status wf_baseline_fit(struct wf_baseline *b, enum wf_baseline_kind kind,
                               const struct wf_series *s, const struct wf_split *sp,
                               const struct wf_baseline_config *cfg, struct wf_error *err);
void wf_baseline_free(struct wf_baseline *b);

/* Writes the forecast [Q, N], in the data's units, for the window that starts at row `start`. The
 * target rows must lie inside the series: their times are read, their values are not. */
void wf_baseline_predict(const struct wf_baseline *b, int start, wf_real *pred);

/* Fits a baseline and sums up its errors over all test windows in m, which must have cfg->Q
 * horizons; what m held before is lost. */
enum wf_status wf_baseline_eval(enum wf_baseline_kind kind, const struct wf_series *s,
                                const struct wf_split *sp, const struct wf_baseline_config *cfg,
                                struct wf_metrics *m, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
