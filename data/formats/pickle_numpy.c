/* pickle_numpy.c - what the calls in a pickle mean: arrays, scalars and types of numpy, and
 * bytes. */
#include <string.h>
#include "data/formats/pickle_vm_private.h"
#include "tensor/alloc.h"

/* The names that a pickle may call, each with the modules in which it has lived. */
enum known { RECONSTRUCT, SCALAR, NDARRAY, DTYPE, ENCODE, BYTES };

static const struct {
    const char *module, *name;
    enum known meaning;
} known_globals[] = {
    { "numpy.core.multiarray", "_reconstruct", RECONSTRUCT },
    { "numpy._core.multiarray", "_reconstruct", RECONSTRUCT },
    { "numpy.core.multiarray", "scalar", SCALAR },
    { "numpy._core.multiarray", "scalar", SCALAR },
    { "numpy", "ndarray", NDARRAY },
    { "numpy", "dtype", DTYPE },
    { "_codecs", "encode", ENCODE },
    { "__builtin__", "bytes", BYTES },
    { "builtins", "bytes", BYTES },
};

static bool same(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && (len == 0 || memcmp(text, word, len) == 0);
}

/* Makes a name from a file that may be hostile fit to be shown: short and in plain ASCII. */
static const char *shown(char out[61], const char *text, size_t len)
{
    size_t n = len < 60 ? len : 60;
    for (size_t i = 0; i < n; i++) out[i] = text[i] > ' ' && text[i] < 127 ? text[i] : '?';
    out[n] = 0;
    return out;
}

enum wf_status wf_pk_global(struct wf_pickle *p, const char *module, size_t module_len,
                            const char *name, size_t name_len, int32_t *index)
{
    char m[61], n[61];
    for (size_t i = 0; i < sizeof known_globals / sizeof *known_globals; i++)
        if (same(module, module_len, known_globals[i].module) &&
            same(name, name_len, known_globals[i].name)) {
            WF_TRY(wf_pk_new(p, WF_PK_GLOBAL, index));
            p->value[*index].integer = known_globals[i].meaning;
            return WF_OK;
        }
    return wf_fail(p->err, WF_EFORMAT,
                   "pickle: refuses %s.%s; only plain Python values and numpy arrays are read",
                   shown(m, module, module_len), shown(n, name, name_len));
}

/* Returns the i-th argument if it is of that kind; else NULL. */
static const struct wf_pk_value *arg(const struct wf_pickle *p, int32_t tuple, int32_t i,
                                     enum wf_pk_kind kind)
{
    const struct wf_pk_value *t = &p->value[tuple];
    if (t->kind != WF_PK_TUPLE || i >= t->count) return NULL;
    const struct wf_pk_value *v = &p->value[t->item[i]];
    return v->kind == kind ? v : NULL;
}

static enum wf_status new_dtype(struct wf_pickle *p, int32_t args, int32_t *result)
{
    char text[61];
    struct wf_numpy_type type;
    const struct wf_pk_value *code = arg(p, args, 0, WF_PK_TEXT);
    if (!code) return wf_pk_bad(p, "numpy type without a name");
    if (!wf_numpy_type_parse(&type, code->text, code->len) || !wf_numpy_is_number(&type))
        return wf_fail(p->err, WF_EFORMAT, "pickle: numpy type '%s', expected numbers",
                       shown(text, code->text, code->len));
    WF_TRY(wf_pk_new(p, WF_PK_DTYPE, result));
    p->value[*result].type = type;
    return WF_OK;
}

static enum wf_status new_scalar(struct wf_pickle *p, int32_t args, int32_t *result)
{
    const struct wf_pk_value *type = arg(p, args, 0, WF_PK_DTYPE);
    const struct wf_pk_value *raw = arg(p, args, 1, WF_PK_TEXT);
    if (!type || !raw || raw->len != type->type.size) return wf_pk_bad(p, "bad numpy scalar");
    struct wf_numpy_type t = type->type;
    int64_t number = 0;
    struct wf_array one = { .elem = WF_I64, .count = 1, .i64 = &number };
    const unsigned char *item = (const unsigned char *)raw->text;
    double real = wf_numpy_double(&t, item);
    if (t.kind != 'f') WF_TRY(wf_numpy_convert(&t, item, false, &one, p->err));
    WF_TRY(wf_pk_new(p, t.kind == 'f' ? WF_PK_FLOAT : WF_PK_INT, result));
    if (t.kind == 'f')
        p->value[*result].real = real;
    else
        p->value[*result].integer = number;
    return WF_OK;
}

/* Python 3 writes bytes in protocol 2 as a text of Latin-1 characters, which is UTF-8 here. */
static enum wf_status encode(struct wf_pickle *p, int32_t args, int32_t *result)
{
    const struct wf_pk_value *text = arg(p, args, 0, WF_PK_TEXT);
    const struct wf_pk_value *codec = arg(p, args, 1, WF_PK_TEXT);
    if (!text || !codec ||
        !(same(codec->text, codec->len, "latin1") || same(codec->text, codec->len, "latin-1")))
        return wf_pk_bad(p, "bytes in an encoding other than latin1");
    const unsigned char *from = (const unsigned char *)text->text;
    size_t len = text->len, n = 0;
    char *to = wf_malloc(len);
    if (!to) return wf_fail(p->err, WF_ENOMEM, "pickle: no memory for %zu bytes", len);
    bool sound = true;
    for (size_t i = 0; i < len && sound; i++) {
        unsigned c = from[i];
        if (c >= 0x80) {
            sound = (c == 0xc2 || c == 0xc3) && i + 1 < len && (from[i + 1] & 0xc0) == 0x80;
            if (sound) c = (c & 3) << 6 | (from[++i] & 0x3f);
        }
        to[n++] = (char)c;
    }
    enum wf_status s =
        sound ? wf_pk_new(p, WF_PK_TEXT, result) : wf_pk_bad(p, "text is not latin1");
    if (s != WF_OK) {
        wf_free(to);
        return s;
    }
    struct wf_pk_value *v = &p->value[*result];
    v->text = to;
    v->len = n;
    v->owned = true;
    return WF_OK;
}

enum wf_status wf_pk_reduce(struct wf_pickle *p, int32_t callee, int32_t args, int32_t *result)
{
    if (p->value[callee].kind != WF_PK_GLOBAL) return wf_pk_bad(p, "calls what is no function");
    switch (p->value[callee].integer) {
    case RECONSTRUCT: {
        const struct wf_pk_value *what = arg(p, args, 0, WF_PK_GLOBAL);
        if (!what || what->integer != NDARRAY) return wf_pk_bad(p, "array of an unknown class");
        return wf_pk_new(p, WF_PK_ARRAY, result);
    }
    case DTYPE:
        return new_dtype(p, args, result);
    case SCALAR:
        return new_scalar(p, args, result);
    case ENCODE:
        return encode(p, args, result);
    case BYTES:
        if (p->value[args].kind != WF_PK_TUPLE || p->value[args].count)
            return wf_pk_bad(p, "bytes() of something");
        return wf_pk_new(p, WF_PK_TEXT, result);
    default:
        return wf_pk_bad(p, "calls what is no function");
    }
}

/* The state is (version, shape, dtype, fortran, data). */
static enum wf_status build_array(struct wf_pickle *p, int32_t object, int32_t state)
{
    const struct wf_pk_value *shape = arg(p, state, 1, WF_PK_TUPLE);
    const struct wf_pk_value *type = arg(p, state, 2, WF_PK_DTYPE);
    const struct wf_pk_value *order = arg(p, state, 3, WF_PK_BOOL);
    if (!order) order = arg(p, state, 3, WF_PK_INT);
    if (!shape || !type || !order || !arg(p, state, 4, WF_PK_TEXT) || p->value[object].count)
        return wf_pk_bad(p, "bad numpy array");
    p->value[object].type = type->type;
    p->value[object].fortran = order->integer != 0;
    WF_TRY(wf_pk_add(p, object, p->value[state].item[1]));
    return wf_pk_add(p, object, p->value[state].item[4]);
}

/* The state is (version, byte order, ..). */
static enum wf_status build_dtype(struct wf_pickle *p, int32_t object, int32_t state)
{
    const struct wf_pk_value *order = arg(p, state, 1, WF_PK_TEXT);
    if (!order || order->len != 1 || !memchr("<>|=", order->text[0], 4))
        return wf_pk_bad(p, "numpy type of unknown byte order");
    p->value[object].type.big = order->text[0] == '>';
    return WF_OK;
}

enum wf_status wf_pk_build(struct wf_pickle *p, int32_t object, int32_t state)
{
    switch (p->value[object].kind) {
    case WF_PK_ARRAY:
        return build_array(p, object, state);
    case WF_PK_DTYPE:
        return build_dtype(p, object, state);
    default:
        return wf_pk_bad(p, "sets the state of what is no array");
    }
}
