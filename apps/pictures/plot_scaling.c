/* plot_scaling.c - the picture of time against ranks. */
#include <math.h>
#include "apps/pictures/gnuplot_private.h"

enum { MAXLINE = 6 };

static enum wf_status check(const struct wf_plot_scaling *p, struct wf_error *err)
{
    if (p->lines < 1 || p->lines > MAXLINE || p->points < 1)
        return wf_fail(err, WF_EINVAL,
                       "picture of scaling: %d lines of %d points, expected 1 to %d of 1 or more",
                       p->lines, p->points, MAXLINE);
    for (int i = 0; i < p->marks; i++)
        if (p->mark[i].line < 0 || p->mark[i].line >= p->lines)
            return wf_fail(err, WF_EINVAL, "picture of scaling: a mark at line %d of %d",
                           p->mark[i].line, p->lines);
    return WF_OK;
}

/* Writes the columns ranks, lines, ideal, then marks of each line. Marks are rows of their own. */
static void data(FILE *f, const struct wf_plot_scaling *p)
{
    fputs("ranks", f);
    for (int k = 0; k < p->lines; k++) {
        putc(',', f);
        wf_text_field(f, p->names[k]);
    }
    fputs(",ideal", f);
    for (int k = 0; k < p->lines; k++) {
        char head[120];
        snprintf(head, sizeof head, "%s measured", p->names[k]);
        putc(',', f);
        wf_text_field(f, head);
    }
    for (int i = 0; i < p->points + p->marks; i++) {
        const struct wf_plot_mark *m = i < p->points ? NULL : &p->mark[i - p->points];
        fprintf(f, "\n%.9g", m ? m->ranks : p->ranks[i]);
        for (int k = 0; k < 2 * p->lines + 1; k++) {
            double v = NAN;
            if (!m && k < p->lines) v = p->value[k * p->points + i];
            if (!m && k == p->lines) v = p->ideal[i];
            if (m && k == p->lines + 1 + m->line) v = m->value;
            putc(',', f);
            wf_text_number(f, v);
        }
    }
    putc('\n', f);
}

static void axes(FILE *f, const struct wf_plot_scaling *p)
{
    char text[160];
    double lo = INFINITY, hi = 0;
    for (int i = 0; i < p->points; i++) {
        lo = fmin(lo, p->ranks[i]);
        hi = fmax(hi, p->ranks[i]);
    }
    for (int i = 0; i < p->marks; i++) {
        lo = fmin(lo, p->mark[i].ranks);
        hi = fmax(hi, p->mark[i].ranks);
    }
    snprintf(text, sizeof text, "%s (%s)", p->quantity, p->units);
    fprintf(f,
            "set lmargin at screen 0.08\nset rmargin at screen 0.98\nset tmargin at screen 0.89\n"
            "set bmargin at screen 0.11\nset logscale x 2\nset logscale y 10\n"
            "set xrange [%.9g:%.9g]\nset xtics 2\nset mytics 10\nset grid mytics\n"
            "set key top right noenhanced samplen 3 spacing 1.3\nset xlabel 'ranks'\nset ylabel ",
            lo / 1.15, hi * 1.15);
    wf_picture_string(f, text);
    fputs(" noenhanced\n", f);
}

enum wf_status wf_plot_scaling(struct wf_plots *plots, const struct wf_plot_scaling *p,
                               struct wf_error *err)
{
    /* Lines that coincide are told apart by their points: large hollow ones round small full
     * ones. */
    static const int point[MAXLINE] = { 5, 7, 6, 4, 8, 10 };
    static const double size[MAXLINE] = { 1.3, 1.3, 2.4, 2.4, 2.4, 2.4 };
    struct wf_picture pic;
    WF_TRY(check(p, err));
    WF_TRY(wf_picture_begin(&pic, plots, p->name, p->title, err));
    data(pic.data.f, p);
    FILE *f = pic.script.f;
    axes(f, p);
    fprintf(f,
            "plot '%s.csv' skip 1 using 1:%d with lines dashtype 2 linewidth 2.5 linecolor "
            "'#888888' title 'ideal'",
            p->name, p->lines + 2);
    for (int k = 0; k < p->lines; k++) {
        fprintf(f,
                ", \\\n    '%s.csv' skip 1 using 1:%d with linespoints pointtype %d pointsize %g "
                "linewidth 2.5 linecolor '%s' title ",
                p->name, k + 2, point[k], size[k], wf_colours[k]);
        wf_picture_string(f, p->names[k]);
    }
    bool marked[MAXLINE] = { false };
    for (int i = 0; i < p->marks; i++) marked[p->mark[i].line] = true;
    for (int k = 0; k < p->lines; k++) {
        char title[120];
        if (!marked[k]) continue;
        fprintf(f,
                ", \\\n    '%s.csv' skip 1 using 1:%d with points pointtype 6 pointsize 3.4 "
                "linewidth 3 linecolor '%s' title ",
                p->name, p->lines + 3 + k, wf_colours[k]);
        snprintf(title, sizeof title, "%s, measured", p->names[k]);
        wf_picture_string(f, title);
    }
    putc('\n', f);
    return wf_picture_end(&pic, err);
}
