#include <math.h>
#include <stdlib.h>
#include <time.h>
#include "apps/dataset/describe.h"
#include "tensor/alloc.h"

static void channel_stats(struct wf_dataset_stats *st, const struct wf_series *s, int c)
{
    int64_t all = s->E * s->N, there = 0, zeros = 0;
    double sum = 0, min = INFINITY, max = -INFINITY;
    for (int64_t i = 0; i < all; i++) {
        double v = (double)s->values[i * s->C + c];
        if (isnan(v)) continue;
        there++;
        zeros += v == 0;
        sum += v;
        min = v < min ? v : min;
        max = v > max ? v : max;
    }
    st->channel[c].min = there ? min : NAN;
    st->channel[c].max = there ? max : NAN;
    st->channel[c].mean = there ? sum / (double)there : NAN;
    st->channel[c].missing = (double)(all - there) / (double)all;
    st->channel[c].zeros = (double)zeros / (double)all;
}

static void time_stats(struct wf_dataset_stats *st, const struct wf_series *s)
{
    for (int64_t e = 1; s->time_s && e < s->E; e++) {
        int64_t step = s->time_s[e] - s->time_s[e - 1];
        if (step <= s->interval_s) continue;
        st->gaps++;
        st->longest_s = step > st->longest_s ? step : st->longest_s;
    }
}

struct edge {
    int source, target, at; /* at: place in the list of edges */
};

static int by_ends(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    return (x->target > y->target) - (x->target < y->target);
}

/* Returns whether edges a and b have the same weight, in every step where weights change. */
static bool same_weight(const struct wf_dataset *ds, int a, int b)
{
    const struct wf_series *w = &ds->weights;
    if (!w->values) return ds->weight[a] == ds->weight[b];
    for (int64_t t = 0; t < w->E; t++)
        if (w->values[t * w->N + a] != w->values[t * w->N + b]) return false;
    return true;
}

static bool is_symmetric(const struct wf_dataset *ds, struct edge *sorted)
{
    size_t n = (size_t)ds->edges;
    qsort(sorted, n, sizeof *sorted, by_ends);
    for (size_t e = 0; e < n; e++) {
        struct edge key = { sorted[e].target, sorted[e].source, 0 };
        const struct edge *back = bsearch(&key, sorted, n, sizeof *sorted, by_ends);
        if (!back || !same_weight(ds, back->at, sorted[e].at)) return false;
    }
    return true;
}

static void range(struct wf_dataset_stats *st, float w)
{
    st->weight_min = w < st->weight_min ? w : st->weight_min;
    st->weight_max = w > st->weight_max ? w : st->weight_max;
}

static int by_size(const void *a, const void *b)
{
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

/* Counts the edges of each step. count [E] is scratch space, zeros. */
static void step_stats(struct wf_dataset_stats *st, const struct wf_series *w, int *count)
{
    for (int64_t i = 0; i < w->E * w->N; i++) {
        if (w->values[i] == 0) continue;
        count[i / w->N]++;
        range(st, (float)w->values[i]);
    }
    qsort(count, (size_t)w->E, sizeof *count, by_size);
    st->step_edges[0] = count[0];
    st->step_edges[1] = count[w->E / 2];
    st->step_edges[2] = count[w->E - 1];
}

/* Counts edges at each node. degree [2, N] (out, in; zeros) and edge [edges] are scratch space;
 * edge is filled for is_symmetric. */
static void degree_stats(struct wf_dataset_stats *st, const struct wf_dataset *ds, int *degree,
                         struct edge *edge)
{
    int N = ds->series.N, *out = degree, *in = degree + N;
    for (int e = 0; e < ds->edges; e++) {
        out[ds->source[e]]++;
        in[ds->target[e]]++;
        edge[e] = (struct edge){ ds->source[e], ds->target[e], e };
        st->self_loops += ds->source[e] == ds->target[e];
        if (!ds->weights.values) range(st, ds->weight[e]);
    }
    st->isolated = N;
    for (int n = 0; n < N; n++) {
        st->out_max = out[n] > st->out_max ? out[n] : st->out_max;
        st->in_max = in[n] > st->in_max ? in[n] : st->in_max;
    }
    for (int e = 0; e < ds->edges; e++) {
        if (ds->source[e] == ds->target[e]) continue;
        int ends[] = { ds->source[e], ds->target[e] };
        for (int i = 0; i < 2; i++) {
            /* A negative degree marks a node that is known to have an edge. */
            st->isolated -= out[ends[i]] >= 0;
            out[ends[i]] = -1;
        }
    }
}

enum wf_status wf_dataset_stats(struct wf_dataset_stats *st, const struct wf_dataset *ds,
                                struct wf_error *err)
{
    *st = (struct wf_dataset_stats){ 0 };
    if (ds->series.be != wf_backend_cpu())
        return wf_fail(err, WF_EINVAL, "statistics of a series on %s, expected the CPU",
                       ds->series.be->name);
    for (int c = 0; c < ds->series.C; c++) channel_stats(st, &ds->series, c);
    time_stats(st, &ds->series);
    if (!ds->edges) return WF_OK;
    int *degree = wf_calloc((size_t)ds->series.N, 2 * sizeof *degree);
    int *count = wf_calloc((size_t)ds->series.E, sizeof *count);
    struct edge *edge = wf_calloc((size_t)ds->edges, sizeof *edge);
    enum wf_status s = WF_OK;
    st->weight_min = INFINITY;
    if (degree && count && edge) {
        degree_stats(st, ds, degree, edge);
        st->symmetric = is_symmetric(ds, edge);
        if (ds->weights.values) step_stats(st, &ds->weights, count);
    } else {
        s = wf_fail(err, WF_ENOMEM, "no memory for %d edges", ds->edges);
    }
    wf_free(degree);
    wf_free(count);
    wf_free(edge);
    return s;
}

static void print_time(const char *before, int64_t time_s, FILE *out)
{
    char text[32];
    struct tm tm;
    time_t t = (time_t)time_s;
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", gmtime_r(&t, &tm));
    fprintf(out, "%s%s", before, text);
}

static void print_graph(const struct wf_dataset *ds, const struct wf_dataset_stats *st, FILE *out)
{
    if (!ds->edges) {
        fprintf(out, "graph      none\n");
        return;
    }
    fprintf(out, "graph      %d nodes, %d edges, %d of them self-loops; %s\n", ds->series.N,
            ds->edges, st->self_loops, st->symmetric ? "symmetric" : "not symmetric");
    if (ds->weights.values)
        fprintf(out,
                "           it changes: these are of all steps, of which one has %d to %d, "
                "median %d\n",
                st->step_edges[0], st->step_edges[2], st->step_edges[1]);
    fprintf(out, "weights    %g to %g\n", (double)st->weight_min, (double)st->weight_max);
    fprintf(out, "degrees    mean %.3g, at most %d out and %d in; isolated nodes: %d\n",
            (double)ds->edges / ds->series.N, st->out_max, st->in_max, st->isolated);
    if (ds->reordered) fprintf(out, "note       the adjacency's nodes stood in another order\n");
}

void wf_dataset_print(const struct wf_dataset *ds, const struct wf_dataset_stats *st, FILE *out)
{
    const struct wf_series *s = &ds->series;
    fprintf(out, "%s%s\n", ds->name, ds->synthetic ? " (synthetic stand-in)" : "");
    fprintf(out, "series     %lld steps, %d nodes%s, %d channel%s; %.3g MiB as float32\n",
            (long long)s->E, s->N, ds->nodes.count ? " with names" : "", s->C, s->C > 1 ? "s" : "",
            (double)s->E * s->N * s->C * 4 / (1 << 20));
    if (s->time_s) {
        print_time("time       ", s->time_s[0], out);
        print_time(" to ", s->time_s[s->E - 1], out);
        fprintf(out, ", every %d s", s->interval_s);
        if (st->gaps)
            fprintf(out, "; %lld gap%s, the longest %lld s", (long long)st->gaps,
                    st->gaps > 1 ? "s" : "", (long long)st->longest_s);
        fprintf(out, st->gaps ? "\n" : "; no gaps\n");
    } else {
        fprintf(out, "time       not in the file\n");
    }
    for (int c = 0; c < s->C; c++)
        fprintf(out, "channel %d  %g to %g, mean %g; %.4g %% missing, %.4g %% zeros\n", c,
                st->channel[c].min, st->channel[c].max, st->channel[c].mean,
                100 * st->channel[c].missing, 100 * st->channel[c].zeros);
    print_graph(ds, st, out);
}
