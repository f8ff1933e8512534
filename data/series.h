/* series.h - one copy of a series of measurements at the nodes of a graph.
 *
 * A series [E, N, C] is held once, as wf_real; missing values are NaN. Windows are cut out of it on
 * the fly (data/windows.h). The weights of a graph that changes with time are a series like any
 * other: one channel, an edge in place of a node, 0 where the edge is not there. Knows nothing of
 * files. Whoever calls wf_series_init calls wf_series_free. */
#ifndef WF_SERIES_H
#define WF_SERIES_H

#include "tensor/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_MAXCHANNEL = 8 };

struct wf_series {
    struct wf_backend *be;
    int64_t E; /* time steps */
    int N, C;  /* nodes, measured channels (at most WF_MAXCHANNEL) */
    wf_real *
        values; /* [E, N, C] in the backend's memory; NULL: other ranks have them (see windows.h) */
    bool borrowed;   /* the values are someone else's, who outlives the series */
    int64_t *time_s; /* [E] in the backend's memory: seconds since 1970 in the data's own clock;
                      * NULL when unknown */
    int interval_s;  /* seconds between steps; 0 when unknown */
};

/* All values 0, no clock. */
enum wf_status wf_series_init(struct wf_series *s, struct wf_backend *be, int64_t E, int N, int C,
                              struct wf_error *err);

/* Rows first .. first + rows - 1 from host memory [rows, N, C]; zero_missing turns zeros of channel
 * 0 into NaN. WF_EINVAL when the rows lie outside the series. */
enum wf_status wf_series_put(struct wf_series *s, int64_t first, int64_t rows, const float *host,
                             bool zero_missing);

/* A copy on the CPU, for what reads values one by one. */
enum wf_status wf_series_to_host(struct wf_series *host, const struct wf_series *s,
                                 struct wf_error *err);

/* Leaves borrowed values alone. */
void wf_series_free(struct wf_series *s);

/* All rows at once, from a wf_malloc'd block [E, N, C] that now belongs to the series, even on
 * failure. On the CPU the float library keeps the block itself, so no second copy ever exists. */
enum wf_status wf_series_adopt(struct wf_series *s, float *values, bool zero_missing);

/* Row e is of time_s[e] (host memory, not before 1970), or of t0_s + e * interval_s when time_s is
 * NULL. With times and interval_s 0 the interval is the smallest step between them. */
enum wf_status wf_series_clock(struct wf_series *s, const int64_t *time_s, int64_t t0_s,
                               int interval_s, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
