/* Dense and sparse products against loops in double. */
#include <criterion/criterion.h>
#include <math.h>
#include <omp.h>
#include <string.h>
#include "tensor/alloc.h"
#include "tensor/backend.h"
#include "tests/kit/leaks.h"
#include "tests/kit/rows.h"

TestSuite(products);

static uint64_t state = 7;

static double uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 40) / (1 << 24) - 0.5;
}

static struct wf_tensor noise(int ndim, const int *shape)
{
    struct wf_tensor t;
    struct wf_error err = { 0 };
    cr_assert_eq(wf_tensor_alloc(&t, wf_backend_cpu(), ndim, shape, &err), WF_OK, "%s",
                 err.message);
    for (ptrdiff_t i = 0; i < wf_tensor_count(&t); i++) t.data[i] = (wf_real)uniform();
    return t;
}

static size_t bytes_of(const struct wf_tensor *t)
{
    return (size_t)wf_tensor_count(t) * sizeof(wf_real);
}

static wf_real *copy_of(const struct wf_tensor *t)
{
    wf_real *p = wf_malloc(bytes_of(t));
    cr_assert_not_null(p);
    memcpy(p, t->data, bytes_of(t));
    return p;
}

static double at(const struct wf_tensor *t, int i, int j, int k)
{
    return (double)t->data[i * t->stride[0] + j * t->stride[1] + k * t->stride[2]];
}

/* A bound of the rounding error of a sum of `terms` numbers below 1/4 with random signs, which
 * grows as the square root of their number. */
static double slack(int terms)
{
    return 8 * WF_REAL_EPS * (1 + sqrt(terms));
}

/* C = A B + beta C for G pairs of matrices. ta, tb: A, B is stored transposed; shared: all pairs
 * have the same B; gap: unused columns at the end of A's rows. */
struct gemm_row {
    int G, M, N, K;
    bool ta, tb, shared;
    int gap;
    double beta;
};
static const struct gemm_row gemms[] = {
    { 1, 7, 5, 3, false, false, false, 0, 0 },    { 1, 1, 1, 1, false, false, false, 0, 1 },
    { 1, 300, 70, 20, false, true, false, 4, 1 }, { 1, 33, 17, 5000, true, false, false, 0, 1 },
    { 1, 5, 600, 40, true, true, false, 0, 0 },   { 9, 31, 8, 6, false, false, true, 0, 1 },
    { 4, 6, 7, 8, true, false, false, 0, 0.5 },   { 3, 40, 9, 2100, false, false, false, 3, 0.5 },
    { 5, 20, 1, 30, false, true, true, 2, 0 },    { 6, 1, 12, 10, false, false, true, 0, 1 },
};
enum { GEMMS = sizeof gemms / sizeof *gemms };

static struct wf_tensor operand(int G, int rows, int cols, bool transposed, int gap)
{
    struct wf_tensor t =
        noise(3, (const int[]){ G, transposed ? cols : rows, (transposed ? rows : cols) + gap });
    ptrdiff_t outer = t.stride[1];
    t.shape[1] = rows;
    t.shape[2] = cols;
    t.stride[1] = transposed ? 1 : outer;
    t.stride[2] = transposed ? outer : 1;
    return t;
}

TEST_ROWS(products, gemm_agrees_with_loops_on_any_number_of_threads, GEMMS)
{
    struct gemm_row r = gemms[row];
    struct wf_tensor a = operand(r.G, r.M, r.K, r.ta, r.gap);
    struct wf_tensor b = operand(r.shared ? 1 : r.G, r.K, r.N, r.tb, 0);
    struct wf_tensor c = noise(3, wf_dims(r.G, r.M, r.N));
    if (r.shared) b.shape[0] = r.G, b.stride[0] = 0;
    wf_real *old = copy_of(&c), *one = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        memcpy(c.data, old, bytes_of(&c));
        cr_assert_eq(wfk_gemm(c.be, &c, &a, &b, r.beta), WF_OK);
        if (threads == 1) one = copy_of(&c);
        cr_expect_arr_eq(c.data, one, bytes_of(&c), "%d threads", threads);
    }
    for (int i = 0; i < r.G * r.M * r.N; i++) {
        int g = i / r.N / r.M, m = i / r.N % r.M, n = i % r.N;
        double sum = r.beta == 0 ? 0 : r.beta * (double)old[i];
        for (int k = 0; k < r.K; k++) sum += at(&a, g, m, k) * at(&b, g, k, n);
        cr_assert_float_eq((double)c.data[i], sum, slack(r.K), "element %d", i);
    }
    if (r.shared) b.shape[0] = 1;
    wf_free(old);
    wf_free(one);
    wf_tensor_free(&a);
    wf_tensor_free(&b);
    wf_tensor_free(&c);
    expect_no_leaks();
}

/* If the group stride of c is 0, the products of all groups are added: in chunks of groups, or as
 * one long sum if the terms of the groups follow each other in memory. */
Test(products, groups_add_up_where_the_result_is_shared)
{
    enum { G = 40, M = 6, N = 5 };
    for (int k = 0; k < 4; k++) {
        int K = k & 1 ? 9 : 300, gap = k & 2 ? 3 : 0;
        struct wf_tensor a = noise(3, wf_dims(G, K + gap, M)), b = noise(3, wf_dims(G, K, N));
        struct wf_tensor c = noise(3, wf_dims(1, M, N));
        a = (struct wf_tensor){ .data = a.data,
                                .be = a.be,
                                .ndim = 3,
                                .shape = { G, M, K },
                                .stride = { a.stride[0], 1, M } };
        c.shape[0] = G;
        c.stride[0] = 0;
        wf_real old[M * N], one[M * N];
        memcpy(old, c.data, sizeof old);
        for (int threads = 1; threads <= 3; threads++) {
            omp_set_num_threads(threads);
            memcpy(c.data, old, sizeof old);
            cr_assert_eq(wfk_gemm(c.be, &c, &a, &b, 1), WF_OK);
            if (threads == 1) memcpy(one, c.data, sizeof one);
            cr_expect_arr_eq(c.data, one, sizeof one, "%d threads", threads);
        }
        for (int i = 0; i < M * N; i++) {
            double sum = (double)old[i];
            for (int g = 0; g < G; g++)
                for (int t = 0; t < K; t++) sum += at(&a, g, i / N, t) * at(&b, g, t, i % N);
            cr_assert_float_eq((double)c.data[i], sum, slack(G * K), "element %d", i);
        }
        c.shape[0] = 1;
        a.shape[1] = K + gap;
        a.shape[2] = M;
        wf_tensor_free(&a);
        wf_tensor_free(&b);
        wf_tensor_free(&c);
    }
    expect_no_leaks();
}

/* A is [rows, cols] with E entries, some of them parallel. If gap > 0, x and y are views into wider
 * arrays. */
struct sparse_row {
    int B, rows, cols, E, C, gap;
    bool transpose, add;
};
static const struct sparse_row sparse[] = {
    { 1, 1, 1, 1, 1, 0, false, false },     { 2, 30, 20, 100, 66, 3, false, true },
    { 2, 30, 20, 100, 66, 3, true, false }, { 5, 12, 12, 30, 17, 0, true, true },
    { 20, 9, 14, 40, 5, 1, false, false },  { 1, 700, 600, 2000, 48, 0, false, true },
    { 3, 4, 4, 0, 64, 0, false, true },
};
enum { SPARSE = sizeof sparse / sizeof *sparse };

struct sparse_case {
    struct sparse_row r;
    struct wf_csr A;
    struct wf_tensor val, x, y; /* y = A x, or A^T x */
};

static struct wf_tensor view(int B, int N, int C, int gap)
{
    struct wf_tensor t = noise(3, (const int[]){ B, N + gap, C + gap });
    t.shape[1] = N;
    t.shape[2] = C;
    return t;
}

static void sparse_init(struct sparse_case *s, struct sparse_row r)
{
    int row[2000], col[2000];
    struct wf_error err = { 0 };
    *s = (struct sparse_case){ .r = r };
    for (int e = 0; e < r.E; e++) {
        row[e] = (int)((uniform() + 0.5) * r.rows);
        col[e] = (int)((uniform() + 0.5) * r.cols);
        if (e % 5 == 4) row[e] = row[e - 1], col[e] = col[e - 1];
    }
    cr_assert_eq(
        wf_csr_from_pairs(&s->A, wf_backend_cpu(), r.rows, r.cols, r.E, row, col, NULL, &err),
        WF_OK);
    s->val = noise(1, wf_dims(r.E));
    s->x = view(r.B, r.transpose ? r.rows : r.cols, r.C, r.gap);
    s->y = view(r.B, r.transpose ? r.cols : r.rows, r.C, r.gap);
}

static void sparse_done(struct sparse_case *s)
{
    wf_csr_free(&s->A);
    wf_tensor_free(&s->val);
    wf_tensor_free(&s->x);
    wf_tensor_free(&s->y);
    expect_no_leaks();
}

/* Computes (A x)[b, i, c] or (A^T x)[b, i, c]. */
static double product(const struct sparse_case *s, int b, int i, int c)
{
    const struct wf_csr *A = &s->A;
    double sum = 0;
    for (int row = 0; row < A->rows; row++)
        for (int e = A->ptr[row]; e < A->ptr[row + 1]; e++) {
            int to = s->r.transpose ? A->idx[e] : row, from = s->r.transpose ? row : A->idx[e];
            if (to == i) sum += (double)s->val.data[e] * at(&s->x, b, from, c);
        }
    return sum;
}

TEST_ROWS(products, spmm_agrees_with_loops_and_keeps_to_its_view, SPARSE)
{
    struct sparse_case s;
    sparse_init(&s, sparse[row]);
    struct sparse_row r = s.r;
    int N = s.y.shape[1], width = r.C + r.gap, height = N + r.gap;
    size_t bytes = (size_t)(r.B * height * width) * sizeof(wf_real);
    wf_real *old = wf_malloc(bytes);
    memcpy(old, s.y.data, bytes);
    cr_assert_eq(wfk_spmm(s.y.be, &s.y, &s.A, &s.val, &s.x, r.transpose, r.add), WF_OK);
    for (int i = 0; i < r.B * height * width; i++) {
        int b = i / width / height, n = i / width % height, c = i % width;
        double want = (double)old[i];
        if (n < N && c < r.C && r.E < 2000)
            want = (r.add ? want : 0) + product(&s, b, n, c);
        else if (n < N && c < r.C && n > 20)
            continue; /* the large graph: its first rows are enough */
        else if (n < N && c < r.C)
            want += product(&s, b, n, c);
        cr_assert_float_eq((double)s.y.data[i], want, slack(r.E), "element %d", i);
    }
    wf_free(old);
    sparse_done(&s);
}

TEST_ROWS(products, gradient_of_the_values_is_added_in_one_order, SPARSE)
{
    struct sparse_row r = sparse[row];
    r.transpose = false;
    struct sparse_case s;
    sparse_init(&s, r);
    struct wf_tensor d = noise(1, wf_dims(r.E));
    wf_real *old = copy_of(&d), *one = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        memcpy(d.data, old, bytes_of(&d));
        cr_assert_eq(wfk_spmm_bwd_val(d.be, &d, &s.A, &s.y, &s.x), WF_OK);
        if (threads == 1) one = copy_of(&d);
        cr_expect_arr_eq(d.data, one, bytes_of(&d), "%d threads", threads);
    }
    for (int i = 0; i < r.rows; i++)
        for (int e = s.A.ptr[i]; e < s.A.ptr[i + 1]; e++) {
            double sum = (double)old[e];
            for (int b = 0; b < r.B; b++)
                for (int c = 0; c < r.C; c++) sum += at(&s.y, b, i, c) * at(&s.x, b, s.A.idx[e], c);
            cr_assert_float_eq((double)d.data[e], sum, slack(r.B * r.C), "entry %d", e);
        }
    wf_free(old);
    wf_free(one);
    wf_tensor_free(&d);
    sparse_done(&s);
}

Test(products, edges_sum_over_rows_and_columns_and_spread_back)
{
    for (int k = 0; k < 4; k++) {
        bool columns = k & 1, add = k & 2;
        struct sparse_case s;
        sparse_init(&s, sparse[1]);
        int n = columns ? s.A.cols : s.A.rows;
        struct wf_tensor y = noise(1, wf_dims(n)), out = noise(1, wf_dims(s.A.nnz));
        wf_real *y0 = copy_of(&y), *out0 = copy_of(&out);
        double sum[64];
        for (int i = 0; i < n; i++) sum[i] = add ? (double)y0[i] : 0;
        cr_assert_eq(wfk_edge_sum(y.be, &y, &s.A, &s.val, columns, add), WF_OK);
        cr_assert_eq(wfk_edge_spread(y.be, &out, &s.A, &y, columns, add), WF_OK);
        for (int i = 0; i < s.A.rows; i++)
            for (int e = s.A.ptr[i]; e < s.A.ptr[i + 1]; e++) {
                int to = columns ? s.A.idx[e] : i;
                sum[to] += (double)s.val.data[e];
                wf_real want = y.data[to] + (add ? out0[e] : 0);
                cr_assert_float_eq((double)out.data[e], (double)want, 4 * WF_REAL_EPS);
            }
        for (int i = 0; i < n; i++) cr_assert_float_eq((double)y.data[i], sum[i], slack(100));
        wf_free(y0);
        wf_free(out0);
        wf_tensor_free(&y);
        wf_tensor_free(&out);
        sparse_done(&s);
    }
}

Test(products, lack_of_memory_is_reported)
{
    struct sparse_case s;
    sparse_init(&s, sparse[1]);
    struct wf_tensor a = noise(3, wf_dims(1, 4, 3000)), b = noise(3, wf_dims(1, 3000, 4));
    struct wf_tensor c = noise(3, wf_dims(1, 4, 4)), d = noise(1, wf_dims(s.A.nnz));
    wf_real old = d.data[0];
    wf_alloc_fail_after(0);
    cr_expect_eq(wfk_gemm(c.be, &c, &a, &b, 0), WF_ENOMEM);
    wf_alloc_fail_after(0);
    cr_expect_eq(wfk_spmm_bwd_val(d.be, &d, &s.A, &s.y, &s.x), WF_ENOMEM);
    wf_alloc_fail_after(-1);
    cr_expect_eq(d.data[0], old);
    wf_tensor_free(&a);
    wf_tensor_free(&b);
    wf_tensor_free(&c);
    wf_tensor_free(&d);
    sparse_done(&s);
}
