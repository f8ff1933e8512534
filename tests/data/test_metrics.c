/* These tests compare masked errors with sums by hand. */
#include <criterion/criterion.h>
#include <math.h>
#include "data/metrics.h"
#include "tensor/alloc.h"

static struct wf_metrics make(int Q)
{
    struct wf_metrics m;
    struct wf_error err = { 0 };
    cr_assert(wf_metrics_init(&m, Q, &err) == WF_OK, "%s", err.message);
    return m;
}

/* There are two samples, horizons and nodes; horizon 0 misses one target and has one of 0. */
static const wf_real target[] = { 10, (wf_real)NAN, 4, 8, 0, 20, 5, 1 };
static const wf_real pred[] = { 13, 99, 4, 6, 1, 16, 6, 1 };

Test(metrics, errors_are_means_over_what_counts)
{
    struct wf_metrics m = make(2);
    wf_metrics_add(&m, pred, target, 2, 2, 1);
    cr_assert_float_eq(wf_metrics_mae(&m, 0), (3 + 1 + 4) / 3.0, 1e-12);
    cr_assert_float_eq(wf_metrics_rmse(&m, 0), sqrt((9 + 1 + 16) / 3.0), 1e-12);
    cr_assert_float_eq(wf_metrics_mape(&m, 0), 100 * (0.3 + 0.2) / 2, 1e-12);
    cr_assert_float_eq(wf_metrics_mae(&m, 1), (0 + 2 + 1 + 0) / 4.0, 1e-12);
    cr_assert_float_eq(wf_metrics_mae(&m, -1), 11 / 7.0, 1e-12, "a mean of sums, not of means");
    cr_assert_float_eq(wf_metrics_rmse(&m, -1), sqrt(31 / 7.0), 1e-12);
    cr_assert_float_eq(wf_metrics_mape(&m, -1), 100 * (0.3 + 0.2 + 0.25 + 0.2) / 6, 1e-12);
    wf_metrics_free(&m);
    cr_assert_eq(wf_alloc_live(), 0);
}

/* Sample by sample gives the batch's result: batches of any size weigh their targets alike. */
Test(metrics, sums_do_not_depend_on_the_batches)
{
    struct wf_metrics whole = make(2), parts = make(2);
    wf_metrics_add(&whole, pred, target, 2, 2, 1);
    wf_metrics_add(&parts, pred, target, 1, 2, 1);
    wf_metrics_add(&parts, pred + 4, target + 4, 1, 2, 1);
    for (int q = -1; q < 2; q++) {
        cr_assert_eq(wf_metrics_mae(&whole, q), wf_metrics_mae(&parts, q));
        cr_assert_eq(wf_metrics_rmse(&whole, q), wf_metrics_rmse(&parts, q));
        cr_assert_eq(wf_metrics_mape(&whole, q), wf_metrics_mape(&parts, q));
    }
    wf_metrics_free(&whole);
    wf_metrics_free(&parts);
}

Test(metrics, the_reference_number_is_a_mean_of_batches)
{
    struct wf_metrics m = make(2);
    wf_metrics_add(&m, pred, target, 1, 2, 1);
    double first = wf_metrics_pgt_mae(&m);
    wf_metrics_reset(&m);
    wf_metrics_add(&m, pred + 4, target + 4, 1, 2, 1);
    double second = wf_metrics_pgt_mae(&m);
    wf_metrics_reset(&m);
    wf_metrics_add(&m, pred, target, 1, 2, 1);
    wf_metrics_add(&m, pred + 4, target + 4, 1, 2, 1);
    cr_assert_float_eq(wf_metrics_pgt_mae(&m), (first + second) / 2, 1e-12);
    wf_metrics_reset(&m);
    static const wf_real p[] = { 3, 7, 5, 9 }, t[] = { 1, 0, (wf_real)NAN, 8 };
    static const wf_real none[] = { 0, 0, 0, (wf_real)NAN };
    wf_metrics_add(&m, p, t, 1, 2, 1);
    cr_assert_float_eq(wf_metrics_pgt_mae(&m), 1.5, 1e-12, "targets 1 and 8 alone count");
    wf_metrics_add(&m, p, none, 1, 2, 1);
    cr_assert_float_eq(wf_metrics_pgt_mae(&m), 0.75, 1e-12, "a batch of nothing is 0");
    wf_metrics_free(&m);
}

Test(metrics, large_batches_sum_every_channel_at_its_horizon)
{
    enum { B = 40, Q = 3, N = 300, C = 2 };
    static wf_real p[B * Q * N * C], t[B * Q * N * C];
    struct wf_metrics m = make(Q);
    for (int i = 0; i < B * Q * N * C; i++) {
        t[i] = 100;
        p[i] = (wf_real)(100 + i / (N * C) % Q + i % C);
    }
    wf_metrics_add(&m, p, t, B, N, C);
    for (int q = 0; q < Q; q++) {
        cr_assert_eq(m.count[q], B * N * C);
        cr_assert_float_eq(wf_metrics_mae(&m, q), q + 0.5, 1e-12);
    }
    wf_metrics_free(&m);
}

Test(metrics, nothing_counted_is_nan_and_reset_forgets)
{
    struct wf_metrics m = make(2);
    cr_assert(isnan(wf_metrics_mae(&m, -1)) && isnan(wf_metrics_rmse(&m, 0)));
    wf_metrics_add(&m, pred, target, 2, 2, 1);
    wf_metrics_reset(&m);
    cr_assert(isnan(wf_metrics_mae(&m, -1)) && isnan(wf_metrics_mape(&m, 1)));
    const wf_real zero[2] = { 0, 0 }, one[2] = { 1, 1 };
    wf_metrics_add(&m, one, zero, 1, 1, 1);
    cr_assert_eq(wf_metrics_mae(&m, -1), 1);
    cr_assert(isnan(wf_metrics_mape(&m, -1)), "targets of 0 have no percentage");
    wf_metrics_free(&m);
}

Test(metrics, a_forecast_that_is_no_number_shows)
{
    struct wf_metrics m = make(1);
    const wf_real bad[2] = { (wf_real)NAN, 1 }, good[2] = { 1, 1 };
    wf_metrics_add(&m, bad, good, 1, 2, 1);
    cr_assert(isnan(wf_metrics_mae(&m, 0)) && m.count[0] == 2);
    wf_metrics_free(&m);
}

Test(metrics, init_refuses_no_horizon_and_no_memory)
{
    struct wf_metrics m;
    struct wf_error err = { 0 };
    cr_assert(wf_metrics_init(&m, 0, &err) == WF_EINVAL && err.message[0]);
    wf_alloc_fail_after(0);
    cr_assert(wf_metrics_init(&m, 3, &err) == WF_ENOMEM);
    wf_metrics_free(&m);
    cr_assert_eq(wf_alloc_live(), 0);
}
