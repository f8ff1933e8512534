/* check.h - checks of a model as a whole, for the library's tests and for a user's own.
 *
 * A model is built on a small problem: a wave that travels round a ring of nodes, with gaps in it.
 * There its gradients are compared with differences, its forecast is looked at, it is trained for
 * some steps, and tensors are compared with reference values in a file. Functions return what they
 * measured; what is good enough a test says itself. Depends on no test framework, runs on the CPU,
 * and a model need not be one of models.def. */
#ifndef WF_MODEL_CHECK_H
#define WF_MODEL_CHECK_H

#include "data/windows.h"
#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_CHECK_NODES = 6, WF_CHECK_ROWS = 160, WF_CHECK_BATCH = 3 };

struct wf_check_config {
    const struct wf_model_type *type;
    const char *options; /* "hidden=5\n.."; NULL: its defaults */
    int T, Q;            /* 0: 4 and 3 */
    bool day_of_week;    /* an input beside the value and the time of day */
    uint64_t seed;       /* of the initial values */
};

struct wf_check {
    struct wf_series series; /* [WF_CHECK_ROWS, WF_CHECK_NODES, 1], an hour apart */
    struct wf_graph graph;   /* the ring, one way, with self-loops: of the kind the model wants */
    struct wf_split split;
    struct wf_scaler scaler;
    struct wf_windows windows;
    struct wf_model model;
    struct wf_params params; /* committed */
};
/* On failure c is free already. */
enum wf_status wf_check_init(struct wf_check *c, const struct wf_check_config *cfg,
                             struct wf_error *err);
void wf_check_free(struct wf_check *c);

/* Forecast [WF_CHECK_BATCH, Q, N, 1] of the same few windows, standardised. */
struct wf_tensor *wf_check_forecast(struct wf_tape *g, struct wf_check *c);

/* The largest error of a gradient, as wf_gradcheck_run() measures it, and the name of its
 * parameter. In the double build that of a right one is below 1e-6; in float rounding hides much.
 */
enum wf_status wf_check_gradient(struct wf_check *c, double *worst, const char **which,
                                 struct wf_error *err);

/* Forecasts in training and out of it, recorded and not. WF_EINVAL: another shape than above, or
 * not the same bits when the same is done again; WF_ENUMERIC: not finite. */
enum wf_status wf_check_smoke(struct wf_check *c, struct wf_error *err);

/* Trains with Adam, a batch of 16 windows a step, on the masked MAE in the data's units; the mean
 * loss of the first and of the last quarter of the steps, of which there are 4 or more. */
enum wf_status wf_check_train(struct wf_check *c, int steps, double lr, double *first, double *last,
                              struct wf_error *err);

/* Largest |t - a| / (1 + |a|) over the elements of array `name` ("case/outputs/y") in an HDF5 file.
 * WF_EINVAL: another shape. */
enum wf_status wf_check_fixture(const struct wf_tensor *t, const char *path, const char *name,
                                double *worst, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
