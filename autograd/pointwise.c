/* pointwise.c - elementwise ops. */
#include "autograd/ops_private.h"

struct wf_tensor *wf_shape_error(struct wf_tape *g, const char *op, const struct wf_tensor *a,
                                 const struct wf_tensor *b, const char *why)
{
    char ta[WF_SHAPE_TEXT], tb[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return &g->poison;
    return wf_tape_fail(g, WF_EINVAL, "%s: %s and %s: %s", op, wf_tensor_shape_text(a, ta),
                        wf_tensor_shape_text(b, tb), why);
}

struct wf_tensor *wf_full(struct wf_tape *g, double value, int ndim, const int *shape)
{
    struct wf_tensor *t = wf_tape_new(g, ndim, shape);
    WF_RUN(g, wfk_fill(g->be, t, value));
    return t;
}

struct wf_tensor *wf_zeros(struct wf_tape *g, int ndim, const int *shape)
{
    return wf_full(g, 0, ndim, shape);
}

struct wf_tensor *wf_input(struct wf_tape *g, const wf_real *host, int ndim, const int *shape)
{
    struct wf_tensor *t = wf_tape_new(g, ndim, shape);
    WF_RUN(g, wf_tensor_upload(t, host));
    return t;
}

/* ---- one operand ---- */

static void unary_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad_fresh(g, n->in[0]);
    if (dx)
        WF_RUN(g, wfk_unary_bwd(g->be, (enum wf_unary)n->i[0], dx, n->in[0], n->out, n->out->grad));
}

static struct wf_tensor *unary(struct wf_tape *g, const struct wf_op *op, enum wf_unary f,
                               struct wf_tensor *x)
{
    struct wf_tensor *y = wf_tape_new(g, x->ndim, x->shape);
    WF_RUN(g, wfk_unary(g->be, f, y, x));
    return wf_tape_record(g, (struct wf_node){ .op = op, .out = y, .in = { x }, .i = { (int)f } });
}

#define UNARY(name, f)                                                                             \
    struct wf_tensor *wf_##name(struct wf_tape *g, struct wf_tensor *x)                            \
    {                                                                                              \
        static const struct wf_op op = { #name, unary_vjp };                                       \
        return unary(g, &op, f, x);                                                                \
    }
UNARY(sigmoid, WF_SIGMOID)
UNARY(tanh, WF_TANH)
UNARY(relu, WF_RELU)
UNARY(exp, WF_EXP)
UNARY(log, WF_LOG)
UNARY(sqrt, WF_SQRT)
UNARY(square, WF_SQUARE)
UNARY(abs, WF_ABS)
UNARY(recip0, WF_RECIP0)
UNARY(rsqrt0, WF_RSQRT0)
#undef UNARY

static void affine_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad_fresh(g, n->in[0]);
    if (dx) WF_RUN(g, wfk_affine(g->be, dx, n->out->grad, n->r[0], 0, wf_grad_claim(dx)));
}

struct wf_tensor *wf_affine(struct wf_tape *g, struct wf_tensor *x, double scale, double shift)
{
    static const struct wf_op op = { "affine", affine_vjp };
    struct wf_tensor *y = wf_tape_new(g, x->ndim, x->shape);
    WF_RUN(g, wfk_affine(g->be, y, x, scale, shift, false));
    return wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { x }, .r = { scale } });
}

/* At 0 the first operand of max gets the gradient, so that the derivative there is the slope. */
struct wf_tensor *wf_leaky_relu(struct wf_tape *g, struct wf_tensor *x, double slope)
{
    if (!(slope >= 0 && slope <= 1))
        return wf_tape_fail(g, WF_EINVAL, "leaky_relu: slope %g is outside [0, 1]", slope);
    return wf_max(g, wf_affine(g, x, slope, 0), x);
}

/* ---- two operands, broadcast ---- */

void wf_unbroadcast(struct wf_tape *g, struct wf_tensor *dx, const struct wf_tensor *dy,
                    double scale)
{
    struct wf_tensor v = *dx;
    int lead = dy->ndim - dx->ndim;
    v.ndim = dy->ndim;
    for (int i = 0; i < dy->ndim; i++) {
        v.shape[i] = i < lead ? 1 : dx->shape[i - lead];
        v.stride[i] = i < lead ? 0 : dx->stride[i - lead];
    }
    WF_RUN(g, wfk_sum(g->be, &v, dy, scale, wf_grad_claim(dx)));
}

bool wf_same_root(const struct wf_tensor *a, const struct wf_tensor *b)
{
    while (a->base) a = a->base;
    while (b->base) b = b->base;
    return a == b;
}

struct wf_tensor *wf_apart(struct wf_tape *g, struct wf_tensor *x, const struct wf_tensor *y)
{
    return y && wf_same_root(x, y) ? wf_affine(g, x, 1, 0) : x;
}

/* Returns whether the gradients of a and b may overlap without being one tensor: then one launch
 * must not write both. */
static bool overlap(const struct wf_tensor *a, const struct wf_tensor *b)
{
    return a != b && wf_same_root(a, b);
}

/* The gradient d[k] of an operand that was broadcast is first computed in the shape of y, in t[k],
 * and then summed; that of a sum or a difference is dy itself. */
static void binary_vjp(struct wf_tape *g, const struct wf_node *n)
{
    enum wf_binary f = (enum wf_binary)n->i[0];
    struct wf_tensor *y = n->out, v[2], *d[2], *t[2];
    for (int k = 0; k < 2; k++) wf_view_broadcast(&v[k], n->in[k], y->ndim, y->shape);
    for (int k = 0; k < 2; k++) d[k] = t[k] = wf_tape_grad_fresh(g, n->in[k]);
    for (int k = 0; k < 2; k++) {
        if (!d[k] || wf_tensor_same_shape(d[k], y)) continue;
        if (f == WF_ADD || f == WF_SUB) {
            wf_unbroadcast(g, d[k], y->grad, f == WF_SUB && k ? -1 : 1);
            d[k] = t[k] = NULL;
        } else {
            t[k] = wf_tape_temp(g, y->ndim, y->shape);
            t[k]->fresh = g->error.status == WF_OK;
        }
    }
    bool apart = overlap(n->in[0], n->in[1]);
    if (t[0] || (t[1] && !apart))
        WF_RUN(g, wfk_binary_bwd(g->be, f, t[0], apart ? NULL : t[1], &v[0], &v[1], y->grad));
    if (t[1] && apart) WF_RUN(g, wfk_binary_bwd(g->be, f, NULL, t[1], &v[0], &v[1], y->grad));
    for (int k = 0; k < 2; k++) {
        if (t[k] == d[k]) continue;
        wf_unbroadcast(g, d[k], t[k], 1);
        wf_tape_drop(g, t[k]);
    }
}

static struct wf_tensor *binary(struct wf_tape *g, const struct wf_op *op, enum wf_binary f,
                                struct wf_tensor *a, struct wf_tensor *b)
{
    if (g->error.status != WF_OK) return &g->poison;
    int ndim = a->ndim > b->ndim ? a->ndim : b->ndim, shape[WF_MAXDIM];
    for (int i = 0; i < ndim; i++) {
        int ia = i - (ndim - a->ndim), ib = i - (ndim - b->ndim);
        int na = ia < 0 ? 1 : a->shape[ia], nb = ib < 0 ? 1 : b->shape[ib];
        shape[i] = na == 1 ? nb : na;
    }
    struct wf_tensor va, vb;
    if (!wf_view_broadcast(&va, a, ndim, shape) || !wf_view_broadcast(&vb, b, ndim, shape))
        return wf_shape_error(g, op->name, a, b, "the shapes do not broadcast");
    struct wf_tensor *y = wf_tape_new(g, ndim, shape);
    WF_RUN(g, wfk_binary(g->be, f, y, &va, &vb));
    return wf_tape_record(g,
                          (struct wf_node){ .op = op, .out = y, .in = { a, b }, .i = { (int)f } });
}

#define BINARY(name, f)                                                                            \
    struct wf_tensor *wf_##name(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b)       \
    {                                                                                              \
        static const struct wf_op op = { #name, binary_vjp };                                      \
        return binary(g, &op, f, a, b);                                                            \
    }
BINARY(add, WF_ADD)
BINARY(sub, WF_SUB)
BINARY(mul, WF_MUL)
BINARY(div, WF_DIV)
BINARY(max, WF_MAX)
BINARY(min, WF_MIN)
#undef BINARY

static void lerp_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *da = wf_tape_grad_fresh(g, n->in[0]), *db = wf_tape_grad_fresh(g, n->in[1]);
    struct wf_tensor *dw = wf_tape_grad_fresh(g, n->in[2]);
    const struct wf_tensor *a = n->in[0], *b = n->in[1], *w = n->in[2], *dy = n->out->grad;
    if (!overlap(a, b) && !overlap(a, w) && !overlap(b, w)) {
        WF_RUN(g, wfk_lerp_bwd(g->be, da, db, dw, a, b, w, dy));
        return;
    }
    WF_RUN(g, wfk_lerp_bwd(g->be, da, NULL, NULL, a, b, w, dy));
    WF_RUN(g, wfk_lerp_bwd(g->be, NULL, db, NULL, a, b, w, dy));
    WF_RUN(g, wfk_lerp_bwd(g->be, NULL, NULL, dw, a, b, w, dy));
}

struct wf_tensor *wf_lerp(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b,
                          struct wf_tensor *w)
{
    static const struct wf_op op = { "lerp", lerp_vjp };
    if (!wf_tensor_same_shape(a, b)) return wf_shape_error(g, op.name, a, b, "must be equal");
    if (!wf_tensor_same_shape(a, w)) return wf_shape_error(g, op.name, a, w, "must be equal");
    struct wf_tensor *y = wf_tape_new(g, a->ndim, a->shape);
    WF_RUN(g, wfk_lerp(g->be, y, a, b, w));
    return wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { a, b, w } });
}

/* ---- random ---- */

static void dropout_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad_fresh(g, n->in[0]);
    if (dx)
        WF_RUN(g, wfk_dropout(g->be, dx, n->out->grad, n->r[0], g->step, (uint32_t)n->i[0],
                              wf_grad_claim(dx)));
}

struct wf_tensor *wf_dropout(struct wf_tape *g, struct wf_tensor *x, double p)
{
    static const struct wf_op op = { "dropout", dropout_vjp };
    if (!(p >= 0 && p < 1))
        return wf_tape_fail(g, WF_EINVAL, "dropout: rate %g is outside [0, 1)", p);
    uint32_t stream = ++g->stream;
    if (!g->training || p == 0) return x;
    struct wf_tensor *y = wf_tape_new(g, x->ndim, x->shape);
    WF_RUN(g, wfk_dropout(g->be, y, x, p, g->step, stream, false));
    return wf_tape_record(
        g, (struct wf_node){ .op = &op, .out = y, .in = { x }, .i = { (int)stream }, .r = { p } });
}

struct wf_tensor *wf_coin(struct wf_tape *g)
{
    uint32_t stream = ++g->stream;
    if (!g->training) return wf_zeros(g, 1, wf_dims(1));
    struct wf_tensor *y = wf_tape_new(g, 1, wf_dims(1));
    WF_RUN(g, wfk_coin(g->be, y, g->step, stream));
    return y;
}
