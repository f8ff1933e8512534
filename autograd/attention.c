/* attention.c - scaled dot-product attention: the fused op, and the weights on their own. */
#include <math.h>
#include "autograd/ops_private.h"

static struct wf_attention_in attention_in(const struct wf_node *n)
{
    return (struct wf_attention_in){ .q = n->in[0],
                                     .k = n->in[1],
                                     .v = n->in[2],
                                     .mask = n->in[3],
                                     .heads = n->i[0],
                                     .scale = n->r[0] };
}

/* Node inputs: q, k, v, mask, and the logarithms of the softmax denominators. */
static void attention_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_attention_in in = attention_in(n);
    struct wf_attention_grad d = { .dq = wf_tape_grad_fresh(g, n->in[0]),
                                   .dk = wf_tape_grad_fresh(g, n->in[1]),
                                   .dv = wf_tape_grad_fresh(g, n->in[2]) };
    WF_RUN(g, wfk_attention_bwd(g->be, &d, &in, n->out, n->in[4], n->out->grad));
}

static bool fit(struct wf_tape *g, const struct wf_tensor *q, const struct wf_tensor *k,
                const struct wf_tensor *mask, int heads)
{
    char tq[WF_SHAPE_TEXT], tk[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return false;
    int n = q->ndim;
    bool ok = n >= 2 && k->ndim == n && heads > 0 && q->shape[n - 1] % heads == 0 &&
              k->shape[n - 1] == q->shape[n - 1];
    for (int i = 0; i < n - 2 && ok; i++) ok = q->shape[i] == k->shape[i];
    if (!ok)
        wf_tape_fail(g, WF_EINVAL,
                     "attention: q %s, k %s, %d heads: want [.., L, heads * d], [.., S, heads * d]",
                     wf_tensor_shape_text(q, tq), wf_tensor_shape_text(k, tk), heads);
    if (!ok || !mask) return ok;
    ok = mask->ndim == 2 && mask->shape[0] == q->shape[n - 2] && mask->shape[1] == k->shape[n - 2];
    if (!ok)
        wf_tape_fail(g, WF_EINVAL, "attention: the mask is %s, want [%d, %d]",
                     wf_tensor_shape_text(mask, tq), q->shape[n - 2], k->shape[n - 2]);
    return ok;
}

static bool value_fits(struct wf_tape *g, const struct wf_tensor *k, const struct wf_tensor *v,
                       int heads)
{
    if (g->error.status != WF_OK) return false;
    int n = k->ndim;
    bool ok = v->ndim == n && v->shape[n - 1] % heads == 0;
    for (int i = 0; i < n - 1 && ok; i++) ok = v->shape[i] == k->shape[i];
    if (!ok) wf_shape_error(g, "attention", k, v, "want k [.., S, C] and v [.., S, heads * e]");
    return ok;
}

/* ---- composed of other ops ----
 * They compute what the fused kernel does, with all weights in memory. */

/* Returns x [.., L, H d] as [G H, L, d]. */
static struct wf_tensor *split(struct wf_tape *g, struct wf_tensor *x, int heads)
{
    if (g->error.status != WF_OK) return &g->poison;
    int L = x->shape[x->ndim - 2], d = x->shape[x->ndim - 1] / heads;
    x = wf_permute(g, wf_reshape(g, x, 4, wf_dims(-1, L, heads, d)), 0, 2, 1, 3);
    return wf_reshape(g, x, 3, wf_dims(-1, L, d));
}

/* Returns the softmax of the scores, [G H, L, S]. */
static struct wf_tensor *weights(struct wf_tape *g, struct wf_tensor *q, struct wf_tensor *k,
                                 struct wf_tensor *mask, int heads, double scale)
{
    if (!fit(g, q, k, mask, heads)) return &g->poison;
    q = split(g, wf_affine(g, q, scale, 0), heads);
    k = split(g, k, heads);
    struct wf_tensor *s = wf_matmul(g, q, wf_permute(g, k, 0, 2, 1));
    if (mask) s = wf_add(g, s, mask);
    return wf_softmax(g, s, -1);
}

struct wf_tensor *wf_attention_weights(struct wf_tape *g, struct wf_tensor *q, struct wf_tensor *k,
                                       struct wf_tensor *mask, int heads, double scale)
{
    int shape[WF_MAXDIM + 1], n = q->ndim;
    struct wf_tensor *w = weights(g, q, k, mask, heads, scale);
    if (g->error.status != WF_OK) return &g->poison;
    if (n == WF_MAXDIM)
        return wf_tape_fail(g, WF_EINVAL, "attention_weights: no room for an axis of heads");
    for (int i = 0; i < n - 2; i++) shape[i] = q->shape[i];
    shape[n - 2] = heads;
    shape[n - 1] = w->shape[1];
    shape[n] = w->shape[2];
    return wf_reshape(g, w, n + 1, shape);
}

static struct wf_tensor *composed(struct wf_tape *g, struct wf_tensor *w, struct wf_tensor *v,
                                  int heads, const int *shape)
{
    struct wf_tensor *y = wf_matmul(g, w, split(g, v, heads)); /* [G H, L, e] */
    if (g->error.status != WF_OK) return &g->poison;
    y = wf_reshape(g, y, 4, wf_dims(-1, heads, y->shape[1], y->shape[2]));
    return wf_reshape(g, wf_permute(g, y, 0, 2, 1, 3), v->ndim, shape);
}

/* ---- fused ---- */

/* Returns x, or a copy where the kernel cannot read x: it takes channels that lie side by side, and
 * rows that do not overlap. */
static struct wf_tensor *rows_of(struct wf_tape *g, struct wf_tensor *x)
{
    int n = x->ndim;
    if (g->error.status != WF_OK) return &g->poison;
    bool fine = (x->shape[n - 1] == 1 || x->stride[n - 1] == 1) &&
                x->stride[n - 2] >= x->shape[n - 1] && x->stride[n - 2] <= 1 << 30;
    return fine ? x : wf_contiguous(g, x);
}

struct wf_tensor *wf_attention(struct wf_tape *g, struct wf_tensor *q, struct wf_tensor *k,
                               struct wf_tensor *v, struct wf_tensor *mask, int heads, double scale)
{
    static const struct wf_op op = { "attention", attention_vjp };
    int shape[WF_MAXDIM], n = q->ndim;
    if (!fit(g, q, k, mask, heads) || !value_fits(g, k, v, heads)) return &g->poison;
    for (int i = 0; i < n; i++) shape[i] = i < n - 1 ? q->shape[i] : v->shape[i];
    if (mask && mask->needs_grad)
        return composed(g, weights(g, q, k, mask, heads, scale), v, heads, shape);
    int groups = 1;
    for (int i = 0; i < n - 2; i++) groups *= q->shape[i];
    q = rows_of(g, q);
    k = rows_of(g, k);
    v = rows_of(g, v);
    if (mask) mask = wf_contiguous(g, mask);
    struct wf_tensor *y = wf_tape_new(g, n, shape);
    struct wf_tensor *lse = wf_tape_new(g, 3, wf_dims(groups, heads, shape[n - 2]));
    struct wf_attention_in in = { q, k, v, mask, heads, scale };
    WF_RUN(g, wfk_attention(g->be, y, lse, &in));
    return wf_tape_record(
        g, (struct wf_node){
               .op = &op, .out = y, .in = { q, k, v, mask, lse }, .i = { heads }, .r = { scale } });
}

struct wf_tensor *wf_causal_mask(struct wf_tape *g, int L)
{
    struct wf_tensor *m = wf_full(g, (double)-INFINITY, 2, wf_dims(L, L));
    for (int i = 0; i < L && g->error.status == WF_OK; i++) {
        struct wf_tensor row = wf_view_select(m, 0, i);
        row = wf_view_slice(&row, 0, 0, i + 1);
        WF_RUN(g, wfk_fill(g->be, &row, 0));
    }
    return m;
}
