#include "dist/device.h"

const char *const wf_device_names[] = { "auto", "cpu", "cuda", NULL };
const char *const wf_precision_names[] = { "float32", "tf32", "bf16", NULL };

enum wf_status wf_device_open(struct wf_backend **be, const struct wf_device_choice *c, FILE *log,
                              struct wf_error *err)
{
    struct wf_error none = { 0 };
    size_t available, total;
    *be = wf_backend_cpu();
    if (c->device == WF_DEVICE_CPU) {
        if (c->resident) return wf_fail(err, WF_EINVAL, "--gpu True with --device cpu");
        if (c->precision == WF_FLOAT32) return WF_OK;
        return wf_fail(err, WF_EINVAL, "--precision %s: the CPU has %s alone",
                       wf_precision_names[c->precision], wf_precision_names[WF_FLOAT32]);
    }
    struct wf_device_config cfg = { c->local_rank, c->precision };
    enum wf_status s = wf_backend_cuda(be, cfg, &none);
    if (s == WF_OK) {
        (*be)->memory(*be, &available, &total);
        fprintf(log, "%s: %.1f of %.1f GiB free, %s\n", (*be)->name, (double)available / 1073741824,
                (double)total / 1073741824, wf_precision_names[c->precision]);
        return WF_OK;
    }
    if (c->device == WF_DEVICE_CUDA) return wf_fail(err, s, "--device cuda: %s", none.message);
    if (c->resident) return wf_fail(err, s, "--gpu True: %s", none.message);
    if (c->precision != WF_FLOAT32)
        return wf_fail(err, s, "--precision %s: %s", wf_precision_names[c->precision],
                       none.message);
    *be = wf_backend_cpu();
    fprintf(log, "%s: the CPU computes\n", none.message);
    return WF_OK;
}
