#include "tensor/cpu/tile.h"

/* One block of R rows and V vectors of columns, kept in registers over the whole sum. */
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

void wf_tile_mix(const struct wf_mix *mix, int from, int to)
{
    struct wf_tile Y = mix->Y, A = mix->A;
    int blocks = wf_blocks(Y.rows, WF_MIX_ROWS);
    for (int p = 0; p < wf_panels(Y.width); p++) {
        wf_real *y = wf_tile_panel(Y, mix->term, p);
        const wf_real *w = mix->W + (ptrdiff_t)p * mix->terms * A.width * WF_PANEL;
        const wf_real *bias = mix->bias ? mix->bias + p * WF_PANEL : NULL;
        for (int b = from; b < to; b++) {
            int row = wf_block_from(b, blocks, Y.rows);
            int rows = wf_block_from(b + 1, blocks, Y.rows) - row;
            ptrdiff_t at = (ptrdiff_t)row * WF_PANEL;
            mix_rows(y + at, A.x + at, w, bias, mix, rows, wf_tile_vecs(Y, p));
        }
    }
}

/* Rows of A and B that stay in the first cache while all columns of A go by. */
enum { CUT = 104 };

/* R columns of A times V vectors of columns of B, kept in registers over all rows. */
WF_INLINE void outer_block(wf_real *d, const wf_real *a, const wf_real *b, int rows, int R, int V)
{
    wf_vec s[WF_MIX_ROWS][2];
    WF_UNROLL for (int i = 0; i < R; i++)
    {
        s[i][0] = vec_load(d + i * WF_PANEL);
        if (V > 1) s[i][1] = vec_load(d + i * WF_PANEL + WF_LANES);
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
        vec_store(d + i * WF_PANEL, s[i][0]);
        if (V > 1) vec_store(d + i * WF_PANEL + WF_LANES, s[i][1]);
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

void wf_tile_outer(const struct wf_outer *outer, struct wf_team t)
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

void wf_tile_load(struct wf_tile T, int at, const wf_real *x, ptrdiff_t stride, int n, int from,
                  int to)
{
    for (int row = from; row < to; row++) {
        const wf_real *src = x + row * stride;
        for (int c = 0, step; c < n; c += step) {
            int col = at + c, lane = col % WF_LANES;
            step = n - c < WF_LANES - lane ? n - c : WF_LANES - lane;
            wf_real *dst = T.x + ((ptrdiff_t)(col / WF_PANEL) * T.rows + row) * WF_PANEL;
            int fill = col + step == T.width ? WF_LANES - lane : step;
            vec_store_some(dst + col % WF_PANEL, vec_load_some(src + c, step), fill);
        }
    }
}
