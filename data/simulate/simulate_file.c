#include "data/simulate/simulate_file.h"
#include "data/formats/h5.h"
#include "data/formats/series_file.h"
#include "tensor/alloc.h"

#define NS_PER_S INT64_C(1000000000)

static enum wf_status write_positions(struct wf_h5 *f, const struct wf_sensor_graph *g,
                                      struct wf_error *err)
{
    struct wf_array a;
    WF_TRY(wf_array_alloc(&a, WF_F64, 2, (ptrdiff_t[]){ g->N, 2 }, err));
    for (int i = 0; i < g->N; i++) {
        a.f64[2 * i] = g->x[i];
        a.f64[2 * i + 1] = g->y[i];
    }
    enum wf_status s = wf_h5_write(f, "positions", &a, err);
    wf_array_free(&a);
    return s;
}

/* Writes the graph, whose edges stand in order of their sources, as a list, and the places. */
static enum wf_status write_roads(struct wf_series_writer *w, const struct wf_sensor_graph *g,
                                  struct wf_error *err)
{
    ptrdiff_t edges = g->first[g->N];
    int *source = wf_calloc((size_t)edges, sizeof *source);
    if (!source) return wf_fail(err, WF_ENOMEM, "no memory for %td edges", edges);
    for (int i = 0; i < g->N; i++)
        for (ptrdiff_t k = g->first[i]; k < g->first[i + 1]; k++) source[k] = i;
    enum wf_status s = wf_series_writer_graph(w, edges, source, g->to, g->weight, err);
    wf_free(source);
    return s == WF_OK ? write_positions(wf_series_writer_h5(w), g, err) : s;
}

/* A simulation of any kind, which makes rows one after another. */
struct maker {
    void (*step)(void *sim, float *row);
    void *sim;
    const struct wf_sensor_graph *graph;
    struct wf_simulate_watch watch;
};

static enum wf_status make_rows(struct maker *m, float *rows, ptrdiff_t first, ptrdiff_t n,
                                const struct wf_series_file *head, struct wf_error *err)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        m->step(m->sim, rows + i * head->N * head->C);
        if (m->watch.rows && !m->watch.rows(m->watch.ctx, first + i + 1, head->E))
            return wf_fail(err, WF_EINTR, "interrupted after %td of %td rows", first + i + 1,
                           head->E);
    }
    return WF_OK;
}

static enum wf_status simulate(struct wf_series_writer *w, struct maker *m,
                               const struct wf_series_file *head, struct wf_error *err)
{
    struct wf_array chunk;
    ptrdiff_t width = head->N * head->C, step = wf_series_file_chunk(head->E, width);
    enum wf_status s = WF_OK;
    WF_TRY(write_roads(w, m->graph, err));
    WF_TRY(wf_array_alloc(&chunk, WF_F32, 2, (ptrdiff_t[]){ step, width }, err));
    for (ptrdiff_t e = 0; e < head->E && s == WF_OK; e += step) {
        ptrdiff_t n = head->E - e < step ? head->E - e : step;
        s = make_rows(m, chunk.f32, e, n, head, err);
        if (s == WF_OK) s = wf_series_writer_rows(w, n, chunk.f32, err);
    }
    wf_array_free(&chunk);
    return s;
}

static enum wf_status write_made(const char *path, struct maker *m,
                                 const struct wf_series_file *head, struct wf_error *err)
{
    struct wf_series_writer *w;
    WF_TRY(wf_series_writer_open(&w, path, head, err));
    return wf_series_writer_end(w, simulate(w, m, head, err), path, err);
}

static void step_traffic(void *sim, float *row)
{
    wf_traffic_step(sim, row);
}

enum wf_status wf_simulate_traffic(const char *path, const struct wf_traffic_config *cfg,
                                   struct wf_error *err)
{
    struct wf_traffic *sim;
    WF_TRY(wf_traffic_begin(&sim, cfg, err));
    struct wf_series_file head = { .E = wf_traffic_rows(sim),
                                   .N = cfg->nodes,
                                   .C = cfg->channels,
                                   .t0_ns = cfg->interval_s ? wf_traffic_t0() * NS_PER_S : 0,
                                   .interval_s = cfg->interval_s,
                                   .synthetic = true };
    struct maker m = { step_traffic, sim, wf_traffic_graph(sim), cfg->watch };
    enum wf_status s = write_made(path, &m, &head, err);
    wf_traffic_end(sim);
    return s;
}

static void step_pde(void *sim, float *row)
{
    wf_pde_step(sim, row);
}

enum wf_status wf_simulate_pde(const char *path, const struct wf_pde_config *cfg,
                               struct wf_error *err)
{
    struct wf_pde *sim;
    WF_TRY(wf_pde_begin(&sim, cfg, err));
    struct wf_series_file head = {
        .E = wf_pde_rows(sim), .N = cfg->nodes, .C = wf_pde_channels(sim), .synthetic = true
    };
    struct maker m = { step_pde, sim, wf_pde_graph(sim), cfg->watch };
    enum wf_status s = write_made(path, &m, &head, err);
    wf_pde_end(sim);
    return s;
}
