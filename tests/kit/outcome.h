/* outcome.h - asserts that a call that returns an enum wf_status works, or is refused with the
 * right message. The call fills in the variable `err` of the caller. */
#ifndef WF_TEST_OUTCOME_H
#define WF_TEST_OUTCOME_H

#include <criterion/criterion.h>
#include <string.h>
#include "tensor/status.h"

#define ok(call) cr_assert((call) == WF_OK, "%s: %s", #call, err.message)

/* Asserts that the call returns `status` and a message that contains `text`, "" for any. */
#define fails(call, status, text)                                                                  \
    do {                                                                                           \
        cr_assert_eq((call), status, "%s: %s", #call, err.message);                                \
        says(text);                                                                                \
    } while (0)

/* Asserts that the message of the call before contains `text` as well. */
#define says(text) cr_assert(strstr(err.message, text), "want '%s' in: %s", text, err.message)

#endif
