/* planar_private.h - random places in the unit square and a planar graph of neighbours.
 *
 * Places keep a distance, as centres of districts do. Two places count as the nearer, the larger
 * the empty disc round their middle is, measured by their distance: the largest that holds no third
 * place. Pairs are joined in that order, except where an edge would cross another. The first edges
 * are the Gabriel graph (Gabriel and Sokal 1969), which is connected; going on to the end would
 * give a triangulation.
 *
 * Edges run both ways, without self-loops. Weights are exp(-(distance / sigma)^2) with sigma the
 * mean distance. Freed by wf_sensor_graph_free. */
#ifndef WF_PLANAR_PRIVATE_H
#define WF_PLANAR_PRIVATE_H

#include <stdint.h>
#include "data/simulate/sensor_graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes a graph of 3 .. 2000 nodes with so many directed edges, an even number. WF_EINVAL: a number
 * out of range, or more edges than a triangulation has; WF_ENOMEM. */
enum wf_status wf_planar_graph(struct wf_sensor_graph *g, int nodes, int edges, uint64_t seed,
                               struct wf_error *e);

#ifdef __cplusplus
}
#endif
#endif
