/* These tests check the gradient of LRGCN's cell through three steps, with and without bases, and
 * what the cell refuses. */
#include "models/lrgcn.h"
#include <criterion/criterion.h>
#include "tests/kit/leaks.h"
#include "tests/kit/sparse.h"

TestSuite(lrgcn);

struct lrgcn {
    struct wf_params ps;
    struct wf_lrgcn_cell cell;
    struct wf_csr A;
};

static struct lrgcn lrgcn_init(int bases)
{
    struct lrgcn m = { .A = sparse_relations() };
    wf_params_init(&m.ps, wf_backend_cpu());
    wf_lrgcn_cell_init(&m.cell, &m.ps, "cell",
                       (struct wf_lrgcn_sizes){ 2, 3, SPARSE_RELATIONS, bases });
    return m;
}

static void lrgcn_free(struct lrgcn *m)
{
    wf_csr_free(&m->A);
    wf_params_free(&m->ps);
}

static struct wf_tensor *three_steps(struct wf_tape *g, void *ctx)
{
    struct lrgcn *m = ctx;
    struct wf_tensor *h = sparse_noise(g, 1, 3, wf_dims(2, SPARSE_NODES, 3));
    struct wf_tensor *c = sparse_noise(g, 2, 3, wf_dims(2, SPARSE_NODES, 3));
    for (int t = 0; t < 3; t++)
        wf_lrgcn_cell(g, &m->cell, &m->A, NULL,
                      sparse_noise(g, 3 + (uint32_t)t, 3, wf_dims(2, SPARSE_NODES, 2)), &h, &c);
    return wf_concat(g, h, c);
}

Test(lrgcn, gradient_through_three_steps_with_and_without_bases)
{
    for (int bases = 0; bases <= 2; bases += 2) {
        struct lrgcn m = lrgcn_init(bases);
        expect_param_gradients(&m.ps, three_steps, &m);
        lrgcn_free(&m);
    }
    expect_no_leaks();
}

Test(lrgcn, inputs_and_states_that_do_not_fit_are_refused)
{
    struct lrgcn m = lrgcn_init(2);
    struct wf_tape g;
    struct wf_error err = { 0 };
    cr_assert_eq(wf_params_commit(&m.ps, 1, &err), WF_OK);
    cr_assert_eq(wf_tape_init(&g, wf_backend_cpu(), &err), WF_OK);
    struct wf_tensor *h = wf_zeros(&g, 2, wf_dims(SPARSE_NODES, 3)), *c = h;
    wf_lrgcn_cell(&g, &m.cell, &m.A, NULL, wf_zeros(&g, 2, wf_dims(SPARSE_NODES, 3)), &h, &c);
    expect_refused(&g, "rgcn: x is [5, 3], the pattern [15, 5]: want [.., N, 2] and 3 relations");
    h = c = wf_zeros(&g, 2, wf_dims(SPARSE_NODES, 4));
    wf_lrgcn_cell(&g, &m.cell, &m.A, NULL, wf_zeros(&g, 2, wf_dims(SPARSE_NODES, 2)), &h, &c);
    expect_refused(&g, "rgcn: x is [5, 4]");
    wf_tape_free(&g);
    lrgcn_free(&m);
    expect_no_leaks();
}
