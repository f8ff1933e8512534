#include "tests/kit/dense.h"
#include "tensor/alloc.h"
#include "tests/kit/outcome.h"

void dense_init(struct dense *d)
{
    struct wf_error err = { 0 };
    wf_params_init(&d->ps, wf_backend_cpu());
    ok(wf_tape_init(&d->g, wf_backend_cpu(), &err));
}

void dense_commit(struct dense *d, uint64_t seed)
{
    struct wf_error err = { 0 };
    ok(wf_params_commit(&d->ps, seed, &err));
}

void dense_free(struct dense *d)
{
    cr_expect_eq(d->g.error.status, WF_OK, "%s", d->g.error.message);
    wf_tape_free(&d->g);
    wf_params_free(&d->ps);
    expect_no_leaks();
}

double dense_noise(int seed, ptrdiff_t i)
{
    uint64_t h = (uint64_t)i * 0x9e3779b97f4a7c15u + (uint64_t)seed * 0xd1b54a32d192ed03u;
    h = (h ^ (h >> 31)) * 0xbf58476d1ce4e5b9u;
    h ^= h >> 29;
    return (double)(h >> 11) / 4503599627370496.0 - 1;
}

struct wf_tensor *dense_input(struct dense *d, int seed, int ndim, const int *shape)
{
    struct wf_tensor *t = wf_tape_new(&d->g, ndim, shape);
    cr_assert_eq(d->g.error.status, WF_OK, "%s", d->g.error.message);
    for (ptrdiff_t i = 0; i < wf_tensor_count(t); i++) t->data[i] = (wf_real)dense_noise(seed, i);
    return t;
}

double dense_at(const struct wf_tensor *t, ptrdiff_t i)
{
    ptrdiff_t at = 0;
    for (int k = t->ndim - 1; k >= 0; k--) {
        at += i % t->shape[k] * t->stride[k];
        i /= t->shape[k];
    }
    return (double)t->data[at];
}

void dense_expect(struct dense *d, const struct wf_tensor *y,
                  double (*want)(ptrdiff_t i, const void *ctx), const void *ctx, double bar)
{
    cr_assert_eq(d->g.error.status, WF_OK, "%s", d->g.error.message);
    for (ptrdiff_t i = 0; i < wf_tensor_count(y); i++) {
        double w = want(i, ctx);
        cr_assert(fabs(dense_at(y, i) - w) <= bar * (1 + fabs(w)), "element %td: %.9g, want %.9g",
                  i, dense_at(y, i), w);
    }
}

static double same(ptrdiff_t i, const void *ctx)
{
    return dense_at(ctx, i);
}

void dense_expect_same(struct dense *d, const struct wf_tensor *a, const struct wf_tensor *b,
                       double bar)
{
    cr_assert_eq(d->g.error.status, WF_OK, "%s", d->g.error.message);
    cr_assert(wf_tensor_same_shape(a, b));
    dense_expect(d, a, same, b, bar);
}

void dense_expect_refusal(struct dense *d, const char *why)
{
    cr_expect_eq(d->g.error.status, WF_EINVAL, "accepted where it should say '%s'", why);
    cr_expect(strstr(d->g.error.message, why), "'%s' does not say '%s'", d->g.error.message, why);
    wf_tape_reset(&d->g);
}

struct checked {
    const struct dense_grad *c;
    struct wf_tensor *leaf[DENSE_LEAVES];
};

static struct wf_tensor *build(struct wf_tape *g, void *ctx)
{
    struct checked *k = ctx;
    return k->c->build(g, k->leaf, k->c->ctx);
}

void dense_expect_gradient(const struct dense_grad *c)
{
    struct wf_tensor leaf[DENSE_LEAVES], grad[DENSE_LEAVES];
    struct checked k = { .c = c };
    struct wf_error err = { 0 };
    double worst = 1;
    int which = 0, n = 0;
    for (; n < DENSE_LEAVES && c->shape[n][0]; n++) {
        int ndim = 0;
        while (ndim < WF_MAXDIM && c->shape[n][ndim]) ndim++;
        ok(wf_tensor_alloc(&leaf[n], wf_backend_cpu(), ndim, c->shape[n], &err));
        ok(wf_tensor_alloc(&grad[n], wf_backend_cpu(), ndim, c->shape[n], &err));
        for (ptrdiff_t i = 0; i < wf_tensor_count(&leaf[n]); i++)
            leaf[n].data[i] = (wf_real)dense_noise(n + 1, i);
        leaf[n].needs_grad = true;
        leaf[n].grad = &grad[n];
        k.leaf[n] = &leaf[n];
    }
    struct wf_gradcheck check = {
        .build = build, .ctx = &k, .leaf = k.leaf, .leaves = n, .seed = 4
    };
    ok(wf_gradcheck_run(&check, wf_backend_cpu(), &worst, &which, &err));
    /* The bound covers rounding of sums over some 1e4 numbers. In float, differences over a small
     * step keep only the order of magnitude of a wrong gradient. */
    double bar = sizeof(wf_real) == 8 ? 1e-6 : 3e-2;
    cr_expect(worst <= bar, "input %d: off by %g", which, worst);
    for (int i = 0; i < n; i++) {
        wf_tensor_free(&leaf[i]);
        wf_tensor_free(&grad[i]);
    }
    expect_no_leaks();
}
