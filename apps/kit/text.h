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
    FILE *f; /* written to by the caller, who need not look at results */
    char *path, *temporary;
};
enum wf_status wf_text_open(struct wf_text *t, const char *path, struct wf_error *err);
/* WF_EIO when any write since open failed; PATH is then what it was. */
enum wf_status wf_text_close(struct wf_text *t, struct wf_error *err);
/* Gives up what was written. */
void wf_text_drop(struct wf_text *t);

/* One field of a comma-separated line, quoted where it has to be. */
void wf_text_field(FILE *f, const char *s);
/* Nine digits, or nan. */
void wf_text_number(FILE *f, double x);

/* "FOLDER/NAME" + "END", to be freed with wf_free; NULL when out of memory. */
char *wf_text_path(const char *folder, const char *name, const char *end);

#ifdef __cplusplus
}
#endif
#endif
