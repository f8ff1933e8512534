/* dconv.h - the steps of a diffusion convolution between and beside the hops. Private to
 * tensor/cpu.
 *
 * The work comes in groups of samples. Wide: a group is one sample and a column of the tile one
 * channel. Narrow, for few channels: a group is 16 samples, side by side in the lanes of a vector,
 * and channel c is the columns 16 c .. 16 c + 15. Hops do not notice the difference; these steps
 * do. dconv_wide.c and dconv_narrow.c have them, dconv.c puts them in order. */
#ifndef WF_DCONV_H
#define WF_DCONV_H

#include "tensor/backend.h"
#include "tensor/cpu/tile.h"

enum {
    WF_MIX_ROWS = WF_VEC_FAST ? 14 : 4, /* most rows of a product at a time */
    WF_NARROW_MAX = WF_PANEL            /* most channels of the narrow way: one panel of weights */
};

/* Term `term` of Y = bias + [A_0 .. A_{terms-1}] W. W is packed: for each panel of Y's channels the
 * rows in A's order, 32 numbers each. bias is NULL or padded to whole panels. */
struct wf_mix {
    struct wf_tile Y, A;
    int term, terms;
    const wf_real *W, *bias;
};

/* D[c, :] += sum over rows of A[row, c] B[row, :], term a of A and term b of B. D is packed: for
 * each panel of B's channels, the channels of A in order, 32 numbers each. */
struct wf_outer {
    struct wf_tile A, B;
    int a, b;
    wf_real *D;
};

/* Rows [from, to) of samples b .. b + count - 1. Row i is row i - shift of the tile. */
struct wf_rows {
    int b, count, from, to, shift;
};

struct wf_steps {
    /* channels first, first + 1, .. of T = x */
    void (*load)(struct wf_tile T, int first, const struct wf_tensor *x, struct wf_rows r);
    /* T = dy act'(.), with y = act(.) */
    void (*load_grad)(struct wf_tile T, const struct wf_tensor *dy, const struct wf_tensor *y,
                      enum wf_act act, struct wf_rows r);
    /* y = act(T + bias); bias NULL or padded */
    void (*store)(const struct wf_tensor *y, struct wf_tile T, const wf_real *bias, enum wf_act act,
                  struct wf_rows r);
    /* x = or += channels first, first + 1, .. of T */
    void (*put)(const struct wf_tensor *x, struct wf_tile T, int first, struct wf_rows r, bool add);
    /* rows [from, from + rows) of A to rows to, to + 1, .. of Y */
    void (*mix)(const struct wf_mix *mix, int from, int rows, int to);
    void (*outer)(const struct wf_outer *outer, struct wf_team t);
    /* sum += the sums over all rows of T */
    void (*sum)(wf_real *sum, struct wf_tile T, struct wf_team t);
};
extern const struct wf_steps wf_steps_wide, wf_steps_narrow;

/* act(x), and dy act'(.) from y = act(.) */
WF_INLINE wf_vec act_apply(enum wf_act act, wf_vec x)
{
    switch (act) {
    case WF_ACT_SIGMOID:
        return vec_sigmoid(x);
    case WF_ACT_TANH:
        return vec_tanh(x);
    case WF_ACT_RELU:
        return vec_relu(x);
    default:
        return x;
    }
}

WF_INLINE wf_vec act_grad(enum wf_act act, wf_vec y, wf_vec dy)
{
    switch (act) {
    case WF_ACT_SIGMOID:
        return vec_mul(dy, vec_mul(y, vec_sub(vec_set(1), y)));
    case WF_ACT_TANH:
        return vec_mul(dy, vec_sub(vec_set(1), vec_mul(y, y)));
    case WF_ACT_RELU:
        return vec_where_positive(y, dy);
    default:
        return dy;
    }
}

#endif
