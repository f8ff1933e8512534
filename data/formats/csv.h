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
    ptrdiff_t rows, cols;
    double *values;        /* [rows, cols] */
    struct wf_names names; /* names of the columns, from the header; none without a header */
    int64_t *times_ns;     /* [rows], nanoseconds since 1970, where the first column holds dates */
};

/* Whether the first line is a header. */
enum wf_csv_header {
    WF_CSV_AUTO, /* it is, when a field in it is no number (nor, in the first column, a date) */
    WF_CSV_YES,  /* it is; node ids that are numbers need this */
    WF_CSV_NO
};

/* Reads a table of numbers whose first column may be dates. Dates are YYYY-MM-DD or YYYY/MM/DD with
 * an optional time HH:MM[:SS[.fraction]], taken as UTC; their column is not among the numbers.
 * WF_EFORMAT, WF_EIO, WF_ENOMEM; on failure *out is empty. */
enum wf_status wf_csv_read(const char *path, enum wf_csv_header header, struct wf_csv *out,
                           struct wf_error *err);
enum wf_status wf_csv_parse(const void *bytes, size_t size, enum wf_csv_header header,
                            struct wf_csv *out, struct wf_error *err);
void wf_csv_free(struct wf_csv *c);
/* Reads such a date as nanoseconds since 1970. False: the text is no date. */
bool wf_csv_date(const char *text, int64_t *ns);

/* Turns lines "from,to,distance" (a header is skipped) into weights between the given nodes, in the
 * given order:
 *     w = exp(-(d / s)^2), or 0 where this is below threshold
 * where s is the standard deviation of the distances between these nodes. Pairs without a distance
 * have the weight 0. Lines of other nodes do not count; of two lines of one pair the later does. It
 * is the thresholded Gaussian kernel of Li et al. 2018, section 4 (threshold 0.1), as
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
