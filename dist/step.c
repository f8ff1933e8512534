/* step.c - one step of training, and forecasts: what of the trainer runs on the tape. */
#include <math.h>
#include "dist/progress.h"
#include "dist/trainer.h"
#include "dist/trainer_private.h"

/* Forecast in the data's units [B, Q, N, targets]. */
static struct wf_tensor *forecast(struct wf_trainer *t, struct wf_batch *b)
{
    struct wf_tape *g = &t->tape;
    wf_batch_bind(g, b, t->graph);
    struct wf_tensor *y = wf_model_forecast(g, t->model, b);
    return wf_add(g, wf_mul(g, y, &t->std), &t->mean);
}

static enum wf_status tape_status(const struct wf_tape *g, struct wf_error *err)
{
    return g->error.status == WF_OK ? WF_OK : wf_fail(err, g->error.status, "%s", g->error.message);
}

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
        step.stride = t->own_windows ? 1 : t->dist->size;
        step.first = t->own_windows ? (int64_t)t->dist->rank * t->cfg.batch_size : t->dist->rank;
    }
    wf_tape_set_step(&t->tape, &step);
}

/* Windows of the batch; where the loss counts zeros as missing, padding is zero, else NaN. */
static enum wf_status load_batch(struct wf_trainer *t, struct wf_batch *b, const int *start, int n,
                                 int valid, struct wf_error *err)
{
    struct wf_tape *g = &t->tape;
    wf_real pad = t->cfg.mask == WF_MASK_ZERO_PGT ? 0 : (wf_real)NAN;
    WF_RUN(g, wf_windows_batch_padded(t->windows, b, start, n, valid, pad));
    return tape_status(g, err);
}

/* Forward and backward on this rank's part; mean and count of its loss. With several ranks the
 * gradient is that of the sum, and an RMSE is taken for the MSE it is the root of. */
static enum wf_status gradient(struct wf_trainer *t, const int *start, int n, int valid,
                               wf_real value[2], struct wf_error *err)
{
    struct wf_tape *g = &t->tape;
    struct wf_batch b;
    bool many = wf_trainer_ranks(t) > 1;
    enum wf_loss_kind kind = many && t->cfg.loss == WF_RMSE ? WF_MSE : t->cfg.loss;
    WF_RUN(g, wf_params_zero_grad(t->params));
    WF_TRY(load_batch(t, &b, start, n, valid, err));
    struct wf_tensor *both = wf_loss_counted(g, forecast(t, &b), &b.y, kind, t->cfg.mask);
    struct wf_tensor *mean = wf_slice(g, both, 0, 0, 1), *count = wf_slice(g, both, 0, 1, 2);
    wf_tape_backward(g, many ? wf_mul(g, mean, count) : mean);
    WF_RUN(g, wf_tensor_download(both, value));
    WF_TRY(tape_status(g, err));
    if (!isfinite((double)value[0]))
        return wf_fail(err, WF_ENUMERIC, "epoch %d, step %lld: the loss is %g", t->state.epoch,
                       (long long)t->state.step, (double)value[0]);
    return WF_OK;
}

enum { SUM, COUNT, WINDOWS, FAILED, STOP, SPENT, LANES };

/* Sums over the ranks; afterwards the gradient is that of the loss of the joined batch. */
static enum wf_status exchange(struct wf_trainer *t, double lane[LANES], struct wf_error *err)
{
    struct wf_tape *g = &t->tape;
    struct wf_tensor *grad = &t->params->grad;
    enum wf_status local = lane[FAILED] != 0 ? err->status : WF_OK;
    WF_TRY(wf_dist_sum(t->dist, lane, LANES, err));
    if (lane[FAILED] != 0) return wf_dist_agree(t->dist, local, err);
    WF_TRY(wf_dist_sum_tensor(t->dist, grad, t->staging, err));
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
    struct wf_tape *g = &t->tape;
    wf_real value[2] = { 0 };
    double at = wf_now();
    wf_tape_reset(g);
    g->training = g->recording = true;
    set_step(t, n);
    enum wf_status s = gradient(t, start, n, valid, value, err);
    bool asked = t->stop && *t->stop, spent = wf_trainer_spent(t);
    *r = (struct wf_step_result){ (double)value[0], valid, asked, spent };
    if (wf_trainer_ranks(t) > 1) {
        double lane[LANES] = { (double)value[0] * (double)value[1],
                               (double)value[1],
                               valid,
                               s != WF_OK || t->late.status != WF_OK,
                               asked,
                               spent };
        if (s == WF_OK && t->late.status != WF_OK)
            s = wf_fail(err, t->late.status, "%s", t->late.message);
        s = exchange(t, lane, err);
        *r = (struct wf_step_result){ lane[SUM], (int)lane[WINDOWS], lane[STOP] > 0,
                                      lane[SPENT] > 0 };
    }
    WF_TRY(s);
    WF_RUN(g, wf_optim_step(&t->optim, g->step));
    t->state.step++;
    WF_TRY(tape_status(g, err));
    t->state.seconds += wf_now() - at;
    return WF_OK;
}

enum wf_status wf_trainer_predict(struct wf_trainer *t, const int *start, int n, wf_real *pred,
                                  struct wf_error *err)
{
    struct wf_tape *g = &t->tape;
    struct wf_batch b;
    wf_tape_reset(g);
    g->training = g->recording = false;
    WF_TRY(load_batch(t, &b, start, n, n, err));
    struct wf_tensor *y = forecast(t, &b);
    WF_RUN(g, wf_tensor_download(y, pred));
    WF_RUN(g, wf_tensor_download(&b.y, t->host[1]));
    return tape_status(g, err);
}

/* This rank's share of a part. */
static enum wf_status evaluate_own(struct wf_trainer *t, enum wf_part part, struct wf_metrics *m,
                                   struct wf_error *err)
{
    int lo = 0, hi = t->split->count[part], B = t->windows->B, first = t->split->first[part];
    if (!t->own_windows) wf_share(hi, wf_trainer_ranks(t), t->dist ? t->dist->rank : 0, &lo, &hi);
    for (int i = lo; i < hi; i += B) {
        int n = i + B < hi ? B : hi - i;
        if (t->stop && *t->stop) return wf_fail(err, WF_EINTR, "stopped while evaluating");
        for (int k = 0; k < n; k++) t->start[k] = first + i + k;
        WF_TRY(wf_trainer_predict(t, t->start, n, t->host[0], err));
        wf_metrics_add(m, t->host[0], t->host[1], n, t->windows->series->N,
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
    return WF_OK;
}
