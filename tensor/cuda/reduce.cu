/* reduce.cu - sums, norms, softmax. */
#include "tensor/cuda/nest.cuh"
#include "tensor/cuda/reduce.cuh"
#include "tensor/cuda/rows.cuh"

/* ---- sums ----
 * x is read once. For a bias gradient of METR-LA, [64, 12, 207, 64] to [64], that is 41 MB, which
 * 512 blocks read in 12 us at 3.35 TB/s. */

struct root {
    wf_real *y;
    __device__ void operator()(ptrdiff_t, const double (&s)[1]) const
    {
        *y = (wf_real)sqrt(s[0]);
    }
};

extern "C" enum wf_status wf_cuda_sum(struct wf_backend *be, struct wf_tensor *y,
                                      const struct wf_tensor *x, double scale, bool add)
{
    struct wf_reduction w = wf_reduction_of(y, x, wf_aligned(x->data));
    double *part = (double *)wf_cuda_scratch(be, wf_reduce_bytes(&w, 1));
    if (!part) return WF_ENOMEM;
    return wf_reduce<1>(be, w, part, wf_sum_terms{ x->data, false },
                        wf_sum_into{ y->data, w.out, scale, add });
}

extern "C" enum wf_status wf_cuda_norm(struct wf_backend *be, struct wf_tensor *norm,
                                       const struct wf_tensor *x)
{
    struct wf_tensor one = *x;
    for (int i = 0; i < one.ndim; i++) one.shape[i] = 1;
    struct wf_reduction w = wf_reduction_of(&one, x, wf_aligned(x->data));
    double *part = (double *)wf_cuda_scratch(be, wf_reduce_bytes(&w, 1));
    if (!part) return WF_ENOMEM;
    return wf_reduce<1>(be, w, part, wf_sum_terms{ x->data, true }, root{ norm->data });
}

/* ---- softmax ----
 * A row of up to LONG numbers stays in the registers of a group of threads, so that each array is
 * read or written once. A longer row takes a whole block, which reads it again from cache. */

enum { LONG = 512, LONG_BLOCK = 512 };

/* Holds the leading axes of arrays of one shape, and their strides along the last axis. */
template <int NOP> struct rows {
    struct wf_nest<NOP> lead;
    ptrdiff_t step[NOP];
    int n;
};

template <int NOP> static struct rows<NOP> rows_of(const struct wf_tensor *const (&op)[NOP]) {
    struct rows<NOP> r = {
    };
    struct wf_tensor lead[NOP];
    const struct wf_tensor *at[NOP];
    for (int k = 0; k < NOP; k++) {
        at[k] = &lead[k];
        lead[k] = *op[k];
        lead[k].ndim--;
        r.step[k] = op[k]->stride[lead[k].ndim];
    }
    r.lead = wf_nest_make(at);
    r.n = op[0]->shape[lead[0].ndim];
    return r;
}

/* Each thread holds up to K numbers of a row; the operands of r are y and x. */
template <int K>
static __global__ void softmax_short(struct rows<2> r, int group)
{
    ptrdiff_t row = wf_group_row(group);
    int lane = wf_group_lane(group);
    bool mine = row < r.lead.count;
    wf_real *p[2], a[K], top = -INFINITY;
    double total = 0;
    wf_nest_at(r.lead, mine ? row : 0, p);
#pragma unroll
    for (int k = 0; k < K; k++) {
        int i = lane + k * group;
        a[k] = mine && i < r.n ? p[1][i * r.step[1]] : -INFINITY;
    }
#pragma unroll
    for (int k = 0; k < K; k++) top = a[k] > top ? a[k] : top;
    top = wf_group_max(top, group);
#pragma unroll
    for (int k = 0; k < K; k++) {
        a[k] = exp(a[k] - top);
        if (lane + k * group < r.n) total += (double)a[k];
    }
    wf_real inv = (wf_real)(1 / wf_group_sum(total, group));
#pragma unroll
    for (int k = 0; k < K; k++) {
        int i = lane + k * group;
        if (mine && i < r.n) p[0][i * r.step[0]] = a[k] * inv;
    }
}

static __global__ void softmax_long(struct rows<2> r)
{
    wf_real *p[2], top = -INFINITY;
    double total = 0;
    wf_nest_at(r.lead, blockIdx.x, p);
    for (int i = (int)threadIdx.x; i < r.n; i += LONG_BLOCK) {
        wf_real a = p[1][i * r.step[1]];
        top = a > top ? a : top;
    }
    top = wf_block_max(top);
    for (int i = (int)threadIdx.x; i < r.n; i += LONG_BLOCK)
        total += (double)exp(p[1][i * r.step[1]] - top);
    wf_real inv = (wf_real)(1 / wf_block_sum(total));
    for (int i = (int)threadIdx.x; i < r.n; i += LONG_BLOCK)
        p[0][i * r.step[0]] = exp(p[1][i * r.step[1]] - top) * inv;
}

/* The operands of r are dx, y and dy. */
template <int K> static __global__ void softmax_bwd_short(struct rows<3> r, int group, bool add)
{
    ptrdiff_t row = wf_group_row(group);
    int lane = wf_group_lane(group);
    bool mine = row < r.lead.count;
    wf_real *p[3], y[K], d[K];
    double dot = 0;
    wf_nest_at(r.lead, mine ? row : 0, p);
#pragma unroll
    for (int k = 0; k < K; k++) {
        int i = lane + k * group;
        y[k] = mine && i < r.n ? p[1][i * r.step[1]] : 0;
        d[k] = mine && i < r.n ? p[2][i * r.step[2]] : 0;
    }
#pragma unroll
    for (int k = 0; k < K; k++) dot += (double)y[k] * (double)d[k];
    dot = wf_group_sum(dot, group);
#pragma unroll
    for (int k = 0; k < K; k++) {
        int i = lane + k * group;
        if (!mine || i >= r.n) continue;
        wf_real v = y[k] * (d[k] - (wf_real)dot), *to = p[0] + i * r.step[0];
        *to = add ? *to + v : v;
    }
}

static __global__ void softmax_bwd_long(struct rows<3> r, bool add)
{
    wf_real *p[3];
    double dot = 0;
    wf_nest_at(r.lead, blockIdx.x, p);
    for (int i = (int)threadIdx.x; i < r.n; i += LONG_BLOCK)
        dot += (double)p[1][i * r.step[1]] * (double)p[2][i * r.step[2]];
    dot = wf_block_sum(dot);
    for (int i = (int)threadIdx.x; i < r.n; i += LONG_BLOCK) {
        wf_real v = p[1][i * r.step[1]] * (p[2][i * r.step[2]] - (wf_real)dot);
        wf_real *to = p[0] + i * r.step[0];
        *to = add ? *to + v : v;
    }
}

/* Returns RUN(K) from the calling function, with K such that a warp with K numbers per thread holds
 * n numbers. */
#define SWITCH_EACH(n, RUN)                                                                        \
    if (n <= 32) return RUN(1);                                                                    \
    if (n <= 64) return RUN(2);                                                                    \
    if (n <= 128) return RUN(4);                                                                   \
    if (n <= 256) return RUN(8);                                                                   \
    return RUN(16)

extern "C" enum wf_status wf_cuda_softmax(struct wf_backend *be, struct wf_tensor *y,
                                          const struct wf_tensor *x)
{
    const struct wf_tensor *op[] = { y, x };
    struct rows<2> r = rows_of(op);
    if (r.n == 0 || r.lead.count == 0) return WF_OK;
    if (r.n > LONG) return LAUNCH(be, softmax_long, (unsigned)r.lead.count, LONG_BLOCK, 0, r);
    int group = wf_group_for(r.n);
    unsigned blocks = wf_group_blocks(r.lead.count, group);
#define RUN(K) LAUNCH(be, (softmax_short<K>), blocks, WF_CUDA_BLOCK, 0, r, group)
    SWITCH_EACH(r.n, RUN);
#undef RUN
}

extern "C" enum wf_status wf_cuda_softmax_bwd(struct wf_backend *be, struct wf_tensor *dx,
                                              const struct wf_tensor *y, const struct wf_tensor *dy)
{
    const struct wf_tensor *op[] = { dx, y, dy };
    struct rows<3> r = rows_of(op);
    if (r.n == 0 || r.lead.count == 0) return WF_OK;
    bool add = wf_grad_claim(dx);
    if (r.n > LONG)
        return LAUNCH(be, softmax_bwd_long, (unsigned)r.lead.count, LONG_BLOCK, 0, r, add);
    int group = wf_group_for(r.n);
    unsigned blocks = wf_group_blocks(r.lead.count, group);
#define RUN(K) LAUNCH(be, (softmax_bwd_short<K>), blocks, WF_CUDA_BLOCK, 0, r, group, add)
    SWITCH_EACH(r.n, RUN);
#undef RUN
}
