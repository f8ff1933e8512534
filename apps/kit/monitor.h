/* monitor.h - records what a program uses while it works: a thread writes a line of CSV each
 * second.
 *
 * Columns: Timestamp (local date and time), time_s since the start, then, as the reference names
 * them, System_Memory_Used (resident memory of this process), System_Memory_Total, GPU_Memory_Used,
 * GPU_Memory_Total and our cpu_percent (100 is one busy core; the mean since the line before). A
 * caller can have other columns than these, such as those of apps/kit/machine.h. MB is 2^20 bytes.
 * Every line is written at once, so that a kill loses none. Reads Linux's /proc. */
#ifndef WF_MONITOR_H
#define WF_MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The columns after the times, and the function that fills them; NaN leaves a field empty. */
enum { WF_MONITOR_VALUES = 64 };
struct wf_monitor_source {
    const char *names; /* "node_mb,gpu0_mb" */
    int count;
    void (*read)(void *ctx, double value[WF_MONITOR_VALUES]);
};

struct wf_monitor {
    /* The caller fills these before wf_monitor_start and sets the rest to zero. */
    double every_s; /* seconds between two lines; 0: one second */
    bool append;    /* go on after the lines that are there, and with their clock */
    /* The thread asks this for the memory of the GPU. Without it (NULL), or where it returns false,
     * both columns are 0. */
    bool (*gpu)(void *ctx, double *used_mb, double *total_mb);
    void *ctx;                              /* passed to gpu() or to source->read() */
    const struct wf_monitor_source *source; /* NULL: the columns of this process */
    /* wf_monitor_start fills these. */
    FILE *out;
    int failure; /* errno of the first write that failed */
    bool running, stopping;
    double started, last_s, last_cpu_s; /* its start; clock and processor time at the last line */
    double before_s;                    /* time_s of the last line that was appended to */
    double max_system_mb, max_gpu_mb;   /* this process's largest use in any line of the file */
    double system_mb, gpu_total_mb;     /* memory of the machine and of the GPU */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

/* Opens the file and starts the thread; the first line is written before this returns.
 * WF_EINVAL: m runs already, or every_s is negative; WF_EFORMAT: a file to append to has other
 * columns; WF_EIO. */
enum wf_status wf_monitor_start(struct wf_monitor *m, const char *path, struct wf_error *err);

/* Writes a last line and ends the thread; WF_EIO when a line was lost. The maxima may be read from
 * then on. Does nothing to a monitor that does not run. */
enum wf_status wf_monitor_stop(struct wf_monitor *m, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
