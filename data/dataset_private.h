/* dataset_private.h - what dataset.c, dataset_graph.c and dataset_tables.c share. */
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

/* Tells the kind of a file by the end of its name, else by its first bytes. */
enum wf_status wf_dataset_kind(const char *path, enum wf_file_kind *kind, struct wf_error *err);

/* Reads the array called key of an .npz file; "": the only one. */
enum wf_status wf_dataset_npz(const char *path, const char *key, struct wf_array *out,
                              struct wf_error *err);

/* Makes room for so many more edges. */
enum wf_status wf_dataset_reserve(struct wf_dataset *ds, ptrdiff_t edges, struct wf_error *err);

/* Reads the edges between N nodes from the file path and appends them to ds. Where ds->nodes has
 * names, the file's nodes are brought into their order; else ds takes over the file's names. */
enum wf_status wf_dataset_graph(struct wf_dataset *ds, const char *path,
                                const struct wf_dataset_source *src, ptrdiff_t N,
                                struct wf_error *err);

/* Appends the channels of g to those of f. WF_EINVAL: they differ in rows or nodes. */
enum wf_status wf_dataset_join(struct wf_series_file *f, const struct wf_series_file *g,
                               struct wf_error *err);
/* Turns rows into columns, in f itself. WF_EINVAL: f has times. */
enum wf_status wf_dataset_transpose(struct wf_series_file *f, struct wf_error *err);
/* Gives f the names and the clock that the source tells. */
enum wf_status wf_dataset_complete(struct wf_series_file *f, const struct wf_dataset_source *src,
                                   enum wf_file_kind kind, struct wf_error *err);

#endif
