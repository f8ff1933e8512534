/* A stranger's ST-GNN in one file: GRU cells behind a graph convolution. It trains on a wave that
 * travels round a ring, saves, and forecasts the same bits with what it loads. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "data/windows.h"
#include "nn/checkpoint.h"
#include "nn/batch.h"
#include "nn/gcn.h"
#include "nn/layers.h"
#include "nn/optim.h"

enum { NODES = 8, ROWS = 200, T = 6, Q = 3, HIDDEN = 12, BATCH = 16, STEPS = 120 };

struct stgnn {
    struct wf_params params;
    struct wf_gcn conv;
    struct wf_gru cell;
    struct wf_linear head;
};

static enum wf_status stgnn_init(struct stgnn *m, int channels, uint64_t seed, struct wf_error *err)
{
    wf_params_init(&m->params, wf_backend_cpu());
    wf_gcn_init(&m->conv, &m->params, "conv", channels, HIDDEN, true);
    wf_gru_init(&m->cell, &m->params, "cell", HIDDEN, HIDDEN);
    wf_linear_init(&m->head, &m->params, "head", HIDDEN, Q);
    return wf_params_commit(&m->params, seed, err);
}

/* b->x [B, T, N, C] -> [B, Q, N, 1] */
static struct wf_tensor *stgnn(struct wf_tape *g, const struct stgnn *m, const struct wf_batch *b)
{
    struct wf_tensor *x = wf_tape_view(g, b->x);
    struct wf_tensor *h = wf_zeros(g, 3, wf_dims(b->B, b->N, HIDDEN));
    for (int t = 0; t < b->T; t++) {
        struct wf_tensor *u = wf_gcn(g, &m->conv, b->supports, wf_select(g, x, 1, t));
        h = wf_gru(g, &m->cell, wf_relu(g, u), h); /* [B, N, HIDDEN] */
    }
    return wf_unsqueeze(g, wf_permute(g, wf_linear(g, &m->head, h), 0, 2, 1), -1);
}

static enum wf_status make_data(struct wf_series *s, struct wf_graph *graph, struct wf_error *err)
{
    static float rows[ROWS * NODES];
    int from[NODES], to[NODES];
    for (int i = 0; i < ROWS * NODES; i++)
        rows[i] = (float)(50 + 10 * sin(0.4 * (i / NODES) - 0.785 * (i % NODES)));
    for (int n = 0; n < NODES; n++) to[n] = ((from[n] = n) + 1) % NODES;
    struct wf_edges ring = { .nodes = NODES, .count = NODES, .source = from, .target = to };
    struct wf_graph_config gcn = { .kind = WF_GCN };
    WF_TRY(wf_series_init(s, wf_backend_cpu(), ROWS, NODES, 1, err));
    WF_TRY(wf_series_put(s, 0, ROWS, rows, false));
    WF_TRY(wf_series_clock(s, NULL, 0, 3600, err));
    return wf_graph_init(graph, wf_backend_cpu(), &ring, &gcn, err);
}

static double train(struct wf_tape *g, struct stgnn *m, struct wf_optim *o, struct wf_windows *w,
                    const struct wf_graph *graph, int step)
{
    struct wf_batch b = { 0 };
    int start[BATCH];
    wf_real loss = NAN;
    for (int i = 0; i < BATCH; i++) start[i] = (step * BATCH + i) * 37 % w->count;
    wf_tape_reset(g);
    wf_tape_set_step(g, &(struct wf_step){ .step = (uint64_t)step, .lr = 0.01 });
    WF_RUN(g, wf_windows_batch(w, &b, start, BATCH));
    wf_batch_bind(g, &b, graph);
    struct wf_tensor *mae = wf_loss(g, stgnn(g, m, &b), &b.y_std, WF_MAE, WF_MASK_NONE);
    WF_RUN(g, wf_params_zero_grad(&m->params));
    wf_tape_backward(g, mae);
    WF_RUN(g, wf_optim_step(o, g->step));
    WF_RUN(g, wf_tensor_download(mae, &loss));
    return (double)loss;
}

static void forecast(struct wf_tape *g, const struct stgnn *m, struct wf_windows *w,
                     const struct wf_graph *graph, wf_real y[Q * NODES])
{
    struct wf_batch b = { 0 };
    wf_tape_reset(g);
    g->training = g->recording = false;
    WF_RUN(g, wf_windows_batch(w, &b, &(int){ w->count - 1 }, 1));
    wf_batch_bind(g, &b, graph);
    WF_RUN(g, wf_tensor_download(wf_contiguous(g, stgnn(g, m, &b)), y));
}

static int fail(const char *what)
{
    return fprintf(stderr, "stgnn: %s\n", what), 1;
}

int main(void)
{
    struct stgnn m, again;
    struct wf_series series;
    struct wf_graph graph;
    struct wf_split split;
    struct wf_scaler scaler;
    struct wf_windows windows;
    struct wf_window_config cfg = wf_window_defaults();
    struct wf_optim adam;
    struct wf_tape g;
    struct wf_error err = { 0 };
    double share[3] = { 0.7, 0.1, 0.2 }, first = 0, last = 0;
    wf_real y[2][Q * NODES];
    cfg.T = T;
    cfg.Q = Q;
    if (make_data(&series, &graph, &err) || wf_split_make(&split, &series, T, Q, share, &err) ||
        wf_scaler_fit(&scaler, &series, &split, T, false, &err) ||
        wf_windows_init(&windows, &series, cfg, &scaler, BATCH, &err) ||
        stgnn_init(&m, windows.channels, 1, &err) ||
        stgnn_init(&again, windows.channels, 2, &err) || wf_tape_init(&g, wf_backend_cpu(), &err) ||
        wf_optim_init(&adam, &m.params, wf_optim_defaults(), &err))
        return fail(err.message);
    for (int i = 0; i < STEPS && !g.error.status; i++) {
        last = train(&g, &m, &adam, &windows, &graph, i);
        if (i == 0) first = last;
    }
    if (g.error.status) return fail(g.error.message);
    if (!(last < 0.3 * first)) return fail("the loss does not fall");
    struct wf_checkpoint save = { .params = &m.params, .model = "stgnn", .config = "" };
    struct wf_checkpoint load = { .params = &again.params, .model = "stgnn" };
    if (wf_checkpoint_save("stgnn.h5", &save, &err) || wf_checkpoint_load("stgnn.h5", &load, &err))
        return fail(err.message);
    forecast(&g, &m, &windows, &graph, y[0]);
    forecast(&g, &again, &windows, &graph, y[1]);
    if (g.error.status) return fail(g.error.message);
    if (memcmp(y[0], y[1], sizeof y[0]) != 0) return fail("another forecast from the checkpoint");
    wf_optim_free(&adam);
    wf_tape_free(&g);
    wf_params_free(&m.params);
    wf_params_free(&again.params);
    wf_windows_free(&windows);
    wf_graph_free(&graph);
    wf_series_free(&series);
    return 0;
}
