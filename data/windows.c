#include <stdio.h>
#include "data/series.h"

struct wf_window_config wf_window_defaults(void)
{
    return (struct wf_window_config){ .T = 12, .Q = 12, .targets = 1, .time_of_day = true };
}

static int64_t window_count(const struct wf_series *s, int T, int Q)
{
    return s->E - ((int64_t)T + Q - 1);
}

static size_t base_bytes(const struct wf_series *s, int T, int Q, int steps)
{
    int64_t n = window_count(s, T, Q);
    if (n < 1) return 0;
    return (size_t)n * (size_t)steps * (size_t)s->N * (size_t)s->C * sizeof(wf_real);
}

size_t wf_windows_base_bytes(const struct wf_series *s, int T, int Q)
{
    return base_bytes(s, T, Q, T) + base_bytes(s, T, Q, Q);
}

/* Memory that can be had without swapping; SIZE_MAX when the kernel does not tell. */
static size_t host_bytes_free(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    if (!f) return SIZE_MAX;
    char line[128];
    unsigned long long kib = 0;
    bool found = false;
    while (!found && fgets(line, sizeof line, f))
        found = sscanf(line, "MemAvailable: %llu kB", &kib) == 1;
    fclose(f);
    return found ? (size_t)kib * 1024 : SIZE_MAX;
}

static enum wf_status check_config(const struct wf_series *s, const struct wf_window_config *cfg,
                                   const struct wf_scaler *sc, int B, struct wf_error *err)
{
    if (cfg->T < 1 || cfg->Q < 1 || window_count(s, cfg->T, cfg->Q) < 1)
        return wf_fail(err, WF_EINVAL,
                       "windows: %d input and %d target steps need a series of %lld rows, it has "
                       "%lld",
                       cfg->T, cfg->Q, (long long)cfg->T + cfg->Q, (long long)s->E);
    if (cfg->targets < 1 || cfg->targets > s->C)
        return wf_fail(err, WF_EINVAL, "windows: %d target channels of a series with %d",
                       cfg->targets, s->C);
    if (B < 1) return wf_fail(err, WF_EINVAL, "windows: batch of %d, expected at least 1", B);
    if (sc && sc->C != s->C)
        return wf_fail(err, WF_EINVAL, "windows: scaler of %d channels for a series with %d", sc->C,
                       s->C);
    if ((cfg->time_of_day || cfg->day_of_week) && !s->time_s)
        return wf_fail(err, WF_EINVAL,
                       "windows: features of time are asked for, the series has no clock");
    return WF_OK;
}

/* Everything but the start and the destination of a gather. */
static struct wf_window_in gather_rule(const struct wf_windows *w)
{
    const struct wf_series *s = w->series;
    return (struct wf_window_in){ .series = s->values,
                                  .time_s = s->time_s,
                                  .start = w->start,
                                  .channels = s->C,
                                  .step = 1,
                                  .mean = w->scaler.mean,
                                  .std = w->scaler.std };
}

static enum wf_status materialise(struct wf_windows *w, struct wf_error *err)
{
    const struct wf_series *s = w->series;
    struct wf_backend *be = s->be;
    int T = w->cfg.T, Q = w->cfg.Q;
    struct wf_window_in in = gather_rule(w);
    in.keep = s->C;
    for (int first = 0; first < w->count; first++) {
        ptrdiff_t node_block = (ptrdiff_t)s->N * s->C;
        struct wf_tensor x = { .be = be, .data = w->base_x + first * T * node_block };
        struct wf_tensor y = { .be = be, .data = w->base_y + first * Q * node_block };
        wf_tensor_shape(&x, 4, wf_dims(1, T, s->N, s->C));
        wf_tensor_shape(&y, 4, wf_dims(1, Q, s->N, s->C));
        enum wf_status rc = be->upload(be, w->start, &first, sizeof first);
        in.offset = 0;
        in.raw = false;
        if (rc == WF_OK) rc = wfk_window(be, &x, &in);
        in.offset = T;
        in.raw = true;
        if (rc == WF_OK) rc = wfk_window(be, &y, &in);
        if (rc != WF_OK) return wf_fail(err, rc, "windows: cannot materialise window %d", first);
    }
    return WF_OK;
}

static enum wf_status base_init(struct wf_windows *w, struct wf_error *err)
{
    const struct wf_series *s = w->series;
    int T = w->cfg.T, Q = w->cfg.Q;
    size_t need = wf_windows_base_bytes(s, T, Q), have = host_bytes_free();
    if (s->be == wf_backend_cpu() && need > have)
        return wf_fail(
            err, WF_ENOMEM,
            "windows: base mode needs %zu bytes for %d windows, %zu are free: use --mode "
            "index",
            need, w->count, have);
    w->base_x = s->be->alloc(s->be, base_bytes(s, T, Q, T));
    w->base_y = s->be->alloc(s->be, base_bytes(s, T, Q, Q));
    if (!w->base_x || !w->base_y)
        return wf_fail(err, WF_ENOMEM,
                       "windows: base mode needs %zu bytes on %s, which are not to be had: use "
                       "--mode index",
                       need, s->be->name);
    return materialise(w, err);
}

static enum wf_status buffers_init(struct wf_windows *w, struct wf_error *err)
{
    const struct wf_series *s = w->series;
    const struct wf_window_config *c = &w->cfg;
    w->start = s->be->alloc(s->be, (size_t)w->B * sizeof *w->start);
    if (!w->start) return wf_fail(err, WF_ENOMEM, "windows: no memory for %d starts", w->B);
    WF_TRY(wf_tensor_alloc(&w->x, s->be, 4, wf_dims(w->B, c->T, s->N, w->channels), err));
    WF_TRY(wf_tensor_alloc(&w->y, s->be, 4, wf_dims(w->B, c->Q, s->N, c->targets), err));
    WF_TRY(wf_tensor_alloc(&w->y_std, s->be, 4, wf_dims(w->B, c->Q, s->N, c->targets), err));
    return c->base ? base_init(w, err) : WF_OK;
}

enum wf_status wf_windows_init(struct wf_windows *w, const struct wf_series *s,
                               struct wf_window_config cfg, const struct wf_scaler *sc, int B,
                               struct wf_error *err)
{
    *w = (struct wf_windows){ .series = s, .cfg = cfg, .B = B };
    WF_TRY(check_config(s, &cfg, sc, B, err));
    w->count = (int)window_count(s, cfg.T, cfg.Q);
    w->channels = s->C + cfg.time_of_day + cfg.day_of_week;
    w->scaler.C = s->C;
    for (int c = 0; c < s->C; c++) {
        w->scaler.mean[c] = sc ? sc->mean[c] : 0;
        w->scaler.std[c] = sc ? sc->std[c] : 1;
    }
    enum wf_status rc = buffers_init(w, err);
    if (rc != WF_OK) wf_windows_free(w);
    return rc;
}

void wf_windows_free(struct wf_windows *w)
{
    const struct wf_series *s = w->series;
    int T = w->cfg.T, Q = w->cfg.Q;
    wf_tensor_free(&w->x);
    wf_tensor_free(&w->y);
    wf_tensor_free(&w->y_std);
    if (w->start) s->be->free(s->be, w->start, (size_t)w->B * sizeof *w->start);
    if (w->base_x) s->be->free(s->be, w->base_x, base_bytes(s, T, Q, T));
    if (w->base_y) s->be->free(s->be, w->base_y, base_bytes(s, T, Q, Q));
    *w = (struct wf_windows){ 0 };
}

/* A view of the first n samples that is itself the root of no gradient. */
static struct wf_tensor head(const struct wf_tensor *buffer, int n)
{
    struct wf_tensor t = *buffer;
    t.shape[0] = n;
    return t;
}

/* Materialised windows are read like a series in which window i begins at row i * step. */
enum wf_status wf_windows_batch(struct wf_windows *w, struct wf_batch *b, const int *start, int n)
{
    if (n < 1 || n > w->B) return WF_EINVAL;
    for (int i = 0; i < n; i++)
        if (start[i] < 0 || start[i] >= w->count) return WF_EINVAL;
    const struct wf_window_config *c = &w->cfg;
    struct wf_backend *be = w->series->be;
    WF_TRY(be->upload(be, w->start, start, (size_t)n * sizeof *start));
    b->x = head(&w->x, n);
    b->y = head(&w->y, n);
    b->y_std = head(&w->y_std, n);
    b->B = b->valid = n;
    b->T = c->T;
    b->Q = c->Q;
    b->N = w->series->N;
    b->C = w->channels;

    struct wf_window_in x = gather_rule(w), y = x;
    x.keep = w->series->C;
    x.time_of_day = c->time_of_day;
    x.day_of_week = c->day_of_week;
    y.keep = c->targets;
    y.offset = c->T;
    if (c->base) {
        x.series = w->base_x;
        x.step = c->T;
        x.raw = true;
        y.series = w->base_y;
        y.step = c->Q;
        y.offset = 0;
    }
    WF_TRY(wfk_window(be, &b->x, &x));
    WF_TRY(wfk_window(be, &b->y_std, &y));
    y.raw = true;
    return wfk_window(be, &b->y, &y);
}
