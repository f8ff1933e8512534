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

/* The distribution of initial values. Xavier's are of Glorot & Bengio 2010; KAIMING_UNIFORM with
 * gain 1/sqrt(3) is what PyTorch's Linear starts from. */
enum wf_init_kind {
    WF_INIT_CONSTANT,        /* gain is the value */
    WF_INIT_XAVIER_UNIFORM,  /* U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)) */
    WF_INIT_XAVIER_NORMAL,   /* N(0, s^2), s = gain sqrt(2 / (fan_in + fan_out)) */
    WF_INIT_KAIMING_UNIFORM, /* U(-a, a), a = gain sqrt(3 / fan_in) */
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
    struct wf_tensor value; /* of a parameter: needs_grad is set and value.grad = &grad */
    struct wf_tensor grad;
    struct wf_init init;
    bool state; /* a state slot: a step changes it, the next one reads it; it has no gradient */
};

struct wf_params {
    struct wf_backend *be;
    int count, capacity;     /* parameters and state slots, in the order of declaration */
    struct wf_param **param; /* stable addresses */
    /* Blocks [P] of values and gradients and [S] of state. In each, a parameter starts at a
     * multiple of 64 bytes, and the padding between parameters is and stays 0. */
    struct wf_tensor value, grad, state;
    struct wf_tensor poison; /* [0], returned by a declaration that failed */
    struct wf_error error;   /* the first failed declaration */
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

/* For a layer whose sizes do not fit: makes WF_EINVAL with this message the error of ps, unless ps
 * has an error already. */
void wf_params_refuse(struct wf_params *ps, const char *fmt, ...) WF_PRINTF(2, 3);

/* Allocates the blocks and fills them with initial values; may succeed only once. On failure
 * nothing is allocated, and the commit may be tried again unless a declaration has failed. */
enum wf_status wf_params_commit(struct wf_params *ps, uint64_t seed, struct wf_error *err);

/* The parameter or state slot of that name; NULL when there is none. */
struct wf_param *wf_params_find(const struct wf_params *ps, const char *name);
/* How many numbers there are to learn, padding not counted. */
ptrdiff_t wf_params_size(const struct wf_params *ps);
/* Where p begins in its blocks, in elements. Call it after the commit. */
ptrdiff_t wf_params_offset(const struct wf_params *ps, const struct wf_param *p);
/* Fills the block of gradients with 0. */
enum wf_status wf_params_zero_grad(struct wf_params *ps);

/* Writes "prefix.name" to text and returns it, for layers that declare parameters; the name alone
 * when prefix is NULL or empty. A path too long for text is cut, and wf_params_add() then refuses
 * it. */
enum { WF_NAME_TEXT = 128 };
const char *wf_params_path(char text[WF_NAME_TEXT], const char *prefix, const char *name);

#ifdef __cplusplus
}
#endif
#endif
