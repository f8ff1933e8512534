/* calendar.h - embeddings of the time of day and of the day of the week, for models whose inputs
 * carry these features (struct wf_task). There is no table for a feature that the inputs lack, nor
 * for the time of day where the number of steps per day is unknown; the model then works without
 * it. Nothing here is freed. */
#ifndef WF_CALENDAR_H
#define WF_CALENDAR_H

#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_CALENDAR_TABLES = 2 };

/* Parameters name.day [steps_per_day, width] and name.week [7, width], each where it has a
 * table. */
struct wf_calendar {
    struct wf_tensor *table[WF_CALENDAR_TABLES];
    int channel[WF_CALENDAR_TABLES]; /* the input channel that a table is looked up by */
    int rows[WF_CALENDAR_TABLES];
    int kind[WF_CALENDAR_TABLES]; /* 0: the time of day, 1: the day of the week */
    int tables;                   /* how many there are */
};
/* init says how the tables start; its fan_in and fan_out should be 0, which means the two axes of a
 * table. */
void wf_calendar_init(struct wf_calendar *l, struct wf_params *ps, const char *name, int width,
                      struct wf_init init, const struct wf_task *task);
/* theirs are the full names of the two tables in the published code, time of day first. */
void wf_calendar_names(struct wf_renames *t, const struct wf_calendar *l,
                       const char *const theirs[WF_CALENDAR_TABLES], const char *ours);
/* The features of time `ahead` steps after the last step of x [B, T, N, C], in the order and units
 * of the inputs: [B, N, features]; NULL when the task has none. Where the number of steps per day
 * is unknown they stay as in the last step; so does the day of the week where the inputs lack the
 * time of day. */
enum { WF_CALENDAR_AHEAD = 1000 }; /* days, at most */
struct wf_tensor *wf_calendar_ahead(struct wf_tape *g, const struct wf_task *task,
                                    struct wf_tensor *x, int ahead);
/* Looks up the rows for x [.., C], inputs with all their channels: one tensor [.., width] per
 * table, in out. Returns the number of tables. */
int wf_calendar(struct wf_tape *g, const struct wf_calendar *l, struct wf_tensor *x,
                struct wf_tensor *out[WF_CALENDAR_TABLES]);

#ifdef __cplusplus
}
#endif
#endif
