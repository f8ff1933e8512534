/* trial.h - one run of a program in a folder of its own, done once.
 *
 * The program leaves a file when it is finished, its product: FOLDER/stats.csv unless the caller
 * sets another. What it prints goes to FOLDER/log.txt. The command is kept in FOLDER/command.txt, a
 * word on each line. A trial whose command is there with its product is not run again, one that was
 * cut short goes on by --resume True, one whose command has changed begins anew. */
#ifndef WF_TRIAL_H
#define WF_TRIAL_H

#include <stdbool.h>
#include <stdio.h>
#include "data/config.h"
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_TRIAL_TEXT = 3072 };
struct wf_trial {
    char folder[WF_CONFIG_TEXT];
    char product[WF_CONFIG_TEXT]; /* the file that shows that the trial is done */
    char command[WF_TRIAL_TEXT];  /* words, each ended by a newline */
    bool resumes;                 /* the caller sets it where the program knows --resume */
    bool overflow;                /* a word or a name did not fit; wf_trial_run refuses then */
};

/* Begins a trial without words. */
void wf_trial_init(struct wf_trial *t, const char *folder_format, ...) WF_PRINTF(2, 3);
/* Adds a word of the command, the program's path first. */
void wf_trial_word(struct wf_trial *t, const char *format, ...) WF_PRINTF(2, 3);
/* Adds lines "name=value" as words --name and value. */
void wf_trial_options(struct wf_trial *t, const char *lines);

/* Returns whether the product is there, made by the same command. */
bool wf_trial_done(const struct wf_trial *t);

/* Runs the command, unless the trial is done. WF_EIO: it failed, and the message has its last line.
 * WF_EINTR: it was stopped by a signal (wf_cli_stopped), or did not begin; a next call goes on. */
enum wf_status wf_trial_run(const struct wf_trial *t, struct wf_error *err);

/* These two read the column of that name in the first row of a CSV file in the folder. */
enum wf_status wf_trial_number(const struct wf_trial *t, const char *file, const char *column,
                               double *x, struct wf_error *err);
enum wf_status wf_trial_text(const struct wf_trial *t, const char *file, const char *column,
                             char *text, size_t size, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
