/* dcrnn_names.h - parameters of DCRNN under the names of the published PyTorch code
 * (chnsh/DCRNN_PyTorch and its descendants, the published METR-LA weights among them).
 *
 * Such weights were trained with that code's diffusion: build the graph with
 * WF_COMPAT_DCRNN_REVERSED, or with WF_COMPAT_DCRNN where the supports were right. */
#ifndef WF_DCRNN_NAMES_H
#define WF_DCRNN_NAMES_H

#include "models/dcrnn.h"
#include "nn/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the shapes in an .npz archive of such weights say of the network that reads task->channels:
 * hidden and layers of cfg, terms and targets of task. */
enum wf_status wf_dcrnn_sizes(const char *path, struct wf_dcrnn_config *cfg, struct wf_task *task,
                              struct wf_error *err);

/* Which of theirs is which of ours, for wf_model_load(). */
void wf_dcrnn_names(const struct wf_dcrnn *m, struct wf_renames *t);

#ifdef __cplusplus
}
#endif
#endif
