/* These tests check windows that are padded, of a part of a series, or fetched from other ranks. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "data/windows.h"
#include "tensor/alloc.h"
#include "tests/kit/outcome.h"

enum { E = 60, N = 3, C = 2, T = 4, Q = 3, B = 5, COUNT = E - T - Q + 1 };

static struct wf_error err;
static const int starts[B] = { 7, COUNT - 1, 0, 7, 31 };

static struct wf_series make(void)
{
    struct wf_series s;
    static float host[E * N * C];
    for (int i = 0; i < E * N * C; i++) host[i] = i % 13 ? (float)(i * 7 % 101) + 1 : 0;
    ok(wf_series_init(&s, wf_backend_cpu(), E, N, C, &err));
    ok(wf_series_put(&s, 0, E, host, true));
    ok(wf_series_clock(&s, NULL, 1483228800, 5400, &err));
    return s;
}

static const struct wf_scaler scaler = { .C = C, .mean = { 40, 50 }, .std = { 30, 20 } };

static struct wf_window_config config(void)
{
    return (struct wf_window_config){
        .T = T, .Q = Q, .targets = 2, .time_of_day = true, .day_of_week = true
    };
}

static void expect_same(const struct wf_tensor *a, const struct wf_tensor *b)
{
    cr_assert(wf_tensor_same_shape(a, b));
    size_t bytes = (size_t)wf_tensor_count(a) * sizeof(wf_real);
    cr_assert(memcmp(a->data, b->data, bytes) == 0);
}

Test(windows, padding_has_no_targets_and_changes_nothing_else)
{
    enum { SAMPLE = Q * N * 2 };
    struct wf_series s = make();
    struct wf_windows w[2];
    struct wf_batch plain = { 0 }, padded = { 0 };
    for (int k = 0; k < 2; k++) ok(wf_windows_init(&w[k], &s, config(), &scaler, B, &err));
    ok(wf_windows_batch(&w[0], &plain, starts, B));
    for (int valid = 0; valid <= B; valid++) {
        wf_real pad = valid % 2 ? (wf_real)NAN : 0;
        ok(wf_windows_batch_padded(&w[1], &padded, starts, B, valid, pad));
        cr_assert(padded.B == B && padded.valid == valid && plain.valid == B);
        expect_same(&padded.x, &plain.x);
        expect_same(&padded.y_std, &plain.y_std);
        cr_assert_eq(memcmp(padded.y.data, plain.y.data, sizeof(wf_real) * SAMPLE * (size_t)valid),
                     0);
        for (int i = valid * SAMPLE; i < B * SAMPLE; i++)
            cr_assert(valid % 2 ? isnan(padded.y.data[i]) : padded.y.data[i] == 0, "%d", i);
    }
    ok(wf_windows_batch_padded(&w[1], &padded, starts, 2, 1, (wf_real)NAN));
    cr_assert(padded.y.shape[0] == 2 && isnan(padded.y.data[SAMPLE]));
    cr_assert_eq(memcmp(padded.y_std.data, plain.y_std.data, sizeof(wf_real) * SAMPLE * 2), 0,
                 "what lies behind the padding is not touched");
    fails(wf_windows_batch_padded(&w[1], &padded, starts, 2, 3, 0), WF_EINVAL, "");
    fails(wf_windows_batch_padded(&w[1], &padded, starts, 2, -1, 0), WF_EINVAL, "");
    for (int k = 0; k < 2; k++) wf_windows_free(&w[k]);
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(windows, of_a_part_are_those_of_base_mode)
{
    struct wf_series s = make();
    struct wf_windows w;
    struct wf_window_config cfg = config();
    wf_real x[3 * T * N * C], y[3 * Q * N * C];
    struct wf_window_blocks to = { 20, 3, x, y };
    cfg.base = true;
    for (int k = 0; k < 2; k++) {
        const struct wf_scaler *sc = k ? &scaler : NULL;
        ok(wf_windows_init(&w, &s, cfg, sc, B, &err));
        ok(wf_windows_materialise(&s, &cfg, sc, &to, &err));
        cr_assert_eq(memcmp(x, w.base_x + 20 * T * N * C, sizeof x), 0);
        cr_assert_eq(memcmp(y, w.base_y + 20 * Q * N * C, sizeof y), 0);
        wf_windows_free(&w);
    }
    cr_assert(x[0] == (s.values[20 * N * C] - 40) / 30 && y[0] == s.values[(20 + T) * N * C]);
    static const int bad[][2] = { { -1, 1 }, { 0, -1 }, { COUNT, 1 }, { COUNT - 2, 3 } };
    for (int i = 0; i < 4; i++) {
        to.first = bad[i][0];
        to.count = bad[i][1];
        fails(wf_windows_materialise(&s, &cfg, NULL, &to, &err), WF_EINVAL,
              "of a series with 54 and its values");
    }
    to.first = COUNT - 3;
    to.count = 3;
    ok(wf_windows_materialise(&s, &cfg, NULL, &to, &err));
    wf_alloc_fail_after(0);
    fails(wf_windows_materialise(&s, &cfg, NULL, &to, &err), WF_ENOMEM, "");
    cfg.T = E;
    fails(wf_windows_materialise(&s, &cfg, NULL, &to, &err), WF_EINVAL, "");
    cfg.T = T;
    struct wf_series empty = s;
    empty.values = NULL;
    cfg.fetched = true;
    fails(wf_windows_materialise(&empty, &cfg, NULL, &to, &err), WF_EINVAL, "no values");
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

/* Two owners have blocks of windows; a window is in the second from `half` on. */
struct owners {
    int half, calls;
    struct wf_window_blocks part[2];
    enum wf_status fails;
};

static enum wf_status fetch(void *ctx, const int *start, int n, wf_real *x, wf_real *y)
{
    struct owners *o = ctx;
    o->calls++;
    for (int i = 0; i < n; i++) {
        const struct wf_window_blocks *p = &o->part[start[i] >= o->half];
        memcpy(x + i * T * N * C, p->x + (start[i] - p->first) * T * N * C,
               sizeof(wf_real) * T * N * C);
        memcpy(y + i * Q * N * C, p->y + (start[i] - p->first) * Q * N * C,
               sizeof(wf_real) * Q * N * C);
    }
    return o->fails;
}

static struct owners share_out(const struct wf_series *s)
{
    static wf_real x[COUNT * T * N * C], y[COUNT * Q * N * C];
    struct wf_window_config cfg = config();
    int half = 25;
    struct owners o = { half,
                        0,
                        { { 0, half, x, y },
                          { half, COUNT - half, x + half * T * N * C, y + half * Q * N * C } },
                        WF_OK };
    for (int k = 0; k < 2; k++) ok(wf_windows_materialise(s, &cfg, &scaler, &o.part[k], &err));
    return o;
}

/* A rank that holds no values has only the series' clock and shape. */
static struct wf_series clock_only(void)
{
    struct wf_series s = { .be = wf_backend_cpu(), .E = E, .N = N, .C = C };
    ok(wf_series_clock(&s, NULL, 1483228800, 5400, &err));
    return s;
}

Test(windows, that_are_fetched_make_the_same_batches)
{
    struct wf_series s = make(), none = clock_only();
    struct owners o = share_out(&s);
    struct wf_windows here, there;
    struct wf_batch a = { 0 }, b = { 0 };
    struct wf_window_config cfg = config();
    ok(wf_windows_init(&here, &s, cfg, &scaler, B, &err));
    cfg.base = cfg.fetched = true;
    ok(wf_windows_init(&there, &none, cfg, &scaler, B, &err));
    there.fetch = fetch;
    there.fetch_ctx = &o;
    cr_assert(there.count == COUNT && there.channels == C + 2);
    for (int n = B; n > 0; n -= 2) {
        ok(wf_windows_batch(&here, &a, starts, n));
        ok(wf_windows_batch(&there, &b, starts, n));
        expect_same(&a.x, &b.x);
        expect_same(&a.y, &b.y);
        expect_same(&a.y_std, &b.y_std);
    }
    ok(wf_windows_batch_padded(&there, &b, starts, 2, 1, 0));
    cr_assert(b.valid == 1 && b.y.data[Q * N * 2] == 0 && o.calls == 4);
    o.fails = WF_EIO;
    fails(wf_windows_batch(&there, &b, starts, 1), WF_EIO, "");
    fails(wf_windows_batch(&there, &b, (const int[]){ COUNT }, 1), WF_EINVAL, "");
    cr_assert_eq(o.calls, 5, "a start out of range is not fetched");
    wf_windows_free(&here);
    wf_windows_free(&there);
    wf_series_free(&s);
    wf_series_free(&none);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(windows, that_are_fetched_need_someone_who_fetches_and_a_clock)
{
    struct wf_series s = make(), none = clock_only();
    struct wf_windows w;
    struct wf_batch b = { 0 };
    struct wf_window_config cfg = config();
    fails(wf_windows_init(&w, &none, cfg, &scaler, B, &err), WF_EINVAL, "the series has no values");
    ok(wf_windows_init(&w, &s, cfg, &scaler, B, &err));
    w.fetch = fetch;
    fails(wf_windows_batch(&w, &b, starts, 1), WF_EINVAL, "");
    wf_windows_free(&w);
    cfg.fetched = true;
    ok(wf_windows_init(&w, &none, cfg, &scaler, B, &err));
    fails(wf_windows_batch(&w, &b, starts, 1), WF_EINVAL, "");
    wf_windows_free(&w);
    wf_series_free(&none);
    fails(wf_windows_init(&w, &none, cfg, &scaler, B, &err), WF_EINVAL, "no clock");
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(windows, that_are_fetched_are_staged_for_one_batch_and_fail_cleanly)
{
    struct wf_series none = clock_only();
    struct wf_windows w;
    struct wf_window_config cfg = config();
    long held = wf_alloc_live(), k = 0;
    cfg.fetched = true;
    for (;; k++) {
        wf_alloc_fail_after(k);
        enum wf_status rc = wf_windows_init(&w, &none, cfg, &scaler, B, &err);
        wf_alloc_fail_after(-1);
        if (rc == WF_OK) break;
        cr_assert(rc == WF_ENOMEM && wf_alloc_live() == held);
    }
    cr_assert_eq(k, 5, "starts, a batch, two blocks, places: %ld", k);
    wf_windows_free(&w);
    none.E = 100 * 1000 * 1000; /* all windows would need 4 TB */
    cfg.T = cfg.Q = 2000;
    cfg.time_of_day = cfg.day_of_week = false;
    ok(wf_windows_init(&w, &none, cfg, &scaler, B, &err));
    wf_windows_free(&w);
    none.E = E;
    wf_series_free(&none);
    cr_assert_eq(wf_alloc_live(), 0);
}

/* This series has a changing graph's weights: one channel, with an edge in place of a node. */
enum { EDGES = 5 };

static struct wf_series weights(int64_t rows, int channels)
{
    struct wf_series s;
    static float host[(E + 1) * EDGES * 2];
    for (int i = 0; i < (E + 1) * EDGES * 2; i++) host[i] = i % 4 ? (float)(i % 97) : 0;
    ok(wf_series_init(&s, wf_backend_cpu(), rows, EDGES, channels, &err));
    ok(wf_series_put(&s, 0, rows, host, false));
    return s;
}

Test(windows, weights_come_with_the_rows_of_the_inputs_in_every_mode)
{
    struct wf_series s = make(), graph = weights(E, 1);
    for (int base = 0; base < 2; base++) {
        struct wf_windows w;
        struct wf_batch b = { 0 };
        struct wf_window_config cfg = config();
        cfg.base = base;
        cfg.weights = &graph;
        ok(wf_windows_init(&w, &s, cfg, &scaler, B, &err));
        for (int n = B; n > 0; n -= 2) {
            ok(wf_windows_batch_padded(&w, &b, starts, n, n - 1, 0));
            cr_assert(b.weights.ndim == 3 && b.weights.shape[0] == n && b.weights.shape[1] == T &&
                      b.weights.shape[2] == EDGES);
            for (int i = 0; i < n; i++)
                cr_expect_arr_eq(b.weights.data + i * T * EDGES, graph.values + starts[i] * EDGES,
                                 sizeof(wf_real) * T * EDGES, "sample %d", i);
        }
        wf_windows_free(&w);
    }
    wf_series_free(&graph);
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(windows, weights_that_are_not_those_of_the_rows_are_refused)
{
    struct wf_series s = make(), graph[2] = { weights(E + 1, 1), weights(E, 2) };
    struct wf_windows w;
    struct wf_window_config cfg = config();
    for (int k = 0; k < 2; k++) {
        cfg.weights = &graph[k];
        fails(wf_windows_init(&w, &s, cfg, &scaler, B, &err), WF_EINVAL,
              k ? "windows: weights [60, 5, 2] on cpu beside a series of 60 rows on cpu"
                : "windows: weights [61, 5, 1] on cpu beside a series of 60 rows on cpu");
        wf_series_free(&graph[k]);
    }
    fails(wf_windows_init(&w, &s, cfg, &scaler, B, &err), WF_EINVAL, "");
    struct wf_series right = weights(E, 1);
    cfg.weights = &right;
    cfg.fetched = true;
    fails(wf_windows_init(&w, &s, cfg, &scaler, B, &err), WF_EINVAL,
          "fetched ones come without a graph that changes");
    cfg.fetched = false;
    long held = wf_alloc_live(), k = 0;
    for (;; k++) {
        wf_alloc_fail_after(k);
        enum wf_status rc = wf_windows_init(&w, &s, cfg, &scaler, B, &err);
        wf_alloc_fail_after(-1);
        if (rc == WF_OK) break;
        cr_assert(rc == WF_ENOMEM && wf_alloc_live() == held);
    }
    cr_assert_eq(k, 2, "starts, the batch: %ld", k);
    wf_windows_free(&w);
    wf_series_free(&right);
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(windows, values_of_someone_else_stay_with_them)
{
    struct wf_series s = make();
    struct wf_series part = {
        .be = s.be, .E = 20, .N = N, .C = C, .values = s.values + 10 * N * C, .borrowed = true
    };
    wf_real first = part.values[1];
    wf_series_free(&part);
    cr_assert(!part.values && s.values[10 * N * C + 1] == first);
    part = (struct wf_series){ .be = s.be, .E = 1, .N = 1, .C = 1, .values = s.values };
    part.borrowed = true;
    float *block = wf_malloc(sizeof *block);
    *block = 5;
    ok(wf_series_adopt(&part, block, false));
    cr_assert_eq(part.values[0], 5);
    wf_series_free(&part);
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}
