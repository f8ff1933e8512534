#include "models/agcrn.h"
#include <stdio.h>

void wf_agcrn_cell_init(struct wf_agcrn_cell *l, struct wf_params *ps, const char *name,
                        struct wf_agcrn_sizes s)
{
    char path[WF_NAME_TEXT];
    wf_avwgcn_init(&l->gate, ps, wf_params_path(path, name, "gate"), s.embedding, s.in + s.hidden,
                   2 * s.hidden, s.terms);
    wf_avwgcn_init(&l->update, ps, wf_params_path(path, name, "update"), s.embedding,
                   s.in + s.hidden, s.hidden, s.terms);
}

struct wf_agcrn_nodes wf_agcrn_bind(struct wf_tape *g, const struct wf_agcrn_cell *l,
                                    struct wf_tensor *E, struct wf_tensor *S)
{
    return (struct wf_agcrn_nodes){ .S = S,
                                    .gate = wf_avwgcn_bind(g, &l->gate, E),
                                    .update = wf_avwgcn_bind(g, &l->update, E) };
}

struct wf_tensor *wf_agcrn_step(struct wf_tape *g, const struct wf_agcrn_nodes *l,
                                struct wf_tensor *x, struct wf_tensor *h)
{
    struct wf_tensor *r, *zh, *a;
    x = wf_nodes_first(g, x); /* [N, B, in]; h of the step before is contiguous this way */
    h = wf_nodes_first(g, h);
    a = wf_avwgcn_by_node(g, &l->gate, l->S, wf_concat(g, x, h)); /* [N, B, 2H] */
    zh = wf_gru_reset(g, a, NULL, h, &r);
    a = wf_avwgcn_by_node(g, &l->update, l->S, wf_concat(g, x, zh)); /* [N, B, H] */
    return wf_nodes_first(g, wf_gru_blend(g, a, NULL, r, h));
}

void wf_agcrn_cell_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    char their_path[WF_NAME_TEXT], our_path[WF_NAME_TEXT];
    wf_avwgcn_names(t, wf_params_path(their_path, theirs, "_gate"),
                    wf_params_path(our_path, ours, "gate"));
    wf_avwgcn_names(t, wf_params_path(their_path, theirs, "_update"),
                    wf_params_path(our_path, ours, "update"));
}

/* ---- the model ---- */

struct wf_agcrn_config wf_agcrn_defaults(void)
{
    return (struct wf_agcrn_config){ .hidden = 64, .layers = 2, .embedding = 10, .terms = 2 };
}

void wf_agcrn_init(struct wf_agcrn *m, struct wf_params *ps, struct wf_agcrn_config cfg,
                   const struct wf_task *task)
{
    struct wf_agcrn_sizes s = { task->channels, cfg.hidden, cfg.embedding, cfg.terms };
    *m = (struct wf_agcrn){ .cfg = cfg, .task = *task };
    if (cfg.layers < 1 || cfg.layers > WF_AGCRN_LAYERS) {
        wf_params_refuse(ps, "agcrn: %d layers, want 1 to %d", cfg.layers, WF_AGCRN_LAYERS);
        return;
    }
    m->E = wf_params_add(ps, "embedding", 2, wf_dims(task->nodes, cfg.embedding),
                         (struct wf_init){ .kind = WF_INIT_NORMAL, .gain = 1 });
    for (int l = 0; l < cfg.layers; l++, s.in = cfg.hidden) {
        char name[WF_NAME_TEXT];
        snprintf(name, sizeof name, "cell.%d", l);
        wf_agcrn_cell_init(&m->cell[l], ps, name, s);
    }
    wf_horizon_init(&m->head, ps, cfg.hidden, task);
}

struct stack {
    struct wf_agcrn_nodes cell[WF_AGCRN_LAYERS];
    int layers;
};

/* The states are listed from the top layer down, because the forecast reads state[0]. */
static void step(struct wf_tape *g, const void *cell, const struct wf_supports *S,
                 struct wf_tensor *x, struct wf_tensor **state)
{
    const struct stack *st = cell;
    (void)S;
    for (int l = 0; l < st->layers; l++) {
        struct wf_tensor **h = &state[st->layers - 1 - l];
        x = *h = wf_agcrn_step(g, &st->cell[l], x, *h);
    }
}

struct wf_tensor *wf_agcrn_forward(struct wf_tape *g, const struct wf_agcrn *m,
                                   const struct wf_batch *b)
{
    struct stack st = { .layers = m->cfg.layers };
    struct wf_tensor *S = wf_agcrn_graph(g, m->E);
    for (int l = 0; l < st.layers; l++) st.cell[l] = wf_agcrn_bind(g, &m->cell[l], m->E, S);
    struct wf_recurrent r = { &st, step, st.layers, m->cfg.hidden, &m->head, &m->task };
    return wf_recurrent_forecast(g, &r, b);
}

/* The names in the code of the paper's authors. */
static void names(const void *model, struct wf_renames *t)
{
    const struct wf_agcrn *m = model;
    wf_renames_add(t, NULL, NULL,
                   (struct wf_rename){ .theirs = "node_embeddings", .ours = "embedding" });
    for (int l = 0; l < m->cfg.layers; l++) {
        char theirs[WF_NAME_TEXT], ours[WF_NAME_TEXT];
        snprintf(theirs, sizeof theirs, "encoder.dcrnn_cells.%d.gate", l);
        snprintf(ours, sizeof ours, "cell.%d.gate", l);
        wf_avwgcn_names(t, theirs, ours);
        snprintf(theirs, sizeof theirs, "encoder.dcrnn_cells.%d.update", l);
        snprintf(ours, sizeof ours, "cell.%d.update", l);
        wf_avwgcn_names(t, theirs, ours);
    }
    wf_renames_add(t, "end_conv", "head", (struct wf_rename){ "weight", "weight", .axes = "3120" });
    wf_renames_add(t, "end_conv", "head", (struct wf_rename){ .theirs = "bias", .ours = "bias" });
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(agcrn, hidden, INT, 1, 4096, "units per cell"),
    WF_MODEL_FIELD(agcrn, layers, INT, 1, WF_AGCRN_LAYERS, "cells, one on another"),
    WF_MODEL_FIELD(agcrn, embedding, INT, 1, 1024, "numbers that describe a node"),
    WF_MODEL_FIELD(agcrn, terms, INT, 1, WF_MAXTERM, "Chebyshev terms of the graph convolution"),
    { 0 }
};
WF_MODEL_TYPE(agcrn, "agcrn", "graph and node weights from embeddings (AGCRN, Bai et al. 2020)",
              fields, .graph = WF_NO_GRAPH, .names = names);
