#include "apps/forecast/forecast.h"
#include <math.h>
#include <string.h>
#include "apps/experiment/experiment.h"
#include "apps/forecast/forecast_private.h"
#include "tensor/alloc.h"

void wf_forecast_free(struct wf_forecast *f)
{
    wf_free(f->value);
    wf_free(f->time_s);
    wf_free(f->seen);
    wf_names_free(&f->nodes);
    wf_free(f->model);
    wf_free(f->source);
    *f = (struct wf_forecast){ 0 };
}

/* ---- computing ---- */

enum wf_status wf_forecast_alloc(struct wf_forecast *f, const char *model, const char *source,
                                 struct wf_error *err)
{
    size_t cells = (size_t)f->K * (size_t)f->Q * (size_t)f->N * (size_t)f->F;
    f->value = wf_malloc(cells * sizeof *f->value);
    f->model = wf_strdup(model);
    f->source = wf_strdup(source);
    if (f->value && f->model && f->source) return WF_OK;
    return wf_fail(err, WF_ENOMEM, "no memory for a forecast of %zu values", cells);
}

enum wf_status wf_forecast_batch(struct wf_forecast *f, int first, struct wf_tape *g,
                                 const struct wf_model *m, struct wf_batch *b,
                                 const struct wf_scaler *sc, struct wf_error *err)
{
    ptrdiff_t n = (ptrdiff_t)b->B * f->Q * f->N * f->F;
    float *out = f->value + (ptrdiff_t)first * f->Q * f->N * f->F;
    wf_real *host = wf_malloc((size_t)n * sizeof *host);
    if (!host) return wf_fail(err, WF_ENOMEM, "no memory for %td values", n);
    struct wf_tensor *y = wf_model_forecast(g, m, b);
    WF_RUN(g, wf_tensor_download(y, host));
    enum wf_status s = WF_OK;
    if (g->error.status != WF_OK) s = wf_fail(err, g->error.status, "%s", g->error.message);
    for (ptrdiff_t i = 0; i < n && s == WF_OK; i++) {
        out[i] = (float)(host[i] * sc->std[i % f->F] + sc->mean[i % f->F]);
        if (!isfinite(out[i]))
            s = wf_fail(err, WF_ENUMERIC, "%s: window %td forecasts %g", f->source,
                        first + i / ((ptrdiff_t)f->Q * f->N * f->F), (double)out[i]);
    }
    wf_free(host);
    return s;
}

/* ---- from a checkpoint ---- */

/* Copies rows first .. first + rows - 1 of s into tail; rows after the end of s are missing. */
static enum wf_status cut_tail(struct wf_series *tail, const struct wf_series *s, int64_t first,
                               int64_t rows, struct wf_error *err)
{
    int64_t have = s->E - first < rows ? s->E - first : rows;
    ptrdiff_t row = (ptrdiff_t)s->N * s->C;
    WF_TRY(wf_series_init(tail, s->be, rows, s->N, s->C, err));
    for (ptrdiff_t i = 0; i < rows * row; i++)
        tail->values[i] = i < have * row ? s->values[first * row + i] : (wf_real)NAN;
    if (!s->time_s) return WF_OK;
    int64_t *time_s = wf_malloc((size_t)rows * sizeof *time_s);
    if (!time_s) return wf_fail(err, WF_ENOMEM, "no memory for %lld times", (long long)rows);
    for (int64_t i = 0; i < rows; i++)
        time_s[i] =
            i < have ? s->time_s[first + i] : s->time_s[s->E - 1] + (i - have + 1) * s->interval_s;
    enum wf_status rc = wf_series_clock(tail, time_s, 0, s->interval_s, err);
    wf_free(time_s);
    return rc;
}

/* Sets an option of the experiment, unless the value is NULL or "". */
static enum wf_status override(struct wf_experiment *x, const char *name, const char *value,
                               struct wf_error *err)
{
    if (!value || !value[0]) return WF_OK;
    return wf_config_set(x->tables, WF_EXPERIMENT_TABLES, name, value, err);
}

/* Loads data and graph as the checkpoint's configuration says. */
static enum wf_status rebuild(struct wf_experiment *x, const struct wf_forecast_request *r,
                              struct wf_error *err)
{
    char *model, *config;
    WF_TRY(wf_checkpoint_read_config(r->checkpoint, &model, &config, err));
    enum wf_status s = wf_experiment_init(x, config, err);
    if (s != WF_OK) wf_fail_in(err, "%s: its configuration", r->checkpoint);
    wf_free(model);
    wf_free(config);
    WF_TRY(s);
    x->cfg.mode = WF_MODE_INDEX;
    WF_TRY(override(x, "data", r->data, err));
    WF_TRY(override(x, "adjacency", r->adjacency, err));
    return wf_experiment_load(x, err);
}

/* The rows that the windows take: of the series, and of the edges' weights where they change. */
struct tail {
    struct wf_series values, weights;
};

/* Cuts the rows out, builds the model over them, and loads its parameters with their scaler. */
static enum wf_status open_tail(struct wf_experiment *x, struct tail *tail,
                                const struct wf_forecast_request *r, struct wf_error *err)
{
    const struct wf_series *s = &x->data.series;
    int T = x->cfg.T, Q = x->cfg.Q, B = x->train.batch_size;
    int64_t at = r->at < 0 ? s->E - 1 : r->at, first = at + 1 - T - (r->count - 1);
    if (r->count < 1 || at >= s->E || first < 0)
        return wf_fail(err, WF_EINVAL,
                       "%s: %d windows of %d rows that end at row %lld; the series has rows 0 to "
                       "%lld",
                       x->source.data, r->count, T, (long long)at, (long long)s->E - 1);
    struct wf_window_config wc = wf_experiment_windows(x);
    int64_t rows = (int64_t)T + Q + r->count - 1;
    WF_TRY(cut_tail(&tail->values, s, first, rows, err));
    if (wc.weights) {
        WF_TRY(cut_tail(&tail->weights, wc.weights, first, rows, err));
        wc.weights = &tail->weights;
    }
    WF_TRY(wf_windows_init(&x->windows, &tail->values, wc, NULL, r->count < B ? r->count : B, err));
    WF_TRY(wf_experiment_build(x, err));
    struct wf_checkpoint c = { .params = &x->params, .model = x->model.type->name };
    WF_TRY(wf_checkpoint_load(r->checkpoint, &c, err));
    enum wf_status rc = wf_tensor_download(x->mean, x->windows.scaler.mean);
    if (rc == WF_OK) rc = wf_tensor_download(x->std, x->windows.scaler.std);
    return rc == WF_OK ? WF_OK : wf_fail(err, rc, "%s: cannot read the scaler", r->checkpoint);
}

/* Keeps the times of what is forecast, and the last window's rows. */
static enum wf_status remember(struct wf_forecast *f, const struct wf_series *tail,
                               struct wf_error *err)
{
    int rows = f->T + f->Q;
    f->seen = wf_malloc((size_t)f->N * (size_t)rows * sizeof *f->seen);
    if (tail->time_s) f->time_s = wf_malloc((size_t)f->K * (size_t)f->Q * sizeof *f->time_s);
    if (!f->seen || (tail->time_s && !f->time_s))
        return wf_fail(err, WF_ENOMEM, "no memory for %d rows of %d nodes", rows, f->N);
    for (int i = 0; i < f->N; i++)
        for (int t = 0; t < rows; t++)
            f->seen[(ptrdiff_t)i * rows + t] =
                (float)tail->values[((ptrdiff_t)(f->K - 1 + t) * f->N + i) * tail->C];
    for (int k = 0; k < f->K && f->time_s; k++)
        for (int q = 0; q < f->Q; q++)
            f->time_s[(ptrdiff_t)k * f->Q + q] = tail->time_s[k + f->T + q];
    f->interval_s = tail->time_s ? tail->interval_s : 0;
    f->seen_t0_s = tail->time_s ? tail->time_s[f->K - 1] : 0;
    return WF_OK;
}

static enum wf_status run_windows(struct wf_forecast *f, struct wf_experiment *x,
                                  struct wf_error *err)
{
    struct wf_tape g;
    struct wf_batch b = { 0 };
    int B = x->windows.B, *start = wf_malloc((size_t)B * sizeof *start);
    enum wf_status s = start ? WF_OK : wf_fail(err, WF_ENOMEM, "no memory for %d starts", B);
    if (s == WF_OK) s = wf_tape_init(&g, x->data.series.be, err);
    if (s == WF_OK) {
        g.training = g.recording = false;
        for (int i = 0; i < f->K && s == WF_OK; i += B) {
            int n = i + B < f->K ? B : f->K - i;
            for (int k = 0; k < n; k++) start[k] = i + k;
            wf_tape_reset(&g);
            WF_RUN(&g, wf_windows_batch(&x->windows, &b, start, n));
            wf_batch_bind(&g, &b, &x->graph);
            s = wf_forecast_batch(f, i, &g, &x->model, &b, &x->windows.scaler, err);
        }
        wf_tape_free(&g);
    }
    wf_free(start);
    return s;
}

static enum wf_status fill(struct wf_forecast *f, struct wf_experiment *x,
                           const struct wf_series *tail, const struct wf_forecast_request *r,
                           struct wf_error *err)
{
    f->K = r->count;
    f->T = x->cfg.T;
    f->Q = x->cfg.Q;
    f->N = tail->N;
    f->F = x->windows.cfg.targets;
    memcpy(f->quantity, x->cfg.quantity, sizeof f->quantity);
    memcpy(f->units, x->cfg.units, sizeof f->units);
    WF_TRY(wf_forecast_alloc(f, x->model.type->name, r->checkpoint, err));
    WF_TRY(remember(f, tail, err));
    f->nodes = x->data.nodes; /* the names change hands */
    x->data.nodes = (struct wf_names){ 0 };
    return run_windows(f, x, err);
}

enum wf_status wf_forecast_checkpoint(struct wf_forecast *f, const struct wf_forecast_request *r,
                                      struct wf_error *err)
{
    struct wf_experiment x = { 0 };
    struct tail tail = { 0 };
    *f = (struct wf_forecast){ 0 };
    enum wf_status s = rebuild(&x, r, err);
    if (s == WF_OK) s = open_tail(&x, &tail, r, err);
    if (s == WF_OK) s = fill(f, &x, &tail.values, r, err);
    wf_experiment_free(&x);
    wf_series_free(&tail.values);
    wf_series_free(&tail.weights);
    if (s != WF_OK) wf_forecast_free(f);
    return s;
}
