/* arena.h - the memory of a step: allocate by moving a mark, give all of it back at once.
 *
 * A large range of addresses is reserved at the start and backed with memory as it is used, so
 * growth never moves anything, and a step that asks for the same sizes gets the same addresses
 * every time. Blocks are aligned to 64 bytes. */
#ifndef WF_ARENA_H
#define WF_ARENA_H

#include "tensor/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_arena {
    struct wf_backend *be;
    char *base;
    size_t reserved, committed, used, peak;
};

enum wf_status wf_arena_init(struct wf_arena *a, struct wf_backend *be, struct wf_error *err);
void wf_arena_free(struct wf_arena *a);

/* Returns a block, or NULL when no more memory can be committed; what was allocated before stays
 * valid. */
void *wf_arena_alloc(struct wf_arena *a, size_t bytes);

/* Gives back everything allocated since `used` was `mark` (0: everything). The arena keeps the
 * memory for later blocks. */
void wf_arena_release(struct wf_arena *a, size_t mark);

#ifdef __cplusplus
}
#endif
#endif
