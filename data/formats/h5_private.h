/* h5_private.h - shared by h5.c and h5_attr.c, and by nothing else; the only include of hdf5.h. */
#ifndef WF_H5_PRIVATE_H
#define WF_H5_PRIVATE_H

#include <hdf5.h>
#include "data/formats/h5.h"

struct wf_h5 {
    hid_t file;
    hid_t lapl;      /* refuses external links */
    char *path;      /* for messages, and where commit puts the file */
    char *temporary; /* NULL when open for reading */
};

/* A dataset or an attribute, opened and found to be of a size that the file can hold. */
struct wf_h5_source {
    hid_t id, type, space;
    bool is_attr;
    H5T_class_t class;
    size_t disk_size; /* bytes of one element in the file */
    int ndim;
    ptrdiff_t dim[WF_ARRAY_MAXDIM];
    ptrdiff_t count;
    char label[420]; /* "PATH: 'name'" */
};

/* attr NULL: the dataset itself. Nothing to close on failure. */
enum wf_status wf_h5_source_open(struct wf_h5_source *src, const struct wf_h5 *f, const char *name,
                                 const char *attr, struct wf_error *err);
void wf_h5_source_close(struct wf_h5_source *src);
/* The whole of it, as the memory type mem. */
enum wf_status wf_h5_source_read(const struct wf_h5_source *src, hid_t mem, void *out,
                                 struct wf_error *err);
/* Refuses what is no number, and floats where integers are asked for. */
enum wf_status wf_h5_source_numeric(const struct wf_h5_source *src, enum wf_elem elem,
                                    struct wf_error *err);
/* Strings or integers as count texts. */
enum wf_status wf_h5_source_names(const struct wf_h5_source *src, struct wf_names *out,
                                  struct wf_error *err);

hid_t wf_h5_native(enum wf_elem elem);
/* Link creation properties that make missing groups on the way. */
hid_t wf_h5_parents(void);
/* WF_EIO or WF_EFORMAT with HDF5's innermost reason after the text. */
enum wf_status wf_h5_failure(struct wf_error *err, enum wf_status s, const char *label,
                             const char *what);

#endif
