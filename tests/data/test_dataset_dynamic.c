/* These tests load data sets whose graph changes with time. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "apps/dataset/describe.h"
#include "data/dataset.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

TestSuite(dataset_dynamic);

static struct wf_error err;

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

static const char *text_file(const char *name, const char *text)
{
    return scratch_file(name, text, strlen(text));
}

#define SNAPSHOTS                                                                                  \
    "{\"edge_mapping\":{\"edge_index\":{\"0\":[[0,1],[1,1]],\"1\":[],\"2\":[[1,0],[0,1]]},"        \
    "\"edge_weight\":{\"0\":[2,1],\"1\":[],\"2\":[6,4]}},\"time_periods\":3,"                      \
    "\"y\":[[1,0],[3,4],[5,6]]}"

static int last_two(void *ctx, ptrdiff_t E, struct wf_rows out[WF_ROW_RANGES])
{
    (void)ctx;
    out[0] = (struct wf_rows){ E - 2, 1 };
    out[1] = (struct wf_rows){ E - 1, 1 };
    return 2;
}

Test(dataset_dynamic, weights_of_a_graph_that_changes_are_a_series_beside_the_values)
{
    struct wf_dataset ds;
    struct wf_dataset_source src = source(text_file("s.json", SNAPSHOTS));
    const wf_real weights[] = { 2, 0, 1, 0, 0, 0, 4, 6, 0 };
    src.graph_optional = false;
    ok(load(&ds, &src));
    cr_assert(ds.series.E == 3 && ds.series.values[1] == 0, "zeros are data");
    cr_assert(ds.edges == 3 && ds.source[1] == 1 && ds.target[1] == 0 && ds.source[2] == 1);
    cr_assert(ds.weights.E == 3 && ds.weights.N == 3 && ds.weights.C == 1);
    cr_expect_arr_eq(ds.weights.values, weights, sizeof weights);
    cr_expect(ds.weight[0] == 3 && ds.weight[1] == 6 && ds.weight[2] == 1, "means where they are");
    fails(wf_dataset_write(scratch("d.h5"), &ds, &err), WF_EINVAL,
          "d.h5: HDF5 holds no graph that changes, as s has it");
    ok(wf_dataset_write_csv(scratch("d.csv"), &ds, &err));
    wf_dataset_free(&ds);
    struct wf_row_choice rows = { last_two, NULL };
    src.rows = &rows;
    ok(load(&ds, &src));
    cr_assert(ds.series.E == 2 && ds.weights.E == 2 && ds.series.values[0] == 3);
    cr_expect_arr_eq(ds.weights.values, weights + 3, 6 * sizeof *weights);
    wf_dataset_free(&ds);
    src.rows = NULL;
    src.series_only = true;
    ok(load(&ds, &src));
    cr_assert(!ds.edges && !ds.weights.values);
    wf_dataset_free(&ds);
    src = source(text_file("s.json", SNAPSHOTS));
    snprintf(src.adjacency, sizeof src.adjacency, "%s", text_file("a.csv", "1,0.5\n0,1\n"));
    ok(load(&ds, &src));
    cr_assert(ds.edges == 3 && !ds.weights.values, "a constant graph in its place");
    wf_dataset_free(&ds);
    expect_no_leaks();
}

Test(dataset_dynamic, a_graph_without_an_edge_in_any_step_is_none)
{
    struct wf_dataset ds;
    static const char text[] = "{\"0\":{\"y\":[1],\"edges\":[]},\"1\":{\"y\":[2],\"edges\":[]},"
                               "\"time_periods\":2}";
    struct wf_dataset_source src = source(text_file("s.json", text));
    ok(load(&ds, &src));
    cr_assert(!ds.edges && !ds.weights.values);
    wf_dataset_free(&ds);
    src.graph_optional = false;
    fails(load(&ds, &src), WF_EINVAL, "s.json: holds no graph");
    expect_no_leaks();
}

Test(dataset_dynamic, a_graph_that_changes_is_described)
{
    struct wf_dataset ds;
    struct wf_dataset_stats st;
    struct wf_dataset_source src = source(text_file("s.json", SNAPSHOTS));
    char page[1024] = "";
    FILE *f = fmemopen(page, sizeof page, "w");
    ok(load(&ds, &src));
    ok(wf_dataset_stats(&st, &ds, &err));
    cr_assert(st.step_edges[0] == 0 && st.step_edges[1] == 2 && st.step_edges[2] == 2);
    cr_assert(st.weight_min == 1 && st.weight_max == 6 && !st.symmetric && st.self_loops == 1);
    wf_dataset_print(&ds, &st, f);
    fclose(f);
    cr_assert(strstr(page, "3 edges, 1 of them self-loops; not symmetric\n           it changes: "
                           "these are of all steps, of which one has 0 to 2, median 2\n"
                           "weights    1 to 6\n"),
              "%s", page);
    for (int t = 0; t < 3; t++) ds.weights.values[t * 3 + 1] = ds.weights.values[t * 3];
    ok(wf_dataset_stats(&st, &ds, &err));
    cr_expect(st.symmetric, "in every step");
    wf_dataset_free(&ds);
    expect_no_leaks();
}

static const struct {
    const char *data;
    int E, N, C, edges, loops, step_edges[3];
} changing[] = {
    { "data/pgt/england_covid.json", 61, 129, 1, 2347, 129, { 836, 1356, 2158 } },
    { "data/pgt/twitter_tennis_rg17.json", 120, 1000, 3, 13473, 47, { 41, 279, 936 } },
};

Test(dataset_dynamic, real_graphs_that_change_are_read)
{
    NEED_SHARED();
    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++) {
        struct wf_dataset ds;
        struct wf_dataset_stats st;
        struct wf_dataset_source src = source(shared(changing[i].data));
        ok(load(&ds, &src));
        ok(wf_dataset_stats(&st, &ds, &err));
        cr_expect(ds.series.E == changing[i].E && ds.series.N == changing[i].N &&
                  ds.series.C == changing[i].C);
        cr_expect_eq(ds.edges, changing[i].edges, "%d", ds.edges);
        cr_expect_eq(st.self_loops, changing[i].loops, "%d", st.self_loops);
        for (int k = 0; k < 3; k++)
            cr_expect_eq(st.step_edges[k], changing[i].step_edges[k], "%d", st.step_edges[k]);
        wf_dataset_free(&ds);
    }
    expect_no_leaks();
}

Test(dataset_dynamic, every_failed_allocation_is_clean)
{
    struct wf_dataset ds;
    struct wf_dataset_stats st;
    struct wf_row_choice rows = { last_two, NULL };
    struct wf_dataset_source src = source(text_file("s.json", SNAPSHOTS));
    src.rows = &rows;
    EACH_ALLOCATION_FAILS(err, load(&ds, &src), wf_dataset_free(&ds));
    ok(load(&ds, &src));
    EACH_ALLOCATION_FAILS(err, wf_dataset_stats(&st, &ds, &err), (void)0);
    wf_dataset_free(&ds);
    expect_no_leaks();
}
