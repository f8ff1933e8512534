/* trainer_step.c - one step of training, and forecasts: what of the trainer runs on the tape. */
#include <math.h>
#include "dist/clock.h"
#include "dist/trainer.h"
#include "dist/trainer_private.h"

/* Returns the forecast in the data's units, [B, Q, N, targets]. */
static struct wf_tensor *forecast(struct wf_trainer *t, struct wf_batch *b)
{
    struct wf_tape *g = &t->engine->tape;
    wf_batch_bind(g, b, t->graph);
    struct wf_tensor *y = wf_model_forecast(g, t->model, b);
    return wf_add(g, wf_mul(g, y, &t->engine->std), &t->engine->mean);
}

static enum wf_status tape_status(const struct wf_tape *g, struct wf_error *err)
{
    return g->error.status == WF_OK ? WF_OK : wf_fail(err, g->error.status, "%s", g->error.message);
}

/* Tells the kernels of the coming step its rates and, of several ranks, which samples of the joined
 * batch are this rank's: local sample i is sample i * stride + first of it. */
static void set_step(struct wf_trainer *t, int samples)
{
    const struct wf_train_config *c = &t->cfg;
    struct wf_schedule rule = {
        .kind = c->schedule, .milestones = c->milestones.n, .gamma = c->gamma, .period = c->epochs
    };
    for (int i = 0; i < c->milestones.n; i++) rule.milestone[i] = c->milestones.v[i];
    double k = c->teach_decay;
    struct wf_step step = { .seed = c->seed,
                            .step = (uint64_t)t->state.step,
                            .lr = wf_schedule_lr(&rule, c->lr, t->state.epoch),
                            .teach = k / (k + exp((double)t->state.step / k)) };
    if (wf_trainer_ranks(t) > 1) {
        step.samples = samples;
        step.stride = t->windows_are_local ? 1 : t->dist->size;
        step.first =
            t->windows_are_local ? (int64_t)t->dist->rank * t->cfg.batch_size : t->dist->rank;
    }
    wf_tape_set_step(&t->engine->tape, &step);
}

static enum wf_status load_batch(struct wf_trainer *t, struct wf_batch *b, const int *start, int n,
                                 int valid, struct wf_error *err)
{
    struct wf_tape *g = &t->engine->tape;
    WF_RUN(g, wf_windows_batch_padded(t->windows, b, start, n, valid, wf_trainer_padding(t)));
    return tape_status(g, err);
}

/* ---- work that is recorded ---- */

struct work {
    struct wf_trainer *t;
    struct wf_batch b;
};

/* Forward and backward on this rank's part of the batch. Returns [2]: mean loss and number of
 * counted targets. With several ranks the gradient is that of the summed loss, and WF_RMSE computes
 * the MSE, of which exchange() takes the root. */
static struct wf_tensor *gradient(void *ctx)
{
    struct work *w = ctx;
    struct wf_trainer *t = w->t;
    struct wf_tape *g = &t->engine->tape;
    bool many = wf_trainer_ranks(t) > 1;
    enum wf_loss_kind kind = many && t->cfg.loss == WF_RMSE ? WF_MSE : t->cfg.loss;
    WF_RUN(g, wf_params_zero_grad(t->params));
    struct wf_tensor *both = wf_loss_counted(g, forecast(t, &w->b), &w->b.y, kind, t->cfg.mask);
    struct wf_tensor *mean = wf_slice(g, both, 0, 0, 1), *count = wf_slice(g, both, 0, 1, 2);
    wf_tape_backward(g, many ? wf_mul(g, mean, count) : mean);
    return both;
}

static struct wf_tensor *update(void *ctx)
{
    struct wf_trainer *t = ctx;
    WF_RUN(&t->engine->tape, wf_optim_step(&t->engine->optim, t->engine->tape.step));
    return NULL;
}

static struct wf_tensor *prediction(void *ctx)
{
    struct work *w = ctx;
    return wf_contiguous(&w->t->engine->tape, forecast(w->t, &w->b));
}

/* Runs the work from the recording for batches of its size; where all recordings are taken by other
 * sizes, without one. */
static struct wf_tensor *run(struct wf_trainer *t, struct work *w, bool training)
{
    struct wf_tensor *(*what)(void *ctx) = training ? gradient : prediction;
    for (int i = 0; i < WF_TRAIN_REPLAYS; i++) {
        struct wf_train_replay *p = &t->engine->replay[i];
        if (p->n && (p->n != w->b.B || p->training != training)) continue;
        p->n = w->b.B;
        p->training = training;
        return wf_replay(&p->replay, &t->engine->tape, what, w);
    }
    return what(w);
}

/* ---- losses ---- */

enum wf_status wf_trainer_losses(struct wf_trainer *t, struct wf_step_result *r,
                                 struct wf_error *err)
{
    struct wf_train_engine *e = t->engine;
    wf_real value[2 * WF_TRAIN_LOSSES];
    struct wf_backend *be = e->losses.be;
    int n = e->unread;
    *r = (struct wf_step_result){ 0 };
    e->unread = 0;
    if (n == 0) return WF_OK;
    enum wf_status s = be->download(be, value, e->losses.data, (size_t)n * 2 * sizeof *value);
    if (s != WF_OK) return wf_fail(err, s, "cannot read %d losses from %s", n, be->name);
    for (int k = 0; k < n; k++) {
        double loss = (double)value[2 * k];
        if (!isfinite(loss))
            return wf_fail(err, WF_ENUMERIC, "epoch %d, step %lld: the loss is %g", t->state.epoch,
                           (long long)t->state.step - n + k, loss);
        r->loss += loss * e->windows_of[k];
        r->windows += e->windows_of[k];
    }
    if (r->windows > 0) r->loss /= r->windows;
    return WF_OK;
}

/* Keeps loss and count of the step on the backend until they are read. */
static void keep_loss(struct wf_trainer *t, const struct wf_tensor *both, int valid)
{
    struct wf_train_engine *e = t->engine;
    struct wf_tape *g = &e->tape;
    wf_real *to = e->losses.data + 2 * e->unread;
    WF_RUN(g, g->be->move(g->be, to, both->data, 2 * sizeof *to));
    if (g->error.status == WF_OK) e->windows_of[e->unread++] = valid;
}

/* Gathers the next batch on the host. It is called while a device is at work on the current one,
 * and before anybody waits for the device. */
static void prepare_next(struct wf_trainer *t)
{
    struct wf_train_engine *e = t->engine;
    struct wf_draw d = e->next;
    e->next.n = 0;
    if (d.n > 0)
        WF_RUN(&e->tape, wf_windows_prepare(t->windows, e->start + t->windows->B, d.n, d.valid,
                                            wf_trainer_padding(t)));
}

/* Computes this rank's gradient. value gets mean loss and count where each loss is read at once;
 * else it stays as it is. */
static enum wf_status own_step(struct wf_trainer *t, const int *start, int n, int valid,
                               wf_real value[2], struct wf_error *err)
{
    struct wf_tape *g = &t->engine->tape;
    struct work w = { .t = t };
    wf_tape_reset(g);
    g->training = g->recording = true;
    set_step(t, n);
    WF_TRY(load_batch(t, &w.b, start, n, valid, err));
    struct wf_tensor *both = run(t, &w, true);
    if (t->engine->inspects) {
        prepare_next(t);
        WF_RUN(g, wf_tensor_download(both, value));
        WF_TRY(tape_status(g, err));
        if (!isfinite((double)value[0]))
            return wf_fail(err, WF_ENUMERIC, "epoch %d, step %lld: the loss is %g", t->state.epoch,
                           (long long)t->state.step, (double)value[0]);
    } else {
        keep_loss(t, both, valid);
    }
    return tape_status(g, err);
}

/* What the ranks tell each other in a step besides the gradient: numbers that are added up. */
enum lane {
    SUM,     /* losses of all counted targets */
    COUNT,   /* counted targets */
    WINDOWS, /* windows that count */
    FAILED,  /* not 0: a rank has an error */
    STOP,    /* not 0: a rank was asked to stop */
    SPENT,   /* not 0: a rank's minutes are over */
    LANES
};

/* Sums lanes and gradients over the ranks; afterwards lane[SUM] is the mean loss of the joined
 * batch, and the gradient is that of this mean. */
static enum wf_status exchange(struct wf_trainer *t, double lane[LANES], struct wf_error *err)
{
    struct wf_tape *g = &t->engine->tape;
    struct wf_tensor *grad = &t->params->grad;
    enum wf_status local = lane[FAILED] != 0 ? err->status : WF_OK;
    WF_TRY(wf_dist_sum(t->dist, lane, LANES, err));
    if (lane[FAILED] != 0) return wf_dist_agree(t->dist, local, err);
    WF_TRY(wf_dist_sum_tensor(t->dist, grad, t->engine->staging, err));
    double mean = lane[COUNT] > 0 ? lane[SUM] / lane[COUNT] : 0, scale = 0;
    if (lane[COUNT] > 0) scale = 1 / lane[COUNT];
    if (t->cfg.loss == WF_RMSE) {
        mean = sqrt(mean);
        scale = mean > 0 ? scale / (2 * mean) : 0;
    }
    lane[SUM] = mean;
    WF_RUN(g, wfk_affine(g->be, grad, grad, scale, 0, false));
    return tape_status(g, err);
}

enum wf_status wf_trainer_step(struct wf_trainer *t, const int *start, int n, int valid,
                               struct wf_step_result *r, struct wf_error *err)
{
    struct wf_train_engine *e = t->engine;
    struct wf_tape *g = &e->tape;
    wf_real value[2] = { 0 };
    double at = wf_now();
    enum wf_status s = own_step(t, start, n, valid, value, err);
    bool asked = t->stop && *t->stop, spent = wf_trainer_spent(t);
    *r = (struct wf_step_result){ (double)value[0], e->inspects ? valid : 0, asked, spent };
    if (wf_trainer_ranks(t) > 1) {
        double lane[LANES] = { (double)value[0] * (double)value[1],
                               (double)value[1],
                               valid,
                               s != WF_OK || e->late.status != WF_OK,
                               asked,
                               spent };
        if (s == WF_OK && e->late.status != WF_OK)
            s = wf_fail(err, e->late.status, "%s", e->late.message);
        s = exchange(t, lane, err);
        *r = (struct wf_step_result){ lane[SUM], (int)lane[WINDOWS], lane[STOP] > 0,
                                      lane[SPENT] > 0 };
    }
    WF_TRY(s);
    wf_replay(&e->update, g, update, t);
    prepare_next(t);
    s = tape_status(g, err);
    /* After the exchange the other ranks cannot learn of an error any more. */
    if (s != WF_OK && wf_trainer_ranks(t) > 1)
        return wf_fail(err, WF_ECOMM, "%s", g->error.message);
    WF_TRY(s);
    t->state.step++;
    if (e->unread == WF_TRAIN_LOSSES) WF_TRY(wf_trainer_losses(t, r, err));
    r->stop |= asked;
    r->spent |= spent;
    t->state.seconds += wf_now() - at;
    return WF_OK;
}

enum wf_status wf_trainer_predict(struct wf_trainer *t, const int *start, int n, wf_real *pred,
                                  struct wf_error *err)
{
    struct wf_tape *g = &t->engine->tape;
    struct work w = { .t = t };
    wf_tape_reset(g);
    g->training = g->recording = false;
    WF_TRY(load_batch(t, &w.b, start, n, n, err));
    const struct wf_tensor *y = run(t, &w, false);
    prepare_next(t);
    WF_RUN(g, wf_tensor_download(y, pred));
    WF_RUN(g, wf_tensor_download(&w.b.y, t->engine->host[1]));
    return tape_status(g, err);
}

/* Adds up the errors of this rank's share of a part. */
static enum wf_status evaluate_own(struct wf_trainer *t, enum wf_part part, struct wf_metrics *m,
                                   struct wf_error *err)
{
    struct wf_train_engine *e = t->engine;
    int lo = 0, hi = t->split->count[part], B = t->windows->B, first = t->split->first[part];
    if (!t->windows_are_local)
        wf_share(hi, wf_trainer_ranks(t), t->dist ? t->dist->rank : 0, &lo, &hi);
    for (int i = lo; i < hi; i += B) {
        int n = i + B < hi ? B : hi - i;
        if (t->stop && *t->stop) return wf_fail(err, WF_EINTR, "stopped while evaluating");
        int more = hi - i - n < B ? hi - i - n : B;
        for (int k = 0; k < n; k++) e->start[k] = first + i + k;
        for (int k = 0; k < more; k++) e->start[B + k] = first + i + n + k;
        e->next = (struct wf_draw){ .n = more, .valid = more };
        WF_TRY(wf_trainer_predict(t, e->start, n, e->host[0], err));
        wf_metrics_add(m, e->host[0], e->host[1], n, t->windows->series->N,
                       t->windows->cfg.targets);
    }
    return WF_OK;
}

enum wf_status wf_trainer_evaluate(struct wf_trainer *t, enum wf_part part, struct wf_metrics *m,
                                   struct wf_error *err)
{
    wf_metrics_reset(m);
    enum wf_status s = evaluate_own(t, part, m, err);
    if (wf_trainer_ranks(t) == 1) return s;
    WF_TRY(wf_dist_agree(t->dist, s, err));
    double *const sums[] = { m->abs, m->sq, m->pct, m->count, m->pct_count };
    for (size_t k = 0; k < sizeof sums / sizeof *sums; k++)
        WF_TRY(wf_dist_sum(t->dist, sums[k], m->Q, err));
    return wf_dist_sum(t->dist, m->pgt, 2, err);
}
