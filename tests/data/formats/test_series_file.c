/* These tests read series in HDF5: the files that pandas writes, and Weft's own layout. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "data/formats/h5.h"
#include "data/formats/series_file.h"
#include "tensor/alloc.h"
#include "tests/kit/h5_odd.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

static struct wf_error err;

#define MINUTE (INT64_C(60000000000))

static const int64_t even[] = { 0, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE };
static const int64_t gap[] = { 0, 5 * MINUTE, 10 * MINUTE, 75 * MINUTE };
static const int64_t back[] = { 0, 5 * MINUTE, 4 * MINUTE, 15 * MINUTE };
static const int64_t fraction[] = { 0, 1500, 3000, 4500 };
static const int64_t seconds[] = { 100, 400, 700, 1000 };
static const int64_t beyond[] = { 100, 400, 700, INT64_MAX / 2 };

static const struct h5_frame plain = { "df", 4, 5, false, false, false, false, "datetime64", even };

static void check_frame(const struct wf_series_file *s, const char *third)
{
    cr_assert(s->E == 4 && s->N == 5 && s->C == 1);
    for (int t = 0; t < 4; t++)
        for (int n = 0; n < 5; n++)
            cr_assert_eq(s->values[t * 5 + n], 1000.0F * (float)t + (float)n + 0.5F);
    cr_assert_eq(s->nodes.count, 5);
    cr_assert_str_eq(s->nodes.name[2], third);
    cr_assert_eq(s->interval_s, 300);
}

Test(series_file, pandas_frames_are_read_whatever_their_types)
{
    struct wf_series_file s;
    for (int kind = 0; kind < 8; kind++) {
        struct h5_frame fr = plain;
        char name[16];
        fr.integer_labels = kind & 1;
        fr.f32 = kind & 2;
        fr.two_blocks = kind & 4;
        snprintf(name, sizeof name, "f%d.h5", kind);
        h5_odd_frame(scratch(name), &fr);
        ok(wf_series_file_read(&s, scratch(name), kind & 1 ? "df" : NULL, NULL, &err));
        check_frame(&s, kind & 1 ? "702" : "72");
        cr_assert(s.t0_ns == 0 && !s.times_ns);
        wf_series_file_free(&s);
    }
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(series_file, a_gap_keeps_the_time_axis)
{
    struct wf_series_file s;
    struct h5_frame fr = plain;
    fr.times_ns = gap;
    h5_odd_frame(scratch("gap.h5"), &fr);
    ok(wf_series_file_read(&s, scratch("gap.h5"), NULL, NULL, &err));
    check_frame(&s, "72");
    cr_assert(s.times_ns && s.times_ns[3] == 75 * MINUTE);
    ok(wf_series_file_write(scratch("own.h5"), &s, &err));
    wf_series_file_free(&s);
    ok(wf_series_file_read(&s, scratch("own.h5"), NULL, NULL, &err));
    check_frame(&s, "72");
    cr_assert(s.times_ns && s.times_ns[3] == 75 * MINUTE);
    wf_series_file_free(&s);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(series_file, other_units_and_plain_row_numbers_are_understood)
{
    struct wf_series_file s;
    struct h5_frame fr = plain;
    fr.kind = "datetime64[s]";
    fr.times_ns = seconds;
    h5_odd_frame(scratch("s.h5"), &fr);
    ok(wf_series_file_read(&s, scratch("s.h5"), NULL, NULL, &err));
    check_frame(&s, "72");
    cr_assert_eq(s.t0_ns, INT64_C(100000000000));
    wf_series_file_free(&s);
    fr.kind = "integer";
    h5_odd_frame(scratch("i.h5"), &fr);
    ok(wf_series_file_read(&s, scratch("i.h5"), NULL, NULL, &err));
    cr_assert(s.interval_s == 0 && s.t0_ns == 0 && s.E == 4);
    wf_series_file_free(&s);
}

static const struct {
    const char *kind;
    const int64_t *times;
    bool table;
    const char *says;
} bad_frame[] = {
    { "datetime64", back, false, "time of row 2 is not after" },
    { "datetime64", fraction, false, "expected whole seconds" },
    { "datetime64[s]", beyond, false, "time of row 3 is out of range" },
    { "string", even, false, "rows are labelled by 'string'" },
    { "datetime64", even, true, "'df' is in pandas' 'table' format" },
};

Test(series_file, bad_frames_are_refused_by_name)
{
    struct wf_series_file s;
    for (size_t i = 0; i < sizeof bad_frame / sizeof *bad_frame; i++) {
        struct h5_frame fr = plain;
        char name[16];
        fr.kind = bad_frame[i].kind;
        fr.times_ns = bad_frame[i].times;
        fr.table = bad_frame[i].table;
        snprintf(name, sizeof name, "b%zu.h5", i);
        h5_odd_frame(scratch(name), &fr);
        fails(wf_series_file_read(&s, scratch(name), NULL, NULL, &err), WF_EFORMAT,
              bad_frame[i].says);
        says(name);
        cr_assert(!s.values && !s.nodes.name);
    }
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(series_file, the_key_must_be_clear_and_there)
{
    struct wf_series_file s;
    struct h5_frame fr = plain;
    h5_odd_frame(scratch("two.h5"), &fr);
    fails(wf_series_file_read(&s, scratch("two.h5"), "speed", NULL, &err), WF_EFORMAT,
          "'speed' is no pandas DataFrame");
    fr.key = "speed";
    h5_odd_frame(scratch("two.h5"), &fr);
    fails(wf_series_file_read(&s, scratch("two.h5"), NULL, NULL, &err), WF_EFORMAT,
          "2 pandas keys; name one");
    ok(wf_series_file_read(&s, scratch("two.h5"), "/speed", NULL, &err));
    wf_series_file_free(&s);
    h5_odd_types(scratch("odd.h5"));
    fails(wf_series_file_read(&s, scratch("odd.h5"), NULL, NULL, &err), WF_EFORMAT,
          "holds no time series");
    fails(wf_series_file_read(&s, scratch("absent.h5"), NULL, NULL, &err), WF_EIO, "");
    fails(wf_series_file_read(&s, "/", NULL, NULL, &err), WF_EIO, "");
    cr_expect_eq(wf_alloc_live(), 0);
}

static struct wf_series_file sample(float *values, char **names)
{
    for (int i = 0; i < 24; i++) values[i] = (float)i / 2;
    return (struct wf_series_file){ .E = 4,
                                    .N = 3,
                                    .C = 2,
                                    .values = values,
                                    .nodes = { 3, names },
                                    .t0_ns = 77,
                                    .interval_s = 300 };
}

static char *abc[] = { "a", "b", "c" };

Test(series_file, rows_may_be_written_in_pieces)
{
    float v[24];
    struct wf_series_file s = sample(v, abc), back_again;
    struct wf_series_writer *w;
    v[7] = NAN;
    ok(wf_series_writer_open(&w, scratch("p.h5"), &s, &err));
    ok(wf_series_writer_rows(w, 1, v, &err));
    ok(wf_series_writer_rows(w, 3, v + 6, &err));
    fails(wf_series_writer_rows(w, 1, v, &err), WF_EINVAL, "");
    ok(wf_series_writer_commit(w, &err));
    ok(wf_series_file_read(&back_again, scratch("p.h5"), NULL, NULL, &err));
    cr_assert(back_again.E == 4 && back_again.N == 3 && back_again.C == 2);
    cr_assert(back_again.t0_ns == 77 && back_again.interval_s == 300);
    cr_assert_eq(memcmp(back_again.values, v, sizeof v), 0);
    cr_assert_str_eq(back_again.nodes.name[2], "c");
    wf_series_file_free(&back_again);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(series_file, an_unfinished_series_leaves_nothing)
{
    float v[24];
    struct wf_series_file s = sample(v, abc);
    struct wf_series_writer *w;
    ok(wf_series_writer_open(&w, scratch("p.h5"), &s, &err));
    ok(wf_series_writer_rows(w, 1, v, &err));
    fails(wf_series_writer_commit(w, &err), WF_EINVAL, "1 of 4 rows");
    ok(wf_series_writer_open(&w, scratch("p.h5"), &s, &err));
    wf_series_writer_discard(w);
    cr_assert_eq(scratch_count(), 0);
    s.nodes.count = 2;
    fails(wf_series_file_write(scratch("p.h5"), &s, &err), WF_EINVAL, "");
    s.nodes.count = 3;
    fails(wf_series_file_write(scratch("no/where.h5"), &s, &err), WF_EIO, "");
    cr_expect_eq(wf_alloc_live(), 0);
}

/* Writes Weft's own layout with one thing wrong. */
static void wrong_own(const char *path, int what)
{
    struct wf_h5 *f;
    struct wf_array v = { .elem = WF_F32, .ndim = what == 0 ? 1 : 2, .dim = { 4, 3 } };
    ok(wf_h5_create(&f, path, &err));
    ok(wf_h5_reserve(f, "values", &v, &err));
    if (what != 1) ok(wf_h5_set_int(f, "/", "t0", 5, &err));
    if (what != 2) ok(wf_h5_set_int(f, "/", "interval_s", what == 3 ? -1 : 60, &err));
    if (what == 4) ok(wf_h5_write_names(f, "nodes", &(struct wf_names){ 2, abc }, &err));
    if (what == 5) {
        struct wf_array t = {
            .elem = WF_I64, .ndim = 1, .dim = { 2 }, .count = 2, .i64 = (int64_t[]){ 1, 2 }
        };
        ok(wf_h5_write(f, "times", &t, &err));
    }
    ok(wf_h5_commit(f, &err));
}

Test(series_file, a_wrong_layout_is_refused_by_name)
{
    static const char *says[] = { "values have shape [4]",
                                  "attribute 't0'",
                                  "attribute 'interval_s'",
                                  "interval_s is -1",
                                  "2 names in 'nodes' for 3 columns",
                                  "2 times for 4 rows" };
    struct wf_series_file s;
    for (int what = 0; what < 6; what++) {
        wrong_own(scratch("w.h5"), what);
        fails(wf_series_file_read(&s, scratch("w.h5"), NULL, NULL, &err), WF_EFORMAT, says[what]);
    }
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(series_file, every_failed_allocation_is_clean)
{
    float v[24];
    struct wf_series_file in = sample(v, abc), s = { 0 };
    struct h5_frame fr = plain;
    fr.two_blocks = true;
    fr.times_ns = gap;
    h5_odd_frame(scratch("f.h5"), &fr);
    EACH_ALLOCATION_FAILS(err, wf_series_file_read(&s, scratch("f.h5"), NULL, NULL, &err),
                          wf_series_file_free(&s));
    EACH_ALLOCATION_FAILS(err, wf_series_file_write(scratch("o.h5"), &in, &err), (void)0);
    EACH_ALLOCATION_FAILS(err, wf_series_file_read(&s, scratch("o.h5"), NULL, NULL, &err),
                          wf_series_file_free(&s));
}

Test(series_file, metr_la_is_read)
{
    struct wf_series_file s;
    NEED_SHARED();
    ok(wf_series_file_read(&s, shared("data/metr-la-week/metr-la.h5"), NULL, NULL, &err));
    cr_assert(s.E == 2016 && s.N == 207 && s.C == 1 && !s.times_ns);
    cr_assert(s.t0_ns == INT64_C(1330560000000000000) && s.interval_s == 300);
    cr_assert_str_eq(s.nodes.name[0], "773869");
    wf_series_file_free(&s);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(series_file, pems_bay_is_read_with_its_one_gap)
{
    struct wf_series_file s;
    int gaps = 0;
    ptrdiff_t zeros = 0;
    NEED_SHARED();
    ok(wf_series_file_read(&s, shared("data/pems-bay-74/pems-bay.h5"), "speed", NULL, &err));
    cr_assert(s.E == 52116 && s.N == 74 && s.interval_s == 300 && s.times_ns);
    for (ptrdiff_t t = 1; t < s.E; t++) gaps += s.times_ns[t] - s.times_ns[t - 1] != 5 * MINUTE;
    for (ptrdiff_t i = 0; i < s.E * s.N; i++) zeros += s.values[i] == 0;
    cr_assert_eq(gaps, 1);
    cr_assert(zeros > 0 && zeros < 200, "%td zeros", zeros);
    cr_assert_str_eq(s.nodes.name[0], "400001");
    wf_series_file_free(&s);
    cr_expect_eq(wf_alloc_live(), 0);
}
