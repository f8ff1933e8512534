/* text.h - text files that are complete or not there: lines grow in PATH.tmp, which takes the name
 * PATH when it is closed without an error.
 *
 * Close or drop frees what open made. */
#ifndef WF_TEXT_H
#define WF_TEXT_H

#include <stdio.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_text {
    FILE *f; /* the caller writes here and need not check each write */
    char *path, *temporary;
};
enum wf_status wf_text_open(struct wf_text *t, const char *path, struct wf_error *err);
/* Puts the file in place. WF_EIO when any write since open failed; PATH is then what it was. */
enum wf_status wf_text_close(struct wf_text *t, struct wf_error *err);
/* Closes the file and removes what was written; PATH is what it was. */
void wf_text_drop(struct wf_text *t);

/* Writes one field of a comma-separated line, quoted where it has to be. */
void wf_text_field(FILE *f, const char *s);
/* Writes x with nine digits, or nan. */
void wf_text_number(FILE *f, double x);

/* Returns "FOLDER/NAME" + "END", to be freed with wf_free; NULL when out of memory. */
char *wf_text_path(const char *folder, const char *name, const char *end);

#ifdef __cplusplus
}
#endif
#endif
