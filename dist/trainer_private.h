/* trainer_private.h - what the files of the trainer share. */
#ifndef WF_TRAINER_PRIVATE_H
#define WF_TRAINER_PRIVATE_H

#include "dist/trainer.h"

/* Ranks that have just started or loaded a checkpoint agree; later, by exchange alone. */
static inline bool wf_trainer_spent(const struct wf_trainer *t)
{
    return t->cfg.minutes > 0 && t->state.seconds >= 60 * t->cfg.minutes;
}

static inline int wf_trainer_ranks(const struct wf_trainer *t)
{
    return t->dist ? t->dist->size : 1;
}

#endif
