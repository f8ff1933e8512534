/* The diffusion convolution against loops over dense matrices in double. */
#include <criterion/criterion.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include "tensor/alloc.h"
#include "tensor/backend.h"
#include "tests/kit/leaks.h"
#include "tests/kit/rows.h"

TestSuite(dconv);

struct row {
    int B, N, C0, C1, O, supports, hops;
    enum wf_diffusion kind;
    enum wf_act act;
    int edges; /* number of edges per support */
    bool padded, bias;
};

static const struct row rows[] = {
    { 3, 20, 2, 64, 128, 2, 2, WF_DIFFUSION, WF_ACT_SIGMOID, 120, false, true },
    { 2, 37, 1, 32, 16, 2, 3, WF_DIFFUSION, WF_ACT_TANH, 150, true, true },
    { 64, 11, 2, 2, 4, 2, 2, WF_DIFFUSION_FIXED, WF_ACT_SIGMOID, 40, false, true },
    { 33, 11, 3, 2, 7, 2, 2, WF_DIFFUSION_CARRY, WF_ACT_RELU, 40, true, false },
    { 17, 29, 5, 0, 3, 1, 3, WF_DIFFUSION, WF_ACT_NONE, 90, true, true },
    { 1, 50, 3, 30, 31, 2, 2, WF_DIFFUSION_CARRY, WF_ACT_TANH, 200, false, true },
    { 1, 1, 1, 0, 1, 1, 1, WF_DIFFUSION, WF_ACT_NONE, 1, false, true },
    { 5, 15, 40, 9, 17, 2, 2, WF_DIFFUSION_FIXED, WF_ACT_RELU, 60, true, true },
    { 4, 15, 33, 0, 65, 0, 0, WF_DIFFUSION, WF_ACT_TANH, 0, true, true },
    { 40, 15, 3, 0, 2, 0, 0, WF_DIFFUSION, WF_ACT_SIGMOID, 0, false, true },
    { 6, 23, 7, 64, 5, 3, 1, WF_DIFFUSION, WF_ACT_NONE, 0, false, false },
    { 64, 9, 64, 16, 48, 2, 3, WF_DIFFUSION_CARRY, WF_ACT_SIGMOID, 30, false, true },
    { 3, 300, 2, 14, 8, 4, 2, WF_DIFFUSION_FIXED, WF_ACT_NONE, 900, true, true },
};
enum { ROWS = sizeof rows / sizeof *rows, GRADS = 4 + WF_MAXSUPPORT };

struct fixture {
    struct row r;
    int C, M;
    struct wf_backend *be;
    struct wf_supports S;
    struct wf_csr A[WF_MAXSUPPORT];
    struct wf_tensor value[WF_MAXSUPPORT], x[2], w, b, y, dy;
    struct wf_tensor grad[GRADS]; /* dx[0], dx[1], dw, db, dvalue[] */
    double *P;                    /* [M, N, N] */
};

static uint64_t state;

static double uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 40) / (1 << 24) - 0.5;
}

/* A tensor of random numbers; if padded, a view into a larger one whose channels are adjacent. */
static struct wf_tensor noise(struct wf_backend *be, int ndim, const int *shape, bool padded)
{
    int room[WF_MAXDIM];
    for (int i = 0; i < ndim; i++) room[i] = shape[i] + (padded && i > 0 ? i + 2 : 0);
    struct wf_tensor t;
    struct wf_error err = { 0 };
    cr_assert_eq(wf_tensor_alloc(&t, be, ndim, room, &err), WF_OK, "%s", err.message);
    for (ptrdiff_t i = 0; i < wf_tensor_count(&t); i++) t.data[i] = (wf_real)uniform();
    memcpy(t.shape, shape, (size_t)ndim * sizeof *shape);
    return t;
}

static wf_real *element(const struct wf_tensor *t, int b, int n, int c)
{
    return t->data + b * t->stride[0] + n * t->stride[1] + c;
}

static wf_real *x_at(const struct wf_tensor x[2], int C0, int b, int n, int c)
{
    return c < C0 ? element(&x[0], b, n, c) : element(&x[1], b, n, c - C0);
}

static void supports_init(struct fixture *f)
{
    struct wf_error err = { 0 };
    int E = f->r.edges, N = f->r.N, row[1024], col[1024];
    f->S = (struct wf_supports){ .count = f->r.supports, .nodes = N };
    for (int s = 0; s < f->r.supports; s++) {
        for (int e = 0; e < E; e++) {
            row[e] = (int)((uniform() + 0.5) * N);
            col[e] = (int)((uniform() + 0.5) * N);
            if (e % 7 == 6) row[e] = row[e - 1], col[e] = col[e - 1];
        }
        cr_assert_eq(wf_csr_from_pairs(&f->A[s], f->be, N, N, E, row, col, NULL, &err), WF_OK);
        f->value[s] = noise(f->be, 1, wf_dims(E), false);
        f->S.pattern[s] = &f->A[s];
        f->S.value[s] = &f->value[s];
    }
    cr_assert_eq(wf_supports_terms(&f->S, f->r.hops, f->r.kind), WF_OK);
    f->M = f->S.terms;
}

static void dense(const struct fixture *f, int s, double *D)
{
    int N = f->r.N;
    memset(D, 0, sizeof *D * (size_t)(N * N));
    for (int i = 0; i < N; i++)
        for (int e = f->A[s].ptr[i]; e < f->A[s].ptr[i + 1]; e++)
            D[i * N + f->A[s].idx[e]] += (double)f->value[s].data[e];
}

static void terms_init(struct fixture *f)
{
    int N = f->r.N, size = N * N;
    f->P = wf_calloc((size_t)(f->M * size), sizeof *f->P);
    double *D = wf_malloc((size_t)size * sizeof *D);
    cr_assert(f->P && D);
    for (int i = 0; i < N; i++) f->P[i * N + i] = 1;
    for (int m = 1; m < f->M; m++) {
        const struct wf_hop *h = &f->S.hop[m];
        double *P = f->P + m * size, *src = f->P + h->src * size;
        dense(f, h->support, D);
        for (int i = 0; i < N; i++)
            for (int k = 0; k < N; k++)
                for (int j = 0; j < N && D[i * N + k] != 0; j++)
                    P[i * N + j] += (h->sub < 0 ? 1 : 2) * D[i * N + k] * src[k * N + j];
        for (int i = 0; i < size && h->sub >= 0; i++) P[i] -= f->P[h->sub * size + i];
    }
    wf_free(D);
}

static void init(struct fixture *f, struct row r)
{
    *f = (struct fixture){ .r = r, .C = r.C0 + r.C1, .be = wf_backend_cpu() };
    state = (uint64_t)(r.N * 1000 + r.O);
    supports_init(f);
    terms_init(f);
    for (int i = 0; i < (r.C1 ? 2 : 1); i++) {
        const int shape[] = { r.B, r.N, i ? r.C1 : r.C0 };
        f->x[i] = noise(f->be, 3, shape, r.padded);
        f->grad[i] = noise(f->be, 3, shape, r.padded);
    }
    f->w = noise(f->be, 2, wf_dims(f->M * f->C, r.O), false);
    f->b = noise(f->be, 1, wf_dims(r.O), false);
    f->y = noise(f->be, 3, wf_dims(r.B, r.N, r.O), false);
    f->dy = noise(f->be, 3, wf_dims(r.B, r.N, r.O), false);
    f->grad[2] = noise(f->be, 2, wf_dims(f->M * f->C, r.O), false);
    f->grad[3] = noise(f->be, 1, wf_dims(r.O), false);
    for (int s = 0; s < r.supports; s++) f->grad[4 + s] = noise(f->be, 1, wf_dims(r.edges), false);
}

static void done(struct fixture *f)
{
    struct wf_tensor *all[] = { &f->x[0], &f->x[1], &f->w, &f->b, &f->y, &f->dy };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) wf_tensor_free(all[i]);
    for (int i = 0; i < GRADS; i++) wf_tensor_free(&f->grad[i]);
    for (int s = 0; s < f->r.supports; s++) {
        wf_csr_free(&f->A[s]);
        wf_tensor_free(&f->value[s]);
    }
    wf_free(f->P);
    expect_no_leaks();
}

static struct wf_dconv_in input(const struct fixture *f)
{
    return (struct wf_dconv_in){ .S = &f->S,
                                 .x = { &f->x[0], f->r.C1 ? &f->x[1] : NULL },
                                 .w = &f->w,
                                 .b = f->r.bias ? &f->b : NULL,
                                 .act = f->r.act };
}

/* Computes the term T_m(x) of one sample, [N, C]. */
static void term(const struct fixture *f, int m, int b, double *T)
{
    int N = f->r.N, C = f->C;
    const double *P = f->P + (ptrdiff_t)m * N * N;
    memset(T, 0, sizeof *T * (size_t)(N * C));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            for (int c = 0; c < C && P[i * N + j] != 0; c++)
                T[i * C + c] += P[i * N + j] * (double)*x_at(f->x, f->r.C0, b, j, c);
}

static double activation(enum wf_act act, double x)
{
    switch (act) {
    case WF_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case WF_ACT_TANH:
        return tanh(x);
    case WF_ACT_RELU:
        return x > 0 ? x : 0;
    default:
        return x;
    }
}

static double derivative(enum wf_act act, double y)
{
    switch (act) {
    case WF_ACT_SIGMOID:
        return y * (1 - y);
    case WF_ACT_TANH:
        return 1 - y * y;
    case WF_ACT_RELU:
        return y > 0;
    default:
        return 1;
    }
}

/* The largest difference, and the largest number that was wanted. */
struct gap {
    double diff, size;
};

static void compare(struct gap *g, double found, double wanted)
{
    double diff = fabs(found - wanted);
    if (!(diff <= g->diff)) g->diff = diff; /* a NaN stays */
    g->size = fmax(g->size, fabs(wanted));
}

/* Values are sums of some hundred products of numbers below 1, after up to three hops. Errors below
 * 6 units of rounding were observed; the bound leaves a factor of five. */
static void check(struct gap g, const char *what)
{
    double ulps = g.diff / (WF_REAL_EPS * (1 + g.size));
    cr_expect(ulps < 30, "%s is off by %g units", what, ulps);
}

static void check_forward(const struct fixture *f)
{
    int B = f->r.B, N = f->r.N, C = f->C, O = f->r.O;
    double *T = wf_malloc(sizeof *T * (size_t)(N * C)), *Y = wf_malloc(sizeof *Y * (size_t)(N * O));
    struct gap g = { 0 };
    for (int b = 0; b < B; b++) {
        for (int i = 0; i < N * O; i++) Y[i] = f->r.bias ? (double)f->b.data[i % O] : 0;
        for (int m = 0; m < f->M; m++) {
            term(f, m, b, T);
            for (int i = 0; i < N; i++)
                for (int c = 0; c < C; c++)
                    for (int o = 0; o < O; o++)
                        Y[i * O + o] += T[i * C + c] * (double)f->w.data[(m * C + c) * O + o];
        }
        for (int i = 0; i < N * O; i++)
            compare(&g, (double)f->y.data[b * N * O + i], activation(f->r.act, Y[i]));
    }
    check(g, "y");
    wf_free(T);
    wf_free(Y);
}

TEST_ROWS(dconv, agrees_with_dense_matrices, ROWS)
{
    struct fixture f;
    init(&f, rows[row]);
    struct wf_dconv_in in = input(&f);
    cr_assert_eq(wfk_dconv(f.be, &f.y, &in), WF_OK);
    check_forward(&f);
    done(&f);
}

/* E holds the gradients E_m of the terms of one sample, [M, N, C]; E_0 becomes the gradient of x.
 * The gradients of the supports go into dS as dense matrices. */
static void reverse(const struct fixture *f, double *E, const double *T, double *dS, double *D)
{
    int N = f->r.N, C = f->C;
    for (int m = f->M - 1; m > 0; m--) {
        const struct wf_hop *h = &f->S.hop[m];
        double scale = h->sub < 0 ? 1 : 2, *e = E + m * N * C, *src = E + h->src * N * C;
        dense(f, h->support, D);
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++) {
                if (D[i * N + j] == 0) continue;
                for (int c = 0; c < C; c++) {
                    dS[(h->support * N + i) * N + j] +=
                        scale * e[i * C + c] * T[(h->src * N + j) * C + c];
                    src[j * C + c] += scale * D[i * N + j] * e[i * C + c];
                }
            }
        }
        for (int i = 0; i < N * C && h->sub >= 0; i++) E[h->sub * N * C + i] -= e[i];
    }
}

struct reference {
    double *dx, *dw, *db, *dS;
};

static void sample_gradient(const struct fixture *f, int b, struct reference *ref, double *work)
{
    int N = f->r.N, C = f->C, O = f->r.O, M = f->M;
    double *T = work, *E = T + M * N * C, *D = E + M * N * C;
    memset(E, 0, sizeof *E * (size_t)(M * N * C));
    for (int m = 0; m < M; m++) {
        term(f, m, b, T + m * N * C);
        for (int i = 0; i < N; i++) {
            for (int o = 0; o < O; o++) {
                double y = (double)f->y.data[(b * N + i) * O + o];
                double d = (double)f->dy.data[(b * N + i) * O + o] * derivative(f->r.act, y);
                if (m == 0) ref->db[o] += d;
                for (int c = 0; c < C; c++) {
                    int w = (m * C + c) * O + o;
                    ref->dw[w] += T[(m * N + i) * C + c] * d;
                    E[(m * N + i) * C + c] += (double)f->w.data[w] * d;
                }
            }
        }
    }
    reverse(f, E, T, ref->dS, D);
    for (int i = 0; i < N * C; i++) ref->dx[b * N * C + i] = E[i];
}

static struct reference reference(const struct fixture *f)
{
    size_t N = (size_t)f->r.N, C = (size_t)f->C, O = (size_t)f->r.O, M = (size_t)f->M;
    size_t B = (size_t)f->r.B, S = (size_t)f->r.supports + 1;
    struct reference ref = { .dx = wf_calloc(B * N * C, 8),
                             .dw = wf_calloc(M * C * O, 8),
                             .db = wf_calloc(O, 8),
                             .dS = wf_calloc(S * N * N, 8) };
    double *work = wf_calloc(2 * M * N * C + N * N, 8);
    cr_assert(ref.dx && ref.dw && ref.db && ref.dS && work);
    for (int b = 0; b < f->r.B; b++) sample_gradient(f, b, &ref, work);
    wf_free(work);
    return ref;
}

/* grad[i] held `old` before; only the wanted gradients may have been added to it. */
static void check_gradient(const struct fixture *f, const struct reference *ref,
                           const struct wf_tensor *old, unsigned wanted)
{
    int N = f->r.N, C = f->C, O = f->r.O;
    struct gap dx = { 0 }, dw = { 0 }, db = { 0 }, dv = { 0 };
    for (int b = 0; b < f->r.B; b++)
        for (int i = 0; i < N * C; i++) {
            double add = (double)*x_at(old, f->r.C0, b, i / C, i % C);
            double want = wanted & (i % C < f->r.C0 ? 1 : 2) ? ref->dx[b * N * C + i] : 0;
            compare(&dx, (double)*x_at(f->grad, f->r.C0, b, i / C, i % C), add + want);
        }
    for (int i = 0; i < f->M * C * O; i++)
        compare(&dw, (double)f->grad[2].data[i],
                (double)old[2].data[i] + (wanted & 4 ? ref->dw[i] : 0));
    for (int o = 0; o < O; o++)
        compare(&db, (double)f->grad[3].data[o],
                (double)old[3].data[o] + (wanted & 8 ? ref->db[o] : 0));
    for (int s = 0; s < f->r.supports; s++)
        for (int i = 0; i < N; i++)
            for (int e = f->A[s].ptr[i]; e < f->A[s].ptr[i + 1]; e++) {
                double want = wanted & 16u << s ? ref->dS[(s * N + i) * N + f->A[s].idx[e]] : 0;
                compare(&dv, (double)f->grad[4 + s].data[e], (double)old[4 + s].data[e] + want);
            }
    check(dx, "dx");
    check(dw, "dw");
    check(db, "db");
    check(dv, "dvalue");
}

static size_t room(const struct wf_tensor *t)
{
    return t->data ? (size_t)(t->shape[0] * t->stride[0]) * sizeof(wf_real) : 0;
}

static void save(const struct fixture *f, struct wf_tensor to[GRADS])
{
    for (int i = 0; i < GRADS; i++) {
        to[i] = f->grad[i];
        to[i].data = wf_malloc(room(&f->grad[i]) + 1);
        if (f->grad[i].data) memcpy(to[i].data, f->grad[i].data, room(&f->grad[i]));
    }
}

static void restore(struct fixture *f, const struct wf_tensor from[GRADS])
{
    for (int i = 0; i < GRADS; i++)
        if (f->grad[i].data) memcpy(f->grad[i].data, from[i].data, room(&f->grad[i]));
}

static void discard(struct wf_tensor saved[GRADS])
{
    for (int i = 0; i < GRADS; i++) wf_free(saved[i].data);
}

static enum wf_status backward(struct fixture *f, unsigned wanted)
{
    struct wf_dconv_grad d = { .dx = { wanted & 1 ? &f->grad[0] : NULL,
                                       wanted & 2 && f->r.C1 ? &f->grad[1] : NULL },
                               .dw = wanted & 4 ? &f->grad[2] : NULL,
                               .db = wanted & 8 ? &f->grad[3] : NULL };
    for (int s = 0; s < f->r.supports; s++)
        if (wanted & 16u << s) d.dvalue[s] = &f->grad[4 + s];
    struct wf_dconv_in in = input(f);
    return wfk_dconv_bwd(f->be, &d, &in, &f->y, &f->dy);
}

TEST_ROWS(dconv, adds_the_gradients_that_are_wanted, ROWS)
{
    static const unsigned wanted[] = { 15, 14, 255, 3, 12, 1, 16 };
    struct fixture f;
    init(&f, rows[row]);
    struct wf_dconv_in in = input(&f);
    cr_assert_eq(wfk_dconv(f.be, &f.y, &in), WF_OK);
    struct reference ref = reference(&f);
    struct wf_tensor old[GRADS];
    save(&f, old);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        cr_assert_eq(backward(&f, wanted[i]), WF_OK);
        check_gradient(&f, &ref, old, wanted[i]);
        restore(&f, old);
    }
    discard(old);
    wf_free(ref.dx);
    wf_free(ref.dw);
    wf_free(ref.db);
    wf_free(ref.dS);
    done(&f);
}

TEST_ROWS(dconv, gives_the_same_bits_on_any_number_of_threads, ROWS)
{
    struct fixture f;
    init(&f, rows[row]);
    struct wf_dconv_in in = input(&f);
    struct wf_tensor old[GRADS], one[2][GRADS];
    save(&f, old);
    size_t bytes = room(&f.y);
    wf_real *y = wf_malloc(bytes);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        cr_assert_eq(wfk_dconv(f.be, &f.y, &in), WF_OK);
        if (threads == 1) memcpy(y, f.y.data, bytes);
        cr_expect_arr_eq(f.y.data, y, bytes, "y on %d threads", threads);
        for (int values = 0; values < 2; values++) {
            cr_assert_eq(backward(&f, values ? 255 : 15), WF_OK);
            if (threads == 1) save(&f, one[values]);
            for (int i = 0; i < GRADS; i++)
                if (f.grad[i].data)
                    cr_expect_arr_eq(f.grad[i].data, one[values][i].data, room(&f.grad[i]),
                                     "gradient %d on %d threads", i, threads);
            restore(&f, old);
        }
    }
    discard(old);
    discard(one[0]);
    discard(one[1]);
    wf_free(y);
    done(&f);
}

Test(dconv, reports_lack_of_memory_and_leaves_the_output_alone)
{
    struct fixture f;
    init(&f, rows[0]);
    struct wf_dconv_in in = input(&f);
    wf_real before = f.y.data[0], grad = f.grad[2].data[0];
    wf_alloc_fail_after(0);
    enum wf_status forward = wfk_dconv(f.be, &f.y, &in);
    wf_alloc_fail_after(0);
    enum wf_status back = backward(&f, 15);
    wf_alloc_fail_after(-1);
    cr_assert_eq(forward, WF_ENOMEM);
    cr_assert_eq(back, WF_ENOMEM);
    cr_assert_eq(f.y.data[0], before);
    cr_assert_eq(f.grad[2].data[0], grad);
    done(&f);
}
