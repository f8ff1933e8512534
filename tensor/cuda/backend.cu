/* backend.cu - memory, copies, recordings and the table of kernels; opens the device. */
#include <cuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tensor/cuda/cuda.cuh"
#include "tensor/plugin_private.h"

/* The driver's functions for reserving addresses come from the runtime: a program linked with
 * -lcuda would not start on a machine without a driver. */
static struct {
    CUresult (*address_reserve)(CUdeviceptr *, size_t, size_t, CUdeviceptr, unsigned long long);
    CUresult (*address_free)(CUdeviceptr, size_t);
    CUresult (*create)(CUmemGenericAllocationHandle *, size_t, const CUmemAllocationProp *,
                       unsigned long long);
    CUresult (*release)(CUmemGenericAllocationHandle);
    CUresult (*map)(CUdeviceptr, size_t, size_t, CUmemGenericAllocationHandle, unsigned long long);
    CUresult (*unmap)(CUdeviceptr, size_t);
    CUresult (*set_access)(CUdeviceptr, size_t, const CUmemAccessDesc *, size_t);
} driver;

struct wf_cuda_range {
    struct wf_cuda_range *next;
    CUdeviceptr base;
    size_t reserved, backed;
};

/* Reserved addresses are backed in steps of PAGE: a multiple of every device's page. */
static const size_t PAGE = (size_t)2 << 20;
static const size_t WORKSPACE = (size_t)64 << 20, SCRATCH = (size_t)256 << 30;
/* SMALL bytes of an upload travel as a kernel's argument; up to PIECES such kernels are quicker
 * than a copy that the host waits for. */
static const size_t SMALL = 3072, PIECES = 8;

enum wf_status wf_cuda_check(struct wf_backend *be, cudaError_t rc, const char *what)
{
    if (rc == cudaSuccess) return WF_OK;
    snprintf(be->reason, sizeof be->reason, "%s: %s", what, cudaGetErrorString(rc));
    cudaGetLastError(); /* or the next launch would be blamed for it */
    return rc == cudaErrorMemoryAllocation ? WF_ENOMEM : WF_EDEVICE;
}

enum wf_status wf_cuda_check_blas(struct wf_backend *be, cublasStatus_t rc, const char *what)
{
    if (rc == CUBLAS_STATUS_SUCCESS) return WF_OK;
    snprintf(be->reason, sizeof be->reason, "%s: %s", what, cublasGetStatusString(rc));
    return rc == CUBLAS_STATUS_ALLOC_FAILED ? WF_ENOMEM : WF_EDEVICE;
}

enum wf_status wf_cuda_check_sparse(struct wf_backend *be, cusparseStatus_t rc, const char *what)
{
    if (rc == CUSPARSE_STATUS_SUCCESS) return WF_OK;
    snprintf(be->reason, sizeof be->reason, "%s: %s", what, cusparseGetErrorString(rc));
    return rc == CUSPARSE_STATUS_ALLOC_FAILED ? WF_ENOMEM : WF_EDEVICE;
}

/* ---- memory ---- */

static enum wf_status cuda_sync(struct wf_backend *be)
{
    return wf_cuda_check(be, cudaStreamSynchronize(wf_cuda_of(be)->stream), "sync");
}

static void *cuda_alloc(struct wf_backend *be, size_t bytes)
{
    struct wf_cuda *c = wf_cuda_of(be);
    void *p = NULL;
    if (wf_cuda_check(be, cudaMalloc(&p, bytes ? bytes : 1), "cudaMalloc") != WF_OK) return NULL;
    enum wf_status s = wf_cuda_check(be, cudaMemsetAsync(p, 0, bytes, c->stream), "cudaMemset");
    if (s == WF_OK) s = cuda_sync(be); /* copies beside the queue must find zeros, too */
    if (s == WF_OK) return p;
    cudaFree(p);
    return NULL;
}

static void cuda_free(struct wf_backend *, void *p, size_t)
{
    cudaFree(p);
}

static bool worked(struct wf_cuda *c, CUresult rc, const char *what)
{
    if (rc == CUDA_SUCCESS) return true;
    snprintf(c->be.reason, sizeof c->be.reason, "%s: error %d of the driver", what, (int)rc);
    return false;
}

static void *cuda_reserve(struct wf_backend *be, size_t bytes)
{
    struct wf_cuda *c = wf_cuda_of(be);
    struct wf_cuda_range *r = (struct wf_cuda_range *)calloc(1, sizeof *r);
    if (!r) return NULL;
    r->reserved = (bytes + PAGE - 1) / PAGE * PAGE;
    if (!worked(c, driver.address_reserve(&r->base, r->reserved, 0, 0, 0), "cuMemAddressReserve")) {
        free(r);
        return NULL;
    }
    r->next = c->ranges;
    c->ranges = r;
    return (void *)r->base;
}

static bool back(struct wf_cuda *c, CUdeviceptr at, size_t bytes)
{
    CUmemGenericAllocationHandle h;
    CUmemAllocationProp prop = {};
    CUmemAccessDesc access = {};
    prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    prop.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    prop.location.id = c->index;
    access.location = prop.location;
    access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    if (!worked(c, driver.create(&h, bytes, &prop, 0), "cuMemCreate")) return false;
    bool mapped = worked(c, driver.map(at, bytes, 0, h, 0), "cuMemMap");
    driver.release(h); /* the mapping keeps the memory */
    if (!mapped) return false;
    if (worked(c, driver.set_access(at, bytes, &access, 1), "cuMemSetAccess")) return true;
    driver.unmap(at, bytes);
    return false;
}

/* Callers back a range from its start on; `to` is rounded up to whole pages. */
static bool cuda_commit(struct wf_backend *be, void *base, size_t, size_t to)
{
    struct wf_cuda *c = wf_cuda_of(be);
    struct wf_cuda_range *r = c->ranges;
    while (r && (void *)r->base != base) r = r->next;
    WF_CHECK(r);
    size_t end = (to + PAGE - 1) / PAGE * PAGE;
    if (end <= r->backed) return true;
    if (end > r->reserved || !back(c, r->base + r->backed, end - r->backed)) return false;
    r->backed = end;
    return true;
}

static void cuda_unreserve(struct wf_backend *be, void *base, size_t)
{
    struct wf_cuda *c = wf_cuda_of(be);
    struct wf_cuda_range **at = &c->ranges;
    while (*at && (void *)(*at)->base != base) at = &(*at)->next;
    struct wf_cuda_range *r = *at;
    if (!r) return;
    cudaStreamSynchronize(c->stream);
    if (r->backed) driver.unmap(r->base, r->backed);
    driver.address_free(r->base, r->reserved);
    *at = r->next;
    free(r);
}

void *wf_cuda_scratch(struct wf_backend *be, size_t bytes)
{
    struct wf_cuda *c = wf_cuda_of(be);
    for (size_t room = SCRATCH; !c->scratch && room >= PAGE;
         room /= 2) /* addresses may be limited */
        c->scratch = (char *)cuda_reserve(be, room);
    return c->scratch && cuda_commit(be, c->scratch, 0, bytes) ? c->scratch : NULL;
}

/* ---- copies ---- */

struct small {
    unsigned char byte[SMALL];
};

static __global__ void store(unsigned char *to, struct small s, int n)
{
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x) to[i] = s.byte[i];
}

static enum wf_status upload_pieces(struct wf_backend *be, void *dst, const void *host,
                                    size_t bytes)
{
    struct small s;
    for (size_t at = 0, n; at < bytes; at += n) {
        n = bytes - at < SMALL ? bytes - at : SMALL;
        memcpy(s.byte, (const char *)host + at, n);
        WF_TRY(LAUNCH(be, store, 1, 128, 0, (unsigned char *)dst + at, s, (int)n));
    }
    return WF_OK;
}

/* A few bytes travel with kernel launches, which need no copy engine and nothing to wait for. Only
 * in this way can a recording keep the bytes that it uploads. */
static enum wf_status cuda_upload(struct wf_backend *be, void *dst, const void *host, size_t bytes)
{
    struct wf_cuda *c = wf_cuda_of(be);
    cudaStreamCaptureStatus capture;
    if (bytes == 0) return WF_OK;
    WF_TRY(wf_cuda_check(be, cudaStreamIsCapturing(c->stream, &capture), "upload"));
    if (bytes <= PIECES * SMALL || capture == cudaStreamCaptureStatusActive)
        return upload_pieces(be, dst, host, bytes);
    WF_TRY(wf_cuda_check(be, cudaMemcpyAsync(dst, host, bytes, cudaMemcpyHostToDevice, c->stream),
                         "upload"));
    return wf_cuda_check(be, cudaStreamSynchronize(c->stream), "upload");
}

static enum wf_status cuda_download(struct wf_backend *be, void *host, const void *src,
                                    size_t bytes)
{
    struct wf_cuda *c = wf_cuda_of(be);
    WF_TRY(wf_cuda_check(be, cudaMemcpyAsync(host, src, bytes, cudaMemcpyDeviceToHost, c->stream),
                         "download"));
    return wf_cuda_check(be, cudaStreamSynchronize(c->stream), "download");
}

static enum wf_status copy_inside(struct wf_backend *be, void *dst, const void *src, size_t bytes)
{
    struct wf_cuda *c = wf_cuda_of(be);
    return wf_cuda_check(be, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToDevice, c->stream),
                         "move");
}

static enum wf_status cuda_move(struct wf_backend *be, void *dst, const void *src, size_t bytes)
{
    const char *from = (const char *)src;
    char *to = (char *)dst;
    if (bytes == 0 || from == to) return WF_OK;
    if (to + bytes <= from || from + bytes <= to) return copy_inside(be, dst, src, bytes);
    void *between = wf_cuda_scratch(be, bytes);
    if (!between) return WF_ENOMEM;
    WF_TRY(copy_inside(be, between, src, bytes));
    return copy_inside(be, dst, between, bytes);
}

static void cuda_memory(struct wf_backend *be, size_t *available, size_t *total)
{
    *available = *total = 0;
    wf_cuda_check(be, cudaMemGetInfo(available, total), "cudaMemGetInfo");
}

static void *cuda_host_alloc(struct wf_backend *be, size_t bytes)
{
    void *p = NULL;
    return wf_cuda_check(be, cudaMallocHost(&p, bytes ? bytes : 1), "cudaMallocHost") == WF_OK
               ? p
               : NULL;
}

/* Waits for the copies, since one beside the queue may still read the memory. */
static void cuda_host_free(struct wf_backend *be, void *p)
{
    cudaStreamSynchronize(wf_cuda_of(be)->copies);
    cudaFreeHost(p);
}

/* The event `consumed` was recorded when the last fetch was taken over: whatever was queued before
 * has read the destination by then. */
static enum wf_status cuda_fetch(struct wf_backend *be, void *dst, const void *host, size_t bytes)
{
    struct wf_cuda *c = wf_cuda_of(be);
    WF_TRY(wf_cuda_check(be, cudaStreamWaitEvent(c->copies, c->consumed, 0), "fetch"));
    WF_TRY(wf_cuda_check(be, cudaMemcpyAsync(dst, host, bytes, cudaMemcpyHostToDevice, c->copies),
                         "fetch"));
    return wf_cuda_check(be, cudaEventRecord(c->arrived, c->copies), "fetch");
}

static enum wf_status cuda_fetched(struct wf_backend *be)
{
    struct wf_cuda *c = wf_cuda_of(be);
    WF_TRY(wf_cuda_check(be, cudaEventRecord(c->consumed, c->stream), "fetched"));
    return wf_cuda_check(be, cudaEventSynchronize(c->arrived), "fetched");
}

/* ---- time ---- */

static bool more_marks(struct wf_cuda *c, int count)
{
    cudaEvent_t *all = (cudaEvent_t *)realloc(c->marks, (size_t)count * sizeof *all);
    if (!all) return false;
    c->marks = all;
    while (c->mark_count < count) all[c->mark_count++] = NULL;
    return true;
}

static enum wf_status cuda_mark(struct wf_backend *be, int k)
{
    struct wf_cuda *c = wf_cuda_of(be);
    if (k >= c->mark_count && !more_marks(c, 2 * k + 64)) return WF_ENOMEM;
    if (!c->marks[k]) WF_TRY(wf_cuda_check(be, cudaEventCreate(&c->marks[k]), "cudaEventCreate"));
    return wf_cuda_check(be, cudaEventRecord(c->marks[k], c->stream), "mark");
}

static double cuda_seconds(struct wf_backend *be, int from, int to)
{
    struct wf_cuda *c = wf_cuda_of(be);
    float ms = 0;
    WF_CHECK(from < c->mark_count && to < c->mark_count);
    wf_cuda_check(be, cudaEventElapsedTime(&ms, c->marks[from], c->marks[to]), "seconds");
    return 1e-3 * (double)ms;
}

/* ---- recordings ---- */

struct wf_recording {
    cudaGraphExec_t exec;
};

static enum wf_status cuda_record(struct wf_backend *be)
{
    return wf_cuda_check(
        be, cudaStreamBeginCapture(wf_cuda_of(be)->stream, cudaStreamCaptureModeThreadLocal),
        "record");
}

static enum wf_status cuda_recorded(struct wf_backend *be, struct wf_recording **r)
{
    struct wf_cuda *c = wf_cuda_of(be);
    cudaGraph_t graph = NULL;
    *r = NULL;
    WF_TRY(wf_cuda_check(be, cudaStreamEndCapture(c->stream, &graph), "recorded"));
    struct wf_recording *made = (struct wf_recording *)calloc(1, sizeof *made);
    enum wf_status s = WF_ENOMEM;
    if (made) s = wf_cuda_check(be, cudaGraphInstantiate(&made->exec, graph, 0), "recorded");
    cudaGraphDestroy(graph);
    if (s == WF_OK)
        *r = made;
    else
        free(made);
    return s;
}

static enum wf_status cuda_replay(struct wf_backend *be, struct wf_recording *r)
{
    return wf_cuda_check(be, cudaGraphLaunch(r->exec, wf_cuda_of(be)->stream), "replay");
}

static void cuda_forget(struct wf_backend *, struct wf_recording *r)
{
    if (!r) return;
    cudaGraphExecDestroy(r->exec);
    free(r);
}

/* ---- opening ---- */

static void cuda_close(struct wf_backend *be)
{
    struct wf_cuda *c = wf_cuda_of(be);
    if (c->stream) cudaStreamSynchronize(c->stream);
    wf_cuda_leave(be);
    while (c->ranges) cuda_unreserve(be, (void *)c->ranges->base, 0);
    if (c->blas) cublasDestroy(c->blas);
    if (c->sparse) cusparseDestroy(c->sparse);
    if (c->workspace) cudaFree(c->workspace);
    if (c->consumed) cudaEventDestroy(c->consumed);
    if (c->arrived) cudaEventDestroy(c->arrived);
    for (int k = 0; k < c->mark_count; k++)
        if (c->marks[k]) cudaEventDestroy(c->marks[k]);
    free(c->marks);
    if (c->copies) cudaStreamDestroy(c->copies);
    if (c->stream) cudaStreamDestroy(c->stream);
    free(c);
}

static const struct wf_kernels kernels = {
#define K(name, params, args) wf_cuda_##name,
#include "tensor/kernels.def"
#undef K
};

static const struct wf_device_ops device_ops = { cuda_record,  cuda_recorded,   cuda_replay,
                                                 cuda_forget,  cuda_host_alloc, cuda_host_free,
                                                 cuda_fetch,   cuda_fetched,    cuda_mark,
                                                 cuda_seconds, wf_cuda_invite,  wf_cuda_join,
                                                 wf_cuda_sum,  cuda_close };

static enum wf_status find_driver(struct wf_backend *be)
{
    const struct {
        const char *name;
        void **entry;
    } wanted[] = {
        { "cuMemAddressReserve", (void **)&driver.address_reserve },
        { "cuMemAddressFree", (void **)&driver.address_free },
        { "cuMemCreate", (void **)&driver.create },
        { "cuMemRelease", (void **)&driver.release },
        { "cuMemMap", (void **)&driver.map },
        { "cuMemUnmap", (void **)&driver.unmap },
        { "cuMemSetAccess", (void **)&driver.set_access },
    };
    for (const auto &w : wanted) {
        cudaDriverEntryPointQueryResult found;
        WF_TRY(wf_cuda_check(
            be, cudaGetDriverEntryPointByVersion(w.name, w.entry, 12000, cudaEnableDefault, &found),
            w.name));
        if (found == cudaDriverEntryPointSuccess && *w.entry) continue;
        snprintf(be->reason, sizeof be->reason, "the driver has no %s", w.name);
        return WF_EDEVICE;
    }
    return WF_OK;
}

static enum wf_status open_streams(struct wf_cuda *c)
{
    struct wf_backend *be = &c->be;
    const unsigned quiet = cudaEventDisableTiming;
    WF_TRY(wf_cuda_check(be, cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking),
                         "cudaStreamCreate"));
    WF_TRY(wf_cuda_check(be, cudaStreamCreateWithFlags(&c->copies, cudaStreamNonBlocking),
                         "cudaStreamCreate"));
    WF_TRY(wf_cuda_check(be, cudaEventCreateWithFlags(&c->consumed, quiet), "cudaEventCreate"));
    WF_TRY(wf_cuda_check(be, cudaEventCreateWithFlags(&c->arrived, quiet), "cudaEventCreate"));
    WF_TRY(wf_cuda_check_blas(be, cublasCreate(&c->blas), "cublasCreate"));
    WF_TRY(wf_cuda_check_blas(be, cublasSetStream(c->blas, c->stream), "cublasSetStream"));
    WF_TRY(wf_cuda_check(be, cudaMalloc(&c->workspace, WORKSPACE), "cudaMalloc"));
    WF_TRY(wf_cuda_check_blas(be, cublasSetWorkspace(c->blas, c->workspace, WORKSPACE),
                              "cublasSetWorkspace"));
    WF_TRY(wf_cuda_check_sparse(be, cusparseCreate(&c->sparse), "cusparseCreate"));
    return wf_cuda_check_sparse(be, cusparseSetStream(c->sparse, c->stream), "cusparseSetStream");
}

static enum wf_status ask(struct wf_cuda *c, int *value, cudaDeviceAttr what)
{
    return wf_cuda_check(&c->be, cudaDeviceGetAttribute(value, what, c->index), "device");
}

/* Tells a machine without a driver, whose version is 0, from one whose driver is too old: CUDA
 * returns the same error for both. */
static bool no_driver(void)
{
    int version = 0;
    return cudaDriverGetVersion(&version) == cudaSuccess && version == 0;
}

static enum wf_status open_device(struct wf_cuda *c)
{
    struct wf_backend *be = &c->be;
    int count = 0;
    cudaError_t found = cudaGetDeviceCount(&count);
    if (found == cudaErrorInsufficientDriver && no_driver()) {
        snprintf(be->reason, sizeof be->reason, "no NVIDIA driver");
        return WF_EDEVICE;
    }
    WF_TRY(wf_cuda_check(be, found, "cudaGetDeviceCount"));
    if (c->index < 0 || count < 1) {
        snprintf(be->reason, sizeof be->reason, "device %d of %d", c->index, count);
        return WF_EDEVICE;
    }
    c->index %= count;
    WF_TRY(wf_cuda_check(be, cudaSetDevice(c->index), "cudaSetDevice"));
    WF_TRY(ask(c, &c->sms, cudaDevAttrMultiProcessorCount));
    WF_TRY(ask(c, &c->shared, cudaDevAttrMaxSharedMemoryPerBlockOptin));
    WF_TRY(ask(c, &c->cache, cudaDevAttrL2CacheSize));
    WF_TRY(find_driver(be));
    return open_streams(c);
}

static void fill_table(struct wf_cuda *c)
{
    struct wf_backend *be = &c->be;
    be->name = "cuda";
    be->k = &kernels;
    be->device = &device_ops;
    be->alloc = cuda_alloc;
    be->free = cuda_free;
    be->reserve = cuda_reserve;
    be->commit = cuda_commit;
    be->unreserve = cuda_unreserve;
    be->upload = cuda_upload;
    be->download = cuda_download;
    be->move = cuda_move;
    be->sync = cuda_sync;
    be->memory = cuda_memory;
    be->workspace = WORKSPACE;
}

extern "C" __attribute__((visibility("default"))) enum wf_status wf_cuda_open(
    struct wf_backend **be, const struct wf_plugin_host *host, struct wf_device_config cfg,
    struct wf_error *err)
{
    *be = NULL;
    if (strcmp(host->build_id, WF_BUILD_ID) != 0 || host->real_bytes != sizeof(wf_real))
        return wf_fail(err, WF_EDEVICE,
                       "the CUDA plugin is build %s of %zu-byte numbers, the "
                       "program %s of %zu: install both together",
                       WF_BUILD_ID, sizeof(wf_real), host->build_id, host->real_bytes);
    struct wf_cuda *c = (struct wf_cuda *)calloc(1, sizeof *c);
    if (!c) return wf_fail(err, WF_ENOMEM, "no memory for a CUDA backend");
    c->index = cfg.index;
    c->precision = cfg.precision;
    fill_table(c);
    enum wf_status s = open_device(c);
    if (s == WF_OK) {
        *be = &c->be;
        return WF_OK;
    }
    wf_fail(err, s, "no CUDA device: %s", c->be.reason);
    cuda_close(&c->be);
    return s;
}
