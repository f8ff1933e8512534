/* bench_step - the trainer's own step, whole: windows, forward, backward, clipping, update.
 *
 * Usage: bench_step [--device D] [--precision P] [--batch B] [--groups G]
 *                   [first letters of a row ..]
 *
 * A line per row: milliseconds of a step, the median of G groups of steps between two syncs (on the
 * CPU a group is a step; on a device they are replays of a recording); its work; the share of the
 * floor, which is the longer of its operations and its bytes over what the machine can do (rig.h),
 * measured in the same run; memory. Operations: 2 per multiply-add of the dense and sparse
 * products, backward twice forward. Bytes: every activation of a cell written once and read once,
 * and its gradient too. On a device a second line has its kernels one by one: their number, the sum
 * of their times in a step that is not replayed, and the replay's time over it. METR-LA's row says
 * what an epoch of that data set takes at this pace. The whole of PeMS: bench_pems. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "apps/kit/cli.h"
#include "tests/bench/rig.h"

struct row {
    const char *name;
    int hidden, layers;
    bool decoder;
    int windows; /* for training in the data set, 0: not said */
    struct rig_work work;
};

static const struct row rows[] = {
    { "dcrnn METR-LA size, 2 x 64, K 2",
      64,
      2,
      true,
      23974,
      { "dcrnn", "hidden=64\nlayers=2\n", 207, 1722, 64, 2000, WF_COMPAT_NONE, NULL, NULL } },
    { "dcrnn-pgt N 325, hidden 2",
      2,
      1,
      false,
      0,
      { "dcrnn-pgt", "hidden=2\n", 325, 2694, 64, 2000, WF_COMPAT_PGT, NULL, NULL } },
    { "dcrnn-pgt N 325, hidden 64",
      64,
      1,
      false,
      0,
      { "dcrnn-pgt", "hidden=64\n", 325, 2694, 64, 2000, WF_COMPAT_PGT, NULL, NULL } },
};

struct options {
    struct rig_device device;
    int batch, groups;
};

/* Dense product and hops of one convolution, forward: FLOP. */
static double conv_flops(const struct rig_work *w, int C, int O)
{
    double M = 1 + 2 * RIG_HOPS, hops = 2.0 * RIG_HOPS * w->edges * (O < C ? O : C);
    return 2.0 * w->batch * (w->nodes * M * C * O + hops);
}

static double step_flops(const struct row *row)
{
    double f = 0;
    for (int stack = 0; stack < (row->decoder ? 2 : 1); stack++)
        for (int l = 0; l < row->layers; l++) {
            int C = row->hidden + (l ? row->hidden : stack ? 1 : 2);
            f += RIG_STEPS * (conv_flops(&row->work, C, 2 * row->hidden) +
                              conv_flops(&row->work, C, row->hidden));
        }
    return 3 * f;
}

/* Of a cell's step: gates (2H), reset state, candidate and new state (H each). */
static double step_bytes(const struct row *row)
{
    double cells = (double)RIG_STEPS * row->layers * (row->decoder ? 2 : 1);
    return 4 * sizeof(wf_real) * cells * 5 * row->hidden * row->work.batch * row->work.nodes;
}

static void run(const struct row *given, const struct options *o, const struct rig_peak *peak)
{
    static struct rig r;
    struct row own = *given, *row = &own;
    row->work.batch = o->batch;
    double flops = step_flops(row), bytes = step_bytes(row);
    rig_open(&r, &row->work, &o->device);
    for (int i = 0; i < 2; i++) rig_step(&r);
    double s = rig_time(&r, o->groups, 0), floor = fmax(flops / peak->flops, bytes / peak->bytes);
    printf("%-38s B %-4d %10.4g ms %9.1f GFLOP %7.2f GB %6.1f %% of the floor %8.0f MiB\n",
           row->name, o->batch, 1e3 * s, 1e-9 * flops, 1e-9 * bytes, 100 * floor / s,
           rig_bytes(&r) / 1048576);
    int epoch = (row->windows + o->batch - 1) / o->batch;
    if (epoch) printf("  an epoch of %d steps takes %.4g s\n", epoch, epoch * s);
    if (r.be->device) {
        struct count sum = rig_counted(&r, peak);
        printf("  %.0f kernels take %.4g ms together; replayed %.3f of that\n", sum.calls,
               1e3 * sum.seconds, s / sum.seconds);
    }
    fflush(stdout);
    rig_close(&r);
}

/* All where none is asked for. */
static bool wanted(const struct row *row, const struct wf_cli *cli)
{
    for (int i = 0; i < cli->positionals; i++)
        if (strncmp(row->name, cli->positional[i], strlen(cli->positional[i])) == 0) return true;
    return cli->positionals == 0;
}

int main(int argc, char **argv)
{
    static const struct wf_field fields[] = {
        WF_FIELD(options, "batch", INT, batch, 1, RIG_BATCH, NULL, "windows of a step"),
        WF_FIELD(options, "groups", INT, groups, 1, RIG_GROUPS, NULL,
                 "of steps, of which the median counts"),
        { 0 }
    };
    struct options o = { .device.device = WF_DEVICE_CPU, .batch = 64, .groups = 7 };
    struct wf_cli cli;
    rig_options(argc, argv, &o.device, fields, &o, &cli);
    struct rig_peak peak = rig_measure(&o.device);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (wanted(&rows[i], &cli)) run(&rows[i], &o, &peak);
    return 0;
}
