#include <math.h>
#include <string.h>
#include "tensor/cpu/cpu.h"

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

/* Below the smallest step between two indices, above the rounding of x * scale. */
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

/* The numbers are sorted by row, those of one row in their order, and each row is summed by one
 * thread. */
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
    /* end[r] begins as the start of row r and arrives at its end */
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
