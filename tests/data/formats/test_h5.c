/* These tests check the layer under all HDF5 files: arrays, names and numbers written and read
 * back, and broken files. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data/file.h"
#include "data/formats/h5.h"
#include "tensor/alloc.h"
#include "tests/kit/h5_odd.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

static struct wf_error err;

static struct wf_h5 *odd(void)
{
    struct wf_h5 *f;
    h5_odd_types(scratch("odd.h5"));
    ok(wf_h5_open(&f, scratch("odd.h5"), &err));
    return f;
}

static void sample_write(const char *path)
{
    struct wf_h5 *f;
    double x[] = { 1, 2, 3, 4, 5, 6 };
    int64_t i[] = { -1, INT64_MAX };
    char *text[] = { "alpha", "b" };
    struct wf_array a = { .elem = WF_F64, .ndim = 2, .dim = { 3, 2 }, .count = 6, .f64 = x };
    struct wf_array b = { .elem = WF_I64, .ndim = 1, .dim = { 2 }, .count = 2, .i64 = i };
    struct wf_array c = { .elem = WF_F32, .count = 1, .data = &(float){ 0.25F } };
    ok(wf_h5_create(&f, path, &err));
    ok(wf_h5_write(f, "case/inputs/x", &a, &err));
    ok(wf_h5_write(f, "case/index", &b, &err));
    ok(wf_h5_write(f, "one", &c, &err));
    ok(wf_h5_write_names(f, "case/names", &(struct wf_names){ 2, text }, &err));
    ok(wf_h5_group(f, "case/void", &err));
    ok(wf_h5_set_int(f, "case", "seed", -7, &err));
    ok(wf_h5_set_int(f, "case", "seed", 42, &err));
    ok(wf_h5_set_double(f, "case/inputs/x", "lr", 1e-3, &err));
    ok(wf_h5_set_text(f, "/", "note", "gr\303\274n", &err));
    ok(wf_h5_set_array(f, "/", "table", &a, &err));
    ok(wf_h5_commit(f, &err));
}

Test(h5, what_was_written_is_read_back)
{
    struct wf_h5 *f;
    struct wf_array a;
    struct wf_names n;
    int64_t seed;
    double lr;
    char *note;
    sample_write(scratch("a.h5"));
    cr_assert_eq(scratch_count(), 1, "the temporary file is left");
    ok(wf_h5_open(&f, scratch("a.h5"), &err));
    ok(wf_h5_read(f, "case/inputs/x", WF_F32, &a, &err));
    cr_assert(a.elem == WF_F32 && a.ndim == 2 && a.dim[0] == 3 && a.dim[1] == 2 && a.count == 6);
    for (int i = 0; i < 6; i++) cr_assert_eq(a.f32[i], (float)(i + 1));
    wf_array_free(&a);
    ok(wf_h5_read(f, "case/index", WF_I64, &a, &err));
    cr_assert(a.i64[0] == -1 && a.i64[1] == INT64_MAX);
    wf_array_free(&a);
    ok(wf_h5_read(f, "one", WF_F64, &a, &err));
    cr_assert(a.ndim == 0 && a.count == 1 && a.f64[0] == 0.25);
    wf_array_free(&a);
    ok(wf_h5_read_names(f, "case/names", &n, &err));
    cr_assert_eq(n.count, 2);
    cr_assert_str_eq(n.name[0], "alpha");
    wf_names_free(&n);
    ok(wf_h5_list(f, "case", &n, &err));
    cr_assert_eq(n.count, 4);
    cr_assert_str_eq(n.name[0], "index");
    cr_assert_str_eq(n.name[3], "void");
    wf_names_free(&n);
    ok(wf_h5_attr_int(f, "case", "seed", &seed, &err));
    ok(wf_h5_attr_double(f, "case/inputs/x", "lr", &lr, &err));
    ok(wf_h5_attr_text(f, "/", "note", &note, &err));
    ok(wf_h5_attr_array(f, "/", "table", WF_F64, &a, &err));
    cr_assert(seed == 42 && lr == 1e-3 && a.ndim == 2 && a.f64[5] == 6);
    cr_assert_str_eq(note, "gr\303\274n");
    cr_assert(wf_h5_has_attr(f, "case", "seed") && !wf_h5_has_attr(f, "case", "sead") &&
              !wf_h5_has_attr(f, "kase", "seed"));
    wf_free(note);
    wf_array_free(&a);
    wf_h5_close(f);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(h5, rows_are_read_and_written_in_place)
{
    struct wf_h5 *f;
    struct wf_array a;
    double x[] = { 50, 60 };
    struct wf_array row = { .elem = WF_F64, .ndim = 2, .dim = { 1, 2 }, .count = 2, .f64 = x };
    struct wf_array like = { .elem = WF_F32, .ndim = 2, .dim = { 4, 2 } };
    ok(wf_h5_create(&f, scratch("r.h5"), &err));
    ok(wf_h5_reserve(f, "x", &like, &err));
    ok(wf_h5_write_rows(f, "x", 3, &row, &err));
    fails(wf_h5_write_rows(f, "x", 4, &row, &err), WF_EINVAL, "shape [4, 2]");
    ok(wf_array_alloc(&a, WF_F64, 2, (ptrdiff_t[]){ 2, 2 }, &err));
    ok(wf_h5_read_rows(f, "x", 2, &a, &err));
    cr_assert(a.f64[0] == 0 && a.f64[2] == 50 && a.f64[3] == 60);
    fails(wf_h5_read_rows(f, "x", 3, &a, &err), WF_EINVAL, "");
    fails(wf_h5_read_rows(f, "x", -1, &a, &err), WF_EINVAL, "");
    fails(wf_h5_read_rows(f, "x", PTRDIFF_MAX, &a, &err), WF_EINVAL, "");
    a.dim[1] = 1;
    fails(wf_h5_read_rows(f, "x", 0, &a, &err), WF_EINVAL, "");
    fails(wf_h5_read_rows(f, "y", 0, &a, &err), WF_EFORMAT, "");
    wf_array_free(&a);
    fails(wf_h5_reserve(f, "x", &like, &err), WF_EIO, "");
    wf_h5_close(f);
    cr_assert_eq(scratch_count(), 0, "an unfinished file is left");
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(h5, large_float64_is_narrowed_chunk_by_chunk)
{
    const ptrdiff_t dim[] = { 2100, 1000 };
    struct wf_h5 *f;
    struct wf_array a, b;
    ok(wf_array_alloc(&a, WF_F64, 2, dim, &err));
    for (ptrdiff_t i = 0; i < a.count; i++) a.f64[i] = (double)i / 3;
    ok(wf_h5_create(&f, scratch("big.h5"), &err));
    ok(wf_h5_write(f, "x", &a, &err));
    ok(wf_h5_read(f, "x", WF_F32, &b, &err));
    for (ptrdiff_t i = 0; i < a.count; i++) cr_assert_eq(b.f32[i], (float)a.f64[i], "at %td", i);
    wf_array_free(&a);
    wf_array_free(&b);
    wf_h5_close(f);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(h5, other_number_types_are_converted)
{
    const char *ints[] = { "i8", "u8", "i16be" }, *floats[] = { "f32", "f64be", "half" };
    struct wf_h5 *f = odd();
    struct wf_array a;
    for (int i = 0; i < 3; i++) {
        ok(wf_h5_read(f, ints[i], WF_I64, &a, &err));
        cr_assert(a.i64[0] == 0 && a.i64[1] == 1 && a.i64[2] == 3, "%s", ints[i]);
        wf_array_free(&a);
        ok(wf_h5_read(f, floats[i], WF_F64, &a, &err));
        cr_assert(a.f64[0] == 0.5 && a.f64[1] == -2 && a.f64[2] == 1000, "%s", floats[i]);
        wf_array_free(&a);
    }
    ok(wf_h5_read(f, "bool", WF_I64, &a, &err));
    cr_assert(a.i64[0] == 0 && a.i64[1] == 1 && a.i64[2] == 1);
    wf_array_free(&a);
    ok(wf_h5_read(f, "chunked", WF_F32, &a, &err));
    cr_assert(a.count == 64 && a.f32[0] == 2.5F);
    wf_array_free(&a);
    ok(wf_h5_read(f, "empty", WF_F32, &a, &err));
    cr_assert(a.count == 0 && a.dim[1] == 3);
    wf_array_free(&a);
    ok(wf_h5_shape(f, "i16be", &a, &err));
    cr_assert(a.elem == WF_I64 && a.count == 3 && !a.data);
    ok(wf_h5_shape(f, "f32", &a, &err));
    cr_assert_eq(a.elem, WF_F32);
    wf_h5_close(f);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(h5, texts_of_every_kind_are_read)
{
    struct wf_h5 *f = odd();
    struct wf_names n;
    char *title;
    ok(wf_h5_read_names(f, "fixed", &n, &err));
    cr_assert_str_eq(n.name[0], "ab");
    cr_assert_str_eq(n.name[1], "wxyz");
    wf_names_free(&n);
    ok(wf_h5_read_names(f, "spaced", &n, &err));
    cr_assert_str_eq(n.name[0], "a b");
    wf_names_free(&n);
    ok(wf_h5_read_names(f, "variable", &n, &err));
    cr_assert_eq(n.count, 3);
    cr_assert_str_eq(n.name[1], "");
    cr_assert_str_eq(n.name[2], "drei");
    wf_names_free(&n);
    ok(wf_h5_read_names(f, "i16be", &n, &err));
    cr_assert_str_eq(n.name[2], "3");
    wf_names_free(&n);
    ok(wf_h5_attr_text(f, "/", "title", &title, &err));
    cr_assert_str_eq(title, "odd types");
    wf_free(title);
    wf_h5_close(f);
    cr_expect_eq(wf_alloc_live(), 0);
}

static const struct {
    const char *name;
    enum wf_elem elem;
    const char *says;
} refused[] = {
    { "f32", WF_I64, "holds floats, expected integers" },
    { "u64", WF_I64, "unsigned 64-bit" },
    { "fixed", WF_F64, "holds text" },
    { "compound", WF_F64, "holds a compound" },
    { "alien", WF_F32, "filter 300 (alien codec)" },
    { "outside", WF_F32, "lie in other files" },
    { "elsewhere", WF_I64, "no such array" },
    { "endless", WF_F32, "does not fit" },
    { "deep", WF_F32, "rank 9" },
    { "absent/x", WF_F32, "'absent/x': no such array" },
    { "/", WF_F32, "no such array" },
};

Test(h5, what_cannot_be_read_is_refused_by_name)
{
    struct wf_h5 *f = odd();
    struct wf_array a;
    struct wf_names n;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        fails(wf_h5_read(f, refused[i].name, refused[i].elem, &a, &err), WF_EFORMAT,
              refused[i].says);
        says("odd.h5");
        cr_assert_null(a.data);
    }
    fails(wf_h5_shape(f, "fixed", &a, &err), WF_EFORMAT, "");
    fails(wf_h5_read_names(f, "f32", &n, &err), WF_EFORMAT, "");
    fails(wf_h5_read_names(f, "chunked", &n, &err), WF_EFORMAT, "");
    fails(wf_h5_list(f, "absent", &n, &err), WF_EFORMAT, "");
    fails(wf_h5_list(f, "i8", &n, &err), WF_EFORMAT, "");
    cr_assert_eq(wf_h5_kind(f, "elsewhere"), WF_H5_NONE);
    cr_assert_eq(wf_h5_kind(f, "absent"), WF_H5_NONE);
    cr_assert_eq(wf_h5_kind(f, "/"), WF_H5_GROUP);
    cr_assert_eq(wf_h5_kind(f, "i8"), WF_H5_DATASET);
    wf_h5_close(f);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(h5, wrong_attributes_are_refused)
{
    struct wf_h5 *f;
    struct wf_array a;
    int64_t i;
    double x;
    char *text;
    sample_write(scratch("a.h5"));
    ok(wf_h5_open(&f, scratch("a.h5"), &err));
    fails(wf_h5_attr_int(f, "case", "absent", &i, &err), WF_EFORMAT,
          "attribute 'absent' of 'case'");
    fails(wf_h5_attr_int(f, "absent", "seed", &i, &err), WF_EFORMAT, "");
    fails(wf_h5_attr_int(f, "/", "note", &i, &err), WF_EFORMAT, "");
    fails(wf_h5_attr_int(f, "/", "table", &i, &err), WF_EFORMAT, "");
    fails(wf_h5_attr_double(f, "/", "note", &x, &err), WF_EFORMAT, "");
    fails(wf_h5_attr_text(f, "case", "seed", &text, &err), WF_EFORMAT, "");
    fails(wf_h5_attr_array(f, "/", "note", WF_F64, &a, &err), WF_EFORMAT, "");
    fails(wf_h5_set_int(f, "/", "late", 1, &err), WF_EIO, "");
    fails(wf_h5_group(f, "late", &err), WF_EIO, "");
    fails(wf_h5_write_names(f, "late", &(struct wf_names){ 0 }, &err), WF_EIO, "");
    fails(wf_h5_commit(f, &err), WF_EINVAL, "");
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(h5, paths_that_are_no_hdf5_files_are_refused)
{
    struct wf_h5 *f;
    fails(wf_h5_open(&f, scratch("absent.h5"), &err), WF_EIO, "absent.h5: No such file");
    fails(wf_h5_open(&f, "/", &err), WF_EIO, "not a regular file");
    fails(wf_h5_open(&f, scratch_file("t", "plain text", 10), &err), WF_EFORMAT,
          "not a sound HDF5 file");
    fails(wf_h5_open_bytes(&f, "", 0, &err), WF_EFORMAT, "");
    fails(wf_h5_create(&f, scratch("no/where.h5"), &err), WF_EIO, "");
    cr_assert_null(f);
    mkdir(scratch("taken"), 0700);
    ok(wf_h5_create(&f, scratch("taken"), &err));
    fails(wf_h5_commit(f, &err), WF_EIO, "taken: ");
    cr_assert_neq(access(scratch("taken.tmp"), F_OK), 0);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(h5, a_full_disk_leaves_the_old_file)
{
    struct wf_h5 *f;
    struct wf_array a, b;
    char *before, *after;
    size_t n, m;
    sample_write(scratch("a.h5"));
    ok(wf_file_read(scratch("a.h5"), &before, &n, &err));
    ok(wf_array_alloc(&a, WF_F64, 1, (ptrdiff_t[]){ 1 << 20 }, &err));
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1 << 16, 1 << 16 });
    ok(wf_h5_create(&f, scratch("a.h5"), &err));
    fails(wf_h5_write(f, "x", &a, &err), WF_EIO, "");
    wf_h5_close(f);
    wf_array_free(&a);
    ok(wf_file_read(scratch("a.h5"), &after, &m, &err));
    cr_assert(m == n && memcmp(before, after, n) == 0);
    cr_assert_eq(scratch_count(), 1);
    ok(wf_h5_open_bytes(&f, after, m, &err));
    ok(wf_h5_read(f, "case/inputs/x", WF_F64, &b, &err));
    wf_array_free(&b);
    wf_h5_close(f);
    wf_free(before);
    wf_free(after);
    cr_expect_eq(wf_alloc_live(), 0);
}

/* Asks a file for everything that a reader can ask for, whether the file is sound or not. */
static enum wf_status read_all(const char *bytes, size_t size)
{
    struct wf_h5 *f;
    struct wf_array a = { 0 };
    struct wf_names n = { 0 };
    char *note = NULL;
    enum wf_status s = wf_h5_open_bytes(&f, bytes, size, &err);
    if (s != WF_OK) return s;
    s = wf_h5_list(f, "case", &n, &err);
    wf_names_free(&n);
    if (s == WF_OK) s = wf_h5_read(f, "case/inputs/x", WF_F32, &a, &err);
    wf_array_free(&a);
    if (s == WF_OK) s = wf_h5_read(f, "case/index", WF_I64, &a, &err);
    wf_array_free(&a);
    if (s == WF_OK) s = wf_h5_read_names(f, "case/names", &n, &err);
    wf_names_free(&n);
    if (s == WF_OK) s = wf_h5_attr_text(f, "/", "note", &note, &err);
    wf_free(note);
    if (s == WF_OK) s = wf_h5_attr_array(f, "/", "table", WF_F32, &a, &err);
    wf_array_free(&a);
    wf_h5_close(f);
    return s;
}

Test(h5, truncated_and_damaged_files_are_refused_cleanly)
{
    char *bytes;
    size_t size;
    int refusals = 0;
    sample_write(scratch("a.h5"));
    ok(wf_file_read(scratch("a.h5"), &bytes, &size, &err));
    ok(read_all(bytes, size));
    for (size_t n = 0; n < size; n += 1 + n / 16) {
        cr_assert_neq(read_all(bytes, n), WF_OK, "%zu of %zu bytes", n, size);
        cr_assert_eq(wf_alloc_live(), 1);
    }
    for (size_t i = 0; i < size; i += 7) {
        bytes[i] ^= (char)(1 << i % 8);
        refusals += read_all(bytes, size) != WF_OK;
        bytes[i] ^= (char)(1 << i % 8);
        cr_assert_eq(wf_alloc_live(), 1, "flip at %zu", i);
    }
    cr_assert_gt(refusals, 10);
    wf_free(bytes);
}

static enum wf_status write_all(const char *path)
{
    struct wf_h5 *f;
    struct wf_array a = { .elem = WF_F32, .count = 1, .data = &(float){ 1 } };
    WF_TRY(wf_h5_create(&f, path, &err));
    enum wf_status s = wf_h5_write(f, "x", &a, &err);
    if (s == WF_OK) return wf_h5_commit(f, &err);
    wf_h5_close(f);
    return s;
}

Test(h5, every_failed_allocation_is_clean)
{
    char *bytes;
    size_t size;
    sample_write(scratch("a.h5"));
    ok(wf_file_read(scratch("a.h5"), &bytes, &size, &err));
    EACH_ALLOCATION_FAILS(err, read_all(bytes, size), (void)0);
    EACH_ALLOCATION_FAILS(err, write_all(scratch("w.h5")), (void)0);
    wf_free(bytes);
}

Test(h5, reference_values_can_be_walked)
{
    struct wf_h5 *f;
    struct wf_names n;
    struct wf_array a;
    int64_t k;
    char *call;
    NEED_SHARED();
    ok(wf_h5_open(&f, shared("fixtures/dcrnn.h5"), &err));
    ok(wf_h5_list(f, "/", &n, &err));
    cr_assert_gt(n.count, 0);
    wf_names_free(&n);
    ok(wf_h5_attr_int(f, "seq_K1", "K", &k, &err));
    ok(wf_h5_attr_text(f, "seq_K1", "call", &call, &err));
    cr_assert_eq(k, 1);
    cr_assert(strstr(call, "DCRNN"));
    wf_free(call);
    ok(wf_h5_list(f, "seq_K1/params", &n, &err));
    for (ptrdiff_t i = 0; i < n.count; i++) {
        char path[200];
        snprintf(path, sizeof path, "seq_K1/params/%s", n.name[i]);
        ok(wf_h5_read(f, path, WF_F64, &a, &err));
        cr_assert(a.count > 0 && isfinite(a.f64[0]));
        wf_array_free(&a);
    }
    wf_names_free(&n);
    wf_h5_close(f);
    cr_expect_eq(wf_alloc_live(), 0);
}
