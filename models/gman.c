#include "models/gman.h"
#include <stdio.h>
#include "models/gman_names.h"

struct wf_gman_config wf_gman_defaults(void)
{
    return (struct wf_gman_config){ .heads = 8, .width = 8, .blocks = 3 };
}

static void block_init(struct wf_gman_block *l, struct wf_params *ps, const char *name,
                       const struct wf_gman_sizes *s)
{
    char path[WF_NAME_TEXT];
    const int D = s->channels, square[3] = { D, D, D };
    struct wf_gman_attention_config a = {
        .in = 2 * D, .channels = D, .heads = s->heads, .scale = s->scale, .momentum = s->momentum
    };
    wf_gman_attention_init(&l->space, ps, wf_params_path(path, name, "space"), a);
    a.steps = true;
    a.causal = s->causal;
    wf_gman_attention_init(&l->time, ps, wf_params_path(path, name, "time"), a);
    wf_gman_fc_init(&l->gate_space, ps, wf_params_path(path, name, "gate.space"), square, true,
                    s->momentum);
    wf_gman_fc_init(&l->gate_time, ps, wf_params_path(path, name, "gate.time"), square, false,
                    s->momentum);
    wf_gman_pair_init(l->out, ps, wf_params_path(path, name, "out"), square, s->momentum);
}

/* x + FC(z HS + (1 - z) HT),  z = sigmoid(FC(HS) + FC(HT)),  HS, HT: attention over nodes, steps */
static struct wf_tensor *block(struct wf_tape *g, const struct wf_gman_block *l,
                               struct wf_tensor *x, struct wf_tensor *STE)
{
    struct wf_tensor *u = wf_concat(g, x, STE);                      /* [B, T, N, 2 D] */
    struct wf_tensor *HS = wf_gman_attention(g, &l->space, u, u, u); /* [B, T, N, D] */
    struct wf_tensor *HT = wf_gman_attention(g, &l->time, u, u, u);  /* [B, T, N, D] */
    struct wf_tensor *z =
        wf_add(g, wf_gman_fc(g, &l->gate_space, HS), wf_gman_fc(g, &l->gate_time, HT));
    return wf_add(g, x, wf_gman_pair(g, l->out, wf_lerp(g, HT, HS, wf_sigmoid(g, z))));
}

void wf_gman_net_init(struct wf_gman_net *l, struct wf_params *ps, const char *name,
                      struct wf_gman_sizes s)
{
    char path[WF_NAME_TEXT], part[WF_NAME_TEXT];
    int D = s.channels;
    *l = (struct wf_gman_net){ .sizes = s };
    if (s.blocks < 1 || s.blocks > WF_GMAN_BLOCKS || s.steps_per_day < 1) {
        wf_params_refuse(ps,
                         "gman: %d blocks, %d steps per day, want 1 to %d blocks and a known day",
                         s.blocks, s.steps_per_day, WF_GMAN_BLOCKS);
        return;
    }
    wf_gman_embedding_init(
        &l->embedding, ps, name,
        (struct wf_gman_embedding_config){ D, s.steps_per_day, s.days, s.momentum });
    wf_gman_pair_init(l->in, ps, wf_params_path(path, name, "in"), (int[]){ s.in, D, D },
                      s.momentum);
    wf_gman_pair_init(l->out, ps, wf_params_path(path, name, "out"), (int[]){ D, D, s.out },
                      s.momentum);
    wf_gman_attention_init(&l->bridge, ps, wf_params_path(path, name, "bridge"),
                           (struct wf_gman_attention_config){ D, D, s.heads, .steps = true,
                                                              .scale = s.scale,
                                                              .momentum = s.momentum });
    for (int i = 0; i < s.blocks; i++) {
        snprintf(part, sizeof part, "past.%d", i);
        block_init(&l->past[i], ps, wf_params_path(path, name, part), &s);
        snprintf(part, sizeof part, "future.%d", i);
        block_init(&l->future[i], ps, wf_params_path(path, name, part), &s);
    }
}

static bool fits(struct wf_tape *g, const struct wf_tensor *x, const struct wf_tensor *STE)
{
    char a[WF_SHAPE_TEXT], b[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return false;
    if (x->ndim == 4 && STE->ndim == 4 && x->shape[0] == STE->shape[0] &&
        x->shape[1] < STE->shape[1] && x->shape[2] == STE->shape[2])
        return true;
    wf_tape_fail(g, WF_EINVAL, "gman: x %s, STE %s: want [B, T, N, C] and [B, T + Q, N, D]",
                 wf_tensor_shape_text(x, a), wf_tensor_shape_text(STE, b));
    return false;
}

struct wf_tensor *wf_gman_net(struct wf_tape *g, const struct wf_gman_net *l, struct wf_tensor *x,
                              struct wf_tensor *STE)
{
    if (!fits(g, x, STE)) return &g->poison;
    int T = x->shape[1], P = STE->shape[1];
    struct wf_tensor *past = wf_slice(g, STE, 1, 0, T), *future = wf_slice(g, STE, 1, T, P);
    struct wf_mark mark = wf_tape_mark(g);
    x = wf_gman_pair(g, l->in, x); /* [B, T, N, D] */
    for (int i = 0; i < l->sizes.blocks; i++) {
        x = block(g, &l->past[i], x, past);
        wf_tape_release(g, mark, &x, 1);
    }
    x = wf_gman_attention(g, &l->bridge, future, past, x); /* [B, Q, N, D] */
    for (int i = 0; i < l->sizes.blocks; i++) {
        wf_tape_release(g, mark, &x, 1);
        x = block(g, &l->future[i], x, future);
    }
    return wf_gman_pair(g, l->out, x); /* [B, Q, N, out] */
}

/* ---- the model ---- */

void wf_gman_init(struct wf_gman *m, struct wf_params *ps, struct wf_gman_config cfg,
                  const struct wf_task *task)
{
    bool clock = task->time_of_day && task->steps_per_day > 0;
    struct wf_gman_sizes s = { .in = task->channels - task->time_of_day - task->day_of_week,
                               .out = task->targets,
                               .channels = cfg.heads * cfg.width,
                               .heads = cfg.heads,
                               .blocks = cfg.blocks,
                               .steps_per_day = clock ? task->steps_per_day : task->T + task->Q,
                               .days = clock && task->day_of_week,
                               .causal = cfg.causal,
                               .momentum = 0.1 };
    *m = (struct wf_gman){ .cfg = cfg, .task = *task, .clock = clock };
    m->places = wf_params_add(ps, "places", 2, wf_dims(task->nodes, s.channels),
                              (struct wf_init){ .kind = WF_INIT_NORMAL, .gain = 1 });
    wf_gman_net_init(&m->net, ps, NULL, s);
}

/* v [B, T] continued for Q steps, each of which adds `by` to the one before: [B, T + Q] */
static struct wf_tensor *onward(struct wf_tape *g, struct wf_tensor *v, int Q, double by)
{
    if (g->error.status != WF_OK) return &g->poison;
    int T = v->shape[1];
    struct wf_tensor *last = wf_slice(g, v, 1, T - 1, T);
    for (int q = 1; q <= Q; q++) v = wf_concat(g, v, wf_affine(g, last, 1, q * by));
    return v;
}

struct wf_tensor *wf_gman_forward(struct wf_tape *g, const struct wf_gman *m,
                                  const struct wf_batch *b)
{
    const struct wf_gman_sizes *s = &m->net.sizes;
    struct wf_mark mark = wf_tape_mark(g);
    struct wf_tensor *x = wf_batch_x(g, b), *day = NULL; /* [B, T, N, C] */
    struct wf_tensor *any = wf_select(g, x, 2, 0);       /* [B, T, C] of any node */
    struct wf_tensor *time =
        m->clock ? wf_select(g, any, 2, s->in) : wf_zeros(g, 2, wf_dims(b->B, 1));
    int steps = m->clock ? m->task.Q : m->task.T + m->task.Q - 1;
    time = onward(g, time, steps, 1.0 / s->steps_per_day); /* [B, T + Q] */
    if (s->days) day = onward(g, wf_select(g, any, 2, s->in + 1), steps, 0);
    struct wf_tensor *STE = wf_gman_embed(g, &m->net.embedding, m->places, time, day);
    x = wf_gman_net(g, &m->net, wf_slice(g, x, -1, 0, s->in), STE);
    wf_tape_release(g, mark, &x, 1);
    return x;
}

/* The names in PyTorch Geometric Temporal. The embedding of the places is an input there, SE. */
static void names(const void *model, struct wf_renames *t)
{
    const struct wf_gman *m = model;
    wf_renames_add(t, NULL, NULL, (struct wf_rename){ .theirs = "SE", .ours = "places" });
    wf_gman_net_names(&m->net, t, NULL, NULL);
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(gman, heads, INT, 1, 256, "heads of an attention"),
    WF_MODEL_FIELD(gman, width, INT, 1, 1024, "channels of a head"),
    WF_MODEL_FIELD(gman, blocks, INT, 1, WF_GMAN_BLOCKS,
                   "blocks of attention for the past, and as many for the future"),
    WF_MODEL_FIELD(gman, causal, BOOL, 0, 1, "no step attends to a later one"),
    { 0 }
};
WF_MODEL_TYPE(gman, "gman", "attention over nodes and over steps (GMAN, Zheng et al. 2020)", fields,
              .graph = WF_NO_GRAPH, .names = names);
