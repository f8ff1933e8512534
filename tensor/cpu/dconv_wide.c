/* dconv_wide.c - a diffusion convolution's steps for many channels, by one sample at a time. */
#include "tensor/cpu/dconv_private.h"

/* Computes R rows and V vectors of columns, which stay in registers over the whole sum. */
WF_INLINE void mix_block(wf_real *y, const wf_real *a, const wf_real *w, const wf_real *bias,
                         const struct wf_mix *mix, int R, int V)
{
    wf_vec s[WF_MIX_ROWS][2];
    WF_UNROLL for (int i = 0; i < R; i++)
    {
        s[i][0] = bias ? vec_load(bias) : vec_set(0);
        if (V > 1) s[i][1] = bias ? vec_load(bias + WF_LANES) : vec_set(0);
    }
    ptrdiff_t panel = (ptrdiff_t)mix->A.rows * WF_PANEL;
    for (int m = 0; m < mix->terms; m++) {
        for (int left = mix->A.width; left > 0; left -= WF_PANEL, a += panel) {
            int K = left < WF_PANEL ? left : WF_PANEL;
            for (int k = 0; k < K; k++, w += WF_PANEL) {
                wf_vec w0 = vec_load(w), w1 = V > 1 ? vec_load(w + WF_LANES) : w0;
                WF_UNROLL for (int i = 0; i < R; i++)
                {
                    wf_vec x = vec_set(a[i * WF_PANEL + k]);
                    s[i][0] = vec_fma(x, w0, s[i][0]);
                    if (V > 1) s[i][1] = vec_fma(x, w1, s[i][1]);
                }
            }
        }
    }
    WF_UNROLL for (int i = 0; i < R; i++)
    {
        vec_store(y + i * WF_PANEL, s[i][0]);
        if (V > 1) vec_store(y + i * WF_PANEL + WF_LANES, s[i][1]);
    }
}

#if WF_VEC_FAST
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#else
#define EACH_ROWS(X) X(1) X(2) X(3) X(4)
#endif

static void mix_rows(wf_real *y, const wf_real *a, const wf_real *w, const wf_real *bias,
                     const struct wf_mix *mix, int rows, int vecs)
{
    switch (2 * rows + vecs) {
#define X(R)                                                                                       \
    case 2 * R + 1:                                                                                \
        mix_block(y, a, w, bias, mix, R, 1);                                                       \
        break;                                                                                     \
    case 2 * R + 2:                                                                                \
        mix_block(y, a, w, bias, mix, R, 2);                                                       \
        break;
        EACH_ROWS(X)
#undef X
    }
}

static void wide_mix(const struct wf_mix *mix, int from, int rows, int to)
{
    struct wf_tile Y = mix->Y, A = mix->A;
    for (int p = 0; p < wf_panels(Y.width); p++) {
        wf_real *y = wf_tile_panel(Y, mix->term, p) + (ptrdiff_t)to * WF_PANEL;
        const wf_real *w = mix->W + (ptrdiff_t)p * mix->terms * A.width * WF_PANEL;
        const wf_real *bias = mix->bias ? mix->bias + p * WF_PANEL : NULL;
        mix_rows(y, A.x + (ptrdiff_t)from * WF_PANEL, w, bias, mix, rows, wf_tile_vecs(Y, p));
    }
}

/* So many rows of A and B stay in the first-level cache while all columns of A go by. */
enum { CUT = 104 };

/* Multiplies R columns of A by V vectors of columns of B; the sums stay in registers over all
 * rows. */
WF_INLINE void outer_block(wf_real *d, const wf_real *a, const wf_real *b, int rows, int R, int V)
{
    wf_vec s[WF_MIX_ROWS][2];
    WF_UNROLL for (int i = 0; i < R; i++)
    {
        s[i][0] = vec_set(0);
        if (V > 1) s[i][1] = vec_set(0);
    }
    for (int n = 0; n < rows; n++, a += WF_PANEL, b += WF_PANEL) {
        wf_vec b0 = vec_load(b), b1 = V > 1 ? vec_load(b + WF_LANES) : b0;
        WF_UNROLL for (int i = 0; i < R; i++)
        {
            wf_vec x = vec_set(a[i]);
            s[i][0] = vec_fma(x, b0, s[i][0]);
            if (V > 1) s[i][1] = vec_fma(x, b1, s[i][1]);
        }
    }
    WF_UNROLL for (int i = 0; i < R; i++)
    {
        wf_real *to = d + i * WF_PANEL;
        vec_store(to, vec_add(vec_load(to), s[i][0]));
        if (V > 1) vec_store(to + WF_LANES, vec_add(vec_load(to + WF_LANES), s[i][1]));
    }
}

static void outer_rows(wf_real *d, const wf_real *a, const wf_real *b, int rows, int R, int vecs)
{
    switch (2 * R + vecs) {
#define X(R)                                                                                       \
    case 2 * R + 1:                                                                                \
        outer_block(d, a, b, rows, R, 1);                                                          \
        break;                                                                                     \
    case 2 * R + 2:                                                                                \
        outer_block(d, a, b, rows, R, 2);                                                          \
        break;
        EACH_ROWS(X)
#undef X
    }
}

static void wide_outer(const struct wf_outer *outer, struct wf_team t)
{
    struct wf_tile A = outer->A, B = outer->B;
    int pa = wf_panels(A.width), units = wf_panels(B.width) * pa;
    int to = wf_team_from(t, t.rank + 1, units);
    for (int u = wf_team_from(t, t.rank, units); u < to; u++) {
        int p = u / pa, q = u % pa;
        const wf_real *a = wf_tile_panel(A, outer->a, q), *b = wf_tile_panel(B, outer->b, p);
        wf_real *d = outer->D + ((ptrdiff_t)p * A.width + q * WF_PANEL) * WF_PANEL;
        int width = A.width - q * WF_PANEL < WF_PANEL ? A.width - q * WF_PANEL : WF_PANEL;
        int blocks = wf_blocks(width, WF_MIX_ROWS), cuts = wf_blocks(A.rows, CUT);
        for (int k = 0; k < cuts; k++) {
            int from = wf_block_from(k, cuts, A.rows),
                n = wf_block_from(k + 1, cuts, A.rows) - from;
            const wf_real *ak = a + (ptrdiff_t)from * WF_PANEL,
                          *bk = b + (ptrdiff_t)from * WF_PANEL;
            for (int i = 0; i < blocks; i++) {
                int c = wf_block_from(i, blocks, width),
                    R = wf_block_from(i + 1, blocks, width) - c;
                outer_rows(d + (ptrdiff_t)c * WF_PANEL, ak + c, bk, n, R, wf_tile_vecs(B, p));
            }
        }
    }
}

/* Returns where row i, column c of term 0 lies. */
static wf_real *cell(struct wf_tile T, int i, int c)
{
    return T.x + ((ptrdiff_t)(c / WF_PANEL) * T.rows + i) * WF_PANEL + c % WF_PANEL;
}

/* Returns how many lanes of the vector that begins at column c are in use. */
static int lanes_left(int width, int c)
{
    return width - c < WF_LANES ? width - c : WF_LANES;
}

static wf_real *row_of(const struct wf_tensor *x, int i)
{
    return x->data + i * x->stride[1];
}

static void wide_load(struct wf_tile T, int first, const struct wf_tensor *x, struct wf_tile_rows r)
{
    int n = x->shape[2];
    for (int i = r.from; i < r.to; i++) {
        const wf_real *from = row_of(x, i);
        for (int c = 0, step; c < n; c += step) {
            int col = first + c, room = WF_LANES - col % WF_LANES;
            step = n - c < room ? n - c : room;
            int fill = col + step == T.width ? room : step; /* the columns beyond are 0 */
            vec_store_some(cell(T, i - r.shift, col), vec_load_some(from + c, step), fill);
        }
    }
}

static void wide_load_grad(struct wf_tile T, const struct wf_tensor *dy, const struct wf_tensor *y,
                           enum wf_act act, struct wf_tile_rows r)
{
    for (int i = r.from; i < r.to; i++) {
        const wf_real *a = row_of(y, i), *da = row_of(dy, i);
        for (int c = 0; c < T.width; c += WF_LANES) {
            int n = lanes_left(T.width, c);
            wf_vec v = act_grad(act, vec_load_some(a + c, n), vec_load_some(da + c, n));
            vec_store(cell(T, i - r.shift, c), v);
        }
    }
}

static void wide_store(const struct wf_tensor *y, struct wf_tile T, const wf_real *bias,
                       enum wf_act act, struct wf_tile_rows r)
{
    for (int i = r.from; i < r.to; i++) {
        wf_real *to = row_of(y, i);
        for (int c = 0; c < T.width; c += WF_LANES) {
            wf_vec v = vec_load(cell(T, i - r.shift, c));
            if (bias != NULL) v = vec_add(v, vec_load(bias + c));
            vec_store_some(to + c, act_apply(act, v), lanes_left(T.width, c));
        }
    }
}

static void wide_put(const struct wf_tensor *x, struct wf_tile T, int first, struct wf_tile_rows r,
                     bool add)
{
    int n = x->shape[2];
    for (int i = r.from; i < r.to; i++) {
        wf_real *to = row_of(x, i);
        for (int c = 0, step; c < n; c += step) {
            int col = first + c, room = WF_LANES - col % WF_LANES;
            step = n - c < room ? n - c : room;
            wf_vec v = vec_load_some(cell(T, i - r.shift, col), step);
            if (add) v = vec_add(vec_load_some(to + c, step), v);
            vec_store_some(to + c, v, step);
        }
    }
}

static void wide_sum(wf_real *sum, struct wf_tile T, struct wf_team t)
{
    int units = (T.width + WF_LANES - 1) / WF_LANES, to = wf_team_from(t, t.rank + 1, units);
    for (int u = wf_team_from(t, t.rank, units); u < to; u++) {
        wf_vec s = vec_load(sum + u * WF_LANES);
        for (int i = 0; i < T.rows; i++) s = vec_add(s, vec_load(cell(T, i, u * WF_LANES)));
        vec_store(sum + u * WF_LANES, s);
    }
}

const struct wf_steps wf_steps_wide = { wide_load, wide_load_grad, wide_store, wide_put,
                                        wide_mix,  wide_outer,     wide_sum };
