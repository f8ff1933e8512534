/* These tests check series, splits and scalers, and the windows that are cut from them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "data/windows.h"
#include "tensor/alloc.h"

/* There are more values than the library copies at a time, so that a batch crosses a border. */
enum { E = 700, N = 5, C = 2, T = 4, Q = 3, B = 6 };
static const int64_t sunday = 1483228800; /* 2017-01-01 00:00 */

static float sample(int64_t e, int n, int c)
{
    if (e % 11 == 3 && n == 2) return c ? NAN : 0; /* missing: 0 in channel 0, NaN elsewhere */
    return (float)(e % 97) * 0.25f - (float)n * 1.7f + (float)c * 100 + 0.1f;
}

static wf_real expected(int64_t e, int n, int c)
{
    float v = sample(e, n, c);
    return c == 0 && v == 0 ? (wf_real)NAN : (wf_real)v;
}

static void put_all(struct wf_series *s)
{
    static float host[E * N * C];
    for (int i = 0; i < E * N * C; i++) host[i] = sample(i / (N * C), i / C % N, i % C);
    cr_assert(wf_series_put(s, 0, 100, host, true) == WF_OK);
    cr_assert(wf_series_put(s, 100, E - 100, host + 100 * N * C, true) == WF_OK);
}

static struct wf_series make(void)
{
    struct wf_series s;
    struct wf_error err = { 0 };
    cr_assert(wf_series_init(&s, wf_backend_cpu(), E, N, C, &err) == WF_OK, "%s", err.message);
    put_all(&s);
    cr_assert(wf_series_clock(&s, NULL, sunday, 300, &err) == WF_OK, "%s", err.message);
    return s;
}

static bool same(wf_real a, wf_real b)
{
    return a == b || (a != a && b != b);
}

static wf_real at(const struct wf_tensor *t, int b, int i, int n, int c)
{
    return t->data[b * t->stride[0] + i * t->stride[1] + n * t->stride[2] + c * t->stride[3]];
}

static bool says(const struct wf_error *err, const char *text)
{
    return strstr(err->message, text) != NULL;
}

Test(series, put_keeps_values_and_turns_zeros_of_channel_0_into_nan)
{
    struct wf_series s = make();
    float zeros[N * C] = { 0 };
    for (int i = 0; i < E * N * C; i++)
        cr_assert(same(s.values[i], expected(i / (N * C), i / C % N, i % C)), "value %d", i);
    cr_assert(wf_series_put(&s, 5, 1, zeros, true) == WF_OK);
    cr_assert(isnan(s.values[5 * N * C]) && s.values[5 * N * C + 1] == 0);
    cr_assert(wf_series_put(&s, 5, 1, zeros, false) == WF_OK);
    cr_assert(s.values[5 * N * C] == 0);
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(series, put_refuses_rows_outside)
{
    struct wf_series s = make();
    float rows[2 * N * C] = { 0 };
    cr_assert(wf_series_put(&s, E - 1, 2, rows, false) == WF_EINVAL);
    cr_assert(wf_series_put(&s, -1, 1, rows, false) == WF_EINVAL);
    cr_assert(wf_series_put(&s, 0, -1, rows, false) == WF_EINVAL);
    cr_assert(wf_series_put(&s, E - 2, 2, rows, false) == WF_OK);
    wf_series_free(&s);
}

Test(series, adopt_gives_what_put_gives)
{
    struct wf_series s = make();
    struct wf_error err = { 0 };
    for (int zero_missing = 0; zero_missing < 2; zero_missing++) {
        struct wf_series a;
        float *block = wf_malloc(sizeof(float) * E * N * C);
        cr_assert(block != NULL);
        for (int i = 0; i < E * N * C; i++) block[i] = sample(i / (N * C), i / C % N, i % C);
        block[1] = s.values[1] = 0; /* a zero of channel 1 is data */
        cr_assert(wf_series_init(&a, s.be, E, N, C, &err) == WF_OK);
        cr_assert(wf_series_adopt(&a, block, zero_missing) == WF_OK);
        for (int i = 0; i < E * N * C; i++) {
            wf_real plain = i == 1 ? 0 : (wf_real)sample(i / (N * C), i / C % N, i % C);
            cr_assert(same(a.values[i], zero_missing ? s.values[i] : plain), "value %d", i);
        }
#ifndef WF_DOUBLE
        cr_assert(a.values == block, "no copy");
#endif
        wf_series_free(&a);
    }
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(series, init_refuses_impossible_shapes)
{
    static const int64_t shape[][3] = {
        { 0, 1, 1 }, { (int64_t)1 << 31, 1, 1 }, { 9, 0, 1 }, { 9, 1, 0 }, { 9, 1, 9 },
    };
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        struct wf_series s;
        struct wf_error err = { 0 };
        cr_assert(wf_series_init(&s, wf_backend_cpu(), shape[i][0], (int)shape[i][1],
                                 (int)shape[i][2], &err) == WF_EINVAL);
        cr_assert(says(&err, "series ["), "%s", err.message);
        wf_series_free(&s);
    }
}

Test(series, clock_takes_times_or_counts_them)
{
    struct wf_series s = make();
    struct wf_error err = { 0 };
    static int64_t times[E];
    for (int e = 0; e < E; e++) {
        cr_assert_eq(s.time_s[e], sunday + 300 * e);
        times[e] = sunday + (e < 10 ? 600 * e : 86400 + 600 * e); /* a gap after row 9 */
    }
    cr_assert(wf_series_clock(&s, times, 0, 0, &err) == WF_OK, "%s", err.message);
    cr_assert(memcmp(s.time_s, times, sizeof times) == 0);
    cr_assert_eq(s.interval_s, 600);
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(series, clock_refuses_times_before_1970_and_no_interval)
{
    struct wf_series s = make();
    struct wf_error err = { 0 };
    static int64_t times[E];
    times[7] = -5;
    cr_assert(wf_series_clock(&s, times, 0, 300, &err) == WF_EINVAL);
    cr_assert(says(&err, "row 7") && says(&err, "-5"), "%s", err.message);
    cr_assert(wf_series_clock(&s, NULL, 0, 0, &err) == WF_EINVAL);
    cr_assert(wf_series_clock(&s, NULL, 0, -300, &err) == WF_EINVAL);
    cr_assert(wf_series_clock(&s, NULL, -1, 300, &err) == WF_EINVAL);
    cr_assert_eq(s.time_s[1], sunday + 300, "a refused clock leaves the old one");
    wf_series_free(&s);
}

/* Each line has a number of rows, the shares, and the parts by Python's round(). */
static const struct {
    int rows;
    double share[3];
    int count[3];
} splits[] = {
    { 52093 + T + Q - 1, { 0.7, 0.1, 0.2 }, { 36465, 5209, 10419 } },
    { 10 + T + Q - 1, { 0.5, 0.25, 0.25 }, { 5, 3, 2 } },
    { 13 + T + Q - 1, { 0.5, 0.25, 0.25 }, { 6, 4, 3 } },
    { 14 + T + Q - 1, { 0.25, 0.5, 0.25 }, { 4, 6, 4 } },
    { 45 + T + Q - 1, { 0.7, 0.1, 0.2 }, { 31, 5, 9 } },
};

Test(series, split_rounds_half_to_even_and_keeps_the_order)
{
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        struct wf_series s = { .E = splits[i].rows, .N = N, .C = C };
        struct wf_split sp;
        struct wf_error err = { 0 };
        cr_assert(wf_split_make(&sp, &s, T, Q, splits[i].share, &err) == WF_OK, "%s", err.message);
        int first = 0;
        for (int p = WF_TRAIN; p <= WF_TEST; p++) {
            cr_assert_eq(sp.count[p], splits[i].count[p], "row %zu, part %d: %d", i, p,
                         sp.count[p]);
            cr_assert_eq(sp.first[p], first);
            first += sp.count[p];
        }
        cr_assert_eq(first, splits[i].rows - (T + Q - 1));
    }
}

Test(series, split_refuses_empty_parts_short_series_and_wrong_shares)
{
    static const struct {
        int rows, steps;
        double share[3];
        const char *text;
    } bad[] = {
        { 30, 12, { 0.7, 0.1, 0.1 }, "add up to 0.9" },
        { 30, 12, { 1.2, -0.1, -0.1 }, "expected 1" },
        { 30, 12, { NAN, 0.5, 0.5 }, "expected 1" },
        { 23, 12, { 0.7, 0.1, 0.2 }, "need a series of 24 rows, it has 23" },
        { 30, 0, { 0.7, 0.1, 0.2 }, "it has 30" },
        { 25, 12, { 0.7, 0.1, 0.2 }, "2 windows make 1 for training, 1 for validation and 0" },
        { 90, 12, { 0, 0.5, 0.5 }, "make 0 for training" },
        { 90, 12, { 0.8, 0, 0.2 }, "0 for validation" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct wf_series s = { .E = bad[i].rows, .N = N, .C = C };
        struct wf_split sp = { { -1, -1, -1 }, { 0 } };
        struct wf_error err = { 0 };
        cr_assert(wf_split_make(&sp, &s, bad[i].steps, bad[i].steps, bad[i].share, &err) ==
                  WF_EINVAL);
        cr_assert(says(&err, bad[i].text), "%zu: %s", i, err.message);
        cr_assert_eq(sp.first[0], -1);
    }
}

static struct wf_split split_of(const struct wf_series *s)
{
    struct wf_split sp;
    struct wf_error err = { 0 };
    cr_assert(wf_split_make(&sp, s, T, Q, (const double[]){ 0.7, 0.1, 0.2 }, &err) == WF_OK);
    return sp;
}

/* Computes mean and population standard deviation of channel c over valid values in [0, rows). */
static void spread(int rows, int c, double *mean, double *std)
{
    double sum = 0, square = 0, count = 0;
    for (int e = 0; e < rows; e++)
        for (int n = 0; n < N; n++) {
            double v = (double)expected(e, n, c);
            if (v != v) continue;
            sum += v;
            square += v * v;
            count++;
        }
    *mean = sum / count;
    *std = sqrt(square / count - *mean * *mean);
}

Test(series, scaler_sees_valid_training_rows_only)
{
    struct wf_series s = make();
    struct wf_split sp = split_of(&s);
    struct wf_scaler sc[3];
    struct wf_error err = { 0 };
    int rows = sp.count[WF_TRAIN] + T - 1;
    cr_assert(wf_scaler_fit(&sc[0], &s, &sp, T, false, &err) == WF_OK, "%s", err.message);
    for (int c = 0; c < C; c++) {
        double mean, std;
        spread(rows, c, &mean, &std);
        cr_assert_float_eq((double)sc[0].mean[c], mean, 1e-5 * fabs(mean));
        cr_assert_float_eq((double)sc[0].std[c], std, 1e-5 * std);
    }
    s.values[(ptrdiff_t)rows * N * C] = (wf_real)1e6; /* no training input has this row */
    cr_assert(wf_scaler_fit(&sc[1], &s, &sp, T, false, &err) == WF_OK);
    cr_assert(sc[1].mean[0] == sc[0].mean[0] && sc[1].std[0] == sc[0].std[0]);
    s.values[(ptrdiff_t)(rows - 1) * N * C] = (wf_real)1e6; /* a training input ends here */
    cr_assert(wf_scaler_fit(&sc[2], &s, &sp, T, false, &err) == WF_OK);
    cr_assert(sc[2].mean[0] > sc[0].mean[0] + 100);
    wf_series_free(&s);
}

Test(series, scaler_of_the_whole_series_counts_every_row)
{
    struct wf_series s = make();
    struct wf_split sp = split_of(&s);
    struct wf_scaler sc;
    struct wf_error err = { 0 };
    double mean, std;
    spread(E, 1, &mean, &std);
    cr_assert(wf_scaler_fit(&sc, &s, &sp, T, true, &err) == WF_OK, "%s", err.message);
    cr_assert_float_eq((double)sc.mean[1], mean, 1e-5 * mean);
    cr_assert_float_eq((double)sc.std[1], std, 1e-5 * std);
    wf_series_free(&s);
}

Test(series, scaler_refuses_a_channel_without_valid_values)
{
    struct wf_series s = make();
    struct wf_split sp = split_of(&s);
    struct wf_scaler sc;
    struct wf_error err = { 0 };
    for (int i = 0; i < E * N; i++) s.values[i * C] = 5;
    cr_assert(wf_scaler_fit(&sc, &s, &sp, T, false, &err) == WF_OK, "%s", err.message);
    cr_assert(sc.mean[0] == 5 && sc.std[0] == 1, "no spread: std 1");
    for (int i = 0; i < E * N; i++) s.values[i * C + 1] = (wf_real)NAN;
    cr_assert(wf_scaler_fit(&sc, &s, &sp, T, false, &err) == WF_ENUMERIC);
    cr_assert(says(&err, "channel 1 has no valid value"), "%s", err.message);
    s.values[1] = (wf_real)INFINITY;
    cr_assert(wf_scaler_fit(&sc, &s, &sp, T, false, &err) == WF_ENUMERIC);
    sp.count[WF_TRAIN] = E;
    cr_assert(wf_scaler_fit(&sc, &s, &sp, T, false, &err) == WF_EINVAL);
    wf_series_free(&s);
}

static struct wf_window_config config(bool tod, bool dow, int targets, bool base)
{
    struct wf_window_config cfg = wf_window_defaults();
    cfg.T = T;
    cfg.Q = Q;
    cfg.time_of_day = tod;
    cfg.day_of_week = dow;
    cfg.targets = targets;
    cfg.base = base;
    return cfg;
}

static struct wf_scaler scaler_of(const struct wf_series *s)
{
    struct wf_split sp = split_of(s);
    struct wf_scaler sc;
    struct wf_error err = { 0 };
    cr_assert(wf_scaler_fit(&sc, s, &sp, T, false, &err) == WF_OK);
    return sc;
}

static const int starts[B] = { 0, 693, 3, 350, 3, 12 }; /* first and last window, one twice */

/* Compares sample b of the batch with the formula; where sc is NULL, values are unscaled. */
static void check_sample(const struct wf_batch *b, const struct wf_scaler *sc, int sample_index)
{
    int start = starts[sample_index], targets = b->y.shape[3];
    for (int i = 0; i < T + Q; i++)
        for (int n = 0; n < N; n++)
            for (int c = 0; c < C; c++) {
                wf_real raw = expected(start + i, n, c);
                wf_real z = sc ? (raw - sc->mean[c]) / sc->std[c] : raw;
                if (z != z) z = 0;
                if (i < T) cr_assert(at(&b->x, sample_index, i, n, c) == z);
                if (i < T || c >= targets) continue;
                cr_assert(same(at(&b->y, sample_index, i - T, n, c), raw));
                cr_assert(at(&b->y_std, sample_index, i - T, n, c) == z);
            }
}

Test(series, defaults_are_12_to_12_with_time_of_day)
{
    struct wf_window_config cfg = wf_window_defaults();
    cr_assert(cfg.T == 12 && cfg.Q == 12 && cfg.targets == 1);
    cr_assert(cfg.time_of_day && !cfg.day_of_week && !cfg.base);
}

Test(series, index_batches_are_slices_of_the_series)
{
    struct wf_series s = make();
    struct wf_scaler sc = scaler_of(&s);
    struct wf_error err = { 0 };
    for (int round = 0; round < 4; round++) {
        const struct wf_scaler *use = round % 2 ? &sc : NULL;
        int targets = round / 2 + 1;
        struct wf_windows w;
        struct wf_batch b = { 0 };
        cr_assert(wf_windows_init(&w, &s, config(round > 1, false, targets, false), use, B, &err) ==
                      WF_OK,
                  "%s", err.message);
        cr_assert_eq(w.count, E - (T + Q - 1));
        cr_assert(wf_windows_batch(&w, &b, starts, B) == WF_OK);
        cr_assert(b.B == B && b.valid == B && b.T == T && b.Q == Q && b.N == N);
        cr_assert(b.C == C + (round > 1) && b.x.shape[3] == b.C && b.y.shape[3] == targets);
        for (int i = 0; i < B; i++) check_sample(&b, use, i);
        wf_windows_free(&w);
    }
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(series, a_short_batch_has_its_own_shape_and_keeps_the_supports)
{
    struct wf_series s = make();
    struct wf_scaler sc = scaler_of(&s);
    struct wf_supports supports = { 0 };
    struct wf_error err = { 0 };
    struct wf_windows w;
    struct wf_batch b = { .supports = &supports };
    cr_assert(wf_windows_init(&w, &s, config(true, true, 1, false), &sc, B, &err) == WF_OK);
    cr_assert(wf_windows_batch(&w, &b, starts, B) == WF_OK);
    cr_assert(wf_windows_batch(&w, &b, starts, 2) == WF_OK);
    cr_assert(b.B == 2 && b.valid == 2);
    cr_assert(b.x.shape[0] == 2 && b.y.shape[0] == 2 && b.y_std.shape[0] == 2);
    for (int i = 0; i < 2; i++) check_sample(&b, &sc, i);
    cr_assert(b.supports == &supports);
    wf_windows_free(&w);
    wf_series_free(&s);
}

Test(series, base_batches_are_bit_identical_to_index_batches)
{
    struct wf_series s = make();
    struct wf_scaler sc = scaler_of(&s);
    struct wf_error err = { 0 };
    for (int round = 0; round < 8; round++) {
        struct wf_windows w[2];
        struct wf_batch b[2] = { 0 };
        for (int m = 0; m < 2; m++) {
            struct wf_window_config cfg = config(round & 1, round & 2, round & 4 ? 2 : 1, m == 1);
            cr_assert(wf_windows_init(&w[m], &s, cfg, &sc, B, &err) == WF_OK, "%s", err.message);
            cr_assert(wf_windows_batch(&w[m], &b[m], starts, B) == WF_OK);
        }
        const struct wf_tensor *got[2][3] = { { &b[0].x, &b[0].y, &b[0].y_std },
                                              { &b[1].x, &b[1].y, &b[1].y_std } };
        for (int i = 0; i < 3; i++) {
            size_t bytes = (size_t)wf_tensor_count(got[0][i]) * sizeof(wf_real);
            cr_assert(wf_tensor_same_shape(got[0][i], got[1][i]));
            cr_assert(memcmp(got[0][i]->data, got[1][i]->data, bytes) == 0, "%d of %d", i, round);
        }
        wf_windows_free(&w[0]);
        wf_windows_free(&w[1]);
    }
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

/* Base mode holds its own windows, so it does not read the series again. */
Test(series, base_mode_materialises)
{
    struct wf_series s = make();
    struct wf_scaler sc = scaler_of(&s);
    struct wf_error err = { 0 };
    struct wf_windows w;
    struct wf_batch b = { 0 };
    cr_assert(wf_windows_init(&w, &s, config(true, false, 1, true), &sc, B, &err) == WF_OK);
    memset(s.values, 0, sizeof(wf_real) * E * N * C);
    cr_assert(wf_windows_batch(&w, &b, starts, B) == WF_OK);
    for (int i = 0; i < B; i++) check_sample(&b, &sc, i);
    cr_assert_eq(wf_windows_base_bytes(&s, T, Q), sizeof(wf_real) * 694 * (T + Q) * N * C);
    cr_assert_eq(wf_windows_base_bytes(&s, E, 1), 0);
    wf_windows_free(&w);
    wf_series_free(&s);
}

/* Each line has the seconds since 1970, the day of the week with Monday as 0, and the hour. */
static const struct {
    int64_t time_s;
    int day, hour;
} dates[] = {
    { 1483228800, 6, 0 },                 /* 2017-01-01, a Sunday */
    { 1483228800 + 86400 - 3600, 6, 23 }, /* still that day */
    { 1483228800 + 86400, 0, 0 },         /* Monday */
    { 1330560000, 3, 0 },                 /* 2012-03-01, a Thursday */
    { 1330560000 + 6 * 3600, 3, 6 },      /* its morning */
    { 1709164800, 3, 0 },                 /* 2024-02-29, a Thursday */
    { 0, 3, 0 },                          /* 1970-01-01, a Thursday */
};

Test(series, features_of_time_are_right_on_known_dates)
{
    enum { DATES = sizeof dates / sizeof *dates };
    for (int base = 0; base < 2; base++) {
        struct wf_series s = make();
        struct wf_error err = { 0 };
        struct wf_windows w;
        struct wf_batch b = { 0 };
        static int64_t times[E];
        for (int e = 0; e < E; e++) times[e] = dates[e % DATES].time_s;
        cr_assert(wf_series_clock(&s, times, 0, 300, &err) == WF_OK);
        cr_assert(wf_windows_init(&w, &s, config(true, true, 1, base), NULL, B, &err) == WF_OK);
        cr_assert(wf_windows_batch(&w, &b, starts, B) == WF_OK);
        for (int i = 0; i < B * T * N; i++) {
            int e = starts[i / (T * N)] + i / N % T;
            const wf_real *row = b.x.data + i * b.C;
            cr_assert_eq(row[C], (wf_real)(dates[e % DATES].hour / 24.0));
            cr_assert_eq(row[C + 1], (wf_real)(dates[e % DATES].day / 7.0));
        }
        wf_windows_free(&w);
        wf_series_free(&s);
    }
}

Test(series, windows_refuse_what_the_series_does_not_have)
{
    static const struct {
        struct wf_window_config cfg;
        int B, channels;
        bool clock;
        const char *text;
    } bad[] = {
        { { .T = 0, .Q = 1, .targets = 1 }, 1, C, true, "0 input" },
        { { .T = E, .Q = 1, .targets = 1 }, 1, C, true, "need a series of 701 rows, it has 700" },
        { { .T = 1, .Q = 1, .targets = 0 }, 1, C, true, "0 target channels" },
        { { .T = 1, .Q = 1, .targets = 3 }, 1, C, true, "3 target channels of a series with 2" },
        { { .T = 1, .Q = 1, .targets = 1 }, 0, C, true, "batch of 0" },
        { { .T = 1, .Q = 1, .targets = 1 }, 1, 1, true, "scaler of 1 channels" },
        { { .T = 1, .Q = 1, .targets = 1, .time_of_day = true }, 1, C, false, "no clock" },
        { { .T = 1, .Q = 1, .targets = 1, .day_of_week = true }, 1, C, false, "no clock" },
    };
    struct wf_series s = make();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct wf_series use = s;
        struct wf_scaler sc = { .C = bad[i].channels, .std = { 1, 1 } };
        struct wf_error err = { 0 };
        struct wf_windows w;
        if (!bad[i].clock) use.time_s = NULL;
        cr_assert(wf_windows_init(&w, &use, bad[i].cfg, &sc, bad[i].B, &err) == WF_EINVAL);
        cr_assert(says(&err, bad[i].text), "%zu: %s", i, err.message);
    }
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(series, base_mode_refuses_what_memory_cannot_hold)
{
    struct wf_series s = make(), huge = s;
    struct wf_error err = { 0 };
    struct wf_windows w;
    char need[32];
    huge.E = 100 * 1000 * 1000; /* the series is refused before it is read */
    snprintf(need, sizeof need, "%zu bytes", wf_windows_base_bytes(&huge, 2000, 2000));
    struct wf_window_config cfg = { .T = 2000, .Q = 2000, .targets = 1, .base = true };
    cr_assert(wf_windows_init(&w, &huge, cfg, NULL, 1, &err) == WF_ENOMEM);
    cr_assert(says(&err, need) && says(&err, "are free: use --mode index"), "%s", err.message);
    cfg.base = false;
    cr_assert(wf_windows_init(&w, &huge, cfg, NULL, 1, &err) == WF_OK);
    wf_windows_free(&w);
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(series, batch_refuses_windows_that_do_not_exist)
{
    struct wf_series s = make();
    struct wf_error err = { 0 };
    struct wf_windows w;
    struct wf_batch b = { 0 };
    int last = E - (T + Q - 1) - 1;
    cr_assert(wf_windows_init(&w, &s, config(true, false, 1, false), NULL, B, &err) == WF_OK);
    cr_assert(wf_windows_batch(&w, &b, (const int[]){ 0, last + 1 }, 2) == WF_EINVAL);
    cr_assert(wf_windows_batch(&w, &b, (const int[]){ -1 }, 1) == WF_EINVAL);
    cr_assert(wf_windows_batch(&w, &b, (const int[B + 1]){ 0 }, B + 1) == WF_EINVAL);
    cr_assert(wf_windows_batch(&w, &b, starts, 0) == WF_EINVAL);
    cr_assert(wf_windows_batch(&w, &b, &last, 1) == WF_OK);
    wf_windows_free(&w);
    wf_series_free(&s);
}

Test(series, every_failing_allocation_is_clean)
{
    enum wf_status rc = WF_ENOMEM;
    int failures = 0;
    for (; rc != WF_OK && failures < 50; failures++) {
        struct wf_series s;
        struct wf_windows w = { 0 };
        struct wf_error err = { 0 };
        wf_alloc_fail_after(failures);
        rc = wf_series_init(&s, wf_backend_cpu(), E, N, C, &err);
        if (rc == WF_OK) rc = wf_series_clock(&s, NULL, sunday, 300, &err);
        if (rc == WF_OK) rc = wf_windows_init(&w, &s, config(true, true, 1, true), NULL, B, &err);
        wf_alloc_fail_after(-1);
        cr_assert(rc == WF_OK || (rc == WF_ENOMEM && err.message[0]));
        if (rc == WF_OK) wf_windows_free(&w);
        wf_series_free(&s);
        cr_assert_eq(wf_alloc_live(), 0, "allocation %d", failures);
    }
    cr_assert_eq(failures, 8, "series, clock, starts, a batch, base x, base y, a start: %d",
                 failures);
}
