/* outcome.h - a call that returns an enum wf_status worked, or was refused with the right words. The
 * error that it fills in is the caller's `err`. */
#ifndef WF_TEST_OUTCOME_H
#define WF_TEST_OUTCOME_H

#include <criterion/criterion.h>
#include <string.h>
#include "tensor/status.h"

#define ok(call) cr_assert((call) == WF_OK, "%s: %s", #call, err.message)

/* text: a part of the message, "" for any. */
#define fails(call, status, text)                                                                  \
    do {                                                                                           \
        cr_assert_eq((call), status, "%s: %s", #call, err.message);                                \
        says(text);                                                                                \
    } while (0)

/* A further part of the message of the call before. */
#define says(text) cr_assert(strstr(err.message, text), "want '%s' in: %s", text, err.message)

#endif
