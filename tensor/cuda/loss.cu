/* loss.cu - masked mean losses and their gradients. */
#include "tensor/cuda/vec.cuh"

static __device__ bool counts(const struct wf_loss_rule &rule, double t)
{
    if (rule.kind == WF_MAPE && t == 0) return false; /* no percentage of 0 */
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

/* Returns the weight of a counted term in the mean. For WF_MASK_ZERO_PGT it follows PyTorch
 * Geometric Temporal, which divides the mask by its mean in float32 and then takes the mean over
 * all n elements. */
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

/* Each block writes the sum and the number of the terms in its range to part [parts, 2]. */
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

/* Adds the gradient to dp. out holds the loss and the number of its terms; *dout is the gradient of
 * the loss. */
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
