#include "tests/bench/rig.h"
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include "data/dataset.h"
#include "dist/clock.h"
#include "dist/trainer_private.h"
#include "tests/bench/peak.h"

const struct wf_field rig_fields[] = { WF_FIELD(rig_device, "device", ENUM, device, 0, 0,
                                                wf_device_names, "what computes"),
                                       WF_FIELD(rig_device, "precision", ENUM, precision, 0, 0,
                                                wf_precision_names, "of products on a GPU"),
                                       { 0 } };

void rig_need(enum wf_status s, const struct wf_error *err)
{
    if (s == WF_OK) return;
    fflush(stdout);
    fprintf(stderr, "bench: %s\n", err->message);
    exit(1);
}

/* For calls without a message of their own. */
static void device_need(struct wf_backend *be, enum wf_status s)
{
    struct wf_error err = { 0 };
    if (s != WF_OK) wf_fail(&err, s, "%s: error %d: %s", be->name, s, be->reason);
    rig_need(s, &err);
}

static struct wf_backend *open_device(const struct rig_device *d, FILE *log)
{
    struct wf_backend *be;
    struct wf_error err = { 0 };
    struct wf_device_choice choice = { .device = d->device, .precision = d->precision };
    rig_need(wf_device_open(&be, &choice, log, &err), &err);
    return be;
}

static size_t bytes_free(struct wf_backend *be)
{
    size_t available, total;
    be->memory(be, &available, &total);
    return available;
}

static uint32_t draw(uint32_t *x)
{
    return *x = 1664525u * *x + 1013904223u;
}

/* In [0, 1). */
static float uniform(uint32_t *x)
{
    return (float)(draw(x) >> 8) / 16777216.0f;
}

void rig_options(int argc, char **argv, struct rig_device *d, const struct wf_field *fields,
                 void *work, struct wf_cli *cli)
{
    struct wf_config tables[] = { { rig_fields, d, "Backend" }, { fields, work, "Work" } };
    struct wf_error err = { 0 };
    *cli = (struct wf_cli){ 0 };
    if (wf_cli_parse(argc, argv, tables, 2, cli, &err) != WF_OK) exit(wf_cli_fail(argv[0], &err));
    if (!cli->help) return;
    wf_config_help(tables, 2, stdout);
    exit(0);
}

/* ---- what the backend can do ---- */

/* n random numbers, made on the host in part and then doubled. */
static void fill(struct wf_backend *be, wf_real *to, ptrdiff_t n)
{
    enum { PIECE = 1 << 16 };
    static wf_real piece[PIECE];
    uint32_t x = 1;
    for (int i = 0; i < PIECE; i++) piece[i] = (wf_real)uniform(&x) - (wf_real)0.5;
    ptrdiff_t done = n < PIECE ? n : PIECE;
    device_need(be, be->upload(be, to, piece, (size_t)done * sizeof *to));
    for (ptrdiff_t more; done < n; done += more) {
        more = n - done < done ? n - done : done;
        device_need(be, be->move(be, to + done, to, (size_t)more * sizeof *to));
    }
}

/* FLOP/s of square products of size N; the best of some. *took: seconds of one. */
static double gemm_rate(struct wf_backend *be, int N, double *took)
{
    struct wf_error err = { 0 };
    struct wf_tensor m[3];
    for (int i = 0; i < 3; i++) {
        rig_need(wf_tensor_alloc(&m[i], be, 3, wf_dims(1, N, N), &err), &err);
        fill(be, m[i].data, (ptrdiff_t)N * N);
    }
    *took = INFINITY;
    for (int k = 0; k < 5; k++) {
        device_need(be, be->sync(be));
        double at = wf_now();
        device_need(be, wfk_gemm(be, &m[0], &m[1], &m[2], 0));
        device_need(be, be->sync(be));
        *took = fmin(*took, wf_now() - at);
    }
    for (int i = 0; i < 3; i++) wf_tensor_free(&m[i]);
    return 2.0 * N * N * (double)N / *took;
}

/* Bytes per second, read and written; the best of some. *took: seconds of one. */
static double move_rate(struct wf_backend *be, size_t bytes, double *took)
{
    struct wf_error err = { 0 };
    struct wf_tensor m;
    int n = (int)(bytes / sizeof(wf_real));
    rig_need(wf_tensor_alloc(&m, be, 2, wf_dims(2, n), &err), &err);
    fill(be, m.data, 2 * (ptrdiff_t)n);
    *took = INFINITY;
    for (int k = 0; k < 5; k++) {
        device_need(be, be->sync(be));
        double at = wf_now();
        device_need(be, be->move(be, m.data + n, m.data, bytes));
        device_need(be, be->sync(be));
        *took = fmin(*took, wf_now() - at);
    }
    wf_tensor_free(&m);
    return 2 * (double)bytes / *took;
}

struct rig_peak rig_measure(const struct rig_device *d)
{
    struct wf_backend *be = open_device(d, stdout);
    struct rig_peak p = { .device = be->device, .available = bytes_free(be) };
    double took = 0;
    int N = 128;
    while (took < 5e-3 && N < 8192) p.gemm = gemm_rate(be, N *= 2, &took);
    if (be->device) {
        size_t bytes = (size_t)8 << 20;
        took = 0;
        while (took < 5e-4 && bytes < (size_t)1 << 30) p.bytes = move_rate(be, bytes *= 2, &took);
        p.flops = p.gemm;
        printf("%s, %s: move of %zu MiB %.4g GB/s", be->name, wf_precision_names[d->precision],
               bytes >> 20, 1e-9 * p.bytes);
    } else {
        p.flops = fma_peak(2000000);
        p.bytes = 1e9 * stream_peak();
        printf("%d threads, %s: multiply-add peak %.4g GFLOP/s, triad %.4g GB/s",
               omp_get_max_threads(), WF_REAL_NAME, 1e-9 * p.flops, 1e-9 * p.bytes);
    }
    printf(", gemm %d x %d x %d %.4g GFLOP/s\n", N, N, N, 1e-9 * p.gemm);
    wf_backend_close(be);
    return p;
}

/* ---- what a trainer wants ---- */

static void open_graph(struct rig *r, const struct rig_work *w, const struct wf_edges *edges)
{
    struct wf_error err = { 0 };
    struct wf_graph_config gc = wf_model_graph(r->model.type);
    gc.hops = RIG_HOPS;
    gc.compat = w->compat;
    rig_need(wf_graph_init(&r->graph, r->be, edges, &gc, &err), &err);
}

/* A loop per node, then edges to nodes at most 20 further on or back, as roads are. */
static void make_graph(struct rig *r, const struct rig_work *w)
{
    int N = w->nodes, E = w->edges, *ends = malloc(2 * sizeof(int) * (size_t)E);
    float *weight = malloc(sizeof(float) * (size_t)E);
    uint32_t x = 1;
    if (!ends || !weight) exit(1);
    for (int e = 0; e < E; e++) {
        int hop = (int)(draw(&x) >> 16) % 41 - 20;
        ends[e] = e % N;
        ends[E + e] = e < N ? e : (e % N + hop + N) % N;
        weight[e] = 0.1f + 0.9f * uniform(&x);
    }
    struct wf_edges edges = { N, E, ends, ends + E, weight };
    open_graph(r, w, &edges);
    free(ends);
    free(weight);
}

void rig_fill(struct wf_series *s)
{
    struct wf_error err = { 0 };
    uint32_t x = 1;
    ptrdiff_t n = RIG_DAY * (ptrdiff_t)s->N;
    float *day = malloc(sizeof(float) * (size_t)n);
    if (!day) exit(1);
    for (ptrdiff_t i = 0; i < n; i++) day[i] = 60 + 10 * uniform(&x);
    rig_need(wf_series_clock(s, NULL, 0, 86400 / RIG_DAY, &err), &err);
    for (int64_t at = 0; at < s->E; at += RIG_DAY)
        device_need(s->be,
                    wf_series_put(s, at, s->E - at < RIG_DAY ? s->E - at : RIG_DAY, day, false));
    free(day);
}

static void make_series(struct rig *r, const struct rig_work *w)
{
    struct wf_error err = { 0 };
    r->before = bytes_free(r->be);
    rig_need(wf_series_init(&r->series, r->be, w->rows, w->nodes, 1, &err), &err);
    rig_fill(&r->series);
    r->with_series = bytes_free(r->be);
}

/* Series and graph, as the programs get them. */
static void load(struct rig *r, const struct rig_work *w)
{
    struct wf_error err = { 0 };
    struct wf_dataset ds;
    struct wf_dataset_source src = wf_dataset_defaults();
    snprintf(src.data, sizeof src.data, "%s", w->data);
    r->before = bytes_free(r->be);
    rig_need(wf_dataset_load(&ds, r->be, &src, &err), &err);
    r->with_series = bytes_free(r->be);
    struct wf_edges edges = { ds.series.N, ds.edges, ds.source, ds.target, ds.weight };
    open_graph(r, w, &edges);
    r->series = ds.series;
    ds.series = (struct wf_series){ 0 };
    wf_dataset_free(&ds);
}

static void make_params(struct rig *r, const struct rig_work *w)
{
    struct wf_error err = { 0 };
    struct wf_task task = { .nodes = w->nodes,
                            .channels = r->windows.channels,
                            .targets = 1,
                            .T = RIG_STEPS,
                            .Q = RIG_STEPS,
                            .terms = r->graph.supports.terms,
                            .steps_per_day = RIG_DAY,
                            .hops = RIG_HOPS,
                            .time_of_day = true };
    struct wf_config cfg = { r->model.type->fields, r->model.cfg, "" };
    rig_need(wf_config_parse(&cfg, 1, w->settings, &err), &err);
    wf_params_init(&r->params, r->be);
    r->model.type->init(r->model.layers, &r->params, r->model.cfg, &task);
    rig_need(wf_params_commit(&r->params, 1, &err), &err);
}

void rig_open(struct rig *r, const struct rig_work *w, const struct rig_device *d)
{
    const struct wf_scaler scaler = { .C = 1, .mean = { 65 }, .std = { 3 } }; /* as made above */
    const double share[3] = { 0.7, 0.1, 0.2 };
    struct wf_error err = { 0 };
    struct wf_window_config wc = wf_window_defaults();
    FILE *log = fopen("/dev/null", "w");
    if (!log || w->batch > RIG_BATCH) exit(1);
    *r = (struct rig){ .be = open_device(d, log), .draw = 1 };
    fclose(log);
    wc.T = wc.Q = RIG_STEPS;
    rig_need(wf_model_new(&r->model, w->type ? w->type : wf_model_find(w->model), &err), &err);
    if (w->data) {
        load(r, w);
    } else {
        make_series(r, w);
        make_graph(r, w);
    }
    rig_need(wf_split_make(&r->split, &r->series, wc.T, wc.Q, share, &err), &err);
    rig_need(wf_windows_init(&r->windows, &r->series, wc, &scaler, w->batch, &err), &err);
    make_params(r, w);
    r->trainer = (struct wf_trainer){ .cfg = wf_train_defaults(),
                                      .model = &r->model,
                                      .params = &r->params,
                                      .windows = &r->windows,
                                      .split = &r->split,
                                      .graph = &r->graph,
                                      .out = "." };
    r->trainer.cfg.batch_size = w->batch;
    rig_need(wf_trainer_init(&r->trainer, &err), &err);
}

void rig_close(struct rig *r)
{
    wf_trainer_free(&r->trainer);
    wf_params_free(&r->params);
    wf_model_free(&r->model);
    wf_windows_free(&r->windows);
    wf_graph_free(&r->graph);
    wf_series_free(&r->series);
    wf_backend_close(r->be);
}

/* ---- steps ---- */

void rig_step(struct rig *r)
{
    struct wf_error err = { 0 };
    struct wf_step_result result;
    int n = r->trainer.cfg.batch_size;
    for (int i = 0; i < n; i++)
        r->start[i] = (int)((uint64_t)draw(&r->draw) * (uint64_t)r->split.count[WF_TRAIN] >> 32);
    rig_need(wf_trainer_step(&r->trainer, r->start, n, n, &result, &err), &err);
}

void rig_sync(struct rig *r)
{
    device_need(r->be, r->be->sync(r->be));
}

static double group(struct rig *r, int n)
{
    rig_sync(r);
    double at = wf_now();
    for (int i = 0; i < n; i++) rig_step(r);
    rig_sync(r);
    return (wf_now() - at) / n;
}

static int by_value(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

double rig_time(struct rig *r, int groups, int steps)
{
    double time[RIG_GROUPS];
    int n = 1;
    if (r->be->device)
        n = (int)fmax(fmax(1, (steps + groups - 1) / groups), fmin(200, 0.05 / group(r, 3)));
    for (int k = 0; k < groups; k++) time[k] = group(r, n);
    qsort(time, (size_t)groups, sizeof *time, by_value);
    struct wf_error err = { 0 };
    struct wf_step_result result;
    rig_need(wf_trainer_losses(&r->trainer, &result, &err), &err);
    return time[groups / 2];
}

struct count rig_counted(struct rig *r, const struct rig_peak *peak)
{
    struct wf_backend *be = r->be;
    size_t bytes = be->device ? (size_t)64 << 20 : 0;
    wf_real *m = bytes ? be->alloc(be, 2 * bytes) : NULL, *half = m ? m + bytes / sizeof *m : NULL;
    if (bytes && !m) device_need(be, WF_ENOMEM);
    struct wf_train_engine *e = r->trainer.engine;
    for (int i = 0; i < WF_TRAIN_REPLAYS; i++) wf_replay_free(&e->replay[i].replay);
    wf_replay_free(&e->update);
    for (double t = 0; m && t < 0.03; t += 2 * (double)bytes / peak->bytes)
        device_need(be, be->move(be, half, m, bytes));
    count_begin(be);
    rig_step(r);
    rig_sync(r);
    struct count sum = count_end(be);
    if (m) be->free(be, m, 2 * bytes);
    return sum;
}

double rig_bytes(const struct rig *r)
{
    if (r->be->device) return (double)r->before - (double)bytes_free(r->be);
    return (double)wf_trainer_tape(&r->trainer)->mem.peak +
           4.0 * sizeof(wf_real) * (double)wf_params_size(&r->params);
}
