#include "models/d2stgnn_graph.h"
#include <math.h>
#include "models/gwnet.h"

void wf_d2stgnn_graph_init(struct wf_d2stgnn_graph *l, struct wf_params *ps, const char *name,
                           struct wf_d2stgnn_graph_config cfg)
{
    char path[WF_NAME_TEXT];
    int H = cfg.hidden, in = H + cfg.times + cfg.embedding;
    struct wf_init xavier = { .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1 };
    struct wf_init uniform = { .kind = WF_INIT_UNIFORM, .gain = 1 / sqrt(in) };
    *l = (struct wf_d2stgnn_graph){ .cfg = cfg };
    if ((cfg.hops < 0 || cfg.hops > WF_MAXTERM) && !ps->error.status)
        wf_params_refuse(ps, "'%s': %d hops, want at most %d", name, cfg.hops, WF_MAXTERM);
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

/* P_d[i, j], the share of node j that node i takes, for every entry (i, j) of a support: [B, E] */
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

/* The diagonals of the powers 1 .. hops of a graph with these values: [B, hops, N, 1] */
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

/* Writes P_d and the diagonals of its powers to made[2 d] and made[2 d + 1], for each support. */
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

/* The powers of A without their diagonals, one below the other: [hops * N, N] */
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

/* ---- powers ---- */

/* term[k - 1] = P_d^k s without the diagonal of P_d^k, k = 1 .. hops, for s [B, T, N, H]. Each
 * sample has a P_d of its own. */
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

/* The same for the learned graph A. With nodes first, one product makes all steps and powers. */
static void learned_terms(struct wf_tape *g, const struct wf_d2stgnn_graphs *G, struct wf_tensor *s,
                          struct wf_tensor **term)
{
    int B = s->shape[0], T = s->shape[1], N = s->shape[2], H = s->shape[3];
    struct wf_tensor *z = wf_reshape(g, wf_permute(g, s, 2, 0, 1, 3), 2, wf_dims(N, B * T * H));
    z = wf_reshape(g, wf_matmul(g, G->learned, z), 5, wf_dims(G->hops, N, B, T, H));
    for (int k = 0; k < G->hops; k++) term[k] = wf_permute(g, wf_select(g, z, 0, k), 1, 2, 0, 3);
}

int wf_d2stgnn_terms(struct wf_tape *g, const struct wf_d2stgnn_graphs *G, struct wf_tensor *s,
                     struct wf_tensor *term[WF_D2STGNN_TERMS])
{
    int n = 0;
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK || G->hops == 0) return 0;
    if (s->ndim != 4) {
        wf_tape_fail(g, WF_EINVAL, "d2stgnn: %s, want [B, T, N, C]", wf_tensor_shape_text(s, text));
        return 0;
    }
    for (int d = 0; d < G->count; d++, n += G->hops) given_terms(g, G, d, s, term + n);
    learned_terms(g, G, s, term + n);
    return n + G->hops;
}
