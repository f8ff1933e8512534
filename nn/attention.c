#include "nn/attention.h"
#include <math.h>

/* ---- one head after another ---- */

/* x [.., L, H d] as [G H, L, d] */
static struct wf_tensor *split(struct wf_tape *g, struct wf_tensor *x, int heads)
{
    if (g->error.status != WF_OK) return &g->poison;
    int L = x->shape[x->ndim - 2], d = x->shape[x->ndim - 1] / heads;
    x = wf_permute(g, wf_reshape(g, x, 4, wf_dims(-1, L, heads, d)), 0, 2, 1, 3);
    return wf_reshape(g, x, 3, wf_dims(-1, L, d));
}

static bool fit(struct wf_tape *g, const struct wf_tensor *q, const struct wf_tensor *k, int heads)
{
    char tq[WF_SHAPE_TEXT], tk[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return false;
    int last = q->ndim - 1;
    bool ok = last > 0 && k->ndim == q->ndim && heads > 0 && k->shape[last] % heads == 0 &&
              q->shape[last] % heads == 0;
    for (int i = 0; i < last - 1 && ok; i++) ok = q->shape[i] == k->shape[i];
    if (!ok)
        wf_tape_fail(g, WF_EINVAL, "attention: %s and %s, %d heads: want [.., L, heads * d] twice",
                     wf_tensor_shape_text(q, tq), wf_tensor_shape_text(k, tk), heads);
    return ok;
}

/* [G H, L, S] */
static struct wf_tensor *weights(struct wf_tape *g, struct wf_tensor *q, struct wf_tensor *k,
                                 struct wf_tensor *mask, int heads, double scale)
{
    if (!fit(g, q, k, heads)) return &g->poison;
    q = split(g, wf_affine(g, q, scale, 0), heads);
    k = split(g, k, heads);
    struct wf_tensor *s = wf_matmul(g, q, wf_permute(g, k, 0, 2, 1));
    if (mask) s = wf_add(g, s, mask);
    return wf_softmax(g, s, -1);
}

struct wf_tensor *wf_attention(struct wf_tape *g, struct wf_tensor *q, struct wf_tensor *k,
                               struct wf_tensor *v, struct wf_tensor *mask, int heads, double scale)
{
    int shape[WF_MAXDIM];
    struct wf_tensor *w = weights(g, q, k, mask, heads, scale);
    if (!fit(g, k, v, heads)) return &g->poison;
    struct wf_tensor *y = wf_matmul(g, w, split(g, v, heads)); /* [G H, L, e] */
    if (g->error.status != WF_OK) return &g->poison;
    for (int i = 0; i < q->ndim; i++) shape[i] = q->shape[i];
    shape[q->ndim - 1] = v->shape[v->ndim - 1];
    y = wf_reshape(g, y, 4, wf_dims(-1, heads, y->shape[1], y->shape[2]));
    return wf_reshape(g, wf_permute(g, y, 0, 2, 1, 3), q->ndim, shape);
}

struct wf_tensor *wf_attention_weights(struct wf_tape *g, struct wf_tensor *q, struct wf_tensor *k,
                                       struct wf_tensor *mask, int heads, double scale)
{
    int shape[WF_MAXDIM], n = q->ndim;
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

/* ---- multi-head attention ---- */

void wf_mha_init(struct wf_mha *l, struct wf_params *ps, const char *name, int embed, int heads)
{
    char path[WF_NAME_TEXT];
    struct wf_init xavier = { .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1 }, zero = { .gain = 0 };
    struct wf_init uniform = { .kind = WF_INIT_UNIFORM, .gain = 1 / sqrt(embed > 0 ? embed : 1) };
    l->heads = heads;
    l->in_weight = wf_params_add(ps, wf_params_path(path, name, "in.weight"), 2,
                                 wf_dims(embed, 3 * embed), xavier);
    l->in_bias =
        wf_params_add(ps, wf_params_path(path, name, "in.bias"), 1, wf_dims(3 * embed), zero);
    l->out_weight = wf_params_add(ps, wf_params_path(path, name, "out.weight"), 2,
                                  wf_dims(embed, embed), uniform);
    l->out_bias =
        wf_params_add(ps, wf_params_path(path, name, "out.bias"), 1, wf_dims(embed), zero);
}

/* Parts from..to of [q k v] of x. */
static struct wf_tensor *project(struct wf_tape *g, const struct wf_mha *l, struct wf_tensor *x,
                                 int from, int to)
{
    int E = l->in_weight->shape[0];
    return wf_linear_op(g, x, wf_slice(g, l->in_weight, 1, from * E, to * E),
                        wf_slice(g, l->in_bias, 0, from * E, to * E));
}

/* The projections of q, k, v in one product where the inputs are one tensor. */
static void projections(struct wf_tape *g, const struct wf_mha *l, struct wf_tensor **x, int n)
{
    int E = l->in_weight->shape[0];
    bool same = x[1] == x[0] && x[n - 1] == x[0];
    struct wf_tensor *all = same ? project(g, l, x[0], 0, n) : NULL;
    for (int i = 0; i < n; i++)
        x[i] = same ? wf_slice(g, all, -1, i * E, (i + 1) * E) : project(g, l, x[i], i, i + 1);
}

static double scale_of(const struct wf_mha *l)
{
    return sqrt((double)l->heads / l->in_weight->shape[0]);
}

struct wf_tensor *wf_mha(struct wf_tape *g, const struct wf_mha *l, struct wf_tensor *q,
                         struct wf_tensor *k, struct wf_tensor *v, struct wf_tensor *mask)
{
    struct wf_tensor *x[3] = { q, k, v };
    projections(g, l, x, 3);
    struct wf_tensor *y = wf_attention(g, x[0], x[1], x[2], mask, l->heads, scale_of(l));
    return wf_linear_op(g, y, l->out_weight, l->out_bias);
}

struct wf_tensor *wf_mha_weights(struct wf_tape *g, const struct wf_mha *l, struct wf_tensor *q,
                                 struct wf_tensor *k, struct wf_tensor *mask)
{
    struct wf_tensor *x[2] = { q, k };
    projections(g, l, x, 2);
    return wf_mean(g, wf_attention_weights(g, x[0], x[1], mask, l->heads, scale_of(l)), -3, false);
}
