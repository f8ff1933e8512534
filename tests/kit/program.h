/* program.h - runs one of the project's programs and keeps what it printed. */
#ifndef WF_TEST_PROGRAM_H
#define WF_TEST_PROGRAM_H

#include "tensor/status.h"

extern char program_said[65536], program_complained[4096]; /* stdout and stderr of the last run */

/* $WEFT_BUILD_DIR, else where the tests were built: programs are in its folder bin. */
const char *program_folder(void);

/* Runs "NAME ARGUMENTS" through the shell, in the test's scratch folder, and returns its exit
 * status, -1 when a signal ended it. A name that is a path, "/..", need not be of the project. */
int program_run(const char *name, const char *format, ...) WF_PRINTF(2, 3);

/* Asserts exit status 1 and one line "NAME: ..text.." on stderr. */
void program_refuses(const char *text, const char *name, const char *format, ...) WF_PRINTF(3, 4);

/* Asserts exit status 0. */
void program_works(const char *name, const char *format, ...) WF_PRINTF(2, 3);

#endif
