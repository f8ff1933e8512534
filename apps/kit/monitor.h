/* monitor.h - what is used while work is done: a thread that writes one line a second.
 *
 * Columns: Timestamp (local date and time), time_s since the start, then, as the reference names
 * them, System_Memory_Used (resident memory of this process), System_Memory_Total, GPU_Memory_Used,
 * GPU_Memory_Total and our cpu_percent (100 is one busy core; mean since the line before); or what
 * the caller reads instead, of this node say (apps/kit/machine.h). MB is 2^20 bytes. Every line goes out
 * at once, so that a kill loses none. Reads Linux's /proc. */
#ifndef WF_MONITOR_H
#define WF_MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The columns after the times, and who fills them; NaN leaves a field empty. */
enum { WF_MONITOR_VALUES = 64 };
struct wf_monitor_source {
    const char *names; /* "node_mb,gpu0_mb" */
    int count;
    void (*read)(void *ctx, double value[WF_MONITOR_VALUES]);
};

struct wf_monitor {
    /* filled by the caller before start; the rest zero */
    double every_s; /* 0: one second */
    bool append;    /* go on after the lines that are there, and with their clock */
    bool (*gpu)(void *ctx, double *used_mb, double *total_mb); /* asked by the thread; NULL or
                                                                * false: no GPU, 0 */
    void *ctx;                                                 /* of gpu or source */
    const struct wf_monitor_source *source;                    /* NULL: this process */
    /* made by wf_monitor_start */
    FILE *out;
    int failure; /* errno of the first write that failed */
    bool running, stopping;
    double started, last_s, last_cpu_s, before_s;
    double max_system_mb, max_gpu_mb; /* of this process, over the lines, those appended to too */
    double system_mb, gpu_total_mb;   /* what there is in all */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

/* The first line is written before this returns. */
enum wf_status wf_monitor_start(struct wf_monitor *m, const char *path, struct wf_error *err);

/* Writes a last line and ends the thread; WF_EIO when a line was lost. The maxima may be read from
 * then on. Does nothing to a monitor that does not run. */
enum wf_status wf_monitor_stop(struct wf_monitor *m, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
