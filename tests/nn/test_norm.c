/* Batch and layer normalisation compared with sums in double. */
#include <criterion/criterion.h>
#include "nn/norm.h"
#include "tests/kit/dense.h"
#include "tests/kit/rows.h"

static const double bar = sizeof(wf_real) == 8 ? 1e-12 : 2e-5;

/* The expected result from plain sums: moments are over all positions with the same group. */
enum { MOST = 1 << 16 };
struct naive {
    ptrdiff_t n;
    int inner, groups; /* group of element i: i / inner % groups */
    double mean[1 << 12], var[1 << 12], eps;
    const struct wf_tensor *x, *w, *b;
    int weights; /* element i has weight i % weights; if 0, that of its group */
};

static void naive_moments(struct naive *m)
{
    static double count[1 << 12];
    m->n = wf_tensor_count(m->x);
    for (int c = 0; c < m->groups; c++) m->mean[c] = m->var[c] = count[c] = 0;
    for (ptrdiff_t i = 0; i < m->n; i++) {
        m->mean[i / m->inner % m->groups] += dense_at(m->x, i);
        count[i / m->inner % m->groups]++;
    }
    for (int c = 0; c < m->groups; c++) m->mean[c] /= count[c];
    for (ptrdiff_t i = 0; i < m->n; i++) {
        double d = dense_at(m->x, i) - m->mean[i / m->inner % m->groups];
        m->var[i / m->inner % m->groups] += d * d;
    }
    for (int c = 0; c < m->groups; c++) m->var[c] /= count[c];
}

static double naive_at(ptrdiff_t i, const void *ctx)
{
    const struct naive *m = ctx;
    ptrdiff_t c = i / m->inner % m->groups, k = m->weights ? i % m->weights : c;
    double z = (dense_at(m->x, i) - m->mean[c]) / sqrt(m->var[c] + m->eps);
    return z * dense_at(m->w, k) + dense_at(m->b, k);
}

static void put_noise(struct wf_tensor *t, int seed)
{
    for (ptrdiff_t i = 0; i < wf_tensor_count(t); i++) t->data[i] = (wf_real)dense_noise(seed, i);
}

/* Some shapes have more rows or columns than the kernel takes at once, some fewer. */
struct batch_row {
    int ndim, shape[4], axis;
};
static const struct batch_row batches[] = {
    { 2, { 300, 5 }, -1 },      { 3, { 40, 150, 3 }, 1 }, { 4, { 5, 4, 3, 2 }, 2 },
    { 4, { 7, 6, 5, 64 }, -1 }, { 2, { 3, 40 }, 0 },      { 3, { 1, 9, 131 }, 1 },
};
enum { BATCHES = sizeof batches / sizeof *batches };

TEST_ROWS(norm, batch_norm_has_the_moments_of_the_batch, BATCHES)
{
    static struct naive m;
    struct batch_row r = batches[row];
    struct dense d;
    struct wf_batch_norm l;
    int axis = r.axis < 0 ? r.ndim - 1 : r.axis, C = r.shape[axis];
    dense_init(&d);
    wf_batch_norm_init(&l, &d.ps, "norm", C, 0.1);
    dense_commit(&d, 1);
    put_noise(l.weight, 2);
    put_noise(l.bias, 3);
    struct wf_tensor *x = wf_affine(&d.g, dense_input(&d, 1, r.ndim, r.shape), 1, 3);
    m = (struct naive){ .inner = 1, .groups = C, .eps = 1e-5, .x = x, .w = l.weight, .b = l.bias };
    for (int i = axis + 1; i < r.ndim; i++) m.inner *= r.shape[i];
    naive_moments(&m);
    struct wf_tensor *y = wf_batch_norm(&d.g, &l, x, r.axis);
    dense_expect(&d, y, naive_at, &m, bar);
    double n = (double)m.n / C;
    for (int c = 0; c < C; c++) {
        cr_assert_float_eq((double)l.running.mean->data[c], 0.1 * m.mean[c], bar);
        cr_assert_float_eq((double)l.running.var->data[c], 0.9 + 0.1 * m.var[c] * n / (n - 1), bar);
    }
    cr_expect_eq(l.running.count->data[0], 1);
    /* Without training the running moments are used, and do not change. */
    for (int c = 0; c < C; c++) {
        m.mean[c] = (double)l.running.mean->data[c];
        m.var[c] = (double)l.running.var->data[c];
    }
    d.g.training = false;
    dense_expect(&d, wf_batch_norm(&d.g, &l, x, r.axis), naive_at, &m, bar);
    cr_expect_eq(l.running.count->data[0], 1);
    dense_free(&d);
}

static struct wf_tensor *build_batch(struct wf_tape *g, struct wf_tensor **in, const void *ctx)
{
    const struct batch_row *r = ctx;
    const int *shape = in[1]->shape;
    struct wf_running run = { wf_zeros(g, 1, shape), wf_full(g, 1, 1, shape),
                              wf_zeros(g, 1, wf_dims(1)), 0.1, 1e-5 };
    return wf_batch_norm_op(g, in[0], r->axis, in[1], in[2], &run);
}

Test(norm, gradient_of_batch_norm_is_right_beyond_one_piece)
{
    for (int i = 0; i < BATCHES; i++) {
        struct batch_row r = batches[i];
        int C = r.shape[r.axis < 0 ? r.ndim - 1 : r.axis];
        struct dense_grad c = { build_batch, &r, { { 0 }, { C }, { C } } };
        for (int k = 0; k < r.ndim; k++) c.shape[0][k] = r.shape[k];
        dense_expect_gradient(&c);
    }
}

/* With a negative momentum, running moments are the plain average over all batches. */
Test(norm, a_negative_momentum_averages_all_batches)
{
    struct dense d;
    struct wf_batch_norm l;
    dense_init(&d);
    wf_batch_norm_init(&l, &d.ps, "norm", 1, -1);
    dense_commit(&d, 1);
    const wf_real batch[3][4] = { { 1, 2, 3, 6 }, { 0, 0, 4, 4 }, { 5, 5, 5, 9 } };
    for (int k = 0; k < 3; k++)
        wf_batch_norm(&d.g, &l, wf_input(&d.g, batch[k], 2, wf_dims(4, 1)), -1);
    cr_expect_float_eq((double)l.running.mean->data[0], (3.0 + 2 + 6) / 3, 1e-6);
    cr_expect_float_eq((double)l.running.var->data[0], (14.0 / 3 + 16.0 / 3 + 4) / 3, 1e-6);
    cr_expect_eq(l.running.count->data[0], 3);
    dense_free(&d);
}

struct layer_row {
    int ndim, shape[3], axes;
};
static const struct layer_row layers[] = {
    { 3, { 20, 13, 7 }, 1 }, { 2, { 3, 700 }, 1 }, { 3, { 4, 30, 9 }, 2 }, { 2, { 16, 5 }, 2 }
};
enum { LAYERS = sizeof layers / sizeof *layers };

static struct wf_tensor *build_layer(struct wf_tape *g, struct wf_tensor **in, const void *ctx)
{
    const struct layer_row *r = ctx;
    return wf_layer_norm_op(g, in[0], r->axes, in[1], in[2], 1e-5);
}

Test(norm, layer_norm_has_the_moments_of_every_row)
{
    static struct naive m;
    for (int k = 0; k < LAYERS; k++) {
        struct layer_row r = layers[k];
        struct dense d;
        struct wf_layer_norm l;
        const int *shape = r.shape + r.ndim - r.axes;
        dense_init(&d);
        wf_layer_norm_init(&l, &d.ps, "norm", r.axes, shape);
        dense_commit(&d, 1);
        put_noise(l.weight, 2);
        put_noise(l.bias, 3);
        int D = (int)wf_tensor_count(l.weight);
        struct wf_tensor *x = wf_affine(&d.g, dense_input(&d, 1, r.ndim, r.shape), 1, 3);
        m = (struct naive){ .inner = D, .groups = (int)(wf_tensor_count(x) / D), .eps = 1e-5 };
        m.x = x;
        m.w = l.weight;
        m.b = l.bias;
        m.weights = D;
        naive_moments(&m);
        dense_expect(&d, wf_layer_norm(&d.g, &l, x), naive_at, &m, bar);
        dense_free(&d);
        struct dense_grad c = { .build = build_layer, .ctx = &r };
        for (int i = 0; i < r.ndim; i++) c.shape[0][i] = r.shape[i];
        for (int i = 0; i < r.axes; i++) c.shape[1][i] = c.shape[2][i] = shape[i];
        dense_expect_gradient(&c);
    }
}

/* A mean far from 0 must not drown the variance: the kernel has to subtract it first. */
Test(norm, numbers_far_from_zero_keep_their_variance)
{
    static struct naive m;
    struct dense d;
    struct wf_batch_norm l;
    dense_init(&d);
    wf_batch_norm_init(&l, &d.ps, "norm", 3, 0.1);
    dense_commit(&d, 1);
    struct wf_tensor *x = wf_affine(&d.g, dense_input(&d, 1, 2, wf_dims(1000, 3)), 1,
                                    sizeof(wf_real) == 8 ? 1e6 : 1e3);
    m = (struct naive){ .inner = 1, .groups = 3, .eps = 1e-5 };
    m.x = x;
    m.w = l.weight;
    m.b = l.bias;
    naive_moments(&m);
    /* Means and the expected sums are rounded to wf_real: by 1e-16 of 1e9, or 6e-8 of 1e3. */
    dense_expect(&d, wf_batch_norm(&d.g, &l, x, -1), naive_at, &m,
                 sizeof(wf_real) == 8 ? 1e-8 : 3e-4);
    dense_free(&d);
}

Test(norm, shapes_that_do_not_fit_are_refused)
{
    struct dense d;
    struct wf_batch_norm b;
    struct wf_layer_norm l;
    dense_init(&d);
    wf_batch_norm_init(&b, &d.ps, "batch", 3, 0.1);
    wf_layer_norm_init(&l, &d.ps, "layer", 2, wf_dims(4, 3));
    dense_commit(&d, 1);
    wf_batch_norm(&d.g, &b, wf_zeros(&d.g, 2, wf_dims(5, 4)), -1);
    dense_expect_refusal(&d, "batch_norm: [5, 4] and [3]");
    wf_batch_norm(&d.g, &b, wf_zeros(&d.g, 2, wf_dims(5, 3)), 2);
    dense_expect_refusal(&d, "batch_norm: [5, 3] has no axis 2");
    wf_batch_norm(&d.g, &b, wf_zeros(&d.g, 2, wf_dims(1, 3)), 1);
    dense_expect_refusal(&d, "one number per channel");
    wf_layer_norm(&d.g, &l, wf_zeros(&d.g, 3, wf_dims(2, 3, 4)));
    dense_expect_refusal(&d, "layer_norm: [2, 3, 4] and [4, 3]");
    wf_layer_norm(&d.g, &l, wf_zeros(&d.g, 1, wf_dims(12)));
    dense_expect_refusal(&d, "layer_norm: the last 2 axes of [12]");
    cr_expect_eq(b.running.count->data[0], 0);
    dense_free(&d);
}
