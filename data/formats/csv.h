/* csv.h - comma-separated files: tables of numbers, and road distances as an adjacency.
 *
 * Fields may be quoted ("" is a quote), lines end in LF or CRLF, empty lines do not count. An empty
 * field, NaN, NA and null are missing and become NaN; infinities are refused. Messages name line
 * and column, both from 1. Holds the whole file in memory. The caller frees. */
#ifndef WF_CSV_H
#define WF_CSV_H

#include <stdbool.h>
#include "data/formats/adjacency.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_csv {
    ptrdiff_t rows, cols;  /* of numbers */
    double *values;        /* [rows, cols] */
    struct wf_names names; /* cols of them, from the header; none without one */
    int64_t *times_ns;     /* [rows], nanoseconds since 1970, where the first column holds dates */
};

/* AUTO takes the first line as a header when a field in it is no number (nor, in the first column,
 * a date); node ids that are numbers need YES. */
enum wf_csv_header { WF_CSV_AUTO, WF_CSV_YES, WF_CSV_NO };

/* Dates are YYYY-MM-DD or YYYY/MM/DD with an optional time HH:MM[:SS[.fraction]], taken as UTC;
 * their column is not among the numbers. */
enum wf_status wf_csv_read(const char *path, enum wf_csv_header header, struct wf_csv *out,
                           struct wf_error *err);
enum wf_status wf_csv_parse(const void *bytes, size_t size, enum wf_csv_header header,
                            struct wf_csv *out, struct wf_error *err);
void wf_csv_free(struct wf_csv *c);
/* Nanoseconds since 1970 of such a date; false where the text is none. */
bool wf_csv_date(const char *text, int64_t *ns);

/* Lines "from,to,distance" (a header is skipped) to weights exp(-(d / s)^2) for the given nodes in
 * the given order, s the standard deviation of the distances between them; weights below threshold
 * (DCRNN: 0.1) and pairs without a distance are 0. Lines of other nodes do not count; of two lines
 * of one pair the later does. Thresholded Gaussian kernel of Li et al. 2018, section 4, as
 * liyaguang/DCRNN computes it. */
enum wf_status wf_csv_adjacency(const char *path, const struct wf_names *ids, double threshold,
                                struct wf_adjacency *out, struct wf_error *err);
enum wf_status wf_csv_adjacency_parse(const void *bytes, size_t size, const struct wf_names *ids,
                                      double threshold, struct wf_adjacency *out,
                                      struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
