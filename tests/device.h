/* device.h - tests of the CUDA backend, on a device or, as build.sh runs them too, on the emulated
 * one of tests/emulator/. */
#ifndef WF_TEST_DEVICE_H
#define WF_TEST_DEVICE_H

#include <criterion/criterion.h>
#include "tensor/backend.h"

/* The first device, closed by the caller; without one the test is skipped, with the reason. */
static inline struct wf_backend *device_open(void)
{
    struct wf_error err = { 0 };
    struct wf_backend *be;
    if (wf_backend_cuda(&be, (struct wf_device_config){ .index = 0 }, &err) != WF_OK)
        cr_skip_test("%s", err.message);
    return be;
}

#endif
