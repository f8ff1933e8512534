#include "tensor/cpu/dconv.h"

/* Row `row` of channel c: the samples of the group, one in each lane. */
static wf_real *at(struct wf_tile T, int c, int row)
{
    return wf_tile_panel(T, 0, c / 2) + (ptrdiff_t)row * WF_PANEL + (c % 2) * WF_LANES;
}

static void gather(wf_real lane[WF_LANES], const struct wf_tensor *x, struct wf_rows r, int row,
                   int c)
{
    const wf_real *from = x->data + r.b * x->stride[0] + row * x->stride[1] + c;
    for (int i = 0; i < WF_LANES; i++) lane[i] = i < r.count ? from[i * x->stride[0]] : 0;
}

void wf_narrow_load(struct wf_tile T, int first, struct wf_rows r)
{
    for (int row = r.from; row < r.to; row++)
        for (int c = 0; c < r.x->shape[2]; c++) gather(at(T, first + c, row), r.x, r, row, c);
}

void wf_narrow_load_grad(struct wf_tile T, struct wf_rows r, const struct wf_tensor *y,
                         enum wf_act act)
{
    for (int row = r.from; row < r.to; row++) {
        for (int c = 0; c < y->shape[2]; c++) {
            wf_real value[WF_LANES], *to = at(T, c, row);
            gather(value, y, r, row, c);
            gather(to, r.x, r, row, c);
            vec_store(to, act_grad(act, vec_load(value), vec_load(to)));
        }
    }
}

void wf_narrow_store(struct wf_tile T, struct wf_rows r, const wf_real *bias, enum wf_act act)
{
    const struct wf_tensor *y = r.x;
    for (int row = r.from; row < r.to; row++) {
        for (int c = 0; c < y->shape[2]; c++) {
            wf_real value[WF_LANES], shift = bias ? bias[c] : 0;
            wf_real *to = y->data + r.b * y->stride[0] + row * y->stride[1] + c;
            vec_store(value, act_apply(act, vec_add(vec_load(at(T, c, row)), vec_set(shift))));
            for (int i = 0; i < r.count; i++) to[i * y->stride[0]] = value[i];
        }
    }
}

void wf_narrow_add(struct wf_tile T, int first, struct wf_rows r)
{
    const struct wf_tensor *x = r.x;
    for (int row = r.from; row < r.to; row++) {
        for (int c = 0; c < x->shape[2]; c++) {
            const wf_real *from = at(T, first + c, row);
            wf_real *to = x->data + r.b * x->stride[0] + row * x->stride[1] + c;
            for (int i = 0; i < r.count; i++) to[i * x->stride[0]] += from[i];
        }
    }
}

/* R rows and V channels of Y, kept in registers over the whole sum. */
WF_INLINE void mix_block(const struct wf_mix *mix, int row, int c, int R, int V)
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
            vec_store(y + (ptrdiff_t)(row + i) * WF_PANEL, s[i][v]);
    }
}

void wf_narrow_mix(const struct wf_mix *mix, int from, int to)
{
    int rows = mix->Y.rows, blocks = wf_blocks(rows, WF_MIX_ROWS);
    int width = mix->Y.width / WF_LANES, end = wf_block_from(to, blocks, rows);
    for (int row = wf_block_from(from, blocks, rows), R; row < end; row += R) {
        R = end - row < 4 ? 1 : 4;
        for (int c = 0; c < width; c += 4) {
            int V = width - c < 4 ? width - c : 4;
            switch (R == 4 ? 4 + V : V) {
            case 1:
                mix_block(mix, row, c, 1, 1);
                break;
            case 2:
                mix_block(mix, row, c, 1, 2);
                break;
            case 3:
                mix_block(mix, row, c, 1, 3);
                break;
            case 4:
                mix_block(mix, row, c, 1, 4);
                break;
            case 5:
                mix_block(mix, row, c, 4, 1);
                break;
            case 6:
                mix_block(mix, row, c, 4, 2);
                break;
            case 7:
                mix_block(mix, row, c, 4, 3);
                break;
            case 8:
                mix_block(mix, row, c, 4, 4);
                break;
            }
        }
    }
}

/* R channels of A times V of B, kept in registers over all rows; a lane sums its own sample. */
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

void wf_narrow_outer(const struct wf_outer *outer, struct wf_team t)
{
    int C = outer->A.width / WF_LANES, O = outer->B.width / WF_LANES;
    int pairs = ((C + 3) / 4) * ((O + 3) / 4), to = wf_team_from(t, t.rank + 1, pairs);
    for (int i = wf_team_from(t, t.rank, pairs); i < to; i++) {
        int c = i / ((O + 3) / 4) * 4, o = i % ((O + 3) / 4) * 4;
        int R = C - c < 4 ? C - c : 4, V = O - o < 4 ? O - o : 4;
        switch (R * 4 + V - 5) {
#define X(r)                                                                                       \
    case r * 4 - 4:                                                                                \
        outer_block(outer, c, o, r, 1);                                                            \
        break;                                                                                     \
    case r * 4 - 3:                                                                                \
        outer_block(outer, c, o, r, 2);                                                            \
        break;                                                                                     \
    case r * 4 - 2:                                                                                \
        outer_block(outer, c, o, r, 3);                                                            \
        break;                                                                                     \
    case r * 4 - 1:                                                                                \
        outer_block(outer, c, o, r, 4);                                                            \
        break;
            X(1) X(2) X(3) X(4)
#undef X
        }
    }
}
