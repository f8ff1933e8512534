/* forecast_private.h - what both sources of forecasts need. */
#ifndef WF_FORECAST_PRIVATE_H
#define WF_FORECAST_PRIVATE_H

#include "apps/forecast/forecast.h"
#include "models/model.h"

/* Allocates the values, once K, Q, N and F are set, and copies both names. After a failure
 * wf_forecast_free frees what is there. */
enum wf_status wf_forecast_alloc(struct wf_forecast *f, const char *model, const char *source,
                                 struct wf_error *err);

/* Runs the batch through the model and puts what it forecasts, in the data's units, into f as
 * windows first .. first + b->B - 1. WF_ENUMERIC: a value is not finite. */
enum wf_status wf_forecast_batch(struct wf_forecast *f, int first, struct wf_tape *g,
                                 const struct wf_model *m, struct wf_batch *b,
                                 const struct wf_scaler *sc, struct wf_error *err);

#endif
