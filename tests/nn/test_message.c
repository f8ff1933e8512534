/* Ops over the entries of a sparse pattern, and the layers that pass messages along edges. */
#include <criterion/criterion.h>
#include <math.h>
#include <omp.h>
#include <string.h>
#include "nn/gat.h"
#include "nn/rnn.h"
#include "tensor/alloc.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/sparse.h"

TestSuite(message);

enum { N = SPARSE_NODES, E = SPARSE_EDGES };

/* A tape, parameters, and the graph of tests/kit/sparse.h. */
struct fix {
    struct wf_tape g;
    struct wf_params ps;
    struct wf_csr A, relations;
    struct wf_gat_graph gat;
};

static struct fix fix_init(void)
{
    struct fix f;
    struct wf_error err = { 0 };
    ok(wf_tape_init(&f.g, wf_backend_cpu(), &err));
    wf_params_init(&f.ps, wf_backend_cpu());
    f.A = sparse_pattern();
    f.relations = sparse_relations();
    ok(wf_gat_graph_init(&f.gat, wf_backend_cpu(), &sparse_edges, true, &err));
    return f;
}

static void fix_free(struct fix *f)
{
    wf_gat_graph_free(&f->gat);
    wf_csr_free(&f->relations);
    wf_csr_free(&f->A);
    wf_params_free(&f->ps);
    wf_tape_free(&f->g);
    expect_no_leaks();
}

/* ---- ops ---- */

Test(message, topk_falls_takes_the_first_of_equal_ones_and_nan_last)
{
    struct fix f = fix_init();
    const wf_real x[2][6] = { { 1, 3, (wf_real)NAN, 3, -2, 5 }, { 0, 0, 0, -1, 7, 0 } };
    const wf_real want[2][6] = { { 5, 1, 3, 0, 4, 2 }, { 4, 0, 1, 2, 5, 3 } };
    wf_real got[12];
    struct wf_tensor *in = wf_input(&f.g, &x[0][0], 2, wf_dims(2, 6));
    for (int k = 1; k <= 6; k++) {
        struct wf_tensor *y = wf_topk(&f.g, in, k);
        cr_assert_eq(f.g.error.status, WF_OK);
        wf_tensor_download(y, got);
        for (int b = 0; b < 2; b++)
            cr_expect_arr_eq(got + b * k, want[b], (size_t)k * sizeof *got, "k %d, row %d", k, b);
    }
    wf_topk(&f.g, in, 7);
    expect_refused(&f.g, "topk: the 7 largest of [2, 6]");
    wf_topk(&f.g, wf_zeros(&f.g, 2, wf_dims(2, 6)), 0);
    expect_refused(&f.g, "topk: the 0 largest");
    wf_pick(&f.g, wf_zeros(&f.g, 3, wf_dims(2, 6, 3)), wf_zeros(&f.g, 2, wf_dims(3, 2)));
    expect_refused(&f.g, "pick: [2, 6, 3] and [3, 2]");
    wf_scatter(&f.g, wf_zeros(&f.g, 3, wf_dims(2, 6, 3)), wf_zeros(&f.g, 2, wf_dims(2, 5)), 9);
    expect_refused(&f.g, "scatter: [2, 6, 3] and [2, 5]");
    wf_scatter(&f.g, wf_zeros(&f.g, 3, wf_dims(2, 6, 3)), wf_zeros(&f.g, 2, wf_dims(2, 6)), 5);
    expect_refused(&f.g, "K up to N");
    fix_free(&f);
}

Test(message, largest_message_wins_the_first_of_equal_ones_gets_the_gradient)
{
    struct fix f = fix_init();
    struct wf_tape *g = &f.g;
    wf_real host[N] = { 2, 4, 9, 4, 1 }, y[N], slope[N] = { 0 };
    struct wf_tensor grad = { .data = slope, .be = g->be };
    struct wf_tensor x = { .data = host, .be = g->be, .needs_grad = true, .grad = &grad };
    wf_tensor_shape(&x, 2, wf_dims(N, 1));
    wf_tensor_shape(&grad, 2, wf_dims(N, 1));
    struct wf_tensor *out = wf_aggregate(g, &f.A, NULL, &x, WF_AGGR_MAX);
    wf_tape_backward(g, wf_sum_all(g, out));
    cr_assert_eq(g->error.status, WF_OK, "%s", g->error.message);
    wf_tensor_download(out, y);
    /* Node 0 has an edge from 4; 1 from 0, 1, 3; 3 from 0, 1, 1; and 4 from 3, 4. */
    const wf_real want[N] = { 1, 4, 0, 4, 4 }, want_grad[N] = { 0, 2, 0, 1, 1 };
    cr_expect_arr_eq(y, want, sizeof want);
    cr_expect_arr_eq(slope, want_grad, sizeof want);
    host[0] = (wf_real)NAN;
    wf_tensor_download(wf_aggregate(g, &f.A, NULL, &x, WF_AGGR_MAX), y);
    cr_expect(isnan((double)y[1]) && isnan((double)y[3]) && y[4] == 4, "NaN must show");
    fix_free(&f);
}

Test(message, mean_divides_by_the_number_of_edges_not_by_their_weights)
{
    struct fix f = fix_init();
    wf_real y[N];
    const wf_real x[N] = { 1, 2, 3, 4, 5 };
    struct wf_tensor *in = wf_input(&f.g, x, 2, wf_dims(N, 1));
    struct wf_tensor *w = wf_full(&f.g, 3, 1, wf_dims(E));
    wf_tensor_download(wf_aggregate(&f.g, &f.A, w, in, WF_AGGR_MEAN), y);
    const wf_real want[N] = { 15, 7, 0, 5, (wf_real)13.5 };
    for (int i = 0; i < N; i++)
        cr_expect_float_eq((double)y[i], (double)want[i], 40 * WF_REAL_EPS, "node %d", i);
    fix_free(&f);
}

Test(message, softmax_over_edges_sums_to_one_and_does_not_overflow)
{
    struct fix f = fix_init();
    wf_real y[2 * N];
    struct wf_tensor *x = wf_affine(&f.g, sparse_noise(&f.g, 1, 2, wf_dims(2, E)), 5000, 0);
    struct wf_tensor *s = wf_edge_softmax(&f.g, &f.A, x);
    wf_tensor_download(wf_edge_sum(&f.g, &f.A, s, false), y);
    for (int i = 0; i < 2 * N; i++)
        cr_expect_float_eq((double)y[i], i % N == 2 ? 0 : 1, 10 * WF_REAL_EPS, "node %d", i);
    fix_free(&f);
}

Test(message, shapes_that_do_not_fit_the_pattern_are_refused)
{
    struct fix f = fix_init();
    struct wf_tape *g = &f.g;
    wf_edge_softmax(g, &f.A, wf_zeros(g, 2, wf_dims(2, E + 1)));
    expect_refused(g, "edge_softmax: x is [2, 10], want [.., 9]");
    wf_edge_sum(g, &f.A, wf_zeros(g, 1, wf_dims(N)), false);
    expect_refused(g, "edge_sum: x is [5], want [.., 9]");
    wf_edge_spread(g, &f.relations, wf_zeros(g, 2, wf_dims(2, N)), false);
    expect_refused(g, "edge_spread: x is [2, 5], want [.., 15]");
    wf_edge_max(g, &f.A, wf_zeros(g, 1, wf_dims(E)), wf_zeros(g, 2, wf_dims(N + 1, 2)));
    expect_refused(g, "edge_max: x is [6, 2], want [.., 5, C]");
    wf_edge_max(g, &f.A, wf_zeros(g, 1, wf_dims(E - 1)), wf_zeros(g, 2, wf_dims(N, 2)));
    expect_refused(g, "edge_max: the pattern has 9 entries, the values are [8]");
    wf_spmm(g, &f.A, wf_zeros(g, 2, wf_dims(3, E)), wf_zeros(g, 3, wf_dims(2, N, 4)), false);
    expect_refused(g, "spmm: values [3, 9], x [2, 5, 4]");
    fix_free(&f);
}

enum { LARGE = 600, EDGES = 9000, WIDE = 70 };

/* Puts the gradients of x and of the weights, and then the result, into out. */
static void large_run(struct wf_tape *g, const struct wf_csr *A, wf_real *out)
{
    static wf_real data[3 * LARGE * WIDE];
    struct wf_tensor leaf[2], grad[2];
    const int shape[2][3] = { { 2, LARGE, WIDE }, { 2, EDGES } };
    for (int i = 0; i < 3 * LARGE * WIDE; i++) data[i] = (wf_real)sin(i * 0.7 + i % 13);
    wf_tape_reset(g);
    for (int k = 0; k < 2; k++) {
        grad[k] = (struct wf_tensor){ .data = out, .be = g->be };
        leaf[k] =
            (struct wf_tensor){ .data = data, .be = g->be, .needs_grad = true, .grad = &grad[k] };
        wf_tensor_shape(&leaf[k], 3 - k, shape[k]);
        wf_tensor_shape(&grad[k], 3 - k, shape[k]);
        memset(out, 0, (size_t)wf_tensor_count(&grad[k]) * sizeof *out);
        out += wf_tensor_count(&grad[k]);
    }
    struct wf_tensor *alpha = wf_edge_softmax(g, A, &leaf[1]);
    struct wf_tensor *y = wf_edge_max(g, A, alpha, &leaf[0]);
    struct wf_tensor *z = wf_add(g, y, wf_spmm(g, A, alpha, &leaf[0], false));
    wf_tape_backward(g, wf_sum_all(g, wf_square(g, z)));
    cr_assert_eq(g->error.status, WF_OK, "%s", g->error.message);
    wf_tensor_download(z, out);
}

Test(message, bits_do_not_depend_on_the_number_of_threads)
{
    enum { SIZE = 4 * LARGE * WIDE + 2 * EDGES };
    static wf_real out[2][SIZE];
    static int row[EDGES], col[EDGES];
    struct wf_tape g;
    struct wf_csr A;
    struct wf_error err = { 0 };
    for (int e = 0; e < EDGES; e++) {
        row[e] = (int)((unsigned)e * 2654435761u >> 8) % LARGE;
        col[e] = (int)((unsigned)e * 40503u >> 4) % LARGE;
    }
    ok(wf_csr_from_pairs(&A, wf_backend_cpu(), LARGE, LARGE, EDGES, row, col, NULL, &err));
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        large_run(&g, &A, out[threads > 1]);
        if (threads > 1) cr_expect_arr_eq(out[0], out[1], sizeof out[0], "%d threads", threads);
    }
    wf_tape_free(&g);
    wf_csr_free(&A);
    expect_no_leaks();
}

/* ---- layers: gradients of parameters, samples that do not see each other ---- */

static struct wf_gat gat_of(struct fix *f, bool mean)
{
    struct wf_gat l;
    struct wf_gat_config cfg = wf_gat_defaults(3, 4);
    cfg.heads = 2;
    cfg.edge_channels = 2;
    cfg.mean = mean;
    wf_gat_init(&l, &f->ps, mean ? "mean" : "concat", cfg);
    return l;
}

struct layers {
    struct fix f;
    struct wf_gat gat[2];
    struct wf_sage sage[2];
    struct wf_rgcn rgcn[2];
    struct wf_gated_graph gated;
    struct wf_topk_pool pool;
    int which;
};
enum { LAYERS = 8 };

static void layers_init(struct layers *l)
{
    *l = (struct layers){ .f = fix_init() };
    struct wf_params *ps = &l->f.ps;
    for (int k = 0; k < 2; k++) l->gat[k] = gat_of(&l->f, k);
    wf_sage_init(&l->sage[0], ps, "sage0",
                 (struct wf_sage_config){ .source = 3, .out = 4, .aggr = WF_AGGR_MAX });
    wf_sage_init(&l->sage[1], ps, "sage1",
                 (struct wf_sage_config){ .source = 3, .out = 4, .normalize = true });
    wf_rgcn_init(&l->rgcn[0], ps, "rgcn0",
                 (struct wf_rgcn_config){ 3, 6, SPARSE_RELATIONS, .bases = 2, .parts = 3 });
    wf_rgcn_init(&l->rgcn[1], ps, "rgcn1",
                 (struct wf_rgcn_config){ 3, 6, SPARSE_RELATIONS, .bases = 0 });
    wf_gated_graph_init(&l->gated, ps, "gated", 2, 5, WF_AGGR_MAX);
    wf_topk_pool_init(&l->pool, ps, "pool", 3);
}

static struct wf_tensor *layer(struct wf_tape *g, void *ctx, struct wf_tensor *x)
{
    struct layers *l = ctx;
    struct wf_tensor *weight = sparse_noise(g, 3, 1, wf_dims(E));
    struct wf_tensor *a = sparse_noise(g, 4, 2, wf_dims(E, 2));
    switch (l->which) {
    case 0:
    case 1:
        return wf_gat(g, &l->gat[l->which], &l->f.gat, NULL, x, l->which ? NULL : a);
    case 2:
    case 3:
        return wf_sage(g, &l->sage[l->which - 2], &l->f.A, NULL, x, x);
    case 4:
    case 5:
        return wf_rgcn(g, &l->rgcn[l->which - 4], &l->f.relations, NULL, x);
    case 6:
        return wf_gated_graph(g, &l->gated, &l->f.A, weight, x);
    default:
        return wf_topk_pool(g, &l->pool, x, 3).x;
    }
}

static struct wf_tensor *all_layers(struct wf_tape *g, void *ctx)
{
    struct layers *l = ctx;
    struct wf_tensor *y[LAYERS];
    struct wf_tensor *x = sparse_noise(g, 2, 3, wf_dims(2, N, 3));
    for (l->which = 0; l->which < LAYERS; l->which++)
        y[l->which] = wf_reshape(g, layer(g, l, x), 1, wf_dims(-1));
    return wf_concat_n(g, y, LAYERS, 0);
}

Test(message, layers_have_the_gradients_of_finite_differences)
{
    static struct layers l;
    layers_init(&l);
    expect_param_gradients(&l.f.ps, all_layers, &l);
    fix_free(&l.f);
}

Test(message, samples_of_a_batch_do_not_see_each_other)
{
    static struct layers l;
    struct wf_error err = { 0 };
    layers_init(&l);
    ok(wf_params_commit(&l.f.ps, 3, &err));
    for (l.which = 0; l.which < LAYERS; l.which++) expect_samples_apart(&l.f.g, layer, &l, 3);
    fix_free(&l.f);
}

/* If the coefficients are the unit matrix, the bases are the matrices of the relations. */
Test(message, bases_with_unit_coefficients_are_a_matrix_per_relation)
{
    struct fix f = fix_init();
    struct wf_tape *g = &f.g;
    struct wf_error err = { 0 };
    struct wf_rgcn l;
    enum { R = SPARSE_RELATIONS };
    wf_rgcn_init(&l, &f.ps, "rgcn", (struct wf_rgcn_config){ 3, 4, R, .bases = R });
    ok(wf_params_commit(&f.ps, 3, &err));
    for (int i = 0; i < R * R; i++) l.comp->data[i] = i % (R + 1) == 0;
    struct wf_tensor *x = sparse_noise(g, 2, 2, wf_dims(N, 3)), *y[2];
    wf_real a[4 * N], b[4 * N];
    y[0] = wf_rgcn(g, &l, &f.relations, NULL, x);
    l.comp = NULL;
    y[1] = wf_rgcn(g, &l, &f.relations, NULL, x);
    ok(g->error.status);
    wf_tensor_download(y[0], a);
    wf_tensor_download(y[1], b);
    for (int i = 0; i < 4 * N; i++)
        cr_expect_float_eq((double)a[i], (double)b[i], 10 * WF_REAL_EPS, "element %d", i);
    fix_free(&f);
}

/* ---- graphs ---- */

Test(message, attention_graph_has_one_loop_per_node_and_knows_its_edges)
{
    struct fix f = fix_init();
    const struct wf_csr *A = &f.gat.pattern;
    int loops = 0;
    cr_assert_eq(A->nnz, E - 2 + N);
    for (int i = 0; i < N; i++)
        for (int e = A->ptr[i]; e < A->ptr[i + 1]; e++) {
            int edge = f.gat.order.idx[e], own = A->idx[e] == i;
            loops += own;
            cr_expect_eq(f.gat.loop.data[e], own, "entry %d", e);
            cr_expect_eq(edge == E, own, "entry %d", e);
            if (own) continue;
            cr_expect_eq(sparse_edges.target[edge], i, "entry %d", e);
            cr_expect_eq(sparse_edges.source[edge], A->idx[e], "entry %d", e);
        }
    cr_expect_eq(loops, N);
    fix_free(&f);
}

Test(message, edges_between_kept_nodes_are_renumbered_in_order)
{
    const int perm[3] = { 3, 1, 4 }, want[2][6] = { { 0, 1, 1, 1, 0, 2 }, { 1, 0, 0, 1, 2, 2 } };
    int source[E], target[E];
    cr_assert_eq(wf_topk_edges(&sparse_edges, 3, perm, source, target), 6);
    cr_expect_arr_eq(source, want[0], sizeof want[0]);
    cr_expect_arr_eq(target, want[1], sizeof want[1]);
    wf_alloc_fail_after(0);
    int n = wf_topk_edges(&sparse_edges, 3, perm, source, target);
    wf_alloc_fail_after(-1);
    cr_expect_eq(n, -1);
    expect_no_leaks();
}

Test(message, graphs_refuse_what_is_outside)
{
    struct wf_gat_graph G;
    struct wf_csr A;
    struct wf_error err = { 0 };
    const int ends[2] = { 0, 7 }, type[2] = { 0, 3 };
    struct wf_edges far = { N, 2, ends, ends, NULL }, near = { N, 1, ends, ends, NULL };
    cr_expect_eq(wf_gat_graph_init(&G, wf_backend_cpu(), &far, false, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "(7, 7)"), "%s", err.message);
    cr_expect_eq(wf_relation_pattern(&A, wf_backend_cpu(), &far, type, 4, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "target 7"), "%s", err.message);
    cr_expect_eq(wf_relation_pattern(&A, wf_backend_cpu(), &near, type + 1, 3, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "type 3"), "%s", err.message);
    expect_no_leaks();
}

Test(message, graphs_leave_nothing_behind_when_memory_ends)
{
    for (int n = 0, s = WF_ENOMEM; s != WF_OK; n++) {
        struct wf_gat_graph G = { 0 };
        struct wf_csr A = { 0 };
        struct wf_error err = { 0 };
        cr_assert_lt(n, 100);
        wf_alloc_fail_after(n);
        s = wf_gat_graph_init(&G, wf_backend_cpu(), &sparse_edges, true, &err);
        if (s == WF_OK)
            s = wf_relation_pattern(&A, wf_backend_cpu(), &sparse_edges, sparse_types,
                                    SPARSE_RELATIONS, &err);
        wf_alloc_fail_after(-1);
        wf_gat_graph_free(&G);
        wf_csr_free(&A);
        cr_assert(s == WF_OK || (s == WF_ENOMEM && err.message[0]), "allocation %d", n);
        cr_assert_eq(wf_alloc_live(), 0, "allocation %d leaks", n);
    }
    expect_no_leaks();
}

Test(message, layers_name_the_shape_that_does_not_fit)
{
    static struct layers l;
    struct wf_error err = { 0 };
    layers_init(&l);
    struct wf_tape *g = &l.f.g;
    ok(wf_params_commit(&l.f.ps, 3, &err));
    wf_gat(g, &l.gat[0], &l.f.gat, NULL, wf_zeros(g, 2, wf_dims(N, 4)), NULL);
    expect_refused(g, "gat: x is [5, 4], want [.., 5, 3]");
    wf_gat(g, &l.gat[0], &l.f.gat, NULL, wf_zeros(g, 2, wf_dims(N, 3)),
           wf_zeros(g, 2, wf_dims(4, 2)));
    expect_refused(g, "take: the index list is for 10 rows");
    l.gat[1].edge_weight = NULL;
    wf_gat(g, &l.gat[1], &l.f.gat, NULL, wf_zeros(g, 2, wf_dims(N, 3)),
           wf_zeros(g, 2, wf_dims(E, 2)));
    expect_refused(g, "gat: edges have attributes [9, 2]");
    wf_rgcn(g, &l.rgcn[0], &l.f.A, NULL, wf_zeros(g, 2, wf_dims(N, 3)));
    expect_refused(g, "rgcn: x is [5, 3], the pattern [5, 5]: want [.., N, 3] and 3 relations");
    wf_gated_graph(g, &l.gated, &l.f.A, NULL, wf_zeros(g, 2, wf_dims(N, 6)));
    expect_refused(g, "gated graph: x is [5, 6], want [.., N, at most 5]");
    wf_sage(g, &l.sage[0], &l.f.A, NULL, wf_zeros(g, 2, wf_dims(N, 2)),
            wf_zeros(g, 2, wf_dims(N, 3)));
    expect_refused(g, "linear: [5, 2] and [3, 4]");
    wf_topk_pool(g, &l.pool, wf_zeros(g, 2, wf_dims(N, 3)), N + 1);
    expect_refused(g, "topk: the 6 largest of [5]");
    fix_free(&l.f);
}
