#include "data/simulate/sensor_graph_private.h"
#include <math.h>
#include <stdlib.h>
#include "tensor/alloc.h"

struct pair {
    double miles;
    int from, to;
};

static int by_distance(const void *a, const void *b)
{
    const struct pair *p = a, *q = b;
    if (p->miles != q->miles) return p->miles < q->miles ? -1 : 1;
    return p->from != q->from ? p->from - q->from : p->to - q->to;
}

static int by_place(const void *a, const void *b)
{
    const struct pair *p = a, *q = b;
    return p->from != q->from ? p->from - q->from : p->to - q->to;
}

/* Lists all pairs, or those that the graph has; without self-loops where they are not wanted. */
static ptrdiff_t list(struct pair *out, const struct wf_sensor_graph *g, bool all, bool loops,
                      double cutoff)
{
    ptrdiff_t n = 0;
    for (int i = 0; i < g->N; i++) {
        ptrdiff_t k = g->first[i];
        for (int j = 0; j < g->N; j++) {
            if (!all && k == g->first[i + 1]) break;
            if (!all) j = g->to[k];
            bool by_road = k < g->first[i + 1] && g->to[k] == j;
            double miles =
                by_road ? g->distance[k] : cutoff + hypot(g->x[i] - g->x[j], g->y[i] - g->y[j]);
            k += by_road;
            if (i != j || loops) out[n++] = (struct pair){ miles, i, j };
        }
    }
    return n;
}

static enum wf_status take(struct wf_sensor_graph *g, const struct pair *p, ptrdiff_t edges)
{
    int *to = wf_realloc(g->to, (size_t)edges * sizeof *to);
    if (to) g->to = to;
    double *distance = wf_realloc(g->distance, (size_t)edges * sizeof *distance);
    if (distance) g->distance = distance;
    if (!to || !distance) return WF_ENOMEM;
    for (int i = 0; i <= g->N; i++) g->first[i] = 0;
    for (ptrdiff_t k = 0; k < edges; k++) {
        to[k] = p[k].to;
        distance[k] = p[k].miles;
        g->first[p[k].from + 1]++;
    }
    for (int i = 0; i < g->N; i++) g->first[i + 1] += g->first[i];
    return WF_OK;
}

enum wf_status wf_sensor_graph_nearest(struct wf_sensor_graph *g, int edges, double cutoff)
{
    ptrdiff_t N = g->N, near = g->first[N];
    bool loops = edges >= 2 * N || edges > N * (N - 1), all = edges > (loops ? near : near - N);
    struct pair *p = wf_malloc((size_t)(all ? N * N : near) * sizeof *p);
    if (!p) return WF_ENOMEM;
    ptrdiff_t n = list(p, g, all, loops, cutoff);
    qsort(p, (size_t)n, sizeof *p, by_distance);
    qsort(p, (size_t)edges, sizeof *p, by_place);
    enum wf_status s = take(g, p, edges);
    wf_free(p);
    return s;
}

void wf_sensor_graph_free(struct wf_sensor_graph *g)
{
    wf_free(g->x);
    wf_free(g->y);
    wf_free(g->first);
    wf_free(g->to);
    wf_free(g->distance);
    wf_free(g->weight);
    *g = (struct wf_sensor_graph){ 0 };
}
