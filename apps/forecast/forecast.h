/* forecast.h - forecasts from parameters that are trained already: those of a checkpoint, for the
 * last rows of a series whose future nobody knows, and published DCRNN weights, for given windows.
 *
 * Nothing here trains or chooses file names. Whoever is given a forecast calls wf_forecast_free. */
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
    int64_t *time_s;   /* [K, Q] the instants that are forecast; NULL: unknown */
    /* [N, T + Q] the first channel in the rows of the last window, NaN where it is missing or still
     * to come; NULL: unknown. */
    float *seen;
    int64_t seen_t0_s;     /* time of the first row of `seen` */
    int interval_s;        /* seconds between two rows; 0: unknown */
    struct wf_names nodes; /* names of the N nodes, or none */
    char *model, *source;  /* the model's name; the file of its parameters */
    char quantity[WF_CONFIG_TEXT], units[WF_CONFIG_TEXT];
};
void wf_forecast_free(struct wf_forecast *f);

struct wf_forecast_request {
    const char *checkpoint;
    const char *data, *adjacency; /* NULL or "": as the checkpoint was trained with */
    int64_t at; /* last row that is seen, counted from 0; -1: the last of the series */
    int count;  /* how many windows; the last one ends at row `at` */
};
/* Forecasts with the model of a checkpoint, rebuilt from the configuration in it. Values are
 * standardised as in training, whatever the data. Times of rows that do not exist yet follow at the
 * series' interval. WF_EINVAL: the series has no such windows. */
enum wf_status wf_forecast_checkpoint(struct wf_forecast *f, const struct wf_forecast_request *r,
                                      struct wf_error *err);

struct wf_published {
    const char *weights; /* .npz with the names of models/dcrnn_names.h */
    /* .npz with x_scaled [B, T, N, C] and the numbers mean and std. The horizon is that of its
     * truth_mph [B, Q, N], or 12 without one. */
    const char *windows;
    const char
        *supports; /* .npz with support0 and support1 [N, N]; NULL or "": `windows` has them */
    const char *adjacency; /* .pkl to build the supports from instead; NULL or "": none */
    enum wf_compat compat; /* whose diffusion the weights were trained with */
    int count;             /* how many windows, from the first on; 0: all */
};
/* Forecasts with published weights of DCRNN. WF_EINVAL: shapes do not fit. */
enum wf_status wf_forecast_published(struct wf_forecast *f, const struct wf_published *p,
                                     struct wf_error *err);
/* Prints MAE against truth_mph in the archive of windows (0 and NaN are missing) at 15, 30 and 60
 * minutes of 5 each, and the largest difference to every array pred_*. */
enum wf_status wf_forecast_compare(const struct wf_forecast *f, const char *windows, FILE *out,
                                   struct wf_error *err);

/* Returns WF_EINVAL unless path ends in .h5, .hdf5 or .csv. */
enum wf_status wf_forecast_kind(const char *path, struct wf_error *err);
/* Writes HDF5 or CSV, as the path's ending says. HDF5: /forecast [K, Q, N, F] float32, /times [K,
 * Q] int64 seconds since 1970 and /nodes texts where known, attributes model and checkpoint. CSV,
 * for one channel: window, time (empty where unknown), horizon (1 is the first step), then the
 * nodes. An old file is replaced only once the new one is complete. */
enum wf_status wf_forecast_write(const char *path, const struct wf_forecast *f,
                                 struct wf_error *err);
/* Draws the last window as a picture in the folder, which is made: what was seen, the forecast, and
 * the last value held. WF_EINVAL: f->seen is unknown. */
enum wf_status wf_forecast_draw(const char *folder, const struct wf_forecast *f, FILE *log,
                                struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
