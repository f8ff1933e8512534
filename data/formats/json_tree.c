#include "data/formats/json_tree.h"
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_parse.h>
#include "data/file.h"
#include "tensor/alloc.h"

enum {
    DEPTH = 64,       /* most lists and objects inside each other */
    DIGITS = 512,     /* characters of a number, its NUL included */
    CHUNK = 1 << 14,  /* bytes of text that are read at a time */
    BLOCK = 1 << 16,  /* bytes of a block of memory */
    SILENCE = 1 << 24 /* most bytes of text without the end of a value */
};

/* ---- memory of a tree: blocks that are filled from the front ---- */

struct wf_json_block {
    struct wf_json_block *next;
    size_t used, size;
    double data[]; /* aligned for all that a tree holds */
};

static struct wf_json_block *new_block(size_t size)
{
    struct wf_json_block *b = wf_malloc(sizeof *b + size);
    if (b) *b = (struct wf_json_block){ .size = size };
    return b;
}

/* Takes bytes from the tree's blocks; NULL: out of memory. What is large gets a block of its own,
 * behind the one that is being filled. */
static void *take(struct wf_json_tree *t, size_t bytes)
{
    struct wf_json_block *b = t->blocks;
    bytes = (bytes + 7) / 8 * 8;
    if (!b || b->size - b->used < bytes) {
        bool large = b && bytes > BLOCK / 4;
        struct wf_json_block *made = new_block(large || bytes > BLOCK ? bytes : BLOCK);
        if (!made) return NULL;
        made->next = large ? b->next : b;
        *(large ? &b->next : &t->blocks) = made;
        b = made;
    }
    void *p = (char *)b->data + b->used;
    b->used += bytes;
    return p;
}

void wf_json_tree_free(struct wf_json_tree *t)
{
    for (struct wf_json_block *b = t->blocks, *next; b; b = next) {
        next = b->next;
        wf_free(b);
    }
    *t = (struct wf_json_tree){ 0 };
}

/* ---- the tree while it grows ---- */

/* A list or object whose end has not come. */
struct open {
    struct wf_json v;
    size_t first; /* where its values begin in builder.value */
    bool numbers; /* so far it is a list of numbers, which are in builder.number */
};

struct builder {
    struct wf_json_tree *t;
    struct wf_error *err;
    enum wf_status status;
    yajl_handle h;
    size_t before;   /* bytes of earlier chunks */
    size_t good;     /* bytes to the end of the last event */
    const char *key; /* key of the value that comes next */
    int depth;
    struct open open[DEPTH];
    struct wf_json *value; /* values of all that are open, one after the other */
    size_t values, value_room;
    double *number; /* numbers of the innermost list */
    size_t numbers, number_room;
};

static int stop(struct builder *b, enum wf_status s)
{
    b->status = s;
    return 0;
}

static int no_memory(struct builder *b)
{
    return stop(b, wf_fail(b->err, WF_ENOMEM, "no memory for the values"));
}

/* Makes room for one more of `size` bytes in a vector that doubles. */
static bool grow(void **data, size_t *room, size_t used, size_t size)
{
    if (used < *room) return true;
    size_t more = *room ? 2 * *room : 64;
    void *p = wf_realloc(*data, more * size);
    if (!p) return false;
    *data = p;
    *room = more;
    return true;
}

static int push_value(struct builder *b, struct wf_json v)
{
    void *data = b->value;
    if (!grow(&data, &b->value_room, b->values, sizeof v)) return no_memory(b);
    b->value = data;
    b->value[b->values++] = v;
    return 1;
}

static int push_number(struct builder *b, double x)
{
    void *data = b->number;
    if (!grow(&data, &b->number_room, b->numbers, sizeof x)) return no_memory(b);
    b->number = data;
    b->number[b->numbers++] = x;
    return 1;
}

static struct wf_json number(double x)
{
    if (isnan(x)) return (struct wf_json){ .kind = WF_JSON_NULL };
    return (struct wf_json){ .kind = WF_JSON_NUMBER, .number = x };
}

/* Turns the numbers of the innermost list into values, because it holds something else too. */
static int spill(struct builder *b)
{
    struct open *o = b->depth ? &b->open[b->depth - 1] : NULL;
    if (!o || !o->numbers) return 1;
    o->numbers = false;
    for (size_t i = 0; i < b->numbers; i++)
        if (!push_value(b, number(b->number[i]))) return 0;
    b->numbers = 0;
    return 1;
}

static int add(struct builder *b, struct wf_json v)
{
    b->good = b->before + yajl_get_bytes_consumed(b->h);
    v.key = b->key;
    b->key = NULL;
    if (b->depth == 0) {
        b->t->root = v;
        return 1;
    }
    if (b->open[b->depth - 1].numbers && v.kind == WF_JSON_NUMBER) return push_number(b, v.number);
    if (b->open[b->depth - 1].numbers && v.kind == WF_JSON_NULL) return push_number(b, NAN);
    return spill(b) && push_value(b, v);
}

/* Whether x may be kept as a float: readers who want a float, or to know whether x is an integer,
 * finite or >= 0, then learn the same as from the double. */
static bool narrow(double x)
{
    float f = (float)x;
    if (isnan(x) || f == x) return true;
    return x != rint(x) && f != rintf(f) && fabs(x) > 1e-30 && fabs(x) < 1e30;
}

static int close_numbers(struct builder *b, struct wf_json *v)
{
    size_t n = b->numbers;
    bool narrowed = true;
    for (size_t i = 0; i < n && narrowed; i++) narrowed = narrow(b->number[i]);
    float *f = NULL;
    double *d = NULL;
    void *p = take(b->t, n * (narrowed ? sizeof *f : sizeof *d));
    if (!p) return no_memory(b);
    *v = (struct wf_json){ .kind = WF_JSON_LIST, .count = (ptrdiff_t)n };
    v->store = narrowed ? WF_JSON_FLOATS : WF_JSON_DOUBLES;
    if (narrowed) {
        v->floats = f = p;
        for (size_t i = 0; i < n; i++) f[i] = (float)b->number[i];
    } else {
        v->doubles = d = p;
        memcpy(d, b->number, n * sizeof *d);
    }
    b->numbers = 0;
    return 1;
}

/* ---- events ---- */

static int on_null(void *ctx)
{
    return add(ctx, (struct wf_json){ .kind = WF_JSON_NULL });
}

static int on_bool(void *ctx, int x)
{
    (void)x;
    return add(ctx, (struct wf_json){ .kind = WF_JSON_BOOL });
}

static int on_number(void *ctx, const char *text, size_t n)
{
    struct builder *b = ctx;
    char digits[DIGITS];
    if (n >= DIGITS)
        return stop(b, wf_fail(b->err, WF_EFORMAT, "a number of %zu characters behind byte %zu", n,
                               b->good));
    memcpy(digits, text, n);
    digits[n] = 0;
    return add(b, (struct wf_json){ .kind = WF_JSON_NUMBER, .number = strtod(digits, NULL) });
}

static const char *keep_text(struct builder *b, const unsigned char *text, size_t n)
{
    if (n && memchr(text, 0, n)) {
        stop(b, wf_fail(b->err, WF_EFORMAT, "a text with a NUL in it behind byte %zu", b->good));
        return NULL;
    }
    char *p = take(b->t, n + 1);
    if (!p) {
        no_memory(b);
        return NULL;
    }
    if (n) memcpy(p, text, n);
    p[n] = 0;
    return p;
}

static int on_text(void *ctx, const unsigned char *text, size_t n)
{
    const char *kept = keep_text(ctx, text, n);
    return kept && add(ctx, (struct wf_json){ .kind = WF_JSON_TEXT, .text = kept });
}

static int on_key(void *ctx, const unsigned char *text, size_t n)
{
    struct builder *b = ctx;
    b->key = keep_text(b, text, n);
    b->good = b->before + yajl_get_bytes_consumed(b->h);
    return b->key != NULL;
}

static int on_open(struct builder *b, enum wf_json_kind kind)
{
    if (b->depth == DEPTH)
        return stop(b, wf_fail(b->err, WF_EFORMAT, "nests deeper than %d behind byte %zu",
                               (int)DEPTH, b->good));
    b->good = b->before + yajl_get_bytes_consumed(b->h);
    if (!spill(b)) return 0;
    b->open[b->depth++] = (struct open){ .v = { .kind = kind, .key = b->key },
                                         .first = b->values,
                                         .numbers = kind == WF_JSON_LIST };
    b->key = NULL;
    return 1;
}

static int on_close(void *ctx)
{
    struct builder *b = ctx;
    struct open o = b->open[b->depth - 1];
    const char *key = o.v.key;
    if (o.numbers) {
        if (!close_numbers(b, &o.v)) return 0;
    } else {
        size_t n = b->values - o.first;
        struct wf_json *p = take(b->t, n * sizeof *p);
        if (!p) return no_memory(b);
        if (n) memcpy(p, b->value + o.first, n * sizeof *p);
        o.v.count = (ptrdiff_t)n;
        o.v.value = p;
        b->values = o.first;
    }
    b->depth--;
    b->key = key;
    return add(b, o.v);
}

static int on_list(void *ctx)
{
    return on_open(ctx, WF_JSON_LIST);
}

static int on_object(void *ctx)
{
    return on_open(ctx, WF_JSON_OBJECT);
}

static const yajl_callbacks events = { on_null,   on_bool, NULL,     NULL,    on_number, on_text,
                                       on_object, on_key,  on_close, on_list, on_close };

/* ---- the text, chunk by chunk ---- */

static enum wf_status check(struct builder *b, yajl_status s)
{
    if (s == yajl_status_ok) return WF_OK;
    if (s == yajl_status_client_canceled) return b->status;
    return wf_fail(b->err, WF_EFORMAT, "not JSON from byte %zu on", b->good);
}

static enum wf_status feed(struct builder *b, const void *bytes, size_t n)
{
    static const unsigned char mark[] = { 0xEF, 0xBB, 0xBF }; /* some programs begin UTF-8 so */
    const unsigned char *text = bytes;
    if (b->before == 0 && n >= sizeof mark && memcmp(text, mark, sizeof mark) == 0) {
        text += sizeof mark;
        n -= sizeof mark;
        b->before = b->good = sizeof mark;
    }
    WF_TRY(check(b, yajl_parse(b->h, text, n)));
    b->before += n;
    /* yajl keeps what it cannot finish, and does not bear having no memory for it. */
    if (b->before - b->good > SILENCE)
        return wf_fail(b->err, WF_EFORMAT, "no value in the %zu bytes from byte %zu on",
                       b->before - b->good, b->good);
    return WF_OK;
}

static enum wf_status start(struct builder *b, struct wf_json_tree *t, struct wf_error *err)
{
    *t = (struct wf_json_tree){ 0 };
    *b = (struct builder){ .t = t, .err = err };
    b->h = yajl_alloc(&events, NULL, b);
    return b->h ? WF_OK : wf_fail(err, WF_ENOMEM, "no memory to read JSON");
}

static enum wf_status finish(struct builder *b, enum wf_status s)
{
    if (s == WF_OK) s = check(b, yajl_complete_parse(b->h));
    b->t->size = b->before;
    yajl_free(b->h);
    wf_free(b->value);
    wf_free(b->number);
    if (s != WF_OK) wf_json_tree_free(b->t);
    return s;
}

enum wf_status wf_json_tree_parse(struct wf_json_tree *t, const void *bytes, size_t size,
                                  struct wf_error *err)
{
    struct builder b;
    enum wf_status s = start(&b, t, err);
    if (s != WF_OK) return s;
    for (size_t at = 0, n; at < size && s == WF_OK; at += n) {
        n = size - at < CHUNK ? size - at : CHUNK;
        s = feed(&b, (const char *)bytes + at, n);
    }
    return finish(&b, s);
}

static enum wf_status feed_file(struct builder *b, int fd)
{
    char chunk[CHUNK];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0) return WF_OK;
        if (n < 0 && errno != EINTR) return wf_fail(b->err, WF_EIO, "%s", strerror(errno));
        if (n > 0) WF_TRY(feed(b, chunk, (size_t)n));
    }
}

enum wf_status wf_json_tree_read(struct wf_json_tree *t, const char *path, struct wf_error *err)
{
    struct builder b;
    int fd;
    size_t size;
    *t = (struct wf_json_tree){ 0 };
    WF_TRY(wf_file_open(&fd, &size, path, err));
    enum wf_status s = start(&b, t, err);
    if (s == WF_OK) s = finish(&b, feed_file(&b, fd));
    close(fd);
    return wf_file_context(s, path, err);
}

/* ---- the tree when it stands ---- */

const struct wf_json *wf_json_get(const struct wf_json *v, const char *key)
{
    if (!v || v->kind != WF_JSON_OBJECT) return NULL;
    for (ptrdiff_t i = 0; i < v->count; i++)
        if (strcmp(v->value[i].key, key) == 0) return &v->value[i];
    return NULL;
}

struct wf_json wf_json_at(const struct wf_json *v, ptrdiff_t i)
{
    WF_CHECK(i >= 0 && i < v->count);
    switch (v->store) {
    case WF_JSON_FLOATS:
        return number((double)v->floats[i]);
    case WF_JSON_DOUBLES:
        return number(v->doubles[i]);
    default:
        return v->value[i];
    }
}
