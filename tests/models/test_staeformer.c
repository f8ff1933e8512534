/* These tests compare STAEformer with the same computation in loops. */
#include "models/staeformer.h"
#include "tests/kit/byhand.h"
#include "tests/kit/tiny.h"

enum { T = 2, N = 3, Q = 2, D = 2, A = 4, WIDTH = 3 * D + A, FF = 5, HEADS = 2, DAY = 5 };
enum { HEAD = WIDTH / HEADS, MOST = 3 }; /* MOST is the longest sequence that attends to itself */

static void normalise(const struct byhand *m, const char *name, double *x)
{
    const wf_real *w = byhand_param(m, name, "weight"), *b = byhand_param(m, name, "bias");
    double mean = 0, var = 0;
    for (int i = 0; i < WIDTH; i++) mean += x[i] / WIDTH;
    for (int i = 0; i < WIDTH; i++) var += (x[i] - mean) * (x[i] - mean) / WIDTH;
    for (int i = 0; i < WIDTH; i++)
        x[i] = (x[i] - mean) / sqrt(var + 1e-5) * (double)w[i] + (double)b[i];
}

/* Computes what vector i of the L vectors takes from all of them in one attention head. */
static void one_head(int L, double qkv[MOST][3 * WIDTH], int i, int head, double *y)
{
    double p[MOST], sum = 0;
    int at = head * HEAD;
    for (int j = 0; j < L; j++) {
        double s = 0;
        for (int c = at; c < at + HEAD; c++) s += qkv[i][c] * qkv[j][WIDTH + c];
        sum += p[j] = exp(s / sqrt(HEAD));
    }
    for (int c = at; c < at + HEAD; c++) {
        y[c] = 0;
        for (int j = 0; j < L; j++) y[c] += p[j] / sum * qkv[j][2 * WIDTH + c];
    }
}

static void attend(const struct byhand *m, const char *layer, int L, double x[MOST][WIDTH])
{
    char in[64], out[64], ff1[64], ff2[64], norm1[64], norm2[64];
    double qkv[MOST][3 * WIDTH], y[WIDTH], u[WIDTH], f[FF];
    snprintf(in, sizeof in, "%s.attention.in", layer);
    snprintf(out, sizeof out, "%s.attention.out", layer);
    snprintf(ff1, sizeof ff1, "%s.ff1", layer);
    snprintf(ff2, sizeof ff2, "%s.ff2", layer);
    snprintf(norm1, sizeof norm1, "%s.norm1", layer);
    snprintf(norm2, sizeof norm2, "%s.norm2", layer);
    for (int i = 0; i < L; i++) byhand_linear(m, in, x[i], WIDTH, 3 * WIDTH, qkv[i]);
    for (int i = 0; i < L; i++) {
        for (int h = 0; h < HEADS; h++) one_head(L, qkv, i, h, y);
        byhand_linear(m, out, y, WIDTH, WIDTH, u);
        for (int c = 0; c < WIDTH; c++) x[i][c] += u[c];
        normalise(m, norm1, x[i]);
        byhand_linear(m, ff1, x[i], WIDTH, FF, f);
        for (int c = 0; c < FF; c++) f[c] = fmax(f[c], 0);
        byhand_linear(m, ff2, f, FF, WIDTH, u);
        for (int c = 0; c < WIDTH; c++) x[i][c] += u[c];
        normalise(m, norm2, x[i]);
    }
}

static void embed(const struct byhand *m, int b, int t, int n, double *z)
{
    const wf_real *day = byhand_param(m, "calendar", "day");
    const wf_real *week = byhand_param(m, "calendar", "week");
    const wf_real *own = byhand_param(m, NULL, "adaptive");
    double x[3];
    for (int c = 0; c < 3; c++) x[c] = byhand_x(m, b, t, n, c);
    byhand_linear(m, "inputs", x, 3, D, z);
    for (int i = 0; i < D; i++) {
        z[D + i] = (double)day[byhand_row(m, b, t, 1, DAY) * D + i];
        z[2 * D + i] = (double)week[byhand_row(m, b, t, 2, 7) * D + i];
    }
    for (int i = 0; i < A; i++) z[3 * D + i] = (double)own[(t * N + n) * A + i];
}

static void by_formula(const struct byhand *m, int b, double y[N][Q])
{
    double z[T][N][WIDTH], along[MOST][WIDTH], all[T * WIDTH];
    for (int t = 0; t < T; t++)
        for (int n = 0; n < N; n++) embed(m, b, t, n, z[t][n]);
    for (int n = 0; n < N; n++) {
        for (int t = 0; t < T; t++) memcpy(along[t], z[t][n], sizeof along[t]);
        attend(m, "time.0", T, along);
        for (int t = 0; t < T; t++) memcpy(z[t][n], along[t], sizeof along[t]);
    }
    for (int t = 0; t < T; t++) attend(m, "space.0", N, z[t]);
    for (int n = 0; n < N; n++) {
        for (int t = 0; t < T; t++) memcpy(all + t * WIDTH, z[t][n], sizeof z[t][n]);
        byhand_linear(m, "head", all, T * WIDTH, Q, y[n]);
    }
}

Test(staeformer, is_its_formula)
{
    struct byhand m;
    double y[N][Q];
    struct wf_task task = { .nodes = N,
                            .channels = 3,
                            .targets = 1,
                            .T = T,
                            .Q = Q,
                            .steps_per_day = DAY,
                            .time_of_day = true,
                            .day_of_week = true };
    byhand_init(&m, "staeformer",
                "embedding=2\nadaptive-embedding=4\nfeedforward=5\nheads=2\nlayers=1\n", task,
                NULL);
    for (int b = 0; b < BYHAND_BATCH; b++) {
        by_formula(&m, b, y);
        for (int n = 0; n < N; n++)
            for (int q = 0; q < Q; q++) byhand_expect(byhand_y(&m, b, q, n), y[n][q]);
    }
    byhand_free(&m);
}

/* By the layers of the published code at its METR-LA settings, with width w = 3 * 24 + 80 = 152,
 * there are 6 layers of 4 (w^2 + w) + w 256 + 256 + 256 w + w + 4 w parameters, 4 * 24 for the
 * inputs, (288 + 7) * 24 for the calendar, 12 * 207 * 80 adaptive ones, and 12 w * 12 + 12 for the
 * forecast. */
Test(staeformer, has_as_many_parameters_as_its_published_settings_make)
{
    ptrdiff_t w = 152, layer = 4 * (w * w + w) + 2 * 256 * w + 256 + w + 4 * w;
    ptrdiff_t want = 6 * layer + 4 * 24 + 295 * 24 + 12 * 207 * 80 + 144 * w + 12;
    cr_expect_eq(want, 1258980);
    cr_expect_eq(byhand_metr_la("staeformer", true), want);
}

Test(staeformer, sizes_that_do_not_fit_are_refused)
{
    struct wf_staeformer_config cfg = wf_staeformer_defaults();
    cfg.heads = 5; /* does not divide the 24 + 80 channels */
    byhand_refuses("staeformer", &cfg, "104 channels are not split by 5 heads");
    cfg.layers = WF_STAEFORMER_LAYERS + 1;
    byhand_refuses("staeformer", &cfg, "staeformer: 9 layers, want at most 8");
}

Test(staeformer, learns_a_wave_on_a_ring)
{
    tiny_expect_to_learn((struct tiny_config){
        .model = "staeformer",
        .options = "embedding=4\nadaptive-embedding=4\nfeedforward=8\nheads=2\nlayers=1\n",
        .day_of_week = true,
        .seed = 1 });
}
