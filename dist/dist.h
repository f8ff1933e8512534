/* dist.h - the ranks of a run, and all that they say to each other.
 *
 * A program started by mpirun (or srun) has one process per rank; started alone it is the only rank
 * and MPI is never touched: every function below then works at once, on this rank's values alone.
 *
 * Each function is called collective or local. A collective one must be called by all ranks, in the
 * same order, and waits for them; a local one concerns this rank only. What any rank fails at, all
 * ranks fail at: wf_dist_agree() gives every rank the status and the message of the first one that
 * has an error, so that none waits for another for ever. An error of MPI itself (WF_ECOMM) may be
 * known to one rank only; whoever gets it ends the program with wf_dist_abort().
 *
 * One object per process: MPI allows one start. Whoever inits frees. */
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

/* What this rank sent and received, over the network or through shared memory. */
struct wf_dist_stats {
    int64_t reduces, reduce_bytes;  /* all-reduces of gradients: calls, bytes of the vectors */
    int64_t lanes, lane_bytes;      /* all-reduces of a few numbers: losses, counts, flags */
    int64_t gets, get_bytes;        /* one-sided reads */
    double reduce_s, lane_s, get_s; /* seconds spent in each */
};

struct wf_dist {
    int rank, size;           /* 0, 1 when alone */
    int node_rank, node_size; /* rank and number among the ranks of this machine */
    int nodes;                /* machines */
    struct wf_dist_stats stats;
    struct wf_mpi *mpi; /* communicators; NULL when alone */
};

/* Returns the only rank of a program that joins no others. Local. */
struct wf_dist wf_dist_alone(void);

/* Joins the other ranks if a launcher started this program. Collective. WF_ENOMEM, WF_ECOMM. */
enum wf_status wf_dist_init(struct wf_dist *d, struct wf_error *err);
/* Leaves; the last call to MPI. Collective: ranks come here once they have agreed on their end. */
void wf_dist_free(struct wf_dist *d);

/* Ends the program on all ranks, at once and without a word: for errors of the communication
 * itself, which cannot be agreed on. Local. Does nothing when alone. */
void wf_dist_abort(struct wf_dist *d);

/* Returns the same status on all ranks: that of the lowest rank whose `s` is not WF_OK, with its
 * message ("rank 3: ..") in err. Collective. */
enum wf_status wf_dist_agree(struct wf_dist *d, enum wf_status s, struct wf_error *err);

/* Replaces v[0..n) by its sum over the ranks, the same bits on all. Collective. */
enum wf_status wf_dist_sum(struct wf_dist *d, double *v, int n, struct wf_error *err);
/* Replaces each of n times by the largest of all ranks; a rank has 0 for those it does not know.
 * Collective. */
enum wf_status wf_dist_max_times(struct wf_dist *d, int64_t *v, int64_t n, struct wf_error *err);

/* Lets the devices of the ranks add up by themselves what lies in their memory (NCCL), from now on.
 * Collective. WF_EDEVICE, on all ranks: one of them has no device, or no NCCL. */
enum wf_status wf_dist_join_devices(struct wf_dist *d, struct wf_backend *be, struct wf_error *err);

/* Replaces x, a contiguous tensor, by its sum over the ranks: in place, in a fixed order, in slices
 * of at most 16 MiB. What computes x must be finished when this is called. A vector in a device's
 * memory goes to NCCL once the devices have joined, to an MPI that can read that memory, or else
 * through `staging`: host memory of x's size, wanted where wf_dist_wants_staging() says so.
 * Collective. WF_ECOMM is not agreed on: where one rank fails, the others wait for it. */
enum wf_status wf_dist_sum_tensor(struct wf_dist *d, struct wf_tensor *x, wf_real *staging,
                                  struct wf_error *err);
/* Whether sums of tensors of be go through host memory. Local. */
bool wf_dist_wants_staging(const struct wf_dist *d, const struct wf_backend *be);
/* Gives all ranks the bytes that rank 0 has. Collective. */
enum wf_status wf_dist_broadcast(struct wf_dist *d, void *x, size_t bytes, struct wf_error *err);
/* Gives all ranks the values of rank 0's tensor, of the same shape. Collective. */
enum wf_status wf_dist_broadcast_tensor(struct wf_dist *d, struct wf_tensor *x,
                                        struct wf_error *err);
/* Tells all ranks whether they hold the same bytes: a debugging check that reads everything.
 * Collective. */
enum wf_status wf_dist_same(struct wf_dist *d, const struct wf_tensor *x, bool *same,
                            struct wf_error *err);

/* Prints what the ranks exchanged in so many steps, which took so many seconds, and what memory
 * each of them holds now and held at most. Collective; one rank gives an `out`, the others NULL. */
enum wf_status wf_dist_report(struct wf_dist *d, int64_t steps, double seconds, FILE *out,
                              struct wf_error *err);

/* One block of memory that the ranks of a machine share. */
struct wf_shared {
    void *base; /* the same bytes for all of them; zero at first */
    struct wf_shared_mpi *mpi;
};
/* Makes the block; where a machine has one rank only, it is ordinary memory. Collective. Free with
 * wf_shared_free. */
enum wf_status wf_shared_init(struct wf_shared *s, struct wf_dist *d, size_t bytes,
                              struct wf_error *err);
/* After it, each rank of this machine can read what any of them wrote before it. Collective among
 * the ranks of a machine. */
enum wf_status wf_shared_sync(struct wf_shared *s, struct wf_dist *d, struct wf_error *err);
/* Collective among the ranks of a machine; a zeroed s is allowed. */
void wf_shared_free(struct wf_shared *s);

/* Memory of every rank that the others may read, without that rank's help (one-sided). */
struct wf_remote {
    struct wf_remote_mpi *mpi;
};
/* Opens base [bytes] of this rank to all. Collective. Does nothing when alone. Free with
 * wf_remote_free. */
enum wf_status wf_remote_init(struct wf_remote *r, struct wf_dist *d, void *base, size_t bytes,
                              struct wf_error *err);
/* Begins to read `bytes` at `offset` of the memory that rank `owner` opened, into `to`, which has
 * them after wf_remote_finish. Any rank may do so at any time, but not alone, where nothing is
 * open. Local. */
enum wf_status wf_remote_get(struct wf_remote *r, struct wf_dist *d, int owner, size_t offset,
                             void *to, size_t bytes, struct wf_error *err);
/* Waits for all reads that this rank has begun. Local. */
enum wf_status wf_remote_finish(struct wf_remote *r, struct wf_dist *d, struct wf_error *err);
/* Collective; a zeroed r is allowed. base is the caller's to free, afterwards. */
void wf_remote_free(struct wf_remote *r);

#ifdef __cplusplus
}
#endif
#endif
