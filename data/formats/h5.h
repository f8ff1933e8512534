/* h5.h - HDF5 files: groups, arrays, texts and attributes.
 *
 * The only door to HDF5 in the library: series, checkpoints, published weights and test fixtures
 * all pass here. Names are paths inside the file ("case/inputs/x"). Any integer, float or
 * boolean-enum type on disk is converted to the element type asked for; floats are not read as
 * integers. Sizes are checked against the file's own before anything is allocated; data in other
 * files (external links and storage, virtual datasets) are refused. A new file grows under
 * PATH.tmp and takes its place at commit.
 * A damaged file gives an error, not a crash, with one exception inside HDF5 1.10: texts of
 * variable length whose heap is damaged. Files written here have none.
 * Does not do compound types, references, or compressed writing. HDF5 is not safe for threads: one
 * thread at a time, over all open files.
 *
 * Every message begins with the file's path. The caller frees arrays and names it is given. */
#ifndef WF_H5_H
#define WF_H5_H

#include <stdbool.h>
#include "data/formats/array.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_h5;

enum wf_h5_kind { WF_H5_NONE, WF_H5_GROUP, WF_H5_DATASET };

/* Opens a file, or the bytes of one, for reading. bytes must stay until wf_h5_close. On failure *f
 * is NULL. */
enum wf_status wf_h5_open(struct wf_h5 **f, const char *path, struct wf_error *err);
enum wf_status wf_h5_open_bytes(struct wf_h5 **f, const void *bytes, size_t size,
                                struct wf_error *err);
/* Creates a file for writing and reading back. wf_h5_commit writes everything to disk and puts the
 * file in place; it frees f in every case. wf_h5_close without it removes the unfinished file. */
enum wf_status wf_h5_create(struct wf_h5 **f, const char *path, struct wf_error *err);
enum wf_status wf_h5_commit(struct wf_h5 *f, struct wf_error *err);
void wf_h5_close(struct wf_h5 *f);

/* Tells what is called name; WF_H5_NONE: nothing is, or the name leads out of the file. */
enum wf_h5_kind wf_h5_kind(const struct wf_h5 *f, const char *name);
/* Lists the members of a group in order of name. */
enum wf_status wf_h5_list(const struct wf_h5 *f, const char *group, struct wf_names *out,
                          struct wf_error *err);
/* Makes a group and those above it; one that exists already is fine. */
enum wf_status wf_h5_group(struct wf_h5 *f, const char *name, struct wf_error *err);

/* Tells shape and nearest element type of a dataset of numbers; reads no data. */
enum wf_status wf_h5_shape(const struct wf_h5 *f, const char *name, struct wf_array *out,
                           struct wf_error *err);
/* Reads a whole dataset of numbers as elements of the given type. */
enum wf_status wf_h5_read(const struct wf_h5 *f, const char *name, enum wf_elem elem,
                          struct wf_array *out, struct wf_error *err);
/* Reads rows first .. first + into->dim[0] - 1 into an array that is there already; its other
 * dimensions must be the dataset's. Needs at most 2 MiB (or one row) besides. */
enum wf_status wf_h5_read_rows(const struct wf_h5 *f, const char *name, ptrdiff_t first,
                               struct wf_array *into, struct wf_error *err);
/* Reads a list of texts (of fixed or variable length), or of integers, which become decimal
 * texts. */
enum wf_status wf_h5_read_names(const struct wf_h5 *f, const char *name, struct wf_names *out,
                                struct wf_error *err);

/* Datasets are written once; groups above them are made as needed. wf_h5_reserve makes a dataset of
 * the shape and type of `like`, whose data it ignores, and wf_h5_write_rows fills it. */
enum wf_status wf_h5_reserve(struct wf_h5 *f, const char *name, const struct wf_array *like,
                             struct wf_error *err);
enum wf_status wf_h5_write_rows(struct wf_h5 *f, const char *name, ptrdiff_t first,
                                const struct wf_array *from, struct wf_error *err);
enum wf_status wf_h5_write(struct wf_h5 *f, const char *name, const struct wf_array *a,
                           struct wf_error *err);
enum wf_status wf_h5_write_names(struct wf_h5 *f, const char *name, const struct wf_names *n,
                                 struct wf_error *err);

/* Attributes of a group or dataset; object "/" is the file. A text is one string, freed by the
 * caller with wf_free. */
bool wf_h5_has_attr(const struct wf_h5 *f, const char *object, const char *attr);
enum wf_status wf_h5_attr_int(const struct wf_h5 *f, const char *object, const char *attr,
                              int64_t *out, struct wf_error *err);
enum wf_status wf_h5_attr_double(const struct wf_h5 *f, const char *object, const char *attr,
                                 double *out, struct wf_error *err);
enum wf_status wf_h5_attr_text(const struct wf_h5 *f, const char *object, const char *attr,
                               char **out, struct wf_error *err);
/* Reads an attribute of numbers, of any rank. */
enum wf_status wf_h5_attr_array(const struct wf_h5 *f, const char *object, const char *attr,
                                enum wf_elem elem, struct wf_array *out, struct wf_error *err);
/* Set an attribute, in place of one of that name. */
enum wf_status wf_h5_set_int(struct wf_h5 *f, const char *object, const char *attr, int64_t value,
                             struct wf_error *err);
enum wf_status wf_h5_set_double(struct wf_h5 *f, const char *object, const char *attr, double value,
                                struct wf_error *err);
enum wf_status wf_h5_set_text(struct wf_h5 *f, const char *object, const char *attr,
                              const char *text, struct wf_error *err);
enum wf_status wf_h5_set_array(struct wf_h5 *f, const char *object, const char *attr,
                               const struct wf_array *a, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
