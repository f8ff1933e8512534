#include "models/dcrnn.h"
#include <stdio.h>
#include "models/dcrnn_names.h"

struct wf_dcrnn_config wf_dcrnn_defaults(void)
{
    return (struct wf_dcrnn_config){ .hidden = 64, .layers = 2, .sampling = true };
}

void wf_dcrnn_init(struct wf_dcrnn *m, struct wf_params *ps, struct wf_dcrnn_config cfg,
                   const struct wf_task *task)
{
    char name[WF_NAME_TEXT];
    *m = (struct wf_dcrnn){ .cfg = cfg, .task = *task };
    if (cfg.layers < 1 || cfg.layers > WF_DCRNN_LAYERS || task->Q > WF_DCRNN_HORIZON) {
        wf_params_refuse(ps, "dcrnn: %d layers, horizon %d: want 1 to %d, at most %d", cfg.layers,
                         task->Q, WF_DCRNN_LAYERS, WF_DCRNN_HORIZON);
        return;
    }
    for (int l = 0; l < cfg.layers; l++) {
        int in = l ? cfg.hidden : task->channels, out = l ? cfg.hidden : task->targets;
        snprintf(name, sizeof name, "encoder.%d", l);
        wf_dcgru_init(&m->encoder[l], ps, name, in, cfg.hidden, task->terms);
        snprintf(name, sizeof name, "decoder.%d", l);
        wf_dcgru_init(&m->decoder[l], ps, name, out, cfg.hidden, task->terms);
    }
    wf_linear_init(&m->head, ps, "head", cfg.hidden, task->targets);
}

/* One step of a stack: replaces the states h[l] [B, N, H] and returns the state of the top cell. */
static struct wf_tensor *stack_step(struct wf_tape *g, const struct wf_dcgru *cell, int layers,
                                    const struct wf_supports *S, struct wf_tensor *x,
                                    struct wf_tensor **h)
{
    for (int l = 0; l < layers; l++) x = h[l] = wf_dcgru(g, &cell[l], S, x, h[l]);
    return x;
}

struct wf_tensor *wf_dcrnn_forward(struct wf_tape *g, const struct wf_dcrnn *m,
                                   const struct wf_batch *b)
{
    int N = m->task.nodes, L = m->cfg.layers, Q = m->task.Q;
    struct wf_tensor *keep[WF_DCRNN_LAYERS + WF_DCRNN_HORIZON], **h = keep, **y = keep + L;
    for (int l = 0; l < L; l++) h[l] = wf_zeros(g, 3, wf_dims(b->B, N, m->cfg.hidden));
    struct wf_tensor *all = wf_batch_x(g, b); /* [B, T, N, C] */
    struct wf_mark mark = wf_tape_mark(g);
    for (int t = 0; t < b->T; t++) {
        struct wf_tensor *x = wf_select(g, all, 1, t); /* [B, N, C] */
        stack_step(g, m->encoder, L, wf_batch_supports(g, b, t), x, h);
        wf_tape_release(g, mark, keep, L);
    }
    struct wf_tensor *x = wf_zeros(g, 3, wf_dims(b->B, N, m->task.targets)); /* the go symbol */
    for (int q = 0; q < Q; q++) {
        y[q] = wf_linear(g, &m->head, stack_step(g, m->decoder, L, b->supports, x, h));
        wf_tape_release(g, mark, keep, L + q + 1);
        x = m->cfg.sampling ? wf_sampled(g, b, y[q], q) : y[q];
    }
    return wf_stack(g, y, Q, 1); /* [B, Q, N, targets] */
}

static const struct wf_field dcrnn_fields[] = {
    WF_MODEL_FIELD(dcrnn, hidden, INT, 1, 4096, "units per cell"),
    WF_MODEL_FIELD(dcrnn, layers, INT, 1, WF_DCRNN_LAYERS, "cells per stack"),
    WF_MODEL_FIELD(dcrnn, sampling, BOOL, 0, 1, "scheduled sampling while training"),
    { 0 }
};
static void dcrnn_names(const void *m, struct wf_renames *t)
{
    wf_dcrnn_names(m, t);
}
WF_MODEL_TYPE(dcrnn, "dcrnn",
              "encoder-decoder of diffusion convolutional GRU cells (Li et al. 2018)", dcrnn_fields,
              .names = dcrnn_names);

/* ---- one cell, as PyTorch Geometric Temporal trains it ---- */

struct wf_dcrnn_pgt_config wf_dcrnn_pgt_defaults(void)
{
    return (struct wf_dcrnn_pgt_config){ .hidden = 0 };
}

void wf_dcrnn_pgt_init(struct wf_dcrnn_pgt *m, struct wf_params *ps, struct wf_dcrnn_pgt_config cfg,
                       const struct wf_task *task)
{
    int hidden = cfg.hidden ? cfg.hidden : task->channels;
    *m = (struct wf_dcrnn_pgt){ .cfg = cfg, .task = *task };
    if (task->T != task->Q || task->Q > WF_DCRNN_HORIZON)
        wf_params_refuse(
            ps,
            "dcrnn-pgt: every input step gives one forecast step, so T must equal Q <= %d; "
            "T is %d, Q is %d",
            WF_DCRNN_HORIZON, task->T, task->Q);
    if (!cfg.hidden && task->targets > task->channels)
        wf_params_refuse(ps, "dcrnn-pgt: %d targets in a state of %d input channels", task->targets,
                         task->channels);
    wf_dcgru_init(&m->cell, ps, "cell", task->channels, hidden, task->terms);
    if (cfg.hidden) wf_linear_init(&m->head, ps, "head", hidden, task->targets);
}

struct wf_tensor *wf_dcrnn_pgt_forward(struct wf_tape *g, const struct wf_dcrnn_pgt *m,
                                       const struct wf_batch *b)
{
    struct wf_tensor *keep[1 + WF_DCRNN_HORIZON], **h = keep, **y = keep + 1;
    *h = wf_zeros(g, 3, wf_dims(b->B, m->task.nodes, m->cell.hidden));
    struct wf_tensor *all = wf_batch_x(g, b); /* [B, T, N, C] */
    struct wf_mark mark = wf_tape_mark(g);
    for (int t = 0; t < b->T; t++) {
        struct wf_tensor *x = wf_select(g, all, 1, t);                 /* [B, N, C] */
        *h = wf_dcgru(g, &m->cell, wf_batch_supports(g, b, t), x, *h); /* [B, N, H] */
        y[t] = m->cfg.hidden ? wf_linear(g, &m->head, wf_relu(g, *h))
                             : wf_slice(g, *h, -1, 0, m->task.targets);
        wf_tape_release(g, mark, keep, t + 2);
    }
    return wf_stack(g, y, b->T, 1); /* [B, Q, N, targets] */
}

/* The names in PyTorch Geometric Temporal: those of the cell alone, or with `hidden` those of its
 * examples, where the cell is `recurrent` and the linear layer `linear`. */
static void dcrnn_pgt_names(const void *model, struct wf_renames *t)
{
    static const char gate[] = "rzh";
    const struct wf_dcrnn_pgt *m = model;
    char cell[WF_NAME_TEXT], theirs[WF_NAME_TEXT];
    for (int k = 0; k < 3; k++) {
        const char *ours = k < 2 ? "cell.gates" : "cell.cand";
        snprintf(cell, sizeof cell, "conv_x_%c", gate[k]);
        wf_params_path(theirs, m->cfg.hidden ? "recurrent" : NULL, cell);
        struct wf_rename r = { "weight", "weight", .first = k % 2 * m->cell.hidden };
        r.dual = m->task.hops + 1;
        wf_renames_add(t, theirs, ours, r);
        r = (struct wf_rename){ "bias", "bias", .first = k % 2 * m->cell.hidden };
        wf_renames_add(t, theirs, ours, r);
    }
    if (m->cfg.hidden) wf_linear_names(t, "linear", "head");
}

static const struct wf_field dcrnn_pgt_fields[] = {
    WF_MODEL_FIELD(dcrnn_pgt, hidden, INT, 0, 4096,
                   "units; 0: as many as input channels, the state itself is the forecast"),
    { 0 }
};
WF_MODEL_TYPE(dcrnn_pgt, "dcrnn-pgt",
              "one DCGRU cell whose states are the forecast (Rozemberczki et al. 2021)",
              dcrnn_pgt_fields, .names = dcrnn_pgt_names);
