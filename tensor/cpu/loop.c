/* loop.c - walks the elements of several strided tensors together. */
#include "tensor/cpu/loop_private.h"

/* A thread takes PIECE elements at a time, or NEAR where it comes back to their cache lines. */
enum { PIECE = 8192, NEAR = 2048 };

struct nest {
    int nop, ndim;
    ptrdiff_t shape[WF_MAXDIM], stride[WF_MAXDIM][WF_LOOP_MAX];
    wf_real *data[WF_LOOP_MAX];
};

static bool merges(const struct nest *n, int d, const struct wf_tensor *const *op, int axis)
{
    for (int k = 0; k < n->nop; k++)
        if (op[k] && n->stride[d][k] != op[k]->stride[axis] * op[k]->shape[axis]) return false;
    return true;
}

static struct nest merge_axes(int nop, const struct wf_tensor *const *op)
{
    struct nest n = { .nop = nop };
    for (int k = 0; k < nop; k++) n.data[k] = op[k] ? op[k]->data : NULL;
    for (int a = 0; a < op[0]->ndim; a++) {
        if (op[0]->shape[a] == 1) continue;
        if (n.ndim && merges(&n, n.ndim - 1, op, a))
            n.shape[n.ndim - 1] *= op[0]->shape[a];
        else
            n.shape[n.ndim++] = op[0]->shape[a];
        for (int k = 0; k < nop; k++) n.stride[n.ndim - 1][k] = op[k] ? op[k]->stride[a] : 0;
    }
    if (n.ndim == 0) {
        n.shape[0] = 1;
        n.ndim = 1;
    }
    return n;
}

/* Rows of a few elements cost more than their elements, so the axis outside them is walked instead.
 * Returns how many rows then share their cache lines, else 1. */
static ptrdiff_t lengthen_rows(struct nest *n)
{
    int in = n->ndim - 1, out = n->ndim - 2;
    if (out < 0 || n->shape[in] >= 16 || n->shape[out] <= n->shape[in]) return 1;
    ptrdiff_t shape = n->shape[in];
    n->shape[in] = n->shape[out];
    n->shape[out] = shape;
    for (int k = 0; k < n->nop; k++) {
        ptrdiff_t stride = n->stride[in][k];
        n->stride[in][k] = n->stride[out][k];
        n->stride[out][k] = stride;
    }
    return n->shape[out];
}

/* Finds where row `row` of the nest begins in each operand, and its indices. */
static void seek(const struct nest *n, ptrdiff_t row, ptrdiff_t *index, wf_real **p)
{
    for (int k = 0; k < n->nop; k++) p[k] = n->data[k];
    for (int d = n->ndim - 2; d >= 0; d--) {
        index[d] = row % n->shape[d];
        row /= n->shape[d];
        for (int k = 0; k < n->nop; k++)
            if (p[k]) p[k] += index[d] * n->stride[d][k];
    }
}

/* Moves on to the next row. */
static void step(const struct nest *n, ptrdiff_t *index, wf_real **p)
{
    for (int d = n->ndim - 2; d >= 0; d--) {
        ptrdiff_t move = ++index[d] < n->shape[d] ? 1 : 1 - n->shape[d];
        for (int k = 0; k < n->nop; k++)
            if (p[k]) p[k] += move * n->stride[d][k];
        if (move == 1) return;
        index[d] = 0;
    }
}

void wf_cpu_loop(int nop, const struct wf_tensor *const *op, bool in_order, void *ctx,
                 void (*body)(void *ctx, ptrdiff_t first, ptrdiff_t n, wf_real *const *p,
                              const ptrdiff_t *s))
{
    struct nest nest = merge_axes(nop, op);
    ptrdiff_t group = in_order ? 1 : lengthen_rows(&nest), most = group > 1 ? NEAR / group : PIECE;
    ptrdiff_t inner = nest.shape[nest.ndim - 1], total = wf_tensor_count(op[0]);
    if (total == 0) return;
    ptrdiff_t outer = total / inner;
    ptrdiff_t rows = inner >= most ? group : PIECE / inner;          /* rows per job */
    ptrdiff_t parts = inner >= most ? (inner + most - 1) / most : 1; /* jobs per row */
    ptrdiff_t jobs = (outer + rows - 1) / rows * parts;
    const ptrdiff_t *stride = nest.stride[nest.ndim - 1];
#pragma omp parallel for schedule(static) if (jobs > 1)
    for (ptrdiff_t job = 0; job < jobs; job++) {
        ptrdiff_t row0 = job / parts * rows, row1 = row0 + rows < outer ? row0 + rows : outer;
        ptrdiff_t from = job % parts * most, index[WF_MAXDIM];
        ptrdiff_t n = parts == 1 ? inner : from + most < inner ? most : inner - from;
        wf_real *p[WF_LOOP_MAX];
        seek(&nest, row0, index, p);
        for (int k = 0; k < nop; k++)
            if (p[k]) p[k] += from * stride[k];
        for (ptrdiff_t row = row0; row < row1; row++) {
            body(ctx, row * inner + from, n, p, stride);
            if (row + 1 < row1) step(&nest, index, p);
        }
    }
}
