/* alloc.h - the library's host allocations.
 *
 * All host memory of the library goes through these, so that a test can let the n-th allocation
 * fail and see that every failure is clean, and count what is still held. */
#ifndef WF_ALLOC_H
#define WF_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As malloc, calloc, realloc, strdup and free; sizes are checked for overflow. A request of zero
 * bytes returns a valid pointer. NULL means out of memory. */
void *wf_malloc(size_t bytes);
void *wf_calloc(size_t count, size_t size);
void *wf_realloc(void *p, size_t bytes);
char *wf_strdup(const char *s);
void wf_free(void *p);

/* Test hooks. After wf_alloc_fail_after(n), the n-th allocation from now fails (0 is the next one),
 * once; after a negative n none does. wf_alloc_should_fail() counts an allocation that is not made
 * here (arena growth) and returns whether it must fail. wf_alloc_live() returns the number of
 * blocks not yet freed. */
void wf_alloc_fail_after(long n);
bool wf_alloc_should_fail(void);
long wf_alloc_live(void);

#ifdef __cplusplus
}
#endif
#endif
