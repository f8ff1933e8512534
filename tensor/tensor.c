#include "tensor/tensor.h"
#include <stdio.h>
#include <string.h>
#include "tensor/backend.h"

void wf_tensor_shape(struct wf_tensor *t, int ndim, const int *shape)
{
    WF_CHECK(ndim >= 0 && ndim <= WF_MAXDIM);
    ptrdiff_t stride = 1;
    t->ndim = ndim;
    for (int i = ndim - 1; i >= 0; i--) {
        t->shape[i] = shape[i];
        t->stride[i] = stride;
        stride *= shape[i];
    }
}

ptrdiff_t wf_tensor_count(const struct wf_tensor *t)
{
    ptrdiff_t n = 1;
    for (int i = 0; i < t->ndim; i++) n *= t->shape[i];
    return n;
}

bool wf_tensor_contiguous(const struct wf_tensor *t)
{
    ptrdiff_t stride = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != stride) return false;
        stride *= t->shape[i];
    }
    return true;
}

bool wf_tensor_same_shape(const struct wf_tensor *a, const struct wf_tensor *b)
{
    if (a->ndim != b->ndim) return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->shape[i] != b->shape[i]) return false;
    return true;
}

bool wf_grad_claim(struct wf_tensor *d)
{
    bool fresh = d && d->fresh;
    if (fresh) d->fresh = false;
    return !fresh;
}

const char *wf_tensor_shape_text(const struct wf_tensor *t, char text[WF_SHAPE_TEXT])
{
    int n = snprintf(text, WF_SHAPE_TEXT, "[");
    for (int i = 0; i < t->ndim; i++)
        n += snprintf(text + n, (size_t)(WF_SHAPE_TEXT - n), "%s%d", i ? ", " : "", t->shape[i]);
    snprintf(text + n, (size_t)(WF_SHAPE_TEXT - n), "]");
    return text;
}

static struct wf_tensor view_of(struct wf_tensor *x)
{
    struct wf_tensor v = *x;
    v.base = x;
    v.grad = NULL;
    return v;
}

struct wf_tensor wf_view_slice(struct wf_tensor *x, int axis, int from, int to)
{
    struct wf_tensor v = view_of(x);
    WF_CHECK(axis >= 0 && axis < x->ndim && from >= 0 && from <= to && to <= x->shape[axis]);
    v.data += from * x->stride[axis];
    v.shape[axis] = to - from;
    return v;
}

struct wf_tensor wf_view_select(struct wf_tensor *x, int axis, int i)
{
    struct wf_tensor v = wf_view_slice(x, axis, i, i + 1);
    for (int k = axis; k + 1 < x->ndim; k++) {
        v.shape[k] = v.shape[k + 1];
        v.stride[k] = v.stride[k + 1];
    }
    v.ndim--;
    return v;
}

struct wf_tensor wf_view_permute(struct wf_tensor *x, const int *axes)
{
    struct wf_tensor v = view_of(x);
    for (int i = 0; i < x->ndim; i++) {
        WF_CHECK(axes[i] >= 0 && axes[i] < x->ndim);
        v.shape[i] = x->shape[axes[i]];
        v.stride[i] = x->stride[axes[i]];
    }
    return v;
}

/* Axes of x (those of size 1 left out) and of the new shape are matched in the smallest groups of
 * equal size; inside a group the axes of x must lie evenly one in the other. */
bool wf_view_reshape(struct wf_tensor *view, struct wf_tensor *x, int ndim, const int *shape)
{
    struct wf_tensor v = view_of(x);
    ptrdiff_t size[WF_MAXDIM] = { 0 }, stride[WF_MAXDIM] = { 0 };
    int axes = 0;
    wf_tensor_shape(&v, ndim, shape);
    if (wf_tensor_count(&v) != wf_tensor_count(x)) return false;
    for (int i = 0; i < x->ndim; i++) {
        if (x->shape[i] == 1) continue;
        size[axes] = x->shape[i];
        stride[axes++] = x->stride[i];
    }
    int i = 0, k = 0;
    while (i < axes && k < ndim && wf_tensor_count(x) > 0) {
        int i1 = i + 1, k1 = k + 1;
        ptrdiff_t have = size[i], want = shape[k];
        while (have != want)
            if (have < want)
                have *= size[i1++];
            else
                want *= shape[k1++];
        for (int a = i; a + 1 < i1; a++)
            if (stride[a] != stride[a + 1] * size[a + 1]) return false;
        v.stride[k1 - 1] = stride[i1 - 1];
        for (int b = k1 - 1; b > k; b--) v.stride[b - 1] = v.stride[b] * shape[b];
        i = i1;
        k = k1;
    }
    *view = v;
    return true;
}

bool wf_view_broadcast(struct wf_tensor *view, const struct wf_tensor *x, int ndim,
                       const int *shape)
{
    struct wf_tensor v = *x;
    if (x->ndim > ndim || ndim > WF_MAXDIM) return false;
    v.ndim = ndim;
    for (int i = 0; i < ndim; i++) {
        int k = i - (ndim - x->ndim);
        int have = k >= 0 ? x->shape[k] : 1;
        if (have != shape[i] && have != 1) return false;
        v.shape[i] = shape[i];
        v.stride[i] = have == 1 ? 0 : x->stride[k];
    }
    *view = v;
    return true;
}

enum wf_status wf_tensor_alloc(struct wf_tensor *t, struct wf_backend *be, int ndim,
                               const int *shape, struct wf_error *err)
{
    *t = (struct wf_tensor){ .be = be };
    wf_tensor_shape(t, ndim, shape);
    size_t bytes = (size_t)wf_tensor_count(t) * sizeof(wf_real);
    t->data = be->alloc(be, bytes);
    if (t->data) return WF_OK;
    char text[WF_SHAPE_TEXT];
    return wf_fail(err, WF_ENOMEM, "no memory for a tensor %s of %zu bytes on %s",
                   wf_tensor_shape_text(t, text), bytes, be->name);
}

void wf_tensor_free(struct wf_tensor *t)
{
    if (t->data) t->be->free(t->be, t->data, (size_t)wf_tensor_count(t) * sizeof(wf_real));
    t->data = NULL;
}

enum wf_status wf_tensor_upload(struct wf_tensor *t, const wf_real *host)
{
    WF_CHECK(wf_tensor_contiguous(t));
    return t->be->upload(t->be, t->data, host, (size_t)wf_tensor_count(t) * sizeof *host);
}

enum wf_status wf_tensor_download(const struct wf_tensor *t, wf_real *host)
{
    WF_CHECK(wf_tensor_contiguous(t));
    return t->be->download(t->be, host, t->data, (size_t)wf_tensor_count(t) * sizeof *host);
}
