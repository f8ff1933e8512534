#include "nn/batch.h"

/* Makes the supports of step t from the weights of that step. They and a view of the weights belong
 * to the tape, because the reverse sweep may outlive b. After an error: the graph's own supports. */
static const struct wf_supports *make(struct wf_tape *g, const struct wf_batch *b, int t)
{
    struct wf_tensor *w = wf_tape_view(g, b->weights); /* [B, T, E] */
    struct wf_supports *S = wf_tape_host(g, sizeof *S);
    if (!S) return &b->graph->supports;
    *S = wf_graph_supports(g, b->graph, wf_select(g, w, 1, t));
    return S;
}

void wf_batch_bind(struct wf_tape *g, struct wf_batch *b, const struct wf_graph *gr)
{
    b->graph = gr;
    b->supports = b->weights.data ? make(g, b, b->T - 1) : &gr->supports;
}

struct wf_tensor *wf_batch_x(struct wf_tape *g, const struct wf_batch *b)
{
    struct wf_tensor *x = wf_tape_view(g, b->x);
    if (x != &g->poison) x->grad = b->x.grad;
    return x;
}

const struct wf_supports *wf_batch_supports(struct wf_tape *g, const struct wf_batch *b, int t)
{
    if (t < 0 || t >= b->T)
        wf_tape_fail(g, WF_EINVAL, "batch: the graph of step %d of %d", t, b->T);
    else if (b->weights.data && t < b->T - 1)
        return make(g, b, t);
    return b->supports;
}
