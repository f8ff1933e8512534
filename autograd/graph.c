/* graph.c - ops on the entries and nodes of a sparse pattern. */
#include "autograd/ops_private.h"

struct wf_tensor *wf_as_bnc(struct wf_tape *g, const char *op, struct wf_tensor *x)
{
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim < 2)
        return wf_tape_fail(g, WF_EINVAL, "%s: x is %s, want [.., N, C]", op,
                            wf_tensor_shape_text(x, text));
    int N = x->shape[x->ndim - 2], C = x->shape[x->ndim - 1];
    if (x->ndim != 3) x = wf_reshape(g, x, 3, wf_dims(-1, N, C));
    if (g->error.status == WF_OK && C > 1 && x->stride[2] != 1) x = wf_contiguous(g, x);
    return x;
}

/* ---- sparse product ---- */

static void spmm_vjp(struct wf_tape *g, const struct wf_node *n)
{
    const struct wf_csr *A = n->ptr;
    struct wf_tensor *x = n->in[0], *val = n->in[1], *dy = n->out->grad;
    struct wf_tensor *dx = wf_tape_grad_fresh(g, x), *dval = wf_tape_grad(g, val);
    bool transpose = n->i[0];
    if (dx) WF_RUN(g, wfk_spmm(g->be, dx, A, val, dy, !transpose, wf_grad_claim(dx)));
    if (dval) WF_RUN(g, wfk_spmm_bwd_val(g->be, dval, A, transpose ? x : dy, transpose ? dy : x));
}

bool wf_values_fit(struct wf_tape *g, const char *op, const struct wf_csr *A,
                   const struct wf_tensor *values)
{
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return false;
    if (values->ndim == 1 && values->shape[0] == A->nnz) return true;
    wf_tape_fail(g, WF_EINVAL, "%s: the pattern has %d entries, the values are %s", op, A->nnz,
                 wf_tensor_shape_text(values, text));
    return false;
}

/* Returns x [.., n] as [B, n], contiguous. */
static struct wf_tensor *as_rows(struct wf_tape *g, struct wf_tensor *x)
{
    int B = 1, last = x->ndim - 1;
    if (g->error.status != WF_OK) return &g->poison;
    for (int i = 0; i < last; i++) B *= x->shape[i];
    return wf_contiguous(g, wf_reshape(g, x, 2, wf_dims(B, x->shape[last])));
}

/* Repeats values [.., E], whose leading axes are the first ones of x [.., N, C], for each of the
 * other leading axes of x. */
static struct wf_tensor *repeat_values(struct wf_tape *g, struct wf_tensor *values,
                                       const struct wf_tensor *x)
{
    int shape[WF_MAXDIM], lead = values->ndim - 1, n = x->ndim - 1;
    int E = values->shape[lead];
    if (lead == n - 1) return values;
    for (int i = 0; i < n - 1; i++) shape[i] = i < lead ? x->shape[i] : 1;
    shape[n - 1] = E;
    values = wf_reshape(g, values, n, shape);
    for (int i = lead; i < n - 1; i++) shape[i] = x->shape[i];
    return wf_expand(g, values, n, shape);
}

/* Returns the values as the kernels take them: [E] as they are; [.., E], whose leading axes are the
 * first ones of x [.., N, C], as [B, E]. */
static struct wf_tensor *edge_values(struct wf_tape *g, const char *op, const struct wf_csr *A,
                                     struct wf_tensor *values, const struct wf_tensor *x)
{
    char tv[WF_SHAPE_TEXT], tx[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return &g->poison;
    int last = values->ndim - 1;
    if (last < 1) return wf_values_fit(g, op, A, values) ? wf_contiguous(g, values) : &g->poison;
    bool ok = values->shape[last] == A->nnz && last <= x->ndim - 2;
    for (int i = 0; i < last && ok; i++) ok = values->shape[i] == x->shape[i];
    if (ok) return as_rows(g, repeat_values(g, values, x));
    return wf_tape_fail(g, WF_EINVAL, "%s: values %s, x %s: want [%d], or [.., %d] and [.., N, C]",
                        op, wf_tensor_shape_text(values, tv), wf_tensor_shape_text(x, tx), A->nnz,
                        A->nnz);
}

/* Checks that x is [.., nodes, C] and writes the shape of the result, whose node axis has size
 * `out`. */
static bool nodes_fit(struct wf_tape *g, const char *op, const struct wf_tensor *x, int nodes,
                      int out, int shape[WF_MAXDIM])
{
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return false;
    if (x->ndim < 2 || x->shape[x->ndim - 2] != nodes) {
        wf_tape_fail(g, WF_EINVAL, "%s: x is %s, want [.., %d, C]", op,
                     wf_tensor_shape_text(x, text), nodes);
        return false;
    }
    for (int i = 0; i < x->ndim; i++) shape[i] = i == x->ndim - 2 ? out : x->shape[i];
    return true;
}

struct wf_tensor *wf_spmm(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *values,
                          struct wf_tensor *x, bool transpose)
{
    static const struct wf_op op = { "spmm", spmm_vjp };
    int in = transpose ? A->rows : A->cols, out = transpose ? A->cols : A->rows;
    int shape[WF_MAXDIM], ndim = x->ndim;
    if (!nodes_fit(g, op.name, x, in, out, shape)) return &g->poison;
    values = edge_values(g, op.name, A, values, x);
    x = wf_as_bnc(g, op.name, x);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *y = wf_tape_new(g, 3, wf_dims(x->shape[0], out, x->shape[2]));
    WF_RUN(g, wfk_spmm(g->be, y, A, values, x, transpose, false));
    wf_tape_record(g, (struct wf_node){
                          .op = &op, .out = y, .in = { x, values }, .ptr = A, .i = { transpose } });
    return wf_reshape(g, y, ndim, shape);
}

static void edge_max_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *x = n->in[0], *val = n->in[1];
    struct wf_tensor *dx = wf_tape_grad(g, x), *dval = wf_tape_grad(g, val);
    WF_RUN(g, wfk_edge_max_bwd(g->be, dx, dval, n->ptr, val, x, n->out->grad));
}

struct wf_tensor *wf_edge_max(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *values,
                              struct wf_tensor *x)
{
    static const struct wf_op op = { "edge_max", edge_max_vjp };
    int shape[WF_MAXDIM], ndim = x->ndim;
    if (!nodes_fit(g, op.name, x, A->cols, A->rows, shape)) return &g->poison;
    values = edge_values(g, op.name, A, values, x);
    x = wf_as_bnc(g, op.name, x);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *y = wf_tape_new(g, 3, wf_dims(x->shape[0], A->rows, x->shape[2]));
    WF_RUN(g, wfk_edge_max(g->be, y, A, values, x));
    wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { x, values }, .ptr = A });
    return wf_reshape(g, y, ndim, shape);
}

/* ---- numbers of entries and of nodes ---- */

/* Returns x [.., n] as [B, n], and writes the shape of a result [.., m]; poison when x does not
 * fit. */
static struct wf_tensor *per_item(struct wf_tape *g, const char *op, struct wf_tensor *x, int n,
                                  int m, int shape[WF_MAXDIM])
{
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return &g->poison;
    int last = x->ndim - 1;
    if (last < 0 || x->shape[last] != n)
        return wf_tape_fail(g, WF_EINVAL, "%s: x is %s, want [.., %d]", op,
                            wf_tensor_shape_text(x, text), n);
    for (int i = 0; i < last; i++) shape[i] = x->shape[i];
    shape[last] = m;
    return as_rows(g, x);
}

static void edge_sum_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad_fresh(g, n->in[0]);
    if (dx) WF_RUN(g, wfk_edge_spread(g->be, dx, n->ptr, n->out->grad, n->i[0], wf_grad_claim(dx)));
}

struct wf_tensor *wf_edge_sum(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *values,
                              bool columns)
{
    static const struct wf_op op = { "edge_sum", edge_sum_vjp };
    int nodes = columns ? A->cols : A->rows, shape[WF_MAXDIM], ndim = values->ndim;
    struct wf_tensor *x = per_item(g, op.name, values, A->nnz, nodes, shape);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *y = wf_tape_new(g, 2, wf_dims(x->shape[0], nodes));
    WF_RUN(g, wfk_edge_sum(g->be, y, A, x, columns, false));
    wf_tape_record(
        g, (struct wf_node){ .op = &op, .out = y, .in = { x }, .ptr = A, .i = { columns } });
    return wf_reshape(g, y, ndim, shape);
}

static void edge_spread_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad_fresh(g, n->in[0]);
    if (dx) WF_RUN(g, wfk_edge_sum(g->be, dx, n->ptr, n->out->grad, n->i[0], wf_grad_claim(dx)));
}

struct wf_tensor *wf_edge_spread(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *x,
                                 bool columns)
{
    static const struct wf_op op = { "edge_spread", edge_spread_vjp };
    int shape[WF_MAXDIM], ndim = x->ndim;
    x = per_item(g, op.name, x, columns ? A->cols : A->rows, A->nnz, shape);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *y = wf_tape_new(g, 2, wf_dims(x->shape[0], A->nnz));
    WF_RUN(g, wfk_edge_spread(g->be, y, A, x, columns, false));
    wf_tape_record(
        g, (struct wf_node){ .op = &op, .out = y, .in = { x }, .ptr = A, .i = { columns } });
    return wf_reshape(g, y, ndim, shape);
}

static void edge_softmax_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad(g, n->in[0]);
    if (dx) WF_RUN(g, wfk_edge_softmax_bwd(g->be, dx, n->ptr, n->out, n->out->grad));
}

struct wf_tensor *wf_edge_softmax(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *x)
{
    static const struct wf_op op = { "edge_softmax", edge_softmax_vjp };
    int shape[WF_MAXDIM], ndim = x->ndim;
    x = per_item(g, op.name, x, A->nnz, A->nnz, shape);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *y = wf_tape_new(g, 2, x->shape);
    WF_RUN(g, wfk_edge_softmax(g->be, y, A, x));
    wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { x }, .ptr = A });
    return wf_reshape(g, y, ndim, shape);
}

struct wf_tensor *wf_row_normalize(struct wf_tape *g, const struct wf_csr *A,
                                   struct wf_tensor *values)
{
    struct wf_tensor *degree = wf_edge_sum(g, A, values, false);               /* [N] */
    struct wf_tensor *inv = wf_edge_spread(g, A, wf_recip0(g, degree), false); /* [E] */
    return wf_mul(g, values, inv);
}
