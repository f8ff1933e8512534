/* Parameters: how they are declared, drawn and refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "nn/params.h"
#include "tensor/alloc.h"
#include "tests/kit/rows.h"

static const struct wf_init one = { .kind = WF_INIT_CONSTANT, .gain = 1 };
static const struct wf_init uniform = { .kind = WF_INIT_UNIFORM, .gain = 1 };

static bool all_are(const wf_real *x, ptrdiff_t from, ptrdiff_t to, double v)
{
    for (ptrdiff_t i = from; i < to; i++)
        if ((double)x[i] != v) return false;
    return true;
}

Test(params, lie_in_one_block_at_multiples_of_64_bytes_with_zeros_between)
{
    enum { LINE = 64 / sizeof(wf_real) };
    struct wf_params ps;
    wf_params_init(&ps, wf_backend_cpu());
    struct wf_tensor *a = wf_params_add(&ps, "a", 2, wf_dims(1, LINE + 1), one);
    struct wf_tensor *s = wf_params_add_state(&ps, "s", 1, wf_dims(3), -2);
    struct wf_tensor *b = wf_params_add(&ps, "b", 0, NULL, one);
    cr_assert_eq(wf_params_commit(&ps, 1, NULL), WF_OK);

    cr_expect_eq(ps.value.shape[0], 3 * LINE);
    cr_expect_eq(ps.grad.shape[0], 3 * LINE);
    cr_expect_eq(ps.state.shape[0], LINE);
    cr_expect_eq(a->data, ps.value.data);
    cr_expect_eq(b->data, ps.value.data + 2 * LINE);
    cr_expect_eq(s->data, ps.state.data);
    cr_expect_eq(a->grad->data, ps.grad.data);
    cr_expect_eq(b->grad->data, ps.grad.data + 2 * LINE);
    cr_expect(a->needs_grad && b->needs_grad && !s->needs_grad && !s->grad);
    cr_expect(wf_tensor_same_shape(a, a->grad));

    cr_expect(all_are(ps.value.data, 0, LINE + 1, 1));
    cr_expect(all_are(ps.value.data, LINE + 1, 2 * LINE, 0));
    cr_expect(all_are(ps.value.data, 2 * LINE, 2 * LINE + 1, 1));
    cr_expect(all_are(ps.value.data, 2 * LINE + 1, 3 * LINE, 0));
    cr_expect(all_are(ps.state.data, 0, 3, -2));
    cr_expect(all_are(ps.state.data, 3, LINE, 0));
    cr_expect(all_are(ps.grad.data, 0, 3 * LINE, 0));
    cr_expect_eq(wf_params_size(&ps), LINE + 2);
    cr_expect_eq(wf_params_offset(&ps, wf_params_find(&ps, "b")), 2 * LINE);
    cr_expect_eq(wf_params_offset(&ps, wf_params_find(&ps, "s")), 0);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(params, without_any_parameter_still_commit)
{
    struct wf_params ps;
    wf_params_init(&ps, wf_backend_cpu());
    cr_assert_eq(wf_params_commit(&ps, 1, NULL), WF_OK);
    cr_expect(ps.value.data && ps.grad.data && ps.state.data);
    cr_expect_eq(wf_params_size(&ps), 0);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

/* The half width of the interval (uniform rules) and the standard deviation of each rule, which
 * draws 200 x 300 numbers. */
static const struct {
    struct wf_init init;
    double bound, deviation;
} rule[] = {
    { { WF_INIT_UNIFORM, 0.5, 0, 0 }, 0.5, 0.288675134594813 },
    { { WF_INIT_XAVIER_UNIFORM, 2, 0, 0 }, 0.219089023002066, 0.126491106406735 },
    { { WF_INIT_XAVIER_UNIFORM, 1, 10, 14 }, 0.5, 0.288675134594813 },
    { { WF_INIT_KAIMING_UNIFORM, 0.577350269189626, 0, 0 },
      0.0707106781186548,
      0.0408248290463863 },
    { { WF_INIT_KAIMING_UNIFORM, 1, 12, 0 }, 0.5, 0.288675134594813 },
    { { WF_INIT_NORMAL, 3, 0, 0 }, INFINITY, 3 },
    { { WF_INIT_XAVIER_NORMAL, 1, 0, 0 }, INFINITY, 0.0632455532033676 },
};

/* There are 60000 draws. Their mean strays by deviation / 245, the deviation by at most 0.3 %, the
 * kurtosis by 0.02; five times that is allowed. The largest of so many uniform draws is within
 * 0.1 % of the bound. */
TEST_ROWS(params, start_with_the_bounds_and_moments_of_their_rule, sizeof rule / sizeof *rule)
{
    struct wf_params ps;
    wf_params_init(&ps, wf_backend_cpu());
    struct wf_tensor *w = wf_params_add(&ps, "w", 2, wf_dims(200, 300), rule[row].init);
    cr_assert_eq(wf_params_commit(&ps, 42, NULL), WF_OK);
    double n = 60000, sum = 0, sum2 = 0, sum4 = 0, top = 0, d = rule[row].deviation;
    for (int i = 0; i < 60000; i++) {
        double x = (double)w->data[i];
        sum += x;
        sum2 += x * x;
        sum4 += x * x * x * x;
        top = fmax(top, fabs(x));
    }
    bool normal = isinf(rule[row].bound);
    cr_expect_float_eq(sum / n, 0, 5 * d / 245);
    cr_expect_float_eq(sqrt(sum2 / n), d, 0.015 * d);
    cr_expect_float_eq(sum4 / n / (d * d * d * d), normal ? 3 : 1.8, 0.1);
    cr_expect_leq(top, rule[row].bound * (1 + WF_REAL_EPS));
    cr_expect_geq(top, normal ? 3.5 * d : 0.999 * rule[row].bound);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

static void three(struct wf_params *ps, uint64_t seed, const char *order)
{
    wf_params_init(ps, wf_backend_cpu());
    for (; *order; order++)
        wf_params_add(ps, (char[]){ *order, 0 }, 1, wf_dims(5 + *order % 3), uniform);
    cr_assert_eq(wf_params_commit(ps, seed, NULL), WF_OK);
}

static bool same(const struct wf_params *a, const struct wf_params *b, const char *name,
                 const char *other)
{
    return memcmp(wf_params_find(a, name)->value.data, wf_params_find(b, other)->value.data,
                  5 * sizeof(wf_real)) == 0;
}

Test(params, start_from_seed_and_name_whatever_the_order_of_declaration)
{
    struct wf_params p, q, r;
    three(&p, 7, "abc");
    three(&q, 7, "cab");
    three(&r, 8, "abc");
    for (const char *name = "abc"; *name; name++) {
        char text[] = { *name, 0 };
        cr_expect(same(&p, &q, text, text), "%s depends on the order", text);
        cr_expect(!same(&p, &r, text, text), "%s does not depend on the seed", text);
    }
    cr_expect(!same(&p, &p, "a", "b"), "names do not matter");
    wf_params_free(&p);
    wf_params_free(&q);
    wf_params_free(&r);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(params, keep_their_addresses_while_more_are_declared)
{
    struct wf_params ps;
    char name[WF_NAME_TEXT];
    wf_params_init(&ps, wf_backend_cpu());
    struct wf_tensor *first = wf_params_add(&ps, "first", 1, wf_dims(1), one);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "p%d", i);
        wf_params_add(&ps, name, 1, wf_dims(1), one);
    }
    cr_assert_eq(wf_params_commit(&ps, 1, NULL), WF_OK);
    cr_expect_eq(first, &wf_params_find(&ps, "first")->value);
    cr_expect_eq(wf_params_find(&ps, "p99"), ps.param[100]);
    cr_expect_null(wf_params_find(&ps, "p100"));
    cr_expect_null(wf_params_find(&ps, "p"));
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(params, clear_the_whole_gradient_block)
{
    struct wf_params ps;
    wf_params_init(&ps, wf_backend_cpu());
    wf_params_add(&ps, "a", 1, wf_dims(5), one);
    wf_params_add(&ps, "b", 1, wf_dims(40), one);
    cr_assert_eq(wf_params_commit(&ps, 1, NULL), WF_OK);
    for (int i = 0; i < ps.grad.shape[0]; i++) ps.grad.data[i] = NAN;
    cr_assert_eq(wf_params_zero_grad(&ps), WF_OK);
    cr_expect(all_are(ps.grad.data, 0, ps.grad.shape[0], 0));
    cr_expect(all_are(wf_params_find(&ps, "b")->value.data, 0, 40, 1));
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(params, have_paths)
{
    char text[WF_NAME_TEXT];
    cr_expect_str_eq(wf_params_path(text, "gru.0", "weight"), "gru.0.weight");
    cr_expect_str_eq(wf_params_path(text, "", "weight"), "weight");
    cr_expect_str_eq(wf_params_path(text, NULL, "weight"), "weight");
}

#define TEN "0123456789"
static const struct {
    const char *name;
    int ndim, shape[WF_MAXDIM];
    struct wf_init init;
    const char *says;
} refused[] = {
    { "w", 1, { 2 }, { .gain = 1 }, "'w' is declared twice" },
    { "state", 1, { 2 }, { .gain = 1 }, "'state' is declared twice" },
    { "", 1, { 2 }, { .gain = 1 }, "empty" },
    { ".w", 1, { 2 }, { .gain = 1 }, "dot" },
    { "a/b", 1, { 2 }, { .gain = 1 }, "'a/b': character 2" },
    { "a b", 1, { 2 }, { .gain = 1 }, "character 2" },
    { "a\n", 1, { 2 }, { .gain = 1 }, "character 2" },
    { "\xc3\xa9", 1, { 2 }, { .gain = 1 }, "character 1" },
    { TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "0123456",
      1,
      { 2 },
      { .gain = 1 },
      "longer than 126" },
    { "v", 2, { 2, 0 }, { .gain = 1 }, "'v': axis 1 has size 0" },
    { "v", 2, { -1, 2 }, { .gain = 1 }, "'v': axis 0 has size -1" },
    { "v", 7, { 1 }, { .gain = 1 }, "'v' has 7 axes" },
    { "v", -1, { 1 }, { .gain = 1 }, "'v' has -1 axes" },
    { "v", 4, { 65536, 65536, 65536, 65536 }, { .gain = 1 }, "2^31" },
    { "v", 1, { 2 }, { .gain = NAN }, "not finite" },
    { "v", 1, { 2 }, { .kind = (enum wf_init_kind)99 }, "unknown initialiser 99" },
    { "v", 1, { 2 }, { WF_INIT_XAVIER_NORMAL, 1, -1, 0 }, "fans -1 and 0" },
};

TEST_ROWS(params, refuse_bad_declarations, sizeof refused / sizeof *refused)
{
    struct wf_params ps;
    struct wf_error err = { 0 };
    wf_params_init(&ps, wf_backend_cpu());
    wf_params_add(&ps, "w", 1, wf_dims(2), one);
    wf_params_add_state(&ps, "state", 1, wf_dims(2), 0);
    struct wf_tensor *bad = wf_params_add(&ps, refused[row].name, refused[row].ndim,
                                          refused[row].shape, refused[row].init);
    cr_expect_eq(wf_tensor_count(bad), 0);
    cr_expect(strstr(ps.error.message, refused[row].says), "%s", ps.error.message);
    cr_expect_eq(wf_tensor_count(wf_params_add(&ps, "later", 1, wf_dims(2), one)), 0);
    cr_expect_eq(wf_params_add_state(&ps, "", 1, wf_dims(2), 0), bad);
    cr_expect_eq(ps.count, 2);
    cr_expect_eq(wf_params_commit(&ps, 1, &err), WF_EINVAL);
    cr_expect(strstr(err.message, refused[row].says), "%s", err.message);
    cr_expect_null(ps.value.data);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(params, keep_the_first_refusal_of_a_layer)
{
    struct wf_params ps;
    struct wf_error err = { 0 };
    wf_params_init(&ps, wf_backend_cpu());
    wf_params_add(&ps, "w", 1, wf_dims(2), one);
    wf_params_refuse(&ps, "%d heads of %d channels", 3, 4);
    wf_params_refuse(&ps, "a later one");
    wf_params_add(&ps, "w", 1, wf_dims(2), one);
    cr_expect_eq(wf_params_commit(&ps, 1, &err), WF_EINVAL);
    cr_expect_str_eq(err.message, "3 heads of 4 channels");
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(params, refuse_a_path_that_had_to_be_cut)
{
    char text[WF_NAME_TEXT];
    struct wf_params ps;
    wf_params_init(&ps, wf_backend_cpu());
    wf_params_path(text, TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN, TEN TEN TEN TEN TEN);
    wf_params_add(&ps, text, 1, wf_dims(1), one);
    cr_expect_eq(ps.error.status, WF_EINVAL);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(params, refuse_more_than_a_block_can_index)
{
    struct wf_params ps;
    struct wf_error err = { 0 };
    wf_params_init(&ps, wf_backend_cpu());
    wf_params_add(&ps, "a", 1, wf_dims(2000000000), one);
    wf_params_add(&ps, "b", 1, wf_dims(2000000000), one);
    cr_expect_eq(wf_params_commit(&ps, 1, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "2^31 elements up to parameter 'b'"), "%s", err.message);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(params, refuse_declarations_and_commits_after_the_commit)
{
    struct wf_params ps;
    struct wf_error err = { 0 };
    wf_params_init(&ps, wf_backend_cpu());
    struct wf_tensor *w = wf_params_add(&ps, "w", 1, wf_dims(2), one);
    cr_assert_eq(wf_params_commit(&ps, 1, &err), WF_OK);
    cr_expect_eq(wf_params_commit(&ps, 1, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "committed twice"));
    wf_params_add(&ps, "v", 1, wf_dims(2), one);
    cr_expect(strstr(ps.error.message, "'v' is declared after the commit"));
    cr_expect_eq((double)w->data[1], 1);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(params, survive_every_failing_allocation)
{
    long n = 0;
    for (;; n++) {
        struct wf_params ps;
        wf_params_init(&ps, wf_backend_cpu());
        wf_alloc_fail_after(n);
        wf_params_add(&ps, "a", 1, wf_dims(2), one);
        wf_params_add_state(&ps, "s", 1, wf_dims(2), 0);
        enum wf_status s = wf_params_commit(&ps, 1, NULL);
        wf_alloc_fail_after(-1);
        if (s && !ps.error.status) {
            cr_expect_null(ps.value.data);
            cr_expect_eq(wf_params_commit(&ps, 1, NULL), WF_OK, "a commit may be tried again");
        }
        wf_params_free(&ps);
        cr_assert_eq(wf_alloc_live(), 0);
        if (!s) break;
        cr_assert_eq(s, WF_ENOMEM);
    }
    cr_expect_geq(n, 10);
}
