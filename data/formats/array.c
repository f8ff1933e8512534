#include "data/formats/array.h"
#include <stdio.h>
#include <string.h>
#include "tensor/alloc.h"

size_t wf_elem_size(enum wf_elem elem)
{
    return elem == WF_F32 ? sizeof(float) : 8;
}

enum wf_status wf_array_alloc(struct wf_array *a, enum wf_elem elem, int ndim, const ptrdiff_t *dim,
                              struct wf_error *err)
{
    size_t size = wf_elem_size(elem);
    struct wf_array made = { .elem = elem, .ndim = ndim, .count = 1 };
    *a = (struct wf_array){ 0 };
    if (ndim < 0 || ndim > WF_ARRAY_MAXDIM)
        return wf_fail(err, WF_EINVAL, "rank %d, expected 0 to %d", ndim, WF_ARRAY_MAXDIM);
    for (int i = 0; i < ndim; i++) {
        if (dim[i] < 0 || (dim[i] > 0 && made.count > PTRDIFF_MAX / (ptrdiff_t)size / dim[i]))
            return wf_fail(err, WF_EINVAL, "dimension %d of %td makes an impossible size", i,
                           dim[i]);
        made.dim[i] = dim[i];
        made.count *= dim[i];
    }
    made.data = wf_calloc((size_t)made.count, size);
    if (!made.data)
        return wf_fail(err, WF_ENOMEM, "no memory for %td numbers of %zu bytes", made.count, size);
    *a = made;
    return WF_OK;
}

void wf_array_free(struct wf_array *a)
{
    wf_free(a->data);
    *a = (struct wf_array){ 0 };
}

const char *wf_array_shape(char *text, size_t size, int ndim, const ptrdiff_t *dim)
{
    size_t used = 0;
    for (int i = 0; i < ndim && used < size; i++) {
        int n = snprintf(text + used, size - used, "%s%td", i ? ", " : "[", dim[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < size) snprintf(text + used, size - used, ndim > 0 ? "]" : "[]");
    return text;
}

enum wf_status wf_names_alloc(struct wf_names *n, ptrdiff_t count, struct wf_error *err)
{
    *n = (struct wf_names){ 0 };
    n->name = wf_calloc((size_t)count, sizeof *n->name);
    if (!n->name) return wf_fail(err, WF_ENOMEM, "no memory for %td names", count);
    n->count = count;
    return WF_OK;
}

enum wf_status wf_names_set(struct wf_names *n, ptrdiff_t i, const char *text, size_t len,
                            struct wf_error *err)
{
    char *copy = wf_malloc(len + 1);
    if (!copy) return wf_fail(err, WF_ENOMEM, "no memory for a name of %zu bytes", len);
    memcpy(copy, text, len);
    copy[len] = 0;
    wf_free(n->name[i]);
    n->name[i] = copy;
    return WF_OK;
}

void wf_names_free(struct wf_names *n)
{
    for (ptrdiff_t i = 0; i < n->count; i++) wf_free(n->name[i]);
    wf_free(n->name);
    *n = (struct wf_names){ 0 };
}
