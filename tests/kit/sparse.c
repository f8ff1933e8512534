#include "tests/kit/sparse.h"
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "tensor/rng.h"

static const int source[SPARSE_EDGES] = { 0, 3, 1, 4, 1, 0, 1, 3, 4 };
static const int target[SPARSE_EDGES] = { 1, 1, 3, 0, 3, 3, 1, 4, 4 };
const struct wf_edges sparse_edges = { SPARSE_NODES, SPARSE_EDGES, source, target, NULL };
const int sparse_types[SPARSE_EDGES] = { 0, 0, 2, 2, 2, 1, 0, 1, 2 };

struct wf_csr sparse_pattern(void)
{
    struct wf_csr A;
    struct wf_error err = { 0 };
    cr_assert_eq(wf_csr_from_pairs(&A, wf_backend_cpu(), SPARSE_NODES, SPARSE_NODES, SPARSE_EDGES,
                                   target, source, NULL, &err),
                 WF_OK, "%s", err.message);
    return A;
}

struct wf_csr sparse_relations(void)
{
    struct wf_csr A;
    struct wf_error err = { 0 };
    cr_assert_eq(wf_relation_pattern(&A, wf_backend_cpu(), &sparse_edges, sparse_types,
                                     SPARSE_RELATIONS, &err),
                 WF_OK, "%s", err.message);
    return A;
}

static void fill(wf_real *x, ptrdiff_t n, uint32_t stream)
{
    struct wf_rng rng = { .seed = 5, .stream = stream };
    for (ptrdiff_t i = 0; i < n; i++) x[i] = (wf_real)(2 * wf_rng_uniform(&rng) - 1);
}

struct wf_tensor *sparse_noise(struct wf_tape *g, uint32_t stream, int ndim, const int *shape)
{
    wf_real host[1024];
    struct wf_tensor want = { 0 };
    wf_tensor_shape(&want, ndim, shape);
    cr_assert_leq(wf_tensor_count(&want), 1024);
    fill(host, wf_tensor_count(&want), stream);
    return wf_input(g, host, ndim, shape);
}

void expect_param_gradients(struct wf_params *ps,
                            struct wf_tensor *(*build)(struct wf_tape *g, void *ctx), void *ctx)
{
    struct wf_error err = { 0 };
    struct wf_tensor *leaf[64];
    double worst;
    int which;
    cr_assert_eq(wf_params_commit(ps, 1, &err), WF_OK, "%s", err.message);
    cr_assert_leq(ps->count, 64);
    for (int i = 0; i < ps->count; i++) {
        leaf[i] = &ps->param[i]->value;
        fill(leaf[i]->data, wf_tensor_count(leaf[i]), 100 + (uint32_t)i);
    }
    struct wf_gradcheck c = {
        .build = build, .ctx = ctx, .leaf = leaf, .leaves = ps->count, .seed = 2
    };
    cr_assert_eq(wf_gradcheck_run(&c, wf_backend_cpu(), &worst, &which, &err), WF_OK, "%s",
                 err.message);
    /* Numeric differences in float keep only the order of magnitude of a wrong gradient. */
    double bar = sizeof(wf_real) == 8 ? 1e-7 : 2e-2;
    cr_expect(worst <= bar, "%s: off by %g", ps->param[which]->name, worst);
}

void expect_samples_apart(struct wf_tape *g,
                          struct wf_tensor *(*build)(struct wf_tape *g, void *ctx,
                                                     struct wf_tensor *x),
                          void *ctx, int channels)
{
    enum { B = 3 };
    wf_real all[1024], one[1024];
    wf_tape_reset(g);
    struct wf_tensor *x = sparse_noise(g, 7, 3, wf_dims(B, SPARSE_NODES, channels));
    struct wf_tensor *y = wf_contiguous(g, build(g, ctx, x));
    cr_assert_eq(g->error.status, WF_OK, "%s", g->error.message);
    ptrdiff_t n = wf_tensor_count(y) / B;
    cr_assert(y->shape[0] == B && B * n <= 1024);
    wf_tensor_download(y, all);
    for (int b = 0; b < B; b++) {
        y = wf_contiguous(g, build(g, ctx, wf_select(g, x, 0, b)));
        cr_assert_eq(g->error.status, WF_OK, "%s", g->error.message);
        cr_assert_eq(wf_tensor_count(y), n);
        wf_tensor_download(y, one);
        for (ptrdiff_t i = 0; i < n; i++)
            cr_assert_float_eq((double)all[b * n + i], (double)one[i], 40 * WF_REAL_EPS,
                               "sample %d, element %td", b, i);
    }
}

void expect_refused(struct wf_tape *g, const char *text)
{
    cr_expect_eq(g->error.status, WF_EINVAL, "want a refusal with '%s'", text);
    cr_expect(strstr(g->error.message, text), "'%s' is not in: %s", text, g->error.message);
    wf_tape_reset(g);
}
