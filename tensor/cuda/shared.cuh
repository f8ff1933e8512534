/* shared.cuh - hops in shared memory: one block takes one sample and a few channels through all of
 * them. */
#ifndef WF_CUDA_SHARED_CUH
#define WF_CUDA_SHARED_CUH

#include "tensor/cuda/hops.cuh"

/* One hop of a plan: its terms, the slots of shared memory that hold them (-1: none), and in a fold
 * which of them appear for the first time, so that they come from outside. */
struct wf_hop_step {
    short support, term, src, sub;
    short at_term, at_src, at_sub;
    bool new_term, new_src, new_sub;
};

/* In which order a block takes the hops, and where terms lie. A slot has 2^bits vectors per row. */
struct wf_hop_plan {
    int rows, bits, slots, count, entries, steps;
    struct wf_sparse support[WF_MAXSUPPORT];
    int first[WF_MAXSUPPORT]; /* number of a support's first entry */
    struct wf_hop_step step[WF_MAXTERM];
};

/* Plans a build. With `all` each term has a slot of its own, else there are as few slots as will
 * do. Term 0 begins in slot 0. */
void wf_hop_plan_build(struct wf_hop_plan *p, const struct wf_supports *S, bool transpose, int rows,
                       bool all);
/* Plans a fold. Term 0 ends in slot at_src of the last step. */
void wf_hop_plan_fold(struct wf_hop_plan *p, const struct wf_supports *S, bool transpose, int rows);
size_t wf_hop_plan_bytes(const struct wf_hop_plan *p);

/* Allows a kernel all shared memory there is. It is never allowed less later, because launches that
 * were recorded, or that come from another thread, rely on it. */
template <typename KERNEL>
static enum wf_status wf_allow_shared(struct wf_backend *be, KERNEL kernel)
{
    WF_TRY(wf_cuda_check(be,
                         cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                              wf_cuda_of(be)->shared),
                         "shared memory"));
    return wf_cuda_check(
        be, cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, 100),
        "shared memory");
}

/* ---- device ---- */

/* An entry of a row of a support: its value, and where in a slot its column's first vector is. */
struct wf_hop_entry {
    int at;
    wf_real value;
};

struct wf_hop_stage {
    wf_wide *slot;
    struct wf_hop_entry *entry;
    int *ptr; /* [count, rows + 1] */
};

/* Returns where slot i lies, or NULL where i is negative. */
static inline __device__ wf_wide *wf_slot(const struct wf_hop_plan &p, const struct wf_hop_stage &s,
                                          int i)
{
    return i < 0 ? NULL : s.slot + ((ptrdiff_t)i * p.rows << p.bits);
}

/* Lays the block's shared memory out and fetches the supports; a barrier must follow, which the
 * first hop of a fold has. */
static inline __device__ struct wf_hop_stage wf_hop_stage_supports(const struct wf_hop_plan &p,
                                                                   wf_wide *memory)
{
    struct wf_hop_stage s = { memory, NULL, NULL };
    s.entry = reinterpret_cast<struct wf_hop_entry *>(wf_slot(p, s, p.slots));
    s.ptr = reinterpret_cast<int *>(s.entry + p.entries);
    int thread = (int)threadIdx.x, threads = (int)blockDim.x;
    for (int k = 0; k < p.count; k++) {
        const struct wf_sparse &A = p.support[k];
        int *ptr = s.ptr + k * (p.rows + 1);
        struct wf_hop_entry *entry = s.entry + p.first[k];
        wf_fetch<4, int>(
            thread, p.rows + 1, threads, [&](int i) { return A.ptr[i]; },
            [&](int i, int at) { ptr[i] = p.first[k] + at; });
        wf_fetch<4, struct wf_hop_entry>(
            thread, A.nnz, threads,
            [&](int e) {
                return wf_hop_entry{ A.idx[e] << p.bits, wf_sparse_value(A, e) };
            },
            [&](int e, const struct wf_hop_entry &t) { entry[e] = t; });
    }
    return s;
}

/* Returns row n of a support times x, which is this lane's vector of row 0 in a slot. */
static inline __device__ wf_wide wf_hop_stage_row(const struct wf_hop_plan &p,
                                                  const struct wf_hop_stage &s, int k, int n,
                                                  const wf_wide *x)
{
    const int *ptr = s.ptr + k * (p.rows + 1) + n;
    wf_wide sum = wf_vec_zero<WF_VEC>();
    int to = ptr[1];
    WF_UNROLL(4)
    for (int e = ptr[0]; e < to; e++) {
        struct wf_hop_entry t = s.entry[e];
        wf_vec_fma(sum, t.value, x[t.at]);
    }
    return sum;
}

/* Loops over this thread's places t in a slot: row n, lane v. A thread keeps its places from hop to
 * hop, so that only sums over other rows need a barrier. */
#define WF_EACH_PLACE(t, n, v, p)                                                                  \
    for (int t = (int)threadIdx.x, n, v; t < (p).rows << (p).bits; t += (int)blockDim.x)           \
        if (n = t >> (p).bits, v = t & ((1 << (p).bits) - 1), true)

/* Takes all hops of a build; term 0 is in slot 0, and a barrier has passed since.
 * store(m, n, v, T_m[n, v]) gets the others; lanes [0, lanes) are in use. Ends with a barrier. */
template <typename STORE>
static inline __device__ void wf_hop_stage_build(const struct wf_hop_plan &p,
                                                 const struct wf_hop_stage &s, int lanes,
                                                 STORE store)
{
    for (int i = 0; i < p.steps; i++) {
        const struct wf_hop_step &h = p.step[i];
        const wf_wide *src = wf_slot(p, s, h.at_src), *sub = wf_slot(p, s, h.at_sub);
        wf_wide *to = wf_slot(p, s, h.at_term);
        WF_EACH_PLACE(t, n, v, p)
        {
            if (v >= lanes) continue;
            wf_wide x = wf_hop_stage_row(p, s, h.support, n, src + v);
            if (h.sub >= 0)
                for (int k = 0; k < WF_VEC; k++) x.v[k] = 2 * x.v[k] - sub[t].v[k];
            if (h.at_term >= 0) to[t] = x;
            store(h.term, n, v, x);
        }
        __syncthreads();
    }
}

/* Calls put(t, n, v, load(n, v)) for this thread's places in lanes [0, lanes). */
template <typename T, typename LOAD, typename PUT>
static inline __device__ void wf_fetch_places(const struct wf_hop_plan &p, int lanes, LOAD load,
                                              PUT put)
{
    int bits = p.bits, lane = (1 << bits) - 1;
    wf_fetch<2, T>((int)threadIdx.x, p.rows << bits, (int)blockDim.x,
                   [&](int t) { return load(t >> bits, min(t & lane, lanes - 1)); },
                   [&](int t, const T &x) {
                       if ((t & lane) < lanes) put(t, t >> bits, t & lane, x);
                   });
}

/* Takes all hops of a fold; load(m, n, v) gives the terms. Ends with a barrier. */
template <typename LOAD>
static inline __device__ void wf_hop_stage_fold(const struct wf_hop_plan &p,
                                                const struct wf_hop_stage &s, int lanes, LOAD load)
{
    for (int i = 0; i < p.steps; i++) {
        const struct wf_hop_step &h = p.step[i];
        wf_wide *term = wf_slot(p, s, h.at_term), *src = wf_slot(p, s, h.at_src);
        wf_wide *sub = wf_slot(p, s, h.at_sub);
        if (h.new_term) {
            wf_fetch_places<wf_wide>(
                p, lanes, [&](int n, int v) { return load(h.term, n, v); },
                [&](int t, int, int, const wf_wide &x) { term[t] = x; });
            __syncthreads();
        }
        WF_EACH_PLACE(t, n, v, p)
        {
            if (v >= lanes) continue;
            wf_wide x = h.new_src ? load(h.src, n, v) : src[t];
            wf_vec_fma(x, h.sub < 0 ? 1 : 2, wf_hop_stage_row(p, s, h.support, n, term + v));
            src[t] = x;
            if (h.sub < 0) continue;
            x = h.new_sub ? load(h.sub, n, v) : sub[t];
            wf_vec_fma(x, -1, term[t]);
            sub[t] = x;
        }
        __syncthreads();
    }
}

/* out [width] = sum of v over the groups of threads [0, groups), thread g width + t of group g;
 * room: one vector for each thread. Every thread of the block calls it. */
static inline __device__ void wf_column_sums(wf_wide v, int width, int groups, wf_wide *room,
                                             wf_real *out, int lanes)
{
    int t = (int)threadIdx.x;
    __syncthreads(); /* room may still be in use */
    if (t < groups * width) room[t] = v;
    __syncthreads();
    for (int half; groups > 1; groups = half) {
        half = (groups + 1) / 2;
        if (t < (groups - half) * width) wf_vec_fma(room[t], 1, room[t + half * width]);
        __syncthreads();
    }
    if (t < lanes) wf_vec_store(out + t * WF_VEC, room[t]);
}

#endif
