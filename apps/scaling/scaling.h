/* scaling.h - how long an epoch takes on more ranks than are at hand: a model of computing and
 * network time for each placement of the data, its tables and pictures, and its error against what
 * was measured.
 *
 * A message of n bytes takes latency + n / bandwidth (alpha-beta model, Hockney 1994); inside a
 * node and between nodes each with their own numbers. Steps are synchronous and nothing
 * overlaps. Nothing here runs or measures anything: all that is known is in struct wf_scaling,
 * whose fields are tables (data/config.h) and so options of apps/scaling_model and lines of its
 * parameter files. */
#ifndef WF_SCALING_H
#define WF_SCALING_H

#include <stdbool.h>
#include "data/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a rank's windows come from. */
enum wf_scaling_placement {
    WF_SCALING_DDP,         /* materialised windows, cut among the ranks, fetched one by one */
    WF_SCALING_INDEX,       /* the whole series on each rank */
    WF_SCALING_PARTITIONED, /* a part of the series on each rank, with halos of T + Q - 1 rows */
    WF_SCALING_DDP_BATCH,   /* materialised windows, cut among the ranks, each uses its own */
    WF_SCALING_PLACEMENTS
};
/* "ddp", "index", "partitioned", "ddp-batch", NULL. */
extern const char *const wf_scaling_names[WF_SCALING_PLACEMENTS + 1];

/* Seconds, bytes, bytes per second; apps/scaling/scaling.c says each field's meaning in its
 * tables. */
struct wf_scaling {
    char title[WF_CONFIG_TEXT];
    /* the machine */
    int ranks_per_node, units_per_node;
    double latency, bandwidth, node_latency, node_bandwidth, fetch_latency;
    double upload_bandwidth, copy_bandwidth, file_bandwidth, file_cap;
    double start, start_rank, contention;
    bool shared_copy;
    /* the work */
    int rows, nodes, channels, value_bytes, T, Q; /* the series and its windows */
    int windows, valid_windows, batch, epochs, buckets;
    double step, valid_step, fixed_share, epoch_fixed, gradient_bytes, file_bytes;
};
/* Returns the defaults. Numbers that only the user knows are 0 and have to be set. */
struct wf_scaling wf_scaling_defaults(void);

/* The tables of *s: 0 the machine, 1 the work. */
enum { WF_SCALING_TABLES = 2 };
/* Fills in the tables of the fields of *s. */
void wf_scaling_tables(struct wf_config tables[WF_SCALING_TABLES], struct wf_scaling *s);

/* Sets the fields that a file's lines name=value say. WF_EINVAL names the file and the option. */
enum wf_status wf_scaling_read(struct wf_scaling *s, const char *path, struct wf_error *err);
/* WF_EINVAL when a number has not been set, or there are more windows than the rows give. */
enum wf_status wf_scaling_check(const struct wf_scaling *s, struct wf_error *err);

/* Returns the seconds in which `bytes` are added up over all ranks and known to all: the quicker of
 * ring and recursive doubling (Thakur et al. 2005); on several nodes first inside each node, then
 * between them. */
double wf_scaling_allreduce(const struct wf_scaling *s, double bytes, int ranks);

struct wf_scaling_cost {
    int nodes, steps;                   /* steps: of training, in an epoch */
    double compute_s, reduce_s, data_s; /* parts of an epoch: steps, all-reduce, moving data */
    double epoch_s, once_s, total_s;    /* once: from the processes' start to the first step */
    double efficiency;                  /* epoch of `index` on one rank / (ranks * epoch) */
    double data_bytes;                  /* what each rank holds of series or windows */
};
/* Returns the cost of a run on so many ranks; s has passed wf_scaling_check. */
struct wf_scaling_cost wf_scaling_predict(const struct wf_scaling *s, enum wf_scaling_placement p,
                                          int ranks);

/* A measured epoch. */
struct wf_scaling_mark {
    int ranks;
    enum wf_scaling_placement placement;
    double epoch_s;
};
struct wf_scaling_marks {
    int count;
    struct wf_scaling_mark *at;
};
/* Reads lines "ranks,placement,epoch_s" below a header of these words; free with wf_free(at). */
enum wf_status wf_scaling_marks_read(struct wf_scaling_marks *m, const char *path,
                                     struct wf_error *err);
/* Prints a line for each mark: measured, predicted, error in per cent; then the largest error. */
void wf_scaling_compare(FILE *out, const struct wf_scaling *s, const struct wf_scaling_marks *m);

/* Prints Markdown tables over the given numbers of ranks: epoch, whole run, data per rank. */
void wf_scaling_print(FILE *out, const struct wf_scaling *s, const struct wf_ints *ranks);
/* Writes into an existing folder scaling.csv, scaling.md and the pictures scaling_epoch, with the
 * marks, and scaling_total (both log-log, with the ideal, as in the paper's Figure 7). log is as in
 * wf_plots_init. */
enum wf_status wf_scaling_write(const char *folder, const struct wf_scaling *s,
                                const struct wf_ints *ranks, const struct wf_scaling_marks *m,
                                FILE *log, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
