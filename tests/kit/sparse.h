/* sparse.h - a small directed graph, and what the tests of layers and cells on graphs share. */
#ifndef WF_SPARSE_H
#define WF_SPARSE_H

#include "autograd/gradcheck.h"
#include "nn/message.h"

/* A graph of five nodes with two loops and two parallel edges 1 -> 3; node 2 has no edges. */
enum { SPARSE_NODES = 5, SPARSE_EDGES = 9, SPARSE_RELATIONS = 3 };
extern const struct wf_edges sparse_edges;
extern const int sparse_types[SPARSE_EDGES];

/* The pattern of the graph, whose rows are targets, and the pattern for relational convolutions. */
struct wf_csr sparse_pattern(void);
struct wf_csr sparse_relations(void);

/* Numbers uniform in [-1, 1); the same stream gives the same numbers. */
struct wf_tensor *sparse_noise(struct wf_tape *g, uint32_t stream, int ndim, const int *shape);

/* Commits ps, fills every parameter with noise and checks their gradients through build(). */
void expect_param_gradients(struct wf_params *ps,
                            struct wf_tensor *(*build)(struct wf_tape *g, void *ctx), void *ctx);

/* Expects build() of a batch x [B, N, channels] to equal build() of each sample x [N, channels]. */
void expect_samples_apart(struct wf_tape *g,
                          struct wf_tensor *(*build)(struct wf_tape *g, void *ctx,
                                                     struct wf_tensor *x),
                          void *ctx, int channels);

/* Asserts that the tape has failed with a message that holds text, and resets it. */
void expect_refused(struct wf_tape *g, const char *text);

#endif
