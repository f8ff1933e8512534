/* These tests read tables and lists of road distances in CSV. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "data/formats/csv.h"
#include "data/file.h"
#include "data/formats/pickle.h"
#include "tensor/alloc.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

static struct wf_error err;

static enum wf_status parse(const char *text, enum wf_csv_header header, struct wf_csv *c)
{
    return wf_csv_parse(text, strlen(text), header, c, &err);
}

Test(csv, a_series_with_dates_and_quotes_is_read)
{
    static const char text[] = "\xef\xbb\xbf\"time, local\",\"node \"\"A\"\"\",b\r\n"
                               "2012-03-01 00:05, 1.5 ,\"2\"\r\n"
                               "\r\n"
                               "2012/03/01T23:59:59.25Z,,-3e2\r\n"
                               "1969-12-31,NaN,4";
    struct wf_csv c;
    ok(wf_csv_read(scratch_file("s.csv", text, sizeof text - 1), WF_CSV_AUTO, &c, &err));
    cr_assert(c.rows == 3 && c.cols == 2 && c.names.count == 2);
    cr_assert_str_eq(c.names.name[0], "node \"A\"");
    cr_assert_str_eq(c.names.name[1], "b");
    cr_assert(c.values[0] == 1.5 && c.values[1] == 2 && c.values[3] == -300 && c.values[5] == 4);
    cr_assert(isnan(c.values[2]) && isnan(c.values[4]));
    cr_assert_eq(c.times_ns[0], INT64_C(1330560300000000000));
    cr_assert_eq(c.times_ns[1], INT64_C(1330646399250000000));
    cr_assert_eq(c.times_ns[2], INT64_C(-86400000000000));
    wf_csv_free(&c);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(csv, the_header_is_found_or_told)
{
    struct wf_csv c;
    ok(parse("1,2\n3,4\n", WF_CSV_AUTO, &c));
    cr_assert(c.rows == 2 && c.cols == 2 && c.names.count == 0 && !c.times_ns);
    wf_csv_free(&c);
    ok(parse("1,2\n3,4\n", WF_CSV_YES, &c));
    cr_assert(c.rows == 1 && c.values[0] == 3);
    cr_assert_str_eq(c.names.name[1], "2");
    wf_csv_free(&c);
    ok(parse("a,2\n3,4\n", WF_CSV_AUTO, &c));
    cr_assert(c.rows == 1 && c.names.count == 2);
    wf_csv_free(&c);
    ok(parse("2020-02-29,2\n2020-03-01,4\n", WF_CSV_AUTO, &c));
    cr_assert(c.rows == 2 && c.cols == 1 && c.times_ns[1] - c.times_ns[0] == 86400000000000);
    wf_csv_free(&c);
    cr_expect_eq(wf_alloc_live(), 0);
}

static const struct {
    const char *text;
    enum wf_csv_header header;
    const char *says;
} bad[] = {
    { "", WF_CSV_AUTO, "is empty" },
    { "\r\n\n", WF_CSV_AUTO, "is empty" },
    { "a,b\n", WF_CSV_AUTO, "has a header but no rows" },
    { "a,b\n1,2\n3,x\n", WF_CSV_AUTO, "line 3, column 2: 'x' is no finite number" },
    { "a,b\r\n1,2\r\n\r\n3,0x10\r\n", WF_CSV_AUTO, "line 4, column 2: '0x10'" },
    { "1,2\n3,inf\n", WF_CSV_AUTO, "line 2, column 2: 'inf'" },
    { "1,2\n3,1e999\n", WF_CSV_AUTO, "line 2, column 2" },
    { "1,2\n3\n", WF_CSV_AUTO, "line 2: 1 fields, expected 2" },
    { "1,2\n3,4,5\n", WF_CSV_AUTO, "line 2: 3 fields, expected 2" },
    { "1,2\n3,4,5,6\n", WF_CSV_AUTO, "line 2: more than 2 fields" },
    { "a,b\n1,\"2\n", WF_CSV_AUTO, "line 2, column 2: quote is not closed" },
    { "a,\"b\nc\"\n1,\"2\"x\n", WF_CSV_AUTO, "line 3, column 2: '2' is followed by text" },
    { "a,b\n1,2\n", WF_CSV_NO, "line 1, column 1: 'a'" },
    { "t,b\n2020-01-01,2\nsoon,3\n", WF_CSV_AUTO, "line 3, column 1: 'soon' is no date" },
    { "t,b\n2021-02-29,2\n", WF_CSV_AUTO, "line 2, column 1" },
    { "t,b\n2021-02-28 24:00,2\n", WF_CSV_AUTO, "line 2, column 1" },
    { "t,b\n9999-02-28,2\n", WF_CSV_AUTO, "line 2, column 1" },
};

Test(csv, errors_name_line_and_column)
{
    struct wf_csv c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fails(parse(bad[i].text, bad[i].header, &c), WF_EFORMAT, bad[i].says);
        cr_assert(!c.values && !c.names.name && !c.times_ns);
        cr_assert_eq(wf_alloc_live(), 0);
    }
    fails(wf_csv_read(scratch_file("n.csv", "1\0002", 3), WF_CSV_AUTO, &c, &err), WF_EFORMAT,
          "n.csv: contains NUL bytes");
    fails(wf_csv_read(scratch("absent.csv"), WF_CSV_AUTO, &c, &err), WF_EIO, "");
    fails(wf_csv_read("/", WF_CSV_AUTO, &c, &err), WF_EIO, "");
}

static char *abc[] = { "10", "20", "30" };
static const struct wf_names ids = { 3, abc };
static const char roads[] = "from,to,cost\n10,10,0\n20,20,0\n10,20,3\n20,30,9\n99,10,1e9\n"
                            "10,20,6\n";

Test(csv, distances_become_a_thresholded_gaussian)
{
    struct wf_adjacency g;
    ok(wf_csv_adjacency(scratch_file("d.csv", roads, sizeof roads - 1), &ids, 0.05, &g, &err));
    /* The distances are 0, 0, 6 and 9, with mean 3.75 and variance 15.1875. */
    cr_assert_eq(g.N, 3);
    cr_assert(g.A[0] == 1 && g.A[4] == 1 && g.A[8] == 0);
    cr_assert_float_eq(g.A[1], exp(-36 / 15.1875), 1e-8); /* float32 below 0.125 is this exact */
    cr_assert(g.A[5] == 0, "below the threshold, %g", (double)g.A[5]);
    cr_assert(g.A[2] == 0 && g.A[3] == 0);
    cr_assert_str_eq(g.ids.name[2], "30");
    wf_adjacency_free(&g);
    ok(wf_csv_adjacency_parse(roads, sizeof roads - 1, &ids, 0, &g, &err));
    cr_assert_float_eq(g.A[5], exp(-81 / 15.1875), 1e-9);
    wf_adjacency_free(&g);
    cr_expect_eq(wf_alloc_live(), 0);
}

static const struct {
    const char *text, *says;
} bad_roads[] = {
    { "10,20,1\n10,20,-1\n", "line 2, column 3: '-1' is no distance" },
    { "10,20,1\n10,20,nan\n", "line 2, column 3: 'nan' is no distance" },
    { "10,20,1\n10,20\n", "line 2: expected from,to,distance" },
    { "10,20,1,7\n", "line 1: expected from,to,distance" },
    { "98,99,1\n", "0 distances between the 3 nodes" },
    { "10,20,1\n20,10,1\n", "has no width" },
    { "", "0 distances" },
};

Test(csv, bad_distances_are_refused_by_line)
{
    struct wf_adjacency g;
    char *twice[] = { "10", "10" };
    for (size_t i = 0; i < sizeof bad_roads / sizeof *bad_roads; i++) {
        const char *t = bad_roads[i].text;
        fails(wf_csv_adjacency_parse(t, strlen(t), &ids, 0.1, &g, &err), WF_EFORMAT,
              bad_roads[i].says);
        cr_assert(!g.A && !g.ids.name);
        cr_assert_eq(wf_alloc_live(), 0);
    }
    fails(wf_csv_adjacency_parse(roads, sizeof roads - 1, &(struct wf_names){ 2, twice }, 0.1, &g,
                                 &err),
          WF_EINVAL, "'10' is given twice");
    fails(wf_csv_adjacency(scratch("absent.csv"), &ids, 0.1, &g, &err), WF_EIO, "");
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(csv, truncated_and_damaged_tables_are_handled_cleanly)
{
    static const char text[] = "t,\"a\"\"\",b\r\n2020-01-01 10:00,1,\"2\"\r\n2020-01-02,3e5,nan\n";
    struct wf_csv c;
    struct wf_adjacency g;
    for (size_t n = 0; n < sizeof text; n++) {
        char *part = wf_malloc(n);
        memcpy(part, text, n);
        if (wf_csv_parse(part, n, WF_CSV_AUTO, &c, &err) == WF_OK) wf_csv_free(&c);
        for (size_t bit = 0; bit < 8 && n > 0; bit++) {
            part[n / 2] ^= (char)(1 << bit);
            if (wf_csv_parse(part, n, WF_CSV_AUTO, &c, &err) == WF_OK) wf_csv_free(&c);
            if (wf_csv_adjacency_parse(part, n, &ids, 0.1, &g, &err) == WF_OK)
                wf_adjacency_free(&g);
        }
        wf_free(part);
        cr_assert_eq(wf_alloc_live(), 0);
    }
}

Test(csv, every_failed_allocation_is_clean)
{
    struct wf_csv c = { 0 };
    struct wf_adjacency g = { 0 };
    static const char text[] = "t,a\n2020-01-01,1\n";
    const char *path = scratch_file("s.csv", text, sizeof text - 1);
    EACH_ALLOCATION_FAILS(err, wf_csv_read(path, WF_CSV_AUTO, &c, &err), wf_csv_free(&c));
    path = scratch_file("d.csv", roads, sizeof roads - 1);
    EACH_ALLOCATION_FAILS(err, wf_csv_adjacency(path, &ids, 0.1, &g, &err), wf_adjacency_free(&g));
}

Test(csv, real_tables_are_read)
{
    struct wf_csv c;
    NEED_SHARED();
    ok(wf_csv_read(shared("data/beijing-metro/in_10min.csv"), WF_CSV_AUTO, &c, &err));
    cr_assert(c.rows == 276 && c.cols == 2700 && c.values[0] == 36 && !c.names.count);
    wf_csv_free(&c);
    ok(wf_csv_read(shared("data/metr-la-week/graph_sensor_locations.csv"), WF_CSV_AUTO, &c, &err));
    cr_assert(c.rows == 207 && c.cols == 4 && c.values[1] == 773869);
    cr_assert_str_eq(c.names.name[2], "latitude");
    wf_csv_free(&c);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(csv, published_distances_give_the_published_adjacency)
{
    struct wf_adjacency want, got;
    double worst = 0;
    int other_pattern = 0;
    NEED_SHARED();
    ok(wf_pickle_adjacency(shared("data/graphs/adj_mx_pems-bay-325.pkl"), &want, &err));
    ok(wf_csv_adjacency(shared("data/graphs/distances_bay_2017.csv"), &want.ids, 0.1, &got, &err));
    for (ptrdiff_t i = 0; i < want.N * want.N; i++) {
        worst = fmax(worst, fabs((double)want.A[i] - (double)got.A[i]));
        other_pattern += (want.A[i] != 0) != (got.A[i] != 0);
    }
    cr_log_info("largest difference %.3g", worst);
    /* The reference computes in float32, whose spacing below 1 is 6e-8. */
    cr_assert_lt(worst, 2.5e-7);
    cr_assert_eq(other_pattern, 0);
    wf_adjacency_free(&want);
    wf_adjacency_free(&got);
    cr_expect_eq(wf_alloc_live(), 0);
}
