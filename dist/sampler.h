/* sampler.h - which windows each rank trains on, and in which order.
 *
 * One permutation of all training windows per (seed, epoch), as PyTorch's
 * DistributedSampler: the k-th step takes the next ranks * batch of them, dealt to the ranks in
 * turn, so that P ranks with batch b see in every step what one rank with batch P * b sees.
 * With windows_are_local every rank has consecutive windows, cut into batches of consecutive
 * windows, and the order of these batches is permuted per (seed, epoch, rank). Every window comes
 * once per epoch; with `batches`, as many as so many steps take. Ranks have equally many steps;
 * where windows run out, a rank's batch is filled up with padding, whose targets the loss must not
 * count. */
#ifndef WF_SAMPLER_H
#define WF_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_sampler {
    /* filled by the caller before wf_sampler_init */
    bool shuffle;
    bool windows_are_local; /* every rank trains on a share of its own */
    int ranks, rank, batch;
    int batches; /* steps of an epoch at most; 0: all windows */
    int windows; /* of all ranks together */
    int first;   /* number of the first one; with windows_are_local, of this rank's first one */
    uint64_t seed;
    /* made by it */
    int own;    /* windows of this rank's share */
    int *order; /* of windows, or of batches */
};

/* Windows lo .. hi-1 of n are rank r's share of consecutive ones; shares differ by one at most. */
void wf_share(int n, int ranks, int r, int *lo, int *hi);

enum wf_status wf_sampler_init(struct wf_sampler *s, struct wf_error *err);
void wf_sampler_free(struct wf_sampler *s);

/* Draws the order of an epoch. */
void wf_sampler_epoch(struct wf_sampler *s, int epoch);

/* The step that begins once `seen` windows of the epoch have been taken by all ranks together:
 * start[0..n) with n <= batch, the first `valid` of them count. *taken windows by all ranks.
 * False when the epoch is over. */
struct wf_draw {
    int n, valid, taken;
};
bool wf_sampler_draw(const struct wf_sampler *s, int seen, int *start, struct wf_draw *d);

int wf_sampler_steps(const struct wf_sampler *s); /* of an epoch */

#ifdef __cplusplus
}
#endif
#endif
