/* tensor.h - strided arrays and views of them, in the memory of a backend.
 *
 * A tensor never owns memory: parameters own theirs in nn/params.h, a persistent array in
 * wf_tensor_alloc(), everything an op returns lives in the step arena of its tape. This header
 * knows nothing of gradients but the two fields that autograd fills. Layout everywhere: channels
 * last, [B, T, N, C]. */
#ifndef WF_TENSOR_H
#define WF_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tensor/real.h"
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_MAXDIM = 6 };

struct wf_backend;

struct wf_tensor {
    wf_real *data; /* host or device; never moves */
    struct wf_backend *be;
    int ndim;
    int shape[WF_MAXDIM];
    ptrdiff_t stride[WF_MAXDIM]; /* in elements; 0 on a broadcast axis */
    struct wf_tensor *base;      /* the tensor this is a view of; NULL when it is none */
    struct wf_tensor *grad;      /* NULL until needed */
    bool needs_grad;
    bool fresh;                  /* this is a gradient that holds garbage, see wf_grad_claim() */
    struct wf_tensor *untouched; /* the part of a gradient that holds garbage and that nobody has
                                  * asked for yet; NULL: there is none */
};

/* A shape as an argument: wf_zeros(g, 3, wf_dims(B, N, C)). */
#define wf_dims(...) ((const int[]){ __VA_ARGS__ })

/* Fills ndim, shape and row-major strides; leaves the other fields alone. */
void wf_tensor_shape(struct wf_tensor *t, int ndim, const int *shape);

ptrdiff_t wf_tensor_count(const struct wf_tensor *t); /* elements; a broadcast axis counts whole */
bool wf_tensor_contiguous(const struct wf_tensor *t);
bool wf_tensor_same_shape(const struct wf_tensor *a, const struct wf_tensor *b);

/* Returns whether to add to the gradient d. If d is fresh (it holds garbage), returns false and
 * marks d written: the caller must overwrite every element. True where d is NULL. */
bool wf_grad_claim(struct wf_tensor *d);

/* Writes the shape as "[2, 3, 4]" into text, for messages, and returns text. */
enum { WF_SHAPE_TEXT = 80 };
const char *wf_tensor_shape_text(const struct wf_tensor *t, char text[WF_SHAPE_TEXT]);

/* Views: shallow copies with other shape and strides, base set to x. The caller guarantees that the
 * axis and the range are inside x. axis is 0 .. ndim-1. */
struct wf_tensor wf_view_slice(struct wf_tensor *x, int axis, int from, int to);
struct wf_tensor wf_view_select(struct wf_tensor *x, int axis, int i);
struct wf_tensor wf_view_permute(struct wf_tensor *x, const int *axes);

/* Makes `view` a view of x with another shape, without moving data; returns false when the strides
 * of x do not allow it. */
bool wf_view_reshape(struct wf_tensor *view, struct wf_tensor *x, int ndim, const int *shape);

/* Makes `view` a view of x with the given shape, by NumPy's broadcasting rule; returns false when
 * x does not broadcast to it. */
bool wf_view_broadcast(struct wf_tensor *view, const struct wf_tensor *x, int ndim,
                       const int *shape);

/* Makes t a row-major array of zeros that lives until the caller frees it with wf_tensor_free();
 * WF_ENOMEM without memory. */
enum wf_status wf_tensor_alloc(struct wf_tensor *t, struct wf_backend *be, int ndim,
                               const int *shape, struct wf_error *err);
void wf_tensor_free(struct wf_tensor *t);

/* Whole-tensor transfers between host memory (row-major, wf_tensor_count elements) and t, which
 * must be contiguous. */
enum wf_status wf_tensor_upload(struct wf_tensor *t, const wf_real *host);
enum wf_status wf_tensor_download(const struct wf_tensor *t, wf_real *host);

#ifdef __cplusplus
}
#endif
#endif
