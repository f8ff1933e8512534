/* h5_attr.c - texts and attributes in HDF5 files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/file.h"
#include "data/formats/h5_private.h"
#include "tensor/alloc.h"

/* Makes a type of texts of so many bytes, padded and encoded as `like` is; like < 0: with NULs, in
 * UTF-8. */
static hid_t text_type(size_t size, hid_t like)
{
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, size);
    H5Tset_cset(t, like >= 0 ? H5Tget_cset(like) : H5T_CSET_UTF8);
    H5Tset_strpad(t, like >= 0 ? H5Tget_strpad(like) : H5T_STR_NULLPAD);
    return t;
}

static enum wf_status variable_texts(const struct wf_h5_source *src, struct wf_names *out,
                                     struct wf_error *err)
{
    char **text = wf_calloc((size_t)src->count, sizeof *text);
    if (!text) return wf_fail(err, WF_ENOMEM, "%s: no memory for its texts", src->label);
    hid_t mem = text_type(H5T_VARIABLE, src->type);
    enum wf_status s = wf_h5_source_read(src, mem, text, err);
    for (ptrdiff_t i = 0; i < src->count && s == WF_OK; i++)
        s = wf_names_set(out, i, text[i] ? text[i] : "", text[i] ? strlen(text[i]) : 0, err);
    H5Dvlen_reclaim(mem, src->space, H5P_DEFAULT, text);
    H5Tclose(mem);
    wf_free(text);
    return s;
}

static enum wf_status fixed_texts(const struct wf_h5_source *src, struct wf_names *out,
                                  struct wf_error *err)
{
    size_t size = src->disk_size;
    char *text = wf_calloc((size_t)src->count, size);
    if (!text) return wf_fail(err, WF_ENOMEM, "%s: no memory for its texts", src->label);
    hid_t mem = text_type(size, src->type);
    bool padded = H5Tget_strpad(src->type) == H5T_STR_SPACEPAD;
    enum wf_status s = wf_h5_source_read(src, mem, text, err);
    for (ptrdiff_t i = 0; i < src->count && s == WF_OK; i++) {
        const char *p = text + (size_t)i * size;
        size_t n = strnlen(p, size);
        while (padded && n > 0 && p[n - 1] == ' ') n--;
        s = wf_names_set(out, i, p, n, err);
    }
    H5Tclose(mem);
    wf_free(text);
    return s;
}

static enum wf_status integer_texts(const struct wf_h5_source *src, struct wf_names *out,
                                    struct wf_error *err)
{
    int64_t *value = wf_calloc((size_t)src->count, sizeof *value);
    if (!value) return wf_fail(err, WF_ENOMEM, "%s: no memory for its numbers", src->label);
    enum wf_status s = wf_h5_source_numeric(src, WF_I64, err);
    if (s == WF_OK) s = wf_h5_source_read(src, H5T_NATIVE_INT64, value, err);
    for (ptrdiff_t i = 0; i < src->count && s == WF_OK; i++) {
        char text[24];
        int n = snprintf(text, sizeof text, "%lld", (long long)value[i]);
        s = wf_names_set(out, i, text, (size_t)n, err);
    }
    wf_free(value);
    return s;
}

enum wf_status wf_h5_source_names(const struct wf_h5_source *src, struct wf_names *out,
                                  struct wf_error *err)
{
    WF_TRY(wf_file_context(wf_names_alloc(out, src->count, err), src->label, err));
    enum wf_status s = src->class != H5T_STRING            ? integer_texts(src, out, err)
                       : H5Tis_variable_str(src->type) > 0 ? variable_texts(src, out, err)
                                                           : fixed_texts(src, out, err);
    if (s != WF_OK) wf_names_free(out);
    return s;
}

enum wf_status wf_h5_read_names(const struct wf_h5 *f, const char *name, struct wf_names *out,
                                struct wf_error *err)
{
    struct wf_h5_source src;
    enum wf_status s;
    *out = (struct wf_names){ 0 };
    WF_TRY(wf_h5_source_open(&src, f, name, NULL, err));
    if (src.ndim == 1)
        s = wf_h5_source_names(&src, out, err);
    else
        s = wf_fail(err, WF_EFORMAT, "%s: rank %d, expected a list", src.label, src.ndim);
    wf_h5_source_close(&src);
    return s;
}

/* Packs the texts one after another, each as long as the longest: in HDF5 1.10 a damaged byte can
 * make reading texts of variable length crash, so our own files have none. */
static char *packed(const struct wf_names *n, size_t *size)
{
    *size = 1;
    for (ptrdiff_t i = 0; i < n->count; i++) {
        size_t len = strlen(n->name[i]);
        *size = len > *size ? len : *size;
    }
    char *text = wf_calloc((size_t)n->count, *size);
    for (ptrdiff_t i = 0; i < n->count && text; i++)
        memcpy(text + (size_t)i * *size, n->name[i], strlen(n->name[i]));
    return text;
}

enum wf_status wf_h5_write_names(struct wf_h5 *f, const char *name, const struct wf_names *n,
                                 struct wf_error *err)
{
    hsize_t count = (hsize_t)n->count;
    size_t size;
    char *text = packed(n, &size);
    if (!text) return wf_fail(err, WF_ENOMEM, "%s: '%.180s': no memory for texts", f->path, name);
    hid_t type = text_type(size, -1), space = H5Screate_simple(1, &count, NULL);
    hid_t lcpl = wf_h5_parents();
    hid_t id = H5Dcreate2(f->file, name, type, space, lcpl, H5P_DEFAULT, H5P_DEFAULT);
    enum wf_status s = WF_OK;
    if (id < 0 || (count > 0 && H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) < 0))
        s = wf_h5_failure(err, WF_EIO, f->path, "cannot write a list of texts");
    if (id >= 0) H5Dclose(id);
    H5Pclose(lcpl);
    H5Sclose(space);
    H5Tclose(type);
    wf_free(text);
    return s;
}

bool wf_h5_has_attr(const struct wf_h5 *f, const char *object, const char *attr)
{
    return H5Aexists_by_name(f->file, object, attr, f->lapl) > 0;
}

enum wf_status wf_h5_attr_array(const struct wf_h5 *f, const char *object, const char *attr,
                                enum wf_elem elem, struct wf_array *out, struct wf_error *err)
{
    struct wf_h5_source src;
    *out = (struct wf_array){ 0 };
    WF_TRY(wf_h5_source_open(&src, f, object, attr, err));
    enum wf_status s = wf_h5_source_numeric(&src, elem, err);
    if (s == WF_OK && src.count == 0 && src.ndim == 0)
        s = wf_fail(err, WF_EFORMAT, "%s: is empty, expected numbers", src.label);
    if (s == WF_OK)
        s = wf_file_context(wf_array_alloc(out, elem, src.ndim, src.dim, err), src.label, err);
    if (s == WF_OK && out->count > 0)
        s = wf_h5_source_read(&src, wf_h5_native(elem), out->data, err);
    wf_h5_source_close(&src);
    if (s != WF_OK) wf_array_free(out);
    return s;
}

static enum wf_status attr_number(const struct wf_h5 *f, const char *object, const char *attr,
                                  enum wf_elem elem, void *out, struct wf_error *err)
{
    struct wf_h5_source src;
    WF_TRY(wf_h5_source_open(&src, f, object, attr, err));
    enum wf_status s = wf_h5_source_numeric(&src, elem, err);
    if (s == WF_OK && src.count != 1)
        s = wf_fail(err, WF_EFORMAT, "%s: holds %td numbers, expected one", src.label, src.count);
    if (s == WF_OK) s = wf_h5_source_read(&src, wf_h5_native(elem), out, err);
    wf_h5_source_close(&src);
    return s;
}

enum wf_status wf_h5_attr_int(const struct wf_h5 *f, const char *object, const char *attr,
                              int64_t *out, struct wf_error *err)
{
    return attr_number(f, object, attr, WF_I64, out, err);
}

enum wf_status wf_h5_attr_double(const struct wf_h5 *f, const char *object, const char *attr,
                                 double *out, struct wf_error *err)
{
    return attr_number(f, object, attr, WF_F64, out, err);
}

enum wf_status wf_h5_attr_text(const struct wf_h5 *f, const char *object, const char *attr,
                               char **out, struct wf_error *err)
{
    struct wf_h5_source src;
    struct wf_names names = { 0 };
    enum wf_status s;
    *out = NULL;
    WF_TRY(wf_h5_source_open(&src, f, object, attr, err));
    if (src.class != H5T_STRING || src.count > 1)
        s = wf_fail(err, WF_EFORMAT, "%s: expected one text", src.label);
    else
        s = wf_h5_source_names(&src, &names, err);
    if (s == WF_OK) {
        *out = wf_strdup(names.count ? names.name[0] : "");
        if (!*out) s = wf_fail(err, WF_ENOMEM, "%s: no memory for its text", src.label);
    }
    wf_names_free(&names);
    wf_h5_source_close(&src);
    return s;
}

/* Writes the attribute, in place of one of that name, whatever its type and shape were. */
static enum wf_status set_attr(struct wf_h5 *f, const char *object, const char *attr, hid_t type,
                               const struct wf_array *a, struct wf_error *err)
{
    hsize_t dim[WF_ARRAY_MAXDIM];
    for (int i = 0; i < a->ndim; i++) dim[i] = (hsize_t)a->dim[i];
    if (wf_h5_has_attr(f, object, attr)) H5Adelete_by_name(f->file, object, attr, H5P_DEFAULT);
    hid_t space = a->ndim ? H5Screate_simple(a->ndim, dim, NULL) : H5Screate(H5S_SCALAR);
    hid_t id = H5Acreate_by_name(f->file, object, attr, type, space, H5P_DEFAULT, H5P_DEFAULT,
                                 H5P_DEFAULT);
    enum wf_status s = WF_OK;
    if (id < 0 || H5Awrite(id, type, a->data) < 0)
        s = wf_h5_failure(err, WF_EIO, f->path, "cannot write an attribute");
    if (id >= 0) H5Aclose(id);
    H5Sclose(space);
    return wf_file_context(s, attr, err);
}

enum wf_status wf_h5_set_array(struct wf_h5 *f, const char *object, const char *attr,
                               const struct wf_array *a, struct wf_error *err)
{
    return set_attr(f, object, attr, wf_h5_native(a->elem), a, err);
}

enum wf_status wf_h5_set_int(struct wf_h5 *f, const char *object, const char *attr, int64_t value,
                             struct wf_error *err)
{
    struct wf_array a = { .elem = WF_I64, .count = 1, .data = &value };
    return wf_h5_set_array(f, object, attr, &a, err);
}

enum wf_status wf_h5_set_double(struct wf_h5 *f, const char *object, const char *attr, double value,
                                struct wf_error *err)
{
    struct wf_array a = { .elem = WF_F64, .count = 1, .data = &value };
    return wf_h5_set_array(f, object, attr, &a, err);
}

enum wf_status wf_h5_set_text(struct wf_h5 *f, const char *object, const char *attr,
                              const char *text, struct wf_error *err)
{
    size_t len = strlen(text);
    hid_t type = text_type(len ? len : 1, -1);
    struct wf_array a = { .count = 1, .data = (void *)(uintptr_t)text };
    enum wf_status s = set_attr(f, object, attr, type, &a, err);
    H5Tclose(type);
    return s;
}
