/* pgt.h - builds PyTorch Geometric Temporal's cell from its published names. */
#ifndef WF_PARITY_PGT_H
#define WF_PARITY_PGT_H

#include "models/dcrnn.h"
#include "tests/parity/parity.h"

enum { PGT_PARAMS = 6 };
extern const char *const pgt_names[PGT_PARAMS];

/* Builds our cell on the tape from the parameters in the order of pgt_names. */
struct wf_dcgru pgt_cell(struct wf_tape *g, struct wf_tensor *const p[PGT_PARAMS]);

#endif
