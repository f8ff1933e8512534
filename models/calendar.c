#include "models/calendar.h"

static const char *const table_names[WF_CALENDAR_TABLES] = { "day", "week" };

void wf_calendar_init(struct wf_calendar *l, struct wf_params *ps, const char *name, int width,
                      struct wf_init init, const struct wf_task *task)
{
    const bool there[WF_CALENDAR_TABLES] = { task->time_of_day, task->day_of_week };
    const int rows[WF_CALENDAR_TABLES] = { task->steps_per_day, 7 };
    int channel = task->channels - task->time_of_day - task->day_of_week;
    char path[WF_NAME_TEXT];
    l->tables = 0;
    for (int k = 0; k < WF_CALENDAR_TABLES; channel += there[k], k++) {
        if (!there[k] || rows[k] < 1) continue;
        l->table[l->tables] = wf_params_add(ps, wf_params_path(path, name, table_names[k]), 2,
                                            wf_dims(rows[k], width), init);
        l->kind[l->tables] = k;
        l->channel[l->tables] = channel;
        l->rows[l->tables++] = rows[k];
    }
}

void wf_calendar_names(struct wf_renames *t, const struct wf_calendar *l,
                       const char *const theirs[WF_CALENDAR_TABLES], const char *ours)
{
    for (int k = 0; k < l->tables; k++)
        wf_renames_add(
            t, NULL, ours,
            (struct wf_rename){ .theirs = theirs[l->kind[k]], .ours = table_names[l->kind[k]] });
}

int wf_calendar(struct wf_tape *g, const struct wf_calendar *l, struct wf_tensor *x,
                struct wf_tensor *out[WF_CALENDAR_TABLES])
{
    for (int k = 0; k < l->tables; k++)
        out[k] = wf_lookup(g, l->table[k], wf_select(g, x, -1, l->channel[k]), l->rows[k]);
    return l->tables;
}

/* The whole days in t [B, N], as [B, N, 1]. A time less than half a step short of a whole day
 * counts as the whole day. */
static struct wf_tensor *whole(struct wf_tape *g, struct wf_tensor *t, int most, double half_step)
{
    wf_real number[WF_CALENDAR_AHEAD];
    for (int i = 0; i < most; i++) number[i] = (wf_real)i;
    /* wf_lookup() adds a thousandth, which may be more than a step, so it is taken off before. */
    return wf_lookup(g, wf_input(g, number, 2, wf_dims(most, 1)),
                     wf_affine(g, t, 1, half_step - 1e-3), 1);
}

struct wf_tensor *wf_calendar_ahead(struct wf_tape *g, const struct wf_task *task,
                                    struct wf_tensor *x, int ahead)
{
    int n = task->time_of_day + task->day_of_week, S = task->steps_per_day;
    if (n == 0) return NULL;
    if (g->error.status != WF_OK) return &g->poison;
    int T = x->shape[1], C = x->shape[3], most = S > 0 ? ahead / S + 2 : 1;
    struct wf_tensor *last = wf_select(g, x, 1, T - 1); /* [B, N, C] */
    if (most > WF_CALENDAR_AHEAD)
        return wf_tape_fail(g, WF_EINVAL, "%d steps of %d a day ahead: want less than %d days",
                            ahead, S, WF_CALENDAR_AHEAD - 1);
    if (!task->time_of_day || S < 1) return wf_slice(g, last, -1, C - n, C);
    struct wf_tensor *t = wf_affine(g, wf_select(g, last, -1, C - n), 1, (double)ahead / S);
    struct wf_tensor *days = whole(g, t, most, 0.5 / S); /* [B, N, 1] */
    t = wf_sub(g, wf_unsqueeze(g, t, 2), days);
    if (!task->day_of_week) return t;
    struct wf_tensor *d = wf_slice(g, last, -1, C - 1, C); /* [B, N, 1] */
    d = wf_add(g, d, wf_affine(g, days, 1.0 / 7, 0));
    return wf_concat(g, t, wf_sub(g, d, whole(g, wf_select(g, d, -1, 0), most / 7 + 2, 0.5 / 7)));
}
