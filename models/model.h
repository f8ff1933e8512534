/* model.h - what the programs know of a model: its name, its options, how to declare its
 * parameters, and forward().
 *
 * models.def lists the models, one line each. The structs and functions of a model are public in
 * the header of its own; code that builds one certain model needs only struct wf_task of this file.
 * wf_model_free() frees what wf_model_new() allocates; parameters belong to struct wf_params. */
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

/* What the data decide about a model. The input channels are first the measured ones, of which the
 * first `targets` are forecast, then the time of day in [0, 1), then the day of the week divided by
 * 7, Monday being 0. */
struct wf_task {
    int nodes, channels, targets;  /* N, input channels, channels to forecast */
    int T, Q;                      /* input steps, horizon */
    int terms;                     /* terms of all supports, the input itself included */
    int steps_per_day;             /* 0: unknown */
    int hops;                      /* terms per support beside the input itself */
    bool time_of_day, day_of_week; /* which features of time are the last input channels */
};

/* A model, so that a program can choose it by name. WF_MODEL_TYPE below defines one. */
struct wf_model_type {
    const char *name;              /* as in --model, such as "dcrnn" */
    const char *about;             /* one line for the list of models */
    size_t size, config_size;      /* bytes of the layers and of the configuration */
    const struct wf_field *fields; /* the options, which are members of the configuration */
    void (*defaults)(void *cfg);
    void (*init)(void *m, struct wf_params *ps, const void *cfg, const struct wf_task *task);
    /* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. b must be bound to a graph
     * (nn/batch.h). */
    struct wf_tensor *(*forward)(struct wf_tape *g, const void *m, const struct wf_batch *b);
    /* Adds the names of the published implementation to t; NULL where there are none. */
    void (*names)(const void *m, struct wf_renames *t);
    enum wf_support_kind graph; /* the supports that the model is made for */
    /* For WF_CHEB, which Laplacian. Unless it is the symmetric one, lambda_max is computed. */
    enum wf_laplacian laplacian;
};
/* How to make the supports that the model is made for. The caller sets hops and compat. */
struct wf_graph_config wf_model_graph(const struct wf_model_type *type);

#define M(name) extern const struct wf_model_type wf_##name##_type;
#include "models/models.def"
#undef M

/* A row of a model's table of options, for a member of struct wf_NAME_config that has the name of
 * its option. kind is INT, DOUBLE or BOOL; `text` is what --help says. */
#define WF_MODEL_FIELD(NAME, member, kind, low, high, text)                                        \
    {                                                                                              \
        .name = #member, .type = WF_FIELD_##kind,                                                  \
        .offset = offsetof(struct wf_##NAME##_config, member), .min = low, .max = high,            \
        .help = text                                                                               \
    }

/* Defines wf_NAME_type from the functions wf_NAME_defaults, wf_NAME_init and wf_NAME_forward and
 * the structs wf_NAME and wf_NAME_config. Other members of the type may follow, as .names =
 * my_names. */
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

/* The type with this name, or NULL; and the list of all types, which ends with NULL. */
const struct wf_model_type *wf_model_find(const char *name);
const struct wf_model_type *const *wf_model_types(void);

/* A model of a type known at run time: its configuration and its layers. */
struct wf_model {
    const struct wf_model_type *type;
    void *cfg, *layers;
    bool residual; /* the layers make the change from the last input; wf_model_forecast() adds it */
};
/* Allocates the configuration, filled with defaults, and the layers. Call type->init once the
 * configuration is final. Free with wf_model_free. */
enum wf_status wf_model_new(struct wf_model *m, const struct wf_model_type *type,
                            struct wf_error *err);
void wf_model_free(struct wf_model *m);

/* The model's forecast [B, Q, N, targets] for the batch b, standardised. */
struct wf_tensor *wf_model_forecast(struct wf_tape *g, const struct wf_model *m,
                                    const struct wf_batch *b);

/* Loads published weights into ps, which must be committed and hold the parameters of the layers
 * and no others; nn/weights.h has the rules. WF_EINVAL when the model has no published names. */
enum wf_status wf_model_load(const struct wf_model_type *type, const void *layers,
                             struct wf_params *ps, const char *path, const char *group,
                             struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
