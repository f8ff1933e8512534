/* scratch.h - files for tests, in a folder that is removed when the process of the test ends; paths
 * of the real data that may stand beside the repository; a limit of time. */
#ifndef WF_TEST_SCRATCH_H
#define WF_TEST_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

/* The path of `name` in the own folder of this process. The last eight returned paths are valid. */
const char *scratch(const char *name);
/* Like scratch(), and creates a folder of that name. */
const char *scratch_folder(const char *name);
/* Like scratch(), and writes a file of that name with these bytes. */
const char *scratch_file(const char *name, const void *bytes, size_t size);
/* Reads at most size - 1 bytes of the file of that name, and puts a NUL behind them. Returns their
 * number, or 0 if there is no such file. */
size_t scratch_read(const char *name, char *text, size_t size);
/* The number of files in the folder. */
int scratch_count(void);

/* The path of `name` below the folder of shared data, $WEFT_SHARED, or ../shared of the sources. */
const char *shared(const char *name);
bool shared_is_there(void);
#define NEED_SHARED()                                                                              \
    do {                                                                                           \
        if (!shared_is_there()) cr_skip_test("no shared data");                                    \
    } while (0)

/* The .timeout, in seconds, of every test that has one. All are equal, because Criterion forgets
 * and leaks a limit that would end before another one that is running. */
enum { TIME_LIMIT = 600 };

/* Evaluates `call`, which returns an enum wf_status and fills in err, with the first, second, ..
 * allocation failing, until it succeeds; then runs `done`. At least one allocation must fail. */
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
