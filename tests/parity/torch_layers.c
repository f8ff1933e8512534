/* torch_layers.c - compares PyTorch's normalisations, convolutions, attention and embedding. */
#include <stdio.h>
#include "nn/attention.h"
#include "nn/conv.h"
#include "nn/embedding.h"
#include "nn/norm.h"
#include "tensor/alloc.h"
#include "tests/parity/spectral.h"

static enum wf_status layer_norm(struct run *r, struct named *n)
{
    struct wf_layer_norm l;
    struct wf_tensor *w = leaf(r, "params/weight"); /* is read for its shape */
    WF_TRY(tape_status(r));
    wf_layer_norm_init(&l, &n->ps, "norm", w->ndim, w->shape);
    wf_layer_norm_names(&n->names, NULL, "norm");
    WF_TRY(load_named(r, &n->ps, &n->names));
    output(r, "outputs/out", wf_layer_norm(&r->g, &l, leaf(r, "inputs/X")));
    return finish_named(r, &n->ps, &n->names);
}

/* PyTorch has the channels on axis 1; our layer takes any axis. */
static enum wf_status batch_norm(struct run *r, struct named *n)
{
    struct wf_batch_norm l;
    wf_batch_norm_init(&l, &n->ps, "norm", integer(r, "num_features", 0),
                       number(r, "momentum", -1));
    wf_batch_norm_names(&n->names, NULL, "norm");
    WF_TRY(load_named(r, &n->ps, &n->names));
    output(r, "outputs/out", wf_batch_norm(&r->g, &l, leaf(r, "inputs/X"), 1));
    return finish_named(r, &n->ps, &n->names);
}

/* Reads "[H, W]", or a single number for H. */
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

static void conv_init(struct run *r, struct named *n, struct wf_conv *l, const char *axes)
{
    struct wf_conv_config cfg = { .no_bias = !integer(r, "bias", 1) };
    pair(r, "kernel_size", cfg.kernel);
    pair(r, "stride", cfg.stride);
    pair(r, "dilation", cfg.dilation);
    pair(r, "padding", cfg.padding);
    wf_conv_init(l, &n->ps, "conv", integer(r, "in_channels", 0), integer(r, "out_channels", 0),
                 cfg);
    wf_conv_names(&n->names, NULL, "conv", l, axes);
}

static enum wf_status conv2d(struct run *r, struct named *n)
{
    struct wf_conv l;
    conv_init(r, n, &l, "2310");
    WF_TRY(r->err.status);
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_tensor *x = wf_permute(&r->g, leaf(r, "inputs/X"), 0, 2, 3, 1);
    output(r, "outputs/out", wf_permute(&r->g, wf_conv(&r->g, &l, x), 0, 3, 1, 2));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status conv1d(struct run *r, struct named *n)
{
    struct wf_conv l;
    conv_init(r, n, &l, "210");
    WF_TRY(r->err.status);
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_tensor *x = wf_unsqueeze(&r->g, leaf(r, "inputs/X"), -1); /* [B, C, T, 1] */
    x = wf_conv(&r->g, &l, wf_permute(&r->g, x, 0, 2, 3, 1));
    output(r, "outputs/out", wf_permute(&r->g, wf_select(&r->g, x, 2, 0), 0, 2, 1));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status mha(struct run *r, struct named *n)
{
    struct wf_tape *g = &r->g;
    struct wf_mha l;
    wf_mha_init(&l, &n->ps, "mha", integer(r, "embed_dim", 0), integer(r, "num_heads", 1));
    wf_mha_names(&n->names, NULL, "mha");
    WF_TRY(load_named(r, &n->ps, &n->names));
    bool batch_first = integer(r, "batch_first", 0);
    struct wf_tensor *q = leaf(r, "inputs/Q"), *mask = NULL;
    if (has(r, "inputs/mask")) /* a mask of 1 forbids: log(1 - 1) is -infinity */
        mask = wf_log(g, wf_affine(g, leaf(r, "inputs/mask"), -1, 1));
    if (!batch_first) q = wf_permute(g, q, 1, 0, 2);
    struct wf_tensor *k = has(r, "inputs/K") ? leaf(r, "inputs/K") : q;
    struct wf_tensor *v = has(r, "inputs/V") ? leaf(r, "inputs/V") : q;
    struct wf_tensor *y = wf_mha(g, &l, q, k, v, mask);
    output(r, "outputs/out0", batch_first ? y : wf_permute(g, y, 1, 0, 2));
    output(r, "outputs/out1", wf_mha_weights(g, &l, q, k, mask));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status embedding(struct run *r, struct named *n)
{
    struct wf_embedding l;
    wf_embedding_init(&l, &n->ps, "table", integer(r, "num_embeddings", 0),
                      integer(r, "embedding_dim", 0));
    wf_embedding_names(&n->names, NULL, "table");
    WF_TRY(load_named(r, &n->ps, &n->names));
    output(r, "outputs/out", wf_embedding(&r->g, &l, leaf(r, "inputs/idx")));
    return finish_named(r, &n->ps, &n->names);
}

#define RUNNER(file, f)                                                                            \
    enum wf_status run_torch_##file(struct run *r)                                                 \
    {                                                                                              \
        return with_params(r, f);                                                                  \
    }
RUNNER(layernorm, layer_norm)
RUNNER(batchnorm1d, batch_norm)
RUNNER(batchnorm2d, batch_norm)
RUNNER(conv1d, conv1d)
RUNNER(conv2d, conv2d)
RUNNER(mha, mha)
RUNNER(embedding, embedding)
