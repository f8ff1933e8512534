/* forecast_private.h - what both sources of forecasts need; for dist/forecast*.c alone. */
#ifndef WF_FORECAST_PRIVATE_H
#define WF_FORECAST_PRIVATE_H

#include "apps/forecast/forecast.h"
#include "models/model.h"

/* Room for the values once K, Q, N and F are set; what is there after a failure is freed with f. */
enum wf_status wf_forecast_alloc(struct wf_forecast *f, const char *model, const char *source,
                                 struct wf_error *err);

/* Windows first .. first + b->B - 1 of f: b through the model, back in the data's units. */
enum wf_status wf_forecast_batch(struct wf_forecast *f, int first, struct wf_tape *g,
                                 const struct wf_model *m, struct wf_batch *b,
                                 const struct wf_scaler *sc, struct wf_error *err);

#endif
