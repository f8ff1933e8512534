/* rnn.c - the elementwise part of recurrent cells. */
#include "autograd/ops_private.h"

/* Returns x [.., C] as [B, N, C] with channel stride 1. */
static struct wf_tensor *rows(struct wf_tape *g, const char *op, struct wf_tensor *x)
{
    if (g->error.status == WF_OK && x->ndim == 1) x = wf_reshape(g, x, 2, wf_dims(1, -1));
    return wf_as_bnc(g, op, x);
}

/* Checks that a is [.., gates H] where h is [.., H]. */
static bool gates_fit(struct wf_tape *g, const char *op, const struct wf_tensor *a,
                      const struct wf_tensor *h, int gates)
{
    char ta[WF_SHAPE_TEXT], th[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return false;
    int last = h->ndim - 1;
    bool ok = last >= 0 && a->ndim == h->ndim && a->shape[last] == gates * h->shape[last];
    for (int i = 0; i < last && ok; i++) ok = a->shape[i] == h->shape[i];
    if (ok) return true;
    wf_tape_fail(g, WF_EINVAL, "%s: the gates are %s, the state is %s: want [.., %d H] and [.., H]",
                 op, wf_tensor_shape_text(a, ta), wf_tensor_shape_text(h, th), gates);
    return false;
}

/* pair_like() makes one tensor for two results of the shape of x [B, N, H]; split_pair() returns
 * the first in the shape of h, and the second in *second. */
static struct wf_tensor *pair_like(struct wf_tape *g, const struct wf_tensor *x)
{
    return wf_tape_new(g, 4, wf_dims(2, x->shape[0], x->shape[1], x->shape[2]));
}

static struct wf_tensor *split_pair(struct wf_tape *g, struct wf_tensor *pair,
                                    const struct wf_tensor *h, struct wf_tensor **second)
{
    *second = wf_reshape(g, wf_select(g, pair, 0, 1), h->ndim, h->shape);
    return wf_reshape(g, wf_select(g, pair, 0, 0), h->ndim, h->shape);
}

/* ---- GRU ----
 * The node's inputs are a, b, h, z, and what the gradient reads of the results. */

static struct wf_gru_in gru_in(const struct wf_node *n)
{
    return (struct wf_gru_in){ n->in[0], n->in[1], n->in[2], n->in[3] };
}

static struct wf_gru_grad gru_grad(struct wf_tape *g, const struct wf_node *n)
{
    return (struct wf_gru_grad){ wf_tape_grad_fresh(g, n->in[0]), wf_tape_grad_fresh(g, n->in[1]),
                                 wf_tape_grad_fresh(g, n->in[2]), wf_tape_grad_fresh(g, n->in[3]) };
}

/* Sets the node's inputs, none of which shares memory with another; returns false after an error.
 */
static bool gru_node(struct wf_tape *g, struct wf_node *n, struct wf_tensor *a, struct wf_tensor *b,
                     struct wf_tensor *h, struct wf_tensor *z)
{
    const char *op = n->op->name;
    n->in[0] = rows(g, op, wf_apart(g, wf_apart(g, wf_apart(g, a, b), h), z));
    if (b) n->in[1] = rows(g, op, wf_apart(g, wf_apart(g, b, h), z));
    n->in[2] = rows(g, op, wf_apart(g, h, z));
    if (z) n->in[3] = rows(g, op, z);
    return g->error.status == WF_OK;
}

static void gru_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_gru_in in = gru_in(n);
    struct wf_gru_grad d = gru_grad(g, n);
    WF_RUN(g, wfk_gru_bwd(g->be, &d, &in, n->in[4], n->out->grad));
}

struct wf_tensor *wf_gru_update(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b,
                                struct wf_tensor *h)
{
    static const struct wf_op op = { "gru", gru_vjp };
    if (!gates_fit(g, op.name, a, h, 3) || !gates_fit(g, op.name, b, h, 3)) return &g->poison;
    struct wf_node n = { .op = &op };
    if (!gru_node(g, &n, a, b, h, NULL)) return &g->poison;
    n.in[4] = wf_tape_new(g, 3, n.in[0]->shape);
    n.out = wf_tape_new(g, 3, n.in[2]->shape);
    struct wf_gru_in in = gru_in(&n);
    WF_RUN(g, wfk_gru(g->be, n.out, n.in[4], &in));
    return wf_reshape(g, wf_tape_record(g, n), h->ndim, h->shape);
}

/* The results r h and z lie in one tensor, one behind the other. */
static void gru_reset_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_gru_in in = gru_in(n);
    struct wf_gru_grad d = gru_grad(g, n);
    if (g->error.status != WF_OK) return;
    struct wf_tensor z = wf_view_select(n->out, 0, 1), drh = wf_view_select(n->out->grad, 0, 0),
                     dz = wf_view_select(n->out->grad, 0, 1);
    WF_RUN(g, wfk_gru_reset_bwd(g->be, &d, &in, &z, n->in[4], &drh, &dz));
}

struct wf_tensor *wf_gru_reset(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b,
                               struct wf_tensor *h, struct wf_tensor **z)
{
    static const struct wf_op op = { "gru_reset", gru_reset_vjp };
    struct wf_node n = { .op = &op };
    *z = &g->poison;
    if (!gates_fit(g, op.name, a, h, 2) || (b && !gates_fit(g, op.name, b, h, 2)) ||
        !gru_node(g, &n, a, b, h, NULL))
        return &g->poison;
    n.in[4] = wf_tape_new(g, 3, n.in[2]->shape);
    n.out = pair_like(g, n.in[2]);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_gru_in in = gru_in(&n);
    struct wf_tensor rh = wf_view_select(n.out, 0, 0), gate = wf_view_select(n.out, 0, 1);
    WF_RUN(g, wfk_gru_reset(g->be, &rh, &gate, n.in[4], &in));
    return split_pair(g, wf_tape_record(g, n), h, z);
}

static void gru_blend_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_gru_in in = gru_in(n);
    struct wf_gru_grad d = gru_grad(g, n);
    WF_RUN(g, wfk_gru_blend_bwd(g->be, &d, &in, n->in[4], n->out->grad));
}

struct wf_tensor *wf_gru_blend(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b,
                               struct wf_tensor *z, struct wf_tensor *h)
{
    static const struct wf_op op = { "gru_blend", gru_blend_vjp };
    struct wf_node n = { .op = &op };
    if (!gates_fit(g, op.name, a, h, 1) || (b && !gates_fit(g, op.name, b, h, 1)) ||
        !gates_fit(g, op.name, z, h, 1) || !gru_node(g, &n, a, b, h, z))
        return &g->poison;
    n.in[4] = wf_tape_new(g, 3, n.in[2]->shape);
    n.out = wf_tape_new(g, 3, n.in[2]->shape);
    struct wf_gru_in in = gru_in(&n);
    WF_RUN(g, wfk_gru_blend(g->be, n.out, n.in[4], &in));
    return wf_reshape(g, wf_tape_record(g, n), h->ndim, h->shape);
}

/* ---- LSTM ----
 * The node's inputs are a, b, c, p and the gates; its output is h' and c', one behind the other. */

static struct wf_lstm_in lstm_in(const struct wf_node *n)
{
    return (struct wf_lstm_in){ n->in[0], n->in[1], n->in[2], n->in[3] };
}

static void lstm_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_lstm_in in = lstm_in(n);
    struct wf_lstm_grad d = { wf_tape_grad_fresh(g, n->in[0]), wf_tape_grad_fresh(g, n->in[1]),
                              wf_tape_grad_fresh(g, n->in[2]), wf_tape_grad(g, n->in[3]) };
    if (g->error.status != WF_OK) return;
    struct wf_tensor next = wf_view_select(n->out, 0, 1), dh = wf_view_select(n->out->grad, 0, 0),
                     dnext = wf_view_select(n->out->grad, 0, 1);
    WF_RUN(g, wfk_lstm_bwd(g->be, &d, &in, &next, n->in[4], &dh, &dnext));
}

struct wf_tensor *wf_lstm_update(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b,
                                 struct wf_tensor *p, struct wf_tensor **c)
{
    static const struct wf_op op = { "lstm", lstm_vjp };
    struct wf_tensor *old = *c;
    struct wf_node n = { .op = &op };
    if (!gates_fit(g, op.name, a, old, 4) || (b && !gates_fit(g, op.name, b, old, 4)))
        return *c = &g->poison;
    int H = old->shape[old->ndim - 1];
    if (p && (p->ndim != 2 || p->shape[0] != 3 || p->shape[1] != H))
        return *c = wf_shape_error(g, op.name, p, old, "want peepholes [3, H]");
    n.in[0] = rows(g, op.name, wf_apart(g, wf_apart(g, a, b), old));
    if (b) n.in[1] = rows(g, op.name, wf_apart(g, b, old));
    n.in[2] = rows(g, op.name, old);
    if (p) n.in[3] = wf_contiguous(g, p);
    if (g->error.status != WF_OK) return *c = &g->poison;
    n.in[4] = wf_tape_new(g, 3, n.in[0]->shape);
    n.out = pair_like(g, n.in[2]);
    if (g->error.status != WF_OK) return *c = &g->poison;
    struct wf_lstm_in in = lstm_in(&n);
    struct wf_tensor h = wf_view_select(n.out, 0, 0), next = wf_view_select(n.out, 0, 1);
    WF_RUN(g, wfk_lstm(g->be, &h, &next, n.in[4], &in));
    return split_pair(g, wf_tape_record(g, n), old, c);
}
