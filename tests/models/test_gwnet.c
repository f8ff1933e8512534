/* These tests compare Graph WaveNet with the same computation in loops. */
#include "models/gwnet.h"
#include "tests/kit/byhand.h"
#include "tests/kit/tiny.h"

enum {
    T = 5,
    REACH = 7,
    N = BYHAND_NODES,
    Q = 2,
    H = 2,
    SKIP = 3,
    END = 4,
    D = 2,
    BLOCKS = 2,
    LAYERS = 2
};
enum { HOPS = 2, GRAPHS = 3, TERMS = 1 + HOPS * GRAPHS };

/* The graphs are the two random walks, then the learned one. */
static void graphs(const struct byhand *m, double P[GRAPHS][N][N])
{
    const wf_real *E1 = byhand_param(m, NULL, "source"), *E2 = byhand_param(m, NULL, "target");
    byhand_walks(P);
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++) {
            double s = 0;
            for (int k = 0; k < D; k++) s += (double)E1[i * D + k] * (double)E2[k * N + j];
            sum += P[2][i][j] = exp(fmax(s, 0));
        }
        for (int j = 0; j < N; j++) P[2][i][j] /= sum;
    }
}

/* Computes the graph convolution y [N, H] of one step u [N, H]. */
static void diffuse(const struct byhand *m, const char *name, double P[GRAPHS][N][N],
                    double u[N][H], double y[N][H])
{
    double term[N][TERMS * H], now[N][H], next[N][H];
    for (int n = 0; n < N; n++) memcpy(term[n], u[n], sizeof u[n]);
    for (int s = 0, k = 1; s < GRAPHS; s++) {
        memcpy(now, u, sizeof now);
        for (int hop = 0; hop < HOPS; hop++, k++) {
            memset(next, 0, sizeof next);
            for (int i = 0; i < N; i++)
                for (int j = 0; j < N; j++)
                    for (int c = 0; c < H; c++) next[i][c] += P[s][i][j] * now[j][c];
            memcpy(now, next, sizeof now);
            for (int n = 0; n < N; n++) memcpy(term[n] + k * H, now[n], sizeof now[n]);
        }
    }
    for (int n = 0; n < N; n++) byhand_linear(m, name, term[n], TERMS * H, H, y[n]);
}

static double normal(const struct byhand *m, const char *norm, int c, double x)
{
    const wf_real *mean = byhand_param(m, norm, "mean"), *var = byhand_param(m, norm, "var");
    const wf_real *w = byhand_param(m, norm, "weight"), *b = byhand_param(m, norm, "bias");
    return (x - (double)mean[c]) / sqrt((double)var[c] + 1e-5) * (double)w[c] + (double)b[c];
}

/* Computes u[t], for t >= dilation, from x[t - dilation] and x[t]. */
static void gate(const struct byhand *m, const char *name, int dilation, double x[REACH][N][H],
                 int t, double u[N][H])
{
    double both[2 * H], a[2 * H];
    for (int n = 0; n < N; n++) {
        memcpy(both, x[t - dilation][n], sizeof x[t][n]);
        memcpy(both + H, x[t][n], sizeof x[t][n]);
        byhand_linear(m, name, both, 2 * H, 2 * H, a);
        for (int c = 0; c < H; c++) u[n][c] = tanh(a[c]) * byhand_sigmoid(a[H + c]);
    }
}

/* Applies layer i to x[from ..] in place and adds to skip. Returns the first step that remains. */
static int layer(const struct byhand *m, int i, double P[GRAPHS][N][N], double x[REACH][N][H],
                 int from, double skip[N][SKIP])
{
    char gated[32], graph[32], norm[32], to_skip[32];
    int dilation = i % LAYERS ? 2 : 1;
    double u[N][H], y[N][H], s[SKIP];
    snprintf(gated, sizeof gated, "layer.%d.gated", i);
    snprintf(graph, sizeof graph, "layer.%d.graph", i);
    snprintf(norm, sizeof norm, "layer.%d.norm", i);
    snprintf(to_skip, sizeof to_skip, "layer.%d.skip", i);
    for (int t = REACH - 1; t >= from + dilation; t--) { /* falls: x[t - dilation] is old */
        gate(m, gated, dilation, x, t, u);
        for (int n = 0; n < N && t == REACH - 1; n++) {
            byhand_linear(m, to_skip, u[n], H, SKIP, s);
            for (int c = 0; c < SKIP; c++) skip[n][c] += s[c];
        }
        if (i == BLOCKS * LAYERS - 1) break;
        diffuse(m, graph, P, u, y);
        for (int n = 0; n < N; n++)
            for (int c = 0; c < H; c++) x[t][n][c] = normal(m, norm, c, y[n][c] + x[t][n][c]);
    }
    return from + dilation;
}

static void by_formula(const struct byhand *m, int b, double y[N][Q])
{
    double P[GRAPHS][N][N], x[REACH][N][H], skip[N][SKIP] = { { 0 } }, in[2], end[END];
    int from = 0;
    graphs(m, P);
    for (int t = 0; t < REACH; t++)
        for (int n = 0; n < N; n++) {
            int at = t - (REACH - T);
            for (int c = 0; c < 2; c++) in[c] = at < 0 ? 0 : byhand_x(m, b, at, n, c);
            byhand_linear(m, "start", in, 2, H, x[t][n]);
        }
    for (int i = 0; i < BLOCKS * LAYERS; i++) from = layer(m, i, P, x, from, skip);
    cr_assert_eq(from, REACH - 1);
    for (int n = 0; n < N; n++) {
        for (int c = 0; c < SKIP; c++) skip[n][c] = fmax(skip[n][c], 0);
        byhand_linear(m, "end", skip[n], SKIP, END, end);
        for (int c = 0; c < END; c++) end[c] = fmax(end[c], 0);
        byhand_linear(m, "head", end, END, Q, y[n]);
    }
}

Test(gwnet, is_its_formula)
{
    struct byhand m;
    double y[N][Q];
    struct wf_task task = { .nodes = N,
                            .channels = 2,
                            .targets = 1,
                            .T = T,
                            .Q = Q,
                            .steps_per_day = 6,
                            .time_of_day = true };
    byhand_init(&m, "gwnet", "hidden=2\nskip=3\nend=4\nblocks=2\nlayers=2\nembedding=2\n", task,
                &byhand_edges);
    for (int b = 0; b < BYHAND_BATCH; b++) {
        by_formula(&m, b, y);
        for (int n = 0; n < N; n++)
            for (int q = 0; q < Q; q++) byhand_expect(byhand_y(&m, b, q, n), y[n][q]);
    }
    byhand_free(&m);
}

/* E1 E2 = [[0, ln 3], [-1, ln 2]], so the rows of the softmax are [1 3] / 4 and [1 2] / 3. */
Test(gwnet, the_learned_graph_is_a_softmax_of_each_row)
{
    struct dense d;
    dense_init(&d);
    const wf_real e1[] = { 1, 0, 0, 1 }, e2[] = { 0, (wf_real)log(3), -1, (wf_real)log(2) };
    struct wf_tensor *A = wf_gwnet_graph(&d.g, wf_input(&d.g, e1, 2, wf_dims(2, 2)),
                                         wf_input(&d.g, e2, 2, wf_dims(2, 2)));
    const double want[] = { 0.25, 0.75, 1.0 / 3, 2.0 / 3 };
    for (int i = 0; i < 4; i++) cr_expect_float_eq(dense_at(A, i), want[i], 1e-6);
    dense_free(&d);
}

/* The published code has 309400 parameters, but never uses 8448 of them, in convolutions that a
 * graph convolution replaces, and 7264 of the last layer. */
Test(gwnet, has_the_published_number_of_parameters_at_metr_la)
{
    ptrdiff_t unused = 8 * (32 * 32 + 32) + (7 * 32 * 32 + 32) + 2 * 32;
    cr_expect_eq(byhand_metr_la("gwnet", false) + unused, 309400);
}

Test(gwnet, sizes_that_do_not_fit_are_refused)
{
    struct wf_gwnet_config cfg = wf_gwnet_defaults();
    struct wf_supports none = { .terms = 1 };
    struct wf_linear l = { 0 };
    struct dense d;
    cfg.blocks = 17;
    byhand_refuses("gwnet", &cfg, "gwnet: 17 blocks of 2 layers, want 1 to 32 in all");
    dense_init(&d);
    wf_gwnet_conv(&d.g, &l, 2, &none, NULL, dense_input(&d, 1, 3, wf_dims(2, 3, 4)));
    dense_expect_refusal(&d, "gwnet: x [2, 3, 4], 2 hops");
    wf_gwnet_conv(&d.g, &l, WF_MAXTERM + 1, &none, NULL,
                  dense_input(&d, 1, 4, wf_dims(1, 2, 3, 4)));
    dense_expect_refusal(&d, "33 hops");
    dense_free(&d);
}

Test(gwnet, learns_a_wave_on_a_ring)
{
    tiny_expect_to_learn(
        (struct tiny_config){ .model = "gwnet",
                              .options = "hidden=8\nskip=8\nend=16\nblocks=1\nembedding=3\n",
                              .day_of_week = false,
                              .seed = 1 });
}
