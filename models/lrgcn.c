#include "models/lrgcn.h"

void wf_lrgcn_cell_init(struct wf_lrgcn_cell *l, struct wf_params *ps, const char *name,
                        struct wf_lrgcn_sizes sizes)
{
    char path[WF_NAME_TEXT];
    struct wf_rgcn_config gates = { sizes.in, 4 * sizes.hidden, sizes.relations, sizes.bases, 4 };
    wf_rgcn_init(&l->x, ps, wf_params_path(path, name, "x"), gates);
    gates.in = sizes.hidden;
    wf_rgcn_init(&l->h, ps, wf_params_path(path, name, "h"), gates);
}

void wf_lrgcn_cell(struct wf_tape *g, const struct wf_lrgcn_cell *l, const struct wf_csr *A,
                   struct wf_tensor *weight, struct wf_tensor *x, struct wf_tensor **h,
                   struct wf_tensor **c)
{
    struct wf_tensor *a = wf_rgcn(g, &l->x, A, weight, x), *b = wf_rgcn(g, &l->h, A, weight, *h);
    *h = wf_lstm_update(g, a, b, NULL, c); /* a, b [.., N, 4 hidden] */
}

void wf_lrgcn_cell_names(struct wf_renames *t, const char *theirs, const char *ours,
                         const struct wf_lrgcn_cell *l)
{
    const struct wf_rgcn *conv[] = { &l->x, &l->h };
    for (int k = 0; k < 2; k++)
        for (int gate = 0; gate < 4; gate++) {
            char name[] = "conv_x_i", a[WF_NAME_TEXT], b[WF_NAME_TEXT];
            name[5] = "xh"[k];
            name[7] = "ifco"[gate];
            wf_params_path(a, theirs, name);
            wf_params_path(b, ours, k ? "h" : "x");
            wf_rgcn_names(t, a, b, conv[k], gate);
        }
}

/* ---- the model ---- */

struct wf_lrgcn_config wf_lrgcn_defaults(void)
{
    return (struct wf_lrgcn_config){ .hidden = 64 };
}

void wf_lrgcn_init(struct wf_lrgcn *m, struct wf_params *ps, struct wf_lrgcn_config cfg,
                   const struct wf_task *task)
{
    struct wf_lrgcn_sizes sizes = { task->channels, cfg.hidden, .relations = 1 };
    *m = (struct wf_lrgcn){ .cfg = cfg, .task = *task };
    wf_lrgcn_cell_init(&m->cell, ps, "cell", sizes);
    wf_horizon_init(&m->head, ps, cfg.hidden, task);
}

static void step(struct wf_tape *g, const void *cell, const struct wf_supports *S,
                 struct wf_tensor *x, struct wf_tensor **state)
{
    if (S->count == 1)
        wf_lrgcn_cell(g, cell, S->pattern[0], S->value[0], x, &state[0], &state[1]);
    else
        wf_tape_fail(g, WF_EINVAL, "lrgcn: the graph has %d supports, want 1", S->count);
}

struct wf_tensor *wf_lrgcn_forward(struct wf_tape *g, const struct wf_lrgcn *m,
                                   const struct wf_batch *b)
{
    struct wf_recurrent r = { &m->cell, step, 2, m->cfg.hidden, &m->head, &m->task };
    return wf_recurrent_forecast(g, &r, b);
}

/* The names in the examples of PyTorch Geometric Temporal. */
static void names(const void *model, struct wf_renames *t)
{
    const struct wf_lrgcn *m = model;
    wf_lrgcn_cell_names(t, "recurrent", "cell", &m->cell);
    wf_linear_names(t, "linear", "head");
}

static const struct wf_field fields[] = {
    WF_FIELD(wf_lrgcn_config, "hidden", INT, hidden, 1, 4096, NULL, "units of the cell"), { 0 }
};
WF_MODEL_TYPE(lrgcn, "lrgcn", "LSTM of relational graph convolutions (LRGCN, Li et al. 2019)",
              fields, .graph = WF_RANDOM_WALK, .names = names);
