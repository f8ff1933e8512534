/* These tests check what an experiment leaves behind: text files, the monitor's lines, the history
 * of epochs, and tables. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data/formats/csv.h"
#include "data/file.h"
#include "apps/kit/monitor.h"
#include "apps/pictures/plot.h"
#include "apps/experiment/report.h"
#include "apps/kit/text.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

static void expect_text(const char *path, const char *want)
{
    struct wf_error err = { 0 };
    char *got;
    size_t size;
    ok(wf_file_read(path, &got, &size, &err));
    cr_expect_str_eq(got, want);
    wf_free(got);
}

static struct wf_csv read_csv(const char *path)
{
    struct wf_error err = { 0 };
    struct wf_csv csv = { 0 };
    ok(wf_csv_read(path, WF_CSV_YES, &csv, &err));
    return csv;
}

/* ---- text ---- */

Test(report, a_text_file_replaces_the_old_one_only_when_it_is_whole)
{
    struct wf_error err = { 0 };
    struct wf_text t;
    const char *path = scratch_file("a.txt", "old", 3);
    ok(wf_text_open(&t, path, &err));
    fputs("new", t.f);
    expect_text(path, "old");
    wf_text_drop(&t);
    expect_text(path, "old");
    ok(wf_text_open(&t, path, &err));
    fputs("new", t.f);
    ok(wf_text_close(&t, &err));
    expect_text(path, "new");
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit small = { 2, 2 };
    ok(wf_text_open(&t, path, &err));
    fputs("newer", t.f);
    setrlimit(RLIMIT_FSIZE, &small);
    fails(wf_text_close(&t, &err), WF_EIO, "a.txt: File too large");
    expect_text(path, "new");
    cr_assert_eq(scratch_count(), 1, "nothing temporary stays");
    fails(wf_text_open(&t, scratch("no/a.txt"), &err), WF_EIO, "no/a.txt");
    EACH_ALLOCATION_FAILS(err, wf_text_open(&t, path, &err), wf_text_drop(&t));
    expect_no_leaks();
}

Test(report, fields_are_quoted_where_they_have_to_be)
{
    struct wf_error err = { 0 };
    struct wf_text t;
    ok(wf_text_open(&t, scratch("f"), &err));
    wf_text_field(t.f, "plain 1");
    wf_text_field(t.f, "a,b");
    wf_text_field(t.f, "a \"b\"");
    wf_text_number(t.f, -NAN);
    wf_text_number(t.f, 2.5);
    ok(wf_text_close(&t, &err));
    expect_text(scratch("f"), "plain 1\"a,b\"\"a \"\"b\"\"\"nan2.5");
    char *path = wf_text_path("x", "y", ".z");
    cr_assert_str_eq(path, "x/y.z");
    wf_free(path);
    expect_no_leaks();
}

/* ---- monitor ---- */

enum { COLUMNS = 6 }; /* without the date */

static bool seven(void *ctx, double *used, double *total)
{
    *used = 7 + *(int *)ctx;
    *total = 80;
    return true;
}

Test(report, the_monitor_writes_at_once_and_when_it_stops)
{
    struct wf_error err = { 0 };
    int half = 1;
    const char *path = scratch("system_stats.csv");
    struct wf_monitor m = { .every_s = 1000, .gpu = seven, .ctx = &half };
    ok(wf_monitor_start(&m, path, &err));
    struct wf_csv csv = read_csv(path); /* a killed program would leave the same */
    cr_assert_eq(csv.rows, 1);
    cr_assert_str_eq(csv.names.name[0], "time_s");
    cr_assert(csv.times_ns != NULL);
    cr_assert(csv.values[0] >= 0 && csv.values[1] > 1 && csv.values[3] == 8);
    cr_assert(csv.values[2] > csv.values[1] && csv.values[4] == 80);
    wf_csv_free(&csv);
    fails(wf_monitor_start(&m, path, &err), WF_EINVAL, "runs already");
    ok(wf_monitor_stop(&m, &err));
    ok(wf_monitor_stop(&m, &err));
    csv = read_csv(path);
    cr_assert_eq(csv.rows, 2);
    cr_assert_eq(csv.cols, COLUMNS);
    cr_assert_geq(csv.values[COLUMNS], csv.values[0]);
    cr_assert_float_eq(m.max_system_mb, fmax(csv.values[1], csv.values[COLUMNS + 1]), 0.006);
    cr_assert_eq(m.max_gpu_mb, 8);
    cr_assert_eq(m.gpu_total_mb, 80);
    cr_assert_float_eq(m.system_mb, csv.values[2], 0.006);
    wf_csv_free(&csv);
    expect_no_leaks();
}

Test(report, the_monitor_sees_memory_and_work_in_between)
{
    enum { MB = 64 };
    struct wf_error err = { 0 };
    const char *path = scratch("system_stats.csv");
    struct wf_monitor m = { .every_s = 0.02 };
    ok(wf_monitor_start(&m, path, &err));
    double first = m.max_system_mb, spent = 0;
    char *block = malloc((size_t)MB << 20);
    for (int i = 0; i < 4; i++) memset(block, 1 + i, (size_t)MB << 20);
    for (int i = 0; i < 10000000; i++) spent += sqrt(i + block[i]);
    usleep(100000);
    free(block);
    ok(wf_monitor_stop(&m, &err));
    cr_assert_gt(m.max_system_mb, first + MB - 4);
    cr_assert_gt(spent, 0);
    struct wf_csv csv = read_csv(path);
    cr_assert_gt(csv.rows, 4);
    cr_assert_gt(csv.values[COLUMNS * (csv.rows - 1)], 0.1);
    double busy = 0;
    for (ptrdiff_t i = 1; i < csv.rows; i++) {
        cr_assert_geq(csv.values[COLUMNS * i], csv.values[COLUMNS * (i - 1)]);
        busy = fmax(busy, csv.values[COLUMNS * i + 5]);
    }
    cr_assert_gt(busy, 10);
    cr_assert_eq(csv.values[3], 0, "no GPU");
    wf_csv_free(&csv);
}

Test(report, the_monitor_goes_on_after_the_whole_lines_of_an_earlier_run)
{
    static const char earlier[] =
        "Timestamp,time_s,System_Memory_Used,System_Memory_Total,GPU_Memory_Used,GPU_Memory_Total,"
        "cpu_percent\n2026-11-29 10:00:00,0.000,10.00,20.0,9.00,80.00,0.0\n"
        "2026-11-29 10:00:05,5.000,123456.00,20.0,0.00,80.00,0.0\n2026-11-29 10:00:06,6.0,12";
    struct wf_error err = { 0 };
    const char *path = scratch_file("system_stats.csv", earlier, sizeof earlier - 1);
    struct wf_monitor m = { .every_s = 1000, .append = true };
    ok(wf_monitor_start(&m, path, &err));
    ok(wf_monitor_stop(&m, &err));
    cr_assert_eq(m.max_system_mb, 123456);
    cr_assert_eq(m.max_gpu_mb, 9);
    struct wf_csv csv = read_csv(path);
    cr_assert_eq(csv.rows, 4);
    double clock = csv.values[2 * COLUMNS];
    cr_assert(clock >= 5 && clock < 6, "the clock goes on: %g", clock);
    wf_csv_free(&csv);
    m = (struct wf_monitor){ .every_s = 1000, .append = true };
    ok(wf_monitor_start(&m, scratch("fresh.csv"), &err));
    ok(wf_monitor_stop(&m, &err));
    EACH_ALLOCATION_FAILS(err, wf_monitor_start(&m, path, &err), wf_monitor_stop(&m, &err));
    csv = read_csv(scratch("fresh.csv"));
    cr_assert_eq(csv.rows, 2);
    wf_csv_free(&csv);
    expect_no_leaks();
}

Test(report, the_monitor_says_what_it_cannot_do)
{
    struct wf_error err = { 0 };
    struct wf_monitor m = { .every_s = -1 };
    fails(wf_monitor_start(&m, scratch("s.csv"), &err), WF_EINVAL, "-1 s");
    m.every_s = 0;
    fails(wf_monitor_start(&m, scratch("no/s.csv"), &err), WF_EIO, "no/s.csv");
    m.append = true;
    static const char other[] = "epoch,runtime,t_mae,v_mae\n0,1,2,3\n4,5,6,7\n";
    fails(wf_monitor_start(&m, scratch_file("s.csv", other, sizeof other - 1), &err), WF_EFORMAT,
          "s.csv: does not begin with Timestamp,time_s,");
    expect_text(scratch("s.csv"), other);
    m.append = false;
    ok(wf_monitor_start(&m, "/dev/full", &err));
    fails(wf_monitor_stop(&m, &err), WF_EIO, "No space left");
    expect_no_leaks();
}

/* ---- epochs ---- */

#define EPOCHS "epoch,runtime,t_mae,v_mae,pgt_v_mae\n"

Test(report, epochs_are_kept_on_resume_and_those_done_again_replaced)
{
    struct wf_error err = { 0 };
    struct wf_history h;
    const char *path = scratch("per_epoch_stats.csv");
    ok(wf_history_open(&h, path, true, &err));
    for (int e = 0; e < 4; e++) {
        struct wf_epoch_stats row = { e, 1.5, 4 - e, e ? 5 - e : NAN, 6 };
        ok(wf_history_add(&h, &row, &err));
        cr_assert_eq(h.count, e + 1);
    }
    expect_text(path, EPOCHS "1,1.5,4,nan,6\n2,1.5,3,4,6\n3,1.5,2,3,6\n4,1.5,1,2,6\n");
    wf_history_free(&h);
    ok(wf_history_open(&h, path, true, &err));
    cr_assert_eq(h.count, 4);
    const struct wf_epoch_stats again = { 2, 9, 0.5, 1e-7, 3 };
    ok(wf_history_add(&h, &again, &err));
    expect_text(path, EPOCHS "1,1.5,4,nan,6\n2,1.5,3,4,6\n3,9,0.5,1e-07,3\n");
    wf_history_free(&h);
    EACH_ALLOCATION_FAILS(err, wf_history_open(&h, path, true, &err), wf_history_free(&h));
    ok(wf_history_open(&h, path, false, &err));
    ok(wf_history_add(&h, &again, &err));
    expect_text(path, EPOCHS "3,9,0.5,1e-07,3\n");
    wf_history_free(&h);
    cr_assert_eq(scratch_count(), 1);
    expect_no_leaks();
}

static const struct {
    const char *text, *says;
} bad_histories[] = {
    { "epoch,runtime\n1,1\n", "2 columns, expected 5" },
    { EPOCHS "0,1,1,1,1\n", "row 1: epoch 0, expected one after 0" },
    { EPOCHS "1,1,1,1,1\n1,1,1,1,1\n", "row 2: epoch 1, expected one after 1" },
    { EPOCHS "1.5,1,1,1,1\n", "row 1: epoch 1.5" },
    { EPOCHS ",1,1,1,1\n", "row 1: epoch nan" },
    { EPOCHS "1,x,1,1,1\n", "per_epoch" },
};

Test(report, a_damaged_history_is_refused)
{
    struct wf_error err = { 0 };
    struct wf_history h;
    for (size_t i = 0; i < sizeof bad_histories / sizeof *bad_histories; i++) {
        const char *text = bad_histories[i].text;
        const char *path = scratch_file("per_epoch_stats.csv", text, strlen(text));
        fails(wf_history_open(&h, path, true, &err), WF_EFORMAT, bad_histories[i].says);
        cr_assert(strstr(err.message, "per_epoch_stats.csv"), "%s", err.message);
    }
    const struct wf_epoch_stats row = { 0, 1, 2, 3, 4 };
    ok(wf_history_open(&h, scratch("no/per_epoch_stats.csv"), false, &err));
    fails(wf_history_add(&h, &row, &err), WF_EIO, "no/per_epoch_stats.csv");
    wf_history_free(&h);
    expect_no_leaks();
}

/* ---- test errors ---- */

/* The errors are `scale` and 2 `scale` at two horizons, on targets of 10; the third has none. */
static struct wf_metrics errors_of(double scale)
{
    struct wf_error err = { 0 };
    struct wf_metrics m;
    const wf_real target[3] = { 10, 10, (wf_real)NAN };
    const wf_real pred[3] = { (wf_real)(10 + scale), (wf_real)(10 - 2 * scale), 0 };
    ok(wf_metrics_init(&m, 3, &err));
    wf_metrics_add(&m, pred, target, 1, 1, 1);
    return m;
}

static const int steps[] = { 1, 3, 0 };

Test(report, horizons_are_named_by_the_clock)
{
    static const struct {
        int step, interval_s;
        const char *label;
    } rows[] = { { 3, 300, "15 min" }, { 12, 300, "60 min" },  { 36, 300, "3 h" },
                 { 2, 3600, "2 h" },   { 25, 300, "125 min" }, { 1, 604800, "step 1" },
                 { 4, 0, "step 4" },   { 7, 10, "step 7" },    { 0, 300, "mean" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[32];
        wf_horizon_label(text, sizeof text, rows[i].step, rows[i].interval_s);
        cr_expect_str_eq(text, rows[i].label);
    }
}

Test(report, the_table_is_aligned)
{
    struct wf_error err = { 0 };
    struct wf_metrics a = errors_of(0.5), b = errors_of(4);
    const struct wf_scored models[] = { { "DCRNN", &a }, { "moyenne passée", &b } };
    struct wf_horizons h = { 3, steps, 300 };
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    ok(wf_report_print(f, models, 2, &h, &err));
    fclose(f);
    cr_expect_str_eq(
        text,
        "                                 5 min             15 min                    mean\n"
        "                    MAE   RMSE    MAPE    MAE  RMSE  MAPE      MAE   RMSE    MAPE\n"
        "DCRNN             0.500  0.500   5.00%      -     -     -    0.750  0.791   7.50%\n"
        "moyenne passée    4.000  4.000  40.00%      -     -     -    6.000  6.325  60.00%\n");
    free(text);
    wf_metrics_free(&a);
    wf_metrics_free(&b);
    expect_no_leaks();
}

Test(report, the_table_is_there_for_programs_and_for_documents)
{
    struct wf_error err = { 0 };
    struct wf_metrics a = errors_of(0.5), b = errors_of(0.004);
    const struct wf_scored models[] = { { "a, b", &a }, { "tiny", &b } };
    struct wf_horizons h = { 2, steps + 1, 604800 };
    ok(wf_report_csv(scratch("metrics.csv"), models, 2, &h, &err));
    h = (struct wf_horizons){ 2, steps, 604800 };
    ok(wf_report_markdown(scratch("metrics.md"), models, 1, &h, &err));
    expect_text(scratch("metrics.md"),
                "| model | MAE step 1 | RMSE step 1 | MAPE step 1 | MAE step 3 | RMSE step 3 | "
                "MAPE step 3 |\n|---|---:|---:|---:|---:|---:|---:|\n"
                "| a, b | 0.500 | 0.500 | 5.00% | - | - | - |\n");
    char want[400];
    snprintf(
        want, sizeof want,
        "model,horizon,step,mae,rmse,mape\n\"a, b\",step 3,3,nan,nan,nan\n"
        "\"a, b\",mean,0,0.75,%.9g,7.5\ntiny,step 3,3,nan,nan,nan\ntiny,mean,0,%.9g,%.9g,%.9g\n",
        sqrt(0.625), wf_metrics_mae(&b, -1), wf_metrics_rmse(&b, -1), wf_metrics_mape(&b, -1));
    expect_text(scratch("metrics.csv"), want);
    wf_metrics_free(&a);
    wf_metrics_free(&b);
    expect_no_leaks();
}

Test(report, the_summary_is_one_row)
{
    struct wf_error err = { 0 };
    struct wf_metrics a = errors_of(0.5);
    const struct wf_summary r = { .preprocessing_s = 1.5,
                                  .training_s = 100,
                                  .total_s = 101.5,
                                  .best_t_mae = 2.5,
                                  .best_v_mae = 2.75,
                                  .best_pgt_v_mae = 3.25,
                                  .system_mb = 1024,
                                  .max_system_mb = 512.25,
                                  .model = "DCRNN",
                                  .dataset = "METR-LA",
                                  .mode = "index",
                                  .synthetic = true,
                                  .nodes = 207,
                                  .windows = 34249,
                                  .parameters = 372353,
                                  .steps = 3750,
                                  .test = &a };
    struct wf_horizons h = { 3, steps, 300 };
    ok(wf_summary_write(scratch("stats.csv"), &r, &h, &err));
    char want[600];
    snprintf(
        want, sizeof want,
        "preprocessing,training,total,t_mae,v_mae,pgt_v_mae,system_memory_total,max_system_mem,"
        "gpu_memory_total,max_gpu_mem,model,dataset,synthetic,mode,nodes,windows,parameters,steps,"
        "mae_5min,rmse_5min,mape_5min,mae_15min,rmse_15min,mape_15min,mae_mean,rmse_mean,mape_mean"
        "\n1.5,100,101.5,2.5,2.75,3.25,1024,512.25,0,0,DCRNN,METR-LA,True,index,207,34249,372353,"
        "3750,0.5,0.5,5,nan,nan,nan,0.75,%.9g,7.5\n",
        sqrt(0.625));
    expect_text(scratch("stats.csv"), want);
    wf_metrics_free(&a);
    expect_no_leaks();
}

Test(report, horizons_that_were_not_forecast_are_refused)
{
    struct wf_error err = { 0 };
    struct wf_metrics a = errors_of(1);
    const struct wf_scored model = { "DCRNN", &a };
    const struct wf_summary r = { .model = "DCRNN", .dataset = "d", .mode = "m", .test = &a };
    const int bad[] = { 4, -1 };
    for (int i = 0; i < 2; i++) {
        const struct wf_horizons h = { 1, bad + i, 300 };
        const char *word = i ? "DCRNN: step -1, expected 0 to 3" : "DCRNN: step 4";
        fails(wf_report_print(stdout, &model, 1, &h, &err), WF_EINVAL, word);
        fails(wf_report_csv(scratch("x"), &model, 1, &h, &err), WF_EINVAL, word);
        fails(wf_report_markdown(scratch("x"), &model, 1, &h, &err), WF_EINVAL, word);
        fails(wf_summary_write(scratch("x"), &r, &h, &err), WF_EINVAL, word);
    }
    cr_assert_eq(scratch_count(), 0);
    const struct wf_horizons h = { 1, steps, 300 };
    fails(wf_report_csv(scratch("no/x"), &model, 1, &h, &err), WF_EIO, "no/x");
    fails(wf_report_markdown(scratch("no/x"), &model, 1, &h, &err), WF_EIO, "no/x");
    fails(wf_summary_write(scratch("no/x"), &r, &h, &err), WF_EIO, "no/x");
    wf_metrics_free(&a);
    expect_no_leaks();
}
