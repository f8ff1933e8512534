/* train.c - kernels at the two ends of a training step: windows, losses, optimizers. */
#include <math.h>
#include <string.h>
#include "tensor/cpu/cpu_private.h"

static void window_row(wf_real *y, int width, const struct wf_window_in *in, int64_t row,
                       int64_t clock, int nodes)
{
    const wf_real *x = in->series + row * nodes * in->channels;
    wf_real extra[2];
    int extras = 0, keep = in->keep;
    if (in->time_of_day) extra[extras++] = (wf_real)((double)(in->time_s[clock] % 86400) / 86400.0);
    if (in->day_of_week) /* Monday is 0; 1970-01-01 was a Thursday */
        extra[extras++] = (wf_real)((double)((in->time_s[clock] / 86400 + 3) % 7) / 7.0);
    for (int n = 0; n < nodes; n++, x += in->channels, y += width) {
        for (int c = 0; c < keep; c++) {
            wf_real v = in->raw ? x[c] : (x[c] - in->mean[c]) / in->std[c];
            y[c] = in->raw || v == v ? v : in->fill;
        }
        for (int k = 0; k < extras; k++) y[keep + k] = extra[k];
    }
}

enum wf_status wf_cpu_window(struct wf_backend *be, struct wf_tensor *y,
                             const struct wf_window_in *in)
{
    (void)be;
    int B = y->shape[0], T = y->shape[1], N = y->shape[2], width = y->shape[3];
#pragma omp parallel for schedule(static) if ((ptrdiff_t)B * T * N > 4096)
    for (int i = 0; i < B * T; i++) {
        int64_t start = in->start[i / T], at = in->offset + i % T;
        int64_t when = in->when ? in->when[i / T] : start;
        window_row(y->data + (ptrdiff_t)i * N * width, width, in, start * in->step + at, when + at,
                   N);
    }
    return WF_OK;
}

static bool counts(const struct wf_loss_rule *rule, double t)
{
    if (rule->kind == WF_MAPE && t == 0) return false; /* no percentage of nothing */
    return rule->mask == WF_MASK_NONE || (rule->mask == WF_MASK_NAN ? t == t : t != 0);
}

static double term(enum wf_loss_kind kind, double p, double t)
{
    double d = p - t, a = fabs(d);
    switch (kind) {
    case WF_MAE:
        return a;
    case WF_MSE:
    case WF_RMSE:
        return d * d;
    case WF_MAPE:
        return a / fabs(t);
    case WF_HUBER:
        return a < 1 ? 0.5 * d * d : a - 0.5;
    }
    return 0;
}

static double slope(enum wf_loss_kind kind, double p, double t)
{
    double d = p - t, sign = (d > 0) - (d < 0);
    switch (kind) {
    case WF_MAE:
        return sign;
    case WF_MSE:
    case WF_RMSE:
        return 2 * d;
    case WF_MAPE:
        return sign / fabs(t);
    case WF_HUBER:
        return fabs(d) < 1 ? d : sign;
    }
    return 0;
}

/* What a counted term weighs in the mean. PyTorch Geometric Temporal divides the mask by its mean
 * in float32, then takes the mean over all n elements. */
static double weight(const struct wf_loss_rule *rule, double n, double count)
{
    if (count == 0) return 0;
    if (rule->mask != WF_MASK_ZERO_PGT) return 1 / count;
    float share = (float)count / (float)n;
    return (double)(1.0f / share) / n;
}

enum wf_status wf_cpu_loss(struct wf_backend *be, struct wf_tensor *out, struct wf_loss_rule rule,
                           const struct wf_tensor *p, const struct wf_tensor *t)
{
    enum { PART = 4096 };
    ptrdiff_t n = wf_tensor_count(p), parts = (n + PART - 1) / PART;
    double *part = wf_cpu_scratch(be, (size_t)(2 * parts + 1) * sizeof *part);
    if (!part) return WF_ENOMEM;
#pragma omp parallel for schedule(static) if (parts > 4)
    for (ptrdiff_t c = 0; c < parts; c++) {
        ptrdiff_t to = (c + 1) * PART < n ? (c + 1) * PART : n;
        double total = 0, count = 0;
        for (ptrdiff_t i = c * PART; i < to; i++) {
            if (!counts(&rule, (double)t->data[i])) continue;
            double e = term(rule.kind, (double)p->data[i], (double)t->data[i]);
            count++;
            if (rule.mask != WF_MASK_ZERO_PGT || e == e) total += e;
        }
        part[2 * c] = total;
        part[2 * c + 1] = count;
    }
    double total = 0, count = 0;
    for (ptrdiff_t c = 0; c < parts; c++) {
        total += part[2 * c];
        count += part[2 * c + 1];
    }
    total *= weight(&rule, (double)n, count);
    out->data[0] = (wf_real)(rule.kind == WF_RMSE ? sqrt(total) : total);
    out->data[1] = (wf_real)count;
    return WF_OK;
}

enum wf_status wf_cpu_loss_bwd(struct wf_backend *be, struct wf_tensor *dp,
                               struct wf_loss_rule rule, const struct wf_tensor *p,
                               const struct wf_tensor *t, const struct wf_tensor *out,
                               const struct wf_tensor *dout)
{
    (void)be;
    ptrdiff_t n = wf_tensor_count(p);
    double w = (double)dout->data[0] * weight(&rule, (double)n, (double)out->data[1]);
    if (rule.kind == WF_RMSE) w = out->data[0] > 0 ? w / (2 * (double)out->data[0]) : 0;
#pragma omp parallel for schedule(static) if (n > 16384)
    for (ptrdiff_t i = 0; i < n; i++) {
        if (!counts(&rule, (double)t->data[i])) continue;
        dp->data[i] += (wf_real)(w * slope(rule.kind, (double)p->data[i], (double)t->data[i]));
    }
    return WF_OK;
}

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
