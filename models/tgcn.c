#include "models/tgcn.h"
#include <stdio.h>

void wf_tgcn_cell_init(struct wf_tgcn_cell *l, struct wf_params *ps, const char *name, int in,
                       int hidden)
{
    char path[WF_NAME_TEXT];
    l->hidden = hidden;
    wf_gcn_init(&l->conv, ps, wf_params_path(path, name, "conv"), in, 3 * hidden, true);
    wf_linear_init(&l->mix, ps, wf_params_path(path, name, "mix"), 2 * hidden, 3 * hidden);
}

/* x [R, 3H] as one matrix per gate, [3, R, H] */
static struct wf_tensor *by_gate(struct wf_tape *g, struct wf_tensor *x)
{
    if (g->error.status != WF_OK) return &g->poison;
    int R = x->shape[0], H = x->shape[1] / 3;
    return wf_permute(g, wf_reshape(g, x, 3, wf_dims(R, 3, H)), 1, 0, 2);
}

/* There is no nonlinearity between the convolution of a gate and the rows A of `mix` that read it,
 * so both can be one layer: (P x W + b) A = (P x) (W A) + b A. Returns W A of all gates side by
 * side, with b A as the last row: [in + 1, 3H]. */
static struct wf_tensor *folded(struct wf_tape *g, const struct wf_tgcn_cell *l)
{
    int H = l->hidden, in = l->conv.weight->shape[0];
    struct wf_tensor *both[] = { l->conv.weight, wf_unsqueeze(g, l->conv.bias, 0) };
    struct wf_tensor *W = by_gate(g, wf_concat_n(g, both, 2, 0));          /* [3, in + 1, H] */
    struct wf_tensor *A = by_gate(g, wf_slice(g, l->mix.weight, 0, 0, H)); /* [3, H, H] */
    struct wf_tensor *WA = wf_permute(g, wf_matmul(g, W, A), 1, 0, 2);     /* [in + 1, 3, H] */
    return wf_reshape(g, WA, 2, wf_dims(in + 1, 3 * H));
}

struct wf_tgcn_weights wf_tgcn_bind(struct wf_tape *g, const struct wf_tgcn_cell *l)
{
    int H = l->hidden, in = l->conv.weight->shape[0];
    struct wf_tensor *M = folded(g, l), *U = wf_slice(g, l->mix.weight, 0, H, 2 * H); /* [H, 3H] */
    return (struct wf_tgcn_weights){ .input = { wf_slice(g, M, 0, 0, in),
                                                wf_add(g, l->mix.bias, wf_select(g, M, 0, in)) },
                                     .gates = wf_slice(g, U, 1, 0, 2 * H),
                                     .cand = wf_slice(g, U, 1, 2 * H, 3 * H) };
}

struct wf_tensor *wf_tgcn_step(struct wf_tape *g, const struct wf_tgcn_weights *l,
                               const struct wf_supports *S, struct wf_tensor *x,
                               struct wf_tensor *h)
{
    struct wf_tensor *a = wf_gcn(g, &l->input, S, x); /* [B, N, 3H] */
    if (g->error.status != WF_OK) return &g->poison;
    int H = a->shape[2] / 3;
    struct wf_tensor *z, *b = wf_matmul(g, h, l->gates);
    struct wf_tensor *rh = wf_gru_reset(g, wf_slice(g, a, -1, 0, 2 * H), b, h, &z);
    return wf_gru_blend(g, wf_slice(g, a, -1, 2 * H, 3 * H), wf_matmul(g, rh, l->cand), z, h);
}

void wf_tgcn_cell_names(const struct wf_tgcn_cell *l, struct wf_renames *t, const char *theirs,
                        const char *ours)
{
    static const char gate[] = "rzh";
    char path[WF_NAME_TEXT], name[WF_NAME_TEXT], mine[WF_NAME_TEXT];
    for (int k = 0; k < 3; k++) {
        int first = k * l->hidden;
        snprintf(name, sizeof name, "conv_%c", gate[k]);
        wf_gcn_names(t, wf_params_path(path, theirs, name), wf_params_path(mine, ours, "conv"),
                     first, true);
        snprintf(name, sizeof name, "linear_%c", gate[k]);
        wf_params_path(path, theirs, name);
        struct wf_rename r = { .theirs = "bias", .ours = "mix.bias", .first = first };
        wf_renames_add(t, path, ours, r);
        r = (struct wf_rename){ "weight", "mix.weight", .axes = "10", .first = first };
        wf_renames_add(t, path, ours, r);
    }
}

/* ---- the model ---- */

struct wf_tgcn_config wf_tgcn_defaults(void)
{
    return (struct wf_tgcn_config){ .hidden = 64 };
}

void wf_tgcn_init(struct wf_tgcn *m, struct wf_params *ps, struct wf_tgcn_config cfg,
                  const struct wf_task *task)
{
    *m = (struct wf_tgcn){ .cfg = cfg, .task = *task };
    wf_tgcn_cell_init(&m->cell, ps, "cell", task->channels, cfg.hidden);
    wf_horizon_init(&m->head, ps, cfg.hidden, task);
}

static void step(struct wf_tape *g, const void *cell, const struct wf_supports *S,
                 struct wf_tensor *x, struct wf_tensor **state)
{
    state[0] = wf_tgcn_step(g, cell, S, x, state[0]);
}

struct wf_tensor *wf_tgcn_forward(struct wf_tape *g, const struct wf_tgcn *m,
                                  const struct wf_batch *b)
{
    struct wf_tgcn_weights w = wf_tgcn_bind(g, &m->cell);
    struct wf_recurrent r = { &w, step, 1, m->cfg.hidden, &m->head, &m->task };
    return wf_recurrent_forecast(g, &r, b);
}

/* The names in the examples of PyTorch Geometric Temporal. */
static void names(const void *model, struct wf_renames *t)
{
    const struct wf_tgcn *m = model;
    wf_tgcn_cell_names(&m->cell, t, "recurrent", "cell");
    wf_linear_names(t, "linear", "head");
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(tgcn, hidden, INT, 1, 4096, "units of the cell"), { 0 }
};
WF_MODEL_TYPE(tgcn, "tgcn", "GRU that sees the graph through its input (T-GCN, Zhao et al. 2020)",
              fields, .graph = WF_GCN, .names = names);
