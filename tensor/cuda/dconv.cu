/* dconv.cu - the diffusion convolution and its gradient.
 *
 * Y = act(sum_m T_m(X) W_m + b). With P_m the polynomial of term m there are two orders,
 *     hops first:  Z_m = P_m X, Y = sum_m Z_m W_m              hops on the C input channels
 *     mix first:   U_m = X W_m, Y = sum_m P_m U_m (fold)       hops on the O output channels
 * and for the gradient, with D = dY act'(Y),
 *     mix last:    G_m = P_m^T D, dX = sum_m G_m W_m^T, dW_m = X^T G_m    hops on O, once
 *     hops last:   E_m = D W_m^T, dX = sum_m P_m^T E_m (fold), dW_m = (P_m X)^T D
 *                                                              hops on C, for dX and for dW
 * Mix first and mix last turn the order of the hops round, so they need hops that commute; the
 * gradient of the supports needs the terms that hops last makes. Products cost the same in all.
 *
 * The terms of a tile of samples lie side by side, [rows, M C], so that each sum above is one
 * product; they are written by the hops and read by the product while they are in the L2 cache.
 * Activations and their gradients, the bias, its gradient, the joining of x0 and x1 and the packing
 * of the weights ride on the kernels of the hops. Launches: hops first 3, mix first 3, mix last
 * 4 or 5, hops last 6, of which the last may serve two convolutions.
 *
 * METR-LA, hidden 64 (B 64, N 207, M 5, E 1722 a support; C 66 or 128, O 128 or 64), counted, not
 * measured: at C = O = 128 a product is 2.2 GFLOP, 7 us at 300 TFLOP/s (tf32) or 43 at 50
 * (float32); X and Y are 7 MB each, the terms 34 MB, written and read once through the L2 cache, 14
 * us at 5 TB/s; the hops read 226 MB of rows from shared memory, 9 us at 26 TB/s. The 96
 * convolutions of an iteration come to some 2.3 ms forward and 3 ms backward in tf32, in float32 to
 * 6 ms more. */
#include "tensor/cuda/dconv.cuh"
#include "tensor/cuda/gemm.cuh"

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

/* The cost model: products cost the same in every order, so it counts the vectors that pass through
 * hops. */
static bool mix_outside_wins(const struct wf_device_dconv_plan *d)
{
    if (d->want_value || d->M == 1 || !wf_supports_commute(d->in->S)) return false;
    if (d->grad == NULL) return d->po < d->pc;
    return d->po <= (d->want_w ? d->pc : 0) + (d->want_x ? d->px : 0);
}

/* Returns how many samples make a tile: as many as have their terms in four fifths of the L2 cache,
 * in tiles of about one size. */
static int tile_of(const struct wf_device_dconv_plan *d)
{
    size_t most = (size_t)wf_cuda_of(d->be)->cache / 5 * 4;
    int width = d->mix_outside ? d->po : d->pc;
    size_t sample = sizeof(wf_real) * (size_t)d->N * (size_t)d->M * (size_t)width + 1;
    int fit = sample < most ? (int)(most / sample < 65536 ? most / sample : 65536) : 1;
    return ceil_div(d->B, ceil_div(d->B, fit));
}

void wf_device_dconv_plan_init(struct wf_device_dconv_plan *d, struct wf_backend *be,
                               const struct wf_dconv_in *in, const struct wf_dconv_grad *grad)
{
    const struct wf_tensor *x0 = in->x[0], *x1 = in->x[1];
    *d = {};
    d->be = be;
    d->in = in;
    d->grad = grad;
    d->add[0] = d->add[1] = true;
    d->B = x0->shape[0];
    d->N = x0->shape[1];
    d->C1 = x1 ? x1->shape[2] : 0;
    d->C = x0->shape[2] + d->C1;
    d->O = in->w->shape[in->w->ndim - 1];
    d->M = in->S->terms;
    if (grad != NULL) {
        d->want_w = grad->dw != NULL;
        for (int s = 0; s < in->S->count; s++) d->want_value |= grad->dvalue[s] != NULL;
        bool all = grad->dx[0] != NULL || d->want_value;
        d->want_x = all || grad->dx[1] != NULL;
        d->Cx = all ? d->C : d->C1;
    }
    d->pc = wf_vecs(d->C) * WF_VEC;
    d->po = wf_vecs(d->O) * WF_VEC;
    d->px = wf_vecs(d->Cx) * WF_VEC;
    d->mix_outside = mix_outside_wins(d);
    d->tile = tile_of(d);
}

/* ---- scratch memory ----
 * It is laid out twice: first with base NULL, to learn the size, then in the memory. */

struct arena {
    char *base;
    size_t used;
};

static wf_real *carve(struct arena *a, bool wanted, size_t rows, size_t width)
{
    if (!wanted) return NULL;
    wf_real *p = a->base ? (wf_real *)(a->base + a->used) : NULL;
    a->used += (rows * width * sizeof(wf_real) + 255) / 256 * 256;
    return p;
}

static int rows(const struct wf_device_dconv_plan *d)
{
    return d->at.count * d->N;
}

/* Returns the product that is dW of the tile at hand: [pc, M po] from X and the G, or [M pc, po]
 * from the Z and D. */
static struct wf_product weight_gradient(const struct wf_device_dconv_plan *d)
{
    struct wf_product p = {};
    int left = d->mix_outside ? d->pc : d->M * d->pc, right = d->mix_outside ? d->M * d->po : d->po;
    p.a = { d->mix_outside ? d->x : d->terms, 0, left, true };
    p.b = { d->mix_outside ? d->terms : d->d, 0, right, false };
    p.G = 1;
    p.M = left;
    p.N = right;
    p.K = rows(d);
    return p;
}

static int pieces_of(const struct wf_device_dconv_plan *d, int samples)
{
    struct wf_device_dconv_plan tile = *d;
    tile.at.count = samples;
    struct wf_product p = weight_gradient(&tile);
    return ceil_div(p.K, wf_cuda_piece(d->be, &p));
}

static void lay_out(struct wf_device_dconv_plan *d, struct arena *a)
{
    size_t n = (size_t)d->tile * (size_t)d->N, M = (size_t)d->M;
    size_t pc = (size_t)d->pc, po = (size_t)d->po, px = (size_t)d->px;
    bool back = d->grad != NULL, build = d->want_w || d->want_value;
    d->pack = carve(a, !back || d->want_x, M * po, back ? px : pc);
    d->terms = carve(a, true, n * M, d->mix_outside ? po : back && !build ? px : pc);
    d->e = d->want_value ? carve(a, true, n * M, px) : d->terms;
    d->x = carve(a, d->mix_outside, n, pc);
    d->d = carve(a, back && !d->mix_outside, n, po);
}

/* Lays out the memory that lasts until wf_dconv_sum(). */
static void lay_out_sums(struct wf_device_dconv_plan *d, struct arena *a)
{
    if (d->grad == NULL) return;
    int whole = pieces_of(d, d->tile), last = pieces_of(d, (d->B - 1) % d->tile + 1);
    size_t most = (size_t)(whole > last ? whole : last);
    int sums = wf_cuda_of(d->be)->sms > d->tile ? wf_cuda_of(d->be)->sms : d->tile;
    d->part = carve(a, d->want_w, most, (size_t)d->pc * (size_t)d->M * (size_t)d->po);
    d->sum = carve(a, d->grad->db != NULL, (size_t)sums, (size_t)d->po);
}

enum wf_status wf_dconv_allocate(struct wf_device_dconv_plan *d, int plans, int width,
                                 wf_real **temp)
{
    struct wf_backend *be = d->be;
    int tile = d->tile;
    for (int k = 1; k < plans; k++) tile = d[k].tile < tile ? d[k].tile : tile;
    for (int k = 0; k < plans; k++) d[k].tile = tile;
    struct arena first = {}, a = {};
    for (bool last = false;; last = true) {
        size_t most = 0;
        *temp = carve(&first, width > 0, (size_t)tile * (size_t)d->N, (size_t)width);
        for (int k = 0; k < plans; k++) lay_out_sums(&d[k], &first);
        for (int k = 0; k < plans; k++) {
            a = first;
            lay_out(&d[k], &a);
            most = a.used > most ? a.used : most;
        }
        if (last) return WF_OK;
        first = { (char *)wf_cuda_scratch(be, most), 0 };
        if (first.base == NULL) return WF_ENOMEM;
    }
}

struct wf_tensor wf_dconv_tile_of(const struct wf_tensor *t, int first)
{
    struct wf_tensor part = {};
    if (!t) return part;
    part = *t;
    part.data += first * t->stride[0];
    return part;
}

int wf_dconv_tile_count(const struct wf_device_dconv_plan *d, int first)
{
    return d->B - first < d->tile ? d->B - first : d->tile;
}

/* ---- the steps ---- */

/* Returns `count` terms of `width` channels each, which lie side by side in data. */
static struct wf_terms terms(const struct wf_device_dconv_plan *d, wf_real *data, int width,
                             int count)
{
    struct wf_terms T = {};
    T.data = data;
    T.term = width;
    T.row = (ptrdiff_t)width * count;
    T.sample = T.row * d->N;
    T.samples = d->at.count;
    T.rows = d->N;
    T.vecs = width / WF_VEC;
    return T;
}

static struct wf_source source_x(const struct wf_device_dconv_plan *d)
{
    struct wf_source s = {};
    const struct wf_tensor *x0 = &d->at.x[0], *x1 = &d->at.x[1];
    s.part[0] = wf_columns_of(x1->data ? x1 : x0);
    if (x1->data) s.part[1] = wf_columns_of(x0);
    return s;
}

static struct wf_source source_d(const struct wf_device_dconv_plan *d)
{
    struct wf_source s = {};
    s.part[0] = wf_columns_of(&d->at.dy);
    s.act = d->in->act;
    if (s.act != WF_ACT_NONE) s.y = wf_columns_of(&d->at.y);
    return s;
}

static struct wf_sink sink_y(const struct wf_device_dconv_plan *d)
{
    struct wf_sink s = {};
    s.part[0] = wf_columns_of(&d->at.y);
    s.act = d->in->act;
    s.bias = d->in->b ? d->in->b->data : NULL;
    s.bias_stride = d->in->b ? d->in->b->stride[0] : 0;
    s.blend = d->at.blend;
    return s;
}

static struct wf_sink sink_dx(const struct wf_device_dconv_plan *d)
{
    struct wf_sink s = {};
    const struct wf_tensor *dx0 = &d->at.dx[0], *dx1 = &d->at.dx[1];
    s.part[0] = wf_columns_of(d->C1 ? dx1 : dx0);
    if (d->C1) s.part[1] = wf_columns_of(dx0);
    s.part[0].width = d->C1 ? d->C1 : d->C; /* also where its gradient is not wanted */
    s.add[0] = d->C1 ? d->add[1] : d->add[0];
    s.add[1] = d->add[0];
    return s;
}

/* Packs the weights as [M, channels, outputs], with strides sm, sc and so. */
static struct wf_pack pack(const struct wf_device_dconv_plan *d, int channels, ptrdiff_t sm,
                           ptrdiff_t sc, ptrdiff_t so)
{
    struct wf_pack p = {};
    p.w = d->in->w->data;
    p.to = d->pack;
    p.M = d->M;
    p.C = d->C;
    p.O = d->O;
    p.C1 = d->C1;
    p.rows = channels;
    p.cols = d->po;
    p.sm = sm;
    p.sc = sc;
    p.so = so;
    return p;
}

/* c [rows, width] = a [rows, K] (packed weights, from column `first` on) + beta c */
static enum wf_status mix(const struct wf_device_dconv_plan *d, const wf_real *a, int K, int ld,
                          int first, struct wf_device_matrix c, int width, wf_real beta)
{
    struct wf_product p = {};
    p.a = { const_cast<wf_real *>(a), 0, K, false };
    p.b = { d->pack + first, 0, ld, false };
    p.c = c;
    p.G = 1;
    p.M = rows(d);
    p.N = width;
    p.K = K;
    p.beta = beta;
    return wf_cuda_product(d->be, &p);
}

/* ---- forward ---- */

/* y = act(y + bias), and computes what y is blended to. */
static enum wf_status finish_y(const struct wf_device_dconv_plan *d)
{
    struct wf_sink sink = sink_y(d);
    if (!sink.bias && sink.act == WF_ACT_NONE && !sink.blend.out.x) return WF_OK;
    return wf_cuda_finish(d->be, &sink.part[0], d->at.count, d->N, &sink);
}

static enum wf_status hops_first(struct wf_device_dconv_plan *d)
{
    struct wf_build job = {};
    wf_real *y = d->at.y.data;
    job.S = d->in->S;
    job.source = source_x(d);
    job.T = terms(d, d->terms, d->pc, d->M);
    job.side.pack = pack(d, d->pc, (ptrdiff_t)d->pc * d->po, d->po, 1);
    WF_TRY(wf_cuda_build(d->be, &job));
    WF_TRY(mix(d, d->terms, d->M * d->pc, d->po, 0, { y, 0, d->O, false }, d->O, 0));
    return finish_y(d);
}

static enum wf_status mix_first(struct wf_device_dconv_plan *d)
{
    struct wf_side side = {};
    struct wf_fold job = {};
    int width = d->M * d->po;
    side.pack = pack(d, d->pc, d->po, width, 1);
    side.copy[0] = { source_x(d), terms(d, d->x, d->pc, 1), NULL };
    WF_TRY(wf_cuda_side(d->be, &side));
    WF_TRY(mix(d, d->x, d->pc, width, 0, { d->terms, 0, width, false }, width, 0));
    job.S = d->in->S;
    job.T = terms(d, d->terms, d->po, d->M);
    job.sink = sink_y(d);
    return wf_cuda_fold(d->be, &job);
}

enum wf_status wf_dconv_forward(struct wf_device_dconv_plan *d, const struct wf_dconv_tile *tile)
{
    d->at = *tile;
    return d->mix_outside ? mix_first(d) : hops_first(d);
}

/* Returns the tile of the call that begins with sample `first`. */
static struct wf_dconv_tile tile_at(const struct wf_device_dconv_plan *d, int first,
                                    const struct wf_tensor *y, const struct wf_tensor *dy)
{
    struct wf_dconv_tile t = {};
    t.count = wf_dconv_tile_count(d, first);
    t.y = wf_dconv_tile_of(y, first);
    t.dy = wf_dconv_tile_of(dy, first);
    for (int k = 0; k < 2; k++) {
        t.x[k] = wf_dconv_tile_of(d->in->x[k], first);
        if (d->grad) t.dx[k] = wf_dconv_tile_of(d->grad->dx[k], first);
    }
    return t;
}

extern "C" enum wf_status wf_cuda_dconv(struct wf_backend *be, struct wf_tensor *y,
                                        const struct wf_dconv_in *in)
{
    struct wf_device_dconv_plan plan, *d = &plan;
    wf_real *none;
    wf_device_dconv_plan_init(d, be, in, NULL);
    if (d->B == 0 || d->N == 0 || d->O == 0) return WF_OK;
    WF_TRY(wf_dconv_allocate(d, 1, 0, &none));
    for (int first = 0; first < d->B; first += d->tile) {
        struct wf_dconv_tile tile = tile_at(d, first, y, NULL);
        WF_TRY(wf_dconv_forward(d, &tile));
    }
    return WF_OK;
}

/* ---- backward ---- */

struct reduce {
    const wf_real *part, *sum;
    int pieces, sums, po;
    ptrdiff_t size, sm, sc; /* numbers of a piece; strides of its terms and of its channels */
    int M, C, C1, O;
    wf_real *dw, *db; /* NULL: not wanted */
    ptrdiff_t db_stride;
    int blocks, all; /* blocks that sum dw; those that sum dw or db */
};

/* The sums of one convolution, or of two at once. */
struct reductions {
    struct reduce of[2];
};

static __device__ void reduce_dw(const struct reduce &p, int i)
{
    int row = i / p.O, o = i - row * p.O, m = row / p.C, channel = row - m * p.C;
    int c = channel < p.C - p.C1 ? p.C1 + channel : channel - (p.C - p.C1);
    const wf_real *part = p.part + m * p.sm + c * p.sc + o;
    wf_real sum = 0;
    WF_UNROLL(8)
    for (int k = 0; k < p.pieces; k++) sum += part[k * p.size];
    p.dw[i] += sum;
}

/* dw += the pieces and db += the sums, in their order. Each element of db has a warp. */
static __global__ void reduce_kernel(const __grid_constant__ struct reductions both)
{
    int block = (int)blockIdx.x, thread = (int)threadIdx.x, second = block >= both.of[0].all;
    const struct reduce &p = both.of[second];
    block -= second ? both.of[0].all : 0;
    if (block < p.blocks) {
        for (int i = block * WF_CUDA_BLOCK + thread; i < p.M * p.C * p.O;
             i += p.blocks * WF_CUDA_BLOCK)
            reduce_dw(p, i);
        return;
    }
    int o = (block - p.blocks) * (WF_CUDA_BLOCK / 32) + thread / 32;
    wf_real sum = 0;
    for (int r = thread % 32; o < p.O && r < p.sums; r += 32) sum += p.sum[r * p.po + o];
    for (int k = 16; k > 0; k /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, k);
    if (thread % 32 == 0 && o < p.O) p.db[o * p.db_stride] += sum;
}

static struct reduce reduce_of(const struct wf_device_dconv_plan *d)
{
    struct reduce p = {};
    const struct wf_dconv_grad *grad = d->grad;
    p.part = d->part;
    p.sum = d->sum;
    p.pieces = d->pieces;
    p.sums = d->sum_rows;
    p.po = d->po;
    p.size = (ptrdiff_t)d->M * d->pc * d->po;
    p.sm = d->mix_outside ? d->po : (ptrdiff_t)d->pc * d->po;
    p.sc = d->mix_outside ? (ptrdiff_t)d->M * d->po : d->po;
    p.M = d->M;
    p.C = d->C;
    p.C1 = d->C1;
    p.O = d->O;
    if (grad->dw) {
        p.dw = grad->dw->data;
        p.blocks = (int)wf_cuda_blocks(wf_cuda_of(d->be), (ptrdiff_t)d->M * d->C * d->O);
    }
    if (grad->db) {
        p.db = grad->db->data;
        p.db_stride = grad->db->stride[0];
    }
    p.all = p.blocks + (grad->db ? ceil_div(d->O, WF_CUDA_BLOCK / 32) : 0);
    return p;
}

enum wf_status wf_dconv_sum(const struct wf_device_dconv_plan *d, int plans)
{
    struct reductions p = {};
    for (int k = 0; k < plans; k++) p.of[k] = reduce_of(&d[k]);
    int blocks = p.of[0].all + p.of[1].all;
    return blocks ? LAUNCH(d->be, reduce_kernel, (unsigned)blocks, WF_CUDA_BLOCK, 0, p) : WF_OK;
}

static enum wf_status multiply_dw(struct wf_device_dconv_plan *d)
{
    if (!d->want_w) return WF_OK;
    struct wf_product p = weight_gradient(d);
    int piece = wf_cuda_piece(d->be, &p);
    d->pieces = ceil_div(p.K, piece);
    return wf_cuda_partial_products(d->be, &p, piece, d->part);
}

/* Describes dx as a matrix that a product can be added to; returns false when its rows do not
 * follow each other evenly. */
static bool as_matrix(const struct wf_device_dconv_plan *d, const struct wf_tensor *dx,
                      struct wf_device_matrix *m)
{
    ptrdiff_t ld = dx->stride[d->N > 1 ? 1 : 0];
    *m = { dx->data, 0, (int)ld, false };
    return (d->N == 1 || d->at.count == 1 || dx->stride[0] == d->N * ld) && ld >= dx->shape[2] &&
           ld <= 0x7fffffff;
}

/* A product of fewer columns is not worth reading the terms again. */
enum { WORTH = 32 };

static enum wf_status mix_last_dx(struct wf_device_dconv_plan *d)
{
    const struct wf_tensor *dx0 = d->at.dx[0].data ? &d->at.dx[0] : NULL;
    const struct wf_tensor *dx1 = d->at.dx[1].data ? &d->at.dx[1] : NULL;
    struct wf_device_matrix m0 = {}, m1 = {};
    int K = d->M * d->po;
    bool direct = (!dx0 || as_matrix(d, dx0, &m0)) && (!dx1 || as_matrix(d, dx1, &m1));
    if (dx0 && dx1) direct = direct && dx0->shape[2] >= WORTH && dx1->shape[2] >= WORTH;
    if (direct && dx1) WF_TRY(mix(d, d->terms, K, d->px, 0, m1, d->C1, d->add[1]));
    if (direct && dx0) WF_TRY(mix(d, d->terms, K, d->px, d->C1, m0, d->C - d->C1, d->add[0]));
    if (direct) return WF_OK;
    WF_TRY(mix(d, d->terms, K, d->px, 0, { d->x, 0, d->px, false }, d->px, 0));
    struct wf_columns from = { d->x, (ptrdiff_t)d->N * d->px, d->px, d->px, true };
    struct wf_sink sink = sink_dx(d);
    return wf_cuda_finish(d->be, &from, d->at.count, d->N, &sink);
}

static enum wf_status mix_last(struct wf_device_dconv_plan *d)
{
    struct wf_build job = {};
    job.S = d->in->S;
    job.transpose = true;
    job.source = source_d(d);
    job.T = terms(d, d->terms, d->po, d->M);
    job.sums = d->sum;
    if (d->want_x) job.side.pack = pack(d, d->px, (ptrdiff_t)d->po * d->px, 1, d->px);
    if (d->want_w) job.side.copy[0] = { source_x(d), terms(d, d->x, d->pc, 1), NULL };
    WF_TRY(wf_cuda_build(d->be, &job));
    d->sum_rows = job.sum_rows;
    WF_TRY(multiply_dw(d));
    return d->want_x ? mix_last_dx(d) : WF_OK; /* comes last: it may write where X was */
}

/* Adds a dT_m[i] . T_src[j] to dvalue of entry (i, j) for each hop m that uses the entry. */
static enum wf_status add_dvalue(struct wf_device_dconv_plan *d)
{
    const struct wf_supports *S = d->in->S;
    struct wf_terms T = terms(d, d->terms, d->pc, d->M);
    for (int m = 1; m < d->M; m++) {
        struct wf_tensor *dvalue = d->grad->dvalue[S->hop[m].support];
        struct wf_dots p = {};
        if (!dvalue) continue;
        p.a = d->e + m * T.term;
        p.x = d->terms + S->hop[m].src * T.term;
        p.a_sample = p.x_sample = T.sample;
        p.a_row = p.x_row = T.row;
        p.B = d->at.count;
        p.C = d->pc;
        p.scale = S->hop[m].sub < 0 ? 1 : 2;
        p.out = dvalue->data;
        p.out_stride = dvalue->stride[0];
        WF_TRY(wf_cuda_dots(d->be, S->pattern[S->hop[m].support], &p));
    }
    return WF_OK;
}

/* Computes the terms of X and D, and packs the weights for E. */
static enum wf_status prepare_hops_last(struct wf_device_dconv_plan *d)
{
    struct wf_side side = {};
    if (d->want_x) side.pack = pack(d, d->px, d->px, 1, (ptrdiff_t)d->M * d->px);
    side.copy[0] = { source_d(d), terms(d, d->d, d->po, 1), d->sum };
    if (d->want_w || d->want_value) {
        struct wf_build job = {};
        job.S = d->in->S;
        job.source = source_x(d);
        job.T = terms(d, d->terms, d->pc, d->M);
        job.side = side;
        WF_TRY(wf_cuda_build(d->be, &job));
        d->sum_rows = job.side.blocks;
        return WF_OK;
    }
    WF_TRY(wf_cuda_side(d->be, &side));
    d->sum_rows = side.blocks;
    return WF_OK;
}

static enum wf_status hops_last(struct wf_device_dconv_plan *d)
{
    WF_TRY(prepare_hops_last(d));
    WF_TRY(multiply_dw(d));
    if (d->want_x) {
        struct wf_fold job = {};
        int width = d->M * d->px;
        WF_TRY(mix(d, d->d, d->po, width, 0, { d->e, 0, width, false }, width, 0));
        job.S = d->in->S;
        job.transpose = true;
        job.T = terms(d, d->e, d->px, d->M);
        job.sink = sink_dx(d);
        job.keep = d->want_value;
        WF_TRY(wf_cuda_fold(d->be, &job));
    }
    return d->want_value ? add_dvalue(d) : WF_OK;
}

enum wf_status wf_dconv_backward(struct wf_device_dconv_plan *d, const struct wf_dconv_tile *tile)
{
    d->at = *tile;
    return d->mix_outside ? mix_last(d) : hops_last(d);
}

extern "C" enum wf_status wf_cuda_dconv_bwd(struct wf_backend *be, const struct wf_dconv_grad *grad,
                                            const struct wf_dconv_in *in, const struct wf_tensor *y,
                                            const struct wf_tensor *dy)
{
    struct wf_device_dconv_plan plan, *d = &plan;
    wf_real *none;
    wf_device_dconv_plan_init(d, be, in, grad);
    if (d->B == 0 || d->N == 0 || d->O == 0) return WF_OK;
    for (int k = 0; k < 2; k++) d->add[k] = wf_grad_claim(grad->dx[k]);
    WF_TRY(wf_dconv_allocate(d, 1, 0, &none));
    for (int first = 0; first < d->B; first += d->tile) {
        struct wf_dconv_tile tile = tile_at(d, first, y, dy);
        WF_TRY(wf_dconv_backward(d, &tile));
        WF_TRY(wf_dconv_sum(d, 1));
    }
    return WF_OK;
}
