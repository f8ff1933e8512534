/* traffic_run.c - simulates a whole set of road traffic into memory. */
#include <math.h>
#include <string.h>
#include "data/simulate/traffic.h"
#include "tensor/alloc.h"

static enum wf_status reserve(struct wf_traffic_data *d, size_t channels, struct wf_error *e)
{
    size_t N = (size_t)d->N, E = (size_t)d->E;
    d->values = wf_calloc(E, N * channels * sizeof *d->values);
    d->distance = wf_malloc(N * N * sizeof *d->distance);
    d->adjacency = wf_calloc(N * N, sizeof *d->adjacency);
    d->x = wf_malloc(N * sizeof *d->x);
    d->y = wf_malloc(N * sizeof *d->y);
    if (d->values && d->distance && d->adjacency && d->x && d->y) return WF_OK;
    wf_traffic_data_free(d);
    return wf_fail(e, WF_ENOMEM, "synth: no memory for %zu rows of %zu sensors", E, N);
}

static void fill_graph(struct wf_traffic_data *d, const struct wf_sensor_graph *g)
{
    size_t N = (size_t)d->N;
    memcpy(d->x, g->x, N * sizeof *d->x);
    memcpy(d->y, g->y, N * sizeof *d->y);
    for (size_t i = 0; i < N * N; i++) d->distance[i] = INFINITY;
    for (size_t i = 0; i < N; i++) {
        for (ptrdiff_t k = g->first[i]; k < g->first[i + 1]; k++) {
            d->distance[i * N + (size_t)g->to[k]] = g->distance[k];
            d->adjacency[i * N + (size_t)g->to[k]] = g->weight[k];
        }
    }
}

enum wf_status wf_traffic_run(const struct wf_traffic_config *cfg, struct wf_traffic_data *out,
                              struct wf_error *e)
{
    struct wf_traffic *s;
    *out = (struct wf_traffic_data){ 0 };
    WF_TRY(wf_traffic_begin(&s, cfg, e));
    *out = (struct wf_traffic_data){ .E = wf_traffic_rows(s),
                                     .N = cfg->nodes,
                                     .interval_s = cfg->interval_s,
                                     .t0 = wf_traffic_t0() };
    enum wf_status status = reserve(out, (size_t)cfg->channels, e);
    if (status == WF_OK) {
        fill_graph(out, wf_traffic_graph(s));
        ptrdiff_t width = (ptrdiff_t)out->N * cfg->channels;
        for (ptrdiff_t t = 0; t < out->E; t++) wf_traffic_step(s, out->values + t * width);
    }
    wf_traffic_end(s);
    return status;
}

void wf_traffic_data_free(struct wf_traffic_data *d)
{
    wf_free(d->values);
    wf_free(d->distance);
    wf_free(d->adjacency);
    wf_free(d->x);
    wf_free(d->y);
    *d = (struct wf_traffic_data){ 0 };
}
