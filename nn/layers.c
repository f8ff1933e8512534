#include "nn/layers.h"
#include <math.h>
#include <stdio.h>

void wf_linear_init(struct wf_linear *l, struct wf_params *ps, const char *name, int in, int out)
{
    char path[WF_NAME_TEXT];
    struct wf_init uniform = { .kind = WF_INIT_UNIFORM, .gain = 1 / sqrt(in > 0 ? in : 1) };
    l->weight =
        wf_params_add(ps, wf_params_path(path, name, "weight"), 2, wf_dims(in, out), uniform);
    l->bias = wf_params_add(ps, wf_params_path(path, name, "bias"), 1, wf_dims(out), uniform);
}

struct wf_tensor *wf_linear(struct wf_tape *g, const struct wf_linear *l, struct wf_tensor *x)
{
    return wf_linear_op(g, x, l->weight, l->bias);
}

static void names(struct wf_renames *t, const char *theirs, const char *ours, const char *axes)
{
    wf_renames_add(t, theirs, ours,
                   (struct wf_rename){ .theirs = "weight", .ours = "weight", .axes = axes });
    wf_renames_add(t, theirs, ours, (struct wf_rename){ .theirs = "bias", .ours = "bias" });
}

void wf_linear_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    names(t, theirs, ours, "10");
}

void wf_pointwise_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    names(t, theirs, ours, "2310");
}

void wf_dconv_init(struct wf_dconv *l, struct wf_params *ps, const char *name, int in, int out,
                   int terms, double bias)
{
    char path[WF_NAME_TEXT];
    l->weight = wf_params_add(ps, wf_params_path(path, name, "weight"), 2, wf_dims(terms * in, out),
                              (struct wf_init){ .kind = WF_INIT_XAVIER_NORMAL, .gain = 1 });
    l->bias = wf_params_add(ps, wf_params_path(path, name, "bias"), 1, wf_dims(out),
                            (struct wf_init){ .kind = WF_INIT_CONSTANT, .gain = bias });
}

/* The diffusion convolution made of other ops, for supports with values [B, E]; for values [E]
 * wf_dconv_op() does all of it in one kernel. */
static struct wf_tensor *composed(struct wf_tape *g, const struct wf_dconv *l,
                                  const struct wf_supports *S, struct wf_tensor *x, enum wf_act act)
{
    struct wf_tensor *T[WF_MAXTERM] = { x };
    for (int m = 1; m < S->terms; m++) {
        const struct wf_hop *hop = &S->hop[m];
        T[m] = wf_spmm(g, S->pattern[hop->support], S->value[hop->support], T[hop->src], false);
        if (hop->sub >= 0) T[m] = wf_sub(g, wf_affine(g, T[m], 2, 0), T[hop->sub]);
    }
    struct wf_tensor *y = wf_linear_op(g, wf_concat_n(g, T, S->terms, -1), l->weight, l->bias);
    switch (act) {
    case WF_ACT_SIGMOID:
        return wf_sigmoid(g, y);
    case WF_ACT_TANH:
        return wf_tanh(g, y);
    case WF_ACT_RELU:
        return wf_relu(g, y);
    case WF_ACT_NONE:
        break;
    }
    return y;
}

struct wf_tensor *wf_dconv(struct wf_tape *g, const struct wf_dconv *l, const struct wf_supports *S,
                           struct wf_tensor *x, struct wf_tensor *h, enum wf_act act)
{
    if (wf_supports_vary(S)) return composed(g, l, S, h ? wf_concat(g, x, h) : x, act);
    return wf_dconv_op(g, S, x, h, l->weight, l->bias, act);
}

void wf_dcgru_init(struct wf_dcgru *l, struct wf_params *ps, const char *name, int in, int hidden,
                   int terms)
{
    char path[WF_NAME_TEXT];
    l->hidden = hidden;
    wf_dconv_init(&l->gates, ps, wf_params_path(path, name, "gates"), in + hidden, 2 * hidden,
                  terms, 1);
    wf_dconv_init(&l->cand, ps, wf_params_path(path, name, "cand"), in + hidden, hidden, terms, 0);
}

struct wf_tensor *wf_dcgru(struct wf_tape *g, const struct wf_dcgru *l, const struct wf_supports *S,
                           struct wf_tensor *x, struct wf_tensor *h)
{
    if (!wf_supports_vary(S))
        return wf_dcgru_op(g, S, x, h,
                           (struct wf_tensor *const[]){ l->gates.weight, l->cand.weight },
                           (struct wf_tensor *const[]){ l->gates.bias, l->cand.bias });
    struct wf_tensor *z, *gates = wf_dconv(g, &l->gates, S, x, h, WF_ACT_NONE); /* [B, N, 2H] */
    struct wf_tensor *rh = wf_gru_reset(g, gates, NULL, h, &z);                 /* [B, N, H] */
    return wf_gru_blend(g, wf_dconv(g, &l->cand, S, x, rh, WF_ACT_NONE), NULL, z, h);
}

void wf_gru_init(struct wf_gru *l, struct wf_params *ps, const char *name, int in, int hidden)
{
    char path[WF_NAME_TEXT];
    l->hidden = hidden;
    wf_linear_init(&l->input, ps, wf_params_path(path, name, "input"), in, 3 * hidden);
    wf_linear_init(&l->state, ps, wf_params_path(path, name, "hidden"), hidden, 3 * hidden);
}

struct wf_tensor *wf_gru_step(struct wf_tape *g, const struct wf_gru *l, struct wf_tensor *a,
                              struct wf_tensor *h)
{
    return wf_gru_update(g, a, wf_linear(g, &l->state, h), h);
}

struct wf_tensor *wf_gru(struct wf_tape *g, const struct wf_gru *l, struct wf_tensor *x,
                         struct wf_tensor *h)
{
    return wf_gru_step(g, l, wf_linear(g, &l->input, x), h);
}
