/* run.c - the main() that the experiment programs share. */
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "data/file.h"
#include "apps/experiment/experiment.h"
#include "apps/kit/monitor.h"
#include "apps/kit/machine.h"
#include "apps/experiment/plan.h"
#include "dist/clock.h"
#include "apps/experiment/report.h"
#include "apps/experiment/results.h"
#include "tensor/alloc.h"

static const struct wf_alias aliases[] = { { "m", "mode" },        { "g", "gpu" },
                                           { "d", "debug" },       { "e", "epochs" },
                                           { "bs", "batch-size" }, { "np", "npar" },
                                           { NULL, NULL } };

/* Returns the value of --name in argv; NULL: it is not given. Some are needed before the tables are
 * known: the model decides which options there are, a preset which values they start from. */
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
    printf(
        "%s - %s\n\nUsage: %s --dataset NAME [options]\n"
        "       %s --data FILE [--adjacency FILE] [options]\n\nShort: -m mode, -g gpu, -d debug, "
        "-e epochs, -bs batch-size, -np npar.\nPresets:",
        program, about, program, program);
#define PRESET(name, text) printf(" %s", name);
#include "apps/experiment/presets.def"
#undef PRESET
    printf("\nModels:\n");
    for (int i = 0; wf_model_types()[i]; i++)
        printf("  %-14s %s\n", wf_model_types()[i]->name, wf_model_types()[i]->about);
    wf_config_help(tables, n, stdout);
}

/* A text of settings that grows as they are added; wf_free(text). */
struct lines {
    char *text; /* NULL: none so far */
    size_t length;
};

static const char *text_of(const struct lines *l)
{
    return l->text ? l->text : "";
}

static enum wf_status add_text(struct lines *to, struct wf_error *err, const char *fmt, ...)
    WF_PRINTF(3, 4);
static enum wf_status add_text(struct lines *to, struct wf_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int more = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    size_t length = to->length + (size_t)(more > 0 ? more : 0);
    char *text = wf_realloc(to->text, length + 1);
    if (!text || more < 0) return wf_fail(err, WF_ENOMEM, "no memory for the settings");
    va_start(ap, fmt);
    vsnprintf(text + to->length, length + 1 - to->length, fmt, ap);
    va_end(ap);
    *to = (struct lines){ text, length };
    return WF_OK;
}

/* Appends settings, but for those that set options of the model `but`; NULL: all of them. */
static enum wf_status add_lines(struct lines *to, const char *lines,
                                const struct wf_model_type *but, struct wf_error *err)
{
    struct wf_setting s;
    while (wf_setting_next(&lines, &s)) {
        bool skip = false;
        for (const struct wf_field *f = but ? but->fields : NULL; f && f->name; f++)
            skip |= wf_setting_sets(&s, f->name);
        if (!skip) WF_TRY(add_text(to, err, "%.*s\n", (int)s.line_length, s.name));
    }
    return WF_OK;
}

/* As add_lines. Where `model` is another one than the settings name, what they say of their own
 * model's options is left out. model NULL: none is given; "": one that is not known here. */
static enum wf_status add_preset(struct lines *to, const char *lines, const char *model,
                                 struct wf_error *err)
{
    const struct wf_model_type *type = NULL;
    struct wf_setting s;
    char name[WF_CONFIG_TEXT];
    if (model && wf_setting_find(lines, "model", &s)) {
        WF_TRY(wf_setting_copy(&s, name, sizeof name, err));
        if (strcmp(name, model) != 0) type = wf_model_find(name);
    }
    return add_lines(to, lines, type, err);
}

/* Appends the settings of the data set that the option names, or else the lines. An option also
 * clears what they say of another data set's files. */
static enum wf_status add_dataset(struct lines *to, const char *option, struct wf_error *err)
{
    const struct wf_catalog_entry *c;
    struct wf_setting s;
    char name[WF_CONFIG_TEXT] = "";
    if (option)
        WF_TRY(
            add_text(to, err, "dataset=%s\ndata=\nkey=\nadjacency=\nquantity=\nunits=\n", option));
    else if (wf_setting_find(text_of(to), "dataset", &s))
        WF_TRY(wf_setting_copy(&s, name, sizeof name, err));
    if (!option) option = name;
    if (!option[0]) return WF_OK;
    WF_TRY(wf_catalog_need(&c, option, err));
    return add_lines(to, c->settings, NULL, err);
}

/* Takes, in this order, the program's preset and settings (gathered in `own`), --dataset, --preset
 * and --model. */
static enum wf_status gather(struct lines *all, struct lines *own, int argc, char **argv,
                             const struct wf_app *app, struct wf_error *err)
{
    const char *preset = app->preset ? wf_preset_text(app->preset) : "";
    const char *name = early_option(argc, argv, "preset"), *named = "";
    const char *model = early_option(argc, argv, "model");
    if (name && !(named = wf_preset_text(name)))
        return wf_fail(err, WF_EINVAL, "--preset %s: no such preset; --help lists them", name);
    WF_CHECK(preset);
    WF_TRY(add_lines(own, preset, NULL, err));
    WF_TRY(add_lines(own, app->settings, NULL, err));
    WF_TRY(add_preset(all, text_of(own), model ? model : name ? "" : NULL, err));
    WF_TRY(add_dataset(all, early_option(argc, argv, "dataset"), err));
    WF_TRY(add_preset(all, named, model, err));
    return model ? add_text(all, err, "model=%s\n", model) : WF_OK;
}

static enum wf_status start(struct wf_experiment *x, int argc, char **argv,
                            const struct wf_app *app, struct wf_error *err)
{
    struct lines all = { 0 }, own = { 0 };
    enum wf_status s = gather(&all, &own, argc, argv, app, err);
    if (s == WF_OK) s = wf_experiment_init(x, text_of(&all), err);
    wf_free(all.text);
    wf_free(own.text);
    return s;
}

/* What run() keeps beside the experiment. */
struct watch {
    struct wf_experiment *x;
    struct wf_machine *node; /* tells the memory of the first GPU */
    struct wf_monitor monitor;
    struct wf_history history;
    struct wf_error failed; /* why a row of the history could not be written */
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
    const int *count = x->place.all.count;
    const struct wf_monitor *m = &w->monitor;
    char path[WF_CONFIG_TEXT + 32];
    double peak = wf_file_kib("/proc/self/status", "VmHWM") /
                  1024; /* MiB; catches what the monitor's lines miss */
    struct wf_summary sum = { .preprocessing_s = clock[1] - clock[0],
                              .training_s = clock[2] - clock[1],
                              .total_s = clock[2] - clock[0],
                              .best_t_mae = NAN,
                              .best_v_mae = x->trainer.state.best,
                              .best_pgt_v_mae = NAN,
                              .system_mb = m->system_mb,
                              .max_system_mb = fmax(m->max_system_mb, peak),
                              .gpu_mb = m->gpu_total_mb,
                              .max_gpu_mb = m->max_gpu_mb,
                              .model = x->model.type->name,
                              .dataset = x->data.name,
                              .mode = wf_mode_names[x->place.mode],
                              .synthetic = x->data.synthetic,
                              .nodes = x->data.series.N,
                              .windows = (ptrdiff_t)count[0] + count[1] + count[2],
                              .parameters = wf_params_size(&x->params),
                              .steps = x->trainer.state.step,
                              .test = &r->metrics[0] };
    for (int i = 0; i < w->history.count; i++) {
        sum.best_t_mae = fmin(sum.best_t_mae, w->history.rows[i].train_loss);
        sum.best_pgt_v_mae = fmin(sum.best_pgt_v_mae, w->history.rows[i].pgt_valid_mae);
    }
    snprintf(path, sizeof path, "%s/stats.csv", x->cfg.out);
    return wf_summary_write(path, &sum, &r->horizons, err);
}

/* Writes tables and pictures; called on rank 0. */
static enum wf_status write_results(struct watch *w, const struct wf_results *r,
                                    const double clock[3], struct wf_error *err)
{
    enum wf_status s = wf_results_write(r, w->x, &w->history, stdout, err);
    struct wf_error late = { 0 };
    enum wf_status stopped = wf_monitor_stop(&w->monitor, &late);
    if (s == WF_OK && stopped != WF_OK) s = wf_fail(err, stopped, "%s", late.message);
    return s == WF_OK ? summarise(w, r, clock, err) : s;
}

/* Adds to the message of a run that was out of memory which batch fits into what it had. */
static void advise(const struct wf_experiment *x, struct wf_error *err)
{
    struct wf_error none = { 0 };
    struct wf_plan p;
    size_t used = strlen(err->message);
    char *end = err->message + used;
    int B;
    if (wf_plan_make(&p, x, x->train.batch_size, &none) != WF_OK) return;
    p.step = p.forecast = wf_trainer_tape(&x->trainer)->mem.committed;
    if (wf_plan_fit(&B, x, wf_plan_total(&p), &none) != WF_OK || B >= x->train.batch_size) return;
    if (B > 0)
        snprintf(end, sizeof err->message - used, "; --batch-size %d would fit", B);
    else
        snprintf(end, sizeof err->message - used, "; not even one window fits");
}

/* Trains, tests and reports, while the monitor runs. */
static enum wf_status work(struct watch *w, const double started, struct wf_error *err)
{
    struct wf_experiment *x = w->x;
    struct wf_dist *d = x->dist;
    struct wf_results r;
    double clock[3] = { started, wf_now(), 0 };
    if (d->rank == 0) x->trainer.epoch_done = on_epoch;
    x->trainer.ctx = w;
    enum wf_status trained = wf_trainer_run(&x->trainer, err);
    if (trained == WF_ENOMEM) advise(x, err);
    WF_TRY(trained);
    if (w->failed.status != WF_OK) wf_fail(err, w->failed.status, "%s", w->failed.message);
    WF_TRY(wf_dist_agree(d, w->failed.status, err));
    clock[2] = wf_now();
    if (x->cfg.stats)
        WF_TRY(wf_dist_report(d, x->trainer.state.step, clock[2] - clock[1],
                              d->rank == 0 ? stdout : NULL, err));
    WF_TRY(wf_results_make(&r, x, err));
    enum wf_status s = d->rank == 0 ? write_results(w, &r, clock, err) : WF_OK;
    wf_results_free(&r);
    return wf_dist_agree(d, s, err);
}

/* Folder, monitor and history belong to rank 0. */
static enum wf_status open_monitor(struct watch *w, struct wf_error *err)
{
    char path[WF_CONFIG_TEXT + 32];
    struct wf_monitor_source unused;
    WF_TRY(wf_make_folder(w->x->cfg.out, err));
    WF_TRY(wf_machine_open(&w->node, &unused, err));
    w->monitor.gpu = wf_machine_gpu;
    w->monitor.ctx = w->node;
    snprintf(path, sizeof path, "%s/system_stats.csv", w->x->cfg.out);
    return wf_monitor_start(&w->monitor, path, err);
}

static enum wf_status open_history(struct watch *w, struct wf_error *err)
{
    char path[WF_CONFIG_TEXT + 32];
    snprintf(path, sizeof path, "%s/per_epoch_stats.csv", w->x->cfg.out);
    return wf_history_open(&w->history, path, w->x->train.resume, err);
}

static enum wf_status run(struct wf_experiment *x, FILE *log, struct wf_error *err)
{
    struct watch w = { .x = x, .monitor = { .append = x->train.resume } };
    struct wf_dist *d = x->dist;
    struct wf_plan plan;
    double started = wf_now();
    enum wf_status s = wf_dist_agree(d, d->rank ? WF_OK : open_monitor(&w, err), err);
    if (s == WF_OK) s = wf_experiment_open(x, log, err);
    if (s == WF_OK) s = wf_plan_make(&plan, x, x->train.batch_size, err);
    if (s == WF_OK) wf_plan_print(&plan, x, log);
    bool only = s == WF_OK && x->cfg.dry_run;
    if (s == WF_OK && !only) s = wf_dist_agree(d, d->rank ? WF_OK : open_history(&w, err), err);
    if (s == WF_OK && !only) s = work(&w, started, err);
    wf_monitor_stop(&w.monitor, NULL);
    wf_machine_close(w.node);
    wf_history_free(&w.history);
    return s;
}

/* Does everything between joining the other ranks and leaving them. */
static enum wf_status run_ranks(struct wf_experiment *x, int argc, char **argv,
                                const struct wf_app *app, struct wf_error *err)
{
    struct wf_config tables[WF_EXPERIMENT_TABLES + 1];
    struct wf_cli cli = { .aliases = aliases, .words = app->words };
    bool is_root = x->dist->rank == 0;
    int n = WF_EXPERIMENT_TABLES;
    memcpy(tables, x->tables, sizeof x->tables);
    if (app->extra) tables[n++] = *app->extra;
    WF_TRY(wf_cli_parse(argc, argv, tables, n, &cli, err));
    if (cli.positionals)
        return wf_fail(err, WF_EINVAL, "'%s': want options only", cli.positional[0]);
    if (cli.help) {
        if (is_root) usage(tables, n, argv[0], app->about);
        return WF_OK;
    }
    FILE *log = is_root ? stdout : fopen("/dev/null", "w");
    enum wf_status s = log ? WF_OK : wf_fail(err, WF_EIO, "/dev/null: cannot be opened");
    s = wf_dist_agree(x->dist, s, err);
    wf_cli_catch_signals();
    if (s == WF_OK) s = wf_dist_agree(x->dist, wf_experiment_locate(x, err), err);
    if (s == WF_OK) wf_config_print(tables, n, log);
    if (s == WF_OK && app->prepare) {
        s = is_root ? app->prepare(app->extra->at, log, err) : WF_OK;
        s = wf_dist_agree(x->dist, s, err);
    }
    if (s == WF_OK) s = run(x, log, err);
    if (log && !is_root) fclose(log);
    return s;
}

int wf_experiment_main(int argc, char **argv, const struct wf_app *app)
{
    struct wf_experiment x = { 0 };
    struct wf_dist dist;
    struct wf_error err = { 0 };
    enum wf_status s = wf_dist_init(&dist, &err);
    bool is_root = s != WF_OK || dist.rank == 0;
    if (s == WF_OK) s = start(&x, argc, argv, app, &err);
    x.dist = &dist;
    if (s == WF_OK) s = run_ranks(&x, argc, argv, app, &err);
    /* Only the rank to which an error of communication happened may know of it. */
    bool tells = is_root || s == WF_ECOMM;
    int code = s == WF_OK ? 0 : tells ? wf_cli_fail(argv[0], &err) : 1;
    if (s == WF_ECOMM) wf_dist_abort(&dist);
    wf_experiment_free(&x);
    wf_dist_free(&dist);
    return code;
}
