/* device.h - tests of the CUDA backend, on a device or, as build.sh runs them too, on the emulated
 * one of tests/emulator/. All other tests, and the programs they start, compute on the CPU,
 * whatever the machine has. */
#ifndef WF_TEST_DEVICE_H
#define WF_TEST_DEVICE_H

#include "tensor/backend.h"

/* The first device, closed by the caller; without one the test is skipped, with the reason. From
 * then on the programs that the test starts see devices, too. */
struct wf_backend *device_open(void);

#endif
