/* optim.c - optimizers: Adam and SGD. */
#include <math.h>
#include "tensor/cpu/cpu_private.h"

static wf_real clip_factor(const struct wf_optim_rule *rule, const struct wf_tensor *norm)
{
    if (rule->clip <= 0) return 1;
    double f = rule->clip / ((double)norm->data[0] + 1e-6);
    return f < 1 ? (wf_real)f : 1;
}

enum wf_status wf_cpu_adam(struct wf_backend *be, const struct wf_optim_rule *rule,
                           struct wf_tensor *p, const struct wf_tensor *g, struct wf_tensor *m,
                           struct wf_tensor *v, struct wf_tensor *vmax,
                           const struct wf_tensor *norm, const struct wf_step *step)
{
    (void)be;
    ptrdiff_t n = wf_tensor_count(p);
    double t = (double)step->step + 1;
    wf_real factor = clip_factor(rule, norm), decay = (wf_real)rule->weight_decay;
    wf_real b1 = (wf_real)rule->beta1, b2 = (wf_real)rule->beta2, eps = (wf_real)rule->eps;
    wf_real c1 = (wf_real)(1 - rule->beta1), c2 = (wf_real)(1 - rule->beta2);
    wf_real rate = (wf_real)(step->lr / (1 - pow(rule->beta1, t)));
    wf_real root = (wf_real)(1 / sqrt(1 - pow(rule->beta2, t)));
#pragma omp parallel for simd schedule(static) if (n > 16384)
    for (ptrdiff_t i = 0; i < n; i++) {
        wf_real d = g->data[i] * factor + decay * p->data[i];
        wf_real mi = b1 * m->data[i] + c1 * d, vi = b2 * v->data[i] + c2 * d * d, top = vi;
        m->data[i] = mi;
        v->data[i] = vi;
        if (vmax) top = vmax->data[i] = vmax->data[i] > vi ? vmax->data[i] : vi;
#ifdef WF_DOUBLE
        p->data[i] -= rate * mi / (sqrt(top) * root + eps);
#else
        p->data[i] -= rate * mi / (sqrtf(top) * root + eps);
#endif
    }
    return WF_OK;
}

/* buf = g at the first step, then momentum buf + g; p -= lr buf. */
enum wf_status wf_cpu_sgd(struct wf_backend *be, const struct wf_optim_rule *rule,
                          struct wf_tensor *p, const struct wf_tensor *g, struct wf_tensor *m,
                          const struct wf_tensor *norm, const struct wf_step *step)
{
    (void)be;
    ptrdiff_t n = wf_tensor_count(p);
    wf_real factor = clip_factor(rule, norm), decay = (wf_real)rule->weight_decay;
    wf_real momentum = step->step ? (wf_real)rule->momentum : 0, lr = (wf_real)step->lr;
#pragma omp parallel for schedule(static) if (n > 16384)
    for (ptrdiff_t i = 0; i < n; i++) {
        wf_real d = g->data[i] * factor + decay * p->data[i];
        m->data[i] = momentum * m->data[i] + d;
        p->data[i] -= lr * m->data[i];
    }
    return WF_OK;
}
