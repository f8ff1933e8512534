/* tables.c - the paper's Tables 3 and 4 and Figure 5: index-batching beside materialised
 * windows. */
#include <math.h>
#include <string.h>
#include "apps/pictures/plot.h"
#include "apps/experiment/report.h"
#include "apps/reproduce/reproduce_private.h"

/* ---- Table 3 ---- */

enum { SETS = 3 };
static const struct {
    int set;
    const char *label, *program, *small, *paper;
} rows3[SETS] = {
    { WF_GRID_CHICKENPOX, "chickenpox", "chickenpox", "epochs=100\n", "epochs=100\n" },
    { WF_GRID_WINDMILL, "windmill", "windmill", "epochs=5\nepoch-batches=40\n", "epochs=100\n" },
    { WF_GRID_BAY, "pems-bay", "pems_bay", "epochs=6\nepoch-batches=80\n", "epochs=100\n" },
};
static const char *const modes[] = { "base", "index" };

static void folder3(const struct wf_grid *g, int row, int mode, int seed,
                    char folder[WF_CONFIG_TEXT])
{
    snprintf(folder, WF_CONFIG_TEXT, "%.160s/runs/table3/%s-%s-%d", g->cfg->out, rows3[row].label,
             modes[mode], seed);
}

static const struct wf_trial *trial3(const struct wf_grid *g, int row, int mode, int seed)
{
    char folder[WF_CONFIG_TEXT];
    folder3(g, row, mode, seed, folder);
    return wf_grid_find(g, folder);
}

/* Adds a run with the reference's statistics, mask, targets and supports, so that its numbers
 * compare with the reference's. */
static void compare(struct wf_grid *g, struct wf_trial *t, const char *program, int set,
                    const char *mode, const char *settings)
{
    wf_grid_experiment(g, t, program, set);
    wf_trial_options(t, "compat=pgt\n");
    wf_trial_word(t, "--mode");
    wf_trial_word(t, "%s", mode);
    wf_trial_options(t, settings);
}

static void plan_runs(struct wf_grid *g, int seeds)
{
    for (int r = 0; r < SETS; r++) {
        wf_grid_need(g, rows3[r].set);
        for (int seed = 1; seed <= seeds; seed++)
            for (int m = 0; m < 2; m++) {
                char folder[WF_CONFIG_TEXT];
                bool fresh;
                folder3(g, r, m, seed, folder);
                struct wf_trial *t = wf_grid_add(g, folder, &fresh);
                if (!fresh) continue;
                compare(g, t, rows3[r].program, rows3[r].set, modes[m],
                        g->cfg->scale == WF_SCALE_PAPER ? rows3[r].paper : rows3[r].small);
                wf_trial_word(t, "--seed");
                wf_trial_word(t, "%d", seed);
            }
    }
}

static void plan3(struct wf_grid *g)
{
    plan_runs(g, g->seeds);
}

struct spread {
    double mean, deviation; /* sample standard deviation; NaN for one run */
};

static enum wf_status spread_of(const struct wf_grid *g, int row, int mode, const char *column,
                                struct spread *out, struct wf_error *err)
{
    double v[WF_GRID_SEEDS], sum = 0, square = 0;
    for (int k = 0; k < g->seeds; k++) {
        WF_TRY(wf_trial_number(trial3(g, row, mode, k + 1), "stats.csv", column, &v[k], err));
        sum += v[k];
    }
    out->mean = sum / g->seeds;
    for (int k = 0; k < g->seeds; k++) square += (v[k] - out->mean) * (v[k] - out->mean);
    out->deviation = sqrt(square / (g->seeds - 1));
    return WF_OK;
}

static void spread_cell(struct wf_table *t, const struct spread *s, int digits)
{
    if (isnan(s->deviation))
        wf_table_cell(t, "%.*f", digits, s->mean);
    else
        wf_table_cell(t, "%.*f ± %.*f", digits, s->mean, digits, s->deviation);
}

static enum wf_status history_of(const struct wf_trial *t, struct wf_history *h,
                                 struct wf_error *err)
{
    char path[WF_CONFIG_TEXT + 32];
    snprintf(path, sizeof path, "%s/per_epoch_stats.csv", t->folder);
    return wf_history_open(h, path, true, err);
}

/* Clears *same unless training and validation errors of all epochs are the same in both modes. */
static enum wf_status same_curves(const struct wf_grid *g, int row, int seed, bool *same,
                                  struct wf_error *err)
{
    struct wf_history h[2];
    WF_TRY(history_of(trial3(g, row, 0, seed), &h[0], err));
    enum wf_status s = history_of(trial3(g, row, 1, seed), &h[1], err);
    if (s == WF_OK) {
        *same &= h[0].count == h[1].count && h[0].count > 0;
        for (int i = 0; i < h[0].count && i < h[1].count; i++) {
            const struct wf_epoch_stats *a = &h[0].rows[i], *b = &h[1].rows[i];
            *same &= a->train_loss == b->train_loss && a->valid_mae == b->valid_mae;
        }
        wf_history_free(&h[1]);
    }
    wf_history_free(&h[0]);
    return s;
}

static enum wf_status rows_of_set(struct wf_grid *g, struct wf_table *t, int r,
                                  struct wf_error *err)
{
    static const char *const columns[] = { "total", "max_system_mem", "v_mae", "pgt_v_mae" };
    static const int digits[] = { 2, 1, 4, 4 };
    const char *mark;
    bool same = true;
    for (int seed = 1; seed <= g->seeds; seed++) WF_TRY(same_curves(g, r, seed, &same, err));
    WF_TRY(wf_grid_mark(trial3(g, r, 0, 1), &mark, err));
    for (int m = 0; m < 2; m++) {
        wf_table_cell(t, "%s%s", g->set[rows3[r].set].name, mark);
        wf_table_cell(t, "%s", modes[m]);
        wf_table_cell(t, "%d", g->seeds);
        for (int k = 0; k < 4; k++) {
            struct spread s;
            WF_TRY(spread_of(g, r, m, columns[k], &s, err));
            spread_cell(t, &s, digits[k]);
        }
        wf_table_cell(t, "%s", same ? "the same" : "DIFFERENT");
    }
    return WF_OK;
}

static enum wf_status write3(struct wf_grid *g, struct wf_error *err)
{
    static const char *const heads[] = { "data set",
                                         "mode",
                                         "runs",
                                         "total runtime, s",
                                         "max system memory, MB",
                                         "best validation MAE",
                                         "the same as the reference computes it",
                                         "curves of base and index" };
    struct wf_table t;
    char notes[900];
    wf_table_init(&t, sizeof heads / sizeof *heads);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) wf_table_cell(&t, "%s", heads[i]);
    enum wf_status s = WF_OK;
    for (int r = 0; r < SETS && s == WF_OK; r++) s = rows_of_set(g, &t, r, err);
    snprintf(
        notes, sizeof notes,
        "Mean ± standard deviation over seeds; runtime is preprocessing and training. The model is "
        "the reference's batched DCRNN with its statistics, mask and targets (--compat pgt). "
        "Curves: training and validation errors of every epoch, seed by seed, all digits.%s\n\n"
        "%s\n",
        g->cfg->scale == WF_SCALE_SMALL
            ? " Small scale: few epochs, of a part of the windows; memory is the whole set's."
            : "",
        g->machine);
    if (s == WF_OK)
        s = wf_table_write(&t, g->cfg->out, "table3", "Table 3: base against index", notes, g->log,
                           err);
    wf_table_free(&t);
    return s;
}

const struct wf_part_of_paper wf_table3_part = { plan3, write3 };

/* ---- Figure 5 ---- */

static void plan5(struct wf_grid *g)
{
    plan_runs(g, 1);
}

static enum wf_status draw5(struct wf_grid *g, const struct wf_plot_pairs *c, struct wf_error *err)
{
    struct wf_plots plots;
    WF_TRY(wf_plots_init(&plots, g->cfg->out, g->log, err));
    enum wf_status s = wf_plot_pairs(&plots, c, err);
    wf_plots_free(&plots);
    return s;
}

/* Draws, epoch by epoch, the validation error that the reference reports. */
static enum wf_status write5(struct wf_grid *g, struct wf_error *err)
{
    struct wf_history h[SETS][2] = { 0 };
    struct wf_plot_pair panel[SETS] = { 0 };
    char title[SETS][WF_CONFIG_TEXT];
    double v[SETS][2][1024];
    enum wf_status s = WF_OK;
    for (int r = 0; r < SETS && s == WF_OK; r++) {
        const char *mark = "";
        s = wf_grid_mark(trial3(g, r, 0, 1), &mark, err);
        for (int m = 0; m < 2 && s == WF_OK; m++) {
            s = history_of(trial3(g, r, m, 1), &h[r][m], err);
            for (int i = 0; i < h[r][m].count && i < 1024; i++)
                v[r][m][i] = h[r][m].rows[i].pgt_valid_mae;
        }
        if (s != WF_OK) break;
        snprintf(title[r], sizeof title[r], "%s%s", g->set[rows3[r].set].name, mark);
        int epochs = h[r][0].count < h[r][1].count ? h[r][0].count : h[r][1].count;
        panel[r] =
            (struct wf_plot_pair){ title[r], epochs < 1024 ? epochs : 1024, v[r][0], v[r][1] };
    }
    struct wf_plot_pairs c = { .name = "figure5",
                               .title = "Figure 5: validation MAE by epoch",
                               .quantity = "validation MAE, as the reference computes it",
                               .below_name = "base",
                               .above_name = "index",
                               .panels = SETS,
                               .panel = panel };
    if (s == WF_OK) s = draw5(g, &c, err);
    for (int r = 0; r < SETS; r++)
        for (int m = 0; m < 2; m++) wf_history_free(&h[r][m]);
    if (s == WF_OK) fprintf(g->log, "\nFigure 5: %s/figure5.png and .svg\n", g->cfg->out);
    return s;
}

const struct wf_part_of_paper wf_figure5_part = { plan5, write5 };

/* ---- Table 4 ---- */

static void folder4(const struct wf_grid *g, bool gpu, char folder[WF_CONFIG_TEXT])
{
    snprintf(folder, WF_CONFIG_TEXT, "%.160s/runs/table4/pems-%s", g->cfg->out,
             gpu ? "gpu-index" : "index");
}

static void plan4(struct wf_grid *g)
{
    wf_grid_need(g, WF_GRID_PEMS);
    for (int gpu = 0; gpu <= (int)g->cuda; gpu++) {
        char folder[WF_CONFIG_TEXT];
        bool fresh;
        folder4(g, gpu, folder);
        struct wf_trial *t = wf_grid_add(g, folder, &fresh);
        if (!fresh) continue;
        compare(
            g, t, "pems", WF_GRID_PEMS, "index",
            g->cfg->scale == WF_SCALE_PAPER
                ? "epochs=30\n"
                : "epochs=2\nepoch-batches=4\nbatch-size=16\ntrain-share=0.9\nvalid-share=0.05\n");
        wf_trial_word(t, "--gpu");
        wf_trial_word(t, gpu ? "True" : "False");
    }
}

static enum wf_status row4(struct wf_grid *g, struct wf_table *t, bool gpu, struct wf_error *err)
{
    static const char *const columns[] = { "preprocessing", "training", "total", "max_system_mem",
                                           "max_gpu_mem" };
    char folder[WF_CONFIG_TEXT];
    const char *mark;
    folder4(g, gpu, folder);
    const struct wf_trial *trial = wf_grid_find(g, folder);
    if (!trial) {
        wf_table_cell(t, "pems");
        wf_table_cell(t, "GPU-index");
        for (int k = 0; k < 5; k++) wf_table_cell(t, "-");
        return WF_OK;
    }
    WF_TRY(wf_grid_mark(trial, &mark, err));
    wf_table_cell(t, "%s%s", g->set[WF_GRID_PEMS].name, mark);
    wf_table_cell(t, gpu ? "GPU-index" : "index");
    for (int k = 0; k < 5; k++) {
        double x;
        WF_TRY(wf_trial_number(trial, "stats.csv", columns[k], &x, err));
        if (k == 4 && !g->cuda)
            wf_table_cell(t, "-");
        else
            wf_table_cell(t, "%.1f", x);
    }
    return WF_OK;
}

static enum wf_status write4(struct wf_grid *g, struct wf_error *err)
{
    static const char *const heads[] = { "data set",          "mode",
                                         "preprocessing, s",  "training, s",
                                         "total runtime, s",  "max system memory, MB",
                                         "max GPU memory, MB" };
    struct wf_table t;
    char notes[700];
    wf_table_init(&t, sizeof heads / sizeof *heads);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) wf_table_cell(&t, "%s", heads[i]);
    enum wf_status s = row4(g, &t, false, err);
    if (s == WF_OK) s = row4(g, &t, true, err);
    snprintf(
        notes, sizeof notes, "The whole of PeMS, 11,160 sensors.%s%s\n\n%s\n",
        g->cuda ? ""
                : " There is no GPU on this machine: GPU-index was not run, and index ran on "
                  "the CPU.",
        g->cfg->scale == WF_SCALE_SMALL
            ? " Small scale: a week where it is simulated, two epochs of 4 batches of 16 windows."
            : "",
        g->machine);
    if (s == WF_OK)
        s = wf_table_write(&t, g->cfg->out, "table4", "Table 4: index against GPU-index", notes,
                           g->log, err);
    wf_table_free(&t);
    return s;
}

const struct wf_part_of_paper wf_table4_part = { plan4, write4 };
