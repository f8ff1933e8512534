/* These tests check persistence, historical average and ridge regression, the forecasts that a
 * network has to beat, on made data. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "models/baselines.h"
#include "tensor/alloc.h"

/* The series has three weeks of hourly rows from Sunday, 2017-01-01. */
enum { E = 504, N = 3, T = 4, Q = 3 };
static const int64_t sunday = 1483228800;
static const double shares[3] = { 0.7, 0.1, 0.2 };

typedef float series_fn(int e, int n);

static struct wf_series make(series_fn *f, bool clock)
{
    static float host[E * N];
    struct wf_series s;
    struct wf_error err = { 0 };
    for (int i = 0; i < E * N; i++) host[i] = f(i / N, i % N);
    cr_assert(wf_series_init(&s, wf_backend_cpu(), E, N, 1, &err) == WF_OK);
    cr_assert(wf_series_put(&s, 0, E, host, false) == WF_OK);
    if (clock) cr_assert(wf_series_clock(&s, NULL, sunday, 3600, &err) == WF_OK);
    return s;
}

static struct wf_split split_of(const struct wf_series *s)
{
    struct wf_split sp;
    struct wf_error err = { 0 };
    cr_assert(wf_split_make(&sp, s, T, Q, shares, &err) == WF_OK, "%s", err.message);
    return sp;
}

static struct wf_baseline_config config(void)
{
    struct wf_baseline_config cfg = wf_baseline_defaults();
    cfg.T = T;
    cfg.Q = Q;
    return cfg;
}

static struct wf_baseline fit(enum wf_baseline_kind kind, const struct wf_series *s,
                              const struct wf_baseline_config *cfg)
{
    struct wf_split sp = split_of(s);
    struct wf_baseline b;
    struct wf_error err = { 0 };
    cr_assert(wf_baseline_fit(&b, kind, s, &sp, cfg, &err) == WF_OK, "%s", err.message);
    return b;
}

/* The value is the hour of the day on weekdays, plus 50 at weekends, plus 1000 for each node. */
static float daily(int e, int n)
{
    bool weekend = (e / 24 + 6) % 7 >= 5;
    return (float)(1000 * n + e % 24 + (weekend ? 50 : 0));
}

static float daily_with_gaps(int e, int n)
{
    if (n == 1) return NAN;                /* a node that never reports */
    if (n == 2 && e % 24 == 5) return NAN; /* an hour that is always missing */
    if (e >= 400 && e <= 402) return NAN;  /* a hole in the test part */
    return daily(e, n);
}

/* In this series node 1 repeats what node 0 showed one step before. */
static float noise(int e)
{
    uint32_t h = (uint32_t)e * 2654435761u;
    h = (h ^ (h >> 15)) * 2246822519u;
    return (float)(h >> 8) * 0x1p-24f;
}
static float leader(int e, int n)
{
    return n == 2 ? 2.5f : n == 1 ? 10 * noise(e - 1) + 5 : 10 * noise(e) + 5;
}

Test(baselines, persistence_repeats_the_last_valid_input)
{
    struct wf_series s = make(daily_with_gaps, true);
    struct wf_baseline_config cfg = config();
    struct wf_baseline b = fit(WF_PERSISTENCE, &s, &cfg);
    wf_real pred[Q * N];
    wf_baseline_predict(&b, 399, pred); /* rows 400 to 402 are missing */
    for (int q = 0; q < Q; q++) {
        cr_assert_eq(pred[q * N], (wf_real)daily(399, 0));
        cr_assert_eq(pred[q * N + 2], (wf_real)daily(399, 2));
        cr_assert_eq(pred[q * N + 1], b.scaler.mean[0], "no value at all: the series' mean");
    }
    s.values[399 * N + 2] = (wf_real)NAN;
    wf_baseline_predict(&b, 399, pred);
    cr_assert_eq(pred[2], b.node_mean[2], "no value in the window: the node's mean");
    cr_assert(b.node_mean[2] > 2000 && b.node_mean[2] < 2100);
    wf_baseline_free(&b);
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(baselines, historical_average_knows_hour_and_weekend)
{
    struct wf_series s = make(daily, true);
    struct wf_baseline_config cfg = config();
    struct wf_baseline b = fit(WF_HISTORICAL_AVERAGE, &s, &cfg);
    wf_real pred[Q * N];
    for (int start = 0; start < E - T - Q + 1; start++) {
        wf_baseline_predict(&b, start, pred);
        for (int i = 0; i < Q * N; i++)
            cr_assert_eq(pred[i], (wf_real)daily(start + T + i / N, i % N), "%d, %d", start, i);
    }
    wf_baseline_free(&b);
    wf_series_free(&s);
}

Test(baselines, historical_average_falls_back_to_the_node)
{
    struct wf_series s = make(daily_with_gaps, true), blind = make(daily, false);
    struct wf_baseline_config cfg = config();
    struct wf_baseline b = fit(WF_HISTORICAL_AVERAGE, &s, &cfg);
    struct wf_baseline c = fit(WF_HISTORICAL_AVERAGE, &blind, &cfg);
    wf_real pred[Q * N];
    wf_baseline_predict(&b, 24 + 5 - T, pred); /* the first target is at 5 o'clock */
    cr_assert_eq(pred[0], 5);
    cr_assert_eq(pred[2], b.node_mean[2]);
    wf_baseline_predict(&c, 0, pred);
    cr_assert_eq(pred[N + 1], c.node_mean[1], "without a clock there is one average");
    wf_baseline_free(&b);
    wf_baseline_free(&c);
    wf_series_free(&s);
    wf_series_free(&blind);
}

/* The averages come from the training rows only, so changes in later rows must not show. */
Test(baselines, averages_do_not_see_the_test_part)
{
    struct wf_series s = make(daily, true);
    struct wf_baseline_config cfg = config();
    struct wf_split sp = split_of(&s);
    struct wf_baseline before = fit(WF_RIDGE, &s, &cfg), after;
    struct wf_error err = { 0 };
    for (int e = sp.count[WF_TRAIN] + T + Q - 1; e < E; e++) s.values[e * N] = 7777;
    cr_assert(wf_baseline_fit(&after, WF_RIDGE, &s, &sp, &cfg, &err) == WF_OK);
    cr_assert(memcmp(before.average, after.average, sizeof(wf_real) * 48 * N) == 0);
    cr_assert(memcmp(before.coef, after.coef, sizeof(double) * Q * (T + 3)) == 0);
    wf_baseline_free(&before);
    wf_baseline_free(&after);
    wf_series_free(&s);
}

/* Node 1 repeats node 0 one step later, so node 0's last value is node 1's next. */
Test(baselines, ridge_learns_from_a_neighbour)
{
    struct wf_series s = make(leader, false);
    struct wf_split sp = split_of(&s);
    struct wf_baseline_config cfg = config();
    struct wf_csr graph;
    struct wf_metrics with, without;
    struct wf_error err = { 0 };
    const int row[] = { 0, 1, 1, 2 }, col[] = { 0, 0, 1, 2 };
    const wf_real weight[] = { 1, (wf_real)0.5, 1, 1 };
    cr_assert(wf_csr_from_pairs(&graph, s.be, N, N, 4, row, col, NULL, &err) == WF_OK);
    cr_assert(wf_metrics_init(&with, Q, &err) == WF_OK);
    cr_assert(wf_metrics_init(&without, Q, &err) == WF_OK);
    cr_assert(wf_baseline_eval(WF_RIDGE, &s, &sp, &cfg, &without, &err) == WF_OK);
    cfg.graph = &graph;
    cfg.weight = weight;
    cr_assert(wf_baseline_eval(WF_RIDGE, &s, &sp, &cfg, &with, &err) == WF_OK, "%s", err.message);
    cr_assert_lt(wf_metrics_mae(&with, 0), 0.85 * wf_metrics_mae(&without, 0));
    cr_assert_gt(wf_metrics_mae(&with, 1), 0.9 * wf_metrics_mae(&without, 1));
    wf_metrics_free(&with);
    wf_metrics_free(&without);
    wf_csr_free(&graph);
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

/* Row 0 keeps itself and six of its seven neighbours; row 1 has one neighbour and a zero weight. */
Test(baselines, ridge_takes_the_six_largest_weights)
{
    enum { NODES = 10 };
    static float host[E * NODES];
    struct wf_series s;
    struct wf_csr graph;
    struct wf_baseline b;
    struct wf_baseline_config cfg = config();
    struct wf_error err = { 0 };
    const int row[] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1 }, col[] = { 0, 1, 2, 3, 4, 6, 7, 8, 2, 3 };
    const wf_real weight[] = { 9, 3, 5, 1, 8, 4, 7, 6, 0, 2 };
    const int want[] = { 4, 7, 8, 2, 6, 1, 3, -1, -1, -1, -1, -1 };
    for (int i = 0; i < E * NODES; i++) host[i] = noise(i);
    cr_assert(wf_series_init(&s, wf_backend_cpu(), E, NODES, 1, &err) == WF_OK);
    cr_assert(wf_series_put(&s, 0, E, host, false) == WF_OK);
    cr_assert(wf_csr_from_pairs(&graph, s.be, NODES, NODES, 10, row, col, NULL, &err) == WF_OK);
    struct wf_split sp = split_of(&s);
    cfg.graph = &graph;
    cfg.weight = weight;
    cr_assert(wf_baseline_fit(&b, WF_RIDGE, &s, &sp, &cfg, &err) == WF_OK, "%s", err.message);
    cr_assert(memcmp(b.neighbour, want, sizeof want) == 0);
    wf_baseline_free(&b);
    wf_csr_free(&graph);
    wf_series_free(&s);
}

/* A sine is a linear recurrence of two terms, so with almost no penalty the forecast is exact. */
static float sine(int e, int n)
{
    return (float)(50 + 10 * sin(0.7 * e + n));
}

Test(baselines, ridge_finds_a_linear_recurrence)
{
    struct wf_series s = make(sine, false);
    struct wf_split sp = split_of(&s);
    struct wf_baseline_config cfg = config();
    struct wf_metrics m, lazy;
    struct wf_error err = { 0 };
    cfg.lambda = 1e-4;
    cr_assert(wf_metrics_init(&m, Q, &err) == WF_OK && wf_metrics_init(&lazy, Q, &err) == WF_OK);
    cr_assert(wf_baseline_eval(WF_RIDGE, &s, &sp, &cfg, &m, &err) == WF_OK, "%s", err.message);
    cr_assert_lt(wf_metrics_mae(&m, -1), 1e-3);
    cfg.lambda = 1e9; /* nothing but the constant is left */
    cr_assert(wf_baseline_eval(WF_RIDGE, &s, &sp, &cfg, &lazy, &err) == WF_OK);
    cr_assert_float_eq(wf_metrics_mae(&lazy, -1), 20 / 3.14159, 0.2);
    wf_metrics_free(&m);
    wf_metrics_free(&lazy);
    wf_series_free(&s);
}

Test(baselines, eval_scores_the_test_windows)
{
    struct wf_series s = make(daily_with_gaps, true);
    struct wf_split sp = split_of(&s);
    struct wf_baseline_config cfg = config();
    struct wf_metrics m;
    struct wf_error err = { 0 };
    double sum = 0, count = 0;
    cr_assert(wf_metrics_init(&m, Q, &err) == WF_OK);
    cr_assert(wf_baseline_eval(WF_PERSISTENCE, &s, &sp, &cfg, &m, &err) == WF_OK);
    for (int i = 0; i < sp.count[WF_TEST]; i++)
        for (int n = 0; n < N; n++) {
            int now = sp.first[WF_TEST] + i + T - 1;
            double y = (double)s.values[(now + 2) * N + n];
            while (!(s.values[now * N + n] == s.values[now * N + n]) && n != 1) now--;
            if (y != y) continue;
            sum += fabs(y - (double)s.values[now * N + n]);
            count++;
        }
    cr_assert_eq(m.count[1], count);
    cr_assert_float_eq(wf_metrics_mae(&m, 1), sum / count, 1e-9);
    wf_metrics_free(&m);
    wf_series_free(&s);
}

Test(baselines, refusals_name_what_is_wrong)
{
    struct wf_series s = make(daily, true), empty = s, elsewhere = s;
    struct wf_split sp = split_of(&s);
    struct wf_backend other = *s.be;
    struct wf_baseline_config good = config(), cfg[4] = { good, good, good, good };
    struct wf_csr graph = { .rows = 2, .cols = 2 };
    struct wf_metrics m;
    struct wf_baseline b;
    struct wf_error err = { 0 };
    other.name = "another";
    elsewhere.be = &other;
    cfg[0].Q = Q + 1; /* the split was made for Q */
    cfg[1].lambda = -1;
    cfg[2].graph = &graph;
    cfg[3].T = 0;
    static const char *const text[4] = { "the series has 504", "lambda is -1",
                                         "graph [2, 2] without weights", "0 input" };
    for (int i = 0; i < 4; i++) {
        cr_assert(wf_baseline_fit(&b, WF_RIDGE, &s, &sp, &cfg[i], &err) == WF_EINVAL);
        cr_assert(strstr(err.message, text[i]), "%s", err.message);
    }
    cr_assert(wf_baseline_fit(&b, WF_PERSISTENCE, &elsewhere, &sp, &good, &err) == WF_EINVAL);
    cr_assert(strstr(err.message, "another"), "%s", err.message);
    cr_assert(wf_metrics_init(&m, Q + 1, &err) == WF_OK);
    cr_assert(wf_baseline_eval(WF_PERSISTENCE, &s, &sp, &good, &m, &err) == WF_EINVAL);
    wf_metrics_free(&m);
    good.lambda = 0; /* all values are equal, so that the features carry no information */
    for (int i = 0; i < E * N; i++) empty.values[i] = 3;
    cr_assert(wf_baseline_fit(&b, WF_RIDGE, &empty, &sp, &good, &err) == WF_ENUMERIC);
    cr_assert(strstr(err.message, "singular"), "%s", err.message);
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(baselines, every_failing_allocation_is_clean)
{
    struct wf_series s = make(daily, true);
    struct wf_split sp = split_of(&s);
    struct wf_baseline_config cfg = config();
    struct wf_metrics m;
    struct wf_error err = { 0 };
    cr_assert(wf_metrics_init(&m, Q, &err) == WF_OK);
    long held = wf_alloc_live();
    enum wf_status rc = WF_ENOMEM;
    int failures = 0;
    for (; rc != WF_OK && failures < 50; failures++) {
        wf_alloc_fail_after(failures);
        rc = wf_baseline_eval(WF_RIDGE, &s, &sp, &cfg, &m, &err);
        wf_alloc_fail_after(-1);
        cr_assert(rc == WF_OK || rc == WF_ENOMEM);
        cr_assert_eq(wf_alloc_live(), held, "allocation %d", failures);
    }
    cr_assert_eq(failures, 8, "%d", failures);
    wf_metrics_free(&m);
    wf_series_free(&s);
}
