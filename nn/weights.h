/* weights.h - parameters published under other names: HDF5 groups and npz archives.
 *
 * A model that has a published counterpart keeps a table from its names to ours. Loading is strict:
 * every array in the file must be in the table, every row of the table in the file, and every
 * element of every parameter is filled exactly once; a state slot is filled wholly or not at all.
 * Nothing changes unless all of it can be loaded. Numbers are converted to wf_real. Our own files
 * are checkpoints (nn/checkpoint.h). */
#ifndef WF_WEIGHTS_H
#define WF_WEIGHTS_H

#include "nn/params.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_layout {
    WF_LAYOUT_SAME,
    WF_LAYOUT_TRANSPOSED, /* theirs [out, in], as PyTorch's linear; ours [in, out] */
    WF_LAYOUT_TERM_LAST /* of a diffusion convolution: row c * terms + m of theirs is row m * C + c
                         * of ours, C channels */
};

struct wf_rename {
    const char *theirs;
    const char *ours; /* NULL: known, and not used */
    enum wf_layout layout;
    int first; /* where theirs begins on the last axis of ours: several gates may lie side by side
                */
    int terms; /* WF_LAYOUT_TERM_LAST only */
};

/* path: an archive when it ends in ".npz", else HDF5, where group is the path of a group of arrays
 * (NULL: the root). ps must be committed. */
enum wf_status wf_weights_load(struct wf_params *ps, const char *path, const char *group,
                               const struct wf_rename *table, int rows, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
