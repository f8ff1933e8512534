/* cuda_runtime.h - the part of the CUDA runtime that Weft uses, emulated on the CPU for tests.
 *
 * One device of 4 multiprocessors. Its memory is host memory that starts out as garbage (NaN), its
 * streams are queues that run when the host waits for them (or at once, with CUDA_LAUNCH_BLOCKING=1
 * in the environment), which is as late as CUDA may. A copy of page-locked memory is made as early
 * as CUDA may, too. Between cudaStreamBeginCapture and cudaStreamEndCapture work is noted down.
 * Calls refuse what a device refuses: too many threads, host memory for device memory,
 * synchronisation in a capture. Not emulated: time, several devices, default streams that wait for
 * others, captures of more than one stream, a kernel that reaches into host memory. */
#ifndef WF_EMULATOR_CUDA_RUNTIME_H
#define WF_EMULATOR_CUDA_RUNTIME_H

#include <functional>
#include <stdio.h>
#include "tests/emulator/device.h"

#define WF_CUDA_ERRORS(X)                                                                          \
    X(cudaSuccess, 0, "no error")                                                                  \
    X(cudaErrorInvalidValue, 1, "invalid argument")                                                \
    X(cudaErrorMemoryAllocation, 2, "out of memory")                                               \
    X(cudaErrorInvalidConfiguration, 9, "invalid configuration argument")                          \
    X(cudaErrorInvalidSymbol, 13, "invalid device symbol")                                         \
    X(cudaErrorInsufficientDriver, 35,                                                             \
      "CUDA driver version is insufficient for CUDA runtime version")                              \
    X(cudaErrorNoDevice, 100, "no CUDA-capable device is detected")                                \
    X(cudaErrorInvalidDevice, 101, "invalid device ordinal")                                       \
    X(cudaErrorInvalidResourceHandle, 400, "invalid resource handle")                              \
    X(cudaErrorIllegalState, 401, "the operation cannot be performed in the present state")        \
    X(cudaErrorNotReady, 600, "device not ready")                                                  \
    X(cudaErrorNotSupported, 801, "operation not supported")                                       \
    X(cudaErrorStreamCaptureUnsupported, 900, "operation not permitted when stream is capturing")  \
    X(cudaErrorStreamCaptureInvalidated, 901,                                                      \
      "operation failed due to a previous error during capture")                                   \
    X(cudaErrorCapturedEvent, 907,                                                                 \
      "operation not permitted on an event last recorded in a "                                    \
      "capturing stream")

enum cudaError_t {
#define X(name, value, text) name = value,
    WF_CUDA_ERRORS(X)
#undef X
};

enum cudaMemcpyKind {
    cudaMemcpyHostToHost,
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice,
    cudaMemcpyDefault
};
enum cudaDeviceAttr {
    cudaDevAttrMaxThreadsPerBlock = 1,
    cudaDevAttrMaxSharedMemoryPerBlock = 8,
    cudaDevAttrWarpSize = 10,
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrL2CacheSize = 38,
    cudaDevAttrMaxThreadsPerMultiProcessor = 39,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
    cudaDevAttrMaxSharedMemoryPerMultiprocessor = 81,
    cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
};
enum cudaFuncAttribute {
    cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
    cudaFuncAttributePreferredSharedMemoryCarveout = 9
};
enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal,
    cudaStreamCaptureModeThreadLocal,
    cudaStreamCaptureModeRelaxed
};
enum cudaStreamCaptureStatus {
    cudaStreamCaptureStatusNone,
    cudaStreamCaptureStatusActive,
    cudaStreamCaptureStatusInvalidated
};
enum cudaDriverEntryPointQueryResult {
    cudaDriverEntryPointSuccess,
    cudaDriverEntryPointSymbolNotFound,
    cudaDriverEntryPointVersionNotSufficent
};
enum {
    cudaStreamDefault = 0,
    cudaStreamNonBlocking = 1,
    cudaEventDefault = 0,
    cudaEventDisableTiming = 2,
    cudaEnableDefault = 0,
    cudaHostAllocDefault = 0
};

using cudaStream_t = struct CUstream_st *;
using cudaEvent_t = struct CUevent_st *;
using cudaGraph_t = struct CUgraph_st *;
using cudaGraphExec_t = struct CUgraphExec_st *;

const char *cudaGetErrorString(cudaError_t e);
const char *cudaGetErrorName(cudaError_t e);
cudaError_t cudaGetLastError(); /* and forgets it */
cudaError_t cudaPeekAtLastError();

cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaGetDriverEntryPointByVersion(const char *symbol, void **entry, unsigned version,
                                             unsigned long long flags,
                                             cudaDriverEntryPointQueryResult *found = nullptr);

cudaError_t cudaMalloc(void **p, size_t bytes);
template <typename T> static inline cudaError_t cudaMalloc(T **p, size_t bytes)
{
    return cudaMalloc(reinterpret_cast<void **>(p), bytes);
}
cudaError_t cudaFree(void *p);
cudaError_t cudaMallocHost(void **p, size_t bytes, unsigned flags = cudaHostAllocDefault);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemGetInfo(size_t *available, size_t *total);
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream = nullptr);
cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream = nullptr);
cudaError_t cudaMemset(void *p, int byte, size_t bytes);
cudaError_t cudaMemsetAsync(void *p, int byte, size_t bytes, cudaStream_t stream = nullptr);

cudaError_t cudaStreamCreate(cudaStream_t *stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaEventCreate(cudaEvent_t *event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = nullptr);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to);

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                                 unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);

/* ---- kernels ---- */

namespace emulator
{
using work = std::function<void()>;

/* Queues what a stream does, or notes it down where the stream is capturing. Also sets the last
 * error. what: for libraries that emulate more than this. */
cudaError_t enqueue(cudaStream_t stream, work w);

/* A kernel and how to launch it; thread() is the kernel with its arguments. */
struct kernel {
    const char *name;
    const void *entry;
    dim3 grid, block;
    size_t shared;
    work thread;
};
cudaError_t launch(cudaStream_t stream, kernel k);
void run(const kernel &k);

cudaError_t allow_shared(const void *entry, int bytes);
int blocks_per_sm(int threads, size_t shared);

/* Arguments on their way to a kernel lie in memory of the host. */
#define WF_UNWATCHED __attribute__((no_sanitize("thread")))

/* The call operator has the kernel's own parameters, so arguments convert as for a function; they
 * are copied. */
template <typename... P> struct configured {
    const char *name;
    void (*entry)(P...);
    dim3 grid, block;
    size_t shared;
    cudaStream_t stream;
    void operator()(P... p) const
    {
        auto entry_ = entry;
        kernel k = { name,   reinterpret_cast<const void *>(entry), grid, block,
                     shared, [=]() WF_UNWATCHED { entry_(p...); } };
        launch(stream, k);
    }
};
template <typename... P>
static inline configured<P...> configure(const char *name, void (*entry)(P...), dim3 grid,
                                         dim3 block, size_t shared, cudaStream_t stream)
{
    return { name, entry, grid, block, shared, stream };
}
} // namespace emulator

#define LAUNCH(be, kernel, grid, block, shared, ...)                                               \
    (emulator::configure(#kernel, kernel, (grid), (block), (shared),                               \
                         wf_cuda_of(be)->stream)(__VA_ARGS__),                                     \
     wf_cuda_check(be, cudaGetLastError(), #kernel))

template <typename... P>
static inline cudaError_t cudaFuncSetAttribute(void (*entry)(P...), cudaFuncAttribute a, int value)
{
    if (a != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
    return emulator::allow_shared(reinterpret_cast<const void *>(entry), value);
}

template <typename... P>
static inline cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void (*)(P...),
                                                                        int threads, size_t shared)
{
    *blocks = emulator::blocks_per_sm(threads, shared);
    return cudaSuccess;
}

#endif
