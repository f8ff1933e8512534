#include "tests/bench/count.h"
#include <string.h>
#include "dist/clock.h"

enum {
#define K(name, params, args) COUNT_##name,
#include "tensor/kernels.def"
#undef K
    COUNT_KERNELS
};

/* Kernels have no context of their own. */
static struct count of[COUNT_KERNELS];
static const struct wf_kernels *plain;

/* On a device a kernel has only been queued when it returns: call i lies between marks 2 i and
 * 2 i + 1 of the queue, which are read when all is done. Calls beyond these are not timed. */
enum { TIMED = 1 << 16 };
static unsigned char timed[TIMED];
static int calls;

static double enter(struct wf_backend *be)
{
    if (!be->device) return wf_now();
    if (calls < TIMED) be->device->mark(be, 2 * calls);
    return 0;
}

static void leave(struct wf_backend *be, int kernel, double at)
{
    of[kernel].calls++;
    if (!be->device) of[kernel].seconds += wf_now() - at;
    if (!be->device || calls == TIMED) return;
    be->device->mark(be, 2 * calls + 1);
    timed[calls++] = (unsigned char)kernel;
}

/* ---- bytes: the argument's address goes in, since _Generic compiles every branch ---- */

static double count_none(const void *at)
{
    (void)at;
    return 0;
}

static double count_elements(const struct wf_tensor *t)
{
    double n = t ? 1 : 0;
    for (int i = 0; t && i < t->ndim; i++)
        if (t->stride[i] != 0) n *= t->shape[i];
    return n * sizeof(wf_real);
}

static double count_tensor(const void *at)
{
    const struct wf_tensor *t;
    memcpy(&t, at, sizeof t);
    return count_elements(t);
}

static double count_pattern(const void *at)
{
    const struct wf_csr *A;
    memcpy(&A, at, sizeof A);
    return sizeof(int) * ((double)A->nnz + A->rows);
}

static double count_index(const void *at)
{
    const struct wf_index *ix;
    memcpy(&ix, at, sizeof ix);
    return sizeof(int) * (double)ix->n;
}

static double count_norm_in(const void *at)
{
    const struct wf_norm_in *in;
    memcpy(&in, at, sizeof in);
    return count_elements(in->x) + count_elements(in->w) + count_elements(in->b);
}

static double count_attention_in(const void *at)
{
    const struct wf_attention_in *in;
    memcpy(&in, at, sizeof in);
    return count_elements(in->q) + count_elements(in->k) + count_elements(in->v) +
           count_elements(in->mask);
}

static double count_attention_grad(const void *at)
{
    const struct wf_attention_grad *d;
    memcpy(&d, at, sizeof d);
    return count_elements(d->dq) + count_elements(d->dk) + count_elements(d->dv);
}

static double count_supports(const struct wf_supports *S)
{
    double n = 0;
    for (int s = 0; s < S->count; s++)
        n += count_pattern(&S->pattern[s]) + count_elements(S->value[s]);
    return n;
}

static double count_values(struct wf_tensor *const dvalue[WF_MAXSUPPORT])
{
    double n = 0;
    for (int s = 0; s < WF_MAXSUPPORT; s++) n += count_elements(dvalue[s]);
    return n;
}

static double count_dconv_in(const void *at)
{
    const struct wf_dconv_in *in;
    memcpy(&in, at, sizeof in);
    return count_elements(in->x[0]) + count_elements(in->x[1]) + count_elements(in->w) +
           count_elements(in->b) + count_supports(in->S);
}

static double count_dconv_grad(const void *at)
{
    const struct wf_dconv_grad *d;
    memcpy(&d, at, sizeof d);
    return count_elements(d->dx[0]) + count_elements(d->dx[1]) + count_elements(d->dw) +
           count_elements(d->db) + count_values(d->dvalue);
}

static double count_dcgru_in(const void *at)
{
    const struct wf_dcgru_in *in;
    memcpy(&in, at, sizeof in);
    double n = count_elements(in->x) + count_elements(in->h) + count_supports(in->S);
    for (int k = 0; k < 2; k++) n += count_elements(in->w[k]) + count_elements(in->b[k]);
    return n;
}

static double count_dcgru_grad(const void *at)
{
    const struct wf_dcgru_grad *d;
    memcpy(&d, at, sizeof d);
    double n = count_elements(d->dx) + count_elements(d->dh) + count_values(d->dvalue);
    for (int k = 0; k < 2; k++) n += count_elements(d->dw[k]) + count_elements(d->db[k]);
    return n;
}

#define COUNT_BYTES(x)                                                                             \
    _Generic((x),                                                                                  \
        struct wf_tensor *: count_tensor,                                                          \
        const struct wf_tensor *: count_tensor,                                                    \
        const struct wf_csr *: count_pattern,                                                      \
        const struct wf_index *: count_index,                                                      \
        const struct wf_norm_in *: count_norm_in,                                                  \
        const struct wf_attention_in *: count_attention_in,                                        \
        const struct wf_attention_grad *: count_attention_grad,                                    \
        const struct wf_dconv_in *: count_dconv_in,                                                \
        const struct wf_dconv_grad *: count_dconv_grad,                                            \
        const struct wf_dcgru_in *: count_dcgru_in,                                                \
        const struct wf_dcgru_grad *: count_dcgru_grad,                                            \
        default: count_none)(&(x))

/* The sum over a kernel's arguments, nine at most. */
#define COUNT_1(x)      COUNT_BYTES(x)
#define COUNT_2(x, ...) COUNT_BYTES(x) + COUNT_1(__VA_ARGS__)
#define COUNT_3(x, ...) COUNT_BYTES(x) + COUNT_2(__VA_ARGS__)
#define COUNT_4(x, ...) COUNT_BYTES(x) + COUNT_3(__VA_ARGS__)
#define COUNT_5(x, ...) COUNT_BYTES(x) + COUNT_4(__VA_ARGS__)
#define COUNT_6(x, ...) COUNT_BYTES(x) + COUNT_5(__VA_ARGS__)
#define COUNT_7(x, ...) COUNT_BYTES(x) + COUNT_6(__VA_ARGS__)
#define COUNT_8(x, ...) COUNT_BYTES(x) + COUNT_7(__VA_ARGS__)
#define COUNT_9(x, ...) COUNT_BYTES(x) + COUNT_8(__VA_ARGS__)

#define COUNT_PICK(a, b, c, d, e, f, g, h, i, macro, ...) macro
#define COUNT_ALL(...)                                                                             \
    COUNT_PICK(__VA_ARGS__, COUNT_9, COUNT_8, COUNT_7, COUNT_6, COUNT_5, COUNT_4, COUNT_3,         \
               COUNT_2, COUNT_1, 0)                                                                \
    (__VA_ARGS__)

#define K(name, params, args)                                                                      \
    static enum wf_status count_call_##name params                                                 \
    {                                                                                              \
        double at = enter(be);                                                                     \
        enum wf_status s = plain->name args;                                                       \
        leave(be, COUNT_##name, at);                                                               \
        of[COUNT_##name].bytes += COUNT_ALL args;                                                  \
        return s;                                                                                  \
    }
#include "tensor/kernels.def"
#undef K

/* ---- operations of the products ---- */

static enum wf_status count_gemm(struct wf_backend *be, struct wf_tensor *c,
                                 const struct wf_tensor *a, const struct wf_tensor *b, double beta)
{
    of[COUNT_gemm].flops += 2.0 * a->shape[0] * a->shape[1] * (double)a->shape[2] * b->shape[2];
    return count_call_gemm(be, c, a, b, beta);
}

static enum wf_status count_spmm(struct wf_backend *be, struct wf_tensor *y, const struct wf_csr *A,
                                 const struct wf_tensor *val, const struct wf_tensor *x,
                                 bool transpose, bool add)
{
    of[COUNT_spmm].flops += 2.0 * A->nnz * (double)x->shape[0] * x->shape[2];
    return count_call_spmm(be, y, A, val, x, transpose, add);
}

static enum wf_status count_spmm_bwd_val(struct wf_backend *be, struct wf_tensor *dval,
                                         const struct wf_csr *A, const struct wf_tensor *dy,
                                         const struct wf_tensor *x)
{
    of[COUNT_spmm_bwd_val].flops += 2.0 * A->nnz * (double)x->shape[0] * x->shape[2];
    return count_call_spmm_bwd_val(be, dval, A, dy, x);
}

/* Scores and weighted sums, forward. */
static double count_attention_flops(const struct wf_attention_in *in)
{
    const struct wf_tensor *q = in->q;
    double n = 2.0 * in->k->shape[in->k->ndim - 2];
    for (int i = 0; i < q->ndim - 1; i++) n *= q->shape[i];
    return n * (q->shape[q->ndim - 1] + in->v->shape[in->v->ndim - 1]);
}

static enum wf_status count_attention(struct wf_backend *be, struct wf_tensor *y,
                                      struct wf_tensor *lse, const struct wf_attention_in *in)
{
    of[COUNT_attention].flops += count_attention_flops(in);
    return count_call_attention(be, y, lse, in);
}

/* dv, dp, dq, dk; making the weights again is the kernel's own choice. */
static enum wf_status count_attention_bwd(struct wf_backend *be,
                                          const struct wf_attention_grad *grad,
                                          const struct wf_attention_in *in,
                                          const struct wf_tensor *y, const struct wf_tensor *lse,
                                          const struct wf_tensor *dy)
{
    of[COUNT_attention_bwd].flops += 2 * count_attention_flops(in);
    return count_call_attention_bwd(be, grad, in, y, lse, dy);
}

/* Product with the weights and hops, on the narrower side of the product. */
static double count_dconv_flops(const struct wf_dconv_in *in)
{
    const struct wf_supports *S = in->S;
    double B = in->x[0]->shape[0], O = in->w->shape[1], hops = 0;
    double C = in->x[0]->shape[2] + (in->x[1] ? in->x[1]->shape[2] : 0);
    for (int m = 1; m < S->terms; m++) hops += S->pattern[S->hop[m].support]->nnz;
    return 2 * B * (S->nodes * (double)S->terms * C * O + hops * (O < C ? O : C));
}

static enum wf_status count_dconv(struct wf_backend *be, struct wf_tensor *y,
                                  const struct wf_dconv_in *in)
{
    of[COUNT_dconv].flops += count_dconv_flops(in);
    return count_call_dconv(be, y, in);
}

static enum wf_status count_dconv_bwd(struct wf_backend *be, const struct wf_dconv_grad *grad,
                                      const struct wf_dconv_in *in, const struct wf_tensor *y,
                                      const struct wf_tensor *dy)
{
    int products = (grad->dx[0] || grad->dx[1]) + (grad->dw != NULL);
    of[COUNT_dconv_bwd].flops += products * count_dconv_flops(in);
    return count_call_dconv_bwd(be, grad, in, y, dy);
}

/* The convolution of the gates (0) or of the candidate (1). */
static double count_gate_flops(const struct wf_dcgru_in *in, int k)
{
    struct wf_dconv_in conv = { .S = in->S, .x = { in->x, in->h }, .w = in->w[k] };
    return count_dconv_flops(&conv);
}

static enum wf_status count_dcgru(struct wf_backend *be, struct wf_tensor *y, struct wf_tensor *rz,
                                  struct wf_tensor *c, const struct wf_dcgru_in *in)
{
    of[COUNT_dcgru].flops += count_gate_flops(in, 0) + count_gate_flops(in, 1);
    return count_call_dcgru(be, y, rz, c, in);
}

/* The gradient of r wants that of the candidate's input in any case. */
static enum wf_status count_dcgru_bwd(struct wf_backend *be, const struct wf_dcgru_grad *grad,
                                      const struct wf_dcgru_in *in, const struct wf_tensor *rz,
                                      const struct wf_tensor *c, const struct wf_tensor *dy)
{
    int gates = (grad->dx || grad->dh) + (grad->dw[0] != NULL), cand = 1 + (grad->dw[1] != NULL);
    of[COUNT_dcgru_bwd].flops += gates * count_gate_flops(in, 0) + cand * count_gate_flops(in, 1);
    return count_call_dcgru_bwd(be, grad, in, rz, c, dy);
}

/* ---- the table ---- */

void count_begin(struct wf_backend *be)
{
    static struct wf_kernels table = {
#define K(name, params, args) .name = count_call_##name,
#include "tensor/kernels.def"
#undef K
    };
    table.gemm = count_gemm;
    table.spmm = count_spmm;
    table.spmm_bwd_val = count_spmm_bwd_val;
    table.attention = count_attention;
    table.attention_bwd = count_attention_bwd;
    table.dconv = count_dconv;
    table.dconv_bwd = count_dconv_bwd;
    table.dcgru = count_dcgru;
    table.dcgru_bwd = count_dcgru_bwd;
    memset(of, 0, sizeof of);
    calls = 0;
    plain = be->k;
    be->k = &table;
}

struct count count_end(struct wf_backend *be)
{
    struct count sum = { 0 };
    be->k = plain;
    for (int i = 0; i < calls; i++)
        of[timed[i]].seconds += be->device->seconds(be, 2 * i, 2 * i + 1);
    for (int i = 0; i < COUNT_KERNELS; i++) {
        sum.calls += of[i].calls;
        sum.seconds += of[i].seconds;
        sum.flops += of[i].flops;
        sum.bytes += of[i].bytes;
    }
    return sum;
}

int count_top(struct count_kernel *top, int n)
{
    static const char *const names[] = {
#define K(name, params, args) #name,
#include "tensor/kernels.def"
#undef K
    };
    int used = 0;
    for (int i = 0; i < COUNT_KERNELS; i++) {
        if (of[i].calls == 0) continue;
        int at = used < n ? used++ : n;
        for (; at > 0 && top[at - 1].sum.seconds < of[i].seconds; at--)
            if (at < n) top[at] = top[at - 1];
        if (at < n) top[at] = (struct count_kernel){ names[i], of[i] };
    }
    return used;
}
