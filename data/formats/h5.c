#include "data/formats/h5_private.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "data/file.h"
#include "tensor/alloc.h"

/* Bytes of float64 that are read at a time and narrowed here: HDF5's own conversion takes twice as
 * long. */
#define CHUNK_BYTES (2 << 20)

static herr_t innermost(unsigned n, const H5E_error2_t *e, void *text)
{
    if (n == 0 && e->desc) snprintf(text, 160, "%s", e->desc);
    return 0;
}

enum wf_status wf_h5_failure(struct wf_error *err, enum wf_status s, const char *label,
                             const char *what)
{
    char reason[160] = "no reason given";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, reason);
    return wf_fail(err, s, "%s: %s (HDF5: %s)", label, what, reason);
}

static herr_t refuse_external_link(const char *file, const char *path, const char *target,
                                   const char *object, unsigned *flags, hid_t fapl, void *data)
{
    (void)file, (void)path, (void)target, (void)object, (void)flags, (void)fapl, (void)data;
    return -1;
}

static enum wf_status file_new(struct wf_h5 **out, const char *path, bool writes,
                               struct wf_error *err)
{
    struct wf_h5 *f = wf_calloc(1, sizeof *f);
    *out = NULL;
    /* A file that cannot be closed on a full disk would crash HDF5's own cleanup at exit. */
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (!f) return wf_fail(err, WF_ENOMEM, "%s: no memory to open it", path);
    f->file = -1;
    f->lapl = H5Pcreate(H5P_LINK_ACCESS);
    H5Pset_elink_cb(f->lapl, refuse_external_link, NULL);
    f->path = wf_strdup(path);
    if (writes) f->temporary = wf_file_temporary(path);
    if (!f->path || (writes && !f->temporary)) {
        wf_h5_close(f);
        return wf_fail(err, WF_ENOMEM, "%s: no memory to open it", path);
    }
    *out = f;
    return WF_OK;
}

/* Ends an open: fails, and frees *out, where HDF5 has opened no file. */
static enum wf_status opened(struct wf_h5 **out, struct wf_error *err)
{
    struct wf_h5 *f = *out;
    if (f->file >= 0) return WF_OK;
    enum wf_status s = f->temporary
                           ? wf_h5_failure(err, WF_EIO, f->path, "cannot create the file")
                           : wf_h5_failure(err, WF_EFORMAT, f->path, "not a sound HDF5 file");
    wf_h5_close(f);
    *out = NULL;
    return s;
}

/* Makes the access list by which closing a file closes whatever is still open in it. */
static hid_t access_list(void)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG);
    return fapl;
}

enum wf_status wf_h5_open(struct wf_h5 **f, const char *path, struct wf_error *err)
{
    *f = NULL;
    WF_TRY(wf_file_check(path, err));
    WF_TRY(file_new(f, path, false, err));
    hid_t fapl = access_list();
    (*f)->file = H5Fopen(path, H5F_ACC_RDONLY, fapl);
    H5Pclose(fapl);
    return opened(f, err);
}

enum wf_status wf_h5_open_bytes(struct wf_h5 **f, const void *bytes, size_t size,
                                struct wf_error *err)
{
    WF_TRY(file_new(f, "memory", false, err));
    hid_t fapl = access_list();
    H5Pset_fapl_core(fapl, 1 << 16, false);
    /* HDF5 copies the image and does not write to ours. */
    if (size > 0 && H5Pset_file_image(fapl, (void *)(uintptr_t)bytes, size) >= 0)
        (*f)->file = H5Fopen("memory", H5F_ACC_RDONLY, fapl);
    H5Pclose(fapl);
    return opened(f, err);
}

enum wf_status wf_h5_create(struct wf_h5 **f, const char *path, struct wf_error *err)
{
    WF_TRY(file_new(f, path, true, err));
    hid_t fapl = access_list();
    errno = 0;
    (*f)->file = H5Fcreate((*f)->temporary, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    int reason = errno;
    H5Pclose(fapl);
    if ((*f)->file >= 0 || !reason) return opened(f, err);
    wf_h5_close(*f);
    *f = NULL;
    return wf_fail(err, WF_EIO, "%s: cannot create the file: %s", path, strerror(reason));
}

static void file_free(struct wf_h5 *f)
{
    H5Pclose(f->lapl);
    wf_free(f->path);
    wf_free(f->temporary);
    wf_free(f);
}

void wf_h5_close(struct wf_h5 *f)
{
    if (!f) return;
    bool unfinished = f->file >= 0 && f->temporary;
    /* On a full disk this makes the room that closing needs. */
    if (unfinished) unfinished = truncate(f->temporary, 0) == 0;
    if (f->file >= 0) H5Fclose(f->file);
    if (unfinished) unlink(f->temporary);
    file_free(f);
}

enum wf_status wf_h5_commit(struct wf_h5 *f, struct wf_error *err)
{
    enum wf_status s;
    if (!f->temporary) {
        s = wf_fail(err, WF_EINVAL, "%s: open for reading, cannot be committed", f->path);
        wf_h5_close(f);
        return s;
    }
    if (H5Fflush(f->file, H5F_SCOPE_LOCAL) < 0) {
        s = wf_h5_failure(err, WF_EIO, f->path, "cannot write");
        wf_h5_close(f);
        return s;
    }
    if (H5Fclose(f->file) < 0) {
        s = wf_h5_failure(err, WF_EIO, f->path, "cannot write");
        unlink(f->temporary);
    } else {
        s = wf_file_commit(f->temporary, f->path, err);
    }
    file_free(f);
    return s;
}

enum wf_h5_kind wf_h5_kind(const struct wf_h5 *f, const char *name)
{
    hid_t id = H5Oopen(f->file, name, f->lapl);
    if (id < 0) return WF_H5_NONE;
    H5I_type_t type = H5Iget_type(id);
    H5Oclose(id);
    return type == H5I_GROUP ? WF_H5_GROUP : type == H5I_DATASET ? WF_H5_DATASET : WF_H5_NONE;
}

struct listing {
    struct wf_names *names;
    ptrdiff_t filled;
    struct wf_error *err;
};

static herr_t collect(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    struct listing *l = data;
    (void)group, (void)info;
    if (l->filled == l->names->count) return -1;
    return wf_names_set(l->names, l->filled++, name, strlen(name), l->err) == WF_OK ? 0 : -1;
}

static enum wf_status list_group(hid_t id, const struct wf_h5 *f, const char *group,
                                 struct listing *l)
{
    H5G_info_t info;
    hsize_t size = 0;
    if (H5Gget_info(id, &info) < 0 || H5Fget_filesize(f->file, &size) < 0 || info.nlinks > size)
        return wf_fail(l->err, WF_EFORMAT, "%s: group '%s' is damaged", f->path, group);
    WF_TRY(wf_names_alloc(l->names, (ptrdiff_t)info.nlinks, l->err));
    struct wf_error none = { 0 };
    if (!l->err) l->err = &none;
    l->err->status = WF_OK;
    if (H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, NULL, collect, l) < 0)
        return l->err->status != WF_OK
                   ? l->err->status
                   : wf_h5_failure(l->err, WF_EFORMAT, f->path, "a group cannot be listed");
    l->names->count = l->filled;
    return WF_OK;
}

enum wf_status wf_h5_list(const struct wf_h5 *f, const char *group, struct wf_names *out,
                          struct wf_error *err)
{
    *out = (struct wf_names){ 0 };
    hid_t id = H5Oopen(f->file, group, f->lapl);
    if (id < 0 || H5Iget_type(id) != H5I_GROUP) {
        if (id >= 0) H5Oclose(id);
        return wf_fail(err, WF_EFORMAT, "%s: no group '%s'", f->path, group);
    }
    struct listing l = { out, 0, err };
    enum wf_status s = list_group(id, f, group, &l);
    H5Oclose(id);
    if (s != WF_OK) wf_names_free(out);
    return s;
}

hid_t wf_h5_parents(void)
{
    hid_t lcpl = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(lcpl, 1);
    return lcpl;
}

enum wf_status wf_h5_group(struct wf_h5 *f, const char *name, struct wf_error *err)
{
    if (wf_h5_kind(f, name) == WF_H5_GROUP) return WF_OK;
    hid_t lcpl = wf_h5_parents();
    hid_t id = H5Gcreate2(f->file, name, lcpl, H5P_DEFAULT, H5P_DEFAULT);
    H5Pclose(lcpl);
    if (id < 0) return wf_h5_failure(err, WF_EIO, f->path, "cannot make a group");
    H5Gclose(id);
    return WF_OK;
}

hid_t wf_h5_native(enum wf_elem elem)
{
    return elem == WF_F32   ? H5T_NATIVE_FLOAT
           : elem == WF_F64 ? H5T_NATIVE_DOUBLE
                            : H5T_NATIVE_INT64;
}

static enum wf_elem nearest(const struct wf_h5_source *src)
{
    if (src->class != H5T_FLOAT) return WF_I64;
    return src->disk_size <= sizeof(float) ? WF_F32 : WF_F64;
}

enum wf_status wf_h5_shape(const struct wf_h5 *f, const char *name, struct wf_array *out,
                           struct wf_error *err)
{
    struct wf_h5_source src;
    *out = (struct wf_array){ 0 };
    WF_TRY(wf_h5_source_open(&src, f, name, NULL, err));
    enum wf_status s = wf_h5_source_numeric(&src, WF_F64, err);
    if (s == WF_OK) {
        *out = (struct wf_array){ .elem = nearest(&src), .ndim = src.ndim, .count = src.count };
        memcpy(out->dim, src.dim, sizeof src.dim);
    }
    wf_h5_source_close(&src);
    return s;
}

static bool select_rows(hid_t space, hid_t *mem, const struct wf_h5_source *src, ptrdiff_t first,
                        ptrdiff_t rows)
{
    hsize_t start[WF_ARRAY_MAXDIM] = { (hsize_t)first }, count[WF_ARRAY_MAXDIM];
    for (int i = 0; i < src->ndim; i++) count[i] = (hsize_t)(i ? src->dim[i] : rows);
    *mem = H5Screate_simple(src->ndim, count, NULL);
    return *mem >= 0 && H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0;
}

static enum wf_status read_slab(const struct wf_h5_source *src, enum wf_elem elem, ptrdiff_t first,
                                ptrdiff_t rows, void *out, struct wf_error *err)
{
    hid_t mem = -1, space = H5Scopy(src->space);
    bool done = select_rows(space, &mem, src, first, rows) &&
                H5Dread(src->id, wf_h5_native(elem), mem, space, H5P_DEFAULT, out) >= 0;
    enum wf_status s =
        done ? WF_OK : wf_h5_failure(err, WF_EFORMAT, src->label, "cannot read the data");
    if (mem >= 0) H5Sclose(mem);
    H5Sclose(space);
    return s;
}

static enum wf_status read_narrowed(const struct wf_h5_source *src, ptrdiff_t first,
                                    struct wf_array *into, struct wf_error *err)
{
    ptrdiff_t rows = into->dim[0], width = into->count / rows;
    ptrdiff_t step = CHUNK_BYTES / (ptrdiff_t)sizeof(double) / width;
    step = step < 1 ? 1 : step < rows ? step : rows;
    double *chunk = wf_malloc((size_t)(step * width) * sizeof *chunk);
    if (!chunk) return wf_fail(err, WF_ENOMEM, "%s: no memory for %td rows", src->label, step);
    enum wf_status s = WF_OK;
    for (ptrdiff_t r = 0; r < rows && s == WF_OK; r += step) {
        ptrdiff_t n = rows - r < step ? rows - r : step;
        s = read_slab(src, WF_F64, first + r, n, chunk, err);
        for (ptrdiff_t i = 0; i < n * width && s == WF_OK; i++)
            into->f32[r * width + i] = (float)chunk[i];
    }
    wf_free(chunk);
    return s;
}

static enum wf_status read_rows(const struct wf_h5_source *src, ptrdiff_t first,
                                struct wf_array *into, struct wf_error *err)
{
    WF_TRY(wf_h5_source_numeric(src, into->elem, err));
    if (into->count == 0) return WF_OK;
    if (src->ndim == 0) return wf_h5_source_read(src, wf_h5_native(into->elem), into->data, err);
    if (into->elem == WF_F32 && nearest(src) == WF_F64) return read_narrowed(src, first, into, err);
    return read_slab(src, into->elem, first, into->dim[0], into->data, err);
}

/* Checks that the rows of part, from row `first` on, lie within the shape dim and are as wide. */
static enum wf_status check_rows(const char *label, int ndim, const ptrdiff_t *dim, ptrdiff_t first,
                                 const struct wf_array *part, struct wf_error *err)
{
    char have[96], want[96];
    bool fits = ndim == part->ndim && ndim > 0 && first >= 0 && part->dim[0] <= dim[0] &&
                first <= dim[0] - part->dim[0];
    for (int i = 1; i < ndim && fits; i++) fits = dim[i] == part->dim[i];
    if (fits) return WF_OK;
    return wf_fail(err, WF_EINVAL, "%s: has shape %s, rows of shape %s from row %td do not fit",
                   label, wf_array_shape(have, sizeof have, ndim, dim),
                   wf_array_shape(want, sizeof want, part->ndim, part->dim), first);
}

enum wf_status wf_h5_read_rows(const struct wf_h5 *f, const char *name, ptrdiff_t first,
                               struct wf_array *into, struct wf_error *err)
{
    struct wf_h5_source src;
    WF_TRY(wf_h5_source_open(&src, f, name, NULL, err));
    enum wf_status s = check_rows(src.label, src.ndim, src.dim, first, into, err);
    if (s == WF_OK) s = read_rows(&src, first, into, err);
    wf_h5_source_close(&src);
    return s;
}

enum wf_status wf_h5_read(const struct wf_h5 *f, const char *name, enum wf_elem elem,
                          struct wf_array *out, struct wf_error *err)
{
    struct wf_h5_source src;
    *out = (struct wf_array){ 0 };
    WF_TRY(wf_h5_source_open(&src, f, name, NULL, err));
    enum wf_status s = wf_h5_source_numeric(&src, elem, err);
    if (s == WF_OK)
        s = wf_file_context(wf_array_alloc(out, elem, src.ndim, src.dim, err), src.label, err);
    if (s == WF_OK) s = read_rows(&src, 0, out, err);
    wf_h5_source_close(&src);
    if (s != WF_OK) wf_array_free(out);
    return s;
}

enum wf_status wf_h5_reserve(struct wf_h5 *f, const char *name, const struct wf_array *like,
                             struct wf_error *err)
{
    hsize_t dim[WF_ARRAY_MAXDIM];
    for (int i = 0; i < like->ndim; i++) dim[i] = (hsize_t)like->dim[i];
    hid_t space = like->ndim ? H5Screate_simple(like->ndim, dim, NULL) : H5Screate(H5S_SCALAR);
    hid_t lcpl = wf_h5_parents(), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    /* The room is made now, and filled row by row: each later call checks that the file is as large
     * as its data. */
    H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
    hid_t id = H5Dcreate2(f->file, name, wf_h5_native(like->elem), space, lcpl, dcpl, H5P_DEFAULT);
    enum wf_status s = WF_OK;
    if (id < 0) s = wf_h5_failure(err, WF_EIO, f->path, "cannot make a dataset");
    H5Pclose(dcpl);
    H5Pclose(lcpl);
    H5Sclose(space);
    if (id >= 0) H5Dclose(id);
    return s;
}

enum wf_status wf_h5_write_rows(struct wf_h5 *f, const char *name, ptrdiff_t first,
                                const struct wf_array *from, struct wf_error *err)
{
    struct wf_h5_source src;
    WF_TRY(wf_h5_source_open(&src, f, name, NULL, err));
    enum wf_status s = check_rows(src.label, src.ndim, src.dim, first, from, err);
    hid_t mem = -1;
    if (s == WF_OK && from->count > 0 &&
        (!select_rows(src.space, &mem, &src, first, from->dim[0]) ||
         H5Dwrite(src.id, wf_h5_native(from->elem), mem, src.space, H5P_DEFAULT, from->data) < 0))
        s = wf_h5_failure(err, WF_EIO, src.label, "cannot write");
    if (mem >= 0) H5Sclose(mem);
    wf_h5_source_close(&src);
    return s;
}

enum wf_status wf_h5_write(struct wf_h5 *f, const char *name, const struct wf_array *a,
                           struct wf_error *err)
{
    WF_TRY(wf_h5_reserve(f, name, a, err));
    if (a->count == 0) return WF_OK;
    hid_t id = H5Dopen2(f->file, name, H5P_DEFAULT);
    bool done =
        id >= 0 && H5Dwrite(id, wf_h5_native(a->elem), H5S_ALL, H5S_ALL, H5P_DEFAULT, a->data) >= 0;
    enum wf_status s = done ? WF_OK : wf_h5_failure(err, WF_EIO, f->path, "cannot write");
    if (id >= 0) H5Dclose(id);
    return s;
}
