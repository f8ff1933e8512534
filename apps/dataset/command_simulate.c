/* command_simulate.c - dataset synth: stand-ins of known data sets, and road traffic. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "apps/dataset/commands_private.h"
#include "apps/kit/cli.h"
#include "data/catalog.h"
#include "data/file.h"
#include "dist/clock.h"

const struct wf_field wf_dataset_traffic_fields[] = {
    WF_FIELD(wf_traffic_config, "nodes", INT, nodes, 2, 100000, NULL, "number of sensors"),
    WF_FIELD(wf_traffic_config, "days", INT, days, 1, 10000, NULL,
             "days of traffic, from a Monday on"),
    WF_FIELD(wf_traffic_config, "interval", INT, interval_s, 60, 604800, NULL,
             "seconds between rows"),
    WF_FIELD(wf_traffic_config, "edges", INT, edges, 0, INT_MAX, NULL,
             "edges of the graph; 0: as many as the roads give"),
    WF_FIELD(wf_traffic_config, "channels", INT, channels, 1, 3, NULL,
             "how many of these: speed, vehicles an hour, vehicles a mile"),
    WF_FIELD(wf_traffic_config, "seed", SEED, seed, 0, 0, NULL,
             "seed of the roads and of all that happens there"),
    WF_FIELD(wf_traffic_config, "missing", DOUBLE, missing, 0, 0.999, NULL,
             "share of the readings that are lost"),
    WF_FIELD(wf_traffic_config, "noise", DOUBLE, noise_mph, 0, 20, NULL,
             "standard deviation of a reading's error, mph"),
    { 0 }
};
static const struct wf_field pde_fields[] = {
    WF_FIELD(wf_pde_config, "seed", SEED, seed, 0, 0, NULL,
             "seed of the places and of all that happens there"),
    { 0 }
};

/* Shows a bar on a terminal, or a line in a log every so often. Returns false to stop. */
static bool show_rows(void *ctx, ptrdiff_t done, ptrdiff_t total)
{
    struct wf_bar *b = ctx;
    char text[80];
    double now = wf_now();
    bool line = b->p.terminal ? done == total && b->p.drawn > 0 : now - b->told > WF_BAR_LINE_S;
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

static void start(struct wf_bar *b, struct wf_simulate_watch *w)
{
    wf_bar_start(b);
    *w = (struct wf_simulate_watch){ show_rows, b };
    wf_cli_catch_signals();
}

static enum wf_status make_traffic(const char *path, struct wf_traffic_config *c,
                                   struct wf_error *err)
{
    struct wf_bar b;
    start(&b, &c->watch);
    WF_TRY(wf_simulate_traffic(path, c, err));
    int64_t rows = c->rows, s = c->interval_s ? c->interval_s : 3600;
    if (!rows) rows = (int64_t)c->days * 86400 / s;
    printf("%s: %lld rows of %d sensors, every %lld s, seed %llu\n", path, (long long)rows,
           c->nodes, (long long)s, (unsigned long long)c->seed);
    return WF_OK;
}

static enum wf_status make_pde(const char *path, struct wf_pde_config *c, struct wf_error *err)
{
    struct wf_bar b;
    start(&b, &c->watch);
    WF_TRY(wf_simulate_pde(path, c, err));
    printf("%s: %d runs of %d rows of %d places, seed %llu\n", path, c->runs, c->rows, c->nodes,
           (unsigned long long)c->seed);
    return WF_OK;
}

/* Parses the options once more, on top of what the named data set has set. */
static enum wf_status parse_named(struct wf_dataset_job *j, bool pde, struct wf_error *err)
{
    const struct wf_config c[] = { { pde ? pde_fields : wf_dataset_traffic_fields,
                                     pde ? (void *)&j->pde : (void *)&j->traffic, "synth" },
                                   { wf_dataset_place_fields, &j->here, "synth" } };
    struct wf_cli cli = { 0 };
    return wf_cli_parse(j->argc, j->argv, c, 2, &cli, err);
}

/* Takes shape and clock of the catalog's entry, unless options say otherwise. */
static enum wf_status take_entry(struct wf_dataset_job *j, const struct wf_catalog_entry *e,
                                 struct wf_error *err)
{
    j->traffic = wf_traffic_defaults();
    j->traffic.nodes = e->N;
    j->traffic.days = 0;
    j->traffic.interval_s = e->interval_s;
    j->traffic.channels = e->C;
    j->traffic.edges = e->edges;
    WF_TRY(parse_named(j, false, err));
    if (!j->traffic.days) j->traffic.rows = e->E;
    return WF_OK;
}

enum wf_status wf_dataset_simulate(struct wf_dataset_job *j, struct wf_error *err)
{
    char path[WF_CONFIG_TEXT + 64];
    if (strpbrk(j->in, "./")) return make_traffic(j->in, &j->traffic, err);
    const struct wf_catalog_entry *e = wf_catalog_find(j->in);
    bool pde = wf_pde_named(&j->pde, j->in);
    if (!pde && !e)
        return wf_fail(err, WF_EINVAL, "no data set %s is known; want its name, or OUT.h5", j->in);
    WF_TRY(pde ? parse_named(j, true, err) : take_entry(j, e, err));
    const char *folder = j->here.folder[0] ? j->here.folder : ".";
    WF_TRY(wf_make_folder(folder, err));
    snprintf(path, sizeof path, "%s/%s.h5", folder, j->in);
    return pde ? make_pde(path, &j->pde, err) : make_traffic(path, &j->traffic, err);
}
