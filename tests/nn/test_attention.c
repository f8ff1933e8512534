/* Attention compared with loops, and multi-head attention compared with its definition. */
#include <criterion/criterion.h>
#include <omp.h>
#include "nn/attention.h"
#include "tests/kit/dense.h"
#include "tests/kit/rows.h"

/* The results are weighted means of numbers below 1, which have an absolute rounding error. */
static const double bar = sizeof(wf_real) == 8 ? 1e-12 : 2e-5;

/* Shapes are q [G, L, H d], k [G, S, H d] and v [G, S, H e]. Some have more rows of q than the
 * kernel takes at once. */
struct row {
    int G, L, S, H, d, e;
    bool mask;
};
static const struct row rows[] = {
    { 1, 1, 1, 1, 1, 1, false },     { 3, 5, 7, 2, 3, 4, true },    { 2, 150, 90, 2, 4, 3, true },
    { 4, 12, 12, 8, 2, 2, false },   { 2, 64, 65, 1, 5, 1, false }, { 1, 65, 3, 3, 1, 2, true },
    { 2, 100, 40, 1, 35, 18, true },
};
enum { ROWS = sizeof rows / sizeof *rows, MOST = 1 << 15 };

struct naive {
    struct row r;
    const struct wf_tensor *q, *k, *v, *mask;
    double scale;
};

static double score(const struct naive *n, int g, int h, int i, int j)
{
    const struct row *r = &n->r;
    double s = 0;
    for (int c = h * r->d; c < (h + 1) * r->d; c++)
        s += dense_at(n->q, ((ptrdiff_t)g * r->L + i) * r->H * r->d + c) *
             dense_at(n->k, ((ptrdiff_t)g * r->S + j) * r->H * r->d + c);
    return n->scale * s + (n->mask ? dense_at(n->mask, (ptrdiff_t)i * r->S + j) : 0);
}

static double naive_at(ptrdiff_t at, const void *ctx)
{
    const struct naive *n = ctx;
    const struct row *r = &n->r;
    int c = (int)(at % (r->H * r->e)), i = (int)(at / (r->H * r->e) % r->L);
    int g = (int)(at / (r->H * r->e) / r->L), h = c / r->e;
    double top = -INFINITY, sum = 0, y = 0;
    for (int j = 0; j < r->S; j++) top = fmax(top, score(n, g, h, i, j));
    for (int j = 0; j < r->S; j++) {
        double p = exp(score(n, g, h, i, j) - top);
        sum += p;
        y += p * dense_at(n->v, ((ptrdiff_t)g * r->S + j) * r->H * r->e + c);
    }
    return y / sum;
}

/* A mask that forbids some pairs, but never all pairs of a query. */
static struct wf_tensor *make_mask(struct wf_tape *g, const struct row *r)
{
    if (!r->mask) return NULL;
    struct wf_tensor *m = wf_tape_new(g, 2, wf_dims(r->L, r->S));
    if (g->error.status) return m;
    for (int i = 0; i < r->L * r->S; i++)
        m->data[i] = i % 3 == 1 ? -INFINITY : (wf_real)dense_noise(9, i);
    return m;
}

static struct wf_tensor *build(struct wf_tape *g, struct wf_tensor **in, const void *ctx)
{
    const struct row *r = ctx;
    return wf_attention(g, in[0], in[1], in[2], make_mask(g, r), r->H, 1.7);
}

TEST_ROWS(attention, agrees_with_loops_and_has_their_gradient, ROWS)
{
    struct row r = rows[row];
    struct dense d;
    dense_init(&d);
    struct wf_tensor *q = dense_input(&d, 1, 3, wf_dims(r.G, r.L, r.H * r.d));
    struct wf_tensor *k = dense_input(&d, 2, 3, wf_dims(r.G, r.S, r.H * r.d));
    struct wf_tensor *v = dense_input(&d, 3, 3, wf_dims(r.G, r.S, r.H * r.e));
    struct naive n = { r, q, k, v, make_mask(&d.g, &r), 1.7 };
    struct wf_tensor *y = wf_attention(&d.g, q, k, v, make_mask(&d.g, &r), r.H, 1.7);
    dense_expect(&d, y, naive_at, &n, bar);
    dense_free(&d);
    struct dense_grad c = {
        build, &r, { { r.G, r.L, r.H * r.d }, { r.G, r.S, r.H * r.d }, { r.G, r.S, r.H * r.e } }
    };
    dense_expect_gradient(&c);
}

/* Runs the kernels on a row. Puts the result, the logarithms of the sums of exponentials and the
 * three gradients into `to`, one after the other, and returns their number. */
static size_t run_kernels(struct dense *d, const struct row *r, wf_real *to)
{
    struct wf_tensor *q = dense_input(d, 1, 3, wf_dims(r->G, r->L, r->H * r->d));
    struct wf_tensor *k = dense_input(d, 2, 3, wf_dims(r->G, r->S, r->H * r->d));
    struct wf_tensor *v = dense_input(d, 3, 3, wf_dims(r->G, r->S, r->H * r->e));
    struct wf_tensor *dy = dense_input(d, 4, 3, wf_dims(r->G, r->L, r->H * r->e));
    struct wf_tensor *out[] = { wf_tape_new(&d->g, 3, dy->shape),
                                wf_tape_new(&d->g, 3, wf_dims(r->G, r->H, r->L)),
                                dense_input(d, 5, 3, q->shape), dense_input(d, 6, 3, k->shape),
                                dense_input(d, 7, 3, v->shape) };
    struct wf_attention_in in = { q, k, v, make_mask(&d->g, r), r->H, 1.7 };
    struct wf_attention_grad grad = { out[2], out[3], out[4] };
    cr_assert_eq(d->g.error.status, WF_OK, "%s", d->g.error.message);
    cr_assert_eq(wfk_attention(d->g.be, out[0], out[1], &in), WF_OK);
    cr_assert_eq(wfk_attention_bwd(d->g.be, &grad, &in, out[0], out[1], dy), WF_OK);
    size_t n = 0;
    for (int i = 0; i < 5; i++) {
        size_t count = (size_t)wf_tensor_count(out[i]);
        cr_assert_leq(n + count, (size_t)MOST);
        memcpy(to + n, out[i]->data, count * sizeof *to);
        n += count;
    }
    return n;
}

Test(attention, gives_the_same_bits_on_any_number_of_threads)
{
    static wf_real one[MOST], more[MOST];
    for (int i = 0; i < ROWS; i++)
        for (int threads = 1; threads <= 3; threads++) {
            struct dense d;
            dense_init(&d);
            omp_set_num_threads(threads);
            size_t n = run_kernels(&d, &rows[i], threads == 1 ? one : more);
            if (threads > 1)
                cr_expect_arr_eq(more, one, n * sizeof *one, "row %d, %d threads", i, threads);
            dense_free(&d);
        }
}

/* Attention over time for each node, with q, k and v as slices of one tensor. They are read in
 * place, so that only the result takes memory. */
static struct wf_tensor *over_time(struct wf_tape *g, struct wf_tensor **in, const void *ctx)
{
    (void)ctx;
    struct wf_tensor *x = wf_permute(g, in[0], 0, 2, 1, 3), *part[3]; /* [B, N, T, 3 C] */
    for (int i = 0; i < 3; i++) part[i] = wf_slice(g, x, -1, 4 * i, 4 * i + 4);
    return wf_attention(g, part[0], part[1], part[2], NULL, 2, 0.5);
}

Test(attention, permuted_parts_of_one_tensor_are_read_in_place)
{
    struct dense d;
    dense_init(&d);
    struct wf_tensor *x = dense_input(&d, 1, 4, wf_dims(2, 6, 5, 12)), *part[3];
    size_t before = d.g.mem.used;
    struct wf_tensor *y = over_time(&d.g, &x, NULL);
    size_t used = d.g.mem.used - before, bytes = (size_t)wf_tensor_count(y) * sizeof(wf_real);
    cr_expect(used < 2 * bytes + 512, "%zu bytes for a result of %zu", used, bytes);
    struct wf_tensor *z = wf_contiguous(&d.g, wf_permute(&d.g, x, 0, 2, 1, 3));
    for (int i = 0; i < 3; i++)
        part[i] = wf_contiguous(&d.g, wf_slice(&d.g, z, -1, 4 * i, 4 * i + 4));
    dense_expect_same(&d, y, wf_attention(&d.g, part[0], part[1], part[2], NULL, 2, 0.5), bar);
    dense_free(&d);
    struct dense_grad c = { over_time, NULL, { { 2, 6, 5, 12 } } };
    dense_expect_gradient(&c);
}

Test(attention, a_causal_row_sees_no_later_one)
{
    enum { L = 70, C = 4 };
    struct dense d;
    dense_init(&d);
    struct wf_tensor *mask = wf_causal_mask(&d.g, L);
    for (int i = 0; i < L * L; i++)
        cr_assert_eq(mask->data[i], i % L <= i / L ? 0 : -INFINITY, "%d", i);
    struct wf_tensor *x = dense_input(&d, 1, 3, wf_dims(1, L, C));
    struct wf_tensor *y = wf_attention(&d.g, x, x, x, mask, 2, 1);
    struct wf_tensor *head = wf_slice(&d.g, x, 1, 0, 66), *few = wf_causal_mask(&d.g, 66);
    dense_expect_same(&d, wf_slice(&d.g, y, 1, 0, 66),
                      wf_attention(&d.g, head, head, head, few, 2, 1), bar);
    for (int c = 0; c < C; c++) cr_expect_float_eq(y->data[c], x->data[c], 1e-6);
    dense_free(&d);
}

Test(attention, weights_are_those_the_values_are_summed_with)
{
    struct dense d;
    dense_init(&d);
    struct wf_tensor *q = dense_input(&d, 1, 3, wf_dims(3, 5, 6));
    struct wf_tensor *k = dense_input(&d, 2, 3, wf_dims(3, 7, 6));
    struct wf_tensor *v = dense_input(&d, 3, 3, wf_dims(3, 7, 4));
    struct wf_tensor *w = wf_attention_weights(&d.g, q, k, NULL, 2, 0.8);
    struct wf_tensor *y = wf_attention(&d.g, q, k, v, NULL, 2, 0.8), *half[2];
    for (int h = 0; h < 2; h++)
        half[h] = wf_matmul(&d.g, wf_select(&d.g, w, 1, h),
                            wf_contiguous(&d.g, wf_slice(&d.g, v, -1, 2 * h, 2 * h + 2)));
    dense_expect_same(&d, y, wf_concat(&d.g, half[0], half[1]), bar);
    dense_free(&d);
}

static struct wf_tensor *build_mha(struct wf_tape *g, struct wf_tensor **in, const void *ctx)
{
    struct wf_mha l = { in[1], in[2], in[3], in[4], 2 };
    struct wf_tensor *y = wf_mha(g, &l, in[0], in[0], ctx ? in[5] : in[0], NULL);
    return wf_concat(g, y, wf_mha_weights(g, &l, in[0], in[0], NULL));
}

Test(attention, self_attention_is_the_same_in_one_product_and_in_three)
{
    struct dense d;
    struct wf_mha l;
    dense_init(&d);
    wf_mha_init(&l, &d.ps, "mha", 6, 3);
    dense_commit(&d, 1);
    struct wf_tensor *x = dense_input(&d, 1, 4, wf_dims(2, 3, 5, 6));
    struct wf_tensor *k = dense_input(&d, 1, 4, wf_dims(2, 3, 5, 6));
    struct wf_tensor *v = dense_input(&d, 1, 4, wf_dims(2, 3, 5, 6));
    struct wf_tensor *mask = wf_causal_mask(&d.g, 5);
    dense_expect_same(&d, wf_mha(&d.g, &l, x, x, x, mask), wf_mha(&d.g, &l, x, k, v, mask), bar);
    /* Keys and values differ from x here, and the definition is written out. */
    struct wf_tensor *in[3] = { x, dense_input(&d, 2, 4, wf_dims(2, 3, 5, 6)),
                                dense_input(&d, 3, 4, wf_dims(2, 3, 5, 6)) },
                     *p[3];
    for (int i = 0; i < 3; i++)
        p[i] = wf_linear_op(&d.g, in[i], wf_slice(&d.g, l.in_weight, 1, 6 * i, 6 * i + 6),
                            wf_slice(&d.g, l.in_bias, 0, 6 * i, 6 * i + 6));
    struct wf_tensor *y = wf_attention(&d.g, p[0], p[1], p[2], mask, 3, 1 / sqrt(2.0));
    dense_expect_same(&d, wf_mha(&d.g, &l, in[0], in[1], in[2], mask),
                      wf_linear_op(&d.g, y, l.out_weight, l.out_bias), bar);
    struct wf_tensor *w = wf_mha_weights(&d.g, &l, x, x, mask);
    dense_expect_same(&d, w, wf_mha_weights(&d.g, &l, x, k, mask), bar);
    for (int i = 0; i < 30; i++) {
        double sum = 0;
        for (int j = 0; j < 5; j++) sum += (double)w->data[i * 5 + j];
        cr_expect_float_eq(sum, 1, 1e-6);
    }
    dense_free(&d);
    struct dense_grad c = { build_mha, NULL, { { 2, 5, 4 }, { 4, 12 }, { 12 }, { 4, 4 }, { 4 } } };
    dense_expect_gradient(&c);
    struct dense_grad cross = { build_mha,
                                &d,
                                { { 2, 5, 4 }, { 4, 12 }, { 12 }, { 4, 4 }, { 4 }, { 2, 5, 4 } } };
    dense_expect_gradient(&cross);
}

Test(attention, shapes_that_do_not_fit_are_refused)
{
    struct dense d;
    struct wf_mha l;
    struct wf_error err = { 0 };
    dense_init(&d);
    struct wf_tape *g = &d.g;
    wf_attention(g, wf_zeros(g, 2, wf_dims(3, 6)), wf_zeros(g, 2, wf_dims(3, 4)),
                 wf_zeros(g, 2, wf_dims(3, 4)), NULL, 2, 1);
    dense_expect_refusal(&d, "attention: q [3, 6], k [3, 4], 2 heads");
    wf_attention(g, wf_zeros(g, 2, wf_dims(3, 6)), wf_zeros(g, 2, wf_dims(5, 6)),
                 wf_zeros(g, 2, wf_dims(4, 6)), NULL, 2, 1);
    dense_expect_refusal(&d, "attention: [5, 6] and [4, 6]");
    wf_attention(g, wf_zeros(g, 2, wf_dims(3, 6)), wf_zeros(g, 2, wf_dims(5, 6)),
                 wf_zeros(g, 2, wf_dims(5, 6)), wf_zeros(g, 2, wf_dims(5, 3)), 2, 1);
    dense_expect_refusal(&d, "the mask is [5, 3], want [3, 5]");
    wf_attention_weights(g, wf_zeros(g, 2, wf_dims(3, 6)), wf_zeros(g, 2, wf_dims(5, 6)), NULL, 4,
                         1);
    dense_expect_refusal(&d, "4 heads");
    const int deep[6] = { 1, 1, 1, 1, 3, 6 };
    wf_attention_weights(g, wf_zeros(g, 6, deep), wf_zeros(g, 6, deep), NULL, 2, 1);
    dense_expect_refusal(&d, "no room for an axis of heads");
    wf_mha_init(&l, &d.ps, "mha", 6, 4);
    cr_expect_eq(wf_params_commit(&d.ps, 1, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "'mha': 6 channels are not split by 4 heads"), "%s", err.message);
    dense_free(&d);
}
