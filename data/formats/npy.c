#include "data/formats/npy.h"
#include <stdio.h>
#include <string.h>
#include <zip.h>
#include "data/file.h"
#include "data/formats/numpy_private.h"
#include "tensor/alloc.h"

/* A deflated byte stands for at most 1032 bytes. */
#define MAX_EXPANSION 1032

/* ---- .npy ---- */

/* What a header says, and where the data are. */
struct head {
    struct wf_numpy_type type;
    bool fortran, has_type, has_order, has_shape;
    int ndim;
    ptrdiff_t dim[WF_ARRAY_MAXDIM];
    const unsigned char *data;
    size_t bytes;
};

/* What is left of the header, which is the text of a Python dict. p moves on; end bounds it. */
struct text {
    const char *p, *end;
};

/* Passes blanks and then the word, if it comes next. */
static bool take(struct text *t, const char *word)
{
    size_t n = strlen(word);
    while (t->p < t->end && (*t->p == ' ' || *t->p == '\n' || *t->p == '\t')) t->p++;
    if ((size_t)(t->end - t->p) < n || memcmp(t->p, word, n) != 0) return false;
    t->p += n;
    return true;
}

static bool take_quoted(struct text *t, const char **word, size_t *len)
{
    char quote = take(t, "'") ? '\'' : take(t, "\"") ? '"' : 0;
    const char *stop = quote ? memchr(t->p, quote, (size_t)(t->end - t->p)) : NULL;
    if (!stop) return false;
    *word = t->p;
    *len = (size_t)(stop - t->p);
    t->p = stop + 1;
    return true;
}

static bool take_size(struct text *t, ptrdiff_t *n)
{
    take(t, "");
    const char *first = t->p;
    for (*n = 0; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++) {
        if (*n > (PTRDIFF_MAX - 9) / 10) return false;
        *n = *n * 10 + (*t->p - '0');
    }
    take(t, "L"); /* Python 2 wrote sizes so */
    return t->p > first;
}

static enum wf_status take_shape(struct text *t, struct head *h, struct wf_error *err)
{
    if (!take(t, "(")) return wf_fail(err, WF_EFORMAT, "npy header: shape is no tuple");
    while (!take(t, ")")) {
        if (h->ndim == WF_ARRAY_MAXDIM)
            return wf_fail(err, WF_EFORMAT, "npy header: rank above %d", WF_ARRAY_MAXDIM);
        if (!take_size(t, &h->dim[h->ndim++]))
            return wf_fail(err, WF_EFORMAT, "npy header: bad dimension %d", h->ndim - 1);
        take(t, ",");
    }
    return WF_OK;
}

static enum wf_status take_type(struct text *t, struct head *h, struct wf_error *err)
{
    const char *word;
    size_t len;
    if (!take_quoted(t, &word, &len))
        return wf_fail(err, WF_EFORMAT, "npy header: a structured type, expected plain numbers");
    if (!wf_numpy_type_parse(&h->type, word, len))
        return wf_fail(err, WF_EFORMAT, "npy header: type '%.*s' is not supported",
                       (int)(len < 32 ? len : 32), word);
    return WF_OK;
}

static enum wf_status take_entry(struct text *t, struct head *h, struct wf_error *err)
{
    const char *key;
    size_t len;
    if (!take_quoted(t, &key, &len) || !take(t, ":"))
        return wf_fail(err, WF_EFORMAT, "npy header is malformed");
    if (len == 5 && !memcmp(key, "descr", 5) && !h->has_type) {
        h->has_type = true;
        WF_TRY(take_type(t, h, err));
    } else if (len == 5 && !memcmp(key, "shape", 5) && !h->has_shape) {
        h->has_shape = true;
        WF_TRY(take_shape(t, h, err));
    } else if (len == 13 && !memcmp(key, "fortran_order", 13) && !h->has_order) {
        h->fortran = take(t, "True");
        h->has_order = h->fortran || take(t, "False");
        if (!h->has_order) return wf_fail(err, WF_EFORMAT, "npy header: bad fortran_order");
    } else {
        return wf_fail(err, WF_EFORMAT, "npy header: key '%.*s' is unknown or twice there",
                       (int)(len < 32 ? len : 32), key);
    }
    take(t, ",");
    return WF_OK;
}

static enum wf_status take_head(struct head *h, const unsigned char *p, size_t size,
                                struct wf_error *err)
{
    *h = (struct head){ 0 };
    if (size < 10 || memcmp(p, "\x93NUMPY", 6) != 0)
        return wf_fail(err, WF_EFORMAT, "does not begin as an npy file");
    size_t at = p[6] == 1 ? 10 : 12;
    if (p[6] < 1 || p[6] > 3)
        return wf_fail(err, WF_EFORMAT, "npy version %d, expected 1 to 3", p[6]);
    if (size < at) return wf_fail(err, WF_EFORMAT, "npy header is cut off");
    size_t len = (size_t)p[8] | (size_t)p[9] << 8;
    if (at == 12) len |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (len > size - at) return wf_fail(err, WF_EFORMAT, "npy header is cut off");
    struct text t = { (const char *)p + at, (const char *)p + at + len };
    if (!take(&t, "{")) return wf_fail(err, WF_EFORMAT, "npy header is malformed");
    while (!take(&t, "}")) WF_TRY(take_entry(&t, h, err));
    if (!h->has_type || !h->has_order || !h->has_shape)
        return wf_fail(err, WF_EFORMAT, "npy header lacks descr, fortran_order or shape");
    h->data = p + at + len;
    h->bytes = size - at - len;
    return WF_OK;
}

/* Checks that the data are exactly as long as shape and type say. */
static enum wf_status check_length(const struct head *h, struct wf_error *err)
{
    char shape[160];
    bool fits = h->type.size > 0;
    size_t left = fits ? h->bytes / h->type.size : 0;
    size_t count = 1;
    for (int i = 0; i < h->ndim; i++) count = h->dim[i] == 0 ? 0 : count;
    for (int i = 0; i < h->ndim && fits && count > 0; i++) {
        fits = (size_t)h->dim[i] <= left / count;
        count *= fits ? (size_t)h->dim[i] : 1;
    }
    if (fits && count * h->type.size == h->bytes) return WF_OK;
    return wf_fail(err, WF_EFORMAT,
                   "npy file holds %zu bytes of data, not shape %s of %zu bytes each", h->bytes,
                   wf_array_shape(shape, sizeof shape, h->ndim, h->dim), h->type.size);
}

enum wf_status wf_npy_parse(const void *bytes, size_t size, enum wf_elem elem, struct wf_array *out,
                            struct wf_error *err)
{
    struct head h;
    *out = (struct wf_array){ 0 };
    WF_TRY(take_head(&h, bytes, size, err));
    WF_TRY(check_length(&h, err));
    WF_TRY(wf_array_alloc(out, elem, h.ndim, h.dim, err));
    enum wf_status s = wf_numpy_convert(&h.type, h.data, h.fortran, out, err);
    if (s != WF_OK) wf_array_free(out);
    return s;
}

enum wf_status wf_npy_parse_names(const void *bytes, size_t size, struct wf_names *out,
                                  struct wf_error *err)
{
    struct head h;
    *out = (struct wf_names){ 0 };
    WF_TRY(take_head(&h, bytes, size, err));
    WF_TRY(check_length(&h, err));
    if (wf_numpy_is_number(&h.type) || h.ndim != 1)
        return wf_fail(err, WF_EFORMAT, "npy file of type %c and rank %d, expected a list of texts",
                       h.type.kind, h.ndim);
    WF_TRY(wf_names_alloc(out, h.dim[0], err));
    enum wf_status s = WF_OK;
    for (ptrdiff_t i = 0; i < out->count && s == WF_OK; i++)
        s = wf_numpy_text(&h.type, h.data + (size_t)i * h.type.size, out, i, err);
    if (s != WF_OK) wf_names_free(out);
    return s;
}

enum wf_status wf_npy_read(const char *path, enum wf_elem elem, struct wf_array *out,
                           struct wf_error *err)
{
    char *bytes;
    size_t size;
    *out = (struct wf_array){ 0 };
    WF_TRY(wf_file_read(path, &bytes, &size, err));
    enum wf_status s = wf_npy_parse(bytes, size, elem, out, err);
    wf_free(bytes);
    return wf_file_context(s, path, err);
}

enum wf_status wf_npy_read_names(const char *path, struct wf_names *out, struct wf_error *err)
{
    char *bytes;
    size_t size;
    *out = (struct wf_names){ 0 };
    WF_TRY(wf_file_read(path, &bytes, &size, err));
    enum wf_status s = wf_npy_parse_names(bytes, size, out, err);
    wf_free(bytes);
    return wf_file_context(s, path, err);
}

/* ---- .npz ---- */

struct wf_npz {
    zip_t *zip;
    char *path;
    size_t size; /* bytes of the archive */
    char *bytes; /* the archive, to be freed, when it was read from a path; else NULL */
};

static zip_t *open_image(const void *bytes, size_t size, zip_error_t *e)
{
    zip_source_t *src = zip_source_buffer_create(bytes, size, 0, e);
    zip_t *zip = src ? zip_open_from_source(src, ZIP_RDONLY, e) : NULL;
    if (src && !zip) zip_source_free(src);
    return zip;
}

static enum wf_status open_as(struct wf_npz **out, const char *path, const void *bytes, size_t size,
                              struct wf_error *err)
{
    struct wf_npz *z = wf_calloc(1, sizeof *z);
    zip_error_t e;
    *out = NULL;
    if (z) z->path = wf_strdup(path);
    if (!z || !z->path) {
        wf_free(z);
        return wf_fail(err, WF_ENOMEM, "%s: no memory to open it", path);
    }
    z->size = size;
    zip_error_init(&e);
    z->zip = open_image(bytes, size, &e);
    enum wf_status s = WF_OK;
    if (z->zip)
        *out = z;
    else
        s = wf_fail(err, WF_EFORMAT, "%s: not a sound zip archive (%s)", path,
                    zip_error_strerror(&e));
    zip_error_fini(&e);
    if (s != WF_OK) wf_npz_close(z);
    return s;
}

enum wf_status wf_npz_open_bytes(struct wf_npz **z, const void *bytes, size_t size,
                                 struct wf_error *err)
{
    return open_as(z, "memory", bytes, size, err);
}

enum wf_status wf_npz_open(struct wf_npz **z, const char *path, struct wf_error *err)
{
    char *bytes;
    size_t size;
    *z = NULL;
    WF_TRY(wf_file_read(path, &bytes, &size, err));
    enum wf_status s = open_as(z, path, bytes, size, err);
    if (s == WF_OK)
        (*z)->bytes = bytes;
    else
        wf_free(bytes);
    return s;
}

void wf_npz_close(struct wf_npz *z)
{
    if (!z) return;
    if (z->zip) zip_discard(z->zip);
    wf_free(z->bytes);
    wf_free(z->path);
    wf_free(z);
}

enum wf_status wf_npz_list(const struct wf_npz *z, struct wf_names *out, struct wf_error *err)
{
    zip_int64_t n = zip_get_num_entries(z->zip, 0);
    enum wf_status s = WF_OK;
    WF_TRY(wf_file_context(wf_names_alloc(out, (ptrdiff_t)n, err), z->path, err));
    for (zip_int64_t i = 0; i < n && s == WF_OK; i++) {
        const char *name = zip_get_name(z->zip, (zip_uint64_t)i, 0);
        size_t len = name ? strlen(name) : 0;
        if (len >= 4 && !strcmp(name + len - 4, ".npy")) len -= 4;
        s = wf_names_set(out, i, name ? name : "", len, err);
    }
    if (s != WF_OK) wf_names_free(out);
    return wf_file_context(s, z->path, err);
}

static enum wf_status inflate_member(const struct wf_npz *z, zip_uint64_t index, size_t size,
                                     char *out, struct wf_error *err)
{
    char beyond;
    zip_file_t *f = zip_fopen_index(z->zip, index, 0);
    if (!f) return wf_fail(err, WF_EFORMAT, "cannot be opened (%s)", zip_strerror(z->zip));
    /* The read past the end is what makes libzip compare the checksum. */
    bool whole = zip_fread(f, out, size) == (zip_int64_t)size && zip_fread(f, &beyond, 1) == 0;
    enum wf_status s = WF_OK;
    if (!whole) s = wf_fail(err, WF_EFORMAT, "damaged (%s)", zip_file_strerror(f));
    zip_fclose(f);
    return s;
}

static enum wf_status unpack(const struct wf_npz *z, const char *name, char **bytes, size_t *size,
                             struct wf_error *err)
{
    char full[512];
    zip_stat_t st;
    *bytes = NULL;
    snprintf(full, sizeof full, "%s.npy", name);
    if (zip_stat(z->zip, full, 0, &st) != 0 || !(st.valid & ZIP_STAT_SIZE) ||
        !(st.valid & ZIP_STAT_INDEX))
        return wf_fail(err, WF_EFORMAT, "no such array");
    if (st.size / MAX_EXPANSION > z->size)
        return wf_fail(err, WF_EFORMAT, "claims %llu bytes, more than the archive can hold",
                       (unsigned long long)st.size);
    *size = st.size;
    *bytes = wf_malloc(*size + 1);
    if (!*bytes) return wf_fail(err, WF_ENOMEM, "no memory for %zu bytes", *size);
    enum wf_status s = inflate_member(z, st.index, *size, *bytes, err);
    if (s != WF_OK) wf_free(*bytes);
    return s;
}

static enum wf_status in_member(enum wf_status s, const struct wf_npz *z, const char *name,
                                struct wf_error *err)
{
    if (s != WF_OK && err) wf_fail_in(err, "%s: '%.180s'", z->path, name);
    return s;
}

enum wf_status wf_npz_read(const struct wf_npz *z, const char *name, enum wf_elem elem,
                           struct wf_array *out, struct wf_error *err)
{
    char *bytes;
    size_t size;
    *out = (struct wf_array){ 0 };
    enum wf_status s = unpack(z, name, &bytes, &size, err);
    if (s == WF_OK) {
        s = wf_npy_parse(bytes, size, elem, out, err);
        wf_free(bytes);
    }
    return in_member(s, z, name, err);
}

enum wf_status wf_npz_read_names(const struct wf_npz *z, const char *name, struct wf_names *out,
                                 struct wf_error *err)
{
    char *bytes;
    size_t size;
    *out = (struct wf_names){ 0 };
    enum wf_status s = unpack(z, name, &bytes, &size, err);
    if (s == WF_OK) {
        s = wf_npy_parse_names(bytes, size, out, err);
        wf_free(bytes);
    }
    return in_member(s, z, name, err);
}
