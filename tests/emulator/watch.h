/* watch.h - looks at each access of the device to memory, where the code of the device is compiled
 * with -fsanitize=thread (its calls lead here, no part of that sanitizer is linked; nothing happens
 * without). The program ends, and says where, when a thread reaches what is neither its block's
 * shared memory nor the device's, when anything reads memory of the device that nobody wrote, and
 * when two threads of a launch use the same bytes, one of them to write, in no order. (Shared
 * memory may be read before it is written, as long as nothing comes of it: it starts out as NaN.)
 *
 * In order are what one thread does, what threads of a block do before and after a barrier, and
 * what lanes do before and after a __syncwarp of both. Shuffles and votes order nothing, as in
 * CUDA; neither do atomics, of which there are none. Launches follow each other; work of several
 * streams is not compared. Of the readers of a word since it was written two are remembered.
 *
 * Then the device's memory can also not be reached by the host: whoever tries gets a SIGSEGV. */
#ifndef WF_EMULATOR_WATCH_H
#define WF_EMULATOR_WATCH_H

#include "tests/emulator/cuda_runtime.h"

namespace emulator
{
struct range {
    char *at;
    size_t bytes;
};

/* Whether some code was compiled for it. */
bool watched();

/* A launch begins, with this shared memory: of all kernels, and its own. Then one of its blocks. */
void watch_launch(const kernel &k, range fixed, range dynamic);
void watch_block();

/* Thread t of the block goes on; -1: none does, the block has ended. */
void watch_thread(int t, range stack);

/* All threads of the block are at a barrier; these lanes of a warp are at a __syncwarp. */
void watch_barrier();
void watch_warp(int warp, unsigned lanes);

/* The device's memory was allocated or freed; was set by a copy, from there where that is memory of
 * the device, too; is read by a copy. */
void watch_new(const void *p, size_t bytes);
void watch_copied(const void *p, const void *from, size_t bytes);
void watch_read(const void *p, size_t bytes);
} // namespace emulator

#endif
