#include "data/windows.h"
#include "data/file.h"
#include "data/stage_private.h"

struct wf_window_config wf_window_defaults(void)
{
    return (struct wf_window_config){ .T = 12, .Q = 12, .targets = 1, .time_of_day = true };
}

static int64_t window_count(const struct wf_series *s, int T, int Q)
{
    return s->E - ((int64_t)T + Q - 1);
}

/* Returns the bytes of n materialised windows of so many steps; 0 when n < 1. */
static size_t block_bytes(const struct wf_series *s, int64_t n, int steps)
{
    if (n < 1) return 0;
    return (size_t)n * (size_t)steps * (size_t)s->N * (size_t)s->C * sizeof(wf_real);
}

size_t wf_windows_base_bytes(const struct wf_series *s, int T, int Q)
{
    int64_t n = window_count(s, T, Q);
    return block_bytes(s, n, T) + block_bytes(s, n, Q);
}

/* Returns how many materialised windows are held: all, or those of a batch that is fetched. */
static int windows_in_memory(const struct wf_windows *w)
{
    return w->cfg.fetched ? w->B : w->count;
}

/* Returns the bytes of memory that can be had without swapping; SIZE_MAX when the kernel does not
 * tell. */
static size_t host_bytes_free(void)
{
    double kib = wf_file_kib("/proc/meminfo", "MemAvailable");
    return kib < 0 ? SIZE_MAX : (size_t)kib * 1024;
}

static enum wf_status check_weights(const struct wf_series *s, const struct wf_window_config *cfg,
                                    struct wf_error *err)
{
    const struct wf_series *w = cfg->weights;
    if (!w) return WF_OK;
    if (cfg->fetched)
        return wf_fail(err, WF_EINVAL, "windows: fetched ones come without a graph that changes");
    if (w->E == s->E && w->C == 1 && w->be == s->be && w->values) return WF_OK;
    return wf_fail(err, WF_EINVAL,
                   "windows: weights [%lld, %d, %d] on %s beside a series of %lld rows on %s, "
                   "expected as many rows of one channel there",
                   (long long)w->E, w->N, w->C, w->be->name, (long long)s->E, s->be->name);
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
    if (!s->values && !cfg->fetched)
        return wf_fail(err, WF_EINVAL, "windows: the series has no values");
    return check_weights(s, cfg, err);
}

/* Describes a gather from s, but for its starts and what it keeps. */
static struct wf_window_in gather_rule(const struct wf_series *s, const struct wf_scaler *sc)
{
    return (struct wf_window_in){ .series = s->values,
                                  .time_s = s->time_s,
                                  .channels = s->C,
                                  .step = 1,
                                  .mean = sc->mean,
                                  .std = sc->std };
}

/* Returns sc or, where it is NULL, a scaler that leaves values as they are. */
static struct wf_scaler scaler_or_none(const struct wf_scaler *sc, int C)
{
    struct wf_scaler none = { .C = C };
    for (int c = 0; c < C; c++) none.std[c] = 1;
    return sc ? *sc : none;
}

/* Gathers the windows one by one. zero points to a start in the backend's memory, which is 0 for
 * all of them: the pointer to the series moves on instead. */
static enum wf_status materialise(const struct wf_series *s, const struct wf_window_config *cfg,
                                  const struct wf_scaler *sc, const struct wf_window_blocks *to,
                                  const int *zero)
{
    struct wf_backend *be = s->be;
    struct wf_window_in in = gather_rule(s, sc);
    ptrdiff_t row = (ptrdiff_t)s->N * s->C;
    in.start = zero;
    in.keep = s->C;
    for (int i = 0; i < to->count; i++) {
        struct wf_tensor x = { .be = be, .data = to->x + (ptrdiff_t)i * cfg->T * row };
        struct wf_tensor y = { .be = be, .data = to->y + (ptrdiff_t)i * cfg->Q * row };
        wf_tensor_shape(&x, 4, wf_dims(1, cfg->T, s->N, s->C));
        wf_tensor_shape(&y, 4, wf_dims(1, cfg->Q, s->N, s->C));
        in.series = s->values + (to->first + i) * row;
        in.offset = 0;
        in.raw = false;
        WF_TRY(wfk_window(be, &x, &in));
        in.offset = cfg->T;
        in.raw = true;
        WF_TRY(wfk_window(be, &y, &in));
    }
    return WF_OK;
}

enum wf_status wf_windows_materialise(const struct wf_series *s, const struct wf_window_config *cfg,
                                      const struct wf_scaler *sc, const struct wf_window_blocks *to,
                                      struct wf_error *err)
{
    WF_TRY(check_config(s, cfg, sc, 1, err));
    int64_t windows = window_count(s, cfg->T, cfg->Q);
    if (!s->values || to->first < 0 || to->count < 0 || to->first > windows - to->count)
        return wf_fail(err, WF_EINVAL, "windows: %d from %d of a series with %lld and %s",
                       to->count, to->first, (long long)windows,
                       s->values ? "its values" : "no values");
    struct wf_scaler use = scaler_or_none(sc, s->C);
    int *zero = s->be->alloc(s->be, sizeof *zero);
    if (!zero) return wf_fail(err, WF_ENOMEM, "windows: no memory for a start");
    enum wf_status rc = materialise(s, cfg, &use, to, zero);
    s->be->free(s->be, zero, sizeof *zero);
    if (rc == WF_OK) return WF_OK;
    return wf_fail(err, rc, "windows: cannot materialise %d from %d", to->count, to->first);
}

/* Makes `place`, the starts of fetched windows, which stand in the order of the batch. */
static enum wf_status place_init(struct wf_windows *w, struct wf_error *err)
{
    struct wf_backend *be = w->series->be;
    w->place = be->alloc(be, (size_t)w->B * sizeof *w->place);
    if (!w->place) return wf_fail(err, WF_ENOMEM, "windows: no memory for %d places", w->B);
    for (int i = 0; i < w->B; i++) {
        enum wf_status rc = be->upload(be, w->place + i, &i, sizeof i);
        if (rc != WF_OK) return wf_fail(err, rc, "windows: cannot copy to %s", be->name);
    }
    return WF_OK;
}

static enum wf_status base_init(struct wf_windows *w, struct wf_error *err)
{
    const struct wf_series *s = w->series;
    int n = windows_in_memory(w);
    size_t x = block_bytes(s, n, w->cfg.T), y = block_bytes(s, n, w->cfg.Q);
    size_t have = host_bytes_free();
    if (s->be == wf_backend_cpu() && x + y > have)
        return wf_fail(
            err, WF_ENOMEM,
            "windows: base mode needs %zu bytes for %d windows, %zu are free: use --mode "
            "index",
            x + y, n, have);
    w->base_x = s->be->alloc(s->be, x);
    w->base_y = s->be->alloc(s->be, y);
    if (!w->base_x || !w->base_y)
        return wf_fail(err, WF_ENOMEM,
                       "windows: base mode needs %zu bytes on %s, which are not to be had: use "
                       "--mode index",
                       x + y, s->be->name);
    if (w->cfg.fetched) return place_init(w, err);
    struct wf_window_blocks all = { 0, n, w->base_x, w->base_y };
    return wf_windows_materialise(s, &w->cfg, &w->scaler, &all, err);
}

/* Returns the elements of a tensor in a batch, rounded up to whole cache lines, so that the next
 * tensor begins at one. */
static size_t part_size(int n, int steps, int nodes, int channels)
{
    size_t count = (size_t)n * (size_t)steps * (size_t)nodes * (size_t)channels;
    return (count + 15) / 16 * 16;
}

size_t wf_windows_batch_bytes(const struct wf_windows *w, int n)
{
    const struct wf_window_config *c = &w->cfg;
    int N = w->series->N;
    size_t graph = c->weights ? part_size(n, c->T, c->weights->N, 1) : 0;
    return sizeof(wf_real) *
           (part_size(n, c->T, N, w->channels) + 2 * part_size(n, c->Q, N, c->targets) + graph);
}

static enum wf_status buffers_init(struct wf_windows *w, struct wf_error *err)
{
    const struct wf_series *s = w->series;
    const struct wf_window_config *c = &w->cfg;
    size_t bytes = wf_windows_batch_bytes(w, w->B);
    w->start = s->be->alloc(s->be, (size_t)w->B * sizeof *w->start);
    w->batch = w->to->alloc(w->to, bytes);
    if (!w->start || !w->batch)
        return wf_fail(err, WF_ENOMEM, "windows: no %zu bytes on %s for a batch of %d", bytes,
                       w->to->name, w->B);
    if (w->to != s->be) WF_TRY(wf_stage_init(&w->stage, w->to, w->B, bytes, err));
    return c->base || c->fetched ? base_init(w, err) : WF_OK;
}

enum wf_status wf_windows_init(struct wf_windows *w, const struct wf_series *s,
                               struct wf_window_config cfg, const struct wf_scaler *sc, int B,
                               struct wf_error *err)
{
    *w = (struct wf_windows){ .series = s, .cfg = cfg, .B = B };
    WF_TRY(check_config(s, &cfg, sc, B, err));
    w->count = (int)window_count(s, cfg.T, cfg.Q);
    w->channels = s->C + cfg.time_of_day + cfg.day_of_week;
    w->to = cfg.to ? cfg.to : s->be;
    w->scaler = scaler_or_none(sc, s->C);
    enum wf_status rc = buffers_init(w, err);
    if (rc != WF_OK) wf_windows_free(w);
    return rc;
}

void wf_windows_free(struct wf_windows *w)
{
    const struct wf_series *s = w->series;
    wf_stage_free(w->stage);
    if (w->batch) w->to->free(w->to, w->batch, wf_windows_batch_bytes(w, w->B));
    if (w->start) s->be->free(s->be, w->start, (size_t)w->B * sizeof *w->start);
    if (w->place) s->be->free(s->be, w->place, (size_t)w->B * sizeof *w->place);
    if (w->base_x) s->be->free(s->be, w->base_x, block_bytes(s, windows_in_memory(w), w->cfg.T));
    if (w->base_y) s->be->free(s->be, w->base_y, block_bytes(s, windows_in_memory(w), w->cfg.Q));
    *w = (struct wf_windows){ 0 };
}

void wf_windows_describe(const struct wf_windows *w, struct wf_batch *b, struct wf_backend *be,
                         wf_real *at, int n, int valid)
{
    const struct wf_window_config *c = &w->cfg;
    int N = w->series->N;
    b->x = b->y = b->y_std = (struct wf_tensor){ .be = be };
    wf_tensor_shape(&b->x, 4, wf_dims(n, c->T, N, w->channels));
    wf_tensor_shape(&b->y, 4, wf_dims(n, c->Q, N, c->targets));
    wf_tensor_shape(&b->y_std, 4, wf_dims(n, c->Q, N, c->targets));
    b->x.data = at;
    b->y.data = b->x.data + part_size(n, c->T, N, w->channels);
    b->y_std.data = b->y.data + part_size(n, c->Q, N, c->targets);
    b->weights = (struct wf_tensor){ 0 };
    if (c->weights) {
        b->weights.be = be;
        wf_tensor_shape(&b->weights, 3, wf_dims(n, c->T, c->weights->N));
        b->weights.data = b->y_std.data + part_size(n, c->Q, N, c->targets);
    }
    b->B = n;
    b->valid = valid;
    b->T = c->T;
    b->Q = c->Q;
    b->N = N;
    b->C = w->channels;
}

/* Makes gathers read materialised windows: like a series in which window i begins at row
 * i * step. */
static void read_blocks(const struct wf_windows *w, struct wf_window_in *x, struct wf_window_in *y)
{
    x->series = w->base_x;
    x->step = w->cfg.T;
    x->raw = true;
    y->series = w->base_y;
    y->step = w->cfg.Q;
    y->offset = 0;
    if (!w->cfg.fetched) return;
    x->when = w->start;
    x->start = y->start = w->place;
}

/* Gathers the graph's weights, always from their series, however the windows are kept. */
static enum wf_status gather_weights(const struct wf_windows *w, struct wf_batch *b)
{
    if (!w->cfg.weights) return WF_OK;
    struct wf_window_in in = gather_rule(w->cfg.weights, &w->scaler);
    struct wf_tensor edges = b->weights;
    wf_tensor_shape(&edges, 4, wf_dims(b->B, b->T, w->cfg.weights->N, 1));
    in.start = w->start;
    in.keep = 1;
    in.raw = true;
    return wfk_window(w->series->be, &edges, &in);
}

static enum wf_status gather(const struct wf_windows *w, struct wf_batch *b)
{
    const struct wf_window_config *c = &w->cfg;
    struct wf_backend *be = w->series->be;
    struct wf_window_in x = gather_rule(w->series, &w->scaler), y;
    x.start = w->start;
    y = x;
    x.keep = w->series->C;
    x.time_of_day = c->time_of_day;
    x.day_of_week = c->day_of_week;
    y.keep = c->targets;
    y.offset = c->T;
    if (w->base_x) read_blocks(w, &x, &y);
    WF_TRY(wfk_window(be, &b->x, &x));
    WF_TRY(wfk_window(be, &b->y_std, &y));
    y.raw = true;
    return wfk_window(be, &b->y, &y);
}

/* Fills b, which lies in the memory of the series, with windows start[0..n). The targets of padding
 * are all `pad`. */
static enum wf_status fill(struct wf_windows *w, struct wf_batch *b, const int *start, wf_real pad)
{
    struct wf_backend *be = w->series->be;
    if (w->fetch) WF_TRY(w->fetch(w->fetch_ctx, start, b->B, w->base_x, w->base_y));
    WF_TRY(be->upload(be, w->start, start, (size_t)b->B * sizeof *start));
    WF_TRY(gather(w, b));
    WF_TRY(gather_weights(w, b));
    if (b->valid == b->B) return WF_OK;
    struct wf_tensor rest = wf_view_slice(&b->y, 0, b->valid, b->B);
    return wfk_fill(be, &rest, (double)pad);
}

static enum wf_status check_starts(const struct wf_windows *w, const int *start, int n, int valid)
{
    if (n < 1 || n > w->B || valid < 0 || valid > n || w->cfg.fetched != (w->fetch != NULL))
        return WF_EINVAL;
    for (int i = 0; i < n; i++)
        if (start[i] < 0 || start[i] >= w->count) return WF_EINVAL;
    return WF_OK;
}

enum wf_status wf_windows_prepare(struct wf_windows *w, const int *start, int n, int valid,
                                  wf_real pad)
{
    struct wf_batch b;
    WF_TRY(check_starts(w, start, n, valid));
    if (!w->stage) return WF_OK;
    wf_windows_describe(w, &b, w->series->be, wf_stage_begin(w->stage, start, n, valid, pad), n,
                        valid);
    WF_TRY(fill(w, &b, start, pad));
    return wf_stage_send(w->stage, n, wf_windows_batch_bytes(w, n));
}

enum wf_status wf_windows_batch_padded(struct wf_windows *w, struct wf_batch *b, const int *start,
                                       int n, int valid, wf_real pad)
{
    WF_TRY(check_starts(w, start, n, valid));
    wf_windows_describe(w, b, w->to, w->batch, n, valid);
    if (!w->stage) return fill(w, b, start, pad);
    if (!wf_stage_holds(w->stage, start, n, valid, pad))
        WF_TRY(wf_windows_prepare(w, start, n, valid, pad));
    return wf_stage_take(w->stage, w->batch, wf_windows_batch_bytes(w, n));
}

enum wf_status wf_windows_batch(struct wf_windows *w, struct wf_batch *b, const int *start, int n)
{
    return wf_windows_batch_padded(w, b, start, n, n, 0);
}
