#include "autograd/tape_private.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tensor/alloc.h"

/* A growing array, in chunks, so that its items keep their addresses. */
enum { CHUNK_ITEMS = 512 };
struct wf_chunks {
    size_t item;
    ptrdiff_t n, chunks;
    char **chunk;
};

/* Gradient memory that is free for the next gradient of the same size. */
struct block {
    wf_real *data;
    ptrdiff_t count;
};

static struct wf_chunks *chunks_new(size_t item)
{
    struct wf_chunks *c = wf_calloc(1, sizeof *c);
    if (c) c->item = item;
    return c;
}

static void chunks_free(struct wf_chunks *c)
{
    if (!c) return;
    for (ptrdiff_t i = 0; i < c->chunks; i++) wf_free(c->chunk[i]);
    wf_free(c->chunk);
    wf_free(c);
}

static void *chunks_at(const struct wf_chunks *c, ptrdiff_t i)
{
    return c->chunk[i / CHUNK_ITEMS] + (size_t)(i % CHUNK_ITEMS) * c->item;
}

static void *chunks_push(struct wf_chunks *c)
{
    if (c->n == c->chunks * CHUNK_ITEMS) {
        char **list = wf_realloc(c->chunk, (size_t)(c->chunks + 1) * sizeof *list);
        if (!list) return NULL;
        c->chunk = list;
        list[c->chunks] = wf_malloc(CHUNK_ITEMS * c->item);
        if (!list[c->chunks]) return NULL;
        c->chunks++;
    }
    return chunks_at(c, c->n++);
}

enum wf_status wf_tape_init(struct wf_tape *g, struct wf_backend *be, struct wf_error *err)
{
    *g = (struct wf_tape){ .be = be, .training = true, .recording = true, .poison = { .be = be } };
    g->nodes = chunks_new(sizeof(struct wf_node));
    g->tensors = chunks_new(sizeof(struct wf_tensor));
    g->unused = chunks_new(sizeof(struct block));
    g->step = be->alloc(be, sizeof *g->step);
    enum wf_status s = wf_arena_init(&g->mem, be, err);
    if (s == WF_OK && g->nodes && g->tensors && g->unused && g->step) return WF_OK;
    wf_tape_free(g);
    return s != WF_OK ? s : wf_fail(err, WF_ENOMEM, "no memory for a tape");
}

void wf_tape_free(struct wf_tape *g)
{
    if (g->be && g->step) g->be->free(g->be, g->step, sizeof *g->step);
    chunks_free(g->nodes);
    chunks_free(g->tensors);
    chunks_free(g->unused);
    wf_arena_free(&g->mem);
    wf_arena_free(&g->host);
    *g = (struct wf_tape){ 0 };
}

void wf_tape_reset(struct wf_tape *g)
{
    wf_arena_release(&g->mem, 0);
    wf_arena_release(&g->host, 0);
    g->nodes->n = g->tensors->n = g->unused->n = 0;
    g->stream = 0;
    g->fresh_count = 0;
    g->error = (struct wf_error){ 0 };
}

ptrdiff_t wf_tape_node_count(const struct wf_tape *g)
{
    return g->nodes->n;
}

void wf_tape_set_step(struct wf_tape *g, const struct wf_step *step)
{
    WF_RUN(g, g->be->upload(g->be, g->step, step, sizeof *step));
}

struct wf_tensor *wf_tape_fail(struct wf_tape *g, enum wf_status s, const char *fmt, ...)
{
    if (g->error.status == WF_OK) {
        va_list ap;
        g->error.status = s;
        va_start(ap, fmt);
        vsnprintf(g->error.message, sizeof g->error.message, fmt, ap);
        va_end(ap);
    }
    return &g->poison;
}

static struct wf_tensor *header(struct wf_tape *g)
{
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *t = chunks_push(g->tensors);
    if (!t)
        return wf_tape_fail(g, WF_ENOMEM, "no memory for tensor %td of the step", g->tensors->n);
    *t = (struct wf_tensor){ .be = g->be };
    return t;
}

struct wf_tensor *wf_tape_new(struct wf_tape *g, int ndim, const int *shape)
{
    struct wf_tensor *t = header(g);
    if (t == &g->poison) return t;
    wf_tensor_shape(t, ndim, shape);
    size_t bytes = (size_t)wf_tensor_count(t) * sizeof(wf_real);
    t->data = wf_arena_alloc(&g->mem, bytes);
    if (t->data) return t;
    char text[WF_SHAPE_TEXT];
    size_t available, total;
    g->be->memory(g->be, &available, &total);
    return wf_tape_fail(g, WF_ENOMEM,
                        "step arena on %s: %zu bytes wanted for %s, %zu in use, %zu held, %zu free"
                        "%s%s",
                        g->be->name, bytes, wf_tensor_shape_text(t, text), g->mem.used,
                        g->mem.committed, available, g->be->reason[0] ? "; " : "", g->be->reason);
}

struct wf_tensor *wf_tape_view(struct wf_tape *g, struct wf_tensor view)
{
    struct wf_tensor *t = header(g);
    if (t == &g->poison) return t;
    *t = view;
    t->grad = NULL;
    return t;
}

void *wf_tape_host(struct wf_tape *g, size_t bytes)
{
    struct wf_error e;
    if (g->error.status == WF_OK && !g->host.base &&
        wf_arena_init(&g->host, wf_backend_cpu(), &e) != WF_OK)
        wf_tape_fail(g, e.status, "%s", e.message);
    if (g->error.status != WF_OK) return NULL;
    void *p = wf_arena_alloc(&g->host, bytes);
    if (!p) wf_tape_fail(g, WF_ENOMEM, "no %zu bytes on the host for the step", bytes);
    return p;
}

struct wf_tensor *wf_tape_record(struct wf_tape *g, struct wf_node n)
{
    if (g->error.status != WF_OK) return &g->poison;
    bool needed = false;
    for (int i = 0; i < WF_MAXIN; i++) needed |= n.in[i] && n.in[i]->needs_grad;
    if (!needed || !g->recording) return n.out;
    n.out->needs_grad = true;
    struct wf_node *at = chunks_push(g->nodes);
    if (!at)
        return wf_tape_fail(g, WF_ENOMEM, "%s: no memory for node %td of the step", n.op->name,
                            g->nodes->n);
    *at = n;
    return n.out;
}

struct wf_tensor *wf_tape_temp(struct wf_tape *g, int ndim, const int *shape)
{
    struct wf_tensor want = { .be = g->be };
    wf_tensor_shape(&want, ndim, shape);
    ptrdiff_t count = wf_tensor_count(&want);
    for (ptrdiff_t i = g->unused->n - 1; i >= 0; i--) {
        struct block *b = chunks_at(g->unused, i);
        if (b->count != count) continue;
        want.data = b->data;
        *b = *(struct block *)chunks_at(g->unused, --g->unused->n);
        return wf_tape_view(g, want);
    }
    return wf_tape_new(g, ndim, shape);
}

void wf_tape_drop(struct wf_tape *g, struct wf_tensor *t)
{
    if (g->error.status != WF_OK) return;
    struct block *b = chunks_push(g->unused);
    if (b) *b = (struct block){ t->data, wf_tensor_count(t) };
}

/* Nodes that write parts of one output follow each other, and the gradient of the output is given
 * back after the last of them. Leaves (parameters, inputs) are no node's output and keep theirs. */
void wf_tape_sweep(struct wf_tape *g)
{
    for (ptrdiff_t i = g->nodes->n - 1; i >= 0 && g->error.status == WF_OK; i--) {
        const struct wf_node *n = chunks_at(g->nodes, i);
        if (!n->out->grad) continue;
        wf_tape_zero_untouched(g, n->out->grad);
        n->op->vjp(g, n);
        wf_tape_zero_fresh(g, NULL);
        if (i > 0 && ((const struct wf_node *)chunks_at(g->nodes, i - 1))->out == n->out) continue;
        wf_tape_drop(g, n->out->grad);
        n->out->grad = NULL;
    }
    for (ptrdiff_t i = 0; i < g->tensors->n; i++)
        wf_tape_zero_untouched(g, chunks_at(g->tensors, i));
}

void wf_tape_backward(struct wf_tape *g, struct wf_tensor *loss)
{
    if (g->error.status != WF_OK) return;
    if (wf_tensor_count(loss) != 1) {
        char text[WF_SHAPE_TEXT];
        wf_tape_fail(g, WF_EINVAL, "backward: the loss must have one element, it is %s",
                     wf_tensor_shape_text(loss, text));
        return;
    }
    if (!loss->needs_grad) {
        wf_tape_fail(g, WF_EINVAL, "backward: the loss depends on no parameter");
        return;
    }
    struct wf_tensor *d = wf_tape_grad_fresh(g, loss);
    if (d) d->fresh = false;
    WF_RUN(g, wfk_fill(g->be, d, 1));
    wf_tape_sweep(g);
}

struct wf_mark wf_tape_mark(const struct wf_tape *g)
{
    return (struct wf_mark){ g->mem.used, g->tensors->n };
}

/* Gives back what was allocated after the mark, after moving the kept tensors down, in the order of
 * their addresses, so that none overwrites one that has yet to move. */
static void release(struct wf_tape *g, struct wf_mark mark, struct wf_tensor **keep, int n)
{
    struct wf_tensor old[WF_MAXKEEP];
    int order[WF_MAXKEEP];
    for (int i = 0; i < n; i++) {
        old[i] = *keep[i];
        int k = i;
        for (; k > 0 && old[order[k - 1]].data > old[i].data; k--) order[k] = order[k - 1];
        order[k] = i;
    }
    size_t used = g->mem.used;
    g->mem.used = mark.used; /* the arena releases it below, when all kept tensors have moved */
    g->tensors->n = mark.tensors;
    for (int k = 0; k < n; k++) {
        struct wf_tensor *from = &old[order[k]];
        bool before = (char *)from->data < g->mem.base + mark.used; /* data stay, headers do not */
        from->base = NULL;
        struct wf_tensor *to =
            before ? wf_tape_view(g, *from) : wf_tape_new(g, from->ndim, from->shape);
        if (g->error.status != WF_OK) return;
        if (to->data != from->data)
            WF_RUN(g, g->be->move(g->be, to->data, from->data,
                                  (size_t)wf_tensor_count(from) * sizeof(wf_real)));
        keep[order[k]] = to;
    }
    size_t kept = g->mem.used;
    g->mem.used = used;
    wf_arena_release(&g->mem, kept);
}

void wf_tape_release(struct wf_tape *g, struct wf_mark mark, struct wf_tensor **keep, int n)
{
    if (g->recording || g->error.status != WF_OK) return;
    WF_CHECK(n <= WF_MAXKEEP);
    for (int i = 0; i < n; i++)
        if (!wf_tensor_contiguous(keep[i])) {
            struct wf_tensor *c = wf_tape_new(g, keep[i]->ndim, keep[i]->shape);
            WF_RUN(g, wfk_copy(g->be, c, keep[i], false));
            keep[i] = c;
        }
    if (g->error.status == WF_OK) release(g, mark, keep, n);
}
