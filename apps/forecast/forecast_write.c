/* forecast_write.c - a forecast as a file and as a picture. */
#include <math.h>
#include <string.h>
#include <time.h>
#include "data/formats/h5.h"
#include "apps/forecast/forecast.h"
#include "apps/pictures/plot.h"
#include "apps/kit/text.h"
#include "tensor/alloc.h"

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

enum wf_status wf_forecast_kind(const char *path, struct wf_error *err)
{
    if (ends_in(path, ".h5") || ends_in(path, ".hdf5") || ends_in(path, ".csv")) return WF_OK;
    return wf_fail(err, WF_EINVAL, "%s: cannot write this kind; want .h5 or .csv", path);
}

static enum wf_status write_members(struct wf_h5 *h, const struct wf_forecast *f,
                                    struct wf_error *err)
{
    struct wf_array value = { .elem = WF_F32, .ndim = 4, .dim = { f->K, f->Q, f->N, f->F } };
    struct wf_array times = { .elem = WF_I64, .ndim = 2, .dim = { f->K, f->Q } };
    value.count = (ptrdiff_t)f->K * f->Q * f->N * f->F;
    value.f32 = f->value;
    times.count = (ptrdiff_t)f->K * f->Q;
    times.i64 = f->time_s;
    WF_TRY(wf_h5_write(h, "forecast", &value, err));
    if (f->time_s) WF_TRY(wf_h5_write(h, "times", &times, err));
    if (f->nodes.count) WF_TRY(wf_h5_write_names(h, "nodes", &f->nodes, err));
    WF_TRY(wf_h5_set_text(h, "/", "model", f->model, err));
    return wf_h5_set_text(h, "/", "checkpoint", f->source, err);
}

static enum wf_status write_h5(const char *path, const struct wf_forecast *f, struct wf_error *err)
{
    struct wf_h5 *h;
    WF_TRY(wf_h5_create(&h, path, err));
    enum wf_status s = write_members(h, f, err);
    if (s == WF_OK) return wf_h5_commit(h, err);
    wf_h5_close(h);
    return s;
}

static void write_row(FILE *out, const struct wf_forecast *f, int k, int q)
{
    char text[40] = "";
    struct tm tm;
    ptrdiff_t row = (ptrdiff_t)k * f->Q + q;
    time_t t = f->time_s ? (time_t)f->time_s[row] : 0;
    if (f->time_s && gmtime_r(&t, &tm)) strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    fprintf(out, "%d,%s,%d", k, text, q + 1);
    for (int i = 0; i < f->N; i++) {
        putc(',', out);
        wf_text_number(out, (double)f->value[row * f->N + i]);
    }
    putc('\n', out);
}

static enum wf_status write_csv(const char *path, const struct wf_forecast *f, struct wf_error *err)
{
    struct wf_text t;
    if (f->F != 1)
        return wf_fail(err, WF_EINVAL, "%s: CSV holds one channel, the forecast has %d; want .h5",
                       path, f->F);
    WF_TRY(wf_text_open(&t, path, err));
    fputs("window,time,horizon", t.f);
    for (int i = 0; i < f->N; i++) {
        putc(',', t.f);
        if (f->nodes.count)
            wf_text_field(t.f, f->nodes.name[i]);
        else
            fprintf(t.f, "%d", i);
    }
    putc('\n', t.f);
    for (int k = 0; k < f->K; k++)
        for (int q = 0; q < f->Q; q++) write_row(t.f, f, k, q);
    return wf_text_close(&t, err);
}

enum wf_status wf_forecast_write(const char *path, const struct wf_forecast *f,
                                 struct wf_error *err)
{
    WF_TRY(wf_forecast_kind(path, err));
    return ends_in(path, ".csv") ? write_csv(path, f, err) : write_h5(path, f, err);
}

/* ---- picture ---- */

enum { SENSORS = 3, LABEL = 48 };

/* Fills the picture's three rows for node i: what was seen, the forecast, the last value held. */
static void fill_rows(const struct wf_forecast *f, int i, wf_real *seen, wf_real *ahead,
                      wf_real *held)
{
    const float *from = f->seen + (ptrdiff_t)i * (f->T + f->Q);
    wf_real last = (wf_real)NAN;
    for (int t = 0; t < f->T + f->Q; t++) {
        ptrdiff_t row = (ptrdiff_t)(f->K - 1) * f->Q + t - f->T;
        if (t < f->T && !isnan(from[t])) last = (wf_real)from[t];
        seen[t] = (wf_real)from[t];
        ahead[t] = t < f->T ? (wf_real)NAN : (wf_real)f->value[(row * f->N + i) * f->F];
        held[t] = t < f->T ? (wf_real)NAN : last;
    }
}

static enum wf_status draw(struct wf_plots *p, const struct wf_forecast *f, wf_real *rows,
                           struct wf_error *err)
{
    int shown = f->N < SENSORS ? f->N : SENSORS, steps = f->T + f->Q;
    char text[SENSORS][LABEL];
    const char *names[SENSORS];
    wf_real *block[3];
    for (int v = 0; v < 3; v++) block[v] = rows + (ptrdiff_t)v * shown * steps;
    for (int k = 0; k < shown; k++) {
        int i = (int)((int64_t)f->N * k / shown);
        ptrdiff_t at = (ptrdiff_t)k * steps;
        if (f->nodes.count)
            snprintf(text[k], LABEL, "sensor %.38s", f->nodes.name[i]);
        else
            snprintf(text[k], LABEL, "sensor %d", i);
        names[k] = text[k];
        fill_rows(f, i, block[0] + at, block[1] + at, block[2] + at);
    }
    struct wf_plot_forecast pic = { .title = "Forecast",
                                    .quantity = f->quantity[0] ? f->quantity : "value",
                                    .units = f->units[0] ? f->units : NULL,
                                    .sensors = shown,
                                    .steps = steps,
                                    .names = names,
                                    .truth = block[0],
                                    .near = block[1],
                                    .far = block[2],
                                    .near_name = "forecast",
                                    .far_name = "last value held",
                                    .t0_s = f->seen_t0_s,
                                    .interval_s = f->interval_s };
    return wf_plot_forecast(p, &pic, err);
}

enum wf_status wf_forecast_draw(const char *folder, const struct wf_forecast *f, FILE *log,
                                struct wf_error *err)
{
    struct wf_plots p;
    if (!f->seen)
        return wf_fail(err, WF_EINVAL, "%s: a forecast of given windows has no past to draw",
                       folder);
    wf_real *rows = wf_malloc(3 * SENSORS * (size_t)(f->T + f->Q) * sizeof *rows);
    if (!rows) return wf_fail(err, WF_ENOMEM, "no memory for a picture");
    enum wf_status s = wf_plots_init(&p, folder, log, err);
    if (s == WF_OK) {
        s = draw(&p, f, rows, err);
        wf_plots_free(&p);
    }
    wf_free(rows);
    return s;
}
