#include "models/gwnet.h"
#include <stdio.h>

struct wf_tensor *wf_gwnet_graph(struct wf_tape *g, struct wf_tensor *E1, struct wf_tensor *E2)
{
    return wf_softmax(g, wf_relu(g, wf_matmul(g, E1, E2)), 1);
}

/* out[k - 1] = A^k x, k = 1 .. hops, for x [B, T, N, C]. With nodes first, a power is one product
 * for all samples and steps. */
static void dense_powers(struct wf_tape *g, struct wf_tensor *A, struct wf_tensor *x, int hops,
                         struct wf_tensor **out)
{
    int B = x->shape[0], T = x->shape[1], N = x->shape[2], C = x->shape[3];
    struct wf_tensor *z =
        wf_reshape(g, wf_permute(g, x, 2, 0, 1, 3), 2, wf_dims(N, B * T * C)); /* [N, B T C] */
    for (int k = 0; k < hops; k++) {
        z = wf_matmul(g, A, z);
        out[k] = wf_permute(g, wf_reshape(g, z, 4, wf_dims(N, B, T, C)), 1, 2, 0, 3);
    }
}

enum { MAXTERMS = 1 + (WF_MAXSUPPORT + 1) * WF_MAXTERM };
struct wf_tensor *wf_gwnet_conv(struct wf_tape *g, const struct wf_linear *l, int hops,
                                const struct wf_supports *S, struct wf_tensor *A,
                                struct wf_tensor *x)
{
    char text[WF_SHAPE_TEXT];
    struct wf_tensor *term[MAXTERMS];
    int n = 0;
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim != 4 || hops < 0 || hops > WF_MAXTERM)
        return wf_tape_fail(g, WF_EINVAL, "gwnet: x %s, %d hops: want [B, T, N, C], at most %d",
                            wf_tensor_shape_text(x, text), hops, WF_MAXTERM);
    term[n++] = x;
    for (int s = 0; s < S->count; s++)
        for (int k = 0; k < hops; k++, n++)
            term[n] = wf_spmm(g, S->pattern[s], S->value[s], k ? term[n - 1] : x, false);
    if (A) {
        dense_powers(g, A, x, hops, term + n);
        n += hops;
    }
    return wf_linear(g, l, wf_concat_n(g, term, n, -1));
}

/* ---- the model ---- */

struct wf_gwnet_config wf_gwnet_defaults(void)
{
    return (struct wf_gwnet_config){ .hidden = 32,
                                     .skip = 256,
                                     .end = 512,
                                     .blocks = 4,
                                     .layers = 2,
                                     .kernel = 2,
                                     .embedding = 10,
                                     .dropout = 0.3 };
}

static void layer_init(struct wf_gwnet *m, struct wf_params *ps, int i, int terms, bool last)
{
    const struct wf_gwnet_config *c = &m->cfg;
    struct wf_gwnet_layer *l = &m->layer[i];
    int dilation = 1 << i % c->layers;
    char name[WF_NAME_TEXT], path[WF_NAME_TEXT];
    snprintf(name, sizeof name, "layer.%d", i);
    wf_conv_init(&l->gated, ps, wf_params_path(path, name, "gated"), c->hidden, 2 * c->hidden,
                 (struct wf_conv_config){ .kernel = { c->kernel }, .dilation = { dilation } });
    wf_linear_init(&l->skip, ps, wf_params_path(path, name, "skip"), c->hidden, c->skip);
    m->reach += dilation * (c->kernel - 1);
    if (last) return;
    wf_linear_init(&l->graph, ps, wf_params_path(path, name, "graph"), terms * c->hidden,
                   c->hidden);
    wf_batch_norm_init(&l->norm, ps, wf_params_path(path, name, "norm"), c->hidden, 0.1);
}

void wf_gwnet_init(struct wf_gwnet *m, struct wf_params *ps, struct wf_gwnet_config cfg,
                   const struct wf_task *task)
{
    struct wf_init normal = { .kind = WF_INIT_NORMAL, .gain = 1 };
    int d = cfg.embedding, count = cfg.blocks * cfg.layers;
    int terms = task->terms + (d > 0 ? task->hops : 0);
    *m = (struct wf_gwnet){ .cfg = cfg, .task = *task, .reach = 1 };
    if (cfg.blocks < 1 || cfg.layers < 1 || count > WF_GWNET_LAYERS) {
        wf_params_refuse(ps, "gwnet: %d blocks of %d layers, want 1 to %d in all", cfg.blocks,
                         cfg.layers, WF_GWNET_LAYERS);
        return;
    }
    if (d > 0 && task->hops > 0) {
        m->E1 = wf_params_add(ps, "source", 2, wf_dims(task->nodes, d), normal);
        m->E2 = wf_params_add(ps, "target", 2, wf_dims(d, task->nodes), normal);
    }
    wf_linear_init(&m->start, ps, "start", task->channels, cfg.hidden);
    for (int i = 0; i < count; i++) layer_init(m, ps, i, terms, i == count - 1);
    wf_linear_init(&m->end, ps, "end", cfg.skip, cfg.end);
    wf_horizon_init(&m->head, ps, cfg.end, task);
}

/* The inputs b->x [B, T, N, C], with zeros in front where they have less than `reach` steps */
static struct wf_tensor *long_enough(struct wf_tape *g, const struct wf_gwnet *m,
                                     const struct wf_batch *b)
{
    struct wf_tensor *x[2] = { NULL, wf_batch_x(g, b) };
    if (b->T >= m->reach) return x[1];
    x[0] = wf_zeros(g, 4, wf_dims(b->B, m->reach - b->T, b->N, b->C));
    return wf_concat_n(g, x, 2, 1);
}

/* TCN(x) */
static struct wf_tensor *gated(struct wf_tape *g, const struct wf_gwnet_layer *l, int hidden,
                               struct wf_tensor *x)
{
    struct wf_tensor *u = wf_conv(g, &l->gated, x); /* [B, T', N, 2 hidden] */
    struct wf_tensor *a = wf_tanh(g, wf_slice(g, u, -1, 0, hidden));
    return wf_mul(g, a, wf_sigmoid(g, wf_slice(g, u, -1, hidden, 2 * hidden)));
}

struct wf_tensor *wf_gwnet_forward(struct wf_tape *g, const struct wf_gwnet *m,
                                   const struct wf_batch *b)
{
    int count = m->cfg.blocks * m->cfg.layers;
    struct wf_tensor *A = m->E1 ? wf_gwnet_graph(g, m->E1, m->E2) : NULL; /* [N, N] */
    struct wf_mark mark = wf_tape_mark(g);
    struct wf_tensor *x = wf_linear(g, &m->start, long_enough(g, m, b)); /* [B, T, N, hidden] */
    struct wf_tensor *skip = NULL;                                       /* [B, N, skip] */
    for (int i = 0; i < count; i++) {
        const struct wf_gwnet_layer *l = &m->layer[i];
        struct wf_tensor *u = gated(g, l, m->cfg.hidden, x); /* [B, T', N, hidden] */
        int T = x->shape[1], left = u->shape[1];
        /* The forecast reads the sum of skips at the last step alone. */
        struct wf_tensor *s = wf_linear(g, &l->skip, wf_select(g, u, 1, left - 1));
        skip = skip ? wf_add(g, skip, s) : s;
        if (i == count - 1) break;
        u = wf_gwnet_conv(g, &l->graph, m->task.hops, b->supports, A, u);
        u = wf_add(g, wf_dropout(g, u, m->cfg.dropout), wf_slice(g, x, 1, T - left, T));
        struct wf_tensor *keep[] = { wf_batch_norm(g, &l->norm, u, -1), skip };
        wf_tape_release(g, mark, keep, 2);
        x = keep[0];
        skip = keep[1];
    }
    struct wf_tensor *y = wf_relu(g, wf_linear(g, &m->end, wf_relu(g, skip))); /* [B, N, end] */
    return wf_horizon(g, &m->head, &m->task, y);
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(gwnet, hidden, INT, 1, 4096, "channels of the layers"),
    WF_MODEL_FIELD(gwnet, skip, INT, 1, 4096, "channels of the sum of all layers"),
    WF_MODEL_FIELD(gwnet, end, INT, 1, 4096, "channels before the forecast"),
    WF_MODEL_FIELD(gwnet, blocks, INT, 1, WF_GWNET_LAYERS, "blocks, each from dilation 1 on"),
    WF_MODEL_FIELD(gwnet, layers, INT, 1, 16, "layers per block; dilations double"),
    WF_MODEL_FIELD(gwnet, kernel, INT, 1, 64, "steps that a convolution over time sees"),
    WF_MODEL_FIELD(gwnet, embedding, INT, 0, 1024,
                   "width of a node's embedding in the learned graph; 0: no learned graph"),
    WF_MODEL_FIELD(gwnet, dropout, DOUBLE, 0, 0.99,
                   "share of values dropped behind the graph convolution while training"),
    { 0 }
};
WF_MODEL_TYPE(gwnet, "gwnet",
              "dilated convolutions and a learned graph (Graph WaveNet, Wu et al. 2019)", fields,
              .graph = WF_DUAL_RANDOM_WALK);
