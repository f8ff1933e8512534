/* simulate_file.h - simulated series into HDF5 files of Weft's layout (data/formats/series_file.h).
 */
#ifndef WF_SIMULATE_FILE_H
#define WF_SIMULATE_FILE_H

#include "data/simulate/pde.h"
#include "data/simulate/traffic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Simulates row by row into the file path, with the graph (/adjacency) and the sensors' places
 * (/positions), marked as synthetic. Rows are
 * written 2 MiB at a time; nothing is kept of them. WF_EINTR: cfg->watch ended it. */
enum wf_status wf_simulate_traffic(const char *path, const struct wf_traffic_config *cfg,
                                   struct wf_error *err);
enum wf_status wf_simulate_pde(const char *path, const struct wf_pde_config *cfg,
                               struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
