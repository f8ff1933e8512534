/* bench_pems - the whole of PeMS: a file of its size, loaded and trained on.
 *
 * Usage: bench_pems [--device D] [--precision P] [--nodes N] [--rows E] [--edges E] [--batch B]
 *                   [--steps S] [--file PATH]
 *
 * Writes a year of 11,160 sensors every five minutes, as rig.h makes a series, with the roads of a
 * network of the simulator's between them (synth.h); how many edges the real one has is not known,
 * here nodes have as many as PEMS-BAY's. Loads it as `pems --mode index --gpu True` does, the
 * series into the memory of what computes, and trains the model that index-batching was published
 * with: one DCGRU cell whose states are the forecast. Prints how long writing and loading took,
 * what the series and all holds, milliseconds of a step over S steps after warm-up, and the epoch
 * at this pace. On the CPU the year is a week. The file is removed. Fails where a series on a
 * device takes more than 4.6 GiB. */
#include <stdlib.h>
#include <string.h>
#include "data/dataset.h"
#include "apps/kit/cli.h"
#include "data/simulate/simulate_file.h"
#include "dist/clock.h"
#include "tensor/alloc.h"
#include "tests/bench/rig.h"

#define GIB 1073741824.0

struct options {
    struct rig_device device;
    int nodes, rows, edges, batch, steps;
    char file[WF_CONFIG_TEXT];
};

static const struct wf_field fields[] = {
    WF_FIELD(options, "nodes", INT, nodes, 2, 100000, NULL, "sensors"),
    WF_FIELD(options, "rows", INT, rows, 0, 1e7, NULL,
             "of the series; 0: a year on a device, a week on the CPU"),
    WF_FIELD(options, "edges", INT, edges, 0, 1e8, NULL, "of the graph; 0: as dense as PEMS-BAY's"),
    WF_FIELD(options, "batch", INT, batch, 1, RIG_BATCH, NULL, "windows of a step"),
    WF_FIELD(options, "steps", INT, steps, 0, 1e6, NULL,
             "measured, on a device at least; 0: 200 there, 5 on the CPU"),
    WF_FIELD(options, "file", TEXT, file, 0, 0, NULL, "written, loaded, removed"),
    { 0 }
};

/* The simulator's roads as edges of a data set. */
static void make_graph(struct wf_dataset *ds, const struct options *o)
{
    struct wf_error err = { 0 };
    struct wf_traffic_config cfg = wf_traffic_defaults();
    struct wf_traffic *synth;
    cfg.nodes = o->nodes;
    cfg.days = 1;
    cfg.edges = o->edges;
    rig_need(wf_traffic_begin(&synth, &cfg, &err), &err);
    const struct wf_sensor_graph *g = wf_traffic_graph(synth);
    ds->edges = (int)g->first[g->N];
    ds->source = wf_malloc((size_t)ds->edges * sizeof *ds->source);
    ds->target = wf_malloc((size_t)ds->edges * sizeof *ds->target);
    ds->weight = wf_malloc((size_t)ds->edges * sizeof *ds->weight);
    if (!ds->source || !ds->target || !ds->weight) exit(1);
    for (int i = 0; i < g->N; i++)
        for (ptrdiff_t k = g->first[i]; k < g->first[i + 1]; k++) {
            ds->source[k] = i;
            ds->target[k] = g->to[k];
            ds->weight[k] = g->weight[k];
        }
    wf_traffic_end(synth);
}

static void write_file(const struct options *o)
{
    struct wf_error err = { 0 };
    struct wf_dataset ds = { .synthetic = true };
    double at = wf_now();
    make_graph(&ds, o);
    rig_need(wf_series_init(&ds.series, wf_backend_cpu(), o->rows, o->nodes, 1, &err), &err);
    rig_fill(&ds.series);
    rig_need(wf_dataset_write(o->file, &ds, &err), &err);
    printf("%s: %d x %d, %d edges, written in %.1f s\n", o->file, o->rows, o->nodes, ds.edges,
           wf_now() - at);
    wf_dataset_free(&ds);
}

/* False where the series takes too much. */
static bool run(const struct options *o)
{
    static struct rig r;
    const struct rig_work work = { .model = "dcrnn-pgt",
                                   .settings = "hidden=0\n",
                                   .nodes = o->nodes,
                                   .batch = o->batch,
                                   .rows = o->rows,
                                   .data = o->file };
    double at = wf_now(), series, s;
    rig_open(&r, &work, &o->device);
    series = (double)(r.before - r.with_series) / GIB;
    printf("loaded and set up in %.1f s on %s; the series: %.3f GiB of numbers", wf_now() - at,
           r.be->name, sizeof(wf_real) * (double)r.series.E * r.series.N / GIB);
    if (r.be->device) printf(" in %.3f GiB of its memory, want at most 4.6", series);
    for (int i = 0; i < 2; i++) rig_step(&r);
    int64_t before = r.trainer.state.step;
    s = rig_time(&r, r.be->device ? 7 : o->steps, o->steps);
    int B = o->batch, epoch = (r.split.count[WF_TRAIN] + B - 1) / B;
    printf(
        "\n%s, B %d: %.4g ms a step, median of %lld; an epoch of %d steps takes %.1f s; all holds "
        "%.3f GiB\n",
        r.model.type->name, B, 1e3 * s, (long long)(r.trainer.state.step - before), epoch,
        epoch * s, rig_bytes(&r) / GIB);
    bool good = !r.be->device || series <= 4.6;
    rig_close(&r);
    return good;
}

/* What was left to what computes. */
static void settle(struct options *o)
{
    struct wf_error err = { 0 };
    struct wf_device_choice choice = { .device = o->device.device };
    struct wf_backend *be;
    rig_need(wf_device_open(&be, &choice, stdout, &err), &err);
    if (!o->rows) o->rows = (be->device ? 365 : 7) * RIG_DAY;
    if (!o->steps) o->steps = be->device ? 200 : 5;
    if (!be->device && o->steps > RIG_GROUPS) o->steps = RIG_GROUPS;
    if (!o->edges) o->edges = (int)(2694.0 / 325 * o->nodes);
    wf_backend_close(be);
}

static char *file;

static void remove_file(void)
{
    remove(file);
}

int main(int argc, char **argv)
{
    static struct options o; /* the file's name is wanted until the end */
    o = (struct options){
        .device.device = WF_DEVICE_CPU, .nodes = 11160, .batch = 64, .file = "bench_pems.h5"
    };
    struct wf_cli cli;
    rig_options(argc, argv, &o.device, fields, &o, &cli);
    settle(&o);
    file = o.file;
    atexit(remove_file); /* after an error too */
    write_file(&o);
    return run(&o) ? 0 : 1;
}
