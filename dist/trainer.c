#include "dist/trainer.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include "dist/clock.h"
#include "dist/progress.h"
#include "dist/trainer_private.h"
#include "tensor/alloc.h"

static bool is_root(const struct wf_trainer *t)
{
    return !t->dist || t->dist->rank == 0;
}

static enum wf_status agree(struct wf_trainer *t, enum wf_status s, struct wf_error *err)
{
    return t->dist ? wf_dist_agree(t->dist, s, err) : s;
}

static void file_in(const struct wf_trainer *t, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", t->out, name);
}

/* Writes a checkpoint, on rank 0; does nothing on the others. */
static enum wf_status save(struct wf_trainer *t, const char *name, struct wf_error *err)
{
    char path[512];
    struct wf_checkpoint c = { t->params, &t->engine->optim, &t->state, t->model->type->name,
                               t->config_text };
    if (!is_root(t)) return WF_OK;
    file_in(t, name, path);
    return wf_checkpoint_save(path, &c, err);
}

/* Gives all ranks what rank 0 has read: parameters and state slots; with `all` the optimizer's
 * moments and the position too. */
static enum wf_status spread(struct wf_trainer *t, bool all, struct wf_error *err)
{
    struct wf_tensor *block[] = { &t->params->value, &t->params->state, &t->engine->optim.m,
                                  &t->engine->optim.v, &t->engine->optim.vmax };
    if (!t->dist) return WF_OK;
    for (int i = 0; i < (all ? 5 : 2); i++)
        if (block[i]->data) WF_TRY(wf_dist_broadcast_tensor(t->dist, block[i], err));
    return all ? wf_dist_broadcast(t->dist, &t->state, sizeof t->state, err) : WF_OK;
}

static enum wf_status load_best(struct wf_trainer *t, struct wf_error *err)
{
    char path[512];
    struct wf_checkpoint c = { .params = t->params, .model = t->model->type->name };
    enum wf_status s = WF_OK;
    file_in(t, "best.h5", path);
    if (is_root(t) && access(path, F_OK) == 0) s = wf_checkpoint_load(path, &c, err);
    WF_TRY(agree(t, s, err));
    return spread(t, false, err);
}

/* Reads OUT/last.h5, on rank 0. Where ranks have windows of their own and their number or the batch
 * has changed, the epoch begins anew: which windows have been seen cannot be told. */
static enum wf_status read_last(struct wf_trainer *t, struct wf_error *err)
{
    char path[512];
    struct wf_train_state *st = &t->state;
    struct wf_checkpoint c = { t->params, &t->engine->optim, st, t->model->type->name, NULL };
    int all = wf_trainer_ranks(t) * t->cfg.batch_size;
    file_in(t, "last.h5", path);
    if (!t->cfg.resume || access(path, F_OK) != 0) return WF_OK;
    WF_TRY(wf_checkpoint_load(path, &c, err));
    if (st->seed != t->cfg.seed)
        return wf_fail(err, WF_EINVAL, "%s: was trained with seed %llu, asked is %llu", path,
                       (unsigned long long)st->seed, (unsigned long long)t->cfg.seed);
    if (st->seen && t->windows_are_local && (st->ranks != wf_trainer_ranks(t) || st->seen % all)) {
        if (t->log)
            fprintf(t->log, "%s was left in epoch %d by %d ranks: the epoch begins anew\n", path,
                    st->epoch + 1, st->ranks);
        st->seen = 0;
        st->loss_sum = st->loss_count = 0;
    }
    st->ranks = wf_trainer_ranks(t);
    return WF_OK;
}

static enum wf_status load_last(struct wf_trainer *t, struct wf_error *err)
{
    WF_TRY(agree(t, is_root(t) ? read_last(t, err) : WF_OK, err));
    return spread(t, true, err);
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

/* Allocates memory of the host that a device copies to and from at full speed. */
static wf_real *host_alloc(struct wf_backend *be, size_t n)
{
    size_t bytes = n * sizeof(wf_real);
    return be->device ? be->device->host_alloc(be, bytes) : wf_malloc(bytes);
}

static void host_free(struct wf_backend *be, wf_real *p)
{
    if (!be->device)
        wf_free(p);
    else if (p)
        be->device->host_free(be, p);
}

/* Puts mean and standard deviation of the targets on the backend. */
static enum wf_status make_scaler(struct wf_trainer *t, struct wf_error *err)
{
    struct wf_train_engine *e = t->engine;
    struct wf_backend *be = t->params->be;
    const struct wf_windows *w = t->windows;
    int targets = w->cfg.targets;
    WF_TRY(wf_tensor_alloc(&e->mean, be, 1, &targets, err));
    WF_TRY(wf_tensor_alloc(&e->std, be, 1, &targets, err));
    enum wf_status s = wf_tensor_upload(&e->mean, w->scaler.mean);
    if (s == WF_OK) s = wf_tensor_upload(&e->std, w->scaler.std);
    return s == WF_OK ? s : wf_fail(err, s, "cannot copy the scaler to %s", be->name);
}

static enum wf_status make_buffers(struct wf_trainer *t, struct wf_error *err)
{
    struct wf_train_engine *e = t->engine;
    struct wf_backend *be = t->params->be;
    const struct wf_windows *w = t->windows;
    size_t batch = (size_t)w->B * (size_t)w->cfg.Q * (size_t)w->series->N * (size_t)w->cfg.targets;
    WF_TRY(wf_optim_init(&e->optim, t->params, optim_config(&t->cfg), err));
    WF_TRY(make_scaler(t, err));
    WF_TRY(wf_tensor_alloc(&e->losses, be, 2, wf_dims(WF_TRAIN_LOSSES, 2), err));
    e->start = wf_malloc(2 * (size_t)w->B * sizeof *e->start);
    for (int k = 0; k < 2; k++) e->host[k] = host_alloc(be, batch);
    bool stages = t->dist && wf_dist_wants_staging(t->dist, be);
    if (stages) e->staging = host_alloc(be, (size_t)wf_tensor_count(&t->params->grad));
    e->inspects = wf_trainer_ranks(t) > 1 || !be->device;
    if (e->start && e->host[0] && e->host[1] && (e->staging || !stages)) return WF_OK;
    return wf_fail(err, WF_ENOMEM, "no memory for batches of %d windows", w->B);
}

static enum wf_status make_sampler(struct wf_trainer *t, struct wf_error *err)
{
    const struct wf_split *sp = t->split;
    t->engine->sampler = (struct wf_sampler){
        .shuffle = t->cfg.shuffle,
        .windows_are_local = t->windows_are_local,
        .ranks = wf_trainer_ranks(t),
        .rank = t->dist ? t->dist->rank : 0,
        .batch = t->cfg.batch_size,
        .batches = t->cfg.epoch_batches,
        .windows = t->train_windows ? t->train_windows : sp->count[WF_TRAIN],
        .first = sp->first[WF_TRAIN],
        .seed = t->cfg.seed,
    };
    return wf_sampler_init(&t->engine->sampler, err);
}

static enum wf_status make_engine(struct wf_trainer *t, struct wf_error *err)
{
    t->engine = wf_calloc(1, sizeof *t->engine);
    if (!t->engine) return wf_fail(err, WF_ENOMEM, "no memory for a trainer");
    WF_TRY(wf_tape_init(&t->engine->tape, t->params->be, err));
    WF_TRY(make_buffers(t, err));
    return make_sampler(t, err);
}

enum wf_status wf_trainer_init(struct wf_trainer *t, struct wf_error *err)
{
    t->state = (struct wf_train_state){ .seed = t->cfg.seed,
                                        .ranks = wf_trainer_ranks(t),
                                        .best = INFINITY,
                                        .patience = t->cfg.patience };
    enum wf_status s = agree(t, make_engine(t, err), err);
    if (s == WF_OK) s = load_last(t, err);
    if (s != WF_OK) wf_trainer_free(t);
    return s;
}

void wf_trainer_free(struct wf_trainer *t)
{
    struct wf_train_engine *e = t->engine;
    if (!e) return;
    for (int i = 0; i < WF_TRAIN_REPLAYS; i++) wf_replay_free(&e->replay[i].replay);
    wf_replay_free(&e->update);
    wf_tape_free(&e->tape);
    wf_tensor_free(&e->losses);
    wf_optim_free(&e->optim);
    wf_tensor_free(&e->mean);
    wf_tensor_free(&e->std);
    wf_sampler_free(&e->sampler);
    wf_free(e->start);
    for (int k = 0; k < 2; k++) host_free(t->params->be, e->host[k]);
    host_free(t->params->be, e->staging);
    wf_free(e);
    t->engine = NULL;
}

struct wf_tape *wf_trainer_tape(const struct wf_trainer *t)
{
    return &t->engine->tape;
}

/* Saves in the middle of an epoch. Several ranks agree on what came of it only where training stops
 * here; else rank 0 keeps the error, and the exchange of the next step tells the others. */
static enum wf_status save_now(struct wf_trainer *t, bool stop, struct wf_error *err)
{
    struct wf_error late = { 0 };
    enum wf_status s = save(t, "last.h5", &late);
    if (wf_trainer_ranks(t) > 1 && !stop) {
        t->engine->late = late;
        return WF_OK;
    }
    if (s != WF_OK) wf_fail(err, s, "%s", late.message);
    return agree(t, s, err);
}

static void add_losses(struct wf_train_state *st, const struct wf_step_result *r)
{
    st->loss_sum += r->loss * r->windows;
    st->loss_count += r->windows;
}

/* Fetches the losses that are still on the device and adds them to the epoch's sum. */
static enum wf_status read_losses(struct wf_trainer *t, struct wf_error *err)
{
    struct wf_step_result r;
    WF_TRY(wf_trainer_losses(t, &r, err));
    add_losses(&t->state, &r);
    return WF_OK;
}

static void show(const struct wf_trainer *t, struct wf_progress *bar, int batch, int steps)
{
    const struct wf_train_state *st = &t->state;
    char text[120], loss[32] = "-";
    if (st->loss_count > 0) snprintf(loss, sizeof loss, "%.4f", st->loss_sum / st->loss_count);
    snprintf(text, sizeof text, "epoch %d/%d, batch %d/%d, loss %s", st->epoch + 1, t->cfg.epochs,
             batch, steps, loss);
    wf_progress_show(bar, st->epoch * steps + batch, text);
}

/* Trains on the batches of the epoch from where the state stands, or on as many as there is time
 * for. *spent: the time is over. */
static enum wf_status train_epoch(struct wf_trainer *t, struct wf_progress *bar, bool *spent,
                                  struct wf_error *err)
{
    struct wf_train_state *st = &t->state;
    struct wf_train_engine *e = t->engine;
    int steps = wf_sampler_steps(&e->sampler), all = wf_trainer_ranks(t) * t->cfg.batch_size;
    double saved = wf_now();
    struct wf_draw draw;
    wf_sampler_epoch(&e->sampler, st->epoch);
    while (wf_sampler_draw(&e->sampler, st->seen, e->start, &draw)) {
        struct wf_step_result r;
        e->next.n = 0;
        wf_sampler_draw(&e->sampler, st->seen + draw.taken, e->start + t->windows->B, &e->next);
        WF_TRY(wf_trainer_step(t, e->start, draw.n, draw.valid, &r, err));
        add_losses(st, &r);
        st->seen += draw.taken;
        int batch = (st->seen + all - 1) / all;
        show(t, bar, batch, steps);
        if (r.stop || wf_now() - saved > t->cfg.save_s) {
            WF_TRY(read_losses(t, err));
            WF_TRY(save_now(t, r.stop, err));
            saved = wf_now();
        }
        if (r.stop)
            return wf_fail(err, WF_EINTR, "stopped in epoch %d after batch %d; %s/last.h5 has it",
                           st->epoch + 1, batch, t->out);
        *spent = r.spent;
        if (r.spent) break;
    }
    return read_losses(t, err);
}

/* Every rank updates its own copy of the parameters, and they must come out the same. Running
 * statistics follow a rank's own samples; all ranks take over those of rank 0. */
static enum wf_status check_ranks(struct wf_trainer *t, struct wf_error *err)
{
    bool same;
    if (wf_trainer_ranks(t) == 1) return WF_OK;
    if (t->params->state.data) WF_TRY(wf_dist_broadcast_tensor(t->dist, &t->params->state, err));
    WF_TRY(wf_dist_same(t->dist, &t->params->value, &same, err));
    if (same) return WF_OK;
    return wf_fail(err, WF_ENUMERIC, "epoch %d: the ranks' parameters differ", t->state.epoch + 1);
}

static void report_epoch(struct wf_trainer *t, const struct wf_epoch_stats *e, bool better,
                         struct wf_progress *bar)
{
    char text[160];
    snprintf(text, sizeof text, "epoch %d/%d: %.1f s, training loss %.4f, validation MAE %.4f%s",
             e->epoch + 1, t->cfg.epochs, e->seconds, e->train_loss, e->valid_mae,
             better ? " *" : "");
    wf_progress_line(bar, text);
    if (t->epoch_done) t->epoch_done(t->ctx, e);
}

/* Validates, saves the parameters if they are the best so far, and moves on to the next epoch. */
static enum wf_status finish_epoch(struct wf_trainer *t, struct wf_metrics *m, double started,
                                   struct wf_progress *bar, struct wf_error *err)
{
    struct wf_train_state *st = &t->state;
    WF_TRY(check_ranks(t, err));
    enum wf_status s = wf_trainer_evaluate(t, WF_VALID, m, err);
    if (s == WF_EINTR) WF_TRY(save(t, "last.h5", err)); /* the epoch's steps are done */
    WF_TRY(s);
    double mae = wf_metrics_mae(m, -1);
    struct wf_epoch_stats stats = { st->epoch, wf_now() - started,
                                    st->loss_count > 0 ? st->loss_sum / st->loss_count : 0, mae,
                                    wf_metrics_pgt_mae(m) };
    bool better = mae < st->best;
    st->patience = better ? t->cfg.patience : st->patience - 1;
    if (better) st->best = mae;
    st->epoch++;
    st->seen = 0;
    st->loss_sum = st->loss_count = 0;
    s = better ? save(t, "best.h5", err) : WF_OK;
    if (s == WF_OK) s = save(t, "last.h5", err);
    WF_TRY(agree(t, s, err));
    report_epoch(t, &stats, better, bar);
    return WF_OK;
}

enum wf_status wf_trainer_run(struct wf_trainer *t, struct wf_error *err)
{
    int steps = wf_sampler_steps(&t->engine->sampler);
    int all = wf_trainer_ranks(t) * t->cfg.batch_size;
    struct wf_progress bar;
    struct wf_metrics m;
    WF_TRY(agree(t, wf_metrics_init(&m, t->windows->cfg.Q, err), err));
    wf_progress_start(&bar, t->log, t->state.epoch * steps + (t->state.seen + all - 1) / all,
                      t->cfg.epochs * steps);
    /* With several ranks the output is mpirun's, which passes it on to who knows what. */
    if (wf_trainer_ranks(t) > 1) bar.terminal = false;
    enum wf_status s = WF_OK;
    bool spent = wf_trainer_spent(t);
    while (s == WF_OK && t->state.epoch < t->cfg.epochs && !spent) {
        if (t->cfg.patience > 0 && t->state.patience <= 0) break;
        double started = wf_now();
        s = train_epoch(t, &bar, &spent, err);
        if (s == WF_OK) s = finish_epoch(t, &m, started, &bar, err);
    }
    wf_metrics_free(&m);
    return s == WF_OK ? load_best(t, err) : s;
}
