/* dconv.c - the diffusion convolution, and a recurrent cell of two. */
#include "autograd/ops_private.h"

/* ---- the convolution ----
 * The node's inputs are x, h, w, b, then the supports' values. */

static struct wf_dconv_in dconv_in(const struct wf_node *n)
{
    return (struct wf_dconv_in){ .S = n->ptr,
                                 .x = { n->in[0], n->in[1] },
                                 .w = n->in[2],
                                 .b = n->in[3],
                                 .act = (enum wf_act)n->i[0] };
}

static void dconv_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_dconv_in in = dconv_in(n);
    struct wf_dconv_grad d = { .dx = { wf_tape_grad_fresh(g, n->in[0]),
                                       wf_tape_grad_fresh(g, n->in[1]) },
                               .dw = wf_tape_grad(g, n->in[2]),
                               .db = wf_tape_grad(g, n->in[3]) };
    for (int s = 0; s < in.S->count; s++) d.dvalue[s] = wf_tape_grad(g, n->in[4 + s]);
    WF_RUN(g, wfk_dconv_bwd(g->be, &d, &in, n->out, n->out->grad));
}

static bool dconv_fits(struct wf_tape *g, const char *op, const struct wf_supports *S,
                       const struct wf_tensor *x, const struct wf_tensor *h,
                       const struct wf_tensor *w, const struct wf_tensor *b)
{
    char tx[WF_SHAPE_TEXT], th[WF_SHAPE_TEXT], tw[WF_SHAPE_TEXT], tb[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return false;
    bool ok = x->ndim == 3 && w->ndim == 2 && (S->count == 0 || x->shape[1] == S->nodes);
    if (ok && h) ok = h->ndim == 3 && h->shape[0] == x->shape[0] && h->shape[1] == x->shape[1];
    if (ok) ok = w->shape[0] == S->terms * (x->shape[2] + (h ? h->shape[2] : 0));
    if (ok && b) ok = b->ndim == 1 && b->shape[0] == w->shape[1];
    for (int s = 0; s < S->count && ok; s++)
        if (!wf_values_fit(g, op, S->pattern[s], S->value[s])) return false;
    if (ok) return true;
    wf_tape_fail(g, WF_EINVAL,
                 "%s: x %s, h %s, weight %s, bias %s, %d nodes, %d terms: want x [B, N, C0], "
                 "h [B, N, C1], weight [terms * (C0 + C1), O], bias [O]",
                 op, wf_tensor_shape_text(x, tx), h ? wf_tensor_shape_text(h, th) : "none",
                 wf_tensor_shape_text(w, tw), b ? wf_tensor_shape_text(b, tb) : "none", S->nodes,
                 S->terms);
    return false;
}

struct wf_tensor *wf_dconv_op(struct wf_tape *g, const struct wf_supports *S, struct wf_tensor *x,
                              struct wf_tensor *h, struct wf_tensor *w, struct wf_tensor *b,
                              enum wf_act act)
{
    static const struct wf_op op = { "dconv", dconv_vjp };
    if (!dconv_fits(g, op.name, S, x, h, w, b)) return &g->poison;
    x = wf_as_bnc(g, op.name, wf_apart(g, x, h));
    if (h) h = wf_as_bnc(g, op.name, h);
    w = wf_contiguous(g, w);
    if (b) b = wf_contiguous(g, b);
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_node n = { .op = &op, .in = { x, h, w, b }, .ptr = S, .i = { (int)act } };
    for (int s = 0; s < S->count; s++) n.in[4 + s] = S->value[s];
    n.out = wf_tape_new(g, 3, wf_dims(x->shape[0], x->shape[1], w->shape[1]));
    struct wf_dconv_in in = dconv_in(&n);
    WF_RUN(g, wfk_dconv(g->be, n.out, &in));
    return wf_tape_record(g, n);
}

/* ---- the cell ---- */

/* The node's inputs: x, h, the weights and biases of the gates and of the candidate, [r z], the
 * candidate, then the supports' values. */
enum { X, H, GATES, GATES_BIAS, CAND, CAND_BIAS, RZ, C, VALUES };

static struct wf_dcgru_in dcgru_in(const struct wf_node *n)
{
    return (struct wf_dcgru_in){ .S = n->ptr,
                                 .x = n->in[X],
                                 .h = n->in[H],
                                 .w = { n->in[GATES], n->in[CAND] },
                                 .b = { n->in[GATES_BIAS], n->in[CAND_BIAS] } };
}

static void dcgru_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_dcgru_in in = dcgru_in(n);
    struct wf_dcgru_grad d = {
        .dx = wf_tape_grad_fresh(g, n->in[X]),
        .dh = wf_tape_grad_fresh(g, n->in[H]),
        .dw = { wf_tape_grad(g, n->in[GATES]), wf_tape_grad(g, n->in[CAND]) },
        .db = { wf_tape_grad(g, n->in[GATES_BIAS]), wf_tape_grad(g, n->in[CAND_BIAS]) }
    };
    for (int s = 0; s < in.S->count; s++) d.dvalue[s] = wf_tape_grad(g, n->in[VALUES + s]);
    WF_RUN(g, wfk_dcgru_bwd(g->be, &d, &in, n->in[RZ], n->in[C], n->out->grad));
}

/* Checks the shapes of one of the cell's convolutions, whose weights make states * H channels. */
static bool cell_fits(struct wf_tape *g, const char *op, const struct wf_supports *S,
                      const struct wf_tensor *x, const struct wf_tensor *h,
                      const struct wf_tensor *w, const struct wf_tensor *b, int states)
{
    char th[WF_SHAPE_TEXT], tw[WF_SHAPE_TEXT];
    if (!dconv_fits(g, op, S, x, h, w, b)) return false;
    if (w->shape[1] == states * h->shape[2]) return true;
    wf_tape_fail(g, WF_EINVAL, "%s: h %s, weight of the %s %s: want [.., %d]", op,
                 wf_tensor_shape_text(h, th), states > 1 ? "gates" : "candidate",
                 wf_tensor_shape_text(w, tw), states * h->shape[2]);
    return false;
}

struct wf_tensor *wf_dcgru_op(struct wf_tape *g, const struct wf_supports *S, struct wf_tensor *x,
                              struct wf_tensor *h, struct wf_tensor *const w[2],
                              struct wf_tensor *const b[2])
{
    static const struct wf_op op = { "dcgru", dcgru_vjp };
    struct wf_node n = { .op = &op, .ptr = S };
    for (int k = 0; k < 2; k++)
        if (!cell_fits(g, op.name, S, x, h, w[k], b[k], k ? 1 : 2)) return &g->poison;
    n.in[X] = wf_as_bnc(g, op.name, wf_apart(g, x, h));
    n.in[H] = wf_as_bnc(g, op.name, h);
    n.in[GATES] = wf_contiguous(g, wf_apart(g, w[0], w[1]));
    n.in[CAND] = wf_contiguous(g, w[1]);
    if (b[0]) n.in[GATES_BIAS] = wf_contiguous(g, wf_apart(g, b[0], b[1]));
    if (b[1]) n.in[CAND_BIAS] = wf_contiguous(g, b[1]);
    if (g->error.status != WF_OK) return &g->poison;
    for (int s = 0; s < S->count; s++) n.in[VALUES + s] = S->value[s];
    int B = h->shape[0], N = h->shape[1], U = h->shape[2];
    n.in[RZ] = wf_tape_new(g, 3, wf_dims(B, N, 2 * U));
    n.in[C] = wf_tape_new(g, 3, wf_dims(B, N, U));
    n.out = wf_tape_new(g, 3, wf_dims(B, N, U));
    struct wf_dcgru_in in = dcgru_in(&n);
    WF_RUN(g, wfk_dcgru(g->be, n.out, n.in[RZ], n.in[C], &in));
    return wf_tape_record(g, n);
}
