#include "models/check.h"
#include <math.h>
#include <string.h>
#include "autograd/gradcheck.h"
#include "data/formats/h5.h"
#include "nn/optim.h"
#include "tensor/alloc.h"

enum { N = WF_CHECK_NODES, ROWS = WF_CHECK_ROWS, TRAINED = 16 };

static const int starts[WF_CHECK_BATCH] = { 0, 11, 40 };

static enum wf_status make_series(struct wf_series *s, struct wf_error *err)
{
    float rows[ROWS * N];
    for (int e = 0; e < ROWS; e++)
        for (int n = 0; n < N; n++) {
            double wave = 50 + 10 * sin(0.4 * e - 0.8 * n) + 3 * sin(0.05 * e * (n + 1));
            rows[e * N + n] = (e * 7 + n * 3) % 29 == 0 ? 0.0f /* missing */ : (float)wave;
        }
    WF_TRY(wf_series_init(s, wf_backend_cpu(), ROWS, N, 1, err));
    enum wf_status put = wf_series_put(s, 0, ROWS, rows, true);
    if (put != WF_OK) return wf_fail(err, put, "check: the rows of the wave");
    return wf_series_clock(s, NULL, 1483228800, 3600, err);
}

static enum wf_status make_graph(struct wf_graph *gr, const struct wf_model_type *type,
                                 struct wf_error *err)
{
    int from[2 * N], to[2 * N];
    float weight[2 * N];
    for (int n = 0; n < N; n++) {
        from[2 * n] = to[2 * n] = from[2 * n + 1] = n;
        to[2 * n + 1] = (n + 1) % N;
        weight[2 * n] = 1;
        weight[2 * n + 1] = 0.3f + 0.1f * (float)n;
    }
    struct wf_edges ring = { N, 2 * N, from, to, weight };
    struct wf_graph_config cfg = wf_model_graph(type);
    cfg.hops = 2;
    return wf_graph_init(gr, wf_backend_cpu(), &ring, &cfg, err);
}

static enum wf_status make_model(struct wf_check *c, const struct wf_check_config *cfg,
                                 struct wf_error *err)
{
    WF_TRY(wf_model_new(&c->model, cfg->type, err));
    struct wf_config options = { cfg->type->fields, c->model.cfg, cfg->type->about };
    if (cfg->options) WF_TRY(wf_config_parse(&options, 1, cfg->options, err));
    struct wf_task task = { .nodes = N,
                            .channels = c->windows.channels,
                            .targets = 1,
                            .T = c->windows.cfg.T,
                            .Q = c->windows.cfg.Q,
                            .terms = c->graph.supports.terms,
                            .hops = c->graph.cfg.hops,
                            .steps_per_day = 86400 / c->series.interval_s,
                            .time_of_day = c->windows.cfg.time_of_day,
                            .day_of_week = c->windows.cfg.day_of_week };
    cfg->type->init(c->model.layers, &c->params, c->model.cfg, &task);
    return wf_params_commit(&c->params, cfg->seed, err);
}

static enum wf_status make(struct wf_check *c, const struct wf_check_config *cfg,
                           struct wf_error *err)
{
    const double share[3] = { 0.7, 0.1, 0.2 };
    struct wf_window_config w = wf_window_defaults();
    w.T = cfg->T ? cfg->T : 4;
    w.Q = cfg->Q ? cfg->Q : 3;
    w.day_of_week = cfg->day_of_week;
    WF_TRY(make_series(&c->series, err));
    WF_TRY(make_graph(&c->graph, cfg->type, err));
    WF_TRY(wf_split_make(&c->split, &c->series, w.T, w.Q, share, err));
    WF_TRY(wf_scaler_fit(&c->scaler, &c->series, &c->split, w.T, false, err));
    WF_TRY(wf_windows_init(&c->windows, &c->series, w, &c->scaler, TRAINED, err));
    if (c->windows.count <= starts[WF_CHECK_BATCH - 1])
        return wf_fail(err, WF_EINVAL, "check: T %d and Q %d leave %d windows, want more than %d",
                       w.T, w.Q, c->windows.count, starts[WF_CHECK_BATCH - 1]);
    return make_model(c, cfg, err);
}

enum wf_status wf_check_init(struct wf_check *c, const struct wf_check_config *cfg,
                             struct wf_error *err)
{
    *c = (struct wf_check){ 0 };
    wf_params_init(&c->params, wf_backend_cpu());
    enum wf_status s = make(c, cfg, err);
    if (s != WF_OK) wf_check_free(c);
    return s;
}

void wf_check_free(struct wf_check *c)
{
    wf_params_free(&c->params);
    wf_model_free(&c->model);
    wf_windows_free(&c->windows);
    wf_graph_free(&c->graph);
    wf_series_free(&c->series);
    *c = (struct wf_check){ 0 };
}

static struct wf_tensor *forecast(struct wf_tape *g, struct wf_check *c, struct wf_batch *b,
                                  const int *start, int n)
{
    WF_RUN(g, wf_windows_batch(&c->windows, b, start, n));
    if (g->error.status != WF_OK) return &g->poison;
    wf_batch_bind(g, b, &c->graph);
    return wf_model_forecast(g, &c->model, b);
}

struct wf_tensor *wf_check_forecast(struct wf_tape *g, struct wf_check *c)
{
    struct wf_batch b = { 0 };
    struct wf_step step = { .seed = 7, .teach = 0.5 };
    wf_tape_set_step(g, &step);
    return forecast(g, c, &b, starts, WF_CHECK_BATCH);
}

static struct wf_tensor *build(struct wf_tape *g, void *ctx)
{
    return wf_check_forecast(g, ctx);
}

enum wf_status wf_check_gradient(struct wf_check *c, double *worst, const char **which,
                                 struct wf_error *err)
{
    int n = c->params.count, at = 0;
    struct wf_tensor **leaf = wf_malloc((size_t)n * sizeof(struct wf_tensor *));
    if (!leaf) return wf_fail(err, WF_ENOMEM, "check: no memory for %d parameters", n);
    for (int i = 0; i < n; i++) leaf[i] = &c->params.param[i]->value;
    /* In float a longer step crosses kinks of relu, a shorter one drowns in rounding. */
    struct wf_gradcheck check = { .build = build,
                                  .ctx = c,
                                  .leaf = leaf,
                                  .leaves = n,
                                  .eps = sizeof(wf_real) == 8 ? 1e-6 : 1e-4,
                                  .seed = 2 };
    enum wf_status s = wf_gradcheck_run(&check, wf_backend_cpu(), worst, &at, err);
    *which = s == WF_OK && n > 0 ? c->params.param[at]->name : "";
    wf_free(leaf);
    return s;
}

/* ---- smoke ---- */

/* Writes a forecast to y [count] and checks its shape and its values. */
static enum wf_status look(struct wf_tape *g, struct wf_check *c, bool training, bool recording,
                           wf_real *y, struct wf_error *err)
{
    char text[WF_SHAPE_TEXT];
    const struct wf_window_config *w = &c->windows.cfg;
    wf_tape_reset(g);
    g->training = training;
    g->recording = recording;
    struct wf_tensor *t = wf_contiguous(g, wf_check_forecast(g, c));
    if (g->error.status != WF_OK) return wf_fail(err, g->error.status, "%s", g->error.message);
    if (t->ndim != 4 || memcmp(t->shape, wf_dims(WF_CHECK_BATCH, w->Q, N, 1), 4 * sizeof(int)) != 0)
        return wf_fail(err, WF_EINVAL, "%s: the forecast is %s, want [%d, %d, %d, 1]",
                       c->model.type->name, wf_tensor_shape_text(t, text), WF_CHECK_BATCH, w->Q, N);
    WF_RUN(g, wf_tensor_download(t, y));
    if (g->error.status != WF_OK) return wf_fail(err, g->error.status, "%s", g->error.message);
    for (ptrdiff_t i = 0; i < wf_tensor_count(t); i++)
        if (!isfinite((double)y[i]))
            return wf_fail(err, WF_ENUMERIC, "%s: element %td of the forecast is %g",
                           c->model.type->name, i, (double)y[i]);
    return WF_OK;
}

/* Makes the same forecast twice and compares the bits: in training both are recorded, outside it
 * only the first is. State slots, which a step in training may move, are reset after each. */
static enum wf_status look_twice(struct wf_tape *g, struct wf_check *c, bool training,
                                 wf_real *const y[2], wf_real *slots, struct wf_error *err)
{
    struct wf_tensor *state = &c->params.state;
    size_t bytes = (size_t)(WF_CHECK_BATCH * c->windows.cfg.Q * N) * sizeof *y[0];
    size_t kept = state->data ? (size_t)wf_tensor_count(state) * sizeof *slots : 0;
    if (kept) memcpy(slots, state->data, kept);
    WF_TRY(look(g, c, training, true, y[0], err));
    if (kept) memcpy(state->data, slots, kept);
    WF_TRY(look(g, c, training, training, y[1], err));
    if (kept) memcpy(state->data, slots, kept);
    if (memcmp(y[0], y[1], bytes) != 0)
        return wf_fail(err, WF_EINVAL, "%s: two forecasts of the same, %s, are not the same bits",
                       c->model.type->name, training ? "in training" : "one recorded and one not");
    return WF_OK;
}

enum wf_status wf_check_smoke(struct wf_check *c, struct wf_error *err)
{
    struct wf_tape g;
    size_t count = (size_t)(WF_CHECK_BATCH * c->windows.cfg.Q * N);
    size_t slots = c->params.state.data ? (size_t)wf_tensor_count(&c->params.state) : 0;
    wf_real *y = wf_malloc((2 * count + slots) * sizeof *y);
    if (!y) return wf_fail(err, WF_ENOMEM, "check: no memory for %zu values", 2 * count + slots);
    enum wf_status s = wf_tape_init(&g, wf_backend_cpu(), err);
    if (s == WF_OK) {
        wf_real *const two[2] = { y, y + count };
        s = look_twice(&g, c, true, two, y + 2 * count, err);
        if (s == WF_OK) s = look_twice(&g, c, false, two, y + 2 * count, err);
        wf_tape_free(&g);
    }
    wf_free(y);
    return s;
}

/* ---- training ---- */

static double train_step(struct wf_tape *g, struct wf_check *c, struct wf_optim *o, int step)
{
    struct wf_batch b = { 0 };
    int start[TRAINED], windows = c->split.count[WF_TRAIN];
    wf_real loss = 0;
    for (int i = 0; i < TRAINED; i++)
        start[i] = c->split.first[WF_TRAIN] + (int)((TRAINED * (int64_t)step + i) * 37 % windows);
    wf_tape_reset(g);
    wf_tape_set_step(g, &(struct wf_step){ .step = (uint64_t)step, .lr = o->cfg.lr });
    struct wf_tensor *y = forecast(g, c, &b, start, TRAINED);
    y = wf_affine(g, y, (double)c->scaler.std[0], (double)c->scaler.mean[0]);
    struct wf_tensor *mae = wf_loss(g, y, &b.y, WF_MAE, WF_MASK_NAN);
    WF_RUN(g, wf_params_zero_grad(&c->params));
    wf_tape_backward(g, mae);
    WF_RUN(g, wf_optim_step(o, g->step));
    WF_RUN(g, wf_tensor_download(mae, &loss));
    return (double)loss;
}

enum wf_status wf_check_train(struct wf_check *c, int steps, double lr, double *first, double *last,
                              struct wf_error *err)
{
    struct wf_tape g;
    struct wf_optim o = { 0 };
    struct wf_optim_config cfg = wf_optim_defaults();
    int quarter = steps / 4;
    if (quarter < 1) return wf_fail(err, WF_EINVAL, "check: %d steps, want 4 or more", steps);
    cfg.lr = lr;
    WF_TRY(wf_tape_init(&g, wf_backend_cpu(), err));
    enum wf_status s = wf_optim_init(&o, &c->params, cfg, err);
    *first = *last = 0;
    for (int i = 0; s == WF_OK && i < steps; i++) {
        double loss = train_step(&g, c, &o, i);
        if (i < quarter) *first += loss / quarter;
        if (i >= steps - quarter) *last += loss / quarter;
        if (g.error.status != WF_OK)
            s = wf_fail(err, g.error.status, "%s", g.error.message);
        else if (!isfinite(loss))
            s = wf_fail(err, WF_ENUMERIC, "%s: the loss of step %d is %g", c->model.type->name, i,
                        loss);
    }
    wf_optim_free(&o);
    wf_tape_free(&g);
    return s;
}

/* ---- fixtures ---- */

static enum wf_status compare(const struct wf_tensor *t, const struct wf_array *a, const char *path,
                              const char *name, double *worst, struct wf_error *err)
{
    char mine[WF_SHAPE_TEXT], theirs[WF_SHAPE_TEXT];
    bool same = t->ndim == a->ndim && wf_tensor_contiguous(t);
    for (int i = 0; same && i < t->ndim; i++) same = t->shape[i] == a->dim[i];
    if (!same)
        return wf_fail(err, WF_EINVAL, "%s: %s is %s, want the tensor's %s, contiguous", path, name,
                       wf_array_shape(theirs, sizeof theirs, a->ndim, a->dim),
                       wf_tensor_shape_text(t, mine));
    wf_real *value = wf_malloc((size_t)a->count * sizeof *value);
    if (!value) return wf_fail(err, WF_ENOMEM, "%s: no memory for %s", path, name);
    enum wf_status s = wf_tensor_download(t, value);
    *worst = 0;
    for (ptrdiff_t i = 0; s == WF_OK && i < a->count; i++) {
        double d = fabs((double)value[i] - a->f64[i]) / (1 + fabs(a->f64[i]));
        if (*worst == *worst && !(d <= *worst)) *worst = d; /* NaN counts as worst, and stays */
    }
    wf_free(value);
    return s == WF_OK ? WF_OK : wf_fail(err, s, "%s: cannot read the tensor for %s", path, name);
}

enum wf_status wf_check_fixture(const struct wf_tensor *t, const char *path, const char *name,
                                double *worst, struct wf_error *err)
{
    struct wf_h5 *f;
    struct wf_array a = { 0 };
    WF_TRY(wf_h5_open(&f, path, err));
    enum wf_status s = wf_h5_read(f, name, WF_F64, &a, err);
    if (s == WF_OK) s = compare(t, &a, path, name, worst, err);
    wf_array_free(&a);
    wf_h5_close(f);
    return s;
}
