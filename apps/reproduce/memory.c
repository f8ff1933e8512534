/* memory.c - the memory law: peaks of base and index mode against their formulas. */
#include <math.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "data/catalog.h"
#include "data/file.h"
#include "apps/pictures/plot.h"
#include "apps/reproduce/reproduce_private.h"
#include "data/windows.h"
#include "tensor/alloc.h"

enum { BATCH = 64, GIB = 1 << 30 };

double wf_memory_law(const struct wf_memory_case *c)
{
    double row = (double)c->N * c->C * 4 / (1 << 20);
    return c->base ? 2 * (double)(c->E - 2 * c->T + 1) * c->T * row : (double)c->E * row;
}

/* ---- one measurement ---- */

/* Writes a series whose values differ, so that no page is shared or compressed away. */
static enum wf_status write_series(const char *path, const struct wf_memory_case *c,
                                   struct wf_error *err)
{
    struct wf_series_writer *w;
    struct wf_series_file head = { .E = c->E, .N = c->N, .C = c->C, .interval_s = 300 };
    size_t n = (size_t)c->N * (size_t)c->C;
    float *row = wf_malloc(n * sizeof *row);
    if (!row) return wf_fail(err, WF_ENOMEM, "%s: no memory for a row of %zu values", path, n);
    enum wf_status s = wf_series_writer_open(&w, path, &head, err);
    if (s == WF_OK) {
        for (int64_t e = 0; e < c->E && s == WF_OK; e++) {
            for (size_t i = 0; i < n; i++)
                row[i] = (float)(40 + ((size_t)e * 31 + i * 17) % 300 / 10.0);
            s = wf_series_writer_rows(w, 1, row, err);
        }
        if (s == WF_OK)
            s = wf_series_writer_commit(w, err);
        else
            wf_series_writer_discard(w);
    }
    wf_free(row);
    return s;
}

/* Loads the series, fits the scaler, makes the windows and one batch, as training does. */
static enum wf_status hold(struct wf_dataset *d, struct wf_windows *w, const char *path,
                           const struct wf_memory_case *c, struct wf_error *err)
{
    struct wf_split split;
    struct wf_scaler scaler;
    struct wf_batch b;
    struct wf_dataset_source src = wf_dataset_defaults();
    struct wf_window_config wc = wf_window_defaults();
    double share[3] = { 0.7, 0.1, 0.2 };
    int start[BATCH] = { 0 };
    snprintf(src.data, sizeof src.data, "%s", path);
    src.graph_optional = true;
    wc.T = wc.Q = c->T;
    wc.targets = c->C;
    wc.base = c->base;
    wc.time_of_day = false;
    WF_TRY(wf_dataset_load(d, wf_backend_cpu(), &src, err));
    WF_TRY(wf_split_make(&split, &d->series, c->T, c->T, share, err));
    WF_TRY(wf_scaler_fit(&scaler, &d->series, &split, c->T, false, err));
    WF_TRY(wf_windows_init(w, &d->series, wc, &scaler, BATCH, err));
    enum wf_status s = wf_windows_batch(w, &b, start, BATCH);
    return s == WF_OK ? WF_OK : wf_fail(err, s, "%s: cannot cut a batch", path);
}

enum wf_status wf_memory_measure(double *mib, const struct wf_memory_case *c, const char *folder,
                                 struct wf_error *err)
{
    char path[WF_CONFIG_TEXT];
    struct wf_dataset d = { 0 };
    struct wf_windows w = { 0 };
    if (snprintf(path, sizeof path, "%s/memory-%d.h5", folder, (int)getpid()) >= (int)sizeof path)
        return wf_fail(err, WF_EINVAL, "%s: a name too long", folder);
    WF_TRY(write_series(path, c, err));
    double before = wf_file_kib("/proc/self/status", "VmRSS");
    enum wf_status s = hold(&d, &w, path, c, err);
    *mib = (wf_file_kib("/proc/self/status", "VmHWM") - before) / 1024;
    wf_windows_free(&w);
    wf_dataset_free(&d);
    unlink(path);
    return s;
}

/* ---- the table ---- */

/* The data sets by the size of their windows; the last two are measured in index mode alone. Those
 * with two channels are held as the reference keeps them, with the time of day. */
static const struct {
    const char *name;
    int channels;
} sizes[] = { { "pems08", 1 }, { "pems04", 1 },   { "pems03", 1 },      { "metr-la", 2 },
              { "pems07", 1 }, { "pems-bay", 2 }, { "pems-all-la", 1 }, { "pems", 1 } };
enum { SIZES = sizeof sizes / sizeof *sizes, BOTH = 6 };

static struct wf_memory_case case_of(int k, bool base)
{
    const struct wf_catalog_entry *c = wf_catalog_find(sizes[k].name);
    return (struct wf_memory_case){ c->E, c->N, sizes[k].channels, 12, base };
}

static void folder_of(const struct wf_grid *g, int k, bool base, char folder[WF_CONFIG_TEXT])
{
    snprintf(folder, WF_CONFIG_TEXT, "%.160s/runs/memory/%s-%s", g->cfg->out, sizes[k].name,
             base ? "base" : "index");
}

/* Returns whether a case fits into two thirds of the memory and of the disk that are free now. */
static bool fits(const struct wf_memory_case *c, const char *folder)
{
    struct wf_memory_case file = *c;
    struct statvfs disk;
    file.base = false;
    double memory = wf_file_kib("/proc/meminfo", "MemAvailable") / 1024;
    double room =
        statvfs(folder, &disk) == 0 ? (double)disk.f_bavail * (double)disk.f_frsize / (1 << 20) : 0;
    return wf_memory_law(c) < memory * 2 / 3 && wf_memory_law(&file) < room * 2 / 3;
}

static void measure_with(struct wf_grid *g, struct wf_trial *t, const struct wf_memory_case *c)
{
    char lines[200];
    wf_trial_word(t, "%s/reproduce", g->cfg->programs);
    wf_trial_word(t, "measure");
    snprintf(lines, sizeof lines, "rows=%lld\nnodes=%d\nchannels=%d\nsteps=%d\nbase=%s\n",
             (long long)c->E, c->N, c->C, c->T, c->base ? "True" : "False");
    wf_trial_options(t, lines);
    wf_trial_word(t, "--out");
    wf_trial_word(t, "%s", t->folder);
}

static void plan(struct wf_grid *g)
{
    for (int k = 0; k < SIZES; k++)
        for (int base = 0; base < (k < BOTH ? 2 : 1); base++) {
            struct wf_memory_case c = case_of(k, base);
            char folder[WF_CONFIG_TEXT];
            bool fresh;
            folder_of(g, k, base, folder);
            struct wf_trial *t = wf_grid_add(g, folder, &fresh);
            measure_with(g, t, &c);
            if (!wf_trial_done(t) && !fits(&c, g->cfg->out)) g->count--;
        }
}

/* Finds the MiB that were measured; NaN where the case did not fit. */
static enum wf_status measured(const struct wf_grid *g, int k, bool base, double *mib,
                               struct wf_error *err)
{
    char folder[WF_CONFIG_TEXT];
    folder_of(g, k, base, folder);
    const struct wf_trial *t = wf_grid_find(g, folder);
    *mib = NAN;
    return t ? wf_trial_number(t, "stats.csv", "mib", mib, err) : WF_OK;
}

static void mib_cell(struct wf_table *t, double mib)
{
    if (isnan(mib))
        wf_table_cell(t, "-");
    else
        wf_table_cell(t, "%.1f", mib);
}

static void ratio_cell(struct wf_table *t, double mib, double law)
{
    if (isnan(mib))
        wf_table_cell(t, "-");
    else
        wf_table_cell(t, "%.3f", mib / law);
}

struct point {
    double law[2], mib[2]; /* MiB by formula and measured, of index mode and of base mode */
};

static void row(struct wf_table *t, int k, const struct point *p)
{
    struct wf_memory_case c = case_of(k, false);
    wf_table_cell(t, "%s", sizes[k].name);
    wf_table_cell(t, "%lld", (long long)c.E);
    wf_table_cell(t, "%d", c.N);
    wf_table_cell(t, "%d", c.C);
    wf_table_cell(t, "%d", c.T);
    for (int base = 1; base >= 0; base--) {
        mib_cell(t, p->law[base]);
        mib_cell(t, p->mib[base]);
        ratio_cell(t, p->mib[base], p->law[base]);
    }
    double saved = 100 * (1 - p->mib[0] / (isnan(p->mib[1]) ? p->law[1] : p->mib[1]));
    wf_table_cell(t, isnan(saved) ? "-" : "%.2f%%%s", saved,
                  isnan(p->mib[1]) ? " of the formula" : "");
}

static enum wf_status draw(struct wf_grid *g, const struct point *p, struct wf_error *err)
{
    struct wf_plots plots;
    struct wf_plot_memory m = { .points = 0 };
    static const char *names[SIZES];
    double size[SIZES], law[2][SIZES], mib[2][SIZES];
    for (int k = 0; k < SIZES; k++) {
        struct wf_memory_case c = case_of(k, false);
        names[k] = sizes[k].name;
        size[k] = (double)c.E * c.N * c.C;
        for (int base = 0; base < 2; base++) {
            law[base][k] = p[k].law[base];
            mib[base][k] = p[k].mib[base];
        }
        m.points++;
    }
    m.names = names;
    m.size = size;
    m.index_law = law[0];
    m.base_law = law[1];
    m.index = mib[0];
    m.base = mib[1];
    WF_TRY(wf_plots_init(&plots, g->cfg->out, g->log, err));
    enum wf_status s = wf_plot_memory(&plots, &m, err);
    wf_plots_free(&plots);
    return s;
}

static enum wf_status report(struct wf_grid *g, struct wf_error *err)
{
    static const char *const heads[] = { "data set", "steps", "nodes",
                                         "channels", "h",     "base, formula MiB",
                                         "measured", "ratio", "index, formula MiB",
                                         "measured", "ratio", "saved" };
    struct point p[SIZES];
    struct wf_table t;
    char notes[1200];
    wf_table_init(&t, sizeof heads / sizeof *heads);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) wf_table_cell(&t, "%s", heads[i]);
    enum wf_status s = WF_OK;
    for (int k = 0; k < SIZES && s == WF_OK; k++) {
        for (int base = 0; base < 2 && s == WF_OK; base++) {
            struct wf_memory_case c = case_of(k, base);
            p[k].law[base] = wf_memory_law(&c);
            s = measured(g, k, base, &p[k].mib[base], err);
        }
        if (s == WF_OK) row(&t, k, &p[k]);
    }
    struct wf_memory_case whole = { 105120, 11160, 2, 12, true };
    snprintf(
        notes, sizeof notes,
        "Peak of a process of its own over its size before loading: series, windows, one batch "
        "of %d; float32. Base: 2 S h N F 4 bytes with S = steps - 2h + 1; its series is held "
        "beside the windows. Index: E N F 4 bytes. F is the number of channels that are kept; "
        "time of day is computed. Values are made up; they do not matter here.\n\n"
        "The whole of PeMS as the reference keeps it, float64 with the time of day: %.2f GiB of "
        "windows, %.2f GiB by index. Here: %.2f GiB.\n\n%s\n",
        BATCH, 2 * wf_memory_law(&whole) / 1024, 2 * (double)whole.E * whole.N * 8 / GIB,
        (double)whole.E * whole.N * 4 / GIB, g->machine);
    if (s == WF_OK)
        s = wf_table_write(&t, g->cfg->out, "memory", "Memory of the data, measured and by formula",
                           notes, g->log, err);
    wf_table_free(&t);
    return s == WF_OK ? draw(g, p, err) : s;
}

const struct wf_part_of_paper wf_memory_part = { plan, report };
