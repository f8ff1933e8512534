/* bench_soak - a small step over and over: its time, and no growth of memory.
 *
 * Usage: bench_soak [--device D] [--precision P] [--steps N]
 *
 * 100,000 steps on a device, 2,000 on the CPU. Fails where the device or the process holds more
 * after them than after the first hundredth, or a loss is not finite. */
#include <stdio.h>
#include "data/file.h"
#include "apps/kit/cli.h"
#include "dist/clock.h"
#include "tests/bench/rig.h"

struct options {
    struct rig_device device;
    int steps;
};

struct held {
    double device, process; /* MiB */
};

static struct held look(struct rig *r)
{
    rig_sync(r);
    return (struct held){ rig_bytes(r) / 1048576,
                          wf_file_kib("/proc/self/status", "VmRSS") / 1024 };
}

static void steps(struct rig *r, int n)
{
    struct wf_error err = { 0 };
    struct wf_step_result result;
    for (int i = 0; i < n; i++) rig_step(r);
    rig_need(wf_trainer_losses(&r->trainer, &result, &err), &err);
}

int main(int argc, char **argv)
{
    static struct rig r;
    const struct rig_work work = { "dcrnn-pgt", "hidden=8\n",   24,   120, 8,
                                   600,         WF_COMPAT_NONE, NULL, NULL };
    static const struct wf_field fields[] = { WF_FIELD(options, "steps", INT, steps, 0, 1e9, NULL,
                                                       "how many; 0: as many as suit the backend"),
                                              { 0 } };
    struct options o = { .device.device = WF_DEVICE_CPU };
    struct wf_cli cli;
    rig_options(argc, argv, &o.device, fields, &o, &cli);
    rig_open(&r, &work, &o.device);
    int n = o.steps ? o.steps : r.be->device ? 100000 : 2000;
    steps(&r, n / 100 + 3);
    struct held first = look(&r);
    double at = wf_now();
    steps(&r, n);
    rig_sync(&r);
    double s = wf_now() - at;
    struct held last = look(&r);
    bool grew = last.device > first.device || last.process > first.process + 1;
    printf("%d steps on %s: %.1f us each; MiB at first and at last: %.2f and %.2f on it, %.1f and "
           "%.1f of the process: %s\n",
           n, r.be->name, 1e6 * s / n, first.device, last.device, first.process, last.process,
           grew ? "memory grows" : "no growth");
    rig_close(&r);
    return grew ? 1 : 0;
}
