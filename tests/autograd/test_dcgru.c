/* The diffusion convolutional GRU cell as one op, compared with the cell made of other ops. */
#include <criterion/criterion.h>
#include <omp.h>
#include "nn/layers.h"
#include "tests/kit/dense.h"
#include "tests/kit/outcome.h"
#include "tests/kit/rows.h"

enum { X, H, GATES, GATES_BIAS, CAND, CAND_BIAS, VALUE, LEAVES = VALUE + 2 };

/* Both cells add the same products in another order, so that results differ by rounding. */
static const double bar = sizeof(wf_real) == 8 ? 1e-12 : 1e-4;

/* A kernel takes samples one by one or in groups of 16. Rows have whole groups and groups with a
 * rest; gates alone or the candidate alone too wide for groups of 16; fewer channels in the state
 * than before it; and gradients of only some leaves. */
static const struct row {
    int B, N, C, H;
    enum wf_diffusion kind;
    bool bias;
    unsigned leaves; /* bit i: leaf i has a gradient */
} rows[] = {
    { 3, 20, 2, 64, WF_DIFFUSION, true, 0x3f },
    { 20, 9, 64, 64, WF_DIFFUSION, true, 0x3f },
    { 35, 11, 2, 2, WF_DIFFUSION, true, 0x3f },
    { 35, 11, 2, 2, WF_DIFFUSION_CARRY, true, 0xff },
    { 33, 7, 1, 5, WF_DIFFUSION, false, 0x3f },
    { 40, 7, 2, 20, WF_DIFFUSION, true, 0x3f },
    { 17, 8, 30, 3, WF_DIFFUSION_FIXED, true, 0x3f },
    { 2, 30, 40, 7, WF_DIFFUSION_CARRY, true, 0xff },
    { 5, 12, 2, 33, WF_DIFFUSION, true, 0x3c },
    { 5, 12, 2, 33, WF_DIFFUSION, true, 0x3e },
    { 5, 12, 2, 33, WF_DIFFUSION, true, 0x01 },
    { 5, 12, 2, 33, WF_DIFFUSION, true, 0x10 },
    { 20, 12, 2, 2, WF_DIFFUSION, true, 0xc0 },
    { 1, 1, 1, 1, WF_DIFFUSION, true, 0xff },
};
enum { ROWS = sizeof rows / sizeof *rows };

struct fixture {
    struct dense d;
    struct wf_csr A[2];
    struct wf_supports S;
    struct wf_tensor leaf[LEAVES], grad[LEAVES];
    struct wf_dcgru layer;
};

static void init(struct fixture *f, const struct row *r)
{
    struct wf_error err = { 0 };
    enum { EDGES = 40 };
    int from[EDGES], to[EDGES], in = 5 * (r->C + r->H);
    memset(f, 0, sizeof *f);
    dense_init(&f->d);
    f->S = (struct wf_supports){ .count = 2, .nodes = r->N };
    for (int s = 0; s < 2; s++) {
        for (int e = 0; e < EDGES; e++) {
            from[e] = (int)((dense_noise(s, e) + 1) / 2 * r->N);
            to[e] = (int)((dense_noise(s + 2, e) + 1) / 2 * r->N);
        }
        ok(wf_csr_from_pairs(&f->A[s], wf_backend_cpu(), r->N, r->N, EDGES, from, to, NULL, &err));
        f->S.pattern[s] = &f->A[s];
        f->S.value[s] = &f->leaf[VALUE + s];
    }
    cr_assert_eq(wf_supports_terms(&f->S, 2, r->kind), WF_OK);
    const int shape[LEAVES][3] = { { r->B, r->N, r->C }, { r->B, r->N, r->H }, { in, 2 * r->H },
                                   { 2 * r->H },         { in, r->H },         { r->H },
                                   { f->A[0].nnz },      { f->A[1].nnz } };
    for (int i = 0; i < LEAVES; i++) {
        int ndim = i <= H ? 3 : i == GATES || i == CAND ? 2 : 1;
        double scale = i == GATES || i == CAND ? 0.1 : i >= VALUE ? 0.2 : 1;
        ok(wf_tensor_alloc(&f->leaf[i], wf_backend_cpu(), ndim, shape[i], &err));
        for (ptrdiff_t k = 0; k < wf_tensor_count(&f->leaf[i]); k++)
            f->leaf[i].data[k] = (wf_real)(scale * dense_noise(i + 4, k));
        if (!(r->leaves >> i & 1)) continue;
        ok(wf_tensor_alloc(&f->grad[i], wf_backend_cpu(), ndim, shape[i], &err));
        f->leaf[i].needs_grad = true;
        f->leaf[i].grad = &f->grad[i];
    }
    f->layer.hidden = r->H;
    f->layer.gates.weight = &f->leaf[GATES];
    f->layer.cand.weight = &f->leaf[CAND];
    if (r->bias) f->layer.gates.bias = &f->leaf[GATES_BIAS];
    if (r->bias) f->layer.cand.bias = &f->leaf[CAND_BIAS];
}

static void end(struct fixture *f)
{
    for (int i = 0; i < LEAVES; i++) {
        wf_tensor_free(&f->leaf[i]);
        wf_tensor_free(&f->grad[i]);
    }
    for (int s = 0; s < 2; s++) wf_csr_free(&f->A[s]);
    dense_free(&f->d);
}

static struct wf_tensor *fused(struct wf_tape *g, const struct fixture *f, struct wf_tensor *x,
                               struct wf_tensor *h)
{
    return wf_dcgru(g, &f->layer, &f->S, x, h);
}

static struct wf_tensor *composed(struct wf_tape *g, const struct fixture *f, struct wf_tensor *x,
                                  struct wf_tensor *h)
{
    int n = f->layer.hidden;
    struct wf_tensor *rz = wf_dconv(g, &f->layer.gates, &f->S, x, h, WF_ACT_SIGMOID);
    struct wf_tensor *r = wf_slice(g, rz, -1, 0, n), *z = wf_slice(g, rz, -1, n, 2 * n);
    struct wf_tensor *c = wf_dconv(g, &f->layer.cand, &f->S, x, wf_mul(g, r, h), WF_ACT_TANH);
    return wf_lerp(g, c, h, z);
}

/* Runs two steps and the sweep back. got holds copies of the last state and of the gradients, which
 * are set to 0 afterwards. */
static void run(struct fixture *f,
                struct wf_tensor *(*cell)(struct wf_tape *, const struct fixture *,
                                          struct wf_tensor *, struct wf_tensor *),
                struct wf_tensor *got[1 + LEAVES])
{
    struct wf_tape *g = &f->d.g;
    struct wf_tensor *y = cell(g, f, &f->leaf[X], cell(g, f, &f->leaf[X], &f->leaf[H]));
    cr_assert_eq(g->error.status, WF_OK, "%s", g->error.message);
    struct wf_tensor *dy = wf_tape_grad(g, y);
    for (ptrdiff_t i = 0; i < wf_tensor_count(dy); i++) dy->data[i] = (wf_real)dense_noise(99, i);
    wf_tape_sweep(g);
    got[0] = y;
    for (int i = 0; i < LEAVES; i++) {
        got[1 + i] = NULL;
        if (!f->grad[i].data) continue;
        got[1 + i] = wf_affine(g, &f->grad[i], 1, 0);
        size_t bytes = (size_t)wf_tensor_count(&f->grad[i]) * sizeof(wf_real);
        memset(f->grad[i].data, 0, bytes);
    }
}

TEST_ROWS(dcgru, is_the_cell_made_of_other_ops, ROWS)
{
    struct fixture f;
    struct wf_tensor *want[1 + LEAVES], *one[1 + LEAVES], *got[1 + LEAVES];
    init(&f, &rows[row]);
    run(&f, composed, want);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        run(&f, fused, threads == 1 ? one : got);
        for (int i = 0; i <= LEAVES; i++) {
            if (!want[i]) continue;
            if (threads == 1) {
                double most = 0; /* sums are as exact as their largest terms */
                for (ptrdiff_t k = 0; k < wf_tensor_count(want[i]); k++)
                    most = fmax(most, fabs((double)want[i]->data[k]));
                dense_expect_same(&f.d, one[i], want[i], bar * (1 + most));
            } else {
                size_t bytes = (size_t)wf_tensor_count(one[i]) * sizeof(wf_real);
                cr_expect_arr_eq(got[i]->data, one[i]->data, bytes, "%d on %d threads", i, threads);
            }
        }
    }
    end(&f);
}

Test(dcgru, refuses_other_shapes)
{
    struct fixture f;
    init(&f, &rows[0]);
    struct wf_tape *g = &f.d.g;
    struct wf_tensor *w[2] = { &f.leaf[GATES], &f.leaf[CAND] }, *none[2] = { NULL, NULL };
    struct wf_tensor *x = &f.leaf[X], *h = &f.leaf[H];
    wf_dcgru_op(g, &f.S, h, x, w, none);
    dense_expect_refusal(&f.d, "dcgru: h [3, 20, 2], weight of the gates [330, 128]: want [.., 4]");
    wf_dcgru_op(g, &f.S, x, h, (struct wf_tensor *[]){ w[0], w[0] }, none);
    dense_expect_refusal(&f.d, "weight of the candidate [330, 128]: want [.., 64]");
    wf_dcgru_op(g, &f.S, x, x, w, none);
    dense_expect_refusal(&f.d, "dcgru: x [3, 20, 2], h [3, 20, 2], weight [330, 128], bias none");
    f.S.value[1] = h;
    wf_dcgru_op(g, &f.S, x, h, w, none);
    dense_expect_refusal(&f.d, "dcgru: the pattern has 40 entries, the values are [3, 20, 64]");
    end(&f);
}
