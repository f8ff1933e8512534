/* reproduce - the paper's tables and figures from runs of the experiment programs. */
#include <string.h>
#include <unistd.h>
#include "apps/kit/cli.h"
#include "apps/experiment/experiment.h"
#include "apps/reproduce/reproduce.h"
#include "apps/kit/text.h"
#include "data/file.h"
#include "tensor/alloc.h"

/* ---- measure: one number for the memory table, in a process of its own ---- */

struct measure {
    char out[WF_CONFIG_TEXT];
    int rows, nodes, channels, steps;
    bool base;
};
static const struct wf_field measure_fields[] = {
    WF_FIELD(measure, "rows", INT, rows, 1, 1e9, NULL, "time steps of the series"),
    WF_FIELD(measure, "nodes", INT, nodes, 1, 1e6, NULL, "nodes of the series"),
    WF_FIELD(measure, "channels", INT, channels, 1, 8, NULL, "channels of the series"),
    WF_FIELD(measure, "steps", INT, steps, 1, 4096, NULL,
             "time steps that a window has in, and as many out"),
    WF_FIELD(measure, "base", BOOL, base, 0, 1, NULL,
             "materialise every window; else cut windows out of the series"),
    WF_FIELD(measure, "out", TEXT, out, 0, 0, NULL,
             "folder for stats.csv, and for a while the series"),
    { 0 }
};

static enum wf_status measure(const struct measure *m, struct wf_error *err)
{
    struct wf_memory_case c = { m->rows, m->nodes, m->channels, m->steps, m->base };
    struct wf_text t;
    double mib;
    WF_TRY(wf_make_folder(m->out, err));
    WF_TRY(wf_memory_measure(&mib, &c, m->out, err));
    char *path = wf_text_path(m->out, "stats", ".csv");
    enum wf_status s =
        path ? wf_text_open(&t, path, err) : wf_fail(err, WF_ENOMEM, "no memory for a file's name");
    wf_free(path);
    WF_TRY(s);
    fprintf(t.f, "mib,formula_mib\n%.3f,%.3f\n", mib, wf_memory_law(&c));
    WF_TRY(wf_text_close(&t, err));
    printf("%.1f MiB, %.1f by formula\n", mib, wf_memory_law(&c));
    return WF_OK;
}

/* ---- the command line ---- */

static void help(const struct wf_config *c)
{
    printf("usage: reproduce WHAT.. [--OPTION VALUE ..]\n\nWHAT: ");
    for (int k = 0; wf_reproduction_names[k]; k++) printf("%s, ", wf_reproduction_names[k]);
    printf("all.\nRuns that are finished are not done again: the same command goes on where it "
           "stopped.\n");
    wf_config_help(c, 2, stdout);
}

/* Finds the folder of this program, where the experiment programs are too. */
static void own_folder(char folder[WF_CONFIG_TEXT])
{
    ssize_t n = readlink("/proc/self/exe", folder, WF_CONFIG_TEXT - 1);
    folder[n > 0 ? n : 0] = 0;
    char *slash = strrchr(folder, '/');
    if (slash) *slash = 0;
}

static enum wf_status want(bool wanted[WF_REPRODUCTIONS], const char *name, struct wf_error *err)
{
    bool all = strcmp(name, "all") == 0, known = all;
    for (int k = 0; k < WF_REPRODUCTIONS; k++) {
        bool this = strcmp(name, wf_reproduction_names[k]) == 0;
        wanted[k] |= all || this;
        known |= this;
    }
    if (known) return WF_OK;
    return wf_fail(err, WF_EINVAL, "'%s': want table3, table4, figure5, figure7, memory or all",
                   name);
}

static enum wf_status run(int argc, char **argv, struct wf_error *err)
{
    struct wf_reproduce r = wf_reproduce_defaults();
    struct measure m = { .channels = 1, .steps = 12 };
    const struct wf_config c[] = { { wf_reproduce_fields, &r, "Reproduce" },
                                   { measure_fields, &m, "measure (memory of one size)" } };
    bool measures = argc > 1 && strcmp(argv[1], "measure") == 0;
    bool wanted[WF_REPRODUCTIONS] = { false };
    struct wf_cli cli = { 0 };
    int skip = measures;
    WF_TRY(wf_cli_parse(argc - skip, argv + skip, c + measures, 1, &cli, err));
    if (cli.help) {
        help(c);
        return WF_OK;
    }
    wf_cli_catch_signals();
    if (measures) return measure(&m, err);
    if (cli.positionals == 0) return wf_fail(err, WF_EINVAL, "reproduce what? --help lists it");
    for (int i = 0; i < cli.positionals; i++) WF_TRY(want(wanted, cli.positional[i], err));
    own_folder(r.programs);
    return wf_reproduce(&r, wanted, stdout, err);
}

int main(int argc, char **argv)
{
    struct wf_error err = { 0 };
    return run(argc, argv, &err) == WF_OK ? 0 : wf_cli_fail(argv[0], &err);
}
