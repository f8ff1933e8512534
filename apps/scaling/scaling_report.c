/* scaling_report.c - measured epochs; tables and pictures of predicted ones. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "data/file.h"
#include "apps/pictures/plot.h"
#include "apps/scaling/scaling.h"
#include "apps/kit/text.h"
#include "tensor/alloc.h"

/* ---- measured epochs ---- */

static enum wf_status read_mark(struct wf_scaling_mark *mark, const char *line,
                                struct wf_error *err)
{
    char name[32] = "";
    int end = -1, p = 0;
    if (sscanf(line, "%d,%31[^,],%lf %n", &mark->ranks, name, &mark->epoch_s, &end) != 3 ||
        line[end] || mark->ranks < 1 || !(mark->epoch_s > 0) || !isfinite(mark->epoch_s))
        return wf_fail(err, WF_EFORMAT, "'%.60s': want ranks,placement,epoch_s", line);
    while (wf_scaling_names[p] && strcmp(wf_scaling_names[p], name) != 0) p++;
    if (!wf_scaling_names[p])
        return wf_fail(err, WF_EFORMAT, "placement '%s': want ddp, index, partitioned or ddp-batch",
                       name);
    mark->placement = (enum wf_scaling_placement)p;
    return WF_OK;
}

static enum wf_status read_marks(struct wf_scaling_marks *m, char *text, struct wf_error *err)
{
    int number = 0, lines = 1;
    for (const char *c = text; *c; c++) lines += *c == '\n';
    m->at = wf_calloc((size_t)lines, sizeof *m->at);
    if (!m->at) return wf_fail(err, WF_ENOMEM, "no memory for %d lines", lines);
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        line[strcspn(line, "\r")] = 0;
        if (number++ == 0) {
            if (strcmp(line, "ranks,placement,epoch_s") != 0)
                return wf_fail(err, WF_EFORMAT, "begins with '%.60s', want ranks,placement,epoch_s",
                               line);
        } else if (line[0]) {
            if (read_mark(&m->at[m->count], line, err) != WF_OK)
                return wf_fail_in(err, "line %d", number);
            m->count++;
        }
    }
    return m->count ? WF_OK : wf_fail(err, WF_EFORMAT, "holds no measured epoch");
}

enum wf_status wf_scaling_marks_read(struct wf_scaling_marks *m, const char *path,
                                     struct wf_error *err)
{
    char *text;
    size_t size;
    *m = (struct wf_scaling_marks){ 0 };
    WF_TRY(wf_file_read(path, &text, &size, err));
    enum wf_status s = read_marks(m, text, err);
    wf_free(text);
    if (s != WF_OK) {
        wf_free(m->at);
        *m = (struct wf_scaling_marks){ 0 };
    }
    return wf_file_context(s, path, err);
}

void wf_scaling_compare(FILE *out, const struct wf_scaling *s, const struct wf_scaling_marks *m)
{
    double most = 0;
    fprintf(out, "%6s  %-11s  %12s  %12s  %8s\n", "ranks", "placement", "measured s", "predicted s",
            "error");
    for (int i = 0; i < m->count; i++) {
        const struct wf_scaling_mark *k = &m->at[i];
        double t = wf_scaling_predict(s, k->placement, k->ranks).epoch_s;
        double percent = 100 * (t / k->epoch_s - 1);
        most = fmax(most, fabs(percent));
        fprintf(out, "%6d  %-11s  %12.4g  %12.4g  %+7.1f%%\n", k->ranks,
                wf_scaling_names[k->placement], k->epoch_s, t, percent);
    }
    fprintf(out, "largest error %.1f%%\n", most);
}

/* ---- tables ---- */

static double epoch_s(const struct wf_scaling_cost *c)
{
    return c->epoch_s;
}

static double total_min(const struct wf_scaling_cost *c)
{
    return c->total_s / 60;
}

static double data_mb(const struct wf_scaling_cost *c)
{
    return c->data_bytes / 1048576;
}

static void print_table(FILE *out, const struct wf_scaling *s, const struct wf_ints *ranks,
                        const char *what, double (*value)(const struct wf_scaling_cost *c))
{
    fprintf(out, "\n%s\n\n| ranks | nodes | steps |", what);
    for (int p = 0; p < WF_SCALING_PLACEMENTS; p++) fprintf(out, " %s |", wf_scaling_names[p]);
    fputs(" ddp / index |\n|---:|---:|---:|", out);
    for (int p = 0; p <= WF_SCALING_PLACEMENTS; p++) fputs("---:|", out);
    putc('\n', out);
    for (int i = 0; i < ranks->n; i++) {
        double v[WF_SCALING_PLACEMENTS];
        struct wf_scaling_cost c;
        for (int p = WF_SCALING_PLACEMENTS - 1; p >= 0; p--) {
            c = wf_scaling_predict(s, (enum wf_scaling_placement)p, ranks->v[i]);
            v[p] = value(&c);
        }
        fprintf(out, "| %d | %d | %d |", ranks->v[i], c.nodes, c.steps);
        for (int p = 0; p < WF_SCALING_PLACEMENTS; p++) fprintf(out, " %.4g |", v[p]);
        fprintf(out, " %.2f |\n", v[WF_SCALING_DDP] / v[WF_SCALING_INDEX]);
    }
}

void wf_scaling_print(FILE *out, const struct wf_scaling *s, const struct wf_ints *ranks)
{
    fprintf(out, "# %s\n", s->title);
    print_table(out, s, ranks, "Predicted seconds of an epoch:", epoch_s);
    char what[80];
    snprintf(what, sizeof what, "Predicted minutes of a run of %d epochs:", s->epochs);
    print_table(out, s, ranks, what, total_min);
    print_table(out, s, ranks, "MB (2^20 bytes) of data per rank:", data_mb);
}

static void write_rows(FILE *f, const struct wf_scaling *s, const struct wf_ints *ranks)
{
    fputs("ranks,nodes,placement,steps,compute_s,reduce_s,data_s,epoch_s,once_s,total_s,"
          "efficiency,data_mb\n",
          f);
    for (int i = 0; i < ranks->n; i++)
        for (int p = 0; p < WF_SCALING_PLACEMENTS; p++) {
            struct wf_scaling_cost c =
                wf_scaling_predict(s, (enum wf_scaling_placement)p, ranks->v[i]);
            const double v[] = { c.compute_s, c.reduce_s, c.data_s,     c.epoch_s,
                                 c.once_s,    c.total_s,  c.efficiency, data_mb(&c) };
            fprintf(f, "%d,%d,%s,%d", ranks->v[i], c.nodes, wf_scaling_names[p], c.steps);
            for (size_t k = 0; k < sizeof v / sizeof *v; k++) {
                putc(',', f);
                wf_text_number(f, v[k]);
            }
            putc('\n', f);
        }
}

static enum wf_status write_text(const char *folder, const char *end, const struct wf_scaling *s,
                                 const struct wf_ints *ranks,
                                 void (*rows)(FILE *f, const struct wf_scaling *s,
                                              const struct wf_ints *ranks),
                                 struct wf_error *err)
{
    struct wf_text t;
    char *path = wf_text_path(folder, "scaling", end);
    if (!path) return wf_fail(err, WF_ENOMEM, "%s: no memory for its name", folder);
    enum wf_status rc = wf_text_open(&t, path, err);
    wf_free(path);
    WF_TRY(rc);
    rows(t.f, s, ranks);
    return wf_text_close(&t, err);
}

/* ---- pictures ---- */

enum { P = WF_SCALING_PLACEMENTS };

static enum wf_status draw(struct wf_plots *plots, const struct wf_scaling *s,
                           const struct wf_ints *ranks, const struct wf_scaling_marks *m,
                           bool whole, struct wf_error *err)
{
    double x[WF_CONFIG_INTS], y[P * WF_CONFIG_INTS], ideal[WF_CONFIG_INTS];
    struct wf_scaling_cost one = wf_scaling_predict(s, WF_SCALING_INDEX, 1);
    struct wf_plot_scaling plot = {
        .name = whole ? "scaling_total" : "scaling_epoch",
        .title = s->title,
        .quantity = whole ? "whole run" : "epoch",
        .units = whole ? "minutes" : "seconds",
        .points = ranks->n,
        .lines = P,
        .names = wf_scaling_names,
        .ranks = x,
        .value = y,
        .ideal = ideal,
    };
    for (int i = 0; i < ranks->n; i++) {
        x[i] = ranks->v[i];
        ideal[i] = (whole ? total_min(&one) : one.epoch_s) / x[i];
        for (int p = 0; p < P; p++) {
            struct wf_scaling_cost c =
                wf_scaling_predict(s, (enum wf_scaling_placement)p, ranks->v[i]);
            y[p * ranks->n + i] = whole ? total_min(&c) : c.epoch_s;
        }
    }
    if (whole || m->count == 0) return wf_plot_scaling(plots, &plot, err);
    struct wf_plot_mark *mark = wf_calloc((size_t)m->count, sizeof *mark);
    if (!mark) return wf_fail(err, WF_ENOMEM, "no memory for %d measured epochs", m->count);
    for (int i = 0; i < m->count; i++)
        mark[i] =
            (struct wf_plot_mark){ (int)m->at[i].placement, m->at[i].ranks, m->at[i].epoch_s };
    plot.marks = m->count;
    plot.mark = mark;
    enum wf_status rc = wf_plot_scaling(plots, &plot, err);
    wf_free(mark);
    return rc;
}

enum wf_status wf_scaling_write(const char *folder, const struct wf_scaling *s,
                                const struct wf_ints *ranks, const struct wf_scaling_marks *m,
                                FILE *log, struct wf_error *err)
{
    struct wf_plots plots;
    WF_TRY(write_text(folder, ".csv", s, ranks, write_rows, err));
    WF_TRY(write_text(folder, ".md", s, ranks, wf_scaling_print, err));
    WF_TRY(wf_plots_init(&plots, folder, log, err));
    enum wf_status rc = draw(&plots, s, ranks, m, false, err);
    if (rc == WF_OK) rc = draw(&plots, s, ranks, m, true, err);
    wf_plots_free(&plots);
    return rc;
}
