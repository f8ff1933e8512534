/* These tests compare GMAN's layers with loops, and check its forecast times and its refusals. */
#include "models/gman.h"
#include "tests/kit/dense.h"

TestSuite(gman);

enum { DAY = 6, NODES = 3 };
static const struct wf_gman_sizes sizes = { .in = 1,
                                            .out = 1,
                                            .channels = 4,
                                            .heads = 2,
                                            .blocks = 1,
                                            .steps_per_day = DAY,
                                            .days = true,
                                            .momentum = 0.1 };

static struct wf_tensor *input(struct dense *d, const wf_real *host, int ndim, const int *shape)
{
    return wf_input(&d->g, host, ndim, shape);
}

Test(gman, the_step_after_the_last_of_sunday_is_the_first_of_monday)
{
    struct dense d;
    struct wf_gman_net l;
    const wf_real run_on[3] = { (wf_real)5 / DAY, 1, (wf_real)7 / DAY }; /* no value is exact */
    const wf_real within[3] = { (wf_real)5 / DAY, 0, (wf_real)1 / DAY };
    const wf_real sunday[3] = { (wf_real)6 / 7, (wf_real)6 / 7, (wf_real)6 / 7 };
    const wf_real monday[3] = { (wf_real)6 / 7, 0, 0 };
    dense_init(&d);
    wf_gman_net_init(&l, &d.ps, NULL, sizes);
    dense_commit(&d, 3);
    struct wf_tensor *places = dense_input(&d, 1, 2, wf_dims(NODES, 4));
    struct wf_tensor *a =
        wf_gman_embed(&d.g, &l.embedding, places, input(&d, run_on, 2, wf_dims(1, 3)),
                      input(&d, sunday, 2, wf_dims(1, 3)));
    struct wf_tensor *b =
        wf_gman_embed(&d.g, &l.embedding, places, input(&d, within, 2, wf_dims(1, 3)),
                      input(&d, monday, 2, wf_dims(1, 3)));
    cr_assert_arr_eq(a->shape, wf_dims(1, 3, NODES, 4), 4 * sizeof(int));
    dense_expect_same(&d, a, b, 1e-12);
    for (int i = 0; i < 2; i++) { /* results must differ between steps and between places */
        struct wf_tensor *u = wf_select(&d.g, a, i + 1, 0), *v = wf_select(&d.g, a, i + 1, 1);
        cr_expect(fabs(dense_at(u, 0) - dense_at(v, 0)) > 1e-3);
    }
    dense_free(&d);
}

/* The times of the forecast continue from the last step of the input. */
Test(gman, a_forecast_goes_on_from_the_time_of_its_last_step)
{
    enum { B = 2, T = 3, Q = 5, C = 3 };
    struct dense d;
    struct wf_gman m;
    struct wf_task task = { .nodes = NODES,
                            .channels = C,
                            .targets = 1,
                            .T = T,
                            .Q = Q,
                            .steps_per_day = DAY,
                            .time_of_day = true,
                            .day_of_week = true };
    wf_real x[B * T * NODES * C], time[B * (T + Q)], day[B * (T + Q)];
    dense_init(&d);
    wf_gman_init(&m, &d.ps, (struct wf_gman_config){ .heads = 2, .width = 2, .blocks = 2 }, &task);
    dense_commit(&d, 4);
    d.g.training = false;
    for (int b = 0; b < B; b++)
        for (int t = 0; t < T + Q; t++) {
            int at = 39 * b + 3 + t; /* counts steps from Monday, wraps after a week */
            time[b * (T + Q) + t] = (wf_real)(at % DAY) / DAY;
            day[b * (T + Q) + t] = (wf_real)(at / DAY % 7) / 7;
            for (int n = 0; n < NODES && t < T; n++) {
                wf_real *to = x + ((b * T + t) * NODES + n) * C;
                to[0] = (wf_real)sin(b + 2.0 * t + 5.0 * n);
                to[1] = time[b * (T + Q) + t];
                to[2] = day[b * (T + Q) + t];
            }
        }
    struct wf_tensor *all = input(&d, x, 4, wf_dims(B, T, NODES, C));
    struct wf_tensor *STE =
        wf_gman_embed(&d.g, &m.net.embedding, m.places, input(&d, time, 2, wf_dims(B, T + Q)),
                      input(&d, day, 2, wf_dims(B, T + Q)));
    struct wf_tensor *want = wf_gman_net(&d.g, &m.net, wf_slice(&d.g, all, -1, 0, 1), STE);
    struct wf_batch batch = { .B = B, .T = T, .Q = Q, .N = NODES, .C = C, .x = *all };
    dense_expect_same(&d, wf_gman_forward(&d.g, &m, &batch), want, 1e-12);
    dense_free(&d);
}

/* The position in the window stands for the time of day; the day of the week is not read. */
Test(gman, without_a_clock_steps_are_known_by_their_place)
{
    enum { B = 2, T = 3, Q = 5, C = 2 };
    struct wf_task task = {
        .nodes = NODES, .channels = C, .targets = 1, .T = T, .Q = Q, .day_of_week = true
    };
    struct dense d;
    struct wf_gman m;
    wf_real time[B * (T + Q)];
    dense_init(&d);
    wf_gman_init(&m, &d.ps, (struct wf_gman_config){ .heads = 2, .width = 2, .blocks = 1 }, &task);
    dense_commit(&d, 4);
    d.g.training = false;
    for (int i = 0; i < B * (T + Q); i++) time[i] = (wf_real)(i % (T + Q)) / (T + Q);
    struct wf_tensor *x = dense_input(&d, 1, 4, wf_dims(B, T, NODES, C));
    struct wf_tensor *STE = wf_gman_embed(&d.g, &m.net.embedding, m.places,
                                          input(&d, time, 2, wf_dims(B, T + Q)), NULL);
    struct wf_tensor *want = wf_gman_net(&d.g, &m.net, wf_slice(&d.g, x, -1, 0, 1), STE);
    struct wf_batch batch = { .B = B, .T = T, .Q = Q, .N = NODES, .C = C, .x = *x };
    dense_expect_same(&d, wf_gman_forward(&d.g, &m, &batch), want, 1e-12);
    dense_free(&d);
}

Test(gman, causal_attention_does_not_see_later_steps)
{
    struct dense d;
    struct wf_gman_attention l;
    struct wf_gman_attention_config cfg = {
        .in = 4, .channels = 4, .heads = 2, .steps = true, .causal = true, .momentum = 0.1
    };
    dense_init(&d);
    wf_gman_attention_init(&l, &d.ps, "attention", cfg);
    dense_commit(&d, 5);
    d.g.training = false;
    struct wf_tensor *x = dense_input(&d, 2, 4, wf_dims(2, 4, NODES, 4));
    struct wf_tensor *all = wf_gman_attention(&d.g, &l, x, x, x);
    for (int t = 1; t < 4; t++) {
        struct wf_tensor *u = wf_slice(&d.g, x, 1, 0, t);
        dense_expect_same(&d, wf_gman_attention(&d.g, &l, u, u, u), wf_slice(&d.g, all, 1, 0, t),
                          sizeof(wf_real) == 8 ? 1e-13 : 1e-5);
    }
    dense_free(&d);
}

static void expect_no_net(struct wf_gman_sizes s, const char *why)
{
    struct wf_params ps;
    struct wf_gman_net l;
    struct wf_error err = { 0 };
    wf_params_init(&ps, wf_backend_cpu());
    wf_gman_net_init(&l, &ps, NULL, s);
    cr_expect_eq(wf_params_commit(&ps, 0, &err), WF_EINVAL);
    cr_expect(strstr(err.message, why), "%s", err.message);
    wf_params_free(&ps);
}

Test(gman, sizes_without_a_day_or_that_do_not_fit_are_refused)
{
    struct dense d;
    struct wf_gman_net l;
    struct wf_gman_sizes s = sizes;
    s.heads = 3;
    expect_no_net(s, "gman: 3 heads of 4 channels");
    s = sizes;
    s.blocks = 9;
    expect_no_net(s, "gman: 9 blocks, 6 steps per day, want 1 to 8");
    s = sizes;
    s.steps_per_day = 0;
    expect_no_net(s, "gman: 1 blocks, 0 steps per day");
    dense_init(&d);
    wf_gman_net_init(&l, &d.ps, NULL, sizes);
    dense_commit(&d, 1);
    struct wf_tensor *x = dense_input(&d, 1, 4, wf_dims(2, 3, NODES, 1));
    wf_gman_net(&d.g, &l, x, dense_input(&d, 2, 4, wf_dims(2, 3, NODES, 4)));
    dense_expect_refusal(&d, "gman: x [2, 3, 3, 1], STE [2, 3, 3, 4]: want");
    struct wf_tensor *far = dense_input(&d, 1, 2, wf_dims(1, 15 * DAY));
    wf_gman_embed(&d.g, &l.embedding, dense_input(&d, 1, 2, wf_dims(NODES, 4)), far, far);
    dense_expect_refusal(&d, "gman: 17 days ahead");
    wf_gman_attention(&d.g, &l.bridge, dense_input(&d, 1, 4, wf_dims(2, 3, NODES, 5)), x, x);
    dense_expect_refusal(&d, "linear: [2, 3, 3, 5]");
    dense_free(&d);
}
