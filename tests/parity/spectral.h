/* spectral.h - builds PyTorch Geometric's spectral graphs and loads layers by published names. */
#ifndef WF_PARITY_SPECTRAL_H
#define WF_PARITY_SPECTRAL_H

#include "tests/parity/parity.h"

/* Builds r->graph from the case's edges, according to its attributes. */
enum wf_status gcn_graph(struct run *r, int nodes);
enum wf_status cheb_graph(struct run *r, int nodes);

/* Holds the parameters of a layer and their published names. */
struct named {
    struct wf_params ps;
    struct wf_renames names;
};
typedef enum wf_status named_runner(struct run *r, struct named *n);
/* Calls f with empty parameters and names, and frees what f declared. */
enum wf_status with_params(struct run *r, named_runner *f);

#endif
