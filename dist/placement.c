#include "dist/placement.h"
#include <string.h>
#include "dist/sampler.h"
#include "tensor/alloc.h"

const char *const wf_mode_names[] = { "base", "index", "partitioned", "ddp", "ddp-batch", NULL };

static int window_total(const struct wf_placement *p)
{
    return p->all.count[0] + p->all.count[1] + p->all.count[2];
}

/* Splits the windows, once the number of rows is known, and says for which of them this rank is
 * responsible. */
static enum wf_status plan(struct wf_placement *p, int64_t E, struct wf_error *err)
{
    struct wf_series whole = { .E = E };
    int P = p->dist->size, r = p->dist->rank, lo, hi;
    WF_TRY(wf_split_make(&p->all, &whole, p->T, p->Q, p->share, err));
    p->E = E;
    p->split = p->all;
    p->owns = 0;
    if (p->windows_are_local) {
        int64_t at = 0;
        for (int part = 0; part < 3; part++) {
            wf_share(p->all.count[part], P, r, &lo, &hi);
            if (p->all.count[part] < P)
                return wf_fail(err, WF_EINVAL,
                               "%d windows for %s cannot be shared by %d ranks: want at least one "
                               "each",
                               p->all.count[part],
                               part == WF_TRAIN   ? "training"
                               : part == WF_VALID ? "validation"
                                                  : "testing",
                               P);
            int first = p->all.first[part];
            p->own[p->owns++] = (struct wf_own_rows){ first + lo, first + hi, at };
            p->split.first[part] = (int)at;
            p->split.count[part] = hi - lo;
            at += hi - lo + p->T + p->Q - 1;
        }
        return WF_OK;
    }
    wf_share(window_total(p), P, r, &lo, &hi);
    p->own[p->owns++] = (struct wf_own_rows){ lo, hi, 0 };
    return WF_OK;
}

static int choose_own(void *ctx, ptrdiff_t E, struct wf_rows out[WF_ROW_RANGES])
{
    struct wf_placement *p = ctx;
    if (plan(p, E, &p->error) != WF_OK) return 0;
    for (int k = 0; k < p->owns; k++)
        out[k] =
            (struct wf_rows){ p->own[k].first, p->own[k].last - p->own[k].first + p->T + p->Q - 1 };
    return p->owns;
}

static enum wf_status load_own(struct wf_placement *p, struct wf_dataset *ds, struct wf_backend *be,
                               const struct wf_dataset_source *src, struct wf_error *err)
{
    struct wf_row_choice rows = { choose_own, p };
    struct wf_dataset_source mine = *src;
    mine.rows = &rows;
    enum wf_status s = wf_dataset_load(ds, be, &mine, err);
    if (p->error.status != WF_OK) s = wf_fail(err, p->error.status, "%s", p->error.message);
    return s;
}

/* ---- one copy for the ranks of a machine ---- */

/* One of the pieces in which a series is read, so that no second copy of the whole ever exists. */
struct piece {
    int number, pieces;     /* pieces 0: only the first row, for the shape of the series */
    ptrdiff_t first, count; /* its rows, once the file is open */
};

static int choose_piece(void *ctx, ptrdiff_t E, struct wf_rows out[WF_ROW_RANGES])
{
    struct piece *k = ctx;
    k->first = k->pieces ? E * k->number / k->pieces : 0;
    k->count = k->pieces ? E * (k->number + 1) / k->pieces - k->first : 1;
    out[0] = (struct wf_rows){ k->first, k->count };
    return k->count > 0;
}

static enum wf_status load_piece(struct wf_dataset *ds, const struct wf_dataset_source *src,
                                 struct piece *k, struct wf_error *err)
{
    struct wf_row_choice rows = { choose_piece, k };
    struct wf_dataset_source part = *src;
    part.rows = &rows;
    part.series_only = k->pieces > 0;
    return wf_dataset_load(ds, wf_backend_cpu(), &part, err);
}

/* Reads this rank's share of the machine's copy, in several pieces. */
static enum wf_status read_pieces(struct wf_placement *p, const struct wf_dataset_source *src,
                                  size_t row, struct wf_error *err)
{
    enum { PIECES = 8 };
    const struct wf_dist *d = p->dist;
    for (int i = 0; i < PIECES; i++) {
        struct piece k = { d->node_rank * PIECES + i, d->node_size * PIECES, 0, 0 };
        struct wf_dataset part;
        if (p->E * (k.number + 1) / k.pieces == p->E * k.number / k.pieces) continue;
        WF_TRY(load_piece(&part, src, &k, err));
        memcpy((wf_real *)p->values.base + k.first * (ptrdiff_t)row, part.series.values,
               (size_t)k.count * row * sizeof(wf_real));
        if (part.series.time_s)
            memcpy((int64_t *)p->times.base + k.first, part.series.time_s,
                   (size_t)k.count * sizeof(int64_t));
        wf_dataset_free(&part);
    }
    return WF_OK;
}

/* Makes s, which has the shape, the whole series: its values are the machine's copy, while its
 * clock, which is small, is a copy of this rank's own. */
static enum wf_status adopt_shared(struct wf_placement *p, struct wf_series *s,
                                   struct wf_error *err)
{
    struct wf_series whole = *s;
    size_t bytes = (size_t)p->E * sizeof *s->time_s;
    enum wf_status rc = WF_OK;
    whole.E = p->E;
    whole.borrowed = true;
    whole.values = p->values.base;
    whole.time_s = s->time_s ? s->be->alloc(s->be, bytes) : NULL;
    if (whole.time_s)
        memcpy(whole.time_s, p->times.base, bytes);
    else if (s->time_s)
        rc = wf_fail(err, WF_ENOMEM, "no memory for a clock of %zu bytes", bytes);
    rc = wf_dist_agree(p->dist, rc, err);
    wf_shared_free(&p->times);
    wf_series_free(s);
    *s = whole;
    return rc;
}

static enum wf_status load_whole(struct wf_placement *p, struct wf_dataset *ds,
                                 struct wf_backend *be, const struct wf_dataset_source *src,
                                 struct wf_error *err)
{
    WF_TRY(wf_dataset_load(ds, be, src, err));
    return plan(p, ds->series.E, err);
}

static enum wf_status load_shared(struct wf_placement *p, struct wf_dataset *ds,
                                  const struct wf_dataset_source *src, struct wf_error *err)
{
    struct piece shape = { 0 };
    struct wf_dist *d = p->dist;
    enum wf_status s = load_piece(ds, src, &shape, err);
    if (s == WF_OK) s = plan(p, ds->total, err);
    WF_TRY(wf_dist_agree(d, s, err));
    if (ds->weights.values) {
        wf_dataset_free(ds);
        return wf_dist_agree(d, load_whole(p, ds, wf_backend_cpu(), src, err), err);
    }
    size_t row = (size_t)ds->series.N * (size_t)ds->series.C;
    s = wf_shared_init(&p->values, d, (size_t)p->E * row * sizeof(wf_real), err);
    if (s == WF_OK) s = wf_shared_init(&p->times, d, (size_t)p->E * sizeof(int64_t), err);
    if (s == WF_OK) s = wf_dist_agree(d, read_pieces(p, src, row, err), err);
    if (s == WF_OK) s = wf_shared_sync(&p->values, d, err);
    if (s == WF_OK) s = wf_shared_sync(&p->times, d, err);
    if (s != WF_OK) return s;
    return adopt_shared(p, &ds->series, err);
}

/* ---- a series in a device's memory ---- */

/* Copies the rows to the device's series s piece by piece, so that the host never holds all. */
static enum wf_status copy_pieces(struct wf_series *s, const struct wf_dataset_source *src,
                                  struct wf_error *err)
{
    const size_t most = (size_t)64 << 20; /* bytes of a piece */
    size_t row = (size_t)s->N * (size_t)s->C * sizeof *s->values;
    int64_t rows = (int64_t)(most / row) > 0 ? (int64_t)(most / row) : 1;
    int pieces = (int)((s->E + rows - 1) / rows);
    struct wf_backend *be = s->be;
    for (int i = 0; i < pieces; i++) {
        struct piece k = { i, pieces, 0, 0 };
        struct wf_dataset part;
        WF_TRY(load_piece(&part, src, &k, err));
        const struct wf_series *p = &part.series;
        enum wf_status rc =
            be->upload(be, s->values + k.first * s->N * s->C, p->values, (size_t)k.count * row);
        if (rc == WF_OK && s->time_s)
            rc =
                be->upload(be, s->time_s + k.first, p->time_s, (size_t)k.count * sizeof *p->time_s);
        wf_dataset_free(&part);
        if (rc != WF_OK) return wf_fail(err, rc, "cannot copy a series to %s", be->name);
    }
    return WF_OK;
}

/* Loads the whole series onto a device. */
static enum wf_status load_device(struct wf_placement *p, struct wf_dataset *ds,
                                  struct wf_backend *be, const struct wf_dataset_source *src,
                                  struct wf_error *err)
{
    struct piece shape = { 0 };
    struct wf_series whole;
    WF_TRY(load_piece(ds, src, &shape, err));
    if (ds->weights.values) { /* the graph changes: such sets are small enough to be read whole */
        wf_dataset_free(ds);
        return load_whole(p, ds, be, src, err);
    }
    WF_TRY(plan(p, ds->total, err));
    struct wf_series *row = &ds->series;
    WF_TRY(wf_series_init(&whole, be, ds->total, row->N, row->C, err));
    whole.interval_s = row->interval_s;
    size_t bytes = (size_t)whole.E * sizeof *whole.time_s;
    enum wf_status rc = WF_OK;
    if (row->time_s && !(whole.time_s = be->alloc(be, bytes)))
        rc = wf_fail(err, WF_ENOMEM, "no memory for a clock of %zu bytes on %s", bytes, be->name);
    if (rc == WF_OK) rc = copy_pieces(&whole, src, err);
    wf_series_free(row);
    *row = whole;
    return rc;
}

enum wf_status wf_placement_load(struct wf_placement *p, struct wf_dataset *ds,
                                 struct wf_backend *be, const struct wf_dataset_source *src,
                                 struct wf_error *err)
{
    bool many = p->dist->size > 1;
    *ds = (struct wf_dataset){ 0 };
    if (p->mode == WF_MODE_BASE && many) p->mode = WF_MODE_DDP;
    if (p->mode == WF_MODE_DDP && !many) p->mode = WF_MODE_BASE;
    p->windows_are_local = p->mode == WF_MODE_PARTITIONED || p->mode == WF_MODE_DDP_BATCH;
    p->whole = !many || p->mode == WF_MODE_INDEX;
    enum wf_status s;
    if (many && p->mode == WF_MODE_INDEX && be == wf_backend_cpu())
        s = load_shared(p, ds, src, err);
    else if (p->whole && !p->windows_are_local)
        s = wf_dist_agree(p->dist, (be->device ? load_device : load_whole)(p, ds, be, src, err),
                          err);
    else
        s = wf_dist_agree(p->dist, load_own(p, ds, be, src, err), err);
    if (s != WF_OK) wf_dataset_free(ds);
    return s;
}

/* ---- standardisation ---- */

/* Sums over the rows in which this rank's windows begin, as far as they lie before `end`. The rank
 * with the last window takes the rows behind it too, in which no window begins. */
static enum wf_status own_moments(const struct wf_placement *p, struct wf_moments *m,
                                  const struct wf_series *s, int64_t end, const double *mean,
                                  struct wf_error *err)
{
    for (int k = 0; k < p->owns; k++) {
        const struct wf_own_rows *o = &p->own[k];
        int64_t last = o->last == window_total(p) ? p->E : o->last;
        if (last > end) last = end;
        if (last <= o->first) continue;
        WF_TRY(wf_moments_add(m, s, o->at, o->at + last - o->first, mean, err));
    }
    return WF_OK;
}

enum wf_status wf_placement_scaler(struct wf_placement *p, struct wf_scaler *sc,
                                   const struct wf_series *s, bool whole, struct wf_error *err)
{
    int64_t end = whole ? p->E : p->all.count[WF_TRAIN] + p->T - 1;
    struct wf_moments m = { 0 };
    double mean[WF_MAXCHANNEL];
    if (p->whole && !p->windows_are_local)
        return wf_dist_agree(p->dist, wf_scaler_fit(sc, s, &p->all, p->T, whole, err), err);
    WF_TRY(wf_dist_agree(p->dist, own_moments(p, &m, s, end, NULL, err), err));
    WF_TRY(wf_dist_sum(p->dist, m.count, s->C, err));
    WF_TRY(wf_dist_sum(p->dist, m.sum, s->C, err));
    wf_moments_mean(&m, s->C, mean);
    WF_TRY(wf_dist_agree(p->dist, own_moments(p, &m, s, end, mean, err), err));
    WF_TRY(wf_dist_sum(p->dist, m.square, s->C, err));
    return wf_scaler_make(sc, &m, s->C, err);
}

/* ---- windows on other ranks ---- */

/* Returns the rank that has materialised the window, and the first of that rank's windows. */
static int owner(const struct wf_placement *p, int window, int *first)
{
    int n = window_total(p), P = p->dist->size, lo, hi, r = (int)((int64_t)window * P / n);
    for (wf_share(n, P, r, &lo, &hi); window >= hi; wf_share(n, P, r, &lo, &hi)) r++;
    *first = lo;
    return r;
}

static enum wf_status fetch_one(struct wf_placement *p, int window, wf_real *x, wf_real *y,
                                struct wf_error *err)
{
    int first, r = owner(p, window, &first);
    ptrdiff_t at = window - first, nx = p->window_x, ny = p->window_y;
    if (r == p->dist->rank) {
        memcpy(x, p->x + at * nx, (size_t)nx * sizeof *x);
        memcpy(y, p->y + at * ny, (size_t)ny * sizeof *y);
        return WF_OK;
    }
    WF_TRY(wf_remote_get(&p->remote_x, p->dist, r, (size_t)(at * nx) * sizeof *x, x,
                         (size_t)nx * sizeof *x, err));
    return wf_remote_get(&p->remote_y, p->dist, r, (size_t)(at * ny) * sizeof *y, y,
                         (size_t)ny * sizeof *y, err);
}

static enum wf_status fetch(void *ctx, const int *start, int n, wf_real *x, wf_real *y)
{
    struct wf_placement *p = ctx;
    struct wf_error err;
    for (int i = 0; i < n; i++)
        WF_TRY(fetch_one(p, start[i], x + i * p->window_x, y + i * p->window_y, &err));
    WF_TRY(wf_remote_finish(&p->remote_x, p->dist, &err));
    return wf_remote_finish(&p->remote_y, p->dist, &err);
}

/* Makes the clock of all rows out of the parts that the ranks have read. */
static enum wf_status join_clock(struct wf_placement *p, struct wf_series *s, struct wf_error *err)
{
    if (!s->time_s) return WF_OK;
    int64_t *all = s->be->alloc(s->be, (size_t)p->E * sizeof *all);
    enum wf_status rc = WF_OK;
    if (!all) rc = wf_fail(err, WF_ENOMEM, "no memory for a clock of %lld rows", (long long)p->E);
    WF_TRY(wf_dist_agree(p->dist, rc, err));
    memcpy(all + p->own[0].first, s->time_s, (size_t)s->E * sizeof *all);
    rc = wf_dist_max_times(p->dist, all, p->E, err);
    s->be->free(s->be, s->time_s, (size_t)s->E * sizeof *all);
    s->time_s = all;
    return rc;
}

/* Materialises this rank's windows, opens them to the others and lets go of the series. */
static enum wf_status open_windows(struct wf_placement *p, struct wf_series *s,
                                   const struct wf_window_config *cfg, const struct wf_scaler *sc,
                                   struct wf_error *err)
{
    int count = p->own[0].last - p->own[0].first;
    p->window_x = (ptrdiff_t)p->T * s->N * s->C;
    p->window_y = (ptrdiff_t)p->Q * s->N * s->C;
    size_t bytes[2] = { (size_t)(count * p->window_x) * sizeof *p->x,
                        (size_t)(count * p->window_y) * sizeof *p->y };
    p->x = wf_malloc(bytes[0]);
    p->y = wf_malloc(bytes[1]);
    enum wf_status rc = WF_OK;
    if (!p->x || !p->y)
        rc = wf_fail(err, WF_ENOMEM, "no memory for %d windows of %zu bytes", count,
                     (bytes[0] + bytes[1]) / (size_t)(count ? count : 1));
    struct wf_window_blocks blocks = { 0, count, p->x, p->y };
    if (rc == WF_OK) rc = wf_windows_materialise(s, cfg, sc, &blocks, err);
    WF_TRY(wf_dist_agree(p->dist, rc, err));
    WF_TRY(wf_remote_init(&p->remote_x, p->dist, p->x, bytes[0], err));
    WF_TRY(wf_remote_init(&p->remote_y, p->dist, p->y, bytes[1], err));
    WF_TRY(join_clock(p, s, err));
    s->be->free(s->be, s->values, (size_t)s->E * (size_t)s->N * (size_t)s->C * sizeof *s->values);
    s->values = NULL;
    s->E = p->E;
    return WF_OK;
}

enum wf_status wf_placement_windows(struct wf_placement *p, struct wf_windows *w,
                                    struct wf_series *s, struct wf_window_config cfg,
                                    const struct wf_scaler *sc, int B, struct wf_error *err)
{
    bool ddp = p->mode == WF_MODE_DDP;
    if (ddp && s->be != wf_backend_cpu())
        return wf_fail(err, WF_EINVAL, "--mode ddp keeps its windows in host memory: want the CPU");
    if (ddp && cfg.weights)
        return wf_fail(err, WF_EINVAL,
                       "--mode ddp fetches windows without the graph of their steps, and this one "
                       "changes: want index, partitioned or ddp-batch");
    cfg.base = p->mode == WF_MODE_BASE || p->mode == WF_MODE_DDP_BATCH || ddp;
    cfg.fetched = ddp;
    if (ddp) WF_TRY(open_windows(p, s, &cfg, sc, err));
    WF_TRY(wf_dist_agree(p->dist, wf_windows_init(w, s, cfg, sc, B, err), err));
    if (!ddp) return WF_OK;
    w->fetch = fetch;
    w->fetch_ctx = p;
    return WF_OK;
}

void wf_placement_free(struct wf_placement *p)
{
    if (!p->dist) return;
    wf_remote_free(&p->remote_x);
    wf_remote_free(&p->remote_y);
    wf_shared_free(&p->values);
    wf_shared_free(&p->times);
    wf_free(p->x);
    wf_free(p->y);
    p->x = p->y = NULL;
}
