/* file.h - whole files in and out: read one into memory, put a finished one in place.
 *
 * Knows nothing of formats. The caller frees what it gets with wf_free. */
#ifndef WF_FILE_H
#define WF_FILE_H

#include <stddef.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Opens a regular file for reading and tells its size in bytes; the caller closes fd. WF_EIO. */
enum wf_status wf_file_open(int *fd, size_t *size, const char *path, struct wf_error *err);

/* Returns WF_OK when path is a regular file that can be opened; else WF_EIO and the reason. */
enum wf_status wf_file_check(const char *path, struct wf_error *err);

/* Reads a whole regular file; one NUL follows the size bytes. WF_EIO, WF_ENOMEM. */
enum wf_status wf_file_read(const char *path, char **bytes, size_t *size, struct wf_error *err);

/* Returns "PATH.tmp", where a new file grows until it is complete; NULL when out of memory. */
char *wf_file_temporary(const char *path);

/* Forces temporary to disk, renames it to path and forces the folder to disk; path holds either
 * its old or its new content at every moment. Removes temporary on failure (WF_EIO). */
enum wf_status wf_file_commit(const char *temporary, const char *path, struct wf_error *err);

/* Makes a folder and those above it, and sees that files can be written there. WF_EIO, and the
 * reason, where they cannot. */
enum wf_status wf_make_folder(const char *path, struct wf_error *err);

/* Puts "PATH: " in front of the message when s is a failure and it is not there; returns s. */
enum wf_status wf_file_context(enum wf_status s, const char *path, struct wf_error *err);

/* Returns the KiB that the line "name:   123 kB" of a file of /proc tells; -1 when there is no such
 * line. */
double wf_file_kib(const char *path, const char *name);

#ifdef __cplusplus
}
#endif
#endif
