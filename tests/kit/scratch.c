#include "tests/kit/scratch.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
/* A damaged file can make HDF5 ask for any amount of memory. malloc() then returns NULL, and the
 * allocator of AddressSanitizer must do so too, instead of aborting. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* HDF5 itself leaks when it gives up on a damaged file. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}
#endif

static char folder[64];

static void remove_all(const char *at)
{
    DIR *d = opendir(at);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", at, e->d_name);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (remove(path) != 0) remove_all(path);
    }
    if (d) closedir(d);
    rmdir(at);
}

static pid_t owner; /* only this process removes the folder, a forked child does not */

static void remove_folder(void)
{
    if (getpid() == owner) remove_all(folder);
}

static const char *next_path(const char *root, const char *name)
{
    static char paths[8][512];
    static int turn;
    char *p = paths[turn++ % 8];
    snprintf(p, sizeof paths[0], "%s/%s", root, name);
    return p;
}

const char *scratch(const char *name)
{
    if (!folder[0]) {
        strcpy(folder, "/tmp/weft-test-XXXXXX");
        if (!mkdtemp(folder)) abort();
        owner = getpid();
        atexit(remove_folder);
    }
    return next_path(folder, name);
}

const char *scratch_folder(const char *name)
{
    const char *path = scratch(name);
    if (mkdir(path, 0777) != 0 && errno != EEXIST) abort();
    return path;
}

const char *scratch_file(const char *name, const void *bytes, size_t size)
{
    const char *path = scratch(name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) abort();
    return path;
}

size_t scratch_read(const char *name, char *text, size_t size)
{
    FILE *f = fopen(scratch(name), "rb");
    size_t n = f ? fread(text, 1, size - 1, f) : 0;
    text[n] = 0;
    if (f) fclose(f);
    return n;
}

int scratch_count(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

const char *shared(const char *name)
{
    const char *root = getenv("WEFT_SHARED");
#ifdef WEFT_SOURCE_DIR
    return next_path(root ? root : WEFT_SOURCE_DIR "/../shared", name);
#else
    return next_path(root ? root : "../shared", name);
#endif
}

bool shared_is_there(void)
{
    return access(shared("data"), R_OK) == 0;
}
