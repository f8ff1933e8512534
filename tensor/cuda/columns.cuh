/* columns.cuh - columns of tensors [samples, N, ..] in vectors of WF_VEC, whatever their strides.
 */
#ifndef WF_CUDA_COLUMNS_CUH
#define WF_CUDA_COLUMNS_CUH

#include "tensor/cuda/vec.cuh"

/* The columns of a tensor [samples, N, width]; x is NULL where there is none. If `wide`, its
 * vectors can be read in one access. */
struct wf_columns {
    wf_real *x;
    ptrdiff_t sample, row;
    int width;
    bool wide;
};

/* Returns the columns of t [samples, N, width]; none where t is NULL or has no data. */
static inline struct wf_columns wf_columns_of(const struct wf_tensor *t)
{
    struct wf_columns c = {};
    if (!t || !t->data) return c;
    c.x = t->data;
    c.sample = t->stride[0];
    c.row = t->stride[1];
    c.width = t->shape[2];
    c.wide = wf_aligned(c.x, c.sample, c.row);
    return c;
}

using wf_wide = struct wf_vec<WF_VEC>;

/* Returns whether the vector from column `first` on can be read at once. */
static inline __device__ bool wf_whole(const struct wf_columns &c, int first)
{
    return c.wide && first % WF_VEC == 0 && first + WF_VEC <= c.width;
}

/* Returns the vector from column `first` of [a c] on, of row n of sample b. */
static inline __device__ wf_wide wf_columns_load(const struct wf_columns &a,
                                                 const struct wf_columns &c, int b, int n,
                                                 int first)
{
    const wf_real *x = a.x + b * a.sample + n * a.row + first;
    const wf_real *z = c.x ? c.x + b * c.sample + n * c.row + first - a.width : x;
    bool second = first >= a.width;
    if (second ? wf_whole(c, first - a.width) : wf_whole(a, first))
        return wf_vec_load<WF_VEC>(second ? z : x);
    wf_wide r = wf_vec_zero<WF_VEC>();
    for (int k = 0; k < WF_VEC; k++)
        if (first + k < a.width + c.width) r.v[k] = (first + k < a.width ? x : z)[k];
    return r;
}

static inline __device__ wf_wide wf_columns_load(const struct wf_columns &a, int b, int n,
                                                 int first)
{
    const struct wf_columns none = {};
    return wf_columns_load(a, none, b, n, first);
}

static inline __device__ void wf_columns_store(const struct wf_columns &a, int b, int n, int first,
                                               const wf_wide &x)
{
    wf_real *to = a.x + b * a.sample + n * a.row + first;
    if (wf_whole(a, first)) {
        wf_vec_store(to, x);
        return;
    }
    for (int k = 0; k < WF_VEC; k++)
        if (first + k < a.width) to[k] = x.v[k];
}

/* Where a vector is: columns first .. first + WF_VEC - 1 of row n of sample b. */
struct wf_place {
    int b, n, first;
};

/* Returns place i of [samples, rows, vecs] in row-major order. */
static inline __device__ struct wf_place wf_place_of(ptrdiff_t i, int rows, int vecs)
{
    ptrdiff_t q = wf_div(i, vecs), b = wf_div(q, rows);
    return { (int)b, (int)(q - b * rows), (int)(i - q * vecs) * WF_VEC };
}

static inline __device__ wf_wide wf_columns_load(const struct wf_columns &a, struct wf_place at)
{
    return wf_columns_load(a, at.b, at.n, at.first);
}

static inline __device__ void wf_columns_store(const struct wf_columns &a, struct wf_place at,
                                               const wf_wide &x)
{
    wf_columns_store(a, at.b, at.n, at.first, x);
}

#endif
