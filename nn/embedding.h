/* embedding.h - a table of learned rows, looked up by indices that are data on the device. For
 * indices that never change, wf_take() on the weight does the same. Nothing here is freed. */
#ifndef WF_EMBEDDING_H
#define WF_EMBEDDING_H

#include "autograd/ops.h"
#include "nn/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A table of n rows. Parameter name.weight [n, d], N(0, 1). */
struct wf_embedding {
    struct wf_tensor *weight;
};
void wf_embedding_init(struct wf_embedding *l, struct wf_params *ps, const char *name, int n,
                       int d);
/* x [..] of indices 0 .. n-1 -> [.., d]; an index outside is clamped. For the time of day, which
 * data carry as a fraction of a day, use wf_lookup(g, l->weight, x, steps_per_day). */
struct wf_tensor *wf_embedding(struct wf_tape *g, const struct wf_embedding *l,
                               struct wf_tensor *x);

/* The name of PyTorch's Embedding. */
void wf_embedding_names(struct wf_renames *t, const char *theirs, const char *ours);

#ifdef __cplusplus
}
#endif
#endif
