/* dconv_private.h - a diffusion convolution by groups of samples. Private to tensor/cpu.
 *
 * There are two layouts. In the wide one a group is one sample, and a column of the tile is one
 * channel. In the narrow one, for few channels, a group is 16 samples, side by side in the lanes of
 * a vector, and channel c is the columns 16 c .. 16 c + 15. Hops are the same in both; the other
 * steps are not: dconv_wide.c and dconv_narrow.c hold them (struct wf_steps). dconv.c calls hops
 * and steps in order. A kernel that does more with a group than one convolution (dcgru.c) calls
 * dconv.c group by group. */
#ifndef WF_DCONV_H
#define WF_DCONV_H

#include "tensor/backend.h"
#include "tensor/cpu/tile_private.h"

enum {
    WF_MIX_ROWS = WF_VEC_FAST ? 14 : 4, /* most rows of a product at a time */
    WF_NARROW_MAX = WF_PANEL            /* most channels of the narrow way: one panel of weights */
};

/* A product: term `term` of Y = bias + [A_0 .. A_{terms-1}] W. W is packed: for each panel of Y's
 * channels the rows in A's order, 32 numbers each. bias is NULL or padded to whole panels. */
struct wf_mix {
    struct wf_tile Y, A;
    int term, terms;
    const wf_real *W, *bias;
};

/* A gradient of weights: D[c, :] += sum over rows of A[row, c] B[row, :], from term a of A and term
 * b of B. D is packed: for each panel of B's channels, the channels of A in order, 32 numbers each.
 */
struct wf_outer {
    struct wf_tile A, B;
    int a, b;
    wf_real *D;
};

/* Rows [from, to) of the first `count` samples of a tensor. Row i is row i - shift of the tile. */
struct wf_tile_rows {
    int count, from, to, shift;
};

struct wf_steps {
    /* The channels of T from `first` on = x. */
    void (*load)(struct wf_tile T, int first, const struct wf_tensor *x, struct wf_tile_rows r);
    /* T = dy act'(.), where y = act(.). */
    void (*load_grad)(struct wf_tile T, const struct wf_tensor *dy, const struct wf_tensor *y,
                      enum wf_act act, struct wf_tile_rows r);
    /* y = act(T + bias), where bias is NULL or padded to whole panels. */
    void (*store)(const struct wf_tensor *y, struct wf_tile T, const wf_real *bias, enum wf_act act,
                  struct wf_tile_rows r);
    /* x = the channels of T from `first` on, or += them with `add`. */
    void (*put)(const struct wf_tensor *x, struct wf_tile T, int first, struct wf_tile_rows r,
                bool add);
    /* Multiplies rows [from, from + rows) of A, which become rows [to, to + rows) of Y. */
    void (*mix)(const struct wf_mix *mix, int from, int rows, int to);
    /* Adds this thread's part of the outer products to D. */
    void (*outer)(const struct wf_outer *outer, struct wf_team t);
    /* Adds the sums of T over all rows to sum. */
    void (*sum)(wf_real *sum, struct wf_tile T, struct wf_team t);
};
extern const struct wf_steps wf_steps_wide, wf_steps_narrow;

/* The plan of a convolution, or with `grad` of its gradient. `in` and `grad` tell which of x, y and
 * their gradients there are, and their shapes; their addresses come with each group. */
struct wf_dconv_plan {
    const struct wf_dconv_in *in;
    const struct wf_dconv_grad *grad;
    int B, N, C, O, M;
    int C1;    /* columns of x[1], which comes first in a tile: mostly the wide and aligned one */
    int Cx;    /* number of leading columns whose gradient is wanted */
    int lanes; /* samples per group: 1 or 16 */
    const struct wf_steps *steps;
    int groups, chunks;
    bool mix_outside; /* mix first, or mix last */
    bool want_x, want_w, want_value;
    bool add[2];               /* whether to add to dx[0], to dx[1] */
    struct wf_hops hops, back; /* plain and transposed */
    wf_real *pack, *bias;      /* packed weights; bias padded to whole panels, or NULL */
    wf_real *parts;            /* a partial sum of the gradients for each chunk */
    size_t tile_size, own_size, part_size, db_at, dvalue_at;
};

/* Fills the plan, with at most most_lanes samples per group; sets every add[] to true. */
void wf_dconv_plan_init(struct wf_dconv_plan *d, const struct wf_dconv_in *in,
                        const struct wf_dconv_grad *grad, int most_lanes);

/* The memory that threads work in. Each thread has a part of `tiles` for its tile, and a part of
 * `own` for the rows of one product. */
struct wf_workers {
    int threads;
    wf_real *tiles, *own;
    size_t tile_size, own_size;
};

/* Takes scratch memory for `plans` plans that share S and the number of groups, and for the workers
 * that run them in turn, with `temp` more numbers in front of each tile. */
enum wf_status wf_dconv_allocate(struct wf_backend *be, struct wf_dconv_plan *d, int plans,
                                 size_t temp, struct wf_workers *w);

/* Calls piece(job, i, tile, team) for all i < pieces. This function and all below are called inside
 * a parallel region, by all of its threads. */
void wf_workers_run(const struct wf_workers *w, int pieces,
                    void (*piece)(void *job, int i, wf_real *tile, struct wf_team t), void *job);

/* Packs the weights and the bias in the order in which a product reads them. */
void wf_dconv_pack(const struct wf_dconv_plan *d);

/* The samples of one group: x [count, N, C_i], y and dy [count, N, O]; dx[1] may lie where dy does.
 * A tensor without data is not there, or not wanted. */
struct wf_group {
    int count;
    struct wf_tensor x[2], y, dy, dx[2];
};
/* Returns the samples of group i of t, or a tensor without data where t is NULL. */
struct wf_tensor wf_group_of(const struct wf_dconv_plan *d, int i, const struct wf_tensor *t);
int wf_group_count(const struct wf_dconv_plan *d, int i);
/* Returns the rows of which this thread computes what lies beside the convolution. */
struct wf_tile_rows wf_group_rows(const struct wf_dconv_plan *d, int count, struct wf_team t);

void wf_dconv_forward(const struct wf_dconv_plan *d, const struct wf_group *g, wf_real *tile,
                      struct wf_team t);

/* Groups [from, to) make a chunk, in whose order the gradients of weights, bias and supports are
 * summed. The caller first clears each chunk, then adds its groups with wf_dconv_backward(), and
 * at the end sums all chunks up. */
int wf_dconv_chunk(const struct wf_dconv_plan *d, int chunk);
void wf_dconv_clear(const struct wf_dconv_plan *d, int chunk, struct wf_team t);
void wf_dconv_backward(const struct wf_dconv_plan *d, int chunk, const struct wf_group *g,
                       wf_real *tile, struct wf_team t);
void wf_dconv_sum(const struct wf_dconv_plan *d);

/* act(x); and below, dy act'(.) from y = act(.) */
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
        return vec_sigmoid_grad(y, dy);
    case WF_ACT_TANH:
        return vec_tanh_grad(y, dy);
    case WF_ACT_RELU:
        return vec_where_positive(y, dy);
    default:
        return dy;
    }
}

#endif
