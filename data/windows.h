/* windows.h - windows of a series, gathered on the fly (index-batching).
 *
 * A window is its start index s:
 *     input  x = rows s     .. s + T - 1
 *     target y = rows s + T .. s + T + Q - 1
 * A batch is gathered by one kernel, which standardises and adds features of time, so nothing but
 * the series is ever stored. The `base` mode, which materialises every window as PyTorch Geometric
 * Temporal does, exists to be compared with. Does not choose windows (dist/sampler.h does) and
 * knows nothing of ranks. Whoever calls wf_windows_init calls wf_windows_free. */
#ifndef WF_WINDOWS_H
#define WF_WINDOWS_H

#include "data/scaler.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_window_config {
    int T, Q;                        /* input and target steps */
    bool time_of_day, day_of_week;   /* features of time that are added to the inputs */
    int targets;                     /* how many channels are forecast, the first ones */
    bool base;                       /* all windows are materialised at once */
    bool fetched;                    /* the caller fetches materialised windows, batch by batch */
    struct wf_backend *to;           /* where batches are wanted; NULL: where the series is. The
                                    * batches of a series on the host are copied to a device */
    const struct wf_series *weights; /* weights [E, edges, 1] of a graph that changes; they outlive
                                      * the windows. NULL: the graph stays. Not with `fetched` */
};
/* Returns 12 input steps, 12 target steps, one target channel, and the time of day. */
struct wf_window_config wf_window_defaults(void);

struct wf_graph;
/* What a model sees of a batch. Tensors are owned by struct wf_windows and rewritten in place by
 * the next wf_windows_batch of the same size. The graph's members are the caller's, and
 * wf_windows_batch leaves them alone; wf_batch_bind() of nn/batch.h sets them. */
struct wf_batch {
    int B, T, Q, N, C;      /* C counts input channels and features of time */
    struct wf_tensor x;     /* [B, T, N, C] standardised, missing filled with 0 (the mean) */
    struct wf_tensor y;     /* [B, Q, N, targets] in the data's units, missing NaN */
    struct wf_tensor y_std; /* [B, Q, N, targets] standardised, missing filled with 0 */
    const struct wf_supports *supports; /* the graph's; where it changes, of the last input step */
    int valid;                          /* the first `valid` samples count, the rest is padding */
    const struct wf_graph *graph;
    struct wf_tensor weights; /* [B, T, edges] of the input steps; without data: the graph stays */
};

struct wf_windows {
    const struct wf_series *series;
    struct wf_window_config cfg;
    struct wf_scaler scaler;
    int count;                /* windows in the series */
    int B;                    /* largest batch */
    int channels;             /* input channels and features of time */
    struct wf_backend *to;    /* where the batches are */
    wf_real *batch;           /* x, y, y_std and weights of a batch, in this order */
    wf_real *base_x, *base_y; /* [windows, T or Q, N, C] every window, with cfg.base; or
                               * [B, T or Q, N, C] the current batch, with cfg.fetched */
    int *start;               /* [B] starts of the current batch, in the series' backend */
    int *place;               /* [B] 0 .. B-1, likewise, with cfg.fetched */
    struct wf_stage *stage;   /* batches on their way from the host to a device; else NULL */

    /* With cfg.fetched the caller sets fetch before the first batch. It fills x [n, T, N, C] and
     * y [n, Q, N, C], in the backend's memory, with windows start[0..n) (host memory) as
     * wf_windows_materialise makes them. What it returns, the batch returns. */
    enum wf_status (*fetch)(void *ctx, const int *start, int n, wf_real *x, wf_real *y);
    void *fetch_ctx;
};
/* Returns the bytes that base mode adds: when T = Q, those of 2 * windows * T * N * C values; 0
 * when no window fits. */
size_t wf_windows_base_bytes(const struct wf_series *s, int T, int Q);

/* Makes room for batches of up to B windows of s, which must outlive w. sc NULL leaves values as
 * they are. With cfg.fetched the series needs no values, only E, N, C and, for features of time,
 * the clock of all E rows: these features are added here, not fetched. WF_EINVAL: a configuration
 * that does not suit the series; WF_ENOMEM: base mode, too, that needs more than the host has
 * free. */
enum wf_status wf_windows_init(struct wf_windows *w, const struct wf_series *s,
                               struct wf_window_config cfg, const struct wf_scaler *sc, int B,
                               struct wf_error *err);
void wf_windows_free(struct wf_windows *w);

/* Fills the batch with windows start[0..n) (host memory), 1 <= n <= B; a short batch has shape
 * [n, ..]. WF_EINVAL when n or a start is out of range, or when cfg.fetched and a fetch do not
 * come together. */
enum wf_status wf_windows_batch(struct wf_windows *w, struct wf_batch *b, const int *start, int n);

/* As wf_windows_batch, but samples valid .. n-1 only pad the batch to its size: their y are all
 * `pad`, NaN or 0, which a masked loss does not count. 0 <= valid <= n; the padding's starts must
 * be windows too. */
enum wf_status wf_windows_batch_padded(struct wf_windows *w, struct wf_batch *b, const int *start,
                                       int n, int valid, wf_real pad);

/* Returns the bytes of a batch of n windows. */
size_t wf_windows_batch_bytes(const struct wf_windows *w, int n);

/* Fills b with the shapes of a batch of n windows whose values lie at `at` in the memory of be;
 * touches no values. */
void wf_windows_describe(const struct wf_windows *w, struct wf_batch *b, struct wf_backend *be,
                         wf_real *at, int n, int valid);

/* Gathers the batch that comes next and begins to copy it to the device, beside what the device is
 * doing now; start is copied. Does nothing where batches are not copied from host to device. */
enum wf_status wf_windows_prepare(struct wf_windows *w, const int *start, int n, int valid,
                                  wf_real pad);

/* Windows first .. first + count - 1 of a series, as base mode holds them. */
struct wf_window_blocks {
    int first, count;
    wf_real *x; /* [count, T, N, C] standardised, missing filled with 0; backend memory */
    wf_real *y; /* [count, Q, N, C] in the data's units, missing NaN; backend memory */
};
/* Materialises the windows that `to` names into its blocks. sc NULL leaves values as they are.
 * WF_EINVAL: windows that the series does not have, or a configuration that wf_windows_init
 * refuses. */
enum wf_status wf_windows_materialise(const struct wf_series *s, const struct wf_window_config *cfg,
                                      const struct wf_scaler *sc, const struct wf_window_blocks *to,
                                      struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
