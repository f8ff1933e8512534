/* These tests run every whole model on a tiny series: gradients, inference and refusals. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "autograd/gradcheck.h"
#include "models/a3tgcn.h"
#include "models/aagcn.h"
#include "models/agcrn.h"
#include "models/mpnnlstm.h"
#include "models/stgcn.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/tiny.h"

enum { MOST_LEAVES = 1024 };

static const int starts[3] = { 0, 11, 40 };

static struct wf_tensor *build(struct wf_tape *g, void *ctx)
{
    struct tiny *t = ctx;
    struct wf_batch b;
    struct wf_step step = { .seed = 7, .teach = 0.5 };
    wf_tape_set_step(g, &step);
    WF_RUN(g, wf_windows_batch(&t->windows, &b, starts, 3));
    wf_batch_bind(g, &b, &t->graph);
    return t->model.type->forward(g, t->model.layers, &b);
}

static void expect_gradients(struct tiny_config config)
{
    struct tiny t;
    struct wf_error err = { 0 };
    struct wf_tensor *leaf[MOST_LEAVES];
    double worst;
    int which, n = 0;
    tiny_init(&t, config, ".");
    cr_assert(t.params.count <= MOST_LEAVES);
    for (int i = 0; i < t.params.count; i++) leaf[n++] = &t.params.param[i]->value;
    /* In float a longer step crosses kinks of relu, a shorter one drowns in rounding. */
    double eps = sizeof(wf_real) == 8 ? 1e-6 : 1e-4;
    struct wf_gradcheck c = {
        .build = build, .ctx = &t, .leaf = leaf, .leaves = n, .seed = 2, .eps = eps
    };
    ok(wf_gradcheck_run(&c, wf_backend_cpu(), &worst, &which, &err));
    double bar = sizeof(wf_real) == 8 ? 1e-7 : 2e-2;
    cr_expect(worst <= bar, "%s: %s off by %g", config.model, t.params.param[which]->name, worst);
    tiny_free(&t);
    expect_no_leaks();
}

/* This checks every parameter of the whole model, with the recurrence and the sampling. */
FOR_EVERY_MODEL(models, gradient_through_the_whole_model)
{
    struct tiny_config config = tiny_model(row);
    /* Float is too inexact for dozens of batch normalisations; parity compares float gradients. */
    if (sizeof(wf_real) == 4 && strcmp(config.model, "gman") == 0) return;
    expect_gradients(config);
}

/* Inference gives memory back while it runs; its numbers must not change for that. Models
 * that read all steps at once have none to give memory back between. */
FOR_EVERY_MODEL(models, forecasts_are_the_same_bits_with_and_without_recording)
{
    struct tiny_config config = tiny_model(row);
    struct tiny t;
    struct wf_error err = { 0 };
    struct wf_tape g;
    wf_real out[2][3 * TINY_T * TINY_NODES];
    size_t used[2];
    tiny_init(&t, config, ".");
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    for (int pass = 0; pass < 2; pass++) {
        wf_tape_reset(&g);
        g.training = false;
        g.recording = pass == 0;
        struct wf_tensor *y = build(&g, &t);
        ok(g.error.status);
        int want[4] = { 3, t.windows.cfg.Q, TINY_NODES, 1 };
        cr_assert_arr_eq(y->shape, want, sizeof want);
        ok(wf_tensor_download(y, out[pass]));
        used[pass] = g.mem.used;
    }
    size_t bytes = sizeof(wf_real) * 3 * (size_t)t.windows.cfg.Q * TINY_NODES;
    cr_expect_arr_eq(out[0], out[1], bytes);
    bool steps = !strstr(config.options, "restart=True") && strcmp(config.model, "mpnnlstm") != 0;
    cr_expect(used[1] < (steps ? used[0] / 2 : used[0] + 1), "%s: %zu of %zu bytes", config.model,
              used[1], used[0]);
    wf_tape_free(&g);
    tiny_free(&t);
    expect_no_leaks();
}

/* ---- a graph that changes ---- */

enum { TINY_SIZE = 3 * TINY_T * TINY_NODES };

FOR_EVERY_MODEL(models, gradient_through_graphs_that_change)
{
    struct tiny_config config;
    if (tiny_changing(row, &config)) expect_gradients(config);
}

/* Forecasts the windows; one_graph chooses the constant supports. */
static void forecast(struct tiny *t, bool one_graph, wf_real out[TINY_SIZE])
{
    struct wf_tape g;
    struct wf_error err = { 0 };
    struct wf_batch b;
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    g.training = g.recording = false;
    WF_RUN(&g, wf_windows_batch(&t->windows, &b, starts, 3));
    if (one_graph) b.weights = (struct wf_tensor){ 0 };
    wf_batch_bind(&g, &b, &t->graph);
    struct wf_tensor *y = t->model.type->forward(&g, t->model.layers, &b);
    ok(g.error.status);
    memset(out, 0, TINY_SIZE * sizeof *out);
    ok(wf_tensor_download(y, out));
    wf_tape_free(&g);
}

/* The published MSTGCN is left out: it mixes nodes and steps on one graph but not on several. */
FOR_EVERY_MODEL(models, graphs_that_stay_the_same_are_one_graph)
{
    struct tiny_config config;
    struct tiny t;
    wf_real out[2][TINY_SIZE];
    if (!tiny_changing(row, &config)) return;
    if (!strcmp(config.model, "mstgcn") && strstr(config.options, "published=True")) return;
    tiny_init(&t, config, ".");
    for (int i = 0; i < TINY_ROWS * TINY_EDGES; i++)
        t.weights.values[i] = t.graph.weight.data[i % TINY_EDGES];
    for (int k = 0; k < 2; k++) forecast(&t, k, out[k]);
    for (int i = 0; i < TINY_SIZE; i++)
        cr_expect_float_eq((double)out[0][i], (double)out[1][i], 2000 * WF_REAL_EPS, "%s, %d: %g",
                           config.model, i, (double)(out[0][i] - out[1][i]));
    tiny_free(&t);
    expect_no_leaks();
}

/* Whether the forecast of window starts[1] changes with the graphs of its steps from .. to - 1. */
static bool reads(struct tiny *t, int from, int to)
{
    wf_real before[TINY_SIZE], after[TINY_SIZE], kept[2 * TINY_T * TINY_EDGES];
    wf_real *w = t->weights.values + (starts[1] + from) * TINY_EDGES;
    size_t bytes = (size_t)(to - from) * TINY_EDGES * sizeof *w;
    forecast(t, false, before);
    memcpy(kept, w, bytes);
    for (int i = 0; i < (to - from) * TINY_EDGES; i++) w[i] = w[i] == 0 ? (wf_real)0.8 : 0;
    forecast(t, false, after);
    memcpy(w, kept, bytes);
    return memcmp(before, after, sizeof before) != 0;
}

/* Models read the graphs of all input steps, except those in `last`; none reads the future. */
FOR_EVERY_MODEL(models, the_graphs_of_the_input_steps_are_read_or_the_last_one_alone)
{
    static const char *const last[] = { "mpnnlstm", "stgcn",       "gwnet",
                                        "aagcn",    "evolvegcn-o", "d2stgnn" };
    struct tiny_config config;
    struct tiny t;
    bool every = true;
    if (!tiny_changing(row, &config)) return;
    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        every &= strcmp(config.model, last[i]) != 0;
    tiny_init(&t, config, ".");
    cr_expect(reads(&t, TINY_T - 1, TINY_T), "%s does not read the last graph", config.model);
    cr_expect_eq(reads(&t, 0, TINY_T - 1), every, "%s and the graphs before", config.model);
    cr_expect(!reads(&t, TINY_T, TINY_T + TINY_Q), "%s reads the future", config.model);
    tiny_free(&t);
    expect_no_leaks();
}

Test(models, of_graphs_that_change_some_are_refused)
{
    static const struct {
        struct tiny_config config;
        const char *why;
    } rows[] = {
        { { .model = "dcrnn-pgt", .options = "", .compat = WF_COMPAT_PGT },
          "this compat goes by the order of all edges" },
        { { .model = "mstgcn", .options = "hidden=3\nchannels=4\nstride=2\n" },
          "mstgcn: 4 graphs for 2 steps" },
        { { .model = "astgcn", .options = "hidden=3\nchannels=4\nstride=2\n" },
          "astgcn: 4 graphs for 2 steps" },
        { { .model = "dygrencoder", .options = "channels=4\naggr=max\n" },
          "aggregate: the largest message" },
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct tiny_config config = rows[k].config;
        struct tiny t;
        struct wf_error err = { 0 };
        struct wf_tape g;
        config.dynamic = true;
        tiny_init(&t, config, ".");
        ok(wf_tape_init(&g, wf_backend_cpu(), &err));
        build(&g, &t);
        cr_expect_eq(g.error.status, WF_EINVAL, "%s is taken", rows[k].config.model);
        cr_expect(strstr(g.error.message, rows[k].why), "%s", g.error.message);
        wf_tape_free(&g);
        tiny_free(&t);
    }
    expect_no_leaks();
}

/* This is T-GCN as its formula stands; the library's step folds two products into one. */
static struct wf_tensor *tgcn_plain(struct wf_tape *g, const struct wf_tgcn_cell *l,
                                    const struct wf_supports *S, struct wf_tensor *x,
                                    struct wf_tensor *h)
{
    int H = l->hidden;
    struct wf_tensor *U = wf_gcn(g, &l->conv, S, x), *gate[3];
    for (int k = 0; k < 3; k++) {
        struct wf_tensor *u = wf_slice(g, U, -1, k * H, (k + 1) * H);
        struct wf_tensor *A = wf_slice(g, l->mix.weight, 1, k * H, (k + 1) * H);
        struct wf_tensor *a = wf_slice(g, l->mix.bias, 0, k * H, (k + 1) * H);
        struct wf_tensor *s = k < 2 ? h : wf_mul(g, gate[0], h);
        s = wf_add(g, wf_matmul(g, wf_concat(g, u, s), A), a);
        gate[k] = k < 2 ? wf_sigmoid(g, s) : wf_tanh(g, s);
    }
    return wf_lerp(g, gate[2], h, gate[1]);
}

/* Returns the largest |a - b|. */
static double distance(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b)
{
    wf_real d = NAN;
    WF_RUN(g, wf_tensor_download(wf_max_all(g, wf_abs(g, wf_sub(g, a, b))), &d));
    return (double)d;
}

Test(models, the_cell_of_tgcn_is_its_formula)
{
    struct tiny t;
    struct wf_error err = { 0 };
    struct wf_tape g;
    wf_real x[TINY_NODES * 2], h[TINY_NODES * 4];
    tiny_init(&t, (struct tiny_config){ .model = "tgcn", .options = "hidden=4\n" }, ".");
    const struct wf_tgcn_cell *l = &((const struct wf_tgcn *)t.model.layers)->cell;
    for (int i = 0; i < l->conv.bias->shape[0]; i++) l->conv.bias->data[i] = (wf_real)sin(i);
    int C = t.windows.channels;
    cr_assert(C <= 2);
    for (int i = 0; i < TINY_NODES * 2; i++) x[i] = (wf_real)sin(2.0 * i + 1);
    for (int i = 0; i < TINY_NODES * 4; i++) h[i] = (wf_real)cos(3.0 * i);
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    struct wf_tensor *tx = wf_input(&g, x, 3, wf_dims(1, TINY_NODES, C));
    struct wf_tensor *th = wf_input(&g, h, 3, wf_dims(1, TINY_NODES, 4));
    struct wf_tgcn_weights w = wf_tgcn_bind(&g, l);
    double d = distance(&g, wf_tgcn_step(&g, &w, &t.graph.supports, tx, th),
                        tgcn_plain(&g, l, &t.graph.supports, tx, th));
    ok(g.error.status);
    cr_expect(d <= (sizeof(wf_real) == 8 ? 1e-14 : 1e-5), "off by %g", d);
    wf_tape_free(&g);
    tiny_free(&t);
    expect_no_leaks();
}

static void expect_refusal(struct wf_tape *g, const char *why)
{
    cr_expect_eq(g->error.status, WF_EINVAL);
    cr_expect(strstr(g->error.message, why), "%s", g->error.message);
    wf_tape_reset(g);
}

Test(models, sizes_and_graphs_that_do_not_fit_are_refused)
{
    struct tiny t, walk;
    struct wf_error err = { 0 };
    struct wf_tape g;
    struct wf_params ps;
    struct wf_agcrn agcrn;
    struct wf_agcrn_config cfg = wf_agcrn_defaults();
    tiny_init(&t, tiny_model(6), ".");
    tiny_init(&walk, tiny_model(0), ".");
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    const struct wf_a3tgcn *m = t.model.layers;
    struct wf_tensor *h = wf_zeros(&g, 3, wf_dims(1, TINY_NODES, 4));
    struct wf_tensor *x = wf_zeros(&g, 3, wf_dims(1, TINY_NODES, t.windows.channels));
    struct wf_tgcn_weights w = wf_tgcn_bind(&g, &m->cell.tgcn);
    wf_tgcn_step(&g, &w, &walk.graph.supports, x, h);
    expect_refusal(&g, "2 supports, want 1");
    x = wf_zeros(&g, 4, wf_dims(1, TINY_T + 1, TINY_NODES, t.windows.channels));
    wf_a3tgcn(&g, &m->cell, &t.graph.supports, x, h);
    expect_refusal(&g, "want [B, 4, N, C]");
    wf_params_init(&ps, wf_backend_cpu());
    cfg.layers = WF_AGCRN_LAYERS + 1;
    wf_agcrn_init(&agcrn, &ps, cfg, &m->task);
    cr_expect_eq(wf_params_commit(&ps, 0, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "5 layers, want 1 to 4"), "%s", err.message);
    struct wf_avwgcn_nodes nodes = { .terms = 2 };
    struct wf_tensor *flat = wf_zeros(&g, 2, wf_dims(3, 3));
    wf_avwgcn(&g, &nodes, flat, flat);
    expect_refusal(&g, "x [3, 3], 2 terms");
    struct wf_mpnnlstm_cell mpnn = { .hidden = 3 };
    wf_mpnnlstm(&g, &mpnn, &t.graph.supports, wf_zeros(&g, 4, wf_dims(1, 2, TINY_NODES + 1, 2)));
    expect_refusal(&g, "mpnnlstm: x [1, 2, 7, 2], graph of 6 nodes");
    struct wf_recurrent many = { .states = WF_MAXSTATE + 1 };
    wf_recurrent_forecast(&g, &many, NULL);
    expect_refusal(&g, "9 states, want at most 8");
    wf_params_free(&ps);
    wf_tape_free(&g);
    tiny_free(&t);
    tiny_free(&walk);
    expect_no_leaks();
}

static void expect_no_init(struct wf_params *ps, const char *why)
{
    struct wf_error err = { 0 };
    cr_expect_eq(wf_params_commit(ps, 0, &err), WF_EINVAL);
    cr_expect(strstr(err.message, why), "%s", err.message);
    wf_params_free(ps);
}

Test(models, convolutions_over_time_refuse_what_does_not_fit)
{
    struct tiny t, none;
    struct wf_error err = { 0 };
    struct wf_tape g;
    struct wf_params ps;
    struct wf_stgcn stgcn;
    struct wf_aagcn aagcn;
    struct wf_aagcn_block block;
    struct wf_task task = { .nodes = 3, .channels = 1, .targets = 1, .T = 8, .Q = 2, .terms = 2 };
    wf_params_init(&ps, wf_backend_cpu());
    wf_stgcn_init(&stgcn, &ps, wf_stgcn_defaults(), &task);
    expect_no_init(&ps, "2 blocks of kernel 3 want 1 to 8 blocks and 9 steps, there are 8");
    wf_aagcn_init(&aagcn, &ps, (struct wf_aagcn_config){ .hidden = 8, .blocks = 11 }, &task);
    expect_no_init(&ps, "11 blocks, want 1 to 10");
    wf_aagcn_block_init(&block, &ps, "block", (struct wf_aagcn_sizes){ 3, 1, 6, .stride = 1 });
    expect_no_init(&ps, "6 channels, want a multiple of 4");
    tiny_init(&t, (struct tiny_config){ .model = "aagcn", .options = "hidden=4\nadaptive=False\n" },
              ".");
    tiny_init(&none, (struct tiny_config){ .model = "stgcn", .options = "kernel=2\nblocks=1\n" },
              ".");
    ok(wf_tape_init(&g, wf_backend_cpu(), &err));
    const struct wf_aagcn *a = t.model.layers;
    const struct wf_stgcn *s = none.model.layers;
    struct wf_tensor *x = wf_zeros(&g, 4, wf_dims(2, 4, TINY_NODES, t.windows.channels));
    wf_aagcn_block(&g, &a->block[0], &none.graph.supports, x);
    expect_refusal(&g, "1 supports, want the two random walks");
    x = wf_zeros(&g, 4, wf_dims(2, 4, TINY_NODES + 1, t.windows.channels));
    wf_aagcn_block(&g, &a->block[0], &t.graph.supports, x);
    expect_refusal(&g, "aagcn: x is [2, 4, 7");
    x = wf_zeros(&g, 4, wf_dims(2, 2, TINY_NODES, none.windows.channels));
    wf_st_conv(&g, &s->block[0], &none.graph.supports, x);
    expect_refusal(&g, "conv: [2, 1, 6");
    wf_temporal_conv(&g, &s->last, x);
    expect_refusal(&g, "conv: [2, 2, 6");
    wf_tape_free(&g);
    tiny_free(&t);
    tiny_free(&none);
    expect_no_leaks();
}
