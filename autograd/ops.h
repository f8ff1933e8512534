/* ops.h - the differentiable ops.
 *
 * Each takes the tape first, runs at once and returns a new tensor (or view) that lives until the
 * tape is reset. Shapes: B batch, T time, N nodes, C, O channels, E edges; "..": any leading axes.
 * A negative axis counts from the end. A wrong shape makes the tape fail with a message that names
 * the op and the shapes. "broadcasts" means NumPy's rule. */
#ifndef WF_OPS_H
#define WF_OPS_H

#include "autograd/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- leaves ---- new tensors of a shape; wf_input() copies row-major numbers from the host */
struct wf_tensor *wf_zeros(struct wf_tape *g, int ndim, const int *shape);
struct wf_tensor *wf_full(struct wf_tape *g, double value, int ndim, const int *shape);
struct wf_tensor *wf_identity(struct wf_tape *g, int n); /* [n, n] */
struct wf_tensor *wf_input(struct wf_tape *g, const wf_real *host, int ndim, const int *shape);

/* ---- elementwise ---- */
struct wf_tensor *wf_sigmoid(struct wf_tape *g, struct wf_tensor *x);
struct wf_tensor *wf_tanh(struct wf_tape *g, struct wf_tensor *x);
struct wf_tensor *wf_relu(struct wf_tape *g, struct wf_tensor *x);
struct wf_tensor *wf_exp(struct wf_tape *g, struct wf_tensor *x);
struct wf_tensor *wf_log(struct wf_tape *g, struct wf_tensor *x);
struct wf_tensor *wf_sqrt(struct wf_tape *g, struct wf_tensor *x);
struct wf_tensor *wf_square(struct wf_tape *g, struct wf_tensor *x);
struct wf_tensor *wf_abs(struct wf_tape *g, struct wf_tensor *x);
struct wf_tensor *wf_recip0(struct wf_tape *g, struct wf_tensor *x); /* 1/x, 0 where x = 0 */
struct wf_tensor *wf_rsqrt0(struct wf_tape *g, struct wf_tensor *x); /* x^-1/2, 0 where x = 0 */
/* max(x, slope x) for 0 <= slope <= 1; the derivative at 0 is the slope. */
struct wf_tensor *wf_leaky_relu(struct wf_tape *g, struct wf_tensor *x, double slope);
/* scale x + shift */
struct wf_tensor *wf_affine(struct wf_tape *g, struct wf_tensor *x, double scale, double shift);
/* These six broadcast. At a tie, max and min give the whole gradient to a. */
struct wf_tensor *wf_add(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b);
struct wf_tensor *wf_sub(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b);
struct wf_tensor *wf_mul(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b);
struct wf_tensor *wf_div(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b);
struct wf_tensor *wf_max(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b);
struct wf_tensor *wf_min(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b);

/* (1 - w) a + w b in one kernel, the update of a gated unit. The shapes are equal. */
struct wf_tensor *wf_lerp(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b,
                          struct wf_tensor *w);

/* Sets elements to 0 with probability p and scales the others by 1/(1 - p); returns x itself when
 * the tape is not training. */
struct wf_tensor *wf_dropout(struct wf_tape *g, struct wf_tensor *x, double p);

/* Returns [1]: 1 with the probability wf_step.teach of this step, else 0; always 0 when the tape is
 * not training. */
struct wf_tensor *wf_coin(struct wf_tape *g);

/* ---- shape ----
 * Slice, select, permute and unsqueeze return views: no data moves. */
struct wf_tensor *wf_slice(struct wf_tape *g, struct wf_tensor *x, int axis, int from, int to);
/* Returns index i of an axis; the result is without the axis. */
struct wf_tensor *wf_select(struct wf_tape *g, struct wf_tensor *x, int axis, int i);
/* Axis k of the result is the axis of x that argument k names; there are x->ndim such ints. */
struct wf_tensor *wf_permute(struct wf_tape *g, struct wf_tensor *x, ...);
struct wf_tensor *wf_unsqueeze(struct wf_tape *g, struct wf_tensor *x, int axis);
/* One axis of shape may be -1: its size follows from the others. The result is a view, or a copy
 * where the strides demand one. */
struct wf_tensor *wf_reshape(struct wf_tape *g, struct wf_tensor *x, int ndim, const int *shape);
struct wf_tensor *wf_contiguous(struct wf_tape *g, struct wf_tensor *x); /* x or a copy */
struct wf_tensor *wf_expand(struct wf_tape *g, struct wf_tensor *x, int ndim, const int *shape);

/* wf_concat() joins a and b along the last axis, wf_concat_n() n tensors along any axis, and
 * wf_stack() n tensors of one shape along a new axis. */
struct wf_tensor *wf_concat(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b);
struct wf_tensor *wf_concat_n(struct wf_tape *g, struct wf_tensor *const *x, int n, int axis);
struct wf_tensor *wf_stack(struct wf_tape *g, struct wf_tensor *const *x, int n, int axis);

/* Returns rows ix->idx of x [range, ..]: [n, ..]. ix must live until the tape is reset. */
struct wf_tensor *wf_take(struct wf_tape *g, struct wf_tensor *x, const struct wf_index *ix);

/* Returns the positions of the k largest of x [.., N], in falling order, as numbers: [.., k]. Of
 * equal ones the first counts as larger; NaN is least. A choice has no gradient. N is at most 2^24,
 * up to which wf_real counts exactly in every build. */
struct wf_tensor *wf_topk(struct wf_tape *g, struct wf_tensor *x, int k);
/* Returns rows idx [.., K] of x [.., N, C], sample by sample: [.., K, C]. idx holds whole numbers
 * in [0, N), each once in a sample, as wf_topk() makes them; it has no gradient. */
struct wf_tensor *wf_pick(struct wf_tape *g, struct wf_tensor *x, struct wf_tensor *idx);
/* The transpose of wf_pick(): returns zeros [.., N, C] in which rows idx [.., K] are y [.., K, C].
 */
struct wf_tensor *wf_scatter(struct wf_tape *g, struct wf_tensor *y, struct wf_tensor *idx, int N);
/* Returns row floor(x * scale) of table [n, D] for every number of x [..], clamped to the table:
 * [.., D]. A thousandth is added before the floor, because time of day times steps a day is never
 * quite whole. x has no gradient. */
struct wf_tensor *wf_lookup(struct wf_tape *g, struct wf_tensor *table, struct wf_tensor *x,
                            double scale);

/* ---- reductions ----
 * With keep the axis stays with size 1, else it goes. */
struct wf_tensor *wf_sum(struct wf_tape *g, struct wf_tensor *x, int axis, bool keep);
struct wf_tensor *wf_mean(struct wf_tape *g, struct wf_tensor *x, int axis, bool keep);
struct wf_tensor *wf_sum_all(struct wf_tape *g, struct wf_tensor *x);  /* [1] */
struct wf_tensor *wf_mean_all(struct wf_tape *g, struct wf_tensor *x); /* [1] */
/* The largest element, [1]. It alone gets the gradient; of several that are equal, one does. */
struct wf_tensor *wf_max_all(struct wf_tape *g, struct wf_tensor *x);
struct wf_tensor *wf_softmax(struct wf_tape *g, struct wf_tensor *x, int axis);

/* ---- products ---- */
/* [.., M, K] x [K, N] -> [.., M, N], or with equal leading axes [.., M, K] x [.., K, N]. */
struct wf_tensor *wf_matmul(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b);
/* x [.., C] w [C, O] + b [O] (NULL: none) -> [.., O] */
struct wf_tensor *wf_linear_op(struct wf_tape *g, struct wf_tensor *x, struct wf_tensor *w,
                               struct wf_tensor *b);

/* Cross-correlation with zeros outside (PyTorch's Conv2d): x [B, H, W, C], w [kh * kw * C, O] with
 * row (i * kw + j) * C + c, b [O] or NULL -> [B, H', W', O],
 * H' = (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1. H is time and W the nodes where
 * there are such. Pairs are along H and W; a 0 in kernel, stride or dilation means 1. c must live
 * until the tape is reset. Kernels along H alone with stride 1 copy nothing. */
struct wf_conv_config {
    int kernel[2], stride[2], dilation[2], padding[2];
    bool no_bias;
};
struct wf_tensor *wf_conv_op(struct wf_tape *g, struct wf_tensor *x, struct wf_tensor *w,
                             struct wf_tensor *b, const struct wf_conv_config *c);

/* ---- normalisation ----
 * (x - mean) / sqrt(var + eps) w + b; w and b may be NULL. */
/* Batch norm (Ioffe & Szegedy 2015) has moments per channel, over all other axes; w, b [C]. While
 * training, the moments are those of x, and the running ones (var being the unbiased variance)
 * move towards them by momentum or, where momentum is below 0, to the average of all steps.
 * Otherwise the moments are the running ones. */
struct wf_running {
    struct wf_tensor *mean, *var, *count; /* [C], [C], [] */
    double momentum, eps;
};
struct wf_tensor *wf_batch_norm_op(struct wf_tape *g, struct wf_tensor *x, int axis,
                                   struct wf_tensor *w, struct wf_tensor *b,
                                   const struct wf_running *run);
/* Layer norm (Ba et al. 2016) has moments over the last `axes` axes jointly; w and b have the shape
 * of these. */
struct wf_tensor *wf_layer_norm_op(struct wf_tape *g, struct wf_tensor *x, int axes,
                                   struct wf_tensor *w, struct wf_tensor *b, double eps);

/* ---- attention ---- softmax(q k^T * scale + mask) v, head by head (Vaswani et al. 2017): q [..,
 * L, heads * d], k [.., S, heads * d], v [.., S, heads * e] -> [.., L, heads * e]. Head h owns d
 * channels from h * d on (of v: e from h * e on). mask [L, S], or NULL, is added to the scores; a
 * row in which it forbids all gives NaN. Views with any order of the leading axes and L are read in
 * place. Weights are not kept unless the mask needs a gradient. */
struct wf_tensor *wf_attention(struct wf_tape *g, struct wf_tensor *q, struct wf_tensor *k,
                               struct wf_tensor *v, struct wf_tensor *mask, int heads,
                               double scale);
/* Returns the softmax alone: [.., heads, L, S]. */
struct wf_tensor *wf_attention_weights(struct wf_tape *g, struct wf_tensor *q, struct wf_tensor *k,
                                       struct wf_tensor *mask, int heads, double scale);
/* Returns [L, L]: 0 up to the diagonal, -inf behind it. */
struct wf_tensor *wf_causal_mask(struct wf_tape *g, int L);

/* ---- graphs ----
 * A and S must live until the tape is reset. Values may need a gradient. */
/* A x (or A^T x) for x [.., N, C]. The values are [E], or [.., E] where samples have values of
 * their own: their leading axes are the first ones of x, and x shares them along its other leading
 * axes. */
struct wf_tensor *wf_spmm(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *values,
                          struct wf_tensor *x, bool transpose);
/* Sum of values [.., E] over each row (or column): [.., rows] (or [.., cols]) */
struct wf_tensor *wf_edge_sum(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *values,
                              bool columns);
/* x[.., row of e] (or x[.., column of e]) for every entry e: [.., E] */
struct wf_tensor *wf_edge_spread(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *x,
                                 bool columns);
/* Softmax over the entries of each row, x [.., E] -> [.., E]: attention over the edges into a node.
 */
struct wf_tensor *wf_edge_softmax(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *x);
/* y[.., i, c] = max over the entries e = (i, j) of values[e] x[.., j, c], 0 in an empty row; values
 * as in wf_spmm. The gradient goes to the entry that wins, the first of equal ones. */
struct wf_tensor *wf_edge_max(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *values,
                              struct wf_tensor *x);
/* values [.., E] / (sum of their row), 0 where that is 0: the random walk D^-1 A. */
struct wf_tensor *wf_row_normalize(struct wf_tape *g, const struct wf_csr *A,
                                   struct wf_tensor *values);

/* Diffusion convolution act(sum_m T_m([x h]) W_m + b) (DCRNN, Li et al. 2018, eq. 2), one op.
 * x [B, N, C0], h [B, N, C1] or NULL, w [M * C, O] with row m * C + c, b [O] or NULL -> [B, N, O].
 * Differentiable in x, h, w, b and in the supports' values. */
struct wf_tensor *wf_dconv_op(struct wf_tape *g, const struct wf_supports *S, struct wf_tensor *x,
                              struct wf_tensor *h, struct wf_tensor *w, struct wf_tensor *b,
                              enum wf_act act);

/* GRU cell of diffusion convolutions (DCRNN, eq. 3), one op:
 *     [r z] = sigmoid(G [x h]),  c = tanh(C [x r*h]),  h' = z h + (1 - z) c
 * x [B, N, C], h [B, N, H], w and b of G and of C as in wf_dconv_op: w [M * (C + H), 2H] and
 * [M * (C + H), H], b [2H] and [H] or NULL -> h' [B, N, H]. Differentiable in all of them and in
 * the supports' values. */
struct wf_tensor *wf_dcgru_op(struct wf_tape *g, const struct wf_supports *S, struct wf_tensor *x,
                              struct wf_tensor *h, struct wf_tensor *const w[2],
                              struct wf_tensor *const b[2]);

/* ---- recurrent cells ----
 * The elementwise part of a step. a and b, of one shape, are the products of the input and of the
 * state with their weights. */
/* GRU (Cho et al. 2014, as PyTorch's, reset gate after the product); a and b [.., 3H] for r, z, u:
 *     r = s(a_r + b_r),  z = s(a_z + b_z),  u = tanh(a_u + r b_u),  h' = (1 - z) u + z h
 * h [.., H] -> h'. */
struct wf_tensor *wf_gru_update(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b,
                                struct wf_tensor *h);
/* A GRU step with the reset gate before the product comes in two halves; b may be NULL:
 *     r = s(a_r + b_r),  z = s(a_z + b_z);  a and b [.., 2H], h [.., H] -> r h, and z
 *     h' = (1 - z) tanh(a + b) + z h;       all [.., H] -> h' */
struct wf_tensor *wf_gru_reset(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b,
                               struct wf_tensor *h, struct wf_tensor **z);
struct wf_tensor *wf_gru_blend(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b,
                               struct wf_tensor *z, struct wf_tensor *h);
/* LSTM (Gers et al. 2000); [i f g o] = a + b [.., 4H], b may be NULL; peepholes p [3, H] or NULL:
 *     c' = s(f + p_1 c) c + s(i + p_0 c) tanh(g),  h' = s(o + p_2 c') tanh(c')
 * *c is c [.., H] and becomes c'; returns h'. */
struct wf_tensor *wf_lstm_update(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b,
                                 struct wf_tensor *p, struct wf_tensor **c);

/* ---- losses ---- Prediction p and target t have one shape -> [1]; t has no gradient. The mean
 * runs over the targets that count (enum wf_mask in tensor/kernels.h); it is 0 when there are none.
 */
struct wf_tensor *wf_loss(struct wf_tape *g, struct wf_tensor *p, struct wf_tensor *t,
                          enum wf_loss_kind kind, enum wf_mask mask);
/* Returns the same loss and the number of targets that count: [2]; the number has no gradient. */
struct wf_tensor *wf_loss_counted(struct wf_tape *g, struct wf_tensor *p, struct wf_tensor *t,
                                  enum wf_loss_kind kind, enum wf_mask mask);

#ifdef __cplusplus
}
#endif
#endif
