#include "tests/kit/h5_odd.h"
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put(hid_t f, const char *name, hid_t disk, hid_t mem, hsize_t n, const void *data)
{
    hid_t space = H5Screate_simple(1, &n, NULL);
    hid_t d = H5Dcreate2(f, name, disk, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (d < 0 || H5Dwrite(d, mem, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) abort();
    H5Dclose(d);
    H5Sclose(space);
}

static hid_t string_of(size_t size, H5T_str_t pad)
{
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, size);
    H5Tset_strpad(t, pad);
    return t;
}

static void text_attr(hid_t object, const char *name, const char *text)
{
    hid_t t = string_of(strlen(text), H5T_STR_NULLTERM), s = H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate2(object, name, t, s, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(a, t, text);
    H5Aclose(a);
    H5Sclose(s);
    H5Tclose(t);
}

static void numbers(hid_t f)
{
    const int v[] = { 0, 1, 3 };
    const double x[] = { 0.5, -2, 1e3 };
    signed char truth[] = { 0, 1, 1 };
    hid_t boolean = H5Tenum_create(H5T_NATIVE_INT8);
    H5Tenum_insert(boolean, "FALSE", &(signed char){ 0 });
    H5Tenum_insert(boolean, "TRUE", &(signed char){ 1 });
    hid_t half = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    put(f, "i8", H5T_STD_I8LE, H5T_NATIVE_INT, 3, v);
    put(f, "u8", H5T_STD_U8LE, H5T_NATIVE_INT, 3, v);
    put(f, "i16be", H5T_STD_I16BE, H5T_NATIVE_INT, 3, v);
    put(f, "u64", H5T_STD_U64LE, H5T_NATIVE_INT, 3, v);
    put(f, "f32", H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, 3, x);
    put(f, "f64be", H5T_IEEE_F64BE, H5T_NATIVE_DOUBLE, 3, x);
    put(f, "half", half, H5T_NATIVE_DOUBLE, 3, x);
    put(f, "bool", boolean, boolean, 3, truth);
    H5Tclose(half);
    H5Tclose(boolean);
}

static void texts(hid_t f)
{
    const char *variable[] = { "one", "", "drei" };
    hid_t fixed = string_of(4, H5T_STR_NULLPAD), spaced = string_of(4, H5T_STR_SPACEPAD);
    hid_t vlen = string_of(H5T_VARIABLE, H5T_STR_NULLTERM);
    hid_t pair = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(pair, "a", 0, H5T_NATIVE_INT);
    H5Tinsert(pair, "b", 4, H5T_NATIVE_INT);
    put(f, "fixed", fixed, fixed, 2, "ab\0\0wxyz");
    put(f, "spaced", spaced, spaced, 2, "a b wxyz");
    put(f, "variable", vlen, vlen, 3, variable);
    put(f, "compound", pair, pair, 2, (int[]){ 1, 2, 3, 4 });
    H5Tclose(fixed);
    H5Tclose(spaced);
    H5Tclose(vlen);
    H5Tclose(pair);
}

static size_t pass(unsigned flags, size_t n, const unsigned *v, size_t bytes, size_t *size,
                   void **p)
{
    (void)flags, (void)n, (void)v, (void)size, (void)p;
    return bytes;
}

static void shaped(hid_t f, const char *name, int ndim, const hsize_t *dim, hid_t plist)
{
    hid_t s = ndim ? H5Screate_simple(ndim, dim, NULL) : H5Screate(H5S_SCALAR);
    hid_t d = H5Dcreate2(f, name, H5T_IEEE_F64LE, s, H5P_DEFAULT, plist, H5P_DEFAULT);
    double x[64] = { 2.5 };
    hssize_t n = H5Sget_simple_extent_npoints(s);
    if (d < 0) abort();
    if (n <= 64) H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x);
    H5Dclose(d);
    H5Sclose(s);
}

static void layouts(hid_t f)
{
    const H5Z_class2_t alien = { H5Z_CLASS_T_VERS, 300, 1, 1, "alien codec", NULL, NULL, pass };
    const hsize_t eight[] = { 8, 8 }, none[] = { 0, 3 }, huge[] = { 1 << 30, 1 << 20 };
    const hsize_t ones[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 }, chunk[] = { 4, 4 };
    hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(p, 2, chunk);
    H5Pset_deflate(p, 5);
    shaped(f, "chunked", 2, eight, p);
    H5Zregister(&alien);
    H5Pset_filter(p, 300, 0, 0, NULL);
    shaped(f, "alien", 2, eight, p);
    H5Zunregister(300);
    H5Pclose(p);
    p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(p, "/etc/passwd", 0, 512);
    hid_t s = H5Screate_simple(2, eight, NULL);
    H5Dclose(H5Dcreate2(f, "outside", H5T_IEEE_F64LE, s, H5P_DEFAULT, p, H5P_DEFAULT));
    H5Sclose(s);
    H5Pclose(p);
    p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_alloc_time(p, H5D_ALLOC_TIME_LATE);
    shaped(f, "endless", 2, huge, p);
    H5Pclose(p);
    shaped(f, "empty", 2, none, H5P_DEFAULT);
    shaped(f, "scalar", 0, NULL, H5P_DEFAULT);
    shaped(f, "deep", 9, ones, H5P_DEFAULT);
}

void h5_odd_types(const char *path)
{
    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (f < 0) abort();
    numbers(f);
    texts(f);
    layouts(f);
    H5Lcreate_external(path, "i8", f, "elsewhere", H5P_DEFAULT, H5P_DEFAULT);
    text_attr(f, "title", "odd types");
    H5Fclose(f);
}

static void labels(hid_t g, const char *name, const struct h5_frame *fr, int first, int step)
{
    char text[64 * 6] = "";
    int64_t number[64];
    hsize_t n = 0;
    for (int i = first; i < fr->N; i += step, n++) {
        char one[16];
        snprintf(one, sizeof one, "7%d", i);
        memcpy(text + 6 * n, one, 6);
        number[n] = 700 + i;
    }
    hid_t t = string_of(6, H5T_STR_NULLPAD);
    if (fr->integer_labels)
        put(g, name, H5T_STD_I64LE, H5T_NATIVE_INT64, n, number);
    else
        put(g, name, t, t, n, text);
    H5Tclose(t);
}

static void block(hid_t g, int b, const struct h5_frame *fr, int first, int step)
{
    char name[32];
    int width = (fr->N - first + step - 1) / step;
    double *x = calloc((size_t)(fr->E * width), sizeof *x);
    if (!x) abort();
    for (int t = 0; t < fr->E; t++)
        for (int j = 0; j < width; j++) x[t * width + j] = 1000 * t + first + j * step + 0.5;
    snprintf(name, sizeof name, "block%d_items", b);
    labels(g, name, fr, first, step);
    hsize_t dim[] = { (hsize_t)fr->E, (hsize_t)width };
    hid_t s = H5Screate_simple(2, dim, NULL);
    snprintf(name, sizeof name, "block%d_values", b);
    hid_t d = H5Dcreate2(g, name, fr->f32 ? H5T_IEEE_F32LE : H5T_IEEE_F64LE, s, H5P_DEFAULT,
                         H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x);
    H5Dclose(d);
    H5Sclose(s);
    free(x);
}

void h5_odd_frame(const char *path, const struct h5_frame *fr)
{
    hid_t f = access(path, F_OK) == 0 ? H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT)
                                      : H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t g = H5Gcreate2(f, fr->key, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (g < 0) abort();
    text_attr(g, "pandas_type", fr->table ? "frame_table" : "frame");
    if (fr->table) {
        put(g, "table", H5T_STD_I64LE, H5T_NATIVE_INT64, 1, (int64_t[]){ 1 });
    } else {
        labels(g, "axis0", fr, 0, 1);
        put(g, "axis1", H5T_STD_I64LE, H5T_NATIVE_INT64, (hsize_t)fr->E, fr->times_ns);
        hid_t axis = H5Dopen2(g, "axis1", H5P_DEFAULT);
        text_attr(axis, "kind", fr->kind);
        H5Dclose(axis);
        block(g, 0, fr, 0, fr->two_blocks ? 2 : 1);
        if (fr->two_blocks) block(g, 1, fr, 1, 2);
    }
    H5Gclose(g);
    H5Fclose(f);
}
