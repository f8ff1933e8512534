/* figure7.c - the paper's Figure 7: the data-parallel baseline, whose windows are spread over the
 * ranks, against distributed-index-batching. Both are measured on this machine's ranks, and
 * predicted for the paper's. */
#include <math.h>
#include <string.h>
#include "apps/experiment/experiment.h"
#include "apps/pictures/plot.h"
#include "apps/experiment/report.h"
#include "apps/reproduce/reproduce_private.h"
#include "apps/scaling/scaling.h"
#include "data/file.h"

static const struct {
    enum wf_scaling_placement placement;
    const char *label, *program, *mode;
} kinds[] = { { WF_SCALING_DDP, "ddp", "opt_baseline", "dask" },
              { WF_SCALING_INDEX, "index", "pems_ddp", "index" } };
enum { KINDS = 2 };

static void folder7(const struct wf_grid *g, int kind, int ranks, char folder[WF_CONFIG_TEXT])
{
    snprintf(folder, WF_CONFIG_TEXT, "%.160s/runs/figure7/%s-%d", g->cfg->out, kinds[kind].label,
             ranks);
}

static bool paper(const struct wf_grid *g)
{
    return g->cfg->scale == WF_SCALE_PAPER;
}

/* The paper's figure is of the whole of PeMS; small scale takes the data set of table3. */
static int set_of(const struct wf_grid *g)
{
    return paper(g) ? WF_GRID_PEMS : WF_GRID_BAY;
}

/* Every rank has one thread, so that a machine's cores are what is scaled over. */
static void plan(struct wf_grid *g)
{
    wf_grid_need(g, set_of(g));
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < g->cfg->ranks.n; i++) {
            char folder[WF_CONFIG_TEXT];
            bool fresh;
            folder7(g, kind, g->cfg->ranks.v[i], folder);
            struct wf_trial *t = wf_grid_add(g, folder, &fresh);
            if (!fresh) continue;
            static const char *const start[] = {
                "env", "OMP_NUM_THREADS=1", "mpirun", "--oversubscribe", "--bind-to", "none",
                "-x",  "OMP_NUM_THREADS",   "-n"
            };
            for (size_t k = 0; k < sizeof start / sizeof *start; k++)
                wf_trial_word(t, "%s", start[k]);
            wf_trial_word(t, "%d", g->cfg->ranks.v[i]);
            wf_grid_experiment(g, t, kinds[kind].program, set_of(g));
            wf_trial_word(t, "--mode");
            wf_trial_word(t, "%s", kinds[kind].mode);
            wf_trial_options(t, paper(g) ? "epochs=30\n"
                                         : "epochs=2\ntrain-share=0.1\nvalid-share=0.01\n"
                                           "hidden=16\nbatch-size=32\n");
        }
}

/* Finds the seconds of a run's quickest epoch, and the steps of an epoch. */
static enum wf_status epoch_of(const struct wf_trial *t, double *seconds, double *steps,
                               struct wf_error *err)
{
    char path[WF_CONFIG_TEXT + 32];
    struct wf_history h;
    double all;
    snprintf(path, sizeof path, "%s/per_epoch_stats.csv", t->folder);
    WF_TRY(wf_history_open(&h, path, true, err));
    *seconds = INFINITY;
    for (int i = 0; i < h.count; i++) *seconds = fmin(*seconds, h.rows[i].seconds);
    int epochs = h.count;
    wf_history_free(&h);
    if (epochs == 0) return wf_fail(err, WF_EFORMAT, "%s: has no epoch", path);
    WF_TRY(wf_trial_number(t, "stats.csv", "steps", &all, err));
    *steps = all / epochs;
    return WF_OK;
}

struct measured {
    int count;
    struct wf_scaling_mark mark[2 * WF_CONFIG_INTS];
};

static enum wf_status measure(const struct wf_grid *g, struct measured *m, struct wf_error *err)
{
    m->count = 0;
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < g->cfg->ranks.n; i++) {
            char folder[WF_CONFIG_TEXT];
            double seconds, steps;
            folder7(g, kind, g->cfg->ranks.v[i], folder);
            WF_TRY(epoch_of(wf_grid_find(g, folder), &seconds, &steps, err));
            m->mark[m->count++] =
                (struct wf_scaling_mark){ g->cfg->ranks.v[i], kinds[kind].placement, seconds };
        }
    return WF_OK;
}

static double measured_at(const struct measured *m, enum wf_scaling_placement p, int ranks)
{
    for (int i = 0; i < m->count; i++)
        if (m->mark[i].placement == p && m->mark[i].ranks == ranks) return m->mark[i].epoch_s;
    return NAN;
}

static void cell(struct wf_table *t, double x, const char *format)
{
    char text[40];
    snprintf(text, sizeof text, format, x);
    wf_table_cell(t, "%s", isnan(x) ? "-" : text);
}

/* Fills in seconds of an epoch here, and minutes of a run predicted for the paper's machine. */
static void rows(struct wf_table *t, const struct wf_grid *g, const struct measured *m,
                 const struct wf_scaling *s, const struct wf_ints *predicted)
{
    for (int i = 0; i < g->cfg->ranks.n; i++) {
        int n = g->cfg->ranks.v[i];
        double ddp = measured_at(m, WF_SCALING_DDP, n), index = measured_at(m, WF_SCALING_INDEX, n);
        wf_table_cell(t, "%d", n);
        wf_table_cell(t, "measured here, seconds of an epoch");
        cell(t, ddp, "%.3f");
        cell(t, index, "%.3f");
        cell(t, ddp / index, "%.2f");
        cell(t, measured_at(m, WF_SCALING_INDEX, 1) / (n * index), "%.2f");
    }
    for (int i = 0; i < predicted->n; i++) {
        int n = predicted->v[i];
        struct wf_scaling_cost ddp = wf_scaling_predict(s, WF_SCALING_DDP, n);
        struct wf_scaling_cost index = wf_scaling_predict(s, WF_SCALING_INDEX, n);
        wf_table_cell(t, "%d", n);
        wf_table_cell(t, "predicted, minutes of %d epochs", s->epochs);
        cell(t, ddp.total_s / 60, "%.2f");
        cell(t, index.total_s / 60, "%.2f");
        cell(t, ddp.total_s / index.total_s, "%.2f");
        cell(t, index.efficiency, "%.2f");
    }
}

enum { POINTS = 8 };

/* Draws lines and dashes as in the paper: minutes, and one GPU's time divided by their number. */
static enum wf_status draw(struct wf_grid *g, const struct wf_scaling *s,
                           const struct wf_ints *ranks, struct wf_error *err)
{
    static const char *const names[] = { "data-parallel baseline", "distributed-index-batching" };
    double at[POINTS], ideal[POINTS], value[KINDS * POINTS];
    for (int i = 0; i < ranks->n; i++) {
        at[i] = ranks->v[i];
        ideal[i] = wf_scaling_predict(s, WF_SCALING_INDEX, 1).total_s / 60 / ranks->v[i];
        for (int k = 0; k < KINDS; k++)
            value[k * ranks->n + i] =
                wf_scaling_predict(s, kinds[k].placement, ranks->v[i]).total_s / 60;
    }
    struct wf_plot_scaling p = { .name = "figure7",
                                 .title = "Figure 7: whole PeMS on A100 GPUs, predicted",
                                 .quantity = "time of the run",
                                 .units = "minutes",
                                 .lines = KINDS,
                                 .points = ranks->n,
                                 .names = names,
                                 .ranks = at,
                                 .value = value,
                                 .ideal = ideal };
    struct wf_plots plots;
    WF_TRY(wf_plots_init(&plots, g->cfg->out, g->log, err));
    enum wf_status rc = wf_plot_scaling(&plots, &p, err);
    wf_plots_free(&plots);
    return rc;
}

/* Holds the same model, with a step on one rank as its only measured number, against what this
 * machine's ranks took. */
static enum wf_status model_here(struct wf_grid *g, const struct measured *m, struct wf_error *err)
{
    char path[WF_CONFIG_TEXT + 32], folder[WF_CONFIG_TEXT];
    struct wf_scaling s = wf_scaling_defaults();
    double nodes, windows, steps, seconds;
    folder7(g, 1, 1, folder);
    const struct wf_trial *one = wf_grid_find(g, folder);
    if (!one || paper(g)) return WF_OK;
    snprintf(path, sizeof path, "%s/two-cores.txt", g->cfg->scaling);
    WF_TRY(wf_scaling_read(&s, path, err));
    WF_TRY(epoch_of(one, &seconds, &steps, err));
    WF_TRY(wf_trial_number(one, "stats.csv", "nodes", &nodes, err));
    WF_TRY(wf_trial_number(one, "stats.csv", "windows", &windows, err));
    s.nodes = (int)nodes;
    s.rows = (int)windows + s.T + s.Q - 1;
    s.batch = 32;
    s.windows = (int)steps * s.batch;
    s.valid_windows = s.windows / 10;
    double batches =
        steps + s.valid_windows / (double)s.batch / 3; /* a step forward alone takes a third */
    s.step = seconds / batches;
    s.valid_step = s.step / 3;
    s.epoch_fixed = 0;
    snprintf(s.title, sizeof s.title, "%s on this machine, a thread per rank",
             g->set[WF_GRID_BAY].name);
    struct wf_scaling_marks marks = { m->count, (struct wf_scaling_mark *)m->mark };
    snprintf(path, sizeof path, "%s/figure7-here", g->cfg->out);
    WF_TRY(wf_make_folder(path, err));
    WF_TRY(wf_scaling_write(path, &s, &g->cfg->ranks, &marks, g->log, err));
    wf_scaling_compare(g->log, &s, &marks);
    return WF_OK;
}

static enum wf_status report(struct wf_grid *g, struct wf_error *err)
{
    static const char *const heads[] = { "ranks", "what",        "ddp",
                                         "index", "ddp / index", "efficiency of index" };
    static const struct wf_ints predicted = { 6, { 4, 8, 16, 32, 64, 128 } };
    char path[WF_CONFIG_TEXT + 32], notes[900], folder[WF_CONFIG_TEXT];
    struct wf_scaling s = wf_scaling_defaults();
    struct measured m;
    const char *mark = "";
    struct wf_table t;
    snprintf(path, sizeof path, "%s/a100-slingshot.txt", g->cfg->scaling);
    WF_TRY(wf_scaling_read(&s, path, err));
    WF_TRY(measure(g, &m, err));
    folder7(g, 0, g->cfg->ranks.v[0], folder);
    WF_TRY(wf_grid_mark(wf_grid_find(g, folder), &mark, err));
    wf_table_init(&t, sizeof heads / sizeof *heads);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) wf_table_cell(&t, "%s", heads[i]);
    rows(&t, g, &m, &s, &predicted);
    snprintf(
        notes, sizeof notes,
        "Measured: %s%s, a thread per rank. Predicted: the whole of PeMS on four A100 a node by "
        "apps/scaling_model with %s, whose assumptions are in that file: no such machine was at "
        "hand.\n\n%s\n",
        g->set[set_of(g)].name, mark, path, g->machine);
    enum wf_status rc =
        wf_table_write(&t, g->cfg->out, "figure7", "Figure 7: scaling", notes, g->log, err);
    wf_table_free(&t);
    if (rc == WF_OK) rc = draw(g, &s, &predicted, err);
    return rc == WF_OK ? model_here(g, &m, err) : rc;
}

const struct wf_part_of_paper wf_figure7_part = { plan, report };
