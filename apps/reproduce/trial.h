/* trial.h - one run of a program in a folder of its own, done once.
 *
 * The program leaves a file, its product, when it is finished, FOLDER/stats.csv unless told
 * otherwise; what it says goes to FOLDER/log.txt. The command is kept in FOLDER/command.txt, a word
 * a line: a trial whose command is there with its product is not run again, one that was cut short
 * goes on by --resume True, one whose command has changed begins anew. */
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
    char product[WF_CONFIG_TEXT];
    char command[WF_TRIAL_TEXT]; /* words, each with a newline behind it */
    bool resumes;                /* the program knows --resume; the caller's to set */
    bool overflow;               /* something did not fit, which wf_trial_run() says */
};

/* Then words are added, the program's path first. */
void wf_trial_init(struct wf_trial *t, const char *folder_format, ...) WF_PRINTF(2, 3);
void wf_trial_word(struct wf_trial *t, const char *format, ...) WF_PRINTF(2, 3);
/* Lines "name=value": as --name and value. */
void wf_trial_options(struct wf_trial *t, const char *lines);

bool wf_trial_done(const struct wf_trial *t);

/* WF_EIO: it failed; the message has its last line. WF_EINTR: it was stopped, or a signal
 * came before it began (wf_cli_stopped), and can go on. */
enum wf_status wf_trial_run(const struct wf_trial *t, struct wf_error *err);

/* The column of that name in the first row of a CSV file in the folder. */
enum wf_status wf_trial_number(const struct wf_trial *t, const char *file, const char *column,
                               double *x, struct wf_error *err);
enum wf_status wf_trial_text(const struct wf_trial *t, const char *file, const char *column,
                             char *text, size_t size, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
