/* plot.h - pictures of an experiment, drawn by gnuplot as PNG and SVG.
 *
 * Each picture NAME leaves NAME.csv, its numbers, and NAME.gp, the script, in the same folder,
 * where `gnuplot NAME.gp` draws it again. A picture is complete or not there. Without gnuplot one
 * line says so, no picture is drawn and the other files stay. Nothing here knows of models or
 * training: pictures are drawn from plain arrays of the caller, NaN where there is no value. Files
 * go to one folder; no shell is involved. */
#ifndef WF_PLOT_H
#define WF_PLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "tensor/real.h"
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_plots {
    char *folder;
    FILE *log;    /* told when there is no gnuplot; NULL: nobody is */
    bool missing; /* gnuplot was looked for and not found */
};
/* Makes the folder if it is not there; its parent must be. Free p with wf_plots_free. */
enum wf_status wf_plots_init(struct wf_plots *p, const char *folder, FILE *log,
                             struct wf_error *err);
void wf_plots_free(struct wf_plots *p);

struct wf_plot_forecast {
    const char *title;
    const char *quantity, *units; /* "speed", "mph"; units may be NULL */
    int sensors, steps;
    const char *const *names; /* [sensors]; wf_plot_space_time takes NULL */
    const wf_real *truth;     /* [sensors, steps] */
    /* [sensors, steps]: forecasts of the same instants, made a short and a long time before. */
    const wf_real *near, *far;
    const char *near_name, *far_name; /* "15 min ahead", "60 min ahead" */
    int64_t t0_s;   /* time of step 0, seconds since 1970 in the data's own clock */
    int interval_s; /* seconds between two steps; 0: no clock, steps are counted */
};
/* Draws `forecast`: a panel for each sensor, at most six, with truth and both forecasts. */
enum wf_status wf_plot_forecast(struct wf_plots *p, const struct wf_plot_forecast *f,
                                struct wf_error *err);
/* Draws `space_time`: the truth above the far forecast, as heat maps of all sensors over time. */
enum wf_status wf_plot_space_time(struct wf_plots *p, const struct wf_plot_forecast *f,
                                  struct wf_error *err);

struct wf_plot_errors {
    const char *title, *units;
    int models, steps, interval_s;
    const char *const *names; /* [models], at most seven; the first one stands out */
    const double *mae;        /* [models, steps]: errors 1, 2, .. steps ahead */
};
/* Draws `error_by_horizon`: a line for each model. */
enum wf_status wf_plot_errors(struct wf_plots *p, const struct wf_plot_errors *e,
                              struct wf_error *err);

struct wf_plot_training {
    const char *title, *units;
    int epochs;
    const double *train_loss, *valid_mae; /* [epochs] */
};
/* Draws `training_curve`: both by epoch, and the best validation error. */
enum wf_status wf_plot_training(struct wf_plots *p, const struct wf_plot_training *t,
                                struct wf_error *err);

/* A measured point, which belongs to a line. */
struct wf_plot_mark {
    int line;
    double ranks, value;
};
struct wf_plot_scaling {
    const char *name; /* the files' name */
    const char *title;
    const char *quantity, *units;
    int lines, points;        /* at most six lines */
    const char *const *names; /* [lines] */
    const double *ranks;      /* [points] */
    const double *value;      /* [lines, points], above 0 */
    const double *ideal;      /* [points] */
    int marks;
    const struct wf_plot_mark *mark; /* [marks] */
};
/* Draws NAME: lines of value against ranks, both logarithmic; the ideal is dashed, marks are
 * rings. */
enum wf_status wf_plot_scaling(struct wf_plots *p, const struct wf_plot_scaling *s,
                               struct wf_error *err);

/* One data set's panel: the same quantity by epoch, from two runs that should agree. */
struct wf_plot_pair {
    const char *title;
    int epochs;
    const double *below, *above; /* [epochs]; below is drawn wide, above thin on it */
};
struct wf_plot_pairs {
    const char *name, *title, *quantity; /* the files' name, the text above, the y axis */
    const char *below_name, *above_name;
    int panels; /* at most four */
    const struct wf_plot_pair *panel;
};
/* Draws NAME: the panels side by side. */
enum wf_status wf_plot_pairs(struct wf_plots *p, const struct wf_plot_pairs *c,
                             struct wf_error *err);

struct wf_plot_memory {
    int points;
    const char *const *names;           /* [points] names of the data sets */
    const double *size;                 /* [points] numbers in the series */
    const double *base_law, *index_law; /* [points] MiB by formula */
    const double *base, *index;         /* [points] MiB measured; NaN: not measured */
};
/* Draws `memory`: MiB against size, both logarithmic; lines are the formulas, rings were
 * measured. */
enum wf_status wf_plot_memory(struct wf_plots *p, const struct wf_plot_memory *m,
                              struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
