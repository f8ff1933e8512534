/* This library stands in for NVML on machines without a GPU. It shows $WEFT_STUB_GPUS GPUs, of
 * which number I uses 1000 (I + 1) MiB and 10 (I + 1) per cent; the second does not tell its
 * utilisation. */
#include <stdint.h>
#include <stdlib.h>

struct memory {
    unsigned long long total, free, used;
};
struct utilization {
    unsigned gpu, memory;
};

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
int nvmlDeviceGetMemoryInfo(void *device, struct memory *m);
int nvmlDeviceGetUtilizationRates(void *device, struct utilization *u);

int nvmlInit_v2(void)
{
    return 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    const char *text = getenv("WEFT_STUB_GPUS");
    *count = text ? (unsigned)atoi(text) : 0;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    *device = (void *)(uintptr_t)(index + 1);
    return 0;
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *m)
{
    unsigned long long used = (unsigned long long)(uintptr_t)device * 1000 << 20;
    *m = (struct memory){ .total = used * 2, .free = used, .used = used };
    return 0;
}

int nvmlDeviceGetUtilizationRates(void *device, struct utilization *u)
{
    enum { NOT_SUPPORTED = 3 };
    *u = (struct utilization){ .gpu = (unsigned)(uintptr_t)device * 10 };
    return (uintptr_t)device == 2 ? NOT_SUPPORTED : 0;
}
