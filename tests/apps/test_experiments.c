/* These tests run the experiment programs on named data sets, real ones and stand-ins, and check
 * the paper's claim that index-batching costs no accuracy. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/formats/csv.h"
#include "apps/reproduce/trial.h"
#include "tests/kit/outcome.h"
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"

static struct wf_csv read_csv(const char *path)
{
    struct wf_error err = { 0 };
    struct wf_csv csv;
    ok(wf_csv_read(path, WF_CSV_YES, &csv, &err));
    return csv;
}

static double stat_of(const char *column)
{
    struct wf_error err = { 0 };
    struct wf_trial t;
    double x;
    wf_trial_init(&t, "%s", scratch("out"));
    ok(wf_trial_number(&t, "stats.csv", column, &x, &err));
    return x;
}

/* Checks that the three files have the columns of apps/README.md and plausible numbers. */
static void expect_files(int epochs)
{
    char head[200];
    cr_assert(scratch_read("out/stats.csv", head, sizeof head) > 100);
    cr_expect(strncmp(head,
                      "preprocessing,training,total,t_mae,v_mae,pgt_v_mae,system_memory_total,"
                      "max_system_mem,gpu_memory_total,max_gpu_mem,model,dataset,synthetic,mode,",
                      140) == 0,
              "%s", head);
    double used = stat_of("max_system_mem");
    cr_expect(used > 5 && used < stat_of("system_memory_total"), "%g MB", used);
    cr_expect_float_eq(stat_of("preprocessing") + stat_of("training"), stat_of("total"), 1e-6);
    cr_expect(stat_of("v_mae") > 0 && stat_of("pgt_v_mae") > 0 && stat_of("t_mae") > 0);
    cr_expect(stat_of("mae_mean") > 0 && stat_of("rmse_mean") >= stat_of("mae_mean"));
    struct wf_csv csv = read_csv(scratch("out/per_epoch_stats.csv"));
    cr_assert(csv.rows == epochs && csv.cols == 5);
    for (int e = 0; e < epochs; e++) {
        const double *v = csv.values + 5 * e;
        cr_expect(v[0] == e + 1 && v[1] > 0 && v[2] > 0 && v[3] > 0 && v[4] > 0);
        cr_expect(isfinite(v[2]) && isfinite(v[3]));
    }
    wf_csv_free(&csv);
    csv = read_csv(scratch("out/system_stats.csv"));
    cr_expect(csv.rows >= 2 && csv.cols == 6 && csv.times_ns);
    cr_expect_str_eq(csv.names.name[1], "System_Memory_Used");
    wf_csv_free(&csv);
}

/* `days` is the length of the stand-in, which is as short as a run allows. */
static const struct {
    const char *program, *set;
    int days;
    const char *options;
} experiments[] = {
    { "chickenpox", "chickenpox", 350, "" },
    { "windmill", "windmill-large", 8, "-bs 16" },
    { "metr_la", "metr-la", 2, "-bs 16" },
    { "pems_bay", "pems-bay", 2, "-bs 16" },
    { "metr_la", "metr-la", 2, "--preset pgt-a3tgcn -bs 16" },
    { "pems_bay", "pems-bay", 2, "--preset pgt-tgcn -bs 16" },
};

Test(experiments, run_from_a_name_to_their_three_files)
{
    for (size_t i = 0; i < sizeof experiments / sizeof *experiments; i++) {
        program_works("dataset", "synth %s --days %d --data-folder '%s'", experiments[i].set,
                      experiments[i].days, scratch("data"));
        program_works(experiments[i].program,
                      "--data-folder '%s' --out '%s' -m index -d True --pictures False %s",
                      scratch("data"), scratch("out"), experiments[i].options);
        cr_expect(strstr(program_said, "synthetic stand-in"), "%s", program_said);
        expect_files(1);
    }
}

Test(experiments, sets_that_are_solved_here_are_trained_on_by_name)
{
    static const char *const sets[] = { "wave-equation", "advection-diffusion" };
    for (int i = 0; i < 2; i++) {
        program_works("dataset", "synth %s --data-folder '%s'", sets[i], scratch("data"));
        program_works("chickenpox",
                      "--dataset %s --data-folder '%s' --out '%s' -m index -d True -bs 16 "
                      "--pictures False",
                      sets[i], scratch("data"), scratch("out"));
        expect_files(1);
    }
}

/* Stand-ins have as many nodes as the real sets, so this test uses a small file instead. */
Test(experiments, of_large_sets_run_on_a_small_file)
{
    static const char *const programs[] = { "pems_all_la", "pems" };
    program_works("dataset", "synth '%s' --nodes 12 --days 2", scratch("small.h5"));
    for (int i = 0; i < 2; i++) {
        program_works(programs[i],
                      "--data '%s' --adjacency '' --out '%s' -m index -e 2 -bs 64 --pictures False",
                      scratch("small.h5"), scratch("out"));
        expect_files(2);
    }
    program_refuses("pems: ", "pems", "--data-folder '%s' --out '%s'", scratch("none"),
                    scratch("out"));
}

/* ---- base and index ---- */

static char curves[2][65536];

/* Returns what a run reports of each epoch except its time, and its errors on the test part. */
static void keep_curve(char *to, size_t size)
{
    struct wf_csv csv = read_csv(scratch("out/per_epoch_stats.csv"));
    const char *errors = strstr(program_said, "Errors on the test part");
    cr_assert(errors != NULL, "%s", program_said);
    size_t n = 0;
    for (ptrdiff_t e = 0; e < csv.rows; e++)
        for (int k = 2; k < 5; k++)
            n += (size_t)snprintf(to + n, size - n, "%.17g ", csv.values[5 * e + k]);
    snprintf(to + n, size - n, "\n%s", errors);
    wf_csv_free(&csv);
}

static void compare_modes(const char *program, const char *options)
{
    static const char *const modes[] = { "base", "index" };
    for (int seed = 1; seed <= 2; seed++) {
        for (int m = 0; m < 2; m++) {
            program_works(program, "--out '%s' -m %s --seed %d --pictures False %s", scratch("out"),
                          modes[m], seed, options);
            keep_curve(curves[m], sizeof curves[m]);
        }
        cr_expect_str_eq(curves[0], curves[1], "%s %s, seed %d", program, options, seed);
    }
}

Test(experiments, base_and_index_train_alike_on_simulated_traffic)
{
    char options[1200];
    program_works("dataset", "synth '%s' --nodes 10 --days 2", scratch("small.h5"));
    snprintf(options, sizeof options, "--data '%s' --adjacency '' -e 2 --compat pgt",
             scratch("small.h5"));
    compare_modes("pems_bay", options);
}

Test(experiments, base_and_index_train_alike_on_chickenpox, .timeout = TIME_LIMIT)
{
    NEED_SHARED();
    char options[1200];
    snprintf(options, sizeof options, "--data-folder '%s' -e 4", shared("data"));
    compare_modes("chickenpox", options);
    snprintf(options, sizeof options, "--data-folder '%s' -e 4 --compat pgt", shared("data"));
    compare_modes("chickenpox", options);
}

Test(experiments, base_and_index_train_alike_on_pems_bay_74, .timeout = TIME_LIMIT)
{
    NEED_SHARED();
    char options[1200];
    snprintf(options, sizeof options,
             "--data-folder '%s' --dataset pems-bay-74 -e 2 --epoch-batches 25 --baselines False",
             shared("data"));
    compare_modes("pems_bay", options);
}
