/* progress.h - how far long work is: a bar that is redrawn on a terminal, plain lines in a log. */
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
    double started, drawn; /* of the whole work; of the last redraw */
    int first, total;      /* units done before this run, and in all */
};
void wf_progress_start(struct wf_progress *p, FILE *out, int first, int total);

/* `done` units of the whole are done; text says what ("epoch 3/20, loss 2.13"). Only a terminal
 * shows it, ten times a second at most. */
void wf_progress_show(struct wf_progress *p, int done, const char *text);

/* A line that stays, on both. */
void wf_progress_line(struct wf_progress *p, const char *text);

#ifdef __cplusplus
}
#endif
#endif
