/* nest.cuh - element i of several strided tensors of one shape, and loops over all elements, one at
 * a time or 16 bytes at a time. */
#ifndef WF_CUDA_NEST_CUH
#define WF_CUDA_NEST_CUH

#include "tensor/cuda/vec.cuh"

/* Holds operands of one shape, row-major; axes that are evenly strided in all are merged. */
template <int NOP> struct wf_nest {
    int ndim;
    ptrdiff_t count;
    ptrdiff_t shape[WF_MAXDIM], stride[WF_MAXDIM][NOP];
    wf_real *data[NOP]; /* NULL where the operand is NULL */
};

template <int NOP>
static struct wf_nest<NOP> wf_nest_make(const struct wf_tensor *const (&op)[NOP]) {
    struct wf_nest<NOP> n = {
    };
    const struct wf_tensor *last = op[NOP - 1]; /* the last operand is never NULL */
    n.count = 1;
    for (int k = 0; k < NOP; k++) n.data[k] = op[k] ? op[k]->data : NULL;
    for (int a = 0; a < last->ndim; a++) {
        int size = last->shape[a], d = n.ndim - 1;
        n.count *= size;
        if (size == 1) continue;
        bool merges = d >= 0;
        for (int k = 0; k < NOP && merges; k++)
            merges = !op[k] || n.stride[d][k] == op[k]->stride[a] * size;
        if (merges)
            n.shape[d] *= size;
        else
            n.shape[d = n.ndim++] = size;
        for (int k = 0; k < NOP; k++) n.stride[d][k] = op[k] ? op[k]->stride[a] : 0;
    }
    if (n.ndim == 0) n.shape[n.ndim++] = 1;
    return n;
}

/* Sets p[k] to the address of element i of operand k. */
template <int NOP>
static __device__ void wf_nest_at(const struct wf_nest<NOP> &n, ptrdiff_t i, wf_real *p[NOP])
{
    ptrdiff_t offset[NOP] = {};
    if (n.count <= 0x7fffffff) { /* 32-bit division is several times as fast */
        unsigned rest = (unsigned)i;
        for (int d = n.ndim - 1; d > 0; d--) {
            unsigned size = (unsigned)n.shape[d], at = rest % size;
            rest /= size;
            for (int k = 0; k < NOP; k++) offset[k] += at * n.stride[d][k];
        }
        for (int k = 0; k < NOP; k++) offset[k] += rest * n.stride[0][k];
    } else {
        ptrdiff_t rest = i;
        for (int d = n.ndim - 1; d > 0; d--) {
            ptrdiff_t at = rest % n.shape[d];
            rest /= n.shape[d];
            for (int k = 0; k < NOP; k++) offset[k] += at * n.stride[d][k];
        }
        for (int k = 0; k < NOP; k++) offset[k] += rest * n.stride[0][k];
    }
    for (int k = 0; k < NOP; k++) p[k] = n.data[k] ? n.data[k] + offset[k] : NULL;
}

/* Calls f(i, p) for every element i; p holds the addresses of its operands. */
template <int NOP, typename F>
static __global__ void wf_each_kernel(const __grid_constant__ struct wf_nest<NOP> n, F f)
{
    EACH_ITEM(i, n.count)
    {
        wf_real *p[NOP];
        wf_nest_at(n, i, p);
        f(i, p);
    }
}

template <int NOP, typename F>
static enum wf_status wf_each_of(struct wf_backend *be, const struct wf_nest<NOP> &n, F f)
{
    if (n.count == 0) return WF_OK;
    return LAUNCH(be, (wf_each_kernel<NOP, F>), wf_cuda_blocks(wf_cuda_of(be), n.count),
                  WF_CUDA_BLOCK, 0, n, f);
}

template <int NOP, typename F>
static enum wf_status wf_each(struct wf_backend *be, const struct wf_tensor *const (&op)[NOP], F f)
{
    return wf_each_of(be, wf_nest_make(op), f);
}

/* ---- a vector at a time ---- */

/* Returns whether operand k is constant along the last axis or consists of aligned vectors. */
template <int NOP> static bool wf_nest_even(const struct wf_nest<NOP> &n, int k)
{
    int last = n.ndim - 1;
    if (n.stride[last][k] == 0) return true;
    for (int d = 0; d < last; d++)
        if (n.stride[d][k] % WF_VEC) return false;
    return n.stride[last][k] == 1 && wf_aligned(n.data[k]);
}

/* Makes the last axis advance a vector per step. Returns false where an operand does not allow it,
 * or where two of the outputs, which are the first OUTS operands, are one array. */
template <int OUTS, int NOP> static bool wf_nest_vectorize(struct wf_nest<NOP> *n)
{
    int last = n->ndim - 1;
    if (n->shape[last] % WF_VEC) return false;
    for (int k = 0; k < NOP; k++) {
        if (!n->data[k] && k < OUTS) continue;
        if (!n->data[k] || !wf_nest_even(*n, k)) return false;
        if (k < OUTS && n->stride[last][k] != 1) return false;
        for (int o = 0; o < k && k < OUTS; o++)
            if (n->data[o] == n->data[k]) return false;
    }
    n->count /= WF_VEC;
    n->shape[last] /= WF_VEC;
    for (int k = 0; k < NOP; k++) n->stride[last][k] *= WF_VEC;
    return true;
}

template <int OUTS, typename F> static __device__ bool wf_reads(const F &f, int k)
{
    if constexpr (OUTS == 1)
        return f.add;
    else
        return f.add[k];
}

template <int OUTS, int NOP, typename F>
static __global__ void wf_map_kernel(const __grid_constant__ struct wf_nest<NOP> n, F f)
{
    EACH_ITEM(i, n.count)
    {
        wf_real *p[NOP];
        wf_vec<WF_VEC> x[NOP];
        wf_nest_at(n, i, p);
        for (int k = 0; k < NOP; k++) {
            if (k < OUTS && (!p[k] || !wf_reads<OUTS>(f, k))) continue;
            x[k] = n.stride[n.ndim - 1][k] ? wf_vec_load<WF_VEC>(p[k]) : wf_vec_all<WF_VEC>(*p[k]);
        }
        for (int v = 0; v < WF_VEC; v++) {
            wf_real *at[NOP];
            for (int k = 0; k < NOP; k++) at[k] = &x[k].v[v];
            f(i * WF_VEC + v, at);
        }
        for (int k = 0; k < OUTS; k++)
            if (p[k]) wf_vec_store(p[k], x[k]);
    }
}

/* Works like wf_each(), for an f that writes only to p[0] .. p[OUTS - 1], any of which may be NULL,
 * and that reads p[k] of these only where f.add, or f.add[k], is true. */
template <int OUTS, int NOP, typename F>
static enum wf_status wf_map(struct wf_backend *be, const struct wf_tensor *const (&op)[NOP], F f)
{
    struct wf_nest<NOP> n = wf_nest_make(op);
    if (n.count == 0 || !wf_nest_vectorize<OUTS>(&n)) return wf_each_of(be, n, f);
    return LAUNCH(be, (wf_map_kernel<OUTS, NOP, F>), wf_cuda_blocks(wf_cuda_of(be), n.count),
                  WF_CUDA_BLOCK, 0, n, f);
}

#endif
