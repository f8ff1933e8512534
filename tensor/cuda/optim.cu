/* optim.cu - optimizers: Adam and SGD. */
#include "tensor/cuda/vec.cuh"

/* Holds the arrays of one update, which have one size, and the other inputs of the kernels. */
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
    __shared__ wf_real rate, root; /* computed once per block, since pow() is slow */
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

/* Sets m = g at the first step and m = momentum m + g later; then p -= lr m. */
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
