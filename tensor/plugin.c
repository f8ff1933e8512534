/* plugin.c - finds the CUDA backend, a shared library, at run time. */
#include "tensor/plugin_private.h"
#include <dlfcn.h>
#include <string.h>

#ifdef WF_DOUBLE
static const char library[] = "libweft_cuda_double.so";
#else
static const char library[] = "libweft_cuda.so";
#endif

/* The plugin stays loaded: CUDA's own threads may outlive a backend. */
enum wf_status wf_backend_cuda(struct wf_backend **be, struct wf_device_config cfg,
                               struct wf_error *err)
{
    const struct wf_plugin_host host = { WF_BUILD_ID, sizeof(wf_real) };
    wf_plugin_open *open;
    *be = NULL;
    void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!lib) return wf_fail(err, WF_EDEVICE, "no CUDA device: %s", dlerror());
    void *symbol = dlsym(lib, WF_PLUGIN_SYMBOL);
    if (!symbol) return wf_fail(err, WF_EDEVICE, "%s: no function %s", library, WF_PLUGIN_SYMBOL);
    memcpy(&open, &symbol, sizeof open);
    return open(be, &host, cfg, err);
}

void wf_backend_close(struct wf_backend *be)
{
    if (be && be->device) be->device->close(be);
}
