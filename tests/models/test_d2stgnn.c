/* These tests compare D2STGNN's blocks and its whole model with the same computation in loops. */
#include "models/d2stgnn.h"
#include "tests/kit/byhand.h"
#include "tests/kit/tiny.h"

enum {
    T = 5,
    N = BYHAND_NODES,
    Q = 3,
    H = 4,
    E = 2,
    GATE = 3,
    F = 5,
    END = 4,
    LAYERS = 2,
    K = 2,
    HEADS = 2
};
enum { GAP = 2, STATES = 2, HOPS = 2, DAY = 5, MEASURED = 2, HEAD = H / HEADS };
enum { TERMS = 1 + 3 * HOPS, FEATURES = H + 3 * E, BLOCKS = 2 * LAYERS };
static const char options[] = "hidden=4\nembedding=2\ngate=3\nforecast=5\nend=4\nlayers=2\n"
                              "kernel=2\nheads=2\ngap=2\n";

/* These are the powers of the graphs' matrices, with their diagonals set to zero. */
struct powers {
    int count;
    double P[3 * HOPS][N][N];
};

static const wf_real *row_of(const struct byhand *m, const char *table, int row)
{
    return byhand_param(m, NULL, table) + (ptrdiff_t)row * E;
}

/* Appends the calendar embeddings of step t to z; returns how many numbers it wrote. */
static int put_times(const struct byhand *m, int b, int t, double *z)
{
    int n = 0, c = MEASURED;
    if (m->task.time_of_day) {
        const wf_real *row = row_of(m, "calendar.day", byhand_row(m, b, t, c++, DAY));
        for (int e = 0; e < E; e++) z[n++] = (double)row[e];
    }
    if (m->task.day_of_week) {
        const wf_real *row = row_of(m, "calendar.week", byhand_row(m, b, t, c, 7));
        for (int e = 0; e < E; e++) z[n++] = (double)row[e];
    }
    return n;
}

/* ---- graphs ---- */

static void add_powers(struct powers *G, double A[N][N])
{
    double now[N][N], next[N][N];
    memcpy(now, A, sizeof now);
    for (int k = 0; k < HOPS; k++, G->count++) {
        memset(next, 0, sizeof next);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                G->P[G->count][i][j] = i == j ? 0 : now[i][j];
                for (int a = 0; a < N; a++) next[i][j] += now[i][a] * A[a][j];
            }
        memcpy(now, next, sizeof now);
    }
}

/* Writes the features of node n in sample b, except the node's own embedding, into f. */
static int describe(const struct byhand *m, int b, int n, double *f)
{
    const wf_real *mean = byhand_param(m, "graph.norm", "mean");
    const wf_real *var = byhand_param(m, "graph.norm", "var");
    const wf_real *w = byhand_param(m, "graph.norm", "weight");
    const wf_real *bias = byhand_param(m, "graph.norm", "bias");
    double x[T * MEASURED], u[2 * H];
    for (int t = 0; t < T; t++)
        for (int c = 0; c < MEASURED; c++) x[t * MEASURED + c] = byhand_x(m, b, t, n, c);
    byhand_linear(m, "graph.first", x, T * MEASURED, 2 * H, u);
    for (int c = 0; c < 2 * H; c++)
        u[c] = (fmax(u[c], 0) - (double)mean[c]) / sqrt((double)var[c] + 1e-5) * (double)w[c] +
               (double)bias[c];
    byhand_linear(m, "graph.second", u, 2 * H, H, f);
    return H + put_times(m, b, T - 1, f + H);
}

/* Computes the learned graph P of sample b into S. */
static void weigh(const struct byhand *m, int b, const char *embedding, double S[N][N])
{
    const wf_real *W = byhand_param(m, "graph", "query_key");
    double f[FEATURES], qk[N][2 * H] = { { 0 } };
    for (int n = 0; n < N; n++) {
        int size = describe(m, b, n, f);
        for (int e = 0; e < E; e++) f[size++] = (double)row_of(m, embedding, n)[e];
        for (int i = 0; i < size; i++)
            for (int c = 0; c < 2 * H; c++) qk[n][c] += f[i] * (double)W[i * 2 * H + c];
    }
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++) {
            double s = 0;
            for (int c = 0; c < H; c++) s += qk[i][c] * qk[j][H + c];
            sum += S[i][j] *= exp(s / sqrt(H));
        }
        for (int j = 0; j < N && sum > 0; j++) S[i][j] /= sum;
    }
}

static void graphs(const struct byhand *m, int b, struct powers *G)
{
    double S[2][N][N], A[N][N];
    G->count = 0;
    byhand_walks(S);
    for (int d = 0; d < m->graph.supports.count; d++) {
        weigh(m, b, d ? "graph.embedding.1" : "graph.embedding.0", S[d]);
        add_powers(G, S[d]);
    }
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++) {
            double s = 0;
            for (int e = 0; e < E; e++)
                s += (double)row_of(m, "graph.embedding.0", i)[e] *
                     (double)row_of(m, "graph.embedding.1", j)[e];
            sum += A[i][j] = exp(fmax(s, 0));
        }
        for (int j = 0; j < N; j++) A[i][j] /= sum;
    }
    add_powers(G, A);
}

/* ---- blocks ---- */

/* Subtracts relu(h W + b) from x and normalises the result. */
static void take_out(const struct byhand *m, const char *block, double *x, const double *h)
{
    char backcast[WF_NAME_TEXT], norm[WF_NAME_TEXT];
    double u[H], mean = 0, var = 0;
    wf_params_path(backcast, block, "backcast");
    wf_params_path(norm, block, "norm");
    const wf_real *w = byhand_param(m, norm, "weight"), *b = byhand_param(m, norm, "bias");
    byhand_linear(m, backcast, h, H, H, u);
    for (int c = 0; c < H; c++) x[c] -= fmax(u[c], 0);
    for (int c = 0; c < H; c++) mean += x[c] / H;
    for (int c = 0; c < H; c++) var += (x[c] - mean) * (x[c] - mean) / H;
    for (int c = 0; c < H; c++)
        x[c] = (x[c] - mean) / sqrt(var + 1e-5) * (double)w[c] + (double)b[c];
}

/* Computes h of the last of the K steps in x. */
static void diffuse(const struct byhand *m, const char *block, const struct powers *G,
                    double x[K][N][H], double h[N][H])
{
    char name[WF_NAME_TEXT];
    double s[N][H] = { { 0 } }, term[TERMS * H];
    const wf_real *V = byhand_param(m, block, "steps.weight");
    for (int n = 0; n < N; n++)
        for (int i = 0; i < K * H; i++) {
            double u = 0;
            for (int t = 0; t < K; t++)
                for (int c = 0; c < H; c++) u += x[t][n][c] * (double)V[(t * H + c) * K * H + i];
            s[n][i % H] += fmax(u, 0);
        }
    wf_params_path(name, block, "terms");
    for (int n = 0; n < N; n++) {
        for (int c = 0; c < H; c++) term[c] = s[n][c] / K;
        for (int k = 0; k < G->count; k++)
            for (int c = 0; c < H; c++) {
                term[(1 + k) * H + c] = 0;
                for (int j = 0; j < N; j++) term[(1 + k) * H + c] += G->P[k][n][j] * s[j][c];
            }
        byhand_linear(m, name, term, (1 + G->count) * H, H, h[n]);
    }
}

/* Processes steps from .. T - 1 of x and share; x keeps only the steps that a full kernel sees. */
static void diffusion(const struct byhand *m, const char *block, const struct powers *G, int from,
                      double x[T][N][H], double share[T][N][H], double ahead[STATES][N][H])
{
    double in[T + STATES][N][H], h[N][H];
    memcpy(in, share, sizeof(double) * T * N * H);
    for (int t = from + K - 1; t < T + STATES - 1; t++) {
        diffuse(m, block, G, in + t - K + 1, h);
        for (int n = 0; n < N && t < T; n++) take_out(m, block, x[t][n], h[n]);
        if (t < T - 1) continue;
        memcpy(in[t + 1], h, sizeof h);
        memcpy(ahead[t - T + 1], h, sizeof h);
    }
}

static void gru(const struct byhand *m, const char *block, const double *x, double *r)
{
    char input[WF_NAME_TEXT], state[WF_NAME_TEXT];
    double a[3 * H], b[3 * H];
    wf_params_path(input, block, "gru.input");
    wf_params_path(state, block, "gru.hidden");
    byhand_linear(m, input, x, H, 3 * H, a);
    byhand_linear(m, state, r, H, 3 * H, b);
    for (int c = 0; c < H; c++) {
        double z = byhand_sigmoid(a[H + c] + b[H + c]);
        double n = tanh(a[2 * H + c] + byhand_sigmoid(a[c] + b[c]) * b[2 * H + c]);
        r[c] = (1 - z) * n + z * r[c];
    }
}

/* Computes [q k v] of the state r at position t. */
static void project(const struct byhand *m, const char *block, int t, const double *r, double *qkv)
{
    char name[WF_NAME_TEXT];
    double e[H];
    wf_params_path(name, block, "attention.in");
    for (int c = 0; c < H; c += 2) {
        e[c] = r[c] + sin(t / pow(10000, (double)c / H));
        e[c + 1] = r[c + 1] + cos(t / pow(10000, (double)c / H));
    }
    byhand_linear(m, name, e, H, 3 * H, qkv);
}

/* Computes h of the query q, which attends to all L states. */
static void attend(const struct byhand *m, const char *block, const double *q, int L,
                   double all[T + STATES][3 * H], double *h)
{
    char name[WF_NAME_TEXT];
    double y[H] = { 0 };
    wf_params_path(name, block, "attention.out");
    for (int at = 0; at < H; at += HEAD) {
        double p[T + STATES], sum = 0;
        for (int t = 0; t < L; t++) {
            double s = 0;
            for (int c = at; c < at + HEAD; c++) s += q[c] * all[t][H + c];
            sum += p[t] = exp(s / sqrt(HEAD));
        }
        for (int t = 0; t < L; t++)
            for (int c = at; c < at + HEAD; c++) y[c] += p[t] / sum * all[t][2 * H + c];
    }
    byhand_linear(m, name, y, H, H, h);
}

/* Processes steps from .. T - 1 of x in place; positions count from step `from`. */
static void inherent(const struct byhand *m, const char *block, int from, double x[T][N][H],
                     double ahead[STATES][N][H], bool last)
{
    int L = T - from;
    for (int n = 0; n < N; n++) {
        double all[T + STATES][3 * H], r[H] = { 0 }, h[H];
        for (int t = 0; t < L; t++) {
            gru(m, block, x[from + t][n], r);
            project(m, block, t, r, all[t]);
        }
        for (int t = 0; t < L; t++) {
            attend(m, block, all[t], L, all, h);
            if (!last) take_out(m, block, x[from + t][n], h);
        }
        memcpy(ahead[0][n], h, sizeof h);
        for (int q = 1; q < STATES; q++) {
            gru(m, block, ahead[q - 1][n], r);
            project(m, block, L - 1 + q, r, all[L - 1 + q]);
            attend(m, block, all[L - 1 + q], L + q, all, ahead[q][n]);
        }
    }
}

/* ---- the model ---- */

static void gate(const struct byhand *m, const char *layer, int b, double x[T][N][H],
                 double share[T][N][H])
{
    char first[WF_NAME_TEXT], second[WF_NAME_TEXT];
    double z[4 * E], u[GATE], v;
    wf_params_path(first, layer, "gate.0");
    wf_params_path(second, layer, "gate.1");
    for (int t = 0; t < T; t++)
        for (int n = 0; n < N; n++) {
            int size = put_times(m, b, t, z);
            for (int e = 0; e < E; e++) {
                z[size + e] = (double)row_of(m, "graph.embedding.0", n)[e];
                z[size + E + e] = (double)row_of(m, "graph.embedding.1", n)[e];
            }
            byhand_linear(m, first, z, size + 2 * E, GATE, u);
            for (int c = 0; c < GATE; c++) u[c] = fmax(u[c], 0);
            byhand_linear(m, second, u, GATE, 1, &v);
            for (int c = 0; c < H; c++) share[t][n][c] = byhand_sigmoid(v) * x[t][n][c];
        }
}

static void by_formula(const struct byhand *m, int b, double y[N][Q])
{
    struct powers G;
    double x[T][N][H], share[T][N][H], ahead[BLOCKS][STATES][N][H], in[MEASURED];
    graphs(m, b, &G);
    for (int t = 0; t < T; t++)
        for (int n = 0; n < N; n++) {
            for (int c = 0; c < MEASURED; c++) in[c] = byhand_x(m, b, t, n, c);
            byhand_linear(m, "inputs", in, MEASURED, H, x[t][n]);
        }
    for (int i = 0; i < LAYERS; i++) {
        char layer[24], block[WF_NAME_TEXT];
        snprintf(layer, sizeof layer, "layer.%d", i);
        gate(m, layer, b, x, share);
        wf_params_path(block, layer, "diffusion");
        diffusion(m, block, &G, i * (K - 1), x, share, ahead[2 * i]);
        wf_params_path(block, layer, "inherent");
        inherent(m, block, (i + 1) * (K - 1), x, ahead[2 * i + 1], i == LAYERS - 1);
    }
    for (int n = 0; n < N; n++)
        for (int q = 0; q < Q; q++) {
            double all[BLOCKS * H], f[F], end[END], out[GAP];
            for (int k = 0; k < BLOCKS; k++)
                memcpy(all + k * H, ahead[k][q / GAP][n], sizeof(double) * H);
            byhand_linear(m, "forecast", all, BLOCKS * H, F, f);
            for (int c = 0; c < F; c++) f[c] = fmax(f[c], 0);
            byhand_linear(m, "end", f, F, END, end);
            for (int c = 0; c < END; c++) end[c] = fmax(end[c], 0);
            byhand_linear(m, "head", end, END, GAP, out);
            y[n][q] = out[q % GAP];
        }
}

static void expect_formula(bool times, const struct wf_edges *ed)
{
    struct byhand m;
    double y[N][Q];
    struct wf_task task = { .nodes = N,
                            .channels = MEASURED + 2 * times,
                            .targets = 1,
                            .T = T,
                            .Q = Q,
                            .steps_per_day = DAY,
                            .time_of_day = times,
                            .day_of_week = times };
    byhand_init(&m, "d2stgnn", options, task, ed);
    for (int b = 0; b < BYHAND_BATCH; b++) {
        by_formula(&m, b, y);
        for (int n = 0; n < N; n++)
            for (int q = 0; q < Q; q++) byhand_expect(byhand_y(&m, b, q, n), y[n][q]);
    }
    byhand_free(&m);
}

Test(d2stgnn, is_its_formula)
{
    expect_formula(true, &byhand_edges);
}

Test(d2stgnn, is_its_formula_where_the_data_have_no_times)
{
    expect_formula(false, &byhand_edges);
}

Test(d2stgnn, is_its_formula_on_the_learned_graph_alone)
{
    expect_formula(true, NULL);
}

/* By the layers of the published code at its METR-LA settings there are 391962 parameters. This
 * model leaves out an embedding of the time that no graph reads, a normalisation that no layer
 * calls, and what the last layer leaves of its signal; ten biases are merged with others. */
Test(d2stgnn, has_the_published_number_of_parameters_at_metr_la)
{
    ptrdiff_t layer = (40 * 64 + 64) + (64 + 1)               /* gate */
                      + 96 * 96 + (7 * 32 * 32 + 32) + 2 * 32 /* convolution */
                      + 2 * (32 * 96 + 96)                    /* GRU */
                      + 4 * (32 * 32 + 32)                    /* attention */
                      + 2 * (32 * 256 + 256)                  /* states to come */
                      + 2 * (32 * 32 + 32 + 2 * 32);          /* what is left */
    ptrdiff_t graph = (12 * 64 + 64) + 2 * 64 + (64 * 32 + 32) + 2 * 62 * 32 + (10 * 32 + 32);
    ptrdiff_t published = (32 + 32) + (288 + 7) * 10 + 2 * 207 * 10 + graph + 5 * layer +
                          (256 * 512 + 512) + (512 * 3 + 3);
    ptrdiff_t unused = (10 * 32 + 32) + 5 * 2 * 32 + (32 * 32 + 32 + 2 * 32) + 9 * 256;
    cr_expect_eq(published, 391962);
    cr_expect_eq(byhand_metr_la("d2stgnn", true) + unused, published);
}

Test(d2stgnn, sizes_that_do_not_fit_are_refused)
{
    struct wf_d2stgnn_config cfg = wf_d2stgnn_defaults();
    byhand_refuses("d2stgnn", &cfg,
                   "5 layers of kernel 3 want 1 to 16 layers and 11 steps, there "
                   "are 4");
    cfg.layers = 1;
    cfg.heads = 5;
    byhand_refuses("d2stgnn", &cfg, "32 channels are not split by 5 heads");
    cfg.kernel = 0;
    byhand_refuses("d2stgnn", &cfg, "32 units, 1 states, kernel 0: want 1 to 1024, 512, 16");
}

/* This is one block of the given sizes, on x [2, steps, N, H], with supports of one pattern. */
static void expect_no_block(struct wf_d2stgnn_sizes sizes, int steps, const char *diffusion,
                            const char *inherent)
{
    struct dense d;
    struct wf_d2stgnn_diffusion a;
    struct wf_d2stgnn_inherent b;
    struct wf_d2stgnn_graphs none = { 0 };
    struct wf_tensor *ahead;
    dense_init(&d);
    wf_d2stgnn_diffusion_init(&a, &d.ps, "diffusion", sizes);
    wf_d2stgnn_inherent_init(&b, &d.ps, "inherent", sizes);
    dense_commit(&d, 1);
    struct wf_tensor *x = dense_input(&d, 1, 4, wf_dims(2, steps, N, H));
    if (diffusion) {
        wf_d2stgnn_diffusion(&d.g, &a, &none, x, x, &ahead);
        dense_expect_refusal(&d, diffusion);
    } else {
        wf_d2stgnn_inherent(&d.g, &b, x, &ahead);
        dense_expect_refusal(&d, inherent);
    }
    dense_free(&d);
}

Test(d2stgnn, steps_that_do_not_fit_are_refused)
{
    struct wf_d2stgnn_sizes sizes = {
        .hidden = H, .states = 1, .kernel = K, .terms = 1, .heads = 2
    };
    expect_no_block(sizes, 1, "conv: [2, 1, 3, 4]", NULL);
    expect_no_block(sizes, WF_D2STGNN_STEPS + 1, NULL, "d2stgnn: 513 steps, want at most 512");
}

Test(d2stgnn, graphs_that_do_not_fit_are_refused)
{
    struct dense d;
    struct wf_error err = { 0 };
    struct wf_d2stgnn_graph l;
    struct wf_d2stgnn_graphs G;
    struct wf_supports many = { .count = 3 };
    struct wf_tensor *term[WF_D2STGNN_TERMS];
    struct wf_d2stgnn_graph_config cfg = {
        .nodes = N, .hidden = H, .embedding = E, .window = T, .hops = WF_MAXTERM + 1, .given = true
    };
    dense_init(&d);
    wf_d2stgnn_graph_init(&l, &d.ps, "graph", cfg);
    cr_expect_eq(wf_params_commit(&d.ps, 0, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "'graph': 33 hops, want at most 32"), "%s", err.message);
    dense_free(&d);
    dense_init(&d);
    cfg.hops = HOPS;
    wf_d2stgnn_graph_init(&l, &d.ps, "graph", cfg);
    dense_commit(&d, 1);
    struct wf_tensor *x = dense_input(&d, 1, 3, wf_dims(2, N, T));
    wf_d2stgnn_graph(&d.g, &l, &many, x, NULL, &G);
    dense_expect_refusal(&d, "d2stgnn: 3 supports, want 1 or 2");
    G.hops = HOPS;
    wf_d2stgnn_terms(&d.g, &G, dense_input(&d, 1, 3, wf_dims(2, N, H)), term);
    dense_expect_refusal(&d, "d2stgnn: [2, 3, 4], want [B, T, N, C]");
    dense_free(&d);
}

Test(d2stgnn, learns_a_wave_on_a_ring)
{
    tiny_expect_to_learn((struct tiny_config){
        .model = "d2stgnn",
        .options = "hidden=8\nembedding=4\ngate=8\nforecast=16\nend=16\nlayers=1\nheads=2\n",
        .seed = 1 });
}
