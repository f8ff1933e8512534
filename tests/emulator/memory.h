/* memory.h - which memory is the device's, which is page-locked; all of it in one process. */
#ifndef WF_EMULATOR_MEMORY_H
#define WF_EMULATOR_MEMORY_H

#include "tests/emulator/watch.h"

namespace emulator
{
enum home { PAGEABLE, PAGE_LOCKED, DEVICE, OUTSIDE };

/* Of the bytes from p on; OUTSIDE where they only begin in memory of the device or page-locked. */
enum home home_of(const void *p, size_t bytes);

/* The piece of the device's memory that p lies in, as it was allocated; {}: none. */
range piece_of(const void *p);

/* While one of these lives the device works, and this process may reach its memory. */
struct at_work {
    at_work();
    ~at_work();
};
} // namespace emulator

#endif
