/* reduce.c - sums, norms and softmax. */
#include <math.h>
#include "tensor/cpu/cpu_private.h"
#include "tensor/cpu/vmath_private.h"

/* Sums are taken over CHUNK terms at a time in double, then over the chunks in order. */
enum { CHUNK = 512, BLOCK = 64 };

/* The axes of x; those that lie evenly one in the other are merged. */
struct axes {
    int n;
    ptrdiff_t size[WF_MAXDIM], stride[WF_MAXDIM], out[WF_MAXDIM];
};

static void axes_add(struct axes *a, ptrdiff_t size, ptrdiff_t stride, ptrdiff_t out)
{
    int last = a->n - 1;
    if (size == 1) return;
    if (a->n && a->stride[last] == size * stride && a->out[last] == size * out)
        a->size[last] *= size;
    else
        a->size[a->n++] = size;
    a->stride[a->n - 1] = stride;
    a->out[a->n - 1] = out;
}

static ptrdiff_t axes_count(const struct axes *a)
{
    ptrdiff_t n = 1;
    for (int i = 0; i < a->n; i++) n *= a->size[i];
    return n;
}

static ptrdiff_t axes_offset(const struct axes *a, ptrdiff_t index, const ptrdiff_t *stride)
{
    ptrdiff_t offset = 0;
    for (int i = a->n - 1; i >= 0; i--) {
        offset += index % a->size[i] * stride[i];
        index /= a->size[i];
    }
    return offset;
}

/* Walks the elements of axes in order. */
struct cursor {
    const struct axes *a;
    ptrdiff_t index[WF_MAXDIM], at; /* indices and offset of the element */
};

static struct cursor cursor_at(const struct axes *a, ptrdiff_t index)
{
    struct cursor c = { .a = a, .at = axes_offset(a, index, a->stride) };
    for (int i = a->n - 1; i >= 0; i--) {
        c.index[i] = index % a->size[i];
        index /= a->size[i];
    }
    return c;
}

/* Returns how many elements from here on lie side by side, at most n. */
static ptrdiff_t cursor_run(const struct cursor *c, ptrdiff_t n)
{
    int last = c->a->n - 1;
    if (last < 0 || c->a->stride[last] != 1) return 1;
    ptrdiff_t left = c->a->size[last] - c->index[last];
    return left < n ? left : n;
}

/* Moves n elements on, along the last axis. */
static void cursor_move(struct cursor *c, ptrdiff_t n)
{
    for (int i = c->a->n - 1; i >= 0; i--, n = 1) {
        c->index[i] += n;
        c->at += n * c->a->stride[i];
        if (c->index[i] < c->a->size[i]) return;
        c->at -= c->index[i] * c->a->stride[i];
        c->index[i] = 0;
    }
}

/* acc[k - k0] = sum of x over r in [r0, r1), for the kept elements k in [k0, k1). The inner loop
 * runs over those of them that lie side by side. */
static void sum_piece(double *acc, const wf_real *x, const struct axes *kept, ptrdiff_t k0,
                      ptrdiff_t k1, const struct axes *gone, ptrdiff_t r0, ptrdiff_t r1)
{
    struct cursor k = cursor_at(kept, k0);
    for (ptrdiff_t n; k0 < k1; k0 += n, acc += n) {
        struct cursor r = cursor_at(gone, r0);
        n = cursor_run(&k, k1 - k0);
        for (ptrdiff_t i = 0; i < n; i++) acc[i] = 0;
        for (ptrdiff_t left = r1 - r0, m; left > 0; left -= m) {
            const wf_real *row = x + k.at + r.at;
            m = n == 1 ? cursor_run(&r, left) : 1;
            if (m == 1) {
#pragma omp simd
                for (ptrdiff_t i = 0; i < n; i++) acc[i] += (double)row[i];
            } else {
                double sum = 0;
#pragma omp simd reduction(+ : sum)
                for (ptrdiff_t i = 0; i < m; i++) sum += (double)row[i];
                acc[0] += sum;
            }
            cursor_move(&r, m);
        }
        cursor_move(&k, n);
    }
}

enum wf_status wf_cpu_sum(struct wf_backend *be, struct wf_tensor *y, const struct wf_tensor *x,
                          double scale, bool add)
{
    struct axes kept = { 0 }, gone = { 0 };
    for (int i = 0; i < x->ndim; i++) {
        bool goes = y->shape[i] == 1 && x->shape[i] != 1;
        axes_add(goes ? &gone : &kept, x->shape[i], x->stride[i], goes ? 0 : y->stride[i]);
    }
    ptrdiff_t nk = axes_count(&kept), nr = axes_count(&gone);
    ptrdiff_t chunks = (nr + CHUNK - 1) / CHUNK, blocks = (nk + BLOCK - 1) / BLOCK;
    double *part = wf_cpu_scratch(be, (size_t)(chunks * nk + 1) * sizeof *part);
    if (!part) return WF_ENOMEM;
#pragma omp parallel for schedule(static) if (nk * nr > 16384)
    for (ptrdiff_t job = 0; job < chunks * blocks; job++) {
        ptrdiff_t c = job / blocks, k0 = job % blocks * BLOCK, r0 = c * CHUNK;
        ptrdiff_t k1 = k0 + BLOCK < nk ? k0 + BLOCK : nk, r1 = r0 + CHUNK < nr ? r0 + CHUNK : nr;
        sum_piece(part + c * nk + k0, x->data, &kept, k0, k1, &gone, r0, r1);
    }
#pragma omp parallel for schedule(static) if (nk * chunks > 16384)
    for (ptrdiff_t k = 0; k < nk; k++) {
        double total = 0;
        for (ptrdiff_t c = 0; c < chunks; c++) total += part[c * nk + k];
        wf_real *out = y->data + axes_offset(&kept, k, kept.out);
        *out = (wf_real)(scale * total) + (add ? *out : 0);
    }
    return WF_OK;
}

enum wf_status wf_cpu_norm(struct wf_backend *be, struct wf_tensor *norm, const struct wf_tensor *x)
{
    enum { PART = 4096 };
    ptrdiff_t n = wf_tensor_count(x), parts = (n + PART - 1) / PART;
    double *part = wf_cpu_scratch(be, (size_t)(parts + 1) * sizeof *part);
    if (!part) return WF_ENOMEM;
#pragma omp parallel for schedule(static) if (parts > 8)
    for (ptrdiff_t c = 0; c < parts; c++) {
        ptrdiff_t to = (c + 1) * PART < n ? (c + 1) * PART : n;
        double total = 0;
        for (ptrdiff_t i = c * PART; i < to; i++) total += (double)x->data[i] * (double)x->data[i];
        part[c] = total;
    }
    double total = 0;
    for (ptrdiff_t c = 0; c < parts; c++) total += part[c];
    norm->data[0] = (wf_real)sqrt(total);
    return WF_OK;
}

static const wf_real *row_of(const struct wf_tensor *x, ptrdiff_t row)
{
    const wf_real *p = x->data;
    for (int i = x->ndim - 2; i >= 0; i--) {
        p += row % x->shape[i] * x->stride[i];
        row /= x->shape[i];
    }
    return p;
}

enum wf_status wf_cpu_softmax(struct wf_backend *be, struct wf_tensor *y, const struct wf_tensor *x)
{
    (void)be;
    ptrdiff_t n = x->shape[x->ndim - 1], s = x->stride[x->ndim - 1], u = y->stride[y->ndim - 1];
    ptrdiff_t rows = n ? wf_tensor_count(x) / n : 0;
#pragma omp parallel for schedule(static) if (rows * n > 8192)
    for (ptrdiff_t r = 0; r < rows; r++) {
        const wf_real *a = row_of(x, r);
        wf_real *b = (wf_real *)row_of(y, r), top = a[0];
        for (ptrdiff_t i = 1; i < n; i++) top = a[i * s] > top ? a[i * s] : top;
        for (ptrdiff_t i = 0; i < n; i++) b[i * u] = wf_vexp(a[i * s] - top);
        double total = 0;
        for (ptrdiff_t i = 0; i < n; i++) total += (double)b[i * u];
        wf_real inv = (wf_real)(1 / total);
        for (ptrdiff_t i = 0; i < n; i++) b[i * u] *= inv;
    }
    return WF_OK;
}

/* dx += y (dy - <y, dy>) */
enum wf_status wf_cpu_softmax_bwd(struct wf_backend *be, struct wf_tensor *dx,
                                  const struct wf_tensor *y, const struct wf_tensor *dy)
{
    (void)be;
    int last = y->ndim - 1;
    ptrdiff_t n = y->shape[last], rows = n ? wf_tensor_count(y) / n : 0;
    bool add = wf_grad_claim(dx);
#pragma omp parallel for schedule(static) if (rows * n > 8192)
    for (ptrdiff_t r = 0; r < rows; r++) {
        const wf_real *a = row_of(y, r), *d = row_of(dy, r);
        wf_real *b = (wf_real *)row_of(dx, r);
        double dot = 0;
        for (ptrdiff_t i = 0; i < n; i++)
            dot += (double)a[i * y->stride[last]] * (double)d[i * dy->stride[last]];
        for (ptrdiff_t i = 0; i < n; i++) {
            wf_real v = a[i * y->stride[last]] * (d[i * dy->stride[last]] - (wf_real)dot);
            wf_real *to = b + i * dx->stride[last];
            *to = add ? *to + v : v;
        }
    }
    return WF_OK;
}
