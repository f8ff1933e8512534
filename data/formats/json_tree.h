/* json_tree.h - JSON as a tree that is little larger than its numbers in binary.
 *
 * The text comes as a stream and is not kept. A list of numbers and nulls alone is one vector: of
 * floats where no value is an integer beyond them, so that node numbers and counts stay exact, else
 * of doubles. Order and duplicates of keys are kept. Free with wf_json_tree_free. */
#ifndef WF_JSON_TREE_H
#define WF_JSON_TREE_H

#include <stddef.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_json_kind {
    WF_JSON_NULL,
    WF_JSON_BOOL,
    WF_JSON_NUMBER,
    WF_JSON_TEXT,
    WF_JSON_LIST,
    WF_JSON_OBJECT
};

/* How the items of a list are kept; members of objects are values. */
enum wf_json_store {
    WF_JSON_VALUES, /* as struct wf_json */
    WF_JSON_FLOATS, /* numbers and nulls alone */
    WF_JSON_DOUBLES /* the same, where a float could not tell them exactly enough */
};

struct wf_json {
    enum wf_json_kind kind;
    enum wf_json_store store; /* how a list is kept */
    ptrdiff_t count;          /* items of a list, members of an object; else 0 */
    const char *key;          /* key of a member; NULL for what is no member */
    union {
        double number; /* infinite where the text exceeds a double */
        const char *text;
        const struct wf_json *value; /* [count] */
        const float *floats;         /* [count]; NaN for null */
        const double *doubles;       /* [count]; NaN for null */
    };
};

struct wf_json_tree {
    struct wf_json root;
    size_t size; /* bytes of the text, which cannot hold more numbers than that */
    struct wf_json_block *blocks;
};

/* Reads a file, or the bytes of one. WF_EFORMAT where the text is no JSON, nests deeper than 64, or
 * holds a key, text or number beyond what a data set needs (texts with NUL, numbers of 512
 * characters, 16 MiB without a value). */
enum wf_status wf_json_tree_read(struct wf_json_tree *t, const char *path, struct wf_error *err);
enum wf_status wf_json_tree_parse(struct wf_json_tree *t, const void *bytes, size_t size,
                                  struct wf_error *err);
void wf_json_tree_free(struct wf_json_tree *t);

/* Returns the first member of that key; NULL where there is none, or v is NULL or no object. */
const struct wf_json *wf_json_get(const struct wf_json *v, const char *key);

/* Returns item or member i of v, 0 <= i < v->count. */
struct wf_json wf_json_at(const struct wf_json *v, ptrdiff_t i);

#ifdef __cplusplus
}
#endif
#endif
