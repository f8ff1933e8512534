#include "tests/kit/device.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static const char VISIBLE[] = "CUDA_VISIBLE_DEVICES", BEFORE[] = "WEFT_TEST_VISIBLE_DEVICES",
                  ALL[] = "all";

/* Criterion runs each test in a new process, which inherits BEFORE: devices are hidden already. */
__attribute__((constructor)) static void hide_devices(void)
{
    const char *visible = getenv(VISIBLE);
    if (getenv(BEFORE)) return;
    setenv(BEFORE, visible ? visible : ALL, 1);
    setenv(VISIBLE, "", 1);
}

static void show_devices(void)
{
    const char *before = getenv(BEFORE);
    if (before && strcmp(before, ALL) != 0)
        setenv(VISIBLE, before, 1);
    else
        unsetenv(VISIBLE);
}

struct wf_backend *device_open(void)
{
    struct wf_error err = { 0 };
    struct wf_backend *be;
    show_devices();
    if (wf_backend_cuda(&be, (struct wf_device_config){ .index = 0 }, &err) != WF_OK)
        cr_skip_test("%s", err.message);
    return be;
}
