#include "data/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tensor/alloc.h"

enum { PATH_ROOM = 256 };

enum wf_status wf_file_open(int *fd, size_t *size, const char *path, struct wf_error *err)
{
    struct stat st;
    /* Without O_NONBLOCK a named pipe would hang here. */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) return wf_fail(err, WF_EIO, "%s: %s", path, strerror(errno));
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *size = (size_t)st.st_size;
        return WF_OK;
    }
    close(*fd);
    return wf_fail(err, WF_EIO, "%s: not a regular file", path);
}

enum wf_status wf_file_check(const char *path, struct wf_error *err)
{
    int fd;
    size_t size;
    WF_TRY(wf_file_open(&fd, &size, path, err));
    close(fd);
    return WF_OK;
}

static enum wf_status read_all(int fd, char *p, size_t size, const char *path, struct wf_error *err)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, p + got, size - got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return wf_fail(err, WF_EIO, "%s: %s", path, strerror(errno));
        if (n == 0) return wf_fail(err, WF_EIO, "%s: ends after %zu of %zu bytes", path, got, size);
        got += (size_t)n;
    }
    p[size] = 0;
    return WF_OK;
}

enum wf_status wf_file_read(const char *path, char **bytes, size_t *size, struct wf_error *err)
{
    int fd;
    enum wf_status s;
    *bytes = NULL;
    WF_TRY(wf_file_open(&fd, size, path, err));
    *bytes = wf_malloc(*size + 1);
    if (*bytes)
        s = read_all(fd, *bytes, *size, path, err);
    else
        s = wf_fail(err, WF_ENOMEM, "%s: no memory for %zu bytes", path, *size);
    close(fd);
    if (s != WF_OK) {
        wf_free(*bytes);
        *bytes = NULL;
    }
    return s;
}

char *wf_file_temporary(const char *path)
{
    size_t n = strlen(path);
    char *tmp = wf_malloc(n + sizeof ".tmp");
    if (tmp) {
        memcpy(tmp, path, n);
        memcpy(tmp + n, ".tmp", sizeof ".tmp");
    }
    return tmp;
}

static int sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int rc = fsync(fd);
    int reason = errno;
    close(fd);
    errno = reason;
    return rc;
}

enum wf_status wf_file_commit(const char *temporary, const char *path, struct wf_error *err)
{
    if (sync_path(temporary) != 0 || rename(temporary, path) != 0) {
        enum wf_status s = wf_fail(err, WF_EIO, "%s: %s", path, strerror(errno));
        unlink(temporary);
        return s;
    }
    const char *slash = strrchr(path, '/');
    char folder[4096] = ".";
    if (slash && (size_t)(slash - path) + 2 <= sizeof folder) {
        size_t n = slash == path ? 1 : (size_t)(slash - path);
        memcpy(folder, path, n);
        folder[n] = 0;
    }
    /* The rename has happened; some file systems cannot sync a folder, which is no failure. */
    sync_path(folder);
    return WF_OK;
}

enum wf_status wf_make_folder(const char *path, struct wf_error *err)
{
    char at[PATH_ROOM];
    snprintf(at, sizeof at, "%s", path);
    for (char *p = at + 1;; p++) {
        if (*p && *p != '/') continue;
        char c = *p;
        *p = 0;
        if (mkdir(at, 0777) != 0 && errno != EEXIST)
            return wf_fail(err, WF_EIO, "%s: cannot make the folder: %s", at, strerror(errno));
        *p = c;
        if (!c) break;
    }
    FILE *f;
    char probe[PATH_ROOM + 16];
    snprintf(probe, sizeof probe, "%s/.writable", path);
    if (!(f = fopen(probe, "w")))
        return wf_fail(err, WF_EIO, "%s: cannot write into the folder: %s", path, strerror(errno));
    fclose(f);
    remove(probe);
    return WF_OK;
}

enum wf_status wf_file_context(enum wf_status s, const char *path, struct wf_error *err)
{
    if (s != WF_OK && err && strncmp(err->message, path, strlen(path)) != 0)
        wf_fail_in(err, "%s", path);
    return s;
}

double wf_file_kib(const char *path, const char *name)
{
    char line[160];
    double kib = -1;
    size_t n = strlen(name);
    FILE *f = fopen(path, "re");
    if (!f) return -1;
    while (kib < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, name, n) == 0 && line[n] == ':') sscanf(line + n, ": %lf", &kib);
    fclose(f);
    return kib;
}
