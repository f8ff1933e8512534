#include "models/a3tgcn.h"

void wf_a3tgcn_cell_init(struct wf_a3tgcn_cell *l, struct wf_params *ps, const char *name, int in,
                         int hidden, int periods)
{
    char path[WF_NAME_TEXT];
    *l = (struct wf_a3tgcn_cell){ .periods = periods };
    wf_tgcn_cell_init(&l->tgcn, ps, name, in, hidden);
    l->attention = wf_params_add(ps, wf_params_path(path, name, "attention"), 1, wf_dims(periods),
                                 (struct wf_init){ .kind = WF_INIT_UNIFORM, .gain = 1 });
}

/* The states after every period, each from the same h: [B, T, N, H]. It is one step of the cell on
 * B * T samples. */
static struct wf_tensor *all_at_once(struct wf_tape *g, const struct wf_tgcn_weights *w,
                                     const struct wf_supports *S, struct wf_tensor *x,
                                     struct wf_tensor *h)
{
    int B = x->shape[0], T = x->shape[1], N = x->shape[2], C = x->shape[3], H = h->shape[2];
    h = wf_expand(g, wf_unsqueeze(g, h, 1), 4, wf_dims(B, T, N, H));
    h = wf_tgcn_step(g, w, S, wf_reshape(g, x, 3, wf_dims(B * T, N, C)),
                     wf_reshape(g, h, 3, wf_dims(B * T, N, H)));
    return wf_reshape(g, h, 4, wf_dims(B, T, N, H));
}

/* The layer. With b, every period has the supports of its step of b; without b, all have S. */
static struct wf_tensor *attended(struct wf_tape *g, const struct wf_a3tgcn_cell *l,
                                  const struct wf_supports *S, const struct wf_batch *b,
                                  struct wf_tensor *x, struct wf_tensor *h)
{
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim != 4 || x->shape[1] != l->periods)
        return wf_tape_fail(g, WF_EINVAL, "a3tgcn: x is %s, want [B, %d, N, C]",
                            wf_tensor_shape_text(x, text), l->periods);
    struct wf_tensor *p = wf_softmax(g, l->attention, 0); /* [T] */
    struct wf_tgcn_weights w = wf_tgcn_bind(g, &l->tgcn);
    if (l->restart && !wf_supports_vary(S)) {
        p = wf_reshape(g, p, 3, wf_dims(l->periods, 1, 1));
        return wf_sum(g, wf_mul(g, all_at_once(g, &w, S, x, h), p), 1, false);
    }
    struct wf_tensor *keep[2] = { h, wf_zeros(g, 1, wf_dims(1)) };
    struct wf_mark mark = wf_tape_mark(g);
    for (int t = 0; t < l->periods; t++) {
        const struct wf_supports *St = b ? wf_batch_supports(g, b, t) : S;
        struct wf_tensor *before = l->restart ? h : keep[0];
        keep[0] = wf_tgcn_step(g, &w, St, wf_select(g, x, 1, t), before); /* [B, N, H] */
        keep[1] = wf_add(g, keep[1], wf_mul(g, keep[0], wf_slice(g, p, 0, t, t + 1)));
        wf_tape_release(g, mark, keep, 2);
    }
    return keep[1];
}

struct wf_tensor *wf_a3tgcn(struct wf_tape *g, const struct wf_a3tgcn_cell *l,
                            const struct wf_supports *S, struct wf_tensor *x, struct wf_tensor *h)
{
    return attended(g, l, S, NULL, x, h);
}

void wf_a3tgcn_cell_names(const struct wf_a3tgcn_cell *l, struct wf_renames *t, const char *theirs,
                          const char *ours)
{
    char path[WF_NAME_TEXT];
    wf_tgcn_cell_names(&l->tgcn, t, wf_params_path(path, theirs, "_base_tgcn"), ours);
    wf_renames_add(t, theirs, ours,
                   (struct wf_rename){ .theirs = "_attention", .ours = "attention" });
}

/* ---- the model ---- */

struct wf_a3tgcn_config wf_a3tgcn_defaults(void)
{
    return (struct wf_a3tgcn_config){ .hidden = 64 };
}

void wf_a3tgcn_init(struct wf_a3tgcn *m, struct wf_params *ps, struct wf_a3tgcn_config cfg,
                    const struct wf_task *task)
{
    *m = (struct wf_a3tgcn){ .cfg = cfg, .task = *task };
    wf_a3tgcn_cell_init(&m->cell, ps, "cell", task->channels, cfg.hidden, task->T);
    m->cell.restart = cfg.restart;
    wf_horizon_init(&m->head, ps, cfg.hidden, task);
}

struct wf_tensor *wf_a3tgcn_forward(struct wf_tape *g, const struct wf_a3tgcn *m,
                                    const struct wf_batch *b)
{
    struct wf_tensor *h = wf_zeros(g, 3, wf_dims(b->B, m->task.nodes, m->cfg.hidden));
    h = attended(g, &m->cell, b->supports, b, wf_batch_x(g, b), h); /* [B, N, H] */
    return wf_horizon(g, &m->head, &m->task, h);
}

/* The names in the examples of PyTorch Geometric Temporal. */
static void names(const void *model, struct wf_renames *t)
{
    const struct wf_a3tgcn *m = model;
    wf_a3tgcn_cell_names(&m->cell, t, "tgnn", "cell");
    wf_linear_names(t, "linear", "head");
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(a3tgcn, hidden, INT, 1, 4096, "units of the cell"),
    WF_MODEL_FIELD(a3tgcn, restart, BOOL, 0, 1,
                   "every period starts from zero, as in PyTorch Geometric Temporal"),
    { 0 }
};
WF_MODEL_TYPE(a3tgcn, "a3tgcn", "attention over the states of T-GCN (A3T-GCN, Bai et al. 2021)",
              fields, .graph = WF_GCN, .names = names);
