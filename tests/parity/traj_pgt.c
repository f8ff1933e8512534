/* traj_pgt.c - compares index-batched training of PyTorch Geometric Temporal's DCRNN. */
#include <math.h>
#include <stdio.h>
#include "tensor/alloc.h"
#include "tests/parity/pgt.h"
#include "tests/parity/traj.h"

struct traj {
    struct run *r;
    struct wf_params ps; /* published names and shapes */
    struct wf_optim o;
    struct wf_series series;
    struct wf_windows win;
    struct wf_supports S; /* of the current step */
    int *order;           /* starts of the training windows */
    int train, valid, B, steps;
    double *losses;
};

/* Reads the parameters under `group` of the case; pgt_names are our names as well. */
static enum wf_status load(struct run *r, struct wf_params *ps, const char *group)
{
    char path[PATH_TEXT];
    struct wf_array a[PGT_PARAMS] = { 0 };
    enum wf_status s = WF_OK;
    wf_params_init(ps, r->g.be);
    for (int i = 0; i < PGT_PARAMS && !s; i++) {
        int shape[WF_MAXDIM];
        snprintf(path, sizeof path, "%s/%s", group, pgt_names[i]);
        s = read_real(r, path, &a[i]);
        for (int k = 0; k < a[i].ndim && k < WF_MAXDIM; k++) shape[k] = (int)a[i].dim[k];
        if (!s) wf_params_add(ps, pgt_names[i], a[i].ndim, shape, (struct wf_init){ 0 });
    }
    if (!s) s = wf_params_commit(ps, 0, &r->err);
    for (int i = 0; i < PGT_PARAMS && !s; i++)
        s = wf_tensor_upload(&ps->param[i]->value, a[i].data);
    for (int i = 0; i < PGT_PARAMS; i++) wf_array_free(&a[i]);
    return s;
}

static enum wf_status compare_set(struct traj *t, const char *group, bool grad)
{
    struct wf_params want;
    enum wf_status s = load(t->r, &want, group);
    if (!s) s = compare_params(t->r, group, &t->ps, grad, &want);
    wf_params_free(&want);
    return s;
}

/* Returns the loss of windows start[0..n) of a model built anew from the published parameters. */
static struct wf_tensor *loss(struct traj *t, struct wf_batch *b, const int *start, int n)
{
    struct run *r = t->r;
    struct wf_tape *g = &r->g;
    struct wf_tensor *p[PGT_PARAMS];
    wf_tape_reset(g);
    if (wf_windows_batch(&t->win, b, start, n)) return wf_tape_fail(g, WF_EINVAL, "no batch");
    for (int i = 0; i < PGT_PARAMS; i++) p[i] = &t->ps.param[i]->value;
    t->S = case_supports(r, "");
    b->supports = &t->S;
    struct wf_dcrnn_pgt m = { .cell = pgt_cell(g, p) };
    m.task = (struct wf_task){ .nodes = b->N,
                               .channels = b->C,
                               .targets = m.cell.hidden,
                               .T = b->T,
                               .Q = b->Q,
                               .terms = t->S.terms };
    struct wf_tensor *out = wf_dcrnn_pgt_forward(g, &m, b); /* [B, T, N, C] */
    const struct wf_scaler *sc = &t->win.scaler;
    struct wf_tensor *mean = wf_input(g, sc->mean, 1, wf_dims(b->C));
    return traj_loss(g, out, mean, wf_input(g, sc->std, 1, wf_dims(b->C)), &b->y);
}

static enum wf_status one_step(struct traj *t, const int *start, int n)
{
    struct run *r = t->r;
    struct wf_batch b = { 0 };
    if (t->steps == MAXSTEP) return wf_fail(&r->err, WF_EFORMAT, "more than %d steps", MAXSTEP);
    struct wf_tensor *l = loss(t, &b, start, n);
    WF_TRY(traj_update(r, &t->o, t->steps, l, &t->losses[t->steps]));
    if (t->steps++ > 0) return WF_OK;
    WF_TRY(compare_tensor(r, "first_x", &b.x));
    WF_TRY(compare_tensor(r, "first_y", &b.y_std));
    WF_TRY(compare_set(t, "grad_step1", true));
    return compare_set(t, "param_step1", false);
}

/* Returns the plain mean over the validation batches. */
static enum wf_status validate(struct traj *t, int epoch)
{
    struct run *r = t->r;
    double total = 0;
    int batches = 0, start[MAXSTEP];
    r->g.recording = false;
    for (int at = 0; at < t->valid; at += t->B, batches++) {
        int n = t->valid - at < t->B ? t->valid - at : t->B;
        struct wf_batch b = { 0 };
        wf_real v = 0;
        for (int i = 0; i < n; i++) start[i] = t->train + at + i;
        struct wf_tensor *l = loss(t, &b, start, n);
        enum wf_status s = tape_status(r);
        if (!s) s = wf_tensor_download(l, &v);
        WF_TRY(s);
        total += (double)v;
    }
    r->g.recording = true;
    char attr[32];
    snprintf(attr, sizeof attr, "val_loss_epoch%d", epoch);
    return compare_number(r, attr, total / batches, number(r, attr, INFINITY));
}

static enum wf_status train(struct traj *t)
{
    for (int epoch = 0; epoch < 2; epoch++) {
        for (int at = 0; at < t->train; at += t->B)
            WF_TRY(one_step(t, t->order + at, t->train - at < t->B ? t->train - at : t->B));
        WF_TRY(validate(t, epoch));
    }
    WF_TRY(compare_set(t, "param_end", false));
    return traj_losses(t->r, "losses", t->losses, t->steps);
}

/* Reads the series in wf_real, fits the scaler to the whole series, and standardises the data. */
static enum wf_status put_series(struct traj *t, const struct wf_array *raw, struct wf_scaler *sc)
{
    struct run *r = t->r;
    int shape[3] = { (int)raw->dim[0], (int)raw->dim[1], (int)raw->dim[2] };
    size_t bytes = (size_t)raw->count * sizeof(wf_real);
    WF_TRY(wf_series_init(&t->series, r->g.be, shape[0], shape[1], shape[2], &r->err));
    WF_TRY(r->g.be->upload(r->g.be, t->series.values, raw->data, bytes));
    WF_TRY(wf_scaler_fit(sc, &t->series, NULL, 0, true, &r->err));
    struct wf_tape *g = &r->g;
    struct wf_tensor *mean = wf_input(g, sc->mean, 1, &sc->C),
                     *std = wf_input(g, sc->std, 1, &sc->C);
    struct wf_tensor *x = wf_input(g, raw->data, 3, shape);
    struct wf_tensor *data = wf_div(g, wf_sub(g, x, mean), std);
    WF_TRY(tape_status(r));
    WF_TRY(compare_tensor(r, "means", mean));
    WF_TRY(compare_tensor(r, "stds", std));
    return compare_tensor(r, "data", data);
}

static enum wf_status split(struct traj *t, int lags)
{
    struct run *r = t->r;
    struct wf_split sp;
    WF_TRY(wf_split_make(&sp, &t->series, lags, lags, (const double[]){ 0.7, 0.1, 0.2 }, &r->err));
    t->train = sp.count[WF_TRAIN];
    t->valid = sp.count[WF_VALID];
    WF_TRY(compare_number(r, "num_train", t->train, number(r, "num_train", INFINITY)));
    WF_TRY(compare_number(r, "num_val", t->valid, number(r, "num_val", INFINITY)));
    WF_TRY(compare_number(r, "num_test", sp.count[WF_TEST], number(r, "num_test", INFINITY)));
    struct wf_array a;
    WF_TRY(read_case(r, "order", WF_I64, &a));
    t->order = wf_malloc((size_t)a.count * sizeof *t->order);
    for (ptrdiff_t i = 0; i < a.count && t->order; i++) t->order[i] = (int)a.i64[i];
    bool fits = a.count == t->train && t->order;
    wf_array_free(&a);
    return fits ? WF_OK : wf_fail(&r->err, WF_EFORMAT, "order does not hold every window once");
}

static enum wf_status prepare(struct traj *t)
{
    struct run *r = t->r;
    int lags = integer(r, "lags", 0);
    struct wf_scaler sc;
    struct wf_array raw;
    WF_TRY(read_real(r, "raw", &raw));
    enum wf_status s = raw.ndim == 3 ? put_series(t, &raw, &sc) : WF_EFORMAT;
    int N = (int)raw.dim[1];
    wf_array_free(&raw);
    if (s) return wf_fail_in(&r->err, "raw");
    WF_TRY(split(t, lags));
    WF_TRY(pgt_graph(r, "", N));
    struct wf_window_config wc = { .T = lags, .Q = lags, .targets = sc.C };
    t->B = integer(r, "batch_size", 0);
    if (t->B < 1 || t->B > MAXSTEP) return wf_fail(&r->err, WF_EFORMAT, "batch_size %d", t->B);
    WF_TRY(wf_windows_init(&t->win, &t->series, wc, &sc, t->B, &r->err));
    struct wf_optim_config oc = wf_optim_defaults();
    oc.lr = number(r, "lr", oc.lr);
    WF_TRY(load(r, &t->ps, "param0"));
    return wf_optim_init(&t->o, &t->ps, oc, &r->err);
}

enum wf_status run_traj_pgt(struct run *r)
{
    struct traj t = { .r = r };
    wf_params_init(&t.ps, r->g.be);
    t.losses = wf_malloc(MAXSTEP * sizeof *t.losses);
    enum wf_status s = t.losses ? prepare(&t) : WF_ENOMEM;
    if (!s) s = train(&t);
    wf_free(t.losses);
    wf_free(t.order);
    wf_optim_free(&t.o);
    wf_params_free(&t.ps);
    wf_windows_free(&t.win);
    wf_series_free(&t.series);
    return s;
}
