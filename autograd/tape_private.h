/* tape_private.h - what the tape needs of fresh.c, where gradients get their first values. */
#ifndef WF_TAPE_PRIVATE_H
#define WF_TAPE_PRIVATE_H

#include "autograd/tape.h"

/* Fills the part of the gradient `whole` that no vjp has asked for with zeros. */
void wf_tape_zero_untouched(struct wf_tape *g, struct wf_tensor *whole);

/* Fills with zeros what the vjp at hand was given fresh and has not written: all of it, or with
 * `whole` only what lies in that gradient. */
void wf_tape_zero_fresh(struct wf_tape *g, const struct wf_tensor *whole);

#endif
