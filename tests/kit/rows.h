/* rows.h - a test that runs once for every row of a table.
 *
 * All rows run in one process, since starting a process costs more than most rows do; a failed
 * assertion therefore ends the rows after it too. WEFT_ROW=N in the environment runs row N only. */
#ifndef WF_TEST_ROWS_H
#define WF_TEST_ROWS_H

#include <criterion/criterion.h>
#include <stdlib.h>

/* Use as TEST_ROWS(suite, name, count) { .. }, where the body reads the variable `row`. */
#define TEST_ROWS(suite, name, count)                                                              \
    static void suite##_##name(int row);                                                           \
    Test(suite, name)                                                                              \
    {                                                                                              \
        const char *only_ = getenv("WEFT_ROW");                                                    \
        for (int row_ = 0; row_ < (int)(count); row_++)                                            \
            if (!only_ || atoi(only_) == row_) suite##_##name(row_);                               \
    }                                                                                              \
    static void suite##_##name(int row)

#endif
