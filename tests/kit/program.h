/* program.h - runs one of the project's programs and keeps what it printed. */
#ifndef WF_TEST_PROGRAM_H
#define WF_TEST_PROGRAM_H

#include "tensor/status.h"

extern char program_said[65536], program_complained[4096]; /* stdout and stderr of the last run */

/* The folder of the build, whose folder bin has the programs: $WEFT_BUILD_DIR, or the one in which
 * the tests were built. */
const char *program_folder(void);

/* Runs "NAME ARGUMENTS" through the shell in the test's scratch folder. Returns the exit status, or
 * -1 if a signal ended it. NAME may also be the path, "/..", of a program of the system. */
int program_run(const char *name, const char *format, ...) WF_PRINTF(2, 3);

/* Asserts that the exit status is 1 and stderr is one line "NAME: ..text..". */
void program_refuses(const char *text, const char *name, const char *format, ...) WF_PRINTF(3, 4);

/* Asserts that the exit status is 0. */
void program_works(const char *name, const char *format, ...) WF_PRINTF(2, 3);

#endif
