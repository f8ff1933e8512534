/* This test compares the baselines' errors on real data with known values. */
#include <criterion/criterion.h>
#include "data/formats/series_file.h"
#include "models/baselines.h"
#include "tensor/alloc.h"
#include "tests/kit/scratch.h"

/* The table has the masked MAE at 15, 30 and 60 minutes on 74 sensors of PEMS-BAY, and the
 * tolerances. Persistence and historical average have one definition, and their errors were
 * computed independently; the value for ridge is a bound that a correct regression with these
 * inputs meets. */
static const struct {
    enum wf_baseline_kind kind;
    double mae[3], within;
} rows[] = {
    { WF_PERSISTENCE, { 1.601, 2.197, 3.078 }, 6e-4 },
    { WF_HISTORICAL_AVERAGE, { 2.764, 2.763, 2.761 }, 6e-4 },
    { WF_RIDGE, { 1.576, 2.016, 2.387 }, 0.04 },
};

Test(baselines, pems_bay_gives_the_known_errors)
{
    NEED_SHARED();
    struct wf_series_file f;
    struct wf_series s;
    struct wf_split sp;
    struct wf_metrics m;
    struct wf_error err = { 0 };
    struct wf_baseline_config cfg = wf_baseline_defaults();
    const char *path = shared("data/pems-bay-74/pems-bay.h5");
    cr_assert(wf_series_file_read(&f, path, "speed", NULL, &err) == WF_OK, "%s", err.message);
    cr_assert(wf_series_init(&s, wf_backend_cpu(), f.E, (int)f.N, (int)f.C, &err) == WF_OK);
    cr_assert(wf_series_adopt(&s, f.values, true) == WF_OK);
    f.values = NULL;
    for (ptrdiff_t e = 0; f.times_ns && e < f.E; e++) f.times_ns[e] /= 1000000000;
    cr_assert(wf_series_clock(&s, f.times_ns, f.t0_ns / 1000000000, (int)f.interval_s, &err) ==
              WF_OK);
    wf_series_file_free(&f);
    cr_assert(wf_split_make(&sp, &s, cfg.T, cfg.Q, (const double[]){ 0.7, 0.1, 0.2 }, &err) ==
              WF_OK);
    cr_assert(wf_metrics_init(&m, cfg.Q, &err) == WF_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert(wf_baseline_eval(rows[i].kind, &s, &sp, &cfg, &m, &err) == WF_OK);
        for (int h = 0; h < 3; h++)
            cr_assert_float_eq(wf_metrics_mae(&m, (3 << h) - 1), rows[i].mae[h], rows[i].within,
                               "baseline %zu: %g", i, wf_metrics_mae(&m, (3 << h) - 1));
    }
    wf_metrics_free(&m);
    wf_series_free(&s);
    cr_assert_eq(wf_alloc_live(), 0);
}
