/* dry.c - a backend of addresses without memory, on which kernels do nothing. */
#include <string.h>
#include <sys/mman.h>
#include "tensor/backend.h"

/* Takes the arguments of any kernel and ignores them. */
static enum wf_status done(struct wf_backend *be, ...)
{
    (void)be;
    return WF_OK;
}

#define K(name, params, args)                                                                      \
    static enum wf_status dry_##name params                                                        \
    {                                                                                              \
        return done args;                                                                          \
    }
#include "tensor/kernels.def"
#undef K

static void *dry_reserve(struct wf_backend *be, size_t bytes)
{
    (void)be;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *p = mmap(NULL, bytes ? bytes : 1, PROT_NONE, flags, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static bool dry_commit(struct wf_backend *be, void *base, size_t from, size_t to)
{
    (void)be, (void)base, (void)from, (void)to;
    return true;
}

static void dry_free(struct wf_backend *be, void *p, size_t bytes)
{
    (void)be;
    if (p) munmap(p, bytes ? bytes : 1);
}

static enum wf_status move_nothing(struct wf_backend *be, void *dst, const void *src, size_t bytes)
{
    (void)be, (void)dst, (void)src, (void)bytes;
    return WF_OK;
}

static enum wf_status dry_download(struct wf_backend *be, void *host, const void *src, size_t bytes)
{
    (void)be, (void)src;
    memset(host, 0, bytes);
    return WF_OK;
}

static enum wf_status dry_sync(struct wf_backend *be)
{
    (void)be;
    return WF_OK;
}

static void dry_memory(struct wf_backend *be, size_t *available, size_t *total)
{
    (void)be;
    *available = *total = SIZE_MAX;
}

static const struct wf_kernels kernels = {
#define K(name, params, args) .name = dry_##name,
#include "tensor/kernels.def"
#undef K
};

struct wf_backend *wf_backend_dry(void)
{
    static struct wf_backend be = { .name = "dry run",
                                    .k = &kernels,
                                    .alloc = dry_reserve,
                                    .free = dry_free,
                                    .reserve = dry_reserve,
                                    .commit = dry_commit,
                                    .unreserve = dry_free,
                                    .upload = move_nothing,
                                    .download = dry_download,
                                    .move = move_nothing,
                                    .sync = dry_sync,
                                    .memory = dry_memory };
    return &be;
}
