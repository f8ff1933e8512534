/* norm.c - batch and layer normalisation. */
#include "autograd/ops_private.h"

/* The node's inputs are x, w, b, running mean and variance, and stat; its i holds per_d and update,
 * its r eps. */
static struct wf_norm_in norm_in(const struct wf_node *n)
{
    return (struct wf_norm_in){ .x = n->in[0],
                                .w = n->in[1],
                                .b = n->in[2],
                                .mean = n->in[3],
                                .var = n->in[4],
                                .eps = n->r[0],
                                .per_d = n->i[0],
                                .update = n->i[1] };
}

static void standardize_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_norm_in in = norm_in(n);
    struct wf_tensor *dx = wf_tape_grad_fresh(g, n->in[0]), *dw = wf_tape_grad(g, n->in[1]);
    struct wf_tensor *db = wf_tape_grad(g, n->in[2]);
    WF_RUN(g, wfk_standardize_bwd(g->be, dx, dw, db, &in, n->in[5], n->out->grad));
}

/* Normalises in.x, which is [A, C, D]; returns y in the shape of x. */
static struct wf_tensor *standardize(struct wf_tape *g, struct wf_tensor *x, struct wf_tensor *w,
                                     struct wf_tensor *b, struct wf_norm_in in)
{
    static const struct wf_op op = { "standardize", standardize_vjp };
    if (w) w = wf_contiguous(g, w);
    if (b) b = wf_contiguous(g, b);
    int groups = x->shape[1] * (in.per_d ? x->shape[0] : 1);
    struct wf_tensor *y = wf_tape_new(g, 3, x->shape);
    struct wf_tensor *stat = wf_tape_new(g, 2, wf_dims(2, groups));
    in.x = x;
    in.w = w;
    in.b = b;
    WF_RUN(g, wfk_standardize(g->be, y, stat, &in));
    return wf_tape_record(g, (struct wf_node){ .op = &op,
                                               .out = y,
                                               .in = { x, w, b, in.mean, in.var, stat },
                                               .i = { in.per_d, in.update },
                                               .r = { in.eps } });
}

/* Returns x as a contiguous [A, C, D], where A joins the axes before `from` and D those from `to`
 * on. */
static struct wf_tensor *as_acd(struct wf_tape *g, struct wf_tensor *x, int from, int to)
{
    int shape[3] = { 1, 1, 1 };
    for (int i = 0; i < x->ndim; i++) shape[i < from ? 0 : i < to ? 1 : 2] *= x->shape[i];
    return wf_reshape(g, wf_contiguous(g, x), 3, shape);
}

static bool fits(struct wf_tape *g, const char *op, const struct wf_tensor *x,
                 const struct wf_tensor *w, int from, int to)
{
    if (g->error.status != WF_OK) return false;
    bool same = !w || w->ndim == to - from;
    for (int i = from; i < to && same && w; i++) same = w->shape[i - from] == x->shape[i];
    if (!same) wf_shape_error(g, op, x, w, "a weight, bias or running moment does not fit");
    return same;
}

struct wf_tensor *wf_batch_norm_op(struct wf_tape *g, struct wf_tensor *x, int axis,
                                   struct wf_tensor *w, struct wf_tensor *b,
                                   const struct wf_running *run)
{
    char text[WF_SHAPE_TEXT];
    const char *op = "batch_norm";
    int a = wf_axis(g, op, x, axis);
    if (a < 0 || !fits(g, op, x, w, a, a + 1) || !fits(g, op, x, b, a, a + 1) ||
        !fits(g, op, x, run->mean, a, a + 1) || !fits(g, op, x, run->var, a, a + 1))
        return &g->poison;
    if (g->training && wf_tensor_count(x) / x->shape[a] < 2)
        return wf_tape_fail(g, WF_EINVAL,
                            "batch_norm: %s has one number per channel of axis %d, want two",
                            wf_tensor_shape_text(x, text), axis);
    struct wf_norm_in in = { .mean = run->mean,
                             .var = run->var,
                             .count = run->count,
                             .eps = run->eps,
                             .momentum = run->momentum,
                             .update = g->training };
    int ndim = x->ndim, shape[WF_MAXDIM];
    for (int i = 0; i < ndim; i++) shape[i] = x->shape[i];
    x = as_acd(g, x, a, a + 1);
    if (g->error.status != WF_OK) return &g->poison;
    return wf_reshape(g, standardize(g, x, w, b, in), ndim, shape);
}

struct wf_tensor *wf_layer_norm_op(struct wf_tape *g, struct wf_tensor *x, int axes,
                                   struct wf_tensor *w, struct wf_tensor *b, double eps)
{
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return &g->poison;
    int ndim = x->ndim, shape[WF_MAXDIM];
    if (axes < 1 || axes > ndim)
        return wf_tape_fail(g, WF_EINVAL, "layer_norm: the last %d axes of %s", axes,
                            wf_tensor_shape_text(x, text));
    if (!fits(g, "layer_norm", x, w, ndim - axes, ndim) ||
        !fits(g, "layer_norm", x, b, ndim - axes, ndim))
        return &g->poison;
    for (int i = 0; i < ndim; i++) shape[i] = x->shape[i];
    x = as_acd(g, x, 0, ndim - axes);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_norm_in in = { .eps = eps, .per_d = true };
    return wf_reshape(g, standardize(g, x, w, b, in), ndim, shape);
}
