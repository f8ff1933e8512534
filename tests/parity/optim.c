/* optim.c - compares trajectories of the optimizers, step by step. */
#include "nn/optim.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "tensor/alloc.h"
#include "tests/parity/parity.h"

static const char *array_path(char text[PATH_TEXT], int step, const char *kind, int j,
                              const char *suffix)
{
    snprintf(text, PATH_TEXT, "step%d/%s%d%s", step, kind, j, suffix);
    return text;
}

/* Copies the arrays of a step into the values or the gradients. */
static enum wf_status put(struct run *r, struct wf_params *ps, int step, bool grad)
{
    char path[PATH_TEXT];
    for (int j = 0; j < ps->count; j++) {
        struct wf_array a;
        struct wf_tensor *t = grad ? &ps->param[j]->grad : &ps->param[j]->value;
        array_path(path, step, grad ? "grad" : "param", j, grad ? "_raw" : "_before");
        WF_TRY(read_real(r, path, &a));
        enum wf_status s = a.count == wf_tensor_count(t) ? wf_tensor_upload(t, a.data) : WF_EFORMAT;
        wf_array_free(&a);
        if (s) return wf_fail(&r->err, s, "%s does not fit its parameter", path);
    }
    return WF_OK;
}

static enum wf_status declare(struct run *r, struct wf_params *ps)
{
    char path[PATH_TEXT], full[PATH_TEXT], name[16];
    for (int j = 0; has(r, array_path(path, 0, "param", j, "_before")); j++) {
        struct wf_array a;
        int shape[WF_MAXDIM];
        WF_TRY(wf_h5_shape(r->h5, in_case(r, full, path), &a, &r->err));
        for (int i = 0; i < a.ndim && i < WF_MAXDIM; i++) shape[i] = (int)a.dim[i];
        snprintf(name, sizeof name, "param%d", j);
        wf_params_add(ps, name, a.ndim, shape, (struct wf_init){ 0 });
    }
    WF_TRY(wf_params_commit(ps, 0, &r->err));
    return put(r, ps, 0, false);
}

static enum wf_status config(struct run *r, struct wf_optim_config *c, struct wf_schedule *s)
{
    *c = wf_optim_defaults();
    if (strncmp(r->name, "sgd", 3) == 0) c->kind = WF_SGD;
    c->lr = number(r, "lr", c->lr);
    c->beta1 = number(r, "beta1", c->beta1);
    c->beta2 = number(r, "beta2", c->beta2);
    c->eps = number(r, "eps", c->eps);
    c->weight_decay = number(r, "weight_decay", 0);
    c->momentum = number(r, "momentum", 0);
    c->clip = number(r, "clip_grad_norm", 0);
    c->amsgrad = integer(r, "amsgrad", 0) != 0;
    *s = (struct wf_schedule){ .kind = WF_LR_MULTISTEP, .gamma = number(r, "gamma", 1) };
    if (!has_attr(r, "", "milestones")) return WF_OK;
    struct wf_array a;
    WF_TRY(wf_h5_attr_array(r->h5, r->name, "milestones", WF_I64, &a, &r->err));
    for (int i = 0; i < a.count && i < WF_MAXMILESTONE; i++)
        s->milestone[s->milestones++] = (int)a.i64[i];
    wf_array_free(&a);
    return WF_OK;
}

/* Compares an attribute of the step with our value. */
static enum wf_status compare_attr(struct run *r, int step, const char *attr, double got)
{
    char object[32], full[PATH_TEXT], where[64];
    double want;
    snprintf(object, sizeof object, "step%d", step);
    if (!has_attr(r, object, attr)) return WF_OK;
    WF_TRY(wf_h5_attr_double(r->h5, in_case(r, full, object), attr, &want, &r->err));
    snprintf(where, sizeof where, "%s@%s", object, attr);
    return compare_number(r, where, got, want);
}

/* Compares the gradient that was used: ours is clipped inside the update, so it is scaled here. */
static enum wf_status compare_clipped(struct run *r, const struct wf_optim *o, int step,
                                      double norm)
{
    char path[PATH_TEXT];
    double f = o->cfg.clip > 0 ? fmin(1, o->cfg.clip / (norm + 1e-6)) : 1;
    WF_TRY(put(r, o->ps, step, true));
    for (int j = 0; j < o->ps->count; j++) {
        struct wf_tensor *g = &o->ps->param[j]->grad;
        WF_TRY(wfk_affine(r->g.be, g, g, f, 0, false));
        WF_TRY(compare_tensor(r, array_path(path, step, "grad", j, ""), g));
    }
    return WF_OK;
}

static enum wf_status one_step(struct run *r, struct wf_optim *o, const struct wf_schedule *s,
                               int step)
{
    char path[PATH_TEXT];
    struct wf_params *ps = o->ps;
    wf_real norm = 0;
    struct wf_step now = { .step = (uint64_t)step, .lr = wf_schedule_lr(s, o->cfg.lr, step) };
    for (int j = 0; j < ps->count; j++)
        WF_TRY(
            compare_tensor(r, array_path(path, step, "param", j, "_before"), &ps->param[j]->value));
    WF_TRY(put(r, ps, step, true));
    wf_tape_set_step(&r->g, &now);
    WF_TRY(tape_status(r));
    if (wf_optim_step(o, r->g.step)) return wf_fail(&r->err, WF_EDEVICE, "the update failed");
    if (o->cfg.clip > 0) WF_TRY(wf_tensor_download(&o->norm, &norm));
    for (int j = 0; j < ps->count; j++)
        WF_TRY(
            compare_tensor(r, array_path(path, step, "param", j, "_after"), &ps->param[j]->value));
    WF_TRY(compare_attr(r, step, "lr", now.lr));
    if (o->cfg.clip > 0) WF_TRY(compare_attr(r, step, "total_norm", (double)norm));
    return compare_clipped(r, o, step, (double)norm);
}

enum wf_status run_optim(struct run *r)
{
    struct wf_params ps;
    struct wf_optim o = { 0 };
    struct wf_optim_config cfg;
    struct wf_schedule sched;
    char path[PATH_TEXT];
    wf_params_init(&ps, r->g.be);
    enum wf_status s = declare(r, &ps);
    if (!s) s = config(r, &cfg, &sched);
    if (!s) s = wf_optim_init(&o, &ps, cfg, &r->err);
    for (int step = 0; !s && has(r, array_path(path, step, "param", 0, "_before")); step++)
        s = one_step(r, &o, &sched, step);
    wf_optim_free(&o);
    wf_params_free(&ps);
    return s;
}
