#include "data/catalog.h"
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

static const struct wf_catalog_entry entries[] = {
#define ENTRY(...) { __VA_ARGS__ },
#include "data/catalog.def"
#undef ENTRY
};
enum { ENTRIES = sizeof entries / sizeof *entries };

const struct wf_catalog_entry *wf_catalog_at(int i)
{
    return i >= 0 && i < ENTRIES ? &entries[i] : NULL;
}

const struct wf_catalog_entry *wf_catalog_find(const char *name)
{
    for (int i = 0; i < ENTRIES; i++)
        if (strcmp(entries[i].name, name) == 0) return &entries[i];
    return NULL;
}

/* A text in a buffer of the caller's; what does not fit is left out. */
struct text {
    char *at;
    size_t room;
};

static void add(struct text *t, const char *fmt, ...) WF_PRINTF(2, 3);
static void add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->at, t->room, fmt, ap);
    va_end(ap);
    size_t used = n > 0 && (size_t)n < t->room ? (size_t)n : t->room - 1;
    t->at += used;
    t->room -= used;
}

enum wf_status wf_catalog_need(const struct wf_catalog_entry **c, const char *name,
                               struct wf_error *err)
{
    char names[sizeof err->message];
    struct text t = { names, sizeof names };
    *c = wf_catalog_find(name);
    if (*c) return WF_OK;
    for (int i = 0; i < ENTRIES; i++) add(&t, "%s%s", i ? ", " : "", entries[i].name);
    return wf_fail(err, WF_EINVAL, "no data set '%.40s'; want one of %s", name, names);
}

/* ---- where the files are ---- */

enum { PLACES = 3 };

/* Writes the i-th folder to look in to path and returns it; "": the entry has no such folder. */
static const char *place(char path[WF_CONFIG_TEXT], const struct wf_catalog_entry *c,
                         const char *folder, int i)
{
    const char *below = i == 0 ? c->name : i == 1 ? "" : c->folder;
    path[0] = 0;
    if (below && (i < 2 || strcmp(below, c->name) != 0))
        snprintf(path, WF_CONFIG_TEXT, "%s%s%s", folder, *below ? "/" : "", below);
    return path;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Looks for the file in all places; path becomes that of the first one found, else "". */
static bool find_file(char path[WF_CONFIG_TEXT], const struct wf_catalog_entry *c,
                      const char *folder, const char *name)
{
    char in[WF_CONFIG_TEXT];
    for (int i = 0; i < PLACES; i++) {
        if (!place(in, c, folder, i)[0]) continue;
        int n = snprintf(path, WF_CONFIG_TEXT, "%s/%s", in, name);
        if (n < WF_CONFIG_TEXT && is_file(path)) return true;
    }
    path[0] = 0;
    return false;
}

/* Takes the arrays of an archive from it, or those that were taken out of it already. */
static bool find_archive(struct wf_dataset_source *src, const struct wf_catalog_entry *c,
                         const char *folder, const struct wf_catalog_file *f)
{
    char name[WF_CONFIG_TEXT];
    if (find_file(src->data, c, folder, f->name)) {
        strcpy(src->adjacency, src->data);
        snprintf(src->key, sizeof src->key, "%s", c->key);
        snprintf(src->adjacency_key, sizeof src->adjacency_key, "%s", c->graph_key);
        return true;
    }
    snprintf(name, sizeof name, "%s.npy", c->key);
    if (!find_file(src->data, c, folder, name)) return false;
    snprintf(name, sizeof name, "%s.npy", c->graph_key);
    return find_file(src->adjacency, c, folder, name);
}

static bool find_part(struct wf_dataset_source *src, const struct wf_catalog_entry *c,
                      const char *folder, const struct wf_catalog_file *f)
{
    switch (f->role) {
    case WF_CATALOG_DATA:
        return find_file(src->data, c, folder, f->name);
    case WF_CATALOG_GRAPH:
        return find_file(src->adjacency, c, folder, f->name);
    case WF_CATALOG_SECOND:
        return find_file(src->second, c, folder, f->name);
    case WF_CATALOG_NAMES:
        return find_file(src->names, c, folder, f->name);
    case WF_CATALOG_ARCHIVE:
        return find_archive(src, c, folder, f);
    }
    return false;
}

/* Says which files are missing, where they were looked for, and how to get them. A set that has no
 * real files can only be FOLDER/NAME.h5. */
static enum wf_status not_found(const struct wf_catalog_entry *c, const char *folder,
                                const char *missing, struct wf_error *err)
{
    char text[sizeof err->message], in[WF_CONFIG_TEXT];
    struct text t = { text, sizeof text };
    if (!c->file[0].name)
        return wf_fail(err, WF_EIO,
                       "data set %s: %s.h5 not found in %s; make it with `dataset synth %s`",
                       c->name, c->name, folder, c->name);
    bool fetched = true;
    add(&t, "data set %s: %s not found in ", c->name, missing);
    for (int i = 0; i < PLACES; i++)
        if (place(in, c, folder, i)[0]) add(&t, "%s%s", i ? ", " : "", in);
    for (int i = 0; i < WF_CATALOG_FILES && c->file[i].name; i++)
        fetched = fetched && c->file[i].url;
    if (fetched)
        add(&t, "; get it with `dataset fetch %s`", c->name);
    else
        add(&t, "; get it from %s", c->source);
    add(&t, ", or a stand-in with `dataset synth %s`", c->name);
    return wf_fail(err, WF_EIO, "%s", text);
}

/* Looks for a simulated file, which holds the graph too: in the place of the real one ("": there is
 * none), or as FOLDER/NAME.h5. */
static bool find_stand_in(struct wf_dataset_source *src, const struct wf_catalog_entry *c,
                          const char *folder, const char *real)
{
    int n = (int)strlen(real);
    if (n && wf_series_file_synthetic(real))
        memcpy(src->data, real, (size_t)n + 1);
    else
        n = snprintf(src->data, sizeof src->data, "%s/%s.h5", folder, c->name);
    return n < (int)sizeof src->data && is_file(src->data) && wf_series_file_synthetic(src->data);
}

static void describe(struct wf_dataset_source *src, const struct wf_catalog_entry *c)
{
    if (c->key && c->file[0].role != WF_CATALOG_ARCHIVE)
        snprintf(src->key, sizeof src->key, "%s", c->key);
    src->rows_are_nodes = c->rows_are_nodes;
    if (!c->start) return;
    snprintf(src->start, sizeof src->start, "%s", c->start);
    src->interval_s = c->interval_s;
}

/* Looks for all real files; the names of those that are not there are added to `missing`. */
static bool find_real(struct wf_dataset_source *src, const struct wf_catalog_entry *c,
                      const char *folder, struct text *missing)
{
    bool all = c->file[0].name != NULL;
    char graph[WF_CONFIG_TEXT];
    strcpy(graph, src->adjacency);
    src->data[0] = 0;
    for (int i = 0; i < WF_CATALOG_FILES && c->file[i].name; i++) {
        if (c->file[i].role == WF_CATALOG_GRAPH && graph[0]) continue;
        if (find_part(src, c, folder, &c->file[i])) continue;
        add(missing, "%s%s", all ? "" : ", ", c->file[i].name);
        all = false;
    }
    if (graph[0]) strcpy(src->adjacency, graph);
    return all;
}

enum wf_status wf_catalog_locate(const struct wf_catalog_entry *c, const char *folder,
                                 struct wf_dataset_source *src, struct wf_error *err)
{
    char missing[sizeof err->message] = "";
    struct text t = { missing, sizeof missing };
    struct wf_dataset_source real = *src, stand_in = *src;
    struct wf_setting s;
    bool zeros = wf_setting_find(c->settings, "zero-missing", &s) && s.value_length == 5 &&
                 memcmp(s.value, "False", 5) == 0; /* zeros are data */
    real.zero_missing = stand_in.zero_missing = !zeros;
    bool found = find_real(&real, c, folder, &t);
    if (found && !wf_series_file_synthetic(real.data)) {
        describe(&real, c);
        *src = real;
        return WF_OK;
    }
    if (!find_stand_in(&stand_in, c, folder, real.data)) return not_found(c, folder, missing, err);
    *src = stand_in;
    return WF_OK;
}

/* ---- what was loaded ---- */

static enum wf_status differs(const struct wf_catalog_entry *c, const struct wf_dataset *ds,
                              const char *path, struct wf_error *err)
{
    char steps[64] = "any", found[32] = "", channels[32] = "";
    if (c->E) snprintf(steps, sizeof steps, "%lld", (long long)c->E);
    if (c->E_too)
        snprintf(steps, sizeof steps, "%lld or %lld", (long long)c->E, (long long)c->E_too);
    if (c->C > 1 || ds->series.C > 1) {
        snprintf(found, sizeof found, " x %d channels", ds->series.C);
        snprintf(channels, sizeof channels, " x %d", c->C);
    }
    return wf_fail(err, WF_EINVAL,
                   "%s: %.300s: %lld steps x %d nodes%s, expected %s x %d%s: another data set?",
                   c->name, path, (long long)ds->total, ds->series.N, found, steps, c->N, channels);
}

enum wf_status wf_catalog_check(const struct wf_catalog_entry *c, const struct wf_dataset *ds,
                                const char *path, struct wf_error *err)
{
    bool steps = !c->E || ds->total == c->E || (c->E_too && ds->total == c->E_too);
    /* The time of day may have become a further channel (wf_dataset_source.day_channel). */
    bool channels = ds->series.C == c->C || ds->series.C == c->C + 1;
    if (ds->synthetic) {
        steps = !c->E || ds->total <= c->E || ds->total <= c->E_too;
        channels = ds->series.C <= c->C + 1;
    }
    return steps && channels && ds->series.N == c->N ? WF_OK : differs(c, ds, path, err);
}

void wf_catalog_print(const struct wf_catalog_entry *c, FILE *out)
{
    fprintf(out, "%s: %s\n", c->name, c->about);
    fprintf(out, "source     %s\nlicence    %s\nexpected   ", c->source, c->licence);
    if (c->E) fprintf(out, "%lld ", (long long)c->E);
    if (c->E_too) fprintf(out, "or %lld ", (long long)c->E_too);
    fprintf(out, "steps, %d nodes, %d channel%s", c->N, c->C, c->C > 1 ? "s" : "");
    if (c->interval_s) fprintf(out, ", every %d s", c->interval_s);
    if (c->edges) fprintf(out, ", %d edges", c->edges);
    fputs("\nfiles      ", out);
    for (int i = 0; i < WF_CATALOG_FILES && c->file[i].name; i++)
        fprintf(out, "%s%s", i ? ", " : "", c->file[i].name);
    fputs(c->file[0].name ? "\n" : "none; made by `dataset synth`\n", out);
}
