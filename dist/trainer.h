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
 * validation error stand in OUT/best.h5. A request to stop (SIGINT) finishes the step and saves.
 *
 * Does not load data, choose a device or write tables. Whoever calls wf_trainer_init calls
 * wf_trainer_free; what the caller puts into the struct stays the caller's and must outlive it. */
#ifndef WF_TRAINER_H
#define WF_TRAINER_H

#include <signal.h>
#include <stdio.h>
#include "data/metrics.h"
#include "data/windows.h"
#include "dist/dist.h"
#include "models/model.h"
#include "nn/checkpoint.h"
#include "nn/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_train_config {
    int epochs;        /* passes over the training windows */
    int batch_size;    /* windows that a rank takes in a step */
    int epoch_batches; /* an epoch ends after so many steps, having seen only some of the windows;
                        * 0: it sees all of them */
    enum wf_optim_kind optimizer;
    double lr, eps, weight_decay, momentum, clip; /* as in nn/optim.h */
    bool amsgrad;
    enum wf_schedule_kind schedule; /* of the learning rate, whose time is the epoch */
    struct wf_ints milestones;      /* epochs, with WF_LR_MULTISTEP */
    double gamma;                   /* factor at each milestone */
    double teach_decay;             /* k of scheduled sampling, in steps */
    enum wf_loss_kind loss;
    enum wf_mask mask; /* which targets count */
    int patience;      /* epochs without a better validation MAE before stopping; 0: never stop */
    double minutes;    /* training ends once its steps have taken so long, in the middle of an epoch
                        * too; 0: no limit */
    bool shuffle;      /* draw the order of the training windows from (seed, epoch) */
    uint64_t seed;
    double save_s; /* seconds between checkpoints within an epoch */
    bool resume;   /* go on from OUT/last.h5 if it is there */
};
/* The settings of the DCRNN paper (Li et al. 2018): Adam with 0.01 and eps 1e-3, a tenth of the
 * rate from epochs 20, 30, 40 and 50 on, clipping at 5, 100 epochs of batches of 64. */
struct wf_train_config wf_train_defaults(void);
extern const struct wf_field wf_train_fields[]; /* options of a struct wf_train_config */

/* What is told of an epoch once it is over. */
struct wf_epoch_stats {
    int epoch;            /* 0-based */
    double seconds;       /* training and validation */
    double train_loss;    /* mean over the epoch's windows */
    double valid_mae;     /* masked MAE of the validation part */
    double pgt_valid_mae; /* the same as the reference computes it: wf_metrics_pgt_mae() */
};

struct wf_trainer {
    /* The caller fills these; zero means none where a comment does not say otherwise. */
    struct wf_train_config cfg;
    struct wf_model *model;       /* declared into params */
    struct wf_params *params;     /* committed */
    struct wf_windows *windows;   /* made for batches of cfg.batch_size */
    const struct wf_split *split; /* numbers as `windows` counts: of all windows, or, with
                                   * windows_are_local, of this rank's share of them */
    struct wf_dist *dist;         /* NULL: the only rank */
    bool windows_are_local;       /* each rank has windows of its own; see dist/sampler.h */
    int train_windows;            /* training windows of all ranks; 0: those of split */
    const struct wf_graph *graph;
    const char *out;                   /* folder of the checkpoints, which exists */
    const char *config_text;           /* stored in the checkpoints */
    const volatile sig_atomic_t *stop; /* non-zero: save and return WF_EINTR; may be NULL */
    FILE *log;                         /* progress; NULL: silent */
    void (*epoch_done)(void *ctx, const struct wf_epoch_stats *s); /* may be NULL */
    void *ctx;                                                     /* for epoch_done */

    /* wf_trainer_init makes these. */
    struct wf_train_state state;    /* where training stands; for the caller to read */
    struct wf_train_engine *engine; /* tape, optimizer, order of the windows, buffers */
};

/* Makes what training needs and, with cfg.resume, takes up OUT/last.h5. Collective: all ranks call
 * it. On failure everything made is freed again. WF_ENOMEM; WF_EINVAL: fewer windows than ranks, or
 * a checkpoint of another seed, model or optimizer; WF_EFORMAT: a damaged checkpoint. */
enum wf_status wf_trainer_init(struct wf_trainer *t, struct wf_error *err);
/* Frees what wf_trainer_init made; does nothing where it made nothing. */
void wf_trainer_free(struct wf_trainer *t);

/* Trains until the epochs are done, or patience or minutes are spent; then loads the best
 * parameters. Collective. WF_EINTR when asked to stop, WF_ENUMERIC when the loss is not finite or
 * the ranks' parameters differ. */
enum wf_status wf_trainer_run(struct wf_trainer *t, struct wf_error *err);

/* What came of a step, or of several whose losses were read together. */
struct wf_step_result {
    double loss; /* mean over `windows` */
    int windows; /* how many windows, of all ranks, the losses that were read have counted; 0: no
                  * loss was read */
    bool stop;   /* a rank was asked to stop */
    bool spent;  /* a rank's minutes are over */
};

/* One optimizer step of all ranks, on windows start[0..n) of this one (host memory), of which the
 * first `valid` count. Collective. One rank with a device reads the losses of several steps
 * together, at the last of them or when wf_trainer_losses() asks; all others read each at once. */
enum wf_status wf_trainer_step(struct wf_trainer *t, const int *start, int n, int valid,
                               struct wf_step_result *r, struct wf_error *err);

/* Reads the losses that are still on the device. Local. WF_ENUMERIC when one is not finite. */
enum wf_status wf_trainer_losses(struct wf_trainer *t, struct wf_step_result *r,
                                 struct wf_error *err);

/* Masked errors over a whole part of the split, of all ranks together, in the data's units.
 * Collective. m has as many horizons as the windows; WF_EINTR when asked to stop. */
enum wf_status wf_trainer_evaluate(struct wf_trainer *t, enum wf_part part, struct wf_metrics *m,
                                   struct wf_error *err);

/* Forecast [n, Q, N, targets] in the data's units for windows start[0..n) (host memory),
 * n <= batch_size, into host memory. Local: a rank computes it alone. */
enum wf_status wf_trainer_predict(struct wf_trainer *t, const int *start, int n, wf_real *pred,
                                  struct wf_error *err);

/* The tape that steps and forecasts run on, between wf_trainer_init and wf_trainer_free. Its `mem`
 * says what they took; who runs the model on it must not be within a step. */
struct wf_tape *wf_trainer_tape(const struct wf_trainer *t);

#ifdef __cplusplus
}
#endif
#endif
