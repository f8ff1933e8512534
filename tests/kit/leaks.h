/* leaks.h - the last statement of a test that allocates: under Criterion a leak that is only
 * reported after the test would not fail it. */
#ifndef WF_LEAKS_H
#define WF_LEAKS_H

#include <criterion/criterion.h>
#include "tensor/alloc.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define WF_LSAN_CHECK() __lsan_do_recoverable_leak_check()
#else
#define WF_LSAN_CHECK() 0
#endif

#define expect_no_leaks()                                                                          \
    do {                                                                                           \
        cr_expect_eq(wf_alloc_live(), 0, "%ld blocks of the library leak", wf_alloc_live());       \
        cr_expect_eq(WF_LSAN_CHECK(), 0, "host memory leaks");                                     \
    } while (0)

#endif
