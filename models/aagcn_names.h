/* aagcn_names.h - the names of AAGCN's block in PyTorch Geometric Temporal. There A is the whole
 * graph, so with its weights wf_aagcn_block() must be given no supports. */
#ifndef WF_AAGCN_NAMES_H
#define WF_AAGCN_NAMES_H

#include "models/aagcn_block.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Adds the names of the block; theirs and ours are the prefixes (nn/weights.h). */
void wf_aagcn_block_names(const struct wf_aagcn_block *l, struct wf_renames *t, const char *theirs,
                          const char *ours);

#ifdef __cplusplus
}
#endif
#endif
