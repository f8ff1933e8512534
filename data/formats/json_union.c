/* json_union.c - the edges of a graph that changes, as one list for all steps. */
#include <limits.h>
#include <stdlib.h>
#include "data/formats/json.h"
#include "tensor/alloc.h"

/* One edge of one step. */
struct edge {
    int source, target, step;
    int place; /* where it stands among the edges of its step */
    float weight;
};

static int by_ends(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    if (x->target != y->target) return x->target < y->target ? -1 : 1;
    if (x->step != y->step) return x->step < y->step ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static struct edge *sorted_edges(const struct wf_temporal_graph *g, ptrdiff_t all)
{
    struct edge *e = wf_malloc((size_t)all * sizeof *e), *to = e;
    if (!e) return NULL;
    for (ptrdiff_t t = 0; t < g->graphs; t++)
        for (ptrdiff_t i = 0; i < g->edges[t].count; i++)
            *to++ = (struct edge){ (int)g->edges[t].from[i], (int)g->edges[t].to[i], (int)t, (int)i,
                                   g->edges[t].weight[i] };
    qsort(e, (size_t)all, sizeof *e, by_ends);
    return e;
}

/* Returns how many edges from `at` on have the same step, source and target. */
static ptrdiff_t parallel(const struct edge *e, ptrdiff_t n, ptrdiff_t at)
{
    ptrdiff_t end = at;
    while (end < n && e[end].source == e[at].source && e[end].target == e[at].target &&
           e[end].step == e[at].step)
        end++;
    return end - at;
}

/* Returns how many edges from `at` on have the same source and target. *width: the most of them in
 * one step. */
static ptrdiff_t group(const struct edge *e, ptrdiff_t n, ptrdiff_t at, ptrdiff_t *width)
{
    ptrdiff_t end = at;
    *width = 0;
    while (end < n && e[end].source == e[at].source && e[end].target == e[at].target) {
        ptrdiff_t run = parallel(e, n, end);
        *width = run > *width ? run : *width;
        end += run;
    }
    return end - at;
}

static void fill(struct wf_edge_union *u, const struct edge *e, ptrdiff_t n)
{
    ptrdiff_t first = 0, width;
    for (ptrdiff_t at = 0, size; at < n; at += size, first += width) {
        size = group(e, n, at, &width);
        for (ptrdiff_t k = 0; k < width; k++) {
            u->source[first + k] = e[at].source;
            u->target[first + k] = e[at].target;
        }
        for (ptrdiff_t i = at, run; i < at + size; i += run) {
            run = parallel(e, n, i);
            float *to = u->weight + e[i].step * u->count + first + width - run;
            for (ptrdiff_t k = 0; k < run; k++) to[k] = e[i + k].weight;
        }
    }
}

static enum wf_status make(struct wf_edge_union *u, const struct edge *e, ptrdiff_t n,
                           ptrdiff_t graphs, struct wf_error *err)
{
    struct wf_array weight;
    for (ptrdiff_t at = 0, width; at < n; u->count += width) at += group(e, n, at, &width);
    u->source = wf_malloc((size_t)u->count * sizeof *u->source);
    u->target = wf_malloc((size_t)u->count * sizeof *u->target);
    if (!u->source || !u->target)
        return wf_fail(err, WF_ENOMEM, "no memory for %td edges", u->count);
    WF_TRY(wf_array_alloc(&weight, WF_F32, 2, (ptrdiff_t[]){ graphs, u->count }, err));
    u->weight = weight.f32;
    fill(u, e, n);
    return WF_OK;
}

enum wf_status wf_edge_union_make(struct wf_edge_union *u, const struct wf_temporal_graph *g,
                                  struct wf_error *err)
{
    ptrdiff_t all = 0;
    *u = (struct wf_edge_union){ 0 };
    for (ptrdiff_t t = 0; t < g->graphs; t++) all += g->edges[t].count;
    if (all > INT_MAX)
        return wf_fail(err, WF_EINVAL, "%td edges of all steps, expected at most %d", all, INT_MAX);
    struct edge *e = sorted_edges(g, all);
    enum wf_status s = WF_OK;
    if (e)
        s = make(u, e, all, g->graphs, err);
    else
        s = wf_fail(err, WF_ENOMEM, "no memory for %td edges of all steps", all);
    wf_free(e);
    if (s != WF_OK) wf_edge_union_free(u);
    return s;
}

void wf_edge_union_free(struct wf_edge_union *u)
{
    wf_free(u->source);
    wf_free(u->target);
    wf_free(u->weight);
    *u = (struct wf_edge_union){ 0 };
}
