/* sensor_graph.h - what every simulation gives besides its rows: the places of its sensors, and the
 * directed graph between them; and how a long simulation is watched. */
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
 * Where a number of edges is asked for, the nearest pairs are joined. Self-loops are the nearest of
 * all, but left out where there are fewer than two edges a sensor. Where the roads give too few
 * pairs within the cutoff, others follow in order of the straight line between them, whose length
 * is added to the cutoff. No weight is 0 then. */
struct wf_sensor_graph {
    int N;
    double *x, *y; /* [N] miles */
    double sigma;  /* miles: the kernel's width, the standard deviation of all listed distances */
    ptrdiff_t *first; /* [N + 1] */
    int *to;
    double *distance; /* miles along the road; within the cutoff of 7 miles, but see above */
    float *weight;    /* exp(-(distance / sigma)^2); 0 where that is below 0.1, but see above */
};

/* Frees a graph. Not for the graph of a running simulation, which frees it itself. */
void wf_sensor_graph_free(struct wf_sensor_graph *g);

/* Who watches a simulation that writes a file (simulate_file.h) is told after every row how many of
 * all are done, and ends the work, with WF_EINTR, by returning false. */
struct wf_simulate_watch {
    bool (*rows)(void *ctx, ptrdiff_t done, ptrdiff_t total); /* NULL: nobody watches */
    void *ctx;
};

#ifdef __cplusplus
}
#endif
#endif
