/* h5_checks.c - opens datasets and attributes, and refuses what cannot be read safely. */
#include <stdio.h>
#include <string.h>
#include "data/formats/h5_private.h"

/* A deflated byte stands for at most 1032 bytes; more than that cannot be in the file. */
#define MAX_EXPANSION 1032

static enum wf_status check_filters(const struct wf_h5_source *src, hid_t plist,
                                    struct wf_error *err)
{
    int n = H5Pget_nfilters(plist);
    for (int i = 0; i < n; i++) {
        char name[64] = "";
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t id =
            H5Pget_filter2(plist, (unsigned)i, &flags, &values, NULL, sizeof name, name, &config);
        if (id < 0 || H5Zfilter_avail(id) <= 0)
            return wf_fail(err, WF_EFORMAT,
                           "%s: compressed with filter %d (%s), which this HDF5 does not have",
                           src->label, id, name[0] ? name : "unnamed");
    }
    return n < 0 ? wf_h5_failure(err, WF_EFORMAT, src->label, "filters are damaged") : WF_OK;
}

/* Returns how many bytes the data may take at most; 0 for a chunk that the file cannot hold. */
static double most_bytes(hid_t plist, const struct wf_h5_source *src, double file_size)
{
    if (H5Pget_layout(plist) != H5D_CHUNKED) return file_size;
    hsize_t chunk[H5S_MAX_RANK];
    int n = H5Pget_chunk(plist, H5S_MAX_RANK, chunk);
    double bytes = (double)src->disk_size;
    for (int i = 0; i < n; i++) bytes *= (double)chunk[i];
    return bytes > file_size * MAX_EXPANSION ? 0 : file_size * MAX_EXPANSION;
}

static enum wf_status check_size(const struct wf_h5_source *src, double most, struct wf_error *err)
{
    char shape[160];
    double bytes = (double)src->disk_size;
    for (int i = 0; i < src->ndim; i++) bytes *= (double)src->dim[i];
    if (bytes <= most && bytes < (double)(PTRDIFF_MAX / 8)) return WF_OK;
    return wf_fail(err, WF_EFORMAT, "%s: shape %s does not fit in a file of this size", src->label,
                   wf_array_shape(shape, sizeof shape, src->ndim, src->dim));
}

static enum wf_status check_storage(const struct wf_h5_source *src, const struct wf_h5 *f,
                                    struct wf_error *err)
{
    hsize_t size = 0;
    if (H5Fget_filesize(f->file, &size) < 0)
        return wf_h5_failure(err, WF_EIO, src->label, "file size unknown");
    if (src->is_attr) return check_size(src, (double)size, err);
    hid_t plist = H5Dget_create_plist(src->id);
    if (plist < 0) return wf_h5_failure(err, WF_EFORMAT, src->label, "damaged");
    enum wf_status s;
    if (H5Pget_layout(plist) == H5D_VIRTUAL || H5Pget_external_count(plist) != 0)
        s = wf_fail(err, WF_EFORMAT, "%s: its data lie in other files", src->label);
    else
        s = check_size(src, most_bytes(plist, src, (double)size), err);
    if (s == WF_OK) s = check_filters(src, plist, err);
    H5Pclose(plist);
    return s;
}

static enum wf_status take_extent(struct wf_h5_source *src, struct wf_error *err)
{
    hsize_t dim[H5S_MAX_RANK];
    H5S_class_t class = H5Sget_simple_extent_type(src->space);
    src->ndim = H5Sget_simple_extent_ndims(src->space);
    if (class == H5S_NO_CLASS || src->ndim < 0 || src->ndim > WF_ARRAY_MAXDIM)
        return wf_fail(err, WF_EFORMAT, "%s: rank %d, expected 0 to %d", src->label, src->ndim,
                       WF_ARRAY_MAXDIM);
    H5Sget_simple_extent_dims(src->space, dim, NULL);
    src->count = class == H5S_NULL ? 0 : 1;
    for (int i = 0; i < src->ndim; i++) {
        if (dim[i] > PTRDIFF_MAX)
            return wf_fail(err, WF_EFORMAT, "%s: dimension %d is too large", src->label, i);
        src->dim[i] = (ptrdiff_t)dim[i];
    }
    return WF_OK;
}

static enum wf_status take_type(struct wf_h5_source *src, struct wf_error *err)
{
    src->class = H5Tget_class(src->type);
    src->disk_size = H5Tget_size(src->type);
    if (src->class == H5T_NO_CLASS || src->disk_size == 0)
        return wf_h5_failure(err, WF_EFORMAT, src->label, "its type is damaged");
    return WF_OK;
}

static enum wf_status inspect(struct wf_h5_source *src, const struct wf_h5 *f, struct wf_error *err)
{
    if (src->type < 0 || src->space < 0)
        return wf_h5_failure(err, WF_EFORMAT, src->label, "damaged");
    WF_TRY(take_extent(src, err));
    WF_TRY(take_type(src, err));
    WF_TRY(check_storage(src, f, err));
    /* After check_storage the product cannot overflow, unless a zero hides a large factor. */
    for (int i = 0; i < src->ndim; i++) src->count = src->dim[i] ? src->count : 0;
    for (int i = 0; i < src->ndim && src->count > 0; i++) src->count *= src->dim[i];
    return WF_OK;
}

enum wf_status wf_h5_source_open(struct wf_h5_source *src, const struct wf_h5 *f, const char *name,
                                 const char *attr, struct wf_error *err)
{
    *src = (struct wf_h5_source){ .id = -1, .type = -1, .space = -1, .is_attr = attr != NULL };
    if (attr)
        snprintf(src->label, sizeof src->label, "%.200s: attribute '%.90s' of '%.90s'", f->path,
                 attr, name);
    else
        snprintf(src->label, sizeof src->label, "%.200s: '%.180s'", f->path, name);
    src->id = attr ? H5Aopen_by_name(f->file, name, attr, H5P_DEFAULT, f->lapl)
              : wf_h5_kind(f, name) == WF_H5_DATASET ? H5Oopen(f->file, name, f->lapl)
                                                     : -1;
    if (src->id < 0)
        return wf_fail(err, WF_EFORMAT, "%s: no such %s", src->label, attr ? "attribute" : "array");
    src->type = attr ? H5Aget_type(src->id) : H5Dget_type(src->id);
    src->space = attr ? H5Aget_space(src->id) : H5Dget_space(src->id);
    enum wf_status s = inspect(src, f, err);
    if (s != WF_OK) wf_h5_source_close(src);
    return s;
}

void wf_h5_source_close(struct wf_h5_source *src)
{
    if (src->space >= 0) H5Sclose(src->space);
    if (src->type >= 0) H5Tclose(src->type);
    if (src->is_attr)
        H5Aclose(src->id);
    else
        H5Oclose(src->id);
}

enum wf_status wf_h5_source_read(const struct wf_h5_source *src, hid_t mem, void *out,
                                 struct wf_error *err)
{
    herr_t rc = src->is_attr ? H5Aread(src->id, mem, out)
                             : H5Dread(src->id, mem, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
    return rc < 0 ? wf_h5_failure(err, WF_EFORMAT, src->label, "cannot read the data") : WF_OK;
}

static const char *class_text(H5T_class_t class)
{
    switch (class) {
    case H5T_STRING:
        return "text";
    case H5T_COMPOUND:
        return "a compound";
    case H5T_VLEN:
        return "a list of lists or objects";
    case H5T_FLOAT:
        return "floats";
    case H5T_BITFIELD:
        return "a bit field";
    default:
        return "of another type";
    }
}

/* Whether the source holds numbers of 1, 2, 4 or 8 bytes; an enum is the integer under it. */
static bool plain_number(const struct wf_h5_source *src)
{
    bool number = src->class == H5T_INTEGER || src->class == H5T_FLOAT || src->class == H5T_ENUM;
    size_t n = src->disk_size;
    return number && (n == 1 || n == 2 || n == 4 || n == 8);
}

static bool beyond_int64(const struct wf_h5_source *src)
{
    return src->class == H5T_INTEGER && src->disk_size == 8 &&
           H5Tget_sign(src->type) == H5T_SGN_NONE;
}

enum wf_status wf_h5_source_numeric(const struct wf_h5_source *src, enum wf_elem elem,
                                    struct wf_error *err)
{
    if (!plain_number(src))
        return wf_fail(err, WF_EFORMAT, "%s: holds %s of %zu bytes, expected numbers", src->label,
                       class_text(src->class), src->disk_size);
    if (elem == WF_I64 && src->class == H5T_FLOAT)
        return wf_fail(err, WF_EFORMAT, "%s: holds floats, expected integers", src->label);
    if (elem == WF_I64 && beyond_int64(src))
        return wf_fail(err, WF_EFORMAT, "%s: holds unsigned 64-bit, expected signed integers",
                       src->label);
    return WF_OK;
}
