#include "nn/optim.h"
#include <math.h>

struct wf_optim_config wf_optim_defaults(void)
{
    return (struct wf_optim_config){
        .kind = WF_ADAM, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8
    };
}

static enum wf_status check_config(const struct wf_optim_config *c, struct wf_error *err)
{
    const struct {
        const char *name;
        double value, below;
    } row[] = {
        { "lr", c->lr, INFINITY },
        { "beta1", c->beta1, 1 },
        { "beta2", c->beta2, 1 },
        { "eps", c->eps, INFINITY },
        { "clip", c->clip, INFINITY },
        { "weight_decay", c->weight_decay, INFINITY },
        { "momentum", c->momentum, INFINITY },
    };
    if (c->kind != WF_ADAM && c->kind != WF_SGD)
        return wf_fail(err, WF_EINVAL, "unknown optimizer %d", (int)c->kind);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (!(row[i].value >= 0 && row[i].value < row[i].below))
            return wf_fail(err, WF_EINVAL, "optimizer: %s is %g, expected 0 <= %s < %g",
                           row[i].name, row[i].value, row[i].name, row[i].below);
    if (c->kind == WF_ADAM && !((wf_real)c->eps > 0))
        return wf_fail(err, WF_EINVAL, "optimizer: eps is %g, expected more than 0 as a %s", c->eps,
                       WF_REAL_NAME);
    if (c->kind == WF_ADAM && c->momentum != 0)
        return wf_fail(err, WF_EINVAL, "optimizer: momentum is %g, expected 0 with Adam",
                       c->momentum);
    if (c->kind == WF_SGD && c->amsgrad)
        return wf_fail(err, WF_EINVAL, "optimizer: amsgrad is set, expected unset with SGD");
    return WF_OK;
}

enum wf_status wf_optim_init(struct wf_optim *o, struct wf_params *ps, struct wf_optim_config cfg,
                             struct wf_error *err)
{
    *o = (struct wf_optim){ .cfg = cfg, .ps = ps };
    WF_TRY(check_config(&cfg, err));
    if (!ps->value.data)
        return wf_fail(err, WF_EINVAL, "optimizer: the parameters are not committed");
    const int *shape = ps->value.shape;
    enum wf_status s = wf_tensor_alloc(&o->m, ps->be, 1, shape, err);
    if (!s && cfg.kind == WF_ADAM) s = wf_tensor_alloc(&o->v, ps->be, 1, shape, err);
    if (!s && cfg.amsgrad) s = wf_tensor_alloc(&o->vmax, ps->be, 1, shape, err);
    if (!s && cfg.clip > 0) s = wf_tensor_alloc(&o->norm, ps->be, 1, wf_dims(1), err);
    if (s) wf_optim_free(o);
    return s;
}

void wf_optim_free(struct wf_optim *o)
{
    wf_tensor_free(&o->m);
    wf_tensor_free(&o->v);
    wf_tensor_free(&o->vmax);
    wf_tensor_free(&o->norm);
}

enum wf_status wf_optim_step(struct wf_optim *o, const struct wf_step *step)
{
    const struct wf_optim_config *c = &o->cfg;
    struct wf_params *ps = o->ps;
    struct wf_optim_rule rule = { .beta1 = c->beta1,
                                  .beta2 = c->beta2,
                                  .eps = c->eps,
                                  .weight_decay = c->weight_decay,
                                  .momentum = c->momentum,
                                  .clip = c->clip,
                                  .amsgrad = c->amsgrad };
    struct wf_tensor *norm = c->clip > 0 ? &o->norm : NULL;
    if (norm) WF_TRY(wfk_norm(ps->be, norm, &ps->grad));
    if (c->kind == WF_SGD) return wfk_sgd(ps->be, &rule, &ps->value, &ps->grad, &o->m, norm, step);
    return wfk_adam(ps->be, &rule, &ps->value, &ps->grad, &o->m, &o->v,
                    c->amsgrad ? &o->vmax : NULL, norm, step);
}

double wf_schedule_lr(const struct wf_schedule *s, double lr, int t)
{
    switch (s->kind) {
    case WF_LR_CONSTANT:
        break;
    case WF_LR_MULTISTEP:
        for (int i = 0; i < s->milestones && i < WF_MAXMILESTONE; i++)
            if (s->milestone[i] <= t) lr *= s->gamma;
        break;
    case WF_LR_COSINE:
        if (t >= s->period) return s->lr_min;
        return s->lr_min + (lr - s->lr_min) * 0.5 * (1 + cos(3.141592653589793 * t / s->period));
    }
    return lr;
}
