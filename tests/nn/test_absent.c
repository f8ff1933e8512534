/* A graph may have other edges in every sample. It is then given as the edges of all samples, with
 * weight 0 in the samples that lack an edge. Expects each layer to do on it what it does on a graph
 * that has only the edges of the sample. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include "nn/gat.h"
#include "nn/gcn.h"
#include "nn/message.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/sparse.h"

TestSuite(absent);

enum { N = 5, E = 9, B = 4, T = 2, C = 3, H = 2, MOST = 600 };

/* A graph with two loops at node 0, one loop at node 3, and two parallel edges 1 -> 2. The edges
 * are sorted by target and then by source, as the entries of a pattern are. */
static const int source[E] = { 0, 0, 4, 0, 1, 1, 3, 2, 3 };
static const int target[E] = { 0, 0, 1, 2, 2, 2, 3, 4, 4 };
static const float weight[B][E] = {
    { 0.5f, 2, 1.5f, 0.75f, 3, 0.25f, 1.25f, 4, 0.5f },
    { 0, 0, 1.5f, 0, 0, 0.5f, 0, 2, 0 },   /* no loops, node 3 alone, one of two parallel edges */
    { 0, 2.5f, 0, 1, 0, 0, 0.125f, 0, 3 }, /* one of two loops */
    { 0 },
};

static const struct wf_graph_config configs[] = {
    { .kind = WF_DUAL_RANDOM_WALK, .hops = 2 },
    { .kind = WF_DUAL_RANDOM_WALK, .hops = 2, .compat = WF_COMPAT_DCRNN },
    { .kind = WF_RANDOM_WALK, .hops = 1 },
    { .kind = WF_RANDOM_WALK, .hops = 3, .compat = WF_COMPAT_PGT },
    { .kind = WF_GCN, .hops = 1 },
    { .kind = WF_GCN, .hops = 1, .improved = true },
    { .kind = WF_GCN, .hops = 1, .no_loops = true },
    { .kind = WF_GCN, .hops = 1, .raw = true },
    { .kind = WF_CHEB, .hops = 2 },
    { .kind = WF_CHEB, .hops = 2, .lambda_max = 1.5 },
    { .kind = WF_CHEB, .hops = 1, .laplacian = WF_LAPLACIAN_RW },
    { .kind = WF_CHEB, .hops = 2, .laplacian = WF_LAPLACIAN_NONE },
    { .kind = WF_CHEB, .hops = 2, .laplacian = WF_LAPLACIAN_NONE, .lambda_max = 3 },
};
enum { CONFIGS = sizeof configs / sizeof *configs };

/* The edges that sample b has, or for b = B the edges of all samples. */
struct edges {
    int source[E], target[E], type[E];
    float weight[E];
    struct wf_edges list;
};

static void edges_of(struct edges *ed, int b)
{
    ed->list = (struct wf_edges){ N, 0, ed->source, ed->target, ed->weight };
    for (int e = 0; e < E; e++) {
        if (b < B && weight[b][e] == 0) continue;
        ed->source[ed->list.count] = source[e];
        ed->target[ed->list.count] = target[e];
        ed->weight[ed->list.count++] = b < B ? weight[b][e] : 1;
    }
}

static struct wf_tensor *all_weights(struct wf_tape *g)
{
    wf_real w[B * E];
    for (int i = 0; i < B * E; i++) w[i] = (wf_real)weight[i / E][i % E];
    return wf_input(g, w, 2, wf_dims(B, E));
}

/* ---- layers ---- */

struct net {
    struct wf_tape g;
    struct wf_params ps;
    struct wf_dconv dconv;
    struct wf_cheb cheb;
    struct wf_cheb_pair pair;
    struct wf_gcn gcn[2];
    struct wf_cheb_attention attention;
    struct wf_sage sage;
    struct wf_rgcn rgcn;
    struct wf_gated_graph gated;
    struct wf_gat gat;
    enum wf_aggr aggr;
};

static void net_init(struct net *n, int terms)
{
    struct wf_error err = { 0 };
    struct wf_gat_config gat = wf_gat_defaults(C, 2);
    gat.heads = 2;
    gat.edge_channels = 2;
    *n = (struct net){ 0 };
    ok(wf_tape_init(&n->g, wf_backend_cpu(), &err));
    n->g.recording = false;
    wf_params_init(&n->ps, wf_backend_cpu());
    wf_dconv_init(&n->dconv, &n->ps, "dconv", C + H, 4, terms, 0.5);
    wf_cheb_init(&n->cheb, &n->ps, "cheb", C, 4, terms, true);
    wf_cheb_pair_init(&n->pair, &n->ps, "pair", C, H, 3, terms);
    for (int k = 0; k < 2; k++) wf_gcn_init(&n->gcn[k], &n->ps, k ? "up" : "down", C, k ? 5 : 2, k);
    wf_cheb_attention_init(&n->attention, &n->ps, "attention", C, 4, terms);
    wf_sage_init(&n->sage, &n->ps, "sage", (struct wf_sage_config){ .source = C, .out = 4 });
    wf_rgcn_init(&n->rgcn, &n->ps, "rgcn", (struct wf_rgcn_config){ C, 4, 2, .bases = 0 });
    wf_gated_graph_init(&n->gated, &n->ps, "gated", 2, 4, WF_AGGR_MEAN);
    wf_gat_init(&n->gat, &n->ps, "gat", gat);
    ok(wf_params_commit(&n->ps, 3, &err));
}

static void net_free(struct net *n)
{
    wf_params_free(&n->ps);
    wf_tape_free(&n->g);
}

/* The inputs of sample b, or for b = B those of all samples. */
struct in {
    struct wf_tensor *x, *h, *steps, *A; /* [b, N, C], [b, N, H], [b, T, N, C], [b, N, N] */
};

static struct in inputs(struct wf_tape *g, int b)
{
    struct in in = { sparse_noise(g, 1, 3, wf_dims(B, N, C)),
                     sparse_noise(g, 2, 3, wf_dims(B, N, H)),
                     sparse_noise(g, 3, 4, wf_dims(B, T, N, C)),
                     sparse_noise(g, 4, 3, wf_dims(B, N, N)) };
    struct wf_tensor **one[] = { &in.x, &in.h, &in.steps, &in.A };
    for (int k = 0; k < 4 && b < B; k++) *one[k] = wf_slice(g, *one[k], 0, b, b + 1);
    return in;
}

typedef struct wf_tensor *layer(struct net *n, const struct wf_supports *S, const struct in *in);

static struct wf_tensor *dconv(struct net *n, const struct wf_supports *S, const struct in *in)
{
    return wf_dconv(&n->g, &n->dconv, S, in->x, in->h, WF_ACT_SIGMOID);
}

static struct wf_tensor *cheb(struct net *n, const struct wf_supports *S, const struct in *in)
{
    struct wf_tensor *one = wf_cheb(&n->g, &n->cheb, S, in->x, WF_ACT_RELU);
    struct wf_tensor *all = wf_cheb(&n->g, &n->cheb, S, in->steps, WF_ACT_NONE);
    return wf_concat_n(&n->g, (struct wf_tensor *[]){ wf_unsqueeze(&n->g, one, 1), all }, 2, 1);
}

static struct wf_tensor *pair(struct net *n, const struct wf_supports *S, const struct in *in)
{
    return wf_cheb_pair(&n->g, &n->pair, S, in->x, in->h, WF_ACT_TANH);
}

static struct wf_tensor *gcn(struct net *n, const struct wf_supports *S, const struct in *in)
{
    return wf_concat(&n->g, wf_gcn(&n->g, &n->gcn[0], S, in->steps),
                     wf_gcn(&n->g, &n->gcn[1], S, in->steps));
}

static struct wf_tensor *attention(struct net *n, const struct wf_supports *S, const struct in *in)
{
    struct wf_tensor *y[2];
    for (int k = 0; k < 2; k++) {
        n->attention.every_term = k;
        y[k] = wf_cheb_attention(&n->g, &n->attention, S, in->steps, in->A);
    }
    return wf_concat(&n->g, y[0], y[1]);
}

static struct wf_tensor *aggregate(struct net *n, const struct wf_supports *S, const struct in *in)
{
    return wf_aggregate(&n->g, S->pattern[0], S->value[0], in->steps, n->aggr);
}

static struct wf_tensor *sage(struct net *n, const struct wf_supports *S, const struct in *in)
{
    n->sage.cfg.aggr = n->aggr;
    return wf_sage(&n->g, &n->sage, S->pattern[0], S->value[0], in->x, in->x);
}

static struct wf_tensor *gated(struct net *n, const struct wf_supports *S, const struct in *in)
{
    n->gated.aggr = n->aggr;
    return wf_gated_graph(&n->g, &n->gated, S->pattern[0], S->value[0], in->x);
}

/* ---- the comparison ---- */

static void expect_sample(struct net *n, const wf_real *all, struct wf_tensor *y, int b,
                          const char *what)
{
    wf_real one[MOST];
    y = wf_contiguous(&n->g, y);
    cr_assert_eq(n->g.error.status, WF_OK, "%s: %s", what, n->g.error.message);
    ptrdiff_t count = wf_tensor_count(y);
    cr_assert_leq(count, MOST);
    wf_tensor_download(y, one);
    for (ptrdiff_t i = 0; i < count; i++)
        cr_assert_float_eq((double)all[b * count + i], (double)one[i], 200 * WF_REAL_EPS,
                           "%s, sample %d, element %td: %g, want %g", what, b, i,
                           (double)all[b * count + i], (double)one[i]);
}

static void keep_all(struct net *n, struct wf_tensor *y, wf_real *all)
{
    y = wf_contiguous(&n->g, y);
    cr_assert_eq(n->g.error.status, WF_OK, "%s", n->g.error.message);
    cr_assert(y->shape[0] == B && wf_tensor_count(y) <= B * MOST);
    wf_tensor_download(y, all);
}

static void expect_own_graph(const struct wf_graph_config *cfg, layer *run, enum wf_aggr aggr,
                             const char *what)
{
    struct edges ed;
    struct wf_graph gr;
    struct net n;
    struct wf_error err = { 0 };
    wf_real all[B * MOST];
    edges_of(&ed, B);
    ok(wf_graph_init(&gr, wf_backend_cpu(), &ed.list, cfg, &err));
    net_init(&n, gr.supports.terms);
    n.aggr = aggr;
    struct in in = inputs(&n.g, B);
    struct wf_supports S = wf_graph_supports(&n.g, &gr, all_weights(&n.g));
    keep_all(&n, run(&n, &S, &in), all);
    for (int b = 0; b < B; b++) {
        struct wf_graph own;
        edges_of(&ed, b);
        ok(wf_graph_init(&own, wf_backend_cpu(), &ed.list, cfg, &err));
        in = inputs(&n.g, b);
        expect_sample(&n, all, run(&n, &own.supports, &in), b, what);
        wf_graph_free(&own);
    }
    net_free(&n);
    wf_graph_free(&gr);
}

Test(absent, convolutions_do_on_weights_of_0_what_they_do_without_the_edges)
{
    for (int k = 0; k < CONFIGS; k++) {
        char what[64];
        snprintf(what, sizeof what, "config %d", k);
        expect_own_graph(&configs[k], dconv, WF_AGGR_ADD, what);
        expect_own_graph(&configs[k], cheb, WF_AGGR_ADD, what);
        expect_own_graph(&configs[k], pair, WF_AGGR_ADD, what);
        if (configs[k].kind == WF_DUAL_RANDOM_WALK) continue;
        expect_own_graph(&configs[k], gcn, WF_AGGR_ADD, what);
        expect_own_graph(&configs[k], attention, WF_AGGR_ADD, what);
    }
    expect_no_leaks();
}

Test(absent, messages_of_edges_that_are_not_there_do_not_count)
{
    static const struct wf_graph_config raw = { .kind = WF_GCN, .raw = true };
    for (enum wf_aggr a = WF_AGGR_MEAN; a <= WF_AGGR_ADD; a++) {
        expect_own_graph(&raw, aggregate, a, "aggregate");
        expect_own_graph(&raw, sage, a, "sage");
        expect_own_graph(&raw, gated, a, "gated graph");
    }
    expect_no_leaks();
}

/* The entries of a relational pattern stand in another order than the edges. */
static struct wf_tensor *by_relation(struct wf_tape *g)
{
    wf_real w[B * E];
    int at = 0, place[E];
    for (int i = 0; i < N; i++)
        for (int r = 0; r < 2; r++)
            for (int e = 0; e < E; e++)
                if (target[e] == i && e % 2 == r) place[at++] = e;
    for (int i = 0; i < B * E; i++) w[i] = (wf_real)weight[i / E][place[i % E]];
    return wf_input(g, w, 2, wf_dims(B, E));
}

/* Types belong to edges: in a sample alone they are those of the edges that it has. */
Test(absent, relations_take_the_mean_of_the_edges_that_are_there)
{
    struct edges ed;
    struct wf_csr A;
    struct net n;
    struct wf_error err = { 0 };
    wf_real all[B * MOST];
    net_init(&n, 1);
    for (int k = 0; k <= B; k++) {
        int b = k ? k - 1 : B;
        edges_of(&ed, b);
        for (int e = 0, i = 0; e < E; e++)
            if (b == B || weight[b][e] != 0) ed.type[i++] = e % 2;
        ok(wf_relation_pattern(&A, wf_backend_cpu(), &ed.list, ed.type, 2, &err));
        struct in in = inputs(&n.g, b);
        struct wf_tensor *w = b == B ? by_relation(&n.g) : NULL;
        struct wf_tensor *y = wf_rgcn(&n.g, &n.rgcn, &A, w, in.steps);
        if (b == B)
            keep_all(&n, y, all);
        else
            expect_sample(&n, all, y, b, "rgcn");
        wf_csr_free(&A);
    }
    net_free(&n);
    expect_no_leaks();
}

/* The attributes of the edges that sample b has, or for b = B those of all edges. */
static struct wf_tensor *attributes(struct wf_tape *g, int b)
{
    wf_real a[E * 2];
    int i = 0;
    for (int e = 0; e < E; e++)
        if (b == B || weight[b][e] != 0)
            for (int c = 0; c < 2; c++) a[i++] = (wf_real)sin(3 * e + c);
    return wf_input(g, a, 2, wf_dims(i / 2, 2));
}

Test(absent, nodes_do_not_attend_over_edges_that_are_not_there)
{
    struct edges ed;
    struct wf_gat_graph G;
    struct net n;
    struct wf_error err = { 0 };
    wf_real all[B * MOST];
    net_init(&n, 1);
    for (int loops = 0; loops < 2; loops++)
        for (int k = 0; k <= B; k++) {
            int b = k ? k - 1 : B;
            edges_of(&ed, b);
            ok(wf_gat_graph_init(&G, wf_backend_cpu(), &ed.list, loops, &err));
            struct in in = inputs(&n.g, b);
            struct wf_tensor *w = b == B ? all_weights(&n.g) : NULL;
            struct wf_tensor *a = ed.list.count ? attributes(&n.g, b) : NULL;
            struct wf_tensor *y = wf_gat(&n.g, &n.gat, &G, w, in.x, a);
            if (b == B)
                keep_all(&n, y, all);
            else
                expect_sample(&n, all, y, b, loops ? "gat" : "gat without loops");
            wf_gat_graph_free(&G);
        }
    net_free(&n);
    expect_no_leaks();
}

/* ---- gradients ---- */

struct learned {
    struct wf_graph gr;
    struct wf_supports S;
    struct wf_params ps;
    struct wf_tensor *weight; /* [2, E] */
    struct wf_dconv conv;
};

static struct wf_tensor *through_weights(struct wf_tape *g, void *ctx)
{
    struct learned *l = ctx;
    struct wf_tensor *x = sparse_noise(g, 1, 4, wf_dims(2, T, N, C));
    l->S = wf_graph_supports(g, &l->gr, wf_affine(g, wf_square(g, l->weight), 1, 0.1));
    return wf_dconv(g, &l->conv, &l->S, x, NULL, WF_ACT_TANH);
}

Test(absent, gradients_reach_the_weights_of_every_sample)
{
    for (int k = 0; k < CONFIGS; k++) {
        struct learned l = { 0 };
        struct edges ed;
        struct wf_error err = { 0 };
        edges_of(&ed, B);
        ok(wf_graph_init(&l.gr, wf_backend_cpu(), &ed.list, &configs[k], &err));
        wf_params_init(&l.ps, wf_backend_cpu());
        l.weight = wf_params_add(&l.ps, "weight", 2, wf_dims(2, E), (struct wf_init){ 0 });
        wf_dconv_init(&l.conv, &l.ps, "conv", C, 4, l.gr.supports.terms, 0);
        expect_param_gradients(&l.ps, through_weights, &l);
        wf_params_free(&l.ps);
        wf_graph_free(&l.gr);
    }
    expect_no_leaks();
}

/* ---- refusals ---- */

static void expect_no_supports(struct wf_tape *g, const struct wf_graph_config *cfg, int edges,
                               const char *why)
{
    struct edges ed;
    struct wf_graph gr;
    struct wf_error err = { 0 };
    edges_of(&ed, B);
    ok(wf_graph_init(&gr, wf_backend_cpu(), &ed.list, cfg, &err));
    wf_graph_supports(g, &gr, wf_zeros(g, 2, wf_dims(2, edges)));
    expect_refused(g, why);
    wf_graph_free(&gr);
}

Test(absent, what_depends_on_more_than_the_weights_of_a_sample_is_refused)
{
    struct net n;
    net_init(&n, 1);
    struct wf_graph_config c = { .kind = WF_CHEB, .dominant = true };
    expect_no_supports(&n.g, &c, E, "graph: weights [2, 9] of every sample its own: the dominant");
    c = (struct wf_graph_config){ .kind = WF_RANDOM_WALK, .compat = WF_COMPAT_DCRNN_REVERSED };
    expect_no_supports(&n.g, &c, E, "this compat goes by the order of all edges");
    c = (struct wf_graph_config){ .kind = WF_DUAL_RANDOM_WALK, .compat = WF_COMPAT_PGT };
    expect_no_supports(&n.g, &c, E, "this compat goes by the order of all edges");
    c = (struct wf_graph_config){ .kind = WF_GCN };
    expect_no_supports(&n.g, &c, E + 1, "graph: weights [2, 10], want [9] or [B, 9]");
    struct wf_csr A = sparse_pattern();
    struct wf_tensor *x = wf_zeros(&n.g, 3, wf_dims(2, SPARSE_NODES, 3));
    struct wf_tensor *w = wf_zeros(&n.g, 2, wf_dims(2, SPARSE_EDGES));
    wf_aggregate(&n.g, &A, w, x, WF_AGGR_MAX);
    expect_refused(&n.g, "aggregate: the largest message with weights [2, 9], want [9]");
    wf_csr_free(&A);
    net_free(&n);
    expect_no_leaks();
}
