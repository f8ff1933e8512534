/* config.h - one table describes the fields of a configuration struct; from it come the command
 * line, the help text, the print-out at start and the text inside a checkpoint.
 *
 * As text, settings are lines "name=value". Does not read a command line itself, and owns no
 * memory: whoever has the struct and the text frees them. */
#ifndef WF_CONFIG_H
#define WF_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_field_type {
    WF_FIELD_INT,    /* int */
    WF_FIELD_SEED,   /* uint64_t */
    WF_FIELD_DOUBLE, /* double */
    WF_FIELD_BOOL,   /* bool; True, False, true, false, yes, no, 1, 0 */
    WF_FIELD_ENUM,   /* an enum counting from 0; names[] ends with NULL */
    WF_FIELD_TEXT,   /* char[WF_CONFIG_TEXT] */
    WF_FIELD_INTS    /* struct wf_ints: "20,30,40" */
};
enum {
    WF_CONFIG_TEXT = 256, /* bytes of a field of text, its NUL included */
    WF_CONFIG_INTS = 16   /* most integers of a list */
};

struct wf_ints {
    int n, v[WF_CONFIG_INTS];
};

struct wf_field {
    const char *name; /* "batch-size", of the option --batch-size */
    enum wf_field_type type;
    size_t offset;
    double min, max;          /* bounds of numbers */
    const char *const *names; /* words of an enum, ended by NULL */
    const char *help;         /* one line that can be understood alone */
};

/* One row of such a table: the option `name` sets a member of `struct of`. kind: INT, SEED, DOUBLE,
 * BOOL, ENUM, TEXT or INTS. */
#define WF_FIELD(of, name, kind, member, min, max, names, help)                                    \
    {                                                                                              \
        name, WF_FIELD_##kind, offsetof(struct of, member), min, max, names, help                  \
    }

/* A configuration: its fields (ended by a NULL name) and where the struct is. */
struct wf_config {
    const struct wf_field *fields;
    void *at;
    const char *title;
};

/* Finds the field called name in n configurations. *owner gets the struct that it belongs to. NULL:
 * there is no such field. */
const struct wf_field *wf_config_find(const struct wf_config *c, int n, const char *name,
                                      void **owner);

/* Sets the field called name from text. WF_EINVAL: there is no such field, or it does not accept
 * the text; the message names the field, the text and what is accepted. */
enum wf_status wf_config_set(const struct wf_config *c, int n, const char *name, const char *text,
                             struct wf_error *err);

enum { WF_VALUE_TEXT = 320 }; /* bytes of any value as text */
/* Writes the value of field f of the struct `at` as text that wf_config_set accepts. Returns
 * text. */
const char *wf_config_value(const struct wf_field *f, const void *at, char text[WF_VALUE_TEXT]);

/* Prints all fields to out as lines "name=value". */
void wf_config_print(const struct wf_config *c, int n, FILE *out);

/* One setting in a text of settings: lines "name=value", as wf_config_print writes them. The
 * pointers point into the text, which must outlive the setting. */
struct wf_setting {
    const char *name;  /* where the line begins */
    const char *value; /* it goes on to the end of the line; NULL: the line has no '=' */
    size_t name_length, value_length, line_length; /* bytes; the line's without its newline */
};

/* Takes the next setting out of a text: *at is the text at first, and then where the next line
 * begins. Passes over empty lines and those that begin with #. False: there are no more. */
bool wf_setting_next(const char **at, struct wf_setting *s);

/* Whether the setting gives `name` a value. */
bool wf_setting_sets(const struct wf_setting *s, const char *name);

/* Finds the last line of a text that gives `name` a value, which is the one that holds. False:
 * there is none. */
bool wf_setting_find(const char *lines, const char *name, struct wf_setting *s);

/* Copies the value into text[size] and ends it with a NUL. WF_EINVAL: the setting has no value, or
 * one that does not fit. */
enum wf_status wf_setting_copy(const struct wf_setting *s, char *text, size_t size,
                               struct wf_error *err);

/* Sets every field that a text of settings names. WF_EINVAL: a name that no field has, a value that
 * its field does not accept; WF_EFORMAT: a line that is no setting or is too long. Fields set
 * before the error keep their new values. */
enum wf_status wf_config_parse(const struct wf_config *c, int n, const char *lines,
                               struct wf_error *err);

/* Prints the help: every option with its meaning and present value, grouped by title. */
void wf_config_help(const struct wf_config *c, int n, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
