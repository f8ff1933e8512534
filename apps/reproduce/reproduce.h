/* reproduce.h - the tables and figures of the paper (PGT-I, SC'25), made again from runs of the
 * experiment programs.
 *
 *     table3   base against index: runtime, memory, validation MAE over seeds
 *     figure5  validation MAE by epoch of the same runs
 *     table4   the whole of PeMS, index against GPU-index
 *     figure7  minutes of training against ranks, data-parallel baseline against distributed-index
 *     memory   peak memory of loading against the formulas, for six sizes
 *
 * Small scale takes a quarter of an hour on two cores with the data at hand; a data set that is not
 * at hand is simulated, and every table says so. Paper scale is the paper's: whole data sets, 100
 * epochs. Runs are trials (apps/reproduce/trial.h): what is done is not done again, and a
 * reproduction that was stopped goes on. */
#ifndef WF_REPRODUCE_H
#define WF_REPRODUCE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "data/config.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_reproduction { WF_TABLE3, WF_TABLE4, WF_FIGURE5, WF_FIGURE7, WF_MEMORY, WF_REPRODUCTIONS };
/* "table3", .., "memory", NULL. */
extern const char *const wf_reproduction_names[WF_REPRODUCTIONS + 1];

struct wf_reproduce {
    enum wf_scale { WF_SCALE_SMALL, WF_SCALE_PAPER } scale;
    char data_folder[WF_CONFIG_TEXT], out[WF_CONFIG_TEXT];
    char scaling[WF_CONFIG_TEXT];  /* folder of the parameter files of apps/scaling_model */
    int seeds;                     /* runs of each row of table3; 0: as many as the scale has */
    struct wf_ints ranks;          /* numbers of ranks that figure7 measures */
    char programs[WF_CONFIG_TEXT]; /* folder of the experiment programs */
};
extern const struct wf_field wf_reproduce_fields[]; /* the options: all members but `programs` */
struct wf_reproduce wf_reproduce_defaults(void);

/* Makes those that wanted [WF_REPRODUCTIONS] says. Leaves NAME.csv, NAME.md and pictures NAME.png
 * and .svg in r->out, the runs below it; says on log how far it is. WF_EINTR: it was stopped, and
 * goes on when called again. */
enum wf_status wf_reproduce(const struct wf_reproduce *r, const bool *wanted, FILE *log,
                            struct wf_error *err);

/* A series, and how its windows are held. */
struct wf_memory_case {
    int64_t E;   /* rows */
    int N, C, T; /* nodes, channels; steps that a window has in, and as many out */
    bool base;   /* every window is materialised; else windows are cut from the series (index) */
};
/* Measures the memory that holding the windows takes: the peak of this process over its size before
 * loading, in MiB. So it has to be a process that has done nothing else. Writes a series into the
 * folder first, and removes it. */
enum wf_status wf_memory_measure(double *mib, const struct wf_memory_case *c, const char *folder,
                                 struct wf_error *err);
/* Returns MiB by the paper's formulas, in float32. Base: 2 S T N C 4 bytes with S = E - 2T + 1;
 * index: E N C 4 bytes. */
double wf_memory_law(const struct wf_memory_case *c);

#ifdef __cplusplus
}
#endif
#endif
