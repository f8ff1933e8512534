#include "models/dnntsp.h"
#include <math.h>
#include <stdio.h>

void wf_dnntsp_init(struct wf_dnntsp *l, struct wf_params *ps, const char *name,
                    struct wf_dnntsp_sizes s)
{
    char path[WF_NAME_TEXT], part[24];
    int D = s.channels;
    struct wf_init glorot = {
        .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1, .fan_in = D, .fan_out = s.heads * D
    };
    l->sizes = s;
    for (int i = 0; i < 2; i++) {
        snprintf(part, sizeof part, "gcn.%d", i);
        wf_gcn_init(&l->gcn[i], ps, wf_params_path(path, name, part), D, D, true);
        snprintf(part, sizeof part, "norm.%d", i);
        wf_batch_norm_init(&l->norm[i], ps, wf_params_path(path, name, part), D, 0.1);
    }
    l->attend = wf_params_add(ps, wf_params_path(path, name, "attend"), 2,
                              wf_dims(D, 3 * s.heads * D), glorot);
    l->mix = wf_params_add(ps, wf_params_path(path, name, "mix"), 2, wf_dims(D, D),
                           (struct wf_init){ .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1 });
    l->items = wf_params_add(ps, wf_params_path(path, name, "items"), 2, wf_dims(s.items, D),
                             (struct wf_init){ .kind = WF_INIT_NORMAL, .gain = 1 });
    l->alpha = wf_params_add(ps, wf_params_path(path, name, "alpha"), 2, wf_dims(s.items, 1),
                             (struct wf_init){ .kind = WF_INIT_UNIFORM, .gain = 1 });
}

/* Causal attention over the items of x, averaged over the heads: [B, n, D] */
static struct wf_tensor *attend(struct wf_tape *g, const struct wf_dnntsp *l, struct wf_tensor *x)
{
    int n = l->sizes.items, D = l->sizes.channels, K = l->sizes.heads;
    struct wf_tensor *qkv = wf_linear_op(g, x, l->attend, NULL); /* [B, n, 3 K D] */
    struct wf_tensor *q = wf_slice(g, qkv, -1, 0, K * D);
    struct wf_tensor *k = wf_slice(g, qkv, -1, K * D, 2 * K * D);
    struct wf_tensor *v = wf_slice(g, qkv, -1, 2 * K * D, 3 * K * D);
    if (g->error.status != WF_OK) return &g->poison;
    x = wf_attention(g, q, k, v, wf_causal_mask(g, n), K, 1 / sqrt(D)); /* [B, n, K D] */
    return wf_mean(g, wf_reshape(g, x, 4, wf_dims(-1, n, K, D)), 2, false);
}

struct wf_tensor *wf_dnntsp(struct wf_tape *g, const struct wf_dnntsp *l,
                            const struct wf_supports *S, struct wf_tensor *x)
{
    char text[WF_SHAPE_TEXT];
    int n = l->sizes.items, D = l->sizes.channels;
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim != 3 || x->shape[1] != n || x->shape[2] != D || S->nodes < 1 ||
        x->shape[0] * n % S->nodes)
        return wf_tape_fail(g, WF_EINVAL, "dnntsp: x %s, graph of %d nodes: want [B, %d, %d]",
                            wf_tensor_shape_text(x, text), S->nodes, n, D);
    x = wf_reshape(g, x, 3, wf_dims(-1, S->nodes, D));
    for (int i = 0; i < 2; i++)
        x = wf_relu(g, wf_batch_norm(g, &l->norm[i], wf_gcn(g, &l->gcn[i], S, x), -1));
    x = attend(g, l, wf_reshape(g, x, 3, wf_dims(-1, n, D)));
    x = wf_linear_op(g, x, l->mix, NULL); /* [B, n, D] */
    return wf_add(g, l->items, wf_mul(g, wf_sub(g, x, l->items), l->alpha));
}

void wf_dnntsp_names(const struct wf_dnntsp *l, struct wf_renames *t, const char *theirs,
                     const char *ours)
{
    int wide = l->sizes.heads * l->sizes.channels;
    const struct wf_rename row[] = {
        { "masked_self_attention.Wq.weight", "attend", .axes = "10" },
        { "masked_self_attention.Wk.weight", "attend", .axes = "10", .first = wide },
        { "masked_self_attention.Wv.weight", "attend", .axes = "10", .first = 2 * wide },
        { "aggregate_nodes_temporal_feature.Wq.weight", "mix", .axes = "10" },
        { "item_embedding.weight", "items", .axes = NULL },
        { "global_gated_updater.alpha", "alpha", .axes = NULL },
    };
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT], a[32], b[32];
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) wf_renames_add(t, theirs, ours, row[i]);
    for (int i = 0; i < 2; i++) {
        snprintf(a, sizeof a, "stacked_gcn.gcns.%d", i);
        snprintf(b, sizeof b, "gcn.%d", i);
        wf_gcn_names(t, wf_params_path(from, theirs, a), wf_params_path(to, ours, b), 0, true);
        snprintf(a, sizeof a, "stacked_gcn.bns.%d", i);
        snprintf(b, sizeof b, "norm.%d", i);
        wf_batch_norm_names(t, wf_params_path(from, theirs, a), wf_params_path(to, ours, b));
    }
}
