#include "tensor/arena.h"
#include "tensor/alloc.h"

/* Half a terabyte of addresses is more than any machine here has memory; where a limit on addresses
 * forbids it, ask for less. Memory is committed in steps that fit huge pages. */
enum { ALIGN = 64 };
static const size_t RESERVE = (size_t)512 << 30, RESERVE_MIN = (size_t)64 << 20;
static const size_t COMMIT = (size_t)4 << 20;

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>

/* AddressSanitizer reports any access to memory that no block holds, and there is some behind each
 * block. This is off on a device, whose recordings use blocks that the tape has given back, and in
 * a dry run, which has no memory. */
enum { GAP = 64 };

static void hide(const struct wf_arena *a, size_t from, size_t to)
{
    if (a->be == wf_backend_cpu()) ASAN_POISON_MEMORY_REGION(a->base + from, to - from);
}

static void show(const struct wf_arena *a, size_t from, size_t to)
{
    if (a->be == wf_backend_cpu()) ASAN_UNPOISON_MEMORY_REGION(a->base + from, to - from);
}
#else
enum { GAP = 0 };

static void hide(const struct wf_arena *a, size_t from, size_t to)
{
    (void)a, (void)from, (void)to;
}

static void show(const struct wf_arena *a, size_t from, size_t to)
{
    (void)a, (void)from, (void)to;
}
#endif

enum wf_status wf_arena_init(struct wf_arena *a, struct wf_backend *be, struct wf_error *err)
{
    *a = (struct wf_arena){ .be = be };
    if (!wf_alloc_should_fail())
        for (size_t bytes = RESERVE; !a->base && bytes >= RESERVE_MIN; bytes /= 2) {
            a->base = be->reserve(be, bytes);
            a->reserved = bytes;
        }
    if (a->base) return WF_OK;
    return wf_fail(err, WF_ENOMEM, "no %zu bytes of addresses for the step arena on %s",
                   RESERVE_MIN, be->name);
}

void wf_arena_free(struct wf_arena *a)
{
    if (a->base) {
        show(a, 0, a->committed); /* these addresses may be handed out again */
        a->be->unreserve(a->be, a->base, a->reserved);
    }
    *a = (struct wf_arena){ 0 };
}

void *wf_arena_alloc(struct wf_arena *a, size_t bytes)
{
    size_t end = a->used + (bytes + GAP + ALIGN - 1) / ALIGN * ALIGN;
    if (end < a->used || end > a->reserved) return NULL;
    if (end > a->committed) {
        size_t to = (end + COMMIT - 1) / COMMIT * COMMIT;
        if (to > a->reserved) to = a->reserved;
        if (wf_alloc_should_fail() || !a->be->commit(a->be, a->base, a->committed, to)) return NULL;
        hide(a, a->committed, to);
        a->committed = to;
    }
    show(a, a->used, a->used + bytes);
    void *p = a->base + a->used;
    a->used = end;
    if (a->used > a->peak) a->peak = a->used;
    return p;
}

void wf_arena_release(struct wf_arena *a, size_t mark)
{
    WF_CHECK(mark <= a->used);
    hide(a, mark, a->used);
    a->used = mark;
}
