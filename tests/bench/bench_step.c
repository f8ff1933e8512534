/* bench_step - the trainer's own step, whole: windows, forward, backward, clipping, update.
 *
 * One line per figure: name, median, unit, floor, share of the floor. The floor of a step is the
 * longer of its floating-point operations over the FMA peak and its bytes over the bandwidth, both
 * measured in the same run. FLOPs: 2 per multiply-add of the dense and sparse products, backward
 * twice forward. Bytes: every activation of a cell written once and read once, and its gradient
 * too. Usage: bench_step [steps [first letters of a model's line]] */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "dist/progress.h"
#include "dist/trainer.h"
#include "nn/graph.h"
#include "tensor/rng.h"
#include "tests/bench/peak.h"

enum { MAX_STEPS = 200 };

struct bench {
    const char *name, *model, *hidden, *layers;
    int N, E, B, T, input;
    enum wf_compat compat;
};

static void die(const struct wf_error *err)
{
    fprintf(stderr, "bench_step: %s\n", err->message);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

static void line(const char *name, double value, const char *unit, double floor)
{
    printf("%-52s %10.4g %-8s %10.4g %6.1f %%\n", name, value, unit, floor, 100 * floor / value);
    fflush(stdout);
}

static double gemm_rate(void)
{
    enum { N = 1536 };
    struct wf_backend *be = wf_backend_cpu();
    struct wf_error err = { 0 };
    struct wf_tensor m[3];
    double best = 0;
    for (int i = 0; i < 3; i++)
        if (wf_tensor_alloc(&m[i], be, 3, wf_dims(1, N, N), &err) != WF_OK) die(&err);
    for (int k = 0; k < 4; k++) {
        double t = wf_now();
        if (wfk_gemm(be, &m[0], &m[1], &m[2], 0) != WF_OK) exit(1);
        double rate = 2e-9 * N * N * (double)N / (wf_now() - t);
        if (rate > best) best = rate;
    }
    for (int i = 0; i < 3; i++) wf_tensor_free(&m[i]);
    return best;
}

/* Dense product and hops of one convolution, forward: GFLOP. */
static double conv_gflop(const struct bench *b, int C, int O)
{
    double M = 5, hops = 4.0 * b->E * (O < C ? O : C);
    return 2e-9 * b->B * (b->N * M * C * O + hops);
}

static double step_gflop(const struct bench *b, int hidden, int layers, bool decoder)
{
    double f = 0;
    for (int stack = 0; stack < (decoder ? 2 : 1); stack++)
        for (int l = 0; l < layers; l++) {
            int C = hidden + (l ? hidden : stack ? 1 : b->input);
            f += b->T * (conv_gflop(b, C, 2 * hidden) + conv_gflop(b, C, hidden));
        }
    return 3 * f;
}

/* Of a cell's step: gates (2H), reset state, candidate and new state (H each). */
static double step_gbytes(const struct bench *b, int hidden, int layers, bool decoder)
{
    double cells = (double)b->T * layers * (decoder ? 2 : 1);
    return 1e-9 * 4 * sizeof(wf_real) * cells * 5 * hidden * b->B * b->N;
}

/* A random network, locally connected, with a self-loop per node. */
static void make_graph(struct wf_graph *gr, const struct bench *b)
{
    struct wf_error err = { 0 };
    struct wf_rng rng = { .seed = 1 };
    int *ends = malloc(2 * sizeof(int) * (size_t)b->E);
    float *w = malloc(sizeof(float) * (size_t)b->E);
    if (!ends || !w) exit(1);
    for (int e = 0; e < b->E; e++) {
        int i = e % b->N, hop = e < b->N ? 0 : (int)(wf_rng_uniform(&rng) * 40) - 20;
        ends[e] = i;
        ends[b->E + e] = (i + hop + b->N) % b->N;
        w[e] = (float)(0.1 + 0.9 * wf_rng_uniform(&rng));
    }
    struct wf_edges ed = { b->N, b->E, ends, ends + b->E, w };
    struct wf_graph_config gc = { .hops = 2, .compat = b->compat };
    if (wf_graph_init(gr, wf_backend_cpu(), &ed, &gc, &err) != WF_OK) die(&err);
    free(ends);
    free(w);
}

static void make_series(struct wf_series *s, const struct bench *b)
{
    struct wf_error err = { 0 };
    struct wf_rng rng = { .seed = 2 };
    if (wf_series_init(s, wf_backend_cpu(), 2000, b->N, 1, &err) != WF_OK ||
        wf_series_clock(s, NULL, 0, 300, &err) != WF_OK)
        die(&err);
    for (ptrdiff_t i = 0; i < 2000 * (ptrdiff_t)b->N; i++)
        s->values[i] = (wf_real)(60 + 10 * wf_rng_uniform(&rng));
}

/* Times `steps` steps; returns the median in seconds. */
static double run(const struct bench *b, int steps)
{
    struct wf_error err = { 0 };
    struct wf_series series;
    struct wf_graph graph;
    struct wf_split split;
    struct wf_scaler scaler;
    struct wf_windows windows;
    struct wf_model model;
    struct wf_params params;
    double share[3] = { 0.7, 0.1, 0.2 }, time[MAX_STEPS];
    struct wf_step_result r;
    make_series(&series, b);
    make_graph(&graph, b);
    struct wf_window_config wc = wf_window_defaults();
    wc.T = wc.Q = b->T;
    if (wf_split_make(&split, &series, b->T, b->T, share, &err) != WF_OK ||
        wf_scaler_fit(&scaler, &series, &split, b->T, false, &err) != WF_OK ||
        wf_windows_init(&windows, &series, wc, &scaler, b->B, &err) != WF_OK ||
        wf_model_new(&model, wf_model_find(b->model), &err) != WF_OK)
        die(&err);
    struct wf_config mc = { model.type->fields, model.cfg, "" };
    if (wf_config_set(&mc, 1, "hidden", b->hidden, &err) != WF_OK ||
        (b->layers && wf_config_set(&mc, 1, "layers", b->layers, &err) != WF_OK))
        die(&err);
    struct wf_task task = { .nodes = b->N, .channels = 2, .targets = 1, .T = b->T, .Q = b->T };
    task.terms = graph.supports.terms;
    wf_params_init(&params, wf_backend_cpu());
    model.type->init(model.layers, &params, model.cfg, &task);
    if (wf_params_commit(&params, 1, &err) != WF_OK) die(&err);
    struct wf_trainer t = { .cfg = wf_train_defaults(), .model = &model, .params = &params };
    t.windows = &windows;
    t.split = &split;
    t.graph = &graph;
    t.out = ".";
    t.cfg.batch_size = b->B;
    if (wf_trainer_init(&t, &err) != WF_OK) die(&err);
    int start[1024];
    for (int i = 0; i < b->B; i++) start[i] = 7 * i % split.count[WF_TRAIN];
    for (int k = -2; k < steps; k++) { /* two steps warm the memory up */
        double at = wf_now();
        if (wf_trainer_step(&t, start, b->B, b->B, &r, &err) != WF_OK) die(&err);
        if (k >= 0) time[k] = wf_now() - at;
    }
    qsort(time, (size_t)steps, sizeof *time, by_value);
    wf_trainer_free(&t);
    wf_params_free(&params);
    wf_model_free(&model);
    wf_windows_free(&windows);
    wf_graph_free(&graph);
    wf_series_free(&series);
    return time[steps / 2];
}

int main(int argc, char **argv)
{
    int steps = argc > 1 ? atoi(argv[1]) : 7;
    if (steps < 1 || steps > MAX_STEPS) steps = 7;
    struct bench benches[] = {
        { "dcrnn METR-LA size, B 64, 2 x 64, K 2: step", "dcrnn", "64", "2", 207, 1722, 64, 12, 2,
          WF_COMPAT_NONE },
        { "dcrnn-pgt N 325, B 64, hidden 2: step", "dcrnn-pgt", "2", NULL, 325, 2694, 64, 12, 2,
          WF_COMPAT_PGT },
        { "dcrnn-pgt N 325, B 64, hidden 64: step", "dcrnn-pgt", "64", NULL, 325, 2694, 64, 12, 2,
          WF_COMPAT_PGT },
    };
    double peak = 1e-9 * fma_peak(2000000), gemm = gemm_rate(), stream = stream_peak();
    printf("%d threads, %s\n%-52s %10s %-8s %10s %s\n", omp_get_max_threads(), WF_REAL_NAME, "what",
           "median", "unit", "floor", "share of the floor");
    printf("%-52s %10.4g GFLOP/s\n", "multiply-add peak", peak);
    printf("%-52s %10.4g GFLOP/s\n", "gemm 1536 x 1536 x 1536", gemm);
    printf("%-52s %10.4g GB/s\n", "memory bandwidth, triad", stream);
    for (size_t i = 0; i < sizeof benches / sizeof *benches; i++) {
        struct bench *b = &benches[i];
        if (argc > 2 && strncmp(b->name, argv[2], strlen(argv[2])) != 0) continue;
        int hidden = atoi(b->hidden), layers = b->layers ? atoi(b->layers) : 1;
        double gflop = step_gflop(b, hidden, layers, b->layers);
        double gbytes = step_gbytes(b, hidden, layers, b->layers);
        double s = run(b, steps), floor = fmax(gflop / peak, gbytes / stream);
        line(b->name, s, "s", floor);
        struct rusage u;
        getrusage(RUSAGE_SELF, &u);
        printf("  %.1f GFLOP and %.2f GB a step, %.1f GFLOP/s (%.1f %% of the peak), process peak "
               "%.0f MiB\n",
               gflop, gbytes, gflop / s, 100 * gflop / s / peak, (double)u.ru_maxrss / 1024);
    }
    return 0;
}
