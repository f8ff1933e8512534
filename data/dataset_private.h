/* dataset_private.h - between dataset.c, dataset_graph.c and dataset_tables.c. */
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
 * of the file when it does not. */
enum wf_status wf_dataset_graph(struct wf_dataset *ds, const char *path,
                                const struct wf_dataset_source *src, ptrdiff_t N,
                                struct wf_error *err);

/* The channels of g behind those of f, which has the same rows and columns. */
enum wf_status wf_dataset_join(struct wf_series_file *f, const struct wf_series_file *g,
                               struct wf_error *err);
/* Rows become columns, in place of f's values. */
enum wf_status wf_dataset_transpose(struct wf_series_file *f, struct wf_error *err);
/* Names and clock as the source gives them. */
enum wf_status wf_dataset_complete(struct wf_series_file *f, const struct wf_dataset_source *src,
                                   enum wf_file_kind kind, struct wf_error *err);

#endif
