/* Published weights, which are put into parameters by name from HDF5 groups and .npz archives. */
#include <criterion/criterion.h>
#include <string.h>
#include "data/formats/h5.h"
#include "nn/weights.h"
#include "tensor/alloc.h"
#include "tests/kit/scratch.h"

static void put(struct wf_h5 *f, const char *name, int ndim, ptrdiff_t a, ptrdiff_t b)
{
    double v[12];
    struct wf_array x = { .elem = WF_F64, .ndim = ndim, .dim = { a, b }, .data = v };
    x.count = ndim == 0 ? 1 : ndim == 1 ? a : a * b;
    for (int i = 0; i < 12; i++) v[i] = (double)name[0] * 100 + i;
    cr_assert_eq(wf_h5_write(f, name, &x, NULL), WF_OK);
}

/* Writes data sets z.w [3, 2], r.w [3, 2], lin [2, 3], s [] and old [1]. Element i of a data set is
 * 100 times the first letter of its name, plus i. */
static const char *published(void)
{
    struct wf_h5 *f;
    const char *path = scratch("theirs.h5");
    cr_assert_eq(wf_h5_create(&f, path, NULL), WF_OK);
    put(f, "z.w", 2, 3, 2);
    put(f, "r.w", 2, 3, 2);
    put(f, "lin", 2, 2, 3);
    put(f, "s", 0, 0, 0);
    put(f, "old", 1, 1, 0);
    cr_assert_eq(wf_h5_commit(f, NULL), WF_OK);
    return path;
}

static void model(struct wf_params *ps)
{
    const struct wf_init init = { .kind = WF_INIT_CONSTANT, .gain = -1 };
    wf_params_init(ps, wf_backend_cpu());
    wf_params_add(ps, "gates", 2, wf_dims(3, 4), init);
    wf_params_add(ps, "head", 2, wf_dims(3, 2), init);
    wf_params_add(ps, "scale", 0, NULL, init);
    wf_params_add_state(ps, "mean", 1, wf_dims(2), 5);
    cr_assert_eq(wf_params_commit(ps, 1, NULL), WF_OK);
}

static enum wf_status load(struct wf_params *ps, const char *path, const char *group,
                           const struct wf_rename *row, int rows, struct wf_error *err)
{
    return wf_weights_load(
        ps, path, group, &(struct wf_renames){ .row = (struct wf_rename *)row, .rows = rows }, err);
}

static const struct wf_rename good[] = {
    { .theirs = "z.w", .ours = "gates" },
    { .theirs = "r.w", .ours = "gates", .first = 2 },
    { .theirs = "lin", .ours = "head", .axes = "10" },
    { .theirs = "s", .ours = "scale" },
    { .theirs = "old", .ours = NULL },
};
enum { ROWS = sizeof good / sizeof *good };

static void expect_values(const struct wf_params *ps, const char *name, const double *want, int n)
{
    const wf_real *x = wf_params_find(ps, name)->value.data;
    for (int i = 0; i < n; i++)
        cr_expect_eq((double)x[i], want[i], "%s[%d] is %g, expected %g", name, i, (double)x[i],
                     want[i]);
}

Test(weights, go_by_name_into_slices_and_transposed)
{
    struct wf_params ps;
    struct wf_error err = { 0 };
    model(&ps);
    cr_assert_eq(load(&ps, published(), NULL, good, ROWS, &err), WF_OK, "%s", err.message);
    const double gates[] = { 12200, 12201, 11400, 11401, 12202, 12203,
                             11402, 11403, 12204, 12205, 11404, 11405 };
    const double head[] = { 10800, 10803, 10801, 10804, 10802, 10805 };
    expect_values(&ps, "gates", gates, 12);
    expect_values(&ps, "head", head, 6);
    expect_values(&ps, "scale", (double[]){ 11500 }, 1);
    expect_values(&ps, "mean", (double[]){ 5, 5 }, 2);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(weights, are_found_in_a_group_and_may_be_state)
{
    struct wf_params ps;
    struct wf_h5 *f;
    struct wf_error err = { 0 };
    const char *path = scratch("group.h5");
    const struct wf_init init = { 0 };
    const struct wf_rename table[] = { { .theirs = "w", .ours = "w" },
                                       { .theirs = "mean", .ours = "mean" } };
    wf_params_init(&ps, wf_backend_cpu());
    wf_params_add(&ps, "w", 1, wf_dims(2), init);
    wf_params_add_state(&ps, "mean", 1, wf_dims(2), 0);
    cr_assert_eq(wf_params_commit(&ps, 1, NULL), WF_OK);
    struct wf_array a = { WF_F64, 1, { 2 }, 2, { (double[]){ 3, 4 } } };
    cr_assert_eq(wf_h5_create(&f, path, NULL), WF_OK);
    cr_assert_eq(wf_h5_write(f, "case/params/w", &a, NULL), WF_OK);
    cr_assert_eq(wf_h5_write(f, "case/params/mean", &a, NULL), WF_OK);
    cr_assert_eq(wf_h5_commit(f, NULL), WF_OK);
    cr_assert_eq(load(&ps, path, "case/params", table, 2, &err), WF_OK, "%s", err.message);
    expect_values(&ps, "w", (double[]){ 3, 4 }, 2);
    expect_values(&ps, "mean", (double[]){ 3, 4 }, 2);
    cr_expect_eq(load(&ps, path, "case/none", table, 2, &err), WF_EFORMAT);
    cr_expect(strstr(err.message, "no group 'case/none'"), "%s", err.message);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

/* The matrix has two terms m of three channels c. Published rows are in the order c0m0 c0m1 c1m0,
 * and so on, ours in the order c0m0 c1m0 c2m0 c0m1. */
Test(weights, of_a_diffusion_convolution_are_put_term_by_term)
{
    struct wf_params ps;
    struct wf_h5 *f;
    struct wf_error err = { 0 };
    const char *path = scratch("terms.h5");
    const struct wf_rename table[] = { { .theirs = "w", .ours = "w", .first = 1, .terms = 2 },
                                       { .theirs = "u", .ours = "w" } };
    wf_params_init(&ps, wf_backend_cpu());
    wf_params_add(&ps, "w", 2, wf_dims(6, 2), (struct wf_init){ 0 });
    cr_assert_eq(wf_params_commit(&ps, 1, NULL), WF_OK);
    struct wf_array w = { WF_F64, 2, { 6, 1 }, 6, { (double[]){ 1, 2, 3, 4, 5, 6 } } };
    struct wf_array u = { WF_F64, 2, { 6, 1 }, 6, { (double[]){ 7, 8, 9, 10, 11, 12 } } };
    cr_assert_eq(wf_h5_create(&f, path, NULL), WF_OK);
    cr_assert_eq(wf_h5_write(f, "w", &w, NULL), WF_OK);
    cr_assert_eq(wf_h5_write(f, "u", &u, NULL), WF_OK);
    cr_assert_eq(wf_h5_commit(f, NULL), WF_OK);
    cr_assert_eq(load(&ps, path, NULL, table, 2, &err), WF_OK, "%s", err.message);
    expect_values(&ps, "w", (double[]){ 7, 1, 8, 3, 9, 5, 10, 2, 11, 4, 12, 6 }, 12);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

/* The weight [O, C, k] = 0 .. 11 of a convolution along time becomes rows (tap, channel) of ours.
 * It is put below two rows from another data set. */
Test(weights, of_a_convolution_become_a_matrix_of_taps)
{
    struct wf_params ps;
    struct wf_h5 *f;
    struct wf_error err = { 0 };
    struct wf_renames t = { 0 };
    double v[12];
    const char *path = scratch("conv.h5");
    for (int i = 0; i < 12; i++) v[i] = i;
    wf_renames_add(&t, NULL, "", (struct wf_rename){ .theirs = "top", .ours = "net.w" });
    wf_renames_add(&t, "conv", "net",
                   (struct wf_rename){ .theirs = "w", .ours = "w", .axes = "210", .row = 2 });
    wf_params_init(&ps, wf_backend_cpu());
    wf_params_add(&ps, "net.w", 2, wf_dims(8, 2), (struct wf_init){ 0 });
    cr_assert_eq(wf_params_commit(&ps, 1, NULL), WF_OK);
    struct wf_array w = { WF_F64, 3, { 2, 2, 3 }, 12, { v } };
    struct wf_array top = { WF_F64, 2, { 2, 2 }, 4, { (double[]){ 20, 21, 22, 23 } } };
    cr_assert_eq(wf_h5_create(&f, path, NULL), WF_OK);
    cr_assert_eq(wf_h5_write(f, "conv.w", &w, NULL), WF_OK);
    cr_assert_eq(wf_h5_write(f, "top", &top, NULL), WF_OK);
    cr_assert_eq(wf_h5_commit(f, NULL), WF_OK);
    cr_assert_eq(wf_weights_load(&ps, path, NULL, &t, &err), WF_OK, "%s", err.message);
    expect_values(&ps, "net.w", (double[]){ 20, 21, 22, 23, 0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11 },
                  16);
    wf_renames_free(&t);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

static enum wf_status make_table(struct wf_renames *t, struct wf_error *err)
{
    *t = (struct wf_renames){ 0 };
    for (int i = 0; i < 20; i++)
        wf_renames_add(t, "a", "b",
                       (struct wf_rename){ .theirs = "x", .ours = i % 2 ? "y" : NULL });
    if (!t->error.status) return WF_OK;
    wf_fail(err, t->error.status, "%s", t->error.message);
    wf_renames_free(t);
    return err->status;
}

Test(weights, names_without_memory_are_an_error_that_sticks)
{
    struct wf_renames t;
    struct wf_error err = { 0 };
    EACH_ALLOCATION_FAILS(err, make_table(&t, &err), wf_renames_free(&t));
    cr_assert_eq(wf_alloc_live(), 0);
}

/* A stored archive with one member, w.npy: float64 [2] = 1.5, -2. */
static const unsigned char archive[] = {
    80,  75,  3,   4,   20,  0,   0,  0,   0,  0,   0,   0,   33,  0,   176, 152, 197, 65,
    144, 0,   0,   0,   144, 0,   0,  0,   5,  0,   0,   0,   119, 46,  110, 112, 121, 147,
    78,  85,  77,  80,  89,  1,   0,  118, 0,  123, 39,  100, 101, 115, 99,  114, 39,  58,
    32,  39,  60,  102, 56,  39,  44, 32,  39, 102, 111, 114, 116, 114, 97,  110, 95,  111,
    114, 100, 101, 114, 39,  58,  32, 70,  97, 108, 115, 101, 44,  32,  39,  115, 104, 97,
    112, 101, 39,  58,  32,  40,  50, 44,  41, 44,  32,  125, 32,  32,  32,  32,  32,  32,
    32,  32,  32,  32,  32,  32,  32, 32,  32, 32,  32,  32,  32,  32,  32,  32,  32,  32,
    32,  32,  32,  32,  32,  32,  32, 32,  32, 32,  32,  32,  32,  32,  32,  32,  32,  32,
    32,  32,  32,  32,  32,  32,  32, 32,  32, 32,  32,  32,  32,  32,  32,  32,  32,  32,
    10,  0,   0,   0,   0,   0,   0,  248, 63, 0,   0,   0,   0,   0,   0,   0,   192, 80,
    75,  1,   2,   20,  3,   20,  0,  0,   0,  0,   0,   0,   0,   33,  0,   176, 152, 197,
    65,  144, 0,   0,   0,   144, 0,  0,   0,  5,   0,   0,   0,   0,   0,   0,   0,   0,
    0,   0,   0,   128, 1,   0,   0,  0,   0,  119, 46,  110, 112, 121, 80,  75,  5,   6,
    0,   0,   0,   0,   1,   0,   1,  0,   51, 0,   0,   0,   179, 0,   0,   0,   0,   0,
};

Test(weights, come_out_of_an_npz_archive)
{
    struct wf_params ps;
    struct wf_error err = { 0 };
    const struct wf_rename table[] = { { .theirs = "w", .ours = "w" } };
    const char *path = scratch_file("theirs.npz", archive, sizeof archive);
    wf_params_init(&ps, wf_backend_cpu());
    wf_params_add(&ps, "w", 1, wf_dims(2), (struct wf_init){ 0 });
    cr_assert_eq(wf_params_commit(&ps, 1, NULL), WF_OK);
    cr_assert_eq(load(&ps, path, NULL, table, 1, &err), WF_OK, "%s", err.message);
    expect_values(&ps, "w", (double[]){ 1.5, -2 }, 2);
    cr_expect_eq(load(&ps, path, "g", table, 1, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "without groups"), "%s", err.message);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

/* Each row replaces row `row` of a table that works, or leaves out the last `cut` rows of it. */
static const struct {
    int row, cut;
    struct wf_rename now;
    enum wf_status status;
    const char *says;
} bad[] = {
    { 4, 1, { 0 }, WF_EINVAL, "holds 'old', which is not in the table" },
    { 4, 0, { .theirs = "older", .ours = NULL }, WF_EINVAL, "holds 'old'" },
    { 1,
      0,
      { .theirs = "r.w", .ours = "gate", .first = 2 },
      WF_EINVAL,
      "'r.w' goes to 'gate', which" },
    { 1,
      0,
      { .theirs = "r.w", .ours = "gates", .first = 1 },
      WF_EINVAL,
      "'gates' is filled already" },
    { 1,
      0,
      { .theirs = "r.w", .ours = "gates", .row = 1, .first = 2 },
      WF_EINVAL,
      "'r.w' has shape [3, 2]" },
    { 2,
      0,
      { .theirs = "lin", .ours = "head", .axes = "01" },
      WF_EINVAL,
      "with axes in the order 01" },
    { 2,
      0,
      { .theirs = "lin", .ours = "head", .axes = "102" },
      WF_EINVAL,
      "'lin' has shape [2, 3]" },
    { 1, 0, { .theirs = "r.w", .ours = "gates", .first = 3 }, WF_EINVAL, "'r.w' has shape [3, 2]" },
    { 1,
      0,
      { .theirs = "r.w", .ours = "gates", .first = -1 },
      WF_EINVAL,
      "'r.w' has shape [3, 2]" },
    { 1, 0, { .theirs = "r.w", .ours = NULL }, WF_EINVAL, "6 of 12 elements of 'gates'" },
    { 2, 0, { .theirs = "lin", .ours = "head" }, WF_EINVAL, "'lin' has shape [2, 3]" },
    { 3, 0, { .theirs = "s", .ours = "mean" }, WF_EINVAL, "0 of 1 elements of 'scale'" },
    { 3, 0, { .theirs = "s", .ours = NULL }, WF_EINVAL, "0 of 1 elements of 'scale'" },
    { 4, 0, { .theirs = "old", .ours = "mean" }, WF_EINVAL, "1 of 2 elements of 'mean'" },
    { 4, 0, { .theirs = "old", .ours = "mean", .axes = "10" }, WF_EINVAL, "'old' has shape [1]" },
    { 1,
      0,
      { .theirs = "r.w", .ours = "gates", .first = 2, .terms = 2 },
      WF_EINVAL,
      "'r.w' has shape [3, 2]" },
    { 1,
      0,
      { .theirs = "r.w", .ours = "gates", .first = 2, .dual = 1 },
      WF_EINVAL,
      "'r.w' has shape [3, 2]" },
};

Test(weights, that_do_not_match_change_nothing)
{
    const char *path = published();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct wf_params ps;
        struct wf_error err = { 0 };
        struct wf_rename table[ROWS];
        memcpy(table, good, sizeof good);
        if (!bad[i].cut) table[bad[i].row] = bad[i].now;
        model(&ps);
        cr_expect_eq(load(&ps, path, NULL, table, ROWS - bad[i].cut, &err), bad[i].status,
                     "row %zu", i);
        cr_expect(strstr(err.message, bad[i].says) && strstr(err.message, path) == err.message,
                  "row %zu: %s", i, err.message);
        expect_values(&ps, "gates", (double[]){ -1, -1, -1, -1 }, 4);
        expect_values(&ps, "mean", (double[]){ 5, 5 }, 2);
        wf_params_free(&ps);
    }
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(weights, named_in_the_table_must_be_in_the_file)
{
    struct wf_params ps;
    struct wf_error err = { 0 };
    struct wf_rename table[ROWS + 1] = { 0 };
    memcpy(table, good, sizeof good);
    table[ROWS] = (struct wf_rename){ .theirs = "bias", .ours = NULL };
    model(&ps);
    cr_expect_eq(load(&ps, published(), NULL, table, ROWS + 1, &err), WF_EFORMAT);
    cr_expect(strstr(err.message, "bias"), "%s", err.message);
    cr_expect_eq(load(&ps, scratch("none.h5"), NULL, good, ROWS, &err), WF_EIO);
    wf_params_free(&ps);
    wf_params_init(&ps, wf_backend_cpu());
    cr_expect_eq(load(&ps, published(), NULL, good, ROWS, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "not committed"), "%s", err.message);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(weights, survive_every_failing_allocation)
{
    struct wf_params ps;
    struct wf_error err = { 0 };
    const char *path = published();
    model(&ps);
    EACH_ALLOCATION_FAILS(err, load(&ps, path, NULL, good, ROWS, &err), (void)0);
    expect_values(&ps, "scale", (double[]){ 11500 }, 1);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}
