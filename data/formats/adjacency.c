#include "data/formats/adjacency.h"
#include <math.h>
#include "tensor/alloc.h"

void wf_adjacency_free(struct wf_adjacency *g)
{
    wf_free(g->A);
    wf_names_free(&g->ids);
    *g = (struct wf_adjacency){ 0 };
}

enum wf_status wf_adjacency_check(const struct wf_adjacency *g, struct wf_error *err)
{
    for (ptrdiff_t i = 0; i < g->N * g->N; i++) {
        float w = g->A[i];
        ptrdiff_t from = i / g->N, to = i % g->N;
        if (isfinite(w) && w >= 0) continue;
        return wf_fail(err, WF_ENUMERIC,
                       "weight [%td, %td] (%.40s to %.40s) is %g, expected a finite one >= 0", from,
                       to, g->ids.count ? g->ids.name[from] : "unnamed",
                       g->ids.count ? g->ids.name[to] : "unnamed", (double)w);
    }
    return WF_OK;
}
