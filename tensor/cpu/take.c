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
