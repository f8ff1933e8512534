/* dcrnn_names.h - parameters of DCRNN under the names of the published PyTorch code
 * (chnsh/DCRNN_PyTorch and its descendants, the published METR-LA weights among them).
 *
 * Such weights were trained with that code's diffusion: build the graph with
 * WF_COMPAT_DCRNN_REVERSED, or with WF_COMPAT_DCRNN where the supports were right. */
#ifndef WF_DCRNN_NAMES_H
#define WF_DCRNN_NAMES_H

#include "models/dcrnn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the shapes in an .npz archive of such weights say of the network that reads task->channels:
 * hidden and layers of cfg, terms and targets of task. */
enum wf_status wf_dcrnn_sizes(const char *path, struct wf_dcrnn_config *cfg, struct wf_task *task,
                              struct wf_error *err);

/* Fills ps, committed, where wf_dcrnn_init() declared m and nothing else. path is an .npz archive,
 * or an HDF5 file with the arrays in group (NULL: the root). As strict as wf_weights_load(). */
enum wf_status wf_dcrnn_load(const struct wf_dcrnn *m, struct wf_params *ps, const char *path,
                             const char *group, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
