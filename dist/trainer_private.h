/* trainer_private.h - what the files of the trainer share. */
#ifndef WF_TRAINER_PRIVATE_H
#define WF_TRAINER_PRIVATE_H

#include "dist/trainer.h"

static inline int wf_trainer_ranks(const struct wf_trainer *t)
{
    return t->dist ? t->dist->size : 1;
}

#endif
