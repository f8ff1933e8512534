/* Tests every row of tests/kit/cases.c: gradients, strided inputs, failing allocations, threads. */
#include <criterion/criterion.h>
#include <math.h>
#include <omp.h>
#include <string.h>
#include "autograd/gradcheck.h"
#include "tensor/alloc.h"
#include "tensor/rng.h"
#include "tests/kit/cases.h"
#include "tests/kit/leaks.h"
#include "tests/kit/rows.h"

static enum wf_status check(struct case_run *r, double *worst, int *which, struct wf_error *err)
{
    struct wf_gradcheck c = {
        .build = case_run_build, .ctx = r, .leaf = r->list, .leaves = r->n, .seed = 3
    };
    return wf_gradcheck_run(&c, wf_backend_cpu(), worst, which, err);
}

#define FOR_EVERY_ROW(test) TEST_ROWS(ops, test, op_cases_count)

static void expect_gradient(int row, enum case_inputs how)
{
    static struct case_run r;
    struct wf_error err = { 0 };
    double worst;
    int which;
    cr_assert_eq(case_run_init(&r, wf_backend_cpu(), &op_cases[row], how, false, &err), WF_OK, "%s",
                 err.message);
    cr_assert_eq(check(&r, &worst, &which, &err), WF_OK, "%s: %s", r.row->name, err.message);
    /* In float, gradients are differences of values near 1 over a step of 1e-3. */
    double bar = sizeof(wf_real) == 8 ? 1e-7 : 1e-2;
    cr_expect(worst <= bar, "%s: input %d off by %.3g", r.row->name, which, worst);
    case_run_free(&r);
}

FOR_EVERY_ROW(gradient_equals_finite_differences)
{
    expect_gradient(row, CASE_LEAVES);
    expect_no_leaks();
}

FOR_EVERY_ROW(gradient_is_right_for_strided_inputs)
{
    expect_gradient(row, CASE_STRIDED);
    expect_no_leaks();
}

FOR_EVERY_ROW(gradient_reads_nothing_of_fresh_memory)
{
    expect_gradient(row, CASE_FRESH);
    expect_no_leaks();
}

FOR_EVERY_ROW(every_failing_allocation_is_clean)
{
    static struct case_run r;
    double worst;
    int which, n = 0;
    for (;; n++) {
        struct wf_error err = { 0 };
        cr_assert(n < 2000);
        wf_alloc_fail_after(n);
        enum wf_status s =
            case_run_init(&r, wf_backend_cpu(), &op_cases[row], CASE_LEAVES, false, &err);
        if (s == WF_OK) s = check(&r, &worst, &which, &err);
        wf_alloc_fail_after(-1);
        case_run_free(&r);
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
    static struct case_run r;
    static wf_real first[CASE_INPUTS][512];
    struct wf_error err = { 0 };
    double worst;
    int which;
    cr_assert_eq(case_run_init(&r, wf_backend_cpu(), &op_cases[row], CASE_LEAVES, false, &err),
                 WF_OK);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        cr_assert_eq(check(&r, &worst, &which, &err), WF_OK, "%s", err.message);
        for (int i = 0; i < r.n; i++) {
            size_t bytes = (size_t)wf_tensor_count(&r.grad[i]) * sizeof **first;
            cr_assert(bytes <= sizeof *first);
            if (threads == 1)
                memcpy(first[i], r.grad[i].data, bytes);
            else
                cr_expect_arr_eq(first[i], r.grad[i].data, bytes, "%s with %d threads", r.row->name,
                                 threads);
        }
    }
    case_run_free(&r);
    expect_no_leaks();
}
