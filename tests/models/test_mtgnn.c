/* These tests compare MTGNN's layers with loops, and check its forecast times and its refusals. */
#include "models/mtgnn.h"
#include "tests/kit/dense.h"
#include "tests/kit/outcome.h"

TestSuite(mtgnn);

static const double bar = sizeof(wf_real) == 8 ? 1e-12 : 1e-5;

/* ---- propagation, against loops ---- */

enum { B = 2, T = 3, N = 4, C = 2, O = 3, K = 2 };

struct mix {
    const struct wf_mixprop *l;
    struct wf_tensor *A, *x;
};

static double mixed(ptrdiff_t i, const void *ctx)
{
    const struct mix *m = ctx;
    int o = (int)(i % O), n = (int)(i / O % N), t = (int)(i / O / N % T), b = (int)(i / O / N / T);
    double h[K + 1][N][C], y = dense_at(m->l->map.bias, o), keep = m->l->cfg.keep;
    for (int k = 0; k <= K; k++)
        for (int v = 0; v < N; v++)
            for (int c = 0; c < C; c++) {
                double x = dense_at(m->x, ((b * T + t) * N + v) * C + c), sum = 0, degree = 0;
                for (int w = 0; w < N && k; w++) {
                    double a = dense_at(m->A, v * N + w) + (v == w);
                    sum += a * h[k - 1][w][c];
                    degree += a;
                }
                h[k][v][c] = k ? keep * x + (1 - keep) * sum / degree : x;
            }
    for (int k = 0; k <= K; k++)
        for (int c = 0; c < C; c++)
            y += h[k][n][c] * dense_at(m->l->map.weight, (k * C + c) * O + o);
    return y;
}

Test(mtgnn, propagation_is_its_formula_for_a_view_of_a_graph_too)
{
    struct dense d;
    struct wf_mixprop l;
    dense_init(&d);
    wf_mixprop_init(&l, &d.ps, "mp", (struct wf_mixprop_config){ C, O, K, 0.2 });
    dense_commit(&d, 1);
    struct mix m = { &l, wf_abs(&d.g, dense_input(&d, 1, 2, wf_dims(N, N))),
                     dense_input(&d, 2, 4, wf_dims(B, T, N, C)) };
    for (int turn = 0; turn < 2; turn++) {
        struct wf_tensor *y = wf_mixprop(&d.g, &l, m.A, m.x);
        cr_assert_arr_eq(y->shape, wf_dims(B, T, N, O), 4 * sizeof(int));
        dense_expect(&d, y, mixed, &m, bar);
        m.A = wf_permute(&d.g, m.A, 1, 0);
    }
    dense_free(&d);
}

/* ---- convolutions over time, against loops ---- */

enum { STEPS = 9, LEFT = STEPS - 2 * 3 };

struct conv {
    const struct wf_inception *l;
    struct wf_tensor *x;
};

static double convolved(ptrdiff_t i, const void *ctx)
{
    const struct conv *m = ctx;
    int o = (int)(i % 4), n = (int)(i / 4 % N), t = (int)(i / 4 / N % LEFT);
    int b = (int)(i / 4 / N / LEFT);
    const struct wf_conv *branch = &m->l->branch[o / 2];
    int width = m->l->cfg.width[o / 2];
    double y = dense_at(branch->bias, o % 2);
    for (int j = 0; j < width; j++)
        for (int c = 0; c < C; c++) {
            int at = STEPS - LEFT + t - 2 * (width - 1 - j); /* the last tap is the step itself */
            y += dense_at(m->x, ((b * STEPS + at) * N + n) * C + c) *
                 dense_at(branch->weight, (j * C + c) * 2 + o % 2);
        }
    return y;
}

Test(mtgnn, convolutions_of_every_width_end_with_the_same_step)
{
    struct dense d;
    struct wf_inception l;
    struct wf_inception_config cfg = { C, 4, 2, 2, { 2, 4 } };
    dense_init(&d);
    wf_inception_init(&l, &d.ps, "tc", cfg);
    dense_commit(&d, 2);
    struct conv m = { &l, dense_input(&d, 1, 4, wf_dims(B, STEPS, N, C)) };
    struct wf_tensor *y = wf_inception(&d.g, &l, m.x);
    cr_assert_arr_eq(y->shape, wf_dims(B, LEFT, N, 4), 4 * sizeof(int));
    dense_expect(&d, y, convolved, &m, bar);
    dense_free(&d);
}

/* ---- the graph ---- */

Test(mtgnn, a_learned_graph_holds_the_largest_of_every_row_and_one_direction_of_a_pair)
{
    enum { MANY = 9, FEW = 3 };
    struct dense d;
    struct wf_graph_learner l;
    struct wf_graph_learner_config cfg = { .nodes = MANY, .dim = 4, .neighbours = MANY };
    cfg.saturation = 0.5;
    dense_init(&d);
    wf_graph_learner_init(&l, &d.ps, "graph", cfg);
    dense_commit(&d, 3);
    struct wf_tensor *all = wf_graph_learner(&d.g, &l, NULL, NULL);
    l.cfg.neighbours = FEW;
    struct wf_tensor *few = wf_graph_learner(&d.g, &l, NULL, NULL);
    int kept = 0;
    for (int i = 0; i < MANY; i++)
        for (int j = 0; j < MANY; j++) {
            double a = dense_at(all, i * MANY + j), back = dense_at(all, j * MANY + i);
            int larger = 0;
            for (int k = 0; k < MANY; k++) larger += dense_at(all, i * MANY + k) > a;
            cr_expect(i == j ? a == 0 : (a > 0) != (back > 0), "%d, %d: %g and %g", i, j, a, back);
            cr_expect_eq(dense_at(few, i * MANY + j), larger < FEW ? a : 0);
            kept += a > 0 && larger >= FEW;
        }
    cr_expect_gt(kept, 0, "no row has more than %d", FEW);
    dense_free(&d);
}

/* Many of these tanh are exactly 1, so the choice goes by their arguments. */
Test(mtgnn, entries_that_saturate_are_chosen_by_their_arguments)
{
    enum { MANY = 8, DIM = 40 };
    struct dense d;
    struct wf_graph_learner l;
    struct wf_graph_learner_config cfg = { .nodes = MANY, .dim = DIM, .neighbours = MANY };
    struct wf_tensor *M[2];
    int ties = 0;
    cfg.saturation = 20;
    dense_init(&d);
    wf_graph_learner_init(&l, &d.ps, "graph", cfg);
    dense_commit(&d, 4);
    for (int i = 0; i < 2; i++) {
        for (ptrdiff_t k = 0; k < MANY * DIM; k++) l.E[i]->data[k] *= (wf_real)0.05;
        for (int c = 0; c < DIM; c++) l.map[i].bias->data[c] = 0;
        M[i] = wf_tanh(&d.g, wf_affine(&d.g, wf_linear(&d.g, &l.map[i], l.E[i]), 20, 0));
    }
    struct wf_tensor *all = wf_graph_learner(&d.g, &l, NULL, NULL);
    l.cfg.neighbours = 1;
    struct wf_tensor *one = wf_graph_learner(&d.g, &l, NULL, NULL);
    for (int i = 0; i < MANY; i++) {
        double a[MANY] = { 0 };
        int best = 0, equal = 0;
        for (int j = 0; j < MANY; j++) {
            for (int c = 0; c < DIM; c++)
                a[j] += dense_at(M[0], i * DIM + c) * dense_at(M[1], j * DIM + c) -
                        dense_at(M[1], i * DIM + c) * dense_at(M[0], j * DIM + c);
            if (a[j] > a[best]) best = j;
            equal += dense_at(all, i * MANY + j) == 1;
        }
        ties += equal > 1;
        for (int j = 0; j < MANY; j++)
            cr_expect_eq(dense_at(one, i * MANY + j), j == best ? dense_at(all, i * MANY + j) : 0);
    }
    cr_expect_geq(ties, MANY / 2);
    dense_free(&d);
}

/* ---- the net ---- */

static struct wf_mtgnn_sizes net_sizes(void)
{
    return (struct wf_mtgnn_sizes){ .cfg = { .channels = 4,
                                             .skip = 3,
                                             .end = 3,
                                             .layers = 2,
                                             .dilation = 2,
                                             .depth = 2,
                                             .neighbours = 2,
                                             .embedding = 3,
                                             .keep = 0.05,
                                             .saturation = 1 },
                                    .nodes = N,
                                    .in = C,
                                    .out = 2,
                                    .T = 5,
                                    .hidden = 4,
                                    .widths = 2,
                                    .width = { 2, 3 } };
}

Test(mtgnn, nodes_in_another_order_give_forecasts_in_that_order)
{
    struct dense d;
    struct wf_mtgnn_net l;
    struct wf_index only;
    struct wf_error err = { 0 };
    const int order[N] = { 2, 0, 3, 1 };
    dense_init(&d);
    wf_mtgnn_net_init(&l, &d.ps, NULL, net_sizes());
    dense_commit(&d, 6);
    for (int j = 0; j < 2; j++) /* the normalisation's weights differ between nodes */
        for (ptrdiff_t i = 0; i < wf_tensor_count(l.layer[j].norm.weight); i++)
            l.layer[j].norm.weight->data[i] = (wf_real)dense_noise(8, i);
    ok(wf_index_init(&only, d.ps.be, N, N, order, &err));
    struct wf_tensor *x = dense_input(&d, 1, 4, wf_dims(B, 5, N, C));
    struct wf_tensor *y = wf_mtgnn_net(&d.g, &l, (struct wf_mtgnn_input){ .x = x });
    struct wf_tensor *there = wf_take(&d.g, wf_permute(&d.g, x, 2, 0, 1, 3), &only);
    struct wf_mtgnn_input in = { .x = wf_permute(&d.g, there, 1, 2, 0, 3), .only = &only };
    struct wf_tensor *want = wf_take(&d.g, wf_permute(&d.g, y, 2, 0, 1, 3), &only);
    dense_expect_same(&d, wf_mtgnn_net(&d.g, &l, in), wf_permute(&d.g, want, 1, 2, 0, 3), bar);
    wf_index_free(&only);
    dense_free(&d);
}

static void expect_no_net(struct wf_mtgnn_sizes s, const char *why)
{
    struct wf_params ps;
    struct wf_mtgnn_net l;
    struct wf_error err = { 0 };
    wf_params_init(&ps, wf_backend_cpu());
    wf_mtgnn_net_init(&l, &ps, NULL, s);
    cr_expect_eq(wf_params_commit(&ps, 0, &err), WF_EINVAL);
    cr_expect(strstr(err.message, why), "%s", err.message);
    wf_params_free(&ps);
}

Test(mtgnn, sizes_that_do_not_fit_are_refused)
{
    struct wf_mtgnn_sizes s = net_sizes();
    s.cfg.layers = 9;
    expect_no_net(s, "mtgnn: 9 layers, 2 widths: want 1 to 8, 1 to 8");
    s = net_sizes();
    s.cfg.depth = 9;
    expect_no_net(s, "mtgnn: depth 9, want 0 to 8");
    s = net_sizes();
    s.widths = 0;
    expect_no_net(s, "mtgnn: 2 layers, 0 widths: want 1 to 8, 1 to 8");
    s = net_sizes();
    s.hidden = 5;
    expect_no_net(s, "mtgnn: channels 5, want a multiple");
    s = net_sizes();
    s.width[0] = 4;
    expect_no_net(s, "mtgnn: width 3, want one that is not below");
}

Test(mtgnn, inputs_that_do_not_fit_are_refused)
{
    struct dense d;
    struct wf_mtgnn_net l;
    dense_init(&d);
    wf_mtgnn_net_init(&l, &d.ps, NULL, net_sizes());
    dense_commit(&d, 1);
    struct wf_tensor *x = dense_input(&d, 1, 4, wf_dims(B, 4, N, C));
    struct wf_tensor *A = dense_input(&d, 1, 2, wf_dims(N, N));
    wf_mtgnn_net(&d.g, &l, (struct wf_mtgnn_input){ .x = x });
    dense_expect_refusal(&d, "mtgnn: x is [2, 4, 4, 2], want [B, 5, 4, C]");
    wf_mtgnn_net(&d.g, &l, (struct wf_mtgnn_input){ .x = x, .A = A });
    dense_expect_refusal(&d, "mtgnn: a graph is learned, not given");
    wf_graph_learner(&d.g, &l.graph, A, NULL);
    dense_expect_refusal(&d, "graph learner: features given, want 0 columns");
    x = dense_input(&d, 1, 4, wf_dims(B, 4, N + 1, 4));
    A = dense_input(&d, 1, 2, wf_dims(N, N));
    wf_mixprop(&d.g, &l.layer[0].from, A, x);
    dense_expect_refusal(&d, "mixprop: A [4, 4], x [2, 4, 5, 4]");
    wf_inception(&d.g, &l.layer[1].gate, dense_input(&d, 1, 4, wf_dims(B, 4, N, 4)));
    dense_expect_refusal(&d, "inception: x [2, 4, 4, 4], want [B, T, N, C], T above 4");
    dense_free(&d);
}
