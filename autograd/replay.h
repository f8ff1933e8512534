/* replay.h - runs a piece of work on a tape: eagerly the first time, recorded the second, and from
 * then on as one piece without the host building anything (a CUDA graph).
 *
 * The work must be a fixed sequence of kernels at fixed addresses: what changes from run to run
 * (the batch, struct wf_step) must lie in the backend's memory before it starts, and no part of the
 * work may depend on the host. A recording that took other memory or another number of nodes than
 * the eager run is refused. On a backend without recordings every run is eager. */
#ifndef WF_REPLAY_H
#define WF_REPLAY_H

#include "autograd/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_replay {
    struct wf_recording *recording;
    struct wf_backend *be;
    int runs;
    size_t from, used;    /* where in the arena the eager run began, and what it took */
    ptrdiff_t nodes;      /* number of nodes that the eager run appended */
    struct wf_tensor out; /* the result, where every run leaves it */
};

/* Runs work(ctx), which returns a tensor of the tape, or NULL, and returns its result, which is
 * valid until the tape is reset or used for something else. After an error, which is the tape's, it
 * returns poison. */
struct wf_tensor *wf_replay(struct wf_replay *p, struct wf_tape *g,
                            struct wf_tensor *(*work)(void *ctx), void *ctx);
void wf_replay_free(struct wf_replay *p);

#ifdef __cplusplus
}
#endif
#endif
