#include "tests/kit/outcome.h"
#include "tests/kit/tiny.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/kit/leaks.h"
#include "tests/kit/scratch.h"

static void make_series(struct wf_series *s, struct wf_backend *be)
{
    struct wf_error err = { 0 };
    float rows[TINY_ROWS * TINY_NODES];
    for (int e = 0; e < TINY_ROWS; e++)
        for (int n = 0; n < TINY_NODES; n++)
            rows[e * TINY_NODES + n] =
                (e * 7 + n * 3) % 29 == 0
                    ? 0.0f /* 0 stands for a missing value */
                    : (float)(50 + 10 * sin(0.4 * e - 0.8 * n) + 3 * sin(0.05 * e * (n + 1)));
    ok(wf_series_init(s, be, TINY_ROWS, TINY_NODES, 1, &err));
    ok(wf_series_put(s, 0, TINY_ROWS, rows, true));
    ok(wf_series_clock(s, NULL, 1483228800, 3600, &err));
}

static void make_weights(struct wf_series *s, struct wf_backend *be)
{
    struct wf_error err = { 0 };
    float rows[TINY_ROWS * TINY_EDGES];
    for (int i = 0; i < TINY_ROWS * TINY_EDGES; i++) {
        int row = i / TINY_EDGES, edge = i % TINY_EDGES;
        bool there = (row * 3 + edge * 2 + 1) % 5 != 0;
        rows[i] = there ? (float)(0.7 + 0.5 * sin(row + 0.7 * edge)) : 0;
    }
    ok(wf_series_init(s, be, TINY_ROWS, TINY_EDGES, 1, &err));
    ok(wf_series_put(s, 0, TINY_ROWS, rows, false));
}

static void make_graph(struct wf_graph *gr, const struct wf_model_type *type,
                       const struct tiny_config *cfg, struct wf_backend *be)
{
    struct wf_error err = { 0 };
    int from[TINY_EDGES], to[TINY_EDGES];
    float weight[TINY_EDGES];
    for (int n = 0; n < TINY_NODES; n++) {
        from[2 * n] = to[2 * n] = from[2 * n + 1] = n;
        to[2 * n + 1] = (n + 1) % TINY_NODES;
        weight[2 * n] = 1;
        weight[2 * n + 1] = 0.3f + 0.1f * (float)n;
    }
    struct wf_edges ed = { TINY_NODES, TINY_EDGES, from, to, weight };
    struct wf_graph_config gc = wf_model_graph(type);
    gc.hops = 2;
    gc.compat = cfg->compat;
    if (cfg->dynamic) gc.dominant = false;
    ok(wf_graph_init(gr, be, &ed, &gc, &err));
}

void tiny_init(struct tiny *t, struct tiny_config cfg, const char *out)
{
    struct wf_error err = { 0 };
    double share[3] = { 0.7, 0.1, 0.2 };
    struct wf_window_config wc = wf_window_defaults();
    struct wf_backend *be = cfg.be ? cfg.be : wf_backend_cpu();
    struct wf_backend *home = cfg.resident ? be : wf_backend_cpu();
    *t = (struct tiny){ 0 };
    make_series(&t->series, home);
    wc.to = be;
    wc.T = TINY_T;
    wc.Q = strcmp(cfg.model, "dcrnn-pgt") == 0 ? TINY_T : TINY_Q;
    wc.base = cfg.base;
    wc.day_of_week = cfg.day_of_week;
    if (cfg.dynamic) {
        make_weights(&t->weights, home);
        wc.weights = &t->weights;
    }
    ok(wf_split_make(&t->split, &t->series, wc.T, wc.Q, share, &err));
    ok(wf_scaler_fit(&t->scaler, &t->series, &t->split, wc.T, false, &err));
    ok(wf_windows_init(&t->windows, &t->series, wc, &t->scaler, 16, &err));
    ok(wf_model_new(&t->model, wf_model_find(cfg.model), &err));
    make_graph(&t->graph, t->model.type, &cfg, be);
    struct wf_config mc = { t->model.type->fields, t->model.cfg, "model" };
    ok(wf_config_parse(&mc, 1, cfg.options, &err));
    struct wf_task task = { .nodes = TINY_NODES,
                            .channels = t->windows.channels,
                            .targets = 1,
                            .T = wc.T,
                            .Q = wc.Q,
                            .terms = t->graph.supports.terms,
                            .steps_per_day = 86400 / t->series.interval_s,
                            .hops = t->graph.cfg.hops,
                            .time_of_day = wc.time_of_day,
                            .day_of_week = wc.day_of_week };
    t->model.residual = cfg.residual;
    wf_params_init(&t->params, be);
    t->model.type->init(t->model.layers, &t->params, t->model.cfg, &task);
    ok(wf_params_commit(&t->params, cfg.seed, &err));
    t->trainer = (struct wf_trainer){ .cfg = wf_train_defaults(),
                                      .model = &t->model,
                                      .params = &t->params,
                                      .windows = &t->windows,
                                      .split = &t->split,
                                      .graph = &t->graph,
                                      .out = out };
    t->trainer.cfg.epochs = 3;
    t->trainer.cfg.batch_size = 16;
    t->trainer.cfg.seed = cfg.seed;
}

const char *tiny_snapshots(const char *name)
{
    enum { ROWS = 80 };
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    cr_assert(f);
    fprintf(f, "{\"time_periods\":%d", ROWS);
    for (int t = 0; t < ROWS; t++) {
        fprintf(f, ",\"%d\":{\"y\":[", t);
        for (int n = 0; n < TINY_NODES; n++)
            fprintf(f, "%s%.6f", n ? "," : "", 50 + 10 * sin(0.4 * t - 0.8 * n));
        fputs("],\"edges\":[[0,1]", f);
        for (int n = 1; n < TINY_NODES; n++)
            if ((t + n) % 3) fprintf(f, ",[%d,%d]", n, (n + 1) % TINY_NODES);
        fputs("],\"weights\":[2", f);
        for (int n = 1; n < TINY_NODES; n++)
            if ((t + n) % 3) fprintf(f, ",%d.5", (t * n) % 7);
        fputs("]}", f);
    }
    fputs("}", f);
    cr_assert_eq(fclose(f), 0);
    const char *path = scratch_file(name, text, size);
    free(text);
    return path;
}

void tiny_trainer(struct tiny *t)
{
    struct wf_error err = { 0 };
    ok(wf_trainer_init(&t->trainer, &err));
}

void tiny_free(struct tiny *t)
{
    wf_trainer_free(&t->trainer);
    wf_params_free(&t->params);
    wf_model_free(&t->model);
    wf_windows_free(&t->windows);
    wf_graph_free(&t->graph);
    wf_series_free(&t->series);
    if (t->weights.be) wf_series_free(&t->weights);
}

void tiny_expect_to_learn(struct tiny_config cfg)
{
    struct tiny t;
    struct wf_error err = { 0 };
    struct wf_metrics m;
    tiny_init(&t, cfg, scratch_folder("run"));
    t.trainer.cfg.epochs = 30;
    t.trainer.cfg.milestones.n = 0;
    tiny_trainer(&t);
    ok(wf_metrics_init(&m, TINY_Q, &err));
    ok(wf_trainer_evaluate(&t.trainer, WF_TEST, &m, &err));
    double before = wf_metrics_mae(&m, -1);
    ok(wf_trainer_run(&t.trainer, &err));
    ok(wf_trainer_evaluate(&t.trainer, WF_TEST, &m, &err));
    double after = wf_metrics_mae(&m, -1);
    cr_expect(after < 0.5 * before, "MAE %g before, %g after", before, after);
    wf_metrics_free(&m);
    tiny_free(&t);
    expect_no_leaks();
}
