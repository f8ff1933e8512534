#include "models/gconvgru.h"
#include <stdio.h>

void wf_gconvgru_cell_init(struct wf_gconvgru_cell *l, struct wf_params *ps, const char *name,
                           int in, int hidden, int terms)
{
    char path[WF_NAME_TEXT];
    wf_cheb_pair_init(&l->gates, ps, wf_params_path(path, name, "gates"), in, hidden, 2 * hidden,
                      terms);
    wf_cheb_pair_init(&l->cand, ps, wf_params_path(path, name, "cand"), in, hidden, hidden, terms);
}

struct wf_tensor *wf_gconvgru_step(struct wf_tape *g, const struct wf_gconvgru_cell *l,
                                   const struct wf_supports *S, struct wf_tensor *x,
                                   struct wf_tensor *h)
{
    const struct wf_cheb_pair *r = &l->gates, *c = &l->cand;
    struct wf_dcgru cell = { .gates = { r->conv.weight, wf_add(g, r->conv.bias, r->bias_h) },
                             .cand = { c->conv.weight, wf_add(g, c->conv.bias, c->bias_h) },
                             .hidden = r->hidden };
    return wf_dcgru(g, &cell, S, x, h);
}

void wf_gconvgru_cell_names(const struct wf_gconvgru_cell *l, struct wf_renames *t,
                            const char *theirs, const char *ours)
{
    static const char gate[] = "rzh";
    char x[WF_NAME_TEXT], h[WF_NAME_TEXT], mine[WF_NAME_TEXT], name[WF_NAME_TEXT];
    for (int k = 0; k < 3; k++) {
        snprintf(name, sizeof name, "conv_x_%c", gate[k]);
        wf_params_path(x, theirs, name);
        snprintf(name, sizeof name, "conv_h_%c", gate[k]);
        wf_params_path(h, theirs, name);
        wf_params_path(mine, ours, k < 2 ? "gates" : "cand");
        wf_cheb_pair_names(t, k < 2 ? &l->gates : &l->cand, x, h, mine, k % 2 * l->gates.hidden);
    }
}

/* ---- the model ---- */

struct wf_gconvgru_config wf_gconvgru_defaults(void)
{
    return (struct wf_gconvgru_config){ .hidden = 64 };
}

void wf_gconvgru_init(struct wf_gconvgru *m, struct wf_params *ps, struct wf_gconvgru_config cfg,
                      const struct wf_task *task)
{
    *m = (struct wf_gconvgru){ .cfg = cfg, .task = *task };
    wf_gconvgru_cell_init(&m->cell, ps, "cell", task->channels, cfg.hidden, task->terms);
    wf_horizon_init(&m->head, ps, cfg.hidden, task);
}

static void step(struct wf_tape *g, const void *cell, const struct wf_supports *S,
                 struct wf_tensor *x, struct wf_tensor **state)
{
    state[0] = wf_gconvgru_step(g, cell, S, x, state[0]);
}

struct wf_tensor *wf_gconvgru_forward(struct wf_tape *g, const struct wf_gconvgru *m,
                                      const struct wf_batch *b)
{
    struct wf_recurrent r = { &m->cell, step, 1, m->cfg.hidden, &m->head, &m->task };
    return wf_recurrent_forecast(g, &r, b);
}

/* The names in the examples of PyTorch Geometric Temporal. */
static void names(const void *model, struct wf_renames *t)
{
    const struct wf_gconvgru *m = model;
    wf_gconvgru_cell_names(&m->cell, t, "recurrent", "cell");
    wf_linear_names(t, "linear", "head");
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(gconvgru, hidden, INT, 1, 4096, "units of the cell"), { 0 }
};
WF_MODEL_TYPE(gconvgru, "gconvgru", "GRU of Chebyshev convolutions (Seo et al. 2018)", fields,
              .graph = WF_CHEB, .names = names);
