/* fresh.c - gradients that are overwritten at first use, not filled with zeros and then added to.
 *
 * New gradient memory holds garbage. The part of it that no vjp has asked for yet is its view
 * `untouched`; the part that the vjp at hand was given but has not written yet is `fresh`. An
 * example: x [2, 4] was read by the slices a = x[:, 0:1] and b = x[:, 1:4], and the sweep comes to
 * the last of them first (u: untouched, f: fresh, w: written):
 *
 *     the gradient dx is new              u u u u
 *                                         u u u u
 *     the vjp of b asks for dx[:, 1:4]    u f f f    the slice lies at an end of what is untouched
 *                                         u f f f
 *     and overwrites it                   u w w w    as wf_grad_claim() tells the vjp to do
 *                                         u w w w
 *     the vjp of a asks for dx[:, 0:1]    f w w w    nothing is untouched any more: NULL
 *                                         f w w w
 *     and overwrites it                   w w w w    no element was ever filled with zeros
 *                                         w w w w
 *
 * So slices that are asked for in their order, up or down, use the gradient up. What is untouched
 * is filled with zeros when a vjp asks for anything else (the middle first, a transpose, a plain
 * wf_tape_grad()) and before the gradient is read. What is fresh is filled when its vjp asks for it
 * again, or returns without having written it. */
#include <limits.h>
#include "autograd/tape_private.h"

/* wf_grad_claim() is true of what has been written. */
static void zero_if_unwritten(struct wf_tape *g, struct wf_tensor *d)
{
    if (!wf_grad_claim(d)) WF_RUN(g, wfk_fill(g->be, d, 0));
}

void wf_tape_zero_untouched(struct wf_tape *g, struct wf_tensor *whole)
{
    if (whole->untouched) WF_RUN(g, wfk_fill(g->be, whole->untouched, 0));
    whole->untouched = NULL;
}

void wf_tape_zero_fresh(struct wf_tape *g, const struct wf_tensor *whole)
{
    int still = 0;
    for (int i = 0; i < g->fresh_count; i++) {
        struct wf_tensor *d = g->fresh[i];
        if (!whole || (d->data >= whole->data && d->data < whole->data + wf_tensor_count(whole)))
            zero_if_unwritten(g, d);
        if (d->fresh) g->fresh[still++] = d;
    }
    g->fresh_count = still;
}

/* What a slice along an axis takes of a contiguous tensor: elements [from, to) of each `period`. */
struct slab {
    ptrdiff_t period, from, to;
};

/* Describes d, a view of `whole`, as a slab; returns false when it is none. */
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

/* Hands out d, a view of `whole`, as fresh, and shrinks the untouched part by it. A d that lies
 * beside the untouched part was handed out before and stays as it is. Returns false where d is no
 * slice at an end of the untouched part; the caller then fills that with zeros. */
static bool hand_out_fresh(struct wf_tensor *whole, struct wf_tensor *d)
{
    struct slab s;
    struct wf_tensor *untouched = whole->untouched;
    if (wf_tensor_count(d) == 0 || !slab_of(&s, d, whole)) return false;
    ptrdiff_t count = wf_tensor_count(whole);
    if (wf_tensor_count(untouched) == count) {
        untouched->ndim = 2;
        untouched->shape[0] = (int)(count / s.period);
        untouched->shape[1] = (int)s.period;
        untouched->stride[0] = s.period;
        untouched->stride[1] = 1;
    }
    ptrdiff_t from = untouched->data - whole->data, to = from + untouched->shape[1];
    if (untouched->stride[0] != s.period) return false;
    if (s.to <= from || s.from >= to) return true;
    if (s.from < from || s.to > to || (s.from > from && s.to < to)) return false;
    if (s.from == from) untouched->data += s.to - s.from;
    untouched->shape[1] -= (int)(s.to - s.from);
    if (untouched->shape[1] == 0) whole->untouched = NULL;
    d->fresh = true;
    return true;
}

/* The gradient of t, a view of `root` whose gradient is `whole`: the same view of `whole`. */
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

/* A gradient for t, all of it untouched. */
static struct wf_tensor *new_grad(struct wf_tape *g, const struct wf_tensor *t)
{
    struct wf_tensor *d = wf_tape_temp(g, t->ndim, t->shape), *untouched = wf_tape_view(g, *d);
    if (g->error.status != WF_OK) return NULL;
    d->untouched = untouched;
    return d;
}

/* The gradient of a view is part of the gradient of its root, the tensor that is no view. */
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
    wf_tape_zero_fresh(g, whole);
    fresh = fresh && g->fresh_count < WF_MAXIN;
    if (whole->untouched && !(fresh && hand_out_fresh(whole, d))) wf_tape_zero_untouched(g, whole);
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
