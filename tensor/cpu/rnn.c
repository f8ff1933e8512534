/* rnn.c - the elementwise part of a step of a GRU or LSTM, and its gradient: each row of samples
 * and nodes in one pass, all gates at once. */
#include <string.h>
#include "tensor/cpu/cpu_private.h"
#include "tensor/cpu/vec_private.h"

/* Sums over rows are made of at most this many partial sums, whatever the number of threads. */
enum { CHUNKS = 16 };

static ptrdiff_t rows_of(const struct wf_tensor *t)
{
    return (ptrdiff_t)t->shape[0] * t->shape[1];
}

/* Returns row r of t [B, N, C], or NULL where t is NULL. */
static wf_real *row(const struct wf_tensor *t, ptrdiff_t r)
{
    if (t == NULL) return NULL;
    ptrdiff_t b = r / t->shape[1];
    return t->data + b * t->stride[0] + (r - b * t->shape[1]) * t->stride[1];
}

/* Loads n numbers from p on, or zeros where p is NULL. */
WF_INLINE wf_vec at(const wf_real *p, int n)
{
    return p ? vec_load_some(p, n) : vec_set(0);
}

/* p (+)= v; does nothing where p is NULL. */
WF_INLINE void put(wf_real *p, ptrdiff_t i, wf_vec v, bool add, int n)
{
    if (p == NULL) return;
    if (add) v = vec_add(vec_load_some(p + i, n), v);
    vec_store_some(p + i, v, n);
}

/* ---- GRU ---- */

enum wf_status wf_cpu_gru(struct wf_backend *be, struct wf_tensor *y, struct wf_tensor *gates,
                          const struct wf_gru_in *in)
{
    (void)be;
    ptrdiff_t rows = rows_of(y), H = y->shape[2];
#pragma omp parallel for schedule(static) if (rows * H > 8192)
    for (ptrdiff_t r = 0; r < rows; r++) {
        const wf_real *a = row(in->a, r), *b = row(in->b, r), *h = row(in->h, r);
        wf_real *to = row(y, r), *gate = row(gates, r);
        WF_EACH_VECTOR(c, n, (int)H)
        {
            wf_vec reset = vec_sigmoid(vec_add(at(a + c, n), at(b + c, n)));
            wf_vec z = vec_sigmoid(vec_add(at(a + H + c, n), at(b + H + c, n)));
            wf_vec u = vec_tanh(vec_fma(reset, at(b + 2 * H + c, n), at(a + 2 * H + c, n)));
            vec_store_some(gate + c, reset, n);
            vec_store_some(gate + H + c, z, n);
            vec_store_some(gate + 2 * H + c, u, n);
            vec_store_some(to + c, vec_fma(z, vec_sub(at(h + c, n), u), u), n);
        }
    }
    return WF_OK;
}

enum wf_status wf_cpu_gru_bwd(struct wf_backend *be, const struct wf_gru_grad *grad,
                              const struct wf_gru_in *in, const struct wf_tensor *gates,
                              const struct wf_tensor *dy)
{
    (void)be;
    ptrdiff_t rows = rows_of(gates), H = dy->shape[2];
    bool add_a = wf_grad_claim(grad->da), add_b = wf_grad_claim(grad->db),
         add_h = wf_grad_claim(grad->dh);
#pragma omp parallel for schedule(static) if (rows * H > 8192)
    for (ptrdiff_t r = 0; r < rows; r++) {
        const wf_real *b = row(in->b, r), *h = row(in->h, r), *gate = row(gates, r),
                      *from = row(dy, r);
        wf_real *da = row(grad->da, r), *db = row(grad->db, r), *dh = row(grad->dh, r);
        WF_EACH_VECTOR(c, n, (int)H)
        {
            wf_vec reset = at(gate + c, n), z = at(gate + H + c, n), u = at(gate + 2 * H + c, n),
                   d = at(from + c, n);
            wf_vec du = vec_tanh_grad(u, vec_mul(d, vec_sub(vec_set(1), z)));
            wf_vec dz = vec_sigmoid_grad(z, vec_mul(d, vec_sub(at(h + c, n), u)));
            wf_vec dr = vec_sigmoid_grad(reset, vec_mul(du, at(b + 2 * H + c, n)));
            put(da, c, dr, add_a, n);
            put(da, H + c, dz, add_a, n);
            put(da, 2 * H + c, du, add_a, n);
            put(db, c, dr, add_b, n);
            put(db, H + c, dz, add_b, n);
            put(db, 2 * H + c, vec_mul(du, reset), add_b, n);
            put(dh, c, vec_mul(d, z), add_h, n);
        }
    }
    return WF_OK;
}

enum wf_status wf_cpu_gru_reset(struct wf_backend *be, struct wf_tensor *rh, struct wf_tensor *z,
                                struct wf_tensor *r, const struct wf_gru_in *in)
{
    (void)be;
    ptrdiff_t rows = rows_of(rh), H = rh->shape[2];
#pragma omp parallel for schedule(static) if (rows * H > 8192)
    for (ptrdiff_t i = 0; i < rows; i++) {
        const wf_real *a = row(in->a, i), *b = row(in->b, i), *h = row(in->h, i);
        wf_real *to = row(rh, i), *to_z = row(z, i), *to_r = row(r, i);
        WF_EACH_VECTOR(c, n, (int)H)
        {
            wf_vec reset = vec_sigmoid(vec_add(at(a + c, n), at(b ? b + c : NULL, n)));
            vec_store_some(to_r + c, reset, n);
            vec_store_some(to + c, vec_mul(reset, at(h + c, n)), n);
            reset = vec_sigmoid(vec_add(at(a + H + c, n), at(b ? b + H + c : NULL, n)));
            vec_store_some(to_z + c, reset, n);
        }
    }
    return WF_OK;
}

enum wf_status wf_cpu_gru_reset_bwd(struct wf_backend *be, const struct wf_gru_grad *grad,
                                    const struct wf_gru_in *in, const struct wf_tensor *z,
                                    const struct wf_tensor *r, const struct wf_tensor *drh,
                                    const struct wf_tensor *dz)
{
    (void)be;
    ptrdiff_t rows = rows_of(drh), H = drh->shape[2];
    bool add_a = wf_grad_claim(grad->da), add_b = wf_grad_claim(grad->db),
         add_h = wf_grad_claim(grad->dh);
#pragma omp parallel for schedule(static) if (rows * H > 8192)
    for (ptrdiff_t i = 0; i < rows; i++) {
        const wf_real *h = row(in->h, i), *gate_z = row(z, i), *gate_r = row(r, i),
                      *from = row(drh, i), *from_z = row(dz, i);
        wf_real *da = row(grad->da, i), *db = row(grad->db, i), *dh = row(grad->dh, i);
        WF_EACH_VECTOR(c, n, (int)H)
        {
            wf_vec reset = at(gate_r + c, n), d = at(from + c, n);
            wf_vec dr = vec_sigmoid_grad(reset, vec_mul(d, at(h + c, n)));
            wf_vec du = vec_sigmoid_grad(at(gate_z + c, n), at(from_z + c, n));
            put(da, c, dr, add_a, n);
            put(da, H + c, du, add_a, n);
            put(db, c, dr, add_b, n);
            put(db, H + c, du, add_b, n);
            put(dh, c, vec_mul(d, reset), add_h, n);
        }
    }
    return WF_OK;
}

enum wf_status wf_cpu_gru_blend(struct wf_backend *be, struct wf_tensor *y, struct wf_tensor *u,
                                const struct wf_gru_in *in)
{
    (void)be;
    ptrdiff_t rows = rows_of(y), H = y->shape[2];
#pragma omp parallel for schedule(static) if (rows * H > 8192)
    for (ptrdiff_t i = 0; i < rows; i++) {
        const wf_real *a = row(in->a, i), *b = row(in->b, i), *h = row(in->h, i),
                      *z = row(in->z, i);
        wf_real *to = row(y, i), *to_u = row(u, i);
        WF_EACH_VECTOR(c, n, (int)H)
        {
            wf_vec now = vec_tanh(vec_add(at(a + c, n), at(b ? b + c : NULL, n)));
            vec_store_some(to_u + c, now, n);
            vec_store_some(to + c, vec_fma(at(z + c, n), vec_sub(at(h + c, n), now), now), n);
        }
    }
    return WF_OK;
}

enum wf_status wf_cpu_gru_blend_bwd(struct wf_backend *be, const struct wf_gru_grad *grad,
                                    const struct wf_gru_in *in, const struct wf_tensor *u,
                                    const struct wf_tensor *dy)
{
    (void)be;
    ptrdiff_t rows = rows_of(dy), H = dy->shape[2];
    bool add_a = wf_grad_claim(grad->da), add_b = wf_grad_claim(grad->db),
         add_h = wf_grad_claim(grad->dh), add_z = wf_grad_claim(grad->dz);
#pragma omp parallel for schedule(static) if (rows * H > 8192)
    for (ptrdiff_t i = 0; i < rows; i++) {
        const wf_real *h = row(in->h, i), *gate = row(in->z, i), *now = row(u, i),
                      *from = row(dy, i);
        wf_real *da = row(grad->da, i), *db = row(grad->db, i), *dh = row(grad->dh, i),
                *dz = row(grad->dz, i);
        WF_EACH_VECTOR(c, n, (int)H)
        {
            wf_vec d = at(from + c, n), z = at(gate + c, n), v = at(now + c, n);
            wf_vec dv = vec_tanh_grad(v, vec_mul(d, vec_sub(vec_set(1), z)));
            put(da, c, dv, add_a, n);
            put(db, c, dv, add_b, n);
            put(dz, c, vec_mul(d, vec_sub(at(h + c, n), v)), add_z, n);
            put(dh, c, vec_mul(d, z), add_h, n);
        }
    }
    return WF_OK;
}

/* ---- LSTM ---- */

enum wf_status wf_cpu_lstm(struct wf_backend *be, struct wf_tensor *h, struct wf_tensor *next,
                           struct wf_tensor *gates, const struct wf_lstm_in *in)
{
    (void)be;
    ptrdiff_t rows = rows_of(h), H = h->shape[2];
    const wf_real *p = in->p ? in->p->data : NULL;
#pragma omp parallel for schedule(static) if (rows * H > 8192)
    for (ptrdiff_t r = 0; r < rows; r++) {
        const wf_real *a = row(in->a, r), *b = row(in->b, r), *cell = row(in->c, r);
        wf_real *to = row(h, r), *to_next = row(next, r), *gate = row(gates, r);
        WF_EACH_VECTOR(c, n, (int)H)
        {
            wf_vec v[4], old = at(cell + c, n);
            for (int k = 0; k < 4; k++)
                v[k] = vec_add(at(a + k * H + c, n), at(b ? b + k * H + c : NULL, n));
            if (p != NULL) {
                v[0] = vec_fma(at(p + c, n), old, v[0]);
                v[1] = vec_fma(at(p + H + c, n), old, v[1]);
            }
            v[0] = vec_sigmoid(v[0]);
            v[1] = vec_sigmoid(v[1]);
            v[2] = vec_tanh(v[2]);
            wf_vec now = vec_fma(v[1], old, vec_mul(v[0], v[2]));
            if (p != NULL) v[3] = vec_fma(at(p + 2 * H + c, n), now, v[3]);
            v[3] = vec_sigmoid(v[3]);
            for (int k = 0; k < 4; k++) vec_store_some(gate + k * H + c, v[k], n);
            vec_store_some(to_next + c, now, n);
            vec_store_some(to + c, vec_mul(v[3], vec_tanh(now)), n);
        }
    }
    return WF_OK;
}

struct lstm_bwd {
    const struct wf_lstm_in *in;
    const struct wf_lstm_grad *grad;
    const struct wf_tensor *next, *gates, *dh, *dnext;
    bool add_a, add_b, add_c;
};

/* Takes one row; sum [3, H] collects the gradients of the peepholes, or is NULL. */
static void lstm_row(const struct lstm_bwd *s, ptrdiff_t r, wf_real *sum)
{
    int H = s->dh->shape[2];
    const wf_real *cell = row(s->in->c, r), *next = row(s->next, r), *gate = row(s->gates, r),
                  *dh = row(s->dh, r), *dnext = row(s->dnext, r),
                  *p = s->in->p ? s->in->p->data : NULL;
    wf_real *da = row(s->grad->da, r), *db = row(s->grad->db, r), *dc = row(s->grad->dc, r);
    WF_EACH_VECTOR(c, n, H)
    {
        wf_vec i = at(gate + c, n), f = at(gate + H + c, n), u = at(gate + 2 * H + c, n),
               o = at(gate + 3 * H + c, n), old = at(cell + c, n), now = at(next + c, n),
               t = vec_tanh(now), d = at(dh + c, n), v[4];
        v[3] = vec_sigmoid_grad(o, vec_mul(d, t));
        d = vec_add(vec_tanh_grad(t, vec_mul(d, o)), at(dnext + c, n));
        if (p != NULL) d = vec_fma(v[3], at(p + 2 * H + c, n), d);
        v[0] = vec_sigmoid_grad(i, vec_mul(d, u));
        v[1] = vec_sigmoid_grad(f, vec_mul(d, old));
        v[2] = vec_tanh_grad(u, vec_mul(d, i));
        d = vec_mul(d, f);
        if (p != NULL) {
            d = vec_fma(v[0], at(p + c, n), d);
            d = vec_fma(v[1], at(p + H + c, n), d);
        }
        for (int k = 0; k < 4; k++) {
            put(da, k * H + c, v[k], s->add_a, n);
            put(db, k * H + c, v[k], s->add_b, n);
        }
        put(dc, c, d, s->add_c, n);
        put(sum, c, vec_mul(v[0], old), true, n);
        put(sum, H + c, vec_mul(v[1], old), true, n);
        put(sum, 2 * H + c, vec_mul(v[3], now), true, n);
    }
}

enum wf_status wf_cpu_lstm_bwd(struct wf_backend *be, const struct wf_lstm_grad *grad,
                               const struct wf_lstm_in *in, const struct wf_tensor *next,
                               const struct wf_tensor *gates, const struct wf_tensor *dh,
                               const struct wf_tensor *dnext)
{
    struct lstm_bwd s = { in, grad, next, gates, dh, dnext, false, false, false };
    ptrdiff_t rows = rows_of(dh), H = dh->shape[2], size = 3 * H;
    wf_real *sums = NULL;
    if (grad->dp != NULL) {
        sums = wf_cpu_scratch(be, CHUNKS * (size_t)size * sizeof *sums);
        if (sums == NULL) return WF_ENOMEM;
        memset(sums, 0, CHUNKS * (size_t)size * sizeof *sums);
    }
    s.add_a = wf_grad_claim(grad->da);
    s.add_b = wf_grad_claim(grad->db);
    s.add_c = wf_grad_claim(grad->dc);
#pragma omp parallel for schedule(static) if (rows * H > 8192)
    for (int k = 0; k < CHUNKS; k++)
        for (ptrdiff_t r = rows * k / CHUNKS; r < rows * (k + 1) / CHUNKS; r++)
            lstm_row(&s, r, sums ? sums + k * size : NULL);
    for (ptrdiff_t c = 0; c < (sums ? size : 0); c++) {
        wf_real sum = 0;
        for (int k = 0; k < CHUNKS; k++) sum += sums[k * size + c];
        grad->dp->data[c] += sum;
    }
    return WF_OK;
}
