#include "tensor/alloc.h"
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_long live;
static atomic_long countdown = -1;

void wf_alloc_fail_after(long n)
{
    atomic_store(&countdown, n);
}

bool wf_alloc_should_fail(void)
{
    return atomic_load(&countdown) >= 0 && atomic_fetch_sub(&countdown, 1) == 0;
}

long wf_alloc_live(void)
{
    return atomic_load(&live);
}

static void *counted(void *p)
{
    if (p) atomic_fetch_add(&live, 1);
    return p;
}

void *wf_malloc(size_t bytes)
{
    return wf_alloc_should_fail() ? NULL : counted(malloc(bytes ? bytes : 1));
}

void *wf_calloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) return NULL;
    return wf_alloc_should_fail() ? NULL
                                  : counted(calloc(count && size ? count : 1, size ? size : 1));
}

void *wf_realloc(void *p, size_t bytes)
{
    if (!p) return wf_malloc(bytes);
    return wf_alloc_should_fail() ? NULL : realloc(p, bytes ? bytes : 1);
}

char *wf_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = wf_malloc(n);
    if (p) memcpy(p, s, n);
    return p;
}

void wf_free(void *p)
{
    if (p) atomic_fetch_sub(&live, 1);
    free(p);
}
