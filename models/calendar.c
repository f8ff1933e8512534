#include "models/calendar.h"

void wf_calendar_init(struct wf_calendar *l, struct wf_params *ps, const char *name, int width,
                      struct wf_init init, const struct wf_task *task)
{
    const char *const names[WF_CALENDAR_TABLES] = { "day", "week" };
    const bool there[WF_CALENDAR_TABLES] = { task->time_of_day, task->day_of_week };
    const int rows[WF_CALENDAR_TABLES] = { task->steps_per_day, 7 };
    int channel = task->channels - task->time_of_day - task->day_of_week;
    char path[WF_NAME_TEXT];
    l->tables = 0;
    for (int k = 0; k < WF_CALENDAR_TABLES; channel += there[k], k++) {
        if (!there[k] || rows[k] < 1) continue;
        l->table[l->tables] = wf_params_add(ps, wf_params_path(path, name, names[k]), 2,
                                            wf_dims(rows[k], width), init);
        l->channel[l->tables] = channel;
        l->rows[l->tables++] = rows[k];
    }
}

int wf_calendar(struct wf_tape *g, const struct wf_calendar *l, struct wf_tensor *x,
                struct wf_tensor *out[WF_CALENDAR_TABLES])
{
    for (int k = 0; k < l->tables; k++)
        out[k] = wf_lookup(g, l->table[k], wf_select(g, x, -1, l->channel[k]), l->rows[k]);
    return l->tables;
}
