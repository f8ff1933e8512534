/* These tests check what only ASTGCN and MSTGCN have: attention, graphs per step and samples. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "models/astgcn.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/tiny.h"

static const struct tiny_config models[] = {
    { .model = "mstgcn", .options = "hidden=3\nchannels=4\n", .seed = 1 },
    { .model = "mstgcn", .options = "hidden=3\nchannels=4\npublished=True\n", .seed = 1 },
    { .model = "astgcn", .options = "hidden=3\nchannels=4\n", .seed = 1 },
    { .model = "astgcn", .options = "hidden=3\nchannels=4\npublished=True\n", .seed = 1 },
};
enum { FORECAST = TINY_Q * TINY_NODES, GRAPHS = 5 };

static void forecast(struct tiny *t, const int *starts, int n, int graphs, wf_real *out)
{
    struct wf_error err = { 0 };
    struct wf_supports S[GRAPHS];
    struct wf_tape g;
    struct wf_batch b;
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    ok(wf_windows_batch(&t->windows, &b, starts, n));
    for (int i = 0; i < GRAPHS; i++) S[i] = t->graph.supports;
    struct wf_tensor *y = strcmp(t->model.type->name, "astgcn") == 0
                              ? wf_astgcn(&g, t->model.layers, S, graphs, &b.x)
                              : wf_mstgcn(&g, t->model.layers, S, graphs, &b.x);
    cr_assert_eq(g.error.status, WF_OK, "%s", g.error.message);
    ok(wf_tensor_download(y, out));
    wf_tape_free(&g);
}

static double distance(const wf_real *a, const wf_real *b)
{
    double worst = 0;
    for (int i = 0; i < FORECAST; i++) worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    return worst;
}

Test(astgcn, a_forecast_depends_on_its_own_sample_alone_but_in_the_published_mstgcn)
{
    static const int starts[3] = { 40, 0, 11 };
    for (int k = 0; k < 4; k++) {
        struct tiny t;
        wf_real three[3 * FORECAST], one[FORECAST];
        tiny_init(&t, models[k], ".");
        forecast(&t, starts, 3, 1, three);
        forecast(&t, starts + 1, 1, 1, one);
        double d = distance(three + FORECAST, one);
        cr_expect((d < 1e-5) == (k != 1), "model %d: off by %g", k, d);
        tiny_free(&t);
    }
    expect_no_leaks();
}

Test(astgcn, the_same_graph_for_every_step_is_one_graph)
{
    static const int start = 3;
    for (int k = 0; k < 4; k++) {
        struct tiny t;
        wf_real each[FORECAST], one[FORECAST];
        tiny_init(&t, models[k], ".");
        forecast(&t, &start, 1, TINY_T, each);
        forecast(&t, &start, 1, 1, one);
        double d = distance(each, one);
        cr_expect((d < 1e-5) == (k != 1), "model %d: off by %g", k, d);
        tiny_free(&t);
    }
    expect_no_leaks();
}

/* Computes softmax(V s((x^T U1) U2 (U3 x) + b)) in loops, where x is [1, T, N, C]. The published
 * softmax runs over the first axis. */
static void loops(const struct wf_astgcn_attention *l, const double *x, int I, int J,
                  const int stride[2], double *a)
{
    const struct wf_st_block_sizes *s = &l->sizes;
    double p[8][8], sum[8] = { 0 };
    for (int i = 0; i < I; i++)
        for (int j = 0; j < I; j++) {
            double v = (double)l->bias->data[j * I + i];
            for (int k = 0; k < J; k++) {
                double left = 0, right = 0;
                for (int c = 0; c < s->in; c++) {
                    double u = 0;
                    for (int m = 0; m < J; m++)
                        u += x[i * stride[0] + m * stride[1] + c] * (double)l->U1->data[m];
                    left += u * (double)l->U2->data[c * J + k];
                    right += x[j * stride[0] + k * stride[1] + c] * (double)l->U3->data[c];
                }
                v += left * right;
            }
            p[i][j] = 1 / (1 + exp(-v));
        }
    for (int i = 0; i < I; i++)
        for (int j = 0; j < I; j++) {
            double e = 0;
            for (int k = 0; k < I; k++) e += (double)l->V->data[k * I + i] * p[k][j];
            a[i * I + j] = exp(e);
            sum[s->published ? j : i] += exp(e);
        }
    for (int i = 0; i < I * I; i++) a[i] /= sum[s->published ? i % I : i / I];
}

Test(astgcn, attention_is_its_formula)
{
    enum { T = 4, N = 5, C = 2 };
    for (int k = 0; k < 4; k++) {
        struct wf_st_block_sizes s = { .nodes = N, .steps = T, .in = C, .published = k / 2 };
        struct wf_astgcn_attention l;
        struct wf_params ps;
        struct wf_tape g;
        struct wf_error err = { 0 };
        wf_real in[T * N * C], got[N * N];
        double x[T * N * C], want[N * N];
        bool nodes = k % 2;
        int I = nodes ? N : T, stride[2] = { nodes ? C : N * C, nodes ? N * C : C };
        wf_params_init(&ps, wf_backend_cpu());
        wf_astgcn_attention_init(&l, &ps, "a", &s, nodes);
        ok(wf_params_commit(&ps, 5, &err));
        for (int i = 0; i < T * N * C; i++) x[i] = (double)(in[i] = (wf_real)sin(1.7 * i));
        loops(&l, x, I, T + N - I, stride, want);
        ok(wf_tape_init(&g, wf_backend_cpu(), &err));
        struct wf_tensor *y = wf_astgcn_attention(&g, &l, wf_input(&g, in, 4, wf_dims(1, T, N, C)));
        WF_RUN(&g, wf_tensor_download(wf_contiguous(&g, y), got));
        cr_assert_eq(g.error.status, WF_OK, "%s", g.error.message);
        for (int i = 0; i < I * I; i++)
            cr_expect_float_eq((double)got[i], want[i], 1e-5, "case %d, %d: %g, want %g", k, i,
                               (double)got[i], want[i]);
        wf_tape_free(&g);
        wf_params_free(&ps);
    }
    expect_no_leaks();
}

static void expect_refusal(struct wf_tape *g, const char *why)
{
    cr_expect_eq(g->error.status, WF_EINVAL);
    cr_expect(strstr(g->error.message, why), "%s", g->error.message);
    wf_tape_reset(g);
}

Test(astgcn, other_shapes_and_numbers_of_graphs_and_blocks_are_refused)
{
    struct tiny a, m;
    struct wf_tape g;
    struct wf_params ps;
    struct wf_astgcn astgcn;
    struct wf_mstgcn mstgcn;
    struct wf_error err = { 0 };
    tiny_init(&m, models[0], ".");
    tiny_init(&a, models[2], ".");
    const struct wf_astgcn *al = a.model.layers;
    const struct wf_mstgcn *ml = m.model.layers;
    const struct wf_supports *S = &a.graph.supports;
    int C = a.windows.channels;
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    wf_astgcn(&g, al, S, 1, wf_zeros(&g, 4, wf_dims(2, TINY_T + 1, TINY_NODES, C)));
    expect_refusal(&g, "astgcn: x is [2, 5, 6,");
    wf_astgcn(&g, al, S, 2, wf_zeros(&g, 4, wf_dims(2, TINY_T, TINY_NODES, C)));
    expect_refusal(&g, "astgcn: 2 graphs for 4 steps");
    wf_mstgcn(&g, ml, S, 3, wf_zeros(&g, 4, wf_dims(2, TINY_T, TINY_NODES, C)));
    expect_refusal(&g, "mstgcn: 3 graphs for 4 steps");
    wf_mstgcn(&g, ml, S, 1, wf_zeros(&g, 4, wf_dims(2, TINY_T, TINY_NODES, C + 1)));
    expect_refusal(&g, "mstgcn: x is [2, 4, 6,");
    struct wf_astgcn_config ac = wf_astgcn_defaults();
    struct wf_mstgcn_config mc = wf_mstgcn_defaults();
    ac.blocks = WF_ST_BLOCKS + 1;
    mc.blocks = 0;
    wf_params_init(&ps, wf_backend_cpu());
    wf_astgcn_init(&astgcn, &ps, ac, &al->task);
    cr_expect_eq(wf_params_commit(&ps, 0, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "astgcn: 9 blocks, want 1 to 8"), "%s", err.message);
    wf_params_free(&ps);
    wf_params_init(&ps, wf_backend_cpu());
    wf_mstgcn_init(&mstgcn, &ps, mc, &ml->task);
    cr_expect_eq(wf_params_commit(&ps, 0, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "mstgcn: 0 blocks"), "%s", err.message);
    wf_params_free(&ps);
    wf_tape_free(&g);
    tiny_free(&a);
    tiny_free(&m);
    expect_no_leaks();
}
