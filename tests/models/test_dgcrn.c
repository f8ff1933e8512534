/* These tests compare DGCRN with the same computation in loops. */
#include "models/dgcrn.h"
#include "tests/kit/byhand.h"
#include "tests/kit/tiny.h"

enum { T = 2, N = BYHAND_NODES, Q = 2, H = 2, E = 3, K = 2, HYPER = 3, INNER = 2, DAY = 5 };
enum { IN = BYHAND_NODES, MOST = (K + 1) * (IN + H) }; /* channels of a cell's input, of G_d */
static const double keep = 0.05, share = 0.95, slope = 3;

/* P[..][j][i] is what node j takes from node i: row i of A + I (or A^T + I), scaled to sum to 1. */
static void normalised(double A[N][N], double P[2][N][N])
{
    for (int i = 0; i < N; i++) {
        double row = 1, column = 1;
        for (int j = 0; j < N; j++) {
            row += A[i][j];
            column += A[j][i];
        }
        for (int j = 0; j < N; j++) {
            P[0][j][i] = (A[i][j] + (i == j)) / row;
            P[1][j][i] = (A[j][i] + (i == j)) / column;
        }
    }
}

/* Computes all [N, (K + 1) C] from x [N, C]; where P is NULL, it uses the given graph alone. */
static void propagate(double S[N][N], double P[N][N], double x[N][MOST], int C, double all[N][MOST])
{
    double h[N][MOST], next[N][MOST];
    memcpy(h, x, sizeof h);
    for (int k = 0; k <= K; k++) {
        for (int n = 0; n < N; n++) memcpy(all[n] + k * C, h[n], sizeof(double) * (size_t)C);
        for (int i = 0; i < N; i++)
            for (int c = 0; c < C; c++) {
                next[i][c] = keep * x[i][c];
                for (int j = 0; j < N; j++)
                    next[i][c] += share * (S[i][j] + (P ? P[i][j] : 0)) * h[j][c];
            }
        memcpy(h, next, sizeof h);
    }
}

static void perceptron(const struct byhand *m, const char *cell, int i, int d, const double *x,
                       int width, double *y)
{
    char name[3][64];
    double a[HYPER], b[INNER];
    for (int k = 0; k < 3; k++)
        snprintf(name[k], sizeof name[k], "%s.hyper.%d.%d.%d", cell, i, d, k);
    byhand_linear(m, name[0], x, width, HYPER, a);
    for (int k = 0; k < HYPER; k++) a[k] = byhand_sigmoid(a[k]);
    byhand_linear(m, name[1], a, HYPER, INNER, b);
    for (int k = 0; k < INNER; k++) b[k] = byhand_sigmoid(b[k]);
    byhand_linear(m, name[2], b, INNER, E, y);
}

static void learn(const struct byhand *m, const char *cell, double S[2][N][N], double xh[N][MOST],
                  int C, double P[2][N][N])
{
    double G[2][N][MOST], M[2][N][E], F[2][E], A[N][N];
    for (int d = 0; d < 2; d++) propagate(S[d], NULL, xh, C, G[d]);
    for (int i = 0; i < 2; i++) {
        const wf_real *own = byhand_param(m, NULL, i ? "embedding.1" : "embedding.0");
        for (int n = 0; n < N; n++) {
            for (int d = 0; d < 2; d++) perceptron(m, cell, i, d, G[d][n], (K + 1) * C, F[d]);
            for (int e = 0; e < E; e++)
                M[i][n][e] = tanh(slope * (F[0][e] + F[1][e]) * (double)own[n * E + e]);
        }
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double a = 0;
            for (int e = 0; e < E; e++) a += M[0][i][e] * M[1][j][e] - M[1][i][e] * M[0][j][e];
            A[i][j] = fmax(tanh(slope * a), 0);
        }
    normalised(A, P);
}

/* Applies a linear layer to the concatenation [G_1 G_2](x). */
static void both(const struct byhand *m, const char *cell, const char *layer, double S[2][N][N],
                 double P[2][N][N], double x[N][MOST], int C, int out, double y[N][2 * H])
{
    char name[64];
    double G[2][N][MOST], side[2 * MOST];
    int width = (K + 1) * C;
    snprintf(name, sizeof name, "%s.%s", cell, layer);
    for (int d = 0; d < 2; d++) propagate(S[d], P[d], x, C, G[d]);
    for (int n = 0; n < N; n++) {
        for (int d = 0; d < 2; d++)
            memcpy(side + d * width, G[d][n], sizeof(double) * (size_t)width);
        byhand_linear(m, name, side, 2 * width, out, y[n]);
    }
}

/* xh holds the input in its first IN channels; h is updated in place. */
static void step(const struct byhand *m, const char *cell, double xh[N][MOST], double h[N][H])
{
    double S[2][N][N], P[2][N][N], zr[N][2 * H], c[N][2 * H];
    byhand_walks(S);
    for (int n = 0; n < N; n++) memcpy(xh[n] + IN, h[n], sizeof h[n]);
    learn(m, cell, S, xh, IN + H, P);
    both(m, cell, "gates", S, P, xh, IN + H, 2 * H, zr);
    for (int n = 0; n < N; n++)
        for (int k = 0; k < H; k++) xh[n][IN + k] *= byhand_sigmoid(zr[n][H + k]);
    both(m, cell, "candidate", S, P, xh, IN + H, H, c);
    for (int n = 0; n < N; n++)
        for (int k = 0; k < H; k++) {
            double z = byhand_sigmoid(zr[n][k]);
            h[n][k] = z * h[n][k] + (1 - z) * tanh(c[n][k]);
        }
}

static void by_formula(const struct byhand *m, int b, double y[Q][N])
{
    double h[N][H] = { { 0 } }, xh[N][MOST] = { { 0 } };
    for (int t = 0; t < T; t++) {
        for (int n = 0; n < N; n++)
            for (int c = 0; c < IN; c++) xh[n][c] = byhand_x(m, b, t, n, c);
        step(m, "encoder", xh, h);
    }
    int now = byhand_row(m, b, T - 1, 1, DAY), day = byhand_row(m, b, T - 1, 2, 7);
    for (int q = 0; q < Q; q++) {
        for (int n = 0; n < N; n++) {
            xh[n][0] = q ? y[q - 1][n] : 0;
            xh[n][1] = (now + q + 1) % DAY / (double)DAY;
            xh[n][2] = (day + (now + q + 1) / DAY) % 7 / 7.0;
        }
        step(m, "decoder", xh, h);
        for (int n = 0; n < N; n++) byhand_linear(m, "head", h[n], H, 1, &y[q][n]);
    }
}

static const struct wf_task task = { .nodes = N,
                                     .channels = IN,
                                     .targets = 1,
                                     .T = T,
                                     .Q = Q,
                                     .steps_per_day = DAY,
                                     .time_of_day = true,
                                     .day_of_week = true };

Test(dgcrn, is_its_formula)
{
    struct byhand m;
    double y[Q][N];
    byhand_init(&m, "dgcrn", "hidden=2\ndepth=2\nembedding=3\nhyper=3\ninner=2\n", task,
                &byhand_edges);
    for (int b = 0; b < BYHAND_BATCH; b++) {
        by_formula(&m, b, y);
        for (int q = 0; q < Q; q++)
            for (int n = 0; n < N; n++) byhand_expect(byhand_y(&m, b, q, n), y[q][n]);
    }
    byhand_free(&m);
}

/* The series starts at Sunday's last step but one, in steps of one minute, of which a day has
 * 1440: neighbouring times of day differ by less than a thousandth. */
Test(dgcrn, the_calendar_goes_on_over_midnight_and_the_week)
{
    struct dense d;
    struct wf_task minutes = { .steps_per_day = 1440, .time_of_day = true, .day_of_week = true };
    dense_init(&d);
    wf_real row[3] = { 7, (wf_real)(1438 / 1440.0), (wf_real)(6 / 7.0) };
    struct wf_tensor *x = wf_input(&d.g, row, 4, wf_dims(1, 1, 1, 3));
    for (int ahead = 1; ahead < 3 * 1440; ahead += ahead < 4 ? 1 : 1436) {
        struct wf_tensor *when = wf_calendar_ahead(&d.g, &minutes, x, ahead);
        int at = 1438 + ahead;
        cr_expect_float_eq(dense_at(when, 0), at % 1440 / 1440.0, 1e-6, "%d steps ahead", ahead);
        cr_expect_float_eq(dense_at(when, 1), (6 + at / 1440) % 7 / 7.0, 1e-6, "%d steps ahead",
                           ahead);
    }
    minutes.steps_per_day = 0;
    cr_expect_float_eq(dense_at(wf_calendar_ahead(&d.g, &minutes, x, 3), 0), (double)row[1], 0);
    minutes.time_of_day = minutes.day_of_week = false;
    cr_expect_null(wf_calendar_ahead(&d.g, &minutes, x, 3));
    minutes = (struct wf_task){ .steps_per_day = 1, .time_of_day = true };
    wf_calendar_ahead(&d.g, &minutes, x, WF_CALENDAR_AHEAD);
    dense_expect_refusal(&d, "want less than 999 days");
    dense_free(&d);
}

Test(dgcrn, sizes_that_do_not_fit_are_refused)
{
    struct wf_dgcrn_config cfg = wf_dgcrn_defaults();
    cfg.depth = WF_DGCRN_DEPTH + 1;
    byhand_refuses("dgcrn", &cfg, "dgcrn: depth 9, horizon 2: want at most 8, 500");
}

Test(dgcrn, learns_a_wave_on_a_ring)
{
    tiny_expect_to_learn((struct tiny_config){
        .model = "dgcrn", .options = "hidden=8\nembedding=4\nhyper=4\n", .seed = 1 });
}
