/* These tests make the paper's tables from runs of scripts that stand in for the programs. The
 * scripts leave known files, so the tables' content is known, and they can fail or be stopped. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data/file.h"
#include "apps/kit/cli.h"
#include "apps/reproduce/reproduce.h"
#include "tensor/backend.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"

/* This script writes its folder's files: memory by mode, errors by seed, nothing by data name. */
static const char experiment[] =
    "#!/bin/sh\n"
    "mode=base seed=1 out=. set=none folder=. resume=False\n"
    "while [ $# -gt 0 ]; do\n"
    "  case $1 in --mode) mode=$2;; --seed) seed=$2;; --out) out=$2;; --dataset) set=$2;;\n"
    "    --data-folder) folder=$2;; --resume) resume=$2;; esac\n"
    "  shift 2\n"
    "done\n"
    "echo run >> \"$out/count\"\n"
    "if [ -e \"$folder/broken\" ]; then echo \"$0: --dataset $set: a broken file\" >&2; exit 1; "
    "fi\n"
    "synthetic=False; [ -e \"$folder/$set.h5\" ] && synthetic=True\n"
    "memory=100; [ $mode = base ] && memory=900\n"
    "{ echo epoch,runtime,t_mae,v_mae,pgt_v_mae; echo 1,2,3.$seed,2.$seed,2.5\n"
    "  echo 2,1.5,3,2,2.25; } > \"$out/per_epoch_stats.csv\"\n"
    "{ echo "
    "preprocessing,training,total,v_mae,pgt_v_mae,max_system_mem,max_gpu_mem,dataset,synthetic,"
    "nodes,windows,steps\n"
    "  echo 1,$seed,$((seed + 1)),2,2.25,$memory,0,$set,$synthetic,20,1000,64; } "
    "> \"$out/stats.csv\"\n";

static const char simulator[] = "#!/bin/sh\n"
                                "[ \"$1\" = synth ] || exit 1\n"
                                "mkdir -p \"$4\" && : > \"$4/$2.h5\"\n";

static void install(const char *name, const char *script)
{
    char file[64];
    snprintf(file, sizeof file, "bin/%s", name);
    cr_assert_eq(chmod(scratch_file(file, script, strlen(script)), 0755), 0);
}

static struct wf_reproduce setting(void)
{
    static const char *const names[] = { "chickenpox", "windmill", "pems_bay", "pems" };
    struct wf_reproduce r = wf_reproduce_defaults();
    snprintf(r.programs, sizeof r.programs, "%s", scratch_folder("bin"));
    snprintf(r.out, sizeof r.out, "%s", scratch("out"));
    snprintf(r.data_folder, sizeof r.data_folder, "%s", scratch_folder("here"));
    for (int i = 0; i < 4; i++) install(names[i], experiment);
    install("dataset", simulator);
    return r;
}

static char said[65536];

static enum wf_status run(const struct wf_reproduce *r, int what, struct wf_error *err)
{
    bool wanted[WF_REPRODUCTIONS] = { false };
    wanted[what] = true;
    FILE *log = fmemopen(said, sizeof said - 1, "w");
    memset(said, 0, sizeof said);
    enum wf_status s = wf_reproduce(r, wanted, log, err);
    fclose(log);
    return s;
}

static const char *text_of(const char *name)
{
    static char text[16384];
    cr_assert(scratch_read(name, text, sizeof text) > 0, "no %s", name);
    return text;
}

Test(reproduce, table3_has_a_row_for_each_set_and_mode)
{
    struct wf_error err = { 0 };
    struct wf_reproduce r = setting();
    ok(run(&r, WF_TABLE3, &err));
    const char *csv = text_of("out/table3.csv");
    cr_expect(strstr(csv, "chickenpox (simulated),base,3,3.00 ± 1.00,900.0 ± 0.0,2.0000 ± 0.0000,"
                          "2.2500 ± 0.0000,the same\n"),
              "%s", csv);
    cr_expect(strstr(csv, "pems-bay (simulated),index,3,3.00 ± 1.00,100.0 ± 0.0"), "%s", csv);
    cr_expect(strstr(text_of("out/table3.md"), "Small scale"), "%s", text_of("out/table3.md"));
    cr_expect(strstr(said, "[  1/21] data/chickenpox .."), "%s", said);
    ok(run(&r, WF_TABLE3, &err));
    cr_expect(strstr(said, "[ 21/21] table3/pems-bay-index-3: done before"), "%s", said);
    cr_expect_str_eq(text_of("out/runs/table3/pems-bay-index-3/count"), "run\n");
    ok(run(&r, WF_FIGURE5, &err)); /* uses the same runs */
    cr_expect_str_eq(text_of("out/runs/table3/pems-bay-index-1/count"), "run\n");
    expect_no_leaks();
}

/* The curves differ in one digit of one epoch. */
Test(reproduce, curves_that_differ_are_told)
{
    static const char other[] = "epoch,runtime,t_mae,v_mae,pgt_v_mae\n1,2,3.1,2.1,2.5\n"
                                "2,1.5,3,2.0000001,2.25\n";
    struct wf_error err = { 0 };
    struct wf_reproduce r = setting();
    r.seeds = 1;
    ok(run(&r, WF_TABLE3, &err));
    cr_expect(!strstr(text_of("out/table3.csv"), "DIFFERENT"));
    scratch_file("out/runs/table3/windmill-base-1/per_epoch_stats.csv", other, sizeof other - 1);
    ok(run(&r, WF_TABLE3, &err));
    const char *csv = text_of("out/table3.csv");
    cr_expect(strstr(csv, "windmill-large (simulated),base,1,2.00,900.0,2.0000,2.2500,DIFFERENT"),
              "%s", csv);
}

Test(reproduce, a_failed_run_is_named_and_what_was_done_is_kept)
{
    struct wf_error err = { 0 };
    struct wf_reproduce r = setting();
    r.seeds = 1;
    scratch_folder("out");
    scratch_folder("out/data");
    scratch_file("out/data/broken", "", 0);
    fails(run(&r, WF_TABLE3, &err), WF_EIO, "runs/table3/chickenpox-base-1/log.txt: exit status 1");
    cr_expect(strstr(err.message, "--dataset chickenpox: a broken file"), "%s", err.message);
    cr_expect_eq(access(scratch("out/table3.csv"), F_OK), -1, "no table of half the runs");
    unlink(scratch("out/data/broken"));
    ok(run(&r, WF_TABLE3, &err));
    cr_expect(strstr(said, "data/chickenpox: done before"), "%s", said);
    expect_no_leaks();
}

Test(reproduce, a_stop_ends_it_and_it_goes_on)
{
    struct wf_error err = { 0 };
    struct wf_reproduce r = setting();
    r.seeds = 1;
    wf_cli_catch_signals();
    raise(SIGTERM);
    fails(run(&r, WF_TABLE3, &err), WF_EINTR, "stopped before ");
    wf_cli_catch_signals(); /* clears the caught signal */
    ok(run(&r, WF_TABLE3, &err));
}

Test(reproduce, table4_says_that_there_is_no_gpu)
{
    struct wf_error err = { 0 };
    struct wf_reproduce r = setting();
    struct wf_backend *be;
    if (wf_backend_cuda(&be, (struct wf_device_config){ 0 }, &err) == WF_OK) {
        wf_backend_close(be);
        cr_skip_test("there is a GPU");
    }
    ok(run(&r, WF_TABLE4, &err));
    cr_expect(strstr(text_of("out/table4.csv"), "pems (simulated),index,1.0,1.0,2.0,100.0,-\n"
                                                "pems,GPU-index,-,-,-,-,-\n"),
              "%s", text_of("out/table4.csv"));
    cr_expect(strstr(text_of("out/table4.md"), "There is no GPU on this machine"));
}

/* ---- memory ---- */

/* This is the process's own peak; its other memory, batches above all, is a few MiB. */
Test(reproduce, memory_follows_the_law)
{
    double mib, law;
    for (int base = 0; base < 2; base++) {
        program_works("reproduce",
                      "measure --rows 20000 --nodes 200 --steps 12 --base %s --out '%s'",
                      base ? "True" : "False", scratch("m"));
        cr_assert_eq(sscanf(program_said, "%lf MiB, %lf by formula", &mib, &law), 2);
        cr_expect_float_eq(law, base ? 2.0 * 19977 * 12 * 200 * 4 / 1048576 : 15.26,
                           0.06); /* printed to 0.1 */
#ifndef __SANITIZE_ADDRESS__
        double rest = mib - law - (base ? 15.26 : 0);
        cr_expect(rest > -1 && rest < 8, "%g MiB, %g by formula", mib, law);
#endif
    }
}

/* Windows are as wide as in the paper, over a third of the rows. Index-batching saves 95 %, and
 * base takes no more than it needs. */
Test(reproduce, at_the_width_of_pems_bay_index_takes_a_twentieth_of_base)
{
#ifdef __SANITIZE_ADDRESS__
    cr_skip_test("memory of the sanitizer");
#endif
    double mib[2], law[2];
    if (wf_file_kib("/proc/meminfo", "MemAvailable") < 3e6) cr_skip_test("less than 3 GB are free");
    for (int base = 0; base < 2; base++) {
        program_works(
            "reproduce",
            "measure --rows 17372 --nodes 325 --channels 2 --steps 12 --base %s --out '%s'",
            base ? "True" : "False", scratch("m"));
        cr_assert_eq(sscanf(program_said, "%lf MiB, %lf by formula", &mib[base], &law[base]), 2);
    }
    cr_expect_lt(mib[0], 0.05 * mib[1], "index %g MiB, base %g MiB", mib[0], mib[1]);
    cr_expect_float_eq(mib[1] / law[1], 1, 0.05, "base %g MiB, by formula %g", mib[1], law[1]);
}

Test(reproduce, bad_words_are_refused)
{
    program_refuses("reproduce what?", "reproduce", "--scale small");
    program_refuses("'table5': want table3, table4", "reproduce", "table5");
    program_refuses("--scale large: want one of small, paper", "reproduce", "all --scale large");
    program_refuses("cannot make the folder", "reproduce", "memory --out /proc/none/x");
    program_refuses("longer than 160", "reproduce", "memory --out %0200d", 0);
}
