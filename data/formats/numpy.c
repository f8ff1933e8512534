/* numpy.c - numpy's element types and the conversion of its raw data. */
#include "data/formats/numpy_private.h"
#include <math.h>
#include <string.h>
#include "tensor/alloc.h"

static bool size_fits(char kind, size_t n)
{
    switch (kind) {
    case 'f':
        return n == 2 || n == 4 || n == 8;
    case 'i':
    case 'u':
        return n == 1 || n == 2 || n == 4 || n == 8;
    case 'b':
        return n == 1;
    case 'U':
        return n <= 1 << 20;
    case 'S':
        return n <= 1 << 22;
    default:
        return false;
    }
}

bool wf_numpy_type_parse(struct wf_numpy_type *t, const char *text, size_t len)
{
    size_t at = 0, n = 0;
    *t = (struct wf_numpy_type){ 0 };
    if (len > 0 && memchr("<>|=", text[0], 4)) at = 1;
    t->big = at && text[0] == '>';
    if (at == len) return false;
    t->kind = text[at++];
    if (at == len || len - at > 7) return false;
    for (; at < len; at++) {
        if (text[at] < '0' || text[at] > '9') return false;
        n = n * 10 + (size_t)(text[at] - '0');
    }
    if (!size_fits(t->kind, n)) return false;
    t->size = t->kind == 'U' ? 4 * n : n;
    return true;
}

bool wf_numpy_is_number(const struct wf_numpy_type *t)
{
    return t->kind != 'U' && t->kind != 'S';
}

static uint64_t bits_of(const unsigned char *p, size_t n, bool big)
{
    uint64_t v = 0;
    for (size_t k = 0; k < n; k++) v |= (uint64_t)p[big ? n - 1 - k : k] << (8 * k);
    return v;
}

/* Returns the value of an IEEE half. */
static double half(unsigned bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double m = exponent == 0    ? ldexp(fraction, -24)
               : exponent == 31 ? (fraction ? NAN : INFINITY)
                                : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 & 1 ? -m : m;
}

static int64_t signed_of(uint64_t bits, size_t n)
{
    uint64_t top = UINT64_C(1) << (8 * n - 1);
    /* This extends the sign without shifting a negative number. */
    return (int64_t)((bits ^ top) - top);
}

double wf_numpy_double(const struct wf_numpy_type *t, const unsigned char *item)
{
    uint64_t bits = bits_of(item, t->size, t->big);
    if (t->kind == 'i') return (double)signed_of(bits, t->size);
    if (t->kind != 'f') return (double)bits;
    if (t->size == 2) return half((unsigned)bits);
    if (t->size == 4) {
        uint32_t low = (uint32_t)bits;
        float f;
        memcpy(&f, &low, sizeof f);
        return (double)f;
    }
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static enum wf_status store(struct wf_array *a, ptrdiff_t i, const struct wf_numpy_type *t,
                            const unsigned char *item, struct wf_error *err)
{
    if (a->elem == WF_I64) {
        uint64_t bits = bits_of(item, t->size, t->big);
        if (t->kind != 'i' && bits > INT64_MAX)
            return wf_fail(err, WF_EFORMAT, "element %td is beyond a signed 64-bit integer", i);
        a->i64[i] = t->kind == 'i' ? signed_of(bits, t->size) : (int64_t)bits;
    } else if (a->elem == WF_F64) {
        a->f64[i] = wf_numpy_double(t, item);
    } else {
        a->f32[i] = (float)wf_numpy_double(t, item);
    }
    return WF_OK;
}

enum wf_status wf_numpy_convert(const struct wf_numpy_type *t, const unsigned char *raw,
                                bool fortran, struct wf_array *a, struct wf_error *err)
{
    ptrdiff_t stride[WF_ARRAY_MAXDIM] = { 0 }, index[WF_ARRAY_MAXDIM] = { 0 }, at = 0, step = 1;
    if (!wf_numpy_is_number(t)) return wf_fail(err, WF_EFORMAT, "holds text, expected numbers");
    if (a->elem == WF_I64 && t->kind == 'f')
        return wf_fail(err, WF_EFORMAT, "holds floats, expected integers");
    if (a->count == 0) return WF_OK;
    for (int k = 0; k < a->ndim; k++) {
        int d = fortran ? k : a->ndim - 1 - k;
        stride[d] = step;
        step *= a->dim[d];
    }
    for (ptrdiff_t i = 0; i < a->count; i++) {
        WF_TRY(store(a, i, t, raw + at * (ptrdiff_t)t->size, err));
        for (int d = a->ndim - 1; d >= 0; d--) {
            at += stride[d];
            if (++index[d] < a->dim[d]) break;
            at -= stride[d] * a->dim[d];
            index[d] = 0;
        }
    }
    return WF_OK;
}

size_t wf_utf8(char *p, uint32_t c)
{
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) c = 0xfffd;
    if (c < 0x80) {
        p[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t k = n - 1; k > 0; k--, c >>= 6) p[k] = (char)(0x80 | (c & 0x3f));
    p[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

enum wf_status wf_numpy_text(const struct wf_numpy_type *t, const unsigned char *item,
                             struct wf_names *n, ptrdiff_t i, struct wf_error *err)
{
    if (t->kind == 'S')
        return wf_names_set(n, i, (const char *)item, strnlen((const char *)item, t->size), err);
    char *text = wf_malloc(t->size + 1);
    size_t len = 0;
    if (!text) return wf_fail(err, WF_ENOMEM, "no memory for a text of %zu bytes", t->size);
    for (size_t k = 0; k + 4 <= t->size; k += 4) {
        uint32_t c = (uint32_t)bits_of(item + k, 4, t->big);
        if (c == 0) break;
        len += wf_utf8(text + len, c);
    }
    enum wf_status s = wf_names_set(n, i, text, len, err);
    wf_free(text);
    return s;
}
