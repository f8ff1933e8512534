/* Runs the program tests/dist/ranks/ranks.c on several ranks under mpirun, and compares it with one
 * rank. In suite `ranks` all ranks are on this host. In suite `hosts`, where network namespaces are
 * permitted, each is on a host of its own, which the others reach by TCP alone
 * (tests/scripts/netns.sh). */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "data/dataset.h"
#include "data/formats/series_file.h"
#include "data/simulate/simulate_file.h"
#include "dist/sampler.h"
#include "tensor/alloc.h"
#include "tests/kit/leaks.h"
#include "tests/kit/scratch.h"
#include "tests/kit/tiny.h"

/* Sums over ranks are taken in another order than over one batch, and so differ by rounding. */
static const double tolerance = sizeof(wf_real) == sizeof(float) ? 1e-6 : 1e-12;

static char said[8192], data[512];
static bool apart; /* true: each rank is on a host of its own */
static int patience = 120;

/* Runs "ranks ARGUMENTS" on P ranks, or without mpirun if P is 0. Returns the exit status. */
static int on_ranks(int P, const char *format, ...)
{
    char command[8192], arguments[3000], log[512], mpi[700] = "";
    va_list ap;
    va_start(ap, format);
    vsnprintf(arguments, sizeof arguments, format, ap);
    va_end(ap);
    snprintf(log, sizeof log, "%s", scratch("log"));
    if (P > 0 && apart)
        snprintf(mpi, sizeof mpi, "bash '%s/tests/scripts/netns.sh' -t %d -n %d", WEFT_SOURCE_DIR,
                 patience, P);
    else if (P > 0)
        snprintf(mpi, sizeof mpi,
                 "mpirun --allow-run-as-root --oversubscribe --bind-to none --timeout %d -n %d",
                 patience, P);
    snprintf(
        command, sizeof command,
        "OMP_NUM_THREADS=1 ASAN_OPTIONS=\"$ASAN_OPTIONS:detect_leaks=0\" %s '%s' %s >'%s' 2>&1",
        mpi, WEFT_RANKS, arguments, log);
    int status = system(command);
    FILE *f = fopen(log, "rb");
    size_t n = f ? fread(said, 1, sizeof said - 1, f) : 0;
    said[n] = 0;
    if (f) fclose(f);
    int rc = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (apart && P > 0 && rc == 77) cr_skip_test("no network namespaces here");
    return rc;
}

/* Writes simulated traffic to the file `data`, with some 200 windows a day for training. */
static void traffic(int days)
{
    struct wf_traffic_config cfg = wf_traffic_defaults();
    struct wf_error err = { 0 };
    cfg.nodes = 7;
    cfg.days = days;
    snprintf(data, sizeof data, "%s", scratch("road.h5"));
    cr_assert_eq(wf_simulate_traffic(data, &cfg, &err), WF_OK, "%s", err.message);
}

/* Defines a test in both suites. The double build has suite `ranks` alone: what goes from host to
 * host, and what ends when a rank fails, does not depend on the precision. */
#ifdef WF_DOUBLE
#define ON_HOSTS(name)
#else
#define ON_HOSTS(name)                                                                             \
    Test(hosts, name)                                                                              \
    {                                                                                              \
        apart = true;                                                                              \
        name();                                                                                    \
    }
#endif
#define ON_BOTH(name)                                                                              \
    static void name(void);                                                                        \
    Test(ranks, name)                                                                              \
    {                                                                                              \
        name();                                                                                    \
    }                                                                                              \
    ON_HOSTS(name)                                                                                 \
    static void name(void)

#define SMALL "data='%s' hidden=3 layers=1 seed=4 input-steps=6 horizon=4"

/* The numbers in a file that `ranks` wrote; the caller frees them. */
static double *numbers(const char *name, int *n)
{
    FILE *f = fopen(scratch(name), "r");
    double *v = malloc(100000 * sizeof *v);
    *n = 0;
    cr_assert(f && v, "%s is not there: %s", name, said);
    while (*n < 100000 && fscanf(f, "%lf", &v[*n]) == 1) ++*n;
    fclose(f);
    return v;
}

/* The largest difference between the numbers of two such files over the largest number, or the
 * relative difference between their losses, which come first, if that is more. */
static double differ(const char *a, const char *b)
{
    int n, m;
    double *x = numbers(a, &n), *y = numbers(b, &m), most = 0, peak = 0;
    cr_assert(n == m && n > 100, "%d and %d numbers", n, m);
    for (int i = 1; i < n; i++) {
        most = fmax(most, fabs(x[i] - y[i]));
        peak = fmax(peak, fabs(x[i]));
    }
    double loss = fabs(x[0] - y[0]) / fabs(x[0]);
    free(x);
    free(y);
    return fmax(most / peak, loss);
}

/* Expects P ranks with batches of 16 / P to do what one rank does with a batch of 16. */
static void expect_like_one(int P, const char *mode, const char *kind, int steps, const char *more,
                            double limit)
{
    char one[512], many[512];
    snprintf(one, sizeof one, "%s", scratch("one"));
    snprintf(many, sizeof many, "%s", scratch("many"));
    int rc = on_ranks(0, "%s '%s' %d " SMALL " mode=index batch-size=16 out='%s' %s", kind, one,
                      steps, data, scratch("out1"), more);
    cr_assert_eq(rc, 0, "%s", said);
    rc = on_ranks(P, "%s '%s' %d " SMALL " mode=%s batch-size=%d out='%s' %s", kind, many, steps,
                  data, mode, 16 / P, scratch("out2"), more);
    cr_assert_eq(rc, 0, "%d ranks, %s: %s", P, mode, said);
    double d = differ("one", "many");
    cr_expect_leq(d, limit, "%d ranks, %s, %s: differ by %g", P, mode, more, d);
}

ON_BOTH(gradients_are_those_of_one_rank_on_the_joined_batch)
{
    static const char *const loss[] = { "loss=mae", "loss=mse", "loss=rmse", "loss=huber",
                                        "loss=mape" };
    traffic(2);
    for (int P = 2; P <= 4; P += 2) {
        expect_like_one(P, "index", "first", 1, loss[P - 2], tolerance);
        expect_like_one(P, "ddp", "first", 1, loss[P - 1], tolerance);
    }
    expect_like_one(2, "index", "first", 1, loss[4], tolerance);
}

Test(ranks, graphs_that_change_are_whole_on_every_rank)
{
    snprintf(data, sizeof data, "%s", tiny_snapshots("s.json"));
    expect_like_one(2, "index", "first", 1, "time-of-day=False", tolerance);
}

ON_BOTH(train_like_one_rank_for_a_hundred_steps_and_stay_equal)
{
    traffic(9);
    /* Adam divides by the size of gradients, so that rounding errors grow with the steps. */
    double limit = sizeof(wf_real) == sizeof(float) ? 2e-3 : 1e-9;
    expect_like_one(2, "index", "train", 100, "", limit);
    expect_like_one(4, "ddp", "train", 100, "", limit);
}

ON_BOTH(partitioned_ones_train_like_one_that_is_given_their_order)
{
    traffic(2);
    /* Differences by rounding grow with the steps of Adam. */
    double limit = sizeof(wf_real) == sizeof(float) ? 1e-4 : 1e-9;
    char out[512];
    for (int P = 2; P <= 4; P += 2) {
        snprintf(out, sizeof out, "%s", scratch("one"));
        int rc = on_ranks(0, "joined '%s' 12 " SMALL " mode=index npar=%d batch-size=16 out='%s'",
                          out, data, P, scratch("out1"));
        cr_assert_eq(rc, 0, "%s", said);
        for (int materialised = 0; materialised < 2; materialised++) {
            snprintf(out, sizeof out, "%s", scratch("many"));
            rc = on_ranks(P, "train '%s' 12 " SMALL " mode=%s batch-size=%d out='%s'", out, data,
                          materialised ? "ddp-batch" : "partitioned", 16 / P, scratch("out2"));
            cr_assert_eq(rc, 0, "%s", said);
            double d = differ("one", "many");
            cr_expect_leq(d, limit, "%d ranks: differ by %g", P, d);
        }
    }
}

#ifndef WF_DOUBLE
static const char *const modes[] = { "index", "ddp", "partitioned", "ddp-batch" };

ParameterizedTestParameters(ranks, see_every_window_once)
{
    static int row[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    return cr_make_param_array(int, row, sizeof row / sizeof *row);
}

/* The values of the series are row numbers. Its length is no multiple of the number of ranks, so
 * that shares differ. From row 4 of the table on, ranks are on hosts of their own. */
ParameterizedTest(int *row, ranks, see_every_window_once)
{
    enum { E = 331, N = 3 };
    const char *mode = modes[*row % 4];
    apart = *row >= 4;
    struct wf_error err = { 0 };
    struct wf_series_file s = { .E = E, .N = N, .C = 1, .interval_s = 300 };
    s.values = wf_malloc(E * N * sizeof *s.values);
    for (int i = 0; i < E * N; i++) s.values[i] = (float)(i / N);
    snprintf(data, sizeof data, "%s", scratch("rows.h5"));
    cr_assert_eq(wf_series_file_write(data, &s, &err), WF_OK, "%s", err.message);
    wf_series_file_free(&s);
    for (int P = apart ? 2 : 1; P <= 4; P += apart ? 2 : 1) {
        int rc = on_ranks(P,
                          "windows - 1 data='%s' graph=none zero-missing=False mode=%s hidden=2 "
                          "layers=1 batch-size=7 input-steps=5 horizon=3 out='%s'",
                          data, mode, scratch("out"));
        cr_expect_eq(rc, 0, "%d ranks, %s: %s", P, mode, said);
    }
}

#endif

ON_BOTH(do_not_depend_on_when_messages_arrive)
{
    traffic(2);
    char out[2][512];
    for (int k = 0; k < 2; k++) {
        snprintf(out[k], sizeof out[k], "%s", scratch(k ? "many" : "one"));
        int rc = on_ranks(3, "train '%s' 8 " SMALL " mode=ddp batch-size=5 out='%s'", out[k], data,
                          scratch(k ? "out2" : "out1"));
        cr_assert_eq(rc, 0, "%s", said);
    }
    cr_expect_eq(differ("one", "many"), 0);
}

/* After six steps on two ranks, one or four ranks go on with joined batches of the same size. */
ON_BOTH(go_on_where_another_number_of_ranks_stopped)
{
    traffic(2);
    char one[512], many[512], out[512];
    /* Differences by rounding grow with the steps of Adam. */
    double limit = sizeof(wf_real) == sizeof(float) ? 1e-4 : 1e-9;
    snprintf(one, sizeof one, "%s", scratch("one"));
    snprintf(many, sizeof many, "%s", scratch("many"));
    cr_assert_eq(on_ranks(0, "train '%s' 20 " SMALL " mode=index batch-size=16 out='%s'", one, data,
                          scratch("out1")),
                 0, "%s", said);
    for (int P = 1; P <= 4; P += 3) {
        snprintf(out, sizeof out, "%s", scratch(P == 1 ? "to1" : "to4"));
        int rc =
            on_ranks(2, "train '%s' 6 " SMALL " mode=index batch-size=8 out='%s'", many, data, out);
        cr_assert_eq(rc, 0, "%s", said);
        rc = on_ranks(P, "train '%s' 14 " SMALL " mode=index batch-size=%d out='%s' resume=True",
                      many, data, 16 / P, out);
        cr_assert_eq(rc, 0, "%s", said);
        double d = differ("one", "many");
        cr_expect_leq(d, limit, "from 2 to %d ranks: differ by %g", P, d);
    }
    snprintf(out, sizeof out, "%s", scratch("parts"));
    int rc = on_ranks(2, "train '%s' 3 " SMALL " mode=partitioned batch-size=8 out='%s'", many,
                      data, out);
    cr_assert_eq(rc, 0, "%s", said);
    rc = on_ranks(3, "train '%s' 3 " SMALL " mode=partitioned batch-size=8 out='%s' resume=True",
                  many, data, out);
    cr_expect_eq(rc, 0, "%s", said);
    cr_expect(strstr(said, "the epoch begins anew"), "%s", said);
}

/* ---- faults ---- */
#ifndef WF_DOUBLE

static const struct {
    const char *kind, *says;
} faults[] = {
    { "kill", "signal 9" },
    { "file", "ranks: rank 2: " },
    { "memory", "ranks: rank 2: " },
    { "disk", "ranks: rank 0: " },
};

ParameterizedTestParameters(ranks, end_together_after)
{
    static int row[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    return cr_make_param_array(int, row, sizeof row / sizeof *row);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* From row 4 of the table on, ranks are on hosts of their own. */
ParameterizedTest(int *row, ranks, end_together_after)
{
    const char *kind = faults[*row % 4].kind, *says = faults[*row % 4].says;
    char out[512], params[512];
    traffic(2);
    apart = *row >= 4;
    snprintf(out, sizeof out, "%s", scratch("out"));
    snprintf(params, sizeof params, "%s", scratch("params"));
    int rc =
        on_ranks(3, "train '%s' 4 " SMALL " mode=index batch-size=5 out='%s'", params, data, out);
    cr_assert_eq(rc, 0, "%s", said);
    double started = now();
    patience = 30;
    rc = on_ranks(3, "%s - 2 " SMALL " mode=index batch-size=5 out='%s' resume=True", kind, data,
                  out);
    cr_expect_neq(rc, 0, "%s: all went well", kind);
    cr_expect_lt(now() - started, 28, "%s: the ranks hung: %s", kind, said);
    cr_expect(strstr(said, says), "%s: %s", kind, said);
    /* The last checkpoint before the fault is whole, and training goes on from it. */
    patience = 120;
    rc = on_ranks(2, "train '%s' 2 " SMALL " mode=index batch-size=5 out='%s' resume=True", params,
                  data, out);
    cr_expect_eq(rc, 0, "%s: %s", kind, said);
}

#endif

/* ---- the sampler ---- */

Test(ranks, shares_differ_by_one_at_most)
{
    for (int n = 1; n < 40; n++)
        for (int P = 1; P <= n; P++) {
            int lo, hi, at = 0;
            for (int r = 0; r < P; r++, at = hi) {
                wf_share(n, P, r, &lo, &hi);
                cr_assert(lo == at && (hi - lo == n / P || hi - lo == n / P + 1));
            }
            cr_assert_eq(at, n);
        }
}

/* Draws the windows of P samplers for the step after `seen`, in the order of the joined batch. */
static int draw_all(struct wf_sampler *s, int P, int seen, int *out)
{
    int start[8][16], taken = 0;
    struct wf_draw d[8];
    for (int p = 0; p < P; p++)
        if (!wf_sampler_draw(&s[p], seen, start[p], &d[p])) return 0;
    for (int i = 0; i < d[0].n; i++)
        for (int p = 0; p < P; p++)
            if (i < d[p].valid) out[taken++] = start[p][i];
    cr_assert_eq(taken, d[0].taken);
    return taken;
}

Test(ranks, joined_draws_are_those_of_one_rank)
{
    struct wf_error err = { 0 };
    for (int P = 2; P <= 4; P++) {
        struct wf_sampler one = { .shuffle = true,
                                  .ranks = 1,
                                  .batch = 3 * P,
                                  .windows = 31,
                                  .first = 5,
                                  .seed = 9 },
                          many[4];
        cr_assert_eq(wf_sampler_init(&one, &err), WF_OK, "%s", err.message);
        wf_sampler_epoch(&one, 2);
        for (int p = 0; p < P; p++) {
            many[p] = one;
            many[p].ranks = P;
            many[p].rank = p;
            many[p].batch = 3;
            cr_assert_eq(wf_sampler_init(&many[p], &err), WF_OK, "%s", err.message);
            wf_sampler_epoch(&many[p], 2);
        }
        int a[16], b[16], n, seen = 0;
        while ((n = draw_all(&one, 1, seen, a)) > 0) {
            cr_assert_eq(draw_all(many, P, seen, b), n);
            cr_assert_eq(memcmp(a, b, (size_t)n * sizeof *a), 0);
            seen += n;
        }
        cr_assert_eq(seen, 31);
        for (int p = 0; p < P; p++) wf_sampler_free(&many[p]);
        wf_sampler_free(&one);
    }
    expect_no_leaks();
}

/* A short epoch has the first batches of a whole one, in the same order. */
Test(ranks, short_epochs_are_the_beginning_of_whole_ones)
{
    struct wf_error err = { 0 };
    for (int own = 0; own < 2; own++) {
        struct wf_sampler whole = { .shuffle = true,
                                    .windows_are_local = own,
                                    .ranks = 2,
                                    .batch = 3,
                                    .windows = 40,
                                    .seed = 5 };
        struct wf_sampler part = whole;
        struct wf_draw da, db;
        int a[3], b[3], steps = 0;
        part.batches = 4;
        cr_assert_eq(wf_sampler_init(&whole, &err), WF_OK, "%s", err.message);
        cr_assert_eq(wf_sampler_init(&part, &err), WF_OK, "%s", err.message);
        cr_expect_eq(wf_sampler_steps(&whole), 7);
        cr_expect_eq(wf_sampler_steps(&part), 4);
        wf_sampler_epoch(&whole, 1);
        wf_sampler_epoch(&part, 1);
        for (int seen = 0; wf_sampler_draw(&part, seen, b, &db); seen += db.taken, steps++) {
            cr_assert(wf_sampler_draw(&whole, seen, a, &da));
            cr_expect(da.n == db.n && da.valid == db.valid && da.taken == db.taken);
            cr_expect_eq(memcmp(a, b, (size_t)db.n * sizeof *b), 0, "step %d", steps);
        }
        cr_expect_eq(steps, 4);
        part.batches = 100;
        cr_expect_eq(wf_sampler_steps(&part), 7);
        wf_sampler_free(&whole);
        wf_sampler_free(&part);
    }
    expect_no_leaks();
}

Test(ranks, more_of_them_than_windows_are_refused)
{
    struct wf_error err = { 0 };
    struct wf_sampler s = { .ranks = 5, .batch = 2, .windows = 4 };
    cr_expect_eq(wf_sampler_init(&s, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "4 windows in batches of 2 for rank 0 of 5"), "%s", err.message);
    traffic(2);
    int rc =
        on_ranks(4, "train - 1 " SMALL " mode=partitioned batch-size=5 valid-share=0.002 out='%s'",
                 data, scratch("out"));
    cr_expect_eq(rc, 1);
    cr_expect(strstr(said, "for validation cannot be shared by 4 ranks"), "%s", said);
}
