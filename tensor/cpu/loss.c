/* loss.c - masked mean losses and their gradients. */
#include <math.h>
#include "tensor/cpu/cpu_private.h"

static bool counts(const struct wf_loss_rule *rule, double t)
{
    if (rule->kind == WF_MAPE && t == 0) return false; /* no percentage of 0 */
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

/* Returns the weight of a counted term in the mean. PyTorch Geometric Temporal divides the mask by
 * its mean in float32, then takes the mean over all n elements. */
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
