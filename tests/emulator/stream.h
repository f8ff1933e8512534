/* stream.h - queues of work, and what the emulator's other files need of them. */
#ifndef WF_EMULATOR_STREAM_H
#define WF_EMULATOR_STREAM_H

#include "tests/emulator/cuda_runtime.h"

namespace emulator
{
/* Keeps an error for cudaGetLastError; returns it. */
cudaError_t failed(cudaError_t e);

/* cudaSuccess, unless a stream is capturing: then its capture is lost, and the error says so. */
cudaError_t outside_capture();

/* Runs all that is queued. */
void finish_all();
} // namespace emulator

#endif
