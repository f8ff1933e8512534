#include "apps/dataset/commands.h"
#include <stdio.h>
#include <string.h>
#include "apps/dataset/commands_private.h"
#include "apps/kit/cli.h"

static const struct wf_field source_fields[] = {
    WF_FIELD(wf_dataset_source, "key", TEXT, key, 0, 0, NULL,
             "name of the series in an HDF5 or .npz file"),
    WF_FIELD(wf_dataset_source, "adjacency", TEXT, adjacency, 0, 0, NULL, "file with the graph"),
    WF_FIELD(wf_dataset_source, "threshold", DOUBLE, threshold, 0, 1, NULL,
             "drop edges of road distances whose weight is below this"),
    { 0 }
};

const struct wf_field wf_dataset_place_fields[] = {
    WF_FIELD(wf_dataset_place, "data-folder", TEXT, folder, 0, 0, NULL,
             "folder where data sets by name are looked for"),
    { 0 }
};

static const struct wf_field server_fields[] = {
    WF_FIELD(wf_dataset_server, "url", TEXT, url, 0, 0, NULL,
             "download URL/FILE instead of the publisher's files"),
    WF_FIELD(wf_dataset_server, "stall", INT, stall_s, 1, 86400, NULL,
             "seconds without a byte after which a download gives up"),
    { 0 }
};

void wf_bar_start(struct wf_bar *b)
{
    wf_progress_start(&b->p, stderr, 0, 0);
    b->told = b->p.started;
}

/* The groups of options; a command takes some of them. */
enum { OF_SYNTH = 1, OF_SOURCE = 2, OF_FOLDER = 4, OF_FROM = 8 };
static const struct {
    const char *name, *usage, *what;
    int arguments; /* how many arguments that are no options it takes */
    int options;   /* which groups of options it takes */
    enum wf_status (*run)(struct wf_dataset_job *j, struct wf_error *err);
} commands[] = {
    { "list", "", "names the data sets that are known, and says which are here", 0, OF_FOLDER,
      wf_dataset_list },
    { "info", "NAME|FILE", "describes a series and its graph", 1, OF_SOURCE | OF_FOLDER,
      wf_dataset_info },
    { "synth", "NAME", "simulates a stand-in of a data set; a NAME such as OUT.h5: road traffic", 1,
      OF_SYNTH | OF_FOLDER, wf_dataset_simulate },
    { "fetch", "NAME", "downloads a data set; called again, goes on where it stopped", 1,
      OF_FOLDER | OF_FROM, wf_dataset_fetch },
    { "convert", "IN OUT", "writes IN as OUT.h5, with the graph, or as OUT.csv", 2, OF_SOURCE,
      wf_dataset_convert },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int help(struct wf_dataset_job *j)
{
    const struct wf_config all[] = { { wf_dataset_place_fields, &j->here,
                                       "list, info, synth NAME and fetch" },
                                     { wf_dataset_traffic_fields, &j->traffic, "synth" },
                                     { source_fields, &j->source, "info and convert" },
                                     { server_fields, &j->from, "fetch" } };
    printf("usage: dataset COMMAND [FILES] [--OPTION VALUE ..]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-8s %-9s  %s\n", commands[i].name, commands[i].usage, commands[i].what);
    printf("\nReads .h5, .csv, .npy, .npz and .json; graphs also from .pkl.\n");
    wf_config_help(all, 4, stdout);
    return 0;
}

static enum wf_status run(int argc, char **argv, int k, struct wf_dataset_job *j,
                          struct wf_error *err)
{
    struct wf_config c[4];
    int n = 0, options = commands[k].options;
    if (options & OF_SYNTH)
        c[n++] = (struct wf_config){ wf_dataset_traffic_fields, &j->traffic, "" };
    if (options & OF_SOURCE) c[n++] = (struct wf_config){ source_fields, &j->source, "" };
    if (options & OF_FROM) c[n++] = (struct wf_config){ server_fields, &j->from, "" };
    if (options & OF_FOLDER) c[n++] = (struct wf_config){ wf_dataset_place_fields, &j->here, "" };
    struct wf_cli cli = { 0 };
    j->argc = argc - 1;
    j->argv = argv + 1;
    WF_TRY(wf_cli_parse(argc - 1, argv + 1, c, n, &cli, err));
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

int wf_dataset_main(int argc, char **argv)
{
    struct wf_dataset_job j = { .here = { "data" },
                                .from = { "", 60 },
                                .traffic = wf_traffic_defaults(),
                                .source = wf_dataset_defaults() };
    struct wf_error err = { 0 };
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) return help(&j);
    for (int k = 0; k < COMMANDS && argc > 1; k++)
        if (strcmp(argv[1], commands[k].name) == 0)
            return run(argc, argv, k, &j, &err) == WF_OK ? 0 : wf_cli_fail(argv[0], &err);
    wf_fail(&err, WF_EINVAL, "%s%s; want list, info, synth, fetch or convert, or --help",
            argc > 1 ? "unknown command " : "no command", argc > 1 ? argv[1] : "");
    return wf_cli_fail(argv[0], &err);
}
