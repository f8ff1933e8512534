/* Graphs that change with time: the supports of a batch. */
#include <criterion/criterion.h>
#include "tests/leaks.h"
#include "tests/sparse.h"
#include "tests/tiny.h"

TestSuite(dynamic);

#define MUST(call) cr_assert_eq((call), WF_OK, "%s: %s", #call, err.message)

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

/* Of the rows that the windows have at step t. */
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
    MUST(wf_tape_init(&g, wf_backend_cpu(), &err));
    for (int n = 3; n > 0; n--) { /* a short batch too */
        wf_tape_reset(&g);
        MUST(wf_windows_batch(&t.windows, &b, starts, n));
        wf_batch_bind(&g, &b, &t.graph);
        cr_assert_eq(b.graph, &t.graph);
        cr_assert_eq(b.supports, wf_batch_supports(&g, &b, TINY_T - 1), "the last step's");
        for (int step = 0; step < TINY_T; step++) {
            struct wf_tensor *w = rows_at(&g, &t, step, n);
            struct wf_supports want = wf_graph_supports(&g, &t.graph, w);
            const struct wf_supports *got = wf_batch_supports(&g, &b, step);
            cr_assert(got->count == 2 && got->terms == want.terms);
            cr_assert_eq(got, &b.made[step], "one after the other");
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
    MUST(wf_tape_init(&g, wf_backend_cpu(), &err));
    MUST(wf_windows_batch(&t.windows, &b, starts, 3));
    cr_assert(!b.weights.data && !b.made);
    wf_batch_bind(&g, &b, &t.graph);
    for (int step = 0; step < TINY_T; step++)
        cr_assert_eq(wf_batch_supports(&g, &b, step), &t.graph.supports);
    cr_expect_eq(g.mem.used, 0);
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
    MUST(wf_tape_init(&g, wf_backend_cpu(), &err));
    MUST(wf_windows_batch(&t.windows, &b, starts, 3));
    wf_batch_bind(&g, &b, &t.graph);
    wf_batch_supports(&g, &b, TINY_T);
    expect_refused(&g, "batch: the graph of step 4 of 4");
    wf_batch_supports(&g, &b, -1);
    expect_refused(&g, "batch: the graph of step -1 of 4");
    MUST(wf_graph_init(&other, wf_backend_cpu(), &sparse_edges, &gcn, &err));
    wf_batch_bind(&g, &b, &other);
    expect_refused(&g, "graph: weights [3, 12], want [9] or [B, 9]");
    wf_graph_free(&other);
    wf_tape_free(&g);
    tiny_free(&t);
    expect_no_leaks();
}
