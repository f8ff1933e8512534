/* These tests check the gradient of HeteroGCLSTM's cell over all node types, and its refusals. */
#include "models/heterogclstm.h"
#include <criterion/criterion.h>
#include <string.h>
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/sparse.h"

TestSuite(heterogclstm);

enum { TYPES = 3, RELATIONS = 3 };
static const int nodes[TYPES] = { SPARSE_NODES, 3, 2 };

/* Two relations lead to cars, one to roads, none to lights. */
static const struct wf_heterogclstm_config config = {
    .types = TYPES,
    .relations = RELATIONS,
    .hidden = 3,
    .type = { "car", "road", "light" },
    .channels = { 2, 1, 2 },
    .relation = { { "follows", 0, 0 }, { "carries", 1, 0 }, { "is_on", 0, 1 } },
};

struct hetero {
    struct wf_params ps;
    struct wf_heterogclstm_cell cell;
    struct wf_csr A[RELATIONS];
};

static void hetero_init(struct hetero *m)
{
    static const int row[] = { 0, 1, 1, 4 }, col[] = { 2, 0, 0, 1 };
    struct wf_backend *be = wf_backend_cpu();
    struct wf_error err = { 0 };
    m->A[0] = sparse_pattern();
    ok(wf_csr_from_pairs(&m->A[1], be, nodes[0], nodes[1], 4, row, col, NULL, &err));
    ok(wf_csr_from_pairs(&m->A[2], be, nodes[1], nodes[0], 4, col, row, NULL, &err));
    wf_params_init(&m->ps, be);
    wf_heterogclstm_cell_init(&m->cell, &m->ps, "cell", &config);
}

static void hetero_free(struct hetero *m)
{
    for (int k = 0; k < RELATIONS; k++) wf_csr_free(&m->A[k]);
    wf_params_free(&m->ps);
}

static struct wf_tensor *two_steps(struct wf_tape *g, void *ctx)
{
    struct hetero *m = ctx;
    struct wf_tensor *x[TYPES], *h[TYPES], *c[TYPES], *all[2 * TYPES];
    for (uint32_t a = 0; a < TYPES; a++) {
        h[a] = sparse_noise(g, a, 3, wf_dims(2, nodes[a], 3));
        c[a] = sparse_noise(g, 10 + a, 3, wf_dims(2, nodes[a], 3));
    }
    for (uint32_t t = 0; t < 2; t++) {
        for (uint32_t a = 0; a < TYPES; a++)
            x[a] = sparse_noise(g, 20 + 10 * t + a, 3, wf_dims(2, nodes[a], config.channels[a]));
        wf_heterogclstm_cell(g, &m->cell, m->A, x, h, c);
    }
    for (int a = 0; a < TYPES; a++) {
        all[a] = h[a];
        all[TYPES + a] = c[a];
    }
    return wf_concat_n(g, all, 2 * TYPES, 1);
}

Test(heterogclstm, gradient_through_two_steps_of_all_types)
{
    static struct hetero m;
    hetero_init(&m);
    expect_param_gradients(&m.ps, two_steps, &m);
    hetero_free(&m);
    expect_no_leaks();
}

Test(heterogclstm, patterns_and_configurations_that_do_not_fit_are_refused)
{
    static struct hetero m;
    struct wf_tape g;
    struct wf_error err = { 0 };
    hetero_init(&m);
    ok(wf_params_commit(&m.ps, 1, &err));
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    struct wf_csr right = m.A[1];
    m.A[1] = m.A[2];
    two_steps(&g, &m);
    expect_refused(&g, "spmm: x is [2, 3, 3], want [.., 5, C]");
    m.A[1] = right;
    wf_tape_free(&g);
    hetero_free(&m);

    struct wf_heterogclstm_config odd = config;
    odd.relation[2].target = TYPES;
    wf_params_init(&m.ps, wf_backend_cpu());
    wf_heterogclstm_cell_init(&m.cell, &m.ps, "cell", &odd);
    cr_expect_eq(wf_params_commit(&m.ps, 1, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "3 types of nodes and 3 relations"), "%s", err.message);
    wf_params_free(&m.ps);
    expect_no_leaks();
}
