/* scaling.h - how long an epoch takes on more ranks than are at hand: a model of computing and
 * network time for each placement of the data, its tables and pictures, and how far it is from
 * what was measured.
 *
 * A message of n bytes takes latency + n / bandwidth (alpha-beta model, Hockney 1994); inside a
 * node and between nodes each with their own numbers. Steps are synchronous and nothing overlaps.
 * Runs nothing and measures nothing: all it knows is in struct wf_scaling, whose fields are tables
 * (data/config.h) and so options of apps/scaling_model and lines of its parameter files. */
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
    WF_SCALING_PARTITIONED, /* its part of the series on each rank, with halos of T + Q - 1 rows */
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
    int rows, nodes, channels, value_bytes, T, Q; /* of the series and its windows */
    int windows, valid_windows, batch, epochs, buckets;
    double step, valid_step, fixed_share, epoch_fixed, gradient_bytes, file_bytes;
};
/* Numbers that only the user knows are 0 and have to be set. */
struct wf_scaling wf_scaling_defaults(void);

/* The tables of *s: 0 the machine, 1 the work. */
enum { WF_SCALING_TABLES = 2 };
void wf_scaling_tables(struct wf_config tables[WF_SCALING_TABLES], struct wf_scaling *s);

/* Sets what the lines name=value of a file name. */
enum wf_status wf_scaling_read(struct wf_scaling *s, const char *path, struct wf_error *err);
/* WF_EINVAL when a number has not been set, or there are more windows than the rows give. */
enum wf_status wf_scaling_check(const struct wf_scaling *s, struct wf_error *err);

/* Sum of `bytes` over all ranks, known to all: the quicker of ring and recursive doubling (Thakur
 * et al. 2005); on several nodes first inside each, then between them. */
double wf_scaling_allreduce(const struct wf_scaling *s, double bytes, int ranks);

struct wf_scaling_cost {
    int nodes, steps;                   /* steps of training in an epoch */
    double compute_s, reduce_s, data_s; /* of an epoch: steps, all-reduce, fetching and copying */
    double epoch_s, once_s, total_s;    /* once: from the start of the processes to step one */
    double efficiency;                  /* epoch of `index` on one rank / (ranks * epoch) */
    double data_bytes;                  /* of series or windows, per rank */
};
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
/* A line for each mark: measured, predicted, error in per cent; then the largest error. */
void wf_scaling_compare(FILE *out, const struct wf_scaling *s, const struct wf_scaling_marks *m);

/* Markdown tables over the given numbers of ranks: epoch, whole run, data per rank. */
void wf_scaling_print(FILE *out, const struct wf_scaling *s, const struct wf_ints *ranks);
/* Into an existing folder: scaling.csv, scaling.md and the pictures scaling_epoch and scaling_total
 * (log-log, with the ideal; the paper's Figure 7), the marks on the first. log as in
 * wf_plots_init. */
enum wf_status wf_scaling_write(const char *folder, const struct wf_scaling *s,
                                const struct wf_ints *ranks, const struct wf_scaling_marks *m,
                                FILE *log, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
