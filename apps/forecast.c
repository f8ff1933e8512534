/* forecast - forecasts with parameters that are trained already: a checkpoint's, or published
 * ones. */
#include <stdlib.h>
#include <string.h>
#include "apps/kit/cli.h"
#include "apps/forecast/forecast.h"

static const char *const compat_names[] = { "none", "pgt", "dcrnn", "dcrnn-reversed", NULL };

struct job {
    char checkpoint[WF_CONFIG_TEXT], data[WF_CONFIG_TEXT], adjacency[WF_CONFIG_TEXT];
    char at[WF_CONFIG_TEXT], output[WF_CONFIG_TEXT];
    char weights[WF_CONFIG_TEXT], windows[WF_CONFIG_TEXT], supports[WF_CONFIG_TEXT];
    enum wf_compat compat;
    int count;
    bool pictures;
};

static const struct wf_field fields[] = {
    WF_FIELD(job, "checkpoint", TEXT, checkpoint, 0, 0, NULL,
             "forecast with a run's best.h5 or last.h5"),
    WF_FIELD(job, "data", TEXT, data, 0, 0, NULL,
             "series to go on from; default: the one that the checkpoint was trained on"),
    WF_FIELD(job, "at", TEXT, at, 0, 0, NULL,
             "last row of the series that the forecast sees, counted from 0, or last"),
    WF_FIELD(job, "weights", TEXT, weights, 0, 0, NULL,
             "forecast with published DCRNN weights (.npz)"),
    WF_FIELD(job, "windows", TEXT, windows, 0, 0, NULL,
             "input for published weights (.npz): x_scaled, mean, std"),
    WF_FIELD(job, "supports", TEXT, supports, 0, 0, NULL,
             "graph for published weights (.npz): support0, support1; default: in the file of "
             "--windows"),
    WF_FIELD(job, "adjacency", TEXT, adjacency, 0, 0, NULL,
             "file with the graph; for published weights a .pkl that supports are built from"),
    WF_FIELD(job, "compat", ENUM, compat, 0, 0, compat_names,
             "whose diffusion published weights were trained with"),
    WF_FIELD(job, "count", INT, count, 0, 1e6, NULL,
             "how many windows: the last with --checkpoint, where 0 means 1; the first with "
             "--weights, where 0 means all"),
    WF_FIELD(job, "pictures", BOOL, pictures, 0, 1, NULL,
             "draw the last window of a checkpoint's series, in a folder named as the output "
             "without its ending"),
    WF_FIELD(job, "output", TEXT, output, 0, 0, NULL, "file to write, .h5 or .csv"),
    { 0 }
};

static enum wf_status parse_row(const char *text, int64_t *row, struct wf_error *err)
{
    char *end;
    *row = -1;
    if (strcmp(text, "last") == 0) return WF_OK;
    *row = strtoll(text, &end, 10);
    if (end != text && !*end && *row >= 0) return WF_OK;
    return wf_fail(err, WF_EINVAL, "--at %s: want a row, from 0, or last", text);
}

static enum wf_status from_checkpoint(const struct job *j, struct wf_forecast *f,
                                      struct wf_error *err)
{
    struct wf_forecast_request r = { j->checkpoint, j->data, j->adjacency, -1,
                                     j->count ? j->count : 1 };
    WF_TRY(parse_row(j->at, &r.at, err));
    return wf_forecast_checkpoint(f, &r, err);
}

static enum wf_status from_weights(const struct job *j, struct wf_forecast *f, struct wf_error *err)
{
    struct wf_published p = {
        j->weights, j->windows, j->supports, j->adjacency, j->compat, j->count
    };
    if (!j->windows[0]) return wf_fail(err, WF_EINVAL, "--weights wants --windows FILE");
    if (j->pictures) return wf_fail(err, WF_EINVAL, "--pictures wants --checkpoint");
    WF_TRY(wf_forecast_published(f, &p, err));
    enum wf_status s = wf_forecast_compare(f, p.windows, stdout, err);
    if (s != WF_OK) wf_forecast_free(f);
    return s;
}

static enum wf_status finish(const struct job *j, const struct wf_forecast *f, struct wf_error *err)
{
    WF_TRY(wf_forecast_write(j->output, f, err));
    printf("%s: %d windows, %d steps, %d nodes, %s of %s\n", j->output, f->K, f->Q, f->N, f->model,
           f->source);
    if (!j->pictures) return WF_OK;
    char folder[WF_CONFIG_TEXT];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(j->output, '.') - j->output), j->output);
    return wf_forecast_draw(folder, f, stdout, err);
}

static enum wf_status run(const struct job *j, struct wf_error *err)
{
    struct wf_forecast f;
    if (!j->checkpoint[0] == !j->weights[0])
        return wf_fail(err, WF_EINVAL, "want either --checkpoint or --weights; --help lists all");
    if (!j->output[0]) return wf_fail(err, WF_EINVAL, "want --output FILE.h5 or FILE.csv");
    WF_TRY(wf_forecast_kind(j->output, err));
    WF_TRY(j->checkpoint[0] ? from_checkpoint(j, &f, err) : from_weights(j, &f, err));
    enum wf_status s = finish(j, &f, err);
    wf_forecast_free(&f);
    return s;
}

int main(int argc, char **argv)
{
    struct job j = { .at = "last", .compat = WF_COMPAT_DCRNN };
    const struct wf_config c = { fields, &j, "Forecast" };
    struct wf_cli cli = { 0 };
    struct wf_error err = { 0 };
    enum wf_status s = wf_cli_parse(argc, argv, &c, 1, &cli, &err);
    if (s == WF_OK && cli.positionals)
        s = wf_fail(&err, WF_EINVAL, "'%s': want options only", cli.positional[0]);
    if (s == WF_OK && cli.help) {
        printf("usage: forecast --checkpoint FILE --output FILE [--OPTION VALUE ..]\n"
               "       forecast --weights FILE --windows FILE --output FILE [--OPTION VALUE ..]\n");
        wf_config_help(&c, 1, stdout);
    } else if (s == WF_OK) {
        s = run(&j, &err);
    }
    return s == WF_OK ? 0 : wf_cli_fail(argv[0], &err);
}
