#include "models/dygrencoder.h"

void wf_dygrencoder_cell_init(struct wf_dygrencoder_cell *l, struct wf_params *ps, const char *name,
                              struct wf_dygrencoder_sizes s)
{
    char path[WF_NAME_TEXT];
    wf_gated_graph_init(&l->conv, ps, wf_params_path(path, name, "conv"), s.layers, s.channels,
                        s.aggr);
    wf_lstm_init(&l->lstm, ps, wf_params_path(path, name, "lstm"), s.channels, s.hidden);
}

/* y = gated graph convolution of x;  h', c' = LSTM(y, h, c), node by node */
void wf_dygrencoder_cell(struct wf_tape *g, const struct wf_dygrencoder_cell *l,
                         const struct wf_supports *S, struct wf_tensor *x, struct wf_tensor **h,
                         struct wf_tensor **c)
{
    if (S->count != 1) {
        wf_tape_fail(g, WF_EINVAL, "dygrencoder: the graph has %d supports, want 1", S->count);
        return;
    }
    struct wf_tensor *y = wf_gated_graph(g, &l->conv, S->pattern[0], S->value[0], x);
    wf_lstm(g, &l->lstm, y, h, c); /* y [.., N, channels] */
}

void wf_dygrencoder_cell_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    char a[WF_NAME_TEXT], b[WF_NAME_TEXT];
    wf_gated_graph_names(t, wf_params_path(a, theirs, "conv_layer"),
                         wf_params_path(b, ours, "conv"));
    wf_lstm_names(t, wf_params_path(a, theirs, "recurrent_layer"), wf_params_path(b, ours, "lstm"),
                  "_l0");
}

/* ---- the model ---- */

struct wf_dygrencoder_config wf_dygrencoder_defaults(void)
{
    return (struct wf_dygrencoder_config){ .channels = 32, .layers = 2, .hidden = 64 };
}

void wf_dygrencoder_init(struct wf_dygrencoder *m, struct wf_params *ps,
                         struct wf_dygrencoder_config cfg, const struct wf_task *task)
{
    struct wf_dygrencoder_sizes sizes = { cfg.channels, cfg.layers, cfg.hidden, cfg.aggr };
    *m = (struct wf_dygrencoder){ .cfg = cfg, .task = *task };
    if (cfg.channels < task->channels) {
        wf_params_refuse(ps, "dygrencoder: %d channels for %d inputs, want at least as many",
                         cfg.channels, task->channels);
        return;
    }
    wf_dygrencoder_cell_init(&m->cell, ps, "cell", sizes);
    wf_horizon_init(&m->head, ps, cfg.hidden, task);
}

static void step(struct wf_tape *g, const void *cell, const struct wf_supports *S,
                 struct wf_tensor *x, struct wf_tensor **state)
{
    wf_dygrencoder_cell(g, cell, S, x, &state[0], &state[1]);
}

struct wf_tensor *wf_dygrencoder_forward(struct wf_tape *g, const struct wf_dygrencoder *m,
                                         const struct wf_batch *b)
{
    struct wf_recurrent r = { &m->cell, step, 2, m->cfg.hidden, &m->head, &m->task };
    return wf_recurrent_forecast(g, &r, b);
}

/* The names in the examples of PyTorch Geometric Temporal. */
static void names(const void *model, struct wf_renames *t)
{
    (void)model;
    wf_dygrencoder_cell_names(t, "recurrent", "cell");
    wf_linear_names(t, "linear", "head");
}

static const char *const aggregations[] = { "mean", "add", "max", NULL };
static const struct wf_field fields[] = {
    WF_FIELD(wf_dygrencoder_config, "channels", INT, channels, 1, 4096, NULL,
             "channels of the graph convolution"),
    WF_FIELD(wf_dygrencoder_config, "layers", INT, layers, 1, 64, NULL,
             "times that messages are passed in a step"),
    WF_FIELD(wf_dygrencoder_config, "hidden", INT, hidden, 1, 4096, NULL, "units of the LSTM"),
    WF_FIELD(wf_dygrencoder_config, "aggr", ENUM, aggr, 0, 0, aggregations,
             "how the messages into a node join"),
    { 0 }
};
WF_MODEL_TYPE(dygrencoder, "dygrencoder",
              "gated graph convolution, then an LSTM (DyGrEncoder, Taheri et al. 2019)", fields,
              .graph = WF_RANDOM_WALK, .names = names);
