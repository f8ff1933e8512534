/* Supports of GCN and of Chebyshev polynomials compared with dense matrices, and the layers that
 * use them. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "autograd/gradcheck.h"
#include "nn/gcn.h"
#include "nn/graph.h"
#include "tensor/alloc.h"
#include "tests/kit/leaks.h"

enum { N = 5, E = 7 };

/* A graph with loops at nodes 1 (twice) and 4, parallel edges 0 -> 3, and node 2 without edges. */
static const int source[E] = { 0, 1, 0, 4, 3, 1, 1 }, target[E] = { 3, 1, 3, 4, 1, 0, 1 };
static const float weights[E] = { 0.5f, 0.75f, 0.25f, 2, 1.5f, 0.4f, 3 };

static const struct wf_graph_config configs[] = {
    { .kind = WF_GCN },
    { .kind = WF_GCN, .improved = true },
    { .kind = WF_GCN, .no_loops = true },
    { .kind = WF_GCN, .raw = true },
    { .kind = WF_CHEB },
    { .kind = WF_CHEB, .hops = 3, .lambda_max = 1.5 },
    { .kind = WF_CHEB, .laplacian = WF_LAPLACIAN_RW },
    { .kind = WF_CHEB, .laplacian = WF_LAPLACIAN_RW, .lambda_max = 1.25 },
    { .kind = WF_CHEB, .hops = 2, .laplacian = WF_LAPLACIAN_NONE },
    { .kind = WF_CHEB, .laplacian = WF_LAPLACIAN_NONE, .lambda_max = 3 },
};
enum { CONFIGS = sizeof configs / sizeof *configs };

static void make(struct wf_graph *gr, const struct wf_graph_config *cfg)
{
    struct wf_error err = { 0 };
    struct wf_edges ed = { N, E, source, target, weights };
    cr_assert_eq(wf_graph_init(gr, wf_backend_cpu(), &ed, cfg, &err), WF_OK, "%s", err.message);
}

static void read_support(const struct wf_csr *A, const struct wf_tensor *value, double S[N][N])
{
    memset(S, 0, sizeof(double) * N * N);
    for (int i = 0; i < N; i++)
        for (int e = A->ptr[i]; e < A->ptr[i + 1]; e++) S[i][A->idx[e]] += (double)value->data[e];
}

/* Computes what node j takes from node i, by the formulas of nn/graph.h, on a dense A. */
static void dense_gcn(const struct wf_graph_config *cfg, double S[N][N])
{
    double A[N][N] = { 0 }, loop[N], d[N] = { 0 };
    bool loops = !cfg->no_loops && !cfg->raw;
    for (int i = 0; i < N; i++) loop[i] = cfg->improved ? 2 : 1;
    for (int e = 0; e < E; e++)
        if (loops && source[e] == target[e])
            loop[source[e]] = (double)weights[e];
        else
            A[source[e]][target[e]] += (double)weights[e];
    for (int i = 0; i < N && loops; i++) A[i][i] = loop[i];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) d[j] += A[i][j];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            bool edge = A[i][j] != 0 && !cfg->raw;
            S[j][i] = edge ? A[i][j] / sqrt(d[i] * d[j] + (d[i] * d[j] == 0)) : A[i][j];
            if (edge && d[i] * d[j] == 0) S[j][i] = 0;
        }
}

static void dense_cheb(const struct wf_graph_config *cfg, double S[N][N])
{
    double A[N][N] = { 0 }, d[N] = { 0 }, lambda = cfg->lambda_max, top = 0;
    for (int e = 0; e < E; e++)
        if (source[e] != target[e]) A[source[e]][target[e]] += (double)weights[e];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) d[i] += A[i][j];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double a = A[i][j], one = i == j;
            if (cfg->laplacian == WF_LAPLACIAN_NONE) one *= d[i];
            if (cfg->laplacian == WF_LAPLACIAN_RW && a != 0) a /= d[i];
            if (cfg->laplacian == WF_LAPLACIAN_SYM && a != 0)
                a = d[j] == 0 ? 0 : a / sqrt(d[i] * d[j]);
            S[j][i] = one - a;
            top = fmax(top, S[j][i]);
        }
    if (lambda == 0) lambda = 2 * top;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) S[j][i] = 2 * S[j][i] / lambda - (i == j);
}

static void expect_support(const struct wf_graph_config *cfg, const struct wf_csr *A,
                           const struct wf_tensor *value, const char *what)
{
    double got[N][N], want[N][N];
    read_support(A, value, got);
    (cfg->kind == WF_GCN ? dense_gcn : dense_cheb)(cfg, want);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            cr_expect_float_eq(got[i][j], want[i][j], 4e-7, "config %d, %s [%d, %d]: %g, want %g",
                               (int)(cfg - configs), what, i, j, got[i][j], want[i][j]);
}

Test(gcn, supports_are_those_of_the_formulas_baked_and_on_the_tape)
{
    for (int k = 0; k < CONFIGS; k++) {
        struct wf_graph gr;
        struct wf_tape g;
        struct wf_error err = { 0 };
        make(&gr, &configs[k]);
        const struct wf_csr *A = gr.supports.pattern[0];
        cr_assert_eq(gr.supports.count, 1);
        cr_assert_eq(gr.supports.terms, 1 + configs[k].hops);
        expect_support(&configs[k], A, gr.supports.value[0], "baked");
        cr_assert_eq(wf_tape_init(&g, wf_backend_cpu(), &err), WF_OK, "%s", err.message);
        struct wf_supports S = wf_graph_supports(&g, &gr, &gr.weight);
        cr_assert_eq(g.error.status, WF_OK, "%s", g.error.message);
        expect_support(&configs[k], A, S.value[0], "on the tape");
        wf_tape_free(&g);
        wf_graph_free(&gr);
    }
    expect_no_leaks();
}

Test(gcn, a_graph_without_edges_has_supports)
{
    struct wf_error err = { 0 };
    struct wf_edges none = { N, 0, source, target, weights };
    for (int k = 0; k < CONFIGS; k++) {
        struct wf_graph gr;
        double S[N][N];
        cr_assert_eq(wf_graph_init(&gr, wf_backend_cpu(), &none, &configs[k], &err), WF_OK, "%s",
                     err.message);
        read_support(gr.supports.pattern[0], gr.supports.value[0], S);
        for (int i = 0; i < N * N; i++)
            cr_expect(isfinite(S[i / N][i % N]) && (i / N == i % N || S[i / N][i % N] == 0));
        if (k == 0) cr_expect_eq(S[2][2], 1);
        wf_graph_free(&gr);
    }
    expect_no_leaks();
}

/* ---- layers, with gradients through weights of edges ---- */

enum { B = 2, C = 3, O = 4, LEAVES = 5 };

struct net {
    struct wf_graph gr;
    struct wf_params ps;
    struct wf_tensor *leaf[LEAVES]; /* edge weights, x, attention, weight, bias */
    struct wf_supports S;           /* the supports of the last build() */
    struct wf_gcn gcn;
    struct wf_cheb cheb;
    struct wf_cheb_attention attention;
    int layer;
};

static void net_init(struct net *n, const struct wf_graph_config *cfg, int layer)
{
    struct wf_error err = { 0 };
    struct wf_init noise = { .kind = WF_INIT_UNIFORM, .gain = 1 };
    *n = (struct net){ .layer = layer };
    make(&n->gr, cfg);
    wf_params_init(&n->ps, wf_backend_cpu());
    n->leaf[0] = wf_params_add(&n->ps, "edges", 1, wf_dims(E), noise);
    n->leaf[1] = wf_params_add(&n->ps, "x", 3, wf_dims(B, N, C), noise);
    n->leaf[2] = wf_params_add(&n->ps, "a", 3, wf_dims(B, N, N), noise);
    int K = 1 + cfg->hops;
    if (layer == 0) wf_gcn_init(&n->gcn, &n->ps, "l", C, O, true);
    if (layer == 1) wf_gcn_init(&n->gcn, &n->ps, "l", C, 2, true);
    if (layer == 2) wf_cheb_init(&n->cheb, &n->ps, "l", C, O, K, true);
    if (layer >= 3) wf_cheb_attention_init(&n->attention, &n->ps, "l", C, O, K);
    n->attention.every_term = layer == 4;
    n->leaf[3] = &wf_params_find(&n->ps, "l.weight")->value;
    n->leaf[4] = &wf_params_find(&n->ps, "l.bias")->value;
    cr_assert_eq(wf_params_commit(&n->ps, 3, &err), WF_OK, "%s", err.message);
    for (int o = 0; o < n->leaf[4]->shape[0]; o++) n->leaf[4]->data[o] = (wf_real)(0.1 * o - 0.2);
}

static void net_free(struct net *n)
{
    wf_params_free(&n->ps);
    wf_graph_free(&n->gr);
}

static struct wf_tensor *build(struct wf_tape *g, void *ctx)
{
    struct net *n = ctx;
    struct wf_tensor *w = wf_affine(g, wf_square(g, n->leaf[0]), 1, 0.1), *x = n->leaf[1];
    n->S = wf_graph_supports(g, &n->gr, w);
    if (n->layer < 2) return wf_gcn(g, &n->gcn, &n->S, x);
    if (n->layer == 2) return wf_cheb(g, &n->cheb, &n->S, x, WF_ACT_TANH);
    return wf_cheb_attention(g, &n->attention, &n->S, x, n->leaf[2]);
}

Test(gcn, gradients_reach_inputs_parameters_and_weights_of_edges)
{
    for (int k = 0; k < CONFIGS; k++)
        for (int layer = 0; layer < 5; layer++) {
            struct net n;
            struct wf_error err = { 0 };
            double worst;
            int which;
            if ((configs[k].kind == WF_GCN) != (layer < 2)) continue;
            net_init(&n, &configs[k], layer);
            struct wf_gradcheck c = { .build = build, .ctx = &n, .leaf = n.leaf, .leaves = LEAVES };
            cr_assert_eq(wf_gradcheck_run(&c, wf_backend_cpu(), &worst, &which, &err), WF_OK, "%s",
                         err.message);
            cr_expect(worst <= (sizeof(wf_real) == 8 ? 1e-7 : 2e-2),
                      "config %d, layer %d: leaf %d off by %g", k, layer, which, worst);
            net_free(&n);
        }
    expect_no_leaks();
}

/* Computes out[i][c] = sum_j M[i][j] in[j][c]. */
static void apply(double M[N][N], double in[N][C], double out[N][C])
{
    for (int i = 0; i < N; i++)
        for (int c = 0; c < C; c++) {
            out[i][c] = 0;
            for (int j = 0; j < N; j++) out[i][c] += M[i][j] * in[j][c];
        }
}

/* Computes T_k = (T_k(S) * a) x, where * is the product of elements. */
static void attended_terms(double S[N][N], const wf_real *a, double x[N][C], int K,
                           double T[WF_MAXTERM][N][C])
{
    double M[WF_MAXTERM][N][N], masked[N][N];
    for (int k = 0; k < K; k++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double m = k == 0 ? i == j : S[i][j];
                for (int h = 0; h < N && k > 1; h++)
                    m = (h ? m : -M[k - 2][i][j]) + 2 * S[i][h] * M[k - 1][h][j];
                M[k][i][j] = m;
                masked[i][j] = m * (double)a[i * N + j];
            }
        apply(masked, x, T[k]);
    }
}

/* Computes the terms of sample b in dense loops as nn/gcn.h defines them; returns their number. */
static int dense_terms(const struct net *n, int b, double T[WF_MAXTERM][N][C])
{
    double S[N][N], M[N][N];
    int K = n->layer < 2 ? 1 : n->S.terms;
    const wf_real *a = n->leaf[2]->data + b * N * N;
    read_support(n->S.pattern[0], n->S.value[0], S);
    for (int i = 0; i < N * C; i++) T[0][i / C][i % C] = (double)n->leaf[1]->data[b * N * C + i];
    if (n->layer == 4) {
        double x[N][C];
        memcpy(x, T[0], sizeof x);
        attended_terms(S, a, x, K, T);
        return K;
    }
    if (n->layer < 2) {
        memcpy(T[1], T[0], sizeof T[0]);
        apply(S, T[1], T[0]);
    }
    for (int i = 0; i < N && n->layer == 3; i++) {
        for (int c = 0; c < C; c++) T[0][i][c] *= (double)a[i * N + i];
        for (int j = 0; j < i; j++) { /* S holds the transpose of the operator Lt */
            double t = S[i][j];
            S[i][j] = S[j][i];
            S[j][i] = t;
        }
    }
    for (int k = 1; k < K; k++) {
        for (int i = 0; i < N * N; i++)
            M[i / N][i % N] = S[i / N][i % N] * (n->layer == 3 && k == 1 ? (double)a[i] : 1);
        apply(M, T[k - 1], T[k]);
        for (int i = 0; i < N * C && k > 1; i++)
            T[k][i / C][i % C] = 2 * T[k][i / C][i % C] - T[k - 2][i / C][i % C];
    }
    return K;
}

static void expect_layer(const struct net *n, const struct wf_tensor *y)
{
    static double T[WF_MAXTERM][N][C];
    int out = y->shape[2];
    for (int b = 0; b < B; b++) {
        int K = dense_terms(n, b, T);
        for (int i = 0; i < N; i++)
            for (int o = 0; o < out; o++) {
                double want = (double)n->leaf[4]->data[o];
                for (int k = 0; k < K * C; k++)
                    want += T[k / C][i][k % C] * (double)n->leaf[3]->data[k * out + o];
                if (n->layer == 2) want = tanh(want);
                double got = (double)y->data[b * y->stride[0] + i * y->stride[1] + o];
                cr_expect_float_eq(got, want, 1e-5, "layer %d: %g, want %g", n->layer, got, want);
            }
    }
}

Test(gcn, layers_are_their_formulas)
{
    static const int config[5] = { 0, 0, 5, 5, 5 };
    for (int layer = 0; layer < 5; layer++) {
        struct net n;
        struct wf_tape g;
        struct wf_error err = { 0 };
        net_init(&n, &configs[config[layer]], layer);
        cr_assert_eq(wf_tape_init(&g, wf_backend_cpu(), &err), WF_OK);
        struct wf_tensor *y = build(&g, &n);
        cr_assert_eq(g.error.status, WF_OK, "%s", g.error.message);
        expect_layer(&n, y);
        wf_tape_free(&g);
        net_free(&n);
    }
    expect_no_leaks();
}

Test(gcn, attention_sees_each_step_of_a_window_as_it_sees_one)
{
    for (int layer = 3; layer < 5; layer++) {
        struct net n;
        struct wf_tape g;
        struct wf_error err = { 0 };
        net_init(&n, &configs[5], layer);
        cr_assert_eq(wf_tape_init(&g, wf_backend_cpu(), &err), WF_OK);
        struct wf_tensor *x = n.leaf[1], *A = n.leaf[2], *step[2] = { x, wf_affine(&g, x, -2, 1) };
        const struct wf_supports *S = &n.gr.supports;
        struct wf_tensor *all =
            wf_cheb_attention(&g, &n.attention, S, wf_stack(&g, step, 2, 1), A); /* [B, 2, N, O] */
        for (int t = 0; t < 2; t++) {
            struct wf_tensor *one = wf_cheb_attention(&g, &n.attention, S, step[t], A);
            struct wf_tensor *d = wf_abs(&g, wf_sub(&g, wf_select(&g, all, 1, t), one));
            wf_real worst = 1;
            WF_RUN(&g, wf_tensor_download(wf_max_all(&g, d), &worst));
            cr_assert_eq(g.error.status, WF_OK, "%s", g.error.message);
            cr_expect(worst < 1e-5, "layer %d, step %d: off by %g", layer, t, (double)worst);
        }
        wf_tape_free(&g);
        net_free(&n);
    }
    expect_no_leaks();
}

/* ---- refusals ---- */

Test(gcn, graphs_that_make_no_sense_are_refused)
{
    struct wf_graph gr;
    struct wf_error err = { 0 };
    struct wf_edges ed = { N, E, source, target, weights };
    struct wf_graph_config cfg = { .kind = WF_CHEB, .lambda_max = -1 };
    cr_expect_eq(wf_graph_init(&gr, wf_backend_cpu(), &ed, &cfg, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "lambda_max is -1"), "%s", err.message);
    cfg = (struct wf_graph_config){ .kind = WF_CHEB, .hops = WF_MAXTERM };
    cr_expect_eq(wf_graph_init(&gr, wf_backend_cpu(), &ed, &cfg, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "32 hops"), "%s", err.message);
    for (int k = 0; k < CONFIGS; k++)
        for (int end = -1; end <= N; end += N + 1) { /* a loop at a node that does not exist */
            struct wf_edges odd = { N, 1, &end, &end, weights };
            cr_expect_eq(wf_graph_init(&gr, wf_backend_cpu(), &odd, &configs[k], &err), WF_EINVAL);
        }
    expect_no_leaks();
}

Test(gcn, every_failing_allocation_of_a_graph_is_clean)
{
    for (int k = 4; k < 6; k++)
        for (int n = 0;; n++) {
            struct wf_graph gr;
            struct wf_error err = { 0 };
            struct wf_edges ed = { N, E, source, target, weights };
            cr_assert(n < 1000);
            wf_alloc_fail_after(n);
            enum wf_status s = wf_graph_init(&gr, wf_backend_cpu(), &ed, &configs[k], &err);
            wf_alloc_fail_after(-1);
            if (s == WF_OK) {
                wf_graph_free(&gr);
                cr_expect(n > 5);
                break;
            }
            cr_assert_eq(s, WF_ENOMEM, "allocation %d: %s", n, err.message);
            cr_assert_eq(wf_alloc_live(), 0, "allocation %d", n);
        }
    expect_no_leaks();
}

static void expect_refusal(struct wf_tape *g, const struct wf_tensor *y, const char *why)
{
    cr_expect_eq(g->error.status, WF_EINVAL);
    cr_expect(strstr(g->error.message, why), "%s", g->error.message);
    cr_expect_eq(wf_tensor_count(y), wf_tensor_count(&g->poison));
    wf_tape_reset(g);
}

Test(gcn, layers_refuse_other_graphs_and_shapes)
{
    struct wf_tape g;
    struct wf_error err = { 0 };
    struct net n, m;
    struct wf_graph walk;
    make(&walk, &(struct wf_graph_config){ .kind = WF_DUAL_RANDOM_WALK });
    net_init(&n, &configs[0], 0);
    net_init(&m, &configs[4], 3);
    cr_assert_eq(wf_tape_init(&g, wf_backend_cpu(), &err), WF_OK);
    struct wf_tensor *x = n.leaf[1], *a = n.leaf[2];
    expect_refusal(&g, wf_gcn(&g, &n.gcn, &walk.supports, x), "2 supports, want 1");
    expect_refusal(&g, wf_cheb_attention(&g, &m.attention, &walk.supports, x, a), "2 supports");
    expect_refusal(&g, wf_cheb_attention(&g, &m.attention, &m.gr.supports, a, a),
                   "x is [2, 5, 5], want [B, 5, 3] or [B, T, ..]");
    struct wf_tensor line = wf_view_select(x, 0, 0);
    line = wf_view_select(&line, 0, 0);
    struct wf_cheb cheb = { n.gcn.weight, NULL };
    expect_refusal(&g, wf_cheb(&g, &cheb, &n.gr.supports, &line, WF_ACT_NONE), "want [.., N, C]");
    expect_refusal(&g, wf_cheb(&g, &cheb, &n.gr.supports, a, WF_ACT_NONE), "dconv");
    wf_tape_free(&g);
    net_free(&n);
    net_free(&m);
    wf_graph_free(&walk);
    expect_no_leaks();
}
