/* piece_private.h - the buffer through which values of a series pass, piece by piece, between host
 * and backend. Private to data/series.c and data/scaler.c.
 *
 * So no second copy of the series ever exists, and nothing can fail: the piece is part of the
 * stack. A device gets a larger one in memory that it copies to and from faster, where there is
 * some. */
#ifndef WF_PIECE_PRIVATE_H
#define WF_PIECE_PRIVATE_H

#include "tensor/backend.h"

/* Values of a piece. Both are multiples of every number of channels up to 8 (WF_MAXCHANNEL), so
 * that every piece of a series begins with channel 0. */
enum {
    WF_PIECE = 3360,             /* on the stack */
    WF_DEVICE_PIECE = 840 * 1248 /* in host memory of a device's choice */
};
struct wf_piece {
    wf_real stack[WF_PIECE];
    wf_real *at; /* [size] the values: `stack`, or memory of the device's choice */
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
