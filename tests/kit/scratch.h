/* scratch.h - files for tests: a folder that goes when the test's process ends, and the real data
 * that may stand beside the repository; a limit of time. */
#ifndef WF_TEST_SCRATCH_H
#define WF_TEST_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

/* Path of name in this process's own folder; eight paths stay valid at a time. */
const char *scratch(const char *name);
/* The same, and a folder is there. */
const char *scratch_folder(const char *name);
/* The same, and a file with these bytes is there. */
const char *scratch_file(const char *name, const void *bytes, size_t size);
/* Reads the file of that name, at most size - 1 bytes; a NUL follows. Returns how many; 0 when
 * there is no such file. */
size_t scratch_read(const char *name, char *text, size_t size);
/* Names of files in the folder. */
int scratch_count(void);

/* Path below the shared data folder ($WEFT_SHARED, or ../shared seen from the sources). */
const char *shared(const char *name);
bool shared_is_there(void);
#define NEED_SHARED()                                                                              \
    do {                                                                                           \
        if (!shared_is_there()) cr_skip_test("no shared data");                                    \
    } while (0)

/* Seconds, the .timeout of every test that has one: Criterion forgets and leaks a limit that would
 * end before another one that runs already. */
enum { TIME_LIMIT = 600 };

/* Runs call, an enum wf_status with the error in err, with the first, second, .. allocation
 * failing, until it succeeds; then runs done. Needs at least one allocation to fail. */
#define EACH_ALLOCATION_FAILS(err, call, done)                                                     \
    do {                                                                                           \
        long held_ = wf_alloc_live(), k_ = 0;                                                      \
        for (;; k_++) {                                                                            \
            wf_alloc_fail_after(k_);                                                               \
            enum wf_status s_ = (call);                                                            \
            wf_alloc_fail_after(-1);                                                               \
            if (s_ == WF_OK) break;                                                                \
            cr_assert_eq(s_, WF_ENOMEM, "allocation %ld: %s", k_, (err).message);                  \
            cr_assert_eq(wf_alloc_live(), held_, "allocation %ld leaks", k_);                      \
        }                                                                                          \
        done;                                                                                      \
        cr_assert_gt(k_, 0);                                                                       \
        cr_assert_eq(wf_alloc_live(), held_);                                                      \
    } while (0)

#endif
