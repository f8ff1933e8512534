/* These tests check the monitor of a caller's columns, and the program `worker_monitor`. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "data/formats/csv.h"
#include "apps/kit/machine.h"
#include "dist/clock.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"

static void expect_begins(const char *name, const char *text)
{
    static char all[65536];
    scratch_read(name, all, sizeof all);
    cr_expect(strncmp(all, text, strlen(text)) == 0, "%s: want '%s' at the start of: %s", name,
              text, all);
}

/* ---- a source of columns ---- */

static void count_up(void *ctx, double value[WF_MONITOR_VALUES])
{
    int *n = ctx;
    value[0] = ++*n;
    value[1] = NAN;
}

static const struct wf_monitor_source counter = { "count,nothing", 2, count_up };

Test(monitor, columns_come_from_the_source_and_empty_ones_stay_empty)
{
    struct wf_error err = { 0 };
    int n = 0;
    struct wf_monitor m = { .every_s = 1000, .source = &counter, .ctx = &n };
    ok(wf_monitor_start(&m, scratch("c.csv"), &err));
    ok(wf_monitor_stop(&m, &err));
    expect_begins("c.csv", "Timestamp,time_s,count,nothing\n");
    struct wf_csv csv;
    ok(wf_csv_read(scratch("c.csv"), WF_CSV_YES, &csv, &err));
    cr_expect(csv.rows == 2 && csv.cols == 3 && csv.times_ns);
    cr_expect(csv.values[0] == 0 && csv.values[1] == 1 && isnan(csv.values[2]));
    cr_expect(csv.values[4] == 2 && isnan(csv.values[5]));
    wf_csv_free(&csv);
    expect_no_leaks();
}

Test(monitor, lines_of_an_earlier_source_are_gone_on_with)
{
    struct wf_error err = { 0 };
    struct wf_csv csv;
    int n = 0;
    static const char earlier[] = "Timestamp,time_s,count,nothing\n"
                                  "2026-11-29 10:00:00,5.000,9.00,\n2026-11-29 10:00:01,6.0";
    const char *path = scratch_file("c.csv", earlier, sizeof earlier - 1);
    struct wf_monitor m = { .every_s = 1000, .append = true, .source = &counter, .ctx = &n };
    ok(wf_monitor_start(&m, path, &err));
    ok(wf_monitor_stop(&m, &err));
    ok(wf_csv_read(path, WF_CSV_YES, &csv, &err));
    cr_assert(csv.rows == 3 && csv.cols == 3);
    cr_expect(csv.values[6] >= 5 && csv.values[7] == 2 && isnan(csv.values[8]));
    wf_csv_free(&csv);
    expect_no_leaks();
}

Test(monitor, lines_of_another_source_are_left_alone)
{
    struct wf_error err = { 0 };
    int n = 0;
    static const char *const others[] = { "Timestamp,time_s,count,nothing,more\n,0.000,1.00,,2\n",
                                          "Timestamp,time_s,count,notable\n,0.000,1.00,\n",
                                          "short\n" };
    struct wf_monitor m = { .append = true, .source = &counter, .ctx = &n };
    for (int i = 0; i < 3; i++) {
        const char *path = scratch_file("c.csv", others[i], strlen(others[i]));
        fails(wf_monitor_start(&m, path, &err), WF_EFORMAT,
              "c.csv: does not begin with Timestamp,time_s,count,nothing");
        expect_begins("c.csv", others[i]);
    }
    expect_no_leaks();
}

Test(monitor, a_node_is_read)
{
    struct wf_error err = { 0 };
    struct wf_machine *node;
    struct wf_monitor_source source;
    double v[WF_MONITOR_VALUES], until;
    ok(wf_machine_open(&node, &source, &err));
    cr_expect(strncmp(source.names, "node_cpu_percent,node_mb,gpu0_mb,gpu0_percent", 45) == 0);
    cr_assert_geq(source.count, 4);
    source.read(node, v);
    for (until = wf_now() + 0.3; wf_now() < until;) continue; /* keeps one core busy */
    source.read(node, v);
    cr_expect(v[0] > 0 && v[0] <= 100, "%g %%", v[0]);
    cr_expect(v[1] > 1 && v[1] < 1e9, "%g MB", v[1]);
    wf_machine_close(node);
    EACH_ALLOCATION_FAILS(err, wf_machine_open(&node, &source, &err), wf_machine_close(node));
    expect_no_leaks();
}

/* ---- worker_monitor ---- */

#define NODE "Timestamp,time_s,node_cpu_percent,node_mb,"

/* Loads a library that claims to be NVML, with the given number of GPUs. */
static void pretend_gpus(const char *count)
{
    char path[600];
    snprintf(path, sizeof path, "%s/stubs", program_folder());
    setenv("LD_LIBRARY_PATH", path, 1);
    setenv("WEFT_STUB_GPUS", count, 1);
}

static struct wf_csv lines_of(const char *name)
{
    struct wf_error err = { 0 };
    struct wf_csv csv;
    ok(wf_csv_read(scratch(name), WF_CSV_YES, &csv, &err));
    return csv;
}

Test(worker_monitor, lines_last_as_long_as_the_command_and_its_status_is_kept)
{
    pretend_gpus("0");
    int status = program_run("worker_monitor", "--out n.csv --interval 0.1 -- "
                                               "sh -c 'echo said; sleep 0.6; exit 7'");
    cr_expect_eq(status, 7, "%s", program_complained);
    cr_expect_str_eq(program_said, "said\n");
    expect_begins("n.csv", NODE "gpu0_mb,gpu0_percent\n2");
    struct wf_csv csv = lines_of("n.csv");
    cr_assert(csv.cols == 5 && csv.rows >= 4 && csv.rows <= 9, "%td rows", csv.rows);
    for (ptrdiff_t i = 0; i < csv.rows; i++) {
        const double *v = csv.values + i * csv.cols;
        cr_expect(i == 0 || v[0] > v[-5]);
        cr_expect(v[1] >= 0 && v[1] <= 100 && v[2] > 1, "%g %%, %g MB", v[1], v[2]);
        cr_expect(isnan(v[3]) && isnan(v[4]), "there is no GPU");
    }
    cr_expect_geq(csv.values[(csv.rows - 1) * csv.cols], 0.6);
    wf_csv_free(&csv);
    cr_expect_eq(program_run("worker_monitor", "--out n.csv -- sh -c 'kill -9 $$'"), 137);
}

Test(worker_monitor, each_gpu_has_its_columns)
{
    pretend_gpus("3");
    program_works("worker_monitor", "--out g.csv -- true");
    expect_begins("g.csv", NODE "gpu0_mb,gpu0_percent,gpu1_mb,gpu1_percent,gpu2_mb,gpu2_percent\n");
    struct wf_csv csv = lines_of("g.csv");
    cr_assert(csv.cols == 9 && csv.rows == 2);
    const double *v = csv.values + 3;
    cr_expect(v[0] == 1000 && v[1] == 10 && v[2] == 2000 && v[4] == 3000 && v[5] == 30);
    cr_expect(isnan(v[3]), "the second GPU does not tell: %g", v[3]);
    wf_csv_free(&csv);
    pretend_gpus("40"); /* exceeds the number of columns */
    program_works("worker_monitor", "--out g.csv -- true");
    csv = lines_of("g.csv");
    cr_expect_eq(csv.cols, 1 + 2 + 2 * 31);
    wf_csv_free(&csv);
}

Test(worker_monitor, an_experiment_tells_the_first_gpu_that_it_sees)
{
    pretend_gpus("2");
    program_works("dataset", "synth '%s' --nodes 4 --days 1", scratch("road.h5"));
    static const struct {
        const char *visible;
        double used;
    } rows[] = { { NULL, 1000 }, { "1,0", 2000 }, { "", 0 }, { "7", 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsetenv("CUDA_VISIBLE_DEVICES");
        if (rows[i].visible) setenv("CUDA_VISIBLE_DEVICES", rows[i].visible, 1);
        program_works("pems_bay",
                      "--data road.h5 --adjacency '' --out out%zu --mode index -e 1 --device cpu "
                      "--pictures False --baselines False",
                      i);
        char name[40];
        snprintf(name, sizeof name, "out%zu/system_stats.csv", i);
        struct wf_csv csv = lines_of(name);
        cr_assert(csv.cols == 6 && csv.rows >= 2);
        cr_expect(csv.values[3] == rows[i].used && csv.values[4] == 2 * rows[i].used, "%zu: %g MB",
                  i, csv.values[3]);
        wf_csv_free(&csv);
    }
}

/* The child is not waited for while it is watched, so it keeps its entry in /proc after its end. */
Test(worker_monitor, lines_end_with_a_process, .timeout = TIME_LIMIT)
{
    pid_t pid = fork();
    if (pid == 0) {
        usleep(400000);
        _exit(0);
    }
    double from = wf_now();
    program_works("worker_monitor", "--out p.csv --interval 0.05 --pid %d", (int)pid);
    cr_expect(wf_now() - from >= 0.2 && wf_now() - from < 20);
    waitpid(pid, NULL, 0);
    struct wf_csv csv = lines_of("p.csv");
    cr_expect_geq(csv.rows, 4);
    wf_csv_free(&csv);
    program_refuses("there is no such process", "worker_monitor", "--out p.csv --pid %d", (int)pid);
}

/* Runs the program in the background, stops it with a signal, and returns the exit status. */
static int stopped_by(const char *signal_name, const char *arguments)
{
    return program_run("worker_monitor",
                       "--interval 0.05 %s & p=$!; sleep 0.5; kill -%s $p; wait $p", arguments,
                       signal_name);
}

Test(worker_monitor, signals_end_it_in_order)
{
    static char text[4096];
    static const char *const names[] = { "TERM", "INT" };
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(stopped_by(names[i], "--out s.csv"), 0, "%s", names[i]);
        size_t n = scratch_read("s.csv", text, sizeof text);
        cr_expect(n > 100 && text[n - 1] == '\n', "%s: %s", names[i], text);
    }
    /* The command receives the signal, and its own exit status is returned. */
    cr_expect_eq(stopped_by("TERM", "--out s.csv -- sh -c 'trap \"exit 5\" TERM; "
                                    "for i in $(seq 60); do sleep 0.05; done'"),
                 5);
    cr_expect_eq(stopped_by("TERM", "--out s.csv -- sleep 5"), 128 + SIGTERM);
}

Test(worker_monitor, every_host_has_its_file_and_goes_on_in_it)
{
    char host[256] = "", name[300];
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "node-%s.csv", host);
    program_works("worker_monitor", "--out node-%%h.csv -- true");
    program_works("worker_monitor", "--out node-%%h.csv --append True -- sleep 0.1");
    struct wf_csv csv = lines_of(name);
    cr_expect_eq(csv.rows, 4);
    cr_expect_geq(csv.values[3 * csv.cols], 0.1);
    wf_csv_free(&csv);
}

Test(worker_monitor, wrong_calls_are_refused_in_one_line)
{
    static const char *const rows[][2] = {
        { "", "want --out FILE" },
        { "--out a.csv b", "'b': want options, then -- and a command" },
        { "--out a.csv --", "want a command after --" },
        { "--out a.csv --pid 1 -- true", "want either --pid or a command" },
        { "--out a.csv --interval 0", "--interval 0: want a number from 0.01" },
        { "--out no/a.csv -- true", "no/a.csv: No such file" },
        { "--out a.csv -- /no/such/program", "/no/such/program: No such file" },
        { "--out /dev/full -- true", "/dev/full: monitor: lines were lost: No space left" },
        { "--out a.csv --rate 3", "unknown option --rate" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        program_refuses(rows[i][1], "worker_monitor", "%s", rows[i][0]);
    program_works("worker_monitor", "--help");
    cr_expect(strstr(program_said, "--interval") && strstr(program_said, "[1]"));
}
