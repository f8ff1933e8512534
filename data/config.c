#include "data/config.h"
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const struct wf_field *wf_config_find(const struct wf_config *c, int n, const char *name,
                                      void **owner)
{
    for (int i = 0; i < n; i++)
        for (const struct wf_field *f = c[i].fields; f->name; f++)
            if (strcmp(f->name, name) == 0) {
                *owner = c[i].at;
                return f;
            }
    return NULL;
}

static enum wf_status set_number(const struct wf_field *f, void *p, const char *text,
                                 struct wf_error *err)
{
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    bool whole = f->type == WF_FIELD_DOUBLE || v == floor(v);
    if (end == text || *end || errno || !(v >= f->min && v <= f->max) || !whole)
        return wf_fail(err, WF_EINVAL, "--%s %s: want %s from %g to %g", f->name, text,
                       f->type == WF_FIELD_DOUBLE ? "a number" : "an integer", f->min, f->max);
    if (f->type == WF_FIELD_DOUBLE)
        *(double *)p = v;
    else
        *(int *)p = (int)v;
    return WF_OK;
}

static enum wf_status set_seed(const struct wf_field *f, void *p, const char *text,
                               struct wf_error *err)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (end == text || *end || errno || text[0] == '-')
        return wf_fail(err, WF_EINVAL, "--%s %s: want an integer >= 0", f->name, text);
    *(uint64_t *)p = v;
    return WF_OK;
}

static enum wf_status set_bool(const struct wf_field *f, void *p, const char *text,
                               struct wf_error *err)
{
    static const char *const yes[] = { "True", "true", "yes", "1" };
    static const char *const no[] = { "False", "false", "no", "0" };
    for (int i = 0; i < 4; i++)
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *(bool *)p = strcmp(text, yes[i]) == 0;
            return WF_OK;
        }
    return wf_fail(err, WF_EINVAL, "--%s %s: want True or False", f->name, text);
}

static enum wf_status set_enum(const struct wf_field *f, void *p, const char *text,
                               struct wf_error *err)
{
    char known[200] = "";
    for (int i = 0; f->names[i]; i++) {
        if (strcmp(text, f->names[i]) == 0) {
            *(int *)p = i;
            return WF_OK;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", f->names[i]);
    }
    return wf_fail(err, WF_EINVAL, "--%s %s: want one of %s", f->name, text, known);
}

static enum wf_status set_ints(const struct wf_field *f, void *p, const char *text,
                               struct wf_error *err)
{
    struct wf_ints list = { 0 };
    for (const char *at = text; *at;) {
        char *end;
        long v = strtol(at, &end, 10);
        if (end == at || (*end && *end != ',') || list.n == WF_CONFIG_INTS || v < f->min ||
            v > f->max)
            return wf_fail(err, WF_EINVAL,
                           "--%s %s: want up to %d integers from %g to %g, separated by commas",
                           f->name, text, WF_CONFIG_INTS, f->min, f->max);
        list.v[list.n++] = (int)v;
        at = *end ? end + 1 : end;
    }
    *(struct wf_ints *)p = list;
    return WF_OK;
}

enum wf_status wf_config_set(const struct wf_config *c, int n, const char *name, const char *text,
                             struct wf_error *err)
{
    void *owner;
    const struct wf_field *f = wf_config_find(c, n, name, &owner);
    if (!f) return wf_fail(err, WF_EINVAL, "unknown option --%s", name);
    void *p = (char *)owner + f->offset;
    switch (f->type) {
    case WF_FIELD_INT:
    case WF_FIELD_DOUBLE:
        return set_number(f, p, text, err);
    case WF_FIELD_SEED:
        return set_seed(f, p, text, err);
    case WF_FIELD_BOOL:
        return set_bool(f, p, text, err);
    case WF_FIELD_ENUM:
        return set_enum(f, p, text, err);
    case WF_FIELD_INTS:
        return set_ints(f, p, text, err);
    case WF_FIELD_TEXT:
        break;
    }
    if (strlen(text) >= WF_CONFIG_TEXT || strchr(text, '\n'))
        return wf_fail(err, WF_EINVAL, "--%s: want one line of at most %d characters", f->name,
                       WF_CONFIG_TEXT - 1);
    strcpy(p, text);
    return WF_OK;
}

const char *wf_config_value(const struct wf_field *f, const void *at, char text[WF_VALUE_TEXT])
{
    const void *p = (const char *)at + f->offset;
    size_t size = WF_VALUE_TEXT;
    switch (f->type) {
    case WF_FIELD_INT:
        snprintf(text, size, "%d", *(const int *)p);
        break;
    case WF_FIELD_SEED:
        snprintf(text, size, "%llu", (unsigned long long)*(const uint64_t *)p);
        break;
    case WF_FIELD_DOUBLE:
        snprintf(text, size, "%.17g", *(const double *)p);
        if (strtod(text, NULL) == *(const double *)p) {
            char brief[40];
            snprintf(brief, sizeof brief, "%g", *(const double *)p);
            if (strtod(brief, NULL) == *(const double *)p) snprintf(text, size, "%s", brief);
        }
        break;
    case WF_FIELD_BOOL:
        snprintf(text, size, "%s", *(const bool *)p ? "True" : "False");
        break;
    case WF_FIELD_ENUM:
        snprintf(text, size, "%s", f->names[*(const int *)p]);
        break;
    case WF_FIELD_TEXT:
        snprintf(text, size, "%s", (const char *)p);
        break;
    case WF_FIELD_INTS: {
        const struct wf_ints *list = p;
        size_t used = 0;
        text[0] = 0;
        for (int i = 0; i < list->n && used < size; i++)
            used += (size_t)snprintf(text + used, size - used, "%s%d", i ? "," : "", list->v[i]);
        break;
    }
    }
    return text;
}

void wf_config_print(const struct wf_config *c, int n, FILE *out)
{
    char text[WF_VALUE_TEXT];
    for (int i = 0; i < n; i++)
        for (const struct wf_field *f = c[i].fields; f->name; f++)
            fprintf(out, "%s=%s\n", f->name, wf_config_value(f, c[i].at, text));
}

bool wf_setting_next(const char **at, struct wf_setting *s)
{
    for (const char *line = *at; *line;) {
        size_t all = strcspn(line, "\n"), name = strcspn(line, "=\n");
        const char *next = line + all + (line[all] == '\n');
        if (all == 0 || *line == '#') {
            line = next;
            continue;
        }
        *s = (struct wf_setting){ .name = line, .name_length = name, .line_length = all };
        if (name < all) {
            s->value = line + name + 1;
            s->value_length = all - name - 1;
        }
        *at = next;
        return true;
    }
    return false;
}

bool wf_setting_sets(const struct wf_setting *s, const char *name)
{
    return s->value && strlen(name) == s->name_length && memcmp(s->name, name, s->name_length) == 0;
}

bool wf_setting_find(const char *lines, const char *name, struct wf_setting *s)
{
    struct wf_setting at;
    bool found = false;
    while (wf_setting_next(&lines, &at)) {
        if (!wf_setting_sets(&at, name)) continue;
        *s = at;
        found = true;
    }
    return found;
}

enum wf_status wf_setting_copy(const struct wf_setting *s, char *text, size_t size,
                               struct wf_error *err)
{
    if (!s->value || s->value_length >= size)
        return wf_fail(err, WF_EINVAL, "--%.*s: want one line of at most %zu characters",
                       (int)(s->name_length < 60 ? s->name_length : 60), s->name, size - 1);
    memcpy(text, s->value, s->value_length);
    text[s->value_length] = 0;
    return WF_OK;
}

enum wf_status wf_config_parse(const struct wf_config *c, int n, const char *lines,
                               struct wf_error *err)
{
    struct wf_setting s;
    while (wf_setting_next(&lines, &s)) {
        char name[64], value[WF_VALUE_TEXT];
        if (!s.value || s.name_length >= sizeof name || s.value_length >= sizeof value)
            return wf_fail(err, WF_EFORMAT, "configuration line '%.*s': want name=value",
                           (int)(s.line_length < 60 ? s.line_length : 60), s.name);
        memcpy(name, s.name, s.name_length);
        name[s.name_length] = 0;
        WF_TRY(wf_setting_copy(&s, value, sizeof value, err));
        WF_TRY(wf_config_set(c, n, name, value, err));
    }
    return WF_OK;
}

void wf_config_help(const struct wf_config *c, int n, FILE *out)
{
    char text[WF_VALUE_TEXT];
    for (int i = 0; i < n; i++) {
        fprintf(out, "\n%s\n", c[i].title);
        for (const struct wf_field *f = c[i].fields; f->name; f++) {
            fprintf(out, "  --%-20s %s", f->name, f->help);
            for (int k = 0; f->type == WF_FIELD_ENUM && f->names[k]; k++)
                fprintf(out, "%s%s", k ? ", " : ": ", f->names[k]);
            wf_config_value(f, c[i].at, text);
            fprintf(out, text[0] ? " [%s]\n" : "\n", text);
        }
    }
}
