#include "models/gconvlstm.h"
#include <stdio.h>

void wf_gconvlstm_cell_init(struct wf_gconvlstm_cell *l, struct wf_params *ps, const char *name,
                            int in, int hidden, int terms)
{
    char path[WF_NAME_TEXT];
    struct wf_init zero = { .kind = WF_INIT_CONSTANT };
    struct wf_init glorot = {
        .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1, .fan_in = 1, .fan_out = hidden
    };
    wf_cheb_pair_init(&l->conv, ps, wf_params_path(path, name, "conv"), in, hidden, 4 * hidden,
                      terms);
    l->bias = wf_params_add(ps, wf_params_path(path, name, "bias"), 1, wf_dims(4 * hidden), zero);
    l->peephole =
        wf_params_add(ps, wf_params_path(path, name, "peephole"), 1, wf_dims(3 * hidden), glorot);
}

void wf_gconvlstm_step(struct wf_tape *g, const struct wf_gconvlstm_cell *l,
                       const struct wf_supports *S, struct wf_tensor *x, struct wf_tensor **h,
                       struct wf_tensor **c)
{
    struct wf_cheb_pair conv = l->conv;
    conv.bias_h = wf_add(g, conv.bias_h, l->bias);
    struct wf_tensor *a = wf_cheb_pair(g, &conv, S, x, *h, WF_ACT_NONE); /* [B, N, 4H] */
    struct wf_tensor *p = wf_reshape(g, l->peephole, 2, wf_dims(3, l->conv.hidden));
    *h = wf_lstm_update(g, a, NULL, p, c);
}

void wf_gconvlstm_cell_names(const struct wf_gconvlstm_cell *l, struct wf_renames *t,
                             const char *theirs, const char *ours)
{
    static const char gates[] = "ifco";
    char x[WF_NAME_TEXT], h[WF_NAME_TEXT], mine[WF_NAME_TEXT], name[WF_NAME_TEXT];
    for (int k = 0; k < 4; k++) {
        int first = k * l->conv.hidden;
        struct wf_rename r = { .theirs = name, .ours = "bias", .first = first };
        snprintf(name, sizeof name, "conv_x_%c", gates[k]);
        wf_params_path(x, theirs, name);
        snprintf(name, sizeof name, "conv_h_%c", gates[k]);
        wf_params_path(h, theirs, name);
        wf_cheb_pair_names(t, &l->conv, x, h, wf_params_path(mine, ours, "conv"), first);
        snprintf(name, sizeof name, "b_%c", gates[k]);
        wf_renames_add(t, theirs, ours, r);
        snprintf(name, sizeof name, "w_c_%c", gates[k]);
        if (gates[k] == 'c') continue; /* c has no peephole */
        r.ours = "peephole";
        if (gates[k] == 'o') r.first = 2 * l->conv.hidden;
        wf_renames_add(t, theirs, ours, r);
    }
}

/* ---- the model ---- */

struct wf_gconvlstm_config wf_gconvlstm_defaults(void)
{
    return (struct wf_gconvlstm_config){ .hidden = 64 };
}

void wf_gconvlstm_init(struct wf_gconvlstm *m, struct wf_params *ps, struct wf_gconvlstm_config cfg,
                       const struct wf_task *task)
{
    *m = (struct wf_gconvlstm){ .cfg = cfg, .task = *task };
    wf_gconvlstm_cell_init(&m->cell, ps, "cell", task->channels, cfg.hidden, task->terms);
    wf_horizon_init(&m->head, ps, cfg.hidden, task);
}

static void step(struct wf_tape *g, const void *cell, const struct wf_supports *S,
                 struct wf_tensor *x, struct wf_tensor **state)
{
    wf_gconvlstm_step(g, cell, S, x, &state[0], &state[1]);
}

struct wf_tensor *wf_gconvlstm_forward(struct wf_tape *g, const struct wf_gconvlstm *m,
                                       const struct wf_batch *b)
{
    struct wf_recurrent r = { &m->cell, step, 2, m->cfg.hidden, &m->head, &m->task };
    return wf_recurrent_forecast(g, &r, b);
}

/* The names in the examples of PyTorch Geometric Temporal. */
static void names(const void *model, struct wf_renames *t)
{
    const struct wf_gconvlstm *m = model;
    wf_gconvlstm_cell_names(&m->cell, t, "recurrent", "cell");
    wf_linear_names(t, "linear", "head");
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(gconvlstm, hidden, INT, 1, 4096, "units of the cell"), { 0 }
};
WF_MODEL_TYPE(gconvlstm, "gconvlstm",
              "LSTM of Chebyshev convolutions with peepholes (Seo et al. 2018)", fields,
              .graph = WF_CHEB, .names = names);
