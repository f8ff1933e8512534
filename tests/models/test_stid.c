/* These tests compare STID with the same computation in loops. */
#include "models/stid.h"
#include "tests/kit/byhand.h"
#include "tests/kit/tiny.h"

enum { T = 3, N = 2, Q = 2, D = 2, DAY = 5, LAYERS = 2, WIDTH = 4 * D };

static void put_row(const struct byhand *m, const char *table, int row, double *z)
{
    const wf_real *rows = byhand_param(m, NULL, table);
    for (int i = 0; i < D; i++) z[i] = (double)rows[row * D + i];
}

/* Computes y[Q] of node n in sample b; channels are the measured one, time of day and weekday. */
static void by_formula(const struct byhand *m, int b, int n, double *y)
{
    int C = m->task.channels, width = (2 + m->task.time_of_day + m->task.day_of_week) * D, at;
    double past[T * 3], z[WIDTH], u[WIDTH], v[WIDTH];
    for (int i = 0; i < T * C; i++) past[i] = byhand_x(m, b, i / C, n, i % C);
    byhand_linear(m, "inputs", past, T * C, D, z);
    put_row(m, "node", n, z + D);
    at = 2 * D;
    if (m->task.time_of_day) {
        put_row(m, "calendar.day", byhand_row(m, b, T - 1, 1, DAY), z + at);
        at += D;
    }
    if (m->task.day_of_week) put_row(m, "calendar.week", byhand_row(m, b, T - 1, C - 1, 7), z + at);
    for (int k = 0; k < LAYERS; k++) {
        char first[32], second[32];
        snprintf(first, sizeof first, "layer.%d.first", k);
        snprintf(second, sizeof second, "layer.%d.second", k);
        byhand_linear(m, first, z, width, width, u);
        for (int i = 0; i < width; i++) u[i] = fmax(u[i], 0);
        byhand_linear(m, second, u, width, width, v);
        for (int i = 0; i < width; i++) z[i] += v[i];
    }
    byhand_linear(m, "head", z, width, Q, y);
}

static void expect_formula(bool day, bool week)
{
    struct byhand m;
    double y[Q];
    struct wf_task task = { .nodes = N,
                            .channels = 1 + day + week,
                            .targets = 1,
                            .T = T,
                            .Q = Q,
                            .steps_per_day = DAY,
                            .time_of_day = day,
                            .day_of_week = week };
    byhand_init(&m, "stid", "embedding=2\nlayers=2\n", task, NULL);
    for (int b = 0; b < BYHAND_BATCH; b++)
        for (int n = 0; n < N; n++) {
            by_formula(&m, b, n, y);
            for (int q = 0; q < Q; q++) byhand_expect(byhand_y(&m, b, q, n), y[q]);
        }
    byhand_free(&m);
}

Test(stid, is_its_formula)
{
    expect_formula(true, true);
}

Test(stid, does_without_what_the_inputs_do_not_tell)
{
    expect_formula(true, false);
    expect_formula(false, true);
    expect_formula(false, false);
}

Test(stid, a_time_of_day_without_a_number_of_steps_has_no_table)
{
    struct dense d;
    struct wf_calendar l;
    struct wf_init init = { .kind = WF_INIT_NORMAL, .gain = 1 };
    struct wf_task task = { .channels = 3, .time_of_day = true, .day_of_week = true };
    dense_init(&d);
    wf_calendar_init(&l, &d.ps, "calendar", 4, init, &task);
    cr_expect_eq(l.tables, 1);
    cr_expect_eq(l.channel[0], 2);
    cr_expect_eq(l.rows[0], 7);
    dense_free(&d);
}

/* The paper gives .12 M parameters; the exact number is 36 * 32 + 32 + (207 + 288 + 7) * 32 +
 * 3 * 2 * (128^2 + 128) + 128 * 12 + 12. */
Test(stid, has_the_published_number_of_parameters_at_metr_la)
{
    cr_expect_eq(byhand_metr_la("stid", true), 117868, "%td", byhand_metr_la("stid", true));
}

Test(stid, too_many_layers_are_refused)
{
    struct wf_stid_config cfg = wf_stid_defaults();
    cfg.layers = WF_STID_LAYERS + 1;
    byhand_refuses("stid", &cfg, "stid: 17 layers, want at most 16");
}

Test(stid, learns_a_wave_on_a_ring)
{
    tiny_expect_to_learn((struct tiny_config){
        .model = "stid", .options = "embedding=8\nlayers=2\n", .day_of_week = true, .seed = 1 });
}
