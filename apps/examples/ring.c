/* ring.c - a first model: a graph GRU that learns to forecast a wave.
 *
 * Ten sensors stand in a ring, and a wave travels round it from each to the next. The model sees
 * six steps of what every sensor measures and forecasts the next three. With Weft installed,
 *
 *     gcc ring.c -o ring $(pkg-config --cflags --libs weft) -lm && ./ring
 *
 * prints the mean absolute error of the forecast every hundred steps; after 400 it is below 0.01. */
#include <math.h>
#include <stdio.h>
#include "nn/graph.h"
#include "nn/layers.h"
#include "nn/optim.h"

/* B windows in a batch, T input steps, N nodes, Q steps to forecast, H hidden units per node. */
enum { B = 8, T = 6, N = 10, Q = 3, H = 16, STEPS = 400 };

struct graph_gru {
    struct wf_dconv gates, candidate; /* diffusion convolutions: products that see neighbours */
    struct wf_linear head;            /* from the hidden state to the forecast */
};

static void declare(struct graph_gru *m, struct wf_params *ps, int terms)
{
    wf_dconv_init(&m->gates, ps, "gates", 1 + H, 2 * H, terms, 1);
    wf_dconv_init(&m->candidate, ps, "candidate", 1 + H, H, terms, 0);
    wf_linear_init(&m->head, ps, "head", H, Q);
}

/* [r z] = sigmoid(G [x h]),  c = tanh(C [x r*h]),  h' = z h + (1 - z) c */
static struct wf_tensor *cell(struct wf_tape *g, const struct graph_gru *m,
                              const struct wf_supports *S, struct wf_tensor *x, /* [B, N, 1] */
                              struct wf_tensor *h)                              /* [B, N, H] */
{
    struct wf_tensor *rz = wf_dconv(g, &m->gates, S, x, h, WF_ACT_SIGMOID); /* [B, N, 2 H] */
    struct wf_tensor *r = wf_slice(g, rz, -1, 0, H);                        /* [B, N, H] */
    struct wf_tensor *z = wf_slice(g, rz, -1, H, 2 * H);                    /* [B, N, H] */
    struct wf_tensor *c = wf_dconv(g, &m->candidate, S, x, wf_mul(g, r, h), WF_ACT_TANH);
    return wf_lerp(g, c, h, z); /* [B, N, H] */
}

/* One batch of the wave: what the model sees, and what comes next. */
struct batch {
    wf_real x[T][B][N], y[B][N][Q];
};

static wf_real wave(int node, int time)
{
    return (wf_real)sin(0.6283 * node - 0.4 * time);
}

static void measure(struct batch *b, int step)
{
    for (int i = 0; i < B; i++)
        for (int n = 0; n < N; n++) {
            int start = 5 * i + step;
            for (int t = 0; t < T; t++) b->x[t][i][n] = wave(n, start + t);
            for (int q = 0; q < Q; q++) b->y[i][n][q] = wave(n, start + T + q);
        }
}

/* Everything that outlives a step, all of it zero until it is made. */
struct training {
    struct wf_graph graph;
    struct wf_params params;
    struct wf_optim adam;
    struct wf_tape tape;
    struct graph_gru model;
};

static enum wf_status prepare(struct training *t, struct wf_error *err)
{
    int from[N], to[N];
    for (int n = 0; n < N; n++) {
        from[n] = n;
        to[n] = (n + 1) % N;
    }
    struct wf_edges ring = { .nodes = N, .count = N, .source = from, .target = to };
    struct wf_graph_config walks = { .kind = WF_DUAL_RANDOM_WALK, .hops = 2 };
    int terms = 1 + 2 * walks.hops; /* the input itself, 2 hops along the edges, 2 against them */

    wf_params_init(&t->params, wf_backend_cpu());
    declare(&t->model, &t->params, terms);
    WF_TRY(wf_graph_init(&t->graph, wf_backend_cpu(), &ring, &walks, err));
    WF_TRY(wf_params_commit(&t->params, 1, err)); /* allocates and draws what was declared */
    WF_TRY(wf_optim_init(&t->adam, &t->params, wf_optim_defaults(), err));
    return wf_tape_init(&t->tape, wf_backend_cpu(), err);
}

/* One step of training; returns the mean absolute error before it. Nothing in here is checked: the
 * first op that fails writes its message into the tape, and the ones after it do nothing. */
static double train(struct training *t, const struct batch *b, int step)
{
    struct wf_tape *g = &t->tape;
    wf_real mae = 0;
    wf_tape_reset(g); /* takes back everything that the step before has made */
    wf_tape_set_step(g, &(struct wf_step){ .step = (uint64_t)step, .lr = 0.01 });

    struct wf_tensor *h = wf_zeros(g, 3, wf_dims(B, N, H));
    for (int k = 0; k < T; k++) {
        struct wf_tensor *x = wf_input(g, b->x[k][0], 3, wf_dims(B, N, 1));
        h = cell(g, &t->model, &t->graph.supports, x, h);
    }
    struct wf_tensor *forecast = wf_linear(g, &t->model.head, h); /* [B, N, Q] */
    struct wf_tensor *truth = wf_input(g, b->y[0][0], 3, wf_dims(B, N, Q));
    struct wf_tensor *loss = wf_loss(g, forecast, truth, WF_MAE, WF_MASK_NONE);

    WF_RUN(g, wf_params_zero_grad(&t->params));
    wf_tape_backward(g, loss);
    WF_RUN(g, wf_optim_step(&t->adam, g->step));
    WF_RUN(g, wf_tensor_download(loss, &mae));
    return (double)mae;
}

int main(void)
{
    static struct training t;
    static struct batch b;
    struct wf_error err = { 0 };
    enum wf_status status = prepare(&t, &err);
    for (int step = 0; step < STEPS && status == WF_OK; step++) {
        measure(&b, step);
        double mae = train(&t, &b, step);
        status = t.tape.error.status;
        if (step % 100 == 99) printf("step %d: MAE %.3f\n", step + 1, mae);
    }
    if (status != WF_OK)
        fprintf(stderr, "ring: %s\n", t.tape.error.status ? t.tape.error.message : err.message);
    wf_tape_free(&t.tape);
    wf_optim_free(&t.adam);
    wf_params_free(&t.params);
    wf_graph_free(&t.graph);
    return status != WF_OK;
}
