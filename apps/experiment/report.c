#include "apps/experiment/report.h"
#include <math.h>
#include <string.h>
#include <unistd.h>
#include "data/formats/csv.h"
#include "data/file.h"
#include "apps/kit/text.h"
#include "tensor/alloc.h"

/* ---- epochs ---- */

enum { EPOCH_COLUMNS = 5 };
static const char epoch_head[] = "epoch,runtime,t_mae,v_mae,pgt_v_mae";

static enum wf_status keep_row(struct wf_history *h, const struct wf_epoch_stats *row,
                               struct wf_error *err)
{
    size_t size = sizeof *h->rows * ((size_t)h->count + 1);
    struct wf_epoch_stats *rows = wf_realloc(h->rows, size);
    if (!rows) return wf_fail(err, WF_ENOMEM, "%s: no memory for %zu bytes", h->path, size);
    h->rows = rows;
    h->rows[h->count++] = *row;
    return WF_OK;
}

static enum wf_status read_rows(struct wf_history *h, const struct wf_csv *csv,
                                struct wf_error *err)
{
    if (csv->cols != EPOCH_COLUMNS)
        return wf_fail(err, WF_EFORMAT, "%s: %td columns, expected %d: %s", h->path, csv->cols,
                       EPOCH_COLUMNS, epoch_head);
    double before = 0;
    for (ptrdiff_t i = 0; i < csv->rows; i++) {
        const double *v = csv->values + EPOCH_COLUMNS * i;
        if (!(v[0] > before && v[0] < 1e9) || v[0] != floor(v[0]))
            return wf_fail(err, WF_EFORMAT, "%s: row %td: epoch %g, expected one after %g", h->path,
                           i + 1, v[0], before);
        before = v[0];
        struct wf_epoch_stats row = { (int)v[0] - 1, v[1], v[2], v[3], v[4] };
        WF_TRY(keep_row(h, &row, err));
    }
    return WF_OK;
}

enum wf_status wf_history_open(struct wf_history *h, const char *path, bool resume,
                               struct wf_error *err)
{
    *h = (struct wf_history){ .path = wf_strdup(path) };
    if (!h->path) return wf_fail(err, WF_ENOMEM, "%s: no memory for its name", path);
    if (!resume || access(path, F_OK) != 0) return WF_OK;
    struct wf_csv csv = { 0 };
    enum wf_status s = wf_csv_read(path, WF_CSV_YES, &csv, err);
    if (s == WF_OK) s = read_rows(h, &csv, err);
    wf_csv_free(&csv);
    if (s != WF_OK) wf_history_free(h);
    return s;
}

enum wf_status wf_history_add(struct wf_history *h, const struct wf_epoch_stats *row,
                              struct wf_error *err)
{
    while (h->count > 0 && h->rows[h->count - 1].epoch >= row->epoch) h->count--;
    WF_TRY(keep_row(h, row, err));
    struct wf_text t;
    WF_TRY(wf_text_open(&t, h->path, err));
    fprintf(t.f, "%s\n", epoch_head);
    for (int i = 0; i < h->count; i++) {
        const struct wf_epoch_stats *r = h->rows + i;
        fprintf(t.f, "%d", r->epoch + 1);
        const double v[] = { r->seconds, r->train_loss, r->valid_mae, r->pgt_valid_mae };
        for (int k = 0; k < EPOCH_COLUMNS - 1; k++) {
            putc(',', t.f);
            wf_text_number(t.f, v[k]);
        }
        putc('\n', t.f);
    }
    return wf_text_close(&t, err);
}

void wf_history_free(struct wf_history *h)
{
    wf_free(h->path);
    wf_free(h->rows);
    *h = (struct wf_history){ 0 };
}

/* ---- test errors ---- */

enum { KINDS = 3 };
static const char *const kind_names[KINDS] = { "MAE", "RMSE", "MAPE" };
static const char *const kind_columns[KINDS] = { "mae", "rmse", "mape" };

static double error_of(const struct wf_metrics *m, int kind, int step)
{
    int q = step - 1;
    if (kind == 0) return wf_metrics_mae(m, q);
    return kind == 1 ? wf_metrics_rmse(m, q) : wf_metrics_mape(m, q);
}

void wf_horizon_label(char *text, size_t size, int step, int interval_s)
{
    long seconds = (long)step * interval_s;
    if (step == 0)
        snprintf(text, size, "mean");
    else if (interval_s <= 0 || interval_s >= 86400 || seconds % 60 != 0)
        snprintf(text, size, "step %d", step);
    else if (seconds < 7200 || seconds % 3600 != 0)
        snprintf(text, size, "%ld min", seconds / 60);
    else
        snprintf(text, size, "%ld h", seconds / 3600);
}

static enum wf_status check_steps(const struct wf_scored *models, int count,
                                  const struct wf_horizons *h, struct wf_error *err)
{
    for (int i = 0; i < count; i++)
        for (int k = 0; k < h->count; k++)
            if (h->step[k] < 0 || h->step[k] > models[i].metrics->Q)
                return wf_fail(err, WF_EINVAL, "errors of %s: step %d, expected 0 to %d",
                               models[i].name, h->step[k], models[i].metrics->Q);
    return WF_OK;
}

/* Returns the digits after the point that show three significant ones of the smallest MAE. */
static int decimals(const struct wf_scored *models, int count, const struct wf_horizons *h)
{
    double least = INFINITY;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < h->count; k++) {
            double e = error_of(models[i].metrics, 0, h->step[k]);
            if (e > 0 && e < least) least = e;
        }
    if (isinf(least) || least >= 1) return 2;
    return (int)fmin(6, 2 - floor(log10(least)));
}

/* Returns an error as the tables show it; "-" where no value counted. */
static const char *cell(char text[32], double x, int kind, int digits)
{
    if (isnan(x)) return "-";
    if (kind == 2)
        snprintf(text, 32, "%.2f%%", x);
    else
        snprintf(text, 32, "%.*f", digits, x);
    return text;
}

/* Returns the width of the column's widest cell, its heading included. */
static int column_width(const struct wf_scored *models, int count, int kind, int step, int digits)
{
    char text[32];
    int width = (int)strlen(kind_names[kind]);
    for (int i = 0; i < count; i++) {
        int n = (int)strlen(cell(text, error_of(models[i].metrics, kind, step), kind, digits));
        if (n > width) width = n;
    }
    return width;
}

/* Returns how many columns a terminal needs for s: one for each code point of UTF-8. */
static int columns_of(const char *s)
{
    int n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

/* Prints one line: row -2 names the horizons, row -1 the errors, row i is of models[i]. */
static void print_line(FILE *out, const struct wf_scored *models, int count,
                       const struct wf_horizons *h, int row, int name_width)
{
    int digits = decimals(models, count, h);
    const char *name = row < 0 ? "" : models[row].name;
    fprintf(out, "%s%*s", name, name_width - columns_of(name), "");
    for (int k = 0; k < h->count; k++) {
        int width[KINDS], sum = 0;
        char text[32], label[32];
        for (int j = 0; j < KINDS; j++) {
            width[j] = column_width(models, count, j, h->step[k], digits) + (j == 0 ? 4 : 2);
            sum += width[j];
        }
        wf_horizon_label(label, sizeof label, h->step[k], h->interval_s);
        if (row == -2) fprintf(out, "%*s", sum, label);
        for (int j = 0; j < KINDS && row > -2; j++)
            fprintf(out, "%*s", width[j],
                    row < 0 ? kind_names[j]
                            : cell(text, error_of(models[row].metrics, j, h->step[k]), j, digits));
    }
    putc('\n', out);
}

enum wf_status wf_report_print(FILE *out, const struct wf_scored *models, int count,
                               const struct wf_horizons *h, struct wf_error *err)
{
    WF_TRY(check_steps(models, count, h, err));
    int width = 0;
    for (int i = 0; i < count; i++) {
        int n = columns_of(models[i].name);
        if (n > width) width = n;
    }
    for (int row = -2; row < count; row++) print_line(out, models, count, h, row, width);
    return WF_OK;
}

enum wf_status wf_report_csv(const char *path, const struct wf_scored *models, int count,
                             const struct wf_horizons *h, struct wf_error *err)
{
    struct wf_text t;
    WF_TRY(check_steps(models, count, h, err));
    WF_TRY(wf_text_open(&t, path, err));
    fputs("model,horizon,step,mae,rmse,mape\n", t.f);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < h->count; k++) {
            char label[32];
            wf_horizon_label(label, sizeof label, h->step[k], h->interval_s);
            wf_text_field(t.f, models[i].name);
            fprintf(t.f, ",%s,%d", label, h->step[k]);
            for (int j = 0; j < KINDS; j++) {
                putc(',', t.f);
                wf_text_number(t.f, error_of(models[i].metrics, j, h->step[k]));
            }
            putc('\n', t.f);
        }
    return wf_text_close(&t, err);
}

enum wf_status wf_report_markdown(const char *path, const struct wf_scored *models, int count,
                                  const struct wf_horizons *h, struct wf_error *err)
{
    struct wf_text t;
    char label[32], text[32];
    WF_TRY(check_steps(models, count, h, err));
    WF_TRY(wf_text_open(&t, path, err));
    fputs("| model |", t.f);
    for (int k = 0; k < h->count; k++) {
        wf_horizon_label(label, sizeof label, h->step[k], h->interval_s);
        for (int j = 0; j < KINDS; j++) fprintf(t.f, " %s %s |", kind_names[j], label);
    }
    fputs("\n|---|", t.f);
    for (int k = 0; k < h->count * KINDS; k++) fputs("---:|", t.f);
    int digits = decimals(models, count, h);
    for (int i = 0; i < count; i++) {
        fprintf(t.f, "\n| %s |", models[i].name);
        for (int k = 0; k < h->count; k++)
            for (int j = 0; j < KINDS; j++)
                fprintf(t.f, " %s |",
                        cell(text, error_of(models[i].metrics, j, h->step[k]), j, digits));
    }
    putc('\n', t.f);
    return wf_text_close(&t, err);
}

/* ---- the run ---- */

/* Writes a column's name, such as mae_15min; the horizon's label loses its space. */
static void summary_column(FILE *f, int kind, int step, int interval_s)
{
    char label[32];
    wf_horizon_label(label, sizeof label, step, interval_s);
    fprintf(f, ",%s_", kind_columns[kind]);
    for (const char *p = label; *p; p++)
        if (*p != ' ') putc(*p, f);
}

enum wf_status wf_summary_write(const char *path, const struct wf_summary *r,
                                const struct wf_horizons *h, struct wf_error *err)
{
    const struct wf_scored scored = { r->model, r->test };
    struct wf_text t;
    WF_TRY(check_steps(&scored, 1, h, err));
    WF_TRY(wf_text_open(&t, path, err));
    fputs(
        "preprocessing,training,total,t_mae,v_mae,pgt_v_mae,system_memory_total,max_system_mem,"
        "gpu_memory_total,max_gpu_mem,model,dataset,synthetic,mode,nodes,windows,parameters,steps",
        t.f);
    for (int k = 0; k < h->count; k++)
        for (int j = 0; j < KINDS; j++) summary_column(t.f, j, h->step[k], h->interval_s);
    putc('\n', t.f);
    const double v[] = { r->preprocessing_s, r->training_s,     r->total_s,   r->best_t_mae,
                         r->best_v_mae,      r->best_pgt_v_mae, r->system_mb, r->max_system_mb,
                         r->gpu_mb,          r->max_gpu_mb };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        wf_text_number(t.f, v[i]);
        putc(',', t.f);
    }
    wf_text_field(t.f, r->model);
    putc(',', t.f);
    wf_text_field(t.f, r->dataset);
    fprintf(t.f, ",%s,", r->synthetic ? "True" : "False");
    wf_text_field(t.f, r->mode);
    fprintf(t.f, ",%td,%td,%td,%lld", r->nodes, r->windows, r->parameters, (long long)r->steps);
    for (int k = 0; k < h->count; k++)
        for (int j = 0; j < KINDS; j++) {
            putc(',', t.f);
            wf_text_number(t.f, error_of(r->test, j, h->step[k]));
        }
    putc('\n', t.f);
    return wf_text_close(&t, err);
}
