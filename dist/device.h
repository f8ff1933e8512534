/* device.h - which backend an experiment computes on. */
#ifndef WF_DEVICE_H
#define WF_DEVICE_H

#include <stdio.h>
#include "tensor/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* auto: a CUDA device where there is one, else the CPU. */
enum wf_device { WF_DEVICE_AUTO, WF_DEVICE_CPU, WF_DEVICE_CUDA };
extern const char *const wf_device_names[], *const wf_precision_names[];

struct wf_device_choice {
    enum wf_device device;
    enum wf_precision precision;
    bool resident;  /* the series is wanted on the device, so there must be one */
    int local_rank; /* among the ranks of a machine, who take its devices in turn */
};

/* Says on log what computes, and with `auto` why it is the CPU. WF_EDEVICE when a device is asked
 * for and there is none; WF_EINVAL when the CPU shall do what only a device does. Close with
 * wf_backend_close. */
enum wf_status wf_device_open(struct wf_backend **be, const struct wf_device_choice *c, FILE *log,
                              struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
