/* traffic.h - synthetic road traffic: speeds of sensors on a random freeway network.
 *
 * Vehicles are moved by the cell transmission model (Daganzo 1994, 1995) over 0.4 mile cells, so
 * that queues grow upstream from bottlenecks and incidents and the road graph tells what a sensor's
 * own past does not. Commuting demand by hour and weekday, random demand levels, random incidents,
 * sensor noise and outages make every day different.
 *
 * Not a planning tool: turning shares are fixed, nobody reroutes, ramps hold any queue.
 *
 * The same configuration gives the same bits; everything runs on the calling thread. wf_traffic_run
 * holds the whole set; for large ones wf_traffic_begin / _step / _end give one row at a time and
 * the graph as a list of edges. Whoever begins ends; what wf_traffic_run filled is freed by
 * wf_traffic_data_free.
 */
#ifndef WF_TRAFFIC_H
#define WF_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "data/simulate/sensor_graph.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_traffic_config {
    int nodes;      /* N, sensors; 2 .. 100000 */
    int days;       /* at least 1 and at most 10000; the first is a Monday */
    int64_t rows;   /* E, in at most 10000 days; 0: the rows of whole days */
    int interval_s; /* seconds of a row; 60 .. 3600, a divisor of a day, or a multiple of an hour up
                     * to a week. 0: an hour, and the rows have no times */
    int channels;   /* C, 1 .. 3: mean speed in mph, then vehicles an hour, then vehicles a mile */
    int edges;      /* edges of the graph, self-loops too; 0: those that the roads give */
    uint64_t seed;  /* decides the network and everything that happens on it */
    double missing; /* share of readings lost to outages (NaN), in [0, 1) */
    double noise_mph; /* standard deviation of a reading's error, 0 .. 20 */
    double demand;    /* scales the number of vehicles; 1 congests the peaks, in (0, 3] */
    double incidents; /* expected number per mile and day, 0 .. 10 */
    struct wf_simulate_watch watch; /* who watches wf_simulate_traffic() */
};

/* Returns 48 sensors for 28 days, a row every 5 minutes, one channel. */
struct wf_traffic_config wf_traffic_defaults(void);

/* A whole set in host memory. */
struct wf_traffic_data {
    ptrdiff_t E; /* rows */
    int N;
    int interval_s;   /* 0: no times */
    int64_t t0;       /* seconds since 1970 of the start of row 0 */
    float *values;    /* [E, N] mean speed in mph, NaN where missing; [E, N, C] of more channels */
    double *distance; /* [N, N] miles from row to column, INFINITY beyond the cutoff */
    float *adjacency; /* [N, N] thresholded Gaussian kernel of distance, 1 on the diagonal */
    double *x, *y;    /* [N] miles, for pictures */
};

/* Simulates the whole set. On failure out is empty. WF_EINVAL: a field out of its range;
 * WF_ENOMEM. */
enum wf_status wf_traffic_run(const struct wf_traffic_config *cfg, struct wf_traffic_data *out,
                              struct wf_error *e);
void wf_traffic_data_free(struct wf_traffic_data *d);

struct wf_traffic;
/* Begins a simulation that gives the same rows one by one. The graph belongs to the simulation and
 * is freed with it. */
enum wf_status wf_traffic_begin(struct wf_traffic **out, const struct wf_traffic_config *cfg,
                                struct wf_error *e);
void wf_traffic_end(struct wf_traffic *s);
const struct wf_sensor_graph *wf_traffic_graph(const struct wf_traffic *s);
int64_t wf_traffic_t0(void); /* seconds since 1970 of the start of row 0 */

/* Returns the configured rows, or those of the configured days: E = days * 86400 / interval_s. */
ptrdiff_t wf_traffic_rows(const struct wf_traffic *s);

/* Advances one interval and writes its row [N, C]. Stepping past the configured rows goes on. */
void wf_traffic_step(struct wf_traffic *s, float *row);

/* Lets the road at a sensor carry only this share of its capacity, from now on for the given time.
 * WF_EINVAL: no such sensor, share outside [0, 1], no time, or too many at once (16). */
enum wf_status wf_traffic_block(struct wf_traffic *s, int sensor, double share, double seconds,
                                struct wf_error *e);

/* Vehicles that have entered and left the roads since the start, and those on them now. */
struct wf_traffic_balance {
    double entered, left, stored;
};
struct wf_traffic_balance wf_traffic_balance(const struct wf_traffic *s);

#ifdef __cplusplus
}
#endif
#endif
