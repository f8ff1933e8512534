/* spectral.h - PyTorch Geometric's spectral graphs, and layers loaded by published names. */
#ifndef WF_PARITY_SPECTRAL_H
#define WF_PARITY_SPECTRAL_H

#include "tests/parity/parity.h"

/* The case's edges as r->graph, by its attributes. */
enum wf_status gcn_graph(struct run *r, int nodes);
enum wf_status cheb_graph(struct run *r, int nodes);

/* Parameters of a layer and their published names. */
struct named {
    struct wf_params ps;
    struct wf_renames names;
};
typedef enum wf_status named_runner(struct run *r, struct named *n);
/* Runs f with empty ones and frees what it declared. */
enum wf_status with_params(struct run *r, named_runner *f);

#endif
