/* These tests check forecasts with published weights, and supports built as published. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "data/formats/npy.h"
#include "data/formats/pickle.h"
#include "apps/forecast/forecast.h"
#include "models/dcrnn_names.h"
#include "nn/graph.h"
#include "tests/kit/leaks.h"
#include "tests/kit/scratch.h"

#define FOLDER    "data/pretrained/dcrnn-metr-la/"
#define ADJACENCY "data/metr-la-week/adj_mx_metr-la.pkl"
static const char weights[] = FOLDER "models_run1_epo45_weights.npz";
static const char reference[] = FOLDER "reference_models_run1_epo45_week1.npz";

static struct wf_array read_member(const char *name)
{
    struct wf_npz *z;
    struct wf_array a;
    struct wf_error err = { 0 };
    cr_assert_eq(wf_npz_open(&z, shared(reference), &err), WF_OK, "%s", err.message);
    cr_assert_eq(wf_npz_read(z, name, WF_F32, &a, &err), WF_OK, "%s", err.message);
    wf_npz_close(z);
    return a;
}

static void build_graph(struct wf_graph *gr, enum wf_compat compat)
{
    struct wf_adjacency adj;
    struct wf_error err = { 0 };
    const char *path = shared(ADJACENCY);
    cr_assert_eq(wf_pickle_adjacency(path, &adj, &err), WF_OK, "%s", err.message);
    struct wf_graph_config gc = { .hops = 2, .compat = compat };
    cr_assert_eq(wf_graph_from_dense(gr, wf_backend_cpu(), (int)adj.N, adj.A, &gc, &err), WF_OK,
                 "%s", err.message);
    wf_adjacency_free(&adj);
}

/* Returns support d as a dense matrix [N, N]. */
static void dense(const struct wf_graph *gr, int d, double *out)
{
    const struct wf_csr *A = gr->supports.pattern[d];
    memset(out, 0, (size_t)A->rows * (size_t)A->cols * sizeof *out);
    for (int i = 0; i < A->rows; i++)
        for (int e = A->ptr[i]; e < A->ptr[i + 1]; e++)
            out[(ptrdiff_t)i * A->cols + A->idx[e]] += (double)gr->supports.value[d]->data[e];
}

static double largest_difference(const double *a, const float *b, ptrdiff_t n)
{
    double most = 0;
    for (ptrdiff_t i = 0; i < n; i++) most = fmax(most, fabs(a[i] - (double)b[i]));
    return most;
}

Test(published, supports_are_those_of_the_trained_code)
{
    NEED_SHARED();
    struct wf_graph gr;
    build_graph(&gr, WF_COMPAT_DCRNN_REVERSED);
    for (int d = 0; d < 2; d++) {
        struct wf_array want = read_member(d ? "support1" : "support0");
        cr_assert_eq(want.count, (ptrdiff_t)gr.nodes * gr.nodes);
        double *have = wf_malloc((size_t)want.count * sizeof *have);
        dense(&gr, d, have);
        cr_expect_lt(largest_difference(have, want.f32, want.count), 1e-6, "support%d", d);
        wf_free(have);
        wf_array_free(&want);
    }
    wf_graph_free(&gr);
    expect_no_leaks();
}

/* Computes (D_O^-1 A)^T and (D_I^-1 A^T)^T directly from the matrix. */
Test(published, supports_without_the_defect_are_random_walks)
{
    NEED_SHARED();
    struct wf_graph gr;
    struct wf_adjacency adj;
    build_graph(&gr, WF_COMPAT_NONE);
    cr_assert_eq(wf_pickle_adjacency(shared(ADJACENCY), &adj, NULL), WF_OK);
    ptrdiff_t N = adj.N;
    double *have = wf_malloc((size_t)(N * N) * sizeof *have);
    float *want = wf_malloc((size_t)(N * N) * sizeof *want);
    for (int d = 0; d < 2; d++) {
        for (ptrdiff_t i = 0; i < N; i++) { /* i is the node that the walk comes from */
            double sum = 0;
            for (ptrdiff_t j = 0; j < N; j++) sum += (double)adj.A[d ? j * N + i : i * N + j];
            for (ptrdiff_t j = 0; j < N; j++) {
                double a = (double)adj.A[d ? j * N + i : i * N + j];
                want[j * N + i] = (float)(sum > 0 ? a / sum : 0);
            }
        }
        dense(&gr, d, have);
        cr_expect_lt(largest_difference(have, want, N * N), 1e-6, "support %d", d);
    }
    wf_free(have);
    wf_free(want);
    wf_adjacency_free(&adj);
    wf_graph_free(&gr);
    expect_no_leaks();
}

/* Published weights must give the published predictions, in mph. The double build is slow, and more
 * windows would add nothing to its check. */
static void expect_predictions(const char *adjacency, enum wf_compat compat, const char *member)
{
    struct wf_forecast f;
    struct wf_error err = { 0 };
    char path[3][512];
    snprintf(path[0], sizeof path[0], "%s", shared(weights));
    snprintf(path[1], sizeof path[1], "%s", shared(reference));
    snprintf(path[2], sizeof path[2], "%s", adjacency ? shared(adjacency) : "");
    struct wf_published p = { .weights = path[0], .windows = path[1], .adjacency = path[2] };
    p.compat = compat;
    p.count = sizeof(wf_real) > sizeof(float) ? 2 : 0;
    struct wf_array want = read_member(member);
    cr_assert_eq(wf_forecast_published(&f, &p, &err), WF_OK, "%s", err.message);
    cr_assert_eq(f.K, p.count ? p.count : want.dim[0]);
    cr_assert(f.Q == want.dim[1] && f.N == want.dim[2] && f.F == 1);
    double most = 0;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)f.K * f.Q * f.N; i++)
        most = fmax(most, fabs((double)f.value[i] - (double)want.f32[i]));
    cr_expect_lt(most, 0.01, "%s: largest difference %g mph", member, most);
    wf_array_free(&want);
    wf_forecast_free(&f);
    expect_no_leaks();
}

Test(published, weights_give_the_published_predictions)
{
    NEED_SHARED();
    expect_predictions(ADJACENCY, WF_COMPAT_DCRNN_REVERSED, "pred_mph_upstream_supports");
    expect_predictions(NULL, WF_COMPAT_DCRNN, "pred_mph_upstream_supports");
}

Test(published, weights_give_the_published_predictions_with_correct_supports)
{
    NEED_SHARED();
    expect_predictions(ADJACENCY, WF_COMPAT_DCRNN, "pred_mph_correct_supports");
}

Test(published, sizes_of_a_network_are_read_from_its_weights)
{
    NEED_SHARED();
    struct wf_dcrnn_config c = { 0 };
    struct wf_task t = { .channels = 2 };
    struct wf_error err = { 0 };
    cr_assert_eq(wf_dcrnn_sizes(shared(weights), &c, &t, &err), WF_OK, "%s", err.message);
    cr_expect(c.hidden == 64 && c.layers == 2 && t.terms == 5 && t.targets == 1);
    t.channels = 1;
    cr_expect_eq(wf_dcrnn_sizes(shared(weights), &c, &t, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "330 rows, want a multiple of 65"), "%s", err.message);
    cr_expect_eq(wf_dcrnn_sizes(shared(reference), &c, &t, &err), WF_EFORMAT, "%s", err.message);
    expect_no_leaks();
}

Test(published, supports_that_are_no_numbers_are_refused)
{
    const float good[4] = { 0, 1, 0.5f, 0.5f }, bad[4] = { 0, 1, 0, INFINITY };
    struct wf_graph gr;
    struct wf_error err = { 0 };
    double have[4];
    const float *const S[2] = { good, good }, *const broken[2] = { good, bad };
    cr_assert_eq(wf_graph_from_supports(&gr, wf_backend_cpu(), 2, S, 2, WF_COMPAT_NONE, &err),
                 WF_OK);
    dense(&gr, 1, have);
    cr_expect_eq(largest_difference(have, good, 4), 0);
    wf_graph_free(&gr);
    cr_expect_eq(wf_graph_from_supports(&gr, wf_backend_cpu(), 2, broken, 2, WF_COMPAT_NONE, &err),
                 WF_ENUMERIC);
    cr_expect(strstr(err.message, "support 1: entry [1, 1] is inf"), "%s", err.message);
    cr_expect_eq(wf_graph_from_supports(&gr, wf_backend_cpu(), 2, S, 99, WF_COMPAT_NONE, &err),
                 WF_EINVAL);
    expect_no_leaks();
}

Test(published, weights_of_another_size_are_refused)
{
    NEED_SHARED();
    struct wf_params ps;
    struct wf_dcrnn m;
    struct wf_error err = { 0 };
    struct wf_task task = { .nodes = 207, .channels = 1, .targets = 1, .T = 12, .Q = 12 };
    task.terms = 5;
    wf_params_init(&ps, wf_backend_cpu());
    wf_dcrnn_init(&m, &ps, (struct wf_dcrnn_config){ .hidden = 64, .layers = 2 }, &task);
    cr_assert_eq(wf_params_commit(&ps, 1, &err), WF_OK, "%s", err.message);
    cr_expect_eq(wf_model_load(&wf_dcrnn_type, &m, &ps, shared(weights), NULL, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "gconv_weight_(330, 128)"), "%s", err.message);
    wf_params_free(&ps);
    expect_no_leaks();
}
