/* dconv.h - what dconv.c, which leads, and dconv_narrow.c share. Private to tensor/cpu.
 *
 * The work comes in groups: one sample, or, where channels are few, 16 samples side by side in the
 * lanes of a vector, so that column c of the tile is the 16 columns 16 c .. 16 c + 15. Hops do not
 * notice the difference; the functions below are the steps that do. */
#ifndef WF_DCONV_H
#define WF_DCONV_H

#include "tensor/backend.h"
#include "tensor/cpu/tile.h"

/* Most channels of the narrow way: the packed weights of one panel. */
enum { WF_NARROW_MAX = WF_PANEL };

/* act(x), and dy act'(x) from y = act(x) */
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

/* A block of samples b .. b + count - 1 of x [B, N, C], rows [from, to). */
struct wf_rows {
    const struct wf_tensor *x;
    int b, count, from, to;
};

/* Term 0, columns at, at + 1, .. of T = x; with y, x act'(y). */
void wf_narrow_load(struct wf_tile T, int at, struct wf_rows r);
void wf_narrow_load_grad(struct wf_tile T, struct wf_rows r, const struct wf_tensor *y,
                         enum wf_act act);
/* x = act(columns at, at + 1, .. of term 0 + bias), or x += them. */
void wf_narrow_store(struct wf_tile T, struct wf_rows r, const wf_real *bias, enum wf_act act);
void wf_narrow_add(struct wf_tile T, int at, struct wf_rows r);
/* wf_tile_mix and wf_tile_outer, widths counted in lanes, the weights and D as there. */
void wf_narrow_mix(const struct wf_mix *mix, int from, int to);
void wf_narrow_outer(const struct wf_outer *outer, struct wf_team t);

#endif
