/* process.h - other processes that a program watches: whether one runs, and waiting for its end.
 *
 * A command started here shares the terminal; apps/kit/spawn.h starts one whose output goes to a
 * log. Both ways of waiting look at wf_cli_stopped (apps/kit/cli.h), so the caller has called
 * wf_cli_catch_signals. Reads Linux's /proc. */
#ifndef WF_PROCESS_H
#define WF_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns whether the process runs. One that has ended and that its parent has not waited for yet
 * does not. */
bool wf_process_runs(int pid);

/* Starts the command argv[0], looked for in PATH, as a child of this process. WF_EIO: it cannot be
 * started; the message says why. */
enum wf_status wf_process_start(pid_t *pid, char *const argv[], struct wf_error *err);

/* Waits for a child to end and passes SIGTERM on to it, once. Returns its exit status, or 128 and
 * the number of the signal that ended it. */
int wf_process_wait(pid_t child);

/* Waits until a process that is no child has ended (pid 0: for ever), or a signal came. */
void wf_process_watch(int pid);

#ifdef __cplusplus
}
#endif
#endif
