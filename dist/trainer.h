/* trainer.h - the training loop: epochs, validation, early stopping, checkpoints; on one rank or
 * many.
 *
 * On many ranks each computes the gradient of its part of a batch. The sums of gradients and of
 * counted targets are exchanged and divided once, so that P ranks with batch b take the steps of
 * one rank with batch P * b; parameters stay equal on all ranks, which is checked after every
 * epoch. An error or a request to stop on one rank ends the same step on all. Rank 0 writes.
 *
 * After every epoch and every save_s seconds the whole state goes to OUT/last.h5, so that a run
 * that was killed at any instant goes on from there to the same bits; the parameters with the best
 * validation error stand in OUT/best.h5. A request to stop (SIGINT) finishes the step and saves. */
#ifndef WF_TRAINER_H
#define WF_TRAINER_H

#include <signal.h>
#include <stdio.h>
#include "autograd/replay.h"
#include "data/metrics.h"
#include "data/windows.h"
#include "dist/dist.h"
#include "dist/sampler.h"
#include "models/model.h"
#include "nn/checkpoint.h"
#include "nn/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_train_config {
    int epochs, batch_size;
    int epoch_batches; /* steps of an epoch, which then sees some of the windows; 0: all of them */
    enum wf_optim_kind optimizer;
    double lr, eps, weight_decay, momentum, clip;
    bool amsgrad;
    enum wf_schedule_kind schedule; /* counted in epochs */
    struct wf_ints milestones;
    double gamma;
    double teach_decay; /* k of scheduled sampling, in steps */
    enum wf_loss_kind loss;
    enum wf_mask mask;
    int patience;   /* epochs without a better validation MAE before stopping; 0: never stop */
    double minutes; /* of steps, behind which training ends, within an epoch too; 0: no limit */
    bool shuffle;   /* order of the training windows, by (seed, epoch) */
    uint64_t seed;
    double save_s; /* seconds between checkpoints within an epoch */
    bool resume;   /* go on from OUT/last.h5 if it is there */
};
/* The DCRNN paper's: Adam 0.01, eps 1e-3, x0.1 at epochs 20, 30, 40, 50, clip 5, 100 epochs of 64.
 */
struct wf_train_config wf_train_defaults(void);
extern const struct wf_field wf_train_fields[];

struct wf_epoch_stats {
    int epoch;                                   /* 0-based */
    double seconds;                              /* training and validation */
    double train_loss, valid_mae, pgt_valid_mae; /* the last: see wf_metrics_pgt_mae() */
};

/* On a device a step is a recording, of which there is one per size of batch; its loss is read
 * after so many steps. */
enum { WF_TRAIN_REPLAYS = 8, WF_TRAIN_LOSSES = 64 };
struct wf_train_replay {
    int n; /* windows of the batch; 0: not used yet */
    bool training;
    struct wf_replay replay;
};

struct wf_trainer {
    /* filled by the caller */
    struct wf_train_config cfg;
    struct wf_model *model;     /* declared into params */
    struct wf_params *params;   /* committed */
    struct wf_windows *windows; /* B = cfg.batch_size */
    const struct wf_split
        *split;             /* of all windows; with windows_are_local, this rank's share of them */
    struct wf_dist *dist;   /* NULL: the only rank */
    bool windows_are_local; /* see dist/sampler.h; train_windows of all ranks together */
    int train_windows;      /* 0: those of split */
    const struct wf_graph *graph;
    const char *out;                   /* folder of the checkpoints, which exists */
    const char *config_text;           /* stored in the checkpoints */
    const volatile sig_atomic_t *stop; /* non-zero: save and return WF_EINTR; may be NULL */
    FILE *log;                         /* progress; NULL: silent */
    void (*epoch_done)(void *ctx, const struct wf_epoch_stats *s);
    void *ctx;
    /* made by wf_trainer_init */
    struct wf_tape tape;
    struct wf_optim optim;
    struct wf_train_state state;
    struct wf_tensor mean, std; /* [targets] of the scaler */
    struct wf_sampler sampler;
    struct wf_train_replay replay[WF_TRAIN_REPLAYS];
    struct wf_replay update;
    struct wf_tensor losses; /* [WF_TRAIN_LOSSES, 2]: loss and counted targets of the steps */
    int unread;              /* that nobody has looked at yet, */
    int windows_of[WF_TRAIN_LOSSES]; /* and how many windows each counted */
    int *start;                      /* [2, B] windows of the current batch and of the next */
    struct wf_draw next;             /* how many of the next are to be prepared; n 0: none */
    wf_real *host[2];                /* one batch of forecasts and targets */
    wf_real *staging;     /* gradients on their way, where the backend's memory is not the host's */
    bool inspects;        /* every loss at once: on the CPU, and where ranks exchange them */
    struct wf_error late; /* what rank 0 could not save, told to the others in the next step */
};

enum wf_status wf_trainer_init(struct wf_trainer *t, struct wf_error *err);
void wf_trainer_free(struct wf_trainer *t);

/* Trains until the epochs are done, or patience or minutes are spent; then loads the best
 * parameters. WF_EINTR when asked to stop, WF_ENUMERIC when the loss is not finite. */
enum wf_status wf_trainer_run(struct wf_trainer *t, struct wf_error *err);

/* One optimizer step of all ranks, on windows start[0..n) of this one, of which the first `valid`
 * count. On one rank with a device the losses of several steps come back together, or when asked
 * for by wf_trainer_losses. */
struct wf_step_result {
    double loss; /* mean over the windows of the steps whose loss came back */
    int windows; /* of them that counted, on all ranks; 0: none came back */
    bool stop;   /* a rank was asked to stop */
    bool spent;  /* a rank's minutes are over */
};
enum wf_status wf_trainer_step(struct wf_trainer *t, const int *start, int n, int valid,
                               struct wf_step_result *r, struct wf_error *err);

/* The losses that have not come back yet. WF_ENUMERIC when one is not finite. */
enum wf_status wf_trainer_losses(struct wf_trainer *t, struct wf_step_result *r,
                                 struct wf_error *err);

/* Masked errors over a whole part of the split, of all ranks, in the data's units. */
enum wf_status wf_trainer_evaluate(struct wf_trainer *t, enum wf_part part, struct wf_metrics *m,
                                   struct wf_error *err);

/* Forecast [n, Q, N, targets] in the data's units for windows start[0..n), n <= batch_size, into
 * host memory. Every rank on its own. */
enum wf_status wf_trainer_predict(struct wf_trainer *t, const int *start, int n, wf_real *pred,
                                  struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
