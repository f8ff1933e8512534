/* These tests check the program `forecast` and its functions: forecasts need a checkpoint alone. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "data/dataset.h"
#include "data/formats/h5.h"
#include "data/formats/npy.h"
#include "apps/experiment/experiment.h"
#include "apps/forecast/forecast.h"
#include "tests/kit/leaks.h"
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"
#include "tests/kit/tiny.h"

#define BEST   "results/demo/best.h5"
#define FOLDER "data/pretrained/dcrnn-metr-la/"

static void forecast(const char *arguments)
{
    program_works("forecast", "%s", arguments);
}

/* Makes a run of a few steps, with its checkpoints. */
static void train(void)
{
    program_works("demo", "--sensors 8 --days 7 --hidden 4 --debug True --pictures False "
                          "--baselines False");
}

/* Expects a refusal in one line that contains the text, and that the old output is unchanged. */
static void refuses(const char *arguments, const char *text)
{
    char old[16];
    scratch_file("old.h5", "old", 3);
    program_refuses(text, "forecast", "--output old.h5 %s", arguments);
    scratch_read("old.h5", old, sizeof old);
    cr_assert_str_eq(old, "old");
    cr_assert(access(scratch("old.h5.tmp"), F_OK) != 0);
}

static struct wf_array read_h5(const char *file, const char *name, enum wf_elem elem)
{
    struct wf_h5 *f;
    struct wf_array a;
    struct wf_error err = { 0 };
    cr_assert_eq(wf_h5_open(&f, scratch(file), &err), WF_OK, "%s", err.message);
    cr_assert_eq(wf_h5_read(f, name, elem, &a, &err), WF_OK, "%s", err.message);
    wf_h5_close(f);
    return a;
}

static double difference(const struct wf_array *a, const struct wf_array *b)
{
    double most = 0;
    cr_assert_eq(a->count, b->count);
    cr_assert_gt(a->count, 0);
    for (ptrdiff_t i = 0; i < a->count; i++) {
        cr_assert(isfinite(a->f32[i]) && isfinite(b->f32[i]));
        most = fmax(most, fabs((double)a->f32[i] - (double)b->f32[i]));
    }
    return most;
}

Test(forecast, the_last_window_of_a_series_is_forecast)
{
    train();
    forecast("--checkpoint " BEST " --output a.h5 --count 3");
    struct wf_array a = read_h5("a.h5", "forecast", WF_F32);
    struct wf_array t = read_h5("a.h5", "times", WF_I64);
    cr_expect(a.ndim == 4 && a.dim[0] == 3 && a.dim[1] == 12 && a.dim[2] == 8 && a.dim[3] == 1);
    cr_assert(t.ndim == 2 && t.dim[0] == 3 && t.dim[1] == 12);
    /* The data have seven days from a Monday; after the last row, 23:55, comes the eighth day. */
    cr_expect_eq(t.i64[2 * 12] % 86400, 0);
    for (int i = 1; i < 12; i++) cr_expect_eq(t.i64[2 * 12 + i] - t.i64[2 * 12 + i - 1], 300);
    cr_expect_eq(t.i64[0], t.i64[2 * 12] - 600);
    cr_expect_eq(access(scratch("results/demo/.writable"), F_OK), -1);
    wf_array_free(&a);
    wf_array_free(&t);
}

/* Returns what the trainer forecasts with its own windows and scaler. */
static void trainers_forecast(const char *best, const char *data, int start, wf_real *pred)
{
    struct wf_experiment x = { 0 };
    char *model, *config, path[3][WF_CONFIG_TEXT];
    struct wf_error err = { 0 };
    snprintf(path[0], sizeof path[0], "%s", scratch(best));
    snprintf(path[1], sizeof path[1], "%s", scratch(data));
    snprintf(path[2], sizeof path[2], "%s", scratch("again"));
    cr_assert_eq(wf_checkpoint_read_config(path[0], &model, &config, &err), WF_OK);
    cr_assert_eq(wf_experiment_init(&x, config, &err), WF_OK, "%s", err.message);
    strcpy(x.source.data, path[1]);
    strcpy(x.cfg.out, path[2]);
    FILE *log = fopen("/dev/null", "w");
    cr_assert_eq(wf_experiment_open(&x, log, &err), WF_OK, "%s", err.message);
    struct wf_checkpoint c = { .params = &x.params };
    cr_assert_eq(wf_checkpoint_load(path[0], &c, &err), WF_OK, "%s", err.message);
    cr_assert_eq(wf_trainer_predict(&x.trainer, &start, 1, pred, &err), WF_OK, "%s", err.message);
    fclose(log);
    wf_experiment_free(&x);
    wf_free(model);
    wf_free(config);
}

Test(forecast, a_forecast_is_the_trainers)
{
    static wf_real pred[12 * 8];
    train();
    forecast("--checkpoint " BEST " --output a.h5 --at 1511");
    struct wf_array a = read_h5("a.h5", "forecast", WF_F32);
    trainers_forecast(BEST, "results/demo/road.h5", 1500, pred);
    cr_assert_eq(a.count, 12 * 8);
    for (int i = 0; i < 12 * 8; i++) /* values are in mph, and a double build rounds differently */
        cr_expect_float_eq((double)a.f32[i], (double)pred[i], 1e-3);
    wf_array_free(&a);
    expect_no_leaks();
}

/* Rows that do not exist yet have no graph, and the forecast needs none. */
Test(forecast, of_a_graph_that_changes_reads_that_of_the_rows_seen)
{
    static wf_real pred[4 * TINY_NODES];
    tiny_snapshots("s.json");
    program_works("chickenpox", "--data s.json --model lrgcn --hidden 4 -e 1 --pictures False");
    forecast("--checkpoint results/chickenpox/best.h5 --output a.h5 --at 40 --count 2");
    struct wf_array a = read_h5("a.h5", "forecast", WF_F32);
    trainers_forecast("results/chickenpox/best.h5", "s.json", 37, pred);
    cr_assert_eq(a.count, 2 * 4 * TINY_NODES);
    for (int i = 0; i < 4 * TINY_NODES; i++)
        cr_expect_float_eq((double)a.f32[4 * TINY_NODES + i], (double)pred[i], 1e-3);
    wf_array_free(&a);
    forecast("--checkpoint results/chickenpox/best.h5 --output a.h5");
    expect_no_leaks();
}

/* Writes the first rows of the demo's series as a data set of their own. */
static void cut_series(int64_t rows)
{
    struct wf_dataset ds;
    struct wf_error err = { 0 };
    struct wf_dataset_source src = wf_dataset_defaults();
    snprintf(src.data, sizeof src.data, "%s", scratch("results/demo/road.h5"));
    cr_assert_eq(wf_dataset_load(&ds, wf_backend_cpu(), &src, &err), WF_OK, "%s", err.message);
    int64_t all = ds.series.E;
    cr_assert_lt(rows, all);
    ds.series.E = rows;
    cr_assert_eq(wf_dataset_write(scratch("cut.h5"), &ds, &err), WF_OK, "%s", err.message);
    ds.series.E = all;
    wf_dataset_free(&ds);
}

/* If the scaler were fitted to the shorter file, or the future were seen, the two would differ. */
Test(forecast, depends_on_nothing_but_the_rows_seen_and_the_checkpoint)
{
    train();
    cut_series(500);
    forecast("--checkpoint " BEST " --output a.h5 --at 499 --count 70");
    forecast("--checkpoint " BEST " --output b.h5 --at last --count 70 --data cut.h5");
    struct wf_array a = read_h5("a.h5", "forecast", WF_F32);
    struct wf_array b = read_h5("b.h5", "forecast", WF_F32);
    cr_expect_eq(difference(&a, &b), 0);
    struct wf_array s = read_h5("a.h5", "times", WF_I64), t = read_h5("b.h5", "times", WF_I64);
    cr_expect_eq(s.count, 70 * 12);
    cr_expect_eq(memcmp(s.i64, t.i64, (size_t)s.count * sizeof *s.i64), 0);
    forecast("--checkpoint " BEST " --output c.h5 --at 498");
    struct wf_array c = read_h5("c.h5", "forecast", WF_F32);
    struct wf_array last = { .count = c.count, .f32 = a.f32 + a.count - c.count };
    cr_expect_gt(difference(&last, &c), 0, "one row earlier gives the same forecast");
    struct wf_array *each[] = { &a, &b, &c, &s, &t };
    for (int i = 0; i < 5; i++) wf_array_free(each[i]);
}

Test(forecast, csv_has_a_row_for_each_step_and_the_picture_its_numbers)
{
    static char text[16384];
    train();
    forecast("--checkpoint " BEST " --output a.csv --count 2 --pictures True");
    scratch_read("a.csv", text, sizeof text);
    cr_expect(strncmp(text, "window,time,horizon,0,1,2,3,4,5,6,7\n0,2024-01-07 23:55:00,1,", 58) ==
                  0,
              "%s", text);
    int lines = 0;
    for (const char *p = text; *p; p++) lines += *p == '\n';
    cr_expect_eq(lines, 1 + 2 * 12);
    scratch_read("a/forecast.csv", text, sizeof text);
    lines = 0;
    for (const char *p = text; *p; p++) lines += *p == '\n';
    cr_expect_eq(lines, 1 + 12 + 12, "%s", text);
    cr_expect(strstr(text, "last value held"));
}

Test(forecast, bad_input_is_refused_in_one_line)
{
    static char bytes[1 << 16];
    train();
    refuses("", "want either --checkpoint or --weights");
    refuses("--checkpoint no.h5", "no.h5: No such file");
    refuses("--checkpoint results/demo/road.h5", "road.h5");
    refuses("--checkpoint " BEST " --at soon", "--at soon: want a row");
    refuses("--checkpoint " BEST " --at 10", "1 windows of 12 rows that end at row 10");
    refuses("--checkpoint " BEST " --at 2016", "has rows 0 to 2015");
    refuses("--checkpoint " BEST " --count 9999", "9999 windows");
    refuses("--checkpoint " BEST " --output a.txt", "a.txt: cannot write this kind");
    refuses("--checkpoint " BEST " --output /no/such/a.h5", "/no/such/a.h5: cannot create");
    refuses("--checkpoint " BEST " --output /no/such/a.csv", "/no/such/a.csv");
    refuses("--checkpoint " BEST " --data no.h5", "no.h5: No such file");
    scratch_file("bad.csv", "1,2\n3,x\n", 8);
    refuses("--checkpoint " BEST " --data bad.csv", "bad.csv");
    scratch_file("adj.csv", "1,0\n0,1\n", 8);
    refuses("--checkpoint " BEST " --adjacency adj.csv", "is 2 x 2, series");
    refuses("--weights w.npz", "--weights wants --windows");
    refuses("--weights w.npz --windows no.npz", "no.npz: No such file");
    refuses("--weights w.npz --windows bad.csv", "bad.csv");
    size_t size = scratch_read(BEST, bytes, sizeof bytes);
    cr_assert(size > 0 && size < sizeof bytes - 1);
    for (size_t n = 0; n < size; n += size / 5) {
        scratch_file("cut.h5", bytes, n);
        refuses("--checkpoint cut.h5", "cut.h5");
    }
}

/* Runs the program on the published weights; reads its two differences in the file's order. */
static void published(const char *options, double upstream, double correct)
{
    char arguments[3000], path[3][700];
    double far[2] = { NAN, NAN };
    const char *const file[3] = { FOLDER "models_run1_epo45_weights.npz",
                                  FOLDER "reference_models_run1_epo45_week1.npz",
                                  "data/metr-la-week/adj_mx_metr-la.pkl" };
    for (int i = 0; i < 3; i++)
        cr_assert(realpath(shared(file[i]), path[i]), "%s", shared(file[i]));
    snprintf(arguments, sizeof arguments,
             "--weights %s --windows %s --output p.h5 --count 4 %s%s %s", path[0], path[1],
             options ? "--adjacency " : "", options ? path[2] : "", options ? options : "");
    forecast(arguments);
    const char *said = program_said;
    cr_expect(strstr(said, "MAE at 15 min: ") && strstr(said, "MAE at 60 min: "), "%s", said);
    const char *at = strstr(said, "pred_mph_upstream_supports: largest difference ");
    cr_assert(at && sscanf(at, "%*s largest difference %lf", &far[0]) == 1, "%s", said);
    at = strstr(said, "pred_mph_correct_supports: largest difference ");
    cr_assert(at && sscanf(at, "%*s largest difference %lf", &far[1]) == 1, "%s", said);
    cr_expect((far[0] < 0.01) == (upstream < 0.01) && (far[1] < 0.01) == (correct < 0.01), "%s",
              said);
    struct wf_array a = read_h5("p.h5", "forecast", WF_F32);
    cr_expect(a.ndim == 4 && a.dim[0] == 4 && a.dim[1] == 12 && a.dim[2] == 207);
    wf_array_free(&a);
}

Test(forecast, published_weights_forecast_as_published)
{
    NEED_SHARED();
    published(NULL, 0, 1);
    published("", 1, 0);
    published("--compat dcrnn-reversed", 0, 1);
    published("--compat none", 1, 1);
}

Test(forecast, files_that_do_not_fit_published_weights_are_refused)
{
    NEED_SHARED();
    char weights[700], windows[700], text[2400];
    cr_assert(realpath(shared(FOLDER "models_run1_epo45_weights.npz"), weights));
    cr_assert(realpath(shared(FOLDER "reference_models_run1_epo45_week1.npz"), windows));
    snprintf(text, sizeof text, "--weights %s --windows %s", windows, windows);
    refuses(text, "projection_layer.weight");
    snprintf(text, sizeof text, "--weights %s --windows %s", weights, weights);
    refuses(text, "x_scaled");
    snprintf(text, sizeof text, "--weights %s --windows %s --supports %s", weights, windows,
             weights);
    refuses(text, "support0");
    snprintf(text, sizeof text, "--weights %s --windows %s --pictures True", weights, windows);
    refuses(text, "--pictures wants --checkpoint");
    char bay[700];
    cr_assert(realpath(shared("data/pems-bay-74/adj_mx_pems-bay.pkl"), bay));
    snprintf(text, sizeof text, "--weights %s --windows %s --adjacency %s", weights, windows, bay);
    refuses(text, "a graph of 74 nodes, the windows have 207");
}

Test(forecast, without_memory_nothing_is_left_behind)
{
    struct wf_forecast f;
    struct wf_error err = { 0 };
    char path[3][512];
    train();
    snprintf(path[0], sizeof path[0], "%s", scratch(BEST));
    snprintf(path[1], sizeof path[1], "%s", scratch("results/demo/road.h5"));
    snprintf(path[2], sizeof path[2], "%s", scratch("f.csv"));
    struct wf_forecast_request r = { .checkpoint = path[0], .data = path[1], .at = -1, .count = 1 };
    EACH_ALLOCATION_FAILS(err, wf_forecast_checkpoint(&f, &r, &err), wf_forecast_free(&f));
    cr_assert_eq(wf_forecast_checkpoint(&f, &r, &err), WF_OK, "%s", err.message);
    EACH_ALLOCATION_FAILS(err, wf_forecast_write(path[2], &f, &err), (void)0);
    wf_forecast_free(&f);
    expect_no_leaks();
}
