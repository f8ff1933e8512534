#include "nn/conv.h"
#include <math.h>

void wf_conv_init(struct wf_conv *l, struct wf_params *ps, const char *name, int in, int out,
                  struct wf_conv_config cfg)
{
    char path[WF_NAME_TEXT];
    int rows = in;
    for (int k = 0; k < 2; k++) rows *= cfg.kernel[k] > 0 ? cfg.kernel[k] : 1;
    struct wf_init uniform = { .kind = WF_INIT_UNIFORM, .gain = 1 / sqrt(rows > 0 ? rows : 1) };
    l->cfg = cfg;
    l->weight =
        wf_params_add(ps, wf_params_path(path, name, "weight"), 2, wf_dims(rows, out), uniform);
    l->bias = NULL;
    if (cfg.no_bias) return;
    l->bias = wf_params_add(ps, wf_params_path(path, name, "bias"), 1, wf_dims(out), uniform);
}

struct wf_tensor *wf_conv(struct wf_tape *g, const struct wf_conv *l, struct wf_tensor *x)
{
    return wf_conv_op(g, x, l->weight, l->bias, &l->cfg);
}
