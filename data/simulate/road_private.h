/* road_private.h - the random freeway network under the synthetic traffic
 * (data/simulate/traffic.h), and the random numbers of both.
 *
 * Junctions lie on a jittered grid and are joined by pairs of one-way links, which are cut into
 * cells of equal length. Sources (on-ramps, and the outer ends of the network) feed cells,
 * off-ramps drain them; where a link ends at a junction its traffic splits over the others but
 * never turns back. Capacities are derived from the peak flows.
 *
 * wf_roads_free frees all of it; wf_roads_graph fills what wf_sensor_graph_free frees.
 */
#ifndef WF_ROAD_PRIVATE_H
#define WF_ROAD_PRIVATE_H

#include <stdbool.h>
#include "data/simulate/traffic.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WF_ROAD_CELL 0.4  /* miles: the length of a cell */
#define WF_ROAD_FREE 65.0 /* mph: the speed of a vehicle that nobody hinders */
#define WF_ROAD_SLOW 0.2  /* share of the free speed lost at capacity */
#define WF_ROAD_WAVE                                                                               \
    9.3 /* mph (15 km/h): how fast a change inside a queue runs, against the traffic */
#define WF_ROAD_LEGS 4 /* most roads that meet at a junction */

struct wf_road_junction {
    double x, y;                              /* miles */
    int legs;                                 /* roads that meet here */
    int in[WF_ROAD_LEGS], out[WF_ROAD_LEGS];  /* links; in[k] and out[k] are the same road */
    double split[WF_ROAD_LEGS][WF_ROAD_LEGS]; /* shares from in to out; rows sum to one */
};

/* One direction of a road between two junctions. */
struct wf_road_link {
    int from, to;     /* junctions */
    int first, cells; /* first cell, and how many there are */
    int narrow;       /* the cell that is a bottleneck every day */
    bool inbound;     /* towards the centre */
};

/* Where vehicles enter the roads. */
struct wf_road_source {
    int cell;
    bool inbound; /* its peak is that of the traffic towards the centre */
    bool opens;   /* it opens a link: nothing comes from the cell before */
    double rate;  /* vehicles an hour in the peak of its direction */
};

struct wf_roads {
    int junctions, links, cells, sources, sensors;
    struct wf_road_junction *junction;
    struct wf_road_link *link;
    struct wf_road_source *source;
    int *source_of;   /* [cells] the source that feeds the cell, or -1 */
    double *leave;    /* [cells] share of the traffic that takes the off-ramp behind the cell */
    double *capacity; /* [cells] vehicles an hour */
    int *sensor;      /* [sensors] cells, ascending */
};

/* Demand outside the peak's direction, as a share of the peak's. */
#define WF_ROAD_LIGHT 0.75

/* Builds a network for so many sensors. WF_ENOMEM; call wf_roads_free in every case. */
enum wf_status wf_roads_build(struct wf_roads *r, int sensors, uint64_t seed, struct wf_error *e);
void wf_roads_free(struct wf_roads *r);

/* Makes the graph of the sensors: the so many nearest edges; 0: those within the cutoff. WF_ENOMEM;
 * call wf_sensor_graph_free in every case. */
enum wf_status wf_roads_graph(struct wf_sensor_graph *g, const struct wf_roads *r, int edges,
                              struct wf_error *e);

/* What a random number is for. With the seed and two counters it is the key of the number, which
 * depends on nothing else. */
enum wf_road_draw {
    WF_DRAW_EDGE,
    WF_DRAW_PLACE,
    WF_DRAW_SPLIT,
    WF_DRAW_RAMP,
    WF_DRAW_CAPACITY,
    WF_DRAW_SENSOR,
    WF_DRAW_DAY,
    WF_DRAW_LEVEL,
    WF_DRAW_PEAK,
    WF_DRAW_SURGE,
    WF_DRAW_DRIFT,
    WF_DRAW_INCIDENT,
    WF_DRAW_NARROW,
    WF_DRAW_FLUTTER,
    WF_DRAW_NOISE,
    WF_DRAW_OUTAGE,
    WF_DRAW_COUNT,
};

/* Draws four numbers in [0, 1). */
void wf_road_uniform(double u[4], uint64_t seed, enum wf_road_draw what, uint32_t a, uint32_t b);

/* Draws a number of mean 0 and deviation 1, at most 3.47 from 0: the scaled sum of four
 * uniforms. */
double wf_road_normal(uint64_t seed, enum wf_road_draw what, uint32_t a, uint32_t b);

#ifdef __cplusplus
}
#endif
#endif
