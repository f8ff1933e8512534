/* spawn.h - starts another program whose output goes to a log file. */
#ifndef WF_SPAWN_H
#define WF_SPAWN_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Starts argv[0], looked for in PATH, in the folder (NULL: the current one). Its input is empty;
 * its output and its errors go to the file `log`, a path as seen from that folder. Returns 0, or an
 * errno; the caller waits for *pid. */
int wf_spawn(pid_t *pid, const char *folder, char *const argv[], const char *log);

#ifdef __cplusplus
}
#endif
#endif
