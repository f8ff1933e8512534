/* adjacency.h - a graph's weights as a dense matrix with the names of its nodes, as the pickle and
 * the distance reader produce it. */
#ifndef WF_ADJACENCY_H
#define WF_ADJACENCY_H

#include "data/formats/array.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_adjacency {
    ptrdiff_t N;
    float *A;            /* [N, N]; row: from, column: to */
    struct wf_names ids; /* N of them, or none */
};

void wf_adjacency_free(struct wf_adjacency *g);

/* WF_ENUMERIC, naming the entry, unless all weights are finite and none is negative. */
enum wf_status wf_adjacency_check(const struct wf_adjacency *g, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
