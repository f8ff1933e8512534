/* stage_private.h - copies batches from the host to a device one ahead: the host gathers into one
 * of two pinned blocks while the other is copied behind the step that the device is doing. Private
 * to data/windows.c. */
#ifndef WF_STAGE_PRIVATE_H
#define WF_STAGE_PRIVATE_H

#include "tensor/backend.h"

struct wf_stage;

/* Makes blocks of `bytes`, for batches of up to B windows. Free with wf_stage_free, on failure too;
 * NULL is allowed there. */
enum wf_status wf_stage_init(struct wf_stage **st, struct wf_backend *to, int B, size_t bytes,
                             struct wf_error *err);
void wf_stage_free(struct wf_stage *st);

/* Returns where to gather the batch of these windows. */
wf_real *wf_stage_begin(struct wf_stage *st, const int *start, int n, int valid, wf_real pad);
/* Begins to copy the gathered batch of n windows, its first `bytes`, to the device. */
enum wf_status wf_stage_send(struct wf_stage *st, int n, size_t bytes);

/* Whether just this batch is under way. */
bool wf_stage_holds(const struct wf_stage *st, const int *start, int n, int valid, wf_real pad);
/* Waits for the batch and moves its first `bytes` to `to`, in the memory of the device. */
enum wf_status wf_stage_take(struct wf_stage *st, wf_real *to, size_t bytes);

#endif
