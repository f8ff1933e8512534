/* sparse.h - a small directed graph, and what tests of the layers and cells on it share. */
#ifndef WF_SPARSE_H
#define WF_SPARSE_H

#include "autograd/gradcheck.h"
#include "nn/message.h"

/* Five nodes: two loops, two parallel edges 1 -> 3, node 2 alone. */
enum { SPARSE_NODES = 5, SPARSE_EDGES = 9, SPARSE_RELATIONS = 3 };
extern const struct wf_edges sparse_edges;
extern const int sparse_types[SPARSE_EDGES];

/* Its pattern, row = target, and the one for relational convolutions. */
struct wf_csr sparse_pattern(void);
struct wf_csr sparse_relations(void);

/* Uniform in [-1, 1), the same for one stream. */
struct wf_tensor *sparse_noise(struct wf_tape *g, uint32_t stream, int ndim, const int *shape);

/* Commits ps, fills every parameter with noise and checks their gradients through build(). */
void expect_param_gradients(struct wf_params *ps,
                            struct wf_tensor *(*build)(struct wf_tape *g, void *ctx), void *ctx);

/* build() gives of x [B, N, channels] what it gives of every sample x [N, channels] alone. */
void expect_samples_apart(struct wf_tape *g,
                          struct wf_tensor *(*build)(struct wf_tape *g, void *ctx,
                                                     struct wf_tensor *x),
                          void *ctx, int channels);

/* The tape has failed with a message that holds text; starts it anew. */
void expect_refused(struct wf_tape *g, const char *text);

#endif
