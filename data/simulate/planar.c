/* planar.c - random places in the unit square and a planar graph of neighbours. */
#include "data/simulate/planar_private.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include "tensor/alloc.h"
#include "tensor/rng.h"

#define STREAM UINT32_C(0x706c616e)
#define MARGIN 0.03 /* width of the rim of the square that stays empty */
#define APART  0.6  /* least distance of two places, as a share of that in a square lattice */

struct pair {
    double room; /* smallest (|ik|^2 + |jk|^2) / |ij|^2 over third places k */
    int i, j;
};

static double square(double x)
{
    return x * x;
}

/* Returns the squared distance of two places. */
static double apart2(const struct wf_sensor_graph *g, int i, int j)
{
    return square(g->x[i] - g->x[j]) + square(g->y[i] - g->y[j]);
}

/* Throws the places like darts. One that falls too near to an earlier one is thrown again; at this
 * distance every second one hits. */
static void throw_darts(struct wf_sensor_graph *g, uint64_t seed)
{
    double least = square(APART) / g->N;
    for (uint64_t dart = 0, n = 0; n < (uint64_t)g->N; dart++) {
        struct wf_philox r = wf_philox(seed, STREAM, 0, dart);
        bool free = true;
        g->x[n] = MARGIN + (1 - 2 * MARGIN) * r.v[0] * 0x1p-32;
        g->y[n] = MARGIN + (1 - 2 * MARGIN) * r.v[1] * 0x1p-32;
        for (int i = 0; i < (int)n && free; i++) free = apart2(g, i, (int)n) >= least;
        n += free;
    }
}

static int by_room(const void *a, const void *b)
{
    const struct pair *p = a, *q = b;
    if (p->room != q->room) return p->room > q->room ? -1 : 1;
    return p->i != q->i ? p->i - q->i : p->j - q->j;
}

static int by_place(const void *a, const void *b)
{
    const struct pair *p = a, *q = b;
    return p->i != q->i ? p->i - q->i : p->j - q->j;
}

static void list_pairs(struct pair *p, const struct wf_sensor_graph *g)
{
    for (int i = 0; i < g->N; i++) {
        for (int j = i + 1; j < g->N; j++) {
            double room = INFINITY;
            for (int k = 0; k < g->N; k++)
                if (k != i && k != j) room = fmin(room, apart2(g, i, k) + apart2(g, j, k));
            *p++ = (struct pair){ room / apart2(g, i, j), i, j };
        }
    }
}

/* Whether c lies to the left of the line from a to b. */
static bool left(const struct wf_sensor_graph *g, int a, int b, int c)
{
    return (g->x[b] - g->x[a]) * (g->y[c] - g->y[a]) > (g->y[b] - g->y[a]) * (g->x[c] - g->x[a]);
}

static bool cross(const struct wf_sensor_graph *g, const struct pair *p, const struct pair *q)
{
    if (p->i == q->i || p->i == q->j || p->j == q->i || p->j == q->j) return false;
    return left(g, p->i, p->j, q->i) != left(g, p->i, p->j, q->j) &&
           left(g, q->i, q->j, p->i) != left(g, q->i, q->j, p->j);
}

/* Moves the pairs that are joined to the front; returns how many. */
static int join(struct pair *p, int pairs, int want, const struct wf_sensor_graph *g)
{
    int n = 0;
    for (int k = 0; k < pairs && n < want; k++) {
        bool clear = true;
        for (int i = 0; i < n && clear; i++) clear = !cross(g, &p[k], &p[i]);
        if (clear) p[n++] = p[k];
    }
    return n;
}

static enum wf_status fill(struct wf_sensor_graph *g, const struct pair *p, int edges)
{
    g->to = wf_malloc((size_t)edges * sizeof *g->to);
    g->distance = wf_malloc((size_t)edges * sizeof *g->distance);
    g->weight = wf_malloc((size_t)edges * sizeof *g->weight);
    if (!g->to || !g->distance || !g->weight) return WF_ENOMEM;
    double sum = 0;
    for (int k = 0; k < edges; k++) {
        g->first[p[k].i + 1]++;
        g->to[k] = p[k].j;
        g->distance[k] = sqrt(apart2(g, p[k].i, p[k].j));
        sum += g->distance[k];
    }
    g->sigma = sum / edges;
    for (int i = 0; i < g->N; i++) g->first[i + 1] += g->first[i];
    for (int k = 0; k < edges; k++) g->weight[k] = (float)exp(-square(g->distance[k] / g->sigma));
    return WF_OK;
}

static enum wf_status build(struct wf_sensor_graph *g, struct pair *p, int edges, uint64_t seed,
                            struct wf_error *e)
{
    int pairs = g->N * (g->N - 1) / 2;
    throw_darts(g, seed);
    list_pairs(p, g);
    qsort(p, (size_t)pairs, sizeof *p, by_room);
    int joined = join(p, pairs, edges / 2, g);
    if (joined < edges / 2)
        return wf_fail(e, WF_EINVAL, "pde: edges is %d, expected at most %d between %d nodes",
                       edges, 2 * joined, g->N);
    for (int k = 0; k < joined; k++) p[joined + k] = (struct pair){ 0, p[k].j, p[k].i };
    qsort(p, (size_t)edges, sizeof *p, by_place);
    if (fill(g, p, edges) == WF_OK) return WF_OK;
    return wf_fail(e, WF_ENOMEM, "pde: no memory for %d edges", edges);
}

enum wf_status wf_planar_graph(struct wf_sensor_graph *g, int nodes, int edges, uint64_t seed,
                               struct wf_error *e)
{
    *g = (struct wf_sensor_graph){ .N = nodes };
    if (nodes < 3 || nodes > 2000)
        return wf_fail(e, WF_EINVAL, "pde: nodes is %d, expected 3 to 2000", nodes);
    if (edges < 2 || edges % 2 || edges > 6 * nodes)
        return wf_fail(e, WF_EINVAL, "pde: edges is %d, expected an even number up to %d", edges,
                       6 * nodes - 12);
    size_t N = (size_t)nodes;
    struct pair *p = wf_malloc((N * (N - 1) / 2 + (size_t)edges) * sizeof *p);
    g->x = wf_malloc(N * sizeof *g->x);
    g->y = wf_malloc(N * sizeof *g->y);
    g->first = wf_calloc(N + 1, sizeof *g->first);
    enum wf_status s = p && g->x && g->y && g->first ? build(g, p, edges, seed, e) : WF_ENOMEM;
    if (s == WF_ENOMEM) wf_fail(e, s, "pde: no memory for the graph of %d nodes", nodes);
    wf_free(p);
    if (s != WF_OK) wf_sensor_graph_free(g);
    return s;
}
