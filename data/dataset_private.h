/* dataset_private.h - between dataset.c and dataset_graph.c. */
#ifndef WF_DATASET_PRIVATE_H
#define WF_DATASET_PRIVATE_H

#include "data/dataset.h"

enum wf_file_kind {
    WF_FILE_HDF5,
    WF_FILE_CSV,
    WF_FILE_NPY,
    WF_FILE_NPZ,
    WF_FILE_JSON,
    WF_FILE_PICKLE
};

enum wf_status wf_dataset_kind(const char *path, enum wf_file_kind *kind, struct wf_error *err);

/* The array called key, or the only one for "". */
enum wf_status wf_dataset_npz(const char *path, const char *key, struct wf_array *out,
                              struct wf_error *err);

/* Room for edges more. */
enum wf_status wf_dataset_reserve(struct wf_dataset *ds, ptrdiff_t edges, struct wf_error *err);

/* Edges of the file path between N nodes, which ds->nodes names or does not; takes over the names
 * of the file when it does not. data: the series' file, for messages. */
enum wf_status wf_dataset_graph(struct wf_dataset *ds, const char *path, const char *data,
                                ptrdiff_t N, double threshold, struct wf_error *err);

#endif
