/* params.h - the parameters of a model: one block of values, one of gradients.
 *
 * Layers declare named parameters and state slots; wf_params_commit() then allocates one block for
 * all values, one for all gradients, one for the state, and fills them. Optimizers, clipping,
 * checkpoints and all-reduce work on the blocks. The initial values of a parameter depend on (seed,
 * name) alone, not on the order of declaration. Declaration errors stick, as on a tape, and are
 * returned by wf_params_commit(). */
#ifndef WF_PARAMS_H
#define WF_PARAMS_H

#include "tensor/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_init_kind {
    WF_INIT_CONSTANT,        /* gain is the value */
    WF_INIT_XAVIER_UNIFORM,  /* U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio
                                2010) */
    WF_INIT_XAVIER_NORMAL,   /* N(0, s^2), s = gain sqrt(2 / (fan_in + fan_out)) */
    WF_INIT_KAIMING_UNIFORM, /* U(-a, a), a = gain sqrt(3 / fan_in); gain 1/sqrt(3): PyTorch's
                                linear */
    WF_INIT_UNIFORM,         /* U(-gain, gain) */
    WF_INIT_NORMAL           /* N(0, gain^2) */
};
struct wf_init {
    enum wf_init_kind kind;
    double gain;
    int fan_in, fan_out; /* 0: the first and the last axis */
};

struct wf_param {
    char *name;
    struct wf_tensor value; /* needs_grad; value.grad = &grad */
    struct wf_tensor grad;
    struct wf_init init;
    bool state; /* changed by a step, read by the next; no gradient, never optimised */
};

struct wf_params {
    struct wf_backend *be;
    int count, capacity;          /* parameters and state slots, in the order of declaration */
    struct wf_param **param;      /* stable addresses */
    struct wf_tensor value, grad; /* blocks [P]; a parameter starts at a multiple of 64 bytes, */
    struct wf_tensor state;       /* block [S]    what lies between them is and stays zero */
    struct wf_tensor poison;      /* [0], what a failed declaration returns */
    struct wf_error error;        /* the first failed declaration */
};

void wf_params_init(struct wf_params *ps, struct wf_backend *be);
void wf_params_free(struct wf_params *ps);

/* Declares a parameter or a state slot and returns its tensor, whose data appear at commit. Names
 * are unique paths of at most 126 printable ASCII characters without '/': "encoder.0.gates.weight".
 * Every axis has size 1 or more; no axis at all is a single number. */
struct wf_tensor *wf_params_add(struct wf_params *ps, const char *name, int ndim, const int *shape,
                                struct wf_init init);
struct wf_tensor *wf_params_add_state(struct wf_params *ps, const char *name, int ndim,
                                      const int *shape, double value);

/* For a layer whose sizes do not fit: WF_EINVAL, unless a declaration has failed before. */
void wf_params_refuse(struct wf_params *ps, const char *fmt, ...) WF_PRINTF(2, 3);

/* Once. On failure nothing is allocated, and it may be tried again unless a declaration failed. */
enum wf_status wf_params_commit(struct wf_params *ps, uint64_t seed, struct wf_error *err);

struct wf_param *wf_params_find(const struct wf_params *ps, const char *name); /* NULL: none */
ptrdiff_t wf_params_size(const struct wf_params *ps); /* scalars to learn, without padding */
/* Where p begins in its block of values, gradients or state, in elements; after the commit. */
ptrdiff_t wf_params_offset(const struct wf_params *ps, const struct wf_param *p);
enum wf_status wf_params_zero_grad(struct wf_params *ps);

/* "prefix.name" into text, for layers that declare parameters; the name alone when prefix is NULL
 * or empty. A path too long for text is cut, and then refused by wf_params_add(). */
enum { WF_NAME_TEXT = 128 };
const char *wf_params_path(char text[WF_NAME_TEXT], const char *prefix, const char *name);

#ifdef __cplusplus
}
#endif
#endif
