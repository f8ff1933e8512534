/* node.h - what this node uses: share of its processors, memory, and of each NVIDIA GPU memory and
 * utilisation; a source of columns for dist/monitor.h.
 *
 * GPUs are asked through NVML, loaded at run time where the driver has brought it: without it, or
 * without a GPU, the columns of one GPU stay empty. Sees the whole node, other people's processes
 * too. Reads Linux's /proc. */
#ifndef WF_MACHINE_H
#define WF_MACHINE_H

#include "apps/kit/monitor.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_machine;

/* source->read wants *n for its ctx; both stay valid until wf_machine_close. Columns:
 * node_cpu_percent (100: all processors busy; mean since the reading before), node_mb (memory that
 * is not available to others), gpuI_mb and gpuI_percent for each GPU, the first 31. */
enum wf_status wf_machine_open(struct wf_machine **n, struct wf_monitor_source *source,
                               struct wf_error *err);
void wf_machine_close(struct wf_machine *n);

/* Memory used on the first GPU of $CUDA_VISIBLE_DEVICES, or of all, and what it has, MB; false
 * where neither is known. For struct wf_monitor. */
bool wf_machine_gpu(void *node, double *used_mb, double *total_mb);

#ifdef __cplusplus
}
#endif
#endif
