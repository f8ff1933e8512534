#include "nn/params.h"
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "tensor/alloc.h"
#include "tensor/rng.h"

enum { LINE = 64 / sizeof(wf_real) }; /* a parameter starts on a line of 64 bytes */

void wf_params_init(struct wf_params *ps, struct wf_backend *be)
{
    *ps = (struct wf_params){ .be = be, .poison = { .be = be, .ndim = 1 } };
}

static void free_blocks(struct wf_params *ps)
{
    wf_tensor_free(&ps->value);
    wf_tensor_free(&ps->grad);
    wf_tensor_free(&ps->state);
}

void wf_params_free(struct wf_params *ps)
{
    for (int i = 0; i < ps->count; i++) {
        wf_free(ps->param[i]->name);
        wf_free(ps->param[i]);
    }
    wf_free(ps->param);
    free_blocks(ps);
    wf_params_init(ps, ps->be);
}

struct wf_param *wf_params_find(const struct wf_params *ps, const char *name)
{
    for (int i = 0; i < ps->count; i++)
        if (strcmp(ps->param[i]->name, name) == 0) return ps->param[i];
    return NULL;
}

/* A name becomes the name of a dataset in an HDF5 file, where '/' would split it and "." and ".."
 * have a meaning. A path that wf_params_path() had to cut is just as long as the shortest name that
 * is refused as too long. */
static enum wf_status check_name(const struct wf_params *ps, const char *name, struct wf_error *err)
{
    size_t n = strlen(name);
    if (n == 0 || name[0] == '.')
        return wf_fail(err, WF_EINVAL, "parameter name '%s' is empty or begins with a dot", name);
    if (n >= WF_NAME_TEXT - 1)
        return wf_fail(err, WF_EINVAL, "parameter name '%.40s...' is longer than %d characters",
                       name, WF_NAME_TEXT - 2);
    for (size_t i = 0; i < n; i++)
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '/')
            return wf_fail(err, WF_EINVAL,
                           "parameter name '%s': character %zu is a blank, a '/' or not ASCII",
                           name, i + 1);
    if (wf_params_find(ps, name))
        return wf_fail(err, WF_EINVAL, "parameter '%s' is declared twice", name);
    return WF_OK;
}

static enum wf_status check_shape(const char *name, int ndim, const int *shape,
                                  struct wf_error *err)
{
    if (ndim < 0 || ndim > WF_MAXDIM)
        return wf_fail(err, WF_EINVAL, "parameter '%s' has %d axes, expected 0 to %d", name, ndim,
                       WF_MAXDIM);
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) {
        if (shape[i] < 1)
            return wf_fail(err, WF_EINVAL,
                           "parameter '%s': axis %d has size %d, expected 1 or more", name, i,
                           shape[i]);
        count *= shape[i];
        if (count > INT_MAX - LINE)
            return wf_fail(err, WF_EINVAL, "parameter '%s' has more than 2^31 elements", name);
    }
    return WF_OK;
}

static enum wf_status check_init(const char *name, const struct wf_init *init, struct wf_error *err)
{
    if (init->kind < WF_INIT_CONSTANT || init->kind > WF_INIT_NORMAL)
        return wf_fail(err, WF_EINVAL, "parameter '%s': unknown initialiser %d", name,
                       (int)init->kind);
    if (!isfinite(init->gain))
        return wf_fail(err, WF_EINVAL, "parameter '%s': gain %g of its initialiser is not finite",
                       name, init->gain);
    if (init->fan_in < 0 || init->fan_out < 0)
        return wf_fail(err, WF_EINVAL, "parameter '%s': fans %d and %d, expected 0 or more", name,
                       init->fan_in, init->fan_out);
    return WF_OK;
}

static enum wf_status append(struct wf_params *ps, const char *name, struct wf_param p)
{
    if (ps->count == ps->capacity) {
        int capacity = ps->capacity ? 2 * ps->capacity : 16;
        struct wf_param **list = wf_realloc(ps->param, (size_t)capacity * sizeof *list);
        if (!list) return wf_fail(&ps->error, WF_ENOMEM, "no memory for parameter '%s'", name);
        ps->param = list;
        ps->capacity = capacity;
    }
    struct wf_param *slot = wf_malloc(sizeof *slot);
    p.name = wf_strdup(name);
    if (!slot || !p.name) {
        wf_free(slot);
        wf_free(p.name);
        return wf_fail(&ps->error, WF_ENOMEM, "no memory for parameter '%s'", name);
    }
    *slot = p;
    if (!p.state) slot->value.grad = &slot->grad;
    ps->param[ps->count++] = slot;
    return WF_OK;
}

static enum wf_status declare(struct wf_params *ps, const char *name, int ndim, const int *shape,
                              struct wf_param p)
{
    WF_TRY(ps->error.status);
    if (ps->value.data)
        return wf_fail(&ps->error, WF_EINVAL, "parameter '%s' is declared after the commit", name);
    WF_TRY(check_name(ps, name, &ps->error));
    WF_TRY(check_shape(name, ndim, shape, &ps->error));
    WF_TRY(check_init(name, &p.init, &ps->error));
    p.value = (struct wf_tensor){ .be = ps->be, .needs_grad = !p.state };
    wf_tensor_shape(&p.value, ndim, shape);
    if (!p.state) {
        p.grad = (struct wf_tensor){ .be = ps->be };
        wf_tensor_shape(&p.grad, ndim, shape);
    }
    return append(ps, name, p);
}

struct wf_tensor *wf_params_add(struct wf_params *ps, const char *name, int ndim, const int *shape,
                                struct wf_init init)
{
    if (declare(ps, name, ndim, shape, (struct wf_param){ .init = init })) return &ps->poison;
    return &ps->param[ps->count - 1]->value;
}

struct wf_tensor *wf_params_add_state(struct wf_params *ps, const char *name, int ndim,
                                      const int *shape, double value)
{
    struct wf_param p = { .init = { .kind = WF_INIT_CONSTANT, .gain = value }, .state = true };
    if (declare(ps, name, ndim, shape, p)) return &ps->poison;
    return &ps->param[ps->count - 1]->value;
}

void wf_params_refuse(struct wf_params *ps, const char *fmt, ...)
{
    va_list ap;
    if (ps->error.status) return;
    ps->error.status = WF_EINVAL;
    va_start(ap, fmt);
    vsnprintf(ps->error.message, sizeof ps->error.message, fmt, ap);
    va_end(ap);
}

/* The scale of the initial values: half the width of a uniform distribution, the standard deviation
 * of a normal one, or the constant itself. */
static double spread(const struct wf_init *init, const struct wf_tensor *t)
{
    double in = init->fan_in ? init->fan_in : t->ndim ? t->shape[0] : 1;
    double out = init->fan_out ? init->fan_out : t->ndim ? t->shape[t->ndim - 1] : 1;
    switch (init->kind) {
    case WF_INIT_XAVIER_UNIFORM:
        return init->gain * sqrt(6 / (in + out));
    case WF_INIT_XAVIER_NORMAL:
        return init->gain * sqrt(2 / (in + out));
    case WF_INIT_KAIMING_UNIFORM:
        return init->gain * sqrt(3 / in);
    case WF_INIT_CONSTANT:
    case WF_INIT_UNIFORM:
    case WF_INIT_NORMAL:
        break;
    }
    return init->gain;
}

static void fill_initial(wf_real *y, const struct wf_param *p, uint64_t seed)
{
    struct wf_rng rng = { .seed = seed, .stream = wf_rng_stream(p->name) };
    ptrdiff_t n = wf_tensor_count(&p->value);
    double a = spread(&p->init, &p->value);
    bool normal = p->init.kind == WF_INIT_NORMAL || p->init.kind == WF_INIT_XAVIER_NORMAL;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (p->init.kind == WF_INIT_CONSTANT)
            y[i] = (wf_real)a;
        else
            y[i] = (wf_real)(a * (normal ? wf_rng_normal(&rng) : 2 * wf_rng_uniform(&rng) - 1));
    }
}

/* Elements from the start of parameter p to the start of the next one. */
static ptrdiff_t padded(const struct wf_param *p)
{
    return (wf_tensor_count(&p->value) + LINE - 1) / LINE * LINE;
}

/* A block is never empty, so that block->data tells whether the parameters are committed. */
static enum wf_status alloc_block(struct wf_params *ps, struct wf_tensor *block, bool state,
                                  struct wf_error *err)
{
    ptrdiff_t n = 0;
    for (int i = 0; i < ps->count; i++) {
        if (ps->param[i]->state != state) continue;
        n += padded(ps->param[i]);
        if (n > INT_MAX)
            return wf_fail(err, WF_EINVAL, "more than 2^31 elements up to parameter '%s'",
                           ps->param[i]->name);
    }
    return wf_tensor_alloc(block, ps->be, 1, wf_dims(n ? (int)n : LINE), err);
}

/* Fills a block with initial values, made in host memory; the padding is 0. */
static enum wf_status upload_block(struct wf_params *ps, struct wf_tensor *block, bool state,
                                   uint64_t seed, struct wf_error *err)
{
    wf_real *host = wf_calloc((size_t)wf_tensor_count(block), sizeof *host);
    if (!host)
        return wf_fail(err, WF_ENOMEM, "no memory for the initial values of %td parameters",
                       wf_tensor_count(block));
    ptrdiff_t at = 0;
    for (int i = 0; i < ps->count; i++) {
        if (ps->param[i]->state != state) continue;
        fill_initial(host + at, ps->param[i], seed);
        at += padded(ps->param[i]);
    }
    enum wf_status s = wf_tensor_upload(block, host);
    wf_free(host);
    return s ? wf_fail(err, s, "cannot upload the initial values of the parameters to %s",
                       ps->be->name)
             : WF_OK;
}

static enum wf_status make_blocks(struct wf_params *ps, uint64_t seed, struct wf_error *err)
{
    WF_TRY(alloc_block(ps, &ps->value, false, err));
    WF_TRY(alloc_block(ps, &ps->grad, false, err));
    WF_TRY(alloc_block(ps, &ps->state, true, err));
    WF_TRY(upload_block(ps, &ps->value, false, seed, err));
    return upload_block(ps, &ps->state, true, seed, err);
}

enum wf_status wf_params_commit(struct wf_params *ps, uint64_t seed, struct wf_error *err)
{
    if (ps->error.status) return wf_fail(err, ps->error.status, "%s", ps->error.message);
    if (ps->value.data) return wf_fail(err, WF_EINVAL, "parameters are committed twice");
    enum wf_status s = make_blocks(ps, seed, err);
    if (s) {
        free_blocks(ps);
        return s;
    }
    ptrdiff_t at = 0, at_state = 0;
    for (int i = 0; i < ps->count; i++) {
        struct wf_param *p = ps->param[i];
        if (p->state) {
            p->value.data = ps->state.data + at_state;
            at_state += padded(p);
        } else {
            p->value.data = ps->value.data + at;
            p->grad.data = ps->grad.data + at;
            at += padded(p);
        }
    }
    return WF_OK;
}

ptrdiff_t wf_params_offset(const struct wf_params *ps, const struct wf_param *p)
{
    return p->value.data - (p->state ? ps->state.data : ps->value.data);
}

ptrdiff_t wf_params_size(const struct wf_params *ps)
{
    ptrdiff_t n = 0;
    for (int i = 0; i < ps->count; i++)
        if (!ps->param[i]->state) n += wf_tensor_count(&ps->param[i]->value);
    return n;
}

enum wf_status wf_params_zero_grad(struct wf_params *ps)
{
    return wfk_fill(ps->be, &ps->grad, 0);
}

const char *wf_params_path(char text[WF_NAME_TEXT], const char *prefix, const char *name)
{
    bool root = !prefix || !*prefix;
    snprintf(text, WF_NAME_TEXT, "%s%s%s", root ? "" : prefix, root ? "" : ".", name);
    return text;
}
