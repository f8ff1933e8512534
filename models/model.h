/* model.h - what the apps know of a model: a name, its configuration, how to declare it, and
 * forward().
 *
 * models.def lists the models, one line each. A model's structs and functions are public in its own
 * header; user code that builds a model directly needs nothing of this file. */
#ifndef WF_MODEL_H
#define WF_MODEL_H

#include "autograd/ops.h"
#include "nn/batch.h"
#include "nn/params.h"
#include "nn/weights.h"
#include "data/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the data decide about a model. Input channels are the measured ones, the first `targets` of
 * which are forecast, then the time of day in [0, 1), then the day of the week / 7, Monday 0. */
struct wf_task {
    int nodes, channels, targets;  /* N, input channels, channels to forecast */
    int T, Q;                      /* input steps, horizon */
    int terms;                     /* of the supports, the input itself included */
    int steps_per_day;             /* 0: unknown */
    int hops;                      /* terms per support beside the input */
    bool time_of_day, day_of_week; /* the last input channels; see data/series.h */
};

struct wf_model_type {
    const char *name, *about; /* "dcrnn", one line */
    size_t size, config_size;
    const struct wf_field *fields; /* of the configuration */
    void (*defaults)(void *cfg);
    void (*init)(void *m, struct wf_params *ps, const void *cfg, const struct wf_task *task);
    /* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised; b is bound to a graph */
    struct wf_tensor *(*forward)(struct wf_tape *g, const void *m, const struct wf_batch *b);
    /* Parameters under the names of the published implementation; NULL: there is none. */
    void (*names)(const void *m, struct wf_renames *t);
    enum wf_support_kind graph;  /* the supports it is made for */
    enum wf_laplacian laplacian; /* of WF_CHEB; but for the symmetric one, lambda_max is computed */
};
/* Those supports; hops and compat are the caller's. */
struct wf_graph_config wf_model_graph(const struct wf_model_type *type);

#define M(name) extern const struct wf_model_type wf_##name##_type;
#include "models/models.def"
#undef M

/* A row of a model's table of options: a member of struct wf_NAME_config that is called as its
 * option is. kind: INT, DOUBLE or BOOL. */
#define WF_MODEL_FIELD(NAME, member, kind, low, high, text)                                        \
    {                                                                                              \
        .name = #member, .type = WF_FIELD_##kind,                                                  \
        .offset = offsetof(struct wf_##NAME##_config, member), .min = low, .max = high,            \
        .help = text                                                                               \
    }

/* Defines wf_NAME_type from wf_NAME_defaults, _init and _forward and struct wf_NAME,
 * wf_NAME_config; the members that follow are given as .names = NAME_names. */
#define WF_MODEL_TYPE(NAME, text_name, text_about, field_table, ...)                               \
    static void NAME##_defaults(void *cfg)                                                         \
    {                                                                                              \
        *(struct wf_##NAME##_config *)cfg = wf_##NAME##_defaults();                                \
    }                                                                                              \
    static void NAME##_init(void *m, struct wf_params *ps, const void *cfg,                        \
                            const struct wf_task *task)                                            \
    {                                                                                              \
        wf_##NAME##_init(m, ps, *(const struct wf_##NAME##_config *)cfg, task);                    \
    }                                                                                              \
    static struct wf_tensor *NAME##_forward(struct wf_tape *g, const void *m,                      \
                                            const struct wf_batch *b)                              \
    {                                                                                              \
        return wf_##NAME##_forward(g, m, b);                                                       \
    }                                                                                              \
    const struct wf_model_type wf_##NAME##_type = { .name = text_name,                             \
                                                    .about = text_about,                           \
                                                    .size = sizeof(struct wf_##NAME),              \
                                                    .config_size =                                 \
                                                        sizeof(struct wf_##NAME##_config),         \
                                                    .fields = field_table,                         \
                                                    .defaults = NAME##_defaults,                   \
                                                    .init = NAME##_init,                           \
                                                    .forward = NAME##_forward,                     \
                                                    __VA_ARGS__ }

/* By name; NULL when there is none. wf_model_types() ends with a NULL. */
const struct wf_model_type *wf_model_find(const char *name);
const struct wf_model_type *const *wf_model_types(void);

/* A model of a type known at run time: its configuration and its layers. */
struct wf_model {
    const struct wf_model_type *type;
    void *cfg, *layers;
    bool residual; /* forward() makes the change from the last input of each target */
};
/* With default configuration; declare it with type->init once the configuration is final. */
enum wf_status wf_model_new(struct wf_model *m, const struct wf_model_type *type,
                            struct wf_error *err);
void wf_model_free(struct wf_model *m);

/* Its forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_model_forecast(struct wf_tape *g, const struct wf_model *m,
                                    const struct wf_batch *b);

/* Published weights into ps, committed, where the layers and nothing else were declared; see
 * nn/weights.h. WF_EINVAL when the model has no published names. */
enum wf_status wf_model_load(const struct wf_model_type *type, const void *layers,
                             struct wf_params *ps, const char *path, const char *group,
                             struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
