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
 * index and ddp shuffle all windows, the others each rank's batches (dist/sampler.h). The weights
 * of a graph that changes lie where the rows lie, but for index, where every rank has all of both
 * to itself; ddp, which fetches windows without them, is refused. */
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

/* Windows first .. last-1 of the data set and the rows they begin in, of which this rank answers;
 * row `first` of the data set is row `at` of the rank's series. */
struct wf_own_rows {
    int first, last;
    int64_t at;
};

struct wf_placement {
    /* filled by the caller */
    struct wf_dist *dist;
    enum wf_mode mode;
    int T, Q;
    double share[3]; /* of the windows, for training, validation and testing */
    /* made by wf_placement_load */
    int64_t E;             /* rows of the whole data set */
    struct wf_split all;   /* of its windows */
    struct wf_split split; /* as this rank's windows are numbered; its own, if windows_are_local */
    bool windows_are_local, whole; /* whole: every row can be read here */
    struct wf_own_rows own[3];     /* count of them: */
    int owns;
    struct wf_error error; /* of the choice of rows */
    struct wf_shared values, times;
    /* made by wf_placement_windows, for ddp */
    wf_real *x, *y;               /* windows own[0], [windows, T or Q, N, C] */
    ptrdiff_t window_x, window_y; /* elements of one */
    struct wf_remote remote_x, remote_y;
};

/* Reads what this rank needs into ds. All ranks, as all functions here. */
enum wf_status wf_placement_load(struct wf_placement *p, struct wf_dataset *ds,
                                 struct wf_backend *be, const struct wf_dataset_source *src,
                                 struct wf_error *err);

/* The scaler of the whole data set's training rows (or of all its rows), the same on all ranks. */
enum wf_status wf_placement_scaler(struct wf_placement *p, struct wf_scaler *sc,
                                   const struct wf_series *s, bool whole, struct wf_error *err);

/* wf_windows_init, with what the placement adds; s is ds->series and may lose its values. */
enum wf_status wf_placement_windows(struct wf_placement *p, struct wf_windows *w,
                                    struct wf_series *s, struct wf_window_config cfg,
                                    const struct wf_scaler *sc, int B, struct wf_error *err);
/* After the windows and the data set. */
void wf_placement_free(struct wf_placement *p);

#ifdef __cplusplus
}
#endif
#endif
