/* These tests read and write numpy's arrays: .npy files, and .npz archives of them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zip.h>
#include "data/file.h"
#include "data/formats/npy.h"
#include "data/formats/numpy_private.h"
#include "tensor/alloc.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

static struct wf_error err;

struct image {
    unsigned char bytes[512];
    size_t size;
};

static struct image image_of(int version, const char *header, const void *data, size_t size)
{
    struct image m = { .size = version == 1 ? 10 : 12 };
    size_t len = strlen(header);
    memcpy(m.bytes, "\x93NUMPY", 6);
    m.bytes[6] = (unsigned char)version;
    m.bytes[8] = (unsigned char)len;
    m.bytes[9] = (unsigned char)(len >> 8);
    memcpy(m.bytes + m.size, header, len);
    memcpy(m.bytes + m.size + len, data, size);
    m.size += len + size;
    return m;
}

#define HEADER(type, order, shape)                                                                 \
    "{'descr': '" type "', 'fortran_order': " order ", 'shape': " shape ", }   \n"

static const struct {
    const char *type, *data;
    size_t size;
    double want;
} types[] = {
    { "<f2", "\x00\xc1", 2, -2.5 },
    { "<f2", "\x01\x00", 2, 0x1p-24 },
    { "<f4", "\x00\x00\x20\xc0", 4, -2.5 },
    { "<f8", "\0\0\0\0\0\0\x04\xc0", 8, -2.5 },
    { ">f8", "\xc0\x04\0\0\0\0\0\0", 8, -2.5 },
    { "|i1", "\xfe", 1, -2 },
    { "<i2", "\xfe\xff", 2, -2 },
    { ">i2", "\xff\xfe", 2, -2 },
    { "<i4", "\xfe\xff\xff\xff", 4, -2 },
    { "<i8", "\xfe\xff\xff\xff\xff\xff\xff\xff", 8, -2 },
    { "|u1", "\xfe", 1, 254 },
    { "<u2", "\xfe\x01", 2, 510 },
    { "<u4", "\xfe\xff\xff\xff", 4, 4294967294.0 },
    { "<u8", "\xfe\0\0\0\0\0\0\0", 8, 254 },
    { "|b1", "\x01", 1, 1 },
};

Test(npy, every_number_type_is_read)
{
    struct wf_array a;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char head[128];
        snprintf(head, sizeof head, HEADER("%s", "False", "()"), types[i].type);
        for (int version = 1; version <= 3; version++) {
            struct image m = image_of(version, head, types[i].data, types[i].size);
            ok(wf_npy_parse(m.bytes, m.size, WF_F64, &a, &err));
            cr_assert(a.ndim == 0 && a.count == 1);
            cr_assert_eq(a.f64[0], types[i].want, "%s: %g", types[i].type, a.f64[0]);
            wf_array_free(&a);
        }
        struct image m = image_of(1, head, types[i].data, types[i].size);
        bool is_float = types[i].type[1] == 'f';
        fails(wf_npy_parse(m.bytes, m.size, WF_I64, &a, &err), is_float ? WF_EFORMAT : WF_OK, "");
        if (!is_float) cr_assert_eq(a.i64[0], (int64_t)types[i].want);
        wf_array_free(&a);
    }
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(npy, half_precision_has_its_infinities)
{
    struct wf_numpy_type t;
    cr_assert(wf_numpy_type_parse(&t, "f2", 2));
    cr_assert_eq(wf_numpy_double(&t, (const unsigned char *)"\x00\x7c"), (double)INFINITY);
    cr_assert(isnan(wf_numpy_double(&t, (const unsigned char *)"\x01\x7c")));
}

Test(npy, both_memory_orders_give_rows)
{
    static const unsigned char six[] = { 1, 2, 3, 4, 5, 6 };
    struct wf_array a;
    struct image m = image_of(1, HEADER("|u1", "False", "(2, 3)"), six, 6);
    ok(wf_npy_read(scratch_file("c.npy", m.bytes, m.size), WF_F32, &a, &err));
    cr_assert(a.ndim == 2 && a.dim[0] == 2 && a.dim[1] == 3);
    cr_assert(a.f32[1] == 2 && a.f32[3] == 4);
    wf_array_free(&a);
    m = image_of(1, HEADER("|u1", "True", "(2, 3)"), six, 6);
    ok(wf_npy_parse(m.bytes, m.size, WF_I64, &a, &err));
    cr_assert(a.i64[0] == 1 && a.i64[1] == 3 && a.i64[2] == 5 && a.i64[3] == 2);
    wf_array_free(&a);
    m = image_of(1, HEADER("|u1", "True", "(0, 3L)"), six, 0);
    ok(wf_npy_parse(m.bytes, m.size, WF_I64, &a, &err));
    cr_assert(a.count == 0 && a.dim[1] == 3);
    wf_array_free(&a);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(npy, texts_become_utf8)
{
    struct wf_names n;
    struct image m =
        image_of(1, HEADER("<U2", "False", "(2,)"), "\xfc\0\0\0x\0\0\0\xac\x20\0\0\0\0\0\0", 16);
    ok(wf_npy_read_names(scratch_file("u.npy", m.bytes, m.size), &n, &err));
    cr_assert_eq(n.count, 2);
    cr_assert_str_eq(n.name[0], "\303\274x");
    cr_assert_str_eq(n.name[1], "\342\202\254");
    wf_names_free(&n);
    m = image_of(1, HEADER("|S3", "False", "(2,)"), "abcd\0\0", 6);
    ok(wf_npy_parse_names(m.bytes, m.size, &n, &err));
    cr_assert_str_eq(n.name[0], "abc");
    cr_assert_str_eq(n.name[1], "d");
    wf_names_free(&n);
    cr_expect_eq(wf_alloc_live(), 0);
}

static const struct {
    const char *header, *says;
} bad[] = {
    { HEADER("<c8", "False", "(2,)"), "type '<c8' is not supported" },
    { HEADER("|O", "False", "(2,)"), "type '|O' is not supported" },
    { HEADER("<M8[ns]", "False", "(2,)"), "type '<M8[ns]'" },
    { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "a structured type" },
    { HEADER("<f4", "False", "(3,)"), "holds 8 bytes of data, not shape [3]" },
    { HEADER("<f4", "False", "(1,)"), "holds 8 bytes of data, not shape [1]" },
    { HEADER("<f4", "False", "(4294967296, 4294967296, 2)"), "holds 8 bytes of data" },
    { HEADER("<f4", "False", "(99999999999999999999,)"), "bad dimension" },
    { HEADER("<f4", "False", "(-2,)"), "bad dimension" },
    { HEADER("<f4", "False", "(1,1,1,1,1,1,1,1,2)"), "rank above 8" },
    { HEADER("<f4", "False", "2"), "shape is no tuple" },
    { HEADER("<f4", "Maybe", "(2,)"), "bad fortran_order" },
    { HEADER("<f4", "False", "(2"), "bad dimension" },
    { "{'descr': '<f4', 'shape': (2,)}", "lacks descr" },
    { "{'descr': '<f4', 'descr': '<f4', 'shape': (2,)}", "twice there" },
    { "{'extra': 1}", "key 'extra'" },
    { "['descr']", "malformed" },
    { HEADER("<U1", "False", "(2,)"), "holds text, expected numbers" },
};

Test(npy, bad_headers_are_refused_by_name)
{
    struct wf_array a;
    struct wf_names n;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct image m = image_of(1, bad[i].header, "\0\0\0\0\0\0\0\0", 8);
        fails(wf_npy_read(scratch_file("b.npy", m.bytes, m.size), WF_F32, &a, &err), WF_EFORMAT,
              bad[i].says);
        says("b.npy: ");
        cr_assert_null(a.data);
    }
    struct image m = image_of(4, HEADER("<f4", "False", "(2,)"), "\0\0\0\0\0\0\0\0", 8);
    fails(wf_npy_parse(m.bytes, m.size, WF_F32, &a, &err), WF_EFORMAT, "npy version 4");
    m.bytes[6] = 1;
    fails(wf_npy_parse_names(m.bytes, m.size, &n, &err), WF_EFORMAT, "");
    m = image_of(1, HEADER("<u8", "False", "(1,)"), "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    fails(wf_npy_parse(m.bytes, m.size, WF_I64, &a, &err), WF_EFORMAT,
          "beyond a signed 64-bit integer");
    fails(wf_npy_read(scratch("absent.npy"), WF_F32, &a, &err), WF_EIO, "");
    fails(wf_npy_read_names("/", &n, &err), WF_EIO, "");
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(npy, truncated_and_damaged_files_are_refused_cleanly)
{
    struct wf_array a;
    struct image m = image_of(1, HEADER("<f4", "False", "(2,)"), "\0\0\0\0\0\0\0\0", 8);
    for (size_t n = 0; n < m.size; n++) {
        char *part = wf_malloc(n);
        memcpy(part, m.bytes, n);
        fails(wf_npy_parse(part, n, WF_F32, &a, &err), WF_EFORMAT, "");
        wf_free(part);
    }
    for (size_t i = 0; i < 8 * m.size; i++) {
        struct image d = m;
        d.bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        if (wf_npy_parse(d.bytes, d.size, WF_F32, &a, &err) == WF_OK) wf_array_free(&a);
    }
    cr_expect_eq(wf_alloc_live(), 0);
}

static void write_npz(const char *path)
{
    static struct image w, t;
    int code;
    w = image_of(1, HEADER("<f4", "False", "(2,)"), "\0\0\x80\x3f\0\0\0\x40", 8);
    t = image_of(1, HEADER("|S1", "False", "(2,)"), "xy", 2);
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    cr_assert_not_null(z);
    zip_int64_t i =
        zip_file_add(z, "layer.weight_(2,).npy", zip_source_buffer(z, w.bytes, w.size, 0), 0);
    zip_set_file_compression(z, (zip_uint64_t)i, ZIP_CM_STORE, 0);
    i = zip_file_add(z, "names.npy", zip_source_buffer(z, t.bytes, t.size, 0), 0);
    zip_set_file_compression(z, (zip_uint64_t)i, ZIP_CM_DEFLATE, 6);
    cr_assert_eq(zip_close(z), 0);
}

Test(npy, archives_are_listed_and_read)
{
    struct wf_npz *z;
    struct wf_names n;
    struct wf_array a;
    write_npz(scratch("a.npz"));
    ok(wf_npz_open(&z, scratch("a.npz"), &err));
    ok(wf_npz_list(z, &n, &err));
    cr_assert_eq(n.count, 2);
    cr_assert_str_eq(n.name[0], "layer.weight_(2,)");
    wf_names_free(&n);
    ok(wf_npz_read(z, "layer.weight_(2,)", WF_F64, &a, &err));
    cr_assert(a.count == 2 && a.f64[0] == 1 && a.f64[1] == 2);
    wf_array_free(&a);
    ok(wf_npz_read_names(z, "names", &n, &err));
    cr_assert_str_eq(n.name[1], "y");
    wf_names_free(&n);
    fails(wf_npz_read(z, "absent", WF_F64, &a, &err), WF_EFORMAT, "a.npz: 'absent': no such array");
    fails(wf_npz_read(z, "names", WF_F64, &a, &err), WF_EFORMAT, "");
    fails(wf_npz_read_names(z, "layer.weight_(2,)", &n, &err), WF_EFORMAT, "");
    wf_npz_close(z);
    fails(wf_npz_open(&z, scratch("absent.npz"), &err), WF_EIO, "");
    fails(wf_npz_open(&z, scratch_file("t", "text", 4), &err), WF_EFORMAT,
          "not a sound zip archive");
    cr_assert_null(z);
    cr_expect_eq(wf_alloc_live(), 0);
}

static enum wf_status read_archive(const char *bytes, size_t size)
{
    struct wf_npz *z;
    struct wf_array a = { 0 };
    struct wf_names n = { 0 };
    WF_TRY(wf_npz_open_bytes(&z, bytes, size, &err));
    enum wf_status s = wf_npz_list(z, &n, &err);
    wf_names_free(&n);
    if (s == WF_OK) s = wf_npz_read(z, "layer.weight_(2,)", WF_F32, &a, &err);
    wf_array_free(&a);
    if (s == WF_OK) s = wf_npz_read_names(z, "names", &n, &err);
    wf_names_free(&n);
    wf_npz_close(z);
    return s;
}

Test(npy, truncated_and_damaged_archives_are_refused_cleanly)
{
    char *bytes;
    size_t size;
    int refused = 0;
    write_npz(scratch("a.npz"));
    ok(wf_file_read(scratch("a.npz"), &bytes, &size, &err));
    ok(read_archive(bytes, size));
    for (size_t n = 0; n < size; n += 3) {
        fails(read_archive(bytes, n), WF_EFORMAT, "");
        cr_assert_eq(wf_alloc_live(), 1);
    }
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 1;
        refused += read_archive(bytes, size) != WF_OK;
        bytes[i] ^= 1;
        cr_assert_eq(wf_alloc_live(), 1);
    }
    /* Most bytes are data, checksums, names and sizes; only dates and versions may change. */
    cr_assert_gt(refused, (int)size / 2);
    wf_free(bytes);
}

Test(npy, every_failed_allocation_is_clean)
{
    char *bytes;
    size_t size;
    struct wf_array a = { 0 };
    struct wf_npz *z = NULL;
    struct image m = image_of(1, HEADER("<f4", "False", "(2,)"), "\0\0\0\0\0\0\0\0", 8);
    const char *path = scratch_file("c.npy", m.bytes, m.size);
    EACH_ALLOCATION_FAILS(err, wf_npy_read(path, WF_F32, &a, &err), wf_array_free(&a));
    write_npz(scratch("a.npz"));
    EACH_ALLOCATION_FAILS(err, wf_npz_open(&z, scratch("a.npz"), &err), wf_npz_close(z));
    ok(wf_file_read(scratch("a.npz"), &bytes, &size, &err));
    EACH_ALLOCATION_FAILS(err, read_archive(bytes, size), (void)0);
    wf_free(bytes);
}

Test(npy, published_weights_are_read)
{
    struct wf_npz *z;
    struct wf_names n;
    struct wf_array a;
    ptrdiff_t parameters = 0;
    NEED_SHARED();
    ok(wf_npz_open(&z, shared("data/pretrained/dcrnn-metr-la/models_run1_epo45_weights.npz"),
                   &err));
    ok(wf_npz_list(z, &n, &err));
    for (ptrdiff_t i = 0; i < n.count; i++) {
        ok(wf_npz_read(z, n.name[i], WF_F32, &a, &err));
        parameters += a.count;
        wf_array_free(&a);
    }
    cr_assert_eq(parameters, 372353);
    wf_names_free(&n);
    wf_npz_close(z);
    ok(wf_npz_open(
        &z, shared("data/pretrained/dcrnn-metr-la/reference_models_run1_epo45_week1.npz"), &err));
    ok(wf_npz_read(z, "start", WF_I64, &a, &err));
    cr_assert(a.ndim == 1 && a.dim[0] == 16);
    wf_array_free(&a);
    ok(wf_npz_read(z, "x_scaled", WF_F32, &a, &err));
    cr_assert(a.ndim == 4 && a.dim[1] == 12 && a.dim[2] == 207 && a.dim[3] == 2);
    wf_array_free(&a);
    ok(wf_npz_read(z, "mean", WF_F64, &a, &err));
    cr_assert(a.ndim == 0 && a.f64[0] > 40 && a.f64[0] < 70);
    wf_array_free(&a);
    wf_npz_close(z);
    cr_expect_eq(wf_alloc_live(), 0);
}
