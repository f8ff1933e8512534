/* sensor_graph.h - what every simulation gives besides its rows: the places of its sensors, and the
 * directed graph between them. */
#ifndef WF_SENSOR_GRAPH_H
#define WF_SENSOR_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sensors and the directed graph between them. Edges run with the traffic, from i to to[k] for k
 * in first[i] .. first[i + 1] - 1, by ascending to, and include i itself.
 *
 * Where a number of edges is asked for, they are the nearest pairs. Self-loops are the nearest of
 * all, but left out where there are fewer than two edges a sensor. Where the roads give too few
 * pairs within the cutoff, others follow by the straight line between them, which is added to the
 * cutoff. No weight is 0 then. */
struct wf_sensor_graph {
    int N;
    double *x, *y;    /* [N] miles */
    double sigma;     /* of the kernel: standard deviation of all listed distances, miles */
    ptrdiff_t *first; /* [N + 1] */
    int *to;
    double *distance; /* miles along the road, within the cutoff of 7 miles but see above */
    float *weight;    /* exp(-(distance / sigma)^2), 0 where below 0.1 but see above */
};

/* Frees what the simulations fill in; those free their own graphs themselves. */
void wf_sensor_graph_free(struct wf_sensor_graph *g);

/* Who watches a simulation that writes a file (simulate_file.h) is told after every row how many of
 * all are done, and ends the work, with WF_EINTR, by returning false. */
struct wf_simulate_watch {
    bool (*rows)(void *ctx, ptrdiff_t done, ptrdiff_t total); /* NULL: nobody is */
    void *ctx;
};

#ifdef __cplusplus
}
#endif
#endif
