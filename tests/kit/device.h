/* device.h - tests of the CUDA backend run on a device or, as build.sh runs them too, on the
 * emulated one of tests/emulator/. All other tests, and the programs they start, compute on the
 * CPU, whatever devices the machine has. */
#ifndef WF_TEST_DEVICE_H
#define WF_TEST_DEVICE_H

#include "tensor/backend.h"

/* Opens the first device, which the caller closes; without a device the test is skipped, with the
 * reason. From then on the programs that the test starts see devices, too. */
struct wf_backend *device_open(void);

#endif
