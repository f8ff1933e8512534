/* dcrnn_names.h - the names of DCRNN's parameters in the published PyTorch code
 * (chnsh/DCRNN_PyTorch and its descendants), which the published METR-LA weights have.
 *
 * Such weights were trained with the diffusion of that code: build the graph with
 * WF_COMPAT_DCRNN_REVERSED, or with WF_COMPAT_DCRNN if the supports were in the right order. */
#ifndef WF_DCRNN_NAMES_H
#define WF_DCRNN_NAMES_H

#include "models/dcrnn.h"
#include "nn/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Finds the sizes of a network from the shapes in an .npz archive of its weights: fills hidden and
 * layers of cfg, terms and targets of task. task->channels must be set. */
enum wf_status wf_dcrnn_sizes(const char *path, struct wf_dcrnn_config *cfg, struct wf_task *task,
                              struct wf_error *err);

/* Adds the names of all parameters to t, for wf_model_load(). */
void wf_dcrnn_names(const struct wf_dcrnn *m, struct wf_renames *t);

#ifdef __cplusplus
}
#endif
#endif
