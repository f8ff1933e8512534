/* planar_private.h - random places in the unit square and a planar graph of neighbours; internal.
 *
 * Places keep a distance, as centres of districts do. A pair is the nearer the larger the disc
 * round its middle is that holds no third place, measured by the pair's own distance; the pairs are
 * joined in that order but where an edge would cross another. The first of them are the Gabriel
 * graph (Gabriel and Sokal 1969), which is connected; going on to the end would give a
 * triangulation.
 *
 * Edges run both ways, without self-loops. Weights are exp(-(distance / sigma)^2) with sigma the
 * mean distance. Freed by wf_sensor_graph_free. */
#ifndef WF_PLANAR_H
#define WF_PLANAR_H

#include "data/simulate/sensor_graph.h"
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* nodes: 3 .. 2000; edges: directed ones, even. WF_EINVAL: more than a triangulation has. */
enum wf_status wf_planar_graph(struct wf_sensor_graph *g, int nodes, int edges, uint64_t seed,
                               struct wf_error *e);

#ifdef __cplusplus
}
#endif
#endif
