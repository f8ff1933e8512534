/* placement.h - where the rows and the windows of a data set live, seen from one rank.
 *
 *     base         one rank, every window materialised, as the reference does it
 *     index        every rank reads windows out of the whole series; the ranks of a machine share
 *                  one copy of it
 *     partitioned  every rank reads and keeps the rows of its share of the training, the validation
 *                  and the test windows, with a halo of T + Q - 1 rows each
 *     ddp          the windows are materialised, consecutive ones on each rank; others are fetched
 *                  by one-sided reads (what base means on several ranks)
 *     ddp-batch    as partitioned, and each rank's windows are materialised
 *
 * With index and ddp any rank may train on any window, with partitioned and ddp-batch only on those
 * of its own share, which it then numbers by itself, from 0 (windows_are_local; dist/sampler.h).
 * The weights of a graph that changes lie where the rows lie, but for index, where every rank has
 * all of both to itself; ddp, which fetches windows without them, is refused.
 *
 * Every function is collective (dist/dist.h). Whoever loads frees. */
#ifndef WF_PLACEMENT_H
#define WF_PLACEMENT_H

#include "data/dataset.h"
#include "data/windows.h"
#include "dist/dist.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_mode { WF_MODE_BASE, WF_MODE_INDEX, WF_MODE_PARTITIONED, WF_MODE_DDP, WF_MODE_DDP_BATCH };
extern const char *const wf_mode_names[]; /* ended by NULL */

/* Windows [first, last) of the data set, for which this rank is responsible, and the rows that they
 * begin in: row `first` of the data set is row `at` of this rank's series. */
struct wf_own_rows {
    int first, last;
    int64_t at;
};

struct wf_placement {
    /* The caller fills these. */
    struct wf_dist *dist;
    enum wf_mode mode; /* loading turns base on several ranks into ddp, and ddp on one into base */
    int T, Q;
    double share[3]; /* shares of the windows for training, validation and testing */

    /* wf_placement_load makes these. */
    int64_t E;              /* rows of the whole data set */
    struct wf_split all;    /* split of all windows of the data set */
    struct wf_split split;  /* the same as this rank numbers windows: that of its own share, with
                             * windows_are_local, else `all` */
    bool windows_are_local; /* this rank has windows of its own, numbered from 0 */
    bool whole;             /* this rank can read every row of the series */
    int owns;               /* how many ranges of windows this rank is responsible for */
    struct wf_own_rows own[3];
    struct wf_error error;          /* why the choice of rows failed */
    struct wf_shared values, times; /* the machine's copy of the series, with index */

    /* wf_placement_windows makes these, for ddp. */
    wf_real *x, *y;               /* windows own[0], [windows, T or Q, N, C] */
    ptrdiff_t window_x, window_y; /* elements of one window */
    struct wf_remote remote_x, remote_y;
};

/* Reads what this rank needs into ds, on be. On failure nothing is left in ds. WF_EINVAL: fewer
 * windows of a part than ranks, or what wf_split_make refuses; else as wf_dataset_load and
 * wf_dist_agree. */
enum wf_status wf_placement_load(struct wf_placement *p, struct wf_dataset *ds,
                                 struct wf_backend *be, const struct wf_dataset_source *src,
                                 struct wf_error *err);

/* Fits the scaler to the training rows of the whole data set or, with `whole`, to all its rows. It
 * comes out the same on all ranks; s is this rank's series, ds->series. */
enum wf_status wf_placement_scaler(struct wf_placement *p, struct wf_scaler *sc,
                                   const struct wf_series *s, bool whole, struct wf_error *err);

/* As wf_windows_init, with what the placement adds to cfg. s is ds->series; with ddp it loses its
 * values, which the materialised windows then replace. WF_EINVAL: ddp on a device, or with a graph
 * that changes. */
enum wf_status wf_placement_windows(struct wf_placement *p, struct wf_windows *w,
                                    struct wf_series *s, struct wf_window_config cfg,
                                    const struct wf_scaler *sc, int B, struct wf_error *err);
/* Frees what load and windows made; call it after freeing the windows and the data set. */
void wf_placement_free(struct wf_placement *p);

#ifdef __cplusplus
}
#endif
#endif
