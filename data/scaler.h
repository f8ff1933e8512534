/* scaler.h - which windows of a series are for training, validation and testing, and the mean and
 * the standard deviation of the training part, by which values are standardised. */
#ifndef WF_SCALER_H
#define WF_SCALER_H

#include "data/series.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Chronological split of the windows: the number of windows is E - (T + Q - 1), in order train,
 * validation, test. Rounding as the reference's: round half to even for train and test. */
struct wf_split {
    int first[3], count[3]; /* window starts: train, validation, test */
};
enum wf_part { WF_TRAIN, WF_VALID, WF_TEST };
enum wf_status wf_split_make(struct wf_split *sp, const struct wf_series *s, int T, int Q,
                             const double share[3], struct wf_error *err);

/* Standardisation per channel, in double on the way. */
struct wf_scaler {
    int C;
    wf_real mean[WF_MAXCHANNEL], std[WF_MAXCHANNEL];
};
/* Fitted on the input rows of the training windows (first .. first + count + T - 2), missing values
 * left out; population standard deviation. With `whole`, on every row, as PyTorch Geometric
 * Temporal does; zeros are data there when the series was put without zero_missing. A channel
 * without spread gets std 1; one without any valid value is an error. */
enum wf_status wf_scaler_fit(struct wf_scaler *sc, const struct wf_series *s,
                             const struct wf_split *sp, int T, bool whole, struct wf_error *err);

/* The same from sums: per channel the number of valid values, their sum, and, once the mean is
 * known, the sum of their squared distances from it. For series of which every rank has a part. */
struct wf_moments {
    double count[WF_MAXCHANNEL], sum[WF_MAXCHANNEL], square[WF_MAXCHANNEL];
};
/* Adds rows from .. to-1: count and sum, or with mean [C] the squares. */
enum wf_status wf_moments_add(struct wf_moments *m, const struct wf_series *s, int64_t from,
                              int64_t to, const double *mean, struct wf_error *err);
void wf_moments_mean(const struct wf_moments *m, int C, double *mean);
enum wf_status wf_scaler_make(struct wf_scaler *sc, const struct wf_moments *m, int C,
                              struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
