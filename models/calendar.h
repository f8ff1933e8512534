/* calendar.h - learned rows for the time of day and for the day of the week, for models whose
 * inputs carry them (struct wf_task). A feature that the inputs lack, or a time of day in data
 * whose steps a day are unknown, has no table; what is left of the model goes on without it. */
#ifndef WF_CALENDAR_H
#define WF_CALENDAR_H

#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_CALENDAR_TABLES = 2 };

/* Parameters name.day [steps_per_day, width] and name.week [7, width], of those that there are. */
struct wf_calendar {
    struct wf_tensor *table[WF_CALENDAR_TABLES];
    int channel[WF_CALENDAR_TABLES], rows[WF_CALENDAR_TABLES];
    int kind[WF_CALENDAR_TABLES]; /* 0: by the time of day, 1: by the day of the week */
    int tables;
};
/* init.fan_in and fan_out stay 0: Xavier's are the two axes of a table. */
void wf_calendar_init(struct wf_calendar *l, struct wf_params *ps, const char *name, int width,
                      struct wf_init init, const struct wf_task *task);
/* theirs: the whole names of the two. */
void wf_calendar_names(struct wf_renames *t, const struct wf_calendar *l,
                       const char *const theirs[WF_CALENDAR_TABLES], const char *ours);
/* The features of time of the step `ahead` steps behind the last of x [B, T, N, C], in the order
 * and units of the inputs: [B, N, features], NULL when the task has none. Where steps a day are
 * unknown they stay those of the last step, and so does the day of the week without the time of
 * day. */
enum { WF_CALENDAR_AHEAD = 1000 }; /* days, at most */
struct wf_tensor *wf_calendar_ahead(struct wf_tape *g, const struct wf_task *task,
                                    struct wf_tensor *x, int ahead);
/* x [.., C], inputs with all channels -> tables tensors [.., width] in out; returns how many. */
int wf_calendar(struct wf_tape *g, const struct wf_calendar *l, struct wf_tensor *x,
                struct wf_tensor *out[WF_CALENDAR_TABLES]);

#ifdef __cplusplus
}
#endif
#endif
