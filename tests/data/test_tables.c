/* These tests describe tables by options: nodes first, two files, node names, a clock. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zip.h>
#include "data/dataset.h"
#include "tensor/alloc.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

static struct wf_error err;
static struct wf_dataset ds;

static void put(char to[WF_CONFIG_TEXT], const char *name, const char *text)
{
    snprintf(to, WF_CONFIG_TEXT, "%s", scratch_file(name, text, strlen(text)));
}

static struct wf_dataset_source table(const char *text)
{
    struct wf_dataset_source src = wf_dataset_defaults();
    put(src.data, "s.csv", text);
    src.graph_optional = true;
    src.zero_missing = false;
    return src;
}

static enum wf_status load(const struct wf_dataset_source *src)
{
    return wf_dataset_load(&ds, wf_backend_cpu(), src, &err);
}

static void expect(const double *want, int n)
{
    for (int i = 0; i < n; i++) cr_assert_eq((double)ds.series.values[i], want[i], "value %d", i);
}

Test(tables, rows_of_nodes_and_a_second_file_become_steps_and_channels)
{
    struct wf_dataset_source src = table("1,2,3\n4,5,6\n");
    src.rows_are_nodes = true;
    ok(load(&src));
    cr_assert(ds.series.E == 3 && ds.series.N == 2 && ds.series.C == 1 && !ds.series.time_s);
    expect((double[]){ 1, 4, 2, 5, 3, 6 }, 6);
    wf_dataset_free(&ds);
    put(src.second, "t.csv", "10,20,30\n40,50,60\n");
    ok(load(&src));
    cr_assert(ds.series.E == 3 && ds.series.N == 2 && ds.series.C == 2);
    expect((double[]){ 1, 10, 4, 40, 2, 20, 5, 50, 3, 30, 6, 60 }, 12);
    wf_dataset_free(&ds);
    src.rows_are_nodes = false;
    ok(load(&src));
    cr_assert(ds.series.E == 2 && ds.series.N == 3);
    expect((double[]){ 1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60 }, 12);
    wf_dataset_free(&ds);
    cr_expect_eq(wf_alloc_live(), 0);
}

static int choose_last(void *ctx, ptrdiff_t E, struct wf_rows out[WF_ROW_RANGES])
{
    (void)ctx;
    out[0] = (struct wf_rows){ E - 1, 1 };
    return 1;
}

Test(tables, a_clock_and_names_come_from_the_source)
{
    struct wf_dataset_source src = table("1,2\n3,4\n5,6\n");
    const struct wf_row_choice last = { choose_last, NULL };
    strcpy(src.start, "2018-01-01 06:00");
    src.interval_s = 300;
    put(src.names, "n.txt", "400001, 17\n");
    ok(load(&src));
    cr_assert(ds.series.interval_s == 300 && ds.series.time_s[0] == 1514786400 &&
              ds.series.time_s[2] == 1514786400 + 600);
    cr_assert(ds.nodes.count == 2 && strcmp(ds.nodes.name[1], "17") == 0);
    wf_dataset_free(&ds);
    src.rows = &last;
    ok(load(&src));
    cr_assert(ds.series.E == 1 && ds.total == 3 && ds.series.time_s[0] == 1514786400 + 600);
    wf_dataset_free(&ds);
    cr_expect_eq(wf_alloc_live(), 0);
}

/* As in PEMS03, distances are between sensor numbers, which only the names relate to nodes. */
Test(tables, distances_go_by_the_names)
{
    struct wf_dataset_source src = table("1,2,3\n3,4,5\n");
    put(src.names, "n.txt", "300\n200\n100\n");
    put(src.adjacency, "d.csv", "from,to,distance\n300,200,1\n100,200,2\n100,300,50\n");
    ok(load(&src));
    cr_assert_eq(ds.edges, 2);
    cr_assert(ds.source[0] == 0 && ds.target[0] == 1 && ds.source[1] == 2 && ds.target[1] == 1);
    wf_dataset_free(&ds);
    cr_expect_eq(wf_alloc_live(), 0);
}

/* Writes a .npy file of float32. */
static size_t array(char *to, const char *shape, const float *values, size_t n)
{
    char head[128];
    int len = snprintf(head, sizeof head, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }",
                       shape);
    memset(to, ' ', 128);
    memcpy(to, "\x93NUMPY\1\0\x76\0", 10);
    memcpy(to + 10, head, (size_t)len);
    to[127] = '\n';
    memcpy(to + 128, values, n * sizeof *values);
    return 128 + n * sizeof *values;
}

Test(tables, an_archive_holds_series_and_graph)
{
    static char bytes[2][256];
    size_t size[2] = { array(bytes[0], "(2, 2, 2)", (float[]){ 1, 2, 3, 4, 5, 6, 7, 8 }, 8),
                       array(bytes[1], "(2, 2)", (float[]){ 1, 0.5F, 0, 1 }, 4) };
    struct wf_dataset_source src = wf_dataset_defaults();
    int code;
    strcpy(src.data, scratch("a.zip"));
    strcpy(src.adjacency, src.data);
    strcpy(src.key, "node_values");
    strcpy(src.adjacency_key, "adj_mat");
    zip_t *z = zip_open(src.data, ZIP_CREATE | ZIP_TRUNCATE, &code);
    cr_assert(z);
    zip_file_add(z, "node_values.npy", zip_source_buffer(z, bytes[0], size[0], 0), 0);
    zip_file_add(z, "adj_mat.npy", zip_source_buffer(z, bytes[1], size[1], 0), 0);
    cr_assert_eq(zip_close(z), 0);
    ok(load(&src));
    cr_assert(ds.series.E == 2 && ds.series.N == 2 && ds.series.C == 2 && ds.edges == 3);
    expect((double[]){ 1, 2, 3, 4, 5, 6, 7, 8 }, 8);
    wf_dataset_free(&ds);
    src.adjacency_key[0] = 0;
    cr_assert_eq(load(&src), WF_EFORMAT);
    says("2 arrays; name one by its key");
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(tables, what_does_not_fit_is_refused)
{
    struct wf_dataset_source src = table("1,2\n3,4\n");
    put(src.second, "t.csv", "1,2\n");
    cr_assert_eq(load(&src), WF_EINVAL);
    says("t.csv: 1 x 2 values, expected 2 x 2 as in the first file");
    put(src.second, "t.json", "{}");
    cr_assert_eq(load(&src), WF_EINVAL);
    says("t.json: no second table");
    src.second[0] = 0;
    put(src.names, "n.txt", "a b c");
    cr_assert_eq(load(&src), WF_EFORMAT);
    says("n.txt: 3 names for 2 nodes");
    src.names[0] = 0;
    src.interval_s = 300;
    cr_assert_eq(load(&src), WF_EINVAL);
    says("an interval without a start");
    strcpy(src.start, "yesterday");
    cr_assert_eq(load(&src), WF_EINVAL);
    says("start 'yesterday': want a date");
    strcpy(src.start, "2018-01-01");
    src.interval_s = 0;
    cr_assert_eq(load(&src), WF_EINVAL);
    says("a start at 2018-01-01 without an interval");
    src = table("2018-01-01,1,2\n2018-01-02,3,4\n");
    strcpy(src.start, "2018-01-01");
    src.interval_s = 300;
    cr_assert_eq(load(&src), WF_EINVAL);
    says("has its own times");
    src.start[0] = 0;
    src.interval_s = 0;
    src.rows_are_nodes = true;
    cr_assert_eq(load(&src), WF_EINVAL);
    says("has times in its rows");
    put(src.data, "s.json", "{\"FX\":[[1,2]],\"edges\":[]}");
    cr_assert_eq(load(&src), WF_EINVAL);
    says("rows-are-nodes are for .csv, .npy and .npz");
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(tables, failing_allocations_are_reported)
{
    struct wf_dataset_source src = table("1,2,3\n4,5,6\n");
    put(src.second, "t.csv", "10,20,30\n40,50,60\n");
    put(src.names, "n.txt", "a b");
    src.rows_are_nodes = true;
    EACH_ALLOCATION_FAILS(err, load(&src), wf_dataset_free(&ds));
}
