/* trainer_private.h - what the files of the trainer share: the inside of struct wf_trainer. */
#ifndef WF_TRAINER_PRIVATE_H
#define WF_TRAINER_PRIVATE_H

#include <math.h>
#include "autograd/replay.h"
#include "dist/sampler.h"
#include "dist/trainer.h"

enum {
    WF_TRAIN_REPLAYS = 8, /* recordings that are kept */
    WF_TRAIN_LOSSES = 64  /* steps whose losses may wait on a device to be read together */
};

/* On a device, work on batches of one size is recorded once and then replayed. */
struct wf_train_replay {
    int n;         /* windows of the batch; 0: the recording is not used yet */
    bool training; /* a gradient; else a forecast */
    struct wf_replay replay;
};

/* What a trainer needs besides what the caller gave it. */
struct wf_train_engine {
    struct wf_tape tape;
    struct wf_optim optim;
    struct wf_tensor mean, std; /* [targets] the scaler's, on the backend */
    struct wf_sampler sampler;
    struct wf_train_replay replay[WF_TRAIN_REPLAYS];
    struct wf_replay update; /* the optimizer's step */
    struct wf_tensor losses; /* [WF_TRAIN_LOSSES, 2] loss and number of counted targets, by step */
    int unread;              /* steps whose losses nobody has read yet */
    int windows_of[WF_TRAIN_LOSSES]; /* how many windows each of the unread steps counted */
    int *start;                      /* [2, B] windows of the current batch and of the next */
    struct wf_draw next;  /* the next batch, which is to be gathered ahead; n 0: there is none */
    wf_real *host[2];     /* forecasts and targets of one batch, each [B, Q, N, targets] */
    wf_real *staging;     /* gradients on their way, where MPI cannot read the backend's memory */
    bool inspects;        /* every loss is read at once: on the CPU, and with several ranks */
    struct wf_error late; /* what rank 0 could not save; the others learn of it in the next step */
};

/* Whether cfg.minutes are over by this rank's clock. Ranks that have just started or loaded a
 * checkpoint agree on it; later they need not, and learn it from each other in every step. */
static inline bool wf_trainer_spent(const struct wf_trainer *t)
{
    return t->cfg.minutes > 0 && t->state.seconds >= 60 * t->cfg.minutes;
}

/* The target of a sample that only fills a batch up: one that the loss takes for missing. */
static inline wf_real wf_trainer_padding(const struct wf_trainer *t)
{
    return t->cfg.mask == WF_MASK_ZERO_PGT ? 0 : (wf_real)NAN;
}

static inline int wf_trainer_ranks(const struct wf_trainer *t)
{
    return t->dist ? t->dist->size : 1;
}

#endif
