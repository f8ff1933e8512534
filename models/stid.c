#include "models/stid.h"
#include <stdio.h>

struct wf_stid_config wf_stid_defaults(void)
{
    return (struct wf_stid_config){ .embedding = 32, .layers = 3, .dropout = 0.15 };
}

void wf_stid_init(struct wf_stid *m, struct wf_params *ps, struct wf_stid_config cfg,
                  const struct wf_task *task)
{
    struct wf_init xavier = { .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1 };
    int d = cfg.embedding;
    *m = (struct wf_stid){ .cfg = cfg, .task = *task };
    if (cfg.layers < 0 || cfg.layers > WF_STID_LAYERS) {
        wf_params_refuse(ps, "stid: %d layers, want at most %d", cfg.layers, WF_STID_LAYERS);
        return;
    }
    wf_linear_init(&m->inputs, ps, "inputs", task->T * task->channels, d);
    m->node = wf_params_add(ps, "node", 2, wf_dims(task->nodes, d), xavier);
    wf_calendar_init(&m->calendar, ps, "calendar", d, xavier, task);
    int width = (2 + m->calendar.tables) * d;
    for (int k = 0; k < cfg.layers; k++) {
        char name[WF_NAME_TEXT];
        snprintf(name, sizeof name, "layer.%d.first", k);
        wf_linear_init(&m->first[k], ps, name, width, width);
        snprintf(name, sizeof name, "layer.%d.second", k);
        wf_linear_init(&m->second[k], ps, name, width, width);
    }
    wf_horizon_init(&m->head, ps, width, task);
}

struct wf_tensor *wf_stid_forward(struct wf_tape *g, const struct wf_stid *m,
                                  const struct wf_batch *b)
{
    int B = b->B, N = b->N, d = m->cfg.embedding, n = 0;
    struct wf_mark mark = wf_tape_mark(g);
    struct wf_tensor *x = wf_batch_x(g, b), *part[2 + WF_CALENDAR_TABLES];
    struct wf_tensor *past = wf_reshape(g, wf_permute(g, x, 0, 2, 1, 3), 3,
                                        wf_dims(B, N, b->T * b->C)); /* [B, N, T * C] */
    part[n++] = wf_linear(g, &m->inputs, past);                      /* [B, N, d] */
    part[n++] = wf_expand(g, m->node, 3, wf_dims(B, N, d));          /* [B, N, d] */
    n += wf_calendar(g, &m->calendar, wf_select(g, x, 1, b->T - 1), part + n);
    struct wf_tensor *z = wf_concat_n(g, part, n, -1); /* [B, N, width] */
    wf_tape_release(g, mark, &z, 1);
    for (int k = 0; k < m->cfg.layers; k++) {
        struct wf_tensor *u = wf_relu(g, wf_linear(g, &m->first[k], z));
        z = wf_add(g, wf_linear(g, &m->second[k], wf_dropout(g, u, m->cfg.dropout)), z);
        wf_tape_release(g, mark, &z, 1);
    }
    return wf_horizon(g, &m->head, &m->task, z);
}

/* The names in the code of the paper's authors. */
static void names(const void *model, struct wf_renames *t)
{
    static const char *const calendar[] = { "time_in_day_emb", "day_in_week_emb" };
    const struct wf_stid *m = model;
    wf_renames_add(t, NULL, NULL, (struct wf_rename){ .theirs = "node_emb", .ours = "node" });
    wf_calendar_names(t, &m->calendar, calendar, "calendar");
    wf_pointwise_names(t, "time_series_emb_layer", "inputs");
    for (int k = 0; k < m->cfg.layers; k++) {
        char theirs[WF_NAME_TEXT], ours[WF_NAME_TEXT];
        for (int half = 0; half < 2; half++) {
            snprintf(theirs, sizeof theirs, "encoder.%d.fc%d", k, half + 1);
            snprintf(ours, sizeof ours, "layer.%d.%s", k, half ? "second" : "first");
            wf_pointwise_names(t, theirs, ours);
        }
    }
    wf_pointwise_names(t, "regression_layer", "head");
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(stid, embedding, INT, 1, 4096,
                   "width of the embeddings of window, node, time of day, day of the week"),
    WF_MODEL_FIELD(stid, layers, INT, 0, WF_STID_LAYERS, "perceptrons with a residual connection"),
    WF_MODEL_FIELD(stid, dropout, DOUBLE, 0, 0.99,
                   "share of hidden values that are dropped in training"),
    { 0 }
};
WF_MODEL_TYPE(stid, "stid", "a perceptron that knows node and time (STID, Shao et al. 2022)",
              fields, .graph = WF_NO_GRAPH, .names = names);
