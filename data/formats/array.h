/* array.h - what the file readers hand back: one dense array of numbers, or one list of texts.
 *
 * Plain host memory, row-major, independent of tensors. The reader fills it, the caller frees it
 * with wf_array_free or wf_names_free, which also accept a zeroed struct. */
#ifndef WF_ARRAY_H
#define WF_ARRAY_H

#include <stddef.h>
#include <stdint.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WF_ARRAY_MAXDIM 8

enum wf_elem { WF_F32, WF_F64, WF_I64 };

struct wf_array {
    enum wf_elem elem;
    int ndim; /* 0: one number */
    ptrdiff_t dim[WF_ARRAY_MAXDIM];
    ptrdiff_t count; /* product of dim */
    union {
        void *data;
        float *f32;
        double *f64;
        int64_t *i64;
    };
};

struct wf_names {
    ptrdiff_t count;
    char **name; /* UTF-8, each ends in a NUL */
};

/* Returns the bytes of an element. */
size_t wf_elem_size(enum wf_elem elem);

/* Sets the shape and allocates count elements, zeroed. WF_EINVAL: a bad rank or dimension, or more
 * bytes than a ptrdiff_t counts; WF_ENOMEM. On failure *a is all zero. */
enum wf_status wf_array_alloc(struct wf_array *a, enum wf_elem elem, int ndim, const ptrdiff_t *dim,
                              struct wf_error *err);
void wf_array_free(struct wf_array *a);

/* Writes a shape as "[2, 3]" into text of the given size, cut short where it does not fit. */
const char *wf_array_shape(char *text, size_t size, int ndim, const ptrdiff_t *dim);

/* Makes a list of count empty places; wf_names_set copies len bytes of text into place i, instead
 * of what stood there. WF_ENOMEM. */
enum wf_status wf_names_alloc(struct wf_names *n, ptrdiff_t count, struct wf_error *err);
enum wf_status wf_names_set(struct wf_names *n, ptrdiff_t i, const char *text, size_t len,
                            struct wf_error *err);
void wf_names_free(struct wf_names *n);

#ifdef __cplusplus
}
#endif
#endif
