/* plugin_private.h - what the library and its CUDA plugin agree on. Private to tensor/. */
#ifndef WF_PLUGIN_H
#define WF_PLUGIN_H

#include "tensor/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* WF_BUILD_ID, of the headers both were compiled from, comes from the build. */
struct wf_plugin_host {
    const char *build_id;
    size_t real_bytes;
};

/* The plugin's only exported function. */
typedef enum wf_status wf_plugin_open(struct wf_backend **be, const struct wf_plugin_host *host,
                                      struct wf_device_config cfg, struct wf_error *err);
#define WF_PLUGIN_SYMBOL "wf_cuda_open"

#ifdef __cplusplus
}
#endif
#endif
