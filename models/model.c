#include "models/model.h"
#include <string.h>
#include "tensor/alloc.h"

static const struct wf_model_type *const types[] = {
#define M(name) &wf_##name##_type,
#include "models/models.def"
#undef M
    NULL
};

const struct wf_model_type *const *wf_model_types(void)
{
    return types;
}

const struct wf_model_type *wf_model_find(const char *name)
{
    for (int i = 0; types[i]; i++)
        if (strcmp(types[i]->name, name) == 0) return types[i];
    return NULL;
}

struct wf_graph_config wf_model_graph(const struct wf_model_type *type)
{
    return (struct wf_graph_config){ .kind = type->graph,
                                     .laplacian = type->laplacian,
                                     .dominant = type->laplacian != WF_LAPLACIAN_SYM };
}

enum wf_status wf_model_new(struct wf_model *m, const struct wf_model_type *type,
                            struct wf_error *err)
{
    *m = (struct wf_model){ .type = type };
    m->cfg = wf_calloc(1, type->config_size);
    m->layers = wf_calloc(1, type->size);
    if (m->cfg && m->layers) {
        type->defaults(m->cfg);
        return WF_OK;
    }
    wf_model_free(m);
    return wf_fail(err, WF_ENOMEM, "no memory for model %s", type->name);
}

void wf_model_free(struct wf_model *m)
{
    wf_free(m->cfg);
    wf_free(m->layers);
    *m = (struct wf_model){ 0 };
}

/* Forecasts the change from the last input of each target, and adds that input. A decoder that
 * reads the truth while it is trained must read changes, too: so y_std becomes a change. */
static struct wf_tensor *forecast_change(struct wf_tape *g, const struct wf_model *m,
                                         const struct wf_batch *b)
{
    struct wf_batch changes = *b;
    struct wf_tensor *last = wf_slice(g, wf_batch_x(g, b), 1, b->T - 1, b->T);
    last = wf_slice(g, last, -1, 0, b->y_std.shape[3]); /* [B, 1, N, targets] */
    if (g->training) {
        struct wf_tensor *y = wf_sub(g, wf_tape_view(g, b->y_std), last);
        if (g->error.status != WF_OK) return y;
        changes.y_std = *y;
    }
    return wf_add(g, m->type->forward(g, m->layers, &changes), last);
}

struct wf_tensor *wf_model_forecast(struct wf_tape *g, const struct wf_model *m,
                                    const struct wf_batch *b)
{
    return m->residual ? forecast_change(g, m, b) : m->type->forward(g, m->layers, b);
}

enum wf_status wf_model_load(const struct wf_model_type *type, const void *layers,
                             struct wf_params *ps, const char *path, const char *group,
                             struct wf_error *err)
{
    struct wf_renames t = { 0 };
    if (!type->names)
        return wf_fail(err, WF_EINVAL, "%s: %s has no published names", path, type->name);
    if (ps->error.status) return wf_fail(err, ps->error.status, "%s", ps->error.message);
    type->names(layers, &t);
    enum wf_status s = wf_weights_load(ps, path, group, &t, err);
    wf_renames_free(&t);
    return s;
}
