/* Graphs that change with time: the supports of a batch, and the models made for such graphs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "data/formats/h5.h"
#include "models/dygrencoder.h"
#include "models/evolvegcn.h"
#include "models/lrgcn.h"
#include "tests/kit/byhand.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"
#include "tests/kit/sparse.h"
#include "tests/kit/tiny.h"

TestSuite(dynamic);

static struct wf_error err;
static const int starts[3] = { 0, 11, 40 };

static void expect_values(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b)
{
    wf_real x[512], y[512];
    cr_assert_eq(g->error.status, WF_OK, "%s", g->error.message);
    cr_assert(wf_tensor_same_shape(a, b) && wf_tensor_count(a) <= 512);
    wf_tensor_download(a, x);
    wf_tensor_download(b, y);
    cr_expect_arr_eq(x, y, (size_t)wf_tensor_count(a) * sizeof *x);
}

/* The weights of edges in the rows of the series that the first n windows have at step t. */
static struct wf_tensor *rows_at(struct wf_tape *g, const struct tiny *t, int step, int n)
{
    wf_real w[3 * TINY_EDGES];
    for (int i = 0; i < n * TINY_EDGES; i++)
        w[i] = t->weights.values[(starts[i / TINY_EDGES] + step) * TINY_EDGES + i % TINY_EDGES];
    return wf_input(g, w, 2, wf_dims(n, TINY_EDGES));
}

Test(dynamic, each_step_of_a_batch_has_the_supports_of_its_row)
{
    struct tiny t;
    struct wf_tape g;
    struct wf_batch b;
    tiny_init(&t,
              (struct tiny_config){ .model = "dcrnn", .options = "hidden=3\n", .dynamic = true },
              ".");
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    for (int n = 3; n > 0; n--) { /* a batch may hold fewer windows than the first */
        wf_tape_reset(&g);
        ok(wf_windows_batch(&t.windows, &b, starts, n));
        wf_batch_bind(&g, &b, &t.graph);
        cr_assert_eq(b.graph, &t.graph);
        cr_assert_eq(b.supports, wf_batch_supports(&g, &b, TINY_T - 1), "the last step's");
        for (int step = 0; step < TINY_T; step++) {
            struct wf_tensor *w = rows_at(&g, &t, step, n);
            struct wf_supports want = wf_graph_supports(&g, &t.graph, w);
            const struct wf_supports *got = wf_batch_supports(&g, &b, step);
            cr_assert(got->count == 2 && got->terms == want.terms);
            cr_assert_eq(got == b.supports, step == TINY_T - 1, "others do not overwrite the last");
            for (int d = 0; d < 2; d++) expect_values(&g, got->value[d], want.value[d]);
        }
    }
    wf_tape_free(&g);
    tiny_free(&t);
    expect_no_leaks();
}

Test(dynamic, one_graph_for_all_steps_costs_nothing)
{
    struct tiny t;
    struct wf_tape g;
    struct wf_batch b;
    tiny_init(&t, (struct tiny_config){ .model = "dcrnn", .options = "hidden=3\n" }, ".");
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    ok(wf_windows_batch(&t.windows, &b, starts, 3));
    cr_assert(!b.weights.data);
    wf_batch_bind(&g, &b, &t.graph);
    for (int step = 0; step < TINY_T; step++)
        cr_assert_eq(wf_batch_supports(&g, &b, step), &t.graph.supports);
    cr_expect_eq(g.mem.used, 0);
    cr_expect_null(g.host.base);
    wf_tape_free(&g);
    tiny_free(&t);
    expect_no_leaks();
}

Test(dynamic, the_inputs_stay_on_the_tape_when_the_batch_is_gone)
{
    struct tiny t;
    struct wf_tape g;
    struct wf_batch b;
    tiny_init(&t, (struct tiny_config){ .model = "dcrnn", .options = "hidden=3\n" }, ".");
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    ok(wf_windows_batch(&t.windows, &b, starts, 3));
    struct wf_tensor x = b.x, *grad = wf_zeros(&g, 4, x.shape), *on_tape;
    b.x.needs_grad = true;
    b.x.grad = grad;
    on_tape = wf_batch_x(&g, &b);
    b = (struct wf_batch){ 0 };
    cr_assert(wf_tensor_same_shape(on_tape, &x) && on_tape->data == x.data);
    wf_tape_backward(&g, wf_mean_all(&g, on_tape));
    cr_expect_float_eq((double)grad->data[1] * (double)wf_tensor_count(&x), 1, 1e-5);
    wf_tape_fail(&g, WF_EINVAL, "broken");
    cr_expect_eq(wf_batch_x(&g, &b), &g.poison);
    wf_tape_free(&g);
    tiny_free(&t);
    expect_no_leaks();
}

Test(dynamic, steps_outside_and_other_graphs_are_refused)
{
    struct tiny t;
    struct wf_tape g;
    struct wf_batch b;
    struct wf_graph other;
    struct wf_graph_config gcn = { .kind = WF_GCN };
    tiny_init(&t, (struct tiny_config){ .model = "tgcn", .options = "hidden=3\n", .dynamic = true },
              ".");
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    ok(wf_windows_batch(&t.windows, &b, starts, 3));
    wf_batch_bind(&g, &b, &t.graph);
    wf_batch_supports(&g, &b, TINY_T);
    expect_refused(&g, "batch: the graph of step 4 of 4");
    wf_batch_supports(&g, &b, -1);
    expect_refused(&g, "batch: the graph of step -1 of 4");
    ok(wf_graph_init(&other, wf_backend_cpu(), &sparse_edges, &gcn, &err));
    wf_batch_bind(&g, &b, &other);
    expect_refused(&g, "graph: weights [3, 12], want [9] or [B, 9]");
    wf_graph_free(&other);
    wf_tape_free(&g);
    tiny_free(&t);
    expect_no_leaks();
}

/* ---- the models ---- */

Test(dynamic, models_made_for_such_graphs_learn_a_wave_on_a_ring)
{
    static const char *const rows[][2] = { { "lrgcn", "hidden=8\n" },
                                           { "dygrencoder", "channels=8\nhidden=8\n" },
                                           { "evolvegcn-o", "lags=4\n" },
                                           { "evolvegcn-h", "lags=3\n" } };
    for (int k = 0; k < 4; k++)
        tiny_expect_to_learn((struct tiny_config){
            .model = rows[k][0], .options = rows[k][1], .dynamic = true, .seed = 1 });
}

Test(dynamic, models_whose_sizes_do_not_fit_are_refused)
{
    byhand_refuses("evolvegcn-o", &(struct wf_evolvegcn_config){ .lags = 99, .layers = 1 },
                   "evolvegcn: 99 lags, 1 layers: want 1 to");
    byhand_refuses("evolvegcn-o", &(struct wf_evolvegcn_config){ .lags = 1, .layers = 5 },
                   "evolvegcn: 1 lags, 5 layers");
    byhand_refuses("dygrencoder", &(struct wf_dygrencoder_config){ .layers = 1, .hidden = 3 },
                   "dygrencoder: 0 channels for");
    struct wf_params ps;
    struct wf_evolvegcn m;
    struct wf_task task = { .nodes = 5, .channels = 2, .targets = 1, .T = 4, .Q = 1 };
    wf_params_init(&ps, wf_backend_cpu());
    wf_evolvegcn_init(&m, &ps, (struct wf_evolvegcn_config){ .lags = 3, .layers = 1 }, &task, true);
    cr_expect_eq(wf_params_commit(&ps, 0, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "evolvegcn-h: 3 lags of 2 channels at 5 nodes"), "%s",
              err.message);
    wf_params_free(&ps);
    static const char *const one[] = { "lrgcn", "dygrencoder", "evolvegcn-o", "evolvegcn-h" };
    for (int k = 0; k < 4; k++) {
        struct tiny t;
        struct wf_tape g;
        struct wf_batch b;
        struct wf_supports none = { .terms = 1 };
        tiny_init(&t, (struct tiny_config){ .model = one[k], .options = k < 2 ? "" : "lags=1\n" },
                  ".");
        ok(wf_tape_init(&g, wf_backend_cpu(), &err));
        ok(wf_windows_batch(&t.windows, &b, starts, 3));
        b.supports = &none;
        t.model.type->forward(&g, t.model.layers, &b);
        expect_refused(&g, ": the graph has 0 supports, want 1");
        wf_tape_free(&g);
        tiny_free(&t);
    }
    expect_no_leaks();
}

/* The forecast of EvolveGCN, computed cell by cell: each takes all steps before the next begins. */
static struct wf_tensor *by_cells(struct wf_tape *g, const struct wf_evolvegcn *m,
                                  const struct wf_batch *b)
{
    int L = m->cfg.lags, steps = b->T - L + 1;
    struct wf_tensor *x[TINY_T], *lag[TINY_T], *all = wf_batch_x(g, b);
    for (int s = 0; s < steps; s++) {
        for (int k = 0; k < L; k++) lag[k] = wf_select(g, all, 1, s + k);
        x[s] = wf_concat_n(g, lag, L, -1); /* [B, N, L * C] */
    }
    for (int l = 0; l < m->cfg.layers; l++) {
        struct wf_tensor *weight = NULL;
        for (int s = 0; s < steps; s++) {
            const struct wf_supports *S = wf_batch_supports(g, b, s + L - 1);
            x[s] = wf_evolvegcn_cell(g, &m->cell[l], S, x[s], &weight);
            x[s] = wf_leaky_relu(g, x[s], 11.0 / 48);
        }
    }
    return wf_horizon(g, &m->head, &m->task, x[steps - 1]);
}

Test(dynamic, the_forecast_of_evolvegcn_is_that_of_its_cells)
{
    for (int k = 0; k < 4; k++) {
        struct tiny t;
        struct wf_tape g;
        struct wf_batch b;
        struct tiny_config c = { .model = k % 2 ? "evolvegcn-h" : "evolvegcn-o",
                                 .options = "lags=2\nlayers=3\n",
                                 .dynamic = k / 2,
                                 .seed = 3 };
        tiny_init(&t, c, ".");
        ok(wf_tape_init(&g, wf_backend_cpu(), &err));
        ok(wf_windows_batch(&t.windows, &b, starts, 3));
        wf_batch_bind(&g, &b, &t.graph);
        expect_values(&g, t.model.type->forward(&g, t.model.layers, &b),
                      by_cells(&g, t.model.layers, &b));
        wf_tape_free(&g);
        tiny_free(&t);
    }
    expect_no_leaks();
}
