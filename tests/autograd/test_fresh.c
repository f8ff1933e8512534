/* Fresh gradients: their first writer stores instead of adding. Tests which gradients are still
 * filled with zeros, and when. */
#include <criterion/criterion.h>
#include <string.h>
#include "autograd/ops.h"
#include "tests/kit/leaks.h"

enum { N = 12 };

static const struct wf_kernels *plain;
static int fills;

static enum wf_status counted_fill(struct wf_backend *be, struct wf_tensor *y, double v)
{
    fills++;
    return plain->fill(be, y, v);
}

/* A tape, and a leaf of ones with its gradient. */
struct set {
    struct wf_tape g;
    struct wf_tensor leaf, grad;
};

static void begin(struct set *s)
{
    static struct wf_kernels table;
    struct wf_backend *be = wf_backend_cpu();
    struct wf_error err = { 0 };
    cr_assert_eq(wf_tape_init(&s->g, be, &err), WF_OK);
    cr_assert_eq(wf_tensor_alloc(&s->leaf, be, 2, wf_dims(3, 4), &err), WF_OK);
    cr_assert_eq(wf_tensor_alloc(&s->grad, be, 2, wf_dims(3, 4), &err), WF_OK);
    wfk_fill(be, &s->leaf, 1);
    s->leaf.grad = &s->grad;
    s->leaf.needs_grad = true;
    plain = be->k;
    table = *plain;
    table.fill = counted_fill;
    be->k = &table;
}

/* Sweeps back from a gradient of ones at y. Returns how many fills the sweep makes. */
static int sweep(struct set *s, struct wf_tensor *y)
{
    struct wf_tape *g = &s->g;
    WF_RUN(g, wfk_fill(g->be, wf_tape_grad(g, y), 1));
    fills = 0;
    wf_tape_sweep(g);
    cr_assert_eq(g->error.status, WF_OK, "%s", g->error.message);
    return fills;
}

static void expect_grad(const struct set *s, double want)
{
    for (int i = 0; i < N; i++)
        cr_expect_float_eq(s->grad.data[i], want, 1e-6, "%g at %d, not %g", (double)s->grad.data[i],
                           i, want);
}

static void end(struct set *s)
{
    s->g.be->k = plain;
    wf_tape_free(&s->g);
    wf_tensor_free(&s->leaf);
    wf_tensor_free(&s->grad);
    expect_no_leaks();
}

Test(fresh, what_its_first_reader_writes_is_not_filled)
{
    struct set s;
    begin(&s);
    struct wf_tape *g = &s.g;
    struct wf_tensor *x = wf_affine(g, &s.leaf, 1, 0), *w = wf_affine(g, &s.leaf, 0.5, 0);
    struct wf_tensor *y = wf_lerp(g, wf_square(g, x), wf_mul(g, x, w), w);
    y = wf_concat(g, wf_reshape(g, y, 2, wf_dims(4, 3)), wf_zeros(g, 2, wf_dims(4, 1)));
    cr_expect_eq(sweep(&s, y), 0);
    expect_grad(&s, 1.25); /* the slope of (1 - x / 2) x^2 + x^3 / 4 at 1 */
    end(&s);
}

/* A tensor is read by n slices along an axis, each of which is squared; `fills` is how many fills
 * the sweep makes. It comes to the last slice first. */
static const struct {
    int axis, n, from[4], to[4], fills;
} parts[] = {
    { 1, 2, { 0, 1 }, { 1, 4 }, 0 },       /* slices cover all, in order */
    { 1, 2, { 1, 0 }, { 4, 1 }, 0 },       /* slices cover all, in reverse order */
    { 0, 3, { 1, 2, 0 }, { 2, 3, 1 }, 0 }, /* the sweep comes to both ends before the middle */
    { 1, 3, { 0, 2, 1 }, { 1, 4, 2 }, 1 }, /* the sweep comes to the middle first */
    { 1, 1, { 1 }, { 4 }, 1 },             /* nothing reads a part at the start */
    { 1, 1, { 1 }, { 3 }, 1 },             /* nothing reads the start and the end */
    { 1, 2, { 0, 1 }, { 3, 4 }, 1 },       /* the two slices overlap */
    { 1, 3, { 0, 2, 2 }, { 2, 4, 4 }, 0 }, /* a slice is read twice */
    { 1, 4, { 0, 2, 0, 2 }, { 2, 4, 4, 4 }, 1 },
};

Test(fresh, slices_are_filled_only_where_nothing_is_written)
{
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        for (int view = 0; view < 2; view++) {
            struct set s;
            struct wf_tensor *y[4], *sum = NULL;
            double want[N] = { 0 };
            begin(&s);
            struct wf_tape *g = &s.g;
            struct wf_tensor *x = wf_affine(g, &s.leaf, 1, 0);
            if (view && parts[k].axis == 1) x = wf_reshape(g, x, 3, wf_dims(1, 3, 4));
            for (int i = 0; i < parts[k].n; i++) {
                int axis = parts[k].axis - 2, from = parts[k].from[i], to = parts[k].to[i];
                y[i] = wf_square(g, wf_slice(g, x, axis, from, to));
                for (int e = 0; e < N; e++) {
                    int at = parts[k].axis ? e % 4 : e / 4;
                    if (at >= from && at < to) want[e] += 2;
                }
            }
            for (int i = 0; i < parts[k].n; i++) {
                struct wf_tensor *one = wf_sum_all(g, y[i]);
                sum = sum ? wf_add(g, sum, one) : one;
            }
            cr_expect_eq(sweep(&s, sum), parts[k].fills, "row %zu: %d fills", k, fills);
            for (int e = 0; e < N; e++)
                cr_expect_float_eq(s.grad.data[e], want[e], 1e-6, "row %zu: %g at %d, not %g", k,
                                   (double)s.grad.data[e], e, want[e]);
            end(&s);
        }
}

Test(fresh, steps_in_time_are_slices_and_a_transpose_is_none)
{
    struct set s;
    begin(&s);
    struct wf_tape *g = &s.g;
    struct wf_tensor *x = wf_reshape(g, wf_affine(g, &s.leaf, 1, 0), 3, wf_dims(2, 3, 2));
    struct wf_tensor *h = wf_zeros(g, 2, wf_dims(2, 2));
    for (int t = 0; t < 3; t++) h = wf_add(g, h, wf_square(g, wf_select(g, x, 1, t)));
    cr_expect_eq(sweep(&s, h), 0);
    expect_grad(&s, 2);
    end(&s);
    begin(&s);
    x = wf_permute(g, wf_affine(g, &s.leaf, 1, 0), 1, 0);
    cr_expect_eq(sweep(&s, wf_square(g, x)), 1);
    expect_grad(&s, 2);
    end(&s);
}

/* The vjp of y = 3 x; n->i[0] selects one of the ways below to ask for the gradient of x. */
static void odd_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *d = wf_tape_grad_fresh(g, n->in[0]);
    cr_expect(d->fresh);
    if (n->i[0] == 0) return; /* this way writes nothing */
    if (n->i[0] == 1) d = wf_tape_grad(g, n->in[0]);
    if (n->i[0] == 2) cr_expect_eq(wf_tape_grad_fresh(g, n->in[0]), d);
    if (n->i[0] == 3) d = wf_tape_grad_fresh(g, n->in[0]->base);
    cr_expect(!d->fresh);
    WF_RUN(g, wfk_affine(g->be, d, n->out->grad, 3, 0, wf_grad_claim(d)));
}

Test(fresh, no_gradient_is_fresh_after_the_vjp_that_asked_or_when_it_asks_again)
{
    static const struct wf_op op = { "odd", odd_vjp };
    for (int way = 0; way < 4; way++) {
        struct set s;
        begin(&s);
        struct wf_tape *g = &s.g;
        struct wf_tensor *x = wf_affine(g, &s.leaf, 1, 0);
        struct wf_tensor *v = wf_reshape(g, x, 2, wf_dims(3, 4)), *y = wf_tape_new(g, 2, v->shape);
        WF_RUN(g, wfk_affine(g->be, y, v, 3, 0, false));
        wf_tape_record(g, (struct wf_node){ .op = &op, .out = y, .in = { v }, .i = { way } });
        cr_expect_eq(sweep(&s, y), 1, "way %d: %d fills", way, fills);
        expect_grad(&s, way ? 3 : 0);
        end(&s);
    }
}

/* There are more outputs than a vjp has inputs, and their gradients all exist before the sweep. */
Test(fresh, a_sweep_may_start_anywhere)
{
    struct set s;
    struct wf_tensor *y[3 * WF_MAXIN];
    begin(&s);
    struct wf_tape *g = &s.g;
    for (int i = 0; i < 3 * WF_MAXIN; i++) y[i] = wf_affine(g, &s.leaf, 1, 0);
    for (int i = 0; i < 3 * WF_MAXIN; i++) {
        struct wf_tensor *d = i % 2 ? wf_tape_grad(g, y[i]) : wf_tape_grad_fresh(g, y[i]);
        wf_grad_claim(d);
        WF_RUN(g, wfk_fill(g->be, d, 1));
    }
    wf_tape_sweep(g);
    expect_grad(&s, 3 * WF_MAXIN);
    end(&s);
}

Test(fresh, a_leaf_has_all_of_its_gradient_after_the_sweep)
{
    struct set s;
    begin(&s);
    struct wf_tape *g = &s.g;
    struct wf_tensor *x = wf_zeros(g, 1, wf_dims(N));
    x->needs_grad = true;
    wf_tape_backward(g, wf_sum_all(g, wf_exp(g, wf_slice(g, x, 0, 2, 5))));
    for (int i = 0; i < N; i++) cr_expect_float_eq(x->grad->data[i], i >= 2 && i < 5, 1e-6);
    end(&s);
}

/* Kernels of a dry run write nothing, and yet no gradient may stay fresh. */
Test(fresh, a_dry_run_leaves_no_gradient_fresh)
{
    struct wf_tape g;
    struct wf_error err = { 0 };
    cr_assert_eq(wf_tape_init(&g, wf_backend_dry(), &err), WF_OK);
    struct wf_tensor *x = wf_zeros(&g, 1, wf_dims(N));
    x->needs_grad = true;
    struct wf_tensor *y = wf_sum_all(&g, wf_tanh(&g, x));
    wf_tape_backward(&g, y);
    cr_expect(g.error.status == WF_OK && x->grad && !x->grad->fresh && g.fresh_count == 0);
    cr_expect_null(x->grad->untouched);
    wf_tape_free(&g);
    expect_no_leaks();
}
