#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "data/npy.h"
#include "data/pickle.h"
#include "models/dcrnn_names.h"
#include "nn/graph.h"
#include "tests/leaks.h"
#include "tests/scratch.h"

#define FOLDER "data/pretrained/dcrnn-metr-la/"
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
    const char *path = shared("data/metr-la-week/adj_mx_metr-la.pkl");
    cr_assert_eq(wf_pickle_adjacency(path, &adj, &err), WF_OK, "%s", err.message);
    cr_assert_eq(wf_graph_from_dense(gr, wf_backend_cpu(), (int)adj.N, adj.A, WF_DUAL_RANDOM_WALK,
                                     2, compat, &err),
                 WF_OK, "%s", err.message);
    wf_adjacency_free(&adj);
}

/* Support d as a dense matrix [N, N]. */
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

/* (D_O^-1 A)^T and (D_I^-1 A^T)^T, straight from the matrix. */
Test(published, supports_without_the_defect_are_random_walks)
{
    NEED_SHARED();
    struct wf_graph gr;
    struct wf_adjacency adj;
    build_graph(&gr, WF_COMPAT_NONE);
    cr_assert_eq(wf_pickle_adjacency(shared("data/metr-la-week/adj_mx_metr-la.pkl"), &adj, NULL),
                 WF_OK);
    ptrdiff_t N = adj.N;
    double *have = wf_malloc((size_t)(N * N) * sizeof *have);
    float *want = wf_malloc((size_t)(N * N) * sizeof *want);
    for (int d = 0; d < 2; d++) {
        for (ptrdiff_t i = 0; i < N; i++) { /* i: where the walk comes from */
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

static const struct wf_dcrnn_config config = { .hidden = 64, .layers = 2, .sampling = true };

static struct wf_tensor *forecast(struct wf_tape *g, const struct wf_dcrnn *m,
                                  const struct wf_graph *gr, const struct wf_array *x)
{
    int B = (int)x->dim[0], T = (int)x->dim[1], N = (int)x->dim[2], C = (int)x->dim[3];
    wf_real *host = wf_malloc((size_t)x->count * sizeof *host);
    for (ptrdiff_t i = 0; i < x->count; i++) host[i] = x->f32[i];
    struct wf_batch b = { .B = B, .T = T, .Q = m->task.Q, .N = N, .C = C };
    b.x = *wf_input(g, host, 4, wf_dims(B, T, N, C));
    b.supports = &gr->supports;
    wf_free(host);
    return wf_dcrnn_forward(g, m, &b);
}

/* The double build is slow and has nothing to add to the other windows. */
static void first_windows(struct wf_array *x, struct wf_array *want, ptrdiff_t n)
{
    struct wf_array *all[] = { x, want };
    for (int i = 0; i < 2; i++) {
        all[i]->count = all[i]->count / all[i]->dim[0] * n;
        all[i]->dim[0] = n;
    }
}

/* The published predictions, in mph, from the published weights. */
static void expect_predictions(enum wf_compat compat, const char *member)
{
    struct wf_graph gr;
    struct wf_params ps;
    struct wf_dcrnn m;
    struct wf_tape g;
    struct wf_error err = { 0 };
    struct wf_array x = read_member("x_scaled"), want = read_member(member);
    if (sizeof(wf_real) > sizeof(float)) first_windows(&x, &want, 2);
    struct wf_array mean = read_member("mean"), std = read_member("std");
    build_graph(&gr, compat);
    struct wf_task task = { .nodes = (int)x.dim[2], .channels = (int)x.dim[3], .targets = 1 };
    task.T = task.Q = (int)want.dim[1];
    task.terms = gr.supports.terms;
    wf_params_init(&ps, wf_backend_cpu());
    wf_dcrnn_init(&m, &ps, config, &task);
    cr_assert_eq(wf_params_commit(&ps, 1, &err), WF_OK, "%s", err.message);
    cr_assert_eq(wf_dcrnn_load(&m, &ps, shared(weights), NULL, &err), WF_OK, "%s", err.message);
    cr_assert_eq(wf_tape_init(&g, wf_backend_cpu(), &err), WF_OK);
    g.training = g.recording = false;
    struct wf_tensor *y = forecast(&g, &m, &gr, &x);
    cr_assert_eq(g.error.status, WF_OK, "%s", g.error.message);
    cr_assert_eq(wf_tensor_count(y), want.count);
    double most = 0;
    for (ptrdiff_t i = 0; i < want.count; i++)
        most = fmax(most, fabs((double)y->data[i] * (double)std.f32[0] + (double)mean.f32[0] -
                               (double)want.f32[i]));
    cr_expect_lt(most, 0.01, "%s: largest difference %g mph", member, most);
    struct wf_array *all[] = { &x, &want, &mean, &std };
    for (int i = 0; i < 4; i++) wf_array_free(all[i]);
    wf_tape_free(&g);
    wf_params_free(&ps);
    wf_graph_free(&gr);
}

Test(published, weights_give_the_published_predictions)
{
    NEED_SHARED();
    expect_predictions(WF_COMPAT_DCRNN_REVERSED, "pred_mph_upstream_supports");
    expect_no_leaks();
}

Test(published, weights_give_the_published_predictions_with_correct_supports)
{
    NEED_SHARED();
    expect_predictions(WF_COMPAT_DCRNN, "pred_mph_correct_supports");
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
    wf_dcrnn_init(&m, &ps, config, &task);
    cr_assert_eq(wf_params_commit(&ps, 1, &err), WF_OK, "%s", err.message);
    cr_expect_eq(wf_dcrnn_load(&m, &ps, shared(weights), NULL, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "gconv_weight_(330, 128)"), "%s", err.message);
    wf_params_free(&ps);
    expect_no_leaks();
}
