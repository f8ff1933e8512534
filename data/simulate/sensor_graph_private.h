/* sensor_graph_private.h - graphs of simulations that are asked for a number of edges. */
#ifndef WF_SENSOR_GRAPH_PRIVATE_H
#define WF_SENSOR_GRAPH_PRIVATE_H

#include "data/simulate/sensor_graph.h"

/* Keeps the so many nearest pairs of a graph that has all pairs within the cutoff. Where these are
 * too few, others follow, for which 16 bytes for each of N * N pairs are needed. WF_ENOMEM. */
enum wf_status wf_sensor_graph_nearest(struct wf_sensor_graph *g, int edges, double cutoff);

#endif
