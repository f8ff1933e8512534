/* synth.h - synthetic road traffic: speeds of sensors on a random freeway network.
 *
 * Vehicles are moved by the cell transmission model (Daganzo 1994, 1995) over 0.4 mile cells, so
 * that queues grow upstream from bottlenecks and incidents and the road graph tells what a sensor's
 * own past does not. Commuting demand by hour and weekday, random demand levels, random incidents,
 * sensor noise and outages make every day different.
 *
 * Not a planning tool: turning shares are fixed, nobody reroutes, ramps hold any queue.
 *
 * The same configuration gives the same bits; everything runs on the calling thread. wf_synth_run
 * holds the whole set; for large ones wf_synth_begin / _step / _end give one row at a time and the
 * graph as a list of edges. Whoever begins ends; what wf_synth_run filled is freed by
 * wf_synth_data_free.
 */
#ifndef WF_SYNTH_H
#define WF_SYNTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Told how many rows of all are done; false ends the work, with WF_EINTR. */
struct wf_synth_watch {
    bool (*rows)(void *ctx, ptrdiff_t done, ptrdiff_t total); /* NULL: nobody is */
    void *ctx;
};

struct wf_synth_config {
    int nodes;      /* N, sensors; 2 .. 100000 */
    int days;       /* at least 1; the first is a Monday */
    int64_t rows;   /* E; 0: those of whole days. Both together last at most 10000 days */
    int interval_s; /* of a row; divides a day, 60 .. 3600, or is a multiple of an hour up to a
                     * week. 0: an hour, and the rows have no times */
    int channels;   /* C, 1 .. 3: mean speed in mph, then vehicles an hour, then vehicles a mile */
    int edges;      /* of the graph, self-loops too; 0: what the roads give (wf_synth_graph) */
    uint64_t seed;  /* of the network and of everything that happens on it */
    double missing; /* share of readings lost to outages (NaN), in [0, 1) */
    double noise_mph; /* standard deviation of a reading's error, 0 .. 20 */
    double demand;    /* scales the number of vehicles; 1 congests the peaks, in (0, 3] */
    double incidents; /* expected per mile and day, 0 .. 10 */
    struct wf_synth_watch watch; /* of wf_dataset_synth */
};

struct wf_synth_config wf_synth_defaults(void);

/* Sensors and the directed graph between them. Edges run with the traffic, from i to to[k] for k
 * in first[i] .. first[i + 1] - 1, by ascending to, and include i itself.
 *
 * Where a number of edges is asked for, they are the nearest pairs. Self-loops are the nearest of
 * all, but left out where there are fewer than two edges a sensor. Where the roads give too few
 * pairs within the cutoff, others follow by the straight line between them, which is added to the
 * cutoff. No weight is 0 then. */
struct wf_synth_graph {
    int N;
    double *x, *y;    /* [N] miles */
    double sigma;     /* of the kernel: standard deviation of all listed distances, miles */
    ptrdiff_t *first; /* [N + 1] */
    int *to;
    double *distance; /* miles along the road, within the cutoff of 7 miles but see above */
    float *weight;    /* exp(-(distance / sigma)^2), 0 where below 0.1 but see above */
};

struct wf_synth_data {
    ptrdiff_t E; /* rows */
    int N;
    int interval_s;   /* 0: no times */
    int64_t t0;       /* seconds since 1970 of the start of row 0 */
    float *values;    /* [E, N] mean speed in mph, NaN where missing; [E, N, C] of more channels */
    double *distance; /* [N, N] miles from row to column, INFINITY beyond the cutoff */
    float *adjacency; /* [N, N] thresholded Gaussian kernel of distance, 1 on the diagonal */
    double *x, *y;    /* [N] miles, for pictures */
};

/* The whole set. On failure out is empty. WF_EINVAL: a field out of its range; WF_ENOMEM. */
enum wf_status wf_synth_run(const struct wf_synth_config *cfg, struct wf_synth_data *out,
                            struct wf_error *e);
void wf_synth_data_free(struct wf_synth_data *d);

/* The same rows one by one. The graph belongs to the simulation and is freed with it. */
struct wf_synth;
enum wf_status wf_synth_begin(struct wf_synth **out, const struct wf_synth_config *cfg,
                              struct wf_error *e);
void wf_synth_end(struct wf_synth *s);
const struct wf_synth_graph *wf_synth_graph(const struct wf_synth *s);
int64_t wf_synth_t0(void);

/* The configured rows, or those of the configured days: E = days * 86400 / interval_s. */
ptrdiff_t wf_synth_rows(const struct wf_synth *s);

/* Advances one interval and writes its row [N, C]. Stepping past the configured rows goes on. */
void wf_synth_step(struct wf_synth *s, float *row);

/* From now on, for the given time, the road at a sensor carries only this share of its capacity.
 * WF_EINVAL: no such sensor, share outside [0, 1], no time, or too many at once (16). */
enum wf_status wf_synth_block(struct wf_synth *s, int sensor, double share, double seconds,
                              struct wf_error *e);

/* Vehicles that have entered and left the roads since the start, and those on them now. */
struct wf_synth_balance {
    double entered, left, stored;
};
struct wf_synth_balance wf_synth_balance(const struct wf_synth *s);

#ifdef __cplusplus
}
#endif
#endif
