#include "models/mtgnn_layers.h"
#include <stdio.h>

void wf_mixprop_init(struct wf_mixprop *l, struct wf_params *ps, const char *name,
                     struct wf_mixprop_config cfg)
{
    *l = (struct wf_mixprop){ .cfg = cfg };
    if (cfg.depth < 0 || cfg.depth > WF_MTGNN_DEPTH)
        wf_params_refuse(ps, "mtgnn: depth %d, want 0 to %d", cfg.depth, WF_MTGNN_DEPTH);
    else
        wf_linear_init(&l->map, ps, name, (cfg.depth + 1) * cfg.in, cfg.out);
}

/* y = [h_0 .. h_K] W + b,  h_0 = x,  h_k = beta x + (1 - beta) D^-1 (A + I) h_(k-1)
 *
 * With nodes first, a hop is one product for all samples and steps. */
struct wf_tensor *wf_mixprop(struct wf_tape *g, const struct wf_mixprop *l, struct wf_tensor *A,
                             struct wf_tensor *x)
{
    char a[WF_SHAPE_TEXT], b[WF_SHAPE_TEXT];
    struct wf_tensor *h[WF_MTGNN_DEPTH + 1];
    int K = l->cfg.depth;
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim != 4 || A->ndim != 2 || A->shape[0] != x->shape[2] || A->shape[1] != x->shape[2])
        return wf_tape_fail(g, WF_EINVAL, "mixprop: A %s, x %s: want [N, N] and [B, T, N, C]",
                            wf_tensor_shape_text(A, a), wf_tensor_shape_text(x, b));
    int B = x->shape[0], T = x->shape[1], N = x->shape[2], C = x->shape[3];
    h[0] = wf_reshape(g, wf_permute(g, x, 2, 0, 1, 3), 2, wf_dims(N, B * T * C));
    /* d = (1 - beta) D^-1, where D counts the loops of A + I */
    struct wf_tensor *d = wf_recip0(g, wf_affine(g, wf_sum(g, A, 1, true), 1, 1)); /* [N, 1] */
    d = wf_affine(g, d, 1 - l->cfg.keep, 0);
    struct wf_tensor *P = wf_mul(g, A, d), *kept = wf_affine(g, h[0], l->cfg.keep, 0);
    for (int k = 1; k <= K; k++) {
        struct wf_tensor *y = wf_add(g, wf_matmul(g, P, h[k - 1]), wf_mul(g, h[k - 1], d));
        h[k] = wf_add(g, y, kept); /* [N, B T C] */
    }
    for (int k = 0; k <= K; k++) h[k] = wf_reshape(g, h[k], 4, wf_dims(N, B, T, C));
    return wf_permute(g, wf_linear(g, &l->map, wf_concat_n(g, h, K + 1, -1)), 1, 2, 0, 3);
}

void wf_inception_init(struct wf_inception *l, struct wf_params *ps, const char *name,
                       struct wf_inception_config cfg)
{
    *l = (struct wf_inception){ .cfg = cfg };
    if (cfg.widths < 1 || cfg.widths > WF_INCEPTION_WIDTHS) {
        wf_params_refuse(ps, "mtgnn: number of widths %d, want 1 to %d", cfg.widths,
                         WF_INCEPTION_WIDTHS);
        return;
    }
    if (cfg.out % cfg.widths) {
        wf_params_refuse(ps, "mtgnn: channels %d, want a multiple of the number of widths",
                         cfg.out);
        return;
    }
    for (int i = 0; i < cfg.widths; i++) {
        char path[WF_NAME_TEXT], part[32];
        snprintf(part, sizeof part, "%d", i);
        if (i > 0 && cfg.width[i] < cfg.width[i - 1])
            wf_params_refuse(ps, "mtgnn: width %d, want one that is not below the one before",
                             cfg.width[i]);
        wf_conv_init(
            &l->branch[i], ps, wf_params_path(path, name, part), cfg.in, cfg.out / cfg.widths,
            (struct wf_conv_config){ .kernel = { cfg.width[i] }, .dilation = { cfg.dilation } });
    }
}

static int widest(const struct wf_inception_config *c)
{
    return c->width[c->widths - 1];
}

/* y = [C_1(x) C_2(x) ..], a convolution of each width. All of them end with the last step, so a
 * narrower one starts at a later step. */
struct wf_tensor *wf_inception(struct wf_tape *g, const struct wf_inception *l, struct wf_tensor *x)
{
    const struct wf_inception_config *c = &l->cfg;
    char text[WF_SHAPE_TEXT];
    struct wf_tensor *y[WF_INCEPTION_WIDTHS];
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim != 4 || x->shape[1] <= c->dilation * (widest(c) - 1))
        return wf_tape_fail(g, WF_EINVAL, "inception: x %s, want [B, T, N, C], T above %d",
                            wf_tensor_shape_text(x, text), c->dilation * (widest(c) - 1));
    for (int i = 0; i < c->widths; i++) {
        int from = c->dilation * (widest(c) - c->width[i]);
        y[i] = wf_conv(g, &l->branch[i], wf_slice(g, x, 1, from, x->shape[1]));
    }
    return wf_concat_n(g, y, c->widths, -1);
}

void wf_graph_learner_init(struct wf_graph_learner *l, struct wf_params *ps, const char *name,
                           struct wf_graph_learner_config cfg)
{
    *l = (struct wf_graph_learner){ .cfg = cfg };
    for (int i = 0; i < 2; i++) {
        char path[WF_NAME_TEXT];
        if (!cfg.features)
            l->E[i] = wf_params_add(ps, wf_params_path(path, name, i ? "E.1" : "E.0"), 2,
                                    wf_dims(cfg.nodes, cfg.dim),
                                    (struct wf_init){ .kind = WF_INIT_NORMAL, .gain = 1 });
        wf_linear_init(&l->map[i], ps, wf_params_path(path, name, i ? "map.1" : "map.0"),
                       cfg.features ? cfg.features : cfg.dim, cfg.dim);
    }
}

/* M_i = tanh(a (E_i W_i + b_i)),  A = relu(tanh(a (M_1 M_2^T - M_2 M_1^T))), the k largest of a row
 *
 * The k largest are chosen by the argument of the last tanh: their order is the same, and values
 * that tanh rounds to 1 are still told apart. */
struct wf_tensor *wf_graph_learner(struct wf_tape *g, const struct wf_graph_learner *l,
                                   struct wf_tensor *features, const struct wf_index *only)
{
    struct wf_tensor *M[2];
    if (g->error.status != WF_OK) return &g->poison;
    if ((features != NULL) != (l->cfg.features > 0))
        return wf_tape_fail(g, WF_EINVAL, "graph learner: features %s, want %d columns",
                            features ? "given" : "missing", l->cfg.features);
    for (int i = 0; i < 2; i++) {
        struct wf_tensor *E = features ? features : l->E[i];
        if (only) E = wf_take(g, E, only);
        M[i] = wf_affine(g, wf_linear(g, &l->map[i], E), l->cfg.saturation, 0);
        M[i] = wf_tanh(g, M[i]); /* [n, dim] */
    }
    struct wf_tensor *a = wf_matmul(g, M[0], wf_permute(g, M[1], 1, 0)); /* [n, n] */
    a = wf_sub(g, a, wf_permute(g, a, 1, 0));
    if (g->error.status != WF_OK) return &g->poison;
    int n = a->shape[0], k = l->cfg.neighbours < n ? l->cfg.neighbours : n;
    struct wf_tensor *best = wf_topk(g, a, k); /* [n, k] */
    a = wf_pick(g, wf_unsqueeze(g, a, -1), best);
    a = wf_relu(g, wf_tanh(g, wf_affine(g, a, l->cfg.saturation, 0))); /* [n, k, 1] */
    return wf_select(g, wf_scatter(g, a, best, n), -1, 0);
}
