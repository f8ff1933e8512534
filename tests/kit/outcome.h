/* outcome.h - whether a call worked, or failed as it should; `err` is the caller's. */
#ifndef WF_TEST_OUTCOME_H
#define WF_TEST_OUTCOME_H

#include <criterion/criterion.h>
#include <string.h>
#include "tensor/status.h"

#define ok(call) cr_assert((call) == WF_OK, "%s", err.message)
#define fails(call, status, word)                                                                  \
    do {                                                                                           \
        cr_assert_eq((call), status);                                                              \
        cr_assert(strstr(err.message, word), "want '%s' in: %s", word, err.message);               \
    } while (0)

#endif
