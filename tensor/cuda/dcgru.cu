/* dcgru.cu - a diffusion convolutional GRU cell and its gradient.
 *
 * A tile of samples goes through both convolutions (dconv.cuh) while it is in the L2 cache. What
 * lies between them rides on kernels that are there anyway: r h is written with the gates, the new
 * state with the candidate. Only the gradient has two kernels of its own. Launches: 6, backward 9
 * to 13. */
#include "tensor/cuda/dconv.cuh"

enum { GATES, CAND };

struct cell {
    struct wf_backend *be;
    const struct wf_tensor *x, *h, *rz, *c, *y, *dy;
    struct wf_tensor *dx, *dh;
    int H;
    bool add_h; /* whether to add to dh instead of overwriting it */
    struct wf_dconv_in in[2];
    struct wf_dconv_grad grad[2];
    struct wf_tensor inner; /* the shape of the candidate's dx[1]; each tile has its own memory */
    struct wf_device_dconv_plan plan[2];
    wf_real *temp; /* [tile, N, H], backward [tile, N, 2H] */
};

static bool cell_init(struct cell *k, struct wf_backend *be, const struct wf_dcgru_in *in,
                      const struct wf_dcgru_grad *grad)
{
    k->be = be;
    k->x = in->x;
    k->h = in->h;
    k->H = in->h->shape[2];
    for (int i = 0; i < 2; i++) {
        k->in[i] = { in->S, { in->x, in->h }, in->w[i], in->b[i], WF_ACT_NONE };
        if (!grad) k->in[i].act = i == 0 ? WF_ACT_SIGMOID : WF_ACT_TANH;
        if (grad) {
            k->grad[i] = { { grad->dx, i == 0 ? grad->dh : &k->inner }, grad->dw[i], grad->db[i] };
            for (int s = 0; s < WF_MAXSUPPORT; s++) k->grad[i].dvalue[s] = grad->dvalue[s];
        }
        wf_device_dconv_plan_init(&k->plan[i], be, &k->in[i], grad ? &k->grad[i] : NULL);
    }
    return k->plan[GATES].B > 0 && k->plan[GATES].N > 0;
}

/* Returns columns [first, first + width) of t [samples, N, ..]. */
static struct wf_tensor columns(struct wf_tensor t, int first, int width)
{
    if (t.data) t.data += first;
    t.shape[2] = width;
    return t;
}

/* Returns the temporary memory as a tensor [count, N, width]. */
static struct wf_tensor temp(const struct cell *k, int count, int width)
{
    const int shape[] = { count, k->plan[GATES].N, width };
    struct wf_tensor t = {};
    wf_tensor_shape(&t, 3, shape);
    t.data = k->temp;
    return t;
}

static enum wf_status forward(struct cell *k, int first)
{
    int H = k->H, count = wf_dconv_tile_count(&k->plan[GATES], first);
    struct wf_tensor h = wf_dconv_tile_of(k->h, first), rz = wf_dconv_tile_of(k->rz, first),
                     y = wf_dconv_tile_of(k->y, first), rh = temp(k, count, H),
                     z = columns(rz, H, H);
    struct wf_dconv_tile t = {};
    t.count = count;
    t.x[0] = wf_dconv_tile_of(k->x, first);
    t.x[1] = h;
    t.y = rz;
    t.blend.h = wf_columns_of(&h);
    t.blend.out = wf_columns_of(&rh);
    WF_TRY(wf_dconv_forward(&k->plan[GATES], &t));
    t.x[1] = rh;
    t.y = wf_dconv_tile_of(k->c, first);
    t.blend.z = wf_columns_of(&z);
    t.blend.out = wf_columns_of(&y);
    return wf_dconv_forward(&k->plan[CAND], &t);
}

extern "C" enum wf_status wf_cuda_dcgru(struct wf_backend *be, struct wf_tensor *y,
                                        struct wf_tensor *rz, struct wf_tensor *c,
                                        const struct wf_dcgru_in *in)
{
    struct cell k = {};
    k.y = y;
    k.rz = rz;
    k.c = c;
    if (!cell_init(&k, be, in, NULL)) return WF_OK;
    WF_TRY(wf_dconv_allocate(k.plan, 2, k.H, &k.temp));
    for (int first = 0; first < k.plan[GATES].B; first += k.plan[GATES].tile)
        WF_TRY(forward(&k, first));
    return WF_OK;
}

/* ---- backward ---- */

struct between {
    struct wf_columns h, r, z, c, dy, dh, left, right;
    int samples, rows, vecs;
    bool add_h;
};

/* left = r h, right = the gradient of the candidate before its tanh */
static __global__ void update_bwd_kernel(const __grid_constant__ struct between p)
{
    EACH_ITEM(i, (ptrdiff_t)p.samples * p.rows * p.vecs)
    {
        struct wf_place at = wf_place_of(i, p.rows, p.vecs);
        wf_wide dy = wf_columns_load(p.dy, at), z = wf_columns_load(p.z, at),
                c = wf_columns_load(p.c, at), r = wf_columns_load(p.r, at),
                h = wf_columns_load(p.h, at);
        for (int k = 0; k < WF_VEC; k++) {
            dy.v[k] = wf_activate_bwd(WF_ACT_TANH, c.v[k], dy.v[k] * (1 - z.v[k]));
            h.v[k] *= r.v[k];
        }
        wf_columns_store(p.left, at, h);
        wf_columns_store(p.right, at, dy);
    }
}

/* Reads d, the gradient of r h, from right; then left and right = the gradients of r and z before
 * their sigmoid, and dh (+)= dy z + d r. */
static __global__ void reset_bwd_kernel(const __grid_constant__ struct between p)
{
    EACH_ITEM(i, (ptrdiff_t)p.samples * p.rows * p.vecs)
    {
        struct wf_place at = wf_place_of(i, p.rows, p.vecs);
        wf_wide dy = wf_columns_load(p.dy, at), z = wf_columns_load(p.z, at),
                c = wf_columns_load(p.c, at), r = wf_columns_load(p.r, at),
                h = wf_columns_load(p.h, at), d = wf_columns_load(p.right, at);
        wf_wide dh = wf_vec_zero<WF_VEC>(), dr, dz;
        if (p.add_h) dh = wf_columns_load(p.dh, at);
        for (int k = 0; k < WF_VEC; k++) {
            dr.v[k] = wf_activate_bwd(WF_ACT_SIGMOID, r.v[k], d.v[k] * h.v[k]);
            dz.v[k] = wf_activate_bwd(WF_ACT_SIGMOID, z.v[k], dy.v[k] * (h.v[k] - c.v[k]));
            dh.v[k] += dy.v[k] * z.v[k] + d.v[k] * r.v[k];
        }
        wf_columns_store(p.left, at, dr);
        wf_columns_store(p.right, at, dz);
        if (p.dh.x) wf_columns_store(p.dh, at, dh);
    }
}

static enum wf_status backward(struct cell *k, int first)
{
    int H = k->H, count = wf_dconv_tile_count(&k->plan[GATES], first);
    struct wf_tensor h = wf_dconv_tile_of(k->h, first), rz = wf_dconv_tile_of(k->rz, first),
                     c = wf_dconv_tile_of(k->c, first), dy = wf_dconv_tile_of(k->dy, first),
                     dh = wf_dconv_tile_of(k->dh, first), both = temp(k, count, 2 * H);
    struct wf_tensor r = columns(rz, 0, H), z = columns(rz, H, H), left = columns(both, 0, H),
                     right = columns(both, H, H);
    struct between p = {};
    p.h = wf_columns_of(&h);
    p.r = wf_columns_of(&r);
    p.z = wf_columns_of(&z);
    p.c = wf_columns_of(&c);
    p.dy = wf_columns_of(&dy);
    p.dh = wf_columns_of(&dh);
    p.left = wf_columns_of(&left);
    p.right = wf_columns_of(&right);
    p.samples = count;
    p.rows = k->plan[GATES].N;
    p.vecs = wf_vecs(H);
    p.add_h = k->add_h && dh.data;
    unsigned blocks =
        wf_cuda_blocks(wf_cuda_of(k->be), (ptrdiff_t)count * k->plan[GATES].N * wf_vecs(H));
    WF_TRY(LAUNCH(k->be, update_bwd_kernel, blocks, WF_CUDA_BLOCK, 0, p));
    struct wf_dconv_tile t = {};
    t.count = count;
    t.x[0] = wf_dconv_tile_of(k->x, first);
    t.x[1] = left;
    t.dx[0] = wf_dconv_tile_of(k->dx, first);
    t.dx[1] = t.dy = right;
    WF_TRY(wf_dconv_backward(&k->plan[CAND], &t));
    WF_TRY(LAUNCH(k->be, reset_bwd_kernel, blocks, WF_CUDA_BLOCK, 0, p));
    t.x[1] = h;
    t.dx[1] = dh;
    t.dy = both;
    WF_TRY(wf_dconv_backward(&k->plan[GATES], &t));
    return wf_dconv_sum(k->plan, 2);
}

extern "C" enum wf_status wf_cuda_dcgru_bwd(struct wf_backend *be, const struct wf_dcgru_grad *grad,
                                            const struct wf_dcgru_in *in,
                                            const struct wf_tensor *rz, const struct wf_tensor *c,
                                            const struct wf_tensor *dy)
{
    struct cell k = {};
    k.rz = rz;
    k.c = c;
    k.dy = dy;
    k.dx = grad->dx;
    k.dh = grad->dh;
    if (!cell_init(&k, be, in, grad)) return WF_OK;
    k.plan[CAND].add[0] = wf_grad_claim(grad->dx);
    k.plan[CAND].add[1] = false;
    k.add_h = wf_grad_claim(grad->dh);
    WF_TRY(wf_dconv_allocate(k.plan, 2, 2 * k.H, &k.temp));
    for (int first = 0; first < k.plan[GATES].B; first += k.plan[GATES].tile)
        WF_TRY(backward(&k, first));
    return WF_OK;
}
