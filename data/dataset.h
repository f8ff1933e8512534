/* dataset.h - from files to what a training run needs: a series in a backend's memory and the
 * graph of its nodes; and back into one file that holds both.
 *
 * A file's kind is told by the end of its name, else by its first bytes.
 *     series      HDF5 (series_file.h), .csv (rows are times), .npy and .npz ([E, N] or [E, N, C]),
 *                 .json (json.h; carries its graph)
 *     adjacency   .pkl, .csv (a matrix, or lines from,to,distance), .npy and .npz ([N, N]),
 *                 HDF5 (/adjacency [N, N])
 * One HDF5 file can hold all: the layout of data/formats/series_file.h, and besides
 *     /adjacency  [N, N] float32, row: from, column: to
 *     /positions  [N, 2] float64                             optional, not read here
 *
 * The edges of a graph that changes with time, which only .json has, are those of all steps; what
 * they weigh in each step is a series beside the values. Does not split, standardise or cut
 * windows. Whoever calls wf_dataset_load calls wf_dataset_free. */
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

/* Where a data set comes from. A text "" means that nothing is given. */
struct wf_dataset_source {
    char data[WF_CONFIG_TEXT];          /* the file with the series */
    char key[WF_CONFIG_TEXT];           /* name of the series in its file; "": the only one */
    char adjacency[WF_CONFIG_TEXT];     /* the file with the graph; "": the data file has it */
    char adjacency_key[WF_CONFIG_TEXT]; /* name of the graph in its file; "": the only one */
    bool zero_missing; /* zeros are missing values; not for JSON sets, where null is missing */
    double threshold;  /* weights of road distances that are below this become 0 */

    /* These complete files that say less than HDF5 does. */
    char second[WF_CONFIG_TEXT]; /* a table like data, whose values are further channels */
    bool rows_are_nodes;         /* rows of the tables are nodes, and columns times */
    char names[WF_CONFIG_TEXT];  /* a text file with the names of the nodes, in order */
    char start[WF_CONFIG_TEXT];  /* date and time of the first row */
    int interval_s;              /* seconds from one row to the next, with start */

    /* The caller sets these; they are no options. */
    bool pgt;            /* as the reference: zeros are data, whatever zero_missing says */
    bool day_channel;    /* where the times of the rows are known the time of day in [0, 1) becomes
                          * the last measured channel, as in the reference's traffic sets */
    bool graph_optional; /* a series without a graph is no error */
    bool series_only;    /* the graph is neither read nor required */
    const struct wf_row_choice *rows; /* rows that are kept; NULL: all. Of HDF5 no others are read;
                                       * files of other kinds are read whole, and cut */
};

extern const struct wf_field wf_dataset_fields[]; /* options of a struct wf_dataset_source */
/* Returns a source without files; zeros are missing, and the threshold is 0.1. */
struct wf_dataset_source wf_dataset_defaults(void);

struct wf_dataset {
    struct wf_series series;
    int edges;                /* 0: there is no graph */
    int *source, *target;     /* [edges] nodes, in the order of the file; a matrix row by row */
    float *weight;            /* [edges] not 0; of a graph that changes, the mean of the steps that
                               * have the edge. All three are in host memory */
    struct wf_series weights; /* [E, edges, 1] of a graph that changes, 0 where the edge is not
                               * there; without values: the graph stays */
    struct wf_names nodes;    /* names of the nodes, from the series or else from the adjacency */
    bool reordered;           /* the adjacency's nodes stood in another order than the series' */
    bool synthetic;           /* the file says that its values were simulated */
    int64_t total;            /* rows in the file; the series holds those that were chosen */
    char name[64];            /* name of the data file, without folder and ending */
};

/* Loads series and graph; the series goes to be. On failure nothing is left in ds. Memory: HDF5
 * series need the float32 size of the rows that are kept, once, and at most 2 MiB (or one row)
 * besides; a matrix that is no HDF5 file is held whole. Messages count rows from the file's first.
 * WF_EINVAL, WF_EFORMAT: shapes or nodes that do not belong together, no graph, rows that the file
 * does not have; WF_ENUMERIC: an infinite value, a weight that is negative or not finite. */
enum wf_status wf_dataset_load(struct wf_dataset *ds, struct wf_backend *be,
                               const struct wf_dataset_source *src, struct wf_error *err);
void wf_dataset_free(struct wf_dataset *ds);

/* Writes series and graph, parallel edges added up, to an HDF5 file. The new file takes the place
 * of an old one only once it is complete. WF_EINVAL: a graph that changes. */
enum wf_status wf_dataset_write(const char *path, const struct wf_dataset *ds,
                                struct wf_error *err);
/* Writes the series alone as CSV: times first when known, missing values empty. Only with times it
 * has a header (time and nodes), which no reader can then take for numbers. WF_EINVAL: a series of
 * several channels. */
enum wf_status wf_dataset_write_csv(const char *path, const struct wf_dataset *ds,
                                    struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
