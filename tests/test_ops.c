#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <omp.h>
#include <string.h>
#include "autograd/gradcheck.h"
#include "tensor/alloc.h"
#include "tensor/rng.h"
#include "tests/cases.h"
#include "tests/leaks.h"

enum { MOST = 512 };

/* The inputs of one row. Strided: a leaf is stored with its axes reversed and permuted back. */
struct run {
    const struct op_case *row;
    struct case_graph G;
    struct wf_tensor leaf[CASE_INPUTS], grad[CASE_INPUTS], *list[CASE_INPUTS];
    wf_real data[CASE_INPUTS][MOST], slope[CASE_INPUTS][MOST];
    int n;
    bool strided;
};

static enum wf_status run_init(struct run *r, int row, bool strided, struct wf_error *err)
{
    *r = (struct run){ .row = &op_cases[row], .strided = strided };
    WF_TRY(case_graph_init(&r->G, err));
    for (int i = 0; i < CASE_INPUTS && r->row->shape[i][0]; i++, r->n++) {
        int nd = 0, shape[WF_MAXDIM];
        while (nd < WF_MAXDIM && r->row->shape[i][nd]) nd++;
        for (int k = 0; k < nd; k++) shape[k] = r->row->shape[i][strided ? nd - 1 - k : k];
        r->leaf[i] = (struct wf_tensor){
            .data = r->data[i], .be = wf_backend_cpu(), .grad = &r->grad[i], .needs_grad = true
        };
        r->grad[i] = (struct wf_tensor){ .data = r->slope[i], .be = wf_backend_cpu() };
        wf_tensor_shape(&r->leaf[i], nd, shape);
        wf_tensor_shape(&r->grad[i], nd, shape);
        struct wf_rng rng = { .seed = 11, .stream = (uint32_t)i };
        for (int k = 0; k < wf_tensor_count(&r->leaf[i]); k++)
            r->data[i][k] = (wf_real)(2 * wf_rng_uniform(&rng) - 1 + r->row->shift);
        r->list[i] = &r->leaf[i];
    }
    if (strncmp(r->row->name, "loss", 4) == 0) r->leaf[1].needs_grad = false; /* the target */
    return WF_OK;
}

static struct wf_tensor *reversed(struct wf_tape *g, struct wf_tensor *x)
{
    switch (x->ndim) {
    case 2:
        return wf_permute(g, x, 1, 0);
    case 3:
        return wf_permute(g, x, 2, 1, 0);
    case 4:
        return wf_permute(g, x, 3, 2, 1, 0);
    default:
        return x;
    }
}

static struct wf_tensor *build(struct wf_tape *g, void *ctx)
{
    struct run *r = ctx;
    struct wf_tensor *in[CASE_INPUTS];
    struct wf_step step = { .seed = 5, .teach = 0.6 };
    wf_tape_set_step(g, &step);
    for (int i = 0; i < r->n; i++) in[i] = r->strided ? reversed(g, r->list[i]) : r->list[i];
    return r->row->build(g, &r->G, in);
}

static enum wf_status check(struct run *r, double *worst, int *which, struct wf_error *err)
{
    struct wf_gradcheck c = {
        .build = build, .ctx = r, .leaf = r->list, .leaves = r->n, .seed = 3
    };
    return wf_gradcheck_run(&c, wf_backend_cpu(), worst, which, err);
}

#define FOR_EVERY_ROW(test)                                                                        \
    ParameterizedTestParameters(ops, test)                                                         \
    {                                                                                              \
        static int row[256];                                                                       \
        for (int i = 0; i < op_cases_count; i++) row[i] = i;                                       \
        return cr_make_param_array(int, row, (size_t)op_cases_count);                              \
    }                                                                                              \
    ParameterizedTest(int *row, ops, test)

static void expect_gradient(int row, bool strided)
{
    static struct run r;
    struct wf_error err = { 0 };
    double worst;
    int which;
    cr_assert_eq(run_init(&r, row, strided, &err), WF_OK, "%s", err.message);
    cr_assert_eq(check(&r, &worst, &which, &err), WF_OK, "%s: %s", r.row->name, err.message);
    /* Float: differences of values near 1 over a step of 1e-3. */
    double bar = sizeof(wf_real) == 8 ? 1e-7 : 1e-2;
    cr_expect(worst <= bar, "%s: input %d off by %.3g", r.row->name, which, worst);
    case_graph_free(&r.G);
}

FOR_EVERY_ROW(gradient_equals_finite_differences)
{
    expect_gradient(*row, false);
    expect_no_leaks();
}

FOR_EVERY_ROW(gradient_is_right_for_strided_inputs)
{
    expect_gradient(*row, true);
    expect_no_leaks();
}

FOR_EVERY_ROW(every_failing_allocation_is_clean)
{
    static struct run r;
    double worst;
    int which, n = 0;
    for (;; n++) {
        struct wf_error err = { 0 };
        cr_assert(n < 2000);
        wf_alloc_fail_after(n);
        enum wf_status s = run_init(&r, *row, false, &err);
        if (s == WF_OK) s = check(&r, &worst, &which, &err);
        wf_alloc_fail_after(-1);
        case_graph_free(&r.G);
        cr_assert_eq(wf_alloc_live(), 0, "%s leaks when allocation %d fails", r.row->name, n);
        if (s == WF_OK) break;
        cr_assert_eq(s, WF_ENOMEM, "%s, allocation %d: %s", r.row->name, n, err.message);
        cr_assert(err.message[0], "%s, allocation %d: no message", r.row->name, n);
    }
    cr_expect(n > 5, "only %d allocations", n);
    expect_no_leaks();
}

FOR_EVERY_ROW(bits_do_not_depend_on_threads)
{
    static struct run r;
    static wf_real first[CASE_INPUTS][MOST];
    struct wf_error err = { 0 };
    double worst;
    int which;
    cr_assert_eq(run_init(&r, *row, false, &err), WF_OK);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        cr_assert_eq(check(&r, &worst, &which, &err), WF_OK, "%s", err.message);
        if (threads == 1)
            memcpy(first, r.slope, sizeof first);
        else
            cr_expect_arr_eq(first, r.slope, sizeof first, "%s with %d threads", r.row->name,
                             threads);
    }
    case_graph_free(&r.G);
    expect_no_leaks();
}
