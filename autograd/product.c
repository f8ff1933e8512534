/* product.c - dense products. */
#include "autograd/ops_private.h"

/* Returns x [..] as a matrix [rows, cols] whose columns are the last axis of x. */
static struct wf_tensor *as_matrix(struct wf_tape *g, struct wf_tensor *x)
{
    return wf_reshape(g, x, 2, wf_dims(-1, x->shape[x->ndim - 1]));
}

/* Returns x [M, N] as the [1, M, N] that the gemm kernel takes. */
static struct wf_tensor grouped(const struct wf_tensor *x)
{
    struct wf_tensor v = *x;
    v.ndim = 3;
    v.shape[0] = 1;
    v.stride[0] = 0;
    for (int i = 0; i < 2; i++) {
        v.shape[i + 1] = x->shape[i];
        v.stride[i + 1] = x->stride[i];
    }
    return v;
}

static struct wf_tensor transposed(const struct wf_tensor *x)
{
    struct wf_tensor v = *x;
    v.shape[1] = x->shape[2];
    v.shape[2] = x->shape[1];
    v.stride[1] = x->stride[2];
    v.stride[2] = x->stride[1];
    return v;
}

/* The gemm kernel writes and adds to row-major matrices and reads those with one unit stride. */
static bool readable(const struct wf_tensor *x)
{
    int m = x->ndim - 2, n = x->ndim - 1;
    return (x->stride[n] == 1 && x->stride[m] >= x->shape[n]) ||
           (x->stride[m] == 1 && x->stride[n] >= x->shape[m]) || wf_tensor_contiguous(x);
}

/* d (+)= a b, through a temporary when d is a strided view. */
static void add_product(struct wf_tape *g, struct wf_tensor *d, const struct wf_tensor *a,
                        const struct wf_tensor *b, bool add)
{
    if (wf_tensor_contiguous(d)) {
        WF_RUN(g, wfk_gemm(g->be, d, a, b, add));
        return;
    }
    struct wf_tensor *t = wf_tape_temp(g, d->ndim, d->shape);
    WF_RUN(g, wfk_gemm(g->be, t, a, b, 0));
    WF_RUN(g, wfk_copy(g->be, d, t, add));
    wf_tape_drop(g, t);
}

static void linear_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad_fresh(g, n->in[0]), *dw = wf_tape_grad_fresh(g, n->in[1]);
    struct wf_tensor *db = wf_tape_grad_fresh(g, n->in[2]);
    struct wf_tensor x = grouped(n->in[0]), w = grouped(n->in[1]), dy = grouped(n->out->grad), t;
    if (dx) {
        struct wf_tensor d = grouped(dx);
        t = transposed(&w);
        add_product(g, &d, &dy, &t, wf_grad_claim(dx));
    }
    if (dw) {
        struct wf_tensor d = grouped(dw);
        t = transposed(&x);
        add_product(g, &d, &t, &dy, wf_grad_claim(dw));
    }
    if (db) wf_unbroadcast(g, db, n->out->grad, 1);
}

struct wf_tensor *wf_linear_op(struct wf_tape *g, struct wf_tensor *x, struct wf_tensor *w,
                               struct wf_tensor *b)
{
    static const struct wf_op op = { "linear", linear_vjp };
    if (g->error.status != WF_OK) return &g->poison;
    if (w->ndim != 2 || x->ndim < 1 || x->shape[x->ndim - 1] != w->shape[0])
        return wf_shape_error(g, op.name, x, w, "want [.., C] and [C, O]");
    if (b && (b->ndim != 1 || b->shape[0] != w->shape[1]))
        return wf_shape_error(g, op.name, w, b, "want weight [C, O] and bias [O]");
    int shape[WF_MAXDIM], last = x->ndim - 1, ndim = x->ndim;
    for (int i = 0; i < last; i++) shape[i] = x->shape[i];
    shape[last] = w->shape[1];
    x = as_matrix(g, x);
    if (g->error.status == WF_OK && !readable(x)) x = wf_contiguous(g, x);
    if (!readable(w)) w = wf_contiguous(g, w);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *y = wf_tape_new(g, 2, wf_dims(x->shape[0], shape[last])), wide;
    if (b && wf_view_broadcast(&wide, b, 2, y->shape)) WF_RUN(g, wfk_copy(g->be, y, &wide, false));
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor y3 = grouped(y), x3 = grouped(x), w3 = grouped(w);
    WF_RUN(g, wfk_gemm(g->be, &y3, &x3, &w3, b ? 1 : 0));
    wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { x, w, b } });
    return wf_reshape(g, y, ndim, shape);
}

static void matmul_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *da = wf_tape_grad_fresh(g, n->in[0]), *db = wf_tape_grad_fresh(g, n->in[1]);
    struct wf_tensor t;
    if (da) {
        t = transposed(n->in[1]);
        add_product(g, da, n->out->grad, &t, wf_grad_claim(da));
    }
    if (db) {
        t = transposed(n->in[0]);
        add_product(g, db, &t, n->out->grad, wf_grad_claim(db));
    }
}

static struct wf_tensor *as_groups(struct wf_tape *g, struct wf_tensor *x)
{
    x = wf_reshape(g, x, 3, wf_dims(-1, x->shape[x->ndim - 2], x->shape[x->ndim - 1]));
    return g->error.status == WF_OK && !readable(x) ? wf_contiguous(g, x) : x;
}

struct wf_tensor *wf_matmul(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b)
{
    static const struct wf_op op = { "matmul", matmul_vjp };
    if (g->error.status != WF_OK) return &g->poison;
    if (a->ndim < 2 || b->ndim < 2 || a->shape[a->ndim - 1] != b->shape[b->ndim - 2])
        return wf_shape_error(g, op.name, a, b, "want [.., M, K] and [.., K, N]");
    if (b->ndim == 2) return wf_linear_op(g, a, b, NULL);
    int shape[WF_MAXDIM], ndim = a->ndim;
    if (b->ndim != ndim) return wf_shape_error(g, op.name, a, b, "another number of axes");
    for (int i = 0; i < ndim - 2; i++) {
        if (a->shape[i] != b->shape[i]) return wf_shape_error(g, op.name, a, b, "leading axes");
        shape[i] = a->shape[i];
    }
    shape[ndim - 2] = a->shape[ndim - 2];
    shape[ndim - 1] = b->shape[ndim - 1];
    a = as_groups(g, a);
    b = as_groups(g, b);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *y = wf_tape_new(g, 3, wf_dims(a->shape[0], shape[ndim - 2], shape[ndim - 1]));
    WF_RUN(g, wfk_gemm(g->be, y, a, b, 0));
    wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { a, b } });
    return wf_reshape(g, y, ndim, shape);
}
