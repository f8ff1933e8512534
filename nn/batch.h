/* batch.h - the supports of a batch, step by step.
 *
 * Of a graph that changes with time the windows gather the weights of every input step, [B, T, E]
 * (data/series.h), and the supports of a step are made of them on the tape: a fixed sequence of
 * kernels, whatever the batch. Of any other graph they are the constant ones, and all this costs
 * nothing. Nothing here is freed. */
#ifndef WF_DYNAMIC_H
#define WF_DYNAMIC_H

#include "data/windows.h"
#include "nn/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sets b->graph, and b->supports to those of the last input step. Once per batch, before the model;
 * the edges of gr are those of the weights. */
void wf_batch_bind(struct wf_tape *g, struct wf_batch *b, const struct wf_graph *gr);

/* The supports of input step t, made anew with every call but for the last step's: call it once for
 * each. They stand at b->step_supports[t], and are good until the memory is released in which they
 * were made. */
const struct wf_supports *wf_batch_supports(struct wf_tape *g, const struct wf_batch *b, int t);

#ifdef __cplusplus
}
#endif
#endif
