/* These tests run the experiment programs from outside: their output files and their refusals. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tensor/backend.h"
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"
#include "tests/kit/tiny.h"

/* Makes a small data set in one file; the path stays valid in `data`. */
static char data[512], out[512];

static void small_set(void)
{
    snprintf(data, sizeof data, "%s", scratch("road.h5"));
    snprintf(out, sizeof out, "%s", scratch("out"));
    program_works("dataset", "synth '%s' --nodes 8 --days 2 --seed 3", data);
}

#define QUICK "--model dcrnn --hidden 4 --layers 1 -e 2 -bs 32 --mode index"

static int lines_of(const char *path, char *first, size_t size)
{
    FILE *f = fopen(path, "r");
    char line[2048];
    int n = 0;
    first[0] = 0;
    while (f && fgets(line, sizeof line, f))
        if (n++ == 0) snprintf(first, size, "%s", line);
    if (f) fclose(f);
    return n;
}

static void expect_file(const char *name, const char *head, int lines)
{
    char path[600], first[2048];
    snprintf(path, sizeof path, "%s/%s", out, name);
    int n = lines_of(path, first, sizeof first);
    cr_expect(strncmp(first, head, strlen(head)) == 0, "%s begins with %s", name, first);
    cr_expect(n >= lines, "%s has %d lines, want %d", name, n, lines);
}

Test(apps, an_experiment_leaves_its_tables_and_checkpoints)
{
    char path[600];
    small_set();
    program_works("pems_bay", "--data '%s' --adjacency '' --out '%s' " QUICK, data, out);
    expect_file("per_epoch_stats.csv", "epoch,runtime,t_mae,v_mae,pgt_v_mae", 3);
    expect_file("stats.csv", "preprocessing,training,total,t_mae,v_mae,pgt_v_mae", 2);
    expect_file("system_stats.csv", "Timestamp,time_s,System_Memory_Used", 2);
    expect_file("metrics.csv", "model,horizon,step,mae,rmse,mape", 17);
    snprintf(path, sizeof path, "%s/best.h5", out);
    cr_expect_eq(access(path, R_OK), 0, "no %s", path);
    snprintf(path, sizeof path, "%s/last.h5", out);
    cr_expect_eq(access(path, R_OK), 0, "no %s", path);
    cr_expect(strstr(program_said, "hidden=4\n"), "the configuration is not printed");
    cr_expect(strstr(program_said, "persistence") && strstr(program_said, "historical average") &&
                  strstr(program_said, "ridge"),
              "no baselines: %s", program_said);
}

Test(apps, base_mode_says_its_memory_first_and_gives_the_same_result)
{
    static char index[sizeof program_said];
    small_set();
    program_works("pems_bay", "--data '%s' --adjacency '' --out '%s' --pictures False " QUICK, data,
                  out);
    snprintf(index, sizeof index, "%s", strstr(program_said, "Errors on the test part"));
    program_works("pems_bay",
                  "--data '%s' --adjacency '' --out '%s' --pictures False " QUICK " -m base", data,
                  out);
    cr_expect(strstr(program_said, "base mode materialises"), "no word on memory");
    cr_expect_str_eq(strstr(program_said, "Errors on the test part"), index);
}

Test(apps, the_reference_options_and_its_compat_mode_work)
{
    small_set();
    program_works("metr_la",
                  "--data '%s' --adjacency '' --out '%s' --compat pgt -m index -g False "
                  "-d True -e 1 -bs 32 -np 2",
                  data, out);
    cr_expect(strstr(program_said, "dcrnn-pgt: 126 parameters"), "said: %s", program_said);
}

Test(apps, help_lists_every_option_with_its_default)
{
    program_works("chickenpox", "--help");
    cr_expect(strstr(program_said, "--batch-size") && strstr(program_said, "[4]"), "%s",
              program_said);
    cr_expect(strstr(program_said, "Models:\n  dcrnn  ") && strstr(program_said, "leaderboard"),
              "%s", program_said);
}

Test(apps, chickenpox_trains_on_the_real_set)
{
    NEED_SHARED();
    snprintf(out, sizeof out, "%s", scratch("out"));
    program_works("chickenpox", "--data '%s' --out '%s' -e 2", shared("data/pgt/chickenpox.json"),
                  out);
    expect_file("per_epoch_stats.csv", "epoch,runtime,t_mae,v_mae,pgt_v_mae", 3);
}

/* The same seed gives the same bits. */
Test(apps, graphs_that_change_train_the_models_made_for_them)
{
    static const char *const models[] = { "evolvegcn-o", "evolvegcn-h --lags 2", "lrgcn --hidden 8",
                                          "dygrencoder --hidden 8 --channels 8" };
    static char before[sizeof program_said];
    snprintf(out, sizeof out, "%s", scratch("out"));
    snprintf(data, sizeof data, "%s", tiny_snapshots("s.json"));
    for (int k = 0; k < 8; k++) {
        program_works("chickenpox", "--data '%s' --out '%s' -e 2 --pictures False --model %s", data,
                      out, models[k / 2]);
        cr_expect(strstr(program_said, "80 steps x 6 nodes x 1 channels, 6 edges that change"),
                  "%s", program_said);
        const char *errors = strstr(program_said, "Errors on the test part");
        cr_assert(errors, "%s", program_said);
        if (k % 2) cr_expect_str_eq(errors, before);
        snprintf(before, sizeof before, "%s", errors);
    }
    program_refuses("goes by the order of all edges", "chickenpox",
                    "--data '%s' --out '%s' -e 1 --compat pgt", data, out);
}

Test(apps, real_graphs_that_change_are_trained_on)
{
    NEED_SHARED();
    snprintf(out, sizeof out, "%s", scratch("out"));
    program_works("chickenpox", "--data '%s' --out '%s' -e 1 --pictures False --model evolvegcn-h",
                  shared("data/pgt/england_covid.json"), out);
    program_works("chickenpox",
                  "--data '%s' --out '%s' -e 1 -d True -bs 8 --pictures False --model evolvegcn-h",
                  shared("data/pgt/twitter_tennis_rg17.json"), out);
    expect_file("per_epoch_stats.csv", "epoch,runtime,t_mae,v_mae,pgt_v_mae", 2);
}

/* This is a word of 300 characters, longer than a text option may be. */
#define LONG10 "xxxxxxxxxx"
#define LONG60 LONG10 LONG10 LONG10 LONG10 LONG10 LONG10
#define LONG   LONG60 LONG60 LONG60 LONG60 LONG60

Test(apps, bad_input_gets_one_clear_line)
{
    static const struct {
        const char *arguments, *text;
    } rows[] = {
        { "--colour red", "unknown option --colour" },
        { "--epochs none", "--epochs none: want an integer from 1" },
        { "--epochs", "option --epochs wants a value" },
        { "--model lstm9", "--model lstm9: want one of dcrnn" },
        { "--preset nothing", "--preset nothing: no such preset" },
        { "--model " LONG, "--model: want one line of at most 255 characters" },
        { "--dataset " LONG, "no data set 'xxxx" },
        { "--mode half", "--mode half: want one of base, index" },
        { "--horizon 400 --input-steps 400 --model dcrnn", "400" },
        { "--train-share 0.9 --valid-share 0.2", "share" },
        { "--train-share 0.999 --valid-share 0.0005", "0 " },
        { "--gpu True --device cpu", "--gpu True with --device cpu" },
        { "--precision tf32 --device cpu", "--precision tf32: the CPU has float32 alone" },
        { "--out /proc/weft/out", "/proc/weft" },
        { "--data /nonexistent.h5", "/nonexistent.h5" },
        { "--key nothing", "nothing" },
        { "stray", "'stray'" },
    };
    small_set();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        program_refuses(rows[i].text, "pems_bay", "--data '%s' --adjacency '' --out '%s' %s", data,
                        out, rows[i].arguments);
}

static bool device_is_there(void)
{
    struct wf_backend *be;
    struct wf_error err = { 0 };
    bool there = wf_backend_cuda(&be, (struct wf_device_config){ 0 }, &err) == WF_OK;
    wf_backend_close(be);
    return there;
}

Test(apps, without_a_device_the_cpu_computes_and_one_line_says_so)
{
    if (device_is_there()) cr_skip_test("there is a device");
    small_set();
    program_works("pems_bay", "--data '%s' --adjacency '' --out '%s' -d True " QUICK, data, out);
    cr_expect(strstr(program_said, "\nno CUDA device: ") &&
                  strstr(program_said, ": the CPU computes\n"),
              "said: %s", program_said);
    program_refuses("--device cuda: no CUDA device", "pems_bay",
                    "--data '%s' --adjacency '' --out '%s' --device cuda", data, out);
    program_refuses("--gpu True: no CUDA device", "pems_bay",
                    "--data '%s' --adjacency '' --out '%s' --gpu True", data, out);
    program_refuses("--precision tf32: no CUDA device", "pems_bay",
                    "--data '%s' --adjacency '' --out '%s' --precision tf32", data, out);
}

/* On a machine without CUDA the plugin's libraries cannot be loaded. */
Test(apps, without_cuda_libraries_the_cpu_computes)
{
    static const char *const names[] = { "libcudart.so.13", "libcudart.so.12", "libweft_cuda.so" };
    char folder[512];
    small_set();
    snprintf(folder, sizeof folder, "%s", scratch_folder("hidden"));
    for (int i = 0; i < 3; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        FILE *f = fopen(path, "w");
        cr_assert(f && fclose(f) == 0);
    }
    setenv("LD_LIBRARY_PATH", folder, 1);
    program_works("pems_bay", "--data '%s' --adjacency '' --out '%s' -d True " QUICK, data, out);
    cr_expect(strstr(program_said, "file too short: the CPU computes\n"), "said: %s", program_said);
}

Test(apps, files_that_do_not_belong_together_are_refused)
{
    NEED_SHARED();
    small_set();
    program_refuses("207", "pems_bay", "--data '%s' --adjacency '%s' --out '%s'", data,
                    shared("data/metr-la-week/adj_mx_metr-la.pkl"), out);
}
