/* backend.h - a backend: memory, and one table of kernels.
 *
 * tensor/kernels.def lists every kernel once; that list makes the table here, the prototypes and
 * tables of the backends, and the wfk_NAME() dispatchers. A backend without a kernel does not link.
 * Kernels take shapes that the ops above have checked; they return WF_OK, WF_ENOMEM for lack of
 * scratch memory, or WF_EDEVICE. They are queued in order and may still run when they return; what
 * reads their results on the host waits for them. One thread at a time may use a backend. */
#ifndef WF_BACKEND_H
#define WF_BACKEND_H

#include "tensor/csr.h"
#include "tensor/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_unary {
    WF_SIGMOID,
    WF_TANH,
    WF_RELU,
    WF_EXP,
    WF_LOG,
    WF_SQRT,
    WF_SQUARE,
    WF_ABS,
    WF_RECIP0, /* 1/x, and 0 where x is 0 */
    WF_RSQRT0  /* x^-1/2, and 0 where x is 0 */
};
enum wf_binary { WF_ADD, WF_SUB, WF_MUL, WF_DIV, WF_MAX, WF_MIN };

/* Activation at the end of a fused op. */
enum wf_act { WF_ACT_NONE, WF_ACT_SIGMOID, WF_ACT_TANH, WF_ACT_RELU };

/* Elementwise error; the loss is a (masked) mean of it, and for RMSE the root of that mean. HUBER
 * has delta 1. MAPE is a fraction, not per cent. */
enum wf_loss_kind { WF_MAE, WF_MSE, WF_RMSE, WF_MAPE, WF_HUBER };

/* Which targets count: all; those that are numbers; those != 0, weighted as PyTorch Geometric
 * Temporal does it (the weight is rounded to float32, NaN terms count as 0). */
enum wf_mask { WF_MASK_NONE, WF_MASK_NAN, WF_MASK_ZERO_PGT };

struct wf_loss_rule {
    enum wf_loss_kind kind;
    enum wf_mask mask;
};

/* What changes from step to step without changing the kernels of the step. Lives in the backend's
 * memory, written before the step starts. */
struct wf_step {
    uint64_t seed, step; /* step counts from 0 over the whole training */
    double lr;           /* learning rate */
    double teach;        /* probability that a decoder sees the truth */
    /* Of how many samples this rank's batch is, and that sample i is number i * stride + first of
     * the batch of all ranks, so that a mask does not depend on who computes it. 0: the only rank.
     */
    int64_t samples, stride, first;
};

/* One diffusion convolution, Y = act(sum_m T_m(X) W_m + b), T_m as S says and X = [x0 x1].
 * x[i] [B, N, C_i], channel stride 1, x[1] may be NULL; w [M * C, O] contiguous with row m * C + c,
 * C = C_0 + C_1; b [O] or NULL. */
struct wf_dconv_in {
    const struct wf_supports *S;
    const struct wf_tensor *x[2], *w, *b;
    enum wf_act act;
};
/* Where its gradients are added; any of them may be NULL, dx[0] and dx[1] do not overlap. dvalue[s]
 * [E] belongs to S->value[s]. */
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
/* Where its gradients are added; any of them may be NULL, and none overlaps another. */
struct wf_dcgru_grad {
    struct wf_tensor *dx, *dh, *dw[2], *db[2], *dvalue[WF_MAXSUPPORT];
};

/* The elementwise part of a GRU step (Cho et al. 2014), from a of the input and b of the state.
 * With the reset gate after the product, a and b [B, N, 3H]: r = s(a_r + b_r),  z = s(a_z + b_z),
 * u = tanh(a_u + r b_u),  y = (1 - z) u + z h and before it in two halves, a and b [B, N, 2H], then
 * [B, N, H], b may be NULL: 0: r = s(a_r + b_r),  z = s(a_z + b_z),  r h;     u = tanh(a + b),  y =
 * (1 - z) u + z h h and z [B, N, H]. All with channel stride 1. */
struct wf_gru_in {
    const struct wf_tensor *a, *b, *h, *z; /* z: of the second half alone */
};
struct wf_gru_grad {
    struct wf_tensor *da, *db, *dh, *dz;
};

/* The same of an LSTM (Gers et al. 2000), from [i f g o] = a + b and peepholes p:
 *     i = s(i + p_0 c),  f = s(f + p_1 c),  c' = f c + i tanh(g),  o = s(o + p_2 c'),  h = o
 * tanh(c') a, b [B, N, 4H], c [B, N, H], channel stride 1; p [3, H] contiguous; b and p may be
 * NULL: 0. */
struct wf_lstm_in {
    const struct wf_tensor *a, *b, *c, *p;
};
struct wf_lstm_grad {
    struct wf_tensor *da, *db, *dc, *dp;
};

/* y = (x - mean_c) / sqrt(var_c + eps) w + b for x [A, C, D], moments over a and d; all contiguous.
 * w and b are [D] when per_d, else [C]; NULL: 1 and 0. var is the biased variance of x, unless mean
 * and var are given and update is off: then they are the moments, constant for the gradient. With
 * update they follow x's moments, the unbiased variance, by the share a: v <- (1 - a) v + a v(x);
 * count grows by 1; a is momentum, or 1 / count where momentum < 0. */
struct wf_norm_in {
    const struct wf_tensor *x, *w, *b;
    struct wf_tensor *mean, *var, *count; /* [C], [C], []; NULL: none */
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
/* Where its gradients are added; any of them may be NULL, and they may be one tensor. */
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

struct wf_backend {
    const char *name;
    const struct wf_kernels *k;
    /* Plain memory, zeroed; NULL when there is none. */
    void *(*alloc)(struct wf_backend *be, size_t bytes);
    void (*free)(struct wf_backend *be, void *p, size_t bytes);
    /* A range of addresses of which [0, bytes) is backed after commit. */
    void *(*reserve)(struct wf_backend *be, size_t bytes);
    bool (*commit)(struct wf_backend *be, void *base, size_t from, size_t to);
    void (*unreserve)(struct wf_backend *be, void *base, size_t bytes);
    /* Copies between host and backend, after which the caller may use the host's memory again;
     * `move` stays inside and allows overlap. */
    enum wf_status (*upload)(struct wf_backend *be, void *dst, const void *host, size_t bytes);
    enum wf_status (*download)(struct wf_backend *be, void *host, const void *src, size_t bytes);
    enum wf_status (*move)(struct wf_backend *be, void *dst, const void *src, size_t bytes);
    /* Waits for everything queued; WF_EDEVICE when some of it failed. */
    enum wf_status (*sync)(struct wf_backend *be);
    /* Bytes that can still be had, and there are. */
    void (*memory)(struct wf_backend *be, size_t *free, size_t *total);

    /* What only a device has; NULL on the CPU. */
    const struct wf_device_ops *device;
    size_t workspace; /* bytes its libraries hold for themselves */
    char reason[160]; /* what the device said when a call last returned WF_EDEVICE */
};

/* Work recorded once and run again as one piece (a CUDA graph): the same kernels with the same
 * arguments at the same addresses. */
struct wf_recording;

enum { WF_INVITATION = 128 }; /* bytes */
struct wf_device_ops {
    /* From `record` to `recorded` kernels, moves and small uploads are noted down, not run; nothing
     * may be allocated, downloaded or waited for. *r is NULL after a failure. */
    enum wf_status (*record)(struct wf_backend *be);
    enum wf_status (*recorded)(struct wf_backend *be, struct wf_recording **r);
    enum wf_status (*replay)(struct wf_backend *be, struct wf_recording *r);
    void (*forget)(struct wf_backend *be, struct wf_recording *r);
    /* Host memory that copies reach without a detour; NULL when there is none. */
    void *(*host_alloc)(struct wf_backend *be, size_t bytes);
    void (*host_free)(struct wf_backend *be, void *p);
    /* A copy beside the queue: `fetch` starts once everything queued before the last `fetched` is
     * done and returns at once, host (from host_alloc) stays untouched until `fetched`, after which
     * whatever is queued sees dst filled. */
    enum wf_status (*fetch)(struct wf_backend *be, void *dst, const void *host, size_t bytes);
    enum wf_status (*fetched)(struct wf_backend *be);
    /* Gives this point of the queue the number k >= 0, anew if there was one; not while recording.
     * The seconds between two such points that the device has passed. */
    enum wf_status (*mark)(struct wf_backend *be, int k);
    double (*seconds)(struct wf_backend *be, int from, int to);
    /* Sums over several processes, each with a device of its own, by the devices themselves (NCCL).
     * All join at the same time, with the invitation that one of them made. `sum` adds up n numbers
     * in place, for all to the same bits, and waits. WF_EDEVICE where there is no NCCL. */
    enum wf_status (*invite)(struct wf_backend *be, char invitation[WF_INVITATION]);
    enum wf_status (*join)(struct wf_backend *be, const char invitation[WF_INVITATION], int rank,
                           int ranks);
    enum wf_status (*sum)(struct wf_backend *be, wf_real *x, size_t n);
    void (*close)(struct wf_backend *be);
};

#define K(name, params, args)                                                                      \
    static inline enum wf_status wfk_##name params                                                 \
    {                                                                                              \
        return be->k->name args;                                                                   \
    }
#include "tensor/kernels.def"
#undef K

/* The CPU: OpenMP threads and BLAS. One per process is enough; it is never freed. */
struct wf_backend *wf_backend_cpu(void);

/* Addresses without memory, on which kernels do nothing: what ran on it tells by its arena how much
 * memory it would take. Never freed. */
struct wf_backend *wf_backend_dry(void);

/* How products are computed; sums and everything else are float32 (double in the double build). */
enum wf_precision { WF_FLOAT32, WF_TF32, WF_BF16 };

/* A CUDA device, through the plugin libweft_cuda.so, which is looked for as any shared library is.
 * WF_EDEVICE with the reason when there is no plugin, no CUDA library, no driver or no device, or
 * the plugin was built from other sources. index counts the devices the process sees, round and
 * round. */
struct wf_device_config {
    int index;
    enum wf_precision precision;
};
enum wf_status wf_backend_cuda(struct wf_backend **be, struct wf_device_config cfg,
                               struct wf_error *err);

/* Frees a device; nothing of it may be used any more. Leaves the CPU alone. */
void wf_backend_close(struct wf_backend *be);

#ifdef __cplusplus
}
#endif
#endif
