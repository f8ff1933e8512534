/* The LSTM cell, and stacks of cells over time compared with loops of cells. */
#include "nn/rnn.h"
#include "tests/kit/dense.h"

/* Each state is a few sums of at most ten products, through functions whose slope is at most 1. */
static const double bar = sizeof(wf_real) == 8 ? 1e-13 : 1e-5;

static double s(double x)
{
    return 1 / (1 + exp(-x));
}

/* Column c of x W + b. */
static double affine(const struct wf_linear *l, const wf_real *x, int in, int c)
{
    double y = dense_at(l->bias, c);
    for (int i = 0; i < in; i++)
        y += (double)x[i] * dense_at(l->weight, (ptrdiff_t)i * l->weight->shape[1] + c);
    return y;
}

Test(rnn, the_lstm_cell_is_its_formula)
{
    enum { B = 3, I = 4, H = 5 };
    struct dense d;
    struct wf_lstm l;
    dense_init(&d);
    wf_lstm_init(&l, &d.ps, "lstm", I, H);
    dense_commit(&d, 1);
    struct wf_tensor *x = dense_input(&d, 1, 2, wf_dims(B, I));
    struct wf_tensor *h0 = dense_input(&d, 2, 2, wf_dims(B, H)), *h = h0;
    struct wf_tensor *c0 = dense_input(&d, 3, 2, wf_dims(B, H)), *c = c0;
    wf_lstm(&d.g, &l, x, &h, &c);
    cr_assert_eq(d.g.error.status, WF_OK, "%s", d.g.error.message);
    for (int b = 0; b < B; b++)
        for (int k = 0; k < H; k++) {
            double a[4];
            for (int q = 0; q < 4; q++)
                a[q] = affine(&l.input, x->data + b * I, I, q * H + k) +
                       affine(&l.state, h0->data + b * H, H, q * H + k);
            double want = s(a[1]) * (double)c0->data[b * H + k] + s(a[0]) * tanh(a[2]);
            cr_expect_float_eq((double)c->data[b * H + k], want, bar);
            cr_expect_float_eq((double)h->data[b * H + k], s(a[3]) * tanh(want), bar);
        }
    dense_free(&d);
}

enum { B = 2, T = 4, N = 3, I = 3, H = 4, LAYERS = 2 };

/* The loops go layer by layer and step by step. Stacks start from given states or from zero. */
Test(rnn, stacks_are_loops_of_cells_from_given_states_and_from_zero)
{
    struct dense d;
    struct wf_gru_stack gru;
    struct wf_lstm_stack lstm;
    dense_init(&d);
    wf_gru_stack_init(&gru, &d.ps, "gru", I, H, LAYERS);
    wf_lstm_stack_init(&lstm, &d.ps, "lstm", I, H, LAYERS);
    dense_commit(&d, 1);
    struct wf_tensor *x = dense_input(&d, 1, 4, wf_dims(B, T, N, I));
    for (int given = 0; given < 2; given++) {
        struct wf_tensor *state[3][LAYERS] = { { 0 } }, *want[3][LAYERS], *y[2][T], *z[2][T];
        for (int i = 0; i < 3 * LAYERS; i++) {
            struct wf_tensor *h = dense_input(&d, 2 + i, 3, wf_dims(B, N, H));
            if (!given) h = wf_affine(&d.g, h, 0, 0);
            want[i / LAYERS][i % LAYERS] = h;
            if (given) state[i / LAYERS][i % LAYERS] = h;
        }
        for (int t = 0; t < T; t++) y[0][t] = y[1][t] = wf_select(&d.g, x, 1, t);
        for (int k = 0; k < LAYERS; k++)
            for (int t = 0; t < T; t++) {
                y[0][t] = want[0][k] = wf_gru(&d.g, &gru.cell[k], y[0][t], want[0][k]);
                wf_lstm(&d.g, &lstm.cell[k], y[1][t], &want[1][k], &want[2][k]);
                y[1][t] = want[1][k];
            }
        z[0][0] = wf_gru_stack(&d.g, &gru, x, state[0]);
        z[1][0] = wf_lstm_stack(&d.g, &lstm, x, state[1], state[2]);
        for (int i = 0; i < 2; i++) dense_expect_same(&d, z[i][0], wf_stack(&d.g, y[i], T, 1), bar);
        for (int i = 0; i < 3 * LAYERS; i++)
            dense_expect_same(&d, state[i / LAYERS][i % LAYERS], want[i / LAYERS][i % LAYERS], bar);
    }
    dense_free(&d);
}

static struct wf_tensor *build(struct wf_tape *g, struct wf_tensor **in, const void *ctx)
{
    (void)ctx;
    struct wf_lstm_stack l = {
        .cell = { { .input = { in[1], in[2] }, .state = { in[3], in[4] }, .hidden = H } },
        .layers = 1
    };
    struct wf_tensor *h[1] = { in[5] }, *c[1] = { NULL };
    struct wf_tensor *y = wf_lstm_stack(g, &l, in[0], h, c); /* [B, T, H] */
    return wf_mul(g, y, wf_unsqueeze(g, c[0], 1));
}

Test(rnn, gradient_runs_through_states_and_steps)
{
    struct dense_grad c = {
        build, NULL, { { B, T, I }, { I, 4 * H }, { 4 * H }, { H, 4 * H }, { 4 * H }, { B, H } }
    };
    dense_expect_gradient(&c);
}

Test(rnn, numbers_of_layers_and_shapes_that_do_not_fit_are_refused)
{
    struct dense d;
    struct wf_gru_stack gru;
    struct wf_lstm_stack lstm;
    struct wf_error err = { 0 };
    struct wf_params ps;
    struct wf_tensor *h[WF_MAXLAYERS] = { 0 }, *c[WF_MAXLAYERS] = { 0 };
    dense_init(&d);
    wf_gru_stack_init(&gru, &d.ps, "gru", I, H, 1);
    wf_lstm_stack_init(&lstm, &d.ps, "lstm", I, H, 1);
    dense_commit(&d, 1);
    wf_gru_stack(&d.g, &gru, wf_zeros(&d.g, 2, wf_dims(B, I)), h);
    dense_expect_refusal(&d, "x is [2, 3], want [B, T, .., C]");
    h[0] = NULL;
    wf_lstm_stack(&d.g, &lstm, wf_zeros(&d.g, 3, wf_dims(B, T, I + 1)), h, c);
    dense_expect_refusal(&d, "linear: [2, 4, 4] and [3, 16]");
    h[0] = c[0] = NULL;
    wf_gru_stack(&d.g, &gru, wf_zeros(&d.g, 3, wf_dims(1, 5000, I)), h);
    dense_expect_refusal(&d, "5000 steps, want at most 4096");
    h[0] = NULL;
    struct wf_tensor *x = wf_zeros(&d.g, 2, wf_dims(B, I));
    h[0] = c[0] = wf_zeros(&d.g, 2, wf_dims(B, H + 1));
    wf_lstm(&d.g, &lstm.cell[0], x, &h[0], &c[0]);
    dense_expect_refusal(&d, "linear: [2, 5] and [4, 16]");
    wf_params_init(&ps, wf_backend_cpu());
    wf_gru_stack_init(&gru, &ps, "deep", I, H, WF_MAXLAYERS + 1);
    cr_expect_eq(wf_params_commit(&ps, 1, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "'deep' has 9 layers, expected 1 to 8"), "%s", err.message);
    wf_params_free(&ps);
    wf_params_init(&ps, wf_backend_cpu());
    wf_lstm_stack_init(&lstm, &ps, "none", I, H, 0);
    cr_expect_eq(wf_params_commit(&ps, 1, &err), WF_EINVAL);
    wf_params_free(&ps);
    dense_free(&d);
}

/* Part k of x, of H columns. Fused steps are compared with other ops on such parts. */
static struct wf_tensor *part(struct wf_tape *g, struct wf_tensor *x, int k)
{
    return wf_slice(g, x, -1, k * H, (k + 1) * H);
}

Test(rnn, elementwise_steps_are_made_of_other_ops)
{
    struct dense d;
    dense_init(&d);
    dense_commit(&d, 1);
    struct wf_tape *g = &d.g;
    struct wf_tensor *a = dense_input(&d, 1, 3, wf_dims(B, N, 4 * H)), *z;
    struct wf_tensor *b = dense_input(&d, 2, 3, wf_dims(B, N, 4 * H)), *sum = wf_add(g, a, b);
    struct wf_tensor *h = dense_input(&d, 3, 3, wf_dims(B, N, H)), *c = h;
    struct wf_tensor *p = dense_input(&d, 4, 2, wf_dims(3, H));

    struct wf_tensor *r = wf_sigmoid(g, part(g, sum, 0)), *gate = wf_sigmoid(g, part(g, sum, 1));
    struct wf_tensor *u = wf_tanh(g, wf_add(g, part(g, a, 2), wf_mul(g, r, part(g, b, 2))));
    struct wf_tensor *a3 = wf_slice(g, a, -1, 0, 3 * H), *b3 = wf_slice(g, b, -1, 0, 3 * H);
    dense_expect_same(&d, wf_gru_update(g, a3, b3, h), wf_lerp(g, u, h, gate), bar);

    struct wf_tensor *a2 = wf_slice(g, a, -1, 0, 2 * H), *b2 = wf_slice(g, b, -1, 0, 2 * H);
    dense_expect_same(&d, wf_gru_reset(g, a2, b2, h, &z), wf_mul(g, r, h), bar);
    dense_expect_same(&d, z, gate, bar);
    dense_expect_same(&d, wf_gru_blend(g, part(g, a, 2), part(g, b, 2), z, h),
                      wf_lerp(g, wf_tanh(g, part(g, sum, 2)), h, gate), bar);

    struct wf_tensor *w[3];
    for (int k = 0; k < 3; k++) w[k] = wf_select(g, p, 0, k);
    struct wf_tensor *i = wf_sigmoid(g, wf_add(g, part(g, sum, 0), wf_mul(g, c, w[0])));
    struct wf_tensor *f = wf_sigmoid(g, wf_add(g, part(g, sum, 1), wf_mul(g, c, w[1])));
    struct wf_tensor *next = wf_mul(g, i, wf_tanh(g, part(g, sum, 2)));
    next = wf_add(g, wf_mul(g, f, c), next);
    struct wf_tensor *o = wf_sigmoid(g, wf_add(g, part(g, sum, 3), wf_mul(g, next, w[2])));
    dense_expect_same(&d, wf_lstm_update(g, a, b, p, &c), wf_mul(g, o, wf_tanh(g, next)), bar);
    dense_expect_same(&d, c, next, bar);
    dense_free(&d);
}

Test(rnn, elementwise_steps_refuse_other_shapes)
{
    struct dense d;
    dense_init(&d);
    dense_commit(&d, 1);
    struct wf_tape *g = &d.g;
    struct wf_tensor *h = wf_zeros(g, 2, wf_dims(B, H)), *a = wf_zeros(g, 2, wf_dims(B, H + 1)), *z,
                     *c = h;
    wf_lstm_update(g, wf_zeros(g, 1, wf_dims(6)), NULL, NULL, &c);
    dense_expect_refusal(&d, "lstm: the gates are [6], the state is [2, 4]: want [.., 4 H] and");
    h = c = wf_zeros(g, 2, wf_dims(B, H));
    wf_lstm_update(g, wf_zeros(g, 2, wf_dims(B, 4 * H)), NULL, wf_zeros(g, 2, wf_dims(2, H)), &c);
    dense_expect_refusal(&d, "lstm: [2, 4] and [2, 4]: want peepholes [3, H]");
    h = wf_zeros(g, 2, wf_dims(B, H));
    a = wf_zeros(g, 2, wf_dims(B, H + 1));
    wf_gru_update(g, a, a, h);
    dense_expect_refusal(&d, "gru: the gates are [2, 5], the state is [2, 4]: want [.., 3 H]");
    h = wf_zeros(g, 2, wf_dims(B, H));
    a = wf_zeros(g, 3, wf_dims(1, B, 2 * H));
    wf_gru_reset(g, a, NULL, h, &z);
    dense_expect_refusal(&d, "gru_reset: the gates are [1, 2, 8], the state is [2, 4]");
    h = wf_zeros(g, 2, wf_dims(B, H));
    wf_gru_blend(g, h, NULL, wf_zeros(g, 2, wf_dims(B + 1, H)), h);
    dense_expect_refusal(&d, "gru_blend: the gates are [3, 4], the state is [2, 4]");
    dense_free(&d);
}
