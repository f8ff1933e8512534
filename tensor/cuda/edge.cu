/* edge.cu - sums, softmax and maxima over the entries of a row of a sparse pattern.
 *
 * A group of threads, as many as a row has entries on average, shares a row of a sample; every
 * array is read once from memory, rows that are read again lie in cache. Nothing here is larger
 * than a number per entry and sample but the maxima, whose threads stand along the channels. */
#include "tensor/cuda/rows.cuh"
#include "tensor/cuda/vec.cuh"

/* A vector, or a matrix with a row per sample, of numbers per node or per entry: element (b, i) is
 * p[b * lead + i * step]. */
struct items {
    wf_real *p;
    int B;
    ptrdiff_t lead, step;
    __device__ wf_real &at(ptrdiff_t b, ptrdiff_t i) const
    {
        return p[b * lead + i * step];
    }
};

static struct items items_of(const struct wf_tensor *x)
{
    bool one = x->ndim == 1;
    return { x->data, one ? 1 : x->shape[0], one ? 0 : x->stride[0], x->stride[x->ndim - 1] };
}

/* The rows (or columns) of B samples of a pattern, and how many threads share one. */
struct walk {
    const int *ptr, *idx, *perm;
    int rows, group;
    ptrdiff_t count;
};

static struct walk walk_of(const struct wf_csr *A, int B, bool columns)
{
    struct walk w = { A->ptr, A->idx, A->tperm, A->rows };
    if (columns) {
        w.ptr = A->tptr;
        w.rows = A->cols;
    }
    w.count = (ptrdiff_t)w.rows * B;
    w.group = w.rows ? wf_group_for(A->nnz / w.rows) : 1;
    return w;
}

/* Finds row `row` of sample b and its entries from..to; there are none past the last row. */
struct place {
    ptrdiff_t b;
    int row, lane, from, to;
    bool mine;
};

static __device__ struct place place_of(const struct walk &w)
{
    struct place at = {};
    ptrdiff_t i = wf_group_row(w.group);
    at.mine = i < w.count;
    at.lane = wf_group_lane(w.group);
    if (!at.mine) return at;
    at.b = wf_div(i, w.rows);
    at.row = (int)(i - at.b * w.rows);
    at.from = w.ptr[at.row];
    at.to = w.ptr[at.row + 1];
    return at;
}

#define EACH_ENTRY(e, at, group) for (int e = at.from + at.lane; e < at.to; e += group)

/* ---- sums ---- */

template <bool COLUMNS>
static __global__ void entry_sum(struct walk w, struct items y, struct items x, bool add)
{
    struct place at = place_of(w);
    wf_real s = 0;
    EACH_ENTRY(e, at, w.group) s += x.at(at.b, COLUMNS ? w.perm[e] : e);
    s = wf_group_sum(s, w.group);
    if (!at.mine || at.lane > 0) return;
    wf_real *to = &y.at(at.b, at.row);
    *to = add ? *to + s : s;
}

template <bool COLUMNS>
static __global__ void entry_spread(struct walk w, struct items y, struct items x, bool add)
{
    struct place at = place_of(w);
    EACH_ENTRY(e, at, w.group)
    {
        wf_real v = x.at(at.b, COLUMNS ? w.idx[e] : at.row), *to = &y.at(at.b, e);
        *to = add ? *to + v : v;
    }
}

/* Launches a kernel over the groups of w. */
#define LAUNCH_ROWS(be, kernel, w, ...)                                                            \
    (w.count == 0 ? WF_OK                                                                          \
                  : LAUNCH(be, kernel, wf_group_blocks(w.count, w.group), WF_CUDA_BLOCK, 0, w,     \
                           __VA_ARGS__))

extern "C" enum wf_status wf_cuda_edge_sum(struct wf_backend *be, struct wf_tensor *y,
                                           const struct wf_csr *A, const struct wf_tensor *x,
                                           bool columns, bool add)
{
    struct items in = items_of(x), out = items_of(y);
    struct walk w = walk_of(A, in.B, columns);
    return columns ? LAUNCH_ROWS(be, (entry_sum<true>), w, out, in, add)
                   : LAUNCH_ROWS(be, (entry_sum<false>), w, out, in, add);
}

extern "C" enum wf_status wf_cuda_edge_spread(struct wf_backend *be, struct wf_tensor *y,
                                              const struct wf_csr *A, const struct wf_tensor *x,
                                              bool columns, bool add)
{
    struct items in = items_of(x), out = items_of(y);
    struct walk w = walk_of(A, in.B, false);
    return columns ? LAUNCH_ROWS(be, (entry_spread<true>), w, out, in, add)
                   : LAUNCH_ROWS(be, (entry_spread<false>), w, out, in, add);
}

/* ---- softmax over the entries of a row ---- */

static __global__ void entry_softmax(struct walk w, struct items y, struct items x)
{
    struct place at = place_of(w);
    wf_real top = -INFINITY;
    double total = 0;
    EACH_ENTRY(e, at, w.group)
    {
        wf_real v = x.at(at.b, e);
        top = v > top ? v : top;
    }
    top = wf_group_max(top, w.group);
    EACH_ENTRY(e, at, w.group) total += (double)exp(x.at(at.b, e) - top);
    wf_real inv = (wf_real)(1 / wf_group_sum(total, w.group));
    EACH_ENTRY(e, at, w.group) y.at(at.b, e) = exp(x.at(at.b, e) - top) * inv;
}

extern "C" enum wf_status wf_cuda_edge_softmax(struct wf_backend *be, struct wf_tensor *y,
                                               const struct wf_csr *A, const struct wf_tensor *x)
{
    struct items in = items_of(x);
    struct walk w = walk_of(A, in.B, false);
    return LAUNCH_ROWS(be, entry_softmax, w, items_of(y), in);
}

/* dx += y (dy - <y, dy>) */
static __global__ void entry_softmax_bwd(struct walk w, struct items dx, struct items y,
                                         struct items dy)
{
    struct place at = place_of(w);
    double dot = 0;
    EACH_ENTRY(e, at, w.group) dot += (double)y.at(at.b, e) * (double)dy.at(at.b, e);
    dot = wf_group_sum(dot, w.group);
    EACH_ENTRY(e, at, w.group)
    dx.at(at.b, e) += y.at(at.b, e) * (dy.at(at.b, e) - (wf_real)dot);
}

extern "C" enum wf_status wf_cuda_edge_softmax_bwd(struct wf_backend *be, struct wf_tensor *dx,
                                                   const struct wf_csr *A,
                                                   const struct wf_tensor *y,
                                                   const struct wf_tensor *dy)
{
    struct items v = items_of(y);
    struct walk w = walk_of(A, v.B, false);
    return LAUNCH_ROWS(be, entry_softmax_bwd, w, items_of(dx), v, items_of(dy));
}

/* ---- largest message of a row ----
 * The messages of a sample are val[e] x[idx[e], :]. */

/* A tensor [B, nodes, C] with channel stride 1. */
struct nodes {
    wf_real *p;
    ptrdiff_t sample, node;
    __device__ wf_real *at(ptrdiff_t b, ptrdiff_t i, ptrdiff_t c) const
    {
        return p + b * sample + i * node + c;
    }
};

static struct nodes nodes_of(const struct wf_tensor *x)
{
    return x ? nodes{ x->data, x->stride[0], x->stride[1] } : nodes{};
}

struct messages {
    const int *ptr, *idx, *tptr, *tidx, *tperm;
    int rows, cols, nnz, B, C;
    struct items val;
    struct nodes x;
};

static struct messages messages_of(const struct wf_csr *A, const struct wf_tensor *val,
                                   const struct wf_tensor *x)
{
    return { A->ptr,  A->idx, A->tptr,     A->tidx,     A->tperm,      A->rows,
             A->cols, A->nnz, x->shape[0], x->shape[2], items_of(val), nodes_of(x) };
}

static bool even(const struct wf_tensor *x)
{
    return !x || (wf_aligned(x->data) && x->shape[2] % WF_VEC == 0 && x->stride[0] % WF_VEC == 0 &&
                  x->stride[1] % WF_VEC == 0);
}

/* Where a vector of [B, nodes, C] is: its sample, its node and its first channel. */
struct spot {
    ptrdiff_t b, i, c;
};

static __device__ struct spot spot_of(ptrdiff_t at, int nodes, int C, int vec)
{
    ptrdiff_t width = C / vec, row = wf_div(at, width), b = wf_div(row, nodes);
    return { b, row - b * nodes, (at - row * width) * vec };
}

/* Finds the largest message of a row and the first entry that attains it; NaN is above all numbers.
 * In an empty row they are 0 and -1. */
template <int VEC>
static __device__ void largest(const struct messages &m, const struct spot &s, int (&best)[VEC],
                               wf_vec<VEC> *top)
{
    for (int v = 0; v < VEC; v++) {
        best[v] = -1;
        top->v[v] = 0;
    }
    for (int e = m.ptr[s.i]; e < m.ptr[s.i + 1]; e++) {
        wf_real w = m.val.at(s.b, e);
        wf_vec<VEC> x = wf_vec_load<VEC>(m.x.at(s.b, m.idx[e], s.c));
        for (int v = 0; v < VEC; v++) {
            wf_real a = w * x.v[v];
            if (best[v] >= 0 && (a <= top->v[v] || top->v[v] != top->v[v])) continue;
            best[v] = e;
            top->v[v] = a;
        }
    }
}

/* Writes the largest messages y, or the entries that attain them, [B, rows, C]; the one that is not
 * wanted is NULL. */
template <int VEC>
static __global__ void largest_messages(struct messages m, struct nodes y, int *entries)
{
    EACH_ITEM(at, (ptrdiff_t)m.B * m.rows * m.C / VEC)
    {
        struct spot s = spot_of(at, m.rows, m.C, VEC);
        int best[VEC];
        wf_vec<VEC> top;
        largest<VEC>(m, s, best, &top);
        if (y.p) wf_vec_store(y.at(s.b, s.i, s.c), top);
        for (int v = 0; v < VEC && entries; v++) entries[at * VEC + v] = best[v];
    }
}

static enum wf_status launch_largest(struct wf_backend *be, const struct messages &m,
                                     struct nodes y, int *entries, bool vectors)
{
    ptrdiff_t count = (ptrdiff_t)m.B * m.rows * m.C;
    if (count == 0) return WF_OK;
    unsigned blocks = wf_cuda_blocks(wf_cuda_of(be), vectors ? count / WF_VEC : count);
    return vectors ? LAUNCH(be, (largest_messages<WF_VEC>), blocks, WF_CUDA_BLOCK, 0, m, y, entries)
                   : LAUNCH(be, (largest_messages<1>), blocks, WF_CUDA_BLOCK, 0, m, y, entries);
}

extern "C" enum wf_status wf_cuda_edge_max(struct wf_backend *be, struct wf_tensor *y,
                                           const struct wf_csr *A, const struct wf_tensor *val,
                                           const struct wf_tensor *x)
{
    return launch_largest(be, messages_of(A, val, x), nodes_of(y), NULL, even(x) && even(y));
}

/* A thread for each number of dx looks through the rows that its node sends to. */
static __global__ void max_bwd_x(struct messages m, struct nodes dx, struct nodes dy,
                                 const int *entries)
{
    EACH_ITEM(at, (ptrdiff_t)m.B * m.cols * m.C)
    {
        struct spot s = spot_of(at, m.cols, m.C, 1);
        wf_real sum = 0;
        for (int k = m.tptr[s.i]; k < m.tptr[s.i + 1]; k++) {
            int e = m.tperm[k], row = m.tidx[k];
            if (entries[(s.b * m.rows + row) * m.C + s.c] != e) continue;
            sum += m.val.at(s.b, e) * *dy.at(s.b, row, s.c);
        }
        *dx.at(s.b, s.i, s.c) += sum;
    }
}

/* A warp sums for each entry; where samples have values of their own, for each entry and sample. */
static __global__ void max_bwd_val(struct messages m, struct items dval, struct nodes dy,
                                   const int *entries)
{
    ptrdiff_t at = wf_group_row(32);
    int lane = wf_group_lane(32);
    if (at >= (ptrdiff_t)dval.B * m.nnz) return;
    ptrdiff_t b0 = at / m.nnz, k = at % m.nnz, to = dval.B > 1 ? b0 + 1 : m.B;
    int e = m.tperm[k], row = m.tidx[k], col = m.idx[e];
    double sum = 0;
    for (ptrdiff_t i = lane + b0 * m.C; i < to * m.C; i += 32) {
        ptrdiff_t b = wf_div(i, m.C), c = i - b * m.C;
        if (entries[(b * m.rows + row) * m.C + c] != e) continue;
        sum += (double)(*m.x.at(b, col, c) * *dy.at(b, row, c));
    }
    sum = wf_group_sum(sum, 32);
    if (lane == 0) dval.at(b0, e) += (wf_real)sum;
}

extern "C" enum wf_status wf_cuda_edge_max_bwd(struct wf_backend *be, struct wf_tensor *dx,
                                               struct wf_tensor *dval, const struct wf_csr *A,
                                               const struct wf_tensor *val,
                                               const struct wf_tensor *x,
                                               const struct wf_tensor *dy)
{
    struct messages m = messages_of(A, val, x);
    ptrdiff_t numbers = (ptrdiff_t)m.B * m.cols * m.C;
    if (m.nnz == 0 || numbers == 0 || (!dx && !dval)) return WF_OK;
    int *entries =
        (int *)wf_cuda_scratch(be, (size_t)m.B * (size_t)m.rows * (size_t)m.C * sizeof *entries);
    if (!entries) return WF_ENOMEM;
    WF_TRY(launch_largest(be, m, nodes{}, entries, even(x)));
    if (dx)
        WF_TRY(LAUNCH(be, max_bwd_x, wf_cuda_blocks(wf_cuda_of(be), numbers), WF_CUDA_BLOCK, 0, m,
                      nodes_of(dx), nodes_of(dy), entries));
    if (!dval) return WF_OK;
    struct items d = items_of(dval);
    return LAUNCH(be, max_bwd_val, wf_group_blocks((ptrdiff_t)d.B * m.nnz, 32), WF_CUDA_BLOCK, 0, m,
                  d, nodes_of(dy), entries);
}
