/* adjacency.h - a graph's weights as a dense matrix with the names of its nodes, as the readers of
 * pickles and of distances produce it. The caller frees it with wf_adjacency_free. */
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

/* Refuses a weight that is negative or not finite: WF_ENUMERIC, naming its entry. */
enum wf_status wf_adjacency_check(const struct wf_adjacency *g, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
