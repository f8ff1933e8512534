/* tape.h - define-by-run reverse mode.
 *
 * An op (autograd/ops.h) runs its kernel at once, returns a tensor in the step arena and, when an
 * input needs a gradient, appends a node. wf_tape_backward() walks the nodes from last to first and
 * adds every node's contribution to the gradients of its inputs (vector-Jacobian products).
 *
 * Errors stick: the first op that fails writes its name and the shapes into the tape and returns a
 * poison tensor (no axes, no data); every later op does nothing. Write a whole step without checks
 * and look at g->error.status once.
 *
 * wf_tape_reset() gives back everything the step allocated; no tensor of a step is freed by hand.
 */
#ifndef WF_TAPE_H
#define WF_TAPE_H

#include "tensor/arena.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_MAXIN = 12 };

struct wf_tape;
struct wf_node;

struct wf_op {
    const char *name;
    void (*vjp)(struct wf_tape *g, const struct wf_node *n); /* adds to the inputs' gradients */
};

struct wf_node {
    const struct wf_op *op;
    struct wf_tensor *out, *in[WF_MAXIN];
    const void *ptr; /* the op's constant: a pattern, supports, an index list */
    int i[4];        /* the op's integers */
    double r[2];     /* the op's reals */
};

struct wf_tape {
    struct wf_backend *be;
    struct wf_arena mem;               /* tensor data: backend memory */
    struct wf_arena host;              /* wf_tape_host(); empty until somebody asks for it */
    struct wf_chunks *nodes, *tensors; /* on the host; addresses stay as the arrays grow */
    struct wf_chunks *unused;          /* gradient memory given back during the reverse sweep */
    struct wf_step *step;              /* seed, step number, rates; backend memory */
    struct wf_tensor *fresh[WF_MAXIN]; /* gradients that the vjp at hand was given fresh */
    int fresh_count;
    uint32_t stream;       /* the random op's number within the step */
    bool training;         /* dropout and sampling are on */
    bool recording;        /* nodes are appended; off for inference */
    struct wf_error error; /* sticks until the tape is reset */
    struct wf_tensor poison;
};

/* Makes a tape that is training and recording, with seed 0 and step 0. Free it with wf_tape_free().
 */
enum wf_status wf_tape_init(struct wf_tape *g, struct wf_backend *be, struct wf_error *err);
void wf_tape_free(struct wf_tape *g);

/* Starts a step: forgets every tensor and node and the error, and keeps the memory. */
void wf_tape_reset(struct wf_tape *g);

/* Writes seed, step number, learning rate and sampling rate for the kernels of the coming step. */
void wf_tape_set_step(struct wf_tape *g, const struct wf_step *step);

/* Computes the gradients of everything that `loss` (one element) depends on. The gradient of a
 * parameter is added to what its gradient block holds. */
void wf_tape_backward(struct wf_tape *g, struct wf_tensor *loss);

/* Returns how many nodes the step has appended. */
ptrdiff_t wf_tape_node_count(const struct wf_tape *g);

/* Does the reverse sweep alone, after the caller has filled wf_tape_grad() of the outputs. */
void wf_tape_sweep(struct wf_tape *g);

/* While not recording: everything allocated after a mark can be given back, keeping only
 * keep[0..n), which move down; so a forecast needs the memory of one time step. */
struct wf_mark {
    size_t used;
    ptrdiff_t tensors;
};
struct wf_mark wf_tape_mark(const struct wf_tape *g);
enum { WF_MAXKEEP = 512 };
void wf_tape_release(struct wf_tape *g, struct wf_mark mark, struct wf_tensor **keep, int n);

/* ---- for authors of ops ---- */

/* Returns a new row-major tensor in the step arena, uninitialised. */
struct wf_tensor *wf_tape_new(struct wf_tape *g, int ndim, const int *shape);

/* Returns a new tensor that is a copy of the struct `view`. */
struct wf_tensor *wf_tape_view(struct wf_tape *g, struct wf_tensor view);

/* Returns memory on the host, uninitialised, that is valid until the tape is reset; so the constant
 * of a node may lie in it. NULL after an error, and without memory, which fails the tape. */
void *wf_tape_host(struct wf_tape *g, size_t bytes);

/* Appends the node if one of its inputs needs a gradient; returns n.out. */
struct wf_tensor *wf_tape_record(struct wf_tape *g, struct wf_node n);

/* Returns the gradient of t, zero at first use; for a view, the same view of the gradient of its
 * base. NULL when t needs none or after an error. */
struct wf_tensor *wf_tape_grad(struct wf_tape *g, struct wf_tensor *t);

/* As wf_tape_grad(), but skips the zero fill: at first use the memory holds garbage. Use it only if
 * you write all of it before anything reads it, by kernels marked `fresh` in tensor/kernels.def or
 * by passing wf_grad_claim() of it on as `add` or beta. The tape fills what you leave unwritten
 * with zeros, and what you ask for twice. If in doubt, use wf_tape_grad(). */
struct wf_tensor *wf_tape_grad_fresh(struct wf_tape *g, struct wf_tensor *t);

/* Records the first error, returns the poison tensor. */
struct wf_tensor *wf_tape_fail(struct wf_tape *g, enum wf_status s, const char *fmt, ...)
    WF_PRINTF(3, 4);

/* Returns temporary memory for one vjp, which gives it back with wf_tape_drop(). */
struct wf_tensor *wf_tape_temp(struct wf_tape *g, int ndim, const int *shape);
void wf_tape_drop(struct wf_tape *g, struct wf_tensor *t);

/* Runs a kernel unless the tape has failed; a failure becomes the tape's. */
#define WF_RUN(g, call)                                                                            \
    do {                                                                                           \
        if ((g)->error.status == WF_OK) {                                                          \
            enum wf_status wf_run_ = (call);                                                       \
            if (wf_run_ != WF_OK)                                                                  \
                wf_tape_fail((g), wf_run_, "%s: %s: %s", __func__, #call,                          \
                             wf_run_ == WF_EDEVICE && (g)->be->reason[0]                           \
                                 ? (g)->be->reason                                                 \
                                 : wf_status_text(wf_run_));                                       \
        }                                                                                          \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
