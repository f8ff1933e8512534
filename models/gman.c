#include "models/gman.h"
#include <math.h>
#include <stdio.h>

enum { WEEK = 7 };

/* ---- FC ---- */

static void fc_init(struct wf_gman_fc *l, struct wf_params *ps, const char *name,
                    const int sizes[2], bool no_bias, double momentum)
{
    char path[WF_NAME_TEXT];
    wf_conv_init(&l->map, ps, name, sizes[0], sizes[1],
                 (struct wf_conv_config){ .no_bias = no_bias });
    wf_batch_norm_init(&l->norm, ps, wf_params_path(path, name, "norm"), sizes[1], momentum);
}

static struct wf_tensor *fc(struct wf_tape *g, const struct wf_gman_fc *l, struct wf_tensor *x)
{
    return wf_batch_norm(g, &l->norm, wf_linear_op(g, x, l->map.weight, l->map.bias), -1);
}

static void fc_names(const struct wf_gman_fc *l, struct wf_renames *t, const char *theirs,
                     const char *ours, int stage)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT], part[WF_NAME_TEXT];
    snprintf(part, sizeof part, "_conv2ds.%d._conv2d", stage);
    wf_conv_names(t, wf_params_path(from, theirs, part), ours, &l->map, "2310");
    snprintf(part, sizeof part, "_conv2ds.%d._batch_norm", stage);
    wf_batch_norm_names(t, wf_params_path(from, theirs, part), wf_params_path(to, ours, "norm"));
}

/* Two layers, with relu between: in -> D -> out */
static void pair_init(struct wf_gman_fc l[2], struct wf_params *ps, const char *name,
                      const int sizes[3], double momentum)
{
    for (int i = 0; i < 2; i++) {
        char path[WF_NAME_TEXT];
        wf_params_path(path, name, i ? "1" : "0");
        fc_init(&l[i], ps, path, &sizes[i], false, momentum);
    }
}

static struct wf_tensor *pair(struct wf_tape *g, const struct wf_gman_fc l[2], struct wf_tensor *x)
{
    return fc(g, &l[1], wf_relu(g, fc(g, &l[0], x)));
}

static void pair_names(const struct wf_gman_fc l[2], struct wf_renames *t, const char *theirs,
                       const char *ours)
{
    for (int i = 0; i < 2; i++) {
        char path[WF_NAME_TEXT];
        fc_names(&l[i], t, theirs, wf_params_path(path, ours, i ? "1" : "0"), i);
    }
}

/* ---- attention ---- */

void wf_gman_attention_init(struct wf_gman_attention *l, struct wf_params *ps, const char *name,
                            int in, bool steps, const struct wf_gman_sizes *s)
{
    char path[WF_NAME_TEXT];
    int D = s->channels;
    *l = (struct wf_gman_attention){
        .heads = s->heads, .scale = s->scale, .steps = steps, .causal = steps && s->causal
    };
    if (s->heads < 1 || D % s->heads) {
        wf_params_refuse(ps, "gman: %d heads of %d channels", s->heads, D);
        return;
    }
    if (l->scale == 0) l->scale = 1 / sqrt((double)(D / s->heads));
    fc_init(&l->q, ps, wf_params_path(path, name, "q"), (int[]){ in, D }, false, s->momentum);
    fc_init(&l->k, ps, wf_params_path(path, name, "k"), (int[]){ in, D }, false, s->momentum);
    fc_init(&l->v, ps, wf_params_path(path, name, "v"), (int[]){ in, D }, false, s->momentum);
    fc_init(&l->out, ps, wf_params_path(path, name, "out"), (int[]){ D, D }, false, s->momentum);
}

/* relu(FC(x)) with the axis to attend over last but one */
static struct wf_tensor *project(struct wf_tape *g, const struct wf_gman_fc *l, struct wf_tensor *x,
                                 bool steps)
{
    x = wf_relu(g, fc(g, l, x)); /* [B, T, N, D] */
    return steps ? wf_permute(g, x, 0, 2, 1, 3) : x;
}

struct wf_tensor *wf_gman_attention(struct wf_tape *g, const struct wf_gman_attention *l,
                                    struct wf_tensor *q, struct wf_tensor *k, struct wf_tensor *v)
{
    struct wf_tensor *mask = NULL;
    q = project(g, &l->q, q, l->steps);
    k = project(g, &l->k, k, l->steps);
    v = project(g, &l->v, v, l->steps);
    if (g->error.status != WF_OK) return &g->poison;
    if (l->causal) mask = wf_causal_mask(g, q->shape[2]); /* [T, T] */
    struct wf_tensor *y = wf_attention(g, q, k, v, mask, l->heads, l->scale);
    if (l->steps) y = wf_permute(g, y, 0, 2, 1, 3);
    return wf_relu(g, fc(g, &l->out, y));
}

void wf_gman_attention_names(const struct wf_gman_attention *l, struct wf_renames *t,
                             const char *theirs, const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    fc_names(&l->q, t, wf_params_path(from, theirs, "_fully_connected_q"),
             wf_params_path(to, ours, "q"), 0);
    fc_names(&l->k, t, wf_params_path(from, theirs, "_fully_connected_k"),
             wf_params_path(to, ours, "k"), 0);
    fc_names(&l->v, t, wf_params_path(from, theirs, "_fully_connected_v"),
             wf_params_path(to, ours, "v"), 0);
    fc_names(&l->out, t, wf_params_path(from, theirs, "_fully_connected"),
             wf_params_path(to, ours, "out"), 0);
}

/* ---- the block ---- */

static void block_init(struct wf_gman_block *l, struct wf_params *ps, const char *name,
                       const struct wf_gman_sizes *s)
{
    char path[WF_NAME_TEXT];
    const int D = s->channels, square[3] = { D, D, D };
    wf_gman_attention_init(&l->space, ps, wf_params_path(path, name, "space"), 2 * D, false, s);
    wf_gman_attention_init(&l->time, ps, wf_params_path(path, name, "time"), 2 * D, true, s);
    fc_init(&l->gate_space, ps, wf_params_path(path, name, "gate.space"), square, true,
            s->momentum);
    fc_init(&l->gate_time, ps, wf_params_path(path, name, "gate.time"), square, false, s->momentum);
    pair_init(l->out, ps, wf_params_path(path, name, "out"), square, s->momentum);
}

static struct wf_tensor *block(struct wf_tape *g, const struct wf_gman_block *l,
                               struct wf_tensor *x, struct wf_tensor *STE)
{
    struct wf_tensor *u = wf_concat(g, x, STE);                      /* [B, T, N, 2 D] */
    struct wf_tensor *HS = wf_gman_attention(g, &l->space, u, u, u); /* [B, T, N, D] */
    struct wf_tensor *HT = wf_gman_attention(g, &l->time, u, u, u);  /* [B, T, N, D] */
    struct wf_tensor *z = wf_add(g, fc(g, &l->gate_space, HS), fc(g, &l->gate_time, HT));
    return wf_add(g, x, pair(g, l->out, wf_lerp(g, HT, HS, wf_sigmoid(g, z))));
}

static void block_names(const struct wf_gman_block *l, struct wf_renames *t, const char *theirs,
                        const char *ours)
{
    char fusion[WF_NAME_TEXT], from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    wf_params_path(fusion, theirs, "_gated_fusion");
    wf_gman_attention_names(&l->space, t, wf_params_path(from, theirs, "_spatial_attention"),
                            wf_params_path(to, ours, "space"));
    wf_gman_attention_names(&l->time, t, wf_params_path(from, theirs, "_temporal_attention"),
                            wf_params_path(to, ours, "time"));
    fc_names(&l->gate_space, t, wf_params_path(from, fusion, "_fully_connected_xs"),
             wf_params_path(to, ours, "gate.space"), 0);
    fc_names(&l->gate_time, t, wf_params_path(from, fusion, "_fully_connected_xt"),
             wf_params_path(to, ours, "gate.time"), 0);
    pair_names(l->out, t, wf_params_path(from, fusion, "_fully_connected_h"),
               wf_params_path(to, ours, "out"));
}

/* ---- the net ---- */

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
    pair_init(l->place, ps, wf_params_path(path, name, "place"), (int[]){ D, D, D }, s.momentum);
    pair_init(l->moment, ps, wf_params_path(path, name, "moment"),
              (int[]){ (s.days ? WEEK : 0) + s.steps_per_day, D, D }, s.momentum);
    pair_init(l->in, ps, wf_params_path(path, name, "in"), (int[]){ s.in, D, D }, s.momentum);
    pair_init(l->out, ps, wf_params_path(path, name, "out"), (int[]){ D, D, s.out }, s.momentum);
    wf_gman_attention_init(
        &l->bridge, ps, wf_params_path(path, name, "bridge"), D, true,
        &(struct wf_gman_sizes){
            .channels = D, .heads = s.heads, .scale = s.scale, .momentum = s.momentum });
    for (int i = 0; i < s.blocks; i++) {
        snprintf(part, sizeof part, "past.%d", i);
        block_init(&l->past[i], ps, wf_params_path(path, name, part), &s);
        snprintf(part, sizeof part, "future.%d", i);
        block_init(&l->future[i], ps, wf_params_path(path, name, part), &s);
    }
}

/* Rows floor(x * n) mod n of w [n, D]: the product with one-hot vectors. x [B, P] < last. */
static struct wf_tensor *one_hot(struct wf_tape *g, struct wf_tensor *w, struct wf_tensor *x,
                                 int last)
{
    enum { MOST = 16 };
    struct wf_tensor *again[MOST];
    if (g->error.status != WF_OK) return &g->poison;
    if (last > MOST) return wf_tape_fail(g, WF_EINVAL, "gman: %d days ahead", last);
    for (int i = 0; i < last; i++) again[i] = w;
    return wf_lookup(g, wf_concat_n(g, again, last, 0), x, w->shape[0]);
}

struct wf_tensor *wf_gman_embed(struct wf_tape *g, const struct wf_gman_net *l,
                                struct wf_tensor *places, struct wf_tensor *time,
                                struct wf_tensor *day)
{
    const struct wf_gman_fc *first = &l->moment[0];
    struct wf_tensor *w = first->map.weight, *y; /* [7 + steps_per_day, D] */
    int days = l->sizes.days ? WEEK : 0, S = l->sizes.steps_per_day;
    if (g->error.status != WF_OK) return &g->poison;
    int ahead = 2 + time->shape[1] / S; /* days that time may reach into */
    y = one_hot(g, wf_slice(g, w, 0, days, days + S), time, ahead); /* [B, P, D] */
    if (days) {
        /* half a step makes up for rounding, of which a week has more than a day */
        struct wf_tensor *at = wf_affine(g, time, 1.0 / WEEK, 0.5 / (WEEK * S));
        at = wf_add(g, day, at);
        y = wf_add(g, y, one_hot(g, wf_slice(g, w, 0, 0, WEEK), at, 2 + ahead / WEEK));
    }
    y = wf_batch_norm(g, &first->norm, wf_add(g, y, first->map.bias), -1);
    y = fc(g, &l->moment[1], wf_relu(g, y));                            /* [B, P, D] */
    return wf_add(g, wf_unsqueeze(g, y, 2), pair(g, l->place, places)); /* [B, P, N, D] */
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
    x = pair(g, l->in, x); /* [B, T, N, D] */
    for (int i = 0; i < l->sizes.blocks; i++) {
        x = block(g, &l->past[i], x, past);
        wf_tape_release(g, mark, &x, 1);
    }
    x = wf_gman_attention(g, &l->bridge, future, past, x); /* [B, Q, N, D] */
    for (int i = 0; i < l->sizes.blocks; i++) {
        wf_tape_release(g, mark, &x, 1);
        x = block(g, &l->future[i], x, future);
    }
    return pair(g, l->out, x); /* [B, Q, N, out] */
}

void wf_gman_net_names(const struct wf_gman_net *l, struct wf_renames *t, const char *theirs,
                       const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT], part[WF_NAME_TEXT];
    pair_names(l->place, t, wf_params_path(from, theirs, "_st_embedding._fully_connected_se"),
               wf_params_path(to, ours, "place"));
    pair_names(l->moment, t, wf_params_path(from, theirs, "_st_embedding._fully_connected_te"),
               wf_params_path(to, ours, "moment"));
    pair_names(l->in, t, wf_params_path(from, theirs, "_fully_connected_1"),
               wf_params_path(to, ours, "in"));
    pair_names(l->out, t, wf_params_path(from, theirs, "_fully_connected_2"),
               wf_params_path(to, ours, "out"));
    wf_gman_attention_names(&l->bridge, t, wf_params_path(from, theirs, "_transform_attention"),
                            wf_params_path(to, ours, "bridge"));
    for (int i = 0; i < l->sizes.blocks; i++) {
        snprintf(part, sizeof part, "_st_att_block1.%d", i);
        wf_params_path(from, theirs, part);
        snprintf(part, sizeof part, "past.%d", i);
        block_names(&l->past[i], t, from, wf_params_path(to, ours, part));
        snprintf(part, sizeof part, "_st_att_block2.%d", i);
        wf_params_path(from, theirs, part);
        snprintf(part, sizeof part, "future.%d", i);
        block_names(&l->future[i], t, from, wf_params_path(to, ours, part));
    }
}

/* ---- the model ---- */

struct wf_gman_config wf_gman_defaults(void)
{
    return (struct wf_gman_config){ .heads = 8, .width = 8, .blocks = 3 };
}

void wf_gman_init(struct wf_gman *m, struct wf_params *ps, struct wf_gman_config cfg,
                  const struct wf_task *task)
{
    struct wf_gman_sizes s = { .in = task->channels - task->time_of_day - task->day_of_week,
                               .out = task->targets,
                               .channels = cfg.heads * cfg.width,
                               .heads = cfg.heads,
                               .blocks = cfg.blocks,
                               .steps_per_day = task->steps_per_day,
                               .days = task->day_of_week,
                               .causal = cfg.causal,
                               .momentum = 0.1 };
    *m = (struct wf_gman){ .cfg = cfg, .task = *task };
    if (!task->time_of_day) {
        wf_params_refuse(ps, "gman: the inputs have no time of day");
        return;
    }
    m->places = wf_params_add(ps, "places", 2, wf_dims(task->nodes, s.channels),
                              (struct wf_init){ .kind = WF_INIT_NORMAL, .gain = 1 });
    wf_gman_net_init(&m->net, ps, NULL, s);
}

/* The last step's number [B, 1] of v [B, T], so many times each later by `by`, behind v:
 * [B, T + Q] */
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
    struct wf_tensor *x = wf_tape_view(g, b->x), *day = NULL;  /* [B, T, N, C] */
    struct wf_tensor *clock = wf_select(g, x, 2, 0);           /* [B, T, C] of any node */
    struct wf_tensor *time = wf_select(g, clock, 2, s->in);    /* [B, T] */
    time = onward(g, time, m->task.Q, 1.0 / s->steps_per_day); /* [B, T + Q] */
    if (s->days) day = onward(g, wf_select(g, clock, 2, s->in + 1), m->task.Q, 0);
    struct wf_tensor *STE = wf_gman_embed(g, &m->net, m->places, time, day);
    x = wf_gman_net(g, &m->net, wf_slice(g, x, -1, 0, s->in), STE);
    wf_tape_release(g, mark, &x, 1);
    return x;
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
              .graph = WF_NO_GRAPH);
