/* dist.h - the ranks of a run, and all that they say to each other.
 *
 * A program started by mpirun (or srun) has one process per rank; started alone it is the only rank
 * and MPI is never touched. Every function that communicates is called by all ranks in the same
 * order. What any rank fails at, all ranks fail at: wf_dist_agree() gives every rank the status and
 * the message of the first one that has an error, so that none waits for another for ever. One
 * object per process: MPI allows one start. */
#ifndef WF_DIST_H
#define WF_DIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "tensor/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What went over the network or through shared memory, by this rank. */
struct wf_dist_stats {
    int64_t reduces, reduce_bytes; /* all-reduces of gradients: calls, bytes of the vectors */
    int64_t lanes, lane_bytes;     /* small ones: losses, counts, flags */
    int64_t gets, get_bytes;       /* one-sided reads */
    double reduce_s, lane_s, get_s;
};

struct wf_dist {
    int rank, size;           /* 0, 1 when alone */
    int node_rank, node_size; /* among the ranks of this machine */
    int nodes;                /* machines */
    struct wf_dist_stats stats;
    struct wf_mpi *mpi; /* communicators; NULL when alone */
};

/* The only rank. */
struct wf_dist wf_dist_alone(void);

/* Joins the other ranks if a launcher started this program. */
enum wf_status wf_dist_init(struct wf_dist *d, struct wf_error *err);
/* Leaves; the last call to MPI. Ranks that have agreed on their end come here. */
void wf_dist_free(struct wf_dist *d);

/* Ends the program on all ranks, at once and without a word: for errors of the communication
 * itself, which cannot be agreed on. Does nothing when alone. */
void wf_dist_abort(struct wf_dist *d);

/* The same status on all ranks: that of the lowest rank whose `s` is not WF_OK, with its message
 * ("rank 3: ..") in err. */
enum wf_status wf_dist_agree(struct wf_dist *d, enum wf_status s, struct wf_error *err);

/* Sums of n doubles over the ranks, the same bits on all. */
enum wf_status wf_dist_sum(struct wf_dist *d, double *v, int n, struct wf_error *err);
/* Largest of n times over the ranks; each knows some, and has 0 for the others. */
enum wf_status wf_dist_max_times(struct wf_dist *d, int64_t *v, int64_t n, struct wf_error *err);

/* From now on the devices of the ranks add up by themselves what lies in their memory (NCCL). */
enum wf_status wf_dist_join_devices(struct wf_dist *d, struct wf_backend *be, struct wf_error *err);

/* x becomes the sum over the ranks: contiguous, in place, in slices of at most 16 MiB and in a
 * fixed order. Complete in memory when this is called. A vector in a device's memory goes to an MPI
 * that can read it, else through `staging` of the same size. WF_ECOMM where one rank fails: the
 * others wait for it. */
enum wf_status wf_dist_sum_tensor(struct wf_dist *d, struct wf_tensor *x, wf_real *staging,
                                  struct wf_error *err);
bool wf_dist_wants_staging(const struct wf_dist *d, const struct wf_backend *be);
/* x of rank 0 on all ranks. */
enum wf_status wf_dist_broadcast(struct wf_dist *d, void *x, size_t bytes, struct wf_error *err);
enum wf_status wf_dist_broadcast_tensor(struct wf_dist *d, struct wf_tensor *x,
                                        struct wf_error *err);
/* Whether the bytes are the same on all ranks: a debugging check that reads everything. */
enum wf_status wf_dist_same(struct wf_dist *d, const struct wf_tensor *x, bool *same,
                            struct wf_error *err);

/* What the ranks exchanged in so many steps of so many seconds, and what memory each holds now and
 * held at most; on out (NULL on all ranks but one). */
enum wf_status wf_dist_report(struct wf_dist *d, int64_t steps, double seconds, FILE *out,
                              struct wf_error *err);

/* One block of memory that the ranks of a machine share. */
struct wf_shared {
    void *base; /* the same bytes for all of them, zero */
    struct wf_shared_mpi *mpi;
};
/* Where a machine has one rank only, ordinary memory. */
enum wf_status wf_shared_init(struct wf_shared *s, struct wf_dist *d, size_t bytes,
                              struct wf_error *err);
/* Everything written before by any rank of this machine can be read by all of them. */
enum wf_status wf_shared_sync(struct wf_shared *s, struct wf_dist *d, struct wf_error *err);
void wf_shared_free(struct wf_shared *s);

/* Memory of every rank that the others may read. */
struct wf_remote {
    struct wf_remote_mpi *mpi;
};
/* Opens base [bytes] of this rank to all. Alone: nothing. */
enum wf_status wf_remote_init(struct wf_remote *r, struct wf_dist *d, void *base, size_t bytes,
                              struct wf_error *err);
/* Between start and finish any number of reads may be posted, by any rank at any time. */
enum wf_status wf_remote_get(struct wf_remote *r, struct wf_dist *d, int owner, size_t offset,
                             void *to, size_t bytes, struct wf_error *err);
enum wf_status wf_remote_finish(struct wf_remote *r, struct wf_dist *d, struct wf_error *err);
void wf_remote_free(struct wf_remote *r);

#ifdef __cplusplus
}
#endif
#endif
