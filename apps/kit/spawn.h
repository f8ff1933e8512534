/* spawn.h - another program, started beside this one. Private to dist/. */
#ifndef WF_SPAWN_H
#define WF_SPAWN_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Starts argv[0], looked for in PATH, in the folder (NULL: here). It reads nothing; what it says
 * goes to the file log, seen from that folder. Returns an errno, 0 for success. */
int wf_spawn(pid_t *pid, const char *folder, char *const argv[], const char *log);

#ifdef __cplusplus
}
#endif
#endif
