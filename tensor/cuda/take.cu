/* take.cu - rows by index or by looked-up number, their gradients, and the k largest.
 *
 * The gradient of a gather is a scatter-add: the rows of dy that belong to one row of x are summed
 * in a fixed order, without atomics. Looked-up numbers are first grouped by row in a counting sort:
 * a warp counts the rows that a chunk of numbers selects, one block turns the counts into
 * positions, and the warps then place their numbers. Where the lists are few and long, each is cut
 * into parts for different blocks. For METR-LA's time of day, [64, 12, 207] numbers and 24
 * channels, reading the 15 MB of dy takes at least 5 us. */
#include "tensor/cuda/nest.cuh"
#include "tensor/cuda/reduce.cuh"

/* ---- copies of rows ---- */

struct by_index {
    const int *idx;
    __device__ ptrdiff_t operator()(ptrdiff_t i) const
    {
        return idx[i];
    }
};

struct by_number {
    const wf_real *x;
    double scale;
    int rows;
    /* The 1e-3 that is added is below the smallest step between two indices and above the rounding
     * of x * scale. */
    __device__ ptrdiff_t operator()(ptrdiff_t i) const
    {
        double r = floor((double)x[i] * scale + 1e-3);
        return !(r > 0) ? 0 : r < rows ? (int)r : rows - 1;
    }
};

/* Copies a row of x to each row of y [n, width]; width and count are in vectors. */
template <int VEC, typename F>
static __global__ void copy_rows(wf_real *y, const wf_real *x, ptrdiff_t count, ptrdiff_t width,
                                 F row)
{
    EACH_ITEM(j, count)
    {
        ptrdiff_t i = wf_div(j, width);
        wf_vec_store(y + j * VEC, wf_vec_load<VEC>(x + (row(i) * width + j - i * width) * VEC));
    }
}

template <typename F>
static enum wf_status launch_copy(struct wf_backend *be, struct wf_tensor *y, const wf_real *x,
                                  ptrdiff_t width, F row)
{
    ptrdiff_t count = wf_tensor_count(y);
    bool even = width % WF_VEC == 0 && wf_aligned(y->data) && wf_aligned(x);
    if (count == 0) return WF_OK;
    unsigned blocks = wf_cuda_blocks(wf_cuda_of(be), even ? count / WF_VEC : count);
    return even ? LAUNCH(be, (copy_rows<WF_VEC, F>), blocks, WF_CUDA_BLOCK, 0, y->data, x,
                         count / WF_VEC, width / WF_VEC, row)
                : LAUNCH(be, (copy_rows<1, F>), blocks, WF_CUDA_BLOCK, 0, y->data, x, count, width,
                         row);
}

extern "C" enum wf_status wf_cuda_take(struct wf_backend *be, struct wf_tensor *y,
                                       const struct wf_tensor *x, const struct wf_index *ix)
{
    ptrdiff_t width = ix->n ? wf_tensor_count(y) / ix->n : 0;
    return launch_copy(be, y, x->data, width, by_index{ ix->idx });
}

extern "C" enum wf_status wf_cuda_lookup(struct wf_backend *be, struct wf_tensor *y,
                                         const struct wf_tensor *table, const struct wf_tensor *x,
                                         double scale)
{
    return launch_copy(be, y, table->data, table->shape[1],
                       by_number{ x->data, scale, table->shape[0] });
}

/* ---- sums over lists ---- */

/* Describes sums over lists: the rows list[ptr[r]] .. list[ptr[r + 1] - 1] of dy are added to row r
 * of dx [rows, width]. Each part of a list takes `lanes` threads along the width times `deep`
 * threads along the list. */
template <typename T> struct lists {
    wf_real *dx, *part; /* part [parts, rows, width] */
    const wf_real *dy;
    const T *ptr, *list;
    ptrdiff_t rows, width, parts;
    int vec, lanes, deep;
};

template <int VEC, typename T> static __global__ void sum_lists(struct lists<T> l)
{
    __shared__ wf_vec<VEC> sh[WF_CUDA_BLOCK];
    int t = (int)threadIdx.x, lane = t % l.lanes, depth = t / l.lanes % l.deep;
    int each = WF_CUDA_BLOCK / (l.lanes * l.deep);
    ptrdiff_t job = (ptrdiff_t)blockIdx.x * each + t / (l.lanes * l.deep);
    ptrdiff_t r = job / l.parts, p = job % l.parts, from = 0, to = 0;
    if (r < l.rows) {
        ptrdiff_t first = l.ptr[r], n = l.ptr[r + 1] - first;
        from = first + n * p / l.parts;
        to = first + n * (p + 1) / l.parts;
    }
    for (ptrdiff_t c0 = 0; c0 < l.width; c0 += l.lanes * VEC) {
        ptrdiff_t c = c0 + lane * VEC;
        bool mine = r < l.rows && c < l.width;
        wf_vec<VEC> s = {};
        WF_UNROLL(4)
        for (ptrdiff_t k = from + depth; k < to && mine; k += l.deep) {
            wf_vec<VEC> a = wf_vec_load<VEC>(l.dy + l.list[k] * l.width + c);
            for (int v = 0; v < VEC; v++) s.v[v] += a.v[v];
        }
        sh[t] = s;
        for (int half = l.deep / 2; half > 0; half /= 2) {
            __syncthreads();
            if (depth >= half) continue;
            for (int v = 0; v < VEC; v++) sh[t].v[v] += sh[t + half * l.lanes].v[v];
        }
        if (depth == 0 && mine) {
            wf_real *out =
                (l.parts > 1 ? l.part + (p * l.rows + r) * l.width : l.dx + r * l.width) + c;
            s = l.parts > 1 ? wf_vec<VEC>{} : wf_vec_load<VEC>(out);
            for (int v = 0; v < VEC; v++) s.v[v] += sh[t].v[v];
            wf_vec_store(out, s);
        }
        __syncthreads();
    }
}

/* Plans how to cut n rows of dy, however they are spread over the lists. */
template <typename T> static void lists_shape(struct lists<T> *l, ptrdiff_t n)
{
    bool even = l->width % WF_VEC == 0 && wf_aligned(l->dx) && wf_aligned(l->dy);
    ptrdiff_t mean = n / l->rows;
    l->vec = even ? WF_VEC : 1;
    l->lanes = l->deep = 1;
    while (l->lanes < 64 && l->lanes * l->vec < l->width) l->lanes *= 2;
    while (l->lanes * l->deep < WF_CUDA_BLOCK && mean >= 16 * l->deep) l->deep *= 2;
    ptrdiff_t want = WF_REDUCE_THREADS / (l->rows * l->lanes * l->deep),
              most = mean / (8 * l->deep);
    l->parts = want < most ? want : most;
    if (l->parts < 1) l->parts = 1;
}

/* Plans the sum of the parts [parts, rows * width] into the gradient. */
template <typename T> static struct wf_reduction lists_parts(const struct lists<T> &l)
{
    struct wf_tensor x = {}, y = {};
    const int all[2] = { (int)l.parts, (int)(l.rows * l.width) };
    const int one[2] = { 1, all[1] };
    wf_tensor_shape(&x, 2, all);
    wf_tensor_shape(&y, 2, one);
    return wf_reduction_of(&y, &x, true);
}

static size_t lists_part_bytes(ptrdiff_t numbers)
{
    return (size_t)wf_div_up(numbers, WF_VEC) * 16;
}

template <typename T> static size_t lists_bytes(const struct lists<T> &l)
{
    if (l.parts == 1) return 0;
    struct wf_reduction w = lists_parts(l);
    return lists_part_bytes(l.parts * l.rows * l.width) + wf_reduce_bytes(&w, 1);
}

/* Adds the lists up. l.part is lists_bytes() bytes of scratch memory. */
template <typename T>
static enum wf_status add_lists(struct wf_backend *be, const struct lists<T> &l)
{
    ptrdiff_t each = WF_CUDA_BLOCK / (l.lanes * l.deep);
    unsigned blocks = (unsigned)wf_div_up(l.rows * l.parts, each);
    WF_TRY(l.vec > 1 ? LAUNCH(be, (sum_lists<WF_VEC, T>), blocks, WF_CUDA_BLOCK, 0, l)
                     : LAUNCH(be, (sum_lists<1, T>), blocks, WF_CUDA_BLOCK, 0, l));
    if (l.parts == 1) return WF_OK;
    struct wf_reduction w = lists_parts(l);
    char *rest = (char *)l.part + lists_part_bytes(l.parts * l.rows * l.width);
    return wf_reduce<1>(be, w, (double *)rest, wf_sum_terms{ l.part, false },
                        wf_sum_into{ l.dx, w.out, 1, true });
}

extern "C" enum wf_status wf_cuda_take_bwd(struct wf_backend *be, struct wf_tensor *dx,
                                           const struct wf_tensor *dy, const struct wf_index *ix)
{
    struct lists<int> l = {
        dx->data, NULL, dy->data, ix->ptr, ix->inv
    };
    l.rows = ix->range;
    l.width = ix->n ? wf_tensor_count(dy) / ix->n : 0;
    if (l.rows * l.width == 0) return WF_OK;
    lists_shape(&l, ix->n);
    l.part = (wf_real *)wf_cuda_scratch(be, lists_bytes(l));
    return l.part ? add_lists(be, l) : WF_ENOMEM;
}

/* ---- looked-up numbers, sorted by row ---- */

/* Describes a counting sort. counts [chunks, rows] holds first how many numbers of a chunk select a
 * row, and later how many numbers of all chunks before it do. */
struct sorting {
    ptrdiff_t count, chunks, each, rows;
    ptrdiff_t *counts, *start, *list;
};

/* Counts the lanes of the warp that hold the same row as this lane: those before it, and all. */
static __device__ void alike(int row, int *before, int *all)
{
    int lane = (int)threadIdx.x % 32;
    *before = *all = 0;
    for (int k = 0; k < 32; k++) {
        bool same = __shfl_sync(0xffffffffu, row, k) == row;
        *all += same;
        *before += same && k < lane;
    }
}

/* Each warp handles one chunk. Without PLACE it counts how many numbers select each row; with
 * PLACE, after scan_counts(), it writes the indices of its numbers to the list. */
template <bool PLACE> static __global__ void sort_chunks(struct sorting s, struct by_number row_of)
{
    ptrdiff_t chunk = ((ptrdiff_t)blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (chunk >= s.chunks) return;
    ptrdiff_t *counts = s.counts + chunk * s.rows, to = (chunk + 1) * s.each;
    int lane = (int)threadIdx.x % 32;
    if (to > s.count) to = s.count;
    for (ptrdiff_t r = lane; r < s.rows && !PLACE; r += 32) counts[r] = 0;
    __syncwarp();
    for (ptrdiff_t first = chunk * s.each; first < to; first += 32) {
        ptrdiff_t i = first + lane;
        int row = i < to ? (int)row_of(i) : -1, before, all;
        alike(row, &before, &all);
        ptrdiff_t at = row < 0 ? 0 : counts[row];
        if (PLACE && row >= 0) s.list[s.start[row] + at + before] = i;
        __syncwarp();
        if (row >= 0 && before == 0) counts[row] = at + all;
        __syncwarp();
    }
}

enum { SCAN = 1024 };

/* Replaces each count by the sum over the chunks before, and writes to start [rows + 1] the sums
 * over the rows before. This runs in one block. */
static __global__ void __launch_bounds__(SCAN) scan_counts(struct sorting s)
{
    __shared__ ptrdiff_t warps[SCAN / 32];
    int t = (int)threadIdx.x, lane = t % 32;
    ptrdiff_t base = 0;
    for (ptrdiff_t first = 0; first < s.rows; first += SCAN) {
        ptrdiff_t r = first + t, total = 0, sum, *counts = s.counts + r;
        wf_fetch<8, ptrdiff_t>((ptrdiff_t)0, r < s.rows ? s.chunks : 0, (ptrdiff_t)1,
                               [&](ptrdiff_t c) { return counts[c * s.rows]; },
                               [&](ptrdiff_t c, ptrdiff_t here) {
                                   counts[c * s.rows] = total;
                                   total += here;
                               });
        sum = total; /* the loop turns it into the sum over this and all earlier lanes */
        for (int k = 1; k < 32; k *= 2) {
            ptrdiff_t before = __shfl_up_sync(0xffffffffu, sum, k);
            if (lane >= k) sum += before;
        }
        if (lane == 31) warps[t / 32] = sum;
        __syncthreads();
        for (int w = 0; w < t / 32; w++) sum += warps[w];
        if (r < s.rows) s.start[r] = base + sum - total;
        for (int w = 0; w < SCAN / 32; w++) base += warps[w];
        __syncthreads();
    }
    if (t == 0) s.start[s.rows] = base;
}

/* Cuts the numbers into chunks of 512, or longer ones where their counts would take more memory
 * than the numbers. */
static struct sorting sorting_of(ptrdiff_t count, ptrdiff_t rows)
{
    struct sorting s = {};
    ptrdiff_t most = ((ptrdiff_t)1 << 20) / rows;
    s.count = count;
    s.rows = rows;
    s.chunks = wf_div_up(count, 512);
    if (s.chunks > most) s.chunks = most > 1 ? most : 1;
    s.each = wf_div_up(count, s.chunks);
    s.chunks = wf_div_up(count, s.each);
    return s;
}

static enum wf_status sort_numbers(struct wf_backend *be, const struct sorting &s,
                                   const struct by_number &row_of)
{
    unsigned blocks = (unsigned)wf_div_up(s.chunks * 32, WF_CUDA_BLOCK);
    WF_TRY(LAUNCH(be, (sort_chunks<false>), blocks, WF_CUDA_BLOCK, 0, s, row_of));
    WF_TRY(LAUNCH(be, scan_counts, 1, SCAN, 0, s));
    return LAUNCH(be, (sort_chunks<true>), blocks, WF_CUDA_BLOCK, 0, s, row_of);
}

extern "C" enum wf_status wf_cuda_lookup_bwd(struct wf_backend *be, struct wf_tensor *dtable,
                                             const struct wf_tensor *dy, const struct wf_tensor *x,
                                             double scale)
{
    ptrdiff_t count = wf_tensor_count(x);
    if (count * wf_tensor_count(dtable) == 0) return WF_OK;
    struct sorting s = sorting_of(count, dtable->shape[0]);
    struct lists<ptrdiff_t> l = {
        dtable->data, NULL, dy->data
    };
    l.rows = s.rows;
    l.width = dtable->shape[1];
    lists_shape(&l, count);
    size_t parts = (lists_bytes(l) + 15) / 16 * 16;
    size_t integers = (size_t)(s.chunks * s.rows + s.rows + 1 + count);
    char *scratch = (char *)wf_cuda_scratch(be, parts + integers * sizeof(ptrdiff_t));
    if (!scratch) return WF_ENOMEM;
    l.part = (wf_real *)scratch;
    s.counts = (ptrdiff_t *)(scratch + parts);
    l.ptr = s.start = s.counts + s.chunks * s.rows;
    l.list = s.list = s.start + s.rows + 1;
    WF_TRY(sort_numbers(be, s, by_number{ x->data, scale, dtable->shape[0] }));
    return add_lists(be, l);
}

/* ---- the largest, and rows by indices that are data ---- */

struct entry {
    wf_real v;
    int i; /* -1 where there is no entry */
};

/* Returns whether a sorts before b. Larger values sort first, and of equal ones the one with the
 * smaller index; NaN sorts after all numbers, and a missing entry after everything. */
static __device__ bool before(const struct entry &a, const struct entry &b)
{
    if (a.i < 0 || b.i < 0) return b.i < 0 && a.i >= 0;
    if (a.v != a.v || b.v != b.v) return a.v != a.v && b.v != b.v ? a.i < b.i : b.v != b.v;
    return a.v > b.v || (a.v == b.v && a.i < b.i);
}

static __device__ struct entry first_of_warp(struct entry a)
{
    for (int k = 16; k > 0; k /= 2) {
        struct entry b = { __shfl_xor_sync(0xffffffffu, a.v, k),
                           __shfl_xor_sync(0xffffffffu, a.i, k) };
        if (before(b, a)) a = b;
    }
    return a;
}

/* Returns the entry of this thread's share of a row that sorts next after `last`. */
static __device__ struct entry next_after(const wf_real *x, ptrdiff_t step, int N,
                                          const struct entry &last)
{
    struct entry best = { 0, -1 };
    for (int i = (int)threadIdx.x; i < N; i += (int)blockDim.x) {
        struct entry a = { x[i * step], i };
        if ((last.i < 0 || before(last, a)) && before(a, best)) best = a;
    }
    return best;
}

/* A block finds the k largest entries of one row. Each thread offers the first entry of its share;
 * the thread whose entry is chosen then searches for its next one. */
static __global__ void largest(struct wf_tensor idx, struct wf_tensor x)
{
    __shared__ struct entry sh[2][32];
    int lane = (int)threadIdx.x % 32, warps = (int)blockDim.x / 32;
    const wf_real *row = x.data + blockIdx.x * x.stride[0];
    struct entry none = { 0, -1 }, mine = next_after(row, x.stride[1], x.shape[1], none);
    for (int k = 0; k < idx.shape[1]; k++) {
        struct entry best = first_of_warp(mine);
        if (lane == 0) sh[k % 2][threadIdx.x / 32] = best;
        __syncthreads();
        best = first_of_warp(lane < warps ? sh[k % 2][lane] : none);
        if (threadIdx.x == 0)
            idx.data[blockIdx.x * idx.stride[0] + k * idx.stride[1]] = (wf_real)best.i;
        if (best.i % (int)blockDim.x == (int)threadIdx.x)
            mine = next_after(row, x.stride[1], x.shape[1], best);
    }
}

extern "C" enum wf_status wf_cuda_topk(struct wf_backend *be, struct wf_tensor *idx,
                                       const struct wf_tensor *x)
{
    unsigned threads = 32;
    if (wf_tensor_count(idx) == 0) return WF_OK;
    while (threads < 1024 && (int)threads * 32 < x->shape[1]) threads *= 2;
    return LAUNCH(be, largest, (unsigned)x->shape[0], threads, 0, *idx, *x);
}

/* The operands p are y, idx and x; p[2] points into the first row of the sample in x. */
struct pick {
    ptrdiff_t step;
    __device__ void operator()(ptrdiff_t, wf_real **p) const
    {
        *p[0] = p[2][(ptrdiff_t)*p[1] * step];
    }
};

struct pick_bwd {
    ptrdiff_t step;
    __device__ void operator()(ptrdiff_t, wf_real **p) const
    {
        p[2][(ptrdiff_t)*p[1] * step] += *p[0];
    }
};

/* Calls f for each element of y [B, K, C], with the addresses that struct pick describes. */
template <typename F>
static enum wf_status each_picked(struct wf_backend *be, const struct wf_tensor *y,
                                  const struct wf_tensor *idx, const struct wf_tensor *x, F f)
{
    struct wf_tensor i = *y, from = *y;
    const struct wf_tensor *op[] = { y, &i, &from };
    i.data = idx->data;
    i.stride[0] = idx->stride[0];
    i.stride[1] = idx->stride[1];
    i.stride[2] = 0;
    from.data = x->data;
    from.stride[0] = x->stride[0];
    from.stride[1] = 0;
    from.stride[2] = x->stride[2];
    return wf_each(be, op, f);
}

extern "C" enum wf_status wf_cuda_pick(struct wf_backend *be, struct wf_tensor *y,
                                       const struct wf_tensor *x, const struct wf_tensor *idx)
{
    return each_picked(be, y, idx, x, pick{ x->stride[1] });
}

extern "C" enum wf_status wf_cuda_pick_bwd(struct wf_backend *be, struct wf_tensor *dx,
                                           const struct wf_tensor *dy, const struct wf_tensor *idx)
{
    return each_picked(be, dy, idx, dx, pick_bwd{ dx->stride[1] });
}
