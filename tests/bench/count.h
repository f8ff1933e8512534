/* count.h - counts what a backend's kernels do: calls, seconds, operations of products, bytes.
 *
 * Between count_begin and count_end the backend has a table of kernels that count and call the
 * original. Operations: 2 per multiply-add of dense and sparse products, of attention and of
 * diffusion convolutions. Bytes: every operand once per call, broadcast axes not repeated. Seconds:
 * on a device from when the kernel's turn comes until it is done; nothing may be recorded. */
#ifndef WF_BENCH_COUNT_H
#define WF_BENCH_COUNT_H

#include "tensor/backend.h"

struct count {
    double calls, seconds, flops, bytes;
};
struct count_kernel {
    const char *name;
    struct count sum;
};

void count_begin(struct wf_backend *be);

/* Gives the backend its own kernels back; the sum over all. A device has been waited for. */
struct count count_end(struct wf_backend *be);

/* The kernels that took longest, at most n; returns how many were called at all. */
int count_top(struct count_kernel *top, int n);

#endif
