/* machine.h - what this machine uses: the share of its processors that is busy, its memory, and of
 * each NVIDIA GPU memory and utilisation. It is a source of columns for apps/kit/monitor.h.
 *
 * GPUs are asked through NVML, which is loaded at run time where the driver has brought it: without
 * NVML, or without a GPU, the columns of one GPU stay empty. The numbers are of the whole machine,
 * which a cluster calls a node, other people's processes included. Reads Linux's /proc. */
#ifndef WF_MACHINE_H
#define WF_MACHINE_H

#include "apps/kit/monitor.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_machine;

/* Makes *n and fills *source, whose read() takes *n as its ctx; both stay valid until
 * wf_machine_close(*n). Columns: node_cpu_percent (100: all processors busy; the mean since the
 * reading before), node_mb (memory that is not available to others), gpuI_mb and gpuI_percent for
 * each of the first 31 GPUs. WF_EIO: /proc cannot be read. */
enum wf_status wf_machine_open(struct wf_machine **n, struct wf_monitor_source *source,
                               struct wf_error *err);
void wf_machine_close(struct wf_machine *n);

/* Finds the memory that is used on one GPU, and its whole memory, in MB: on the first GPU that
 * $CUDA_VISIBLE_DEVICES names, or without that variable the first of all. Returns false where this
 * is not known. A struct wf_monitor takes this function as its gpu(). */
bool wf_machine_gpu(void *node, double *used_mb, double *total_mb);

#ifdef __cplusplus
}
#endif
#endif
