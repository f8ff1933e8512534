#include "apps/kit/machine.h"
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/file.h"
#include "tensor/alloc.h"

enum { MAXGPU = (WF_MONITOR_VALUES - 2) / 2 };

/* The part of NVML's interface that is used here, since its header need not be installed. Its
 * functions return 0 for success. */
struct nvml_memory {
    unsigned long long total, free, used;
};
struct nvml_utilization {
    unsigned gpu, memory;
};
struct nvml {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *count);
    int (*handle)(unsigned index, void **device);
    int (*memory)(void *device, struct nvml_memory *memory);
    int (*utilization)(void *device, struct nvml_utilization *utilization);
};

struct wf_machine {
    struct nvml nvml;
    int gpus;
    void *gpu[MAXGPU];
    double busy, all; /* processor time at the last reading, in the kernel's ticks */
    char names[WF_MONITOR_VALUES * 16];
};

/* ISO C converts no pointer to an object into one to a function; POSIX lets it be copied. */
static bool find(void *library, const char *name, void *function, size_t size)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, size);
    return found != NULL;
}
#define FIND(v, member, name) find((v)->library, name, &(v)->member, sizeof(v)->member)

static void close_nvml(struct nvml *v)
{
    if (v->library) dlclose(v->library);
    *v = (struct nvml){ 0 };
}

static void open_gpus(struct wf_machine *n)
{
    struct nvml *v = &n->nvml;
    unsigned count = 0;
    v->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!v->library) return;
    if (!FIND(v, init, "nvmlInit_v2") || !FIND(v, shutdown, "nvmlShutdown") ||
        !FIND(v, count, "nvmlDeviceGetCount_v2") ||
        !FIND(v, handle, "nvmlDeviceGetHandleByIndex_v2") ||
        !FIND(v, memory, "nvmlDeviceGetMemoryInfo") ||
        !FIND(v, utilization, "nvmlDeviceGetUtilizationRates") || v->init() != 0) {
        close_nvml(v);
        return;
    }
    if (v->count(&count) != 0) count = 0;
    for (unsigned i = 0; i < count && i < MAXGPU; i++) {
        if (v->handle(i, &n->gpu[i]) != 0) n->gpu[i] = NULL;
        n->gpus++;
    }
}

/* Reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. */
static bool processors(double *busy, double *all)
{
    double t[8];
    FILE *f = fopen("/proc/stat", "re");
    if (!f) return false;
    int read = fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", t, t + 1, t + 2, t + 3, t + 4,
                      t + 5, t + 6, t + 7);
    fclose(f);
    if (read != 8) return false;
    *all = 0;
    for (int i = 0; i < 8; i++) *all += t[i];
    *busy = *all - t[3] - t[4];
    return true;
}

static double memory_mb(void)
{
    double total = wf_file_kib("/proc/meminfo", "MemTotal");
    double available = wf_file_kib("/proc/meminfo", "MemAvailable");
    return total < 0 || available < 0 ? NAN : (total - available) / 1024;
}

static void read_node(void *ctx, double value[WF_MONITOR_VALUES])
{
    struct wf_machine *n = ctx;
    double busy = n->busy, all = n->all;
    bool known = processors(&busy, &all);
    /* Ticks of iowait may run backwards a little. */
    double share = all > n->all ? fmin(fmax((busy - n->busy) / (all - n->all), 0), 1) : 0;
    value[0] = known ? 100 * share : NAN;
    n->busy = busy;
    n->all = all;
    value[1] = memory_mb();
    value[2] = value[3] = NAN;
    for (int i = 0; i < n->gpus; i++) {
        struct nvml_memory memory;
        struct nvml_utilization use;
        double *v = value + 2 + 2 * i;
        bool there = n->gpu[i] != NULL;
        v[0] =
            there && n->nvml.memory(n->gpu[i], &memory) == 0 ? (double)memory.used / 1048576 : NAN;
        v[1] = there && n->nvml.utilization(n->gpu[i], &use) == 0 ? use.gpu : NAN;
    }
}

/* Returns the GPU that CUDA calls the first. NULL: there is none, or CUDA_VISIBLE_DEVICES names it
 * by something else than its number. */
static void *first_visible(const struct wf_machine *n)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    char *end = NULL;
    long k = visible ? strtol(visible, &end, 10) : 0;
    if (visible && end == visible) return NULL;
    return k >= 0 && k < n->gpus ? n->gpu[k] : NULL;
}

bool wf_machine_gpu(void *node, double *used_mb, double *total_mb)
{
    const struct wf_machine *n = node;
    struct nvml_memory memory;
    void *gpu = first_visible(n);
    if (!gpu || n->nvml.memory(gpu, &memory) != 0) return false;
    *used_mb = (double)memory.used / 1048576;
    *total_mb = (double)memory.total / 1048576;
    return true;
}

enum wf_status wf_machine_open(struct wf_machine **out, struct wf_monitor_source *source,
                               struct wf_error *err)
{
    struct wf_machine *n = *out = wf_calloc(1, sizeof *n);
    if (!n) return wf_fail(err, WF_ENOMEM, "no memory to watch the node");
    if (!processors(&n->busy, &n->all) || isnan(memory_mb())) {
        wf_machine_close(n);
        *out = NULL;
        return wf_fail(err, WF_EIO, "/proc/stat and /proc/meminfo: cannot be read");
    }
    open_gpus(n);
    int gpus = n->gpus ? n->gpus : 1;
    size_t used = (size_t)snprintf(n->names, sizeof n->names, "node_cpu_percent,node_mb");
    for (int i = 0; i < gpus; i++)
        used += (size_t)snprintf(n->names + used, sizeof n->names - used, ",gpu%d_mb,gpu%d_percent",
                                 i, i);
    *source = (struct wf_monitor_source){ n->names, 2 + 2 * gpus, read_node };
    return WF_OK;
}

void wf_machine_close(struct wf_machine *n)
{
    if (n && n->nvml.library) {
        n->nvml.shutdown();
        close_nvml(&n->nvml);
    }
    wf_free(n);
}
