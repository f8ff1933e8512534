#include "models/mtgnn.h"
#include <stdio.h>
#include "models/mtgnn_names.h"

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

/* The steps that the layers together take to make one. */
static int reach(const struct wf_mtgnn_sizes *s)
{
    int steps = 1, dilation = 1;
    for (int j = 0; j < s->cfg.layers; j++, dilation *= s->cfg.dilation)
        steps += dilation * (s->width[s->widths - 1] - 1);
    return steps;
}

/* left is the number of steps that the layer leaves. */
static void layer_init(struct wf_mtgnn_layer *l, struct wf_params *ps, const char *name,
                       const struct wf_mtgnn_sizes *s, int dilation, int left)
{
    char path[WF_NAME_TEXT];
    int C = s->cfg.channels;
    struct wf_inception_config tc = { C, s->hidden, dilation, s->widths, { 0 } };
    struct wf_mixprop_config mp = { s->hidden, C, s->cfg.depth, s->cfg.keep };
    for (int i = 0; i < s->widths; i++) tc.width[i] = s->width[i];
    wf_inception_init(&l->filter, ps, wf_params_path(path, name, "filter"), tc);
    wf_inception_init(&l->gate, ps, wf_params_path(path, name, "gate"), tc);
    wf_conv_init(&l->skip, ps, wf_params_path(path, name, "skip"), s->hidden, s->cfg.skip,
                 (struct wf_conv_config){ .kernel = { left } });
    if (s->no_graph) {
        wf_linear_init(&l->residual, ps, wf_params_path(path, name, "residual"), s->hidden, C);
    } else {
        wf_mixprop_init(&l->from, ps, wf_params_path(path, name, "from"), mp);
        wf_mixprop_init(&l->to, ps, wf_params_path(path, name, "to"), mp);
    }
    if (!s->plain_norm)
        wf_layer_norm_init(&l->norm, ps, wf_params_path(path, name, "norm"), 3,
                           wf_dims(left, s->nodes, C));
}

void wf_mtgnn_net_init(struct wf_mtgnn_net *l, struct wf_params *ps, const char *name,
                       struct wf_mtgnn_sizes s)
{
    char path[WF_NAME_TEXT], part[32];
    const struct wf_mtgnn_config *c = &s.cfg;
    struct wf_graph_learner_config graph = { s.nodes, c->embedding, s.features, c->neighbours,
                                             c->saturation };
    *l = (struct wf_mtgnn_net){ .sizes = s };
    if (c->layers < 1 || c->layers > WF_MTGNN_LAYERS || s.widths < 1 ||
        s.widths > WF_INCEPTION_WIDTHS) {
        wf_params_refuse(ps, "mtgnn: %d layers, %d widths: want 1 to %d, 1 to %d", c->layers,
                         s.widths, WF_MTGNN_LAYERS, WF_INCEPTION_WIDTHS);
        return;
    }
    int left = l->steps = s.T > reach(&s) ? s.T : reach(&s), dilation = 1;
    if (!s.given_graph && !s.no_graph)
        wf_graph_learner_init(&l->graph, ps, wf_params_path(path, name, "graph"), graph);
    wf_linear_init(&l->start, ps, wf_params_path(path, name, "start"), s.in, c->channels);
    wf_conv_init(&l->first, ps, wf_params_path(path, name, "first"), s.in, c->skip,
                 (struct wf_conv_config){ .kernel = { left } });
    for (int j = 0; j < c->layers; j++, dilation *= c->dilation) {
        snprintf(part, sizeof part, "layer.%d", j);
        left -= dilation * (s.width[s.widths - 1] - 1);
        layer_init(&l->layer[j], ps, wf_params_path(path, name, part), &s, dilation, left);
    }
    wf_conv_init(&l->last, ps, wf_params_path(path, name, "last"), c->channels, c->skip,
                 (struct wf_conv_config){ .kernel = { left } });
    wf_linear_init(&l->end, ps, wf_params_path(path, name, "end"), c->skip, c->end);
    wf_linear_init(&l->head, ps, wf_params_path(path, name, "head"), c->end, s.out);
}

/* LN(x). With `only`, x has some of the nodes, and weight and bias are taken for these. */
static struct wf_tensor *norm(struct wf_tape *g, const struct wf_layer_norm *l, struct wf_tensor *x,
                              const struct wf_index *only)
{
    struct wf_tensor *p[2] = { l->weight, l->bias }; /* [T, N, C] */
    for (int i = 0; i < 2 && only && p[i]; i++)
        p[i] = wf_permute(g, wf_take(g, wf_permute(g, p[i], 1, 0, 2), only), 1, 0, 2);
    return wf_layer_norm_op(g, x, 3, p[0], p[1], 1e-5);
}

/* h = tanh(TC_1(x)) sigmoid(TC_2(x)),  x <- LN(MP(A, h) + MP'(A^T, h) + x)
 *
 * Adds what the forecast sees of h to *sum [B, 1, N, skip]. */
static struct wf_tensor *layer(struct wf_tape *g, const struct wf_mtgnn_net *net,
                               const struct wf_mtgnn_layer *l, const struct wf_mtgnn_input *in,
                               struct wf_tensor **sum)
{
    struct wf_tensor *x = in->x, *A = in->A; /* [B, T, N, channels], [N, N] */
    struct wf_tensor *h = wf_tanh(g, wf_inception(g, &l->filter, x));
    h = wf_mul(g, h, wf_sigmoid(g, wf_inception(g, &l->gate, x)));
    h = wf_dropout(g, h, net->sizes.cfg.dropout); /* [B, T', N, hidden] */
    *sum = wf_add(g, *sum, wf_conv(g, &l->skip, h));
    if (g->error.status != WF_OK) return &g->poison;
    int T = x->shape[1], left = h->shape[1];
    if (net->sizes.no_graph)
        h = wf_linear(g, &l->residual, h);
    else
        h = wf_add(g, wf_mixprop(g, &l->from, A, h),
                   wf_mixprop(g, &l->to, wf_permute(g, A, 1, 0), h));
    h = wf_add(g, h, wf_slice(g, x, 1, T - left, T)); /* [B, T', N, channels] */
    return norm(g, &l->norm, h, in->only);
}

static bool fits(struct wf_tape *g, const struct wf_mtgnn_sizes *s, const struct wf_mtgnn_input *in)
{
    char text[WF_SHAPE_TEXT];
    int N = in->only ? in->only->n : s->nodes;
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
    if (!fits(g, s, &in)) return &g->poison;
    int before = l->steps - s->T, *shape = in.x->shape;
    if (before > 0) {
        struct wf_tensor *zero = wf_zeros(g, 4, wf_dims(shape[0], before, shape[2], shape[3]));
        in.x = wf_concat_n(g, (struct wf_tensor *[]){ zero, in.x }, 2, 1);
    }
    if (!s->given_graph && !s->no_graph)
        in.A = wf_graph_learner(g, &l->graph, in.features, in.only); /* [N, N] */
    struct wf_mark mark = wf_tape_mark(g);
    struct wf_tensor *kept[2]; /* x, and the sum of all skips */
    kept[1] = wf_conv(g, &l->first, wf_dropout(g, in.x, s->cfg.dropout)); /* [B, 1, N, skip] */
    kept[0] = wf_linear(g, &l->start, in.x);                              /* [B, T, N, channels] */
    for (int j = 0; j < s->cfg.layers; j++) {
        in.x = kept[0];
        kept[0] = layer(g, l, &l->layer[j], &in, &kept[1]);
        wf_tape_release(g, mark, kept, 2);
    }
    struct wf_tensor *y = wf_add(g, kept[1], wf_conv(g, &l->last, kept[0])); /* [B, 1, N, skip] */
    y = wf_relu(g, wf_linear(g, &l->end, wf_relu(g, y)));
    return wf_linear(g, &l->head, y); /* [B, 1, N, out] */
}

/* ---- the model ---- */

void wf_mtgnn_init(struct wf_mtgnn *m, struct wf_params *ps, struct wf_mtgnn_config cfg,
                   const struct wf_task *task)
{
    struct wf_mtgnn_sizes s = { .cfg = cfg,
                                .nodes = task->nodes,
                                .in = task->channels,
                                .out = task->Q * task->targets,
                                .T = task->T,
                                .hidden = cfg.channels,
                                .widths = 4,
                                .width = { 2, 3, 6, 7 } };
    *m = (struct wf_mtgnn){ .cfg = cfg, .task = *task };
    wf_mtgnn_net_init(&m->net, ps, NULL, s);
}

struct wf_tensor *wf_mtgnn_forward(struct wf_tape *g, const struct wf_mtgnn *m,
                                   const struct wf_batch *b)
{
    struct wf_mark mark = wf_tape_mark(g);
    struct wf_tensor *x = wf_batch_x(g, b); /* [B, T, N, C] */
    struct wf_tensor *y = wf_mtgnn_net(g, &m->net, (struct wf_mtgnn_input){ .x = x });
    if (g->error.status != WF_OK) return &g->poison;
    const struct wf_task *k = &m->task;
    y = wf_reshape(g, y, 4, wf_dims(b->B, k->nodes, k->Q, k->targets));
    y = wf_contiguous(g, wf_permute(g, y, 0, 2, 1, 3));
    wf_tape_release(g, mark, &y, 1);
    return y;
}

static void names(const void *layers, struct wf_renames *t)
{
    wf_mtgnn_net_names(&((const struct wf_mtgnn *)layers)->net, t, NULL, NULL);
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
    WF_MODEL_FIELD(mtgnn, saturation, DOUBLE, 0, 100, "slope of the tanh that makes the graph"),
    WF_MODEL_FIELD(mtgnn, dropout, DOUBLE, 0, 0.99, "share of channels dropped while training"),
    { 0 }
};
WF_MODEL_TYPE(mtgnn, "mtgnn", "a learned graph, inception over time (MTGNN, Wu et al. 2020)",
              fields, .graph = WF_NO_GRAPH, .names = names);
