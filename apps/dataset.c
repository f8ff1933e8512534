/* dataset - makes, describes and converts data sets. */
#include <stdio.h>
#include <string.h>
#include "data/dataset.h"
#include "dist/cli.h"

#define SYNTH(name)  offsetof(struct wf_synth_config, name)
#define SOURCE(name) offsetof(struct wf_dataset_source, name)

static const struct wf_field synth_fields[] = {
    { "nodes", WF_FIELD_INT, SYNTH(nodes), 2, 100000, NULL, "sensors" },
    { "days", WF_FIELD_INT, SYNTH(days), 1, 100000, NULL, "days, from a Monday on" },
    { "interval", WF_FIELD_INT, SYNTH(interval_s), 60, 3600, NULL, "seconds between rows" },
    { "seed", WF_FIELD_SEED, SYNTH(seed), 0, 0, NULL, "of the roads and all that happens there" },
    { "missing", WF_FIELD_DOUBLE, SYNTH(missing), 0, 0.999, NULL, "share of readings lost" },
    { "noise", WF_FIELD_DOUBLE, SYNTH(noise_mph), 0, 20, NULL, "error of a reading, mph" },
    { 0 }
};
static const struct wf_field source_fields[] = {
    { "key", WF_FIELD_TEXT, SOURCE(key), 0, 0, NULL, "which series of an HDF5 or .npz file" },
    { "adjacency", WF_FIELD_TEXT, SOURCE(adjacency), 0, 0, NULL, "file with the graph" },
    { "threshold", WF_FIELD_DOUBLE, SOURCE(threshold), 0, 1, NULL,
      "drop edges of road distances whose weight is below" },
    { 0 }
};

struct job {
    struct wf_synth_config synth;
    struct wf_dataset_source source;
    const char *in, *out;
};

static enum wf_status synth(struct job *j, struct wf_error *err)
{
    WF_TRY(wf_dataset_synth(j->in, &j->synth, err));
    printf("%s: %d days of %d sensors, every %d s, seed %llu\n", j->in, j->synth.days,
           j->synth.nodes, j->synth.interval_s, (unsigned long long)j->synth.seed);
    return WF_OK;
}

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
    { "synth", "OUT.h5", "simulates road traffic into a file with series and graph", 1, false,
      synth },
    { "info", "FILE", "describes a series and its graph", 1, true, info },
    { "convert", "IN OUT", "writes OUT.h5, with the graph, or OUT.csv", 2, true, convert },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int help(struct job *j)
{
    const struct wf_config all[] = { { synth_fields, &j->synth, "synth" },
                                     { source_fields, &j->source, "info and convert" } };
    printf("usage: dataset COMMAND FILES [--OPTION VALUE ..]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-8s %-7s  %s\n", commands[i].name, commands[i].usage, commands[i].what);
    printf("\nReads .h5, .csv, .npy, .npz and .json; graphs also from .pkl.\n");
    wf_config_help(all, 2, stdout);
    return 0;
}

static enum wf_status run(int argc, char **argv, int k, struct job *j, struct wf_error *err)
{
    const struct wf_config c = { commands[k].source ? source_fields : synth_fields,
                                 commands[k].source ? (void *)&j->source : (void *)&j->synth,
                                 commands[k].name };
    struct wf_cli cli = { 0 };
    WF_TRY(wf_cli_parse(argc - 1, argv + 1, &c, 1, &cli, err));
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
    struct job j = { .synth = wf_synth_defaults(), .source = wf_dataset_defaults() };
    struct wf_error err = { 0 };
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) return help(&j);
    for (int k = 0; k < COMMANDS && argc > 1; k++)
        if (strcmp(argv[1], commands[k].name) == 0)
            return run(argc, argv, k, &j, &err) == WF_OK ? 0 : wf_cli_fail(argv[0], &err);
    wf_fail(&err, WF_EINVAL, "%s%s; want synth, info or convert, or --help",
            argc > 1 ? "unknown command " : "no command", argc > 1 ? argv[1] : "");
    return wf_cli_fail(argv[0], &err);
}
