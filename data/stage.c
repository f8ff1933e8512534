/* stage.c - batches on their way from the host to a device. */
#include "data/stage_private.h"
#include <string.h>
#include "tensor/alloc.h"

struct wf_stage {
    struct wf_backend *to;
    size_t bytes;
    wf_real *host[2], *device[2]; /* the blocks, by slot */
    int slot;                     /* which blocks hold the batch that is gathered or under way */
    int n, valid; /* windows of that batch, and how many of them count; n 0: none is under way */
    bool pad_missing; /* its padding is NaN; else 0 */
    int *start;       /* [B] its windows */
};

enum wf_status wf_stage_init(struct wf_stage **st, struct wf_backend *to, int B, size_t bytes,
                             struct wf_error *err)
{
    struct wf_stage *s = wf_calloc(1, sizeof *s);
    *st = s;
    if (!s) return wf_fail(err, WF_ENOMEM, "no memory to stage batches");
    s->to = to;
    s->bytes = bytes;
    s->start = wf_malloc((size_t)B * sizeof *s->start);
    bool all = s->start != NULL;
    for (int k = 0; k < 2; k++) {
        s->host[k] = to->device->host_alloc(to, bytes);
        s->device[k] = to->alloc(to, bytes);
        all = all && s->host[k] && s->device[k];
    }
    if (all) return WF_OK;
    return wf_fail(err, WF_ENOMEM, "no memory to stage batches of %zu bytes for %s", bytes,
                   to->name);
}

void wf_stage_free(struct wf_stage *s)
{
    if (!s) return;
    for (int k = 0; k < 2; k++) {
        if (s->host[k]) s->to->device->host_free(s->to, s->host[k]);
        if (s->device[k]) s->to->free(s->to, s->device[k], s->bytes);
    }
    wf_free(s->start);
    wf_free(s);
}

wf_real *wf_stage_begin(struct wf_stage *s, const int *start, int n, int valid, wf_real pad)
{
    memcpy(s->start, start, (size_t)n * sizeof *start);
    s->n = 0;
    s->valid = valid;
    s->pad_missing = pad != pad;
    return s->host[s->slot];
}

enum wf_status wf_stage_send(struct wf_stage *s, int n, size_t bytes)
{
    WF_TRY(s->to->device->fetch(s->to, s->device[s->slot], s->host[s->slot], bytes));
    s->n = n;
    return WF_OK;
}

bool wf_stage_holds(const struct wf_stage *s, const int *start, int n, int valid, wf_real pad)
{
    return s->n == n && s->valid == valid && s->pad_missing == (pad != pad) &&
           memcmp(s->start, start, (size_t)n * sizeof *start) == 0;
}

enum wf_status wf_stage_take(struct wf_stage *s, wf_real *to, size_t bytes)
{
    WF_TRY(s->to->device->fetched(s->to));
    WF_TRY(s->to->move(s->to, to, s->device[s->slot], bytes));
    s->slot = 1 - s->slot;
    s->n = 0;
    return WF_OK;
}
