/* progress.h - how far long work is: a bar that is redrawn on a terminal, plain lines in a log.
 *
 * The caller owns the stream; there is nothing to free. */
#ifndef WF_PROGRESS_H
#define WF_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wf_progress {
    FILE *out; /* NULL: silent */
    bool terminal;
    double started;   /* when the work began, in seconds of wf_now() */
    double drawn;     /* when the bar was drawn last */
    int first, total; /* units of work done before this run, and in all */
};
/* Begins the work. A unit is whatever the caller counts: a batch, a row. */
void wf_progress_start(struct wf_progress *p, FILE *out, int first, int total);

/* Redraws the bar: `done` units of the whole are done, and text says where the work stands ("epoch
 * 3/20, loss 2.13"). Only a terminal shows it, ten times a second at most. */
void wf_progress_show(struct wf_progress *p, int done, const char *text);

/* Writes a line that stays, to a terminal as to a log. */
void wf_progress_line(struct wf_progress *p, const char *text);

#ifdef __cplusplus
}
#endif
#endif
