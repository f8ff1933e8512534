/* These tests check the gradients of EvolveGCN's cells through the evolving weight, that samples
 * are independent, and what the cells refuse. */
#include "models/evolvegcn.h"
#include <criterion/criterion.h>
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/sparse.h"

TestSuite(evolvegcn);

enum { F = 3 };

struct evolvegcn {
    struct wf_params ps;
    struct wf_evolvegcn_cell cell;
    struct wf_graph graph;
};

/* Initialises the cell in place, since supports point into their graph. */
static void evolvegcn_init(struct evolvegcn *m, bool nodes, int channels)
{
    struct wf_error err = { 0 };
    struct wf_graph_config gcn = { .kind = WF_GCN };
    ok(wf_graph_init(&m->graph, wf_backend_cpu(), &sparse_edges, &gcn, &err));
    wf_params_init(&m->ps, wf_backend_cpu());
    wf_evolvegcn_cell_init(&m->cell, &m->ps, "cell",
                           (struct wf_evolvegcn_sizes){ channels, nodes });
}

static void evolvegcn_free(struct evolvegcn *m)
{
    wf_graph_free(&m->graph);
    wf_params_free(&m->ps);
}

static struct wf_tensor *steps(struct wf_tape *g, const struct evolvegcn *m, struct wf_tensor *x,
                               int T)
{
    struct wf_tensor *weight = NULL, *y[4];
    for (int t = 0; t < T; t++) {
        struct wf_tensor *move = sparse_noise(g, 20 + (uint32_t)t, 2, wf_dims(SPARSE_NODES, F));
        y[t] = wf_evolvegcn_cell(g, &m->cell, &m->graph.supports, wf_add(g, x, move), &weight);
    }
    return wf_concat_n(g, y, T, -1);
}

static struct wf_tensor *three_steps(struct wf_tape *g, void *ctx)
{
    return steps(g, ctx, sparse_noise(g, 1, 3, wf_dims(2, SPARSE_NODES, F)), 3);
}

static struct wf_tensor *two_steps_of(struct wf_tape *g, void *ctx, struct wf_tensor *x)
{
    return steps(g, ctx, x, 2);
}

Test(evolvegcn, gradient_through_three_steps_of_the_weight)
{
    for (int nodes = 0; nodes < 2; nodes++) {
        struct evolvegcn m;
        evolvegcn_init(&m, nodes, F);
        expect_param_gradients(&m.ps, three_steps, &m);
        evolvegcn_free(&m);
    }
    expect_no_leaks();
}

/* With nodes every sample has a weight of its own from the first step on. */
Test(evolvegcn, samples_of_a_batch_do_not_see_each_other)
{
    for (int nodes = 0; nodes < 2; nodes++) {
        struct evolvegcn m;
        evolvegcn_init(&m, nodes, F);
        struct wf_tape g;
        struct wf_error err = { 0 };
        ok(wf_params_commit(&m.ps, 1, &err));
        ok(wf_tape_init(&g, wf_backend_cpu(), &err));
        expect_samples_apart(&g, two_steps_of, &m, F);
        wf_tape_free(&g);
        evolvegcn_free(&m);
    }
    expect_no_leaks();
}

Test(evolvegcn, fewer_nodes_than_channels_and_other_graphs_are_refused)
{
    struct evolvegcn m;
    evolvegcn_init(&m, true, SPARSE_NODES + 1);
    struct wf_tape g;
    struct wf_error err = { 0 };
    struct wf_tensor *weight = NULL;
    ok(wf_params_commit(&m.ps, 1, &err));
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    struct wf_tensor *x = wf_zeros(&g, 2, wf_dims(SPARSE_NODES, SPARSE_NODES + 1));
    wf_evolvegcn_cell(&g, &m.cell, &m.graph.supports, x, &weight);
    expect_refused(&g, "topk: the 6 largest of [5]");
    struct wf_supports none = { .count = 0 };
    weight = NULL;
    wf_evolvegcn_cell(&g, &m.cell, &none, x, &weight);
    expect_refused(&g, "evolvegcn: the graph has 0 supports, want 1");
    wf_tape_free(&g);
    evolvegcn_free(&m);
    expect_no_leaks();
}
