/* road.c - lays a random freeway network, and makes the graph of its sensors. */
#include "data/simulate/road_private.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "data/simulate/sensor_graph_private.h"
#include "tensor/alloc.h"
#include "tensor/rng.h"

#define BLOCK            6.0 /* miles between junctions before they are moved */
#define CUTOFF           7.0 /* miles: the longest edge of the sensor graph */
#define SENSORS_PER_ROAD 15  /* on both directions together */
#define MARGIN           1.2 /* capacity divided by peak flow */
#define MIN_CELLS        6   /* fewest cells of a link */

void wf_road_uniform(double u[4], uint64_t seed, enum wf_road_draw what, uint32_t a, uint32_t b)
{
    const struct wf_philox r = wf_philox(seed, (uint32_t)what, b, a);
    for (int i = 0; i < 4; i++) u[i] = r.v[i] * 0x1p-32;
}

double wf_road_normal(uint64_t seed, enum wf_road_draw what, uint32_t a, uint32_t b)
{
    double u[4];
    wf_road_uniform(u, seed, what, a, b);
    return (u[0] + u[1] + u[2] + u[3] - 2) * 1.7320508075688772;
}

static double uniform(uint64_t seed, enum wf_road_draw what, int a, int b)
{
    double u[4];
    wf_road_uniform(u, seed, what, (uint32_t)a, (uint32_t)b);
    return u[0];
}

/* The grid while roads are being chosen. */
struct grid {
    int side;
    int *junction;  /* [side * side] index of the place's junction in the network, or -1 */
    int (*road)[2]; /* candidates: roads from a junction of the network to a place */
    int roads;
};

/* Makes the place a junction of the network, unless it is one; returns its index. */
static int join(struct grid *g, struct wf_roads *r, int place, uint64_t seed)
{
    if (g->junction[place] >= 0) return g->junction[place];
    int x = place % g->side, y = place / g->side;
    const int step[4][2] = { { 1, 0 }, { -1, 0 }, { 0, 1 }, { 0, -1 } };
    for (int k = 0; k < 4; k++) {
        int x2 = x + step[k][0], y2 = y + step[k][1], other = y2 * g->side + x2;
        if (x2 < 0 || y2 < 0 || x2 >= g->side || y2 >= g->side || g->junction[other] >= 0) continue;
        g->road[g->roads][0] = place;
        g->road[g->roads++][1] = other;
    }
    double u[4];
    wf_road_uniform(u, seed, WF_DRAW_PLACE, (uint32_t)place, 0);
    struct wf_road_junction *j = &r->junction[r->junctions];
    j->x = BLOCK * (x - g->side / 2 + 0.4 * (u[0] - 0.5));
    j->y = BLOCK * (y - g->side / 2 + 0.4 * (u[1] - 0.5));
    return g->junction[place] = r->junctions++;
}

static void add_link(struct wf_roads *r, int from, int to)
{
    struct wf_road_junction *a = &r->junction[from], *b = &r->junction[to];
    int id = r->links++, n = (int)lround(hypot(a->x - b->x, a->y - b->y) / WF_ROAD_CELL);
    struct wf_road_link *l = &r->link[id];
    l->from = from;
    l->to = to;
    l->first = r->cells;
    l->cells = n < MIN_CELLS ? MIN_CELLS : n;
    l->inbound = hypot(b->x, b->y) < hypot(a->x, a->y);
    r->cells += l->cells;
}

/* Grows a tree from the centre. It has no rings, because a queue that bites its own tail never
 * clears. */
static void grow(struct grid *g, struct wf_roads *r, int roads, uint64_t seed)
{
    join(g, r, g->side / 2 * (g->side + 1), seed);
    for (int pick = 0; r->links < 2 * roads; pick++) {
        double u[4];
        wf_road_uniform(u, seed, WF_DRAW_EDGE, (uint32_t)pick, 0);
        int k = (int)(u[0] * g->roads), a = g->road[k][0], b = g->road[k][1];
        memmove(g->road[k], g->road[--g->roads], sizeof g->road[k]);
        if (g->junction[b] >= 0) continue;
        int ja = g->junction[a], jb = join(g, r, b, seed);
        for (int way = 0; way < 2; way++) {
            struct wf_road_junction *j = &r->junction[way ? jb : ja];
            j->out[j->legs] = r->links + way;
            j->in[j->legs++] = r->links + !way;
        }
        add_link(r, ja, jb);
        add_link(r, jb, ja);
    }
}

static enum wf_status lay_roads(struct wf_roads *r, int roads, uint64_t seed, struct wf_error *e)
{
    struct grid g = { .side = (int)ceil(sqrt(roads + 1.0)) + 2 };
    size_t places = (size_t)g.side * (size_t)g.side;
    g.junction = wf_malloc(places * sizeof *g.junction);
    g.road = wf_malloc(2 * places * sizeof *g.road);
    r->junction = wf_calloc((size_t)roads + 1, sizeof *r->junction);
    r->link = wf_calloc(2 * (size_t)roads, sizeof *r->link);
    bool ok = g.junction && g.road && r->junction && r->link;
    if (ok) {
        for (size_t i = 0; i < places; i++) g.junction[i] = -1;
        grow(&g, r, roads, seed);
    }
    wf_free(g.junction);
    wf_free(g.road);
    return ok ? WF_OK : wf_fail(e, WF_ENOMEM, "synth: no memory for %d roads", roads);
}

static void split_traffic(struct wf_roads *r, uint64_t seed)
{
    for (int v = 0; v < r->junctions; v++) {
        struct wf_road_junction *j = &r->junction[v];
        for (int i = 0; i < j->legs; i++) {
            double sum = 0;
            for (int k = 0; k < j->legs; k++)
                if (k != i)
                    sum += j->split[i][k] = 0.5 + uniform(seed, WF_DRAW_SPLIT, v, 4 * i + k);
            for (int k = 0; k < j->legs && sum > 0; k++) j->split[i][k] /= sum;
        }
    }
}

static void add_source(struct wf_roads *r, const struct wf_road_link *l, int cell, double rate)
{
    r->source_of[cell] = r->sources;
    r->source[r->sources++] = (struct wf_road_source){ cell, l->inbound, cell == l->first, rate };
}

/* Puts an interchange every 4 to 6 cells: an off-ramp, the cell under the bridge, an on-ramp. */
static void add_ramps(struct wf_roads *r, uint64_t seed)
{
    for (int c = 0; c < r->cells; c++) r->source_of[c] = -1;
    for (int k = 0; k < r->links; k++) {
        const struct wf_road_link *l = &r->link[k];
        double u[4];
        wf_road_uniform(u, seed, WF_DRAW_RAMP, (uint32_t)k, 0);
        if (r->junction[l->from].legs == 1) add_source(r, l, l->first, 3500 + 2000 * u[0]);
        for (int i = 1 + (int)(2 * u[1]), n = 1; i + 2 < l->cells; n++) {
            wf_road_uniform(u, seed, WF_DRAW_RAMP, (uint32_t)k, (uint32_t)n);
            r->leave[l->first + i] = 0.08 + 0.12 * u[0];
            add_source(r, l, l->first + i + 2, 500 + 700 * u[1]);
            i += 4 + (int)(3 * u[2]);
        }
    }
}

/* Computes the flow of every cell when each source sends its peak rate, or the light share of it,
 * and nothing queues. Sweeps over the links until what enters the network has left it. */
static void assign(const struct wf_roads *r, bool inbound, double *enter, double *flow)
{
    memset(enter, 0, (size_t)r->links * sizeof *enter);
    for (int sweep = 0; sweep < 100; sweep++) {
        for (int k = 0; k < r->links; k++) {
            const struct wf_road_link *l = &r->link[k];
            double q = enter[k];
            for (int c = l->first; c < l->first + l->cells; c++) {
                const struct wf_road_source *s =
                    r->source_of[c] < 0 ? NULL : &r->source[r->source_of[c]];
                if (s) q += s->rate * (s->inbound == inbound ? 1 : WF_ROAD_LIGHT);
                flow[c] = q;
                q *= 1 - r->leave[c];
            }
        }
        memset(enter, 0, (size_t)r->links * sizeof *enter);
        for (int v = 0; v < r->junctions; v++) {
            const struct wf_road_junction *j = &r->junction[v];
            for (int i = 0; i < j->legs; i++) {
                const struct wf_road_link *l = &r->link[j->in[i]];
                for (int o = 0; o < j->legs; o++)
                    enter[j->out[o]] += j->split[i][o] * flow[l->first + l->cells - 1];
            }
        }
    }
}

/* Roads are built for their peak with a margin, and narrow at one place a link, in its lower half
 * so that there is room for the queue. */
static enum wf_status set_capacity(struct wf_roads *r, uint64_t seed, struct wf_error *e)
{
    double *enter = wf_malloc((size_t)r->links * sizeof *enter);
    double *flow = wf_malloc((size_t)r->cells * sizeof *flow);
    bool ok = enter && flow;
    for (int inbound = 0; inbound < 2 && ok; inbound++) {
        assign(r, inbound, enter, flow);
        for (int c = 0; c < r->cells; c++) r->capacity[c] = fmax(r->capacity[c], MARGIN * flow[c]);
    }
    for (int k = 0; k < r->links; k++) {
        struct wf_road_link *l = &r->link[k];
        double where = 0.5 + 0.5 * uniform(seed, WF_DRAW_CAPACITY, k, 0);
        l->narrow = l->first + (int)(l->cells * where);
    }
    wf_free(enter);
    wf_free(flow);
    return ok ? WF_OK : wf_fail(e, WF_ENOMEM, "synth: no memory for %d cells", r->cells);
}

enum wf_status wf_roads_build(struct wf_roads *r, int sensors, uint64_t seed, struct wf_error *e)
{
    *r = (struct wf_roads){ .sensors = sensors };
    WF_TRY(lay_roads(r, (sensors - 1) / SENSORS_PER_ROAD + 1, seed, e));
    size_t cells = (size_t)r->cells;
    r->source = wf_calloc(cells, sizeof *r->source);
    r->source_of = wf_calloc(cells, sizeof *r->source_of);
    r->leave = wf_calloc(cells, sizeof *r->leave);
    r->capacity = wf_calloc(cells, sizeof *r->capacity);
    r->sensor = wf_calloc((size_t)sensors, sizeof *r->sensor);
    if (!r->source || !r->source_of || !r->leave || !r->capacity || !r->sensor)
        return wf_fail(e, WF_ENOMEM, "synth: no memory for %d cells", r->cells);
    split_traffic(r, seed);
    add_ramps(r, seed);
    WF_TRY(set_capacity(r, seed, e));
    /* Sensors are spaced evenly, then each is moved, but leaves a whole cell to the next. */
    double stride = (double)r->cells / sensors;
    for (int i = 0; i < sensors; i++)
        r->sensor[i] = (int)(i * stride + (stride - 1) * uniform(seed, WF_DRAW_SENSOR, i, 0));
    return WF_OK;
}

void wf_roads_free(struct wf_roads *r)
{
    wf_free(r->junction);
    wf_free(r->link);
    wf_free(r->source);
    wf_free(r->source_of);
    wf_free(r->leave);
    wf_free(r->capacity);
    wf_free(r->sensor);
    *r = (struct wf_roads){ 0 };
}

/* Distances from the end of one sensor's link to the links beyond it. */
struct reach {
    double *miles; /* [links] miles to the start of the link, INFINITY where it is not reached */
    int *link;     /* links that are reached, in ascending order once they are complete */
    int count;
    int *first_sensor; /* [links + 1] first sensor of each link */
};

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Corrects labels, which is fast enough: only a handful of links lie within the cutoff. */
static void explore(struct reach *q, const struct wf_roads *r, int from, double miles)
{
    const struct wf_road_link *l = &r->link[from];
    const struct wf_road_junction *j = &r->junction[l->to];
    for (int k = 0; k < j->legs; k++) {
        int next = j->out[k];
        if (j->in[k] == from || miles > CUTOFF || miles >= q->miles[next]) continue;
        if (isinf(q->miles[next])) q->link[q->count++] = next;
        q->miles[next] = miles;
        explore(q, r, next, miles + r->link[next].cells * WF_ROAD_CELL);
    }
}

static enum wf_status add_edge(struct wf_sensor_graph *g, ptrdiff_t *room, int to, double miles)
{
    ptrdiff_t n = g->first[g->N];
    if (n == *room) {
        *room = 2 * *room + 64;
        int *t = wf_realloc(g->to, (size_t)*room * sizeof *t);
        if (t) g->to = t;
        double *d = wf_realloc(g->distance, (size_t)*room * sizeof *d);
        if (d) g->distance = d;
        if (!t || !d) return WF_ENOMEM;
    }
    g->to[n] = to;
    g->distance[n] = miles;
    g->first[g->N]++;
    return WF_OK;
}

static enum wf_status edges_from(struct wf_sensor_graph *g, ptrdiff_t *room, struct reach *q,
                                 const struct wf_roads *r, int i, int own)
{
    const struct wf_road_link *l = &r->link[own];
    q->count = 0;
    explore(q, r, own, (l->first + l->cells - r->sensor[i]) * WF_ROAD_CELL);
    if (isinf(q->miles[own])) q->link[q->count++] = own;
    qsort(q->link, (size_t)q->count, sizeof *q->link, by_number);
    enum wf_status status = WF_OK;
    g->first[i] = g->first[g->N];
    for (int k = 0; k < q->count; k++) {
        int id = q->link[k];
        for (int t = q->first_sensor[id]; t < q->first_sensor[id + 1] && !status; t++) {
            double d = q->miles[id] + (r->sensor[t] - r->link[id].first) * WF_ROAD_CELL;
            if (id == own && t >= i) d = (r->sensor[t] - r->sensor[i]) * WF_ROAD_CELL;
            if (d <= CUTOFF) status = add_edge(g, room, t, d);
        }
        q->miles[id] = INFINITY;
    }
    return status;
}

static void set_positions(struct wf_sensor_graph *g, struct reach *q, const struct wf_roads *r)
{
    for (int k = 0, i = 0; k < r->links; k++) {
        const struct wf_road_link *l = &r->link[k];
        const struct wf_road_junction *a = &r->junction[l->from], *b = &r->junction[l->to];
        double dx = b->x - a->x, dy = b->y - a->y, side = 0.1 / hypot(dx, dy);
        q->miles[k] = INFINITY;
        q->first_sensor[k] = i;
        for (; i < r->sensors && r->sensor[i] < l->first + l->cells; i++) {
            double along = (r->sensor[i] - l->first + 0.5) / l->cells;
            g->x[i] = a->x + along * dx + side * dy; /* right of the middle of the road */
            g->y[i] = a->y + along * dy - side * dx;
        }
    }
    q->first_sensor[r->links] = r->sensors;
}

static enum wf_status set_weights(struct wf_sensor_graph *g, bool all)
{
    ptrdiff_t n = g->first[g->N];
    double sum = 0, squares = 0;
    for (ptrdiff_t k = 0; k < n; k++) sum += g->distance[k];
    for (ptrdiff_t k = 0; k < n; k++)
        squares += (g->distance[k] - sum / (double)n) * (g->distance[k] - sum / (double)n);
    g->sigma = sqrt(squares / (double)n);
    g->weight = wf_malloc((size_t)n * sizeof *g->weight);
    for (ptrdiff_t k = 0; k < n && g->weight; k++) {
        double z = g->sigma > 0 ? g->distance[k] / g->sigma : 0, w = exp(-z * z);
        g->weight[k] = all ? (float)fmax(w, FLT_MIN) : w < 0.1 ? 0 : (float)w;
    }
    return g->weight ? WF_OK : WF_ENOMEM;
}

enum wf_status wf_roads_graph(struct wf_sensor_graph *g, const struct wf_roads *r, int edges,
                              struct wf_error *e)
{
    size_t N = (size_t)r->sensors, links = (size_t)r->links;
    *g = (struct wf_sensor_graph){ .N = r->sensors };
    struct reach q = { wf_malloc(links * sizeof *q.miles), wf_malloc(links * sizeof *q.link), 0,
                       wf_malloc((links + 1) * sizeof *q.first_sensor) };
    g->x = wf_malloc(N * sizeof *g->x);
    g->y = wf_malloc(N * sizeof *g->y);
    g->first = wf_calloc(N + 1, sizeof *g->first);
    bool ok = q.miles && q.link && q.first_sensor && g->x && g->y && g->first;
    ptrdiff_t room = 0;
    if (ok) set_positions(g, &q, r);
    for (int k = 0; k < r->links && ok; k++)
        for (int i = q.first_sensor[k]; i < q.first_sensor[k + 1] && ok; i++)
            ok = edges_from(g, &room, &q, r, i, k) == WF_OK;
    if (ok && edges) ok = wf_sensor_graph_nearest(g, edges, CUTOFF) == WF_OK;
    ok = ok && set_weights(g, edges > 0) == WF_OK;
    wf_free(q.miles);
    wf_free(q.link);
    wf_free(q.first_sensor);
    return ok ? WF_OK : wf_fail(e, WF_ENOMEM, "synth: no memory for the graph of %d sensors", g->N);
}
