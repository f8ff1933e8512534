/* These tests check the gradient of DyGrEncoder's cell through three steps, and what it refuses. */
#include "models/dygrencoder.h"
#include <criterion/criterion.h>
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/sparse.h"

TestSuite(dygrencoder);

struct dygrencoder {
    struct wf_params ps;
    struct wf_dygrencoder_cell cell;
    struct wf_graph graph;
    struct wf_tensor *weight; /* the edge weights, which are a parameter here */
};

/* Initialises the cell in place, since supports point into their graph. */
static void dygrencoder_init(struct dygrencoder *m, enum wf_aggr aggr)
{
    struct wf_error err = { 0 };
    struct wf_graph_config raw = { .kind = WF_GCN, .raw = true };
    ok(wf_graph_init(&m->graph, wf_backend_cpu(), &sparse_edges, &raw, &err));
    wf_params_init(&m->ps, wf_backend_cpu());
    wf_dygrencoder_cell_init(&m->cell, &m->ps, "cell",
                             (struct wf_dygrencoder_sizes){ 4, 2, 3, aggr });
    m->weight = wf_params_add(&m->ps, "weight", 1, wf_dims(SPARSE_EDGES), (struct wf_init){ 0 });
}

static void dygrencoder_free(struct dygrencoder *m)
{
    wf_graph_free(&m->graph);
    wf_params_free(&m->ps);
}

static struct wf_tensor *three_steps(struct wf_tape *g, void *ctx)
{
    struct dygrencoder *m = ctx;
    struct wf_tensor *h = sparse_noise(g, 1, 3, wf_dims(2, SPARSE_NODES, 3));
    struct wf_tensor *c = sparse_noise(g, 2, 3, wf_dims(2, SPARSE_NODES, 3));
    struct wf_supports S = wf_graph_supports(g, &m->graph, m->weight);
    for (int t = 0; t < 3; t++)
        wf_dygrencoder_cell(g, &m->cell, &S,
                            sparse_noise(g, 3 + (uint32_t)t, 3, wf_dims(2, SPARSE_NODES, 2)), &h,
                            &c);
    return wf_concat(g, h, c);
}

Test(dygrencoder, gradient_through_three_steps_edge_weights_included)
{
    for (int aggr = WF_AGGR_MEAN; aggr <= WF_AGGR_MAX; aggr++) {
        struct dygrencoder m;
        dygrencoder_init(&m, (enum wf_aggr)aggr);
        expect_param_gradients(&m.ps, three_steps, &m);
        dygrencoder_free(&m);
    }
    expect_no_leaks();
}

Test(dygrencoder, wide_inputs_and_other_graphs_are_refused)
{
    struct dygrencoder m;
    dygrencoder_init(&m, WF_AGGR_ADD);
    struct wf_tape g;
    struct wf_error err = { 0 };
    ok(wf_params_commit(&m.ps, 1, &err));
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    struct wf_tensor *h = wf_zeros(&g, 2, wf_dims(SPARSE_NODES, 3)), *c = h;
    struct wf_tensor *x = wf_zeros(&g, 2, wf_dims(SPARSE_NODES, 5));
    wf_dygrencoder_cell(&g, &m.cell, &m.graph.supports, x, &h, &c);
    expect_refused(&g, "gated graph: x is [5, 5], want [.., N, at most 4]");
    struct wf_supports none = { .count = 0 };
    wf_dygrencoder_cell(&g, &m.cell, &none, x, &h, &c);
    expect_refused(&g, "dygrencoder: the graph has 0 supports, want 1");
    wf_tape_free(&g);
    dygrencoder_free(&m);
    expect_no_leaks();
}
