/* describe.h - what is in a data set, in numbers and in shades, for people to read. */
#ifndef WF_DESCRIBE_H
#define WF_DESCRIBE_H

#include <stdio.h>
#include "data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_dataset_stats {
    int64_t gaps, longest_s; /* steps longer than the interval */
    struct {
        double min, max, mean; /* of what is there; NaN when nothing is */
        double missing, zeros; /* shares of all */
    } channel[WF_MAXCHANNEL];
    int self_loops, isolated; /* isolated: no edge but a self-loop */
    int out_max, in_max;      /* degrees, self-loops included */
    float weight_min, weight_max;
    bool symmetric;    /* every edge has its reverse, of the same weight */
    int step_edges[3]; /* of a graph that changes, in a step: fewest, median, most */
};
/* Of a data set in the CPU's memory. WF_ENOMEM, WF_EINVAL: on another backend. */
enum wf_status wf_dataset_stats(struct wf_dataset_stats *st, const struct wf_dataset *ds,
                                struct wf_error *err);
/* A readable page about both. */
void wf_dataset_print(const struct wf_dataset *ds, const struct wf_dataset_stats *st, FILE *out);
/* Channel 0 in shades on at most 12 lines of 60 characters: nodes from top to bottom, from left to
 * right the steps; their mean day where they are of several days. In the CPU's memory. */
void wf_dataset_picture(const struct wf_dataset *ds, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
