/* shape.c - views, joining, gathering, the k largest, sums over axes, softmax. */
#include <stdarg.h>
#include "autograd/ops_private.h"

int wf_axis(struct wf_tape *g, const char *op, const struct wf_tensor *x, int axis)
{
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return -1;
    int a = axis < 0 ? axis + x->ndim : axis;
    if (a >= 0 && a < x->ndim) return a;
    wf_tape_fail(g, WF_EINVAL, "%s: %s has no axis %d", op, wf_tensor_shape_text(x, text), axis);
    return -1;
}

struct wf_tensor *wf_slice(struct wf_tape *g, struct wf_tensor *x, int axis, int from, int to)
{
    char text[WF_SHAPE_TEXT];
    int a = wf_axis(g, "slice", x, axis);
    if (a < 0) return &g->poison;
    if (from < 0 || from >= to || to > x->shape[a])
        return wf_tape_fail(g, WF_EINVAL, "slice: %s has no range %d..%d on axis %d",
                            wf_tensor_shape_text(x, text), from, to, axis);
    return wf_tape_view(g, wf_view_slice(x, a, from, to));
}

struct wf_tensor *wf_select(struct wf_tape *g, struct wf_tensor *x, int axis, int i)
{
    char text[WF_SHAPE_TEXT];
    int a = wf_axis(g, "select", x, axis);
    if (a < 0) return &g->poison;
    if (i < 0 || i >= x->shape[a])
        return wf_tape_fail(g, WF_EINVAL, "select: %s has no index %d on axis %d",
                            wf_tensor_shape_text(x, text), i, axis);
    return wf_tape_view(g, wf_view_select(x, a, i));
}

static struct wf_tensor *permute(struct wf_tape *g, struct wf_tensor *x, const int *axes)
{
    char text[WF_SHAPE_TEXT];
    unsigned seen = 0;
    for (int i = 0; i < x->ndim; i++)
        if (axes[i] >= 0 && axes[i] < x->ndim) seen |= 1u << axes[i];
    if (seen != (1u << x->ndim) - 1)
        return wf_tape_fail(g, WF_EINVAL, "permute: the axes are no order of 0..%d of %s",
                            x->ndim - 1, wf_tensor_shape_text(x, text));
    return wf_tape_view(g, wf_view_permute(x, axes));
}

struct wf_tensor *wf_permute(struct wf_tape *g, struct wf_tensor *x, ...)
{
    int axes[WF_MAXDIM];
    va_list ap;
    if (g->error.status != WF_OK) return &g->poison;
    va_start(ap, x);
    for (int i = 0; i < x->ndim; i++) axes[i] = va_arg(ap, int);
    va_end(ap);
    return permute(g, x, axes);
}

static void copy_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad_fresh(g, n->in[0]);
    if (dx) WF_RUN(g, wfk_copy(g->be, dx, n->out->grad, wf_grad_claim(dx)));
}

struct wf_tensor *wf_contiguous(struct wf_tape *g, struct wf_tensor *x)
{
    static const struct wf_op op = { "contiguous", copy_vjp };
    if (g->error.status != WF_OK || wf_tensor_contiguous(x)) return x;
    struct wf_tensor *y = wf_tape_new(g, x->ndim, x->shape);
    WF_RUN(g, wfk_copy(g->be, y, x, false));
    return wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { x } });
}

struct wf_tensor *wf_reshape(struct wf_tape *g, struct wf_tensor *x, int ndim, const int *shape)
{
    char from[WF_SHAPE_TEXT], to[WF_SHAPE_TEXT];
    struct wf_tensor want = { 0 }, view;
    if (g->error.status != WF_OK) return &g->poison;
    wf_tensor_shape(&want, ndim, shape);
    ptrdiff_t have = wf_tensor_count(x), rest = 1;
    int open = -1;
    for (int i = 0; i < ndim; i++)
        if (shape[i] < 0)
            open = i;
        else
            rest *= shape[i];
    if (open >= 0 && rest > 0) want.shape[open] = (int)(have / rest);
    if (wf_tensor_count(&want) != have)
        return wf_tape_fail(g, WF_EINVAL, "reshape: %s does not fit %s",
                            wf_tensor_shape_text(x, from), wf_tensor_shape_text(&want, to));
    if (!wf_view_reshape(&view, x, ndim, want.shape)) {
        x = wf_contiguous(g, x);
        if (g->error.status != WF_OK) return &g->poison;
        WF_CHECK(wf_view_reshape(&view, x, ndim, want.shape));
    }
    return wf_tape_view(g, view);
}

struct wf_tensor *wf_unsqueeze(struct wf_tape *g, struct wf_tensor *x, int axis)
{
    if (g->error.status != WF_OK) return &g->poison;
    int a = axis < 0 ? axis + x->ndim + 1 : axis, shape[WF_MAXDIM];
    if (a < 0 || a > x->ndim || x->ndim == WF_MAXDIM) {
        char text[WF_SHAPE_TEXT];
        return wf_tape_fail(g, WF_EINVAL, "unsqueeze: no axis %d for %s", axis,
                            wf_tensor_shape_text(x, text));
    }
    for (int i = 0; i <= x->ndim; i++)
        shape[i] = i < a ? x->shape[i] : i == a ? 1 : x->shape[i - 1];
    return wf_reshape(g, x, x->ndim + 1, shape);
}

static void expand_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad_fresh(g, n->in[0]);
    if (dx) wf_unbroadcast(g, dx, n->out->grad, 1);
}

/* This makes a copy: a view in which two elements share an address could not share the gradient of
 * its base. */
struct wf_tensor *wf_expand(struct wf_tape *g, struct wf_tensor *x, int ndim, const int *shape)
{
    static const struct wf_op op = { "expand", expand_vjp };
    struct wf_tensor want = { 0 }, view;
    if (g->error.status != WF_OK) return &g->poison;
    wf_tensor_shape(&want, ndim, shape);
    if (!wf_view_broadcast(&view, x, ndim, shape))
        return wf_shape_error(g, op.name, x, &want, "the shapes do not broadcast");
    struct wf_tensor *y = wf_tape_new(g, ndim, shape);
    WF_RUN(g, wfk_copy(g->be, y, &view, false));
    return wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { x } });
}

/* ---- joining ----
 * There is one node per part, all with the same output. */

static void part_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad_fresh(g, n->in[0]);
    if (!dx) return;
    int axis = n->i[0], from = n->i[1];
    struct wf_tensor dy = wf_view_slice(n->out->grad, axis, from, from + n->in[0]->shape[axis]);
    WF_RUN(g, wfk_copy(g->be, dx, &dy, wf_grad_claim(dx)));
}

static void put_part(struct wf_tape *g, struct wf_tensor *y, struct wf_tensor *x, int axis,
                     int from)
{
    static const struct wf_op op = { "concat", part_vjp };
    if (g->error.status != WF_OK) return;
    struct wf_tensor at = wf_view_slice(y, axis, from, from + x->shape[axis]);
    WF_RUN(g, wfk_copy(g->be, &at, x, false));
    wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { x }, .i = { axis, from } });
}

struct wf_tensor *wf_concat_n(struct wf_tape *g, struct wf_tensor *const *x, int n, int axis)
{
    if (n < 1) return wf_tape_fail(g, WF_EINVAL, "concat: no tensors");
    int a = wf_axis(g, "concat", x[0], axis), shape[WF_MAXDIM], total = 0;
    if (a < 0) return &g->poison;
    for (int k = 0; k < n; k++) {
        if (x[k]->ndim != x[0]->ndim)
            return wf_shape_error(g, "concat", x[0], x[k], "another number of axes");
        for (int i = 0; i < x[0]->ndim; i++)
            if (i != a && x[k]->shape[i] != x[0]->shape[i])
                return wf_shape_error(g, "concat", x[0], x[k], "differ on another axis");
        total += x[k]->shape[a];
    }
    for (int i = 0; i < x[0]->ndim; i++) shape[i] = i == a ? total : x[0]->shape[i];
    struct wf_tensor *y = wf_tape_new(g, x[0]->ndim, shape);
    for (int k = 0, from = 0; k < n && g->error.status == WF_OK; from += x[k++]->shape[a])
        put_part(g, y, x[k], a, from);
    return g->error.status == WF_OK ? y : &g->poison;
}

struct wf_tensor *wf_concat(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b)
{
    return wf_concat_n(g, (struct wf_tensor *const[]){ a, b }, 2, -1);
}

struct wf_tensor *wf_stack(struct wf_tape *g, struct wf_tensor *const *x, int n, int axis)
{
    if (n < 1) return wf_tape_fail(g, WF_EINVAL, "stack: no tensors");
    if (g->error.status != WF_OK) return &g->poison;
    int a = axis < 0 ? axis + x[0]->ndim + 1 : axis, shape[WF_MAXDIM];
    for (int k = 1; k < n; k++)
        if (!wf_tensor_same_shape(x[0], x[k]))
            return wf_shape_error(g, "stack", x[0], x[k], "must be equal");
    struct wf_tensor *first = wf_unsqueeze(g, x[0], a);
    if (g->error.status != WF_OK) return &g->poison;
    for (int i = 0; i < first->ndim; i++) shape[i] = i == a ? n : first->shape[i];
    struct wf_tensor *y = wf_tape_new(g, first->ndim, shape);
    put_part(g, y, first, a, 0);
    for (int k = 1; k < n; k++) put_part(g, y, wf_unsqueeze(g, x[k], a), a, k);
    return g->error.status == WF_OK ? y : &g->poison;
}

static void take_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad(g, n->in[0]);
    if (!dx) return;
    struct wf_tensor *t = dx;
    if (!wf_tensor_contiguous(dx)) {
        t = wf_tape_temp(g, dx->ndim, dx->shape);
        WF_RUN(g, wfk_fill(g->be, t, 0));
    }
    WF_RUN(g, wfk_take_bwd(g->be, t, n->out->grad, n->ptr));
    if (t == dx) return;
    WF_RUN(g, wfk_copy(g->be, dx, t, true));
    wf_tape_drop(g, t);
}

struct wf_tensor *wf_take(struct wf_tape *g, struct wf_tensor *x, const struct wf_index *ix)
{
    static const struct wf_op op = { "take", take_vjp };
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim < 1 || x->shape[0] != ix->range)
        return wf_tape_fail(g, WF_EINVAL, "take: the index list is for %d rows, x is %s", ix->range,
                            wf_tensor_shape_text(x, text));
    int shape[WF_MAXDIM];
    for (int i = 0; i < x->ndim; i++) shape[i] = i ? x->shape[i] : ix->n;
    x = wf_contiguous(g, x);
    struct wf_tensor *y = wf_tape_new(g, x->ndim, shape);
    WF_RUN(g, wfk_take(g->be, y, x, ix));
    return wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { x }, .ptr = ix });
}

/* ---- choices made by the data ---- */

/* Returns x with its leading axes joined, as [B, a, b] or [B, a]; the last `trailing` axes stay. */
static struct wf_tensor *join_leading(struct wf_tape *g, struct wf_tensor *x, int trailing)
{
    int shape[WF_MAXDIM] = { 1 }, lead = x->ndim - trailing;
    for (int i = 0; i < lead; i++) shape[0] *= x->shape[i];
    for (int i = 0; i < trailing; i++) shape[1 + i] = x->shape[lead + i];
    return wf_reshape(g, x, 1 + trailing, shape);
}

struct wf_tensor *wf_topk(struct wf_tape *g, struct wf_tensor *x, int k)
{
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return &g->poison;
    int ndim = x->ndim, shape[WF_MAXDIM];
    if (ndim < 1 || k < 1 || k > x->shape[ndim - 1] || x->shape[ndim - 1] > 1 << 24)
        return wf_tape_fail(g, WF_EINVAL,
                            "topk: the %d largest of %s: want 1 to N <= 2^24 of [.., N]", k,
                            wf_tensor_shape_text(x, text));
    for (int i = 0; i < ndim; i++) shape[i] = i < ndim - 1 ? x->shape[i] : k;
    x = join_leading(g, x, 1);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *idx = wf_tape_new(g, 2, wf_dims(x->shape[0], k));
    WF_RUN(g, wfk_topk(g->be, idx, x));
    return wf_reshape(g, idx, ndim, shape);
}

static void pick_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad(g, n->in[0]);
    if (dx) WF_RUN(g, wfk_pick_bwd(g->be, dx, n->out->grad, n->in[1]));
}

struct wf_tensor *wf_pick(struct wf_tape *g, struct wf_tensor *x, struct wf_tensor *idx)
{
    static const struct wf_op op = { "pick", pick_vjp };
    if (g->error.status != WF_OK) return &g->poison;
    int ndim = x->ndim, shape[WF_MAXDIM];
    bool ok = ndim >= 2 && idx->ndim == ndim - 1;
    for (int i = 0; i < ndim && ok; i++) {
        shape[i] = i < ndim - 1 ? idx->shape[i] : x->shape[i];
        ok = i >= ndim - 2 || idx->shape[i] == x->shape[i];
    }
    if (!ok) return wf_shape_error(g, op.name, x, idx, "want [.., N, C] and [.., K]");
    x = join_leading(g, x, 2);
    idx = join_leading(g, idx, 1);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *y = wf_tape_new(g, 3, wf_dims(x->shape[0], shape[ndim - 2], x->shape[2]));
    WF_RUN(g, wfk_pick(g->be, y, x, idx));
    wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { x, idx } });
    return wf_reshape(g, y, ndim, shape);
}

static void scatter_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dy = wf_tape_grad_fresh(g, n->in[0]);
    if (!dy) return;
    struct wf_tensor *rows = wf_tape_temp(g, dy->ndim, dy->shape);
    WF_RUN(g, wfk_pick(g->be, rows, n->out->grad, n->in[1]));
    WF_RUN(g, wfk_affine(g->be, dy, rows, 1, 0, wf_grad_claim(dy)));
    wf_tape_drop(g, rows);
}

struct wf_tensor *wf_scatter(struct wf_tape *g, struct wf_tensor *y, struct wf_tensor *idx, int N)
{
    static const struct wf_op op = { "scatter", scatter_vjp };
    if (g->error.status != WF_OK) return &g->poison;
    int ndim = y->ndim, shape[WF_MAXDIM];
    bool ok = ndim >= 2 && idx->ndim == ndim - 1 && idx->shape[ndim - 2] <= N;
    for (int i = 0; i < ndim && ok; i++) {
        shape[i] = i == ndim - 2 ? N : y->shape[i];
        ok = i == ndim - 1 || idx->shape[i] == y->shape[i];
    }
    if (!ok) return wf_shape_error(g, op.name, y, idx, "want [.., K, C] and [.., K], K up to N");
    y = join_leading(g, y, 2);
    idx = join_leading(g, idx, 1);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *x = wf_zeros(g, 3, wf_dims(y->shape[0], N, y->shape[2]));
    WF_RUN(g, wfk_pick_bwd(g->be, x, y, idx));
    wf_tape_record(g, (struct wf_node){ .op = &op, .out = x, .in = { y, idx } });
    return wf_reshape(g, x, ndim, shape);
}

static void lookup_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *d = wf_tape_grad(g, n->in[0]);
    if (d) WF_RUN(g, wfk_lookup_bwd(g->be, d, n->out->grad, n->in[1], n->r[0]));
}

struct wf_tensor *wf_lookup(struct wf_tape *g, struct wf_tensor *table, struct wf_tensor *x,
                            double scale)
{
    static const struct wf_op op = { "lookup", lookup_vjp };
    int shape[WF_MAXDIM];
    if (g->error.status != WF_OK) return &g->poison;
    if (table->ndim != 2 || x->ndim >= WF_MAXDIM)
        return wf_shape_error(g, op.name, table, x, "want a table [n, D] and numbers [..]");
    for (int i = 0; i < x->ndim; i++) shape[i] = x->shape[i];
    shape[x->ndim] = table->shape[1];
    table = wf_contiguous(g, table);
    x = wf_contiguous(g, x);
    struct wf_tensor *y = wf_tape_new(g, x->ndim + 1, shape);
    WF_RUN(g, wfk_lookup(g->be, y, table, x, scale));
    return wf_tape_record(
        g, (struct wf_node){ .op = &op, .out = y, .in = { table, x }, .r = { scale } });
}

/* ---- reductions ---- */

static void sum_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad_fresh(g, n->in[0]), dy;
    if (!dx) return;
    WF_CHECK(wf_view_broadcast(&dy, n->out->grad, dx->ndim, dx->shape));
    WF_RUN(g, wfk_affine(g->be, dx, &dy, n->r[0], 0, wf_grad_claim(dx)));
}

static struct wf_tensor *sum_to(struct wf_tape *g, struct wf_tensor *x, const int *shape,
                                double scale)
{
    static const struct wf_op op = { "sum", sum_vjp };
    struct wf_tensor *y = wf_tape_new(g, x->ndim, shape);
    WF_RUN(g, wfk_sum(g->be, y, x, scale, false));
    return wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { x }, .r = { scale } });
}

static struct wf_tensor *reduce(struct wf_tape *g, struct wf_tensor *x, int axis, bool keep,
                                bool mean)
{
    int a = wf_axis(g, mean ? "mean" : "sum", x, axis), shape[WF_MAXDIM], kept[WF_MAXDIM], n = 0;
    if (a < 0) return &g->poison;
    for (int i = 0; i < x->ndim; i++) {
        shape[i] = i == a ? 1 : x->shape[i];
        if (i != a) kept[n++] = x->shape[i];
    }
    struct wf_tensor *y = sum_to(g, x, shape, mean ? 1.0 / x->shape[a] : 1);
    return keep ? y : wf_reshape(g, y, n, kept);
}

struct wf_tensor *wf_sum(struct wf_tape *g, struct wf_tensor *x, int axis, bool keep)
{
    return reduce(g, x, axis, keep, false);
}

struct wf_tensor *wf_mean(struct wf_tape *g, struct wf_tensor *x, int axis, bool keep)
{
    return reduce(g, x, axis, keep, true);
}

static struct wf_tensor *reduce_all(struct wf_tape *g, struct wf_tensor *x, double scale)
{
    static const int ones[WF_MAXDIM] = { 1, 1, 1, 1, 1, 1 };
    if (g->error.status != WF_OK) return &g->poison;
    return wf_reshape(g, sum_to(g, x, ones, scale), 1, ones);
}

struct wf_tensor *wf_sum_all(struct wf_tape *g, struct wf_tensor *x)
{
    return reduce_all(g, x, 1);
}

struct wf_tensor *wf_mean_all(struct wf_tape *g, struct wf_tensor *x)
{
    return reduce_all(g, x, 1.0 / (double)wf_tensor_count(x));
}

/* Compares one half with the other until one element is left; the halves of an odd number share the
 * element in the middle. */
struct wf_tensor *wf_max_all(struct wf_tape *g, struct wf_tensor *x)
{
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return &g->poison;
    int n = (int)wf_tensor_count(x);
    if (n == 0)
        return wf_tape_fail(g, WF_EINVAL, "max_all: %s has no elements",
                            wf_tensor_shape_text(x, text));
    x = wf_reshape(g, x, 1, &n);
    for (int half; n > 1; n = half) {
        half = (n + 1) / 2;
        x = wf_max(g, wf_slice(g, x, 0, 0, half), wf_slice(g, x, 0, n - half, n));
    }
    return x;
}

static void softmax_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad_fresh(g, n->in[0]);
    if (dx) WF_RUN(g, wfk_softmax_bwd(g->be, dx, n->out, n->out->grad));
}

struct wf_tensor *wf_softmax(struct wf_tape *g, struct wf_tensor *x, int axis)
{
    static const struct wf_op op = { "softmax", softmax_vjp };
    int a = wf_axis(g, "softmax", x, axis), axes[WF_MAXDIM];
    if (a < 0) return &g->poison;
    for (int i = 0; i < x->ndim; i++) axes[i] = i == a ? x->ndim - 1 : i == x->ndim - 1 ? a : i;
    x = permute(g, x, axes);
    struct wf_tensor *y = wf_tape_new(g, x->ndim, x->shape);
    WF_RUN(g, wfk_softmax(g->be, y, x));
    wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { x } });
    return g->error.status == WF_OK ? permute(g, y, axes) : &g->poison;
}

/* Cuts n rows of a one and n zeros each to n * n elements. */
struct wf_tensor *wf_identity(struct wf_tape *g, int n)
{
    struct wf_tensor *row =
        wf_concat(g, wf_full(g, 1, 2, wf_dims(n, 1)), wf_zeros(g, 2, wf_dims(n, n)));
    struct wf_tensor *flat = wf_reshape(g, row, 1, wf_dims(-1));
    return wf_reshape(g, wf_slice(g, flat, 0, 0, n * n), 2, wf_dims(n, n));
}
