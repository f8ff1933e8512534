#include "apps/reproduce/reproduce.h"
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include "data/catalog.h"
#include "data/file.h"
#include "apps/experiment/experiment.h"
#include "dist/clock.h"
#include "apps/reproduce/reproduce_private.h"
#include "tensor/alloc.h"

const char *const wf_reproduction_names[] = { "table3",  "table4", "figure5",
                                              "figure7", "memory", NULL };
static const char *const scale_names[] = { "small", "paper", NULL };

const struct wf_field wf_reproduce_fields[] = {
    WF_FIELD(wf_reproduce, "scale", ENUM, scale, 0, 0, scale_names,
             "small: a quarter of an hour on two cores; paper: whole data sets, 100 epochs"),
    WF_FIELD(wf_reproduce, "data-folder", TEXT, data_folder, 0, 0, NULL,
             "folder where data sets are looked for; others are simulated"),
    WF_FIELD(wf_reproduce, "out", TEXT, out, 0, 0, NULL, "folder for tables, figures and runs"),
    WF_FIELD(wf_reproduce, "seeds", INT, seeds, 0, WF_GRID_SEEDS, NULL,
             "runs of each row of table3; 0: three, at paper scale five"),
    WF_FIELD(wf_reproduce, "ranks", INTS, ranks, 1, 65536, NULL,
             "numbers of ranks on which figure7 is measured"),
    WF_FIELD(wf_reproduce, "scaling", TEXT, scaling, 0, 0, NULL,
             "folder with scaling_model's parameter files"),
    { 0 }
};

struct wf_reproduce wf_reproduce_defaults(void)
{
    return (struct wf_reproduce){ .data_folder = "data",
                                  .out = "results/reproduce",
                                  .scaling = "apps/scaling",
                                  .ranks = { 2, { 1, 2 } } };
}

/* ---- the grid ---- */

const struct wf_trial *wf_grid_find(const struct wf_grid *g, const char *folder)
{
    for (int i = 0; i < g->count; i++)
        if (strcmp(g->trial[i].folder, folder) == 0) return &g->trial[i];
    return NULL;
}

struct wf_trial *wf_grid_add(struct wf_grid *g, const char *folder, bool *fresh)
{
    struct wf_trial *t = (struct wf_trial *)wf_grid_find(g, folder);
    *fresh = !t;
    if (t) return t;
    WF_CHECK(g->count < WF_GRID_TRIALS);
    t = &g->trial[g->count++];
    wf_trial_init(t, "%s", folder);
    return t;
}

/* The data sets that serve for each: the first that is at hand is taken, at paper scale the first
 * alone. Where none is, the first is simulated for so many days. */
static const struct {
    const char *name[2];
    int days[2]; /* at small and at paper scale; 0: as many as the set has */
} choices[WF_GRID_SETS] = {
    [WF_GRID_CHICKENPOX] = { { "chickenpox" }, { 0, 0 } },
    [WF_GRID_WINDMILL] = { { "windmill-large" }, { 0, 0 } },
    [WF_GRID_BAY] = { { "pems-bay", "pems-bay-74" }, { 0, 0 } },
    [WF_GRID_PEMS] = { { "pems" }, { 7, 0 } },
};

static bool at_hand(const char *name, const char *folder)
{
    struct wf_dataset_source unused = wf_dataset_defaults();
    struct wf_error none = { 0 };
    return wf_catalog_locate(wf_catalog_find(name), folder, &unused, &none) == WF_OK;
}

static void simulate(struct wf_grid *g, struct wf_grid_set *s, int days)
{
    char folder[WF_CONFIG_TEXT];
    bool fresh;
    snprintf(folder, sizeof folder, "%.160s/runs/data/%s", g->cfg->out, s->name);
    struct wf_trial *t = wf_grid_add(g, folder, &fresh);
    snprintf(s->folder, sizeof s->folder, "%.200s/data", g->cfg->out);
    snprintf(t->product, sizeof t->product, "%.210s/%s.h5", s->folder, s->name);
    wf_trial_word(t, "%s/dataset", g->cfg->programs);
    wf_trial_word(t, "synth");
    wf_trial_word(t, "%s", s->name);
    wf_trial_word(t, "--data-folder");
    wf_trial_word(t, "%s", s->folder);
    if (days == 0) return;
    wf_trial_word(t, "--days");
    wf_trial_word(t, "%d", days);
}

void wf_grid_need(struct wf_grid *g, int set)
{
    struct wf_grid_set *s = &g->set[set];
    bool paper = g->cfg->scale == WF_SCALE_PAPER;
    if (s->name) return;
    for (int k = 0; k < (paper ? 1 : 2) && choices[set].name[k]; k++)
        if (at_hand(choices[set].name[k], g->cfg->data_folder)) {
            s->name = choices[set].name[k];
            snprintf(s->folder, sizeof s->folder, "%s", g->cfg->data_folder);
            return;
        }
    s->name = choices[set].name[0];
    simulate(g, s, choices[set].days[paper]);
}

void wf_grid_experiment(struct wf_grid *g, struct wf_trial *t, const char *program, int set)
{
    t->resumes = true;
    wf_trial_word(t, "%s/%s", g->cfg->programs, program);
    wf_trial_word(t, "--dataset");
    wf_trial_word(t, "%s", g->set[set].name);
    wf_trial_word(t, "--data-folder");
    wf_trial_word(t, "%s", g->set[set].folder);
    wf_trial_word(t, "--out");
    wf_trial_word(t, "%s", t->folder);
    wf_trial_options(t, "pictures=False\nbaselines=False\n");
}

enum wf_status wf_grid_mark(const struct wf_trial *t, const char **mark, struct wf_error *err)
{
    char text[16];
    WF_TRY(wf_trial_text(t, "stats.csv", "synthetic", text, sizeof text, err));
    *mark = strcmp(text, "True") == 0 ? " (simulated)" : "";
    return WF_OK;
}

/* ---- all of it ---- */

static const struct wf_part_of_paper *const parts[WF_REPRODUCTIONS] = {
    [WF_TABLE3] = &wf_table3_part,   [WF_TABLE4] = &wf_table4_part, [WF_FIGURE5] = &wf_figure5_part,
    [WF_FIGURE7] = &wf_figure7_part, [WF_MEMORY] = &wf_memory_part,
};

/* Writes the processor's name, its cores and the memory. */
static void describe_machine(struct wf_grid *g)
{
    char line[256], name[100] = "processor";
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            snprintf(name, sizeof name, "%.*s", (int)strcspn(strchr(line, ':') + 2, "\n"),
                     strchr(line, ':') + 2);
            break;
        }
    if (f) fclose(f);
    snprintf(g->machine, sizeof g->machine, "Machine: %s, %ld cores, %.0f GiB%s.", name,
             sysconf(_SC_NPROCESSORS_ONLN), wf_file_kib("/proc/meminfo", "MemTotal") / (1 << 20),
             g->cuda ? ", a GPU" : ", no GPU");
}

static bool has_gpu(void)
{
    struct wf_backend *be;
    struct wf_error none = { 0 };
    struct wf_device_config cfg = { 0 };
    if (wf_backend_cuda(&be, cfg, &none) != WF_OK) return false;
    wf_backend_close(be);
    return true;
}

static enum wf_status run_trials(struct wf_grid *g, struct wf_error *err)
{
    for (int i = 0; i < g->count; i++) {
        const struct wf_trial *t = &g->trial[i];
        double from = wf_now();
        const char *label = t->folder + strlen(g->cfg->out) + strlen("/runs/");
        if (wf_trial_done(t)) {
            fprintf(g->log, "[%3d/%d] %s: done before\n", i + 1, g->count, label);
            continue;
        }
        fprintf(g->log, "[%3d/%d] %s ..", i + 1, g->count, label);
        fflush(g->log);
        enum wf_status s = wf_trial_run(t, err);
        fprintf(g->log, " %.1f s\n", wf_now() - from);
        WF_TRY(s);
    }
    return WF_OK;
}

static enum wf_status reproduce(struct wf_grid *g, const bool *wanted, struct wf_error *err)
{
    const struct wf_reproduce *r = g->cfg;
    g->seeds = r->seeds ? r->seeds : r->scale == WF_SCALE_PAPER ? 5 : 3;
    g->cuda = has_gpu();
    describe_machine(g);
    for (int k = 0; k < WF_REPRODUCTIONS; k++)
        if (wanted[k]) parts[k]->plan(g);
    WF_TRY(run_trials(g, err));
    for (int k = 0; k < WF_REPRODUCTIONS; k++)
        if (wanted[k]) WF_TRY(parts[k]->write(g, err));
    return WF_OK;
}

enum wf_status wf_reproduce(const struct wf_reproduce *r, const bool *wanted, FILE *log,
                            struct wf_error *err)
{
    if (strlen(r->out) > 160)
        return wf_fail(err, WF_EINVAL, "--out %s: longer than 160 characters", r->out);
    if (r->ranks.n == 0) return wf_fail(err, WF_EINVAL, "--ranks: want at least one number");
    WF_TRY(wf_make_folder(r->out, err));
    struct wf_grid *g = wf_calloc(1, sizeof *g);
    if (!g) return wf_fail(err, WF_ENOMEM, "no memory for the list of runs");
    g->cfg = r;
    g->log = log;
    enum wf_status s = reproduce(g, wanted, err);
    wf_free(g);
    return s;
}
