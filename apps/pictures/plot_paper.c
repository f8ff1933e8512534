/* plot_paper.c - pictures for the reproduction of the paper: pairs of runs, and memory. */
#include <math.h>
#include "apps/pictures/gnuplot_private.h"

/* ---- two runs that should agree ---- */

enum { MAXPANEL = 4 };

static int longest(const struct wf_plot_pairs *p)
{
    int most = 0;
    for (int k = 0; k < p->panels; k++)
        if (p->panel[k].epochs > most) most = p->panel[k].epochs;
    return most;
}

/* Writes the columns epoch, then below and above of each panel. */
static void pairs_data(FILE *f, const struct wf_plot_pairs *p)
{
    fputs("epoch", f);
    for (int k = 0; k < p->panels; k++)
        for (int above = 0; above < 2; above++) {
            char head[160];
            snprintf(head, sizeof head, "%s, %s", p->panel[k].title,
                     above ? p->above_name : p->below_name);
            putc(',', f);
            wf_text_field(f, head);
        }
    for (int e = 0; e < longest(p); e++) {
        fprintf(f, "\n%d", e + 1);
        for (int k = 0; k < p->panels; k++)
            for (int above = 0; above < 2; above++) {
                const struct wf_plot_pair *q = &p->panel[k];
                const double *v = above ? q->above : q->below;
                putc(',', f);
                wf_text_number(f, e < q->epochs ? v[e] : NAN);
            }
    }
    putc('\n', f);
}

static void pairs_panel(FILE *f, const struct wf_plot_pairs *p, int k)
{
    static const char *const looks[2] = { "linewidth 9 linecolor '#9cc9e8'",
                                          "linewidth 2.4 linecolor '#D55E00'" };
    const struct wf_plot_pair *q = &p->panel[k];
    double width = 0.91 / p->panels, left = 0.085 + k * width;
    int tics = 1;
    while ((q->epochs - 1) / tics > 10) tics *= tics % 2 ? 5 : 2;
    fprintf(f,
            "set lmargin at screen %.4f\nset rmargin at screen %.4f\nset xrange [0.5:%d.5]\n"
            "set xtics %d\nset label 2 ",
            left, left + width - 0.055, q->epochs, tics);
    wf_picture_string(f, q->title);
    fputs(" at graph 0.5,1 center offset 0,0.8 font ',18' noenhanced\n", f);
    if (k == 0)
        fputs("set key at screen 0.97,0.955 right center horizontal noenhanced samplen 3\n", f);
    else
        fputs("unset key\nunset label 1\nunset ylabel\n", f);
    for (int above = 0; above < 2; above++) {
        fprintf(f,
                "%s'%s.csv' skip 1 using 1:%d with linespoints pointtype 7 pointsize %g %s title ",
                above ? ", \\\n    " : "plot ", p->name, 2 + 2 * k + above,
                q->epochs > 40 ? 0
                : above        ? 0.9
                               : 2.2,
                looks[above]);
        wf_picture_string(f, above ? p->above_name : p->below_name);
    }
    putc('\n', f);
}

enum wf_status wf_plot_pairs(struct wf_plots *plots, const struct wf_plot_pairs *p,
                             struct wf_error *err)
{
    struct wf_picture pic;
    if (p->panels < 1 || p->panels > MAXPANEL || longest(p) < 1)
        return wf_fail(err, WF_EINVAL,
                       "picture %s: %d panels of %d epochs, expected 1 to %d of 1 "
                       "or more",
                       p->name, p->panels, longest(p), MAXPANEL);
    WF_TRY(wf_picture_begin(&pic, plots, p->name, p->title, err));
    pairs_data(pic.data.f, p);
    FILE *f = pic.script.f;
    fputs("set multiplot\nset tmargin at screen 0.84\nset bmargin at screen 0.11\n"
          "set xlabel 'epoch'\nset ylabel ",
          f);
    wf_picture_string(f, p->quantity);
    fputs(" noenhanced\nset offsets graph 0, 0, 0.06, 0.06\n", f);
    for (int k = 0; k < p->panels; k++) pairs_panel(f, p, k);
    fputs("unset multiplot\n", f);
    return wf_picture_end(&pic, err);
}

/* ---- memory ---- */

static void memory_data(FILE *f, const struct wf_plot_memory *m)
{
    fputs("dataset,numbers,base_law_mib,index_law_mib,base_mib,index_mib\n", f);
    for (int k = 0; k < m->points; k++) {
        const double v[] = { m->size[k], m->base_law[k], m->index_law[k], m->base[k], m->index[k] };
        wf_text_field(f, m->names[k]);
        for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
            putc(',', f);
            wf_text_number(f, v[i]);
        }
        putc('\n', f);
    }
}

enum wf_status wf_plot_memory(struct wf_plots *plots, const struct wf_plot_memory *m,
                              struct wf_error *err)
{
    static const char *const lines[] = {
        "3 with linespoints pointtype 0 linewidth 2.5 linecolor '#0072B2' title "
        "'every window materialised: 2 S h N F 4 bytes'",
        "4 with linespoints pointtype 0 linewidth 2.5 linecolor '#D55E00' title "
        "'index-batching: E N F 4 bytes'",
        "5 with points pointtype 6 pointsize 2.6 linewidth 3 linecolor '#0072B2' title "
        "'base mode, measured'",
        "6 with points pointtype 6 pointsize 2.6 linewidth 3 linecolor '#D55E00' title "
        "'index mode, measured'",
    };
    struct wf_picture pic;
    if (m->points < 1)
        return wf_fail(err, WF_EINVAL, "picture of memory: %d data sets, expected 1 or more",
                       m->points);
    WF_TRY(wf_picture_begin(&pic, plots, "memory", "Memory of the data", err));
    memory_data(pic.data.f, m);
    FILE *f = pic.script.f;
    double lo = m->size[0], hi = lo, low = m->index_law[0], high = m->base_law[0];
    for (int k = 1; k < m->points; k++) {
        lo = fmin(lo, m->size[k]);
        hi = fmax(hi, m->size[k]);
        low = fmin(low, m->index_law[k]);
        high = fmax(high, m->base_law[k]);
    }
    fprintf(f, "set xrange [%.4g:%.4g]\nset yrange [%.4g:%.4g]\n", lo / 1.6, hi * 2.5, low / 2,
            high * 4);
    fputs("set lmargin at screen 0.09\nset rmargin at screen 0.95\nset tmargin at screen 0.89\n"
          "set bmargin at screen 0.11\nset logscale xy 10\nset format x '10^{%T}'\n"
          "set key top left Left reverse noenhanced samplen 3 spacing 1.3\n"
          "set xlabel 'numbers in the series'\nset ylabel 'MiB'\nset grid mytics\n",
          f);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        fprintf(f, "%s'memory.csv' skip 1 using 2:%s", i ? ", \\\n    " : "plot ", lines[i]);
    fputs(
        ", \\\n    'memory.csv' skip 1 using 2:3:1 with labels rotate by -40 left offset 0.5,-0.8 "
        "font ',13' textcolor '#444444' noenhanced notitle\n",
        f);
    return wf_picture_end(&pic, err);
}
