/* dataset - lists, makes, downloads, describes and converts data sets. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "apps/dataset/describe.h"
#include "data/catalog.h"
#include "apps/dataset/fetch.h"
#include "data/file.h"
#include "apps/kit/cli.h"
#include "apps/experiment/experiment.h"
#include "data/simulate/simulate_file.h"
#include "dist/clock.h"
#include "dist/progress.h"

struct here {
    char folder[WF_CONFIG_TEXT];
};
struct from {
    char url[WF_CONFIG_TEXT];
    int stall_s;
};

static const struct wf_field synth_fields[] = {
    WF_FIELD(wf_traffic_config, "nodes", INT, nodes, 2, 100000, NULL, "sensors"),
    WF_FIELD(wf_traffic_config, "days", INT, days, 1, 10000, NULL, "days, from a Monday on"),
    WF_FIELD(wf_traffic_config, "interval", INT, interval_s, 60, 604800, NULL,
             "seconds between rows"),
    WF_FIELD(wf_traffic_config, "edges", INT, edges, 0, INT_MAX, NULL,
             "of the graph; 0: what the roads give"),
    WF_FIELD(wf_traffic_config, "channels", INT, channels, 1, 3, NULL,
             "speed, vehicles an hour, a mile"),
    WF_FIELD(wf_traffic_config, "seed", SEED, seed, 0, 0, NULL,
             "of the roads and all that happens there"),
    WF_FIELD(wf_traffic_config, "missing", DOUBLE, missing, 0, 0.999, NULL,
             "share of readings lost"),
    WF_FIELD(wf_traffic_config, "noise", DOUBLE, noise_mph, 0, 20, NULL, "error of a reading, mph"),
    { 0 }
};
static const struct wf_field pde_fields[] = { WF_FIELD(wf_pde_config, "seed", SEED, seed, 0, 0,
                                                       NULL,
                                                       "of the places and all that happens there"),
                                              { 0 } };
static const struct wf_field source_fields[] = {
    WF_FIELD(wf_dataset_source, "key", TEXT, key, 0, 0, NULL,
             "which series of an HDF5 or .npz file"),
    WF_FIELD(wf_dataset_source, "adjacency", TEXT, adjacency, 0, 0, NULL, "file with the graph"),
    WF_FIELD(wf_dataset_source, "threshold", DOUBLE, threshold, 0, 1, NULL,
             "drop edges of road distances whose weight is below"),
    { 0 }
};

static const struct wf_field here_fields[] = {
    WF_FIELD(here, "data-folder", TEXT, folder, 0, 0, NULL, "where data sets by name lie"), { 0 }
};

static const struct wf_field from_fields[] = {
    WF_FIELD(from, "url", TEXT, url, 0, 0, NULL, "files are URL/FILE, not their publisher's"),
    WF_FIELD(from, "stall", INT, stall_s, 1, 86400, NULL, "seconds without a byte to give up"),
    { 0 }
};

struct job {
    struct here here;
    struct from from;
    struct wf_traffic_config synth;
    struct wf_pde_config pde;
    struct wf_dataset_source source;
    int argc; /* of the command */
    char **argv;
    const char *in, *out;
};

/* ---- synth ---- */

/* A bar on a terminal, a line in a log every so often. */
enum { SECONDS = 20 };
struct bar {
    struct wf_progress p;
    double told;
};

static bool show_rows(void *ctx, ptrdiff_t done, ptrdiff_t total)
{
    struct bar *b = ctx;
    char text[80];
    double now = wf_now();
    bool line = b->p.terminal ? done == total && b->p.drawn > 0 : now - b->told > SECONDS;
    if (!line && (!b->p.terminal || now - b->p.drawn < 0.1)) return !wf_cli_stopped();
    snprintf(text, sizeof text, "row %td of %td", done, total);
    b->p.total = (int)total;
    if (line) {
        wf_progress_line(&b->p, text);
        b->told = now;
    } else {
        wf_progress_show(&b->p, (int)done, text);
    }
    return !wf_cli_stopped();
}

static void bar_start(struct bar *b, struct wf_simulate_watch *w)
{
    wf_progress_start(&b->p, stderr, 0, 0);
    b->told = b->p.started;
    *w = (struct wf_simulate_watch){ show_rows, b };
    wf_cli_catch_signals();
}

static enum wf_status make_traffic(const char *path, struct wf_traffic_config *c,
                                   struct wf_error *err)
{
    struct bar b;
    bar_start(&b, &c->watch);
    WF_TRY(wf_simulate_traffic(path, c, err));
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
    WF_TRY(wf_simulate_pde(path, c, err));
    printf("%s: %d runs of %d rows of %d places, seed %llu\n", path, c->runs, c->rows, c->nodes,
           (unsigned long long)c->seed);
    return WF_OK;
}

/* The options once more, on top of what the data set of that name is. */
static enum wf_status parse_named(struct job *j, bool pde, struct wf_error *err)
{
    const struct wf_config c[] = { { pde ? pde_fields : synth_fields,
                                     pde ? (void *)&j->pde : (void *)&j->synth, "synth" },
                                   { here_fields, &j->here, "synth" } };
    struct wf_cli cli = { 0 };
    return wf_cli_parse(j->argc, j->argv, c, 2, &cli, err);
}

/* Of the entry's shape and clock, unless options say otherwise. */
static enum wf_status take_entry(struct job *j, const struct wf_catalog_entry *e,
                                 struct wf_error *err)
{
    j->synth = wf_traffic_defaults();
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
    const char *folder = j->here.folder[0] ? j->here.folder : ".";
    WF_TRY(wf_make_folder(folder, err));
    snprintf(path, sizeof path, "%s/%s.h5", folder, j->in);
    return pde ? make_pde(path, &j->pde, err) : make_traffic(path, &j->synth, err);
}

/* ---- fetch ---- */

struct download {
    struct bar bar;
    const char *file;
    int64_t first; /* bytes that were there before; -1: not known yet */
};

static bool show_bytes(void *ctx, int64_t done, int64_t total)
{
    struct download *d = ctx;
    struct wf_progress *p = &d->bar.p;
    char text[WF_CONFIG_TEXT];
    double now = wf_now();
    if (d->first < 0 || done < d->first) d->first = done;
    if (total == 0) return !wf_cli_stopped();
    snprintf(text, sizeof text, "%s %.1f of %.1f MB", d->file, 1e-6 * (double)done,
             1e-6 * (double)total);
    p->first = (int)(d->first >> 10);
    p->total = (int)(total >> 10);
    wf_progress_show(p, (int)(done >> 10), text);
    if (!p->terminal && now - d->bar.told > SECONDS) {
        wf_progress_line(p, text);
        d->bar.told = now;
    }
    return !wf_cli_stopped();
}

static enum wf_status fetch_file(const char *path, const char *url,
                                 const struct wf_catalog_file *file, int stall_s,
                                 struct wf_error *err)
{
    struct download d = { .file = file->name, .first = -1 };
    struct wf_fetched got;
    const struct wf_fetch f = { .url = url,
                                .path = path,
                                .digest = file->digest,
                                .stall_s = stall_s,
                                .tell = show_bytes,
                                .ctx = &d };
    wf_progress_start(&d.bar.p, stderr, 0, 0);
    d.bar.told = d.bar.p.started;
    enum wf_status s = wf_fetch_file(&got, &f, err);
    if (d.bar.p.drawn > 0) fputs("\r\033[K", stderr);
    if (s != WF_OK) return s;
    printf("%s: %lld bytes, ", path, (long long)got.size);
    if (got.first > 0) printf("from byte %lld on, ", (long long)got.first);
    printf("%s%s\n", got.kept ? "there already, " : "",
           file->digest ? "digest as published" : "no digest is published");
    return WF_OK;
}

struct place {
    char path[2 * WF_CONFIG_TEXT], url[1024];
};

/* Where the file is from and goes to. One that nobody offers may be there by other means. */
static enum wf_status find_place(struct place *to, const struct job *j,
                                 const struct wf_catalog_entry *e, int i, struct wf_error *err)
{
    const char *base = j->from.url[0] ? j->from.url : NULL;
    snprintf(to->path, sizeof to->path, "%s/%s/%s", j->here.folder, e->name, e->file[i].name);
    to->url[0] = 0;
    if (!base && !e->file[i].url && wf_file_check(to->path, NULL) == WF_OK) return WF_OK;
    return wf_fetch_url(to->url, sizeof to->url, e, i, base, err);
}

static enum wf_status fetch(struct job *j, struct wf_error *err)
{
    const struct wf_catalog_entry *e;
    struct place to[WF_CATALOG_FILES];
    char folder[WF_CONFIG_TEXT];
    int n = 0;
    WF_TRY(wf_catalog_need(&e, j->in, err));
    if (!e->file[0].name)
        return wf_fail(err, WF_EINVAL,
                       "%s: is nowhere to download; make it with `dataset synth %s`", e->name,
                       e->name);
    if (snprintf(folder, sizeof folder, "%s/%s", j->here.folder, e->name) >= (int)sizeof folder)
        return wf_fail(err, WF_EINVAL, "--data-folder %.40s..: too long", j->here.folder);
    for (; n < WF_CATALOG_FILES && e->file[n].name; n++) WF_TRY(find_place(&to[n], j, e, n, err));
    WF_TRY(wf_make_folder(folder, err));
    wf_cli_catch_signals();
    printf("%s: %s; licence: %s\n", e->name, e->about, e->licence);
    for (int i = 0; i < n; i++)
        if (to[i].url[0]) {
            WF_TRY(fetch_file(to[i].path, to[i].url, &e->file[i], j->from.stall_s, err));
        } else {
            printf("%s: there already\n", to[i].path);
        }
    return WF_OK;
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

static enum wf_status describe(struct wf_dataset *ds, struct wf_error *err)
{
    struct wf_dataset_stats st;
    WF_TRY(wf_dataset_stats(&st, ds, err));
    wf_dataset_print(ds, &st, stdout);
    wf_dataset_picture(ds, stdout);
    return WF_OK;
}

/* What is known of it, and what is here. */
static enum wf_status info_named(struct job *j, const struct wf_catalog_entry *c,
                                 struct wf_error *err)
{
    struct wf_dataset ds;
    char path[WF_CONFIG_TEXT];
    wf_catalog_print(c, stdout);
    if (wf_catalog_locate(c, j->here.folder, &j->source, err) != WF_OK) {
        printf("not here   %s\n", err->message);
        return WF_OK;
    }
    snprintf(path, sizeof path, "%s", j->source.data);
    j->in = path;
    printf("here       %s\n\n", j->in);
    WF_TRY(load(&ds, j, err));
    enum wf_status s = describe(&ds, err);
    if (s == WF_OK) s = wf_catalog_check(c, &ds, j->in, err);
    wf_dataset_free(&ds);
    return s;
}

static enum wf_status info(struct job *j, struct wf_error *err)
{
    struct wf_dataset ds;
    const struct wf_catalog_entry *c = wf_catalog_find(j->in);
    if (c) return info_named(j, c, err);
    WF_TRY(load(&ds, j, err));
    enum wf_status s = describe(&ds, err);
    wf_dataset_free(&ds);
    return s;
}

static const char *every(char text[24], int seconds)
{
    static const struct {
        int seconds;
        const char *unit;
    } units[] = { { 604800, "week" }, { 86400, "day" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
    int i = 0;
    if (!seconds) return "";
    while (seconds % units[i].seconds) i++;
    snprintf(text, 24, "%d %s", seconds / units[i].seconds, units[i].unit);
    return text;
}

static enum wf_status list(struct job *j, struct wf_error *err)
{
    const struct wf_catalog_entry *c;
    (void)err;
    printf("%-20s %8s %7s %3s  %-7s %s\n", "name", "steps", "nodes", "C", "every", "here");
    for (int i = 0; (c = wf_catalog_at(i)); i++) {
        struct wf_dataset_source src = wf_dataset_defaults();
        struct wf_error none = { 0 };
        char steps[24] = "?", interval[24];
        bool here = wf_catalog_locate(c, j->here.folder, &src, &none) == WF_OK;
        if (c->E) snprintf(steps, sizeof steps, "%lld", (long long)c->E);
        printf("%-20s %8s %7d %3d  %-7s %s%s\n", c->name, steps, c->N, c->C,
               every(interval, c->interval_s), here ? src.data : "no",
               here && wf_series_file_synthetic(src.data) ? " (synthetic stand-in)" : "");
    }
    return WF_OK;
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

enum { OF_SYNTH = 1, OF_SOURCE = 2, OF_FOLDER = 4, OF_FROM = 8 };
static const struct {
    const char *name, *usage, *what;
    int arguments;
    int options; /* those it takes */
    enum wf_status (*run)(struct job *j, struct wf_error *err);
} commands[] = {
    { "list", "", "names the data sets that are known, and says which are here", 0, OF_FOLDER,
      list },
    { "info", "NAME|FILE", "describes a series and its graph", 1, OF_SOURCE | OF_FOLDER, info },
    { "synth", "NAME", "simulates a stand-in of a data set; OUT.h5: road traffic", 1,
      OF_SYNTH | OF_FOLDER, synth },
    { "fetch", "NAME", "downloads a data set; called again, goes on where it stopped", 1,
      OF_FOLDER | OF_FROM, fetch },
    { "convert", "IN OUT", "writes OUT.h5, with the graph, or OUT.csv", 2, OF_SOURCE, convert },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int help(struct job *j)
{
    const struct wf_config all[] = { { here_fields, &j->here, "list, info, synth NAME and fetch" },
                                     { synth_fields, &j->synth, "synth" },
                                     { source_fields, &j->source, "info and convert" },
                                     { from_fields, &j->from, "fetch" } };
    printf("usage: dataset COMMAND [FILES] [--OPTION VALUE ..]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-8s %-9s  %s\n", commands[i].name, commands[i].usage, commands[i].what);
    printf("\nReads .h5, .csv, .npy, .npz and .json; graphs also from .pkl.\n");
    wf_config_help(all, 4, stdout);
    return 0;
}

static enum wf_status run(int argc, char **argv, int k, struct job *j, struct wf_error *err)
{
    struct wf_config c[4];
    int n = 0, options = commands[k].options;
    if (options & OF_SYNTH) c[n++] = (struct wf_config){ synth_fields, &j->synth, "" };
    if (options & OF_SOURCE) c[n++] = (struct wf_config){ source_fields, &j->source, "" };
    if (options & OF_FROM) c[n++] = (struct wf_config){ from_fields, &j->from, "" };
    if (options & OF_FOLDER) c[n++] = (struct wf_config){ here_fields, &j->here, "" };
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

int main(int argc, char **argv)
{
    struct job j = { .here = { "data" },
                     .from = { "", 60 },
                     .synth = wf_traffic_defaults(),
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
