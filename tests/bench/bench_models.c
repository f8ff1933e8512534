/* bench_models - one training iteration of every model: forward, backward, update.
 *
 * Usage: bench_models [--device D] [--precision P] [--batch B] [--groups G] [--profile True] [NAME
 * ..]
 *
 * METR-LA's size: 207 nodes, a directed graph of 1,722 edges, 12 steps in, 12 out, the time of day
 * as second channel. Where a published implementation was measured (2 cores, the same size and
 * settings) its seconds and the ratio stand beside ours on the CPU. The median is of G groups of
 * the trainer's steps, see rig.h. One more step runs on counting kernels (count.h). The floor is
 * the longer of operations and bytes over what the machine can do, measured in the same run.
 * Memory: see rig_bytes(). --profile shows the kernels that take most of the counted step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "apps/kit/cli.h"
#include "models/stgcn.h"
#include "tests/bench/rig.h"

enum { ROWS = 2000, TOP = 5 };

/* ---- one STConv, and a linear layer on the mean of its steps: what the peer's row measures ----
 */

struct wf_stconv_config {
    int hidden, out, kernel;
};
struct wf_stconv {
    struct wf_st_conv block;
    struct wf_task task;
    struct wf_linear head;
};

static struct wf_stconv_config wf_stconv_defaults(void)
{
    return (struct wf_stconv_config){ .hidden = 16, .out = 64, .kernel = 3 };
}

static void wf_stconv_init(struct wf_stconv *m, struct wf_params *ps, struct wf_stconv_config cfg,
                           const struct wf_task *task)
{
    m->task = *task;
    wf_st_conv_init(&m->block, ps, "block",
                    (struct wf_st_sizes){ task->nodes, task->channels, cfg.hidden, cfg.out,
                                          cfg.kernel, task->terms });
    wf_horizon_init(&m->head, ps, cfg.out, task);
}

static struct wf_tensor *wf_stconv_forward(struct wf_tape *g, const struct wf_stconv *m,
                                           const struct wf_batch *b)
{
    struct wf_tensor *y = wf_st_conv(g, &m->block, b->supports, wf_tape_view(g, b->x));
    return wf_horizon(g, &m->head, &m->task, wf_mean(g, y, 1, false));
}

static const struct wf_field stconv_fields[] = { { 0 } };
WF_MODEL_TYPE(stconv, "stconv", "one block of STGCN", stconv_fields, .graph = WF_CHEB);

/* ---- the rows ---- */

/* What to run, and the seconds of a published implementation, 0: not measured. */
struct row {
    const char *model, *settings;
    int nodes, edges, batch;
    double peer_s;
};

/* Of ASTGCN the quicker of two normalisations. A3T-GCN and the cells end in a linear layer. */
static const struct row rows[] = {
    { "dcrnn", "", 207, 1722, 64, 16.2 },
    { "dcrnn-pgt", "hidden=64\n", 207, 1722, 64, 7.33 },
    { "a3tgcn", "hidden=32\n", 207, 1722, 32, 0.531 },
    { "astgcn", "", 207, 1722, 32, 14.4 },
    { "mtgnn", "", 207, 1722, 32, 8.97 },
    { "agcrn", "layers=1\n", 207, 1722, 32, 1.08 },
    { "tgcn", "hidden=32\n", 325, 2369, 32, 0.791 },
    { "gconvgru", "hidden=32\n", 325, 2369, 32, 1.34 },
    { "stconv", "", 325, 2369, 32, 1.63 },
};

struct options {
    struct rig_device device;
    int batch, groups; /* batch 0: the row's */
    bool profile;
};

static const struct wf_field fields[] = { WF_FIELD(options, "batch", INT, batch, 0, RIG_BATCH, NULL,
                                                   "windows of a step; 0: as many as the row has"),
                                          WF_FIELD(options, "groups", INT, groups, 1, RIG_GROUPS,
                                                   NULL, "of steps, of which the median counts"),
                                          WF_FIELD(options, "profile", BOOL, profile, 0, 1, NULL,
                                                   "show the kernels that take longest"),
                                          { 0 } };

static void print_kernels(const struct count *total)
{
    struct count_kernel top[TOP];
    int used = count_top(top, TOP), n = used < TOP ? used : TOP;
    printf("  %.0f calls of %d kernels, %.4g ms in them, of which\n", total->calls, used,
           1e3 * total->seconds);
    for (int i = 0; i < n; i++)
        printf("    %-18s %6.0f calls %9.4g ms %5.1f %%%9.2f GFLOP %8.2f GB\n", top[i].name,
               top[i].sum.calls, 1e3 * top[i].sum.seconds,
               100 * top[i].sum.seconds / total->seconds, 1e-9 * top[i].sum.flops,
               1e-9 * top[i].sum.bytes);
}

static const struct wf_model_type *find(const char *name)
{
    return strcmp(name, "stconv") == 0 ? &wf_stconv_type : wf_model_find(name);
}

static void run(const struct row *row, const struct options *o, const struct rig_peak *peak)
{
    static struct rig r;
    int batch = o->batch ? o->batch : row->batch;
    struct rig_work work = { .model = row->model,
                             .settings = row->settings,
                             .nodes = row->nodes,
                             .edges = row->edges,
                             .batch = batch,
                             .rows = ROWS,
                             .type = find(row->model) };
    rig_open(&r, &work, &o->device);
    for (int i = 0; i < 2; i++) rig_step(&r);
    double s = rig_time(&r, o->groups, 0), held = rig_bytes(&r);
    struct count sum = rig_counted(&r, peak);
    double floor = fmax(sum.flops / peak->flops, sum.bytes / peak->bytes);
    printf("%-12s %4d %4d %9td %10.4g %9.2f %8.2f %8.0f %6.1f %%", row->model, row->nodes, batch,
           wf_params_size(&r.params), 1e3 * s, 1e-9 * sum.flops, 1e-9 * sum.bytes, held / 1048576,
           100 * floor / s);
    if (row->peer_s > 0 && batch == row->batch && !peak->device)
        printf(" %8.4g %6.1f x", 1e3 * row->peer_s, row->peer_s / s);
    printf("\n");
    if (o->profile) print_kernels(&sum);
    fflush(stdout);
    rig_close(&r);
}

/* The rows of a model; at METR-LA's size by its defaults, where no row is. */
static void run_model(const char *name, const struct options *o, const struct rig_peak *peak)
{
    const struct row plain = { name, "", 207, 1722, 32, 0 };
    bool done = false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].model, name) != 0) continue;
        run(&rows[i], o, peak);
        done |= rows[i].nodes == plain.nodes;
    }
    if (!done && wf_model_find(name)) run(&plain, o, peak);
}

int main(int argc, char **argv)
{
    struct options o = { .device.device = WF_DEVICE_CPU, .groups = 5 };
    struct wf_cli cli;
    struct wf_error err = { 0 };
    rig_options(argc, argv, &o.device, fields, &o, &cli);
    for (int i = 0; i < cli.positionals; i++)
        if (!find(cli.positional[i])) {
            wf_fail(&err, WF_EINVAL, "'%s': no such model", cli.positional[i]);
            return wf_cli_fail(argv[0], &err);
        }
    struct rig_peak peak = rig_measure(&o.device);
    printf("%-12s %4s %4s %9s %10s %9s %8s %8s %8s %8s %8s\n", "model", "N", "B", "params",
           "median ms", "GFLOP", "GB", "MiB", "floor", "peer ms", "ratio");
    for (int i = 0; i < cli.positionals; i++) run_model(cli.positional[i], &o, &peak);
    if (cli.positionals == 0) run_model("stconv", &o, &peak);
    for (int i = 0; cli.positionals == 0 && wf_model_types()[i]; i++)
        run_model(wf_model_types()[i]->name, &o, &peak);
    return 0;
}
