/* sampler.h - which windows each rank trains on, and in which order.
 *
 * Where every rank can read every window, there is one permutation of all training windows per
 * (seed, epoch), as in PyTorch's DistributedSampler: the k-th step takes the next ranks * batch of
 * them, dealt to the ranks in turn, so that P ranks with batch b see in every step what one rank
 * with batch P * b sees.
 *
 * With windows_are_local a rank can read only its own share, which is consecutive. Each rank cuts
 * its share into batches of consecutive windows, and permutes the order of these batches per (seed,
 * epoch, rank).
 *
 * An epoch takes every window once, or fewer of them where `batches` ends it early. Ranks have
 * equally many steps; where windows run out, a rank's batch is filled up with padding, whose
 * targets the loss must not count. Every function is local (dist/dist.h): each rank works out its
 * part for itself. */
#ifndef WF_SAMPLER_H
#define WF_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_sampler {
    /* The caller fills these before wf_sampler_init. */
    bool shuffle;           /* false: windows or batches come in order */
    bool windows_are_local; /* a rank reads only windows of its own share */
    int ranks, rank, batch;
    int batches; /* most steps of an epoch; 0: as many as all windows take */
    int windows; /* training windows of all ranks together */
    int first;   /* where they begin, as windows are numbered for this rank; with
                  * windows_are_local, where this rank's share begins */
    uint64_t seed;

    /* wf_sampler_init makes these. */
    int own;    /* windows of this rank's share */
    int *order; /* the epoch's order of all windows or, with windows_are_local, of the batches */
};

/* Rank r's share of n things in a row is [lo, hi); shares differ by one at most. */
void wf_share(int n, int ranks, int r, int *lo, int *hi);

/* WF_EINVAL: fewer windows than ranks, no batch, or no such rank. Free with wf_sampler_free. */
enum wf_status wf_sampler_init(struct wf_sampler *s, struct wf_error *err);
void wf_sampler_free(struct wf_sampler *s);

/* Draws the order of an epoch. */
void wf_sampler_epoch(struct wf_sampler *s, int epoch);

/* One rank's part of a step. */
struct wf_draw {
    int n;     /* windows of the batch, padding included; at most `batch` */
    int valid; /* how many of them count: the first ones */
    int taken; /* windows by which the step moves all ranks together on */
};
/* Draws the step that begins once all ranks together have taken `seen` windows of the epoch: fills
 * start[0..n), which has room for `batch`. False when the epoch is over. */
bool wf_sampler_draw(const struct wf_sampler *s, int seen, int *start, struct wf_draw *d);

/* Returns the number of steps in an epoch. */
int wf_sampler_steps(const struct wf_sampler *s);

#ifdef __cplusplus
}
#endif
#endif
