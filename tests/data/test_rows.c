/* These tests read parts of series from every kind of file: only the chosen rows are kept. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/dataset.h"
#include "data/formats/h5.h"
#include "data/formats/series_file.h"
#include "tests/kit/h5_odd.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

static struct wf_error err;

#define MINUTE (INT64_C(60000000000))

struct choice {
    int n;
    struct wf_rows rows[WF_ROW_RANGES];
    ptrdiff_t seen; /* length that choose() received */
};

static int choose(void *ctx, ptrdiff_t E, struct wf_rows out[WF_ROW_RANGES])
{
    struct choice *c = ctx;
    c->seen = E;
    memcpy(out, c->rows, sizeof c->rows);
    return c->n;
}

/* The choices of 8 rows are one range, parts with a hole, overlapping halos (two ways), and all. */
static const struct choice choices[] = {
    { 1, { { 2, 3 } }, 0 },
    { 3, { { 0, 1 }, { 3, 2 }, { 7, 1 } }, 0 },
    { 3, { { 0, 5 }, { 3, 3 }, { 4, 4 } }, 0 },
    { 2, { { 1, 2 }, { 2, 1 } }, 0 },
    { 1, { { 0, 8 } }, 0 },
};
enum { CHOICES = sizeof choices / sizeof *choices, ROWS = 8 };

/* Lists the rows of the file that c keeps, in order. */
static ptrdiff_t list_rows(const struct choice *c, ptrdiff_t *row)
{
    ptrdiff_t n = 0;
    for (int i = 0; i < c->n; i++)
        for (ptrdiff_t k = 0; k < c->rows[i].count; k++) row[n++] = c->rows[i].first + k;
    return n;
}

static void check_part(const struct wf_series_file *part, const struct wf_series_file *whole,
                       const struct choice *c)
{
    ptrdiff_t *row = malloc((size_t)whole->E * 3 * sizeof *row), width = whole->N * whole->C;
    cr_assert(row);
    cr_assert(part->E == list_rows(c, row) && part->N == whole->N && part->C == whole->C);
    cr_assert(part->total == whole->E && c->seen == whole->E && whole->total == whole->E);
    cr_assert_eq(part->interval_s, whole->interval_s);
    cr_assert_eq(part->times_ns != NULL, whole->interval_s > 0);
    cr_assert_eq(part->nodes.count, whole->nodes.count);
    for (ptrdiff_t e = 0; e < part->E; e++) {
        cr_assert_eq(memcmp(part->values + e * width, whole->values + row[e] * width,
                            (size_t)width * sizeof(float)),
                     0, "row %td", e);
        cr_assert_eq(wf_series_file_row(part, e), row[e]);
        if (!part->times_ns) continue;
        cr_assert_eq(part->times_ns[e],
                     whole->times_ns ? whole->times_ns[row[e]]
                                     : whole->t0_ns + row[e] * whole->interval_s * 1000000000);
    }
    cr_assert_eq(part->t0_ns, part->times_ns ? part->times_ns[0] : whole->t0_ns);
    free(row);
}

static void compare(const char *path)
{
    struct wf_series_file whole, part;
    ok(wf_series_file_read(&whole, path, NULL, NULL, &err));
    for (int i = 0; i < CHOICES; i++) {
        struct choice c = choices[i];
        ok(wf_series_file_read(&part, path, NULL, &(struct wf_row_choice){ choose, &c }, &err));
        check_part(&part, &whole, &c);
        wf_series_file_free(&part);
    }
    wf_series_file_free(&whole);
}

static const int64_t even[] = { 0,           5 * MINUTE,  10 * MINUTE, 15 * MINUTE,
                                20 * MINUTE, 25 * MINUTE, 30 * MINUTE, 35 * MINUTE };
/* The interval of 5 minutes shows in the last step only. */
static const int64_t uneven[] = { 0,           10 * MINUTE, 25 * MINUTE, 40 * MINUTE,
                                  60 * MINUTE, 70 * MINUTE, 80 * MINUTE, 85 * MINUTE };

Test(rows, of_a_pandas_frame_are_slices_of_the_whole)
{
    for (int kind = 0; kind < 12; kind++) {
        struct h5_frame fr = { "df",  ROWS,         5,
                               false, kind & 1,     kind & 2,
                               false, "datetime64", kind & 4 ? uneven : even };
        char name[16];
        if (kind & 8) fr.kind = "integer";
        snprintf(name, sizeof name, "f%d.h5", kind);
        h5_odd_frame(scratch(name), &fr);
        compare(scratch(name));
    }
    expect_no_leaks();
}

Test(rows, of_our_own_layout_are_slices_of_the_whole)
{
    float v[ROWS * 6];
    char *names[] = { "a", "b", "c" };
    for (int i = 0; i < ROWS * 6; i++) v[i] = (float)i / 4;
    for (int kind = 0; kind < 4; kind++) {
        bool flat = kind & 1;
        struct wf_series_file s = { .E = ROWS,
                                    .N = flat ? 6 : 3,
                                    .C = flat ? 1 : 2,
                                    .values = v,
                                    .nodes = { flat ? 0 : 3, names },
                                    .t0_ns = 1234567891,
                                    .interval_s = kind == 2 ? 0 : 300,
                                    .times_ns = kind == 3 ? (int64_t *)(uintptr_t)uneven : NULL };
        ok(wf_series_file_write(scratch("o.h5"), &s, &err));
        compare(scratch("o.h5"));
    }
    expect_no_leaks();
}

/* Every block and range has more than one piece of 2 MiB. */
Test(rows, of_long_frames_pass_in_pieces)
{
    enum { LONG = 70000 };
    static int64_t times[LONG];
    for (int e = 0; e < LONG; e++) times[e] = e * 5 * MINUTE;
    for (int two = 0; two < 2; two++) {
        struct h5_frame fr = { "df", LONG, 7, false, false, two, false, "datetime64", times };
        struct choice c = { 2, { { 5, 60000 }, { 9999, LONG - 9999 } }, 0 };
        struct wf_series_file whole, part;
        const char *path = scratch(two ? "two.h5" : "one.h5");
        h5_odd_frame(path, &fr);
        ok(wf_series_file_read(&whole, path, NULL, NULL, &err));
        ok(wf_series_file_read(&part, path, NULL, &(struct wf_row_choice){ choose, &c }, &err));
        check_part(&part, &whole, &c);
        wf_series_file_free(&whole);
        wf_series_file_free(&part);
    }
    expect_no_leaks();
}

static const struct {
    struct choice choice;
    const char *says;
} bad[] = {
    { { 0, { { 0, 1 } }, 0 }, "f.h5: 0 ranges of rows were chosen, expected 1 to 3" },
    { { 4, { { 0, 1 } }, 0 }, "4 ranges" },
    { { 1, { { -1, 2 } }, 0 }, "2 rows from row -1 were chosen of a series of 8" },
    { { 1, { { 0, 0 } }, 0 }, "0 rows from row 0" },
    { { 1, { { 0, 9 } }, 0 }, "9 rows from row 0" },
    { { 2, { { 0, 2 }, { 7, 2 } }, 0 }, "2 rows from row 7" },
    { { 1, { { PTRDIFF_MAX, 1 } }, 0 }, "1 rows from row" },
    { { 2, { { 3, 1 }, { 2, 1 } }, 0 }, "rows from 2 were chosen after those from 3" },
};

Test(rows, that_the_file_does_not_have_are_refused)
{
    struct h5_frame fr = { "df", ROWS, 5, false, false, false, false, "datetime64", even };
    struct wf_series_file s;
    h5_odd_frame(scratch("f.h5"), &fr);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct choice c = bad[i].choice;
        fails(wf_series_file_read(&s, scratch("f.h5"), NULL, &(struct wf_row_choice){ choose, &c },
                                  &err),
              WF_EINVAL, bad[i].says);
        cr_assert(!s.values && !s.times_ns);
    }
    expect_no_leaks();
}

Test(rows, whose_times_no_number_holds_are_refused)
{
    float v[ROWS] = { 0 };
    struct choice c = choices[0];
    struct wf_row_choice rows = { choose, &c };
    struct wf_series_file s = { .E = ROWS, .N = 1, .C = 1, .values = v, .interval_s = 300 }, back;
    s.t0_ns = INT64_MAX - 7 * 300 * INT64_C(1000000000);
    ok(wf_series_file_write(scratch("o.h5"), &s, &err));
    ok(wf_series_file_read(&back, scratch("o.h5"), NULL, &rows, &err));
    wf_series_file_free(&back);
    s.t0_ns++;
    ok(wf_series_file_write(scratch("o.h5"), &s, &err));
    fails(wf_series_file_read(&back, scratch("o.h5"), NULL, &rows, &err), WF_EFORMAT,
          "8 rows every 300 s end after the year 2262");
    s.t0_ns = 0;
    s.interval_s = INT64_MAX / 2;
    ok(wf_series_file_write(scratch("o.h5"), &s, &err));
    fails(wf_series_file_read(&back, scratch("o.h5"), NULL, &rows, &err), WF_EFORMAT, "");
    expect_no_leaks();
}

/* ---- data sets ---- */

static struct wf_dataset_source source(const char *data)
{
    struct wf_dataset_source s = wf_dataset_defaults();
    snprintf(s.data, sizeof s.data, "%s", data);
    s.graph_optional = true;
    return s;
}

static enum wf_status load(struct wf_dataset *ds, const struct wf_dataset_source *src)
{
    return wf_dataset_load(ds, wf_backend_cpu(), src, &err);
}

/* The set has 8 rows of 2 nodes with zeros; the smallest time step is the last. */
static const char *csv_file(void)
{
    static const char text[] = "time,a,b\n2024-01-01 00:00,1,2\n2024-01-01 01:00,0,5\n"
                               "2024-01-01 02:00,7,\n2024-01-01 03:00,3,0\n2024-01-01 04:00,7,8\n"
                               "2024-01-01 05:00,1,9\n2024-01-01 06:00,4,4\n2024-01-01 06:05,6,7\n";
    return scratch_file("s.csv", text, sizeof text - 1);
}

static const char *npy_file(void)
{
    static unsigned char bytes[128 + 4 * ROWS * 4];
    int len = snprintf((char *)bytes + 10, 118,
                       "{'descr': '<f4', 'fortran_order': False, 'shape': (8, 2, 2), }");
    memset(bytes + 10 + len, ' ', 118 - (size_t)len);
    memcpy(bytes, "\x93NUMPY\1\0\x76\0", 10);
    bytes[127] = '\n';
    for (int i = 0; i < ROWS * 4; i++) memcpy(bytes + 128 + 4 * i, &(float){ (float)(i % 5) }, 4);
    return scratch_file("s.npy", bytes, sizeof bytes);
}

static const char *json_file(void)
{
    static const char text[] =
        "{\"edges\":[[0,1]],\"weights\":[0.5],\"X\":[[1,2],[3,4],[5,6],[7,8],"
        "[9,0],[1,1],[2,2],[3,3]]}";
    return scratch_file("s.json", text, sizeof text - 1);
}

static const char *h5_file(void)
{
    struct wf_dataset ds;
    struct wf_dataset_source src = source(csv_file());
    src.zero_missing = false;
    ok(load(&ds, &src));
    ok(wf_dataset_write(scratch("s.h5"), &ds, &err));
    wf_dataset_free(&ds);
    return scratch("s.h5");
}

static void check_series(const struct wf_series *part, const struct wf_series *whole,
                         const struct choice *c)
{
    ptrdiff_t row[3 * ROWS], width = (ptrdiff_t)whole->N * whole->C;
    cr_assert(part->E == list_rows(c, row) && part->N == whole->N && part->C == whole->C);
    cr_assert_eq(part->interval_s, whole->interval_s);
    cr_assert_eq(part->time_s != NULL, whole->time_s != NULL);
    for (ptrdiff_t e = 0; e < part->E; e++) {
        if (part->time_s) cr_assert_eq(part->time_s[e], whole->time_s[row[e]]);
        for (ptrdiff_t k = 0; k < width; k++) {
            wf_real a = part->values[e * width + k], b = whole->values[row[e] * width + k];
            cr_assert(a == b || (isnan(a) && isnan(b)), "row %td", e);
        }
    }
}

Test(rows, of_a_data_set_are_slices_of_the_whole)
{
    const char *path[] = { csv_file(), npy_file(), json_file(), h5_file() };
    for (int k = 0; k < 4 * CHOICES * 3; k++) {
        struct wf_dataset_source src = source(path[k / CHOICES / 3]);
        struct choice c = choices[k / 3 % CHOICES];
        struct wf_row_choice rows = { choose, &c };
        struct wf_dataset whole, part;
        src.pgt = src.day_channel = k % 3 == 1;
        src.zero_missing = k % 3 == 0;
        ok(load(&whole, &src));
        src.rows = &rows;
        ok(load(&part, &src));
        cr_assert(whole.total == ROWS && part.total == ROWS && c.seen == ROWS);
        cr_assert_eq(part.edges, whole.edges);
        check_series(&part.series, &whole.series, &c);
        wf_dataset_free(&whole);
        wf_dataset_free(&part);
    }
    expect_no_leaks();
}

Test(rows, are_named_by_their_place_in_the_file)
{
    float v[2 * ROWS] = { 0 };
    struct choice c = { 2, { { 0, 1 }, { 5, 3 } }, 0 };
    struct wf_row_choice rows = { choose, &c };
    struct wf_dataset ds;
    struct wf_dataset_source src = source(scratch("o.h5"));
    struct wf_series_file s = { .E = ROWS, .N = 2, .C = 1, .values = v, .interval_s = 300 };
    v[6 * 2 + 1] = INFINITY;
    ok(wf_series_file_write(scratch("o.h5"), &s, &err));
    src.rows = &rows;
    fails(load(&ds, &src), WF_ENUMERIC, "value of row 6, node 1 is infinite");
    v[6 * 2 + 1] = 0;
    s.t0_ns = -6 * 300 * INT64_C(1000000000);
    ok(wf_series_file_write(scratch("o.h5"), &s, &err));
    c.rows[0].first = 4;
    fails(load(&ds, &src), WF_EINVAL, "row 4 is at -600 s");
    c.rows[0] = (struct wf_rows){ 7, 9 };
    src = source(csv_file());
    src.rows = &rows;
    fails(load(&ds, &src), WF_EINVAL, "s.csv: 9 rows from row 7 were chosen of a series of 8");
    expect_no_leaks();
}

Test(rows, of_a_series_alone_need_no_graph)
{
    static const char changing[] =
        "{\"edge_mapping\":{\"edge_index\":{\"0\":[[0,1]],\"1\":[]},\"edge_weight\":{\"0\":[4],"
        "\"1\":[]}},\"time_periods\":2,\"y\":[[1,2],[3,4]]}";
    struct wf_dataset ds;
    const char *path[] = { csv_file(), json_file(),
                           scratch_file("c.json", changing, sizeof changing - 1) };
    for (int k = 0; k < 3; k++) {
        struct wf_dataset_source src = source(path[k]);
        strcpy(src.adjacency, k == 0 ? "no-such-file.csv" : "");
        src.graph_optional = false;
        if (k == 0) cr_assert_neq(load(&ds, &src), WF_OK);
        src.series_only = true;
        ok(load(&ds, &src));
        cr_assert(ds.edges == 0 && !ds.source && ds.series.E == ds.total && ds.total > 0);
        wf_dataset_free(&ds);
    }
    expect_no_leaks();
}

Test(rows, leave_nothing_when_an_allocation_fails)
{
    const char *path[] = { csv_file(), h5_file(), npy_file() };
    for (int k = 0; k < 3 * CHOICES; k++) {
        struct wf_dataset ds;
        struct wf_dataset_source src = source(path[k / CHOICES]);
        struct choice c = choices[k % CHOICES];
        struct wf_row_choice rows = { choose, &c };
        src.rows = &rows;
        EACH_ALLOCATION_FAILS(err, load(&ds, &src), wf_dataset_free(&ds));
    }
    expect_no_leaks();
}
