/* These tests check the gradients of DNNTSP's layers, their dependences, and what they refuse. */
#include "models/dnntsp.h"
#include <criterion/criterion.h>
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/sparse.h"

TestSuite(dnntsp);

enum { D = 3 };

struct dnntsp {
    struct wf_params ps;
    struct wf_dnntsp net;
    struct wf_graph graph;
};

/* Initialises m in place, since supports point into their graph. */
static void dnntsp_init(struct dnntsp *m)
{
    struct wf_error err = { 0 };
    struct wf_graph_config cfg = { .kind = WF_GCN };
    ok(wf_graph_init(&m->graph, wf_backend_cpu(), &sparse_edges, &cfg, &err));
    wf_params_init(&m->ps, wf_backend_cpu());
    wf_dnntsp_init(&m->net, &m->ps, "net", (struct wf_dnntsp_sizes){ SPARSE_NODES, D, 2 });
}

static void dnntsp_free(struct dnntsp *m)
{
    wf_graph_free(&m->graph);
    wf_params_free(&m->ps);
}

static struct wf_tensor *three_samples(struct wf_tape *g, void *ctx)
{
    struct dnntsp *m = ctx;
    struct wf_tensor *x = sparse_noise(g, 1, 3, wf_dims(3, SPARSE_NODES, D));
    return wf_dnntsp(g, &m->net, &m->graph.supports, x);
}

Test(dnntsp, gradient_in_every_parameter)
{
    struct dnntsp m;
    dnntsp_init(&m);
    expect_param_gradients(&m.ps, three_samples, &m);
    dnntsp_free(&m);
    expect_no_leaks();
}

static struct wf_tensor *forecast(struct wf_tape *g, void *ctx, struct wf_tensor *x)
{
    struct dnntsp *m = ctx;
    if (x->ndim == 2) x = wf_unsqueeze(g, x, 0);
    return wf_dnntsp(g, &m->net, &m->graph.supports, x);
}

Test(dnntsp, samples_do_not_see_each_other_outside_training)
{
    struct dnntsp m;
    struct wf_tape g;
    struct wf_error err = { 0 };
    dnntsp_init(&m);
    ok(wf_params_commit(&m.ps, 1, &err));
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    g.training = false;
    expect_samples_apart(&g, forecast, &m, D);
    wf_tape_free(&g);
    dnntsp_free(&m);
    expect_no_leaks();
}

/* Node 2 of the graph has no edge, so only the attention brings its values to other nodes. */
Test(dnntsp, items_see_those_before_them_and_alpha_weighs_the_embedding)
{
    struct dnntsp m;
    struct wf_tape g;
    struct wf_error err = { 0 };
    wf_real out[2][SPARSE_NODES * D];
    dnntsp_init(&m);
    ok(wf_params_commit(&m.ps, 1, &err));
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    g.training = false;
    m.net.alpha->data[0] = 1;
    m.net.alpha->data[4] = 0;
    struct wf_tensor *x = sparse_noise(&g, 2, 3, wf_dims(1, SPARSE_NODES, D));
    for (int i = 0; i < 2; i++) {
        wf_tensor_download(forecast(&g, &m, x), out[i]);
        for (int c = 0; c < D; c++) x->data[2 * D + c] += 3;
        for (int c = 0; c < D; c++) m.net.items->data[c] = 7; /* item 0 does not see it */
    }
    ok(g.error.status);
    for (int i = 0; i < 2 * D; i++)
        cr_expect_float_eq(out[0][i], out[1][i], 1e-5, "items 0 and 1 see item 2");
    cr_expect_arr_neq(&out[0][3 * D], &out[1][3 * D], D * sizeof(wf_real), "item 3 does not");
    cr_expect_arr_eq(&out[0][4 * D], m.net.items->data + 4 * D, D * sizeof(wf_real));
    wf_tape_free(&g);
    dnntsp_free(&m);
    expect_no_leaks();
}

Test(dnntsp, inputs_that_do_not_fit_are_refused)
{
    struct dnntsp m;
    struct wf_tape g;
    struct wf_error err = { 0 };
    dnntsp_init(&m);
    ok(wf_params_commit(&m.ps, 1, &err));
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    wf_dnntsp(&g, &m.net, &m.graph.supports, wf_zeros(&g, 3, wf_dims(2, 4, D)));
    expect_refused(&g, "dnntsp: x [2, 4, 3], graph of 5 nodes: want [B, 5, 3]");
    struct wf_supports other = m.graph.supports;
    other.nodes = 10;
    wf_dnntsp(&g, &m.net, &other, wf_zeros(&g, 3, wf_dims(1, 5, D)));
    expect_refused(&g, "dnntsp: x [1, 5, 3], graph of 10 nodes");
    wf_tape_free(&g);
    dnntsp_free(&m);
    expect_no_leaks();
}
