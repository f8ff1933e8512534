/* device.h - which backend a program computes on: the CPU, or a CUDA device. */
#ifndef WF_DEVICE_H
#define WF_DEVICE_H

#include <stdio.h>
#include "tensor/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_device {
    WF_DEVICE_AUTO, /* a CUDA device where there is one, else the CPU */
    WF_DEVICE_CPU,
    WF_DEVICE_CUDA
};
extern const char *const wf_device_names[], *const wf_precision_names[]; /* ended by NULL */

struct wf_device_choice {
    enum wf_device device;
    enum wf_precision precision;
    bool resident;  /* the series is wanted on the device, so there must be one */
    int local_rank; /* number among the ranks of a machine, which take its devices in turn */
};

/* Opens the backend that is asked for. Says on log what computes, and with WF_DEVICE_AUTO why it is
 * the CPU. WF_EDEVICE: a device is asked for and there is none; WF_EINVAL: the CPU is asked for
 * what only a device does. Close with wf_backend_close. */
enum wf_status wf_device_open(struct wf_backend **be, const struct wf_device_choice *c, FILE *log,
                              struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
