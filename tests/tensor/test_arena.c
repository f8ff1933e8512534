/* The step arena, and which of its memory AddressSanitizer is told to guard. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include "autograd/ops.h"
#include "tests/kit/leaks.h"

static struct wf_error err;

static struct wf_arena made(void)
{
    struct wf_arena a;
    cr_assert_eq(wf_arena_init(&a, wf_backend_cpu(), &err), WF_OK, "%s", err.message);
    return a;
}

Test(arena, blocks_are_aligned_apart_and_at_the_same_place_again)
{
    static const size_t size[] = { 1, 64, 0, 65, 9 << 20, 3 };
    enum { BLOCKS = sizeof size / sizeof *size };
    struct wf_arena a = made();
    char *block[BLOCKS];
    for (int k = 0; k < BLOCKS; k++) {
        cr_assert(block[k] = wf_arena_alloc(&a, size[k]));
        cr_expect_eq((uintptr_t)block[k] % 64, 0);
        memset(block[k], 'a' + k, size[k]);
    }
    for (int k = 0; k < BLOCKS; k++)
        for (size_t i = 0; i < size[k]; i += size[k] / 3 + 1)
            cr_expect_eq(block[k][i], 'a' + k, "block %d", k);
    size_t peak = a.peak;
    wf_arena_release(&a, 0);
    for (int k = 0; k < BLOCKS; k++) cr_expect_eq(wf_arena_alloc(&a, size[k]), block[k]);
    cr_expect_eq(a.peak, peak);
    cr_expect_null(wf_arena_alloc(&a, a.reserved), "more than the addresses");
    wf_arena_free(&a);
    expect_no_leaks();
}

static struct wf_tensor *filled(struct wf_tape *g, int n, double value)
{
    struct wf_tensor *t = wf_tape_new(g, 1, wf_dims(n));
    WF_RUN(g, wfk_fill(g->be, t, value));
    return t;
}

/* Kept tensors of a tape move down over the memory that is given back, whatever their order. */
Test(arena, kept_tensors_survive_what_is_given_back)
{
    enum { N = 1000 };
    struct wf_tape g;
    cr_assert_eq(wf_tape_init(&g, wf_backend_cpu(), &err), WF_OK, "%s", err.message);
    g.recording = false; /* a tape that records gives nothing back */
    struct wf_tensor *first = filled(&g, N, 1);
    struct wf_mark mark = wf_tape_mark(&g);
    struct wf_tensor *gone = filled(&g, 3, 2), *low = filled(&g, N, 3);
    struct wf_tensor *keep[] = { filled(&g, N, 4), first, low };
    const wf_real *was = gone->data;
    wf_tape_release(&g, mark, keep, 3);
    cr_assert_eq(g.error.status, WF_OK, "%s", g.error.message);
    cr_expect_eq(keep[2]->data, was);
    for (int i = 0; i < N; i++)
        cr_assert(keep[0]->data[i] == 4 && keep[1]->data[i] == 1 && keep[2]->data[i] == 3);
    wf_tape_free(&g);
    expect_no_leaks();
}

Test(arena, host_memory_of_a_step_is_at_the_same_place_again)
{
    struct wf_tape g;
    cr_assert_eq(wf_tape_init(&g, wf_backend_dry(), &err), WF_OK, "%s", err.message);
    char *p = wf_tape_host(&g, 5), *q = wf_tape_host(&g, 7 << 20);
    cr_assert(p && q);
    memset(p, 'p', 5);
    memset(q, 'q', 7 << 20);
    cr_expect(p[0] == 'p' && p[4] == 'p' && g.mem.used == 0);
    cr_expect_null(wf_tape_host(&g, g.host.reserved), "more than the addresses");
    cr_expect_eq(g.error.status, WF_ENOMEM);
    cr_expect(strstr(g.error.message, " bytes on the host for the step"), "%s", g.error.message);
    cr_expect_null(wf_tape_host(&g, 5), "after an error");
    wf_tape_reset(&g);
    cr_expect(wf_tape_host(&g, 5) == p && wf_tape_host(&g, 7 << 20) == q);
    wf_tape_free(&g);
    expect_no_leaks();
}

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>

Test(arena, what_no_block_holds_is_poisoned)
{
    struct wf_arena a = made();
    char *p = wf_arena_alloc(&a, 64), *q = wf_arena_alloc(&a, 5);
    size_t held = a.committed;
    cr_expect_null(__asan_region_is_poisoned(p, 64));
    cr_expect_eq(__asan_region_is_poisoned(p, 65), p + 64);
    cr_expect_eq(__asan_region_is_poisoned(q, 6), q + 5);
    wf_arena_release(&a, (size_t)(q - p));
    cr_expect_null(__asan_region_is_poisoned(p, 64));
    cr_expect(__asan_address_is_poisoned(q));
    wf_arena_free(&a);
    cr_expect_null(__asan_region_is_poisoned(p, held), "addresses that are no longer of an arena");
}
#endif
