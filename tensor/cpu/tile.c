#include <stdbool.h>
#include <string.h>
#include "tensor/cpu/tile.h"

size_t wf_hops_size(const struct wf_supports *S)
{
    size_t n = 0;
    for (int s = 0; s < S->count; s++) n += (size_t)S->pattern[s]->nnz;
    return n * sizeof(struct wf_entry);
}

void wf_hops_init(struct wf_hops *h, const struct wf_supports *S, bool transpose, void *memory)
{
    struct wf_entry *entry = memory;
    h->terms = S->terms;
    h->hop = S->hop;
    for (int s = 0; s < S->count; s++) {
        const struct wf_csr *A = S->pattern[s];
        const struct wf_tensor *value = S->value[s];
        h->ptr[s] = transpose ? A->tptr : A->ptr;
        h->entry[s] = entry;
        for (int e = 0; e < A->nnz; e++) {
            ptrdiff_t at = transpose ? A->tperm[e] : e;
            entry[e].from = (transpose ? A->tidx[e] : A->idx[e]) * WF_PANEL;
            entry[e].value = value->data[at * value->stride[0]];
        }
        entry += A->nnz;
    }
}

/* y_i = scale sum_e value_e x_e - sub_i */
WF_INLINE void hop_rows(wf_real *y, const wf_real *x, const wf_real *sub, const int *ptr,
                        const struct wf_entry *entry, int rows, wf_real scale, int vecs)
{
    for (int i = 0; i < rows; i++) {
        wf_vec s[2] = { vec_set(0), vec_set(0) };
        for (int e = ptr[i]; e < ptr[i + 1]; e++) {
            const wf_real *from = x + entry[e].from;
            wf_vec value = vec_set(entry[e].value);
            s[0] = vec_fma(value, vec_load(from), s[0]);
            if (vecs > 1) s[1] = vec_fma(value, vec_load(from + WF_LANES), s[1]);
        }
        for (int v = 0; v < vecs; v++) {
            ptrdiff_t at = (ptrdiff_t)i * WF_PANEL + v * WF_LANES;
            s[v] = vec_mul(vec_set(scale), s[v]);
            if (sub != NULL) s[v] = vec_sub(s[v], vec_load(sub + at));
            vec_store(y + at, s[v]);
        }
    }
}

/* y_i += scale sum_e value_e x_e, and sub -= x */
WF_INLINE void fold_rows(wf_real *y, const wf_real *x, wf_real *sub, const int *ptr,
                         const struct wf_entry *entry, int rows, wf_real scale, int vecs)
{
    for (int i = 0; i < rows; i++) {
        wf_vec s[2] = { vec_set(0), vec_set(0) };
        for (int e = ptr[i]; e < ptr[i + 1]; e++) {
            const wf_real *from = x + entry[e].from;
            wf_vec value = vec_set(entry[e].value);
            s[0] = vec_fma(value, vec_load(from), s[0]);
            if (vecs > 1) s[1] = vec_fma(value, vec_load(from + WF_LANES), s[1]);
        }
        for (int v = 0; v < vecs; v++) {
            ptrdiff_t at = (ptrdiff_t)i * WF_PANEL + v * WF_LANES;
            vec_store(y + at, vec_fma(vec_set(scale), s[v], vec_load(y + at)));
            if (sub != NULL) vec_store(sub + at, vec_sub(vec_load(sub + at), vec_load(x + at)));
        }
    }
}

/* One hop on one panel, or, in a larger team, on the half of it that begins at column `half`. */
static void hop(wf_real *const term[3], const struct wf_hops *h, int m, int rows, int vecs,
                bool fold)
{
    const struct wf_hop *hop = &h->hop[m];
    const int *ptr = h->ptr[hop->support];
    const struct wf_entry *entry = h->entry[hop->support];
    wf_real scale = hop->sub < 0 ? 1 : 2;
    if (fold && vecs == 1) fold_rows(term[1], term[0], term[2], ptr, entry, rows, scale, 1);
    if (fold && vecs == 2) fold_rows(term[1], term[0], term[2], ptr, entry, rows, scale, 2);
    if (!fold && vecs == 1) hop_rows(term[0], term[1], term[2], ptr, entry, rows, scale, 1);
    if (!fold && vecs == 2) hop_rows(term[0], term[1], term[2], ptr, entry, rows, scale, 2);
}

/* Columns are independent of each other: each takes all hops in turn while its panel is at hand.
 * Alone, a thread takes whole panels; in a team the unit is a vector, so that few columns go
 * round. */
static void hops(struct wf_tile T, const struct wf_hops *h, struct wf_team t, bool fold)
{
    int step = t.size > 1 ? 1 : 2;
    int units = (T.width + step * WF_LANES - 1) / (step * WF_LANES);
    int to = wf_team_from(t, t.rank + 1, units);
    for (int u = wf_team_from(t, t.rank, units); u < to; u++) {
        int p = u * step / 2, at = (u * step % 2) * WF_LANES;
        int vecs = step == 1 ? 1 : wf_tile_vecs(T, p);
        for (int i = 1; i < h->terms; i++) {
            int m = fold ? h->terms - i : i;
            const struct wf_hop *now = &h->hop[m];
            wf_real *term[3] = { wf_tile_panel(T, m, p) + at, wf_tile_panel(T, now->src, p) + at,
                                 now->sub < 0 ? NULL : wf_tile_panel(T, now->sub, p) + at };
            hop(term, h, m, T.rows, vecs, fold);
        }
    }
}

void wf_tile_build(struct wf_tile T, const struct wf_hops *h, struct wf_team t)
{
    hops(T, h, t, false);
}

void wf_tile_fold(struct wf_tile T, const struct wf_hops *h, struct wf_team t)
{
    hops(T, h, t, true);
}

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
        int blocks = wf_blocks(width, WF_MIX_ROWS);
        for (int i = 0; i < blocks; i++) {
            int c = wf_block_from(i, blocks, width), R = wf_block_from(i + 1, blocks, width) - c;
            outer_rows(d + (ptrdiff_t)c * WF_PANEL, a + c, b, A.rows, R, wf_tile_vecs(B, p));
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
