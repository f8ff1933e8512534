/* torch_layers.c - PyTorch's normalisations, convolutions, attention and embedding. */
#include <stdio.h>
#include "nn/attention.h"
#include "nn/conv.h"
#include "nn/embedding.h"
#include "nn/norm.h"
#include "tensor/alloc.h"
#include "tests/parity/parity.h"

enum wf_status run_torch_layernorm(struct run *r)
{
    struct wf_layer_norm l = { .weight = leaf(r, "params/weight"),
                               .bias = leaf(r, "params/bias"),
                               .eps = number(r, "eps", 1e-5) };
    output(r, "outputs/out", wf_layer_norm(&r->g, &l, leaf(r, "inputs/X")));
    return finish(r);
}

/* Theirs has the channels on axis 1; ours takes any. */
static enum wf_status batch_norm(struct run *r)
{
    struct wf_batch_norm l = { .weight = leaf(r, "params/weight"),
                               .bias = leaf(r, "params/bias"),
                               .running = { .mean = leaf(r, "buffers/running_mean"),
                                            .var = leaf(r, "buffers/running_var"),
                                            .count = leaf(r, "buffers/num_batches_tracked"),
                                            .momentum = number(r, "momentum", -1),
                                            .eps = number(r, "eps", 1e-5) } };
    output(r, "outputs/out", wf_batch_norm(&r->g, &l, leaf(r, "inputs/X"), 1));
    output(r, "buffers_after/running_mean", l.running.mean);
    output(r, "buffers_after/running_var", l.running.var);
    output(r, "buffers_after/num_batches_tracked", l.running.count);
    return finish(r);
}

enum wf_status run_torch_batchnorm1d(struct run *r)
{
    return batch_norm(r);
}

enum wf_status run_torch_batchnorm2d(struct run *r)
{
    return batch_norm(r);
}

/* "[H, W]", a number for both, or absent. */
static void pair(struct run *r, const char *attr, int out[2])
{
    char *text;
    if (!has_attr(r, "", attr)) return;
    if (wf_h5_attr_text(r->h5, r->name, attr, &text, NULL) == WF_OK) {
        if (sscanf(text, "[%d, %d]", &out[0], &out[1]) != 2)
            wf_fail(&r->err, WF_EFORMAT, "%s: attribute %s is no pair", r->name, attr);
        wf_free(text);
    } else
        out[0] = integer(r, attr, 0);
}

/* x [B, C, H, W] and weight [O, C, kh, kw], to the published layout and back. */
static struct wf_tensor *conv(struct run *r, const struct wf_conv_config *cfg, struct wf_tensor *x,
                              struct wf_tensor *w)
{
    struct wf_tape *g = &r->g;
    if (g->error.status) return &g->poison;
    int O = w->shape[0], rows = w->shape[1] * w->shape[2] * w->shape[3];
    struct wf_conv l = { .cfg = *cfg };
    l.weight = wf_reshape(g, wf_permute(g, w, 2, 3, 1, 0), 2, wf_dims(rows, O));
    if (has(r, "params/bias")) l.bias = leaf(r, "params/bias");
    x = wf_conv_op(g, wf_permute(g, x, 0, 2, 3, 1), l.weight, l.bias, cfg);
    return wf_permute(g, x, 0, 3, 1, 2);
}

enum wf_status run_torch_conv2d(struct run *r)
{
    struct wf_conv_config cfg = { .no_bias = !integer(r, "bias", 1) };
    struct wf_tensor *x = leaf(r, "inputs/X"), *w = leaf(r, "params/weight");
    pair(r, "kernel_size", cfg.kernel);
    pair(r, "stride", cfg.stride);
    pair(r, "dilation", cfg.dilation);
    pair(r, "padding", cfg.padding);
    WF_TRY(r->err.status);
    output(r, "outputs/out", conv(r, &cfg, x, w));
    return finish(r);
}

enum wf_status run_torch_conv1d(struct run *r)
{
    struct wf_conv_config cfg = { 0 };
    struct wf_tensor *x = wf_unsqueeze(&r->g, leaf(r, "inputs/X"), -1);
    struct wf_tensor *w = wf_unsqueeze(&r->g, leaf(r, "params/weight"), -1);
    pair(r, "kernel_size", cfg.kernel);
    pair(r, "padding", cfg.padding);
    WF_TRY(r->err.status);
    output(r, "outputs/out", wf_select(&r->g, conv(r, &cfg, x, w), 3, 0));
    return finish(r);
}

enum wf_status run_torch_mha(struct run *r)
{
    struct wf_tape *g = &r->g;
    struct wf_mha l = { .in_weight = wf_permute(g, leaf(r, "params/in_proj_weight"), 1, 0),
                        .in_bias = leaf(r, "params/in_proj_bias"),
                        .out_weight = wf_permute(g, leaf(r, "params/out_proj.weight"), 1, 0),
                        .out_bias = leaf(r, "params/out_proj.bias"),
                        .heads = integer(r, "num_heads", 1) };
    bool batch_first = integer(r, "batch_first", 0);
    struct wf_tensor *q = leaf(r, "inputs/Q"), *mask = NULL;
    if (has(r, "inputs/mask")) /* 1 is forbidden: log(1 - 1) */
        mask = wf_log(g, wf_affine(g, leaf(r, "inputs/mask"), -1, 1));
    if (!batch_first) q = wf_permute(g, q, 1, 0, 2);
    struct wf_tensor *k = has(r, "inputs/K") ? leaf(r, "inputs/K") : q;
    struct wf_tensor *v = has(r, "inputs/V") ? leaf(r, "inputs/V") : q;
    struct wf_tensor *y = wf_mha(g, &l, q, k, v, mask);
    output(r, "outputs/out0", batch_first ? y : wf_permute(g, y, 1, 0, 2));
    output(r, "outputs/out1", wf_mha_weights(g, &l, q, k, mask));
    return finish(r);
}

enum wf_status run_torch_embedding(struct run *r)
{
    struct wf_embedding l = { .weight = leaf(r, "params/weight") };
    output(r, "outputs/out", wf_embedding(&r->g, &l, leaf(r, "inputs/idx")));
    return finish(r);
}
