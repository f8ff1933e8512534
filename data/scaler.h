/* scaler.h - how a series is split into windows for training, validation and testing, and the mean
 * and the standard deviation of its training part, by which values are standardised.
 *
 * Does not change the series: windows are standardised as they are gathered (data/windows.h). All
 * structs are plain values; there is nothing to free. */
#ifndef WF_SCALER_H
#define WF_SCALER_H

#include "data/series.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_part { WF_TRAIN, WF_VALID, WF_TEST };

/* Windows of each part, by enum wf_part: those that begin in rows first[part] ..
 * first[part] + count[part] - 1. */
struct wf_split {
    int first[3], count[3];
};
/* Splits the E - (T + Q - 1) windows of a series (T input and Q target steps) in order of time:
 * first training, then validation, then testing. Numbers are rounded as the reference does: half to
 * even for training and testing, and the rest is for validation. WF_EINVAL: shares that do not add
 * up to 1, or a part without a window. */
enum wf_status wf_split_make(struct wf_split *sp, const struct wf_series *s, int T, int Q,
                             const double share[3], struct wf_error *err);

/* Mean and standard deviation of each channel, computed in double. */
struct wf_scaler {
    int C;
    wf_real mean[WF_MAXCHANNEL], std[WF_MAXCHANNEL];
};
/* Fits the scaler to the input rows of the training windows (first .. first + count + T - 2),
 * missing values left out; the deviation is that of the population. With `whole`, to every row, as
 * PyTorch Geometric Temporal does; zeros are data there when the series was put without
 * zero_missing. A channel without spread gets std 1. WF_ENUMERIC: a channel without a valid value,
 * or with an infinite one. */
enum wf_status wf_scaler_fit(struct wf_scaler *sc, const struct wf_series *s,
                             const struct wf_split *sp, int T, bool whole, struct wf_error *err);

/* The sums that a scaler is made of, by channel. They are for a series of which every rank has a
 * part: each adds up its own rows, and the ranks add up the sums. */
struct wf_moments {
    double count[WF_MAXCHANNEL];  /* valid values */
    double sum[WF_MAXCHANNEL];    /* sum of the valid values */
    double square[WF_MAXCHANNEL]; /* sum of their squared distances from the mean */
};
/* Adds rows from .. to - 1 of s: to count and sum, or, once the mean [C] is known, to square. */
enum wf_status wf_moments_add(struct wf_moments *m, const struct wf_series *s, int64_t from,
                              int64_t to, const double *mean, struct wf_error *err);
/* Writes the means [C] that count and sum give. */
void wf_moments_mean(const struct wf_moments *m, int C, double *mean);
/* Makes the scaler of complete sums; fails as wf_scaler_fit does. */
enum wf_status wf_scaler_make(struct wf_scaler *sc, const struct wf_moments *m, int C,
                              struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
