#include "models/d2stgnn.h"
#include <math.h>
#include <stdio.h>

struct wf_d2stgnn_config wf_d2stgnn_defaults(void)
{
    return (struct wf_d2stgnn_config){ .hidden = 32,
                                       .embedding = 10,
                                       .gate = 64,
                                       .forecast = 256,
                                       .end = 512,
                                       .layers = 5,
                                       .kernel = 3,
                                       .heads = 4,
                                       .gap = 3,
                                       .dropout = 0.1 };
}

static bool fits(struct wf_params *ps, const struct wf_d2stgnn_config *c, int T)
{
    int steps = 1 + c->layers * (c->kernel - 1);
    if (c->layers >= 1 && c->layers <= WF_D2STGNN_LAYERS && c->gap >= 1 && T >= steps) return true;
    if (!ps->error.status)
        wf_params_refuse(
            ps, "d2stgnn: %d layers of kernel %d want 1 to %d layers and %d steps, there are %d",
            c->layers, c->kernel, WF_D2STGNN_LAYERS, steps, T);
    return false;
}

static void layer_init(struct wf_d2stgnn *m, struct wf_params *ps, int i)
{
    const struct wf_d2stgnn_config *c = &m->cfg;
    struct wf_d2stgnn_layer *l = &m->layer[i];
    char name[WF_NAME_TEXT], path[WF_NAME_TEXT];
    int hops = m->task.hops;
    struct wf_d2stgnn_sizes sizes = { .hidden = c->hidden,
                                      .states = (m->task.Q + c->gap - 1) / c->gap,
                                      .kernel = c->kernel,
                                      .terms = m->task.terms + hops,
                                      .heads = c->heads,
                                      .dropout = c->dropout };
    snprintf(name, sizeof name, "layer.%d", i);
    wf_linear_init(&l->gate[0], ps, wf_params_path(path, name, "gate.0"),
                   (m->calendar.tables + 2) * c->embedding, c->gate);
    wf_linear_init(&l->gate[1], ps, wf_params_path(path, name, "gate.1"), c->gate, 1);
    wf_d2stgnn_diffusion_init(&l->diffusion, ps, wf_params_path(path, name, "diffusion"), sizes);
    sizes.last = i == c->layers - 1;
    wf_d2stgnn_inherent_init(&l->inherent, ps, wf_params_path(path, name, "inherent"), sizes);
}

void wf_d2stgnn_init(struct wf_d2stgnn *m, struct wf_params *ps, struct wf_d2stgnn_config cfg,
                     const struct wf_task *task)
{
    struct wf_init xavier = { .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1 };
    *m = (struct wf_d2stgnn){ .cfg = cfg, .task = *task };
    if (!fits(ps, &cfg, task->T)) return;
    m->measured = task->channels - task->time_of_day - task->day_of_week;
    wf_linear_init(&m->inputs, ps, "inputs", m->measured, cfg.hidden);
    wf_calendar_init(&m->calendar, ps, "calendar", cfg.embedding, xavier, task);
    wf_d2stgnn_graph_init(
        &m->graph, ps, "graph",
        (struct wf_d2stgnn_graph_config){ .nodes = task->nodes,
                                          .hidden = cfg.hidden,
                                          .embedding = cfg.embedding,
                                          .window = task->T * m->measured,
                                          .times = m->calendar.tables * cfg.embedding,
                                          .hops = task->hops,
                                          .given = task->terms > 1,
                                          .dropout = cfg.dropout });
    for (int i = 0; i < cfg.layers; i++) layer_init(m, ps, i);
    wf_linear_init(&m->forecast, ps, "forecast", 2 * cfg.layers * cfg.hidden, cfg.forecast);
    wf_linear_init(&m->end, ps, "end", cfg.forecast, cfg.end);
    wf_linear_init(&m->head, ps, "head", cfg.end, cfg.gap * task->targets);
}

/* The embeddings of the times of x [B, T, N, C], which are the same for all nodes: [B, T, 1,
 * times]; NULL where the data have no times. */
static struct wf_tensor *times_of(struct wf_tape *g, const struct wf_d2stgnn *m,
                                  struct wf_tensor *x)
{
    struct wf_tensor *part[WF_CALENDAR_TABLES];
    int n = wf_calendar(g, &m->calendar, wf_slice(g, x, 2, 0, 1), part);
    return n ? wf_concat_n(g, part, n, -1) : NULL;
}

/* x [B, T, N, H] multiplied by the estimation gate; `times` are the embeddings of a window that
 * ends with x and may be longer. The first layer of the gate reads pairs of a time and a node; as
 * there are many more pairs than times and nodes, it is computed as the sum of a product with the
 * times and one with the nodes. */
static struct wf_tensor *diffused(struct wf_tape *g, const struct wf_d2stgnn *m,
                                  const struct wf_linear gate[2], struct wf_tensor *times,
                                  struct wf_tensor *x)
{
    struct wf_tensor *nodes = wf_concat_n(g, m->graph.E, WF_D2STGNN_GRAPHS, -1);
    int t = m->calendar.tables * m->cfg.embedding, all = t + 2 * m->cfg.embedding;
    if (g->error.status != WF_OK) return &g->poison;
    struct wf_tensor *by_node = wf_slice(g, gate[0].weight, 0, t, all);
    struct wf_tensor *u = wf_linear_op(g, nodes, by_node, gate[0].bias); /* [N, gate] */
    if (times) {
        int T = times->shape[1];
        times = wf_slice(g, times, 1, T - x->shape[1], T);
        u = wf_add(g, wf_matmul(g, times, wf_slice(g, gate[0].weight, 0, 0, t)), u);
    }
    u = wf_sigmoid(g, wf_linear(g, &gate[1], wf_relu(g, u))); /* [B, T, N, 1] or [N, 1] */
    return wf_mul(g, x, u);
}

/* [B, states, N, 2 layers H] -> [B, Q, N, targets] */
static struct wf_tensor *regress(struct wf_tape *g, const struct wf_d2stgnn *m, struct wf_tensor *f)
{
    int gap = m->cfg.gap, targets = m->task.targets;
    if (g->error.status != WF_OK) return &g->poison;
    int B = f->shape[0], states = f->shape[1], N = f->shape[2];
    f = wf_relu(g, wf_linear(g, &m->forecast, f));
    f = wf_linear(g, &m->head, wf_relu(g, wf_linear(g, &m->end, f)));
    f = wf_permute(g, wf_reshape(g, f, 5, wf_dims(B, states, N, gap, targets)), 0, 1, 3, 2, 4);
    f = wf_reshape(g, f, 4, wf_dims(B, states * gap, N, targets));
    return wf_contiguous(g, wf_slice(g, f, 1, 0, m->task.Q));
}

struct wf_tensor *wf_d2stgnn_forward(struct wf_tape *g, const struct wf_d2stgnn *m,
                                     const struct wf_batch *b)
{
    struct wf_d2stgnn_graphs G;
    struct wf_tensor *all = wf_batch_x(g, b); /* [B, T, N, C] */
    struct wf_tensor *x = wf_slice(g, all, -1, 0, m->measured), *times = times_of(g, m, all);
    struct wf_tensor *window =
        wf_reshape(g, wf_permute(g, x, 0, 2, 1, 3), 3, wf_dims(b->B, b->N, b->T * m->measured));
    struct wf_tensor *when = times ? wf_select(g, times, 1, b->T - 1) : NULL; /* [B, 1, times] */
    wf_d2stgnn_graph(g, &m->graph, b->supports, window, when, &G);
    struct wf_mark mark = wf_tape_mark(g);
    struct wf_tensor *keep[1 + 2 * WF_D2STGNN_LAYERS], **ahead = keep + 1;
    keep[0] = wf_linear(g, &m->inputs, x); /* [B, T, N, H] */
    for (int i = 0; i < m->cfg.layers; i++, ahead += 2) {
        const struct wf_d2stgnn_layer *l = &m->layer[i];
        struct wf_tensor *share = diffused(g, m, l->gate, times, keep[0]);
        keep[0] = wf_d2stgnn_diffusion(g, &l->diffusion, &G, keep[0], share, &ahead[0]);
        wf_tape_release(g, mark, keep, 2 + 2 * i);
        keep[0] = wf_d2stgnn_inherent(g, &l->inherent, keep[0], &ahead[1]);
        bool last = l->inherent.sizes.last;
        wf_tape_release(g, mark, keep + last, 3 + 2 * i - last);
    }
    return regress(g, m, wf_concat_n(g, keep + 1, 2 * m->cfg.layers, -1));
}

static const struct wf_field fields[] = {
    WF_FIELD(wf_d2stgnn_config, "hidden", INT, hidden, 1, WF_D2STGNN_HIDDEN, NULL,
             "channels of the layers"),
    WF_FIELD(wf_d2stgnn_config, "embedding", INT, embedding, 1, 1024, NULL,
             "width of the embeddings of a node, a time of day, a weekday"),
    WF_FIELD(wf_d2stgnn_config, "gate", INT, gate, 1, 4096, NULL,
             "units of the gate that splits the signal in two"),
    WF_FIELD(wf_d2stgnn_config, "forecast", INT, forecast, 1, 4096, NULL,
             "channels of the sum of all layers"),
    WF_FIELD(wf_d2stgnn_config, "end", INT, end, 1, 4096, NULL, "channels before the forecast"),
    WF_FIELD(wf_d2stgnn_config, "layers", INT, layers, 1, WF_D2STGNN_LAYERS, NULL,
             "layers of both blocks"),
    WF_FIELD(wf_d2stgnn_config, "kernel", INT, kernel, 1, WF_D2STGNN_KERNEL, NULL,
             "steps that diffusion sees"),
    WF_FIELD(wf_d2stgnn_config, "heads", INT, heads, 1, 1024, NULL,
             "heads; they split the hidden channels"),
    WF_FIELD(wf_d2stgnn_config, "gap", INT, gap, 1, 1024, NULL,
             "steps of a forecast that one state makes"),
    WF_FIELD(wf_d2stgnn_config, "dropout", DOUBLE, dropout, 0, 0.99, NULL,
             "share of values dropped behind convolutions and attention while training"),
    { 0 }
};
WF_MODEL_TYPE(d2stgnn, "d2stgnn", "what diffuses apart from what is inherent (Shao et al. 2022)",
              fields, .graph = WF_DUAL_RANDOM_WALK);
