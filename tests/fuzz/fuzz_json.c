/* Any bytes as a data set in JSON. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include "data/formats/json.h"
#include "tensor/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds) abort();
}

/* What json.h promises of a text that is taken. */
static void check(const struct wf_temporal_graph *g)
{
    must(g->E > 0 && g->N > 0 && g->C >= 0 && (g->C > 0) == (g->x != NULL));
    for (ptrdiff_t i = 0; i < g->E * g->N; i++) must(!isinf(g->y[i]));
    for (ptrdiff_t i = 0; i < g->E * g->N * g->C; i++) must(!isinf(g->x[i]));
    must(g->graphs == 1 || g->graphs == g->E);
    for (ptrdiff_t t = 0; t < g->graphs; t++) {
        const struct wf_json_edges *e = &g->edges[t];
        for (ptrdiff_t i = 0; i < e->count; i++) {
            must(e->from[i] >= 0 && e->from[i] < g->N && e->to[i] >= 0 && e->to[i] < g->N);
            must(isfinite(e->weight[i]) && e->weight[i] >= 0);
        }
    }
    must(g->ids.count == 0 || g->ids.count == g->N);
    for (ptrdiff_t n = 0; n < g->ids.count; n++) must(g->ids.name[n] != NULL);
}

/* Every edge is in the union, with its weight: the sums agree, graph by graph. */
static void check_union(const struct wf_edge_union *u, const struct wf_temporal_graph *g)
{
    for (ptrdiff_t t = 0; t < g->graphs; t++) {
        double listed = 0, united = 0;
        for (ptrdiff_t i = 0; i < g->edges[t].count; i++) listed += g->edges[t].weight[i];
        for (ptrdiff_t i = 0; i < u->count; i++) united += u->weight[t * u->count + i];
        must(fabs(listed - united) <= 1e-9 * listed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wf_temporal_graph g;
    struct wf_edge_union u;
    struct wf_error err = { 0 };
    if (wf_json_parse(data, size, &g, &err) == WF_OK) {
        check(&g);
        if (wf_edge_union_make(&u, &g, &err) == WF_OK) {
            check_union(&u, &g);
            wf_edge_union_free(&u);
        }
        wf_temporal_graph_free(&g);
    }
    must(wf_alloc_live() == 0);
    return 0;
}
