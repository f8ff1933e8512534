/* forecast_published.c - forecasts of published DCRNN weights on given windows. */
#include <limits.h>
#include <math.h>
#include <string.h>
#include "data/metrics.h"
#include "data/formats/npy.h"
#include "data/formats/pickle.h"
#include "apps/forecast/forecast_private.h"
#include "models/dcrnn_names.h"
#include "tensor/alloc.h"

enum { BATCH = 16, HORIZON = 12 };

static bool given(const char *path)
{
    return path && path[0];
}

static enum wf_status want_shape(const struct wf_array *a, const char *path, const char *name,
                                 int ndim, const ptrdiff_t *dim, struct wf_error *err)
{
    char have[80], want[80];
    if (a->ndim == ndim && memcmp(a->dim, dim, (size_t)ndim * sizeof *dim) == 0) return WF_OK;
    return wf_fail(err, WF_EINVAL, "%s: %s is %s, want %s", path, name,
                   wf_array_shape(have, sizeof have, a->ndim, a->dim),
                   wf_array_shape(want, sizeof want, ndim, dim));
}

static enum wf_status read_from(const char *path, const char *name, struct wf_array *a,
                                struct wf_error *err)
{
    struct wf_npz *z;
    WF_TRY(wf_npz_open(&z, path, err));
    enum wf_status s = wf_npz_read(z, name, WF_F32, a, err);
    wf_npz_close(z);
    return s;
}

static bool has_member(const struct wf_names *names, const char *name)
{
    for (ptrdiff_t i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0) return true;
    return false;
}

/* ---- graph ---- */

static enum wf_status given_supports(struct wf_graph *gr, const char *path, int N, int hops,
                                     enum wf_compat compat, struct wf_error *err)
{
    struct wf_array a[2] = { 0 };
    enum wf_status s = WF_OK;
    for (int d = 0; d < 2 && s == WF_OK; d++) {
        const char *name = d ? "support1" : "support0";
        s = read_from(path, name, &a[d], err);
        if (s == WF_OK) s = want_shape(&a[d], path, name, 2, (ptrdiff_t[]){ N, N }, err);
    }
    if (s == WF_OK) {
        s = wf_graph_from_supports(gr, wf_backend_cpu(), N, (const float *[]){ a[0].f32, a[1].f32 },
                                   hops, compat, err);
        if (s != WF_OK) wf_fail_in(err, "%s", path);
    }
    wf_array_free(&a[0]);
    wf_array_free(&a[1]);
    return s;
}

static enum wf_status built_supports(struct wf_graph *gr, const char *path, int N, int hops,
                                     enum wf_compat compat, struct wf_error *err)
{
    struct wf_adjacency adj;
    WF_TRY(wf_pickle_adjacency(path, &adj, err));
    enum wf_status s = WF_OK;
    if (adj.N != N)
        s = wf_fail(err, WF_EINVAL, "%s: a graph of %td nodes, the windows have %d", path, adj.N,
                    N);
    struct wf_graph_config gc = { .hops = hops, .compat = compat };
    if (s == WF_OK) s = wf_graph_from_dense(gr, wf_backend_cpu(), N, adj.A, &gc, err);
    wf_adjacency_free(&adj);
    return s;
}

/* ---- windows ---- */

struct given_windows {
    struct wf_array x; /* [B, T, N, C] */
    struct wf_scaler scaler;
    int Q;
};

static enum wf_status read_number(const struct wf_npz *z, const char *path, const char *name,
                                  wf_real *out, struct wf_error *err)
{
    struct wf_array a;
    WF_TRY(wf_npz_read(z, name, WF_F64, &a, err));
    bool one = a.count == 1;
    if (one) *out = (wf_real)a.f64[0];
    wf_array_free(&a);
    return one ? WF_OK : wf_fail(err, WF_EINVAL, "%s: %s is not one number", path, name);
}

static enum wf_status read_members(struct given_windows *w, const struct wf_npz *z,
                                   const char *path, struct wf_error *err)
{
    struct wf_names names;
    char text[80];
    WF_TRY(wf_npz_read(z, "x_scaled", WF_F32, &w->x, err));
    bool fits = w->x.ndim == 4 && w->x.count > 0;
    for (int i = 0; i < w->x.ndim; i++) fits = fits && w->x.dim[i] <= 1 << 20;
    if (!fits)
        return wf_fail(err, WF_EINVAL, "%s: x_scaled is %s, want [windows, steps, nodes, channels]",
                       path, wf_array_shape(text, sizeof text, w->x.ndim, w->x.dim));
    w->scaler.C = 1;
    WF_TRY(read_number(z, path, "mean", &w->scaler.mean[0], err));
    WF_TRY(read_number(z, path, "std", &w->scaler.std[0], err));
    WF_TRY(wf_npz_list(z, &names, err));
    bool truth = has_member(&names, "truth_mph");
    wf_names_free(&names);
    w->Q = HORIZON;
    if (!truth) return WF_OK;
    struct wf_array y;
    WF_TRY(wf_npz_read(z, "truth_mph", WF_F32, &y, err));
    ptrdiff_t Q = y.ndim == 3 ? y.dim[1] : 0;
    enum wf_status s =
        want_shape(&y, path, "truth_mph", 3, (ptrdiff_t[]){ w->x.dim[0], Q, w->x.dim[2] }, err);
    wf_array_free(&y);
    w->Q = Q <= WF_DCRNN_HORIZON ? (int)Q : INT_MAX; /* the model refuses that */
    return s;
}

static enum wf_status read_windows(struct given_windows *w, const char *path, struct wf_error *err)
{
    struct wf_npz *z;
    *w = (struct given_windows){ 0 };
    WF_TRY(wf_npz_open(&z, path, err));
    enum wf_status s = read_members(w, z, path, err);
    wf_npz_close(z);
    if (s != WF_OK) wf_array_free(&w->x);
    return s;
}

/* ---- network ---- */

struct network {
    struct wf_graph graph;
    struct wf_model model;
    struct wf_params params;
};

static enum wf_status open_network(struct network *n, const struct wf_published *p,
                                   const struct given_windows *w, struct wf_error *err)
{
    struct wf_task task = { .nodes = (int)w->x.dim[2], .channels = (int)w->x.dim[3] };
    task.T = (int)w->x.dim[1];
    task.Q = w->Q;
    wf_params_init(&n->params, wf_backend_cpu());
    WF_TRY(wf_model_new(&n->model, &wf_dcrnn_type, err));
    WF_TRY(wf_dcrnn_sizes(p->weights, n->model.cfg, &task, err));
    if (task.targets != 1 || task.terms % 2 == 0)
        return wf_fail(err, WF_EINVAL, "%s: %d channels from %d terms, want 1 and an odd number",
                       p->weights, task.targets, task.terms);
    int hops = (task.terms - 1) / 2;
    WF_TRY(given(p->adjacency)
               ? built_supports(&n->graph, p->adjacency, task.nodes, hops, p->compat, err)
               : given_supports(&n->graph, given(p->supports) ? p->supports : p->windows,
                                task.nodes, hops, p->compat, err));
    n->model.type->init(n->model.layers, &n->params, n->model.cfg, &task);
    WF_TRY(wf_params_commit(&n->params, 0, err));
    return wf_model_load(n->model.type, n->model.layers, &n->params, p->weights, NULL, err);
}

static void close_network(struct network *n)
{
    wf_params_free(&n->params);
    wf_model_free(&n->model);
    wf_graph_free(&n->graph);
}

static enum wf_status run_batches(struct wf_forecast *f, const struct network *n,
                                  const struct given_windows *w, struct wf_error *err)
{
    int T = f->T, N = f->N, C = (int)w->x.dim[3];
    ptrdiff_t window = (ptrdiff_t)T * N * C;
    struct wf_tape g;
    enum wf_status s = WF_OK;
    wf_real *host = wf_malloc(BATCH * (size_t)window * sizeof *host);
    if (!host) return wf_fail(err, WF_ENOMEM, "no memory for windows of %td values", window);
    if ((s = wf_tape_init(&g, wf_backend_cpu(), err)) != WF_OK) {
        wf_free(host);
        return s;
    }
    g.training = g.recording = false;
    for (int first = 0; first < f->K && s == WF_OK; first += BATCH) {
        int B = first + BATCH < f->K ? BATCH : f->K - first;
        for (ptrdiff_t i = 0; i < B * window; i++) host[i] = (wf_real)w->x.f32[first * window + i];
        wf_tape_reset(&g);
        struct wf_batch b = { .B = B, .T = T, .Q = f->Q, .N = N, .C = C, .valid = B };
        b.x = *wf_input(&g, host, 4, wf_dims(B, T, N, C));
        wf_batch_bind(&g, &b, &n->graph);
        s = wf_forecast_batch(f, first, &g, &n->model, &b, &w->scaler, err);
    }
    wf_tape_free(&g);
    wf_free(host);
    return s;
}

enum wf_status wf_forecast_published(struct wf_forecast *f, const struct wf_published *p,
                                     struct wf_error *err)
{
    struct given_windows w;
    struct network n = { 0 };
    *f = (struct wf_forecast){ 0 };
    WF_TRY(read_windows(&w, p->windows, err));
    enum wf_status s = open_network(&n, p, &w, err);
    f->K = p->count > 0 && p->count < w.x.dim[0] ? p->count : (int)w.x.dim[0];
    f->T = (int)w.x.dim[1];
    f->Q = w.Q;
    f->N = (int)w.x.dim[2];
    f->F = 1;
    if (s == WF_OK) s = wf_forecast_alloc(f, n.model.type->name, p->weights, err);
    if (s == WF_OK) s = run_batches(f, &n, &w, err);
    close_network(&n);
    wf_array_free(&w.x);
    if (s != WF_OK) wf_forecast_free(f);
    return s;
}

/* ---- comparison ---- */

static enum wf_status print_errors(const struct wf_forecast *f, const struct wf_array *truth,
                                   FILE *out, struct wf_error *err)
{
    static const int step[3] = { 3, 6, 12 };
    struct wf_metrics m;
    ptrdiff_t n = (ptrdiff_t)f->K * f->Q * f->N;
    WF_TRY(wf_metrics_init(&m, f->Q, err));
    wf_real *pred = wf_malloc(2 * (size_t)n * sizeof *pred), *want = pred ? pred + n : NULL;
    for (ptrdiff_t i = 0; i < n && pred; i++) {
        pred[i] = (wf_real)f->value[i];
        want[i] = truth->f32[i] == 0 ? (wf_real)NAN : (wf_real)truth->f32[i];
    }
    if (pred) wf_metrics_add(&m, pred, want, f->K, f->N, 1);
    for (int k = 0; k < 3 && pred; k++)
        if (step[k] <= f->Q)
            fprintf(out, "MAE at %d min: %.2f mph\n", 5 * step[k], wf_metrics_mae(&m, step[k] - 1));
    wf_metrics_free(&m);
    wf_free(pred);
    return pred ? WF_OK : wf_fail(err, WF_ENOMEM, "no memory for %td values", n);
}

static enum wf_status compare_member(const struct wf_forecast *f, const struct wf_npz *z,
                                     const char *name, FILE *out, struct wf_error *err)
{
    struct wf_array a;
    bool truth = strcmp(name, "truth_mph") == 0;
    if (!truth && strncmp(name, "pred_", 5) != 0) return WF_OK;
    WF_TRY(wf_npz_read(z, name, WF_F32, &a, err));
    enum wf_status s = WF_OK;
    if (a.ndim == 3 && a.dim[0] >= f->K && a.dim[1] == f->Q && a.dim[2] == f->N) {
        double most = 0;
        for (ptrdiff_t i = 0; i < (ptrdiff_t)f->K * f->Q * f->N; i++)
            most = fmax(most, fabs((double)f->value[i] - (double)a.f32[i]));
        if (truth)
            s = print_errors(f, &a, out, err);
        else
            fprintf(out, "%s: largest difference %.2g mph\n", name, most);
    }
    wf_array_free(&a);
    return s;
}

enum wf_status wf_forecast_compare(const struct wf_forecast *f, const char *windows, FILE *out,
                                   struct wf_error *err)
{
    struct wf_npz *z;
    struct wf_names names = { 0 };
    WF_TRY(wf_npz_open(&z, windows, err));
    enum wf_status s = wf_npz_list(z, &names, err);
    for (ptrdiff_t i = 0; i < names.count && s == WF_OK; i++)
        s = compare_member(f, z, names.name[i], out, err);
    wf_names_free(&names);
    wf_npz_close(z);
    return s;
}
