/* d2stgnn.h - D2STGNN: Shao, Zhang, Wei, Wang, Xu, Cao, Jensen, "Decoupled Dynamic Spatial-Temporal
 * Graph Neural Network for Traffic Forecasting", PVLDB 15(11), 2022, sections 4 and 5. A sensor
 * measures the sum of two signals: what diffuses from other sensors, and what is its own
 * (inherent). Every layer takes first the one and then the other out of its input x, forecasts each
 * by itself, and hands on what is left:
 *
 *     x <- inputs,  for each layer:
 *     share = sigmoid(relu([T_day  D_week  E_1  E_2] W + b) v + c) x         estimation gate
 *     x <- x less what diffusion explains of it, from share
 *     x <- x less what is inherent
 *     y = relu(relu(sum of all states to come F_l + f) W' + b') W'' + b''
 *
 * models/d2stgnn_blocks.h has both blocks and the states to come, models/d2stgnn_graph.h the
 * graphs. One state makes `gap` steps of the forecast. */
#ifndef WF_D2STGNN_H
#define WF_D2STGNN_H

#include "models/calendar.h"
#include "models/d2stgnn_blocks.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_D2STGNN_LAYERS = 16 };
struct wf_d2stgnn_config {
    int hidden, embedding;   /* H; width of T_day, D_week, E_1, E_2 */
    int gate, forecast, end; /* width of the gate, of the sum of states, of the layer after it */
    int layers, kernel;      /* number of layers; steps that diffusion sees together */
    int heads, gap;          /* heads of the attention; steps that one state makes */
    double dropout;          /* behind convolutions and attention */
};
struct wf_d2stgnn_config wf_d2stgnn_defaults(void);

struct wf_d2stgnn_layer {
    struct wf_linear gate[2]; /* times + 2 embedding -> gate -> 1 */
    struct wf_d2stgnn_diffusion diffusion;
    struct wf_d2stgnn_inherent inherent;
};
struct wf_d2stgnn {
    struct wf_d2stgnn_config cfg;
    struct wf_task task;
    int measured;            /* input channels that are not features of time */
    struct wf_linear inputs; /* measured -> H */
    struct wf_calendar calendar;
    struct wf_d2stgnn_graph graph;
    struct wf_d2stgnn_layer layer[WF_D2STGNN_LAYERS];
    struct wf_linear forecast, end, head; /* 2 layers H -> forecast -> end -> gap * targets */
};
void wf_d2stgnn_init(struct wf_d2stgnn *m, struct wf_params *ps, struct wf_d2stgnn_config cfg,
                     const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_d2stgnn_forward(struct wf_tape *g, const struct wf_d2stgnn *m,
                                     const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
