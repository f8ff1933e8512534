#include "models/aagcn.h"
#include <stdio.h>

struct wf_aagcn_config wf_aagcn_defaults(void)
{
    return (
        struct wf_aagcn_config){ .hidden = 64, .blocks = 3, .adaptive = true, .attention = true };
}

void wf_aagcn_init(struct wf_aagcn *m, struct wf_params *ps, struct wf_aagcn_config cfg,
                   const struct wf_task *task)
{
    struct wf_aagcn_sizes s = { .nodes = task->nodes,
                                .in = task->channels,
                                .out = cfg.hidden,
                                .stride = 1,
                                .fixed = !cfg.adaptive,
                                .no_attention = !cfg.attention };
    *m = (struct wf_aagcn){ .cfg = cfg, .task = *task };
    if (cfg.blocks < 1 || cfg.blocks > WF_AAGCN_BLOCKS) {
        wf_params_refuse(ps, "aagcn: %d blocks, want 1 to %d", cfg.blocks, WF_AAGCN_BLOCKS);
        return;
    }
    for (int i = 0; i < cfg.blocks; i++, s.in = cfg.hidden) {
        char name[WF_NAME_TEXT];
        snprintf(name, sizeof name, "block.%d", i);
        wf_aagcn_block_init(&m->block[i], ps, name, s);
    }
    wf_conv_init(&m->last, ps, "last", cfg.hidden, cfg.hidden,
                 (struct wf_conv_config){ .kernel = { task->T } });
    wf_horizon_init(&m->head, ps, cfg.hidden, task);
}

struct wf_tensor *wf_aagcn_forward(struct wf_tape *g, const struct wf_aagcn *m,
                                   const struct wf_batch *b)
{
    struct wf_tensor *x = wf_batch_x(g, b); /* [B, T, N, C] */
    struct wf_mark mark = wf_tape_mark(g);
    for (int i = 0; i < m->cfg.blocks; i++) {
        x = wf_aagcn_block(g, &m->block[i], b->supports, x);
        wf_tape_release(g, mark, &x, 1);
    }
    x = wf_relu(g, wf_conv(g, &m->last, x)); /* [B, 1, N, hidden] */
    return wf_horizon(g, &m->head, &m->task, wf_select(g, x, 1, 0));
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(aagcn, hidden, INT, 4, 4096, "channels of a block, a multiple of 4"),
    WF_MODEL_FIELD(aagcn, blocks, INT, 1, WF_AAGCN_BLOCKS, "blocks of graph and time"),
    WF_MODEL_FIELD(aagcn, adaptive, BOOL, 0, 1, "learn graphs besides the given one"),
    WF_MODEL_FIELD(aagcn, attention, BOOL, 0, 1, "weigh nodes, steps and channels by attention"),
    { 0 }
};
WF_MODEL_TYPE(aagcn, "aagcn", "graphs of every sample's own, attention (AAGCN, Shi et al. 2020)",
              fields, .graph = WF_DUAL_RANDOM_WALK);
