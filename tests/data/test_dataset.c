/* These tests load data sets from files of every kind: series, graph, clock and refusals. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "apps/dataset/describe.h"
#include "data/dataset.h"
#include "data/formats/h5.h"
#include "data/formats/series_file.h"
#include "data/simulate/simulate_file.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

static struct wf_error err;

static struct wf_dataset_source source(const char *data, const char *adjacency)
{
    struct wf_dataset_source s = wf_dataset_defaults();
    snprintf(s.data, sizeof s.data, "%s", data);
    snprintf(s.adjacency, sizeof s.adjacency, "%s", adjacency ? adjacency : "");
    s.graph_optional = !adjacency;
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

/* ---- real sets ---- */

static const struct {
    const char *data, *adjacency, *key;
    int64_t E;
    int N, edges, self_loops, interval_s, gaps;
    bool symmetric;
} real[] = {
    { "data/metr-la-week/metr-la.h5", "data/metr-la-week/adj_mx_metr-la.pkl", "df", 2016, 207, 1722,
      207, 300, 0, false },
    { "data/pems-bay-74/pems-bay.h5", "data/pems-bay-74/adj_mx_pems-bay.pkl", "", 52116, 74, 211,
      74, 300, 1, false },
    { "data/pems-bay-74/pems-bay.h5", "data/pems-bay-74/road_distances_m.csv", "speed", 52116, 74,
      224, 74, 300, 1, false },
    { "data/pgt/chickenpox.json", "", "", 521, 20, 102, 20, 0, 0, true },
    { "data/pgt/montevideo_bus.json", "", "", 744, 675, 690, 0, 0, 0, false },
};

Test(dataset, real_sets_have_the_shapes_and_graphs_they_are_known_for)
{
    NEED_SHARED();
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        struct wf_dataset ds;
        struct wf_dataset_stats st;
        const char *adjacency = real[i].adjacency;
        struct wf_dataset_source src =
            source(shared(real[i].data), adjacency[0] ? shared(adjacency) : "");
        strcpy(src.key, real[i].key);
        ok(load(&ds, &src));
        ok(wf_dataset_stats(&st, &ds, &err));
        cr_assert_eq(ds.series.E, real[i].E);
        cr_assert(ds.series.N == real[i].N && ds.series.C == 1 && ds.nodes.count == real[i].N);
        cr_assert_eq(ds.edges, real[i].edges, "%s: %d edges", real[i].data, ds.edges);
        cr_assert_eq(st.self_loops, real[i].self_loops);
        cr_assert_eq(st.symmetric, real[i].symmetric);
        cr_assert_eq(st.gaps, real[i].gaps);
        cr_assert_eq(ds.series.interval_s, real[i].interval_s);
        cr_assert(!ds.reordered);
        wf_dataset_free(&ds);
    }
    expect_no_leaks();
}

Test(dataset, zeros_of_traffic_are_missing_and_data_in_the_reference)
{
    NEED_SHARED();
    struct wf_dataset ds;
    struct wf_dataset_stats st;
    struct wf_dataset_source src = source(shared("data/pems-bay-74/pems-bay.h5"), NULL);
    ok(load(&ds, &src));
    ok(wf_dataset_stats(&st, &ds, &err));
    cr_assert(st.channel[0].zeros == 0 && st.channel[0].min > 0);
    cr_assert_float_eq(st.channel[0].missing, 3.241e-5, 1e-8);
    wf_dataset_free(&ds);
    src.pgt = src.day_channel = true;
    ok(load(&ds, &src));
    ok(wf_dataset_stats(&st, &ds, &err));
    cr_assert(ds.series.C == 2 && st.channel[0].missing == 0 && st.channel[0].min == 0);
    const wf_real *row = ds.series.values + (ptrdiff_t)(288 + 12) * 74 * 2;
    for (int n = 0; n < 74; n++) cr_assert_float_eq(row[2 * n + 1], 1.0 / 24, 1e-7);
    cr_assert_float_eq(st.channel[1].max, 287.0 / 288, 1e-7);
    wf_dataset_free(&ds);
    src.pgt = src.day_channel = false;
    src.zero_missing = false;
    ok(load(&ds, &src));
    ok(wf_dataset_stats(&st, &ds, &err));
    cr_assert(ds.series.C == 1 && st.channel[0].missing == 0);
    wf_dataset_free(&ds);
    expect_no_leaks();
}

static const struct {
    const char *data, *adjacency, *key, *says;
} real_bad[] = {
    { "data/pems-bay-74/pems-bay.h5", "data/metr-la-week/adj_mx_metr-la.pkl", "",
      "adj_mx_metr-la.pkl is 207 x 207, series " },
    { "data/pems-bay-74/pems-bay.h5", "data/metr-la-week/adj_mx_metr-la.pkl", "",
      "pems-bay.h5 has 74 nodes" },
    { "data/metr-la-week/metr-la.h5", "", "", "metr-la.h5: holds no graph and no adjacency" },
    { "data/metr-la-week/metr-la.h5", "", "speed", "'speed' is no pandas DataFrame" },
    { "data/metr-la-week/adj_mx_metr-la.pkl", "", "", "adj_mx_metr-la.pkl: no series; want" },
    { "data/metr-la-week/metr-la.h5", "data/pgt/chickenpox.json", "", "no adjacency; want" },
    { "data/metr-la-week/metr-la.h5", "data/metr-la-week/metr-la.h5", "",
      "metr-la.h5: holds no 'adjacency'" },
    { "data/pgt/chickenpox.json", "", "FX", "has no keys, 'FX' was asked for" },
    { "data/pgt/no-such-file.json", "", "", "no-such-file.json: No such file" },
};

Test(dataset, real_files_that_do_not_belong_together_are_refused)
{
    NEED_SHARED();
    for (size_t i = 0; i < sizeof real_bad / sizeof *real_bad; i++) {
        struct wf_dataset ds;
        const char *adjacency = real_bad[i].adjacency;
        struct wf_dataset_source src =
            source(shared(real_bad[i].data), adjacency[0] ? shared(adjacency) : "");
        strcpy(src.key, real_bad[i].key);
        cr_assert_neq(load(&ds, &src), WF_OK, "%s", real_bad[i].says);
        says(real_bad[i].says);
        cr_assert(!strchr(err.message, '\n') && !ds.nodes.count && !ds.series.values);
    }
    expect_no_leaks();
}

/* ---- small ones ---- */

#define SERIES "time,a,b,c\n2024-01-01 00:00,1,2,3\n2024-01-01 01:00,0,5,\n2024-01-01 02:00,7,8,9\n"

Test(dataset, text_files_make_a_series_and_a_graph)
{
    struct wf_dataset ds;
    struct wf_dataset_source src =
        source(text_file("s.csv", SERIES), text_file("a.csv", "1,0.5,0\n0,1,0\n0.25,0,0\n"));
    ok(load(&ds, &src));
    cr_assert(ds.series.E == 3 && ds.series.N == 3 && ds.series.C == 1);
    cr_assert(ds.series.interval_s == 3600 && ds.series.time_s[1] == 1704070800);
    cr_assert(ds.series.values[1] == 2 && isnan(ds.series.values[3]) && isnan(ds.series.values[5]));
    cr_assert_str_eq(ds.nodes.name[2], "c");
    cr_assert_str_eq(ds.name, "s");
    static const int from[] = { 0, 0, 1, 2 }, to[] = { 0, 1, 1, 0 };
    static const float weight[] = { 1, 0.5F, 1, 0.25F };
    cr_assert_eq(ds.edges, 4);
    for (int e = 0; e < 4; e++)
        cr_assert(ds.source[e] == from[e] && ds.target[e] == to[e] && ds.weight[e] == weight[e]);
    wf_dataset_free(&ds);
    expect_no_leaks();
}

Test(dataset, distances_go_by_name_or_by_number)
{
    static const char named[] = "from,to,cost\na,b,1\nb,c,2\nc,a,9\n";
    static const char numbered[] = "from,to,cost\n0,1,1\n1,2,2\n2,0,9\n";
    for (int k = 0; k < 2; k++) {
        struct wf_dataset ds;
        struct wf_dataset_source src =
            source(k ? text_file("n.csv", "1,2,3\n4,5,6\n") : text_file("s.csv", SERIES),
                   text_file("d.csv", k ? numbered : named));
        ok(load(&ds, &src));
        /* The standard deviation of 1, 2, 9 is sqrt(38/3), and exp(-81 / 12.67) is below 0.1. */
        cr_assert(ds.edges == 2 && ds.source[0] == 0 && ds.target[0] == 1 && ds.target[1] == 2);
        cr_assert_float_eq(ds.weight[1], exp(-4 / (38.0 / 3)), 1e-6);
        wf_dataset_free(&ds);
        src.threshold = 0;
        ok(load(&ds, &src));
        cr_assert_eq(ds.edges, 3);
        wf_dataset_free(&ds);
    }
    expect_no_leaks();
}

/* Writes an adjacency file with the given node names and 0.5 from its first to its second node. */
static const char *named_graph(const char *name, const char *const ids[3])
{
    struct wf_h5 *f;
    struct wf_names n;
    struct wf_array a;
    ok(wf_array_alloc(&a, WF_F32, 2, (ptrdiff_t[]){ 3, 3 }, &err));
    a.f32[1] = 0.5F;
    ok(wf_names_alloc(&n, 3, &err));
    for (int i = 0; i < 3; i++) ok(wf_names_set(&n, i, ids[i], strlen(ids[i]), &err));
    ok(wf_h5_create(&f, scratch(name), &err));
    ok(wf_h5_write(f, "adjacency", &a, &err));
    ok(wf_h5_write_names(f, "nodes", &n, &err));
    ok(wf_h5_commit(f, &err));
    wf_names_free(&n);
    wf_array_free(&a);
    return scratch(name);
}

Test(dataset, an_adjacency_in_another_order_is_put_into_the_series)
{
    static const char *const turned[] = { "c", "a", "b" };
    static const char *const other[] = { "a", "b", "d" };
    static const char *const twice[] = { "b", "a", "b" };
    struct wf_dataset ds;
    struct wf_dataset_source src = source(text_file("s.csv", SERIES), named_graph("g.h5", turned));
    ok(load(&ds, &src));
    cr_assert(ds.reordered && ds.edges == 1 && ds.source[0] == 2 && ds.target[0] == 0);
    cr_assert_str_eq(ds.nodes.name[0], "a");
    wf_dataset_free(&ds);
    named_graph("g.h5", other);
    fails(load(&ds, &src), WF_EINVAL, "node 2 is 'd', series");
    says("has 'c' there");
    named_graph("g.h5", twice);
    fails(load(&ds, &src), WF_EINVAL, "node 2 is 'b' again");
    expect_no_leaks();
}

static const struct {
    const char *series, *adjacency, *says;
} bad[] = {
    { SERIES, "1,0\n0,1\n", "a.csv is 2 x 2, series" },
    { SERIES, "1,0,0\n0,1,0\n", "a.csv is 2 x 3, series" },
    { SERIES, "1,0,0\n0,nan,0\n0,0,1\n", "weight [1, 1] is nan, expected a finite one" },
    { SERIES, "1,0,0\n0,1,0\n0,-1,1\n", "weight [2, 1] is -1, expected a finite one >= 0" },
    { SERIES, "1,0,0\n0,inf,0\n0,0,1\n", "a.csv: line 2, column 2: 'inf'" },
    { SERIES, "0,0,0\n0,0,0\n0,0,0\n", "a.csv: adjacency without an edge" },
    { SERIES, "from,to,cost\nx,y,1\n", "a.csv: 0 distances between the 3 nodes" },
    { "t,a\n2024-01-02,1\n2024-01-01,2\n", "1\n", "s.csv: time of row 1 is not after" },
    { "t,a\n1960-01-02,1\n1960-01-03,2\n", "1\n", "not before 1970" },
    { "", "1\n", "s.csv: is empty" },
};

Test(dataset, bad_text_is_refused_in_one_line)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct wf_dataset ds;
        struct wf_dataset_source src =
            source(text_file("s.csv", bad[i].series), text_file("a.csv", bad[i].adjacency));
        cr_assert_neq(load(&ds, &src), WF_OK, "row %zu", i);
        says(bad[i].says);
        cr_assert(!strchr(err.message, '\n'));
    }
    struct wf_dataset ds;
    struct wf_dataset_source none = wf_dataset_defaults();
    fails(load(&ds, &none), WF_EINVAL, "no data file");
    expect_no_leaks();
}

Test(dataset, the_first_bytes_tell_what_the_name_does_not)
{
    NEED_SHARED();
    static char bytes[4 << 20];
    struct wf_dataset ds;
    FILE *f = fopen(shared("data/metr-la-week/metr-la.h5"), "rb");
    cr_assert(f);
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    struct wf_dataset_source src =
        source(scratch_file("series", bytes, size), shared("data/metr-la-week/adj_mx_metr-la.pkl"));
    ok(load(&ds, &src));
    cr_assert(ds.series.N == 207 && ds.edges == 1722);
    wf_dataset_free(&ds);
    scratch_file("series", bytes, size / 2);
    fails(load(&ds, &src), WF_EFORMAT, "series: ");
    src = source(text_file("plain", SERIES), NULL);
    ok(load(&ds, &src));
    cr_assert_eq(ds.series.N, 3);
    wf_dataset_free(&ds);
    src = source(scratch_file("nothing", "", 0), NULL);
    fails(load(&ds, &src), WF_EIO, "");
    expect_no_leaks();
}

/* Writes a .npy file of the given shape, whose values count up from 0. */
static const char *npy_file(const char *name, const char *shape, int count)
{
    static unsigned char bytes[1024];
    char header[120];
    int len = snprintf(header, sizeof header,
                       "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", shape);
    memset(bytes, ' ', 128);
    memcpy(bytes, "\x93NUMPY\1\0\x76\0", 10);
    memcpy(bytes + 10, header, (size_t)len);
    bytes[127] = '\n';
    for (int i = 0; i < count; i++) memcpy(bytes + 128 + 4 * i, &(float){ (float)i }, 4);
    return scratch_file(name, bytes, 128 + 4 * (size_t)count);
}

Test(dataset, arrays_of_numpy_are_series_and_graphs)
{
    struct wf_dataset ds;
    struct wf_dataset_source src =
        source(npy_file("s.npy", "(4, 2, 3)", 24), npy_file("a.npy", "(2, 2)", 4));
    ok(load(&ds, &src));
    cr_assert(ds.series.E == 4 && ds.series.N == 2 && ds.series.C == 3 && !ds.series.time_s);
    cr_assert(isnan(ds.series.values[0]) && ds.series.values[23] == 23);
    cr_assert(ds.edges == 3 && ds.source[0] == 0 && ds.target[0] == 1 && ds.weight[2] == 3);
    wf_dataset_free(&ds);
    npy_file("s.npy", "(24,)", 24);
    fails(load(&ds, &src), WF_EFORMAT, "s.npy: has shape [24], expected [E, N] or [E, N, C]");
    npy_file("s.npy", "(1, 2, 12)", 24);
    fails(load(&ds, &src), WF_EINVAL, "s.npy: 2 nodes of 12 channels, expected at most 8");
    expect_no_leaks();
}

/* ---- writing ---- */

Test(dataset, one_file_keeps_series_and_graph)
{
    struct wf_dataset ds, back;
    struct wf_dataset_stats a, b;
    struct wf_dataset_source src = source(text_file("s.csv", SERIES "2024-01-02 00:00,1,1,1\n"),
                                          text_file("a.csv", "1,0.5,0\n0,1,0\n0.25,0,0\n"));
    ok(load(&ds, &src));
    ok(wf_dataset_write(scratch("one.h5"), &ds, &err));
    src = source(scratch("one.h5"), "");
    ok(load(&back, &src));
    ok(wf_dataset_stats(&a, &ds, &err));
    ok(wf_dataset_stats(&b, &back, &err));
    cr_assert(a.gaps == 1 && a.longest_s == 22 * 3600 && a.isolated == 0 && a.out_max == 2);
    cr_assert(b.gaps == 1 && b.longest_s == 22 * 3600 && back.series.interval_s == 3600);
    cr_assert(memcmp(ds.series.time_s, back.series.time_s, 4 * sizeof(int64_t)) == 0);
    cr_assert(back.edges == 4 && memcmp(ds.weight, back.weight, 4 * sizeof(float)) == 0);
    cr_assert(memcmp(ds.target, back.target, 4 * sizeof(int)) == 0);
    cr_assert(a.channel[0].mean == b.channel[0].mean && b.channel[0].missing == 2.0 / 12);
    cr_assert_str_eq(back.nodes.name[1], "b");
    wf_dataset_free(&ds);
    wf_dataset_free(&back);
    expect_no_leaks();
}

Test(dataset, real_series_come_back_bit_for_bit)
{
    NEED_SHARED();
    /* The first set has a gap and several pieces; the clock of the second is even. */
    for (size_t i = 0; i < 2; i++) {
        struct wf_dataset ds, back;
        struct wf_dataset_source src =
            source(shared(real[1 - i].data), shared(real[1 - i].adjacency));
        ok(load(&ds, &src));
        ok(wf_dataset_write(scratch("back.h5"), &ds, &err));
        src = source(scratch("back.h5"), "");
        ok(load(&back, &src));
        const struct wf_series *a = &ds.series, *b = &back.series;
        cr_assert(a->E == b->E && a->N == b->N && a->interval_s == b->interval_s);
        cr_assert_eq(memcmp(a->time_s, b->time_s, (size_t)a->E * sizeof *a->time_s), 0);
        int64_t different = 0;
        for (int64_t k = 0; k < a->E * a->N; k++)
            different += isnan(a->values[k]) ? !isnan(b->values[k]) : a->values[k] != b->values[k];
        cr_assert_eq(different, 0);
        cr_assert(ds.edges == back.edges &&
                  memcmp(ds.weight, back.weight, (size_t)ds.edges * sizeof *ds.weight) == 0);
        wf_dataset_free(&ds);
        wf_dataset_free(&back);
    }
    expect_no_leaks();
}

Test(dataset, csv_comes_back_as_it_went)
{
    static const char quoted[] = "t,\"a,b\",\"say \"\"c\"\"\"\n2024-01-01,1,\n2024-01-02,0.1,3\n";
    for (int timed = 0; timed < 2; timed++) {
        struct wf_dataset ds, back;
        struct wf_dataset_source src =
            source(text_file("s.csv", timed ? quoted : "1,nan\n0.1,3\n"), NULL);
        ok(load(&ds, &src));
        ok(wf_dataset_write_csv(scratch("out.csv"), &ds, &err));
        src = source(scratch("out.csv"), NULL);
        ok(load(&back, &src));
        cr_assert(back.series.E == 2 && back.series.N == 2 && isnan(back.series.values[1]));
        cr_assert(back.series.values[2] == ds.series.values[2] && back.series.values[3] == 3);
        cr_assert_eq(back.nodes.count, timed ? 2 : 0);
        if (timed) cr_assert_str_eq(back.nodes.name[1], "say \"c\"");
        cr_assert_eq(back.series.interval_s, timed ? 86400 : 0);
        wf_dataset_free(&ds);
        wf_dataset_free(&back);
    }
    expect_no_leaks();
}

Test(dataset, what_cannot_be_written_leaves_nothing)
{
    struct wf_dataset ds;
    struct wf_dataset_source src = source(npy_file("s.npy", "(4, 2, 3)", 24), NULL);
    ok(load(&ds, &src));
    fails(wf_dataset_write_csv(scratch("out.csv"), &ds, &err), WF_EINVAL,
          "CSV holds one channel, the series has 3");
    fails(wf_dataset_write(scratch("no/such.h5"), &ds, &err), WF_EIO,
          "such.h5: cannot create the file: No such file");
    ds.series.C = 1;
    fails(wf_dataset_write_csv(scratch("no/such.csv"), &ds, &err), WF_EIO, "");
    ds.series.C = 3;
    cr_assert_eq(scratch_count(), 1);
    wf_dataset_free(&ds);
    expect_no_leaks();
}

static struct wf_traffic_config small(void)
{
    struct wf_traffic_config cfg = wf_traffic_defaults();
    cfg.nodes = 12;
    cfg.days = 2;
    return cfg;
}

Test(dataset, synthetic_traffic_in_a_file_is_the_simulation)
{
    struct wf_traffic_config cfg = small();
    struct wf_traffic_data want;
    struct wf_dataset ds;
    struct wf_dataset_source src = source(scratch("synth.h5"), "");
    ok(wf_simulate_traffic(scratch("synth.h5"), &cfg, &err));
    ok(wf_traffic_run(&cfg, &want, &err));
    ok(load(&ds, &src));
    cr_assert(ds.series.E == want.E && ds.series.N == 12 && ds.series.time_s[0] == want.t0);
    for (ptrdiff_t i = 0; i < want.E * 12; i++)
        cr_assert(isnan(want.values[i]) ? isnan(ds.series.values[i])
                                        : ds.series.values[i] == (wf_real)want.values[i]);
    int edges = 0;
    for (int i = 0; i < 144; i++) edges += want.adjacency[i] > 0;
    cr_assert_eq(ds.edges, edges);
    for (int e = 0; e < edges; e++)
        cr_assert_eq(ds.weight[e], want.adjacency[ds.source[e] * 12 + ds.target[e]]);
    wf_dataset_free(&ds);
    wf_traffic_data_free(&want);
    cfg.nodes = 1;
    fails(wf_simulate_traffic(scratch("synth.h5"), &cfg, &err), WF_EINVAL, "");
    expect_no_leaks();
}

/* ---- memory, statistics, options ---- */

Test(dataset, every_failed_allocation_is_clean)
{
    struct wf_traffic_config cfg = small();
    struct wf_dataset ds;
    struct wf_dataset_source src = source(
        text_file("s.csv", SERIES), text_file("d.csv", "from,to,cost\na,b,1\nb,c,2\nc,a,9\n"));
    EACH_ALLOCATION_FAILS(err, load(&ds, &src), wf_dataset_free(&ds));
    static const char *const turned[] = { "c", "a", "b" };
    src = source(text_file("s.csv", SERIES), named_graph("g.h5", turned));
    src.pgt = src.day_channel = true;
    EACH_ALLOCATION_FAILS(err, load(&ds, &src), wf_dataset_free(&ds));
    cfg.days = 1;
    EACH_ALLOCATION_FAILS(err, wf_simulate_traffic(scratch("t.h5"), &cfg, &err), (void)0);
    src = source(scratch("t.h5"), "");
    EACH_ALLOCATION_FAILS(err, load(&ds, &src), wf_dataset_free(&ds));
    ok(load(&ds, &src));
    struct wf_dataset_stats st;
    long held = wf_alloc_live();
    EACH_ALLOCATION_FAILS(err, wf_dataset_write(scratch("u.h5"), &ds, &err), (void)0);
    EACH_ALLOCATION_FAILS(err, wf_dataset_write_csv(scratch("u.csv"), &ds, &err), (void)0);
    EACH_ALLOCATION_FAILS(err, wf_dataset_stats(&st, &ds, &err), (void)0);
    cr_assert_eq(wf_alloc_live(), held);
    wf_dataset_free(&ds);
    expect_no_leaks();
}

Test(dataset, statistics_count_what_is_there)
{
    struct wf_dataset ds;
    struct wf_dataset_stats st;
    struct wf_dataset_source src =
        source(text_file("s.csv", SERIES), text_file("a.csv", "1,0.5,0\n0.5,0,0\n0,0,1\n"));
    src.zero_missing = false;
    char page[1024] = "";
    FILE *f = fmemopen(page, sizeof page, "w");
    ok(load(&ds, &src));
    ok(wf_dataset_stats(&st, &ds, &err));
    cr_assert(st.channel[0].min == 0 && st.channel[0].max == 9 && st.channel[0].mean == 35.0 / 8);
    cr_assert(st.channel[0].zeros == 1.0 / 9 && st.channel[0].missing == 1.0 / 9);
    cr_assert(st.symmetric && st.self_loops == 2 && st.isolated == 1);
    cr_assert(st.out_max == 2 && st.in_max == 2 && st.weight_min == 0.5F && st.weight_max == 1);
    wf_dataset_print(&ds, &st, f);
    fclose(f);
    cr_assert(strstr(page, "3 steps, 3 nodes with names, 1 channel;"), "%s", page);
    cr_assert(strstr(page, "2024-01-01 00:00:00 to 2024-01-01 02:00:00, every 3600 s; no gaps"));
    cr_assert(strstr(page, "0 to 9, mean 4.375; 11.11 % missing, 11.11 % zeros"));
    cr_assert(strstr(page, "4 edges, 2 of them self-loops; symmetric"));
    struct wf_backend *be = ds.series.be;
    struct wf_backend other = *be;
    ds.series.be = &other;
    fails(wf_dataset_stats(&st, &ds, &err), WF_EINVAL, "");
    ds.series.be = be;
    wf_dataset_free(&ds);
    expect_no_leaks();
}

Test(dataset, every_option_sets_its_field)
{
    struct wf_dataset_source s = wf_dataset_defaults();
    struct wf_config c = { wf_dataset_fields, &s, "data" };
    cr_assert(s.zero_missing && s.threshold == 0.1 && !s.pgt && !s.graph_optional);
    ok(wf_config_set(&c, 1, "data", "a.h5", &err));
    ok(wf_config_set(&c, 1, "key", "df", &err));
    ok(wf_config_set(&c, 1, "adjacency", "a.pkl", &err));
    ok(wf_config_set(&c, 1, "zero-missing", "False", &err));
    ok(wf_config_set(&c, 1, "threshold", "0.5", &err));
    cr_assert(!strcmp(s.data, "a.h5") && !strcmp(s.key, "df") && !strcmp(s.adjacency, "a.pkl"));
    cr_assert(!s.zero_missing && s.threshold == 0.5);
    fails(wf_config_set(&c, 1, "threshold", "2", &err), WF_EINVAL, "");
}
