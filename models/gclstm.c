#include "models/gclstm.h"
#include <stdio.h>

void wf_gclstm_cell_init(struct wf_gclstm_cell *l, struct wf_params *ps, const char *name, int in,
                         int hidden, int terms)
{
    char path[WF_NAME_TEXT];
    l->hidden = hidden;
    l->terms = terms;
    wf_linear_init(&l->input, ps, wf_params_path(path, name, "input"), in, 4 * hidden);
    wf_cheb_init(&l->conv, ps, wf_params_path(path, name, "conv"), hidden, 4 * hidden, terms, true);
}

void wf_gclstm_step(struct wf_tape *g, const struct wf_gclstm_cell *l, const struct wf_supports *S,
                    struct wf_tensor *x, struct wf_tensor **h, struct wf_tensor **c)
{
    struct wf_tensor *conv = wf_cheb(g, &l->conv, S, *h, WF_ACT_NONE); /* [B, N, 4H] */
    *h = wf_lstm_update(g, wf_linear(g, &l->input, x), conv, NULL, c);
}

void wf_gclstm_cell_names(const struct wf_gclstm_cell *l, struct wf_renames *t, const char *theirs,
                          const char *ours)
{
    static const char gates[] = "ifco";
    char path[WF_NAME_TEXT], mine[WF_NAME_TEXT], name[WF_NAME_TEXT];
    for (int k = 0; k < 4; k++) {
        int H = l->hidden, first = k * H;
        struct wf_rename r = { .theirs = name, .ours = "input.weight", .first = first };
        snprintf(name, sizeof name, "W_%c", gates[k]);
        wf_renames_add(t, theirs, ours, r);
        snprintf(name, sizeof name, "b_%c", gates[k]);
        r.ours = "input.bias";
        wf_renames_add(t, theirs, ours, r);
        snprintf(name, sizeof name, "conv_%c", gates[k]);
        wf_cheb_names(t, wf_params_path(path, theirs, name), wf_params_path(mine, ours, "conv"),
                      (struct wf_cheb_place){ l->terms, H, 0, first, "bias" });
    }
}

/* ---- the model ---- */

struct wf_gclstm_config wf_gclstm_defaults(void)
{
    return (struct wf_gclstm_config){ .hidden = 64 };
}

void wf_gclstm_init(struct wf_gclstm *m, struct wf_params *ps, struct wf_gclstm_config cfg,
                    const struct wf_task *task)
{
    *m = (struct wf_gclstm){ .cfg = cfg, .task = *task };
    wf_gclstm_cell_init(&m->cell, ps, "cell", task->channels, cfg.hidden, task->terms);
    wf_horizon_init(&m->head, ps, cfg.hidden, task);
}

static void step(struct wf_tape *g, const void *cell, const struct wf_supports *S,
                 struct wf_tensor *x, struct wf_tensor **state)
{
    wf_gclstm_step(g, cell, S, x, &state[0], &state[1]);
}

struct wf_tensor *wf_gclstm_forward(struct wf_tape *g, const struct wf_gclstm *m,
                                    const struct wf_batch *b)
{
    struct wf_recurrent r = { &m->cell, step, 2, m->cfg.hidden, &m->head, &m->task };
    return wf_recurrent_forecast(g, &r, b);
}

/* The names in the examples of PyTorch Geometric Temporal. */
static void names(const void *model, struct wf_renames *t)
{
    const struct wf_gclstm *m = model;
    wf_gclstm_cell_names(&m->cell, t, "recurrent", "cell");
    wf_linear_names(t, "linear", "head");
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(gclstm, hidden, INT, 1, 4096, "units of the cell"), { 0 }
};
WF_MODEL_TYPE(gclstm, "gclstm", "LSTM whose states are convolved (GC-LSTM, Chen et al. 2022)",
              fields, .graph = WF_CHEB, .names = names);
