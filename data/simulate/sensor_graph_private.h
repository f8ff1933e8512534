/* sensor_graph_private.h - for simulations that are asked for a number of edges. */
#ifndef WF_SENSOR_GRAPH_PRIVATE_H
#define WF_SENSOR_GRAPH_PRIVATE_H

#include "data/simulate/sensor_graph.h"

/* Keeps the nearest pairs of a graph that has those within the cutoff; others follow where there
 * are too few, which takes 16 bytes for each of N * N pairs. WF_ENOMEM. */
enum wf_status wf_sensor_graph_nearest(struct wf_sensor_graph *g, int edges, double cutoff);

#endif
