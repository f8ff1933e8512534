/* dconv_narrow.c - a diffusion convolution's steps for few channels, by 16 samples side by side. */
#include "tensor/cpu/dconv_private.h"

/* So many rows are moved together: their cache lines are still there for the next sample. */
enum { STRETCH = 32 };

/* Returns where row `row` of channel c lies: the samples of the group, one in each lane. */
static wf_real *at(struct wf_tile T, int c, int row)
{
    return wf_tile_panel(T, 0, c / 2) + (ptrdiff_t)row * WF_PANEL + (c % 2) * WF_LANES;
}

static struct wf_tile_rows stretch(struct wf_tile_rows r, int from)
{
    r.from = from;
    if (r.to > from + STRETCH) r.to = from + STRETCH;
    return r;
}

/* Copies channel c of x to rows of lanes that are `step` apart; lanes without a sample become 0. */
static void gather(wf_real *to, ptrdiff_t step, const struct wf_tensor *x, int c,
                   struct wf_tile_rows r)
{
    int n = r.to - r.from;
    for (int lane = 0; lane < WF_LANES; lane++) {
        if (lane < r.count) {
            const wf_real *from = x->data + lane * x->stride[0] + r.from * x->stride[1] + c;
            for (int i = 0; i < n; i++) to[i * step + lane] = from[i * x->stride[1]];
        } else {
            for (int i = 0; i < n; i++) to[i * step + lane] = 0;
        }
    }
}

/* Copies rows of lanes to channel c of x, or adds them to it. */
static void scatter(const struct wf_tensor *x, int c, const wf_real *from, ptrdiff_t step,
                    struct wf_tile_rows r, bool add)
{
    int n = r.to - r.from;
    ptrdiff_t s = x->stride[1];
    for (int lane = 0; lane < r.count; lane++) {
        wf_real *to = x->data + lane * x->stride[0] + r.from * s + c;
        if (add) {
            for (int i = 0; i < n; i++) to[i * s] += from[i * step + lane];
        } else {
            for (int i = 0; i < n; i++) to[i * s] = from[i * step + lane];
        }
    }
}

static void narrow_load(struct wf_tile T, int first, const struct wf_tensor *x,
                        struct wf_tile_rows r)
{
    for (int from = r.from; from < r.to; from += STRETCH)
        for (int c = 0; c < x->shape[2]; c++)
            gather(at(T, first + c, from - r.shift), WF_PANEL, x, c, stretch(r, from));
}

static void narrow_load_grad(struct wf_tile T, const struct wf_tensor *dy,
                             const struct wf_tensor *y, enum wf_act act, struct wf_tile_rows r)
{
    for (int from = r.from; from < r.to; from += STRETCH) {
        struct wf_tile_rows now = stretch(r, from);
        for (int c = 0; c < y->shape[2]; c++) {
            wf_real value[STRETCH * WF_LANES], *to = at(T, c, from - r.shift);
            gather(value, WF_LANES, y, c, now);
            gather(to, WF_PANEL, dy, c, now);
            for (int i = 0; i < now.to - from; i++, to += WF_PANEL)
                vec_store(to, act_grad(act, vec_load(value + i * WF_LANES), vec_load(to)));
        }
    }
}

static void narrow_store(const struct wf_tensor *y, struct wf_tile T, const wf_real *bias,
                         enum wf_act act, struct wf_tile_rows r)
{
    for (int from = r.from; from < r.to; from += STRETCH) {
        struct wf_tile_rows now = stretch(r, from);
        for (int c = 0; c < y->shape[2]; c++) {
            wf_real value[STRETCH * WF_LANES];
            const wf_real *cells = at(T, c, from - r.shift);
            wf_vec shift = vec_set(bias ? bias[c] : 0);
            for (int i = 0; i < now.to - from; i++) {
                wf_vec v = vec_add(vec_load(cells + (ptrdiff_t)i * WF_PANEL), shift);
                vec_store(value + i * WF_LANES, act_apply(act, v));
            }
            scatter(y, c, value, WF_LANES, now, false);
        }
    }
}

static void narrow_put(const struct wf_tensor *x, struct wf_tile T, int first,
                       struct wf_tile_rows r, bool add)
{
    for (int from = r.from; from < r.to; from += STRETCH)
        for (int c = 0; c < x->shape[2]; c++)
            scatter(x, c, at(T, first + c, from - r.shift), WF_PANEL, stretch(r, from), add);
}

/* Computes R rows and V channels of Y, which stay in registers over the whole sum. */
WF_INLINE void mix_block(const struct wf_mix *mix, int row, int to, int c, int R, int V)
{
    struct wf_tile A = mix->A, Y = mix->Y;
    const wf_real *w = mix->W + c;
    wf_vec s[4][4];
    WF_UNROLL for (int i = 0; i < R; i++)
    {
        WF_UNROLL for (int v = 0; v < V; v++) s[i][v] = vec_set(mix->bias ? mix->bias[c + v] : 0);
    }
    for (int m = 0; m < mix->terms; m++) {
        for (int k = 0; k < A.width / WF_LANES; k++, w += WF_PANEL) {
            const wf_real *a = wf_tile_panel(A, m, k / 2) + (ptrdiff_t)row * WF_PANEL;
            WF_UNROLL for (int i = 0; i < R; i++)
            {
                wf_vec x = vec_load(a + i * WF_PANEL + (k % 2) * WF_LANES);
                WF_UNROLL for (int v = 0; v < V; v++) s[i][v] = vec_fma(vec_set(w[v]), x, s[i][v]);
            }
        }
    }
    WF_UNROLL for (int v = 0; v < V; v++)
    {
        wf_real *y = wf_tile_panel(Y, mix->term, (c + v) / 2) + ((c + v) % 2) * WF_LANES;
        WF_UNROLL for (int i = 0; i < R; i++)
            vec_store(y + (ptrdiff_t)(to + i) * WF_PANEL, s[i][v]);
    }
}

/* The cases of switch (R * 8 + V) for R = r and V = 1 .. 4: each calls the block with constants, so
 * that the compiler unrolls it for that shape. */
#define FOR_V(r, block, ...)                                                                       \
    CASE(r, 1, block, __VA_ARGS__)                                                                 \
    CASE(r, 2, block, __VA_ARGS__) CASE(r, 3, block, __VA_ARGS__) CASE(r, 4, block, __VA_ARGS__)
#define CASE(r, v, block, ...)                                                                     \
    case (r)*8 + (v):                                                                              \
        block(__VA_ARGS__, r, v);                                                                  \
        break;

static void narrow_mix(const struct wf_mix *mix, int from, int rows, int to)
{
    int width = mix->Y.width / WF_LANES;
    for (int i = 0, R; i < rows; i += R) {
        R = rows - i < 4 ? 1 : 4;
        for (int c = 0; c < width; c += 4) {
            int V = width - c < 4 ? width - c : 4;
            switch (R * 8 + V) {
                FOR_V(1, mix_block, mix, from + i, to + i, c)
                FOR_V(4, mix_block, mix, from + i, to + i, c)
            }
        }
    }
}

/* Multiplies R channels of A by V of B; the sums stay in registers over all rows, and each lane
 * sums its own sample. */
WF_INLINE void outer_block(const struct wf_outer *outer, int c, int o, int R, int V)
{
    struct wf_tile A = outer->A, B = outer->B;
    const wf_real *a[4], *b[4];
    wf_vec s[4][4];
    WF_UNROLL for (int i = 0; i < R; i++)
    {
        a[i] = wf_tile_panel(A, outer->a, (c + i) / 2) + ((c + i) % 2) * WF_LANES;
        WF_UNROLL for (int v = 0; v < V; v++) s[i][v] = vec_set(0);
    }
    for (int v = 0; v < V; v++)
        b[v] = wf_tile_panel(B, outer->b, (o + v) / 2) + ((o + v) % 2) * WF_LANES;
    for (ptrdiff_t at_row = 0; at_row < (ptrdiff_t)A.rows * WF_PANEL; at_row += WF_PANEL) {
        wf_vec y[4];
        WF_UNROLL for (int v = 0; v < V; v++) y[v] = vec_load(b[v] + at_row);
        WF_UNROLL for (int i = 0; i < R; i++)
        {
            wf_vec x = vec_load(a[i] + at_row);
            WF_UNROLL for (int v = 0; v < V; v++) s[i][v] = vec_fma(x, y[v], s[i][v]);
        }
    }
    for (int i = 0; i < R; i++)
        for (int v = 0; v < V; v++) outer->D[(c + i) * WF_PANEL + o + v] += vec_sum(s[i][v]);
}

static void narrow_outer(const struct wf_outer *outer, struct wf_team t)
{
    int C = outer->A.width / WF_LANES, O = outer->B.width / WF_LANES;
    int pairs = ((C + 3) / 4) * ((O + 3) / 4), to = wf_team_from(t, t.rank + 1, pairs);
    for (int i = wf_team_from(t, t.rank, pairs); i < to; i++) {
        int c = i / ((O + 3) / 4) * 4, o = i % ((O + 3) / 4) * 4;
        int R = C - c < 4 ? C - c : 4, V = O - o < 4 ? O - o : 4;
        switch (R * 8 + V) {
            FOR_V(1, outer_block, outer, c, o)
            FOR_V(2, outer_block, outer, c, o)
            FOR_V(3, outer_block, outer, c, o)
            FOR_V(4, outer_block, outer, c, o)
        }
    }
}

static void narrow_sum(wf_real *sum, struct wf_tile T, struct wf_team t)
{
    int C = T.width / WF_LANES, to = wf_team_from(t, t.rank + 1, C);
    for (int c = wf_team_from(t, t.rank, C); c < to; c++) {
        wf_vec s = vec_set(0);
        for (int i = 0; i < T.rows; i++) s = vec_add(s, vec_load(at(T, c, i)));
        sum[c] += vec_sum(s);
    }
}

const struct wf_steps wf_steps_narrow = { narrow_load, narrow_load_grad, narrow_store, narrow_put,
                                          narrow_mix,  narrow_outer,     narrow_sum };
