#include "models/fclstm.h"
#include <math.h>
#include <stdio.h>

void wf_peephole_lstm_init(struct wf_peephole_lstm *l, struct wf_params *ps, const char *name,
                           int in, int hidden)
{
    char path[WF_NAME_TEXT];
    struct wf_init uniform = { .kind = WF_INIT_UNIFORM, .gain = 1 / sqrt(hidden > 0 ? hidden : 1) };
    l->hidden = hidden;
    wf_linear_init(&l->input, ps, wf_params_path(path, name, "input"), in, 4 * hidden);
    wf_linear_init(&l->state, ps, wf_params_path(path, name, "state"), hidden, 4 * hidden);
    l->peephole =
        wf_params_add(ps, wf_params_path(path, name, "peephole"), 2, wf_dims(3, hidden), uniform);
}

void wf_peephole_lstm(struct wf_tape *g, const struct wf_peephole_lstm *l, struct wf_tensor *x,
                      struct wf_tensor **h, struct wf_tensor **c)
{
    *h = wf_lstm_update(g, wf_linear(g, &l->input, x), wf_linear(g, &l->state, *h), l->peephole, c);
}

/* ---- the model ---- */

struct wf_fclstm_config wf_fclstm_defaults(void)
{
    return (struct wf_fclstm_config){ .hidden = 256, .layers = 2, .sampling = true };
}

void wf_fclstm_init(struct wf_fclstm *m, struct wf_params *ps, struct wf_fclstm_config cfg,
                    const struct wf_task *task)
{
    char name[WF_NAME_TEXT];
    int together = cfg.shared ? 1 : task->nodes;
    *m = (struct wf_fclstm){ .cfg = cfg, .task = *task, .together = together };
    if (cfg.layers < 1 || cfg.layers > WF_FCLSTM_LAYERS || task->Q > WF_FCLSTM_HORIZON) {
        wf_params_refuse(ps, "fc-lstm: %d layers, horizon %d: want 1 to %d, at most %d", cfg.layers,
                         task->Q, WF_FCLSTM_LAYERS, WF_FCLSTM_HORIZON);
        return;
    }
    for (int l = 0; l < cfg.layers; l++) {
        int in = l ? cfg.hidden : together * task->channels;
        int out = l ? cfg.hidden : together * task->targets;
        snprintf(name, sizeof name, "encoder.%d", l);
        wf_peephole_lstm_init(&m->encoder[l], ps, name, in, cfg.hidden);
        snprintf(name, sizeof name, "decoder.%d", l);
        wf_peephole_lstm_init(&m->decoder[l], ps, name, out, cfg.hidden);
    }
    wf_linear_init(&m->head, ps, "head", cfg.hidden, together * task->targets);
}

/* One step of a stack for x [B, N, C]. Replaces state[], which lists h of all layers and then c of
 * all layers, each [B, N / together, hidden]. Returns the h of the top layer. */
static struct wf_tensor *step(struct wf_tape *g, const struct wf_fclstm *m,
                              const struct wf_peephole_lstm *cell, struct wf_tensor *x,
                              struct wf_tensor **state)
{
    int L = m->cfg.layers, groups = m->task.nodes / m->together;
    if (g->error.status != WF_OK) return &g->poison;
    x = wf_reshape(g, x, 3, wf_dims(x->shape[0], groups, m->together * x->shape[2]));
    for (int l = 0; l < L; l++) {
        wf_peephole_lstm(g, &cell[l], x, &state[l], &state[L + l]);
        x = state[l];
    }
    return x;
}

struct wf_tensor *wf_fclstm_forward(struct wf_tape *g, const struct wf_fclstm *m,
                                    const struct wf_batch *b)
{
    int N = m->task.nodes, out = m->task.targets, Q = m->task.Q, states = 2 * m->cfg.layers;
    struct wf_tensor *keep[2 * WF_FCLSTM_LAYERS + WF_FCLSTM_HORIZON], **y = keep + states;
    struct wf_tensor *all = wf_batch_x(g, b); /* [B, T, N, C] */
    for (int k = 0; k < states; k++)
        keep[k] = wf_zeros(g, 3, wf_dims(b->B, N / m->together, m->cfg.hidden));
    struct wf_mark mark = wf_tape_mark(g);
    for (int t = 0; t < b->T; t++) {
        step(g, m, m->encoder, wf_select(g, all, 1, t), keep);
        wf_tape_release(g, mark, keep, states);
    }
    struct wf_tensor *x = wf_zeros(g, 3, wf_dims(b->B, N, out)); /* the go symbol */
    for (int q = 0; q < Q; q++) {
        struct wf_tensor *h = step(g, m, m->decoder, x, keep); /* [B, N / together, hidden] */
        y[q] = wf_reshape(g, wf_linear(g, &m->head, h), 3, wf_dims(b->B, N, out));
        wf_tape_release(g, mark, keep, states + q + 1);
        x = m->cfg.sampling ? wf_sampled(g, b, y[q], q) : y[q];
    }
    return wf_stack(g, y, Q, 1); /* [B, Q, N, targets] */
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(fclstm, hidden, INT, 1, 16384, "units per cell"),
    WF_MODEL_FIELD(fclstm, layers, INT, 1, WF_FCLSTM_LAYERS, "cells per stack"),
    WF_MODEL_FIELD(fclstm, shared, BOOL, 0, 1,
                   "read every node on its own, all with the same weights"),
    WF_MODEL_FIELD(fclstm, sampling, BOOL, 0, 1, "scheduled sampling while training"),
    { 0 }
};
WF_MODEL_TYPE(fclstm, "fc-lstm",
              "encoder-decoder of LSTM cells, all nodes at once (FC-LSTM, Sutskever et al. 2014)",
              fields, .graph = WF_NO_GRAPH);
