/* loop_private.h - runs a body over the elements of several strided tensors of one shape.
 *
 * Axes that lie evenly in all operands are merged, so that contiguous operands become one long row;
 * rows are split over threads. */
#ifndef WF_LOOP_H
#define WF_LOOP_H

#include "tensor/tensor.h"

enum { WF_LOOP_MAX = 8 };

/* Calls body(ctx, first, n, p, s) for stretches of n elements; element i of operand k is
 * p[k][i * s[k]]. With in_order they follow each other in row-major order, and `first` is the
 * number of element 0. All operands have the shape of
 * op[0]; NULL operands are passed on as NULL. */
void wf_cpu_loop(int nop, const struct wf_tensor *const *op, bool in_order, void *ctx,
                 void (*body)(void *ctx, ptrdiff_t first, ptrdiff_t n, wf_real *const *p,
                              const ptrdiff_t *s));

#endif
