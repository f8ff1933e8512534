/* batch.h - a batch as a model reads it: its inputs on the tape, and its supports step by step.
 *
 * Where the graph changes with time, the windows gather the weights of every input step, [B, T, E]
 * (data/series.h), and the supports of a step are made from these weights on the tape, by the same
 * sequence of kernels for every batch. Where one graph serves all steps, every step has the graph's
 * constant supports, and nothing here takes time or memory. Nothing here is freed. */
#ifndef WF_BATCH_H
#define WF_BATCH_H

#include "data/windows.h"
#include "nn/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sets b->graph to gr, and b->supports to the supports of the last input step. Call it once per
 * batch, before the model. The columns of b->weights must be the edges of gr; otherwise the tape
 * fails with WF_EINVAL. */
void wf_batch_bind(struct wf_tape *g, struct wf_batch *b, const struct wf_graph *gr);

/* The inputs b->x [B, T, N, C] as a tensor of the tape. Models read b->x through this function,
 * because the tape keeps pointers to tensors until it is reset, and b may be gone by then. A caller
 * that wants the gradient of the inputs sets b->x.needs_grad and b->x.grad; it is added there. */
struct wf_tensor *wf_batch_x(struct wf_tape *g, const struct wf_batch *b);

/* The supports of input step t, 0 <= t < T; another t fails the tape with WF_EINVAL and gives
 * b->supports. Where the graph changes, each call makes them anew on the tape, except for the last
 * step, whose supports wf_batch_bind() has made: so call it once per step. They are valid until the
 * tape is reset, or gives the memory of their values back (wf_tape_release()). */
const struct wf_supports *wf_batch_supports(struct wf_tape *g, const struct wf_batch *b, int t);

#ifdef __cplusplus
}
#endif
#endif
