/* Convolution compared with loops, and tables of embeddings. */
#include <criterion/criterion.h>
#include "nn/conv.h"
#include "nn/embedding.h"
#include "tests/kit/dense.h"
#include "tests/kit/rows.h"

struct row {
    int x[4], out; /* [B, H, W, C] */
    struct wf_conv_config cfg;
};
/* Kernels along H alone with stride 1 read x in place. For the others, the inputs of every tap are
 * copied. */
static const struct row rows[] = {
    { { 2, 7, 3, 4 }, 5, { .kernel = { 3 } } },
    { { 2, 7, 3, 4 }, 5, { .kernel = { 3 }, .dilation = { 2 }, .no_bias = true } },
    { { 3, 6, 2, 3 }, 2, { .kernel = { 5 }, .padding = { 2 } } },
    { { 2, 2, 3, 2 }, 4, { .kernel = { 9 }, .padding = { 4 } } },
    { { 2, 11, 1, 3 }, 2, { .kernel = { 4 }, .padding = { 1 } } },
    { { 2, 5, 1, 1 }, 1, { .kernel = { 2 } } },
    { { 2, 5, 4, 1 }, 3, { .kernel = { 2 } } },
    { { 3, 4, 6, 1 }, 9, { .kernel = { 2 } } },
    { { 3, 2, 6, 4 }, 12, { .kernel = { 2 } } },
    { { 20, 40, 30, 3 }, 17, { .kernel = { 3 }, .padding = { 1 } } },
    { { 2, 5, 3, 4 }, 6, { .no_bias = false } },
    { { 2, 7, 3, 4 }, 5, { .stride = { 2, 1 } } },
    { { 2, 7, 6, 2 }, 3, { .kernel = { 2, 3 }, .stride = { 2, 3 }, .padding = { 1, 2 } } },
    { { 2, 8, 9, 2 }, 3, { .kernel = { 3, 2 }, .dilation = { 2, 3 } } },
    { { 1, 3, 2, 1 }, 1, { .kernel = { 3, 3 }, .padding = { 4, 3 }, .stride = { 3, 2 } } },
};
enum { ROWS = sizeof rows / sizeof *rows };

static int or_one(int n)
{
    return n > 0 ? n : 1;
}

struct naive {
    const struct row *r;
    const struct wf_tensor *x, *w, *b, *y;
};

static double naive_at(ptrdiff_t i, const void *ctx)
{
    const struct naive *n = ctx;
    const struct wf_conv_config *c = &n->r->cfg;
    const int *y = n->y->shape, *x = n->x->shape;
    int o = (int)(i % y[3]), w = (int)(i / y[3] % y[2]), h = (int)(i / y[3] / y[2] % y[1]);
    int b = (int)(i / y[3] / y[2] / y[1]), kw = or_one(c->kernel[1]);
    double sum = n->b ? dense_at(n->b, o) : 0;
    for (int k = 0; k < or_one(c->kernel[0]) * kw; k++) {
        int hh = h * or_one(c->stride[0]) - c->padding[0] + k / kw * or_one(c->dilation[0]);
        int ww = w * or_one(c->stride[1]) - c->padding[1] + k % kw * or_one(c->dilation[1]);
        if (hh < 0 || hh >= x[1] || ww < 0 || ww >= x[2]) continue;
        for (int ch = 0; ch < x[3]; ch++)
            sum += dense_at(n->x, (((ptrdiff_t)b * x[1] + hh) * x[2] + ww) * x[3] + ch) *
                   dense_at(n->w, ((ptrdiff_t)k * x[3] + ch) * y[3] + o);
    }
    return sum;
}

static struct wf_tensor *build(struct wf_tape *g, struct wf_tensor **in, const void *ctx)
{
    const struct row *r = ctx;
    return wf_conv_op(g, in[0], in[1], r->cfg.no_bias ? NULL : in[2], &r->cfg);
}

TEST_ROWS(conv, agrees_with_loops_and_has_their_gradient, ROWS)
{
    const struct row *r = &rows[row];
    struct dense d;
    struct wf_conv l;
    dense_init(&d);
    wf_conv_init(&l, &d.ps, "conv", r->x[3], r->out, r->cfg);
    dense_commit(&d, 3);
    cr_expect_eq(l.bias == NULL, r->cfg.no_bias);
    struct wf_tensor *x = dense_input(&d, 1, 4, r->x), *y = wf_conv(&d.g, &l, x);
    cr_assert_eq(d.g.error.status, WF_OK, "%s", d.g.error.message);
    for (int k = 0; k < 2; k++) {
        int reach = or_one(r->cfg.dilation[k]) * (or_one(r->cfg.kernel[k]) - 1) + 1;
        int room = r->x[k + 1] + 2 * r->cfg.padding[k] - reach;
        cr_assert_eq(y->shape[k + 1], room / or_one(r->cfg.stride[k]) + 1);
    }
    struct naive n = { r, x, l.weight, l.bias, y };
    dense_expect(&d, y, naive_at, &n, sizeof(wf_real) == 8 ? 1e-13 : 1e-5);
    struct dense_grad c = { .build = build, .ctx = r };
    for (int i = 0; i < 4; i++) c.shape[0][i] = r->x[i];
    c.shape[1][0] = l.weight->shape[0];
    c.shape[1][1] = c.shape[2][0] = r->out;
    if (r->cfg.no_bias) c.shape[2][0] = 0;
    dense_free(&d);
    dense_expect_gradient(&c);
}

/* A slice along time is not one matrix over all samples, but is one in each sample. */
Test(conv, slices_are_read_in_place_where_they_are_matrices)
{
    struct dense d;
    dense_init(&d);
    struct wf_conv_config cfg = { .kernel = { 2 } };
    struct wf_tensor *x = dense_input(&d, 1, 4, wf_dims(4, 9, 3, 5));
    struct wf_tensor *w = dense_input(&d, 2, 2, wf_dims(6, 4));
    struct wf_tensor *part = wf_slice(&d.g, wf_slice(&d.g, x, 0, 1, 4), 1, 2, 7);
    part = wf_slice(&d.g, part, 3, 1, 4);
    size_t before = d.g.mem.used;
    struct wf_tensor *y = wf_conv_op(&d.g, part, w, NULL, &cfg);
    size_t used = d.g.mem.used - before;
    size_t bytes = (size_t)wf_tensor_count(y) * sizeof(wf_real);
    cr_expect(used < bytes + 512, "%zu bytes for a result of %zu", used, bytes);
    dense_expect_same(&d, y, wf_conv_op(&d.g, wf_contiguous(&d.g, part), w, NULL, &cfg),
                      sizeof(wf_real) == 8 ? 1e-14 : 1e-6);
    /* Some nodes of all, or time inside the nodes, are no matrices and must be copied first. */
    for (int k = 0; k < 2; k++) {
        part = k ? wf_permute(&d.g, x, 0, 2, 1, 3) : wf_slice(&d.g, x, 2, 1, 3);
        part = wf_slice(&d.g, part, 3, 0, 3);
        dense_expect_same(&d, wf_conv_op(&d.g, part, w, NULL, &cfg),
                          wf_conv_op(&d.g, wf_contiguous(&d.g, part), w, NULL, &cfg),
                          sizeof(wf_real) == 8 ? 1e-14 : 1e-6);
    }
    dense_free(&d);
}

Test(conv, shapes_that_do_not_fit_are_refused)
{
    struct dense d;
    struct wf_conv l;
    dense_init(&d);
    wf_conv_init(&l, &d.ps, "conv", 3, 4, (struct wf_conv_config){ .kernel = { 5, 2 } });
    dense_commit(&d, 1);
    cr_expect_eq(l.weight->shape[0], 30);
    wf_conv(&d.g, &l, wf_zeros(&d.g, 3, wf_dims(6, 2, 3)));
    dense_expect_refusal(&d, "conv: [6, 2, 3] and [30, 4]");
    wf_conv(&d.g, &l, wf_zeros(&d.g, 4, wf_dims(1, 6, 2, 2)));
    dense_expect_refusal(&d, "want x [B, H, W, C]");
    wf_conv(&d.g, &l, wf_zeros(&d.g, 4, wf_dims(1, 4, 2, 3)));
    dense_expect_refusal(&d, "longer");
    wf_conv(&d.g, &l, wf_zeros(&d.g, 4, wf_dims(1, 5, 1, 3)));
    dense_expect_refusal(&d, "wider");
    wf_conv_op(&d.g, wf_zeros(&d.g, 4, wf_dims(1, 5, 2, 3)), l.weight, l.weight, &l.cfg);
    dense_expect_refusal(&d, "bias [O]");
    dense_free(&d);
}

/* ---- tables ---- */

Test(embedding, rows_are_found_by_index_and_by_time_of_day)
{
    enum { STEPS = 1440, D = 3 };
    struct dense d;
    struct wf_embedding l;
    wf_real time[STEPS], odd[5] = { -2, 1439.4f, 1440, 1e9f, NAN };
    const int row[5] = { 0, 1439, 1439, 1439, 0 };
    dense_init(&d);
    wf_embedding_init(&l, &d.ps, "day", STEPS, D);
    dense_commit(&d, 1);
    for (int i = 0; i < STEPS; i++) time[i] = (wf_real)i / (wf_real)STEPS;
    struct wf_tensor *t = wf_input(&d.g, time, 2, wf_dims(STEPS / 2, 2));
    struct wf_tensor *y = wf_lookup(&d.g, l.weight, t, STEPS);
    cr_assert_eq(y->ndim, 3);
    for (int i = 0; i < STEPS * D; i++) cr_assert_eq(y->data[i], l.weight->data[i], "%d", i);
    y = wf_embedding(&d.g, &l, wf_input(&d.g, odd, 1, wf_dims(5)));
    for (int i = 0; i < 5 * D; i++)
        cr_expect_eq(y->data[i], l.weight->data[row[i / D] * D + i % D], "%d", i);
    dense_free(&d);
}

Test(embedding, gradients_of_one_row_add_up)
{
    enum { N = 3000, D = 7, ROWS_OF_TABLE = 5 };
    struct dense d;
    struct wf_embedding l;
    double want[ROWS_OF_TABLE * D] = { 0 };
    dense_init(&d);
    wf_embedding_init(&l, &d.ps, "table", ROWS_OF_TABLE, D);
    dense_commit(&d, 1);
    struct wf_tensor *x = dense_input(&d, 1, 1, wf_dims(N));
    struct wf_tensor *c = dense_input(&d, 2, 2, wf_dims(N, D));
    for (int i = 0; i < N; i++) {
        int r = (i * 7 + i / 11) % (ROWS_OF_TABLE - 1); /* nothing selects the last row */
        x->data[i] = (wf_real)r;
        for (int k = 0; k < D; k++) want[r * D + k] += (double)c->data[i * D + k];
    }
    wf_tape_backward(&d.g, wf_sum_all(&d.g, wf_mul(&d.g, c, wf_embedding(&d.g, &l, x))));
    for (int i = 0; i < ROWS_OF_TABLE * D; i++)
        cr_expect_float_eq((double)l.weight->grad->data[i], want[i],
                           sizeof(wf_real) == 8 ? 1e-11 : 1e-3, "%d", i);
    dense_free(&d);
}

Test(embedding, a_table_that_is_no_matrix_is_refused)
{
    struct dense d;
    dense_init(&d);
    struct wf_tensor *x = wf_zeros(&d.g, 1, wf_dims(3));
    wf_lookup(&d.g, x, x, 1);
    dense_expect_refusal(&d, "lookup: [3] and [3]: want a table [n, D]");
    wf_leaky_relu(&d.g, wf_zeros(&d.g, 1, wf_dims(3)), 1.5);
    dense_expect_refusal(&d, "leaky_relu: slope 1.5");
    dense_free(&d);
}
