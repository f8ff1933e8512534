/* A comparison has a file of reference values, a tape and the parameters that the file names. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "tensor/alloc.h"
#include "tests/parity/parity.h"

static const enum wf_elem real_elem = sizeof(wf_real) == sizeof(float) ? WF_F32 : WF_F64;

const char *in_case(const struct run *r, char text[PATH_TEXT], const char *path)
{
    snprintf(text, PATH_TEXT, "%.200s%s%.300s", r->name, *path ? "/" : "", path);
    return text;
}

bool has(const struct run *r, const char *path)
{
    char full[PATH_TEXT];
    return wf_h5_kind(r->h5, in_case(r, full, path)) != WF_H5_NONE;
}

enum wf_status read_case(struct run *r, const char *path, enum wf_elem elem, struct wf_array *out)
{
    char full[PATH_TEXT];
    return wf_h5_read(r->h5, in_case(r, full, path), elem, out, &r->err);
}

enum wf_status read_real(struct run *r, const char *path, struct wf_array *out)
{
    return read_case(r, path, real_elem, out);
}

bool has_attr(const struct run *r, const char *object, const char *attr)
{
    char full[PATH_TEXT];
    return wf_h5_has_attr(r->h5, in_case(r, full, object), attr);
}

double number(struct run *r, const char *attr, double absent)
{
    double v = absent;
    if (!has_attr(r, "", attr) || text_is(r, attr, "None")) return absent;
    wf_h5_attr_double(r->h5, r->name, attr, &v, &r->err);
    return v;
}

int integer(struct run *r, const char *attr, int absent)
{
    return (int)number(r, attr, absent);
}

bool text_is(struct run *r, const char *attr, const char *text)
{
    char *t;
    if (wf_h5_attr_text(r->h5, r->name, attr, &t, NULL) != WF_OK) return false;
    bool same = strcmp(t, text) == 0;
    wf_free(t);
    return same;
}

enum wf_status tape_status(struct run *r)
{
    if (r->g.error.status == WF_OK) return WF_OK;
    return wf_fail(&r->err, r->g.error.status, "%s", r->g.error.message);
}

static enum wf_status fill_leaf(struct run *r, struct leaf *l, const char *path)
{
    char grad[PATH_TEXT];
    struct wf_array a;
    int shape[WF_MAXDIM];
    WF_TRY(read_real(r, path, &a));
    for (int i = 0; i < a.ndim && i < WF_MAXDIM; i++) shape[i] = (int)a.dim[i];
    enum wf_status s = wf_tensor_alloc(&l->value, r->g.be, a.ndim, shape, &r->err);
    if (!s) s = wf_tensor_upload(&l->value, a.data);
    wf_array_free(&a);
    snprintf(grad, sizeof grad, "grad_%s", path);
    if (s || !has(r, grad)) return s;
    WF_TRY(wf_tensor_alloc(&l->grad, r->g.be, l->value.ndim, shape, &r->err));
    l->value.needs_grad = true;
    l->value.grad = &l->grad;
    return WF_OK;
}

struct wf_tensor *leaf(struct run *r, const char *path)
{
    for (int i = 0; i < r->leaves; i++)
        if (strcmp(r->leaf[i].path, path) == 0) return &r->leaf[i].value;
    if (r->leaves == LEAVES) return wf_tape_fail(&r->g, WF_EINVAL, "more than %d leaves", LEAVES);
    struct leaf *l = &r->leaf[r->leaves++];
    snprintf(l->path, sizeof l->path, "%s", path);
    if (fill_leaf(r, l, path)) return wf_tape_fail(&r->g, r->err.status, "%s", r->err.message);
    return &l->value;
}

void output(struct run *r, const char *path, struct wf_tensor *value)
{
    if (r->outputs < OUTPUTS) r->output[r->outputs++] = (struct output){ path, value };
}

/* Returns room for one more comparison. */
static struct check *next_check(struct run *r, const char *where)
{
    if ((r->checks & (r->checks - 1)) == 0) {
        size_t room = r->checks ? 2 * (size_t)r->checks : 1;
        struct check *all = wf_realloc(r->check, room * sizeof *all);
        if (!all) return NULL;
        r->check = all;
    }
    struct check *c = &r->check[r->checks++];
    *c = (struct check){ .diff = 0 };
    snprintf(c->where, sizeof c->where, "%s", where);
    return c;
}

static void note(struct check *c, double got, double want)
{
    double diff = fabs(got - want), peak = fabs(want);
    if (!(diff <= c->diff)) c->diff = diff == diff ? diff : INFINITY;
    if (peak > c->peak) c->peak = peak;
}

enum wf_status compare(struct run *r, const char *where, const wf_real *got, const double *want,
                       ptrdiff_t n)
{
    struct check *c = next_check(r, where);
    if (!c) return wf_fail(&r->err, WF_ENOMEM, "no memory for a comparison");
    for (ptrdiff_t i = 0; i < n; i++) note(c, (double)got[i], want[i]);
    return WF_OK;
}

enum wf_status compare_number(struct run *r, const char *where, double got, double want)
{
    struct check *c = next_check(r, where);
    if (!c) return wf_fail(&r->err, WF_ENOMEM, "no memory for a comparison");
    note(c, got, want);
    return WF_OK;
}

static bool same_shape(const struct wf_array *a, const struct wf_tensor *t)
{
    if (a->ndim == 0) return wf_tensor_count(t) == 1; /* a loss is [] there, [1] here */
    bool same = a->ndim == t->ndim;
    for (int i = 0; i < a->ndim && same; i++) same = a->dim[i] == t->shape[i];
    return same;
}

enum wf_status compare_tensor(struct run *r, const char *path, const struct wf_tensor *got)
{
    struct wf_array want;
    char have[WF_SHAPE_TEXT], text[WF_SHAPE_TEXT];
    WF_TRY(read_case(r, path, WF_F64, &want));
    size_t n = (size_t)wf_tensor_count(got);
    wf_real *host = wf_malloc(n * sizeof *host);
    enum wf_status s = WF_OK;
    if (!host)
        s = wf_fail(&r->err, WF_ENOMEM, "no memory for %zu values", n);
    else if (!same_shape(&want, got))
        s = wf_fail(&r->err, WF_EINVAL, "%s is %s, computed %s", path,
                    wf_array_shape(text, sizeof text, want.ndim, want.dim),
                    wf_tensor_shape_text(got, have));
    else if (wf_tensor_download(got, host))
        s = wf_fail(&r->err, WF_EDEVICE, "cannot download %s", path);
    else
        s = compare(r, path, host, want.f64, want.count);
    wf_free(host);
    wf_array_free(&want);
    return s;
}

/* Both tensors have n elements; host has room for twice as many. */
static enum wf_status compare_pair(struct run *r, const char *where, const struct wf_tensor *got,
                                   const struct wf_tensor *want, wf_real *host, ptrdiff_t n)
{
    enum wf_status s = wf_tensor_download(got, host);
    if (s == WF_OK) s = wf_tensor_download(want, host + n);
    if (s != WF_OK) return wf_fail(&r->err, s, "cannot download %s", where);
    struct check *c = next_check(r, where);
    if (!c) return wf_fail(&r->err, WF_ENOMEM, "no memory for a comparison");
    for (ptrdiff_t k = 0; k < n; k++) note(c, (double)host[k], (double)host[n + k]);
    return WF_OK;
}

enum wf_status compare_params(struct run *r, const char *group, const struct wf_params *got,
                              bool grad, const struct wf_params *want)
{
    char where[PATH_TEXT];
    enum wf_status s = WF_OK;
    for (int i = 0; i < got->count && !s; i++) {
        const struct wf_param *p = got->param[i], *q = wf_params_find(want, p->name);
        ptrdiff_t n = wf_tensor_count(&p->value);
        if (grad && p->state) continue;
        snprintf(where, sizeof where, "%s/%s", group, p->name);
        if (!q) return wf_fail(&r->err, WF_EINVAL, "%s: nothing to compare with", where);
        wf_real *host = wf_malloc(2 * (size_t)n * sizeof *host);
        if (!host) return wf_fail(&r->err, WF_ENOMEM, "no memory for %td values", n);
        s = compare_pair(r, where, grad ? &p->grad : &p->value, &q->value, host, n);
        wf_free(host);
    }
    return s;
}
