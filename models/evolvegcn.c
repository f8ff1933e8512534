#include "models/evolvegcn.h"
#include <stdio.h>
#include "nn/rnn.h"

void wf_evolvegcn_cell_init(struct wf_evolvegcn_cell *l, struct wf_params *ps, const char *name,
                            struct wf_evolvegcn_sizes sizes)
{
    char path[WF_NAME_TEXT];
    int F = sizes.channels;
    *l = (struct wf_evolvegcn_cell){ .sizes = sizes };
    l->weight = wf_params_add(ps, wf_params_path(path, name, "weight"), 2, wf_dims(F, F),
                              (struct wf_init){ .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1 });
    wf_gru_init(&l->rnn, ps, wf_params_path(path, name, "rnn"), F, F);
    if (sizes.nodes) wf_topk_pool_init(&l->pool, ps, wf_params_path(path, name, "pool"), F);
}

/* The GRU works on the rows of the weight, as if they were samples. */
void wf_evolvegcn_evolve(struct wf_tape *g, const struct wf_evolvegcn_cell *l, struct wf_tensor *x,
                         struct wf_tensor **weight)
{
    struct wf_tensor *w = *weight ? *weight : l->weight, *in = w; /* [F, F] or [.., F, F] */
    if (l->sizes.nodes) {
        in = wf_topk_pool(g, &l->pool, x, l->sizes.channels).x; /* [.., F, F] */
        w = wf_expand(g, w, in->ndim, in->shape);
    }
    *weight = wf_gru(g, &l->rnn, in, w);
}

static bool one_support(struct wf_tape *g, const struct wf_supports *S)
{
    if (S->count == 1) return true;
    wf_tape_fail(g, WF_EINVAL, "evolvegcn: the graph has %d supports, want 1", S->count);
    return false;
}

struct wf_tensor *wf_evolvegcn_convolve(struct wf_tape *g, const struct wf_supports *S,
                                        struct wf_tensor *x, struct wf_tensor *weight)
{
    if (!one_support(g, S)) return &g->poison;
    return wf_spmm(g, S->pattern[0], S->value[0], wf_matmul(g, x, weight), false);
}

struct wf_tensor *wf_evolvegcn_cell(struct wf_tape *g, const struct wf_evolvegcn_cell *l,
                                    const struct wf_supports *S, struct wf_tensor *x,
                                    struct wf_tensor **weight)
{
    if (!one_support(g, S)) return &g->poison;
    wf_evolvegcn_evolve(g, l, x, weight);
    return wf_evolvegcn_convolve(g, S, x, *weight);
}

void wf_evolvegcn_cell_names(struct wf_renames *t, const char *theirs, const char *ours,
                             const struct wf_evolvegcn_cell *l)
{
    char a[WF_NAME_TEXT], b[WF_NAME_TEXT];
    wf_renames_add(t, theirs, ours,
                   (struct wf_rename){ .theirs = "initial_weight", .ours = "weight" });
    wf_gru_names(t, wf_params_path(a, theirs, "recurrent_layer"), wf_params_path(b, ours, "rnn"),
                 "_l0");
    if (l->sizes.nodes)
        wf_topk_pool_names(t, wf_params_path(a, theirs, "pooling_layer"),
                           wf_params_path(b, ours, "pool"));
}

/* ---- the model ---- */

struct wf_evolvegcn_config wf_evolvegcn_defaults(void)
{
    return (struct wf_evolvegcn_config){ .lags = 4, .layers = 1 };
}

static bool fits(const struct wf_evolvegcn *m, struct wf_params *ps)
{
    const struct wf_evolvegcn_config *c = &m->cfg;
    int F = c->lags * m->task.channels;
    if (c->lags < 1 || c->lags > m->task.T || c->layers < 1 || c->layers > WF_EVOLVEGCN_LAYERS)
        wf_params_refuse(ps, "evolvegcn: %d lags, %d layers: want 1 to %d and 1 to %d", c->lags,
                         c->layers, m->task.T, WF_EVOLVEGCN_LAYERS);
    else if (m->nodes && F > m->task.nodes)
        wf_params_refuse(
            ps,
            "evolvegcn-h: %d lags of %d channels at %d nodes: want at most as many features as "
            "nodes",
            c->lags, m->task.channels, m->task.nodes);
    else
        return true;
    return false;
}

void wf_evolvegcn_init(struct wf_evolvegcn *m, struct wf_params *ps, struct wf_evolvegcn_config cfg,
                       const struct wf_task *task, bool nodes)
{
    struct wf_evolvegcn_sizes sizes = { cfg.lags * task->channels, nodes };
    *m = (struct wf_evolvegcn){ .cfg = cfg, .task = *task, .nodes = nodes };
    if (!fits(m, ps)) return;
    for (int l = 0; l < cfg.layers; l++) {
        char name[WF_NAME_TEXT];
        snprintf(name, sizeof name, "cell.%d", l);
        wf_evolvegcn_cell_init(&m->cell[l], ps, name, sizes);
    }
    int width = (1 + cfg.skip) * sizes.channels;
    if (cfg.end > 0) wf_linear_init(&m->end, ps, "end", width, cfg.end);
    wf_horizon_init(&m->head, ps, cfg.end > 0 ? cfg.end : width, task);
}

/* The features of the nodes in step t of x [B, T, N, C]: [B, N, lags * C] */
static struct wf_tensor *features(struct wf_tape *g, struct wf_tensor *x, int lags, int t)
{
    x = wf_permute(g, wf_slice(g, x, 1, t - lags + 1, t + 1), 0, 2, 1, 3); /* [B, N, lags, C] */
    if (g->error.status != WF_OK) return &g->poison;
    return wf_reshape(g, x, 3, wf_dims(x->shape[0], x->shape[1], -1));
}

/* The authors' code has a leaky ReLU with a random slope from 1/8 to 1/3 in training, and with the
 * mean of these in testing. This one has that mean always. */
static struct wf_tensor *activation(struct wf_tape *g, struct wf_tensor *y)
{
    return wf_leaky_relu(g, y, (1.0 / 8 + 1.0 / 3) / 2);
}

/* Before the last step nothing reads y but the pool of the next layer in -H, so only those y are
 * computed. */
struct wf_tensor *wf_evolvegcn_forward(struct wf_tape *g, const struct wf_evolvegcn *m,
                                       const struct wf_batch *b)
{
    int L = m->cfg.layers, lags = m->cfg.lags;
    struct wf_tensor *w[WF_EVOLVEGCN_LAYERS] = { NULL }; /* [F, F] or [B, F, F] */
    struct wf_tensor *all = wf_batch_x(g, b), *x = NULL, *own = NULL;
    struct wf_mark mark = wf_tape_mark(g);
    for (int t = lags - 1; t < b->T; t++) {
        bool last = t == b->T - 1;
        int read = last ? L : m->nodes ? L - 1 : 0; /* layers whose y is read */
        const struct wf_supports *S = read ? wf_batch_supports(g, b, t) : NULL;
        x = own = features(g, all, lags, t);
        for (int l = 0; l < L; l++) {
            wf_evolvegcn_evolve(g, &m->cell[l], x, &w[l]);
            if (l < read) x = activation(g, wf_evolvegcn_convolve(g, S, x, w[l]));
        }
        if (last && m->cfg.skip) x = wf_concat(g, x, own);
        wf_tape_release(g, mark, last ? &x : w, last ? 1 : L);
    }
    if (m->cfg.end > 0) x = wf_relu(g, wf_linear(g, &m->end, x));
    return wf_horizon(g, &m->head, &m->task, x);
}

static void defaults(void *cfg)
{
    *(struct wf_evolvegcn_config *)cfg = wf_evolvegcn_defaults();
}

static void init_o(void *m, struct wf_params *ps, const void *cfg, const struct wf_task *task)
{
    wf_evolvegcn_init(m, ps, *(const struct wf_evolvegcn_config *)cfg, task, false);
}

static void init_h(void *m, struct wf_params *ps, const void *cfg, const struct wf_task *task)
{
    wf_evolvegcn_init(m, ps, *(const struct wf_evolvegcn_config *)cfg, task, true);
}

static struct wf_tensor *forward(struct wf_tape *g, const void *m, const struct wf_batch *b)
{
    return wf_evolvegcn_forward(g, m, b);
}

/* With one layer, the names in the examples of PyTorch Geometric Temporal; more layers count up. */
static void names(const void *model, struct wf_renames *t)
{
    const struct wf_evolvegcn *m = model;
    for (int l = 0; l < m->cfg.layers; l++) {
        char theirs[WF_NAME_TEXT], ours[WF_NAME_TEXT];
        snprintf(theirs, sizeof theirs, m->cfg.layers > 1 ? "recurrent.%d" : "recurrent", l);
        snprintf(ours, sizeof ours, "cell.%d", l);
        wf_evolvegcn_cell_names(t, theirs, ours, &m->cell[l]);
    }
    if (m->cfg.end > 0) wf_linear_names(t, "end", "end");
    wf_linear_names(t, "linear", "head");
}

static const struct wf_field fields[] = {
    WF_FIELD(wf_evolvegcn_config, "lags", INT, lags, 1, 4096, NULL,
             "steps of input that are a node's features"),
    WF_FIELD(wf_evolvegcn_config, "layers", INT, layers, 1, WF_EVOLVEGCN_LAYERS, NULL,
             "graph convolutions, one on another"),
    WF_FIELD(wf_evolvegcn_config, "skip", BOOL, skip, 0, 1, NULL,
             "the forecast reads a node's own features too"),
    WF_FIELD(wf_evolvegcn_config, "end", INT, end, 0, 4096, NULL,
             "units of a layer before the forecast; 0: no such layer"),
    { 0 }
};

#define TYPE(version, text)                                                                        \
    const struct wf_model_type wf_evolvegcn_##version##_type = {                                   \
        .name = "evolvegcn-" #version,                                                             \
        .about = text,                                                                             \
        .size = sizeof(struct wf_evolvegcn),                                                       \
        .config_size = sizeof(struct wf_evolvegcn_config),                                         \
        .fields = fields,                                                                          \
        .defaults = defaults,                                                                      \
        .init = init_##version,                                                                    \
        .forward = forward,                                                                        \
        .names = names,                                                                            \
        .graph = WF_GCN                                                                            \
    }
TYPE(o, "graph convolutions whose weights evolve by themselves (EvolveGCN-O, Pareja et al. 2020)");
TYPE(h, "graph convolutions whose weights follow the nodes (EvolveGCN-H, Pareja et al. 2020)");
