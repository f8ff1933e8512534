/* bench_models - one training iteration of every model: forward, backward, update.
 *
 * Usage: bench_models [NAME ..] [--batch B] [--steps K] [--profile]
 *
 * METR-LA's size: 207 nodes, a random directed graph of 1,722 edges, 12 steps in, 12 out, the time
 * of day as second channel. Where a published implementation was measured (2 cores, the same size
 * and settings) its seconds and the ratio stand beside ours. The median is of K steps of the
 * trainer. One more step runs on counting kernels: floating-point operations of the products, 2 per
 * multiply-add, and the bytes of all operands, each once per kernel. The floor is the longer of
 * operations over the multiply-add peak and bytes over the bandwidth, both measured in the same
 * run. Memory: parameters, their gradients and moments, and the most the tape held. --profile shows
 * the kernels that take most of the counted step. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dist/progress.h"
#include "dist/trainer.h"
#include "nn/graph.h"
#include "tensor/rng.h"
#include "tests/bench/count.h"
#include "tests/bench/peak.h"

enum { ROWS = 2000, STEPS = 12, HOPS = 2, MAX_STEPS = 200, MAX_BATCH = 1024, TOP = 5 };

/* What to run, and the seconds of a published implementation, 0: not measured. */
struct row {
    const char *model, *settings;
    int nodes, edges, batch;
    double peer_s;
};

/* Of ASTGCN the quicker of two normalisations. STConv is one block; A3T-GCN and the cells end in a
 * linear layer. */
static const struct row rows[] = {
    { "dcrnn", "", 207, 1722, 64, 16.2 },
    { "dcrnn-pgt", "hidden=64\n", 207, 1722, 64, 7.33 },
    { "a3tgcn", "hidden=32\n", 207, 1722, 32, 0.531 },
    { "astgcn", "", 207, 1722, 32, 14.4 },
    { "mtgnn", "", 207, 1722, 32, 8.97 },
    { "agcrn", "layers=1\n", 207, 1722, 32, 1.08 },
    { "tgcn", "hidden=32\n", 325, 2369, 32, 0.791 },
    { "gconvgru", "hidden=32\n", 325, 2369, 32, 1.34 },
    { "stgcn", "blocks=1\n", 325, 2369, 32, 1.63 },
};

struct options {
    int batch, steps; /* batch 0: the row's */
    bool profile;
    double flops_s, bytes_s; /* what the machine can do */
};

static void need(enum wf_status s, const struct wf_error *err)
{
    if (s == WF_OK) return;
    fprintf(stderr, "bench_models: %s\n", err->message);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

/* A self-loop per node, then random pairs. */
static void make_graph(struct wf_graph *gr, const struct row *row, const struct wf_model_type *type)
{
    struct wf_error err = { 0 };
    struct wf_rng rng = { .seed = 1 };
    int N = row->nodes, E = row->edges, *ends = malloc(2 * sizeof(int) * (size_t)E);
    float *w = malloc(sizeof(float) * (size_t)E);
    if (!ends || !w) exit(1);
    for (int e = 0; e < E; e++) {
        ends[e] = e < N ? e : (int)(wf_rng_uniform(&rng) * N) % N;
        ends[E + e] = e < N ? e : (int)(wf_rng_uniform(&rng) * N) % N;
        w[e] = (float)(0.1 + 0.9 * wf_rng_uniform(&rng));
    }
    struct wf_edges edges = { N, E, ends, ends + E, w };
    struct wf_graph_config gc = wf_model_graph(type);
    gc.hops = HOPS;
    need(wf_graph_init(gr, wf_backend_cpu(), &edges, &gc, &err), &err);
    free(ends);
    free(w);
}

static void make_series(struct wf_series *s, int nodes)
{
    struct wf_error err = { 0 };
    struct wf_rng rng = { .seed = 2 };
    need(wf_series_init(s, wf_backend_cpu(), ROWS, nodes, 1, &err), &err);
    need(wf_series_clock(s, NULL, 0, 300, &err), &err);
    for (ptrdiff_t i = 0; i < ROWS * (ptrdiff_t)nodes; i++)
        s->values[i] = (wf_real)(60 + 10 * wf_rng_uniform(&rng));
}

/* Everything that a trainer wants. */
struct bench {
    struct wf_series series;
    struct wf_graph graph;
    struct wf_split split;
    struct wf_scaler scaler;
    struct wf_windows windows;
    struct wf_model model;
    struct wf_params params;
    struct wf_trainer trainer;
    int start[MAX_BATCH];
};

static void declare(struct bench *b, const struct row *row)
{
    struct wf_error err = { 0 };
    struct wf_task task = { .nodes = row->nodes,
                            .channels = b->windows.channels,
                            .targets = 1,
                            .T = STEPS,
                            .Q = STEPS,
                            .terms = b->graph.supports.terms,
                            .steps_per_day = 288,
                            .hops = HOPS,
                            .time_of_day = true };
    struct wf_config cfg = { b->model.type->fields, b->model.cfg, "" };
    need(wf_config_parse(&cfg, 1, row->settings, &err), &err);
    wf_params_init(&b->params, wf_backend_cpu());
    b->model.type->init(b->model.layers, &b->params, b->model.cfg, &task);
    need(wf_params_commit(&b->params, 1, &err), &err);
}

static void open_bench(struct bench *b, const struct row *row, int batch)
{
    const struct wf_model_type *type = wf_model_find(row->model);
    const double share[3] = { 0.7, 0.1, 0.2 };
    struct wf_error err = { 0 };
    struct wf_window_config wc = wf_window_defaults();
    wc.T = wc.Q = STEPS;
    make_series(&b->series, row->nodes);
    make_graph(&b->graph, row, type);
    need(wf_split_make(&b->split, &b->series, STEPS, STEPS, share, &err), &err);
    need(wf_scaler_fit(&b->scaler, &b->series, &b->split, STEPS, false, &err), &err);
    need(wf_windows_init(&b->windows, &b->series, wc, &b->scaler, batch, &err), &err);
    need(wf_model_new(&b->model, type, &err), &err);
    declare(b, row);
    b->trainer = (struct wf_trainer){ .cfg = wf_train_defaults(),
                                      .model = &b->model,
                                      .params = &b->params,
                                      .windows = &b->windows,
                                      .split = &b->split,
                                      .graph = &b->graph,
                                      .out = "." };
    b->trainer.cfg.batch_size = batch;
    need(wf_trainer_init(&b->trainer, &err), &err);
    for (int i = 0; i < batch; i++) b->start[i] = 7 * i % b->split.count[WF_TRAIN];
}

static void close_bench(struct bench *b)
{
    wf_trainer_free(&b->trainer);
    wf_params_free(&b->params);
    wf_model_free(&b->model);
    wf_windows_free(&b->windows);
    wf_graph_free(&b->graph);
    wf_series_free(&b->series);
}

static double step(struct bench *b)
{
    struct wf_error err = { 0 };
    struct wf_step_result r;
    int batch = b->trainer.cfg.batch_size;
    double at = wf_now();
    need(wf_trainer_step(&b->trainer, b->start, batch, batch, &r, &err), &err);
    return wf_now() - at;
}

static void print_kernels(const struct count *total)
{
    struct count_kernel top[TOP];
    int n = count_top(top, TOP);
    for (int i = 0; i < n; i++)
        printf("    %-18s %6.0f calls %9.4f s %5.1f %%%9.2f GFLOP %8.2f GB\n", top[i].name,
               top[i].sum.calls, top[i].sum.seconds, 100 * top[i].sum.seconds / total->seconds,
               1e-9 * top[i].sum.flops, 1e-9 * top[i].sum.bytes);
}

/* Two steps warm the memory up, the second of them is counted. */
static void run(const struct row *row, const struct options *o)
{
    static struct bench b;
    double time[MAX_STEPS];
    int batch = o->batch ? o->batch : row->batch;
    open_bench(&b, row, batch);
    step(&b);
    count_begin(wf_backend_cpu());
    step(&b);
    struct count sum = count_end(wf_backend_cpu());
    for (int k = 0; k < o->steps; k++) time[k] = step(&b);
    qsort(time, (size_t)o->steps, sizeof *time, by_value);
    double s = time[o->steps / 2], floor = fmax(sum.flops / o->flops_s, sum.bytes / o->bytes_s);
    double held =
        (double)b.trainer.tape.mem.peak + 4.0 * sizeof(wf_real) * (double)wf_params_size(&b.params);
    printf("%-12s %4d %4d %9td %9.4g %9.2f %8.2f %8.0f %6.1f %%", row->model, row->nodes, batch,
           wf_params_size(&b.params), s, 1e-9 * sum.flops, 1e-9 * sum.bytes, held / 1048576,
           100 * floor / s);
    if (row->peer_s > 0 && batch == row->batch)
        printf(" %8.4g %6.1f x", row->peer_s, row->peer_s / s);
    printf("\n");
    if (o->profile) print_kernels(&sum);
    fflush(stdout);
    close_bench(&b);
}

/* The rows of a model; at METR-LA's size by its defaults, where no row is. */
static void run_model(const char *name, const struct options *o)
{
    const struct row plain = { name, "", 207, 1722, 32, 0 };
    bool done = false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].model, name) != 0) continue;
        run(&rows[i], o);
        done |= rows[i].nodes == plain.nodes;
    }
    if (!done) run(&plain, o);
}

static int number(const char *name, const char *text, int most)
{
    int n = text ? atoi(text) : 0;
    if (n >= 1 && n <= most) return n;
    fprintf(stderr, "bench_models: %s %s: want 1 to %d\n", name, text ? text : "", most);
    exit(2);
}

/* Leaves the names in argv[1 ..]; returns how many. */
static int parse(int argc, char **argv, struct options *o)
{
    int names = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--profile") == 0)
            o->profile = true;
        else if (strcmp(argv[i], "--batch") == 0)
            o->batch = number("--batch", argv[++i], MAX_BATCH);
        else if (strcmp(argv[i], "--steps") == 0)
            o->steps = number("--steps", argv[++i], MAX_STEPS);
        else if (wf_model_find(argv[i]))
            argv[1 + names++] = argv[i];
        else {
            fprintf(stderr, "bench_models: '%s': want a model, --batch B, --steps K, --profile\n",
                    argv[i]);
            exit(2);
        }
    }
    return names;
}

int main(int argc, char **argv)
{
    struct options o = { .steps = 5 };
    int names = parse(argc, argv, &o);
    o.flops_s = fma_peak(2000000);
    o.bytes_s = 1e9 * stream_peak();
    printf("%d threads, %s; multiply-add peak %.4g GFLOP/s, memory bandwidth %.4g GB/s\n",
           omp_get_max_threads(), WF_REAL_NAME, 1e-9 * o.flops_s, 1e-9 * o.bytes_s);
    printf("%-12s %4s %4s %9s %9s %9s %8s %8s %8s %8s %8s\n", "model", "N", "B", "params",
           "median s", "GFLOP", "GB", "MiB", "floor", "peer s", "ratio");
    for (int i = 0; i < names; i++) run_model(argv[1 + i], &o);
    for (int i = 0; names == 0 && wf_model_types()[i]; i++)
        run_model(wf_model_types()[i]->name, &o);
    return 0;
}
