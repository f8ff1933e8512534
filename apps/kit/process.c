#include "apps/kit/process.h"
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include "apps/kit/cli.h"

extern char **environ;

/* How long to sleep between two looks at a process: 20 ms. */
static const struct timespec moment = { .tv_nsec = 20000000 };

bool wf_process_runs(int pid)
{
    char path[64], state = 0;
    if (kill(pid, 0) != 0 && errno == ESRCH) return false;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f) return false;
    /* The name, in parentheses, may hold anything, parentheses too. */
    char text[512];
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    const char *end = strrchr(text, ')');
    if (!end || sscanf(end + 1, " %c", &state) != 1) return false;
    return state != 'Z' && state != 'X';
}

enum wf_status wf_process_start(pid_t *pid, char *const argv[], struct wf_error *err)
{
    int rc = posix_spawnp(pid, argv[0], NULL, NULL, argv, environ);
    return rc == 0 ? WF_OK : wf_fail(err, WF_EIO, "%s: %s", argv[0], strerror(rc));
}

int wf_process_wait(pid_t child)
{
    int status = 0;
    bool told = false;
    while (waitpid(child, &status, WNOHANG) != child) {
        if (wf_cli_stopped() == SIGTERM && !told) { /* a terminal's SIGINT reaches both */
            kill(child, SIGTERM);
            told = true;
        }
        nanosleep(&moment, NULL);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void wf_process_watch(int pid)
{
    while (!wf_cli_stopped() && (!pid || wf_process_runs(pid))) nanosleep(&moment, NULL);
}
