/* Sound HDF5 files of any structure, with damage in their data.
 *
 * The bytes choose which members exist, their types, shapes, layouts and attributes, and then flip
 * bytes of the stored data. The structure itself is not damaged: HDF5 1.10.8 overruns buffers on
 * damaged metadata (for one, H5O__attr_open_by_name), which no check outside it can prevent. */
#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "data/formats/series_file.h"
#include "tensor/alloc.h"
#include "data/formats/h5.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed {
    const uint8_t *p, *end;
};

static unsigned take(struct feed *in, unsigned below)
{
    return in->p < in->end ? *in->p++ % below : 0;
}

static hid_t some_type(unsigned kind, struct feed *in)
{
    hid_t t;
    switch (kind) {
    case 0:
        return H5Tcopy(H5T_STD_I8LE);
    case 1:
        return H5Tcopy(H5T_STD_I16BE);
    case 2:
        return H5Tcopy(H5T_STD_U64LE);
    case 3:
        return H5Tcopy(H5T_IEEE_F32LE);
    case 4:
        return H5Tcopy(H5T_IEEE_F64BE);
    case 5:
        t = H5Tenum_create(H5T_NATIVE_INT8);
        H5Tenum_insert(t, "TRUE", &(int8_t){ 1 });
        return t;
    case 6:
        t = H5Tcreate(H5T_COMPOUND, 8);
        H5Tinsert(t, "a", 0, H5T_NATIVE_INT);
        return t;
    case 7:
    case 8:
        t = H5Tcopy(H5T_C_S1);
        H5Tset_size(t, kind == 7 ? 1 : 1 + take(in, 6));
        H5Tset_strpad(t, (H5T_str_t)take(in, 3));
        return t;
    default:
        return H5Tcopy(H5T_STD_I64LE);
    }
}

/* What a reader expects of a member: its kind of type (as in some_type) and shape. */
struct plan {
    const char *name;
    unsigned kind;
    int ndim;
    hsize_t dim[3];
};

static const struct plan member[] = {
    { "values", 3, 2, { 4, 3 } },
    { "nodes", 7, 1, { 3 } },
    { "times", 9, 1, { 4 } },
    { "df/axis0", 7, 1, { 3 } },
    { "df/axis1", 9, 1, { 4 } },
    { "df/block0_items", 7, 1, { 2 } },
    { "df/block0_values", 4, 2, { 4, 2 } },
    { "df/block1_items", 7, 1, { 1 } },
    { "df/block1_values", 3, 2, { 4, 1 } },
    { "df/table", 9, 1, { 1 } },
};

static hid_t some_space(struct feed *in, struct plan *plan)
{
    if (take(in, 8) == 1) {
        plan->ndim = (int)take(in, 4);
        for (int i = 0; i < plan->ndim; i++) plan->dim[i] = take(in, 5);
    }
    return plan->ndim ? H5Screate_simple(plan->ndim, plan->dim, NULL) : H5Screate(H5S_SCALAR);
}

static hid_t some_layout(struct feed *in, int ndim)
{
    const hsize_t chunk[] = { 2, 2, 2 };
    hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    unsigned kind = take(in, 4);
    if (ndim > 0 && kind > 1) {
        H5Pset_chunk(p, ndim, chunk);
        if (kind == 3) H5Pset_deflate(p, 3);
    } else if (kind == 1) {
        H5Pset_layout(p, H5D_COMPACT);
    }
    return p;
}

/* Texts "a", "b", .. or integers a minute apart, in the file's terms; floats are zero. */
static void payload(unsigned char raw[1024], unsigned kind, struct feed *in)
{
    memset(raw, 0, 1024);
    bool damaged = take(in, 8) == 1;
    for (unsigned i = 0; i < 64; i++) {
        if (damaged)
            raw[8 * i] = (unsigned char)take(in, 256);
        else if (kind == 9)
            raw[8 * i] = (unsigned char)(60 * i);
        else if (kind == 7)
            raw[i] = (unsigned char)('a' + i % 3);
    }
}

/* A dataset or, with attr, an attribute of the object. */
static void put(struct feed *in, hid_t f, struct plan plan, const char *attr)
{
    unsigned char raw[1024];
    const char *name = plan.name;
    if (take(in, 8) == 1) plan.kind = take(in, 10);
    hid_t type = some_type(plan.kind, in), space = some_space(in, &plan);
    hid_t layout = some_layout(in, plan.ndim);
    payload(raw, plan.kind, in);
    if (!strcmp(name, "df/block1_items")) raw[0] = 'c';
    if (attr) {
        hid_t id =
            H5Acreate_by_name(f, name, attr, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        if (id >= 0) H5Awrite(id, type, raw);
        if (id >= 0) H5Aclose(id);
    } else {
        hid_t id = H5Dcreate2(f, name, type, space, H5P_DEFAULT, layout, H5P_DEFAULT);
        if (id >= 0) H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw);
        if (id >= 0) H5Dclose(id);
    }
    H5Pclose(layout);
    H5Sclose(space);
    H5Tclose(type);
}

static void put_text(hid_t f, const char *object, const char *attr, const char *text)
{
    hid_t t = H5Tcopy(H5T_C_S1), s = H5Screate(H5S_SCALAR);
    H5Tset_size(t, strlen(text));
    hid_t a = H5Acreate_by_name(f, object, attr, t, s, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (a >= 0) {
        H5Awrite(a, t, text);
        H5Aclose(a);
    }
    H5Sclose(s);
    H5Tclose(t);
}

static void fill(struct feed *in, hid_t f)
{
    static const char *kinds[] = { "datetime64[s]", "datetime64", "integer", "string" };
    H5Gclose(H5Gcreate2(f, "df", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    unsigned which = take(in, 2) ? take(in, 256) | take(in, 4) << 8 : 0x1f8;
    for (unsigned i = 0; i < sizeof member / sizeof *member; i++)
        if (which >> i & 1) put(in, f, member[i], NULL);
    if (take(in, 8) != 1) put_text(f, "df", "pandas_type", "frame");
    if (take(in, 8) != 1) put_text(f, "df/axis1", "kind", kinds[take(in, 4)]);
    const struct plan root = { "/", 9, 0, { 0 } };
    if (take(in, 8) != 1) put(in, f, root, "t0");
    if (take(in, 8) != 1) put(in, f, root, "interval_s");
}

/* Where the data of a contiguous dataset or of its first chunk lie. */
static haddr_t stored_at(hid_t f, const char *name, hsize_t *size)
{
    hid_t id = H5Dopen2(f, name, H5P_DEFAULT);
    haddr_t at = HADDR_UNDEF;
    *size = 0;
    if (id < 0) return at;
    hid_t plist = H5Dget_create_plist(id), space = H5Dget_space(id);
    hsize_t offset[4], chunks = 0;
    unsigned mask;
    if (H5Pget_layout(plist) == H5D_CONTIGUOUS) {
        at = H5Dget_offset(id);
        *size = H5Dget_storage_size(id);
    } else if (H5Pget_layout(plist) == H5D_CHUNKED && H5Dget_num_chunks(id, space, &chunks) >= 0 &&
               chunks > 0) {
        H5Dget_chunk_info(id, space, 0, offset, &mask, &at, size);
    }
    H5Sclose(space);
    H5Pclose(plist);
    H5Dclose(id);
    return at;
}

static unsigned char *image_of(struct feed *in, size_t *size)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(fapl, 1 << 14, 0);
    hid_t f = H5Fcreate("fuzz", H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    H5Pclose(fapl);
    fill(in, f);
    H5Fflush(f, H5F_SCOPE_LOCAL);
    ssize_t n = H5Fget_file_image(f, NULL, 0);
    unsigned char *image = n > 0 ? malloc((size_t)n) : NULL;
    if (image && H5Fget_file_image(f, image, (size_t)n) != n) abort();
    for (unsigned i = 0; image && i < sizeof member / sizeof *member; i++) {
        hsize_t bytes;
        haddr_t at = stored_at(f, member[i].name, &bytes);
        for (unsigned k = take(in, 4); k > 0 && at != HADDR_UNDEF && bytes > 0; k--)
            image[at + take(in, 256) % bytes] ^= (unsigned char)take(in, 256);
    }
    H5Fclose(f);
    *size = (size_t)n;
    return image;
}

static void visit(const struct wf_h5 *f, const char *name)
{
    struct wf_array a;
    struct wf_names n;
    struct wf_error err = { 0 };
    for (int elem = WF_F32; elem <= WF_I64; elem++)
        if (wf_h5_read(f, name, (enum wf_elem)elem, &a, &err) == WF_OK) wf_array_free(&a);
    if (wf_h5_read_names(f, name, &n, &err) == WF_OK) wf_names_free(&n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed in = { data, data + size };
    struct wf_series_file s;
    struct wf_h5 *f;
    struct wf_error err = { 0 };
    char *text;
    size_t n;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    unsigned char *image = image_of(&in, &n);
    if (!image || wf_h5_open_bytes(&f, image, n, &err) != WF_OK) abort();
    for (unsigned i = 0; i < sizeof member / sizeof *member; i++) visit(f, member[i].name);
    if (wf_h5_attr_text(f, "/", "t0", &text, &err) == WF_OK) wf_free(text);
    wf_h5_close(f);
    if (wf_series_file_parse(&s, image, n, NULL, NULL, &err) == WF_OK) wf_series_file_free(&s);
    if (wf_series_file_parse(&s, image, n, "df", NULL, &err) == WF_OK) wf_series_file_free(&s);
    free(image);
    if (wf_alloc_live() != 0) abort();
    return 0;
}
