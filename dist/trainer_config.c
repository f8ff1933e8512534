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

#define FIELD(name, type, member, lo, hi, names, help)                                             \
    {                                                                                              \
        name, type, offsetof(struct wf_train_config, member), lo, hi, names, help                  \
    }
const struct wf_field wf_train_fields[] = {
    FIELD("epochs", WF_FIELD_INT, epochs, 1, 1e6, NULL, "passes over the training part"),
    FIELD("batch-size", WF_FIELD_INT, batch_size, 1, 65536, NULL, "windows per step"),
    FIELD("epoch-batches", WF_FIELD_INT, epoch_batches, 0, 1e9, NULL,
          "batches of an epoch, drawn from all windows; 0: all of them"),
    FIELD("optimizer", WF_FIELD_ENUM, optimizer, 0, 0, optimizer_names, "optimizer"),
    FIELD("lr", WF_FIELD_DOUBLE, lr, 0, 1e3, NULL, "learning rate at the start"),
    FIELD("eps", WF_FIELD_DOUBLE, eps, 0, 1, NULL, "Adam's epsilon"),
    FIELD("weight-decay", WF_FIELD_DOUBLE, weight_decay, 0, 1e3, NULL, "L2 penalty"),
    FIELD("momentum", WF_FIELD_DOUBLE, momentum, 0, 1, NULL, "of SGD"),
    FIELD("clip", WF_FIELD_DOUBLE, clip, 0, 1e9, NULL, "largest gradient norm; 0: no clipping"),
    FIELD("amsgrad", WF_FIELD_BOOL, amsgrad, 0, 1, NULL, "AMSGrad variant of Adam"),
    FIELD("schedule", WF_FIELD_ENUM, schedule, 0, 0, schedule_names, "learning rate by epoch"),
    FIELD("milestones", WF_FIELD_INTS, milestones, 0, 1e6, NULL, "epochs at which lr falls"),
    FIELD("gamma", WF_FIELD_DOUBLE, gamma, 0, 1, NULL, "factor of each fall"),
    FIELD("teach-decay", WF_FIELD_DOUBLE, teach_decay, 1, 1e9, NULL,
          "k of scheduled sampling, k / (k + exp(step / k))"),
    FIELD("loss", WF_FIELD_ENUM, loss, 0, 0, loss_names, "training loss, in the data's units"),
    FIELD("patience", WF_FIELD_INT, patience, 0, 1e6, NULL,
          "epochs without a better validation MAE before stopping; 0: never"),
    FIELD("minutes", WF_FIELD_DOUBLE, minutes, 0, 1e7, NULL,
          "of training steps, behind which training ends; 0: no limit"),
    FIELD("shuffle", WF_FIELD_BOOL, shuffle, 0, 1, NULL, "shuffle the training windows"),
    FIELD("seed", WF_FIELD_SEED, seed, 0, 0, NULL, "of initial values, order and sampling"),
    FIELD("save-every", WF_FIELD_DOUBLE, save_s, 0, 1e9, NULL,
          "seconds between checkpoints within an epoch"),
    FIELD("resume", WF_FIELD_BOOL, resume, 0, 1, NULL, "go on from last.h5 if it is there"),
    { 0 }
};
#undef FIELD
