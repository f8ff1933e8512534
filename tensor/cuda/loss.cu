/* train.cu - kernels at the two ends of a training step: windows, losses, optimizers. */
#include "tensor/cuda/vec.cuh"

/* ---- windows ---- */

enum { CHANNELS = 8 };

struct window {
    struct wf_window_in in; /* its mean and std are not read */
    wf_real mean[CHANNELS], std[CHANNELS];
    wf_real *y;
    int T, N, width;
    ptrdiff_t count;
};

/* Element c >= keep of a row: the clock at time t. */
static __device__ wf_real clock_feature(const struct wf_window_in &in, int c, int64_t t)
{
    if (in.time_of_day && c == in.keep) return (wf_real)((double)(t % 86400) / 86400.0);
    return (wf_real)((double)((t / 86400 + 3) % 7) / 7.0); /* Monday is 0; day 0 was a Thursday */
}

static __global__ void window_kernel(const __grid_constant__ struct window p)
{
    EACH_ITEM(i, p.count)
    {
        ptrdiff_t node = wf_div(i, p.width), row = wf_div(node, p.N), b = wf_div(row, p.T);
        int c = (int)(i - node * p.width);
        int64_t at = p.in.offset + (row - b * p.T), start = p.in.start[b];
        if (c >= p.in.keep) {
            p.y[i] = clock_feature(p.in, c, p.in.time_s[(p.in.when ? p.in.when[b] : start) + at]);
            continue;
        }
        ptrdiff_t from = (start * p.in.step + at) * p.N + (node - row * p.N);
        wf_real v = p.in.series[from * p.in.channels + c];
        if (!p.in.raw) {
            v = (v - p.mean[c]) / p.std[c];
            if (v != v) v = p.in.fill;
        }
        p.y[i] = v;
    }
}

extern "C" enum wf_status wf_cuda_window(struct wf_backend *be, struct wf_tensor *y,
                                         const struct wf_window_in *in)
{
    struct window p = {};
    p.in = *in;
    for (int c = 0; !in->raw && c < in->keep && c < CHANNELS; c++) {
        p.mean[c] = in->mean[c];
        p.std[c] = in->std[c];
    }
    p.y = y->data;
    p.T = y->shape[1];
    p.N = y->shape[2];
    p.width = y->shape[3];
    p.count = wf_tensor_count(y);
    if (p.count == 0) return WF_OK;
    return LAUNCH(be, window_kernel, wf_cuda_blocks(wf_cuda_of(be), p.count), WF_CUDA_BLOCK, 0, p);
}

/* ---- losses ---- */

static __device__ bool counts(const struct wf_loss_rule &rule, double t)
{
    if (rule.kind == WF_MAPE && t == 0) return false; /* no percentage of nothing */
    return rule.mask == WF_MASK_NONE || (rule.mask == WF_MASK_NAN ? t == t : t != 0);
}

static __device__ double term(enum wf_loss_kind kind, double p, double t)
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

static __device__ double slope(enum wf_loss_kind kind, double p, double t)
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
static __device__ double weight(const struct wf_loss_rule &rule, double n, double count)
{
    if (count == 0) return 0;
    if (rule.mask != WF_MASK_ZERO_PGT) return 1 / count;
    float share = (float)count / (float)n;
    return (double)(1.0f / share) / n;
}

struct pair {
    wf_real p, t;
};

/* part [parts, 2]: sum and number of the terms of each block's stretch. */
static __global__ void loss_parts_kernel(double *part, struct wf_loss_rule rule, const wf_real *p,
                                         const wf_real *t, ptrdiff_t n)
{
    double total = 0, count = 0;
    ptrdiff_t from = n * blockIdx.x / gridDim.x, to = n * (blockIdx.x + 1) / gridDim.x;
    wf_fetch<4, struct pair>(
        from + threadIdx.x, to, (ptrdiff_t)blockDim.x,
        [&](ptrdiff_t i) {
            return pair{ p[i], t[i] };
        },
        [&](ptrdiff_t, const struct pair &at) {
            bool counted = counts(rule, (double)at.t);
            double e = term(rule.kind, (double)at.p, (double)at.t);
            count += counted;
            total += counted && (rule.mask != WF_MASK_ZERO_PGT || e == e) ? e : 0;
        });
    total = wf_block_sum(total);
    count = wf_block_sum(count);
    if (threadIdx.x != 0) return;
    part[2 * blockIdx.x] = total;
    part[2 * blockIdx.x + 1] = count;
}

static __global__ void loss_kernel(wf_real *out, struct wf_loss_rule rule, const double *part,
                                   int parts, double n)
{
    double total = 0, count = 0;
    for (int i = (int)threadIdx.x; i < parts; i += (int)blockDim.x) {
        total += part[2 * i];
        count += part[2 * i + 1];
    }
    total = wf_block_sum(total);
    count = wf_block_sum(count);
    if (threadIdx.x != 0) return;
    total *= weight(rule, n, count);
    out[0] = (wf_real)(rule.kind == WF_RMSE ? sqrt(total) : total);
    out[1] = (wf_real)count;
}

extern "C" enum wf_status wf_cuda_loss(struct wf_backend *be, struct wf_tensor *out,
                                       struct wf_loss_rule rule, const struct wf_tensor *p,
                                       const struct wf_tensor *t)
{
    const ptrdiff_t PART = 1024, MOST = 1024;
    ptrdiff_t n = wf_tensor_count(p), pieces = (n + PART - 1) / PART;
    int parts = (int)(pieces < 1 ? 1 : pieces < MOST ? pieces : MOST);
    double *part = (double *)wf_cuda_scratch(be, 2 * (size_t)parts * sizeof *part);
    if (!part) return WF_ENOMEM;
    WF_TRY(LAUNCH(be, loss_parts_kernel, (unsigned)parts, WF_CUDA_BLOCK, 0, part, rule, p->data,
                  t->data, n));
    return LAUNCH(be, loss_kernel, 1, WF_CUDA_BLOCK, 0, out->data, rule, part, parts, (double)n);
}

/* out, dout: see the kernel's contract. */
static __global__ void loss_bwd_kernel(wf_real *dp, struct wf_loss_rule rule, const wf_real *p,
                                       const wf_real *t, ptrdiff_t n, const wf_real *out,
                                       const wf_real *dout)
{
    double w = (double)*dout * weight(rule, (double)n, (double)out[1]);
    if (rule.kind == WF_RMSE) w = out[0] > 0 ? w / (2 * (double)out[0]) : 0;
    EACH_ITEM(i, n)
    {
        if (!counts(rule, (double)t[i])) continue;
        dp[i] += (wf_real)(w * slope(rule.kind, (double)p[i], (double)t[i]));
    }
}

extern "C" enum wf_status wf_cuda_loss_bwd(struct wf_backend *be, struct wf_tensor *dp,
                                           struct wf_loss_rule rule, const struct wf_tensor *p,
                                           const struct wf_tensor *t, const struct wf_tensor *out,
                                           const struct wf_tensor *dout)
{
    ptrdiff_t n = wf_tensor_count(p);
    return LAUNCH(be, loss_bwd_kernel, wf_cuda_blocks(wf_cuda_of(be), n), WF_CUDA_BLOCK, 0,
                  dp->data, rule, p->data, t->data, n, out->data, dout->data);
}

/* ---- optimizers ---- */

/* Blocks of parameters of one size, and what the kernels read on the device. */
struct update {
    wf_real *p, *m, *v, *vmax;
    const wf_real *g, *norm;
    const struct wf_step *step;
    ptrdiff_t count;
    struct wf_optim_rule rule;
};

static struct update update_of(const struct wf_optim_rule *rule, const struct wf_tensor *p,
                               const struct wf_tensor *g, const struct wf_tensor *m,
                               const struct wf_tensor *norm, const struct wf_step *step)
{
    struct update u = {};
    u.p = p->data;
    u.m = m->data;
    u.g = g->data;
    u.norm = norm ? norm->data : NULL;
    u.step = step;
    u.count = wf_tensor_count(p);
    u.rule = *rule;
    return u;
}

static __device__ wf_real clip_factor(const struct update &u)
{
    if (u.rule.clip <= 0) return 1;
    double f = u.rule.clip / ((double)*u.norm + 1e-6);
    return f < 1 ? (wf_real)f : 1;
}

static __global__ void adam_kernel(const __grid_constant__ struct update u)
{
    __shared__ wf_real rate, root; /* powers in double are slow: once for each block */
    if (threadIdx.x == 0) {
        double t = (double)u.step->step + 1;
        rate = (wf_real)(u.step->lr / (1 - pow(u.rule.beta1, t)));
        root = (wf_real)(1 / sqrt(1 - pow(u.rule.beta2, t)));
    }
    __syncthreads();
    wf_real factor = clip_factor(u), decay = (wf_real)u.rule.weight_decay;
    wf_real b1 = (wf_real)u.rule.beta1, b2 = (wf_real)u.rule.beta2, eps = (wf_real)u.rule.eps;
    wf_real c1 = (wf_real)(1 - u.rule.beta1), c2 = (wf_real)(1 - u.rule.beta2);
    EACH_ITEM(i, u.count)
    {
        wf_real d = u.g[i] * factor + decay * u.p[i];
        wf_real mi = b1 * u.m[i] + c1 * d, vi = b2 * u.v[i] + c2 * d * d, top = vi;
        u.m[i] = mi;
        u.v[i] = vi;
        if (u.vmax) top = u.vmax[i] = u.vmax[i] > vi ? u.vmax[i] : vi;
        u.p[i] -= rate * mi / (sqrt(top) * root + eps);
    }
}

extern "C" enum wf_status wf_cuda_adam(struct wf_backend *be, const struct wf_optim_rule *rule,
                                       struct wf_tensor *p, const struct wf_tensor *g,
                                       struct wf_tensor *m, struct wf_tensor *v,
                                       struct wf_tensor *vmax, const struct wf_tensor *norm,
                                       const struct wf_step *step)
{
    struct update u = update_of(rule, p, g, m, norm, step);
    u.v = v->data;
    u.vmax = vmax ? vmax->data : NULL;
    return LAUNCH(be, adam_kernel, wf_cuda_blocks(wf_cuda_of(be), u.count), WF_CUDA_BLOCK, 0, u);
}

/* m = g at the first step, then momentum m + g; p -= lr m. */
static __global__ void sgd_kernel(const __grid_constant__ struct update u)
{
    wf_real factor = clip_factor(u), decay = (wf_real)u.rule.weight_decay;
    wf_real momentum = u.step->step ? (wf_real)u.rule.momentum : 0, lr = (wf_real)u.step->lr;
    EACH_ITEM(i, u.count)
    {
        wf_real d = u.g[i] * factor + decay * u.p[i], mi = momentum * u.m[i] + d;
        u.m[i] = mi;
        u.p[i] -= lr * mi;
    }
}

extern "C" enum wf_status wf_cuda_sgd(struct wf_backend *be, const struct wf_optim_rule *rule,
                                      struct wf_tensor *p, const struct wf_tensor *g,
                                      struct wf_tensor *m, const struct wf_tensor *norm,
                                      const struct wf_step *step)
{
    struct update u = update_of(rule, p, g, m, norm, step);
    return LAUNCH(be, sgd_kernel, wf_cuda_blocks(wf_cuda_of(be), u.count), WF_CUDA_BLOCK, 0, u);
}
