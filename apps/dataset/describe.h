/* describe.h - what is in a data set, in numbers and in shades, for people to read. */
#ifndef WF_DESCRIBE_H
#define WF_DESCRIBE_H

#include <stdio.h>
#include "data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_dataset_stats {
    int64_t gaps, longest_s; /* gaps: steps longer than the interval; the longest, seconds */
    struct {
        double min, max, mean; /* of the values that are there; NaN: none is */
        double missing, zeros; /* shares of all values */
    } channel[WF_MAXCHANNEL];
    int self_loops, isolated; /* isolated: no edge but a self-loop */
    int out_max, in_max;      /* degrees, self-loops included */
    float weight_min, weight_max;
    bool symmetric;    /* every edge has its reverse, of the same weight */
    int step_edges[3]; /* edges of a step where the graph changes: fewest, median, most */
};
/* Computes what is in a data set. WF_EINVAL: it is not in the CPU's memory; WF_ENOMEM. */
enum wf_status wf_dataset_stats(struct wf_dataset_stats *st, const struct wf_dataset *ds,
                                struct wf_error *err);
/* Prints a page about the data set and its statistics. */
void wf_dataset_print(const struct wf_dataset *ds, const struct wf_dataset_stats *st, FILE *out);
/* Draws channel 0 in shades on at most 12 lines of 60 characters: nodes from top to bottom, steps
 * from left to right, or the mean day where there are several days. Draws nothing where the data
 * set is not in the CPU's memory. */
void wf_dataset_picture(const struct wf_dataset *ds, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
