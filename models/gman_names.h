/* gman_names.h - GMAN and its attentions under their names in PyTorch Geometric Temporal. With that
 * code's K and d there are d heads of K channels, and the scale is 1 / sqrt(d). */
#ifndef WF_GMAN_NAMES_H
#define WF_GMAN_NAMES_H

#include "models/gman.h"

#ifdef __cplusplus
extern "C" {
#endif

/* SpatialAttention, TemporalAttention and TransformAttention. */
void wf_gman_attention_names(const struct wf_gman_attention *l, struct wf_renames *t,
                             const char *theirs, const char *ours);
void wf_gman_net_names(const struct wf_gman_net *l, struct wf_renames *t, const char *theirs,
                       const char *ours);

#ifdef __cplusplus
}
#endif
#endif
