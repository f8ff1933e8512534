#include "data/formats/csv.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "data/file.h"
#include "tensor/alloc.h"

/* ---- fields ---- */

/* Fields are unquoted and ended by a NUL where they stand, in a copy of the file. */
struct scan {
    char *p, *end;       /* *end is 0 */
    ptrdiff_t line;      /* line of the current field */
    ptrdiff_t next_line; /* line in which the scan stands */
    ptrdiff_t column;    /* column of the current field */
    bool record_ended;   /* the current field was the last one of its record */
    struct wf_error *err;
};

static enum wf_status bad_field(const struct scan *s, const char *text, const char *what)
{
    return wf_fail(s->err, WF_EFORMAT, "line %td, column %td: '%.40s' %s", s->line, s->column, text,
                   what);
}

/* Begins to scan a copy of the text, without the mark of UTF-8 at its start. */
static enum wf_status start(struct scan *s, const char *bytes, size_t size, char **copy,
                            struct wf_error *err)
{
    *copy = NULL;
    if (size && memchr(bytes, 0, size))
        return wf_fail(err, WF_EFORMAT, "contains NUL bytes, is no text");
    *copy = wf_malloc(size + 1);
    if (!*copy) return wf_fail(err, WF_ENOMEM, "no memory for %zu bytes", size);
    memcpy(*copy, bytes, size);
    (*copy)[size] = 0;
    *s = (struct scan){ .p = *copy, .end = *copy + size, .next_line = 1, .err = err };
    if (size >= 3 && !memcmp(s->p, "\xef\xbb\xbf", 3)) s->p += 3;
    return WF_OK;
}

/* Whether there is one more record; skips empty lines. */
static bool more(struct scan *s)
{
    while (*s->p == '\n' || (*s->p == '\r' && s->p[1] == '\n')) {
        s->p += *s->p == '\r' ? 2 : 1;
        s->next_line++;
    }
    s->column = 0;
    s->record_ended = false;
    return s->p < s->end;
}

/* Moves past the comma or line end at p and ends the text at stop, which may be the same place. */
static enum wf_status end_field(struct scan *s, char *stop, const char *text)
{
    char at = *s->p;
    bool line_end = at == '\n' || (at == '\r' && (s->p[1] == '\n' || s->p[1] == 0));
    if (at && at != ',' && !line_end) {
        *stop = 0;
        return bad_field(s, text, "is followed by text after its quote");
    }
    s->record_ended = line_end || !at;
    s->next_line += line_end;
    s->p += at == '\r' && s->p[1] ? 2 : at ? 1 : 0;
    *stop = 0;
    return WF_OK;
}

static enum wf_status quoted(struct scan *s, char **text)
{
    char *w = *text = ++s->p;
    for (;; s->p++) {
        if (s->p == s->end)
            return wf_fail(s->err, WF_EFORMAT, "line %td, column %td: quote is not closed", s->line,
                           s->column);
        if (*s->p == '"' && *++s->p != '"') break;
        s->next_line += *s->p == '\n';
        *w++ = *s->p;
    }
    return end_field(s, w, *text);
}

static enum wf_status field(struct scan *s, char **text)
{
    s->line = s->next_line;
    s->column++;
    if (*s->p == '"') return quoted(s, text);
    *text = s->p;
    while (*s->p && *s->p != ',' && *s->p != '\n' &&
           !(*s->p == '\r' && (s->p[1] == '\n' || !s->p[1])))
        s->p++;
    return end_field(s, s->p, *text);
}

/* Cuts off blanks around a field, which do not count. */
static char *trimmed(char *text)
{
    char *end = text + strlen(text);
    while (*text == ' ' || *text == '\t') text++;
    while (end > text && (end[-1] == ' ' || end[-1] == '\t')) *--end = 0;
    return text;
}

static bool is_missing(const char *t)
{
    return !*t || !strcasecmp(t, "nan") || !strcasecmp(t, "na") || !strcasecmp(t, "null");
}

/* Whether the text is a finite decimal number. strtod alone would take hexadecimal numbers and
 * infinities too. */
static bool is_number(const char *text, double *x)
{
    char *stop;
    if (!*text || text[strspn(text, "0123456789+-.eE")]) return false;
    *x = strtod(text, &stop);
    return !*stop && isfinite(*x);
}

/* ---- dates ---- */

/* Reads exactly n digits. */
static bool digits(const char **t, int n, int *value)
{
    *value = 0;
    for (int i = 0; i < n; i++, (*t)++) {
        if (**t < '0' || **t > '9') return false;
        *value = *value * 10 + (**t - '0');
    }
    return true;
}

/* Returns the days since 1970-01-01 in the Gregorian calendar. Years begin in March here, so that
 * leap days end them. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = (month + 9) % 12;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static bool valid_day(int year, int month, int day)
{
    static const int length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1) return false;
    return day <= length[month - 1] + (month == 2 && leap);
}

static bool time_of_day(const char **t, int64_t *ns)
{
    int h, m, s = 0;
    int64_t unit = 100000000;
    if (!digits(t, 2, &h) || *(*t)++ != ':' || !digits(t, 2, &m)) return false;
    if (**t == ':') {
        ++*t;
        if (!digits(t, 2, &s)) return false;
    }
    if (h > 23 || m > 59 || s > 59) return false;
    *ns = ((h * INT64_C(60) + m) * 60 + s) * 1000000000;
    if (**t == '.')
        for (++*t; **t >= '0' && **t <= '9'; ++*t, unit /= 10) *ns += (**t - '0') * unit;
    return true;
}

bool wf_csv_date(const char *t, int64_t *ns)
{
    int year, month, day;
    int64_t rest = 0;
    if (!digits(&t, 4, &year) || (*t != '-' && *t != '/')) return false;
    char between = *t++;
    if (!digits(&t, 2, &month) || *t++ != between || !digits(&t, 2, &day)) return false;
    if (!valid_day(year, month, day)) return false;
    if (*t == ' ' || *t == 'T') {
        t++;
        if (!time_of_day(&t, &rest)) return false;
        if (*t == 'Z') t++;
    }
    /* Nanoseconds in 64 bits reach from 1677 to 2262. */
    if (*t || year < 1678 || year > 2261) return false;
    *ns = days_of(year, month, day) * 86400 * INT64_C(1000000000) + rest;
    return true;
}

/* ---- tables ---- */

struct table {
    struct wf_csv *out;
    ptrdiff_t fields;  /* fields in a record, the date included; 0 until the first record */
    ptrdiff_t room;    /* rows for which there is memory */
    bool date_decided; /* a record has been read, which decides `dated` */
    bool dated;        /* the first column holds dates */
};

void wf_csv_free(struct wf_csv *c)
{
    wf_free(c->values);
    wf_free(c->times_ns);
    wf_names_free(&c->names);
    *c = (struct wf_csv){ 0 };
}

/* Returns the bytes of the record that begins at p, without its line end. */
static size_t record_length(const char *p)
{
    bool inside = false;
    size_t n = 0;
    for (; p[n] && (inside || p[n] != '\n'); n++) inside = inside != (p[n] == '"');
    return n;
}

/* Looks at the first record, and leaves the scan as it was: how many fields it has, and whether it
 * is a header. */
static enum wf_status inspect(const struct scan *s, struct table *t, bool *is_header)
{
    struct scan look = *s;
    size_t left = record_length(s->p);
    char *copy = wf_malloc(left + 1), *text;
    enum wf_status rc = WF_OK;
    if (!copy) return wf_fail(s->err, WF_ENOMEM, "no memory for %zu bytes", left);
    memcpy(copy, s->p, left);
    copy[left] = 0;
    look.p = copy;
    look.end = copy + left;
    *is_header = false;
    while (rc == WF_OK && !look.record_ended) {
        double x;
        int64_t ns;
        rc = field(&look, &text);
        if (rc != WF_OK) break;
        text = trimmed(text);
        bool datum =
            is_missing(text) || is_number(text, &x) || (look.column == 1 && wf_csv_date(text, &ns));
        *is_header = *is_header || !datum;
        t->fields = look.column;
    }
    wf_free(copy);
    return rc;
}

static enum wf_status take_header(struct scan *s, struct table *t)
{
    char *text;
    WF_TRY(wf_names_alloc(&t->out->names, t->fields, s->err));
    for (ptrdiff_t i = 0; i < t->fields; i++) {
        WF_TRY(field(s, &text));
        text = trimmed(text);
        WF_TRY(wf_names_set(&t->out->names, i, text, strlen(text), s->err));
    }
    return WF_OK;
}

static enum wf_status grow(struct table *t, struct wf_error *err)
{
    struct wf_csv *c = t->out;
    if (c->rows < t->room) return WF_OK;
    ptrdiff_t room = t->room ? 2 * t->room : 64;
    if (room > PTRDIFF_MAX / 16 / t->fields) return wf_fail(err, WF_ENOMEM, "too many rows");
    double *v = wf_realloc(c->values, (size_t)(room * t->fields) * sizeof *v);
    if (v) c->values = v;
    int64_t *times = v ? wf_realloc(c->times_ns, (size_t)room * sizeof *times) : NULL;
    if (times) c->times_ns = times;
    if (!times) return wf_fail(err, WF_ENOMEM, "no memory for %td rows", room);
    t->room = room;
    return WF_OK;
}

static enum wf_status take_record(struct scan *s, struct table *t)
{
    struct wf_csv *c = t->out;
    char *text;
    while (!s->record_ended) {
        WF_TRY(field(s, &text));
        text = trimmed(text);
        if (s->column == 1 && !t->date_decided) {
            int64_t ns;
            t->date_decided = true;
            t->dated = wf_csv_date(text, &ns);
            c->cols = t->fields - t->dated;
        }
        if (s->column > t->fields) break;
        if (s->column == 1 && t->dated) {
            if (!wf_csv_date(text, &c->times_ns[c->rows])) return bad_field(s, text, "is no date");
            continue;
        }
        double *x = &c->values[c->rows * c->cols + s->column - 1 - t->dated];
        if (is_missing(text))
            *x = NAN;
        else if (!is_number(text, x))
            return bad_field(s, text, "is no finite number");
    }
    if (!s->record_ended || s->column != t->fields)
        return wf_fail(s->err, WF_EFORMAT, "line %td: %s%td fields, expected %td", s->line,
                       s->record_ended ? "" : "more than ", s->record_ended ? s->column : t->fields,
                       t->fields);
    c->rows++;
    return WF_OK;
}

/* Drops the times when the first column holds no dates, else the name of that column. */
static void settle(struct table *t)
{
    struct wf_csv *c = t->out;
    if (!t->dated) {
        wf_free(c->times_ns);
        c->times_ns = NULL;
    } else if (c->names.count) {
        wf_free(c->names.name[0]);
        c->names.count--;
        memmove(c->names.name, c->names.name + 1, (size_t)c->names.count * sizeof *c->names.name);
    }
}

static enum wf_status take_table(struct scan *s, struct table *t, enum wf_csv_header header)
{
    bool is_header = false;
    if (!more(s)) return wf_fail(s->err, WF_EFORMAT, "is empty, expected a table of numbers");
    WF_TRY(inspect(s, t, &is_header));
    if (header == WF_CSV_YES || (header == WF_CSV_AUTO && is_header)) WF_TRY(take_header(s, t));
    while (more(s)) {
        WF_TRY(grow(t, s->err));
        WF_TRY(take_record(s, t));
    }
    if (t->out->rows == 0) return wf_fail(s->err, WF_EFORMAT, "has a header but no rows");
    settle(t);
    return WF_OK;
}

enum wf_status wf_csv_parse(const void *bytes, size_t size, enum wf_csv_header header,
                            struct wf_csv *out, struct wf_error *err)
{
    struct table t = { .out = out };
    struct scan s = { 0 };
    char *copy;
    *out = (struct wf_csv){ 0 };
    WF_TRY(start(&s, bytes, size, &copy, err));
    enum wf_status rc = take_table(&s, &t, header);
    wf_free(copy);
    if (rc != WF_OK) wf_csv_free(out);
    return rc;
}

enum wf_status wf_csv_read(const char *path, enum wf_csv_header header, struct wf_csv *out,
                           struct wf_error *err)
{
    char *bytes;
    size_t size;
    *out = (struct wf_csv){ 0 };
    WF_TRY(wf_file_read(path, &bytes, &size, err));
    enum wf_status s = wf_csv_parse(bytes, size, header, out, err);
    wf_free(bytes);
    return wf_file_context(s, path, err);
}

/* ---- distances ---- */

struct place {
    const char *id;
    ptrdiff_t at;
};

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct place *)a)->id, ((const struct place *)b)->id);
}

static enum wf_status take_distances(struct scan *s, const struct place *place,
                                     struct wf_adjacency *g)
{
    for (ptrdiff_t record = 0; more(s); record++) {
        char *text[3];
        double d = 0;
        for (int i = 0; i < 3; i++) {
            WF_TRY(field(s, &text[i]));
            if (s->record_ended != (i == 2))
                return wf_fail(s->err, WF_EFORMAT, "line %td: expected from,to,distance", s->line);
            text[i] = trimmed(text[i]);
        }
        bool number = is_number(text[2], &d);
        if (!number && record == 0) continue;
        if (!number || d < 0) return bad_field(s, text[2], "is no distance");
        struct place *from =
            bsearch(&(struct place){ text[0], 0 }, place, (size_t)g->N, sizeof *place, by_id);
        struct place *to =
            bsearch(&(struct place){ text[1], 0 }, place, (size_t)g->N, sizeof *place, by_id);
        if (from && to) g->A[from->at * g->N + to->at] = (float)d;
    }
    return WF_OK;
}

/* Turns distances (infinite where there is none) into weights, in place. */
static enum wf_status gaussian(struct wf_adjacency *g, double threshold, struct wf_error *err)
{
    double sum = 0, squares = 0;
    ptrdiff_t n = 0, size = g->N * g->N;
    for (ptrdiff_t i = 0; i < size; i++)
        if (isfinite(g->A[i])) {
            sum += (double)g->A[i];
            n++;
        }
    for (ptrdiff_t i = 0; i < size; i++)
        if (isfinite(g->A[i])) {
            double d = (double)g->A[i] - sum / (double)n;
            squares += d * d;
        }
    double sigma = n ? sqrt(squares / (double)n) : 0;
    if (!(sigma > 0))
        return wf_fail(err, WF_EFORMAT,
                       "%td distances between the %td nodes, of spread %g; the "
                       "kernel has no width",
                       n, g->N, sigma);
    for (ptrdiff_t i = 0; i < size; i++) {
        double r = (double)g->A[i] / sigma, w = exp(-r * r);
        g->A[i] = w < threshold ? 0 : (float)w;
    }
    return WF_OK;
}

/* Copies the names, sorts the places by them, and makes a matrix without distances. */
static enum wf_status prepare(struct wf_adjacency *g, const struct wf_names *ids,
                              struct place *place, struct wf_error *err)
{
    struct wf_array a;
    WF_TRY(wf_names_alloc(&g->ids, ids->count, err));
    for (ptrdiff_t i = 0; i < ids->count; i++) {
        WF_TRY(wf_names_set(&g->ids, i, ids->name[i], strlen(ids->name[i]), err));
        place[i] = (struct place){ g->ids.name[i], i };
    }
    qsort(place, (size_t)ids->count, sizeof *place, by_id);
    for (ptrdiff_t i = 1; i < ids->count; i++)
        if (by_id(&place[i - 1], &place[i]) == 0)
            return wf_fail(err, WF_EINVAL, "node id '%.60s' is given twice", place[i].id);
    WF_TRY(wf_array_alloc(&a, WF_F32, 2, (ptrdiff_t[]){ ids->count, ids->count }, err));
    g->N = ids->count;
    g->A = a.f32;
    for (ptrdiff_t i = 0; i < a.count; i++) g->A[i] = INFINITY;
    return WF_OK;
}

enum wf_status wf_csv_adjacency_parse(const void *bytes, size_t size, const struct wf_names *ids,
                                      double threshold, struct wf_adjacency *out,
                                      struct wf_error *err)
{
    struct scan s = { 0 };
    char *copy;
    *out = (struct wf_adjacency){ 0 };
    WF_TRY(start(&s, bytes, size, &copy, err));
    struct place *place = wf_calloc((size_t)ids->count, sizeof *place);
    enum wf_status rc = WF_OK;
    if (!place) rc = wf_fail(err, WF_ENOMEM, "no memory for %td nodes", ids->count);
    if (rc == WF_OK) rc = prepare(out, ids, place, err);
    if (rc == WF_OK) rc = take_distances(&s, place, out);
    if (rc == WF_OK) rc = gaussian(out, threshold, err);
    wf_free(place);
    wf_free(copy);
    if (rc != WF_OK) wf_adjacency_free(out);
    return rc;
}

enum wf_status wf_csv_adjacency(const char *path, const struct wf_names *ids, double threshold,
                                struct wf_adjacency *out, struct wf_error *err)
{
    char *bytes;
    size_t size;
    *out = (struct wf_adjacency){ 0 };
    WF_TRY(wf_file_read(path, &bytes, &size, err));
    enum wf_status s = wf_csv_adjacency_parse(bytes, size, ids, threshold, out, err);
    wf_free(bytes);
    return wf_file_context(s, path, err);
}
