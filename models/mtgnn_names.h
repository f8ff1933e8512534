/* mtgnn_names.h - the names of MixProp, DilatedInception, GraphConstructor and MTGNN in PyTorch
 * Geometric Temporal. */
#ifndef WF_MTGNN_NAMES_H
#define WF_MTGNN_NAMES_H

#include "models/mtgnn.h"

#ifdef __cplusplus
extern "C" {
#endif

void wf_mixprop_names(struct wf_renames *t, const char *theirs, const char *ours);
void wf_inception_names(const struct wf_inception *l, struct wf_renames *t, const char *theirs,
                        const char *ours);
void wf_graph_learner_names(const struct wf_graph_learner *l, struct wf_renames *t,
                            const char *theirs, const char *ours);
void wf_mtgnn_net_names(const struct wf_mtgnn_net *l, struct wf_renames *t, const char *theirs,
                        const char *ours);

#ifdef __cplusplus
}
#endif
#endif
