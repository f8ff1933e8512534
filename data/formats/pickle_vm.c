/* pickle_vm.c - the stack machine that reads a pickle's opcodes. */
#include "data/formats/pickle_vm_private.h"
#include <stdlib.h>
#include <string.h>
#include "tensor/alloc.h"

/* ---- tables ---- */

enum wf_status wf_pk_bad(struct wf_pickle *p, const char *what)
{
    return wf_fail(p->err, WF_EFORMAT, "pickle: %s at byte %td", what, p->at - p->begin);
}

/* Makes room for one more element; a table never holds more elements than the pickle has bytes. */
static enum wf_status grow(struct wf_pickle *p, void **table, int32_t count, int32_t *room,
                           size_t size)
{
    if (count < *room) return WF_OK;
    int32_t more = *room ? *room * 2 : 16;
    void *bigger = *room > INT32_MAX / 2 ? NULL : wf_realloc(*table, (size_t)more * size);
    if (!bigger) return wf_fail(p->err, WF_ENOMEM, "pickle: no memory for %d values", more);
    *table = bigger;
    *room = more;
    return WF_OK;
}

enum wf_status wf_pk_new(struct wf_pickle *p, enum wf_pk_kind kind, int32_t *index)
{
    void *table = p->value;
    WF_TRY(grow(p, &table, p->count, &p->room, sizeof *p->value));
    p->value = table;
    p->value[p->count] = (struct wf_pk_value){ .kind = kind };
    *index = p->count++;
    return WF_OK;
}

enum wf_status wf_pk_add(struct wf_pickle *p, int32_t container, int32_t item)
{
    struct wf_pk_value *v = &p->value[container];
    void *table = v->item;
    WF_TRY(grow(p, &table, v->count, &v->room, sizeof *v->item));
    v->item = table;
    v->item[v->count++] = item;
    return WF_OK;
}

static enum wf_status push(struct wf_pickle *p, int32_t index)
{
    void *table = p->stack;
    WF_TRY(grow(p, &table, p->depth, &p->stack_room, sizeof *p->stack));
    p->stack = table;
    p->stack[p->depth++] = index;
    return WF_OK;
}

static enum wf_status pop(struct wf_pickle *p, int32_t *index)
{
    if (p->depth == 0) return wf_pk_bad(p, "stack is empty");
    *index = p->stack[--p->depth];
    if (p->value[*index].kind == WF_PK_MARK) return wf_pk_bad(p, "a mark where a value belongs");
    return WF_OK;
}

static enum wf_status push_new(struct wf_pickle *p, enum wf_pk_kind kind, struct wf_pk_value **v)
{
    int32_t i = 0;
    WF_TRY(wf_pk_new(p, kind, &i));
    WF_TRY(push(p, i));
    *v = &p->value[i];
    return WF_OK;
}

static enum wf_status push_int(struct wf_pickle *p, enum wf_pk_kind kind, int64_t n)
{
    struct wf_pk_value *v;
    WF_TRY(push_new(p, kind, &v));
    v->integer = n;
    return WF_OK;
}

/* ---- reading the bytes ---- */

static enum wf_status bytes(struct wf_pickle *p, size_t n, const unsigned char **b)
{
    if ((size_t)(p->end - p->at) < n) return wf_pk_bad(p, "ends too early");
    *b = p->at;
    p->at += n;
    return WF_OK;
}

static enum wf_status number(struct wf_pickle *p, int size, uint64_t *n)
{
    const unsigned char *b = NULL;
    WF_TRY(bytes(p, (size_t)size, &b));
    *n = 0;
    for (int k = 0; k < size; k++) *n |= (uint64_t)b[k] << (8 * k);
    return WF_OK;
}

static enum wf_status line(struct wf_pickle *p, const char **text, size_t *len)
{
    const unsigned char *stop = memchr(p->at, '\n', (size_t)(p->end - p->at));
    if (!stop) return wf_pk_bad(p, "line does not end");
    *text = (const char *)p->at;
    *len = (size_t)(stop - p->at);
    p->at = stop + 1;
    return WF_OK;
}

/* Reads a short line as a C string, for strtod and the like. */
static enum wf_status word(struct wf_pickle *p, char *out, size_t size)
{
    const char *text = NULL;
    size_t len = 0;
    WF_TRY(line(p, &text, &len));
    if (len == 0 || len >= size || memchr(text, 0, len)) return wf_pk_bad(p, "bad number");
    memcpy(out, text, len);
    out[len] = 0;
    return WF_OK;
}

static enum wf_status push_decimal(struct wf_pickle *p, bool is_long)
{
    char text[32], *stop;
    WF_TRY(word(p, text, sizeof text));
    if (!is_long && !strcmp(text, "00")) return push_int(p, WF_PK_BOOL, 0);
    if (!is_long && !strcmp(text, "01")) return push_int(p, WF_PK_BOOL, 1);
    long long n = strtoll(text, &stop, 10);
    if (is_long && *stop == 'L') stop++;
    if (*stop || n == INT64_MAX || n == INT64_MIN) return wf_pk_bad(p, "bad integer");
    return push_int(p, WF_PK_INT, n);
}

static enum wf_status push_float(struct wf_pickle *p, bool as_text)
{
    struct wf_pk_value *v;
    double x;
    if (as_text) {
        char text[64], *stop;
        WF_TRY(word(p, text, sizeof text));
        x = strtod(text, &stop);
        if (*stop) return wf_pk_bad(p, "bad float");
    } else {
        const unsigned char *b = NULL;
        WF_TRY(bytes(p, 8, &b));
        x = wf_numpy_double(&(struct wf_numpy_type){ 'f', true, 8 }, b);
    }
    WF_TRY(push_new(p, WF_PK_FLOAT, &v));
    v->real = x;
    return WF_OK;
}

static enum wf_status push_long(struct wf_pickle *p, int size_bytes)
{
    uint64_t size, n = 0;
    WF_TRY(number(p, size_bytes, &size));
    if (size > 8) return wf_pk_bad(p, "integer of more than 64 bits");
    WF_TRY(number(p, (int)size, &n));
    if (size > 0 && size < 8 && n >> (8 * size - 1)) n |= ~UINT64_C(0) << (8 * size);
    return push_int(p, WF_PK_INT, (int64_t)n);
}

/* ---- texts ---- */

static enum wf_status push_counted(struct wf_pickle *p, int size_bytes)
{
    uint64_t len;
    const unsigned char *b = NULL;
    struct wf_pk_value *v;
    WF_TRY(number(p, size_bytes, &len));
    if (len > (uint64_t)(p->end - p->at)) return wf_pk_bad(p, "text is cut off");
    WF_TRY(bytes(p, (size_t)len, &b));
    WF_TRY(push_new(p, WF_PK_TEXT, &v));
    v->text = (char *)(uintptr_t)b;
    v->len = (size_t)len;
    return WF_OK;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 16;
}

/* Reads up to `most` digits of a base into *n; returns how many there were. */
static int digits(const char *s, size_t len, unsigned base, int most, uint32_t *n)
{
    int k = 0;
    *n = 0;
    for (; k < most && (size_t)k < len && digit_of(s[k]) < (int)base; k++)
        *n = *n * base + (uint32_t)digit_of(s[k]);
    return k;
}

/* Reads one escape of Python's repr of bytes, behind its backslash; returns how many bytes it took,
 * 0 for a bad one. */
static size_t escape(const char *s, size_t len, char *out)
{
    static const char letter[] = "\\'\"abfnrtv", meaning[] = "\\'\"\a\b\f\n\r\t\v";
    uint32_t n;
    int k;
    const char *known = len && s[0] ? strchr(letter, s[0]) : NULL;
    if (known) {
        *out = meaning[known - letter];
        return 1;
    }
    if (len && s[0] == 'x') {
        k = digits(s + 1, len - 1, 16, 2, &n);
        *out = (char)n;
        return k == 2 ? 3 : 0;
    }
    k = digits(s, len, 8, 3, &n);
    *out = (char)n;
    return n < 256 ? (size_t)k : 0;
}

static size_t unquote(char *out, const char *s, size_t len, bool *sound)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '\\') {
            out[n++] = s[i];
            continue;
        }
        size_t used = escape(s + i + 1, len - i - 1, &out[n++]);
        *sound = *sound && used > 0;
        i += used;
    }
    return n;
}

/* Decodes raw-unicode-escape: bytes are Latin-1, \uXXXX and \UXXXXXXXX are code points. */
static size_t unescape(char *out, const char *s, size_t len, bool *sound)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        uint32_t c = (unsigned char)s[i];
        bool coded = c == '\\' && i + 1 < len && (s[i + 1] == 'u' || s[i + 1] == 'U');
        if (coded) {
            int want = s[i + 1] == 'u' ? 4 : 8;
            *sound = *sound && digits(s + i + 2, len - i - 2, 16, want, &c) == want;
            i += 1 + (size_t)want;
        }
        n += wf_utf8(out + n, c);
    }
    return n;
}

static enum wf_status push_line(struct wf_pickle *p, bool unicode)
{
    const char *s = NULL;
    size_t len = 0;
    bool sound = true;
    struct wf_pk_value *v;
    WF_TRY(line(p, &s, &len));
    if (!unicode) {
        if (len < 2 || (s[0] != '\'' && s[0] != '"') || s[len - 1] != s[0])
            return wf_pk_bad(p, "text without quotes");
        s++;
        len -= 2;
    }
    WF_TRY(push_new(p, WF_PK_TEXT, &v));
    v->text = wf_malloc(2 * len + 1);
    if (!v->text) return wf_fail(p->err, WF_ENOMEM, "pickle: no memory for %zu bytes", len);
    v->owned = true;
    v->len = unicode ? unescape(v->text, s, len, &sound) : unquote(v->text, s, len, &sound);
    return sound ? WF_OK : wf_pk_bad(p, "bad escape in a text");
}

/* ---- containers and the memo ---- */

/* Moves what lies above the last mark, mark excluded, to the end of a container. */
static enum wf_status gather(struct wf_pickle *p, int32_t container)
{
    int32_t mark = p->depth;
    while (mark > 0 && p->value[p->stack[mark - 1]].kind != WF_PK_MARK) mark--;
    if (mark == 0) return wf_pk_bad(p, "no mark");
    for (int32_t i = mark; i < p->depth; i++) WF_TRY(wf_pk_add(p, container, p->stack[i]));
    p->depth = mark - 1;
    return WF_OK;
}

static enum wf_status make_from_mark(struct wf_pickle *p, enum wf_pk_kind kind)
{
    int32_t c = 0;
    WF_TRY(wf_pk_new(p, kind, &c));
    WF_TRY(gather(p, c));
    if (kind == WF_PK_DICT && p->value[c].count % 2) return wf_pk_bad(p, "dict key without value");
    return push(p, c);
}

static enum wf_status make_tuple(struct wf_pickle *p, int n)
{
    int32_t c = 0, item[3] = { 0 };
    for (int i = n - 1; i >= 0; i--) WF_TRY(pop(p, &item[i]));
    WF_TRY(wf_pk_new(p, WF_PK_TUPLE, &c));
    for (int i = 0; i < n; i++) WF_TRY(wf_pk_add(p, c, item[i]));
    return push(p, c);
}

/* Extends a container by the n items above it (APPEND, SETITEM) or, with n = 0, by those above the
 * mark (APPENDS, SETITEMS). */
static enum wf_status extend(struct wf_pickle *p, enum wf_pk_kind kind, int n)
{
    int32_t item[2] = { 0 }, parts = 0;
    if (n == 0) {
        WF_TRY(wf_pk_new(p, WF_PK_TUPLE, &parts));
        WF_TRY(gather(p, parts));
        if (kind == WF_PK_DICT && p->value[parts].count % 2)
            return wf_pk_bad(p, "dict key without value");
    }
    for (int i = n - 1; i >= 0; i--) WF_TRY(pop(p, &item[i]));
    if (p->depth == 0 || p->value[p->stack[p->depth - 1]].kind != kind)
        return wf_pk_bad(p, kind == WF_PK_LIST ? "no list to append to" : "no dict to set in");
    int32_t c = p->stack[p->depth - 1];
    for (int i = 0; i < n; i++) WF_TRY(wf_pk_add(p, c, item[i]));
    for (int32_t i = 0; n == 0 && i < p->value[parts].count; i++)
        WF_TRY(wf_pk_add(p, c, p->value[parts].item[i]));
    return WF_OK;
}

static enum wf_status memo_put(struct wf_pickle *p, uint64_t key)
{
    if (p->depth == 0) return wf_pk_bad(p, "stack is empty");
    if (key > (uint64_t)(p->end - p->begin)) return wf_pk_bad(p, "memo key is too large");
    while (key >= (uint64_t)p->memo_room) {
        int32_t old = p->memo_room;
        void *table = p->memo;
        WF_TRY(grow(p, &table, old, &p->memo_room, sizeof *p->memo));
        p->memo = table;
        for (int32_t i = old; i < p->memo_room; i++) p->memo[i] = -1;
    }
    p->memo_count += p->memo[key] < 0;
    p->memo[key] = p->stack[p->depth - 1];
    return WF_OK;
}

static enum wf_status memo_get(struct wf_pickle *p, uint64_t key)
{
    if (key >= (uint64_t)p->memo_room || p->memo[key] < 0)
        return wf_pk_bad(p, "memo key is not there");
    return push(p, p->memo[key]);
}

static enum wf_status text_key(struct wf_pickle *p, uint64_t *key)
{
    char text[24], *stop;
    WF_TRY(word(p, text, sizeof text));
    *key = strtoull(text, &stop, 10);
    return *stop || text[0] == '-' ? wf_pk_bad(p, "bad memo key") : WF_OK;
}

static enum wf_status global(struct wf_pickle *p, bool from_stack)
{
    const char *module = NULL, *name = NULL;
    size_t module_len = 0, name_len = 0;
    int32_t g = 0;
    if (from_stack) {
        int32_t m = 0, n = 0;
        WF_TRY(pop(p, &n));
        WF_TRY(pop(p, &m));
        if (p->value[m].kind != WF_PK_TEXT || p->value[n].kind != WF_PK_TEXT)
            return wf_pk_bad(p, "name is no text");
        module = p->value[m].text;
        module_len = p->value[m].len;
        name = p->value[n].text;
        name_len = p->value[n].len;
    } else {
        WF_TRY(line(p, &module, &module_len));
        WF_TRY(line(p, &name, &name_len));
    }
    WF_TRY(wf_pk_global(p, module, module_len, name, name_len, &g));
    return push(p, g);
}

/* REDUCE turns callee and arguments into the result; BUILD leaves the object, with its state. */
static enum wf_status apply(struct wf_pickle *p, bool reduce)
{
    int32_t object = 0, args = 0, result = 0;
    WF_TRY(pop(p, &args));
    WF_TRY(pop(p, &object));
    if (!reduce) {
        WF_TRY(wf_pk_build(p, object, args));
        return push(p, object);
    }
    WF_TRY(wf_pk_reduce(p, object, args, &result));
    return push(p, result);
}

static enum wf_status drop(struct wf_pickle *p, bool to_mark)
{
    if (p->depth == 0) return wf_pk_bad(p, "stack is empty");
    while (to_mark && p->depth > 1 && p->value[p->stack[p->depth - 1]].kind != WF_PK_MARK)
        p->depth--;
    p->depth--;
    return WF_OK;
}

static enum wf_status protocol(struct wf_pickle *p)
{
    uint64_t n;
    WF_TRY(number(p, 1, &n));
    if (n <= 4) return WF_OK;
    return wf_fail(p->err, WF_EFORMAT, "pickle: protocol %d, expected 0 to 4", (int)n);
}

/* Runs an opcode of numbers; *known tells whether op was one. */
static enum wf_status step_number(struct wf_pickle *p, unsigned char op, bool *known)
{
    uint64_t n = 0;
    *known = true;
    switch (op) {
    case 'N':
        return push_int(p, WF_PK_NONE, 0);
    case 0x88:
        return push_int(p, WF_PK_BOOL, 1);
    case 0x89:
        return push_int(p, WF_PK_BOOL, 0);
    case 'I':
        return push_decimal(p, false);
    case 'L':
        return push_decimal(p, true);
    case 'J':
        WF_TRY(number(p, 4, &n));
        return push_int(p, WF_PK_INT, (int64_t)n - (n >> 31 ? INT64_C(1) << 32 : 0));
    case 'K':
        WF_TRY(number(p, 1, &n));
        return push_int(p, WF_PK_INT, (int64_t)n);
    case 'M':
        WF_TRY(number(p, 2, &n));
        return push_int(p, WF_PK_INT, (int64_t)n);
    case 0x8a:
        return push_long(p, 1);
    case 0x8b:
        return push_long(p, 4);
    case 'F':
        return push_float(p, true);
    case 'G':
        return push_float(p, false);
    default:
        *known = false;
        return WF_OK;
    }
}

/* Runs an opcode of texts or of the memo. */
static enum wf_status step_text(struct wf_pickle *p, unsigned char op, bool *known)
{
    uint64_t n = 0;
    *known = true;
    switch (op) {
    case 'S':
        return push_line(p, false);
    case 'V':
        return push_line(p, true);
    case 'U':
    case 'C':
    case 0x8c:
        return push_counted(p, 1);
    case 'T':
    case 'B':
    case 'X':
        return push_counted(p, 4);
    case 0x8d:
    case 0x8e:
        return push_counted(p, 8);
    case 'p':
        WF_TRY(text_key(p, &n));
        return memo_put(p, n);
    case 'q':
    case 'r':
        WF_TRY(number(p, op == 'q' ? 1 : 4, &n));
        return memo_put(p, n);
    case 0x94:
        return memo_put(p, (uint64_t)p->memo_count);
    case 'g':
        WF_TRY(text_key(p, &n));
        return memo_get(p, n);
    case 'h':
    case 'j':
        WF_TRY(number(p, op == 'h' ? 1 : 4, &n));
        return memo_get(p, n);
    default:
        *known = false;
        return WF_OK;
    }
}

static enum wf_status step_container(struct wf_pickle *p, unsigned char op, bool *known)
{
    *known = true;
    switch (op) {
    case '(':
        return push_int(p, WF_PK_MARK, 0);
    case ')':
        return make_tuple(p, 0);
    case 0x85:
    case 0x86:
    case 0x87:
        return make_tuple(p, op - 0x84);
    case 't':
        return make_from_mark(p, WF_PK_TUPLE);
    case ']':
        return push_int(p, WF_PK_LIST, 0);
    case 'l':
        return make_from_mark(p, WF_PK_LIST);
    case '}':
        return push_int(p, WF_PK_DICT, 0);
    case 'd':
        return make_from_mark(p, WF_PK_DICT);
    case 'a':
        return extend(p, WF_PK_LIST, 1);
    case 'e':
        return extend(p, WF_PK_LIST, 0);
    case 's':
        return extend(p, WF_PK_DICT, 2);
    case 'u':
        return extend(p, WF_PK_DICT, 0);
    default:
        *known = false;
        return WF_OK;
    }
}

static enum wf_status step_other(struct wf_pickle *p, unsigned char op)
{
    uint64_t n = 0;
    int32_t i = 0;
    switch (op) {
    case 0x80:
        return protocol(p);
    case 0x95: /* FRAME, which only says how much to read at once */
        return number(p, 8, &n);
    case 'c':
        return global(p, false);
    case 0x93:
        return global(p, true);
    case 'R':
        return apply(p, true);
    case 'b':
        return apply(p, false);
    case '0':
        return drop(p, false);
    case '1':
        return drop(p, true);
    case '2':
        WF_TRY(pop(p, &i));
        WF_TRY(push(p, i));
        return push(p, i);
    default:
        return wf_fail(p->err, WF_EFORMAT, "pickle: opcode 0x%02x at byte %td is not data", op,
                       p->at - p->begin - 1);
    }
}

enum wf_status wf_pk_run(struct wf_pickle *p, const void *data, size_t size, int32_t *root,
                         struct wf_error *err)
{
    *p = (struct wf_pickle){ .at = data, .begin = data, .err = err };
    p->end = p->begin + size;
    if (size > INT32_MAX / 4) return wf_fail(err, WF_EFORMAT, "pickle: %zu bytes, too large", size);
    while (p->at < p->end) {
        unsigned char op = *p->at++;
        bool known;
        if (op == '.') {
            WF_TRY(pop(p, root));
            return p->depth ? wf_pk_bad(p, "values are left on the stack") : WF_OK;
        }
        WF_TRY(step_number(p, op, &known));
        if (!known) WF_TRY(step_text(p, op, &known));
        if (!known) WF_TRY(step_container(p, op, &known));
        if (!known) WF_TRY(step_other(p, op));
    }
    return wf_pk_bad(p, "ends without a stop");
}

void wf_pk_free(struct wf_pickle *p)
{
    for (int32_t i = 0; i < p->count; i++) {
        struct wf_pk_value *v = &p->value[i];
        if (v->kind == WF_PK_TEXT) {
            if (v->owned) wf_free(v->text);
        } else {
            wf_free(v->item);
        }
    }
    wf_free(p->value);
    wf_free(p->stack);
    wf_free(p->memo);
}
