/* forecast.h - forecasts from parameters that are trained already: those of a checkpoint, for the
 * last rows of a series whose future nobody knows, and published DCRNN weights, for given windows.
 *
 * Does not train or choose file names. Whoever is given a forecast calls wf_forecast_free. */
#ifndef WF_FORECAST_H
#define WF_FORECAST_H

#include <stdio.h>
#include "data/formats/array.h"
#include "nn/graph.h"
#include "data/config.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_forecast {
    int K, T, Q, N, F; /* windows, input steps, horizon, nodes, channels forecast */
    float *value;      /* [K, Q, N, F] in the data's units */
    int64_t *time_s;   /* [K, Q] of the instants forecast; NULL: unknown */
    float *seen;       /* [N, T + Q] first channel in the rows of the last window, NaN where missing
                        * or still to come; NULL: unknown */
    int64_t seen_t0_s; /* of their first row */
    int interval_s;    /* 0: unknown */
    struct wf_names nodes; /* N, or none */
    char *model, *source;  /* name; file of the parameters */
    char quantity[WF_CONFIG_TEXT], units[WF_CONFIG_TEXT];
};
void wf_forecast_free(struct wf_forecast *f);

struct wf_forecast_request {
    const char *checkpoint;
    const char *data, *adjacency; /* NULL or "": what the checkpoint was trained with */
    int64_t at;                   /* last row that is seen, from 0; -1: the last of the series */
    int count;                    /* windows, the last one ending at row `at` */
};
/* Values are standardised as in training, whatever the data. Rows that do not exist yet follow at
 * the series' interval. */
enum wf_status wf_forecast_checkpoint(struct wf_forecast *f, const struct wf_forecast_request *r,
                                      struct wf_error *err);

struct wf_published {
    const char *weights;   /* .npz, names as models/dcrnn_names.h has them */
    const char *windows;   /* .npz: x_scaled [B, T, N, C], the numbers mean and std; the horizon is
                            * that of truth_mph [B, Q, N] where it is there, else 12 */
    const char *supports;  /* .npz: support0 and support1 [N, N]; NULL or "": windows */
    const char *adjacency; /* .pkl: build the supports from it instead; NULL or "": do not */
    enum wf_compat compat;
    int count; /* first windows only; 0: all */
};
enum wf_status wf_forecast_published(struct wf_forecast *f, const struct wf_published *p,
                                     struct wf_error *err);
/* Prints MAE against truth_mph in the archive of windows (0 and NaN are missing) at 15, 30 and 60
 * minutes of 5 each, and the largest difference to every array pred_*. */
enum wf_status wf_forecast_compare(const struct wf_forecast *f, const char *windows, FILE *out,
                                   struct wf_error *err);

/* WF_EINVAL unless path ends in .h5, .hdf5 or .csv. */
enum wf_status wf_forecast_kind(const char *path, struct wf_error *err);
/* HDF5: /forecast [K, Q, N, F] float32, /times [K, Q] int64 seconds since 1970 and /nodes texts
 * where known, attributes model and checkpoint. CSV, for one channel: window, time (empty where
 * unknown), horizon (1 is the first step), then the nodes. In place of an old file only once
 * complete. */
enum wf_status wf_forecast_write(const char *path, const struct wf_forecast *f,
                                 struct wf_error *err);
/* The last window as a picture in the folder, which is made: what was seen, the forecast, and the
 * last value held. */
enum wf_status wf_forecast_draw(const char *folder, const struct wf_forecast *f, FILE *log,
                                struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
