/* gman_names.h - the names of GMAN and its attentions in PyTorch Geometric Temporal. For weights of
 * that code with its numbers K and d, set d heads of K channels and scale = 1 / sqrt(d). */
#ifndef WF_GMAN_NAMES_H
#define WF_GMAN_NAMES_H

#include "models/gman.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The names of SpatialAttention, TemporalAttention and TransformAttention, and of GMAN. */
void wf_gman_attention_names(const struct wf_gman_attention *l, struct wf_renames *t,
                             const char *theirs, const char *ours);
void wf_gman_net_names(const struct wf_gman_net *l, struct wf_renames *t, const char *theirs,
                       const char *ours);

#ifdef __cplusplus
}
#endif
#endif
