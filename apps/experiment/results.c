#include "apps/experiment/results.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "apps/pictures/plot.h"
#include "models/baselines.h"
#include "tensor/alloc.h"

/* Shows a quarter, a half and all of the horizon, each once, then the mean over all. */
static void choose_horizons(struct wf_results *r, const struct wf_experiment *x)
{
    int Q = x->cfg.Q, n = 0;
    for (int part = 4; part >= 1; part /= 2) {
        int step = Q / part > 0 ? Q / part : 1;
        if (n == 0 || step != r->step[n - 1]) r->step[n++] = step;
    }
    r->step[n++] = 0;
    r->horizons = (struct wf_horizons){ n, r->step, x->data.series.interval_s };
}

static enum wf_status baselines(struct wf_results *r, struct wf_experiment *x, struct wf_error *err)
{
    static const char *const names[] = { "persistence", "historical average", "ridge" };
    struct wf_baseline_config c = wf_baseline_defaults();
    c.T = x->cfg.T;
    c.Q = x->cfg.Q;
    for (int k = 0; k < 3; k++) {
        struct wf_metrics *m = &r->metrics[r->count];
        WF_TRY(wf_metrics_init(m, x->cfg.Q, err));
        r->name[r->count++] = names[k];
        WF_TRY(wf_baseline_eval((enum wf_baseline_kind)k, r->series, &x->split, &c, m, err));
    }
    return WF_OK;
}

/* Simple forecasts and pictures read values one by one, so the series has to be on the host. */
static enum wf_status host_series(struct wf_results *r, const struct wf_experiment *x,
                                  struct wf_error *err)
{
    r->series = &x->data.series;
    if (!r->series->be->device || !(x->cfg.baselines || x->cfg.pictures)) return WF_OK;
    r->series = &r->copy;
    return wf_series_to_host(&r->copy, &x->data.series, err);
}

enum wf_status wf_results_make(struct wf_results *r, struct wf_experiment *x, struct wf_error *err)
{
    *r = (struct wf_results){ 0 };
    choose_horizons(r, x);
    enum wf_status s = wf_metrics_init(&r->metrics[0], x->cfg.Q, err);
    if (s == WF_OK) {
        r->name[r->count++] = x->model.type->name;
        s = wf_trainer_evaluate(&x->trainer, WF_TEST, &r->metrics[0], err);
    }
    if (s == WF_OK && x->dist->rank == 0) s = host_series(r, x, err);
    if (s == WF_OK && x->cfg.baselines && x->dist->rank == 0 && x->place.whole)
        s = baselines(r, x, err);
    s = wf_dist_agree(x->dist, s, err);
    if (s != WF_OK) wf_results_free(r);
    return s;
}

void wf_results_free(struct wf_results *r)
{
    for (int k = 0; k < r->count; k++) wf_metrics_free(&r->metrics[k]);
    r->count = 0;
    wf_series_free(&r->copy);
}

static enum wf_status write_tables(const struct wf_results *r, const struct wf_experiment *x,
                                   FILE *log, struct wf_error *err)
{
    struct wf_scored rows[WF_RESULT_MODELS];
    char path[WF_CONFIG_TEXT + 32];
    for (int k = 0; k < r->count; k++) rows[k] = (struct wf_scored){ r->name[k], &r->metrics[k] };
    fprintf(log, "\nErrors on the test part:\n");
    if (x->cfg.baselines && !x->place.whole)
        fprintf(log, "(no simple forecasts: no rank has the whole series)\n");
    WF_TRY(wf_report_print(log, rows, r->count, &r->horizons, err));
    snprintf(path, sizeof path, "%s/metrics.csv", x->cfg.out);
    WF_TRY(wf_report_csv(path, rows, r->count, &r->horizons, err));
    snprintf(path, sizeof path, "%s/metrics.md", x->cfg.out);
    return wf_report_markdown(path, rows, r->count, &r->horizons, err);
}

/* ---- pictures ---- */

enum { SENSORS = 3 };

/* One day of the test part (60 rows, where a row is longer than an hour): the truth, and forecasts
 * made a short and a long time ahead, each [N, steps]. */
struct day {
    int N, steps, first; /* first: the series' row where the day begins */
    int near, far;       /* steps ahead, 1-based */
    const struct wf_series *series;
    wf_real *truth, *ahead[2];
};

static bool choose_day(struct day *d, const struct wf_experiment *x, const struct wf_results *r)
{
    const struct wf_series *s = d->series = r->series;
    int T = x->cfg.T, count = x->split.count[WF_TEST], start = x->split.first[WF_TEST];
    d->N = s->N;
    d->near = r->step[0];
    d->far = x->cfg.Q;
    int lo = start + T + d->far - 1,
        hi = start + count - 1 + T + d->near; /* rows that both forecasts reach */
    d->steps = s->interval_s > 0 && s->interval_s <= 3600 ? 86400 / s->interval_s : 60;
    if (d->steps > hi - lo) d->steps = hi - lo;
    if (d->steps < 2) return false;
    d->first = hi - d->steps;
    if (s->time_s && d->steps == 86400 / s->interval_s) { /* a weekday from midnight on, if any */
        for (int e = d->first; e >= lo; e--) {
            int64_t weekday = (s->time_s[e] / 86400 + 3) % 7;
            if (s->time_s[e] % 86400 == 0 && weekday < 5) {
                d->first = e;
                break;
            }
        }
    }
    return true;
}

/* Copies what a batch forecasts for the day. */
static void keep_batch(struct day *d, const struct wf_experiment *x, const int *start, int n,
                       const wf_real *pred)
{
    int Q = x->cfg.Q, F = x->windows.cfg.targets, step[2] = { d->near, d->far };
    for (int b = 0; b < n; b++)
        for (int k = 0; k < 2; k++) {
            int at = start[b] + x->cfg.T + step[k] - 1 - d->first;
            if (at < 0 || at >= d->steps) continue;
            for (int i = 0; i < d->N; i++)
                d->ahead[k][(ptrdiff_t)i * d->steps + at] =
                    pred[(((ptrdiff_t)b * Q + step[k] - 1) * d->N + i) * F];
        }
}

static enum wf_status fill_day(struct day *d, struct wf_experiment *x, struct wf_error *err)
{
    const struct wf_series *s = d->series;
    int B = x->windows.B, T = x->cfg.T;
    ptrdiff_t cells = (ptrdiff_t)d->N * d->steps;
    size_t batch = (size_t)B * (size_t)x->cfg.Q * (size_t)d->N * (size_t)x->windows.cfg.targets;
    wf_real *pred = wf_malloc(batch * sizeof *pred);
    int *start = wf_malloc((size_t)B * sizeof *start);
    enum wf_status status = pred && start ? WF_OK : wf_fail(err, WF_ENOMEM, "no memory for a day");
    for (ptrdiff_t i = 0; i < cells; i++) {
        d->truth[i] = s->values[((d->first + i % d->steps) * s->N + i / d->steps) * s->C];
        d->ahead[0][i] = d->ahead[1][i] = (wf_real)NAN;
    }
    int from = d->first - T - d->far + 1, to = d->first + d->steps - T - d->near + 1;
    for (int at = from; status == WF_OK && at < to; at += B) {
        int n = at + B < to ? B : to - at;
        for (int k = 0; k < n; k++) start[k] = at + k;
        status = wf_trainer_predict(&x->trainer, start, n, pred, err);
        if (status == WF_OK) keep_batch(d, x, start, n, pred);
    }
    wf_free(pred);
    wf_free(start);
    return status;
}

/* Takes from each third of the sensors the one whose day varies most. */
static void choose_sensors(const struct day *d, int sensor[SENSORS])
{
    for (int k = 0; k < SENSORS; k++) {
        int lo = (int)((int64_t)d->N * k / SENSORS), hi = (int)((int64_t)d->N * (k + 1) / SENSORS);
        double most = -1;
        sensor[k] = lo < d->N ? lo : d->N - 1;
        for (int i = lo; i < hi; i++) {
            double sum = 0, square = 0;
            int n = 0;
            for (int t = 0; t < d->steps; t++) {
                double v = (double)d->truth[(ptrdiff_t)i * d->steps + t];
                if (v != v) continue;
                sum += v;
                square += v * v;
                n++;
            }
            double spread = n > 1 ? square / n - sum / n * (sum / n) : 0;
            if (spread <= most) continue;
            most = spread;
            sensor[k] = i;
        }
    }
}

static const char *node_name(const struct wf_experiment *x, int i, char text[48])
{
    if (i < x->data.nodes.count)
        snprintf(text, 48, "sensor %.38s", x->data.nodes.name[i]);
    else
        snprintf(text, 48, "sensor %d", i);
    return text;
}

static enum wf_status draw_day(struct wf_plots *p, struct wf_experiment *x, const struct day *d,
                               struct wf_error *err)
{
    const struct wf_series *s = &x->data.series;
    int sensor[SENSORS], shown = d->N < SENSORS ? d->N : SENSORS;
    char text[SENSORS][48], near[40], far[40], label[32];
    const char *names[SENSORS];
    wf_real *rows = wf_malloc(3 * SENSORS * (size_t)d->steps * sizeof *rows);
    if (!rows) return wf_fail(err, WF_ENOMEM, "no memory for a picture");
    choose_sensors(d, sensor);
    const wf_real *source[3] = { d->truth, d->ahead[0], d->ahead[1] };
    for (int k = 0; k < shown; k++) {
        names[k] = node_name(x, sensor[k], text[k]);
        for (int v = 0; v < 3; v++)
            memcpy(rows + ((ptrdiff_t)v * shown + k) * d->steps,
                   source[v] + (ptrdiff_t)sensor[k] * d->steps, (size_t)d->steps * sizeof *rows);
    }
    wf_horizon_label(label, sizeof label, d->near, s->interval_s);
    snprintf(near, sizeof near, "%s ahead", label);
    wf_horizon_label(label, sizeof label, d->far, s->interval_s);
    snprintf(far, sizeof far, "%s ahead", label);
    struct wf_plot_forecast f = { .title = "Forecast against truth on a test day",
                                  .quantity = "value",
                                  .sensors = shown,
                                  .steps = d->steps,
                                  .names = names,
                                  .truth = rows,
                                  .near = rows + (ptrdiff_t)shown * d->steps,
                                  .far = rows + (ptrdiff_t)2 * shown * d->steps,
                                  .near_name = near,
                                  .far_name = far,
                                  .t0_s = s->time_s ? s->time_s[d->first] : 0,
                                  .interval_s = s->interval_s };
    if (x->cfg.units[0]) f.units = x->cfg.units;
    if (x->cfg.quantity[0]) f.quantity = x->cfg.quantity;
    enum wf_status status = wf_plot_forecast(p, &f, err);
    wf_free(rows);
    f.title = "A test day at all sensors";
    f.sensors = d->N;
    f.names = NULL;
    f.truth = d->truth;
    f.near = d->ahead[0];
    f.far = d->ahead[1];
    return status == WF_OK && d->N >= 8 && d->N <= 500 ? wf_plot_space_time(p, &f, err) : status;
}

static enum wf_status picture_day(struct wf_plots *p, const struct wf_results *r,
                                  struct wf_experiment *x, struct wf_error *err)
{
    struct day d = { 0 };
    if (!choose_day(&d, x, r)) return WF_OK;
    size_t bytes = (size_t)d.N * (size_t)d.steps * sizeof(wf_real);
    wf_real *block = wf_malloc(3 * bytes);
    if (!block) return wf_fail(err, WF_ENOMEM, "no memory for a day of %d sensors", d.N);
    d.truth = block;
    for (int k = 0; k < 2; k++) d.ahead[k] = block + (ptrdiff_t)(k + 1) * d.N * d.steps;
    enum wf_status s = fill_day(&d, x, err);
    if (s == WF_OK) s = draw_day(p, x, &d, err);
    wf_free(block);
    return s;
}

static enum wf_status picture_errors(struct wf_plots *p, const struct wf_results *r,
                                     const struct wf_experiment *x, struct wf_error *err)
{
    int Q = x->cfg.Q;
    double *mae = wf_malloc((size_t)r->count * (size_t)Q * sizeof *mae);
    if (!mae) return wf_fail(err, WF_ENOMEM, "no memory for a picture");
    for (int k = 0; k < r->count; k++)
        for (int q = 0; q < Q; q++) mae[k * Q + q] = wf_metrics_mae(&r->metrics[k], q);
    struct wf_plot_errors e = { .title = "Test error by horizon",
                                .units = x->cfg.units[0] ? x->cfg.units : NULL,
                                .models = r->count,
                                .steps = Q,
                                .interval_s = x->data.series.interval_s,
                                .names = r->name,
                                .mae = mae };
    enum wf_status s = wf_plot_errors(p, &e, err);
    wf_free(mae);
    return s;
}

static enum wf_status picture_training(struct wf_plots *p, const struct wf_history *h,
                                       const struct wf_experiment *x, struct wf_error *err)
{
    if (h->count < 2) return WF_OK;
    double *v = wf_malloc(2 * (size_t)h->count * sizeof *v);
    if (!v) return wf_fail(err, WF_ENOMEM, "no memory for a picture");
    for (int i = 0; i < h->count; i++) {
        v[i] = h->rows[i].train_loss;
        v[h->count + i] = h->rows[i].valid_mae;
    }
    struct wf_plot_training t = { .title = "Training",
                                  .units = x->cfg.units[0] ? x->cfg.units : NULL,
                                  .epochs = h->count,
                                  .train_loss = v,
                                  .valid_mae = v + h->count };
    enum wf_status s = wf_plot_training(p, &t, err);
    wf_free(v);
    return s;
}

enum wf_status wf_results_write(const struct wf_results *r, struct wf_experiment *x,
                                const struct wf_history *history, FILE *log, struct wf_error *err)
{
    struct wf_plots p;
    char folder[WF_CONFIG_TEXT + 16];
    WF_TRY(write_tables(r, x, log, err));
    if (!x->cfg.pictures) return WF_OK;
    snprintf(folder, sizeof folder, "%s/plots", x->cfg.out);
    WF_TRY(wf_plots_init(&p, folder, log, err));
    enum wf_status s = x->place.whole ? picture_day(&p, r, x, err) : WF_OK;
    if (s == WF_OK) s = picture_errors(&p, r, x, err);
    if (s == WF_OK) s = picture_training(&p, history, x, err);
    if (s == WF_OK && !p.missing) fprintf(log, "\nPictures: %s/*.png and *.svg\n", folder);
    wf_plots_free(&p);
    return s;
}
