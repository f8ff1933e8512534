/* aagcn_names.h - the block of AAGCN under its names in PyTorch Geometric Temporal, whose A is the
 * whole graph: its weights want a block without supports. */
#ifndef WF_AAGCN_NAMES_H
#define WF_AAGCN_NAMES_H

#include "models/aagcn_block.h"

#ifdef __cplusplus
extern "C" {
#endif

void wf_aagcn_block_names(const struct wf_aagcn_block *l, struct wf_renames *t, const char *theirs,
                          const char *ours);

#ifdef __cplusplus
}
#endif
#endif
