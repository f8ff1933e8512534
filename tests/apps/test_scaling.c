/* These tests compare the model of scaling with sums by hand, and check its pictures. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "data/file.h"
#include "apps/pictures/plot.h"
#include "apps/scaling/scaling.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"

#define near(a, b) expect_near(a, b, #a)
#define FILES      WEFT_SOURCE_DIR "/apps/scaling/"

static void expect_near(double a, double b, const char *what)
{
    cr_expect(fabs(a - b) <= 1e-12 * fabs(b), "%s is %.15g, want %.15g", what, a, b);
}

/* There are two ranks per node and round numbers. A window is 4 steps of 5 bytes. */
static struct wf_scaling small(void)
{
    struct wf_scaling s = wf_scaling_defaults();
    s.ranks_per_node = s.units_per_node = 2;
    s.latency = 0.5, s.bandwidth = 100, s.node_latency = 0.25, s.node_bandwidth = 200;
    s.fetch_latency = 0.125, s.upload_bandwidth = 400, s.copy_bandwidth = 50;
    s.file_bandwidth = 10, s.file_cap = 15, s.start = 2, s.start_rank = 1, s.contention = 0.5;
    s.rows = 24, s.T = 2, s.Q = 2, s.nodes = 1, s.channels = 1, s.value_bytes = 5;
    s.windows = 10, s.valid_windows = 4, s.batch = 2, s.epochs = 3, s.buckets = 2;
    s.step = 1, s.valid_step = 0.5, s.fixed_share = 0.2, s.epoch_fixed = 7;
    s.gradient_bytes = 80, s.file_bytes = 240;
    return s;
}

Test(scaling, an_all_reduce_takes_the_quicker_way)
{
    struct wf_scaling s = small();
    near(wf_scaling_allreduce(&s, 80, 1), 0);
    near(wf_scaling_allreduce(&s, 80, 2), 0.25 + 80 / 200.0); /* all bytes are exchanged once */
    /* Halves are exchanged in the nodes, there and back; between them is one exchange of all. */
    near(wf_scaling_allreduce(&s, 80, 4), 2 * (0.25 + 40 / 200.0) + (0.5 + 80 / 100.0));
    /* Three nodes form a ring of thirds: recursive doubling would need three exchanges of all. */
    near(wf_scaling_allreduce(&s, 80, 6), 2 * (0.25 + 40 / 200.0) + 4 * (0.5 + 80 / 300.0));
    /* For few bytes only latency counts: a tree in the nodes, recursive doubling between them. */
    s.ranks_per_node = 4;
    near(wf_scaling_allreduce(&s, 0, 4), 2 * 0.25);
    near(wf_scaling_allreduce(&s, 0, 16), 4 * 0.25 + 2 * 0.5);
    near(wf_scaling_allreduce(&s, 0, 12), 4 * 0.25 + 3 * 0.5);
    /* Many bytes take a ring, which sends 2 (P - 1) / P of them. */
    near(wf_scaling_allreduce(&s, 1e9, 4), 6 * (0.25 + 0.25e9 / 200));
}

Test(scaling, the_series_on_every_rank)
{
    struct wf_scaling s = small();
    struct wf_scaling_cost c = wf_scaling_predict(&s, WF_SCALING_INDEX, 1);
    cr_expect(c.nodes == 1 && c.steps == 5);
    near(c.compute_s, (0.2 * 5 + 0.8 * 5) + 0.5 * (0.2 * 2 + 0.8 * 2));
    near(c.epoch_s, 13);
    near(c.efficiency, 1);
    c = wf_scaling_predict(&s, WF_SCALING_INDEX, 4);
    cr_expect(c.nodes == 2 && c.steps == 2); /* 3 windows in two steps, 1 to validate on */
    near(c.compute_s, 1.5 * ((0.2 * 2 + 0.8 * 1.5) + 0.5 * (0.2 + 0.8 * 0.5)));
    near(c.reduce_s, 2 * 2 * (2 * (0.25 + 20 / 200.0) + (0.5 + 40 / 100.0)));
    near(c.data_s, 0);
    near(c.epoch_s, 2.85 + 6.4 + 7);
    near(c.once_s, 2 + 4 + 4 * 240 / 15.0); /* together the ranks reach the cap */
    near(c.total_s, 70 + 3 * 16.25);
    near(c.efficiency, 13 / (4 * 16.25));
    near(c.data_bytes, 24 * 5);
    s.shared_copy = true;
    c = wf_scaling_predict(&s, WF_SCALING_INDEX, 4);
    near(c.data_bytes, 12 * 5);
    near(c.once_s, 2 + 4 + 4 * 120 / 15.0);
}

Test(scaling, a_part_of_the_series_has_its_halo)
{
    struct wf_scaling s = small();
    struct wf_scaling_cost c = wf_scaling_predict(&s, WF_SCALING_PARTITIONED, 4);
    near(c.epoch_s, 16.25);
    /* There are 3 windows to train, 1 to validate and 2 to test on, each part with 3 rows more. */
    near(c.data_bytes, (3 + 3 + 1 + 3 + 2 + 3) * 5);
    near(c.once_s, 2 + 4 + 4 * 150 / 15.0);
    near(wf_scaling_predict(&s, WF_SCALING_PARTITIONED, 1).data_bytes, 24 * 5);
}

Test(scaling, materialised_windows_travel)
{
    struct wf_scaling s = small();
    struct wf_scaling_cost c = wf_scaling_predict(&s, WF_SCALING_DDP, 4);
    /* Of 3 windows 0.75 come from the other rank of the node, 1.5 from the other node, through
     * links that both ranks use; an answer takes two latencies in each of two steps. */
    double train = 2 * 2 * 0.5 + 2.25 * 0.125 + 20 * (0.75 / 200 + 1.5 * 2 / 100) + 60 / 400.0;
    double valid = 2 * 0.5 + 0.75 * 0.125 + 20 * (0.25 / 200 + 0.5 * 2 / 100) + 20 / 400.0;
    near(c.data_s, train + valid);
    near(c.epoch_s, 16.25 + 4.475);
    near(c.data_bytes, 6 * 20); /* counts 21 windows */
    near(c.once_s, 2 + 4 + 24 + 120 / 50.0);
    c = wf_scaling_predict(&s, WF_SCALING_DDP_BATCH, 4);
    near(c.data_s, (60 + 20) / 400.0);
    near(c.data_bytes, (3 + 1 + 2) * 20);
    near(c.once_s, 2 + 4 + 40 + 120 / 50.0);
    s.upload_bandwidth = 0;
    near(wf_scaling_predict(&s, WF_SCALING_DDP_BATCH, 4).data_s, 0);
    near(wf_scaling_predict(&s, WF_SCALING_DDP, 1).data_s, 0);
    /* On one node a window comes from its other rank. */
    near(wf_scaling_predict(&s, WF_SCALING_DDP, 2).data_s,
         3 * 2 * 0.25 + 2.5 * 0.125 + 20 * 2.5 / 200 + (1 * 2 * 0.25 + 0.125 + 0.1));
}

Test(scaling, ranks_that_share_a_unit_take_turns)
{
    struct wf_scaling s = small();
    s.ranks_per_node = 8;
    near(wf_scaling_predict(&s, WF_SCALING_INDEX, 2).compute_s,
         1.5 * ((0.2 * 3 + 0.8 * 2.5) + 0.5 * (0.2 + 0.8)));
    near(wf_scaling_predict(&s, WF_SCALING_INDEX, 4).compute_s, 2 * 2.85);
    s.units_per_node = 1;
    near(wf_scaling_predict(&s, WF_SCALING_INDEX, 4).compute_s, 4 * 1.9);
}

static const char *const shipped[] = { FILES "a100-slingshot.txt", FILES "two-cores.txt" };

static struct wf_scaling from_file(int i)
{
    struct wf_error err = { 0 };
    struct wf_scaling s = wf_scaling_defaults();
    ok(wf_scaling_read(&s, shipped[i], &err));
    ok(wf_scaling_check(&s, &err));
    return s;
}

Test(scaling, more_ranks_compute_less_and_send_more)
{
    for (int f = 0; f < 2; f++) {
        struct wf_scaling s = from_file(f), fast = s;
        fast.bandwidth *= 2, fast.node_bandwidth *= 2, fast.latency /= 2, fast.node_latency /= 2;
        for (int P = 1; P <= 1024; P *= 2) {
            struct wf_scaling_cost c[WF_SCALING_PLACEMENTS], more;
            for (int p = 0; p < WF_SCALING_PLACEMENTS; p++) {
                c[p] = wf_scaling_predict(&s, (enum wf_scaling_placement)p, P);
                more = wf_scaling_predict(&s, (enum wf_scaling_placement)p, 2 * P);
                cr_expect_leq(more.steps, c[p].steps);
                cr_expect_leq(more.compute_s, c[p].compute_s * 1.11, "%d ranks", P);
                cr_expect_leq(more.data_bytes, c[p].data_bytes);
                cr_expect(c[p].efficiency > 0 && c[p].efficiency <= 1 + 1e-12);
                cr_expect_leq(wf_scaling_predict(&fast, (enum wf_scaling_placement)p, P).epoch_s,
                              c[p].epoch_s);
            }
            cr_expect_geq(wf_scaling_allreduce(&s, s.gradient_bytes, 2 * P),
                          wf_scaling_allreduce(&s, s.gradient_bytes, P));
            cr_expect_geq(c[WF_SCALING_DDP].epoch_s, c[WF_SCALING_DDP_BATCH].epoch_s);
            cr_expect_geq(c[WF_SCALING_DDP_BATCH].epoch_s, c[WF_SCALING_INDEX].epoch_s);
            cr_expect_eq(c[WF_SCALING_INDEX].epoch_s, c[WF_SCALING_PARTITIONED].epoch_s);
        }
    }
}

Test(scaling, the_windows_of_pems_are_as_large_as_published)
{
    struct wf_scaling s = from_file(0);
    const double GiB = 1 << 30;
    s.value_bytes = 8;
    double all = wf_scaling_predict(&s, WF_SCALING_DDP, 1).data_bytes / GiB;
    double series = wf_scaling_predict(&s, WF_SCALING_INDEX, 128).data_bytes / GiB;
    cr_expect(fabs(all - 419.46) < 0.01 && fabs(series - 17.48) < 0.01, "%g, %g", all, series);
}

/* ---- parameter files ---- */

static const struct {
    const char *text, *says;
    enum wf_status status;
} bad[] = {
    { "speed=3\n", "bad.txt: unknown option --speed", WF_EINVAL },
    { "step=fast\n", "bad.txt: --step fast: want a number", WF_EINVAL },
    { "latency=-1\n", "--latency -1: want a number from 0", WF_EINVAL },
    { "bandwidth=inf\n", "--bandwidth inf", WF_EINVAL },
    { "batch-size=1.5\n", "--batch-size 1.5: want an integer", WF_EINVAL },
    { "# a comment\n\nstep 3\n", "bad.txt: configuration line 'step 3': want name=value",
      WF_EFORMAT },
};

Test(scaling, bad_parameter_files_are_refused)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct wf_scaling s = small();
        struct wf_error err = { 0 };
        const char *path = scratch_file("bad.txt", bad[i].text, strlen(bad[i].text));
        fails(wf_scaling_read(&s, path, &err), bad[i].status, bad[i].says);
    }
    struct wf_scaling s = small();
    struct wf_error err = { 0 };
    fails(wf_scaling_read(&s, scratch_file("nul.txt", "step=2\0\n", 8), &err), WF_EFORMAT, "NUL");
    fails(wf_scaling_read(&s, scratch("none.txt"), &err), WF_EIO, "none.txt: No such file");
    EACH_ALLOCATION_FAILS(err, wf_scaling_read(&s, shipped[0], &err), (void)0);
    expect_no_leaks();
}

Test(scaling, numbers_that_nobody_set_are_named)
{
    struct wf_error err = { 0 };
    struct wf_scaling s = wf_scaling_defaults();
    fails(wf_scaling_check(&s, &err), WF_EINVAL, "ranks-per-node is 0: want");
    s = small();
    ok(wf_scaling_check(&s, &err));
    s.step = 0;
    fails(wf_scaling_check(&s, &err), WF_EINVAL, "step is 0: want");
    s = small();
    s.latency = NAN;
    fails(wf_scaling_check(&s, &err), WF_EINVAL, "latency is nan: want");
    s = small();
    s.windows = 18;
    fails(wf_scaling_check(&s, &err), WF_EINVAL,
          "18 windows to train on and 4 to validate on: 24 "
          "rows give 21");
    s.rows = 2;
    fails(wf_scaling_check(&s, &err), WF_EINVAL, "2 rows give 0");
}

/* ---- measured epochs ---- */

#define HEAD "ranks,placement,epoch_s\n"

Test(scaling, measured_epochs_are_compared)
{
    struct wf_error err = { 0 };
    struct wf_scaling s = small();
    struct wf_scaling_marks m;
    static const char text[] = HEAD "1,index,12.5\r\n\n4,partitioned,20\n4,ddp-batch, 16";
    const char *path = scratch_file("m.csv", text, sizeof text - 1);
    ok(wf_scaling_marks_read(&m, path, &err));
    cr_assert_eq(m.count, 3);
    cr_expect(m.at[1].ranks == 4 && m.at[1].placement == WF_SCALING_PARTITIONED &&
              m.at[1].epoch_s == 20);
    char *said = NULL;
    size_t size;
    FILE *f = open_memstream(&said, &size);
    wf_scaling_compare(f, &s, &m);
    fclose(f);
    cr_expect_str_eq(said, " ranks  placement      measured s   predicted s     error\n"
                           "     1  index                12.5            13     +4.0%\n"
                           "     4  partitioned            20         16.25    -18.8%\n"
                           "     4  ddp-batch              16         16.45     +2.8%\n"
                           "largest error 18.8%\n");
    free(said);
    wf_free(m.at);
    EACH_ALLOCATION_FAILS(err, wf_scaling_marks_read(&m, path, &err), wf_free(m.at));
    expect_no_leaks();
}

Test(scaling, bad_measurements_are_refused)
{
    static const char *const rows[][2] = {
        { "1,index,3\n", "m.csv: begins with '1,index,3', want ranks,placement,epoch_s" },
        { HEAD, "m.csv: holds no measured epoch" },
        { HEAD "1,index\n", "m.csv: line 2: '1,index': want ranks" },
        { HEAD "1,index,2\n2,middle,3\n", "line 3: placement 'middle': want ddp, index" },
        { HEAD "0,index,3\n", "line 2: '0,index,3'" },
        { HEAD "1,index,0\n", "line 2: '1,index,0'" },
        { HEAD "1,index,nan\n", "line 2" },
        { HEAD "1,index,3,4\n", "line 2" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wf_error err = { 0 };
        struct wf_scaling_marks m;
        const char *path = scratch_file("m.csv", rows[i][0], strlen(rows[i][0]));
        fails(wf_scaling_marks_read(&m, path, &err), WF_EFORMAT, rows[i][1]);
        cr_expect(m.count == 0 && !m.at);
    }
    struct wf_error err = { 0 };
    struct wf_scaling_marks m;
    fails(wf_scaling_marks_read(&m, scratch("none.csv"), &err), WF_EIO, "none.csv");
    expect_no_leaks();
}

/* ---- what is written ---- */

static char *read_text(const char *path)
{
    struct wf_error err = { 0 };
    char *text;
    size_t size;
    ok(wf_file_read(path, &text, &size, &err));
    return text;
}

static void expect_in_file(const char *name, const char *part)
{
    char *text = read_text(scratch(name));
    cr_expect(strstr(text, part), "%s: want '%s' in: %s", name, part, text);
    wf_free(text);
}

Test(scaling, tables_are_written_for_programs_and_for_documents)
{
    struct wf_error err = { 0 };
    struct wf_scaling s = small();
    const struct wf_ints ranks = { 2, { 1, 4 } };
    struct wf_scaling_mark mark = { 4, WF_SCALING_DDP, 21.5 };
    const struct wf_scaling_marks m = { 1, &mark };
    snprintf(s.title, sizeof s.title, "by hand");
    setenv("PATH", "/nonexistent", 1); /* without gnuplot everything but the pictures is written */
    ok(wf_scaling_write(scratch("."), &s, &ranks, &m, NULL, &err));
    expect_in_file("scaling.csv",
                   "\n4,2,ddp,2,2.85,6.4,4.475,20.725,32.4,94.575,0.15681544,0.000114440918\n");
    expect_in_file("scaling.md", "# by hand\n\nPredicted seconds of an epoch:\n\n| ranks | nodes | "
                                 "steps | ddp | index | partitioned | ddp-batch | ddp / index |\n");
    expect_in_file("scaling.md", "\n| 4 | 2 | 2 | 20.73 | 16.25 | 16.25 | 16.45 | 1.28 |\n");
    expect_in_file("scaling_epoch.csv",
                   "ranks,ddp,index,partitioned,ddp-batch,ideal,ddp measured,index measured,"
                   "partitioned measured,ddp-batch measured\n");
    expect_in_file("scaling_epoch.csv", "\n4,20.725,16.25,16.25,16.45,3.25,nan,nan,nan,nan\n"
                                        "4,nan,nan,nan,nan,nan,21.5,nan,nan,nan\n");
    expect_in_file("scaling_total.csv", "\n4,1.57625,1.97916667,1.57916667,1.62916667,");
    EACH_ALLOCATION_FAILS(err, wf_scaling_write(scratch("."), &s, &ranks, &m, NULL, &err), (void)0);
    fails(wf_scaling_write(scratch("no"), &s, &ranks, &m, NULL, &err), WF_EIO, "no/scaling.csv");
    expect_no_leaks();
}

static const double at[] = { 1, 2, 4 }, value[] = { 8, 4, 2, 8, 5, 3 }, ideal[] = { 8, 4, 2 };
static const char *const lines[] = { "it's {a}_b", "b" };

static struct wf_plot_scaling plot_of(const struct wf_plot_mark *mark)
{
    return (struct wf_plot_scaling){ "scaling", "t", "epoch", "s",   2, 3,
                                     lines,     at,  value,   ideal, 1, mark };
}

Test(scaling, the_picture_is_drawn)
{
    if (system("command -v gnuplot >/dev/null") != 0) cr_skip_test("no gnuplot");
    struct wf_error err = { 0 };
    struct wf_plots plots;
    const struct wf_plot_mark mark = { 1, 2, 5.5 };
    struct wf_plot_scaling p = plot_of(&mark);
    ok(wf_plots_init(&plots, scratch("."), stderr, &err));
    ok(wf_plot_scaling(&plots, &p, &err));
    wf_plots_free(&plots);
    cr_expect_eq(access(scratch("scaling.svg"), R_OK), 0);
    char *png = read_text(scratch("scaling.png"));
    cr_expect_eq(memcmp(png, "\x89PNG", 4), 0);
    wf_free(png);
    expect_in_file("scaling.svg", "it's {a}_b");
    expect_in_file("scaling.svg", "b, measured");
    expect_no_leaks();
}

Test(scaling, a_picture_without_lines_or_with_stray_marks_is_refused)
{
    struct wf_error err = { 0 };
    struct wf_plots plots;
    struct wf_plot_mark mark = { 2, 2, 5.5 };
    struct wf_plot_scaling p = plot_of(&mark);
    ok(wf_plots_init(&plots, scratch("."), NULL, &err));
    fails(wf_plot_scaling(&plots, &p, &err), WF_EINVAL, "a mark at line 2 of 2");
    mark.line = 0;
    p.lines = 7;
    fails(wf_plot_scaling(&plots, &p, &err), WF_EINVAL, "7 lines of 3 points, expected 1 to 6");
    p.lines = 2, p.points = 0;
    fails(wf_plot_scaling(&plots, &p, &err), WF_EINVAL, "2 lines of 0 points");
    wf_plots_free(&plots);
    expect_no_leaks();
}

/* ---- the program ---- */

Test(scaling, the_program_takes_files_then_options)
{
    char out[512], measured[512];
    snprintf(out, sizeof out, "%s", scratch("out"));
    snprintf(measured, sizeof measured, "%s",
             scratch_file("m.csv", HEAD "2,index,600\n", strlen(HEAD) + 12));
    setenv("PATH", "/nonexistent", 1); /* skips the slow pictures, since there is no gnuplot */
    program_works("scaling_model", "'%s' --ranks 1,2 --step 1.5 --out '%s' --measured '%s'",
                  shipped[1], out, measured);
    cr_expect(strstr(program_said, "# PEMS-BAY") && strstr(program_said, "| 2 | 1 | 285 |"), "%s",
              program_said);
    /* The result is 1.1 x (1.5 x 18233 / 64 + 0.7 x 2605 / 64) and little else. */
    cr_expect(strstr(program_said, "2  index                 600         501.5    -16.4%"), "%s",
              program_said);
    cr_expect_eq(access(scratch("out/scaling.csv"), R_OK), 0);
    cr_expect_eq(access(scratch("out/scaling_total.gp"), R_OK), 0);
    char command[600];
    snprintf(command, sizeof command, "/bin/rm -r '%s'", out);
    cr_expect_eq(system(command), 0);
    program_works("scaling_model", "--help");
    cr_expect(strstr(program_said, "takes for granted") && strstr(program_said, "--node-latency"));
}

Test(scaling, the_program_refuses_in_one_line)
{
    const char *a100 = shipped[0], *name = "scaling_model";
    program_refuses("ranks-per-node is 0", name, "--out '%s'", scratch("out"));
    program_refuses("none.txt: No such file", name, "none.txt");
    program_refuses("--ranks 0: want", name, "'%s' --ranks 0", a100);
    program_refuses("--ranks: want at least one", name, "'%s' --ranks ''", a100);
    program_refuses("none.csv: No such file", name, "'%s' --measured none.csv", a100);
    program_refuses("/proc/weft", name, "'%s' --out /proc/weft", a100);
    program_refuses("unknown option --speed", name, "'%s' --speed 3", a100);
}
