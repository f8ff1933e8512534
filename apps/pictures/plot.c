#include "apps/pictures/plot.h"
#include <math.h>
#include <stddef.h>
#include <time.h>
#include "apps/pictures/gnuplot_private.h"

enum { MAXPANEL = 6, MAXMODEL = 7 };

/* ---- axes ---- */

/* Widens the range [*lo, *hi] to hold the n numbers of x, which may be NULL. */
static void widen(double *lo, double *hi, const wf_real *x, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; x && i < n; i++) {
        if (x[i] < *lo) *lo = x[i];
        if (x[i] > *hi) *hi = x[i];
    }
}

static void widen_double(double *lo, double *hi, const double *x, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        if (x[i] < *lo) *lo = x[i];
        if (x[i] > *hi) *hi = x[i];
    }
}

/* Makes [*lo, *hi] a range that gnuplot can draw: finite, with some space round the values. */
static void settle(double *lo, double *hi)
{
    if (!(*lo <= *hi && isfinite(*lo) && isfinite(*hi))) {
        *lo = 0;
        *hi = 1;
    }
    double pad = *hi > *lo ? 0.06 * (*hi - *lo) : 0.5;
    *lo -= *lo >= 0 && *lo < pad ? *lo : pad; /* values from 0 up start at 0 */
    *hi += pad;
}

static void axis_label(FILE *f, const char *axis, const char *what, const char *units)
{
    char text[160];
    snprintf(text, sizeof text, units ? "%s (%s)" : "%s", what, units);
    fprintf(f, "set %slabel ", axis);
    wf_picture_string(f, text);
    fputs(" noenhanced\n", f);
}

/* Returns the first of 1, 2, 5, 10, 20, 50, .. that makes at most `most` tics of n values. */
static int nice_step(int n, int most)
{
    int step = 1;
    for (int i = 0; (n - 1) / step >= most; i++) step = i % 3 == 1 ? step / 2 * 5 : step * 2;
    return step;
}

/* The axis counts hours since midnight of the first day, or steps where there is no clock. */
struct time_axis {
    bool clock;
    double first, per_step, last;
};

static struct time_axis time_axis_of(const struct wf_plot_forecast *p)
{
    struct time_axis a = { .clock = p->interval_s > 0 && p->interval_s < 86400, .per_step = 1 };
    if (a.clock) {
        a.first = (double)(p->t0_s % 86400) / 3600;
        a.per_step = p->interval_s / 3600.0;
    }
    a.last = a.first + a.per_step * (p->steps - 1);
    return a;
}

static void time_tics(FILE *f, const struct time_axis *a, bool labels)
{
    double end = a->last + (a->clock ? a->per_step : 0);
    fprintf(f, "set xrange [%.9g:%.9g]\nset format x '%s'\n", a->first, end, labels ? "%g" : "");
    if (!a->clock) return;
    double span = a->last - a->first;
    int every = span <= 8 ? 1 : span <= 14 ? 2 : span <= 30 ? 3 : span <= 72 ? 6 : 24;
    fputs("set xtics (", f);
    bool any = false;
    for (int h = (int)ceil(a->first / every) * every; h <= end + 1e-9 && h < 24 * 60; h += every) {
        if (labels)
            fprintf(f, "%s'%02d:00' %d", any ? ", " : "", h % 24, h);
        else
            fprintf(f, "%s'' %d", any ? ", " : "", h);
        any = true;
    }
    fputs(")\n", f);
}

static void time_label(FILE *f, const struct wf_plot_forecast *p, const struct time_axis *a)
{
    char text[80] = "time step";
    time_t t = (time_t)p->t0_s;
    struct tm day;
    if (a->clock && gmtime_r(&t, &day))
        strftime(text, sizeof text,
                 a->last > 24 ? "time of day, from %Y-%m-%d on" : "time of day, %Y-%m-%d", &day);
    axis_label(f, "x", text, NULL);
}

static enum wf_status check_forecast(const struct wf_plot_forecast *p, int most,
                                     struct wf_error *err)
{
    if (p->sensors < 1 || p->sensors > most || p->steps < 2)
        return wf_fail(
            err, WF_EINVAL,
            "picture of a forecast: %d sensors of %d steps, expected 1 to %d of 2 or more",
            p->sensors, p->steps, most);
    return WF_OK;
}

/* ---- forecast ---- */

static double mean_error(const wf_real *pred, const wf_real *truth, int n)
{
    double sum = 0;
    int count = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(pred[i]) && !isnan(truth[i])) {
            sum += fabs((double)pred[i] - (double)truth[i]);
            count++;
        }
    return count ? sum / count : NAN;
}

static void forecast_data(FILE *f, const struct wf_plot_forecast *p, const struct time_axis *a)
{
    const char *const kinds[3] = { "truth", p->near_name, p->far_name };
    const wf_real *const values[3] = { p->truth, p->near, p->far };
    char head[200];
    fputs(a->clock ? "hour" : "step", f);
    for (int s = 0; s < p->sensors; s++)
        for (int k = 0; k < 3; k++) {
            snprintf(head, sizeof head, "%s %s", p->names[s], kinds[k]);
            putc(',', f);
            wf_text_field(f, head);
        }
    for (int i = 0; i < p->steps; i++) {
        fprintf(f, "\n%.9g", a->first + i * a->per_step);
        for (int s = 0; s < p->sensors; s++)
            for (int k = 0; k < 3; k++) {
                putc(',', f);
                wf_text_number(f, values[k][(ptrdiff_t)s * p->steps + i]);
            }
    }
    putc('\n', f);
}

/* Draws one panel: its name at the left, its two errors at the right, the lines below. */
static void forecast_panel(FILE *f, const struct wf_plot_forecast *p, const struct time_axis *a,
                           int s)
{
    const double top = 0.855, bottom = 0.105, gap = 0.055;
    double height = (top - bottom - gap * (p->sensors - 1)) / p->sensors;
    double high = top - s * (height + gap);
    ptrdiff_t at = (ptrdiff_t)s * p->steps;
    char text[120];
    fprintf(f, "set tmargin at screen %.4f\nset bmargin at screen %.4f\n", high, high - height);
    fputs("set label 2 ", f);
    wf_picture_string(f, p->names[s]);
    fputs(" at graph 0,1 left offset 0,0.6 font ',18' noenhanced\nset label 3 ", f);
    double near = mean_error(p->near + at, p->truth + at, p->steps);
    double far = mean_error(p->far + at, p->truth + at, p->steps);
    snprintf(text, sizeof text, "MAE %#.3g and %#.3g%s%s", near, far, p->units ? " " : "",
             p->units ? p->units : "");
    if (isnan(near) && isnan(far)) text[0] = 0; /* a future nobody knows has no error */
    wf_picture_string(f, text);
    fputs(" at graph 1,1 right offset 0,0.6 font ',15' textcolor '#666666' noenhanced\n", f);
    if (s == 0)
        fputs("set key at screen 0.965,0.955 right center horizontal noenhanced samplen 2 "
              "width 1 textcolor '#222222'\n",
              f);
    else
        fputs("unset key\nunset label 1\n", f);
    time_tics(f, a, s == p->sensors - 1);
    if (s == p->sensors - 1) time_label(f, p, a);
    const char *const names[3] = { "truth", p->near_name, p->far_name };
    const char *const looks[3] = { "linewidth 5 linecolor '#b4b4b4'",
                                   "linewidth 2.2 linecolor '#0072B2'",
                                   "linewidth 2.2 linecolor '#D55E00'" };
    for (int k = 0; k < 3; k++) {
        fprintf(f, "%s'forecast.csv' skip 1 using 1:%d with lines %s title ",
                k == 0 ? "plot " : ", \\\n    ", 2 + 3 * s + k, looks[k]);
        wf_picture_string(f, names[k]);
    }
    putc('\n', f);
}

enum wf_status wf_plot_forecast(struct wf_plots *plots, const struct wf_plot_forecast *p,
                                struct wf_error *err)
{
    struct wf_picture pic;
    WF_TRY(check_forecast(p, MAXPANEL, err));
    WF_TRY(wf_picture_begin(&pic, plots, "forecast", p->title, err));
    struct time_axis a = time_axis_of(p);
    forecast_data(pic.data.f, p, &a);
    FILE *f = pic.script.f;
    double lo = INFINITY, hi = -INFINITY;
    ptrdiff_t n = (ptrdiff_t)p->sensors * p->steps;
    widen(&lo, &hi, p->truth, n);
    widen(&lo, &hi, p->near, n);
    widen(&lo, &hi, p->far, n);
    settle(&lo, &hi);
    fputs("set multiplot\nset lmargin at screen 0.07\nset rmargin at screen 0.96\n", f);
    fprintf(f, "set yrange [%.9g:%.9g]\n", lo, hi);
    axis_label(f, "y", p->quantity, p->units);
    for (int s = 0; s < p->sensors; s++) forecast_panel(f, p, &a, s);
    fputs("unset multiplot\n", f);
    return wf_picture_end(&pic, err);
}

/* ---- space and time ---- */

/* Writes a line of all steps for each sensor; the truth comes first in the file, then the
 * forecast. */
static void map_data(FILE *f, const struct wf_plot_forecast *p, const wf_real *x)
{
    for (int s = 0; s < p->sensors; s++)
        for (int i = 0; i < p->steps; i++) {
            wf_text_number(f, x[(ptrdiff_t)s * p->steps + i]);
            putc(i == p->steps - 1 ? '\n' : ',', f);
        }
}

static void map_panel(FILE *f, const struct wf_plot_forecast *p, const struct time_axis *a,
                      bool truth)
{
    const double high = truth ? 0.865 : 0.455;
    fprintf(f, "set tmargin at screen %.3f\nset bmargin at screen %.3f\nset label 2 ", high,
            high - 0.345);
    wf_picture_string(f, truth ? "truth" : p->far_name);
    fputs(" at graph 0,1 left offset 0,0.6 font ',18' noenhanced\n", f);
    time_tics(f, a, !truth);
    if (!truth) {
        fputs("unset label 1\nunset colorbox\n", f);
        time_label(f, p, a);
    }
    fprintf(f,
            "plot 'space_time.csv' matrix every :::%d::%d using (%.9g + $1 * %.9g):($2 - %d):3 "
            "with image notitle\n",
            truth ? 0 : p->sensors, (truth ? 1 : 2) * p->sensors - 1,
            a->first + (a->clock ? 0.5 * a->per_step : 0), a->per_step, /* centres of cells */
            truth ? 0 : p->sensors);
}

enum wf_status wf_plot_space_time(struct wf_plots *plots, const struct wf_plot_forecast *p,
                                  struct wf_error *err)
{
    struct wf_picture pic;
    WF_TRY(check_forecast(p, 1000000, err));
    WF_TRY(wf_picture_begin(&pic, plots, "space_time", p->title, err));
    struct time_axis a = time_axis_of(p);
    map_data(pic.data.f, p, p->truth);
    map_data(pic.data.f, p, p->far);
    FILE *f = pic.script.f;
    double lo = INFINITY, hi = -INFINITY;
    widen(&lo, &hi, p->truth, (ptrdiff_t)p->sensors * p->steps);
    if (!(lo < hi)) settle(&lo, &hi);
    /* the palette viridis, which is as bright in grey as in colour */
    fputs("set palette defined (0 '#440154', 1 '#472c7a', 2 '#3b518b', 3 '#2c718e', 4 '#21908d', "
          "5 '#27ad81', 6 '#5cc863', 7 '#aadc32', 8 '#fde725')\n"
          "set multiplot\nset lmargin at screen 0.07\nset rmargin at screen 0.90\n"
          "unset grid\nset object 1 rectangle from graph 0,0 to graph 1,1 behind "
          "fillcolor '#dddddd' fillstyle solid noborder\n"
          "set colorbox user origin screen 0.92,0.11 size screen 0.015,0.755\n",
          f);
    fprintf(f, "set yrange [-0.5:%.1f]\nset cbrange [%.9g:%.9g]\n", p->sensors - 0.5, lo, hi);
    axis_label(f, "y", "sensor", NULL);
    axis_label(f, "cb", p->quantity, p->units);
    fputs("set cblabel offset 1.5,0\n", f);
    map_panel(f, p, &a, true);
    map_panel(f, p, &a, false);
    fputs("unset multiplot\n", f);
    return wf_picture_end(&pic, err);
}

/* ---- errors by horizon ---- */

/* Finds heights y for the names at the ends of the lines, at least `gap` apart. */
static void spread(double *y, const struct wf_plot_errors *p, double gap)
{
    int order[MAXMODEL];
    for (int m = 0; m < p->models; m++) {
        y[m] = NAN; /* the last number of the line */
        for (int q = 0; q < p->steps; q++)
            if (isfinite(p->mae[m * p->steps + q])) y[m] = p->mae[m * p->steps + q];
        int i = m;
        for (; i > 0 && y[order[i - 1]] > y[m]; i--) order[i] = order[i - 1];
        order[i] = m;
    }
    for (int i = 1; i < p->models; i++)
        if (y[order[i]] - y[order[i - 1]] < gap) y[order[i]] = y[order[i - 1]] + gap;
}

static void errors_data(FILE *f, const struct wf_plot_errors *p, bool clock, double per_step)
{
    fputs(clock ? "minutes" : "step", f);
    for (int m = 0; m < p->models; m++) {
        putc(',', f);
        wf_text_field(f, p->names[m]);
    }
    for (int q = 0; q < p->steps; q++) {
        fprintf(f, "\n%.9g", (q + 1) * per_step);
        for (int m = 0; m < p->models; m++) {
            putc(',', f);
            wf_text_number(f, p->mae[m * p->steps + q]);
        }
    }
    putc('\n', f);
}

static void errors_lines(FILE *f, const struct wf_plot_errors *p, double per_step, double top)
{
    double at[MAXMODEL];
    spread(at, p, 0.045 * top);
    for (int m = 0; m < p->models; m++) {
        if (isnan(at[m])) continue;
        fprintf(f, "set label %d ", m + 2);
        wf_picture_string(f, p->names[m]);
        fprintf(f, " at %.9g,%.9g left offset 1.2,0 textcolor '%s' font ',%d' noenhanced\n",
                p->steps * per_step, at[m], wf_colours[m], m == 0 ? 20 : 18);
    }
    for (int m = p->models - 1; m >= 0; m--) /* the first one is drawn last, on top */
        fprintf(f,
                "%s'error_by_horizon.csv' skip 1 using 1:%d with linespoints pointtype 7 "
                "pointsize %s linewidth %s linecolor '%s' notitle",
                m == p->models - 1 ? "plot " : ", \\\n    ", m + 2, m == 0 ? "1.3" : "0.9",
                m == 0 ? "4" : "2.2", wf_colours[m]);
    putc('\n', f);
}

enum wf_status wf_plot_errors(struct wf_plots *plots, const struct wf_plot_errors *p,
                              struct wf_error *err)
{
    struct wf_picture pic;
    if (p->models < 1 || p->models > MAXMODEL || p->steps < 1)
        return wf_fail(
            err, WF_EINVAL,
            "picture of errors: %d models over %d steps, expected 1 to %d over 1 or more",
            p->models, p->steps, MAXMODEL);
    WF_TRY(wf_picture_begin(&pic, plots, "error_by_horizon", p->title, err));
    bool clock = p->interval_s > 0 && p->interval_s < 86400;
    double per_step = clock ? p->interval_s / 60.0 : 1, lo = 0, hi = -INFINITY;
    errors_data(pic.data.f, p, clock, per_step);
    FILE *f = pic.script.f;
    widen_double(&lo, &hi, p->mae, (ptrdiff_t)p->models * p->steps);
    settle(&lo, &hi);
    fprintf(f,
            "set lmargin at screen 0.07\nset rmargin at screen 0.82\nset tmargin at screen 0.89\n"
            "set bmargin at screen 0.11\nset xrange [%.9g:%.9g]\nset yrange [0:%.9g]\n"
            "set xtics %.9g\n",
            per_step * 0.5, (p->steps + 0.25) * per_step, hi, per_step * nice_step(p->steps, 16));
    axis_label(f, "x", "forecast horizon", clock ? "minutes" : "steps");
    axis_label(f, "y", "mean absolute error", p->units);
    errors_lines(f, p, per_step, hi);
    return wf_picture_end(&pic, err);
}

/* ---- training ---- */

static int best_epoch(const struct wf_plot_training *p)
{
    int best = -1;
    for (int i = 0; i < p->epochs; i++)
        if (isfinite(p->valid_mae[i]) && (best < 0 || p->valid_mae[i] < p->valid_mae[best]))
            best = i;
    return best;
}

enum wf_status wf_plot_training(struct wf_plots *plots, const struct wf_plot_training *p,
                                struct wf_error *err)
{
    struct wf_picture pic;
    char text[120];
    if (p->epochs < 1) return wf_fail(err, WF_EINVAL, "picture of training: no epoch to show");
    WF_TRY(wf_picture_begin(&pic, plots, "training_curve", p->title, err));
    fputs("epoch,train_loss,valid_mae\n", pic.data.f);
    for (int i = 0; i < p->epochs; i++) {
        fprintf(pic.data.f, "%d,", i + 1);
        wf_text_number(pic.data.f, p->train_loss[i]);
        putc(',', pic.data.f);
        wf_text_number(pic.data.f, p->valid_mae[i]);
        putc('\n', pic.data.f);
    }
    FILE *f = pic.script.f;
    double lo = INFINITY, hi = -INFINITY;
    widen_double(&lo, &hi, p->train_loss, p->epochs);
    widen_double(&lo, &hi, p->valid_mae, p->epochs);
    settle(&lo, &hi);
    fprintf(f,
            "set lmargin at screen 0.07\nset rmargin at screen 0.98\nset tmargin at screen 0.89\n"
            "set bmargin at screen 0.11\nset xrange [0.5:%d.5]\nset yrange [%.9g:%.9g]\n"
            "set xtics %d\nset key top right noenhanced samplen 2 spacing 1.3\n",
            p->epochs, lo, hi, nice_step(p->epochs, 20));
    axis_label(f, "x", "epoch", NULL);
    axis_label(f, "y", "error", p->units);
    int best = best_epoch(p);
    if (best >= 0) {
        snprintf(text, sizeof text, "best %.4g", p->valid_mae[best]);
        fputs("set label 2 ", f);
        wf_picture_string(f, text);
        fprintf(f,
                " at %d,%.9g %s offset 0,-1.1 point pointtype 7 pointsize 1.8 linecolor '%s' "
                "textcolor '%s' font ',18' noenhanced front\n",
                best + 1, p->valid_mae[best], best > p->epochs * 9 / 10 ? "right" : "center",
                wf_colours[1], wf_colours[1]);
    }
    const char *style = p->epochs > 40 ? "lines" : "linespoints pointtype 7 pointsize 0.8";
    fprintf(f,
            "plot 'training_curve.csv' skip 1 using 1:2 with %s linewidth 3 linecolor '%s' title "
            "'training loss', \\\n"
            "    'training_curve.csv' skip 1 using 1:3 with %s linewidth 3 linecolor '%s' title "
            "'validation MAE'\n",
            style, wf_colours[0], style, wf_colours[1]);
    return wf_picture_end(&pic, err);
}
