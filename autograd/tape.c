#include "autograd/tape.h"
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tensor/alloc.h"

/* A growing array whose items keep their addresses. */
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
    *g = (struct wf_tape){ 0 };
}

void wf_tape_reset(struct wf_tape *g)
{
    wf_arena_release(&g->mem, 0);
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

/* ---- gradients that are not filled with zeros only to be added to ----
 * Of new gradient memory everything is `rest`. A vjp that can overwrite is given what it asks for
 * out of the rest, fresh, if that is a slice at an end of it; so slices that are asked for in their
 * order, up or down, use it up. In any other case, and before the gradient is read, the rest is
 * filled. */

static void settle(struct wf_tape *g, struct wf_tensor *d)
{
    if (!wf_grad_claim(d)) WF_RUN(g, wfk_fill(g->be, d, 0));
}

static void settle_rest(struct wf_tape *g, struct wf_tensor *whole)
{
    if (whole->rest) WF_RUN(g, wfk_fill(g->be, whole->rest, 0));
    whole->rest = NULL;
}

/* What the vjp at hand was given fresh and has not written: all, or what lies in `whole`. */
static void settle_given(struct wf_tape *g, const struct wf_tensor *whole)
{
    int still = 0;
    for (int i = 0; i < g->fresh_count; i++) {
        struct wf_tensor *d = g->fresh[i];
        if (!whole || (d->data >= whole->data && d->data < whole->data + wf_tensor_count(whole)))
            settle(g, d);
        if (d->fresh) g->fresh[still++] = d;
    }
    g->fresh_count = still;
}

/* Elements [from, to) of every `period` of a contiguous tensor, which is what a slice along an axis
 * takes; false when d, a view of `whole`, is no such part of it. */
struct slab {
    ptrdiff_t period, from, to;
};

static bool slab_of(struct slab *s, const struct wf_tensor *d, const struct wf_tensor *whole)
{
    ptrdiff_t n = 1, count = wf_tensor_count(whole);
    int i = d->ndim - 1;
    for (; i >= 0 && (d->shape[i] == 1 || d->stride[i] == n); i--) n *= d->shape[i];
    s->period = i < 0 ? count : d->stride[i];
    s->from = d->data - whole->data;
    s->to = s->from + n;
    for (n = s->period; i >= 0; i--) {
        if (d->shape[i] != 1 && d->stride[i] != n) return false;
        n *= d->shape[i];
    }
    return n == count && s->to <= s->period && s->period <= INT_MAX && n / s->period <= INT_MAX;
}

/* Gives d, fresh, out of the rest of `whole`; false where it is not at an end of it. What lies
 * beside the rest was given before. */
static bool give(struct wf_tensor *whole, struct wf_tensor *d)
{
    struct slab s;
    struct wf_tensor *rest = whole->rest;
    if (wf_tensor_count(d) == 0 || !slab_of(&s, d, whole)) return false;
    ptrdiff_t count = wf_tensor_count(whole);
    if (wf_tensor_count(rest) == count) {
        rest->ndim = 2;
        rest->shape[0] = (int)(count / s.period);
        rest->shape[1] = (int)s.period;
        rest->stride[0] = s.period;
        rest->stride[1] = 1;
    }
    ptrdiff_t from = rest->data - whole->data, to = from + rest->shape[1];
    if (rest->stride[0] != s.period) return false;
    if (s.to <= from || s.from >= to) return true;
    if (s.from < from || s.to > to || (s.from > from && s.to < to)) return false;
    if (s.from == from) rest->data += s.to - s.from;
    rest->shape[1] -= (int)(s.to - s.from);
    if (rest->shape[1] == 0) whole->rest = NULL;
    d->fresh = true;
    return true;
}

/* t's part of the gradient `whole` of its root. */
static struct wf_tensor *part_of(struct wf_tape *g, const struct wf_tensor *whole,
                                 const struct wf_tensor *t, const struct wf_tensor *root)
{
    WF_CHECK(wf_tensor_contiguous(root));
    struct wf_tensor *d = wf_tape_view(g, *t);
    if (g->error.status != WF_OK) return NULL;
    d->data = whole->data + (t->data - root->data);
    d->base = NULL;
    d->needs_grad = false;
    return d;
}

static struct wf_tensor *new_grad(struct wf_tape *g, const struct wf_tensor *t)
{
    struct wf_tensor *d = wf_tape_temp(g, t->ndim, t->shape), *rest = wf_tape_view(g, *d);
    if (g->error.status != WF_OK) return NULL;
    d->rest = rest;
    return d;
}

static struct wf_tensor *grad_of(struct wf_tape *g, struct wf_tensor *t, bool fresh)
{
    if (!t || !t->needs_grad || g->error.status != WF_OK) return NULL;
    struct wf_tensor *root = t;
    while (root->base) root = root->base;
    if (!root->needs_grad) return NULL;
    struct wf_tensor *whole = root->grad ? root->grad : new_grad(g, root), *d = t->grad;
    if (whole && !d) d = t == root ? whole : part_of(g, whole, t, root);
    if (g->error.status != WF_OK) return NULL;
    root->grad = whole;
    t->grad = d;
    settle_given(g, whole);
    fresh = fresh && g->fresh_count < WF_MAXIN;
    if (whole->rest && !(fresh && give(whole, d))) settle_rest(g, whole);
    if (d->fresh) g->fresh[g->fresh_count++] = d;
    return g->error.status == WF_OK ? d : NULL;
}

struct wf_tensor *wf_tape_grad(struct wf_tape *g, struct wf_tensor *t)
{
    return grad_of(g, t, false);
}

struct wf_tensor *wf_tape_grad_fresh(struct wf_tape *g, struct wf_tensor *t)
{
    return grad_of(g, t, true);
}

/* Nodes that write parts of one output follow each other; its gradient is given back after the last
 * of them. Leaves (parameters, inputs) are no node's output and keep theirs. */
void wf_tape_sweep(struct wf_tape *g)
{
    for (ptrdiff_t i = g->nodes->n - 1; i >= 0 && g->error.status == WF_OK; i--) {
        const struct wf_node *n = chunks_at(g->nodes, i);
        if (!n->out->grad) continue;
        settle_rest(g, n->out->grad);
        n->op->vjp(g, n);
        settle_given(g, NULL);
        if (i > 0 && ((const struct wf_node *)chunks_at(g->nodes, i - 1))->out == n->out) continue;
        wf_tape_drop(g, n->out->grad);
        n->out->grad = NULL;
    }
    for (ptrdiff_t i = 0; i < g->tensors->n; i++) settle_rest(g, chunks_at(g->tensors, i));
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

/* Kept blocks move down in the order of their addresses, so none overwrites one yet to move. */
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
    g->mem.used = mark.used; /* not released before the last of them has been read */
    g->tensors->n = mark.tensors;
    for (int k = 0; k < n; k++) {
        struct wf_tensor *from = &old[order[k]];
        bool before = (char *)from->data < g->mem.base + mark.used; /* stays; its header may not */
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
