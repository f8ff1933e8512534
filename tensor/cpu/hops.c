/* hops.c - the hops of a diffusion convolution over the graph. */
#include <stdbool.h>
#include <string.h>
#include "tensor/cpu/tile_private.h"

/* This many vectors of columns go through a row together: enough to hide the latency of one sum. */
enum { VECS = 5 };

static size_t padded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Returns the bytes of a support's rows and entries. There is room for one entry more, because the
 * sort counts row lengths where the entries will be. */
static size_t support_size(const struct wf_csr *A)
{
    return padded((size_t)A->rows * sizeof(struct wf_hop_row)) +
           padded(((size_t)A->nnz + 1) * sizeof(struct wf_entry));
}

size_t wf_hops_size(const struct wf_supports *S)
{
    size_t n = 0;
    for (int s = 0; s < S->count; s++) n += support_size(S->pattern[s]);
    return n;
}

/* Sorts rows by their length, longest first and otherwise in order: a row's loop is then mostly as
 * long as the one before, which a processor predicts. count has room for all lengths. */
static void sort_rows(struct wf_hop_row *row, int *count, const int *ptr, int n)
{
    int longest = 0;
    for (int i = 0; i < n; i++)
        if (ptr[i + 1] - ptr[i] > longest) longest = ptr[i + 1] - ptr[i];
    for (int l = 0; l <= longest; l++) count[l] = 0;
    for (int i = 0; i < n; i++) count[ptr[i + 1] - ptr[i]]++;
    for (int l = longest, at = 0; l >= 0; l--) {
        int rows = count[l];
        count[l] = at;
        at += rows;
    }
    for (int i = 0; i < n; i++) {
        int length = ptr[i + 1] - ptr[i];
        row[count[length]++] = (struct wf_hop_row){ i, length };
    }
}

static void init_support(struct wf_hop_row *row, struct wf_entry *entry, const struct wf_csr *A,
                         const struct wf_tensor *value, bool transpose)
{
    const int *ptr = transpose ? A->tptr : A->ptr, *idx = transpose ? A->tidx : A->idx;
    sort_rows(row, (int *)entry, ptr, A->rows);
    for (int r = 0; r < A->rows; r++) {
        int from = ptr[row[r].row], to = ptr[row[r].row + 1];
        for (int e = from; e < to; e++) {
            ptrdiff_t at = transpose ? A->tperm[e] : e;
            *entry++ = (struct wf_entry){ idx[e] * WF_PANEL, value->data[at * value->stride[0]] };
        }
    }
}

void wf_hops_init(struct wf_hops *h, const struct wf_supports *S, bool transpose, void *memory)
{
    char *at = memory;
    h->terms = S->terms;
    h->hop = S->hop;
    for (int s = 0; s < S->count; s++) {
        const struct wf_csr *A = S->pattern[s];
        struct wf_hop_row *row = (struct wf_hop_row *)at;
        at += padded((size_t)A->rows * sizeof *row);
        struct wf_entry *entry = (struct wf_entry *)at;
        at += padded(((size_t)A->nnz + 1) * sizeof *entry);
        h->row[s] = row;
        h->entry[s] = entry;
        init_support(row, entry, A, S->value[s], transpose);
    }
}

struct job {
    wf_real *y, *sub;
    const wf_real *x;
    const struct wf_hop_row *row;
    const struct wf_entry *entry;
    int rows;
    wf_real scale;
    ptrdiff_t at[VECS]; /* offsets of the vectors in a term */
};

/* Takes V vectors of columns through one hop:
 *     build: y_i = scale sum_e value_e x_e - sub_i
 *     fold:  y_i += scale sum_e value_e x_e, sub_i -= x_i */
WF_INLINE void walk(const struct job *j, int V, bool fold)
{
    const struct wf_entry *entry = j->entry;
    const wf_real *x[VECS];
    for (int v = 0; v < V; v++) x[v] = j->x + j->at[v];
    for (int r = 0; r < j->rows; r++) {
        wf_vec s[VECS];
        WF_UNROLL for (int v = 0; v < V; v++) s[v] = vec_set(0);
        for (int e = j->row[r].entries; e > 0; e--, entry++) {
            ptrdiff_t from = entry->from;
            wf_vec value = vec_set(entry->value);
            WF_UNROLL for (int v = 0; v < V; v++) s[v] =
                vec_fma(value, vec_load(x[v] + from), s[v]);
        }
        ptrdiff_t row = (ptrdiff_t)j->row[r].row * WF_PANEL;
        wf_vec scale = vec_set(j->scale);
        WF_UNROLL for (int v = 0; v < V; v++)
        {
            ptrdiff_t at = j->at[v] + row;
            s[v] = vec_mul(scale, s[v]);
            if (fold)
                s[v] = vec_add(vec_load(j->y + at), s[v]);
            else if (j->sub != NULL)
                s[v] = vec_sub(s[v], vec_load(j->sub + at));
            vec_store(j->y + at, s[v]);
            if (fold && j->sub != NULL)
                vec_store(j->sub + at, vec_sub(vec_load(j->sub + at), vec_load(j->x + at)));
        }
    }
}

static void walk_vecs(const struct job *j, int vecs, bool fold)
{
    switch (vecs) {
#define X(V)                                                                                       \
    case V:                                                                                        \
        if (fold)                                                                                  \
            walk(j, V, true);                                                                      \
        else                                                                                       \
            walk(j, V, false);                                                                     \
        break;
        X(1) X(2) X(3) X(4) X(5)
#undef X
    }
}

/* Columns are independent of each other, so each group of them takes all hops in turn while it is
 * in cache. */
static void hops(struct wf_tile T, const struct wf_hops *h, struct wf_team t, bool fold)
{
    int units = (T.width + WF_LANES - 1) / WF_LANES;
    int from = wf_team_from(t, t.rank, units), n = wf_team_from(t, t.rank + 1, units) - from;
    int groups = wf_blocks(n, VECS);
    for (int g = 0; g < groups; g++) {
        int u = from + wf_block_from(g, groups, n);
        int vecs = from + wf_block_from(g + 1, groups, n) - u;
        for (int i = 1; i < h->terms; i++) {
            int m = fold ? h->terms - i : i;
            const struct wf_hop *hop = &h->hop[m];
            struct job j = { .x = wf_tile_panel(T, fold ? m : hop->src, 0),
                             .y = wf_tile_panel(T, fold ? hop->src : m, 0),
                             .sub = hop->sub < 0 ? NULL : wf_tile_panel(T, hop->sub, 0),
                             .row = h->row[hop->support],
                             .entry = h->entry[hop->support],
                             .rows = T.rows,
                             .scale = hop->sub < 0 ? 1 : 2 };
            for (int v = 0; v < vecs; v++)
                j.at[v] = ((ptrdiff_t)(u + v) / 2 * T.rows) * WF_PANEL + (u + v) % 2 * WF_LANES;
            walk_vecs(&j, vecs, fold);
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
