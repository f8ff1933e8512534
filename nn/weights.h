/* weights.h - parameters published under other names: HDF5 groups and npz archives.
 *
 * A model that has a published counterpart keeps a table from its names to ours. Loading is strict:
 * every array in the file must be in the table, every row of the table in the file (but those of
 * state slots), and every element of every parameter is filled exactly once; a state slot is filled
 * wholly or not at all.
 * Nothing changes unless all of it can be loaded. Numbers are converted to wf_real. Our own files
 * are checkpoints (nn/checkpoint.h). */
#ifndef WF_WEIGHTS_H
#define WF_WEIGHTS_H

#include "nn/params.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where one of their arrays goes. */
struct wf_rename {
    const char *theirs;
    const char *ours; /* NULL: known, and not used */
    const char *axes; /* their axes in the order of ours: "10" for a linear of PyTorch, [out, in] ->
                       * [in, out]; "2310" for a convolution; NULL: as they are */
    int row, first;   /* where theirs begins in ours, seen as a matrix [.., last axis]: terms lie
                       * below each other, gates side by side */
    int terms; /* > 0: of a diffusion convolution with C channels: row c * terms + m of theirs
                * is row m * C + c of ours */
    int dual;  /* K > 0: theirs is [2, K, C, out], of K terms in two directions; ours has one weight
                * for both T_0, which is the sum of theirs */
};

/* A table of them, built by the layers a model is made of. Errors stick until it is used. */
struct wf_renames {
    struct wf_rename *row; /* the strings belong to the table */
    int rows, capacity;
    struct wf_error error;
};
/* A table starts as { 0 }. Names are joined to their prefixes by a dot where prefix is neither NULL
 * nor empty; r.ours may be NULL. */
void wf_renames_add(struct wf_renames *t, const char *their_prefix, const char *our_prefix,
                    struct wf_rename r);
void wf_renames_free(struct wf_renames *t);

/* path: an archive when it ends in ".npz", else HDF5, where group is the path of a group of arrays
 * (NULL: the root). ps must be committed. */
enum wf_status wf_weights_load(struct wf_params *ps, const char *path, const char *group,
                               const struct wf_renames *table, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
