/* tile_private.h - panels of 32 columns, and the hops of a diffusion convolution on them. Private
 * to tensor/cpu; owns nothing, allocates nothing.
 *
 * A tile holds the terms of one sample, [terms, rows, width], as panels of 32 columns: panel p of
 * term m is the contiguous block [rows, 32] at x + (m * panels + p) * rows * 32. A panel of a graph
 * of some hundred nodes fits in the first cache, where a hop gathers its rows; in a product all
 * strides are constants of the code. The last panel computes 16 or 32 columns; those beyond the
 * width are 0. */
#ifndef WF_TILE_H
#define WF_TILE_H

#include <stddef.h>
#include "tensor/csr.h"
#include "tensor/cpu/vec_private.h"

enum { WF_PANEL = 32 };

struct wf_tile {
    wf_real *x;
    int rows, width;
};

/* The threads that work on one sample together, and this one's rank among them. Each stage below
 * computes this thread's part, cut so that no sum depends on the size of the team. */
struct wf_team {
    int rank, size;
    wf_real *own; /* memory for a few rows that this thread has to itself */
};

static inline void wf_team_sync(struct wf_team t)
{
    if (t.size > 1) {
#pragma omp barrier
    }
}

/* Returns where the part of thread `rank` of n pieces begins; it ends where the next rank's begins.
 */
static inline int wf_team_from(struct wf_team t, int rank, int n)
{
    return (int)((ptrdiff_t)n * rank / t.size);
}

static inline int wf_panels(int width)
{
    return (width + WF_PANEL - 1) / WF_PANEL;
}

static inline size_t wf_term_size(int rows, int width)
{
    return (size_t)wf_panels(width) * (size_t)rows * WF_PANEL;
}

static inline wf_real *wf_tile_panel(struct wf_tile t, int term, int p)
{
    ptrdiff_t at = (ptrdiff_t)term * wf_panels(t.width) + p;
    return t.x + at * t.rows * WF_PANEL;
}

/* Returns how many vectors of panel p are in use. */
static inline int wf_tile_vecs(struct wf_tile t, int p)
{
    return t.width - p * WF_PANEL > WF_LANES ? 2 : 1;
}

/* Rows are cut into blocks of almost equal size, of at most `most` rows each. */
static inline int wf_blocks(int rows, int most)
{
    return (rows + most - 1) / most;
}

static inline int wf_block_from(int block, int blocks, int rows)
{
    return (int)((ptrdiff_t)rows * block / blocks);
}

/* The matrices of the supports as the hops walk them, transposed or not: rows are sorted by length,
 * and their entries follow each other. */
struct wf_hop_row {
    int row, entries;
};
struct wf_entry {
    int from; /* the row that is read, times 32 */
    wf_real value;
};
struct wf_hops {
    int terms;
    const struct wf_hop *hop;
    const struct wf_hop_row *row[WF_MAXSUPPORT];
    const struct wf_entry *entry[WF_MAXSUPPORT];
};

size_t wf_hops_size(const struct wf_supports *S);
void wf_hops_init(struct wf_hops *h, const struct wf_supports *S, bool transpose, void *memory);

/* Computes terms 1 .. M-1 of T from term 0. */
void wf_tile_build(struct wf_tile T, const struct wf_hops *h, struct wf_team t);

/* Applies the transpose of wf_tile_build(): adds every term into term 0, the last one first. */
void wf_tile_fold(struct wf_tile T, const struct wf_hops *h, struct wf_team t);

#endif
