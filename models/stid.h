/* stid.h - STID: Shao, Zhang, Wang, Wei, Xu, "Spatial-Temporal Identity: A Simple yet Effective
 * Baseline for Multivariate Time Series Forecasting", CIKM 2022, section 3. It reads no graph, and
 * nothing recurs: a perceptron, the same for every node, is told which node, time of day and day of
 * the week it sees.
 *
 *     H = FC(x_{t-T+1} .. x_t),  Z_0 = [H  E_node  T_day  D_week]
 *     Z_{l+1} = FC_2(relu(FC_1(Z_l))) + Z_l,  y = FC(Z_L)
 *
 * Dropout stands behind relu, as in the authors' code. */
#ifndef WF_STID_H
#define WF_STID_H

#include "models/calendar.h"
#include "models/recurrent.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_STID_LAYERS = 16 };
struct wf_stid_config {
    int embedding, layers; /* width of H, E, T and D; number of perceptrons of two layers (L) */
    double dropout;
};
struct wf_stid_config wf_stid_defaults(void);

struct wf_stid {
    struct wf_stid_config cfg;
    struct wf_task task;
    struct wf_linear inputs; /* T * C -> embedding */
    struct wf_tensor *node;  /* [N, embedding] */
    struct wf_calendar calendar;
    struct wf_linear first[WF_STID_LAYERS], second[WF_STID_LAYERS]; /* width -> width */
    struct wf_linear head;                                          /* width -> Q * targets */
};
void wf_stid_init(struct wf_stid *m, struct wf_params *ps, struct wf_stid_config cfg,
                  const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. b->supports are not used. */
struct wf_tensor *wf_stid_forward(struct wf_tape *g, const struct wf_stid *m,
                                  const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
