/* checkpoint.h - a training run in a file: parameters, state slots, optimizer, position.
 *
 * The file is HDF5, readable by any HDF5 tool: datasets /params/NAME, /state/NAME and
 * /optim/{m,v,vmax}/NAME, attributes of /optim and /train, and the texts model and config. The HDF5
 * part is followed by 32 bytes with a checksum of all bytes before them, which is verified before
 * anything is parsed: a file that was cut or changed anywhere is refused.
 *
 * A new file grows under PATH.tmp.tmp and PATH.tmp and takes the place of the old one in one step,
 * synced to disk; after a failure the old file is whole. What a killed save leaves under those
 * names is ignored by loading and overwritten by the next save. Loading changes nothing unless all
 * of it can be loaded, a failure of the device itself excepted. Values of the other precision
 * (float or double) are converted. Choosing file names and keeping older checkpoints is up to the
 * caller. */
#ifndef WF_CHECKPOINT_H
#define WF_CHECKPOINT_H

#include "nn/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a training run stands. */
struct wf_train_state {
    uint64_t seed;
    int64_t step;                /* optimizer steps done */
    double seconds;              /* time that these steps took */
    int epoch;                   /* the epoch under way, from 0 on */
    int seen;                    /* windows of this epoch that all ranks together trained on */
    int ranks;                   /* ranks that trained */
    double loss_sum, loss_count; /* of the losses of this epoch so far */
    double best;                 /* best validation metric so far */
    int patience;                /* epochs that may still pass without a better metric */
};

/* What to save or load. All of it belongs to the caller. */
struct wf_checkpoint {
    struct wf_params *params;     /* committed */
    struct wf_optim *optim;       /* over params; NULL: neither saved nor loaded */
    struct wf_train_state *train; /* NULL: neither saved nor loaded */
    const char *model;            /* name of the model; on loading, NULL accepts any */
    const char *config;           /* lines key=value, saved as they are; loading ignores them */
};

/* WF_EIO says why the file could not be written, WF_EINVAL that parameters are not committed. */
enum wf_status wf_checkpoint_save(const char *path, const struct wf_checkpoint *c,
                                  struct wf_error *err);

/* The names and shapes in the file must be those of c->params, and its optimizer of the same kind
 * as c->optim, whose learning rate and other numbers stay as they are. WF_EFORMAT: the file is
 * damaged or no checkpoint; WF_EINVAL: it belongs to another model or optimizer. */
enum wf_status wf_checkpoint_load(const char *path, const struct wf_checkpoint *c,
                                  struct wf_error *err);

/* Reads the model name and the config text, which the caller frees with wf_free(); both are NULL on
 * failure. */
enum wf_status wf_checkpoint_read_config(const char *path, char **model, char **config,
                                         struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
