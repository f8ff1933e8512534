/* rnn.cu - the elementwise part of a step of a GRU or LSTM, and its gradient.
 *
 * Each is one launch, which reads and writes every number once. The gradients of an LSTM's peephole
 * weights take two more launches, which read the numbers again. */
#include "tensor/cuda/columns.cuh"
#include "tensor/cuda/reduce.cuh"

enum { GATES = 4 }; /* the most gates that a cell has */

/* These are the gates of a tensor [B, N, gates H]; a NULL tensor has none. */
struct gates {
    struct wf_columns of[GATES];
};

static struct gates gates_of(const struct wf_tensor *t, int count)
{
    struct gates s = {};
    if (!t) return s;
    struct wf_tensor gate = *t;
    gate.shape[2] /= count;
    for (int k = 0; k < count; k++, gate.data += gate.shape[2]) s.of[k] = wf_columns_of(&gate);
    return s;
}

/* These are the operands of a step's kernels. Columns whose x is NULL do not exist. */
struct step {
    struct gates a, b, kept, da, db;
    struct wf_columns h, y, dh, dy;      /* state, new state, their gradients */
    struct wf_columns z, dz;             /* GRU in halves: update gate, its gradient */
    struct wf_columns next, dnext, p[3]; /* LSTM: h and dh are those of the cell */
    int samples, rows, vecs;
    bool add_a, add_b, add_h, add_z;
};

static void set_shape(struct step *s, const struct wf_tensor *y)
{
    s->samples = y->shape[0];
    s->rows = y->shape[1];
    s->vecs = wf_vecs(y->shape[2]);
}

static unsigned blocks_of(struct wf_backend *be, const struct step *s)
{
    return wf_cuda_blocks(wf_cuda_of(be), (ptrdiff_t)s->samples * s->rows * s->vecs);
}

static __device__ wf_wide load(const struct wf_columns &c, struct wf_place at)
{
    return c.x ? wf_columns_load(c, at) : wf_vec_zero<WF_VEC>();
}

/* Sets c to x or, with `add`, adds x to c. */
static __device__ void put(const struct wf_columns &c, struct wf_place at, wf_wide x, bool add)
{
    if (!c.x) return;
    if (add) wf_vec_fma(x, 1, wf_columns_load(c, at));
    wf_columns_store(c, at, x);
}

/* ---- GRU ---- */

/* Returns the operands of a step whose results have the shape of y. */
static struct step gru_step(const struct wf_tensor *y, const struct wf_gru_in *in, int gates)
{
    struct step s = {};
    set_shape(&s, y);
    s.a = gates_of(in->a, gates);
    s.b = gates_of(in->b, gates);
    s.h = wf_columns_of(in->h);
    s.z = wf_columns_of(in->z);
    return s;
}

static __global__ void gru_kernel(const __grid_constant__ struct step p)
{
    EACH_ITEM(i, (ptrdiff_t)p.samples * p.rows * p.vecs)
    {
        struct wf_place at = wf_place_of(i, p.rows, p.vecs);
        wf_wide a[3], b[3], h = wf_columns_load(p.h, at);
        for (int k = 0; k < 3; k++) a[k] = wf_columns_load(p.a.of[k], at);
        for (int k = 0; k < 3; k++) b[k] = wf_columns_load(p.b.of[k], at);
        for (int k = 0; k < WF_VEC; k++) {
            wf_real r = wf_activate(WF_ACT_SIGMOID, a[0].v[k] + b[0].v[k]);
            wf_real z = wf_activate(WF_ACT_SIGMOID, a[1].v[k] + b[1].v[k]);
            wf_real u = wf_activate(WF_ACT_TANH, a[2].v[k] + r * b[2].v[k]);
            a[0].v[k] = r;
            a[1].v[k] = z;
            a[2].v[k] = u;
            h.v[k] = u + z * (h.v[k] - u);
        }
        for (int k = 0; k < 3; k++) wf_columns_store(p.kept.of[k], at, a[k]);
        wf_columns_store(p.y, at, h);
    }
}

extern "C" enum wf_status wf_cuda_gru(struct wf_backend *be, struct wf_tensor *y,
                                      struct wf_tensor *gates, const struct wf_gru_in *in)
{
    struct step p = gru_step(y, in, 3);
    p.kept = gates_of(gates, 3);
    p.y = wf_columns_of(y);
    return LAUNCH(be, gru_kernel, blocks_of(be, &p), WF_CUDA_BLOCK, 0, p);
}

static void set_gradients(struct step *s, const struct wf_gru_grad *grad, int gates)
{
    s->da = gates_of(grad->da, gates);
    s->db = gates_of(grad->db, gates);
    s->dh = wf_columns_of(grad->dh);
    s->dz = wf_columns_of(grad->dz);
    s->add_a = wf_grad_claim(grad->da);
    s->add_b = wf_grad_claim(grad->db);
    s->add_h = wf_grad_claim(grad->dh);
    s->add_z = wf_grad_claim(grad->dz);
}

static __global__ void gru_bwd_kernel(const __grid_constant__ struct step p)
{
    EACH_ITEM(i, (ptrdiff_t)p.samples * p.rows * p.vecs)
    {
        struct wf_place at = wf_place_of(i, p.rows, p.vecs);
        wf_wide g[3], b = wf_columns_load(p.b.of[2], at), h = wf_columns_load(p.h, at),
                      dy = wf_columns_load(p.dy, at), state;
        for (int k = 0; k < 3; k++) g[k] = wf_columns_load(p.kept.of[k], at);
        for (int k = 0; k < WF_VEC; k++) {
            wf_real r = g[0].v[k], z = g[1].v[k], u = g[2].v[k], d = dy.v[k];
            wf_real du = wf_activate_bwd(WF_ACT_TANH, u, d * (1 - z));
            g[0].v[k] = wf_activate_bwd(WF_ACT_SIGMOID, r, du * b.v[k]);
            g[1].v[k] = wf_activate_bwd(WF_ACT_SIGMOID, z, d * (h.v[k] - u));
            g[2].v[k] = du;
            state.v[k] = du * r;
            dy.v[k] = d * z;
        }
        for (int k = 0; k < 3; k++) put(p.da.of[k], at, g[k], p.add_a);
        for (int k = 0; k < 3; k++) put(p.db.of[k], at, k < 2 ? g[k] : state, p.add_b);
        put(p.dh, at, dy, p.add_h);
    }
}

extern "C" enum wf_status wf_cuda_gru_bwd(struct wf_backend *be, const struct wf_gru_grad *grad,
                                          const struct wf_gru_in *in, const struct wf_tensor *gates,
                                          const struct wf_tensor *dy)
{
    struct step p = gru_step(dy, in, 3);
    p.kept = gates_of(gates, 3);
    p.dy = wf_columns_of(dy);
    set_gradients(&p, grad, 3);
    return LAUNCH(be, gru_bwd_kernel, blocks_of(be, &p), WF_CUDA_BLOCK, 0, p);
}

static __global__ void reset_kernel(const __grid_constant__ struct step p)
{
    EACH_ITEM(i, (ptrdiff_t)p.samples * p.rows * p.vecs)
    {
        struct wf_place at = wf_place_of(i, p.rows, p.vecs);
        wf_wide a[2], b[2], h = wf_columns_load(p.h, at);
        for (int k = 0; k < 2; k++) a[k] = wf_columns_load(p.a.of[k], at);
        for (int k = 0; k < 2; k++) b[k] = load(p.b.of[k], at);
        for (int k = 0; k < WF_VEC; k++) {
            a[0].v[k] = wf_activate(WF_ACT_SIGMOID, a[0].v[k] + b[0].v[k]);
            a[1].v[k] = wf_activate(WF_ACT_SIGMOID, a[1].v[k] + b[1].v[k]);
            h.v[k] *= a[0].v[k];
        }
        wf_columns_store(p.kept.of[0], at, a[0]);
        wf_columns_store(p.z, at, a[1]);
        wf_columns_store(p.y, at, h);
    }
}

extern "C" enum wf_status wf_cuda_gru_reset(struct wf_backend *be, struct wf_tensor *rh,
                                            struct wf_tensor *z, struct wf_tensor *r,
                                            const struct wf_gru_in *in)
{
    struct step p = gru_step(rh, in, 2);
    p.kept = gates_of(r, 1);
    p.y = wf_columns_of(rh);
    p.z = wf_columns_of(z);
    return LAUNCH(be, reset_kernel, blocks_of(be, &p), WF_CUDA_BLOCK, 0, p);
}

static __global__ void reset_bwd_kernel(const __grid_constant__ struct step p)
{
    EACH_ITEM(i, (ptrdiff_t)p.samples * p.rows * p.vecs)
    {
        struct wf_place at = wf_place_of(i, p.rows, p.vecs);
        wf_wide r = wf_columns_load(p.kept.of[0], at), z = wf_columns_load(p.z, at),
                h = wf_columns_load(p.h, at), dy = wf_columns_load(p.dy, at),
                dz = wf_columns_load(p.dz, at);
        for (int k = 0; k < WF_VEC; k++) {
            h.v[k] = wf_activate_bwd(WF_ACT_SIGMOID, r.v[k], dy.v[k] * h.v[k]);
            dz.v[k] = wf_activate_bwd(WF_ACT_SIGMOID, z.v[k], dz.v[k]);
            dy.v[k] *= r.v[k];
        }
        put(p.da.of[0], at, h, p.add_a);
        put(p.da.of[1], at, dz, p.add_a);
        put(p.db.of[0], at, h, p.add_b);
        put(p.db.of[1], at, dz, p.add_b);
        put(p.dh, at, dy, p.add_h);
    }
}

extern "C" enum wf_status wf_cuda_gru_reset_bwd(
    struct wf_backend *be, const struct wf_gru_grad *grad, const struct wf_gru_in *in,
    const struct wf_tensor *z, const struct wf_tensor *r, const struct wf_tensor *drh,
    const struct wf_tensor *dz)
{
    struct step p = gru_step(drh, in, 2);
    p.kept = gates_of(r, 1);
    p.z = wf_columns_of(z);
    p.dy = wf_columns_of(drh);
    set_gradients(&p, grad, 2);
    p.dz = wf_columns_of(dz);
    return LAUNCH(be, reset_bwd_kernel, blocks_of(be, &p), WF_CUDA_BLOCK, 0, p);
}

static __global__ void blend_kernel(const __grid_constant__ struct step p)
{
    EACH_ITEM(i, (ptrdiff_t)p.samples * p.rows * p.vecs)
    {
        struct wf_place at = wf_place_of(i, p.rows, p.vecs);
        wf_wide u = wf_columns_load(p.a.of[0], at), b = load(p.b.of[0], at),
                h = wf_columns_load(p.h, at), z = wf_columns_load(p.z, at);
        for (int k = 0; k < WF_VEC; k++) {
            u.v[k] = wf_activate(WF_ACT_TANH, u.v[k] + b.v[k]);
            h.v[k] = u.v[k] + z.v[k] * (h.v[k] - u.v[k]);
        }
        wf_columns_store(p.kept.of[0], at, u);
        wf_columns_store(p.y, at, h);
    }
}

extern "C" enum wf_status wf_cuda_gru_blend(struct wf_backend *be, struct wf_tensor *y,
                                            struct wf_tensor *u, const struct wf_gru_in *in)
{
    struct step p = gru_step(y, in, 1);
    p.kept = gates_of(u, 1);
    p.y = wf_columns_of(y);
    return LAUNCH(be, blend_kernel, blocks_of(be, &p), WF_CUDA_BLOCK, 0, p);
}

static __global__ void blend_bwd_kernel(const __grid_constant__ struct step p)
{
    EACH_ITEM(i, (ptrdiff_t)p.samples * p.rows * p.vecs)
    {
        struct wf_place at = wf_place_of(i, p.rows, p.vecs);
        wf_wide u = wf_columns_load(p.kept.of[0], at), z = wf_columns_load(p.z, at),
                h = wf_columns_load(p.h, at), dy = wf_columns_load(p.dy, at), du;
        for (int k = 0; k < WF_VEC; k++) {
            du.v[k] = wf_activate_bwd(WF_ACT_TANH, u.v[k], dy.v[k] * (1 - z.v[k]));
            h.v[k] = dy.v[k] * (h.v[k] - u.v[k]);
            dy.v[k] *= z.v[k];
        }
        put(p.da.of[0], at, du, p.add_a);
        put(p.db.of[0], at, du, p.add_b);
        put(p.dz, at, h, p.add_z);
        put(p.dh, at, dy, p.add_h);
    }
}

extern "C" enum wf_status wf_cuda_gru_blend_bwd(struct wf_backend *be,
                                                const struct wf_gru_grad *grad,
                                                const struct wf_gru_in *in,
                                                const struct wf_tensor *u,
                                                const struct wf_tensor *dy)
{
    struct step p = gru_step(dy, in, 1);
    p.kept = gates_of(u, 1);
    p.dy = wf_columns_of(dy);
    set_gradients(&p, grad, 1);
    return LAUNCH(be, blend_bwd_kernel, blocks_of(be, &p), WF_CUDA_BLOCK, 0, p);
}

/* ---- LSTM ---- */

static void set_peepholes(struct step *s, const struct wf_tensor *p)
{
    if (!p) return;
    struct wf_tensor row = *p; /* its strides become 0, so that all places read the same row */
    row.shape[2] = p->shape[1];
    row.stride[0] = row.stride[1] = 0;
    for (int k = 0; k < 3; k++, row.data += p->shape[1]) s->p[k] = wf_columns_of(&row);
}

static __global__ void lstm_kernel(const __grid_constant__ struct step p)
{
    EACH_ITEM(i, (ptrdiff_t)p.samples * p.rows * p.vecs)
    {
        struct wf_place at = wf_place_of(i, p.rows, p.vecs);
        wf_wide a[GATES], b[GATES], w[3], c = wf_columns_load(p.h, at), h;
        for (int k = 0; k < GATES; k++) a[k] = wf_columns_load(p.a.of[k], at);
        for (int k = 0; k < GATES; k++) b[k] = load(p.b.of[k], at);
        for (int k = 0; k < 3; k++) w[k] = load(p.p[k], at);
        for (int k = 0; k < WF_VEC; k++) {
            wf_real in = wf_activate(WF_ACT_SIGMOID, a[0].v[k] + b[0].v[k] + w[0].v[k] * c.v[k]);
            wf_real f = wf_activate(WF_ACT_SIGMOID, a[1].v[k] + b[1].v[k] + w[1].v[k] * c.v[k]);
            wf_real u = wf_activate(WF_ACT_TANH, a[2].v[k] + b[2].v[k]);
            wf_real next = f * c.v[k] + in * u;
            wf_real o = wf_activate(WF_ACT_SIGMOID, a[3].v[k] + b[3].v[k] + w[2].v[k] * next);
            a[0].v[k] = in;
            a[1].v[k] = f;
            a[2].v[k] = u;
            a[3].v[k] = o;
            c.v[k] = next;
            h.v[k] = o * wf_activate(WF_ACT_TANH, next);
        }
        for (int k = 0; k < GATES; k++) wf_columns_store(p.kept.of[k], at, a[k]);
        wf_columns_store(p.next, at, c);
        wf_columns_store(p.y, at, h);
    }
}

extern "C" enum wf_status wf_cuda_lstm(struct wf_backend *be, struct wf_tensor *h,
                                       struct wf_tensor *next, struct wf_tensor *gates,
                                       const struct wf_lstm_in *in)
{
    struct step p = {};
    set_shape(&p, h);
    set_peepholes(&p, in->p);
    p.a = gates_of(in->a, GATES);
    p.b = gates_of(in->b, GATES);
    p.kept = gates_of(gates, GATES);
    p.h = wf_columns_of(in->c);
    p.y = wf_columns_of(h);
    p.next = wf_columns_of(next);
    return LAUNCH(be, lstm_kernel, blocks_of(be, &p), WF_CUDA_BLOCK, 0, p);
}

/* These are the gradients of the gates before their activation and of the cell state c, and the
 * terms whose sums are the gradients of the peephole weights. */
struct lstm_grad {
    wf_wide gate[GATES], c, peep[3];
};

static __device__ struct lstm_grad lstm_grad(const struct step &p, struct wf_place at)
{
    struct lstm_grad g;
    wf_wide a[GATES], w[3], c = wf_columns_load(p.h, at), next = wf_columns_load(p.next, at),
                            dh = wf_columns_load(p.dy, at), dc = wf_columns_load(p.dnext, at);
    for (int k = 0; k < GATES; k++) a[k] = wf_columns_load(p.kept.of[k], at);
    for (int k = 0; k < 3; k++) w[k] = load(p.p[k], at);
    for (int k = 0; k < WF_VEC; k++) {
        wf_real in = a[0].v[k], f = a[1].v[k], u = a[2].v[k], o = a[3].v[k];
        wf_real t = wf_activate(WF_ACT_TANH, next.v[k]);
        wf_real out = wf_activate_bwd(WF_ACT_SIGMOID, o, dh.v[k] * t);
        wf_real d = dc.v[k] + wf_activate_bwd(WF_ACT_TANH, t, dh.v[k] * o) + w[2].v[k] * out;
        g.gate[0].v[k] = wf_activate_bwd(WF_ACT_SIGMOID, in, d * u);
        g.gate[1].v[k] = wf_activate_bwd(WF_ACT_SIGMOID, f, d * c.v[k]);
        g.gate[2].v[k] = wf_activate_bwd(WF_ACT_TANH, u, d * in);
        g.gate[3].v[k] = out;
        g.c.v[k] = d * f + w[0].v[k] * g.gate[0].v[k] + w[1].v[k] * g.gate[1].v[k];
        g.peep[0].v[k] = g.gate[0].v[k] * c.v[k];
        g.peep[1].v[k] = g.gate[1].v[k] * c.v[k];
        g.peep[2].v[k] = out * next.v[k];
    }
    return g;
}

static __global__ void lstm_bwd_kernel(const __grid_constant__ struct step p)
{
    EACH_ITEM(i, (ptrdiff_t)p.samples * p.rows * p.vecs)
    {
        struct wf_place at = wf_place_of(i, p.rows, p.vecs);
        struct lstm_grad g = lstm_grad(p, at);
        for (int k = 0; k < GATES; k++) put(p.da.of[k], at, g.gate[k], p.add_a);
        for (int k = 0; k < GATES; k++) put(p.db.of[k], at, g.gate[k], p.add_b);
        put(p.dh, at, g.c, p.add_h);
    }
}

/* Adds the terms of the peephole gradients, which are sums over all rows of a contiguous
 * [B, N, H]. */
struct peephole_terms {
    struct step p;
    int H;
    template <int VEC>
    __device__ void operator()(ptrdiff_t, ptrdiff_t, ptrdiff_t at, double (&s)[3][VEC]) const
    {
        ptrdiff_t row = wf_div(at, H);
        int b = (int)wf_div(row, p.rows), c = (int)(at - row * H), first = c / WF_VEC * WF_VEC;
        struct lstm_grad g = lstm_grad(p, { b, (int)(row - (ptrdiff_t)b * p.rows), first });
        for (int k = 0; k < 3; k++)
            for (int v = 0; v < VEC; v++) s[k][v] += (double)g.peep[k].v[c - first + v];
    }
};

struct peephole_sums {
    wf_real *dp;
    int H;
    __device__ void operator()(ptrdiff_t k, const double (&s)[3]) const
    {
        for (int i = 0; i < 3; i++) dp[i * H + k] += (wf_real)s[i];
    }
};

/* Adds to the gradients of the peephole weights. This runs before the kernel of the other
 * gradients, which may overwrite the numbers that are read here. */
static enum wf_status add_peepholes(struct wf_backend *be, const struct step *p,
                                    const struct wf_tensor *dp, const struct wf_tensor *dh)
{
    struct wf_tensor x = *dh, y = *dh;
    int H = dp->shape[1];
    wf_tensor_shape(&x, 3, dh->shape); /* the sum counts places as if dh were contiguous */
    y.shape[0] = y.shape[1] = 1;
    struct wf_reduction w = wf_reduction_of(&y, &x, H > 1); /* vectors run along a row */
    double *part = (double *)wf_cuda_scratch(be, wf_reduce_bytes(&w, 3));
    if (!part && w.parts > 1) return WF_ENOMEM;
    return wf_reduce<3>(be, w, part, peephole_terms{ *p, H }, peephole_sums{ dp->data, H });
}

extern "C" enum wf_status wf_cuda_lstm_bwd(struct wf_backend *be, const struct wf_lstm_grad *grad,
                                           const struct wf_lstm_in *in,
                                           const struct wf_tensor *next,
                                           const struct wf_tensor *gates,
                                           const struct wf_tensor *dh,
                                           const struct wf_tensor *dnext)
{
    struct step p = {};
    set_shape(&p, dh);
    set_peepholes(&p, in->p);
    p.kept = gates_of(gates, GATES);
    p.h = wf_columns_of(in->c);
    p.next = wf_columns_of(next);
    p.dy = wf_columns_of(dh);
    p.dnext = wf_columns_of(dnext);
    p.da = gates_of(grad->da, GATES);
    p.db = gates_of(grad->db, GATES);
    p.dh = wf_columns_of(grad->dc);
    if (grad->dp) WF_TRY(add_peepholes(be, &p, grad->dp, dh));
    p.add_a = wf_grad_claim(grad->da);
    p.add_b = wf_grad_claim(grad->db);
    p.add_h = wf_grad_claim(grad->dc);
    return LAUNCH(be, lstm_bwd_kernel, blocks_of(be, &p), WF_CUDA_BLOCK, 0, p);
}
