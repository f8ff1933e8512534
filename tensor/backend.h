/* backend.h - a backend: where tensors have their memory, and who computes on them.
 *
 * A backend is a table of kernels (tensor/kernels.h, made from the list tensor/kernels.def), a few
 * functions for memory, and on a device some more. The list also makes the prototypes and tables of
 * the backends, so that a backend without a kernel does not link, and the wfk_NAME() dispatchers
 * below. Kernels are queued in order and may still run when they return; a download waits for them.
 * Only one thread at a time may use a backend. */
#ifndef WF_BACKEND_H
#define WF_BACKEND_H

#include "tensor/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_backend {
    const char *name;
    const struct wf_kernels *k;
    /* Returns memory filled with zeros; NULL when there is none. */
    void *(*alloc)(struct wf_backend *be, size_t bytes);
    void (*free)(struct wf_backend *be, void *p, size_t bytes);
    /* reserve() returns addresses without memory; commit() puts memory behind bytes [from, to) of
     * them, or returns false. */
    void *(*reserve)(struct wf_backend *be, size_t bytes);
    bool (*commit)(struct wf_backend *be, void *base, size_t from, size_t to);
    void (*unreserve)(struct wf_backend *be, void *base, size_t bytes);
    /* upload() and download() copy between host and backend; when they return, the caller may use
     * the host's memory again. move() copies inside the backend, where the ranges may overlap. */
    enum wf_status (*upload)(struct wf_backend *be, void *dst, const void *host, size_t bytes);
    enum wf_status (*download)(struct wf_backend *be, void *host, const void *src, size_t bytes);
    enum wf_status (*move)(struct wf_backend *be, void *dst, const void *src, size_t bytes);
    /* Waits for everything queued; returns WF_EDEVICE when some of it failed. */
    enum wf_status (*sync)(struct wf_backend *be);
    /* Sets *free to the bytes of memory that are free and *total to all there are. */
    void (*memory)(struct wf_backend *be, size_t *free, size_t *total);

    const struct wf_device_ops *device; /* what only a device can do; NULL on the CPU */
    size_t workspace;                   /* bytes its libraries hold for themselves */
    char reason[160]; /* what the device said when a call last returned WF_EDEVICE */
};

/* Work recorded once and run again as one piece (a CUDA graph): the same kernels with the same
 * arguments at the same addresses. */
struct wf_recording;

enum { WF_INVITATION = 128 }; /* bytes */
struct wf_device_ops {
    /* From `record` to `recorded` kernels, moves and small uploads are noted down, not run; nothing
     * may be allocated, downloaded or waited for. *r is NULL after a failure. */
    enum wf_status (*record)(struct wf_backend *be);
    enum wf_status (*recorded)(struct wf_backend *be, struct wf_recording **r);
    enum wf_status (*replay)(struct wf_backend *be, struct wf_recording *r);
    void (*forget)(struct wf_backend *be, struct wf_recording *r);
    /* Returns page-locked host memory, which the device copies from directly; NULL when there is
     * none. */
    void *(*host_alloc)(struct wf_backend *be, size_t bytes);
    void (*host_free)(struct wf_backend *be, void *p);
    /* A copy that runs beside the queue. fetch() returns at once; the copy starts when everything
     * queued before the last fetched() is done. The caller leaves host (from host_alloc) untouched
     * until fetched(); whatever is queued after that sees dst filled. */
    enum wf_status (*fetch)(struct wf_backend *be, void *dst, const void *host, size_t bytes);
    enum wf_status (*fetched)(struct wf_backend *be);
    /* mark() gives this point of the queue the number k >= 0, which an earlier point loses; it must
     * not be called while recording. seconds() returns the time between two such points,
     * both of which the device has passed. */
    enum wf_status (*mark)(struct wf_backend *be, int k);
    double (*seconds)(struct wf_backend *be, int from, int to);
    /* Sums over several processes, each with a device of its own, by the devices themselves (NCCL).
     * All join at the same time, with the invitation that one of them made. `sum` adds up n numbers
     * in place, for all to the same bits, and waits. WF_EDEVICE where there is no NCCL. */
    enum wf_status (*invite)(struct wf_backend *be, char invitation[WF_INVITATION]);
    enum wf_status (*join)(struct wf_backend *be, const char invitation[WF_INVITATION], int rank,
                           int ranks);
    enum wf_status (*sum)(struct wf_backend *be, wf_real *x, size_t n);
    void (*close)(struct wf_backend *be);
};

#define K(name, params, args)                                                                      \
    static inline enum wf_status wfk_##name params                                                 \
    {                                                                                              \
        return be->k->name args;                                                                   \
    }
#include "tensor/kernels.def"
#undef K

/* The CPU: OpenMP threads and BLAS. One per process is enough; it is never freed. */
struct wf_backend *wf_backend_cpu(void);

/* A backend whose addresses have no memory and whose kernels do nothing. After a step on it, the
 * size of the arena tells how much memory the step would take. It is never freed. */
struct wf_backend *wf_backend_dry(void);

/* How products are computed; sums and everything else are float32 (double in the double build). */
enum wf_precision { WF_FLOAT32, WF_TF32, WF_BF16 };

struct wf_device_config {
    int index; /* which of the devices that the process sees, modulo their number */
    enum wf_precision precision;
};
/* Opens a CUDA device through the plugin libweft_cuda.so, which is looked for as any shared library
 * is; the caller frees it with wf_backend_close(). Returns WF_EDEVICE with the reason when there is
 * no plugin, no CUDA library, no driver or no device, or when the plugin was built from other
 * sources. */
enum wf_status wf_backend_cuda(struct wf_backend **be, struct wf_device_config cfg,
                               struct wf_error *err);

/* Frees a device, after which nothing that lives on it may be used. Does nothing to the CPU. */
void wf_backend_close(struct wf_backend *be);

#ifdef __cplusplus
}
#endif
#endif
