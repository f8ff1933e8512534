/* numpy_private.h - numpy's element types and the conversion of its raw data, for the readers of
 * .npy files and pickles. */
#ifndef WF_NUMPY_PRIVATE_H
#define WF_NUMPY_PRIVATE_H

#include <stdbool.h>
#include "data/formats/array.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_numpy_type {
    char kind;   /* 'f', 'i', 'u', 'b' (bool), 'U' (UCS-4 text), 'S' (bytes) */
    bool big;    /* big endian */
    size_t size; /* bytes of an element */
};

/* Reads a type from "<f4", "|b1", "f8", ">U6" and the like; false for any other type. */
bool wf_numpy_type_parse(struct wf_numpy_type *t, const char *text, size_t len);
bool wf_numpy_is_number(const struct wf_numpy_type *t);

/* Returns a number of any type as a double. */
double wf_numpy_double(const struct wf_numpy_type *t, const unsigned char *item);

/* Fills a (allocated, of the right shape) from raw data in row-major or Fortran order, whose length
 * the caller has checked. WF_EFORMAT: a type that a->elem cannot hold. */
enum wf_status wf_numpy_convert(const struct wf_numpy_type *t, const unsigned char *raw,
                                bool fortran, struct wf_array *a, struct wf_error *err);

/* Copies one text as UTF-8 into place i of n. */
enum wf_status wf_numpy_text(const struct wf_numpy_type *t, const unsigned char *item,
                             struct wf_names *n, ptrdiff_t i, struct wf_error *err);

/* Writes code point c into p (4 bytes of room) and returns its length; what is no code point
 * becomes U+FFFD. */
size_t wf_utf8(char *p, uint32_t c);

#ifdef __cplusplus
}
#endif
#endif
