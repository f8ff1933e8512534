/* trainer_config.c - the settings of training: defaults and options. */
#include <stddef.h>
#include "dist/trainer.h"

struct wf_train_config wf_train_defaults(void)
{
    return (struct wf_train_config){ .epochs = 100,
                                     .batch_size = 64,
                                     .optimizer = WF_ADAM,
                                     .lr = 0.01,
                                     .eps = 1e-3,
                                     .clip = 5,
                                     .schedule = WF_LR_MULTISTEP,
                                     .milestones = { 4, { 20, 30, 40, 50 } },
                                     .gamma = 0.1,
                                     .teach_decay = 2000,
                                     .loss = WF_MAE,
                                     .mask = WF_MASK_NAN,
                                     .shuffle = true,
                                     .save_s = 120 };
}

static const char *const optimizer_names[] = { "adam", "sgd", NULL };
static const char *const schedule_names[] = { "constant", "multistep", "cosine", NULL };
static const char *const loss_names[] = { "mae", "mse", "rmse", "mape", "huber", NULL };

const struct wf_field wf_train_fields[] = {
    WF_FIELD(wf_train_config, "epochs", INT, epochs, 1, 1e6, NULL, "passes over the training part"),
    WF_FIELD(wf_train_config, "batch-size", INT, batch_size, 1, 65536, NULL,
             "windows that a rank takes in a step"),
    WF_FIELD(wf_train_config, "epoch-batches", INT, epoch_batches, 0, 1e9, NULL,
             "batches of an epoch, drawn from all windows; 0: all of them"),
    WF_FIELD(wf_train_config, "optimizer", ENUM, optimizer, 0, 0, optimizer_names,
             "optimizer that updates the weights"),
    WF_FIELD(wf_train_config, "lr", DOUBLE, lr, 0, 1e3, NULL, "learning rate at the start"),
    WF_FIELD(wf_train_config, "eps", DOUBLE, eps, 0, 1, NULL, "Adam's epsilon"),
    WF_FIELD(wf_train_config, "weight-decay", DOUBLE, weight_decay, 0, 1e3, NULL,
             "L2 penalty on the weights"),
    WF_FIELD(wf_train_config, "momentum", DOUBLE, momentum, 0, 1, NULL, "momentum of SGD"),
    WF_FIELD(wf_train_config, "clip", DOUBLE, clip, 0, 1e9, NULL,
             "largest gradient norm; 0: no clipping"),
    WF_FIELD(wf_train_config, "amsgrad", BOOL, amsgrad, 0, 1, NULL,
             "use the AMSGrad variant of Adam"),
    WF_FIELD(wf_train_config, "schedule", ENUM, schedule, 0, 0, schedule_names,
             "how the learning rate changes by epoch"),
    WF_FIELD(wf_train_config, "milestones", INTS, milestones, 0, 1e6, NULL,
             "epochs at which the learning rate falls, with the schedule multistep"),
    WF_FIELD(wf_train_config, "gamma", DOUBLE, gamma, 0, 1, NULL,
             "factor by which the learning rate falls at each milestone"),
    WF_FIELD(wf_train_config, "teach-decay", DOUBLE, teach_decay, 1, 1e9, NULL,
             "k of scheduled sampling, whose probability is k / (k + exp(step / k))"),
    WF_FIELD(wf_train_config, "loss", ENUM, loss, 0, 0, loss_names,
             "training loss, in the data's units"),
    WF_FIELD(wf_train_config, "patience", INT, patience, 0, 1e6, NULL,
             "epochs without a better validation MAE before stopping; 0: never"),
    WF_FIELD(wf_train_config, "minutes", DOUBLE, minutes, 0, 1e7, NULL,
             "minutes of training steps after which training ends; 0: no limit"),
    WF_FIELD(wf_train_config, "shuffle", BOOL, shuffle, 0, 1, NULL, "shuffle the training windows"),
    WF_FIELD(wf_train_config, "seed", SEED, seed, 0, 0, NULL,
             "seed of initial values, order and sampling"),
    WF_FIELD(wf_train_config, "save-every", DOUBLE, save_s, 0, 1e9, NULL,
             "seconds between checkpoints within an epoch"),
    WF_FIELD(wf_train_config, "resume", BOOL, resume, 0, 1, NULL,
             "go on from last.h5 in the output folder if it is there"),
    { 0 }
};
