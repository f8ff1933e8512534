/* dataset.h - from files to what a training run needs: a series in a backend's memory and the
 * graph of its nodes; and back into one file that holds both.
 *
 * A file's kind comes from the end of its name, else from its first bytes.
 *     series      HDF5 (series_file.h), .csv (rows are times), .npy and .npz ([E, N] or [E, N, C]),
 *                 .json (json.h; carries its graph)
 *     adjacency   .pkl, .csv (a matrix, or lines from,to,distance), .npy and .npz ([N, N]),
 *                 HDF5 (/adjacency [N, N])
 * One HDF5 file can hold all, series_file.h's layout and besides
 *     /adjacency  [N, N] float32, row: from, column: to
 *     /positions  [N, 2] float64                             optional, not read here
 *
 * Of a graph that changes with time, which only .json has, the edges are those of all steps, and
 * their weights in each are a series beside the values. Does not split, standardise or cut windows.
 */
#ifndef WF_DATASET_H
#define WF_DATASET_H

#include <stdbool.h>
#include "data/config.h"
#include "data/formats/array.h"
#include "data/formats/series_file.h"
#include "data/series.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_dataset_source {
    char data[WF_CONFIG_TEXT];
    char key[WF_CONFIG_TEXT];       /* "": the only one */
    char adjacency[WF_CONFIG_TEXT]; /* "": the graph in the data file */
    char adjacency_key[WF_CONFIG_TEXT];
    bool zero_missing; /* not for JSON sets, whose missing values are null */
    double threshold;  /* weights of road distances below it become 0 */
    /* For files that say less than HDF5 does: */
    char second[WF_CONFIG_TEXT]; /* a table like data, whose values are further channels */
    bool rows_are_nodes;         /* and columns times, in both of them */
    char names[WF_CONFIG_TEXT];  /* a text with the nodes' names, in order */
    char start[WF_CONFIG_TEXT];  /* date and time of the first row .. */
    int interval_s;              /* .. and from one to the next */
    /* Not options of their own but the caller's: */
    bool pgt;            /* as the reference: zeros are data, whatever zero_missing says */
    bool day_channel;    /* where the times of the rows are known the time of day in [0, 1) becomes
                          * the last measured channel, as in the reference's traffic sets */
    bool graph_optional; /* a series without a graph is no error */
    bool series_only;    /* the graph is neither read nor required */
    const struct wf_row_choice *rows; /* of the series; NULL: all. HDF5 reads no others; of the
                                       * other kinds, which are read whole, the rest is dropped */
};

extern const struct wf_field wf_dataset_fields[]; /* of a struct wf_dataset_source */
struct wf_dataset_source wf_dataset_defaults(void);

struct wf_dataset {
    struct wf_series series;
    int edges; /* 0: no graph */
    int *source, *target;
    float *weight; /* host memory, in the file's order; a matrix row by row, no zeros; of a graph
                    * that changes the mean of the steps that have the edge */
    struct wf_series weights; /* [E, edges, 1] of a graph that changes, 0: the edge is not there; no
                               * values: one graph for all */
    struct wf_names nodes;    /* of the series, or of the adjacency where the series has none */
    bool reordered;           /* the adjacency's nodes stood in another order than the series' */
    bool synthetic;           /* the file says that its values were simulated */
    int64_t total;            /* rows in the file; the series holds those that were chosen */
    char name[64];            /* the data file's, without folder and ending */
};

/* HDF5 series need the float32 size of the rows that are kept, once, and at most 2 MiB (or one row)
 * besides; a matrix that is no HDF5 file is held whole. Messages count rows from the file's first.
 * WF_EINVAL, WF_EFORMAT: shapes or nodes that do not belong together, no graph, rows that the file
 * does not have; WF_ENUMERIC: an infinite value, a weight that is negative or not finite. */
enum wf_status wf_dataset_load(struct wf_dataset *ds, struct wf_backend *be,
                               const struct wf_dataset_source *src, struct wf_error *err);
void wf_dataset_free(struct wf_dataset *ds);

/* Writes HDF5 with the graph, parallel edges added up, in place of the old file only once it is
 * complete. WF_EINVAL: a graph that changes. */
enum wf_status wf_dataset_write(const char *path, const struct wf_dataset *ds,
                                struct wf_error *err);
/* The series alone, one channel: times first when known, missing values empty. A header (time and
 * nodes) only with times, where no reader can take it for numbers. */
enum wf_status wf_dataset_write_csv(const char *path, const struct wf_dataset *ds,
                                    struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
