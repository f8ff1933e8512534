#include "nn/norm.h"

/* Declares the parameter name.last with every element `value`. */
static struct wf_tensor *constant(struct wf_params *ps, const char *name, const char *last,
                                  int ndim, const int *shape, double value)
{
    char path[WF_NAME_TEXT];
    return wf_params_add(ps, wf_params_path(path, name, last), ndim, shape,
                         (struct wf_init){ .kind = WF_INIT_CONSTANT, .gain = value });
}

/* Declares the state slot name.last with every element `value`. */
static struct wf_tensor *slot(struct wf_params *ps, const char *name, const char *last, int ndim,
                              const int *shape, double value)
{
    char path[WF_NAME_TEXT];
    return wf_params_add_state(ps, wf_params_path(path, name, last), ndim, shape, value);
}

void wf_batch_norm_init(struct wf_batch_norm *l, struct wf_params *ps, const char *name,
                        int channels, double momentum)
{
    const int *shape = wf_dims(channels);
    l->weight = constant(ps, name, "weight", 1, shape, 1);
    l->bias = constant(ps, name, "bias", 1, shape, 0);
    l->running = (struct wf_running){ .mean = slot(ps, name, "mean", 1, shape, 0),
                                      .var = slot(ps, name, "var", 1, shape, 1),
                                      .count = slot(ps, name, "count", 0, NULL, 0),
                                      .momentum = momentum,
                                      .eps = 1e-5 };
}

struct wf_tensor *wf_batch_norm(struct wf_tape *g, const struct wf_batch_norm *l,
                                struct wf_tensor *x, int axis)
{
    return wf_batch_norm_op(g, x, axis, l->weight, l->bias, &l->running);
}

void wf_layer_norm_init(struct wf_layer_norm *l, struct wf_params *ps, const char *name, int ndim,
                        const int *shape)
{
    l->weight = constant(ps, name, "weight", ndim, shape, 1);
    l->bias = constant(ps, name, "bias", ndim, shape, 0);
    l->eps = 1e-5;
}

struct wf_tensor *wf_layer_norm(struct wf_tape *g, const struct wf_layer_norm *l,
                                struct wf_tensor *x)
{
    return wf_layer_norm_op(g, x, l->weight->ndim, l->weight, l->bias, l->eps);
}

static void same(struct wf_renames *t, const char *theirs, const char *ours, const char *their_name,
                 const char *our_name)
{
    wf_renames_add(t, theirs, ours, (struct wf_rename){ .theirs = their_name, .ours = our_name });
}

void wf_layer_norm_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    same(t, theirs, ours, "weight", "weight");
    same(t, theirs, ours, "bias", "bias");
}

void wf_batch_norm_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    wf_layer_norm_names(t, theirs, ours);
    same(t, theirs, ours, "running_mean", "mean");
    same(t, theirs, ours, "running_var", "var");
    same(t, theirs, ours, "num_batches_tracked", "count");
}
