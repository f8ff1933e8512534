/* window.c - batches of windows, cut out of a series. */
#include "tensor/cpu/cpu_private.h"

static void window_row(wf_real *y, int width, const struct wf_window_in *in, int64_t row,
                       int64_t clock, int nodes)
{
    const wf_real *x = in->series + row * nodes * in->channels;
    wf_real extra[2];
    int extras = 0, keep = in->keep;
    if (in->time_of_day) extra[extras++] = (wf_real)((double)(in->time_s[clock] % 86400) / 86400.0);
    if (in->day_of_week) /* Monday is 0; 1970-01-01 was a Thursday */
        extra[extras++] = (wf_real)((double)((in->time_s[clock] / 86400 + 3) % 7) / 7.0);
    for (int n = 0; n < nodes; n++, x += in->channels, y += width) {
        for (int c = 0; c < keep; c++) {
            wf_real v = in->raw ? x[c] : (x[c] - in->mean[c]) / in->std[c];
            y[c] = in->raw || v == v ? v : in->fill;
        }
        for (int k = 0; k < extras; k++) y[keep + k] = extra[k];
    }
}

enum wf_status wf_cpu_window(struct wf_backend *be, struct wf_tensor *y,
                             const struct wf_window_in *in)
{
    (void)be;
    int B = y->shape[0], T = y->shape[1], N = y->shape[2], width = y->shape[3];
#pragma omp parallel for schedule(static) if ((ptrdiff_t)B * T * N > 4096)
    for (int i = 0; i < B * T; i++) {
        int64_t start = in->start[i / T], at = in->offset + i % T;
        int64_t when = in->when ? in->when[i / T] : start;
        window_row(y->data + (ptrdiff_t)i * N * width, width, in, start * in->step + at, when + at,
                   N);
    }
    return WF_OK;
}
