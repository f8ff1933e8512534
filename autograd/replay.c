#include "autograd/replay.h"

/* Fails the tape unless the recorded run took the same memory and nodes as the eager run. */
static void check(struct wf_replay *p, struct wf_tape *g, size_t from, size_t used, ptrdiff_t nodes)
{
    if (g->error.status != WF_OK) return;
    if (used == p->used && nodes == p->nodes && (from == p->from || (used == 0 && nodes == 0)))
        return;
    wf_tape_fail(g, WF_EDEVICE,
                 "replay: the recorded run took %zu bytes from %zu on and %td nodes, the one "
                 "before %zu from %zu and %td: the work is not the same every time",
                 used, from, nodes, p->used, p->from, p->nodes);
}

static void run(struct wf_replay *p, struct wf_tape *g, bool recorded,
                struct wf_tensor *(*work)(void *ctx), void *ctx)
{
    size_t from = g->mem.used;
    ptrdiff_t nodes = wf_tape_node_count(g);
    const struct wf_tensor *out = work(ctx);
    size_t used = g->mem.used - from;
    nodes = wf_tape_node_count(g) - nodes;
    if (recorded) check(p, g, from, used, nodes);
    p->from = from;
    p->used = used;
    p->nodes = nodes;
    if (g->error.status != WF_OK || !out) return;
    p->out = *out;
    p->out.base = p->out.grad = NULL;
}

struct wf_tensor *wf_replay(struct wf_replay *p, struct wf_tape *g,
                            struct wf_tensor *(*work)(void *ctx), void *ctx)
{
    const struct wf_device_ops *device = g->be->device;
    if (g->error.status != WF_OK) return &g->poison;
    p->be = g->be;
    if (!device || p->runs == 0) {
        run(p, g, false, work, ctx);
    } else {
        if (!p->recording) {
            WF_RUN(g, device->record(g->be));
            if (g->error.status != WF_OK) return &g->poison;
            run(p, g, true, work, ctx);
            /* A recording that was begun is ended, whatever happened within. */
            enum wf_status ended = device->recorded(g->be, &p->recording);
            WF_RUN(g, ended);
            if (g->error.status != WF_OK) { /* a recording that failed is never replayed */
                wf_replay_free(p);
                return &g->poison;
            }
        }
        WF_RUN(g, device->replay(g->be, p->recording));
    }
    p->runs++;
    return g->error.status == WF_OK ? &p->out : &g->poison;
}

void wf_replay_free(struct wf_replay *p)
{
    if (p->recording) p->be->device->forget(p->be, p->recording);
    *p = (struct wf_replay){ 0 };
}
