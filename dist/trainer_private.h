/* trainer_private.h - what the files of the trainer share. */
#ifndef WF_TRAINER_PRIVATE_H
#define WF_TRAINER_PRIVATE_H

#include <math.h>
#include "dist/trainer.h"

/* Ranks that have just started or loaded a checkpoint agree; later, by exchange alone. */
static inline bool wf_trainer_spent(const struct wf_trainer *t)
{
    return t->cfg.minutes > 0 && t->state.seconds >= 60 * t->cfg.minutes;
}

/* Target of a sample that only fills a batch up: missing, by the loss's rule. */
static inline wf_real wf_trainer_padding(const struct wf_trainer *t)
{
    return t->cfg.mask == WF_MASK_ZERO_PGT ? 0 : (wf_real)NAN;
}

static inline int wf_trainer_ranks(const struct wf_trainer *t)
{
    return t->dist ? t->dist->size : 1;
}

#endif
