#include "dist/sampler.h"
#include "tensor/alloc.h"
#include "tensor/rng.h"

enum {
    STREAM_ORDER = 0x0DE12,
    STREAM_BATCHES = 0x0BA7C
}; /* random streams: order of windows, of batches */

void wf_share(int n, int ranks, int r, int *lo, int *hi)
{
    *lo = (int)((int64_t)n * r / ranks);
    *hi = (int)((int64_t)n * (r + 1) / ranks);
}

/* Returns the number of batches of the rank with most windows, which is that of all ranks. */
static int most_batches(const struct wf_sampler *s)
{
    int most = (s->windows + s->ranks - 1) / s->ranks;
    return (most + s->batch - 1) / s->batch;
}

enum wf_status wf_sampler_init(struct wf_sampler *s, struct wf_error *err)
{
    int lo, hi;
    s->order = NULL;
    if (s->ranks < 1 || s->rank < 0 || s->rank >= s->ranks || s->batch < 1 || s->windows < s->ranks)
        return wf_fail(err, WF_EINVAL,
                       "sampler: %d windows in batches of %d for rank %d of %d: want at least one "
                       "window per rank",
                       s->windows, s->batch, s->rank, s->ranks);
    wf_share(s->windows, s->ranks, s->rank, &lo, &hi);
    s->own = hi - lo;
    int n = s->windows_are_local ? most_batches(s) : s->windows;
    s->order = wf_malloc((size_t)n * sizeof *s->order);
    if (!s->order) return wf_fail(err, WF_ENOMEM, "no memory for the order of %d windows", n);
    return WF_OK;
}

void wf_sampler_free(struct wf_sampler *s)
{
    wf_free(s->order);
    s->order = NULL;
}

void wf_sampler_epoch(struct wf_sampler *s, int epoch)
{
    int n = s->windows_are_local ? most_batches(s) : s->windows;
    uint32_t stream =
        s->windows_are_local ? STREAM_BATCHES + (uint32_t)s->rank * 0x10000u : STREAM_ORDER;
    if (s->shuffle)
        wf_rng_permutation(s->seed, stream, (uint64_t)epoch, n, s->order);
    else
        for (int i = 0; i < n; i++) s->order[i] = i;
}

/* Takes the j-th of this rank's own batches; one behind its last window is all padding. */
static void draw_own(const struct wf_sampler *s, int j, int *start, struct wf_draw *d)
{
    int from = j * s->batch, left = s->own - from;
    d->valid = left < 0 ? 0 : left < s->batch ? left : s->batch;
    d->n = d->valid ? d->valid : 1;
    for (int i = 0; i < d->n; i++) start[i] = s->first + (d->valid ? from + i : 0);
}

bool wf_sampler_draw(const struct wf_sampler *s, int seen, int *start, struct wf_draw *d)
{
    int all = s->ranks * s->batch;
    if (s->batches && seen / all >= s->batches) return false;
    if (s->windows_are_local) {
        int k = seen / all;
        if (k >= most_batches(s)) return false;
        draw_own(s, s->order[k], start, d);
        d->taken = all;
        return true;
    }
    int m = s->windows - seen < all ? s->windows - seen : all;
    if (m <= 0) return false;
    *d = (struct wf_draw){ .n = (m + s->ranks - 1) / s->ranks, .taken = m };
    for (int i = 0; i < d->n; i++) {
        int at = i * s->ranks + s->rank;
        d->valid += at < m;
        start[i] = s->first + s->order[seen + (at < m ? at : 0)];
    }
    return true;
}

int wf_sampler_steps(const struct wf_sampler *s)
{
    int all = s->ranks * s->batch;
    int steps = s->windows_are_local ? most_batches(s) : (s->windows + all - 1) / all;
    return s->batches && s->batches < steps ? s->batches : steps;
}
