/* conv.c - convolution, as one product per tap or as one product of copied patches. */
#include "autograd/ops_private.h"

static int or_one(int n)
{
    return n > 0 ? n : 1;
}

/* ---- kernels along H, stride 1 ----
 * The result is the sum of one product per tap, each of a range of steps:
 *     y[b, t] = bias + sum_j x[b, t + shift_j] W_j,  shift_j = j dilation - padding */

/* Returns steps [from, to) of x [B, T, N, C] as [B, (to - from) N, C]. */
static struct wf_tensor steps(const struct wf_tensor *x, int from, int to)
{
    struct wf_tensor v = *x;
    int rows = (to - from) * x->shape[2];
    v.ndim = 3;
    v.data = x->data + from * x->stride[1];
    v.shape[1] = rows;
    v.shape[2] = x->shape[3];
    v.stride[1] = x->stride[x->shape[2] == 1 ? 1 : 2];
    v.stride[2] = x->stride[3];
    return v;
}

/* Returns whether steps() of x are matrices, as they are for a slice of x along time, along the
 * batch or along the channels. */
static bool even(const struct wf_tensor *x)
{
    return (x->shape[3] == 1 || x->stride[3] == 1) &&
           (x->shape[2] == 1 || x->shape[1] == 1 || x->stride[1] == x->shape[2] * x->stride[2]) &&
           x->stride[x->shape[2] == 1 ? 1 : 2] >= x->shape[3];
}

/* Returns the rows of tap j of w [k C, O] as a [B, C, O] whose samples share them. */
static struct wf_tensor tap_weight(const struct wf_tensor *w, int j, int C, int B)
{
    struct wf_tensor v = *w;
    v.ndim = 3;
    v.data = w->data + (ptrdiff_t)j * C * w->stride[0];
    v.shape[0] = B;
    v.shape[1] = C;
    v.shape[2] = w->shape[1];
    v.stride[0] = 0;
    v.stride[1] = w->stride[0];
    v.stride[2] = w->stride[1];
    return v;
}

static struct wf_tensor transposed(struct wf_tensor x)
{
    struct wf_tensor v = x;
    v.shape[1] = x.shape[2];
    v.shape[2] = x.shape[1];
    v.stride[1] = x.stride[2];
    v.stride[2] = x.stride[1];
    return v;
}

/* The steps [from, to) of y to which a tap contributes; it reads them in x `shift` steps later. */
struct range {
    int from, to, shift;
};

static struct range range_of(int j, const int *dilation_padding, int T, int out)
{
    int shift = j * dilation_padding[0] - dilation_padding[1];
    return (struct range){ shift < 0 ? -shift : 0, out < T - shift ? out : T - shift, shift };
}

/* The node's i holds taps, dilation and padding. */
static void conv_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *x = n->in[0], *w = n->in[1], *dy = n->out->grad;
    struct wf_tensor *dx = wf_tape_grad(g, x), *dw = wf_tape_grad(g, w);
    struct wf_tensor *db = n->in[2] ? wf_tape_grad(g, n->in[2]) : NULL;
    int B = x->shape[0], C = x->shape[3];
    for (int j = 0; j < n->i[0]; j++) {
        struct range r = range_of(j, &n->i[1], x->shape[1], dy->shape[1]);
        if (r.from >= r.to) continue;
        struct wf_tensor e = steps(dy, r.from, r.to);
        if (dx) {
            struct wf_tensor d = steps(dx, r.from + r.shift, r.to + r.shift);
            struct wf_tensor v = transposed(tap_weight(w, j, C, B));
            WF_RUN(g, wfk_gemm(g->be, &d, &e, &v, 1));
        }
        if (dw) { /* the group stride of 0 sums over the batch */
            struct wf_tensor d = tap_weight(dw, j, C, B);
            struct wf_tensor v = transposed(steps(x, r.from + r.shift, r.to + r.shift));
            WF_RUN(g, wfk_gemm(g->be, &d, &v, &e, 1));
        }
    }
    if (db) wf_unbroadcast(g, db, dy, 1);
}

static struct wf_tensor *conv_taps(struct wf_tape *g, struct wf_tensor *x, struct wf_tensor *w,
                                   struct wf_tensor *b, const int *dp, const int *out)
{
    static const struct wf_op op = { "conv", conv_vjp };
    if (!even(x)) x = wf_contiguous(g, x);
    w = wf_contiguous(g, w);
    struct wf_tensor *y = wf_tape_new(g, 4, out), wide;
    if (g->error.status != WF_OK) return &g->poison;
    int C = x->shape[3], taps = w->shape[0] / C;
    if (b && wf_view_broadcast(&wide, b, 4, out))
        WF_RUN(g, wfk_copy(g->be, y, &wide, false));
    else
        WF_RUN(g, wfk_fill(g->be, y, 0));
    for (int j = 0; j < taps; j++) {
        struct range r = range_of(j, dp, x->shape[1], out[1]);
        if (r.from >= r.to) continue;
        struct wf_tensor to = steps(y, r.from, r.to), v = tap_weight(w, j, C, x->shape[0]);
        struct wf_tensor from = steps(x, r.from + r.shift, r.to + r.shift);
        WF_RUN(g, wfk_gemm(g->be, &to, &from, &v, 1));
    }
    return wf_tape_record(
        g, (struct wf_node){ .op = &op, .out = y, .in = { x, w, b }, .i = { taps, dp[0], dp[1] } });
}

/* ---- the general case ----
 * It copies what every tap sees, side by side, and then is one product. */

/* Views the parts of x and of the patches y that belong to a tap; returns false when they are
 * empty. */
static bool tap_views(const struct wf_conv_config *c, int tap, const struct wf_tensor *x,
                      const struct wf_tensor *y, struct wf_tensor view[2])
{
    int at[2] = { tap / or_one(c->kernel[1]), tap % or_one(c->kernel[1]) }, C = x->shape[3];
    view[0] = *x;
    view[1] = *y;
    view[1].shape[3] = C;
    view[1].data += (ptrdiff_t)tap * C * y->stride[3];
    for (int k = 0; k < 2; k++) {
        int s = or_one(c->stride[k]), shift = at[k] * or_one(c->dilation[k]) - c->padding[k];
        int last = x->shape[k + 1] - 1 - shift; /* from and to: 0 <= s i + shift < size */
        int from = shift < 0 ? (-shift + s - 1) / s : 0, to = last < 0 ? 0 : last / s + 1;
        if (to > y->shape[k + 1]) to = y->shape[k + 1];
        if (from >= to) return false;
        view[0].data += (from * s + shift) * x->stride[k + 1];
        view[0].stride[k + 1] = x->stride[k + 1] * s;
        view[1].data += from * y->stride[k + 1];
        view[0].shape[k + 1] = view[1].shape[k + 1] = to - from;
    }
    return true;
}

static int taps_of(const struct wf_conv_config *c)
{
    return or_one(c->kernel[0]) * or_one(c->kernel[1]);
}

static void patches_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad(g, n->in[0]), view[2];
    if (!dx) return;
    for (int i = 0; i < taps_of(n->ptr); i++)
        if (tap_views(n->ptr, i, dx, n->out->grad, view))
            WF_RUN(g, wfk_copy(g->be, &view[0], &view[1], true));
}

/* Copies patches: [B, H, W, C] -> [B, H', W', taps * C]. */
static struct wf_tensor *patches(struct wf_tape *g, struct wf_tensor *x,
                                 const struct wf_conv_config *c, const int *out)
{
    static const struct wf_op op = { "patches", patches_vjp };
    struct wf_tensor view[2];
    int taps = taps_of(c);
    struct wf_tensor *y = wf_tape_new(g, 4, wf_dims(out[0], out[1], out[2], taps * x->shape[3]));
    if (g->error.status != WF_OK) return &g->poison;
    if (c->padding[0] || c->padding[1]) WF_RUN(g, wfk_fill(g->be, y, 0));
    for (int i = 0; i < taps; i++)
        if (tap_views(c, i, x, y, view)) WF_RUN(g, wfk_copy(g->be, &view[1], &view[0], false));
    return wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { x }, .ptr = c });
}

struct wf_tensor *wf_conv_op(struct wf_tape *g, struct wf_tensor *x, struct wf_tensor *w,
                             struct wf_tensor *b, const struct wf_conv_config *c)
{
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim != 4 || w->ndim != 2 || w->shape[0] != taps_of(c) * x->shape[3])
        return wf_shape_error(g, "conv", x, w, "want x [B, H, W, C] and weight [kh * kw * C, O]");
    if (b && (b->ndim != 1 || b->shape[0] != w->shape[1]))
        return wf_shape_error(g, "conv", w, b, "want weight [kh * kw * C, O] and bias [O]");
    int out[4] = { x->shape[0], 0, 0, w->shape[1] };
    bool plain = or_one(c->kernel[1]) == 1 && c->padding[1] == 0;
    for (int k = 0; k < 2; k++) {
        int reach = or_one(c->dilation[k]) * (or_one(c->kernel[k]) - 1) + 1;
        int room = x->shape[k + 1] + 2 * c->padding[k] - reach;
        if (room < 0 || c->padding[k] < 0)
            return wf_shape_error(g, "conv", x, w,
                                  k ? "the kernel is wider than x with its padding"
                                    : "the kernel is longer than x and padding");
        out[k + 1] = room / or_one(c->stride[k]) + 1;
        plain = plain && or_one(c->stride[k]) == 1;
    }
    if (plain && or_one(c->kernel[0]) == 1 && c->padding[0] == 0) return wf_linear_op(g, x, w, b);
    int dp[2] = { or_one(c->dilation[0]), c->padding[0] };
    if (plain) return conv_taps(g, x, w, b, dp, out);
    return wf_linear_op(g, patches(g, x, c, out), w, b);
}
