/* series.h - one copy of a series of measurements at the nodes of a graph.
 *
 * A series [E, N, C] is held once, as wf_real, in a backend's memory; missing values are NaN. It is
 * split and standardised by data/scaler.h, and windows are cut out of it on the fly by
 * data/windows.h. The weights of a graph that changes with time are a series like any other: one
 * channel, an edge in place of a node, 0 where the edge is not there. Knows nothing of files.
 * Whoever calls wf_series_init calls wf_series_free. */
#ifndef WF_SERIES_H
#define WF_SERIES_H

#include "tensor/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_MAXCHANNEL = 8 }; /* most measured channels of a series */

struct wf_series {
    struct wf_backend *be;
    int64_t E;       /* time steps: rows */
    int N, C;        /* nodes, measured channels */
    wf_real *values; /* [E, N, C] in the backend's memory; NULL when they are not held here and
                      * windows are fetched instead (wf_windows.fetch) */
    bool borrowed;   /* the values belong to somebody else, who outlives the series */
    int64_t *time_s; /* [E] in the backend's memory: seconds since 1970 in the data's own clock;
                      * NULL when unknown */
    int interval_s;  /* seconds between steps; 0 when unknown */
};

/* Makes a series of E rows, all values 0, without a clock. WF_EINVAL: a shape out of range;
 * WF_ENOMEM. */
enum wf_status wf_series_init(struct wf_series *s, struct wf_backend *be, int64_t E, int N, int C,
                              struct wf_error *err);
/* Frees clock and values, but leaves borrowed values alone. */
void wf_series_free(struct wf_series *s);

/* Copies rows first .. first + rows - 1 from host memory [rows, N, C]; zero_missing turns zeros of
 * channel 0 into NaN. WF_EINVAL when the rows lie outside the series. */
enum wf_status wf_series_put(struct wf_series *s, int64_t first, int64_t rows, const float *host,
                             bool zero_missing);

/* Puts all rows at once, from a wf_malloc'd block [E, N, C] that now belongs to the series, even on
 * failure. On the CPU the float library keeps the block itself, so no second copy ever exists. */
enum wf_status wf_series_adopt(struct wf_series *s, float *values, bool zero_missing);

/* Sets the clock: row e is at time_s[e] (host memory), or at t0_s + e * interval_s when time_s is
 * NULL. With times and interval_s 0 the interval is the smallest step between them. WF_EINVAL: a
 * time before 1970, or no times and no interval; WF_ENOMEM. */
enum wf_status wf_series_clock(struct wf_series *s, const int64_t *time_s, int64_t t0_s,
                               int interval_s, struct wf_error *err);

/* Makes `host` a copy of s on the CPU, for code that reads values one by one. Free it with
 * wf_series_free. */
enum wf_status wf_series_to_host(struct wf_series *host, const struct wf_series *s,
                                 struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
