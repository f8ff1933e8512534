/* weights.h - loads parameters that were published under other names, from HDF5 groups and npz
 * archives.
 *
 * A model that has a published counterpart makes a table from the names there ("theirs") to its own
 * ("ours"). Loading is strict: every array in the file must be in the table, every row of the table
 * must be in the file (only state slots may be missing), and every element of every parameter must
 * be filled exactly once; a state slot is filled wholly or not at all. Unless all of this holds,
 * nothing is changed. Numbers are converted to wf_real. Weft's own files are checkpoints
 * (nn/checkpoint.h). */
#ifndef WF_WEIGHTS_H
#define WF_WEIGHTS_H

#include "nn/params.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One row of the table: where one of their arrays goes. Only `theirs` is needed, and 0 is the
 * default of all other fields. */
struct wf_rename {
    const char *theirs;
    const char *ours; /* NULL: the array is known and is not used */

    /* Their axes in the order of ours: "10" for PyTorch's Linear, [out, in] -> [in, out]; "2310"
     * for a convolution; NULL: in the order they have. */
    const char *axes;

    /* The row and the column of ours at which theirs begins, ours seen as a matrix [.., last axis].
     * Terms of a convolution lie below each other, gates side by side. */
    int row, first;

    /* > 0: theirs is a diffusion convolution with C channels whose row c * terms + m is row
     * m * C + c of ours. */
    int terms;

    /* K > 0: theirs is [2, K, C, out], K terms in each of two directions. Ours has one weight for
     * term 0 of both directions, which becomes the sum of theirs. */
    int dual;
};

/* The table. The layers of a model add rows to it; an error sticks, and wf_weights_load() returns
 * it. */
struct wf_renames {
    struct wf_rename *row; /* the table owns theirs and ours of each row, but not axes */
    int rows, capacity;
    struct wf_error error;
};
/* Appends a row. A table starts as { 0 } and is freed with wf_renames_free(). A prefix that is
 * neither NULL nor empty is put before the name, with a dot between; r.ours may be NULL. */
void wf_renames_add(struct wf_renames *t, const char *their_prefix, const char *our_prefix,
                    struct wf_rename r);
void wf_renames_free(struct wf_renames *t);

/* Loads ps, which must be committed, from the file at path. A path that ends in ".npz" is an
 * archive; any other is HDF5, where group is the path of the group of arrays (NULL: the root).
 * WF_EINVAL or WF_EFORMAT say what does not fit. */
enum wf_status wf_weights_load(struct wf_params *ps, const char *path, const char *group,
                               const struct wf_renames *table, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
