/* h5_private.h - what h5.c, h5_attr.c and h5_checks.c share; nobody else includes hdf5.h. */
#ifndef WF_H5_PRIVATE_H
#define WF_H5_PRIVATE_H

#include <hdf5.h>
#include "data/formats/h5.h"

struct wf_h5 {
    hid_t file;
    hid_t lapl;      /* access list that refuses external links */
    char *path;      /* for messages, and where commit puts the file */
    char *temporary; /* NULL when open for reading */
};

/* A dataset or an attribute that was opened, and found to be of a size that the file can hold. */
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

/* Opens the attribute attr of the object called name; attr NULL: opens the dataset called name. On
 * failure there is nothing to close. */
enum wf_status wf_h5_source_open(struct wf_h5_source *src, const struct wf_h5 *f, const char *name,
                                 const char *attr, struct wf_error *err);
void wf_h5_source_close(struct wf_h5_source *src);
/* Reads the whole source, converted to the type mem of HDF5. */
enum wf_status wf_h5_source_read(const struct wf_h5_source *src, hid_t mem, void *out,
                                 struct wf_error *err);
/* Refuses what is no number, and floats where integers are asked for. */
enum wf_status wf_h5_source_numeric(const struct wf_h5_source *src, enum wf_elem elem,
                                    struct wf_error *err);
/* Reads strings or integers as texts. */
enum wf_status wf_h5_source_names(const struct wf_h5_source *src, struct wf_names *out,
                                  struct wf_error *err);

/* Returns the type of HDF5 that an element has in memory. */
hid_t wf_h5_native(enum wf_elem elem);
/* Makes a property list for links that creates missing groups on the way; close with H5Pclose. */
hid_t wf_h5_parents(void);
/* Fails with s (WF_EIO or WF_EFORMAT) and the message "LABEL: WHAT (HDF5: its innermost
 * reason)". */
enum wf_status wf_h5_failure(struct wf_error *err, enum wf_status s, const char *label,
                             const char *what);

#endif
