#include "models/stgcn.h"
#include <stdio.h>

void wf_temporal_conv_init(struct wf_temporal_conv *l, struct wf_params *ps, const char *name,
                           int in, int out, int kernel)
{
    l->out = out;
    wf_conv_init(&l->conv, ps, name, in, 3 * out, (struct wf_conv_config){ .kernel = { kernel } });
}

struct wf_tensor *wf_temporal_conv(struct wf_tape *g, const struct wf_temporal_conv *l,
                                   struct wf_tensor *x)
{
    int O = l->out;
    struct wf_tensor *u = wf_conv(g, &l->conv, x); /* [B, T - k + 1, N, 3 O] */
    struct wf_tensor *P = wf_slice(g, u, -1, 0, O), *R = wf_slice(g, u, -1, 2 * O, 3 * O);
    struct wf_tensor *gate = wf_sigmoid(g, wf_slice(g, u, -1, O, 2 * O));
    return wf_relu(g, wf_add(g, wf_mul(g, P, gate), R));
}

void wf_temporal_conv_names(const struct wf_temporal_conv *l, struct wf_renames *t,
                            const char *theirs, const char *ours)
{
    for (int k = 0; k < 3; k++) {
        char name[WF_NAME_TEXT], path[WF_NAME_TEXT];
        snprintf(name, sizeof name, "conv_%d", k + 1);
        wf_params_path(path, theirs, name);
        struct wf_rename r = { "weight", "weight", .axes = "3210", .first = k * l->out };
        wf_renames_add(t, path, ours, r);
        r = (struct wf_rename){ "bias", "bias", .first = k * l->out };
        wf_renames_add(t, path, ours, r);
    }
}

void wf_st_conv_init(struct wf_st_conv *l, struct wf_params *ps, const char *name,
                     struct wf_st_sizes s)
{
    char path[WF_NAME_TEXT];
    l->sizes = s;
    wf_temporal_conv_init(&l->before, ps, wf_params_path(path, name, "temporal1"), s.in, s.hidden,
                          s.kernel);
    wf_cheb_init(&l->graph, ps, wf_params_path(path, name, "graph"), s.hidden, s.hidden, s.terms,
                 true);
    wf_temporal_conv_init(&l->after, ps, wf_params_path(path, name, "temporal2"), s.hidden, s.out,
                          s.kernel);
    wf_batch_norm_init(&l->norm, ps, wf_params_path(path, name, "norm"), s.nodes, 0.1);
}

struct wf_tensor *wf_st_conv(struct wf_tape *g, const struct wf_st_conv *l,
                             const struct wf_supports *S, struct wf_tensor *x)
{
    x = wf_temporal_conv(g, &l->before, x);       /* [B, T - k + 1, N, hidden] */
    x = wf_cheb(g, &l->graph, S, x, WF_ACT_RELU); /* [B, T - k + 1, N, hidden] */
    x = wf_temporal_conv(g, &l->after, x);        /* [B, T - 2 (k - 1), N, out] */
    return wf_batch_norm(g, &l->norm, x, 2);
}

void wf_st_conv_names(const struct wf_st_conv *l, struct wf_renames *t, const char *theirs,
                      const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    struct wf_cheb_place place = { l->sizes.terms, l->sizes.hidden, 0, 0, "bias" };
    wf_temporal_conv_names(&l->before, t, wf_params_path(from, theirs, "_temporal_conv1"),
                           wf_params_path(to, ours, "temporal1"));
    wf_cheb_names(t, wf_params_path(from, theirs, "_graph_conv"), wf_params_path(to, ours, "graph"),
                  place);
    wf_temporal_conv_names(&l->after, t, wf_params_path(from, theirs, "_temporal_conv2"),
                           wf_params_path(to, ours, "temporal2"));
    wf_batch_norm_names(t, wf_params_path(from, theirs, "_batch_norm"),
                        wf_params_path(to, ours, "norm"));
}

/* ---- the model ---- */

struct wf_stgcn_config wf_stgcn_defaults(void)
{
    return (struct wf_stgcn_config){ .channels = 64, .hidden = 16, .kernel = 3, .blocks = 2 };
}

void wf_stgcn_init(struct wf_stgcn *m, struct wf_params *ps, struct wf_stgcn_config cfg,
                   const struct wf_task *task)
{
    int left = task->T - 2 * cfg.blocks * (cfg.kernel - 1);
    struct wf_st_sizes s = { task->nodes,  task->channels, cfg.hidden,
                             cfg.channels, cfg.kernel,     task->terms };
    *m = (struct wf_stgcn){ .cfg = cfg, .task = *task };
    if (cfg.blocks < 1 || cfg.blocks > WF_STGCN_BLOCKS || left < 1) {
        wf_params_refuse(
            ps, "stgcn: %d blocks of kernel %d want 1 to %d blocks and %d steps, there are %d",
            cfg.blocks, cfg.kernel, WF_STGCN_BLOCKS, task->T - left + 1, task->T);
        return;
    }
    for (int i = 0; i < cfg.blocks; i++, s.in = cfg.channels) {
        char name[WF_NAME_TEXT];
        snprintf(name, sizeof name, "block.%d", i);
        wf_st_conv_init(&m->block[i], ps, name, s);
    }
    wf_temporal_conv_init(&m->last, ps, "last", cfg.channels, cfg.channels, left);
    wf_horizon_init(&m->head, ps, cfg.channels, task);
}

struct wf_tensor *wf_stgcn_forward(struct wf_tape *g, const struct wf_stgcn *m,
                                   const struct wf_batch *b)
{
    struct wf_tensor *x = wf_batch_x(g, b); /* [B, T, N, C] */
    struct wf_mark mark = wf_tape_mark(g);
    for (int i = 0; i < m->cfg.blocks; i++) {
        x = wf_st_conv(g, &m->block[i], b->supports, x);
        wf_tape_release(g, mark, &x, 1);
    }
    x = wf_temporal_conv(g, &m->last, x); /* [B, 1, N, channels] */
    wf_tape_release(g, mark, &x, 1);
    return wf_horizon(g, &m->head, &m->task, wf_select(g, x, 1, 0));
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(stgcn, channels, INT, 1, 4096, "channels of the convolutions over time"),
    WF_MODEL_FIELD(stgcn, hidden, INT, 1, 4096, "channels of the convolutions over the graph"),
    WF_MODEL_FIELD(stgcn, kernel, INT, 1, 64, "steps that a convolution over time sees"),
    WF_MODEL_FIELD(stgcn, blocks, INT, 1, WF_STGCN_BLOCKS, "blocks of time, graph, time"),
    { 0 }
};
WF_MODEL_TYPE(stgcn, "stgcn", "gated convolutions over time and the graph (STGCN, Yu et al. 2018)",
              fields, .graph = WF_CHEB);
