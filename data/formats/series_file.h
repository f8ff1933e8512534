/* series_file.h - a time series of a network's nodes in an HDF5 file.
 *
 * Reads what pandas writes (DataFrame.to_hdf in its 'fixed' format, rows are times, columns are
 * nodes) and Weft's own layout:
 *
 *     /values   [E, N] or [E, N, C], float32 or float64      rows are times
 *     /nodes    [N] texts or integers                        optional
 *     /times    [E] int64, nanoseconds since 1970            only where the interval varies
 *     attributes of the file: t0 (int64, nanoseconds since 1970), interval_s (int64, seconds),
 *         synthetic (int64, 1: simulated)                    optional
 *
 * Values come as they are in the file, as float: which of them mean "missing" is not decided here.
 * The caller frees what reading fills with wf_series_file_free. */
#ifndef WF_SERIES_FILE_H
#define WF_SERIES_FILE_H

#include <stdbool.h>
#include "data/formats/array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A range of rows. */
struct wf_rows {
    ptrdiff_t first, count;
};
enum { WF_ROW_RANGES = 3 }; /* most ranges that can be chosen */

/* Which rows of a file are kept, for those who need only a part of it. Once the number E of rows is
 * known, choose is called; it returns how many ranges it wrote: 1 to 3 ranges of at least one row
 * inside [0, E), in rising order of their first rows. Rows of two ranges are kept twice. */
struct wf_row_choice {
    int (*choose)(void *ctx, ptrdiff_t E, struct wf_rows out[WF_ROW_RANGES]);
    void *ctx;
};

struct wf_series_file {
    ptrdiff_t E, N, C;     /* E counts the rows that are kept */
    float *values;         /* [E, N, C] */
    struct wf_names nodes; /* names of the N nodes; or none */
    int64_t t0_ns;         /* time of the first row that is kept, nanoseconds since 1970 */
    int64_t interval_s;    /* seconds between rows of the whole file, where it varies the shortest;
                            * 0: the file does not say */
    int64_t *times_ns;     /* [E] only where the interval varies, or where rows were chosen from a
                            * file with a clock */
    ptrdiff_t total;       /* rows in the file */
    bool synthetic;        /* simulated, not measured */
    struct wf_rows rows[WF_ROW_RANGES]; /* what was kept; reading sets it, writing ignores it */
    int ranges;                         /* how many of rows[] count */
};

/* Reads a file, or the bytes of one. key is the pandas key, or NULL for the only one in the file,
 * and for Weft's layout. rows chooses what is kept, and no other values are read; NULL: all rows
 * are. Memory: the result, at most 2 MiB (or one row), and the times of all rows. WF_EINVAL: rows
 * that the file does not have; WF_EFORMAT, WF_EIO, WF_ENOMEM. On failure *out is empty. */
enum wf_status wf_series_file_read(struct wf_series_file *out, const char *path, const char *key,
                                   const struct wf_row_choice *rows, struct wf_error *err);
enum wf_status wf_series_file_parse(struct wf_series_file *out, const void *bytes, size_t size,
                                    const char *key, const struct wf_row_choice *rows,
                                    struct wf_error *err);
void wf_series_file_free(struct wf_series_file *s);

/* Whether path is an HDF5 file that says it is synthetic; false too where it cannot be read. */
bool wf_series_file_synthetic(const char *path);

/* Returns where row e of those that were kept stands in the file. */
ptrdiff_t wf_series_file_row(const struct wf_series_file *s, ptrdiff_t e);

/* For readers of files. s has the shape and the clock of all rows; both become those of the chosen
 * ones. wf_series_file_choose leaves the values to the caller; wf_series_file_keep takes them for a
 * block of all rows, and drops those that were not chosen. On failure s is fit for
 * wf_series_file_free only. */
enum wf_status wf_series_file_choose(struct wf_series_file *s, const struct wf_row_choice *rows,
                                     struct wf_error *err);
enum wf_status wf_series_file_keep(struct wf_series_file *s, const struct wf_row_choice *rows,
                                   struct wf_error *err);

/* Returns how many rows of [rows, width] floats a writer is best given at a time: 2 MiB, or one. */
ptrdiff_t wf_series_file_chunk(ptrdiff_t rows, ptrdiff_t width);

/* Writes Weft's layout. The new file takes the place of an old one only once it is complete. */
enum wf_status wf_series_file_write(const char *path, const struct wf_series_file *s,
                                    struct wf_error *err);

/* Writes the same in pieces: head gives all but the values, and rows follow in order, each of N * C
 * floats. Commit, which frees w in every case, refuses a file that lacks rows. */
struct wf_h5;
struct wf_series_writer;
enum wf_status wf_series_writer_open(struct wf_series_writer **w, const char *path,
                                     const struct wf_series_file *head, struct wf_error *err);
enum wf_status wf_series_writer_rows(struct wf_series_writer *w, ptrdiff_t rows,
                                     const float *values, struct wf_error *err);
/* Writes the matrix /adjacency [N, N] of a list of edges, parallel ones added up. */
enum wf_status wf_series_writer_graph(struct wf_series_writer *w, ptrdiff_t edges,
                                      const int *source, const int *target, const float *weight,
                                      struct wf_error *err);
/* Returns the unfinished file, for datasets that belong beside the series. */
struct wf_h5 *wf_series_writer_h5(struct wf_series_writer *w);
enum wf_status wf_series_writer_commit(struct wf_series_writer *w, struct wf_error *err);
void wf_series_writer_discard(struct wf_series_writer *w);
/* Commits where s is WF_OK, else discards; the message of a failure begins with path. */
enum wf_status wf_series_writer_end(struct wf_series_writer *w, enum wf_status s, const char *path,
                                    struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
