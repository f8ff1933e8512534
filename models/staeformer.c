#include "models/staeformer.h"
#include <stdio.h>

struct wf_staeformer_config wf_staeformer_defaults(void)
{
    return (struct wf_staeformer_config){
        .embedding = 24, .adaptive = 80, .feedforward = 256, .heads = 4, .layers = 3, .dropout = 0.1
    };
}

static void layer_init(struct wf_staeformer_layer *l, struct wf_params *ps, const char *name,
                       int width, const struct wf_staeformer_config *c)
{
    char path[WF_NAME_TEXT];
    wf_mha_init(&l->attention, ps, wf_params_path(path, name, "attention"), width, c->heads);
    wf_layer_norm_init(&l->norm1, ps, wf_params_path(path, name, "norm1"), 1, wf_dims(width));
    wf_linear_init(&l->ff1, ps, wf_params_path(path, name, "ff1"), width, c->feedforward);
    wf_linear_init(&l->ff2, ps, wf_params_path(path, name, "ff2"), c->feedforward, width);
    wf_layer_norm_init(&l->norm2, ps, wf_params_path(path, name, "norm2"), 1, wf_dims(width));
}

static int width_of(const struct wf_staeformer *m)
{
    return (1 + m->calendar.tables) * m->cfg.embedding + m->cfg.adaptive;
}

void wf_staeformer_init(struct wf_staeformer *m, struct wf_params *ps,
                        struct wf_staeformer_config cfg, const struct wf_task *task)
{
    int T = task->T, N = task->nodes, a = cfg.adaptive;
    struct wf_init normal = { .kind = WF_INIT_NORMAL, .gain = 1 };
    struct wf_init xavier = { WF_INIT_XAVIER_UNIFORM, 1, N * a, T * a }; /* fans as PyTorch's */
    *m = (struct wf_staeformer){ .cfg = cfg, .task = *task };
    if (cfg.layers < 0 || cfg.layers > WF_STAEFORMER_LAYERS) {
        wf_params_refuse(ps, "staeformer: %d layers, want at most %d", cfg.layers,
                         WF_STAEFORMER_LAYERS);
        return;
    }
    wf_linear_init(&m->inputs, ps, "inputs", task->channels, cfg.embedding);
    wf_calendar_init(&m->calendar, ps, "calendar", cfg.embedding, normal, task);
    m->adaptive = wf_params_add(ps, "adaptive", 3, wf_dims(T, N, a), xavier);
    int width = width_of(m);
    for (int k = 0; k < cfg.layers; k++) {
        char name[WF_NAME_TEXT];
        snprintf(name, sizeof name, "time.%d", k);
        layer_init(&m->time[k], ps, name, width, &cfg);
        snprintf(name, sizeof name, "space.%d", k);
        layer_init(&m->space[k], ps, name, width, &cfg);
    }
    wf_horizon_init(&m->head, ps, T * width, task);
}

/* One layer: x [.., L, width] -> [.., L, width] */
static struct wf_tensor *attend(struct wf_tape *g, const struct wf_staeformer_layer *l,
                                double dropout, struct wf_tensor *x)
{
    struct wf_tensor *u = wf_dropout(g, wf_mha(g, &l->attention, x, x, x, NULL), dropout);
    x = wf_layer_norm(g, &l->norm1, wf_add(g, x, u));
    u = wf_linear(g, &l->ff2, wf_relu(g, wf_linear(g, &l->ff1, x)));
    return wf_layer_norm(g, &l->norm2, wf_add(g, x, wf_dropout(g, u, dropout)));
}

/* Z */
static struct wf_tensor *embed(struct wf_tape *g, const struct wf_staeformer *m,
                               const struct wf_batch *b)
{
    struct wf_tensor *x = wf_batch_x(g, b), *part[2 + WF_CALENDAR_TABLES];
    int n = 0;
    part[n++] = wf_linear(g, &m->inputs, x); /* [B, T, N, embedding] */
    n += wf_calendar(g, &m->calendar, x, part + n);
    part[n++] = wf_expand(g, m->adaptive, 4, wf_dims(b->B, b->T, b->N, m->cfg.adaptive));
    return wf_concat_n(g, part, n, -1); /* [B, T, N, width] */
}

struct wf_tensor *wf_staeformer_forward(struct wf_tape *g, const struct wf_staeformer *m,
                                        const struct wf_batch *b)
{
    struct wf_mark mark = wf_tape_mark(g);
    struct wf_tensor *x = embed(g, m, b);
    x = wf_contiguous(g, wf_permute(g, x, 0, 2, 1, 3)); /* [B, N, T, width] */
    wf_tape_release(g, mark, &x, 1);
    for (int k = 0; k < m->cfg.layers; k++) {
        x = attend(g, &m->time[k], m->cfg.dropout, x);
        wf_tape_release(g, mark, &x, 1);
    }
    x = wf_contiguous(g, wf_permute(g, x, 0, 2, 1, 3)); /* [B, T, N, width] */
    for (int k = 0; k < m->cfg.layers; k++) {
        x = attend(g, &m->space[k], m->cfg.dropout, x);
        wf_tape_release(g, mark, &x, 1);
    }
    x = wf_reshape(g, wf_permute(g, x, 0, 2, 1, 3), 3, wf_dims(b->B, b->N, -1));
    return wf_horizon(g, &m->head, &m->task, x); /* from [B, N, T * width] */
}

static void layer_names(struct wf_renames *t, const char *theirs, const char *ours, int width)
{
    static const char *const part[] = { "attn.FC_Q", "attn.FC_K", "attn.FC_V" };
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    wf_params_path(to, ours, "attention.in");
    for (int k = 0; k < 3; k++) {
        wf_params_path(from, theirs, part[k]);
        struct wf_rename r = { "weight", "weight", .axes = "10", .first = k * width };
        wf_renames_add(t, from, to, r);
        r = (struct wf_rename){ "bias", "bias", .first = k * width };
        wf_renames_add(t, from, to, r);
    }
    wf_linear_names(t, wf_params_path(from, theirs, "attn.out_proj"),
                    wf_params_path(to, ours, "attention.out"));
    wf_layer_norm_names(t, wf_params_path(from, theirs, "ln1"), wf_params_path(to, ours, "norm1"));
    wf_linear_names(t, wf_params_path(from, theirs, "feed_forward.0"),
                    wf_params_path(to, ours, "ff1"));
    wf_linear_names(t, wf_params_path(from, theirs, "feed_forward.2"),
                    wf_params_path(to, ours, "ff2"));
    wf_layer_norm_names(t, wf_params_path(from, theirs, "ln2"), wf_params_path(to, ours, "norm2"));
}

/* The names in the code of the paper's authors. */
static void names(const void *model, struct wf_renames *t)
{
    static const char *const calendar[] = { "tod_embedding.weight", "dow_embedding.weight" };
    const struct wf_staeformer *m = model;
    wf_linear_names(t, "input_proj", "inputs");
    wf_calendar_names(t, &m->calendar, calendar, "calendar");
    wf_renames_add(t, NULL, NULL,
                   (struct wf_rename){ .theirs = "adaptive_embedding", .ours = "adaptive" });
    for (int k = 0; k < m->cfg.layers; k++) {
        char theirs[WF_NAME_TEXT], ours[WF_NAME_TEXT];
        snprintf(theirs, sizeof theirs, "attn_layers_t.%d", k);
        snprintf(ours, sizeof ours, "time.%d", k);
        layer_names(t, theirs, ours, width_of(m));
        snprintf(theirs, sizeof theirs, "attn_layers_s.%d", k);
        snprintf(ours, sizeof ours, "space.%d", k);
        layer_names(t, theirs, ours, width_of(m));
    }
    wf_linear_names(t, "output_proj", "head");
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(staeformer, embedding, INT, 1, 4096,
                   "width of the embeddings of inputs, time of day and weekday"),
    WF_FIELD(wf_staeformer_config, "adaptive-embedding", INT, adaptive, 1, 4096, NULL,
             "width of the learned embedding of every step and node"),
    WF_MODEL_FIELD(staeformer, feedforward, INT, 1, 65536, "hidden units behind each attention"),
    WF_MODEL_FIELD(staeformer, heads, INT, 1, 1024, "heads; they split the sum of all widths"),
    WF_MODEL_FIELD(staeformer, layers, INT, 0, WF_STAEFORMER_LAYERS,
                   "layers of attention over time, and as many over nodes"),
    WF_MODEL_FIELD(staeformer, dropout, DOUBLE, 0, 0.99,
                   "share of values dropped behind attention and its units while training"),
    { 0 }
};
WF_MODEL_TYPE(staeformer, "staeformer",
              "attention over time, then nodes (STAEformer, Liu et al. 2023)", fields,
              .graph = WF_NO_GRAPH, .names = names);
