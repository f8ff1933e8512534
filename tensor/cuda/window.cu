/* window.cu - batches of windows, cut out of a series. */
#include "tensor/cuda/vec.cuh"

enum { CHANNELS = 8 };

struct window {
    struct wf_window_in in; /* its mean and std are not read */
    wf_real mean[CHANNELS], std[CHANNELS];
    wf_real *y;
    int T, N, width;
    ptrdiff_t count;
};

/* Returns element c >= keep of a row, which is the time of day or the day of the week at time t. */
static __device__ wf_real clock_feature(const struct wf_window_in &in, int c, int64_t t)
{
    if (in.time_of_day && c == in.keep) return (wf_real)((double)(t % 86400) / 86400.0);
    return (wf_real)((double)((t / 86400 + 3) % 7) / 7.0); /* Monday is 0; day 0 was a Thursday */
}

static __global__ void window_kernel(const __grid_constant__ struct window p)
{
    EACH_ITEM(i, p.count)
    {
        ptrdiff_t node = wf_div(i, p.width), row = wf_div(node, p.N), b = wf_div(row, p.T);
        int c = (int)(i - node * p.width);
        int64_t at = p.in.offset + (row - b * p.T), start = p.in.start[b];
        if (c >= p.in.keep) {
            p.y[i] = clock_feature(p.in, c, p.in.time_s[(p.in.when ? p.in.when[b] : start) + at]);
            continue;
        }
        ptrdiff_t from = (start * p.in.step + at) * p.N + (node - row * p.N);
        wf_real v = p.in.series[from * p.in.channels + c];
        if (!p.in.raw) {
            v = (v - p.mean[c]) / p.std[c];
            if (v != v) v = p.in.fill;
        }
        p.y[i] = v;
    }
}

extern "C" enum wf_status wf_cuda_window(struct wf_backend *be, struct wf_tensor *y,
                                         const struct wf_window_in *in)
{
    struct window p = {};
    p.in = *in;
    for (int c = 0; !in->raw && c < in->keep && c < CHANNELS; c++) {
        p.mean[c] = in->mean[c];
        p.std[c] = in->std[c];
    }
    p.y = y->data;
    p.T = y->shape[1];
    p.N = y->shape[2];
    p.width = y->shape[3];
    p.count = wf_tensor_count(y);
    if (p.count == 0) return WF_OK;
    return LAUNCH(be, window_kernel, wf_cuda_blocks(wf_cuda_of(be), p.count), WF_CUDA_BLOCK, 0, p);
}
