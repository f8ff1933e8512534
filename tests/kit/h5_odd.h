/* h5_odd.h - writes HDF5 files that the library itself never writes, for tests and fuzzing of its
 * readers: other number types, strings, filters, links, and frames as pandas stores them. */
#ifndef WF_TEST_H5_ODD_H
#define WF_TEST_H5_ODD_H

#include <stdbool.h>
#include <stdint.h>

/* Writes one dataset of each kind: i8, u8, i16be, f32, f64be, bool (enum), u64, half; fixed,
 * spaced, variable (strings); compound; chunked (deflated), scalar, empty; alien (its filter is not
 * installed), outside (external storage), elsewhere (external link), endless (its dimensions exceed
 * the file), deep (rank 9). */
void h5_odd_types(const char *path);

struct h5_frame {
    const char *key;
    int E, N;
    bool integer_labels, f32, two_blocks, table;
    const char *kind;        /* the type of the row labels, such as "datetime64" */
    const int64_t *times_ns; /* [E] */
};
/* Writes values[t][n] = 1000 t + n + 0.5 with column labels "7n" or 700 + n. With two_blocks, odd
 * columns are stored in a second block. If the file exists, the frame is added to it. */
void h5_odd_frame(const char *path, const struct h5_frame *frame);

#endif
