/* embedding.h - a table of learned rows, picked by numbers that are on the device already. Where
 * the indices are fixed, wf_take() on the weight does the same. Nothing here is freed. */
#ifndef WF_EMBEDDING_H
#define WF_EMBEDDING_H

#include "autograd/ops.h"
#include "nn/params.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parameter name.weight [n, d], N(0, 1). */
struct wf_embedding {
    struct wf_tensor *weight;
};
void wf_embedding_init(struct wf_embedding *l, struct wf_params *ps, const char *name, int n,
                       int d);
/* x [..] of indices 0 .. n-1 -> [.., d]; others are clamped. For the time of day use
 * wf_lookup(g, l->weight, x, steps_per_day). */
struct wf_tensor *wf_embedding(struct wf_tape *g, const struct wf_embedding *l,
                               struct wf_tensor *x);

#ifdef __cplusplus
}
#endif
#endif
