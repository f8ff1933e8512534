/* pickle_vm_private.h - the stack machine under pickle.c, which turns a pickle's bytes into a table
 * of values.
 *
 * Private to the pickle reader. Values refer to each other by their index in the table; texts lie
 * in the pickle's bytes or in a buffer of their own. */
#ifndef WF_PICKLE_VM_PRIVATE_H
#define WF_PICKLE_VM_PRIVATE_H

#include <stdbool.h>
#include "data/formats/numpy_private.h"

enum wf_pk_kind {
    WF_PK_NONE,
    WF_PK_BOOL,
    WF_PK_INT,
    WF_PK_FLOAT,
    WF_PK_TEXT, /* str, bytes and unicode alike */
    WF_PK_LIST,
    WF_PK_TUPLE,
    WF_PK_DICT,   /* items: key, value, key, value, .. */
    WF_PK_GLOBAL, /* integer: which of the known names it is */
    WF_PK_DTYPE,
    WF_PK_ARRAY, /* items: shape, then the text with the data, once they are known */
    WF_PK_MARK
};

struct wf_pk_value {
    enum wf_pk_kind kind;
    bool owned;   /* TEXT: the text is ours to free, not in the pickle's bytes */
    bool fortran; /* ARRAY */
    union {
        int64_t integer; /* BOOL, INT, GLOBAL */
        double real;     /* FLOAT */
        size_t len;      /* TEXT */
    };
    union {
        char *text;    /* TEXT */
        int32_t *item; /* LIST, TUPLE, DICT, ARRAY */
    };
    int32_t count, room;       /* items there are, and for which there is memory */
    struct wf_numpy_type type; /* DTYPE, ARRAY */
};

/* A pickle that is being run. */
struct wf_pickle {
    const unsigned char *at, *begin, *end; /* its bytes, and the next one */
    struct wf_pk_value *value;             /* the table of all values */
    int32_t count, room;
    int32_t *stack; /* indices of values */
    int32_t depth, stack_room;
    int32_t *memo; /* by key the index of a value, or -1 */
    int32_t memo_room, memo_count;
    struct wf_error *err;
};

/* Runs the whole pickle; *root is the index of its object. Call wf_pk_free in every case. */
enum wf_status wf_pk_run(struct wf_pickle *p, const void *bytes, size_t size, int32_t *root,
                         struct wf_error *err);
void wf_pk_free(struct wf_pickle *p);

/* ---- building blocks for what GLOBAL, REDUCE and BUILD mean ---- */

/* Appends an empty value to the table. */
enum wf_status wf_pk_new(struct wf_pickle *p, enum wf_pk_kind kind, int32_t *index);
/* Appends an item to a list, tuple, dict or array. */
enum wf_status wf_pk_add(struct wf_pickle *p, int32_t container, int32_t item);
/* Fails with WF_EFORMAT, saying what is wrong and at which byte. */
enum wf_status wf_pk_bad(struct wf_pickle *p, const char *what);

/* ---- these meanings, in pickle_numpy.c ---- */

/* Looks up a name that the pickle may call. */
enum wf_status wf_pk_global(struct wf_pickle *p, const char *module, size_t module_len,
                            const char *name, size_t name_len, int32_t *index);
/* Calls it with a tuple of arguments. */
enum wf_status wf_pk_reduce(struct wf_pickle *p, int32_t callee, int32_t args, int32_t *result);
/* Sets the state of an object. */
enum wf_status wf_pk_build(struct wf_pickle *p, int32_t object, int32_t state);

#endif
