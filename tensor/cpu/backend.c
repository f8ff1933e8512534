/* backend.c - the memory of the CPU backend, and its table of kernels. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tensor/alloc.h"
#include "tensor/cpu/cpu_private.h"

struct cpu {
    struct wf_backend be; /* comes first, so that a struct wf_backend * points to a struct cpu */
    void *scratch;
    size_t scratch_bytes;
};

static void *cpu_alloc(struct wf_backend *be, size_t bytes)
{
    (void)be;
    return wf_calloc(1, bytes);
}

static void cpu_free(struct wf_backend *be, void *p, size_t bytes)
{
    (void)be;
    (void)bytes;
    wf_free(p);
}

static void *cpu_reserve(struct wf_backend *be, size_t bytes)
{
    (void)be;
    void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static bool cpu_commit(struct wf_backend *be, void *base, size_t from, size_t to)
{
    (void)be;
    char *p = (char *)base + from;
    if (mprotect(p, to - from, PROT_READ | PROT_WRITE) != 0) return false;
#ifdef MADV_HUGEPAGE
    madvise(p, to - from, MADV_HUGEPAGE); /* a hint: if refused, all is slower, not wrong */
#endif
    return true;
}

static void cpu_unreserve(struct wf_backend *be, void *base, size_t bytes)
{
    (void)be;
    munmap(base, bytes);
}

static enum wf_status cpu_move(struct wf_backend *be, void *dst, const void *src, size_t bytes)
{
    (void)be;
    memmove(dst, src, bytes);
    return WF_OK;
}

static enum wf_status cpu_sync(struct wf_backend *be)
{
    (void)be;
    return WF_OK;
}

static void cpu_memory(struct wf_backend *be, size_t *available, size_t *total)
{
    long page = sysconf(_SC_PAGESIZE), have = sysconf(_SC_AVPHYS_PAGES),
         all = sysconf(_SC_PHYS_PAGES);
    (void)be;
    *available = have > 0 ? (size_t)have * (size_t)page : 0;
    *total = all > 0 ? (size_t)all * (size_t)page : 0;
}

static const struct wf_kernels kernels = {
#define K(name, params, args) .name = wf_cpu_##name,
#include "tensor/kernels.def"
#undef K
};

struct wf_backend *wf_backend_cpu(void)
{
    static struct cpu cpu = { .be = { .name = "cpu",
                                      .k = &kernels,
                                      .alloc = cpu_alloc,
                                      .free = cpu_free,
                                      .reserve = cpu_reserve,
                                      .commit = cpu_commit,
                                      .unreserve = cpu_unreserve,
                                      .upload = cpu_move,
                                      .download = cpu_move,
                                      .move = cpu_move,
                                      .sync = cpu_sync,
                                      .memory = cpu_memory } };
    return &cpu.be;
}

/* Scratch memory is kept for the life of the process. It does not come from wf_malloc(), whose live
 * blocks tests count as leaks. */
void *wf_cpu_scratch(struct wf_backend *be, size_t bytes)
{
    struct cpu *c = (struct cpu *)be;
    if (bytes <= c->scratch_bytes) return c->scratch;
    if (wf_alloc_should_fail()) return NULL;
    size_t size = (bytes + 63) / 64 * 64;
    void *p = aligned_alloc(64, size);
    if (!p) return NULL;
    free(c->scratch);
    c->scratch = p;
    c->scratch_bytes = size;
    return p;
}
