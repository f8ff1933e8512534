/* dataset - makes, describes and converts data sets. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "data/catalog.h"
#include "data/dataset.h"
#include "dist/cli.h"
#include "dist/experiment.h"
#include "dist/progress.h"

#define SYNTH(name)  offsetof(struct wf_synth_config, name)
#define SOURCE(name) offsetof(struct wf_dataset_source, name)

struct folder {
    char path[WF_CONFIG_TEXT];
};

static const struct wf_field synth_fields[] = {
    { "nodes", WF_FIELD_INT, SYNTH(nodes), 2, 100000, NULL, "sensors" },
    { "days", WF_FIELD_INT, SYNTH(days), 1, 10000, NULL, "days, from a Monday on" },
    { "interval", WF_FIELD_INT, SYNTH(interval_s), 60, 604800, NULL, "seconds between rows" },
    { "edges", WF_FIELD_INT, SYNTH(edges), 0, INT_MAX, NULL,
      "of the graph; 0: what the roads give" },
    { "channels", WF_FIELD_INT, SYNTH(channels), 1, 3, NULL, "speed, vehicles an hour, a mile" },
    { "seed", WF_FIELD_SEED, SYNTH(seed), 0, 0, NULL, "of the roads and all that happens there" },
    { "missing", WF_FIELD_DOUBLE, SYNTH(missing), 0, 0.999, NULL, "share of readings lost" },
    { "noise", WF_FIELD_DOUBLE, SYNTH(noise_mph), 0, 20, NULL, "error of a reading, mph" },
    { 0 }
};
static const struct wf_field pde_fields[] = { { "seed", WF_FIELD_SEED,
                                                offsetof(struct wf_pde_config, seed), 0, 0, NULL,
                                                "of the places and all that happens there" },
                                              { 0 } };
static const struct wf_field folder_fields[] = { { "data-folder", WF_FIELD_TEXT,
                                                   offsetof(struct folder, path), 0, 0, NULL,
                                                   "where NAME.h5 goes" },
                                                 { 0 } };
static const struct wf_field source_fields[] = {
    { "key", WF_FIELD_TEXT, SOURCE(key), 0, 0, NULL, "which series of an HDF5 or .npz file" },
    { "adjacency", WF_FIELD_TEXT, SOURCE(adjacency), 0, 0, NULL, "file with the graph" },
    { "threshold", WF_FIELD_DOUBLE, SOURCE(threshold), 0, 1, NULL,
      "drop edges of road distances whose weight is below" },
    { 0 }
};

struct job {
    struct wf_synth_config synth;
    struct wf_pde_config pde;
    struct folder folder;
    struct wf_dataset_source source;
    int argc; /* of the command */
    char **argv;
    const char *in, *out;
};

/* ---- synth ---- */

/* A bar on a terminal, a line in a log every so often. */
struct bar {
    struct wf_progress p;
    double told;
};

static bool show_rows(void *ctx, ptrdiff_t done, ptrdiff_t total)
{
    enum { SECONDS = 20 };
    struct bar *b = ctx;
    char text[80];
    double now = wf_now();
    bool line = b->p.terminal ? done == total && b->p.drawn > 0 : now - b->told > SECONDS;
    if (!line && (!b->p.terminal || now - b->p.drawn < 0.1)) return !wf_cli_stop;
    snprintf(text, sizeof text, "row %td of %td", done, total);
    b->p.total = (int)total;
    if (line) {
        wf_progress_line(&b->p, text);
        b->told = now;
    } else {
        wf_progress_show(&b->p, (int)done, text);
    }
    return !wf_cli_stop;
}

static void bar_start(struct bar *b, struct wf_synth_watch *w)
{
    wf_progress_start(&b->p, stderr, 0, 0);
    b->told = b->p.started;
    *w = (struct wf_synth_watch){ show_rows, b };
    wf_cli_catch_signals();
}

static enum wf_status make_traffic(const char *path, struct wf_synth_config *c,
                                   struct wf_error *err)
{
    struct bar b;
    bar_start(&b, &c->watch);
    WF_TRY(wf_dataset_synth(path, c, err));
    int64_t rows = c->rows, s = c->interval_s ? c->interval_s : 3600;
    if (!rows) rows = (int64_t)c->days * 86400 / s;
    printf("%s: %lld rows of %d sensors, every %lld s, seed %llu\n", path, (long long)rows,
           c->nodes, (long long)s, (unsigned long long)c->seed);
    return WF_OK;
}

static enum wf_status make_pde(const char *path, struct wf_pde_config *c, struct wf_error *err)
{
    struct bar b;
    bar_start(&b, &c->watch);
    WF_TRY(wf_dataset_pde(path, c, err));
    printf("%s: %d runs of %d rows of %d places, seed %llu\n", path, c->runs, c->rows, c->nodes,
           (unsigned long long)c->seed);
    return WF_OK;
}

/* The options once more, on top of what the data set of that name is. */
static enum wf_status parse_named(struct job *j, bool pde, struct wf_error *err)
{
    const struct wf_config c[] = { { pde ? pde_fields : synth_fields,
                                     pde ? (void *)&j->pde : (void *)&j->synth, "synth" },
                                   { folder_fields, &j->folder, "synth" } };
    struct wf_cli cli = { 0 };
    return wf_cli_parse(j->argc, j->argv, c, 2, &cli, err);
}

/* Of the entry's shape and clock, unless options say otherwise. */
static enum wf_status take_entry(struct job *j, const struct wf_catalog_entry *e,
                                 struct wf_error *err)
{
    j->synth = wf_synth_defaults();
    j->synth.nodes = e->N;
    j->synth.days = 0;
    j->synth.interval_s = e->interval_s;
    j->synth.channels = e->C;
    j->synth.edges = e->edges;
    WF_TRY(parse_named(j, false, err));
    if (!j->synth.days) j->synth.rows = e->E;
    return WF_OK;
}

static enum wf_status synth(struct job *j, struct wf_error *err)
{
    char path[WF_CONFIG_TEXT + 64];
    if (strpbrk(j->in, "./")) return make_traffic(j->in, &j->synth, err);
    const struct wf_catalog_entry *e = wf_catalog_find(j->in);
    bool pde = wf_pde_named(&j->pde, j->in);
    if (!pde && !e)
        return wf_fail(err, WF_EINVAL, "no data set %s is known; want its name, or OUT.h5", j->in);
    WF_TRY(pde ? parse_named(j, true, err) : take_entry(j, e, err));
    const char *folder = j->folder.path[0] ? j->folder.path : ".";
    WF_TRY(wf_make_folder(folder, err));
    snprintf(path, sizeof path, "%s/%s.h5", folder, j->in);
    return pde ? make_pde(path, &j->pde, err) : make_traffic(path, &j->synth, err);
}

/* ---- info, convert ---- */

static enum wf_status load(struct wf_dataset *ds, struct job *j, struct wf_error *err)
{
    const struct wf_config name = { wf_dataset_fields, &j->source, "" };
    WF_TRY(wf_config_set(&name, 1, "data", j->in, err));
    j->source.zero_missing = false;
    j->source.graph_optional = true;
    return wf_dataset_load(ds, wf_backend_cpu(), &j->source, err);
}

static enum wf_status info(struct job *j, struct wf_error *err)
{
    struct wf_dataset ds;
    struct wf_dataset_stats st;
    WF_TRY(load(&ds, j, err));
    enum wf_status s = wf_dataset_stats(&st, &ds, err);
    if (s == WF_OK) wf_dataset_print(&ds, &st, stdout);
    wf_dataset_free(&ds);
    return s;
}

static enum wf_status convert(struct job *j, struct wf_error *err)
{
    struct wf_dataset ds;
    const char *dot = strrchr(j->out, '.');
    bool csv = dot && strcmp(dot, ".csv") == 0;
    if (!csv && !(dot && (strcmp(dot, ".h5") == 0 || strcmp(dot, ".hdf5") == 0)))
        return wf_fail(err, WF_EINVAL, "%s: cannot write this kind; want .h5 or .csv", j->out);
    if (csv && j->source.adjacency[0])
        return wf_fail(err, WF_EINVAL, "%s: CSV holds no graph; want .h5", j->out);
    WF_TRY(load(&ds, j, err));
    enum wf_status s =
        csv ? wf_dataset_write_csv(j->out, &ds, err) : wf_dataset_write(j->out, &ds, err);
    if (s == WF_OK && csv && ds.edges)
        printf("%s: the graph of %s is left out, CSV holds none\n", j->out, j->in);
    wf_dataset_free(&ds);
    return s;
}

static const struct {
    const char *name, *usage, *what;
    int arguments;
    bool source; /* takes the options of a source, else of the simulation */
    enum wf_status (*run)(struct job *j, struct wf_error *err);
} commands[] = {
    { "synth", "NAME", "simulates a stand-in of a data set; OUT.h5: road traffic", 1, false,
      synth },
    { "info", "FILE", "describes a series and its graph", 1, true, info },
    { "convert", "IN OUT", "writes OUT.h5, with the graph, or OUT.csv", 2, true, convert },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int help(struct job *j)
{
    const struct wf_config all[] = { { synth_fields, &j->synth, "synth" },
                                     { folder_fields, &j->folder, "synth NAME" },
                                     { source_fields, &j->source, "info and convert" } };
    printf("usage: dataset COMMAND FILES [--OPTION VALUE ..]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-8s %-7s  %s\n", commands[i].name, commands[i].usage, commands[i].what);
    printf("\nReads .h5, .csv, .npy, .npz and .json; graphs also from .pkl.\n");
    wf_config_help(all, 3, stdout);
    return 0;
}

static enum wf_status run(int argc, char **argv, int k, struct job *j, struct wf_error *err)
{
    const struct wf_config source = { source_fields, &j->source, commands[k].name };
    const struct wf_config made[] = { { synth_fields, &j->synth, commands[k].name },
                                      { folder_fields, &j->folder, commands[k].name } };
    struct wf_cli cli = { 0 };
    j->argc = argc - 1;
    j->argv = argv + 1;
    WF_TRY(wf_cli_parse(argc - 1, argv + 1, commands[k].source ? &source : made,
                        commands[k].source ? 1 : 2, &cli, err));
    if (cli.help) {
        help(j);
        return WF_OK;
    }
    if (cli.positionals != commands[k].arguments)
        return wf_fail(err, WF_EINVAL, "%d files given, want %s %s", cli.positionals,
                       commands[k].name, commands[k].usage);
    j->in = cli.positional[0];
    j->out = cli.positional[1];
    return commands[k].run(j, err);
}

int main(int argc, char **argv)
{
    struct job j = { .synth = wf_synth_defaults(),
                     .folder = { "data" },
                     .source = wf_dataset_defaults() };
    struct wf_error err = { 0 };
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) return help(&j);
    for (int k = 0; k < COMMANDS && argc > 1; k++)
        if (strcmp(argv[1], commands[k].name) == 0)
            return run(argc, argv, k, &j, &err) == WF_OK ? 0 : wf_cli_fail(argv[0], &err);
    wf_fail(&err, WF_EINVAL, "%s%s; want synth, info or convert, or --help",
            argc > 1 ? "unknown command " : "no command", argc > 1 ? argv[1] : "");
    return wf_cli_fail(argv[0], &err);
}
