/* spmm.c - sparse times dense products, and products sampled at the entries of a pattern. */
#include <string.h>
#include "tensor/cpu/cpu_private.h"
#include "tensor/cpu/vec_private.h"

/* Work is cut into blocks of COLS columns, four vectors, and ROWS rows, which are worth waking a
 * thread. The gradient of the values is summed over samples in at most CHUNKS partial sums. */
enum { COLS = 4 * WF_LANES, ROWS = 512, CHUNKS = 16 };

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

struct product {
    const int *ptr, *idx, *perm; /* perm is NULL where entries are in the order of the values */
    const wf_real *val;
    ptrdiff_t val_stride;
    bool add;
};

/* Returns the stride between the samples of edge values; 0 where all samples share them. */
static ptrdiff_t sample_stride(const struct wf_tensor *val)
{
    return val->ndim == 2 ? val->stride[0] : 0;
}

static wf_real value(const struct product *p, int e)
{
    return p->val[(p->perm ? p->perm[e] : e) * p->val_stride];
}

/* y [to - from, n] (+)= rows [from, to) of A times x, for V vectors of columns, of which the last
 * has `tail` lanes. */
WF_INLINE void rows(const struct product *p, wf_real *y, ptrdiff_t ys, const wf_real *x,
                    ptrdiff_t xs, int from, int to, int V, int tail)
{
    for (int i = from; i < to; i++) {
        wf_vec s[4];
        wf_real *out = y + i * ys;
        WF_UNROLL for (int v = 0; v < V; v++) s[v] = vec_set(0);
        for (int e = p->ptr[i]; e < p->ptr[i + 1]; e++) {
            const wf_real *in = x + p->idx[e] * xs;
            wf_vec a = vec_set(value(p, e));
            WF_UNROLL for (int v = 0; v < V; v++)
            {
                wf_vec b = v < V - 1 ? vec_load(in + v * WF_LANES)
                                     : vec_load_some(in + v * WF_LANES, tail);
                s[v] = vec_fma(a, b, s[v]);
            }
        }
        WF_UNROLL for (int v = 0; v < V; v++)
        {
            int n = v < V - 1 ? WF_LANES : tail;
            if (p->add) s[v] = vec_add(vec_load_some(out + v * WF_LANES, n), s[v]);
            vec_store_some(out + v * WF_LANES, s[v], n);
        }
    }
}

static void block(struct product one, ptrdiff_t lead, struct wf_tensor *y,
                  const struct wf_tensor *x, int b, int c, int from, int to)
{
    one.val += b * lead;
    const struct product *p = &one;
    wf_real *out = y->data + b * y->stride[0] + c;
    const wf_real *in = x->data + b * x->stride[0] + c;
    int left = y->shape[2] - c, n = left < COLS ? left : COLS;
    int V = ceil_div(n, WF_LANES), tail = n - (V - 1) * WF_LANES;
    switch (V) {
    case 1:
        rows(p, out, y->stride[1], in, x->stride[1], from, to, 1, tail);
        break;
    case 2:
        rows(p, out, y->stride[1], in, x->stride[1], from, to, 2, tail);
        break;
    case 3:
        rows(p, out, y->stride[1], in, x->stride[1], from, to, 3, tail);
        break;
    case 4:
        rows(p, out, y->stride[1], in, x->stride[1], from, to, 4, tail);
        break;
    }
}

enum wf_status wf_cpu_spmm(struct wf_backend *be, struct wf_tensor *y, const struct wf_csr *A,
                           const struct wf_tensor *val, const struct wf_tensor *x, bool transpose,
                           bool add)
{
    (void)be;
    struct product p = { .ptr = transpose ? A->tptr : A->ptr,
                         .idx = transpose ? A->tidx : A->idx,
                         .perm = transpose ? A->tperm : NULL,
                         .val = val->data,
                         .val_stride = val->stride[val->ndim - 1],
                         .add = add };
    ptrdiff_t lead = sample_stride(val);
    int B = y->shape[0], N = y->shape[1];
    int cols = ceil_div(y->shape[2], COLS), parts = ceil_div(N, ROWS);
#pragma omp parallel for collapse(3)
    for (int b = 0; b < B; b++) {
        for (int c = 0; c < cols; c++) {
            for (int r = 0; r < parts; r++) {
                int to = (r + 1) * ROWS < N ? (r + 1) * ROWS : N;
                block(p, lead, y, x, b, c * COLS, r * ROWS, to);
            }
        }
    }
    return WF_OK;
}

/* out[e] += dy[i, :] . x[j, :] for the entries of rows [from, to) */
static void dots(wf_real *out, const struct wf_csr *A, const wf_real *dy, ptrdiff_t ds,
                 const wf_real *x, ptrdiff_t xs, int n, int from, int to)
{
    for (int i = from; i < to; i++) {
        for (int e = A->ptr[i]; e < A->ptr[i + 1]; e++) {
            const wf_real *a = dy + i * ds, *b = x + A->idx[e] * xs;
            wf_vec s = vec_set(0);
            int c = 0;
            for (; c + WF_LANES <= n; c += WF_LANES)
                s = vec_fma(vec_load(a + c), vec_load(b + c), s);
            if (c < n) s = vec_fma(vec_load_some(a + c, n - c), vec_load_some(b + c, n - c), s);
            out[e] += vec_sum(s);
        }
    }
}

/* The gradient where every sample has values of its own, so that nothing is summed over samples. */
static void dots_apart(struct wf_tensor *dval, const struct wf_csr *A, const struct wf_tensor *dy,
                       const struct wf_tensor *x)
{
    int B = x->shape[0], N = A->rows, parts = ceil_div(N, ROWS);
#pragma omp parallel for collapse(2)
    for (int b = 0; b < B; b++) {
        for (int r = 0; r < parts; r++) {
            int to = (r + 1) * ROWS < N ? (r + 1) * ROWS : N;
            dots(dval->data + b * dval->stride[0], A, dy->data + b * dy->stride[0], dy->stride[1],
                 x->data + b * x->stride[0], x->stride[1], x->shape[2], r * ROWS, to);
        }
    }
}

enum wf_status wf_cpu_spmm_bwd_val(struct wf_backend *be, struct wf_tensor *dval,
                                   const struct wf_csr *A, const struct wf_tensor *dy,
                                   const struct wf_tensor *x)
{
    if (dval->ndim == 2) {
        dots_apart(dval, A, dy, x);
        return WF_OK;
    }
    int B = x->shape[0], E = A->nnz, N = A->rows, chunks = B < CHUNKS ? B : CHUNKS;
    wf_real *part = wf_cpu_scratch(be, (size_t)chunks * (size_t)E * sizeof *part + 1);
    if (part == NULL) return WF_ENOMEM;
    int parts = ceil_div(N, ROWS);
#pragma omp parallel
    {
#pragma omp for collapse(2) schedule(dynamic)
        for (int k = 0; k < chunks; k++) {
            for (int r = 0; r < parts; r++) {
                int from = r * ROWS, to = from + ROWS < N ? from + ROWS : N;
                wf_real *out = part + (ptrdiff_t)k * E;
                memset(out + A->ptr[from], 0, (size_t)(A->ptr[to] - A->ptr[from]) * sizeof *out);
                int b_to = (int)((ptrdiff_t)B * (k + 1) / chunks);
                for (int b = (int)((ptrdiff_t)B * k / chunks); b < b_to; b++)
                    dots(out, A, dy->data + b * dy->stride[0], dy->stride[1],
                         x->data + b * x->stride[0], x->stride[1], x->shape[2], from, to);
            }
        }
#pragma omp for
        for (int e = 0; e < E; e++) {
            wf_real s = 0;
            for (int k = 0; k < chunks; k++) s += part[(ptrdiff_t)k * E + e];
            dval->data[e * dval->stride[0]] += s;
        }
    }
    return WF_OK;
}
