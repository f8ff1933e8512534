/* check.h - checks of a model as a whole, for the library's tests and for a user's own.
 *
 * A model is built on a small problem: a wave that travels round a ring of nodes, with gaps in it.
 * There its gradients are compared with differences, its forecast is looked at, it is trained for
 * some steps, and tensors are compared with reference values in a file. The functions return what
 * they measured; a test says itself what is good enough. They depend on no test framework, run on
 * the CPU, and take models that are not in models.def, too. Whoever calls wf_check_init() calls
 * wf_check_free().
 *
 * The macro WF_CHECK of tensor/status.h, which checks invariants, has nothing to do with this. */
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
    const char *options; /* lines such as "hidden=5\n"; NULL: the defaults of the model */
    int T, Q;            /* input steps and horizon; 0: 4 and 3 */
    bool day_of_week;    /* the day of the week is an input beside value and time of day */
    uint64_t seed;       /* seed of the initial values */
};

struct wf_check {
    struct wf_series series; /* [WF_CHECK_ROWS, WF_CHECK_NODES, 1], rows an hour apart */
    struct wf_graph graph;   /* the ring, one way, with self-loops; supports as the model wants */
    struct wf_split split;
    struct wf_scaler scaler;
    struct wf_windows windows;
    struct wf_model model;
    struct wf_params params; /* committed */
};
/* Makes the data and the model, and commits its parameters. On failure c has been freed. */
enum wf_status wf_check_init(struct wf_check *c, const struct wf_check_config *cfg,
                             struct wf_error *err);
void wf_check_free(struct wf_check *c);

/* The forecast [WF_CHECK_BATCH, Q, N, 1], standardised, for the same few windows in every call. */
struct wf_tensor *wf_check_forecast(struct wf_tape *g, struct wf_check *c);

/* Measures the error of the gradient by every parameter, as wf_gradcheck_run() does: *worst is the
 * largest, *which the name of that parameter. A right gradient is below 1e-6 in the double build;
 * in float, rounding hides much. */
enum wf_status wf_check_gradient(struct wf_check *c, double *worst, const char **which,
                                 struct wf_error *err);

/* Makes the forecast while training, recorded, and again; and outside training, recorded and not
 * recorded. WF_EINVAL: a forecast has another shape than above, or the two of a pair differ in a
 * bit; WF_ENUMERIC: a number is not finite. */
enum wf_status wf_check_smoke(struct wf_check *c, struct wf_error *err);

/* Trains for 4 or more steps with Adam, a batch of 16 windows per step, on the masked MAE in the
 * data's units. *first and *last are the mean loss of the first and of the last quarter of the
 * steps. WF_ENUMERIC when a loss is not finite. */
enum wf_status wf_check_train(struct wf_check *c, int steps, double lr, double *first, double *last,
                              struct wf_error *err);

/* Compares t with the array a called `name` ("case/outputs/y") in an HDF5 file: *worst is the
 * largest |t - a| / (1 + |a|) of an element. WF_EINVAL when the shapes differ. */
enum wf_status wf_check_fixture(const struct wf_tensor *t, const char *path, const char *name,
                                double *worst, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
