#include "dist/trainer.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "dist/progress.h"
#include "tensor/alloc.h"
#include "tensor/rng.h"

enum { STREAM_ORDER = 0x0DE12 }; /* random stream of the windows' order */

struct wf_train_config wf_train_defaults(void)
{
    return (struct wf_train_config){ .epochs = 100,
                                     .batch_size = 64,
                                     .optimizer = WF_ADAM,
                                     .lr = 0.01,
                                     .eps = 1e-3,
                                     .clip = 5,
                                     .schedule = WF_LR_MULTISTEP,
                                     .milestones = { 4, { 20, 30, 40, 50 } },
                                     .gamma = 0.1,
                                     .teach_decay = 2000,
                                     .loss = WF_MAE,
                                     .mask = WF_MASK_NAN,
                                     .shuffle = true,
                                     .save_s = 120 };
}

static const char *const optimizer_names[] = { "adam", "sgd", NULL };
static const char *const schedule_names[] = { "constant", "multistep", "cosine", NULL };
static const char *const loss_names[] = { "mae", "mse", "rmse", "mape", "huber", NULL };

#define FIELD(name, type, member, lo, hi, names, help)                                             \
    {                                                                                              \
        name, type, offsetof(struct wf_train_config, member), lo, hi, names, help                  \
    }
const struct wf_field wf_train_fields[] = {
    FIELD("epochs", WF_FIELD_INT, epochs, 1, 1e6, NULL, "passes over the training part"),
    FIELD("batch-size", WF_FIELD_INT, batch_size, 1, 65536, NULL, "windows per step"),
    FIELD("optimizer", WF_FIELD_ENUM, optimizer, 0, 0, optimizer_names, "optimizer"),
    FIELD("lr", WF_FIELD_DOUBLE, lr, 0, 1e3, NULL, "learning rate at the start"),
    FIELD("eps", WF_FIELD_DOUBLE, eps, 0, 1, NULL, "Adam's epsilon"),
    FIELD("weight-decay", WF_FIELD_DOUBLE, weight_decay, 0, 1e3, NULL, "L2 penalty"),
    FIELD("momentum", WF_FIELD_DOUBLE, momentum, 0, 1, NULL, "of SGD"),
    FIELD("clip", WF_FIELD_DOUBLE, clip, 0, 1e9, NULL, "largest gradient norm; 0: no clipping"),
    FIELD("amsgrad", WF_FIELD_BOOL, amsgrad, 0, 1, NULL, "AMSGrad variant of Adam"),
    FIELD("schedule", WF_FIELD_ENUM, schedule, 0, 0, schedule_names, "learning rate by epoch"),
    FIELD("milestones", WF_FIELD_INTS, milestones, 0, 1e6, NULL, "epochs at which lr falls"),
    FIELD("gamma", WF_FIELD_DOUBLE, gamma, 0, 1, NULL, "factor of each fall"),
    FIELD("teach-decay", WF_FIELD_DOUBLE, teach_decay, 1, 1e9, NULL,
          "k of scheduled sampling, k / (k + exp(step / k))"),
    FIELD("loss", WF_FIELD_ENUM, loss, 0, 0, loss_names, "training loss, in the data's units"),
    FIELD("patience", WF_FIELD_INT, patience, 0, 1e6, NULL,
          "epochs without a better validation MAE before stopping; 0: never"),
    FIELD("shuffle", WF_FIELD_BOOL, shuffle, 0, 1, NULL, "shuffle the training windows"),
    FIELD("seed", WF_FIELD_SEED, seed, 0, 0, NULL, "of initial values, order and sampling"),
    FIELD("save-every", WF_FIELD_DOUBLE, save_s, 0, 1e9, NULL,
          "seconds between checkpoints within an epoch"),
    FIELD("resume", WF_FIELD_BOOL, resume, 0, 1, NULL, "go on from last.h5 if it is there"),
    { 0 }
};
#undef FIELD

static void file_in(const struct wf_trainer *t, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", t->out, name);
}

static enum wf_status save(struct wf_trainer *t, const char *name, struct wf_error *err)
{
    char path[512];
    struct wf_checkpoint c = { t->params, &t->optim, &t->state, t->model->type->name,
                               t->config_text };
    file_in(t, name, path);
    return wf_checkpoint_save(path, &c, err);
}

static enum wf_status load_best(struct wf_trainer *t, struct wf_error *err)
{
    char path[512];
    struct wf_checkpoint c = { .params = t->params, .model = t->model->type->name };
    file_in(t, "best.h5", path);
    return access(path, F_OK) == 0 ? wf_checkpoint_load(path, &c, err) : WF_OK;
}

static enum wf_status load_last(struct wf_trainer *t, struct wf_error *err)
{
    char path[512];
    struct wf_checkpoint c = { t->params, &t->optim, &t->state, t->model->type->name, NULL };
    file_in(t, "last.h5", path);
    if (!t->cfg.resume || access(path, F_OK) != 0) return WF_OK;
    WF_TRY(wf_checkpoint_load(path, &c, err));
    if (t->state.seed == t->cfg.seed) return WF_OK;
    return wf_fail(err, WF_EINVAL, "%s: was trained with seed %llu, asked is %llu", path,
                   (unsigned long long)t->state.seed, (unsigned long long)t->cfg.seed);
}

static struct wf_optim_config optim_config(const struct wf_train_config *c)
{
    struct wf_optim_config o = wf_optim_defaults();
    o.kind = c->optimizer;
    o.lr = c->lr;
    o.eps = c->eps;
    o.weight_decay = c->weight_decay;
    o.momentum = c->momentum;
    o.clip = c->clip;
    o.amsgrad = c->amsgrad;
    return o;
}

enum wf_status wf_trainer_init(struct wf_trainer *t, struct wf_error *err)
{
    struct wf_backend *be = t->params->be;
    const struct wf_windows *w = t->windows;
    int targets = w->cfg.targets, windows = t->split->count[WF_TRAIN];
    size_t batch = (size_t)w->B * (size_t)w->cfg.Q * (size_t)w->series->N * (size_t)targets;
    t->order = NULL;
    t->host[0] = t->host[1] = NULL;
    t->optim = (struct wf_optim){ 0 };
    t->mean = t->std = (struct wf_tensor){ 0 };
    t->state = (struct wf_train_state){ .seed = t->cfg.seed,
                                        .best = INFINITY,
                                        .patience = t->cfg.patience };
    WF_TRY(wf_tape_init(&t->tape, be, err));
    enum wf_status s = wf_optim_init(&t->optim, t->params, optim_config(&t->cfg), err);
    if (s == WF_OK) s = wf_tensor_alloc(&t->mean, be, 1, &targets, err);
    if (s == WF_OK) s = wf_tensor_alloc(&t->std, be, 1, &targets, err);
    if (s == WF_OK) s = wf_tensor_upload(&t->mean, w->scaler.mean);
    if (s == WF_OK) s = wf_tensor_upload(&t->std, w->scaler.std);
    int most = windows > w->B ? windows : w->B;
    t->order = wf_malloc((size_t)most * sizeof *t->order);
    for (int k = 0; k < 2; k++) t->host[k] = wf_malloc(batch * sizeof(wf_real));
    if (s == WF_OK && (!t->order || !t->host[0] || !t->host[1]))
        s = wf_fail(err, WF_ENOMEM, "no memory for a trainer of %d windows", windows);
    if (s == WF_OK) s = load_last(t, err);
    if (s != WF_OK) wf_trainer_free(t);
    return s;
}

void wf_trainer_free(struct wf_trainer *t)
{
    wf_tape_free(&t->tape);
    wf_optim_free(&t->optim);
    wf_tensor_free(&t->mean);
    wf_tensor_free(&t->std);
    wf_free(t->order);
    wf_free(t->host[0]);
    wf_free(t->host[1]);
    t->order = NULL;
    t->host[0] = t->host[1] = NULL;
}

/* Forecast in the data's units [B, Q, N, targets]. */
static struct wf_tensor *forecast(struct wf_trainer *t, struct wf_batch *b)
{
    struct wf_tape *g = &t->tape;
    b->supports = t->supports;
    struct wf_tensor *y = t->model->type->forward(g, t->model->layers, b);
    return wf_add(g, wf_mul(g, y, &t->std), &t->mean);
}

static enum wf_status tape_status(const struct wf_tape *g, struct wf_error *err)
{
    return g->error.status == WF_OK ? WF_OK : wf_fail(err, g->error.status, "%s", g->error.message);
}

static void set_step(struct wf_trainer *t)
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
    wf_tape_set_step(&t->tape, &step);
}

enum wf_status wf_trainer_step(struct wf_trainer *t, const int *start, int n, double *loss,
                               struct wf_error *err)
{
    struct wf_tape *g = &t->tape;
    struct wf_batch b;
    wf_real value;
    wf_tape_reset(g);
    g->training = g->recording = true;
    set_step(t);
    WF_RUN(g, wf_windows_batch(t->windows, &b, start, n));
    WF_RUN(g, wf_params_zero_grad(t->params));
    if (g->error.status != WF_OK) return tape_status(g, err);
    struct wf_tensor *l = wf_loss(g, forecast(t, &b), &b.y, t->cfg.loss, t->cfg.mask);
    wf_tape_backward(g, l);
    WF_RUN(g, wf_tensor_download(l, &value));
    WF_TRY(tape_status(g, err));
    if (!isfinite((double)value))
        return wf_fail(err, WF_ENUMERIC, "epoch %d, step %lld: the loss is %g", t->state.epoch,
                       (long long)t->state.step, (double)value);
    *loss = (double)value;
    WF_RUN(g, wf_optim_step(&t->optim, g->step));
    t->state.step++;
    return tape_status(g, err);
}

enum wf_status wf_trainer_predict(struct wf_trainer *t, const int *start, int n, wf_real *pred,
                                  struct wf_error *err)
{
    struct wf_tape *g = &t->tape;
    struct wf_batch b;
    wf_tape_reset(g);
    g->training = g->recording = false;
    WF_RUN(g, wf_windows_batch(t->windows, &b, start, n));
    if (g->error.status == WF_OK) {
        struct wf_tensor *y = forecast(t, &b);
        WF_RUN(g, wf_tensor_download(y, pred));
        WF_RUN(g, wf_tensor_download(&b.y, t->host[1]));
    }
    return tape_status(g, err);
}

enum wf_status wf_trainer_evaluate(struct wf_trainer *t, enum wf_part part, struct wf_metrics *m,
                                   struct wf_error *err)
{
    int first = t->split->first[part], count = t->split->count[part], B = t->windows->B;
    wf_metrics_reset(m);
    for (int i = 0; i < count; i += B) {
        int n = i + B < count ? B : count - i;
        if (t->stop && *t->stop) return wf_fail(err, WF_EINTR, "stopped while evaluating");
        for (int k = 0; k < n; k++) t->order[k] = first + i + k;
        WF_TRY(wf_trainer_predict(t, t->order, n, t->host[0], err));
        wf_metrics_add(m, t->host[0], t->host[1], n, t->windows->series->N,
                       t->windows->cfg.targets);
    }
    return WF_OK;
}

static void epoch_order(struct wf_trainer *t)
{
    int first = t->split->first[WF_TRAIN], n = t->split->count[WF_TRAIN];
    if (t->cfg.shuffle)
        wf_rng_permutation(t->cfg.seed, STREAM_ORDER, (uint64_t)t->state.epoch, n, t->order);
    else
        for (int i = 0; i < n; i++) t->order[i] = i;
    for (int i = 0; i < n; i++) t->order[i] += first;
}

/* The batches of an epoch from where the state stands. */
static enum wf_status train_epoch(struct wf_trainer *t, struct wf_progress *bar,
                                  struct wf_error *err)
{
    struct wf_train_state *st = &t->state;
    int n = t->split->count[WF_TRAIN], B = t->cfg.batch_size, batches = (n + B - 1) / B;
    double saved = wf_now();
    epoch_order(t);
    while (st->batch < batches) {
        int from = st->batch * B, size = from + B < n ? B : n - from;
        double loss;
        WF_TRY(wf_trainer_step(t, t->order + from, size, &loss, err));
        st->loss_sum += loss * size;
        st->loss_count += size;
        st->batch++;
        char text[120];
        snprintf(text, sizeof text, "epoch %d/%d, batch %d/%d, loss %.4f", st->epoch + 1,
                 t->cfg.epochs, st->batch, batches, st->loss_sum / st->loss_count);
        wf_progress_show(bar, st->epoch * batches + st->batch, text);
        bool stop = t->stop && *t->stop;
        if (stop || wf_now() - saved > t->cfg.save_s) {
            WF_TRY(save(t, "last.h5", err));
            saved = wf_now();
        }
        if (stop)
            return wf_fail(err, WF_EINTR, "stopped in epoch %d after batch %d; %s/last.h5 has it",
                           st->epoch + 1, st->batch, t->out);
    }
    return WF_OK;
}

/* Validates, keeps the best, moves on to the next epoch. */
static enum wf_status finish_epoch(struct wf_trainer *t, struct wf_metrics *m, double started,
                                   struct wf_progress *bar, struct wf_error *err)
{
    struct wf_train_state *st = &t->state;
    enum wf_status s = wf_trainer_evaluate(t, WF_VALID, m, err);
    if (s == WF_EINTR) WF_TRY(save(t, "last.h5", err)); /* the epoch's steps are done */
    WF_TRY(s);
    double mae = wf_metrics_mae(m, -1);
    struct wf_epoch_stats stats = { st->epoch, wf_now() - started,
                                    st->loss_count > 0 ? st->loss_sum / st->loss_count : 0, mae };
    bool better = mae < st->best;
    st->patience = better ? t->cfg.patience : st->patience - 1;
    if (better) st->best = mae;
    st->epoch++;
    st->batch = 0;
    st->loss_sum = st->loss_count = 0;
    if (better) WF_TRY(save(t, "best.h5", err));
    WF_TRY(save(t, "last.h5", err));
    char text[160];
    snprintf(text, sizeof text, "epoch %d/%d: %.1f s, training loss %.4f, validation MAE %.4f%s",
             st->epoch, t->cfg.epochs, stats.seconds, stats.train_loss, mae, better ? " *" : "");
    wf_progress_line(bar, text);
    if (t->epoch_done) t->epoch_done(t->ctx, &stats);
    return WF_OK;
}

enum wf_status wf_trainer_run(struct wf_trainer *t, struct wf_error *err)
{
    int n = t->split->count[WF_TRAIN], B = t->cfg.batch_size, batches = (n + B - 1) / B;
    struct wf_progress bar;
    struct wf_metrics m;
    enum wf_status s = WF_OK;
    WF_TRY(wf_metrics_init(&m, t->windows->cfg.Q, err));
    wf_progress_start(&bar, t->log, t->state.epoch * batches + t->state.batch,
                      t->cfg.epochs * batches);
    while (s == WF_OK && t->state.epoch < t->cfg.epochs) {
        if (t->cfg.patience > 0 && t->state.patience <= 0) break;
        double started = wf_now();
        s = train_epoch(t, &bar, err);
        if (s == WF_OK) s = finish_epoch(t, &m, started, &bar, err);
    }
    wf_metrics_free(&m);
    return s == WF_OK ? load_best(t, err) : s;
}
