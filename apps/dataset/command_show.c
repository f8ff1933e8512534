/* command_show.c - dataset list, info and convert: the known data sets, what is in one, and one
 * written in another format. */
#include <stdio.h>
#include <string.h>
#include "apps/dataset/commands_private.h"
#include "apps/dataset/describe.h"
#include "data/catalog.h"

static enum wf_status load(struct wf_dataset *ds, struct wf_dataset_job *j, struct wf_error *err)
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

/* Prints what the catalog knows of a data set, then what is in its files, if they are here. */
static enum wf_status info_named(struct wf_dataset_job *j, const struct wf_catalog_entry *c,
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

enum wf_status wf_dataset_info(struct wf_dataset_job *j, struct wf_error *err)
{
    struct wf_dataset ds;
    const struct wf_catalog_entry *c = wf_catalog_find(j->in);
    if (c) return info_named(j, c, err);
    WF_TRY(load(&ds, j, err));
    enum wf_status s = describe(&ds, err);
    wf_dataset_free(&ds);
    return s;
}

/* Writes an interval in its largest unit, "5 min"; "" for 0. */
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

enum wf_status wf_dataset_list(struct wf_dataset_job *j, struct wf_error *err)
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

enum wf_status wf_dataset_convert(struct wf_dataset_job *j, struct wf_error *err)
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
