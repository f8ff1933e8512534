/* baselines.h - forecasts that a network has to beat: the last value, the historical average, and a
 * ridge autoregression in closed form. They forecast channel 0.
 *
 * Fitted on the input rows of the training windows, missing values left out; all in plain C on the
 * host, so the series must live on the CPU backend. Whoever fits frees. */
#ifndef WF_BASELINES_H
#define WF_BASELINES_H

#include "data/metrics.h"
#include "data/scaler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* PERSISTENCE: the last valid value of the input window, else the node's training mean.
 * HISTORICAL_AVERAGE: training mean per node, time of day and weekend or weekday, else the node's.
 * RIDGE: one linear model per horizon, shared by all nodes, of the node's T inputs, its historical
 * averages now and at the target time, and the last inputs of up to 6 neighbours. */
enum wf_baseline_kind { WF_PERSISTENCE, WF_HISTORICAL_AVERAGE, WF_RIDGE };

struct wf_baseline_config {
    int T, Q;
    double lambda;              /* ridge: added to the diagonal of the normal equations */
    const struct wf_csr *graph; /* ridge: [N, N], row n lists the neighbours of n; may be NULL */
    const wf_real *weight;      /* [E] in the graph's order; the largest weights are taken */
};
struct wf_baseline_config wf_baseline_defaults(void); /* 12 -> 12, lambda 1, no graph */

enum { WF_BASELINE_NEIGHBOURS = 6 };

struct wf_baseline {
    enum wf_baseline_kind kind;
    struct wf_baseline_config cfg;
    const struct wf_series *series;
    struct wf_scaler scaler;
    int slots;          /* of a day; 1 when the series has no clock */
    wf_real *average;   /* [slots, 2, N]: weekdays, weekend */
    wf_real *node_mean; /* [N] */
    int features;
    int *neighbour; /* [N, 6], -1 where there is none */
    double *coef;   /* [Q, features] */
};

/* The series must outlive b. WF_ENUMERIC when the ridge's equations cannot be solved. */
enum wf_status wf_baseline_fit(struct wf_baseline *b, enum wf_baseline_kind kind,
                               const struct wf_series *s, const struct wf_split *sp,
                               const struct wf_baseline_config *cfg, struct wf_error *err);
void wf_baseline_free(struct wf_baseline *b);

/* pred [Q, N], in the data's units, for the window that starts at row `start`. Target rows lie
 * inside the series: their times are read, their values are not. */
void wf_baseline_predict(const struct wf_baseline *b, int start, wf_real *pred);

/* Fits, and sums the errors over all test windows into m, which must have cfg->Q horizons. */
enum wf_status wf_baseline_eval(enum wf_baseline_kind kind, const struct wf_series *s,
                                const struct wf_split *sp, const struct wf_baseline_config *cfg,
                                struct wf_metrics *m, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
