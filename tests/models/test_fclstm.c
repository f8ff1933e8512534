/* These tests compare FC-LSTM with the same computation in loops. */
#include "models/fclstm.h"
#include "tests/kit/byhand.h"
#include "tests/kit/tiny.h"

enum { T = 3, N = 2, Q = 3, H = 3, LAYERS = 2, C = 2 };

/* Computes one step of a cell, with h and c in place. */
static void cell(const struct byhand *m, const char *name, const double *x, int in, double *h,
                 double *c)
{
    char path[64];
    double a[4 * H], u[4 * H];
    const wf_real *p = byhand_param(m, name, "peephole");
    snprintf(path, sizeof path, "%s.input", name);
    byhand_linear(m, path, x, in, 4 * H, a);
    snprintf(path, sizeof path, "%s.state", name);
    byhand_linear(m, path, h, H, 4 * H, u);
    for (int k = 0; k < 4 * H; k++) a[k] += u[k];
    for (int k = 0; k < H; k++) {
        double i = byhand_sigmoid(a[k] + (double)p[k] * c[k]);
        double f = byhand_sigmoid(a[H + k] + (double)p[H + k] * c[k]);
        c[k] = f * c[k] + i * tanh(a[2 * H + k]);
        h[k] = byhand_sigmoid(a[3 * H + k] + (double)p[2 * H + k] * c[k]) * tanh(c[k]);
    }
}

static void stack(const struct byhand *m, const char *name, const double *x, int in,
                  double h[LAYERS][H], double c[LAYERS][H])
{
    char path[32];
    for (int l = 0; l < LAYERS; l++) {
        snprintf(path, sizeof path, "%s.%d", name, l);
        cell(m, path, l ? h[l - 1] : x, l ? H : in, h[l], c[l]);
    }
}

/* Nodes first .. first + count - 1 as one vector. */
static void by_formula(const struct byhand *m, int b, int first, int count, double y[Q][N])
{
    double h[LAYERS][H] = { { 0 } }, c[LAYERS][H] = { { 0 } }, x[N * C];
    for (int t = 0; t < T; t++) {
        for (int i = 0; i < count * C; i++) x[i] = byhand_x(m, b, t, first + i / C, i % C);
        stack(m, "encoder", x, count * C, h, c);
    }
    memset(x, 0, sizeof x);
    for (int q = 0; q < Q; q++) {
        stack(m, "decoder", x, count, h, c);
        byhand_linear(m, "head", h[LAYERS - 1], H, count, y[q]);
        memcpy(x, y[q], sizeof(double) * (size_t)count);
    }
}

static void expect_formula(bool shared)
{
    struct byhand m;
    double y[Q][N];
    int count = shared ? 1 : N;
    struct wf_task task = { .nodes = N,
                            .channels = C,
                            .targets = 1,
                            .T = T,
                            .Q = Q,
                            .steps_per_day = 6,
                            .time_of_day = true };
    byhand_init(&m, "fc-lstm", shared ? "hidden=3\nshared=True\n" : "hidden=3\n", task, NULL);
    for (int b = 0; b < BYHAND_BATCH; b++)
        for (int first = 0; first < N; first += count) {
            by_formula(&m, b, first, count, y);
            for (int i = 0; i < count * Q; i++)
                byhand_expect(byhand_y(&m, b, i / count, first + i % count),
                              y[i / count][i % count]);
        }
    byhand_free(&m);
}

Test(fclstm, is_its_formula)
{
    expect_formula(false);
}

Test(fclstm, with_shared_weights_every_node_is_a_sequence_of_its_own)
{
    expect_formula(true);
}

Test(fclstm, sizes_that_do_not_fit_are_refused)
{
    struct wf_fclstm_config cfg = wf_fclstm_defaults();
    cfg.layers = WF_FCLSTM_LAYERS + 1;
    byhand_refuses("fc-lstm", &cfg, "fc-lstm: 5 layers, horizon 2: want 1 to 4, at most 500");
}

Test(fclstm, learns_a_wave_on_a_ring)
{
    tiny_expect_to_learn((struct tiny_config){
        .model = "fc-lstm", .options = "hidden=16\nlayers=1\n", .day_of_week = false, .seed = 1 });
}

/* The sampling probability is 1, then 0; outside of training it counts as 1 as well. */
Test(fclstm, a_decoder_is_taught_as_often_as_the_step_says)
{
    struct dense d;
    dense_init(&d);
    struct wf_tensor *y = dense_input(&d, 1, 3, wf_dims(2, 3, 1));
    struct wf_batch b = { .y_std = *dense_input(&d, 2, 4, wf_dims(2, 4, 3, 1)) };
    struct wf_tensor *truth = wf_select(&d.g, &b.y_std, 1, 2);
    wf_tape_set_step(&d.g, &(struct wf_step){ .teach = 1 });
    dense_expect_same(&d, wf_sampled(&d.g, &b, y, 2), truth, 1e-6);
    wf_tape_set_step(&d.g, &(struct wf_step){ .teach = 0 });
    dense_expect_same(&d, wf_sampled(&d.g, &b, y, 2), y, 1e-6);
    wf_tape_set_step(&d.g, &(struct wf_step){ .teach = 1 });
    d.g.training = false;
    cr_expect_eq(wf_sampled(&d.g, &b, y, 2), y);
    dense_free(&d);
}
