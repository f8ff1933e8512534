/* These tests check that each plot is drawn whole, or refused with a message that says why. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data/file.h"
#include "apps/pictures/plot.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

#define NEED_GNUPLOT()                                                                             \
    do {                                                                                           \
        if (system("command -v gnuplot >/dev/null") != 0) cr_skip_test("no gnuplot");              \
    } while (0)

enum { S = 2, D = 24 };
static wf_real truth[S * D], near[S * D], far[S * D];

/* The file has two sensors over a day of hours; one true value is missing. */
static struct wf_plot_forecast day(void)
{
    static const char *const names[] = { "it's {a}_b, \"c\"", "Szolnok" };
    for (int i = 0; i < S * D; i++) {
        truth[i] = (wf_real)(60 + i % 7);
        near[i] = truth[i] + 1;
        far[i] = truth[i] - 2;
    }
    truth[3] = (wf_real)NAN;
    return (struct wf_plot_forecast){ .title = "one day",
                                      .quantity = "speed",
                                      .units = "mph",
                                      .sensors = S,
                                      .steps = D,
                                      .names = names,
                                      .truth = truth,
                                      .near = near,
                                      .far = far,
                                      .near_name = "1 h ahead",
                                      .far_name = "3 h ahead",
                                      .t0_s = 1339977600,
                                      .interval_s = 3600 };
}

static const double mae[] = { 1, 2, 3, 4, NAN, 6 };
static const char *const models[] = { "DCRNN", "persistence" };
static const struct wf_plot_errors errors = { "errors", NULL, 2, 3, 604800, models, mae };
static const double train[] = { 3, 2, 1 }, valid[] = { 3, 2.5, 2.75 };
static const struct wf_plot_training training = { "training", "mph", 3, train, valid };

static struct wf_plots open_plots(FILE *log)
{
    struct wf_error err = { 0 };
    struct wf_plots p;
    ok(wf_plots_init(&p, scratch("."), log, &err));
    return p;
}

static char *read_text(const char *name, size_t *size)
{
    struct wf_error err = { 0 };
    char *text;
    ok(wf_file_read(scratch(name), &text, size, &err));
    return text;
}

static bool contains(const char *name, const char *word)
{
    size_t size;
    char *text = read_text(name, &size);
    bool found = strstr(text, word) != NULL;
    wf_free(text);
    return found;
}

static void expect_pictures(const char *name)
{
    char file[64];
    size_t size;
    snprintf(file, sizeof file, "%s.png", name);
    char *png = read_text(file, &size);
    cr_expect(size > 5000 && memcmp(png, "\x89PNG", 4) == 0, "%s", file);
    cr_expect(memcmp(png + size - 8, "IEND", 4) == 0, "%s is whole", file);
    wf_free(png);
    snprintf(file, sizeof file, "%s.svg", name);
    cr_expect(contains(file, "</svg>"), "%s is whole", file);
}

Test(plot, every_picture_is_drawn_and_nothing_else_stays)
{
    NEED_GNUPLOT();
    struct wf_error err = { 0 };
    struct wf_plot_forecast f = day();
    struct wf_plots p = open_plots(stderr);
    ok(wf_plot_forecast(&p, &f, &err));
    ok(wf_plot_space_time(&p, &f, &err));
    ok(wf_plot_errors(&p, &errors, &err));
    ok(wf_plot_training(&p, &training, &err));
    expect_pictures("forecast");
    expect_pictures("space_time");
    expect_pictures("error_by_horizon");
    expect_pictures("training_curve");
    cr_expect_eq(scratch_count(), 16, "png, svg, csv and gp of each");
    cr_expect(contains("forecast.svg", "it&apos;s {a}_b, &quot;c&quot;") ||
                  contains("forecast.svg", "it's {a}_b, \"c\""),
              "names are shown as they are");
    cr_expect(contains("forecast.svg", "time of day, 2012-06-18"));
    cr_expect(contains("forecast.svg", "MAE 1.00 and 2.00 mph"));
    cr_expect(contains("training_curve.svg", "best 2.5"));
    cr_expect(contains("error_by_horizon.svg", "forecast horizon (steps)"));
    wf_plots_free(&p);
    expect_no_leaks();
}

Test(plot, data_files_hold_the_numbers)
{
    struct wf_error err = { 0 };
    struct wf_plot_forecast f = day();
    struct wf_plots p = open_plots(NULL);
    p.missing = true;
    ok(wf_plot_forecast(&p, &f, &err));
    ok(wf_plot_errors(&p, &errors, &err));
    ok(wf_plot_training(&p, &training, &err));
    cr_expect(contains("forecast.csv", "hour,\"it's {a}_b, \"\"c\"\" truth\","));
    cr_expect(contains("forecast.csv", "\n3,nan,64,61,"));
    cr_expect(contains("error_by_horizon.csv", "step,DCRNN,persistence\n1,1,4\n2,2,nan\n3,3,6\n"));
    cr_expect(contains("training_curve.csv", "epoch,train_loss,valid_mae\n1,3,3\n2,2,2.5\n"));
    EACH_ALLOCATION_FAILS(err, wf_plot_space_time(&p, &f, &err), (void)0);
    cr_expect_eq(scratch_count(), 8);
    wf_plots_free(&p);
    expect_no_leaks();
}

Test(plot, nothing_to_see_is_still_a_picture)
{
    NEED_GNUPLOT();
    struct wf_error err = { 0 };
    struct wf_plot_forecast f = day();
    struct wf_plots p = open_plots(stderr);
    for (int i = 0; i < S * D; i++) truth[i] = near[i] = far[i] = (wf_real)NAN;
    f.interval_s = 0;
    const double none[] = { NAN, NAN };
    const struct wf_plot_errors e = { "e", "mph", 1, 2, 300, models, none };
    const struct wf_plot_training t = { "t", NULL, 2, none, none };
    ok(wf_plot_forecast(&p, &f, &err));
    ok(wf_plot_space_time(&p, &f, &err));
    ok(wf_plot_errors(&p, &e, &err));
    ok(wf_plot_training(&p, &t, &err));
    expect_pictures("forecast");
    expect_pictures("space_time");
    expect_pictures("error_by_horizon");
    expect_pictures("training_curve");
    wf_plots_free(&p);
}

Test(plot, text_is_never_taken_for_commands)
{
    NEED_GNUPLOT();
    struct wf_error err = { 0 };
    char title[400];
    snprintf(title, sizeof title, "a'.system('touch %s').'`touch %s`\nsystem \"touch %s\"",
             scratch("x"), scratch("x"), scratch("x"));
    struct wf_plots p = open_plots(stderr);
    struct wf_plot_training t = training;
    t.title = t.units = title;
    ok(wf_plot_training(&p, &t, &err));
    expect_pictures("training_curve");
    cr_assert_eq(scratch_count(), 4);
    wf_plots_free(&p);
}

Test(plot, without_gnuplot_one_line_says_so_and_the_data_stay)
{
    struct wf_error err = { 0 };
    char *text = NULL;
    size_t size;
    FILE *log = open_memstream(&text, &size);
    setenv("PATH", scratch("nowhere"), 1);
    struct wf_plots p = open_plots(log);
    ok(wf_plot_errors(&p, &errors, &err));
    ok(wf_plot_training(&p, &training, &err));
    fclose(log);
    cr_assert(strstr(text, "pictures are skipped") && strstr(text, "apt-get install gnuplot"));
    cr_assert_eq(strchr(text, '\n'), text + size - 1, "one line: %s", text);
    cr_assert_eq(scratch_count(), 4, "csv and gp of two");
    free(text);
    wf_plots_free(&p);
    expect_no_leaks();
}

Test(plot, a_gnuplot_that_fails_leaves_the_old_picture)
{
    static const char broken[] = "#!/bin/sh\necho half > training_curve.png.tmp\n"
                                 "echo no pngcairo >&2\nexit 1\n";
    struct wf_error err = { 0 };
    scratch_file("training_curve.png", "old", 3);
    chmod(scratch_file("gnuplot", broken, sizeof broken - 1), 0755);
    setenv("PATH", scratch("."), 1);
    struct wf_plots p = open_plots(stderr);
    fails(wf_plot_training(&p, &training, &err), WF_EIO,
          "training_curve.gp: gnuplot failed, its reason is in training_curve.log");
    cr_assert(contains("training_curve.png", "old"));
    cr_assert(contains("training_curve.log", "no pngcairo"));
    cr_assert_eq(scratch_count(), 5, "gnuplot, png, csv, gp, log");
    wf_plots_free(&p);
    expect_no_leaks();
}

Test(plot, what_cannot_be_drawn_is_refused)
{
    struct wf_error err = { 0 };
    struct wf_plots p = open_plots(stderr);
    struct wf_plot_forecast f = day();
    f.sensors = 7;
    fails(wf_plot_forecast(&p, &f, &err), WF_EINVAL, "7 sensors of 24 steps, expected 1 to 6");
    f.sensors = 0;
    fails(wf_plot_space_time(&p, &f, &err), WF_EINVAL, "0 sensors");
    f = day();
    f.steps = 1;
    fails(wf_plot_forecast(&p, &f, &err), WF_EINVAL, "of 1 steps");
    struct wf_plot_errors e = errors;
    e.models = 8;
    fails(wf_plot_errors(&p, &e, &err), WF_EINVAL, "8 models over 3 steps");
    struct wf_plot_training t = training;
    t.epochs = 0;
    fails(wf_plot_training(&p, &t, &err), WF_EINVAL, "no epoch");
    cr_assert_eq(scratch_count(), 0);
    wf_plots_free(&p);
    scratch_file("file", "", 0);
    fails(wf_plots_init(&p, scratch("file"), NULL, &err), WF_EIO, "file: not a folder");
    fails(wf_plots_init(&p, scratch("no/plots"), NULL, &err), WF_EIO, "no/plots");
    EACH_ALLOCATION_FAILS(err, wf_plots_init(&p, scratch("plots"), NULL, &err), wf_plots_free(&p));
    expect_no_leaks();
}
