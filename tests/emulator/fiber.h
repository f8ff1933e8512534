/* fiber.h - stacks that take turns on one thread of the host; of a process, one thread at a time.
 */
#ifndef WF_EMULATOR_FIBER_H
#define WF_EMULATOR_FIBER_H

#include "tests/emulator/watch.h"

namespace emulator
{
struct fiber;

/* A fiber that runs entry(), which never returns, when it is first switched to. Never freed. */
struct fiber *fiber_new(void (*entry)());

/* The stack of one that was made here. */
range fiber_stack(const struct fiber *f);

/* The fiber that runs now; the thread's own stack is one, too. */
struct fiber *fiber_self();

/* Goes on where `to` last switched away; returns when something switches back. */
void fiber_switch(struct fiber *to);
} // namespace emulator

#endif
