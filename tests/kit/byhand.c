#include "tests/kit/byhand.h"
#include "tests/kit/outcome.h"

static void new_model(struct byhand *m, const char *model, const char *options)
{
    struct wf_error err = { 0 };
    ok(wf_model_new(&m->model, wf_model_find(model), &err));
    struct wf_config cfg = { m->model.type->fields, m->model.cfg, model };
    ok(wf_config_parse(&cfg, 1, options, &err));
    m->model.type->init(m->model.layers, &m->d.ps, m->model.cfg, &m->task);
}

/* Gives every parameter values without symmetry, and every running variance positive ones. */
static void make_parameters(struct wf_params *ps)
{
    for (int k = 0; k < ps->count; k++) {
        struct wf_param *p = ps->param[k];
        bool variance = strlen(p->name) > 4 && strcmp(p->name + strlen(p->name) - 4, ".var") == 0;
        for (ptrdiff_t i = 0; i < wf_tensor_count(&p->value); i++)
            p->value.data[i] = (wf_real)(0.7 * dense_noise(k + 10, i) + (variance ? 1.5 : 0));
    }
}

static void make_inputs(struct byhand *m)
{
    const struct wf_task *t = &m->task;
    struct wf_tensor *x =
        dense_input(&m->d, 3, 4, wf_dims(BYHAND_BATCH, t->T, t->nodes, t->channels));
    int C = t->channels, measured = C - t->time_of_day - t->day_of_week;
    for (ptrdiff_t i = 0; i < wf_tensor_count(x); i++) {
        int c = (int)(i % C), step = (int)(i / C / t->nodes);
        int rows = c == measured && t->time_of_day ? t->steps_per_day : 7;
        if (c >= measured) x->data[i] = (wf_real)(step * (rows + 2) % rows / (double)rows);
    }
    m->batch = (struct wf_batch){ .B = BYHAND_BATCH, .T = t->T, .Q = t->Q, .N = t->nodes, .C = C };
    m->batch.x = *x;
    wf_batch_bind(&m->d.g, &m->batch, &m->graph);
}

void byhand_init(struct byhand *m, const char *model, const char *options, struct wf_task task,
                 const struct wf_edges *edges)
{
    struct wf_error err = { 0 };
    struct wf_edges none = { .nodes = task.nodes };
    enum wf_support_kind kind = wf_model_find(model)->graph;
    struct wf_graph_config gc = { .kind = edges ? kind : WF_NO_GRAPH, .hops = 2 };
    *m = (struct byhand){ .task = task };
    ok(wf_graph_init(&m->graph, wf_backend_cpu(), edges ? edges : &none, &gc, &err));
    m->task.terms = m->graph.supports.terms;
    m->task.hops = gc.hops;
    dense_init(&m->d);
    new_model(m, model, options);
    dense_commit(&m->d, 1);
    make_parameters(&m->d.ps);
    make_inputs(m);
    m->d.g.training = false;
    m->y = m->model.type->forward(&m->d.g, m->model.layers, &m->batch);
    cr_assert_eq(m->d.g.error.status, WF_OK, "%s", m->d.g.error.message);
}

void byhand_free(struct byhand *m)
{
    wf_model_free(&m->model);
    if (m->graph.be) wf_graph_free(&m->graph);
    dense_free(&m->d);
}

double byhand_x(const struct byhand *m, int b, int t, int n, int c)
{
    const struct wf_task *k = &m->task;
    return dense_at(&m->batch.x, (((ptrdiff_t)b * k->T + t) * k->nodes + n) * k->channels + c);
}

double byhand_y(const struct byhand *m, int b, int q, int n)
{
    const struct wf_task *k = &m->task;
    return dense_at(m->y, (((ptrdiff_t)b * k->Q + q) * k->nodes + n) * k->targets);
}

const wf_real *byhand_param(const struct byhand *m, const char *layer, const char *name)
{
    char path[WF_NAME_TEXT];
    const struct wf_param *p = wf_params_find(&m->d.ps, wf_params_path(path, layer, name));
    cr_assert(p, "there is no parameter %s", path);
    return p->value.data;
}

int byhand_row(const struct byhand *m, int b, int t, int c, int rows)
{
    return (int)lround(byhand_x(m, b, t, 0, c) * rows);
}

void byhand_linear(const struct byhand *m, const char *name, const double *x, int in, int out,
                   double *y)
{
    const wf_real *W = byhand_param(m, name, "weight"), *bias = byhand_param(m, name, "bias");
    for (int o = 0; o < out; o++) {
        y[o] = (double)bias[o];
        for (int i = 0; i < in; i++) y[o] += x[i] * (double)W[i * out + o];
    }
}

double byhand_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

void byhand_expect(double got, double want)
{
    /* A forecast goes through several layers of sums, each of which rounds. */
    double bar = sizeof(wf_real) == 8 ? 1e-12 : 1e-4;
    cr_assert(fabs(got - want) <= bar * (1 + fabs(want)), "%.12g, want %.12g", got, want);
}

ptrdiff_t byhand_metr_la(const char *model, bool week)
{
    struct byhand m = { .task = { .nodes = 207,
                                  .channels = 2 + week,
                                  .targets = 1,
                                  .T = 12,
                                  .Q = 12,
                                  .terms = 5,
                                  .hops = 2,
                                  .steps_per_day = 288,
                                  .time_of_day = true,
                                  .day_of_week = week } };
    dense_init(&m.d);
    new_model(&m, model, "");
    ptrdiff_t size = wf_params_size(&m.d.ps);
    byhand_free(&m);
    return size;
}

void byhand_refuses(const char *model, const void *cfg, const char *why)
{
    const struct wf_model_type *type = wf_model_find(model);
    struct wf_task task = { .nodes = 3, .channels = 1, .targets = 1, .T = 4, .Q = 2, .terms = 1 };
    struct dense d;
    struct wf_model m;
    struct wf_error err = { 0 };
    dense_init(&d);
    ok(wf_model_new(&m, type, &err));
    type->init(m.layers, &d.ps, cfg, &task);
    cr_expect_eq(wf_params_commit(&d.ps, 0, &err), WF_EINVAL);
    cr_expect(strstr(err.message, why), "'%s' does not say '%s'", err.message, why);
    wf_model_free(&m);
    dense_free(&d);
}

static const int source[] = { 0, 0, 1, 2, 2 }, target[] = { 1, 2, 2, 0, 2 };
static const float weight[] = { 0.5f, 1.5f, 0.25f, 2, 0.75f };
const struct wf_edges byhand_edges = { BYHAND_NODES, 5, source, target, weight };

void byhand_walks(double S[2][BYHAND_NODES][BYHAND_NODES])
{
    double out[BYHAND_NODES] = { 0 }, in[BYHAND_NODES] = { 0 };
    memset(S, 0, 2 * sizeof *S);
    for (int e = 0; e < byhand_edges.count; e++) {
        out[source[e]] += (double)weight[e];
        in[target[e]] += (double)weight[e];
    }
    for (int e = 0; e < byhand_edges.count; e++) {
        S[0][target[e]][source[e]] = (double)weight[e] / out[source[e]];
        S[1][source[e]][target[e]] = (double)weight[e] / in[target[e]];
    }
}
