#include "models/mtgnn.h"
#include <stdio.h>

static void refuse(struct wf_params *ps, const char *what, int found, const char *want)
{
    wf_params_refuse(ps, "mtgnn: %s %d, want %s", what, found, want);
}

static void map_init(struct wf_conv *l, struct wf_params *ps, const char *name, int in, int out)
{
    wf_conv_init(l, ps, name, in, out, (struct wf_conv_config){ 0 });
}

static struct wf_tensor *map(struct wf_tape *g, const struct wf_conv *l, struct wf_tensor *x)
{
    return wf_linear_op(g, x, l->weight, l->bias);
}

/* ---- propagation ---- */

void wf_mixprop_init(struct wf_mixprop *l, struct wf_params *ps, const char *name,
                     struct wf_mixprop_config cfg)
{
    *l = (struct wf_mixprop){ .cfg = cfg };
    if (cfg.depth < 0 || cfg.depth > WF_MTGNN_DEPTH)
        refuse(ps, "depth", cfg.depth, "0 to 8");
    else
        map_init(&l->map, ps, name, (cfg.depth + 1) * cfg.in, cfg.out);
}

/* Nodes come first inside: a hop is one product for all samples and steps. */
struct wf_tensor *wf_mixprop(struct wf_tape *g, const struct wf_mixprop *l, struct wf_tensor *A,
                             struct wf_tensor *x)
{
    char a[WF_SHAPE_TEXT], b[WF_SHAPE_TEXT];
    struct wf_tensor *h[WF_MTGNN_DEPTH + 1];
    int K = l->cfg.depth;
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim != 4 || A->ndim != 2 || A->shape[0] != x->shape[2] || A->shape[1] != x->shape[2])
        return wf_tape_fail(g, WF_EINVAL, "mixprop: A %s, x %s: want [N, N] and [B, T, N, C]",
                            wf_tensor_shape_text(A, a), wf_tensor_shape_text(x, b));
    int B = x->shape[0], T = x->shape[1], N = x->shape[2], C = x->shape[3];
    h[0] = wf_reshape(g, wf_permute(g, x, 2, 0, 1, 3), 2, wf_dims(N, B * T * C));
    /* (1 - beta) / (degree with the loop) */
    struct wf_tensor *d = wf_recip0(g, wf_affine(g, wf_sum(g, A, 1, true), 1, 1)); /* [N, 1] */
    d = wf_affine(g, d, 1 - l->cfg.keep, 0);
    struct wf_tensor *P = wf_mul(g, A, d), *kept = wf_affine(g, h[0], l->cfg.keep, 0);
    for (int k = 1; k <= K; k++) {
        struct wf_tensor *y = wf_add(g, wf_matmul(g, P, h[k - 1]), wf_mul(g, h[k - 1], d));
        h[k] = wf_add(g, y, kept); /* [N, B T C] */
    }
    for (int k = 0; k <= K; k++) h[k] = wf_reshape(g, h[k], 4, wf_dims(N, B, T, C));
    return wf_permute(g, map(g, &l->map, wf_concat_n(g, h, K + 1, -1)), 1, 2, 0, 3);
}

/* ---- convolutions over time ---- */

void wf_inception_init(struct wf_inception *l, struct wf_params *ps, const char *name,
                       struct wf_inception_config cfg)
{
    *l = (struct wf_inception){ .cfg = cfg };
    if (cfg.widths < 1 || cfg.widths > WF_INCEPTION_WIDTHS) {
        refuse(ps, "number of widths", cfg.widths, "1 to 8");
        return;
    }
    if (cfg.out % cfg.widths) {
        refuse(ps, "channels", cfg.out, "a multiple of the number of widths");
        return;
    }
    for (int i = 0; i < cfg.widths; i++) {
        char path[WF_NAME_TEXT], part[32];
        snprintf(part, sizeof part, "%d", i);
        if (i > 0 && cfg.width[i] < cfg.width[i - 1])
            refuse(ps, "width", cfg.width[i], "one that is not below the one before");
        wf_conv_init(
            &l->branch[i], ps, wf_params_path(path, name, part), cfg.in, cfg.out / cfg.widths,
            (struct wf_conv_config){ .kernel = { cfg.width[i] }, .dilation = { cfg.dilation } });
    }
}

static int widest(const struct wf_inception_config *c)
{
    return c->width[c->widths - 1];
}

/* Every branch ends with the last step, so a narrower one starts later. */
struct wf_tensor *wf_inception(struct wf_tape *g, const struct wf_inception *l, struct wf_tensor *x)
{
    const struct wf_inception_config *c = &l->cfg;
    char text[WF_SHAPE_TEXT];
    struct wf_tensor *y[WF_INCEPTION_WIDTHS];
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim != 4 || x->shape[1] <= c->dilation * (widest(c) - 1))
        return wf_tape_fail(g, WF_EINVAL, "inception: x %s, want [B, T, N, C], T above %d",
                            wf_tensor_shape_text(x, text), c->dilation * (widest(c) - 1));
    for (int i = 0; i < c->widths; i++) {
        int from = c->dilation * (widest(c) - c->width[i]);
        y[i] = wf_conv(g, &l->branch[i], wf_slice(g, x, 1, from, x->shape[1]));
    }
    return wf_concat_n(g, y, c->widths, -1);
}

/* ---- the graph ---- */

void wf_graph_learner_init(struct wf_graph_learner *l, struct wf_params *ps, const char *name,
                           struct wf_graph_learner_config cfg)
{
    *l = (struct wf_graph_learner){ .cfg = cfg };
    for (int i = 0; i < 2; i++) {
        char path[WF_NAME_TEXT];
        if (!cfg.features)
            l->E[i] = wf_params_add(ps, wf_params_path(path, name, i ? "E.1" : "E.0"), 2,
                                    wf_dims(cfg.nodes, cfg.dim),
                                    (struct wf_init){ .kind = WF_INIT_NORMAL, .gain = 1 });
        wf_linear_init(&l->map[i], ps, wf_params_path(path, name, i ? "map.1" : "map.0"),
                       cfg.features ? cfg.features : cfg.dim, cfg.dim);
    }
}

/* The largest of tanh are those of its argument, which tells apart what tanh rounds to 1. */
struct wf_tensor *wf_graph_learner(struct wf_tape *g, const struct wf_graph_learner *l,
                                   struct wf_tensor *features, const struct wf_index *only)
{
    struct wf_tensor *M[2];
    if (g->error.status != WF_OK) return &g->poison;
    if ((features != NULL) != (l->cfg.features > 0))
        return wf_tape_fail(g, WF_EINVAL, "graph learner: features %s, want %d columns",
                            features ? "given" : "missing", l->cfg.features);
    for (int i = 0; i < 2; i++) {
        struct wf_tensor *E = features ? features : l->E[i];
        if (only) E = wf_take(g, E, only);
        M[i] = wf_affine(g, wf_linear(g, &l->map[i], E), l->cfg.saturation, 0);
        M[i] = wf_tanh(g, M[i]); /* [n, dim] */
    }
    struct wf_tensor *a = wf_matmul(g, M[0], wf_permute(g, M[1], 1, 0)); /* [n, n] */
    a = wf_sub(g, a, wf_permute(g, a, 1, 0));
    if (g->error.status != WF_OK) return &g->poison;
    int n = a->shape[0], k = l->cfg.neighbours < n ? l->cfg.neighbours : n;
    struct wf_tensor *best = wf_topk(g, a, k); /* [n, k] */
    a = wf_pick(g, wf_unsqueeze(g, a, -1), best);
    a = wf_relu(g, wf_tanh(g, wf_affine(g, a, l->cfg.saturation, 0))); /* [n, k, 1] */
    return wf_select(g, wf_scatter(g, a, best, n), -1, 0);
}

/* ---- the net ---- */

/* Steps that `layers` layers take away. */
static int reach(const struct wf_mtgnn_sizes *s, int layers)
{
    int steps = 0, dilation = 1;
    for (int j = 0; j < layers; j++, dilation *= s->dilation)
        steps += dilation * (s->width[s->widths - 1] - 1);
    return steps;
}

/* Steps of the input, with zeros before it where the layers see more. */
static int padded(const struct wf_mtgnn_sizes *s)
{
    int want = 1 + reach(s, s->layers);
    return s->T > want ? s->T : want;
}

/* A convolution over all T steps */
static void whole_init(struct wf_conv *l, struct wf_params *ps, const char *name,
                       const int sizes[2], int T)
{
    wf_conv_init(l, ps, name, sizes[0], sizes[1], (struct wf_conv_config){ .kernel = { T } });
}

static void layer_init(struct wf_mtgnn_layer *l, struct wf_params *ps, const char *name,
                       const struct wf_mtgnn_sizes *s, int j)
{
    char path[WF_NAME_TEXT];
    int left = padded(s) - reach(s, j + 1), C = s->channels;
    struct wf_inception_config tc = { C, s->hidden, 1, s->widths, { 0 } };
    struct wf_mixprop_config mp = { s->hidden, C, s->depth, s->keep };
    for (int i = 0; i < s->widths; i++) tc.width[i] = s->width[i];
    for (int i = 0; i < j; i++) tc.dilation *= s->dilation;
    wf_inception_init(&l->filter, ps, wf_params_path(path, name, "filter"), tc);
    wf_inception_init(&l->gate, ps, wf_params_path(path, name, "gate"), tc);
    whole_init(&l->skip, ps, wf_params_path(path, name, "skip"), (int[]){ s->hidden, s->skip },
               left);
    if (s->no_graph) {
        map_init(&l->residual, ps, wf_params_path(path, name, "residual"), s->hidden, C);
    } else {
        wf_mixprop_init(&l->from, ps, wf_params_path(path, name, "from"), mp);
        wf_mixprop_init(&l->to, ps, wf_params_path(path, name, "to"), mp);
    }
    if (!s->plain_norm)
        wf_layer_norm_init(&l->norm, ps, wf_params_path(path, name, "norm"), 3,
                           wf_dims(left, s->graph.nodes, C));
}

void wf_mtgnn_net_init(struct wf_mtgnn_net *l, struct wf_params *ps, const char *name,
                       struct wf_mtgnn_sizes s)
{
    char path[WF_NAME_TEXT], part[32];
    *l = (struct wf_mtgnn_net){ .sizes = s };
    if (s.layers < 1 || s.layers > WF_MTGNN_LAYERS) {
        refuse(ps, "layers", s.layers, "1 to 8");
        return;
    }
    if (s.widths < 1 || s.widths > WF_INCEPTION_WIDTHS) {
        refuse(ps, "number of widths", s.widths, "1 to 8");
        return;
    }
    int steps = padded(&s);
    if (!s.given_graph && !s.no_graph)
        wf_graph_learner_init(&l->graph, ps, wf_params_path(path, name, "graph"), s.graph);
    map_init(&l->start, ps, wf_params_path(path, name, "start"), s.in, s.channels);
    whole_init(&l->first, ps, wf_params_path(path, name, "first"), (int[]){ s.in, s.skip }, steps);
    for (int j = 0; j < s.layers; j++) {
        snprintf(part, sizeof part, "layer.%d", j);
        layer_init(&l->layer[j], ps, wf_params_path(path, name, part), &s, j);
    }
    whole_init(&l->last, ps, wf_params_path(path, name, "last"), (int[]){ s.channels, s.skip },
               steps - reach(&s, s.layers));
    map_init(&l->end[0], ps, wf_params_path(path, name, "end"), s.skip, s.end);
    map_init(&l->end[1], ps, wf_params_path(path, name, "head"), s.end, s.out);
}

static struct wf_tensor *norm(struct wf_tape *g, const struct wf_layer_norm *l, struct wf_tensor *x,
                              const struct wf_index *only)
{
    struct wf_tensor *p[2] = { l->weight, l->bias }; /* [T, N, C] */
    for (int i = 0; i < 2 && only && p[i]; i++)
        p[i] = wf_permute(g, wf_take(g, wf_permute(g, p[i], 1, 0, 2), only), 1, 0, 2);
    return wf_layer_norm_op(g, x, 3, p[0], p[1], 1e-5);
}

/* Adds what the layer sees to *sum [B, 1, N, skip]. */
static struct wf_tensor *layer(struct wf_tape *g, const struct wf_mtgnn_net *net,
                               const struct wf_mtgnn_layer *l, const struct wf_mtgnn_input *in,
                               struct wf_tensor **sum)
{
    struct wf_tensor *x = in->x, *A = in->A; /* [B, T, N, channels], [N, N] */
    struct wf_tensor *h = wf_tanh(g, wf_inception(g, &l->filter, x));
    h = wf_mul(g, h, wf_sigmoid(g, wf_inception(g, &l->gate, x)));
    h = wf_dropout(g, h, net->sizes.dropout); /* [B, T', N, hidden] */
    *sum = wf_add(g, *sum, wf_conv(g, &l->skip, h));
    if (g->error.status != WF_OK) return &g->poison;
    int T = x->shape[1], left = h->shape[1];
    if (net->sizes.no_graph)
        h = map(g, &l->residual, h);
    else
        h = wf_add(g, wf_mixprop(g, &l->from, A, h),
                   wf_mixprop(g, &l->to, wf_permute(g, A, 1, 0), h));
    h = wf_add(g, h, wf_slice(g, x, 1, T - left, T)); /* [B, T', N, channels] */
    return norm(g, &l->norm, h, in->only);
}

static bool fits(struct wf_tape *g, const struct wf_mtgnn_net *l, const struct wf_mtgnn_input *in)
{
    const struct wf_mtgnn_sizes *s = &l->sizes;
    char text[WF_SHAPE_TEXT];
    int N = in->only ? in->only->n : s->graph.nodes;
    if (g->error.status != WF_OK) return false;
    if ((in->A != NULL) != s->given_graph)
        wf_tape_fail(g, WF_EINVAL, "mtgnn: a graph is %s", in->A ? "learned, not given" : "wanted");
    else if (in->x->ndim != 4 || in->x->shape[1] != s->T || in->x->shape[2] != N)
        wf_tape_fail(g, WF_EINVAL, "mtgnn: x is %s, want [B, %d, %d, C]",
                     wf_tensor_shape_text(in->x, text), s->T, N);
    return g->error.status == WF_OK;
}

struct wf_tensor *wf_mtgnn_net(struct wf_tape *g, const struct wf_mtgnn_net *l,
                               struct wf_mtgnn_input in)
{
    const struct wf_mtgnn_sizes *s = &l->sizes;
    if (!fits(g, l, &in)) return &g->poison;
    int before = padded(s) - s->T, *shape = in.x->shape;
    if (before > 0) {
        struct wf_tensor *zero = wf_zeros(g, 4, wf_dims(shape[0], before, shape[2], shape[3]));
        in.x = wf_concat_n(g, (struct wf_tensor *[]){ zero, in.x }, 2, 1);
    }
    if (!s->given_graph && !s->no_graph)
        in.A = wf_graph_learner(g, &l->graph, in.features, in.only);
    struct wf_mark mark = wf_tape_mark(g);
    struct wf_tensor *kept[2]; /* x, and the sum */
    kept[1] = wf_conv(g, &l->first, wf_dropout(g, in.x, s->dropout));
    kept[0] = map(g, &l->start, in.x); /* [B, T, N, channels] */
    for (int j = 0; j < s->layers; j++) {
        in.x = kept[0];
        kept[0] = layer(g, l, &l->layer[j], &in, &kept[1]);
        wf_tape_release(g, mark, kept, 2);
    }
    struct wf_tensor *y = wf_add(g, kept[1], wf_conv(g, &l->last, kept[0])); /* [B, 1, N, skip] */
    y = wf_relu(g, map(g, &l->end[0], wf_relu(g, y)));
    return map(g, &l->end[1], y);
}

/* ---- names ---- */

void wf_mixprop_names(const struct wf_mixprop *l, struct wf_renames *t, const char *theirs,
                      const char *ours)
{
    char from[WF_NAME_TEXT];
    wf_conv_names(t, wf_params_path(from, theirs, "_mlp._mlp"), ours, &l->map, "2310");
}

void wf_inception_names(const struct wf_inception *l, struct wf_renames *t, const char *theirs,
                        const char *ours)
{
    for (int i = 0; i < l->cfg.widths; i++) {
        char from[WF_NAME_TEXT], to[WF_NAME_TEXT], a[32], b[32];
        snprintf(a, sizeof a, "_time_conv.%d", i);
        snprintf(b, sizeof b, "%d", i);
        wf_conv_names(t, wf_params_path(from, theirs, a), wf_params_path(to, ours, b),
                      &l->branch[i], "3210");
    }
}

void wf_graph_learner_names(const struct wf_graph_learner *l, struct wf_renames *t,
                            const char *theirs, const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    for (int i = 0; i < 2; i++) {
        struct wf_rename r = { .theirs = i ? "_embedding2.weight" : "_embedding1.weight",
                               .ours = i ? "E.1" : "E.0" };
        if (!l->cfg.features) wf_renames_add(t, theirs, ours, r);
        wf_linear_names(t, wf_params_path(from, theirs, i ? "_linear2" : "_linear1"),
                        wf_params_path(to, ours, i ? "map.1" : "map.0"));
    }
}

/* Those that their net has and never uses. */
static void unused(struct wf_renames *t, const char *theirs, const char *const *names)
{
    for (; *names; names++) wf_renames_add(t, theirs, NULL, (struct wf_rename){ .theirs = *names });
}

static void layer_names(const struct wf_mtgnn_layer *l, struct wf_renames *t, const char *theirs,
                        const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    wf_inception_names(&l->filter, t, wf_params_path(from, theirs, "_filter_conv"),
                       wf_params_path(to, ours, "filter"));
    wf_inception_names(&l->gate, t, wf_params_path(from, theirs, "_gate_conv"),
                       wf_params_path(to, ours, "gate"));
    wf_conv_names(t, wf_params_path(from, theirs, "_skip_conv"), wf_params_path(to, ours, "skip"),
                  &l->skip, "3210");
    if (l->residual.weight) {
        wf_conv_names(t, wf_params_path(from, theirs, "_residual_conv"),
                      wf_params_path(to, ours, "residual"), &l->residual, "2310");
    } else {
        unused(t, theirs, (const char *[]){ "_residual_conv.weight", "_residual_conv.bias", NULL });
        wf_mixprop_names(&l->from, t, wf_params_path(from, theirs, "_mixprop_conv1"),
                         wf_params_path(to, ours, "from"));
        wf_mixprop_names(&l->to, t, wf_params_path(from, theirs, "_mixprop_conv2"),
                         wf_params_path(to, ours, "to"));
    }
    if (!l->norm.weight) return;
    wf_params_path(from, theirs, "_normalization");
    wf_params_path(to, ours, "norm");
    wf_renames_add(t, from, to, (struct wf_rename){ "_weight", "weight", .axes = "210" });
    wf_renames_add(t, from, to, (struct wf_rename){ "_bias", "bias", .axes = "210" });
}

void wf_mtgnn_net_names(const struct wf_mtgnn_net *l, struct wf_renames *t, const char *theirs,
                        const char *ours)
{
    static const char *const learner[] = { "_embedding1.weight",
                                           "_embedding2.weight",
                                           "_linear1.weight",
                                           "_linear1.bias",
                                           "_linear2.weight",
                                           "_linear2.bias",
                                           NULL };
    const struct {
        const char *theirs, *ours, *axes;
        const struct wf_conv *conv;
    } part[] = { { "_start_conv", "start", "2310", &l->start },
                 { "_skip_conv_0", "first", "3210", &l->first },
                 { "_skip_conv_E", "last", "3210", &l->last },
                 { "_end_conv_1", "end", "2310", &l->end[0] },
                 { "_end_conv_2", "head", "2310", &l->end[1] } };
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT], name[32];
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        wf_conv_names(t, wf_params_path(from, theirs, part[i].theirs),
                      wf_params_path(to, ours, part[i].ours), part[i].conv, part[i].axes);
    wf_params_path(from, theirs, "_graph_constructor");
    if (l->sizes.given_graph || l->sizes.no_graph)
        unused(t, from, learner + (l->sizes.graph.features ? 2 : 0));
    else
        wf_graph_learner_names(&l->graph, t, from, wf_params_path(to, ours, "graph"));
    for (int j = 0; j < l->sizes.layers; j++) {
        snprintf(name, sizeof name, "_mtgnn_layers.%d", j);
        wf_params_path(from, theirs, name);
        snprintf(name, sizeof name, "layer.%d", j);
        layer_names(&l->layer[j], t, from, wf_params_path(to, ours, name));
    }
}

/* ---- the model ---- */

struct wf_mtgnn_config wf_mtgnn_defaults(void)
{
    return (struct wf_mtgnn_config){ .channels = 32,
                                     .skip = 64,
                                     .end = 128,
                                     .layers = 3,
                                     .dilation = 1,
                                     .depth = 2,
                                     .neighbours = 20,
                                     .embedding = 40,
                                     .keep = 0.05,
                                     .saturation = 3,
                                     .dropout = 0.3 };
}

void wf_mtgnn_init(struct wf_mtgnn *m, struct wf_params *ps, struct wf_mtgnn_config cfg,
                   const struct wf_task *task)
{
    struct wf_mtgnn_sizes s = { .in = task->channels,
                                .out = task->Q * task->targets,
                                .T = task->T,
                                .channels = cfg.channels,
                                .hidden = cfg.channels,
                                .skip = cfg.skip,
                                .end = cfg.end,
                                .layers = cfg.layers,
                                .dilation = cfg.dilation,
                                .depth = cfg.depth,
                                .widths = 4,
                                .width = { 2, 3, 6, 7 },
                                .graph = { .nodes = task->nodes,
                                           .dim = cfg.embedding,
                                           .neighbours = cfg.neighbours,
                                           .saturation = cfg.saturation },
                                .keep = cfg.keep,
                                .dropout = cfg.dropout };
    *m = (struct wf_mtgnn){ .cfg = cfg, .task = *task };
    wf_mtgnn_net_init(&m->net, ps, NULL, s);
}

struct wf_tensor *wf_mtgnn_forward(struct wf_tape *g, const struct wf_mtgnn *m,
                                   const struct wf_batch *b)
{
    struct wf_mark mark = wf_tape_mark(g);
    struct wf_tensor *x = wf_tape_view(g, b->x); /* [B, T, N, C]; the sweep may outlive b */
    struct wf_tensor *y = wf_mtgnn_net(g, &m->net, (struct wf_mtgnn_input){ .x = x });
    if (g->error.status != WF_OK) return &g->poison;
    const struct wf_task *k = &m->task;
    y = wf_reshape(g, y, 4, wf_dims(b->B, k->nodes, k->Q, k->targets));
    y = wf_contiguous(g, wf_permute(g, y, 0, 2, 1, 3));
    wf_tape_release(g, mark, &y, 1);
    return y;
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(mtgnn, channels, INT, 4, 4096, "channels of a layer, a multiple of 4"),
    WF_MODEL_FIELD(mtgnn, skip, INT, 1, 4096, "channels of the sums over all steps"),
    WF_MODEL_FIELD(mtgnn, end, INT, 1, 4096, "channels before the forecast"),
    WF_MODEL_FIELD(mtgnn, layers, INT, 1, WF_MTGNN_LAYERS, "layers of time and graph"),
    WF_MODEL_FIELD(mtgnn, dilation, INT, 1, 4, "growth of the dilation from layer to layer"),
    WF_MODEL_FIELD(mtgnn, depth, INT, 0, WF_MTGNN_DEPTH, "hops of a propagation"),
    WF_MODEL_FIELD(mtgnn, neighbours, INT, 1, 1 << 20,
                   "neighbours of a node in the learned graph, at most"),
    WF_MODEL_FIELD(mtgnn, embedding, INT, 1, 1024, "numbers that describe a node"),
    WF_MODEL_FIELD(mtgnn, keep, DOUBLE, 0, 1, "share of the input in every hop"),
    WF_MODEL_FIELD(mtgnn, saturation, DOUBLE, 0, 100, "slope of the tanh that make the graph"),
    WF_MODEL_FIELD(mtgnn, dropout, DOUBLE, 0, 0.99, "share of channels dropped while training"),
    { 0 }
};
WF_MODEL_TYPE(mtgnn, "mtgnn", "a learned graph, inception over time (MTGNN, Wu et al. 2020)",
              fields, .graph = WF_NO_GRAPH);
