/* piece_private.h - values of a series on their way between host and backend. */
#ifndef WF_PIECE_PRIVATE_H
#define WF_PIECE_PRIVATE_H

#include "tensor/backend.h"

/* Values on their way between host and backend pass through a piece of the stack: no second copy
 * of the series, and nothing that can fail. A device gets larger ones out of memory it copies fast
 * from, where there is some. Multiples of every channel count up to 8. */
enum { WF_PIECE = 3360, WF_DEVICE_PIECE = 840 * 1248 };
struct wf_piece {
    wf_real stack[WF_PIECE], *at;
    int size;
};

static inline void wf_piece_init(struct wf_piece *p, struct wf_backend *be)
{
    p->at = NULL;
    if (be->device) p->at = be->device->host_alloc(be, WF_DEVICE_PIECE * sizeof *p->at);
    p->size = p->at ? WF_DEVICE_PIECE : WF_PIECE;
    if (!p->at) p->at = p->stack;
}

static inline void wf_piece_free(struct wf_piece *p, struct wf_backend *be)
{
    if (p->at != p->stack) be->device->host_free(be, p->at);
}

#endif
