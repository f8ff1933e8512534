#include "nn/attention.h"
#include <math.h>

void wf_mha_init(struct wf_mha *l, struct wf_params *ps, const char *name, int embed, int heads)
{
    char path[WF_NAME_TEXT];
    struct wf_init xavier = { .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1 }, zero = { .gain = 0 };
    struct wf_init uniform = { .kind = WF_INIT_UNIFORM, .gain = 1 / sqrt(embed > 0 ? embed : 1) };
    l->heads = heads;
    if (heads < 1 || embed % heads)
        wf_params_refuse(ps, "'%s': %d channels are not split by %d heads", name, embed, heads);
    l->in_weight = wf_params_add(ps, wf_params_path(path, name, "in.weight"), 2,
                                 wf_dims(embed, 3 * embed), xavier);
    l->in_bias =
        wf_params_add(ps, wf_params_path(path, name, "in.bias"), 1, wf_dims(3 * embed), zero);
    l->out_weight = wf_params_add(ps, wf_params_path(path, name, "out.weight"), 2,
                                  wf_dims(embed, embed), uniform);
    l->out_bias =
        wf_params_add(ps, wf_params_path(path, name, "out.bias"), 1, wf_dims(embed), zero);
}

/* The projections of x to parts from .. to - 1 of [q k v], side by side. */
static struct wf_tensor *project(struct wf_tape *g, const struct wf_mha *l, struct wf_tensor *x,
                                 int from, int to)
{
    int E = l->in_weight->shape[0];
    return wf_linear_op(g, x, wf_slice(g, l->in_weight, 1, from * E, to * E),
                        wf_slice(g, l->in_bias, 0, from * E, to * E));
}

/* Replaces each x[i] by its projection to part i of [q k v]. If all inputs are one tensor, a single
 * product makes all projections. */
static void projections(struct wf_tape *g, const struct wf_mha *l, struct wf_tensor **x, int n)
{
    int E = l->in_weight->shape[0];
    bool same = x[1] == x[0] && x[n - 1] == x[0];
    struct wf_tensor *all = same ? project(g, l, x[0], 0, n) : NULL;
    for (int i = 0; i < n; i++)
        x[i] = same ? wf_slice(g, all, -1, i * E, (i + 1) * E) : project(g, l, x[i], i, i + 1);
}

/* 1 / sqrt(channels of a head) */
static double scale_of(const struct wf_mha *l)
{
    return sqrt((double)l->heads / l->in_weight->shape[0]);
}

struct wf_tensor *wf_mha(struct wf_tape *g, const struct wf_mha *l, struct wf_tensor *q,
                         struct wf_tensor *k, struct wf_tensor *v, struct wf_tensor *mask)
{
    struct wf_tensor *x[3] = { q, k, v };
    projections(g, l, x, 3);
    struct wf_tensor *y = wf_attention(g, x[0], x[1], x[2], mask, l->heads, scale_of(l));
    return wf_linear_op(g, y, l->out_weight, l->out_bias);
}

struct wf_tensor *wf_mha_weights(struct wf_tape *g, const struct wf_mha *l, struct wf_tensor *q,
                                 struct wf_tensor *k, struct wf_tensor *mask)
{
    struct wf_tensor *x[2] = { q, k };
    projections(g, l, x, 2);
    return wf_mean(g, wf_attention_weights(g, x[0], x[1], mask, l->heads, scale_of(l)), -3, false);
}

void wf_mha_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    static const struct wf_rename row[] = {
        { .theirs = "in_proj_weight", .ours = "in.weight", .axes = "10" },
        { .theirs = "in_proj_bias", .ours = "in.bias" },
        { .theirs = "out_proj.weight", .ours = "out.weight", .axes = "10" },
        { .theirs = "out_proj.bias", .ours = "out.bias" },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) wf_renames_add(t, theirs, ours, row[i]);
}
