/* kernels.h - what kernels take: the enums and structs of their arguments, and the table of them.
 *
 * tensor/kernels.def lists every kernel and says what it computes; a formula that needs more than a
 * line stands here, above the struct of its inputs. Kernels take shapes that the ops of
 * autograd have checked, and check nothing themselves. They return WF_OK, WF_ENOMEM for lack of
 * scratch memory, or WF_EDEVICE. */
#ifndef WF_KERNELS_H
#define WF_KERNELS_H

#include "tensor/csr.h"
#include "tensor/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Functions of one element: WF_SIGMOID, WF_TANH, .., as tensor/unary.def lists them. */
enum wf_unary {
#define U(name, f, df) WF_##name,
#include "tensor/unary.def"
#undef U
};
enum wf_binary { WF_ADD, WF_SUB, WF_MUL, WF_DIV, WF_MAX, WF_MIN };

/* Activation at the end of a fused op. */
enum wf_act { WF_ACT_NONE, WF_ACT_SIGMOID, WF_ACT_TANH, WF_ACT_RELU };

/* The loss is the mean, over the targets that count, of an error of one element. */
enum wf_loss_kind {
    WF_MAE,  /* |p - t| */
    WF_MSE,  /* (p - t)^2 */
    WF_RMSE, /* (p - t)^2, and the loss is the root of the mean */
    WF_MAPE, /* |p - t| / |t|, a fraction and not per cent */
    WF_HUBER /* (p - t)^2 / 2 where |p - t| < 1, else |p - t| - 1/2 */
};

/* Which targets count. */
enum wf_mask {
    WF_MASK_NONE,    /* all */
    WF_MASK_NAN,     /* those that are numbers */
    WF_MASK_ZERO_PGT /* those that are not 0, weighted as PyTorch Geometric Temporal does it: the
                      * weight is rounded to float32, and an error that is NaN counts as 0 */
};

struct wf_loss_rule {
    enum wf_loss_kind kind;
    enum wf_mask mask;
};

/* What changes from step to step while the kernels of the step and their arguments stay the same.
 * It lives in the backend's memory and is written before the step starts. */
struct wf_step {
    uint64_t seed, step; /* step counts from 0 over the whole training */
    double lr;           /* learning rate */
    double teach;        /* probability that a decoder sees the truth */
    /* This rank's batch has `samples` samples. Local sample i is sample i * stride + first of the
     * joined batch of all ranks, so dropout does not depend on the number of ranks. Where samples
     * is 0, dropout takes the batch for the joined one. */
    int64_t samples, stride, first;
};

/* A diffusion convolution, Y = act(sum_m T_m(X) W_m + b), with the terms T_m of S and X = [x0 x1].
 * x[i] [B, N, C_i], channel stride 1, x[1] may be NULL; w [M * C, O] contiguous with row m * C + c,
 * C = C_0 + C_1; b [O] or NULL. */
struct wf_dconv_in {
    const struct wf_supports *S;
    const struct wf_tensor *x[2], *w, *b;
    enum wf_act act;
};
/* The gradients of a diffusion convolution are added to these; any of them may be NULL, and dx[0]
 * and dx[1] do not overlap. dvalue[s] [E] is the gradient of S->value[s]. */
struct wf_dconv_grad {
    struct wf_tensor *dx[2], *dw, *db, *dvalue[WF_MAXSUPPORT];
};

/* One cell of a diffusion convolutional GRU, conv as above:
 *     [r z] = sigmoid(conv([x h], w[0], b[0])),  c = tanh(conv([x r h], w[1], b[1])),
 *     y = z h + (1 - z) c
 * x [B, N, C], h [B, N, H], channel stride 1; w[0] [M (C + H), 2H] and w[1] [M (C + H), H]
 * contiguous, b[0] [2H], b[1] [H] or NULL. */
struct wf_dcgru_in {
    const struct wf_supports *S;
    const struct wf_tensor *x, *h, *w[2], *b[2];
};
/* The gradients of the cell are added to these; any of them may be NULL, and no two overlap. */
struct wf_dcgru_grad {
    struct wf_tensor *dx, *dh, *dw[2], *db[2], *dvalue[WF_MAXSUPPORT];
};

/* The elementwise part of a GRU step (Cho et al. 2014): a is the product of the input with its
 * weights, b that of the state with its own, s the logistic function.
 * Where the reset gate comes after the product (kernel gru), a and b are [B, N, 3H]:
 *     r = s(a_r + b_r),  z = s(a_z + b_z),  u = tanh(a_u + r b_u),  y = (1 - z) u + z h
 * Where it comes before the product, the step has two halves, and b may be NULL, which means 0.
 * The first half (kernel gru_reset), a and b [B, N, 2H]:
 *     r = s(a_r + b_r),  z = s(a_z + b_z),  and r h, from which the caller computes a product
 * The second half (kernel gru_blend), a and b [B, N, H]:
 *     u = tanh(a + b),  y = (1 - z) u + z h
 * h and z are [B, N, H]. All tensors have channel stride 1. */
struct wf_gru_in {
    const struct wf_tensor *a, *b, *h, *z; /* only gru_blend reads z */
};
/* The gradients are added to these; any of them may be NULL. */
struct wf_gru_grad {
    struct wf_tensor *da, *db, *dh, *dz;
};

/* The elementwise part of an LSTM step (Gers et al. 2000), from [i f g o] = a + b and peepholes p:
 *     i = s(i + p_0 c),  f = s(f + p_1 c),  c' = f c + i tanh(g),  o = s(o + p_2 c'),
 *     h = o tanh(c')
 * a and b [B, N, 4H] and c [B, N, H] have channel stride 1; p [3, H] is contiguous. b and p may be
 * NULL, which means 0. */
struct wf_lstm_in {
    const struct wf_tensor *a, *b, *c, *p;
};
/* The gradients are added to these; any of them may be NULL. */
struct wf_lstm_grad {
    struct wf_tensor *da, *db, *dc, *dp;
};

/* Normalisation of x [A, C, D] with moments over A and D; all tensors are contiguous:
 *     y = (x - mean_c) / sqrt(var_c + eps) w + b
 * w and b are [D] when per_d, else [C]; NULL means 1 and 0. The moments are the mean and the biased
 * variance of x. Where running moments are given and update is off, the moments are those, which
 * are constants for the gradient. Where update is on, each running moment v follows that of x (the
 * variance unbiased), and count grows by 1:
 *     v <- (1 - a) v + a v(x),  a = momentum, or 1 / count where momentum < 0 */
struct wf_norm_in {
    const struct wf_tensor *x, *w, *b;
    struct wf_tensor *mean, *var, *count; /* running moments [C], [C], []; NULL: none */
    double eps, momentum;
    bool per_d, update;
};

/* softmax(q k^T scale + mask) v for each head of each group: q [.., L, H d], k [.., S, H d],
 * v [.., S, H e], of which the leading axes make the group, with channel stride 1 and any other
 * strides; mask [L, S] contiguous or NULL. */
struct wf_attention_in {
    const struct wf_tensor *q, *k, *v, *mask;
    int heads;
    double scale;
};
/* The gradients of attention are added to these; any may be NULL, and they may be one tensor. */
struct wf_attention_grad {
    struct wf_tensor *dq, *dk, *dv;
};

/* A batch of windows: y[b, t, n, :] from row start[b] * step + offset + t of the series; step is 1,
 * or the length of a window where `series` holds windows one after the other.
 * Columns: the first `keep` of the C features, standardised as (x - mean) / std with missing ones
 * `fill`ed, or with `raw` untouched, missing ones NaN. Then, for the time of row
 * when[b] + offset + t, time of day in [0, 1) and the day of the week / 7, when asked for. */
struct wf_window_in {
    const wf_real *series; /* [rows, N, C] */
    const int64_t *time_s; /* [E] seconds since 1970-01-01 (a Thursday), or NULL */
    const int *start;      /* [B] */
    const int *when;       /* [B] row of the clock where window b begins; NULL: start */
    int channels, keep, offset, step;
    bool raw, time_of_day, day_of_week;
    const wf_real *mean, *std; /* [C], at most 8, host memory */
    wf_real fill;
};

/* PyTorch's Adam and SGD on a slice of the parameter block. norm is the 2-norm of the whole
 * gradient, used when clip > 0: g *= min(1, clip / (norm + 1e-6)). lr and t = step + 1 come from
 * *step. */
struct wf_optim_rule {
    double beta1, beta2, eps, weight_decay, momentum, clip;
    bool amsgrad;
};

struct wf_kernels {
#define K(name, params, args) enum wf_status(*name) params;
#include "tensor/kernels.def"
#undef K
};

#ifdef __cplusplus
}
#endif
#endif
