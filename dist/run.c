/* run.c - the main() that the experiment apps share. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "dist/experiment.h"
#include "dist/progress.h"
#include "models/baselines.h"

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

static void usage(const struct wf_experiment *x, const char *program, const char *about)
{
    printf("%s - %s\n\nUsage: %s --data FILE [--adjacency FILE] [options]\n"
           "       %s --preset NAME --data FILE [options]\n\nShort: -m mode, -g gpu, -d debug, "
           "-e epochs, -bs batch-size, -np npar.\nPresets:",
           program, about, program, program);
#define PRESET(name, text) printf(" %s", name);
#include "dist/presets.def"
#undef PRESET
    printf("\n");
    wf_config_help(x->tables, WF_EXPERIMENT_TABLES, stdout);
}

/* Configuration from the app's preset, then --preset, then the options. */
static enum wf_status configure(struct wf_experiment *x, int argc, char **argv, const char *preset,
                                struct wf_cli *cli, struct wf_error *err)
{
    char lines[2048];
    const char *name = early_option(argc, argv, "preset"), *more = name ? wf_preset_text(name) : "";
    const char *model = early_option(argc, argv, "model");
    if (!more)
        return wf_fail(err, WF_EINVAL, "--preset %s: no such preset; --help lists them", name);
    snprintf(lines, sizeof lines, "%s%s%s%s%s", preset, more, model ? "model=" : "",
             model ? model : "", model ? "\n" : "");
    WF_TRY(wf_experiment_init(x, lines, err));
    cli->aliases = aliases;
    return wf_cli_parse(argc, argv, x->tables, WF_EXPERIMENT_TABLES, cli, err);
}

struct row {
    const char *name;
    struct wf_metrics m;
};

static enum wf_status baselines(struct wf_experiment *x, struct row *row, struct wf_error *err)
{
    struct wf_baseline_config c = wf_baseline_defaults();
    c.T = x->cfg.T;
    c.Q = x->cfg.Q;
    for (int k = 0; k < 3; k++)
        WF_TRY(wf_baseline_eval((enum wf_baseline_kind)k, &x->data.series, &x->split, &c, &row[k].m,
                                err));
    return WF_OK;
}

static enum wf_status run(struct wf_experiment *x, struct wf_error *err)
{
    struct row row[4] = {
        { "dcrnn", { 0 } }, { "persistence", { 0 } }, { "historical", { 0 } }, { "ridge", { 0 } }
    };
    for (int k = 0; k < 4; k++) WF_TRY(wf_metrics_init(&row[k].m, x->cfg.Q, err));
    WF_TRY(wf_experiment_open(x, stdout, err));
    WF_TRY(wf_trainer_run(&x->trainer, err));
    WF_TRY(wf_trainer_evaluate(&x->trainer, WF_TEST, &row[0].m, err));
    if (x->cfg.baselines) WF_TRY(baselines(x, row + 1, err));
    for (int k = 0; k < (x->cfg.baselines ? 4 : 1); k++)
        for (int q = 2; q < x->cfg.Q; q = q * 2 + 1)
            printf("%s %d: %.4f %.4f %.3f\n", row[k].name, q + 1, wf_metrics_mae(&row[k].m, q),
                   wf_metrics_rmse(&row[k].m, q), wf_metrics_mape(&row[k].m, q));
    for (int k = 0; k < 4; k++) wf_metrics_free(&row[k].m);
    return WF_OK;
}

int wf_experiment_main(int argc, char **argv, const char *about, const char *preset)
{
    struct wf_experiment x;
    struct wf_cli cli = { 0 };
    struct wf_error err = { 0 };
    enum wf_status s = configure(&x, argc, argv, preset, &cli, &err);
    if (s == WF_OK && cli.help) {
        usage(&x, argv[0], about);
    } else if (s == WF_OK) {
        wf_cli_catch_signals();
        wf_config_print(x.tables, WF_EXPERIMENT_TABLES, stdout);
        s = run(&x, &err);
    }
    wf_experiment_free(&x);
    return s == WF_OK ? 0 : wf_cli_fail(argv[0], &err);
}
