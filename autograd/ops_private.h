/* ops_private.h - what the files of autograd/ share. */
#ifndef WF_AUTOGRAD_INTERNAL_H
#define WF_AUTOGRAD_INTERNAL_H

#include "autograd/ops.h"

/* Resolves a negative axis; fails the tape, naming the op, and returns -1 when it is not in x. */
int wf_axis(struct wf_tape *g, const char *op, const struct wf_tensor *x, int axis);

/* dx (+)= scale dy, summed over the axes on which x was broadcast to the shape of dy; dx may be
 * fresh. */
void wf_unbroadcast(struct wf_tape *g, struct wf_tensor *dx, const struct wf_tensor *dy,
                    double scale);

/* Returns whether a and b are views of one tensor, or one tensor. */
bool wf_same_root(const struct wf_tensor *a, const struct wf_tensor *b);

/* Returns x, or a copy where x shares memory with y, so that their gradients do not overlap; y may
 * be NULL. */
struct wf_tensor *wf_apart(struct wf_tape *g, struct wf_tensor *x, const struct wf_tensor *y);

/* Returns x as [B, N, C] with channel stride 1, by a view where possible; leading axes are joined.
 */
struct wf_tensor *wf_as_bnc(struct wf_tape *g, const char *op, struct wf_tensor *x);

/* Returns whether there is a value per entry of A; if not, the tape fails with a message such as
 * "spmm: the pattern has 7 entries, the values are [6]". */
bool wf_values_fit(struct wf_tape *g, const char *op, const struct wf_csr *A,
                   const struct wf_tensor *values);

/* Fails the tape with a message such as "op: a [2, 3] and b [3]: why"; returns poison. */
struct wf_tensor *wf_shape_error(struct wf_tape *g, const char *op, const struct wf_tensor *a,
                                 const struct wf_tensor *b, const char *why);

#endif
