#include "models/d2stgnn_blocks.h"
#include <math.h>

/* ---- what both blocks do ---- */

static bool sizes_fit(struct wf_params *ps, const struct wf_d2stgnn_sizes *s)
{
    if (s->hidden >= 1 && s->hidden <= WF_D2STGNN_HIDDEN && s->states >= 1 &&
        s->states <= WF_D2STGNN_STEPS && s->kernel >= 1 && s->kernel <= WF_D2STGNN_KERNEL)
        return true;
    if (!ps->error.status)
        wf_params_refuse(ps, "d2stgnn: %d units, %d states, kernel %d: want 1 to %d, %d, %d",
                         s->hidden, s->states, s->kernel, WF_D2STGNN_HIDDEN, WF_D2STGNN_STEPS,
                         WF_D2STGNN_KERNEL);
    return false;
}

static void backcast_init(struct wf_d2stgnn_backcast *l, struct wf_params *ps, const char *name,
                          int hidden)
{
    char path[WF_NAME_TEXT];
    wf_linear_init(&l->map, ps, wf_params_path(path, name, "backcast"), hidden, hidden);
    wf_layer_norm_init(&l->norm, ps, wf_params_path(path, name, "norm"), 1, wf_dims(hidden));
}

/* x' = LN(x - relu(h W + b)) for the last steps of x [B, T, N, H], which are those of h. */
static struct wf_tensor *unexplained(struct wf_tape *g, const struct wf_d2stgnn_backcast *l,
                                     struct wf_tensor *x, struct wf_tensor *h)
{
    if (g->error.status != WF_OK) return &g->poison;
    int T = x->shape[1];
    struct wf_tensor *u = wf_relu(g, wf_linear(g, &l->map, h));
    return wf_layer_norm(g, &l->norm, wf_sub(g, wf_slice(g, x, 1, T - h->shape[1], T), u));
}

/* ---- diffusion ---- */

void wf_d2stgnn_diffusion_init(struct wf_d2stgnn_diffusion *l, struct wf_params *ps,
                               const char *name, struct wf_d2stgnn_sizes s)
{
    char path[WF_NAME_TEXT];
    *l = (struct wf_d2stgnn_diffusion){ .sizes = s };
    if (!sizes_fit(ps, &s)) return;
    wf_conv_init(&l->steps, ps, wf_params_path(path, name, "steps"), s.hidden, s.kernel * s.hidden,
                 (struct wf_conv_config){ .kernel = { s.kernel }, .no_bias = true });
    wf_linear_init(&l->terms, ps, wf_params_path(path, name, "terms"), s.terms * s.hidden,
                   s.hidden);
    backcast_init(&l->backcast, ps, name, s.hidden);
}

/* The graph convolution h [B, T - kernel + 1, N, H] of x [B, T, N, H] */
static struct wf_tensor *diffuse(struct wf_tape *g, const struct wf_d2stgnn_diffusion *l,
                                 const struct wf_d2stgnn_graphs *G, struct wf_tensor *x)
{
    struct wf_tensor *term[1 + WF_D2STGNN_TERMS];
    int kernel = l->sizes.kernel, H = l->sizes.hidden;
    struct wf_mark mark = wf_tape_mark(g);
    struct wf_tensor *u = wf_relu(g, wf_conv(g, &l->steps, x)); /* [B, T', N, kernel H] */
    if (g->error.status != WF_OK) return &g->poison;
    u = wf_reshape(g, u, 5, wf_dims(u->shape[0], u->shape[1], u->shape[2], kernel, H));
    struct wf_tensor *s = wf_sum(g, u, 3, false); /* [B, T', N, H] */
    term[0] = wf_affine(g, s, 1.0 / kernel, 0);
    int n = 1 + wf_d2stgnn_terms(g, G, s, term + 1);
    struct wf_tensor *h = wf_linear(g, &l->terms, wf_concat_n(g, term, n, -1));
    wf_tape_release(g, mark, &h, 1);
    return wf_dropout(g, h, l->sizes.dropout);
}

struct wf_tensor *wf_d2stgnn_diffusion(struct wf_tape *g, const struct wf_d2stgnn_diffusion *l,
                                       const struct wf_d2stgnn_graphs *G, struct wf_tensor *x,
                                       struct wf_tensor *share, struct wf_tensor **ahead)
{
    int K = l->sizes.kernel, states = l->sizes.states;
    struct wf_tensor *step[WF_D2STGNN_KERNEL + WF_D2STGNN_STEPS];
    struct wf_tensor *h = diffuse(g, l, G, share);
    *ahead = &g->poison;
    if (g->error.status != WF_OK) return &g->poison;
    for (int i = 0; i < K - 1; i++) step[i] = wf_select(g, share, 1, share->shape[1] - K + 1 + i);
    step[K - 1] = wf_select(g, h, 1, h->shape[1] - 1); /* [B, N, H] */
    for (int q = 1; q < states; q++)
        step[K - 1 + q] = wf_select(g, diffuse(g, l, G, wf_stack(g, step + q - 1, K, 1)), 1, 0);
    *ahead = wf_stack(g, step + K - 1, states, 1);
    return unexplained(g, &l->backcast, x, h);
}

/* ---- inherent ---- */

void wf_d2stgnn_inherent_init(struct wf_d2stgnn_inherent *l, struct wf_params *ps, const char *name,
                              struct wf_d2stgnn_sizes s)
{
    char path[WF_NAME_TEXT];
    *l = (struct wf_d2stgnn_inherent){ .sizes = s };
    if (!sizes_fit(ps, &s)) return;
    wf_gru_init(&l->gru, ps, wf_params_path(path, name, "gru"), s.hidden, s.hidden);
    wf_mha_init(&l->attention, ps, wf_params_path(path, name, "attention"), s.hidden, s.heads);
    if (!s.last) backcast_init(&l->backcast, ps, name, s.hidden);
}

/* e_t = r_t + p_t, for r_t [B, N, H] */
static struct wf_tensor *at_step(struct wf_tape *g, const struct wf_d2stgnn_inherent *l,
                                 struct wf_tensor *r, int t)
{
    wf_real p[WF_D2STGNN_HIDDEN];
    int H = l->sizes.hidden;
    for (int i = 0; i < H; i++) {
        double angle = t * pow(1e4, -(i - i % 2) / (double)H);
        p[i] = (wf_real)(i % 2 ? cos(angle) : sin(angle));
    }
    return wf_dropout(g, wf_add(g, r, wf_input(g, p, 1, &H)), l->sizes.dropout);
}

/* q [B, L, N, H] attends to [k v] [B, S, N, 2H], node by node. The result [B, L, N, H] is a view of
 * memory in the order [B, N, L, H]. */
static struct wf_tensor *attend(struct wf_tape *g, const struct wf_d2stgnn_inherent *l,
                                struct wf_tensor *q, struct wf_tensor *kv)
{
    int H = l->sizes.hidden, heads = l->sizes.heads;
    q = wf_permute(g, q, 0, 2, 1, 3);
    kv = wf_permute(g, kv, 0, 2, 1, 3);
    struct wf_tensor *k = wf_slice(g, kv, -1, 0, H), *v = wf_slice(g, kv, -1, H, 2 * H);
    struct wf_tensor *y = wf_attention(g, q, k, v, NULL, heads, sqrt((double)heads / H));
    y = wf_linear_op(g, y, l->attention.out_weight, l->attention.out_bias);
    return wf_permute(g, wf_dropout(g, y, l->sizes.dropout), 0, 2, 1, 3);
}

/* The projections [q k v] of e [.., H]: [.., 3H] */
static struct wf_tensor *project(struct wf_tape *g, const struct wf_d2stgnn_inherent *l,
                                 struct wf_tensor *e)
{
    return wf_linear_op(g, e, l->attention.in_weight, l->attention.in_bias);
}

struct wf_tensor *wf_d2stgnn_inherent(struct wf_tape *g, const struct wf_d2stgnn_inherent *l,
                                      struct wf_tensor *x, struct wf_tensor **ahead)
{
    int H = l->sizes.hidden, states = l->sizes.states;
    struct wf_tensor *e[WF_D2STGNN_STEPS], *kv[WF_D2STGNN_STEPS], *z[WF_D2STGNN_STEPS];
    *ahead = &g->poison;
    if (g->error.status != WF_OK) return &g->poison;
    int B = x->shape[0], T = x->shape[1], N = x->shape[2];
    if (T > WF_D2STGNN_STEPS)
        return wf_tape_fail(g, WF_EINVAL, "d2stgnn: %d steps, want at most %d", T,
                            WF_D2STGNN_STEPS);
    struct wf_tensor *r = wf_zeros(g, 3, wf_dims(B, N, H));
    struct wf_tensor *a = wf_linear(g, &l->gru.input, x); /* [B, T, N, 3H] */
    for (int t = 0; t < T; t++) {
        r = wf_gru_step(g, &l->gru, wf_select(g, a, 1, t), r);
        e[t] = at_step(g, l, r, t);
    }
    struct wf_tensor *p = project(g, l, wf_stack(g, e, T, 1)); /* [B, T, N, 3H] */
    kv[0] = wf_slice(g, p, -1, H, 3 * H);
    struct wf_tensor *h = attend(g, l, wf_slice(g, p, -1, 0, H), kv[0]); /* [B, T, N, H] */
    z[0] = wf_select(g, h, 1, T - 1);
    for (int q = 1; q < states; q++) {
        r = wf_gru(g, &l->gru, z[q - 1], r);
        p = wf_unsqueeze(g, project(g, l, at_step(g, l, r, T - 1 + q)), 1); /* [B, 1, N, 3H] */
        kv[q] = wf_slice(g, p, -1, H, 3 * H);
        struct wf_tensor *past = wf_concat_n(g, kv, q + 1, 1); /* [B, T + q, N, 2H] */
        z[q] = wf_select(g, attend(g, l, wf_slice(g, p, -1, 0, H), past), 1, 0);
    }
    *ahead = wf_stack(g, z, states, 1);
    return l->sizes.last ? NULL : unexplained(g, &l->backcast, x, h);
}
