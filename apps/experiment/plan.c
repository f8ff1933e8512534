#include "apps/experiment/plan.h"
#include <string.h>

/* A model of the experiment's kind whose tensors have addresses but no memory. */
struct rehearsal {
    struct wf_model model;
    struct wf_params params;
    struct wf_tape tape;
};

static void close_rehearsal(struct rehearsal *r)
{
    wf_tape_free(&r->tape);
    wf_params_free(&r->params);
    wf_model_free(&r->model);
}

static enum wf_status open_rehearsal(struct rehearsal *r, const struct wf_experiment *x,
                                     struct wf_error *err)
{
    const struct wf_model_type *type = x->model.type;
    struct wf_task task = wf_experiment_task(x);
    *r = (struct rehearsal){ 0 };
    WF_TRY(wf_model_new(&r->model, type, err));
    memcpy(r->model.cfg, x->model.cfg, type->config_size);
    wf_params_init(&r->params, wf_backend_dry());
    type->init(r->model.layers, &r->params, r->model.cfg, &task);
    enum wf_status s = wf_params_commit(&r->params, 1, err);
    if (s == WF_OK) s = wf_tape_init(&r->tape, wf_backend_dry(), err);
    if (s != WF_OK) close_rehearsal(r);
    return s;
}

/* Finds the arena's peak over one step. */
static enum wf_status rehearse(struct rehearsal *r, const struct wf_experiment *x, int B,
                               bool training, size_t *peak, struct wf_error *err)
{
    struct wf_tape *g = &r->tape;
    struct wf_batch b;
    wf_tape_reset(g);
    g->mem.peak = 0;
    g->training = g->recording = training;
    wf_windows_describe(&x->windows, &b, wf_backend_dry(), NULL, B, B);
    wf_batch_bind(g, &b, &x->graph);
    r->model.residual = x->model.residual;
    struct wf_tensor *y = wf_model_forecast(g, &r->model, &b);
    if (training) wf_tape_backward(g, wf_loss(g, y, &b.y, x->train.loss, x->train.mask));
    *peak = g->mem.peak;
    return g->error.status == WF_OK ? WF_OK : wf_fail(err, g->error.status, "%s", g->error.message);
}

/* Returns the bytes of values, gradients, the optimizer's moments and state. */
static size_t parameter_bytes(const struct wf_experiment *x)
{
    const struct wf_train_config *c = &x->train;
    size_t blocks = c->optimizer == WF_SGD ? 3 : 4 + (size_t)c->amsgrad;
    return sizeof(wf_real) * (blocks * (size_t)wf_params_size(&x->params) +
                              (size_t)wf_tensor_count(&x->params.state));
}

enum wf_status wf_plan_make(struct wf_plan *p, const struct wf_experiment *x, int B,
                            struct wf_error *err)
{
    struct rehearsal r;
    const struct wf_series *s = &x->data.series;
    const struct wf_windows *w = &x->windows;
    size_t batch = wf_windows_batch_bytes(w, B);
    *p = (struct wf_plan){ .parameters = parameter_bytes(x),
                           .batch = w->to == s->be ? batch : 3 * batch,
                           .workspace = x->be->workspace };
    if (w->to == s->be)
        p->series = (size_t)s->E * (size_t)s->N * (size_t)s->C * sizeof(wf_real) +
                    (s->time_s ? (size_t)s->E * sizeof *s->time_s : 0);
    if (w->to == s->be && w->cfg.base) p->series += wf_windows_base_bytes(s, x->cfg.T, x->cfg.Q);
    WF_TRY(open_rehearsal(&r, x, err));
    enum wf_status rc = rehearse(&r, x, B, true, &p->step, err);
    if (rc == WF_OK) rc = rehearse(&r, x, B, false, &p->forecast, err);
    close_rehearsal(&r);
    return rc;
}

size_t wf_plan_total(const struct wf_plan *p)
{
    size_t live = p->step > p->forecast ? p->step : p->forecast;
    return p->parameters + p->series + p->batch + live + p->workspace;
}

/* Every window adds the same bytes, but for rounding: two plans give an estimate, which is lowered
 * until its own plan fits. */
enum wf_status wf_plan_fit(int *B, const struct wf_experiment *x, size_t bytes,
                           struct wf_error *err)
{
    struct wf_plan one, two;
    WF_TRY(wf_plan_make(&one, x, 1, err));
    WF_TRY(wf_plan_make(&two, x, 2, err));
    size_t first = wf_plan_total(&one), per = wf_plan_total(&two) - first;
    *B = bytes < first ? 0 : per ? (int)(1 + (bytes - first) / per) : x->train.batch_size;
    for (; *B > 1; --*B) {
        WF_TRY(wf_plan_make(&two, x, *B, err));
        if (wf_plan_total(&two) <= bytes) break;
    }
    return WF_OK;
}

void wf_plan_print(const struct wf_plan *p, const struct wf_experiment *x, FILE *out)
{
    const double mib = 1048576;
    size_t available, total;
    x->be->memory(x->be, &available, &total);
    fprintf(out,
            "memory on %s, MiB: parameters with gradients and moments %.1f, series %.1f, batch of "
            "%d windows %.1f, activations of a step %.1f (of a forecast %.1f), workspace %.1f; "
            "together %.1f of %.1f\n",
            x->be->name, (double)p->parameters / mib, (double)p->series / mib, x->train.batch_size,
            (double)p->batch / mib, (double)p->step / mib, (double)p->forecast / mib,
            (double)p->workspace / mib, (double)wf_plan_total(p) / mib, (double)total / mib);
}
