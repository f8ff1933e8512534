/* Eigenvalues of general matrices, and the dominant eigenvalue, which scales a Laplacian. */
#include <criterion/criterion.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include "nn/graph.h"
#include "tensor/alloc.h"
#include "tensor/eigen.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"

enum { N = 6 };

/* Expects every wanted eigenvalue to be found exactly once. */
static void expect_spectrum(int n, const double *re, const double *im, double want[][2])
{
    bool taken[N] = { 0 };
    for (int k = 0; k < n; k++) {
        int at = -1;
        for (int i = 0; i < n && at < 0; i++)
            if (!taken[i] && hypot(re[i] - want[k][0], im[i] - want[k][1]) < 1e-12) at = i;
        cr_expect_geq(at, 0, "%g + %g i is not among them", want[k][0], want[k][1]);
        if (at >= 0) taken[at] = true;
    }
}

/* The matrix is P D P^-1, where D has blocks a and [[a, b], [-b, a]], and P is lower triangular
 * with ones on and below the diagonal. */
Test(eigen, values_are_those_a_matrix_was_made_of)
{
    double want[N][2] = { { -3, 0 }, { 1, 2 }, { 1, -2 }, { 0.5, 0 }, { 2, 7 }, { 2, -7 } };
    double D[N][N] = { 0 }, A[N * N], re[N], im[N];
    struct wf_error err = { 0 };
    for (int i = 0; i < N; i++) {
        D[i][i] = want[i][0];
        if (want[i][1] > 0) D[i][i + 1] = want[i][1];
        if (want[i][1] < 0) D[i][i - 1] = want[i][1];
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0, next = 0; /* sums of rows 0 to i of D, in columns j and j + 1 */
            for (int k = 0; k <= i; k++) {
                sum += D[k][j];
                next += j + 1 < N ? D[k][j + 1] : 0;
            }
            A[i * N + j] = sum - next;
        }
    ok(wf_eigenvalues(N, A, re, im, &err));
    expect_spectrum(N, re, im, want);
    expect_no_leaks();
}

Test(eigen, values_of_a_cycle_are_roots_of_one)
{
    double A[25] = { 0 }, re[5], im[5], want[5][2];
    struct wf_error err = { 0 };
    for (int i = 0; i < 5; i++) {
        A[i * 5 + (i + 1) % 5] = 1;
        want[i][0] = cos(2 * M_PI * i / 5);
        want[i][1] = sin(2 * M_PI * i / 5);
    }
    ok(wf_eigenvalues(5, A, re, im, &err));
    expect_spectrum(5, re, im, want);
    for (int i = 0; i + 1 < 5; i++)
        if (im[i] > 0) cr_expect_eq(im[i + 1], -im[i], "a pair is not side by side");
    expect_no_leaks();
}

enum { LARGE = 150 };

static void large_spectrum(int threads, double *re)
{
    double *A = malloc(sizeof(double) * LARGE * LARGE);
    struct wf_error err = { 0 };
    for (int i = 0; i < LARGE * LARGE; i++) A[i] = sin(0.7 * i + 0.001 * i * i);
    omp_set_num_threads(threads);
    ok(wf_eigenvalues(LARGE, A, re, re + LARGE, &err));
    free(A);
}

Test(eigen, values_are_the_same_bits_for_any_number_of_threads)
{
    static double one[2 * LARGE], three[2 * LARGE];
    large_spectrum(1, one);
    large_spectrum(3, three);
    cr_expect_arr_eq(one, three, sizeof one);
    double trace = 0, sum = 0;
    for (int i = 0; i < LARGE; i++) {
        int k = i * LARGE + i;
        trace += sin(0.7 * k + 0.001 * k * k);
        sum += one[i];
    }
    cr_expect_float_eq(sum, trace, 1e-10, "%g, want %g", sum, trace);
    expect_no_leaks();
}

Test(eigen, matrices_that_have_none_are_refused)
{
    double A[4] = { 1, 2, NAN, 4 }, re[2], im[2];
    struct wf_error err = { 0 };
    cr_expect_eq(wf_eigenvalues(0, A, re, im, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "0 rows"), "%s", err.message);
    cr_expect_eq(wf_eigenvalues(2, A, re, im, &err), WF_ENUMERIC);
    cr_expect(strstr(err.message, "[1, 0] is"), "%s", err.message);
    expect_no_leaks();
}

/* ---- graphs ---- */

/* A directed ring of five nodes with weight w on every edge, except for one that is two edges of
 * half the weight. It also has a loop, which the Laplacian does not count. The eigenvalues are
 * w (1 - r) for the fifth roots r of one. */
static enum wf_status ring(struct wf_graph *gr, enum wf_laplacian kind, float w,
                           struct wf_error *err)
{
    static const int source[7] = { 0, 1, 2, 3, 4, 4, 2 }, target[7] = { 1, 2, 3, 4, 0, 0, 2 };
    float weight[7] = { w, w, w, w, w / 2, w / 2, 9 };
    struct wf_edges ed = { 5, 7, source, target, weight };
    struct wf_graph_config cfg = { .kind = WF_CHEB, .laplacian = kind, .dominant = true };
    return wf_graph_init(gr, wf_backend_cpu(), &ed, &cfg, err);
}

Test(eigen, a_pair_of_them_scales_the_laplacian_of_a_ring_by_its_real_part)
{
    double want = 1 - cos(4 * M_PI / 5);
    for (int kind = WF_LAPLACIAN_SYM; kind <= WF_LAPLACIAN_NONE; kind++)
        for (float w = 1; w < 4; w += 2) {
            struct wf_graph gr;
            struct wf_error err = { 0 };
            double scale = kind == WF_LAPLACIAN_NONE ? (double)w : 1;
            ok(ring(&gr, (enum wf_laplacian)kind, w, &err));
            cr_expect_float_eq(gr.cfg.lambda_max, want * scale, 1e-12, "laplacian %d: %g, want %g",
                               kind, gr.cfg.lambda_max, want * scale);
            const struct wf_csr *A = gr.supports.pattern[0];
            for (int e = A->ptr[1]; e < A->ptr[2]; e++) { /* node 1 takes from nodes 0 and 1 */
                double value = 2 / want * (A->idx[e] == 1 ? 1 : -1) - (A->idx[e] == 1);
                cr_expect_float_eq((double)gr.supports.value[0]->data[e], value, 1e-6);
            }
            wf_graph_free(&gr);
        }
    expect_no_leaks();
}

Test(eigen, a_graph_without_edges_has_only_zero)
{
    struct wf_graph gr;
    struct wf_error err = { 0 };
    struct wf_edges none = { 3, 0, NULL, NULL, NULL };
    struct wf_graph_config cfg = { .kind = WF_CHEB,
                                   .laplacian = WF_LAPLACIAN_NONE,
                                   .dominant = true };
    ok(wf_graph_init(&gr, wf_backend_cpu(), &none, &cfg, &err));
    cr_expect_eq(gr.cfg.lambda_max, 0);
    for (int e = 0; e < gr.to_target.nnz; e++) cr_expect_eq(gr.supports.value[0]->data[e], -1);
    wf_graph_free(&gr);
    expect_no_leaks();
}

Test(eigen, graphs_too_large_or_with_stray_edges_are_refused)
{
    struct wf_graph gr;
    struct wf_error err = { 0 };
    int from = 0, to = 7;
    struct wf_edges large = { 4097, 0, NULL, NULL, NULL }, stray = { 3, 1, &from, &to, NULL };
    struct wf_graph_config cfg = { .kind = WF_CHEB, .dominant = true };
    cr_expect_eq(wf_graph_init(&gr, wf_backend_cpu(), &large, &cfg, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "4097 nodes, want 1 to 4096"), "%s", err.message);
    cr_expect_eq(wf_graph_init(&gr, wf_backend_cpu(), &stray, &cfg, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "7"), "%s", err.message);
    expect_no_leaks();
}

Test(eigen, every_failing_allocation_is_clean)
{
    for (int n = 0;; n++) {
        struct wf_graph gr;
        struct wf_error err = { 0 };
        cr_assert(n < 1000);
        wf_alloc_fail_after(n);
        enum wf_status s = ring(&gr, WF_LAPLACIAN_NONE, 1, &err);
        wf_alloc_fail_after(-1);
        if (s == WF_OK) {
            wf_graph_free(&gr);
            cr_expect(n > 7);
            break;
        }
        cr_assert_eq(s, WF_ENOMEM, "allocation %d: %s", n, err.message);
        cr_assert_eq(wf_alloc_live(), 0, "allocation %d", n);
    }
    expect_no_leaks();
}
