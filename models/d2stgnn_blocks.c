#include "models/d2stgnn_blocks.h"
#include <math.h>
#include "models/gwnet.h"

/* ---- graphs ---- */

void wf_d2stgnn_graph_init(struct wf_d2stgnn_graph *l, struct wf_params *ps, const char *name,
                           struct wf_d2stgnn_graph_config cfg)
{
    char path[WF_NAME_TEXT];
    int H = cfg.hidden, in = H + cfg.times + cfg.embedding;
    struct wf_init xavier = { .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1 };
    struct wf_init uniform = { .kind = WF_INIT_UNIFORM, .gain = 1 / sqrt(in) };
    *l = (struct wf_d2stgnn_graph){ .cfg = cfg };
    if ((cfg.hops < 0 || cfg.hops > WF_MAXTERM) && !ps->error.status)
        wf_fail(&ps->error, WF_EINVAL, "'%s': %d hops, want at most %d", name, cfg.hops,
                WF_MAXTERM);
    for (int d = 0; d < WF_D2STGNN_GRAPHS; d++)
        l->E[d] = wf_params_add(ps, wf_params_path(path, name, d ? "embedding.1" : "embedding.0"),
                                2, wf_dims(cfg.nodes, cfg.embedding), xavier);
    if (!cfg.given) return;
    wf_linear_init(&l->first, ps, wf_params_path(path, name, "first"), cfg.window, 2 * H);
    wf_batch_norm_init(&l->norm, ps, wf_params_path(path, name, "norm"), 2 * H, 0.1);
    wf_linear_init(&l->second, ps, wf_params_path(path, name, "second"), 2 * H, H);
    l->query_key =
        wf_params_add(ps, wf_params_path(path, name, "query_key"), 2, wf_dims(in, 2 * H), uniform);
}

/* The share that node i takes of node j, for every entry (i, j) of a support: [B, E] */
static struct wf_tensor *shares(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *given,
                                struct wf_tensor *qk, int H)
{
    struct wf_tensor *by_channel = wf_permute(g, qk, 0, 2, 1); /* [B, 2H, N] */
    struct wf_tensor *q = wf_edge_spread(g, A, wf_slice(g, by_channel, 1, 0, H), false);
    struct wf_tensor *k = wf_edge_spread(g, A, wf_slice(g, by_channel, 1, H, 2 * H), true);
    struct wf_tensor *score = wf_sum(g, wf_mul(g, q, k), 1, false); /* of [B, H, E] */
    struct wf_tensor *p = wf_edge_softmax(g, A, wf_affine(g, score, 1 / sqrt(H), 0));
    return wf_row_normalize(g, A, wf_mul(g, p, given));
}

/* [B, hops, N, 1] */
static struct wf_tensor *diagonals(struct wf_tape *g, const struct wf_csr *A,
                                   struct wf_tensor *value, int hops)
{
    int N = A->rows;
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *d[WF_MAXTERM], *I = wf_identity(g, N);
    struct wf_tensor *power = wf_expand(g, I, 3, wf_dims(value->shape[0], N, N));
    for (int k = 0; k < hops; k++) {
        power = wf_spmm(g, A, value, power, false);
        d[k] = wf_sum(g, wf_mul(g, power, I), -1, true); /* [B, N, 1] */
    }
    return wf_stack(g, d, hops, 1);
}

/* P_d and the diagonals of its powers, graph by graph. */
static void dynamic(struct wf_tape *g, const struct wf_d2stgnn_graph *l,
                    const struct wf_supports *S, struct wf_tensor *x, struct wf_tensor *when,
                    struct wf_tensor **made)
{
    const struct wf_d2stgnn_graph_config *c = &l->cfg;
    int n = 0, B = x->shape[0];
    struct wf_tensor *part[3];
    struct wf_tensor *u = wf_batch_norm(g, &l->norm, wf_relu(g, wf_linear(g, &l->first, x)), -1);
    part[n++] = wf_linear(g, &l->second, wf_dropout(g, u, c->dropout)); /* [B, N, H] */
    if (when) part[n++] = wf_expand(g, when, 3, wf_dims(B, c->nodes, c->times));
    for (int d = 0; d < S->count; d++) {
        part[n] = wf_expand(g, l->E[d], 3, wf_dims(B, c->nodes, c->embedding));
        struct wf_tensor *qk = wf_matmul(g, wf_concat_n(g, part, n + 1, -1), l->query_key);
        made[2 * d] = shares(g, S->pattern[d], S->value[d], qk, c->hidden);
        made[2 * d + 1] = diagonals(g, S->pattern[d], made[2 * d], c->hops);
    }
}

/* Powers of A, one below the other: [hops * N, N] */
static struct wf_tensor *learned(struct wf_tape *g, const struct wf_d2stgnn_graph *l)
{
    struct wf_tensor *power[WF_MAXTERM];
    struct wf_tensor *A = wf_gwnet_graph(g, l->E[0], wf_permute(g, l->E[1], 1, 0)), *P = A;
    struct wf_tensor *others = wf_affine(g, wf_identity(g, l->cfg.nodes), -1, 1);
    for (int k = 0; k < l->cfg.hops; k++) {
        if (k) P = wf_matmul(g, A, P);
        power[k] = wf_mul(g, P, others);
    }
    return wf_concat_n(g, power, l->cfg.hops, 0);
}

void wf_d2stgnn_graph(struct wf_tape *g, const struct wf_d2stgnn_graph *l,
                      const struct wf_supports *S, struct wf_tensor *x, struct wf_tensor *when,
                      struct wf_d2stgnn_graphs *G)
{
    const struct wf_d2stgnn_graph_config *c = &l->cfg;
    *G = (struct wf_d2stgnn_graphs){ .hops = c->hops };
    if (g->error.status != WF_OK || c->hops == 0) return;
    if (S->count > WF_D2STGNN_GRAPHS || (S->count > 0) != c->given) {
        wf_tape_fail(g, WF_EINVAL, "d2stgnn: %d supports, want %s", S->count,
                     c->given ? "1 or 2" : "none");
        return;
    }
    struct wf_mark mark = wf_tape_mark(g);
    struct wf_tensor *made[1 + 2 * WF_D2STGNN_GRAPHS] = { learned(g, l) }, **given = made + 1;
    if (c->given) dynamic(g, l, S, x, when, given);
    wf_tape_release(g, mark, made, 1 + 2 * S->count);
    G->learned = made[0];
    G->count = S->count;
    for (int d = 0; d < S->count; d++) {
        G->pattern[d] = S->pattern[d];
        G->value[d] = given[2 * d];
        G->loops[d] = given[2 * d + 1];
    }
}

/* ---- what both blocks do ---- */

static bool sizes_fit(struct wf_params *ps, const struct wf_d2stgnn_sizes *s)
{
    if (s->hidden >= 1 && s->hidden <= WF_D2STGNN_HIDDEN && s->states >= 1 &&
        s->states <= WF_D2STGNN_STEPS && s->kernel >= 1 && s->kernel <= WF_D2STGNN_KERNEL)
        return true;
    if (!ps->error.status)
        wf_fail(&ps->error, WF_EINVAL,
                "d2stgnn: %d units, %d states, kernel %d: want 1 to %d, %d, %d", s->hidden,
                s->states, s->kernel, WF_D2STGNN_HIDDEN, WF_D2STGNN_STEPS, WF_D2STGNN_KERNEL);
    return false;
}

static void backcast_init(struct wf_linear *backcast, struct wf_layer_norm *norm,
                          struct wf_params *ps, const char *name, int hidden)
{
    char path[WF_NAME_TEXT];
    wf_linear_init(backcast, ps, wf_params_path(path, name, "backcast"), hidden, hidden);
    wf_layer_norm_init(norm, ps, wf_params_path(path, name, "norm"), 1, wf_dims(hidden));
}

/* x' from h, which has the last steps of x [B, T, N, H]. */
static struct wf_tensor *unexplained(struct wf_tape *g, const struct wf_linear *backcast,
                                     const struct wf_layer_norm *norm, struct wf_tensor *x,
                                     struct wf_tensor *h)
{
    if (g->error.status != WF_OK) return &g->poison;
    int T = x->shape[1];
    struct wf_tensor *u = wf_relu(g, wf_linear(g, backcast, h));
    return wf_layer_norm(g, norm, wf_sub(g, wf_slice(g, x, 1, T - h->shape[1], T), u));
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
    if (!s.last) backcast_init(&l->backcast, &l->norm, ps, name, s.hidden);
}

/* P^k s, k = 1 .. hops, of a graph that each sample has for itself, s [B, T, N, H]. */
static void given_terms(struct wf_tape *g, const struct wf_d2stgnn_graphs *G, int d,
                        struct wf_tensor *s, struct wf_tensor **term)
{
    const struct wf_csr *A = G->pattern[d];
    struct wf_tensor *h = s, *value = wf_unsqueeze(g, G->value[d], 1);
    value = wf_contiguous(g, wf_expand(g, value, 3, wf_dims(s->shape[0], s->shape[1], A->nnz)));
    for (int k = 0; k < G->hops; k++) {
        struct wf_tensor *own = wf_slice(g, G->loops[d], 1, k, k + 1); /* [B, 1, N, 1] */
        h = wf_spmm(g, A, value, h, false);
        term[k] = wf_sub(g, h, wf_mul(g, s, own));
    }
}

/* The same of the learned one. Nodes come first inside: one product for all steps and powers. */
static void learned_terms(struct wf_tape *g, const struct wf_d2stgnn_graphs *G, struct wf_tensor *s,
                          struct wf_tensor **term)
{
    int B = s->shape[0], T = s->shape[1], N = s->shape[2], H = s->shape[3];
    struct wf_tensor *z = wf_reshape(g, wf_permute(g, s, 2, 0, 1, 3), 2, wf_dims(N, B * T * H));
    z = wf_reshape(g, wf_matmul(g, G->learned, z), 5, wf_dims(G->hops, N, B, T, H));
    for (int k = 0; k < G->hops; k++) term[k] = wf_permute(g, wf_select(g, z, 0, k), 1, 2, 0, 3);
}

/* h [B, T - kernel + 1, N, H] of x [B, T, N, H] */
static struct wf_tensor *diffuse(struct wf_tape *g, const struct wf_d2stgnn_diffusion *l,
                                 const struct wf_d2stgnn_graphs *G, struct wf_tensor *x)
{
    struct wf_tensor *term[1 + (WF_D2STGNN_GRAPHS + 1) * WF_MAXTERM];
    int n = 0, kernel = l->sizes.kernel, H = l->sizes.hidden;
    struct wf_mark mark = wf_tape_mark(g);
    struct wf_tensor *u = wf_relu(g, wf_conv(g, &l->steps, x)); /* [B, T', N, kernel H] */
    if (g->error.status != WF_OK) return &g->poison;
    u = wf_reshape(g, u, 5, wf_dims(u->shape[0], u->shape[1], u->shape[2], kernel, H));
    struct wf_tensor *s = wf_sum(g, u, 3, false); /* [B, T', N, H] */
    if (g->error.status != WF_OK) return &g->poison;
    term[n++] = wf_affine(g, s, 1.0 / kernel, 0);
    for (int d = 0; d < G->count; d++, n += G->hops) given_terms(g, G, d, s, term + n);
    if (G->learned) {
        learned_terms(g, G, s, term + n);
        n += G->hops;
    }
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
    return l->sizes.last ? NULL : unexplained(g, &l->backcast, &l->norm, x, h);
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
    if (!s.last) backcast_init(&l->backcast, &l->norm, ps, name, s.hidden);
}

/* e_t from r_t [B, N, H] */
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

/* q [B, L, N, H] attends to [k v] [B, S, N, 2H]: [B, L, N, H], in memory [B, N, L, H] */
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

/* [q k v] of e [.., H]: [.., 3H] */
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
    return l->sizes.last ? NULL : unexplained(g, &l->backcast, &l->norm, x, h);
}
