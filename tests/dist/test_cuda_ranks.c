/* Ranks that compute on devices give the results of ranks on the CPU. The test is in the float
 * build alone, because the programs compute in float. */
#include <criterion/criterion.h>
#ifndef WF_DOUBLE
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "tests/kit/device.h"
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"

enum { EPOCHS = 2 };

/* MPI itself leaks, which a sanitizer would report as a failure of the program. */
#define TWO_RANKS                                                                                  \
    "ASAN_OPTIONS=\"$ASAN_OPTIONS:detect_leaks=0\" "                                               \
    "mpirun --allow-run-as-root --oversubscribe --bind-to none --timeout 100 -n 2 "                \
    "'%s/bin/pems_ddp' --data '%s' --adjacency '' --out '%s' "

/* Trains on two ranks, with output in the folder `out`. Returns the exit status. */
static int run(const char *out, const char *options)
{
    return program_run("/usr/bin/env",
                       TWO_RANKS "--model dcrnn --hidden 4 --layers 1 -e %d -bs 16 "
                                 "--epoch-batches 3 --input-steps 4 --horizon 3 "
                                 "--pictures False --baselines False --stats True %s",
                       program_folder(), scratch("road.h5"), scratch(out), EPOCHS, options);
}

/* Reads the mean loss and the validation error of each epoch. */
static void look(const char *out, double error[2 * EPOCHS])
{
    char name[64], text[1024], *line = text;
    snprintf(name, sizeof name, "%s/per_epoch_stats.csv", out);
    cr_assert_gt(scratch_read(name, text, sizeof text), 0, "%s", program_complained);
    for (int i = 0; i < EPOCHS; i++) {
        line = strchr(line, '\n') + 1;
        int n = sscanf(line, "%*d,%*f,%lf,%lf", &error[2 * i], &error[2 * i + 1]);
        cr_assert_eq(n, 2, "epoch %d: %s", i, line);
    }
}

static void expect_the_same(const char *options)
{
    double want[2 * EPOCHS], got[2 * EPOCHS];
    cr_assert_eq(run("cpu", "--device cpu"), 0, "%s", program_complained);
    look("cpu", want);
    int status = run("device", options);
    if (strstr(program_complained, "ncclCommInitRank: invalid usage"))
        cr_skip_test("NCCL wants a device for every rank");
    cr_assert_eq(status, 0, "%s: %s", options, program_complained);
    look("device", got);
    /* Devices add in another order than the CPU, and the difference grows with the steps. */
    for (int i = 0; i < 2 * EPOCHS; i++)
        cr_expect_float_eq(got[i], want[i], 1e-3 * want[i], "%s: epoch %d: %.9g, on the CPU %.9g",
                           options, i / 2, got[i], want[i]);
    cr_expect(strstr(program_said, "cuda"), "%s: %s", options, program_said);
}

/* The series is on the host, then on the devices; at last NCCL sums over the ranks. */
Test(cuda, ranks_train_on_devices_as_on_the_cpu)
{
    wf_backend_close(device_open());
    program_works("dataset", "synth '%s' --nodes 8 --days 2 --seed 3", scratch("road.h5"));
    expect_the_same("--device cuda");
    expect_the_same("--device cuda --gpu True --mode index");
}

Test(cuda, ranks_add_up_by_nccl)
{
    wf_backend_close(device_open());
    program_works("dataset", "synth '%s' --nodes 8 --days 2 --seed 3", scratch("road.h5"));
    expect_the_same("--device cuda --exchange nccl");
}

Test(cuda, nccl_is_for_devices)
{
    program_works("dataset", "synth '%s' --nodes 8 --days 2 --seed 3", scratch("road.h5"));
    int status = program_run("/usr/bin/env", TWO_RANKS "--device cpu --exchange nccl",
                             program_folder(), scratch("road.h5"), scratch("out"));
    cr_expect_eq(status, 1);
    cr_expect(strstr(program_complained, "--exchange nccl: the CPU computes"), "%s",
              program_complained);
}
#endif
