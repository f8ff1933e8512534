/* bench_step - the trainer's own step, whole: windows, forward, backward, clipping, update.
 *
 * Usage: bench_step [--device D] [--precision P] [--groups G] [first letters of a row ..]
 *
 * A line per row: milliseconds of a step, the median of G groups of steps between two syncs (on the
 * CPU a group is a step; on a device they are replays of a recording); its work; the share of the
 * floor, which is the longer of its operations and its bytes over what the machine can do (rig.h),
 * measured in the same run; memory. Operations: 2 per multiply-add of the dense and sparse
 * products, backward twice forward. Bytes: every activation of a cell written once and read once,
 * and its gradient too. On a device a second line has its kernels one by one: their number, the sum
 * of their times in a step that is not replayed, and the replay's time over it.
 *
 * The row of PeMS has that data set's size, a year of 11,160 sensors every five minutes, and the
 * model that index-batching was published with; how many edges that had is not known, here nodes
 * have as many as PEMS-BAY's. On the CPU it runs when it is asked for by name. The program fails
 * where that series takes more than 4.6 GiB. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "dist/cli.h"
#include "tests/bench/rig.h"

struct row {
    const char *name;
    int hidden, layers;
    bool decoder, large;
    struct rig_work work;
};

static const struct row rows[] = {
    { "dcrnn METR-LA size, B 64, 2 x 64, K 2",
      64,
      2,
      true,
      false,
      { "dcrnn", "hidden=64\nlayers=2\n", 207, 1722, 64, 2000, WF_COMPAT_NONE, NULL } },
    { "dcrnn-pgt N 325, B 64, hidden 2",
      2,
      1,
      false,
      false,
      { "dcrnn-pgt", "hidden=2\n", 325, 2694, 64, 2000, WF_COMPAT_PGT, NULL } },
    { "dcrnn-pgt N 325, B 64, hidden 64",
      64,
      1,
      false,
      false,
      { "dcrnn-pgt", "hidden=64\n", 325, 2694, 64, 2000, WF_COMPAT_PGT, NULL } },
    { "pems: dcrnn-pgt N 11160, B 64, hidden 2",
      2,
      1,
      false,
      true,
      { "dcrnn-pgt", "hidden=2\n", 11160, 92510, 64, 105120, WF_COMPAT_PGT, NULL } },
};

struct options {
    struct rig_device device;
    int groups;
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

/* Says so where series, activations and their gradients do not fit into what is free. */
static bool fits(const struct row *row, const struct rig_peak *peak)
{
    const double gib = 1073741824;
    double need = sizeof(wf_real) * (double)row->work.rows * row->work.nodes + step_bytes(row);
    if ((double)peak->available > 1.25 * need) return true;
    printf("%-44s skipped: %.1f GiB are free, want %.1f\n", row->name,
           (double)peak->available / gib, 1.25 * need / gib);
    return false;
}

/* False where the series takes too much. */
static bool print_large(const struct rig *r, double seconds, int steps)
{
    double gib = (double)(r->before - r->with_series) / 1073741824;
    int B = r->trainer.cfg.batch_size, epoch = (r->split.count[WF_TRAIN] + B - 1) / B;
    if (r->be->device)
        printf("  series of %lld x %d on %s: %.2f GiB, want at most 4.6\n", (long long)r->series.E,
               r->series.N, r->be->name, gib);
    printf("  an epoch of %d steps takes %.1f s, by %d steps of it\n", epoch, epoch * seconds,
           steps);
    return gib <= 4.6;
}

static bool run(const struct row *row, const struct options *o, const struct rig_peak *peak)
{
    static struct rig r;
    double flops = step_flops(row), bytes = step_bytes(row);
    rig_open(&r, &row->work, &o->device);
    for (int i = 0; i < 2; i++) rig_step(&r);
    int before = (int)r.trainer.state.step;
    double s = rig_time(&r, o->groups, row->large ? 200 : 0),
           floor = fmax(flops / peak->flops, bytes / peak->bytes);
    int steps = (int)r.trainer.state.step - before;
    printf("%-44s %10.4g ms %9.1f GFLOP %7.2f GB %6.1f %% of the floor %8.0f MiB\n", row->name,
           1e3 * s, 1e-9 * flops, 1e-9 * bytes, 100 * floor / s, rig_bytes(&r) / 1048576);
    bool ok = !row->large || print_large(&r, s, steps);
    if (r.be->device) {
        struct count sum = rig_counted(&r, peak);
        printf("  %.0f kernels take %.4g ms together; replayed %.3f of that\n", sum.calls,
               1e3 * sum.seconds, s / sum.seconds);
    }
    fflush(stdout);
    rig_close(&r);
    return ok;
}

/* Rows without a name that asks for them run all, the large one on a device alone. */
static bool wanted(const struct row *row, const struct wf_cli *cli, bool device)
{
    for (int i = 0; i < cli->positionals; i++)
        if (strncmp(row->name, cli->positional[i], strlen(cli->positional[i])) == 0) return true;
    return cli->positionals == 0 && (device || !row->large);
}

int main(int argc, char **argv)
{
    static const struct wf_field fields[] = { { "groups", WF_FIELD_INT,
                                                offsetof(struct options, groups), 1, RIG_GROUPS,
                                                NULL, "of steps, of which the median counts" },
                                              { 0 } };
    struct options o = { .device.device = WF_DEVICE_CPU, .groups = 7 };
    struct wf_config tables[] = { { rig_fields, &o.device, "Backend" }, { fields, &o, "Work" } };
    struct wf_cli cli = { 0 };
    struct wf_error err = { 0 };
    bool ok = true;
    if (wf_cli_parse(argc, argv, tables, 2, &cli, &err) != WF_OK) return wf_cli_fail(argv[0], &err);
    if (cli.help) {
        wf_config_help(tables, 2, stdout);
        return 0;
    }
    struct rig_peak peak = rig_measure(&o.device);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        if (!wanted(row, &cli, peak.device)) continue;
        if (!row->large || fits(row, &peak)) ok &= run(row, &o, &peak);
    }
    return ok ? 0 : 1;
}
