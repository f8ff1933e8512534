/* simulate_file.h - writes simulated series to HDF5 files of Weft's layout
 * (data/formats/series_file.h). */
#ifndef WF_SIMULATE_FILE_H
#define WF_SIMULATE_FILE_H

#include "data/simulate/pde.h"
#include "data/simulate/traffic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Simulates row by row into the file path, which also gets the graph (/adjacency), the sensors'
 * places (/positions) and the mark of a synthetic set. Rows are written 2 MiB at a time, and
 * nothing is kept of them. WF_EINTR: cfg->watch ended it; WF_EINVAL: a field out of its range. */
enum wf_status wf_simulate_traffic(const char *path, const struct wf_traffic_config *cfg,
                                   struct wf_error *err);
enum wf_status wf_simulate_pde(const char *path, const struct wf_pde_config *cfg,
                               struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
