#define _GNU_SOURCE /* posix_spawn_file_actions_addchdir_np: in POSIX only since 2024 */
#include "apps/kit/spawn.h"
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

extern char **environ;

int wf_spawn(pid_t *pid, const char *folder, char *const argv[], const char *log)
{
    posix_spawn_file_actions_t fa;
    int rc = posix_spawn_file_actions_init(&fa);
    if (rc != 0) return rc;
    if (folder) rc = posix_spawn_file_actions_addchdir_np(&fa, folder);
    if (rc == 0) rc = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&fa, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (rc == 0) rc = posix_spawn_file_actions_adddup2(&fa, 1, 2);
    if (rc == 0) rc = posix_spawnp(pid, argv[0], &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    return rc;
}
