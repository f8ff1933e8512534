/* checkpoint.h - a training run in a file: parameters, state slots, optimizer, position.
 *
 * HDF5, readable by any HDF5 tool: /params/NAME, /state/NAME, /optim/{m,v,vmax}/NAME, attributes of
 * /optim and /train, the texts model and config. After the HDF5 part stand 32 bytes with a checksum
 * of all bytes before them, verified before anything is parsed: a file that was cut or changed
 * anywhere is refused.
 *
 * A new file grows under PATH.tmp.tmp and PATH.tmp and takes the place of the old one in one step,
 * synced to disk; after a failure the old file is whole. What a killed save leaves under those
 * names is ignored by loading and overwritten by the next save. Loading changes nothing unless all
 * of it can be loaded, a failure of the device itself excepted. Values of the other wf_real are
 * converted. Does not choose file names, and keeps no history. */
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
    double seconds;              /* that they took */
    int epoch, seen;             /* windows of this epoch that all ranks together have trained on */
    int ranks;                   /* how many those were */
    double loss_sum, loss_count; /* of this epoch so far */
    double best;                 /* best validation metric */
    int patience;                /* epochs left without a better one */
};

struct wf_checkpoint {
    struct wf_params *params;     /* committed */
    struct wf_optim *optim;       /* over params; NULL: neither saved nor loaded */
    struct wf_train_state *train; /* NULL: neither saved nor loaded */
    const char *model;            /* its name; on loading, NULL: any */
    const char *config;           /* key=value lines, kept as they are; not used by loading */
};

enum wf_status wf_checkpoint_save(const char *path, const struct wf_checkpoint *c,
                                  struct wf_error *err);

/* The names and shapes in the file must be those of c->params; the optimizer must be of the same
 * kind, its numbers (learning rate, ..) stay the caller's. WF_EFORMAT: damaged or no checkpoint;
 * WF_EINVAL: of another model or optimizer. */
enum wf_status wf_checkpoint_load(const char *path, const struct wf_checkpoint *c,
                                  struct wf_error *err);

/* Model name and config text, freed by the caller with wf_free; NULL on failure. */
enum wf_status wf_checkpoint_read_config(const char *path, char **model, char **config,
                                         struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
