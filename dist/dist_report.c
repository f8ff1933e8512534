/* dist_report.c - what ranks exchanged and hold, for --stats. */
#include <math.h>
#include "data/file.h"
#include "dist/dist.h"
#include "tensor/alloc.h"

enum { RSS, SHARED, PEAK, EXCHANGE_S, COLUMNS };

static void print_exchange(const struct wf_dist *d, const double *sum, int64_t steps, FILE *out)
{
    double per = steps > 0 ? 1.0 / (double)steps / d->size : 0;
    fprintf(out, "\nExchanged by each of %d ranks, per step (%lld steps):\n", d->size,
            (long long)steps);
    fprintf(out, "  gradients   %8.1f all-reduces  %12.0f bytes\n", sum[0] * per, sum[1] * per);
    fprintf(out, "  counts      %8.1f all-reduces  %12.0f bytes\n", sum[2] * per, sum[3] * per);
    fprintf(out, "  windows     %8.1f gets         %12.0f bytes\n", sum[4] * per, sum[5] * per);
}

static void print_ranks(const struct wf_dist *d, const double *all, double seconds, FILE *out)
{
    fprintf(out, "Ranks after training: resident memory, shared with others, peak; waiting and "
                 "exchanging\n");
    for (int r = 0; r < d->size; r++) {
        const double *v = all + (ptrdiff_t)r * COLUMNS;
        fprintf(out, "  rank %4d  %9.1f MiB  %9.1f MiB  %9.1f MiB  %6.2f s of %.2f (%.1f %%)\n", r,
                v[RSS] / 1024, v[SHARED] / 1024, v[PEAK] / 1024, v[EXCHANGE_S], seconds,
                seconds > 0 ? 100 * v[EXCHANGE_S] / seconds : 0);
    }
}

enum wf_status wf_dist_report(struct wf_dist *d, int64_t steps, double seconds, FILE *out,
                              struct wf_error *err)
{
    const struct wf_dist_stats *t = &d->stats;
    double sum[] = { (double)t->reduces,    (double)t->reduce_bytes, (double)t->lanes,
                     (double)t->lane_bytes, (double)t->gets,         (double)t->get_bytes };
    double exchanging = t->reduce_s + t->lane_s + t->get_s;
    int cells = d->size * COLUMNS;
    double *all = wf_calloc((size_t)cells, sizeof *all);
    enum wf_status s = all ? WF_OK : wf_fail(err, WF_ENOMEM, "no memory for a report");
    s = wf_dist_agree(d, s, err);
    if (s == WF_OK) {
        double *v = all + (ptrdiff_t)d->rank * COLUMNS;
        v[RSS] = fmax(wf_file_kib("/proc/self/status", "VmRSS"), 0);
        v[SHARED] = fmax(wf_file_kib("/proc/self/status", "RssShmem"), 0);
        v[PEAK] = fmax(wf_file_kib("/proc/self/status", "VmHWM"), 0);
        v[EXCHANGE_S] = exchanging;
        s = wf_dist_sum(d, sum, (int)(sizeof sum / sizeof *sum), err);
        if (s == WF_OK) s = wf_dist_sum(d, all, cells, err);
    }
    if (s == WF_OK && out) {
        print_exchange(d, sum, steps, out);
        print_ranks(d, all, seconds, out);
    }
    wf_free(all);
    return s;
}
