/* take.c - rows by index or by looked-up number, their scattered sums, and the k largest. */
#include <math.h>
#include <string.h>
#include "tensor/cpu/cpu_private.h"

enum wf_status wf_cpu_take(struct wf_backend *be, struct wf_tensor *y, const struct wf_tensor *x,
                           const struct wf_index *ix)
{
    (void)be;
    ptrdiff_t width = ix->n ? wf_tensor_count(y) / ix->n : 0;
    for (int i = 0; i < ix->n; i++)
        memcpy(y->data + i * width, x->data + ix->idx[i] * width, (size_t)width * sizeof(wf_real));
    return WF_OK;
}

enum wf_status wf_cpu_take_bwd(struct wf_backend *be, struct wf_tensor *dx,
                               const struct wf_tensor *dy, const struct wf_index *ix)
{
    (void)be;
    ptrdiff_t width = ix->n ? wf_tensor_count(dy) / ix->n : 0;
    for (int r = 0; r < ix->range; r++)
        for (int k = ix->ptr[r]; k < ix->ptr[r + 1]; k++)
            for (ptrdiff_t c = 0; c < width; c++)
                dx->data[r * width + c] += dy->data[ix->inv[k] * width + c];
    return WF_OK;
}

/* ---- the largest, and rows by indices that are data ---- */

/* Returns whether row i of x sorts before row j. Larger values sort first, and of equal ones the
 * one with the smaller index; NaN sorts last. */
static bool before(const wf_real *x, ptrdiff_t stride, int i, int j)
{
    wf_real a = x[i * stride], b = x[j * stride];
    if (a != a || b != b) return a != a && b != b ? i < j : b != b;
    return a > b || (a == b && i < j);
}

/* Restores the heap below position `at`, so that no child sorts before its parent. */
static void sift(int *heap, int n, int at, const wf_real *x, ptrdiff_t stride)
{
    for (;;) {
        int child = 2 * at + 1, i = heap[at];
        if (child >= n) return;
        if (child + 1 < n && before(x, stride, heap[child + 1], heap[child])) child++;
        if (before(x, stride, i, heap[child])) return;
        heap[at] = heap[child];
        heap[child] = i;
        at = child;
    }
}

enum wf_status wf_cpu_topk(struct wf_backend *be, struct wf_tensor *idx, const struct wf_tensor *x)
{
    int B = x->shape[0], N = x->shape[1], K = idx->shape[1];
    int *heaps = wf_cpu_scratch(be, (size_t)B * (size_t)N * sizeof *heaps + 1);
    if (!heaps) return WF_ENOMEM;
#pragma omp parallel for if ((ptrdiff_t)B * N > 1 << 14)
    for (int b = 0; b < B; b++) {
        const wf_real *in = x->data + b * x->stride[0];
        int *heap = heaps + (ptrdiff_t)b * N;
        for (int i = 0; i < N; i++) heap[i] = i;
        for (int i = N / 2 - 1; i >= 0; i--) sift(heap, N, i, in, x->stride[1]);
        for (int k = 0, n = N; k < K; k++) {
            idx->data[b * idx->stride[0] + k * idx->stride[1]] = (wf_real)heap[0];
            heap[0] = heap[--n];
            sift(heap, n, 0, in, x->stride[1]);
        }
    }
    return WF_OK;
}

enum wf_status wf_cpu_pick(struct wf_backend *be, struct wf_tensor *y, const struct wf_tensor *x,
                           const struct wf_tensor *idx)
{
    (void)be;
    for (int b = 0; b < y->shape[0]; b++) {
        for (int k = 0; k < y->shape[1]; k++) {
            int i = (int)idx->data[b * idx->stride[0] + k * idx->stride[1]];
            for (int c = 0; c < y->shape[2]; c++)
                y->data[b * y->stride[0] + k * y->stride[1] + c * y->stride[2]] =
                    x->data[b * x->stride[0] + i * x->stride[1] + c * x->stride[2]];
        }
    }
    return WF_OK;
}

enum wf_status wf_cpu_pick_bwd(struct wf_backend *be, struct wf_tensor *dx,
                               const struct wf_tensor *dy, const struct wf_tensor *idx)
{
    (void)be;
    for (int b = 0; b < dy->shape[0]; b++) {
        for (int k = 0; k < dy->shape[1]; k++) {
            int i = (int)idx->data[b * idx->stride[0] + k * idx->stride[1]];
            for (int c = 0; c < dy->shape[2]; c++)
                dx->data[b * dx->stride[0] + i * dx->stride[1] + c * dx->stride[2]] +=
                    dy->data[b * dy->stride[0] + k * dy->stride[1] + c * dy->stride[2]];
        }
    }
    return WF_OK;
}

/* ---- looked-up numbers ---- */

/* The 1e-3 that is added is below the smallest step between two indices and above the rounding of
 * x * scale. */
static int row_at(wf_real x, double scale, int n)
{
    double r = floor((double)x * scale + 1e-3);
    return !(r > 0) ? 0 : r < n ? (int)r : n - 1;
}

enum wf_status wf_cpu_lookup(struct wf_backend *be, struct wf_tensor *y,
                             const struct wf_tensor *table, const struct wf_tensor *x, double scale)
{
    (void)be;
    ptrdiff_t count = wf_tensor_count(x), width = table->shape[1];
#pragma omp parallel for schedule(static) if (count * width > 16384)
    for (ptrdiff_t i = 0; i < count; i++)
        memcpy(y->data + i * width,
               table->data + row_at(x->data[i], scale, table->shape[0]) * width,
               (size_t)width * sizeof(wf_real));
    return WF_OK;
}

/* The numbers are sorted by row, stably, and one thread then sums each row. */
enum wf_status wf_cpu_lookup_bwd(struct wf_backend *be, struct wf_tensor *dtable,
                                 const struct wf_tensor *dy, const struct wf_tensor *x,
                                 double scale)
{
    ptrdiff_t count = wf_tensor_count(x), width = dtable->shape[1];
    int rows = dtable->shape[0];
    ptrdiff_t *end = wf_cpu_scratch(be, (size_t)(rows + 1 + count) * sizeof *end);
    if (!end) return WF_ENOMEM;
    ptrdiff_t *at = end + rows + 1;
    memset(end, 0, (size_t)(rows + 1) * sizeof *end);
    for (ptrdiff_t i = 0; i < count; i++) end[row_at(x->data[i], scale, rows) + 1]++;
    for (int r = 0; r < rows; r++) end[r + 1] += end[r];
    /* end[r] is first the start of row r in the sorted list, and after this loop its end. */
    for (ptrdiff_t i = 0; i < count; i++) at[end[row_at(x->data[i], scale, rows)]++] = i;
#pragma omp parallel for schedule(dynamic) if (count * width > 16384)
    for (int r = 0; r < rows; r++) {
        wf_real *d = dtable->data + r * width;
        for (ptrdiff_t k = r ? end[r - 1] : 0; k < end[r]; k++) {
            const wf_real *from = dy->data + at[k] * width;
#pragma omp simd
            for (ptrdiff_t c = 0; c < width; c++) d[c] += from[c];
        }
    }
    return WF_OK;
}
