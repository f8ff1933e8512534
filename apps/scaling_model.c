/* scaling_model - predicts the time of an epoch on many ranks for each placement of the data. */
#include <stdio.h>
#include "apps/kit/cli.h"
#include "apps/experiment/experiment.h"
#include "apps/scaling/scaling.h"
#include "data/file.h"
#include "tensor/alloc.h"

struct job {
    char out[WF_CONFIG_TEXT], measured[WF_CONFIG_TEXT];
    struct wf_ints ranks;
};
static const struct wf_field fields[] = {
    WF_FIELD(job, "out", TEXT, out, 0, 0, NULL,
             "folder for scaling.csv, scaling.md and the pictures"),
    WF_FIELD(job, "ranks", INTS, ranks, 1, 1048576, NULL, "numbers of ranks to predict for"),
    WF_FIELD(job, "measured", TEXT, measured, 0, 0, NULL,
             "CSV file ranks,placement,epoch_s of measured epochs to compare with"),
    { 0 }
};

static const char assumptions[] =
    "\nWhat the model takes for granted:\n"
    "  - A message of n bytes takes latency + n / bandwidth; no congestion but that of a node's\n"
    "    own links, which its ranks share.\n"
    "  - Steps are synchronous: computing, all-reduce and data follow each other, nothing "
    "overlaps,\n"
    "    and every rank takes the same time. A rank's batch stays the same, so that more ranks "
    "make\n"
    "    fewer steps; ranks are filled up to equal numbers of windows.\n"
    "  - All-reduce: the quicker of ring and recursive doubling; on several nodes, inside the "
    "node\n"
    "    first, then between nodes. Adding the numbers up costs nothing beside sending them.\n"
    "  - ddp: windows are materialised on the host and shuffled over all ranks: (P - 1) / P of a\n"
    "    batch is fetched from other ranks, window by window, and goes to the GPU.\n"
    "    ddp-batch: a rank's own windows, materialised: they go to the GPU.\n"
    "    index, partitioned: windows are cut out where they are used: no traffic.\n"
    "  - Once: start of the processes, each rank reads its rows of the file (index: all of them),\n"
    "    materialised windows are written. Whether data fit into memory is not asked; the table\n"
    "    of data per rank tells.\n"
    "  - More ranks on a node than units share them in turn.\n";

static enum wf_status parse(int argc, char **argv, const struct wf_config *tables,
                            struct wf_cli *cli, struct wf_error *err)
{
    *cli = (struct wf_cli){ 0 };
    return wf_cli_parse(argc, argv, tables, WF_SCALING_TABLES + 1, cli, err);
}

static enum wf_status predict(const struct job *j, const struct wf_scaling *s, struct wf_error *err)
{
    struct wf_scaling_marks marks = { 0 };
    WF_TRY(wf_scaling_check(s, err));
    if (j->ranks.n == 0) return wf_fail(err, WF_EINVAL, "--ranks: want at least one number");
    if (j->measured[0]) WF_TRY(wf_scaling_marks_read(&marks, j->measured, err));
    enum wf_status rc = wf_make_folder(j->out, err);
    if (rc == WF_OK) rc = wf_scaling_write(j->out, s, &j->ranks, &marks, stdout, err);
    if (rc == WF_OK) {
        wf_scaling_print(stdout, s, &j->ranks);
        putchar('\n');
        if (marks.count) wf_scaling_compare(stdout, s, &marks);
        printf("%s: scaling.csv, scaling.md, scaling_epoch, scaling_total\n", j->out);
    }
    wf_free(marks.at);
    return rc;
}

int main(int argc, char **argv)
{
    struct job j = { .out = "results/scaling",
                     .ranks = { 11, { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024 } } };
    struct wf_scaling s = wf_scaling_defaults();
    struct wf_config tables[WF_SCALING_TABLES + 1];
    struct wf_cli cli;
    struct wf_error err = { 0 };
    wf_scaling_tables(tables, &s);
    tables[WF_SCALING_TABLES] = (struct wf_config){ fields, &j, "Output" };
    enum wf_status rc = parse(argc, argv, tables, &cli, &err);
    if (rc == WF_OK && cli.help) {
        printf("usage: scaling_model FILE.. [--OPTION VALUE ..]\n\nFILE holds lines OPTION=VALUE; "
               "later files, then options, win. apps/scaling/ has some.\n%s",
               assumptions);
        s = wf_scaling_defaults();
        wf_config_help(tables, WF_SCALING_TABLES + 1, stdout);
        return 0;
    }
    /* Options win over files, so a second pass over the command line sets the options again. */
    for (int i = 0; rc == WF_OK && i < cli.positionals; i++)
        rc = wf_scaling_read(&s, cli.positional[i], &err);
    if (rc == WF_OK) rc = parse(argc, argv, tables, &cli, &err);
    if (rc == WF_OK) rc = predict(&j, &s, &err);
    return rc == WF_OK ? 0 : wf_cli_fail(argv[0], &err);
}
