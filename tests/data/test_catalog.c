/* These tests look data sets up by name: the catalog's entries, and where their files are found. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "apps/dataset/describe.h"
#include "data/catalog.h"
#include "data/formats/csv.h"
#include "apps/experiment/experiment.h"
#include "data/simulate/simulate_file.h"
#include "tensor/alloc.h"
#include "tests/kit/outcome.h"
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"

static struct wf_error err;

/* ---- the entries ---- */

static bool is_digest(const char *text)
{
    size_t digits = strncmp(text, "md5:", 4) == 0 ? 32 : strncmp(text, "sha256:", 7) == 0 ? 64 : 0;
    const char *hex = strchr(text, ':');
    return digits && strlen(hex + 1) == digits && strspn(hex + 1, "0123456789abcdef") == digits;
}

static void expect_files(const struct wf_catalog_entry *c)
{
    int roles[WF_CATALOG_ARCHIVE + 1] = { 0 };
    bool json = c->file[0].name && strstr(c->file[0].name, ".json");
    for (int i = 0; i < WF_CATALOG_FILES && c->file[i].name; i++) {
        const struct wf_catalog_file *f = &c->file[i];
        roles[f->role]++;
        cr_expect(!strchr(f->name, '/') && f->name[0], "%s: file %d", c->name, i);
        cr_expect(!f->url || strncmp(f->url, "https://", 8) == 0, "%s: %s", c->name, f->name);
        cr_expect(!f->digest || (f->url && is_digest(f->digest)), "%s: %s", c->name, f->name);
    }
    if (!c->file[0].name) return;
    cr_expect_eq(roles[WF_CATALOG_DATA] + roles[WF_CATALOG_ARCHIVE], 1, "%s", c->name);
    cr_expect_eq(roles[WF_CATALOG_GRAPH] + roles[WF_CATALOG_ARCHIVE], !json, "%s", c->name);
    cr_expect(!roles[WF_CATALOG_ARCHIVE] || (c->key && c->graph_key), "%s: no keys", c->name);
    cr_expect(c->file[0].role == WF_CATALOG_DATA || c->file[0].role == WF_CATALOG_ARCHIVE);
}

Test(catalog, every_entry_is_well_formed)
{
    const struct wf_catalog_entry *c;
    int i = 0;
    for (; (c = wf_catalog_at(i)); i++) {
        struct wf_experiment x;
        int64_t ns;
        for (const char *p = c->name; *p; p++)
            cr_expect(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '-', "%s",
                      c->name);
        cr_expect_eq(wf_catalog_find(c->name), c, "%s is there twice", c->name);
        cr_expect(c->about && c->licence && c->source && c->settings, "%s lacks a text", c->name);
        cr_expect(c->N > 0 && c->C > 0 && c->E >= 0 && c->interval_s >= 0, "%s", c->name);
        cr_expect(!c->start || (c->interval_s && wf_csv_date(c->start, &ns)), "%s", c->name);
        expect_files(c);
        cr_expect_eq(wf_experiment_init(&x, c->settings, &err), WF_OK, "%s: %s", c->name,
                     err.message);
        cr_expect(x.cfg.T > 0 && x.cfg.quantity[0], "%s: %s", c->name, c->settings);
        wf_experiment_free(&x);
    }
    cr_assert_geq(i, 32);
    cr_assert_null(wf_catalog_at(i));
    cr_assert_null(wf_catalog_at(-1));
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(catalog, a_name_that_is_not_known_gets_those_that_are)
{
    const struct wf_catalog_entry *c;
    fails(wf_catalog_need(&c, "atlantis", &err), WF_EINVAL,
          "no data set 'atlantis'; want one of chickenpox, pedalme,");
    says("wave-equation");
    ok(wf_catalog_need(&c, "pems", &err));
    cr_assert_eq(c->N, 11160);
}

/* ---- where the files are ---- */

static char folder[512];

static enum wf_status locate(const char *name, struct wf_dataset_source *src)
{
    snprintf(folder, sizeof folder, "%s", scratch_folder("data"));
    *src = wf_dataset_defaults();
    return wf_catalog_locate(wf_catalog_find(name), folder, src, &err);
}

static void put(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "data/%s", name);
    scratch_file(path, "x", 1);
}

static void expect_at(const char *found, const char *name)
{
    size_t n = strlen(folder);
    cr_assert(strncmp(found, folder, n) == 0 && strcmp(found + n, name) == 0, "found %s", found);
}

Test(catalog, its_own_folder_comes_first_then_the_top_then_the_publishers)
{
    struct wf_dataset_source src;
    scratch_folder("data");
    scratch_folder("data/chickenpox");
    scratch_folder("data/pgt");
    fails(locate("chickenpox", &src), WF_EIO, "");
    put("pgt/chickenpox.json");
    ok(locate("chickenpox", &src));
    expect_at(src.data, "/pgt/chickenpox.json");
    put("chickenpox.json");
    ok(locate("chickenpox", &src));
    expect_at(src.data, "/chickenpox.json");
    put("chickenpox/chickenpox.json");
    ok(locate("chickenpox", &src));
    expect_at(src.data, "/chickenpox/chickenpox.json");
    cr_assert(!src.adjacency[0] && !src.key[0] && src.zero_missing && !src.start[0]);
}

Test(catalog, files_of_every_role_reach_the_source)
{
    struct wf_dataset_source src;
    scratch_folder("data");
    put("PEMS03.npz");
    put("PEMS03.csv");
    put("PEMS03.txt");
    ok(locate("pems03", &src));
    expect_at(src.data, "/PEMS03.npz");
    expect_at(src.adjacency, "/PEMS03.csv");
    expect_at(src.names, "/PEMS03.txt");
    cr_assert(strcmp(src.key, "data") == 0 && strcmp(src.start, "2018-09-01") == 0);
    cr_assert_eq(src.interval_s, 300);
    put("in_10min.csv");
    put("out_10min.csv");
    put("adjacency.csv");
    ok(locate("beijing-metro", &src));
    expect_at(src.second, "/out_10min.csv");
    cr_assert(src.rows_are_nodes && !src.zero_missing && !src.start[0]);
    put("PEMS-BAY.zip");
    ok(locate("pems-bay-pgt", &src));
    cr_assert_str_eq(src.adjacency, src.data);
    cr_assert(strcmp(src.key, "pems_node_values") == 0 &&
              strcmp(src.adjacency_key, "pems_adj_mat") == 0);
    put("node_values.npy");
    fails(locate("metr-la-pgt", &src), WF_EIO, "");
    put("adj_mat.npy");
    ok(locate("metr-la-pgt", &src));
    expect_at(src.data, "/node_values.npy");
    expect_at(src.adjacency, "/adj_mat.npy");
    cr_assert(!src.key[0] && !src.adjacency_key[0]);
}

Test(catalog, a_graph_that_was_named_stays)
{
    struct wf_dataset_source src = wf_dataset_defaults();
    scratch_folder("data");
    put("metr-la.h5");
    fails(locate("metr-la", &src), WF_EIO, "");
    strcpy(src.adjacency, "mine.csv");
    ok(wf_catalog_locate(wf_catalog_find("metr-la"), folder, &src, &err));
    cr_assert_str_eq(src.adjacency, "mine.csv");
    expect_at(src.data, "/metr-la.h5");
}

Test(catalog, what_is_missing_is_named_with_the_places_and_the_way_to_get_it)
{
    struct wf_dataset_source src;
    char text[1200];
    fails(locate("pems", &src), WF_EIO, "");
    snprintf(text, sizeof text,
             "data set pems: pems.h5, adj_mx_pems.pkl not found in %s/pems, %s; get it with "
             "`dataset fetch pems`, or a stand-in with `dataset synth pems`",
             folder, folder);
    cr_assert_str_eq(err.message, text);
    put("adj_mx_metr-la.pkl");
    fails(locate("metr-la", &src), WF_EIO, "data set metr-la: metr-la.h5 not found in ");
    says("; get it from DCRNN (");
    says("or a stand-in with `dataset synth metr-la`");
    fails(locate("windmill-small", &src), WF_EIO, "windmill_output_small.json not found in ");
    says("/pgt; get it from PyTorch Geometric Temporal, whose copy is lost");
    fails(locate("wave-equation", &src), WF_EIO, "wave-equation.h5 not found in ");
    says("; make it with `dataset synth wave-equation`");
    cr_assert(!src.data[0]);
}

/* ---- what it must be ---- */

static struct wf_dataset shaped(int64_t total, int N, int C)
{
    return (struct wf_dataset){ .total = total, .series = { .N = N, .C = C } };
}

Test(catalog, another_data_set_is_refused)
{
    const struct wf_catalog_entry *la = wf_catalog_find("metr-la"), *bay, *four;
    bay = wf_catalog_find("pems-bay");
    four = wf_catalog_find("pems04");
    struct wf_dataset ds = shaped(2016, 207, 1);
    fails(wf_catalog_check(la, &ds, "/d/metr-la.h5", &err), WF_EINVAL, "");
    cr_assert_str_eq(err.message, "metr-la: /d/metr-la.h5: 2016 steps x 207 nodes, expected 34272 "
                                  "x 207: another data set?");
    ds = shaped(34272, 207, 1);
    ok(wf_catalog_check(la, &ds, "f", &err));
    ds = shaped(34272, 207, 2); /* has the time of day as well */
    ok(wf_catalog_check(la, &ds, "f", &err));
    ds = shaped(34272, 206, 1);
    fails(wf_catalog_check(la, &ds, "f", &err), WF_EINVAL, "");
    ds = shaped(52116, 325, 1);
    ok(wf_catalog_check(bay, &ds, "f", &err));
    ds = shaped(52128, 325, 1);
    ok(wf_catalog_check(bay, &ds, "f", &err));
    ds = shaped(52127, 325, 1);
    fails(wf_catalog_check(bay, &ds, "f", &err), WF_EINVAL, "expected 52116 or 52128 x 325");
    ds = shaped(16992, 307, 1);
    fails(wf_catalog_check(four, &ds, "f", &err), WF_EINVAL,
          "16992 steps x 307 nodes x 1 channels, expected 16992 x 307 x 3: another data set?");
}

/* Writes a day of simulated traffic into the data folder. */
static void simulate(const char *name, int nodes)
{
    struct wf_traffic_config cfg = wf_traffic_defaults();
    char path[300];
    cfg.nodes = nodes;
    cfg.days = 1;
    snprintf(path, sizeof path, "data/%s", name);
    scratch_folder("data");
    ok(wf_simulate_traffic(scratch(path), &cfg, &err));
}

Test(catalog, a_stand_in_is_taken_and_says_so)
{
    struct wf_dataset_source src;
    struct wf_dataset ds;
    const struct wf_catalog_entry *c = wf_catalog_find("metr-la");
    simulate("metr-la.h5", 207);
    put("adj_mx_metr-la.pkl"); /* has the real roads, not the simulated ones */
    ok(locate("metr-la", &src));
    expect_at(src.data, "/metr-la.h5");
    cr_assert(!src.adjacency[0]);
    ok(wf_dataset_load(&ds, wf_backend_cpu(), &src, &err));
    cr_assert(ds.synthetic && ds.total == 288 && ds.edges > 207);
    ok(wf_catalog_check(c, &ds, src.data, &err));
    ds.total = 40000;
    fails(wf_catalog_check(c, &ds, src.data, &err), WF_EINVAL, "");
    wf_dataset_free(&ds);
    simulate("metr-la.h5", 50);
    ok(locate("metr-la", &src));
    ok(wf_dataset_load(&ds, wf_backend_cpu(), &src, &err));
    fails(wf_catalog_check(c, &ds, src.data, &err), WF_EINVAL,
          "288 steps x 50 nodes, expected 34272 x 207");
    wf_dataset_free(&ds);
    simulate("wave-equation.h5", 325);
    ok(locate("wave-equation", &src));
    cr_assert(!src.zero_missing);
    cr_expect_eq(wf_alloc_live(), 0);
}

/* Every way of writing keeps the mark of simulated data, and measured data have none. */
Test(catalog, the_mark_of_a_stand_in_travels)
{
    struct wf_dataset_source src;
    struct wf_dataset ds;
    simulate("pems.h5", 4);
    ok(locate("pems", &src));
    cr_assert(wf_series_file_synthetic(src.data));
    ok(wf_dataset_load(&ds, wf_backend_cpu(), &src, &err));
    ok(wf_dataset_write(scratch("copy.h5"), &ds, &err));
    cr_assert(wf_series_file_synthetic(scratch("copy.h5")));
    ds.synthetic = false;
    ok(wf_dataset_write(scratch("data/pems.h5"), &ds, &err));
    cr_assert(!wf_series_file_synthetic(scratch("data/pems.h5")));
    wf_dataset_free(&ds);
    fails(locate("pems", &src), WF_EIO, "data set pems: adj_mx_pems.pkl not found");
    cr_assert(!wf_series_file_synthetic(scratch("nothing.h5")));
    cr_assert(!wf_series_file_synthetic(scratch_file("text.h5", "text", 4)));
    cr_expect_eq(wf_alloc_live(), 0);
}

/* ---- through the programs, which are in float ---- */
#ifndef WF_DOUBLE

Test(catalog, the_program_lists_what_is_known_and_what_is_here)
{
    simulate("pems.h5", 4);
    put("metr-la.h5");
    program_works("dataset", "list --data-folder data");
    cr_expect(strstr(program_said, "\nchickenpox                521      20   1  1 week  no\n"),
              "%s", program_said);
    cr_expect(strstr(program_said, " 5 min   data/pems.h5 (synthetic stand-in)\n"), "%s",
              program_said);
    cr_expect(strstr(program_said, "\nmtm                         ?      21   4          no\n"));
    program_refuses("0 files given, want info NAME|FILE", "dataset", "info --data-folder data");
}

Test(catalog, the_program_describes_what_is_not_here_too)
{
    program_works("dataset", "info largest-sd");
    cr_expect(strstr(program_said, "licence    CC BY-NC 4.0\n") &&
                  strstr(program_said, "35040 steps, 716 nodes, 1 channel, every 900 s, 17319") &&
                  strstr(program_said, "not here   data set largest-sd: sd_his_2019.h5, "),
              "%s", program_said);
    simulate("pems-bay.h5", 325);
    program_works("dataset", "info pems-bay --data-folder data");
    cr_expect(strstr(program_said, "52116 or 52128 steps") &&
                  strstr(program_said, "\npems-bay (synthetic stand-in)\n") &&
                  strstr(program_said, "picture    channel 0: all steps") &&
                  strstr(program_said, "\nshades     [ ] from "),
              "%s", program_said);
    simulate("pems-bay.h5", 3);
    program_refuses("pems-bay: data/pems-bay.h5: 288 steps x 3 nodes, expected", "dataset",
                    "info pems-bay --data-folder data");
}

#define QUICK "--pictures False --mode index -d True"

Test(catalog, an_experiment_takes_its_data_by_name)
{
    simulate("metr-la.h5", 207);
    program_works("metr_la", "--data-folder data --out out " QUICK);
    cr_expect(strstr(program_said, "data/metr-la.h5 (synthetic stand-in): 288 steps x 207 nodes") &&
                  strstr(program_said, "\ndata=data/metr-la.h5\n") &&
                  strstr(program_said, "\nunits=mph\n"),
              "%s", program_said);
    program_works("forecast", "--checkpoint out/best.h5 --output f.h5");
    program_works("metr_la", "--data-folder data --out out --resume True " QUICK);
    program_works("chickenpox", "--dataset metr-la --data-folder data --out out2 --horizon 6 "
                                "--input-steps 6 " QUICK);
    cr_expect(strstr(program_said, "\nhorizon=6\n") &&
                  strstr(program_said, "\ndataset=metr-la\n") &&
                  strstr(program_said, "\nquantity=speed\n"),
              "%s", program_said);
    program_works("chickenpox", "--data data/metr-la.h5 --out out2 --dry-run True");
    cr_expect(strstr(program_said, "\nhorizon=4\n") &&
                  strstr(program_said, "\ndata=data/metr-la.h5\n"),
              "%s", program_said);
}

Test(catalog, an_experiment_without_its_data_says_how_to_get_them)
{
    program_works("metr_la", "--help");
    cr_expect(strstr(program_said, "--data-folder"));
    program_refuses("data set metr-la: metr-la.h5, adj_mx_metr-la.pkl not found in data/metr-la",
                    "metr_la", "--out out");
    program_refuses("no data set 'metrla'; want one of chickenpox, ", "pems_bay",
                    "--dataset metrla --out out");
    simulate("pems-bay.h5", 8);
    program_refuses("pems-bay: data/pems-bay.h5: 288 steps x 8 nodes, expected 52116 or 52128 x "
                    "325: another data set?",
                    "pems_bay", "--out out " QUICK);
}

/* ---- the real ones ---- */

static const struct {
    const char *name, *options;
} real[] = {
    { "chickenpox", "" },
    { "pedalme", "" },
    { "metr-la-week", "" },
    { "pems-bay-74", "--epoch-batches 4 --baselines False" },
    { "montevideo-bus", "" },
    { "england-covid", "--model evolvegcn-o" },
    { "twitter-tennis", "--model evolvegcn-o" },
    { "beijing-metro", "" },
};

Test(catalog, real_sets_are_found_by_name_and_have_their_shape)
{
    NEED_SHARED();
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        const struct wf_catalog_entry *c = wf_catalog_find(real[i].name);
        struct wf_dataset_source src = wf_dataset_defaults();
        struct wf_dataset ds;
        ok(wf_catalog_locate(c, shared("data"), &src, &err));
        ok(wf_dataset_load(&ds, wf_backend_cpu(), &src, &err));
        ok(wf_catalog_check(c, &ds, src.data, &err));
        cr_expect(ds.total == c->E && ds.series.N == c->N && ds.series.C == c->C, "%s", c->name);
        cr_expect(!ds.synthetic, "%s", c->name);
        if (c->edges && !ds.weights.values) cr_expect_eq(ds.edges, c->edges, "%s", c->name);
        if (c->start) cr_expect(ds.series.time_s && ds.series.interval_s == c->interval_s);
        wf_dataset_free(&ds);
    }
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(catalog, real_sets_train_by_name, .timeout = TIME_LIMIT)
{
    NEED_SHARED();
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        program_works("pems_bay", "--dataset %s --data-folder '%s' --out out -bs 8 %s " QUICK,
                      real[i].name, shared("data"), real[i].options);
        cr_expect(strstr(program_said, "Errors on the test part"), "%s", program_said);
    }
}

/* The week of METR-LA must not pass for the whole set. */
Test(catalog, a_real_set_under_another_name_is_refused)
{
    NEED_SHARED();
    scratch_folder("data");
    cr_assert_eq(symlink(shared("data/metr-la-week/metr-la.h5"), scratch("data/metr-la.h5")), 0);
    cr_assert_eq(
        symlink(shared("data/metr-la-week/adj_mx_metr-la.pkl"), scratch("data/adj_mx_metr-la.pkl")),
        0);
    program_refuses("metr-la: data/metr-la.h5: 2016 steps x 207 nodes, expected 34272 x 207: "
                    "another data set?",
                    "metr_la", "--out out " QUICK);
    program_refuses("2016 steps x 207 nodes, expected 34272 x 207", "dataset",
                    "info metr-la --data-folder data");
}

#endif
