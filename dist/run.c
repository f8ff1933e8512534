/* run.c - the main() that the experiment apps share. */
#include <string.h>
#include "dist/experiment.h"
#include "dist/monitor.h"
#include "dist/progress.h"
#include "dist/report.h"
#include "dist/results.h"

static const struct wf_alias aliases[] = { { "m", "mode" },        { "g", "gpu" },
                                           { "d", "debug" },       { "e", "epochs" },
                                           { "bs", "batch-size" }, { "np", "npar" },
                                           { NULL, NULL } };

/* The value of --name in argv before the tables are known: the model decides which options there
 * are, a preset which values they start from. */
static const char *early_option(int argc, char **argv, const char *name)
{
    size_t n = strlen(name);
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i] + strspn(argv[i], "-");
        if (argv[i][0] != '-' || strncmp(a, name, n) != 0) continue;
        if (a[n] == '=') return a + n + 1;
        if (a[n] == 0 && i + 1 < argc) return argv[i + 1];
    }
    return NULL;
}

static void usage(const struct wf_config *tables, int n, const char *program, const char *about)
{
    printf("%s - %s\n\nUsage: %s --data FILE [--adjacency FILE] [options]\n"
           "       %s --preset NAME --data FILE [options]\n\nShort: -m mode, -g gpu, -d debug, "
           "-e epochs, -bs batch-size, -np npar.\nPresets:",
           program, about, program, program);
#define PRESET(name, text) printf(" %s", name);
#include "dist/presets.def"
#undef PRESET
    printf("\n");
    wf_config_help(tables, n, stdout);
}

/* The app's preset, then --preset, then --model. */
static enum wf_status start(struct wf_experiment *x, int argc, char **argv, const char *preset,
                            struct wf_error *err)
{
    char lines[2048];
    const char *name = early_option(argc, argv, "preset"), *more = name ? wf_preset_text(name) : "";
    const char *model = early_option(argc, argv, "model");
    if (!more)
        return wf_fail(err, WF_EINVAL, "--preset %s: no such preset; --help lists them", name);
    snprintf(lines, sizeof lines, "%s%s%s%s%s", preset, more, model ? "model=" : "",
             model ? model : "", model ? "\n" : "");
    return wf_experiment_init(x, lines, err);
}

/* What run() opens beside the experiment, in the order it is closed. */
struct watch {
    struct wf_experiment *x;
    struct wf_monitor monitor;
    struct wf_history history;
    struct wf_error failed; /* of a row that could not be written */
};

static void on_epoch(void *ctx, const struct wf_epoch_stats *row)
{
    struct watch *w = ctx;
    wf_history_add(&w->history, row, &w->failed);
}

static enum wf_status summarise(struct watch *w, const struct wf_results *r, const double clock[3],
                                struct wf_error *err)
{
    const struct wf_experiment *x = w->x;
    char path[WF_CONFIG_TEXT + 32];
    struct wf_summary sum = { .model = x->model.type->name,
                              .dataset = x->data.name,
                              .mode = x->cfg.mode == WF_MODE_BASE ? "base" : "index",
                              .nodes = x->data.series.N,
                              .windows = x->windows.count,
                              .parameters = wf_params_size(&x->params),
                              .preprocessing_s = clock[1] - clock[0],
                              .training_s = clock[2] - clock[1],
                              .total_s = wf_now() - clock[0],
                              .best_v_mae = x->trainer.state.best,
                              .max_system_mb = w->monitor.max_system_mb,
                              .test = &r->metrics[0] };
    snprintf(path, sizeof path, "%s/stats.csv", x->cfg.out);
    return wf_summary_write(path, &sum, &r->horizons, err);
}

/* Train, test, report; the monitor runs. */
static enum wf_status work(struct watch *w, const double started, struct wf_error *err)
{
    struct wf_experiment *x = w->x;
    struct wf_results r;
    double clock[3] = { started, wf_now(), 0 };
    x->trainer.epoch_done = on_epoch;
    x->trainer.ctx = w;
    WF_TRY(wf_trainer_run(&x->trainer, err));
    if (w->failed.status != WF_OK) return wf_fail(err, w->failed.status, "%s", w->failed.message);
    clock[2] = wf_now();
    WF_TRY(wf_results_make(&r, x, err));
    enum wf_status s = wf_results_write(&r, x, &w->history, stdout, err);
    struct wf_error late = { 0 };
    enum wf_status stopped = wf_monitor_stop(&w->monitor, &late);
    if (s == WF_OK && stopped != WF_OK) s = wf_fail(err, stopped, "%s", late.message);
    if (s == WF_OK) s = summarise(w, &r, clock, err);
    wf_results_free(&r);
    return s;
}

static enum wf_status run(struct wf_experiment *x, struct wf_error *err)
{
    struct watch w = { .x = x, .monitor = { .append = x->train.resume } };
    char path[WF_CONFIG_TEXT + 32];
    double started = wf_now();
    WF_TRY(wf_make_folder(x->cfg.out, err));
    snprintf(path, sizeof path, "%s/system_stats.csv", x->cfg.out);
    WF_TRY(wf_monitor_start(&w.monitor, path, err));
    enum wf_status s = wf_experiment_open(x, stdout, err);
    snprintf(path, sizeof path, "%s/per_epoch_stats.csv", x->cfg.out);
    if (s == WF_OK) s = wf_history_open(&w.history, path, x->train.resume, err);
    if (s == WF_OK) s = work(&w, started, err);
    wf_monitor_stop(&w.monitor, NULL);
    wf_history_free(&w.history);
    return s;
}

int wf_experiment_main(int argc, char **argv, const struct wf_app *app)
{
    struct wf_experiment x = { 0 };
    struct wf_config tables[WF_EXPERIMENT_TABLES + 1];
    struct wf_cli cli = { .aliases = aliases };
    struct wf_error err = { 0 };
    int n = WF_EXPERIMENT_TABLES;
    enum wf_status s = start(&x, argc, argv, app->preset, &err);
    memcpy(tables, x.tables, sizeof x.tables);
    if (app->extra) tables[n++] = *app->extra;
    if (s == WF_OK) s = wf_cli_parse(argc, argv, tables, n, &cli, &err);
    if (s == WF_OK && cli.positionals)
        s = wf_fail(&err, WF_EINVAL, "'%s': want options only", cli.positional[0]);
    if (s == WF_OK && cli.help) {
        usage(tables, n, argv[0], app->about);
    } else if (s == WF_OK) {
        wf_cli_catch_signals();
        wf_config_print(tables, n, stdout);
        if (app->prepare) s = app->prepare(app->extra->at, stdout, &err);
        if (s == WF_OK) s = run(&x, &err);
    }
    wf_experiment_free(&x);
    return s == WF_OK ? 0 : wf_cli_fail(argv[0], &err);
}
