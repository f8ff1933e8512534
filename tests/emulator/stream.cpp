/* stream.cpp - streams, events and captures; launches and copies. */
#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <stdlib.h>
#include <thread>
#include <vector>
#include "tests/emulator/memory.h"
#include "tests/emulator/stream.h"

using emulator::work;

/* Recorded: done once everything queued before has run. */
struct mark {
    cudaStream_t stream;
    bool done, captured;
    std::chrono::steady_clock::time_point at;
};

struct CUstream_st {
    std::deque<work> queue;
    cudaStreamCaptureStatus capture;
    std::thread::id captor; /* only its calls may spoil the capture */
    std::vector<work> noted;
};
struct CUevent_st {
    std::shared_ptr<mark> last;
};
struct CUgraph_st {
    std::vector<work> nodes;
};
struct CUgraphExec_st {
    std::shared_ptr<std::vector<work>> nodes;
};

namespace emulator
{
enum { SMS = 4, THREADS = 1024, THREADS_PER_SM = 2048, BLOCKS_PER_SM = 32, QUEUE = 256 };
static const size_t SHARED = (size_t)48 << 10, SHARED_MOST = (size_t)227 << 10,
                    SHARED_PER_SM = (size_t)228 << 10, SHARED_RESERVED = 1024;

/* Never destroyed, as the memory. */
static struct {
    std::set<cudaStream_t> &streams;
    CUstream_st &standard; /* the default stream */
    std::map<const void *, int> &shared;
    bool blocking;
    cudaError_t last;
} s = { *new std::set<cudaStream_t>, *new CUstream_st(), *new std::map<const void *, int>,
        getenv("CUDA_LAUNCH_BLOCKING") != NULL, cudaSuccess };

cudaError_t failed(cudaError_t e)
{
    if (e != cudaSuccess) s.last = e;
    return e;
}

static bool step(cudaStream_t stream)
{
    if (stream->queue.empty()) return false;
    work w = std::move(stream->queue.front());
    stream->queue.pop_front();
    w();
    return true;
}

static void finish(cudaStream_t stream)
{
    if (stream->queue.empty()) return;
    at_work now;
    while (step(stream)) {
    }
}

void finish_all()
{
    finish(&s.standard);
    for (cudaStream_t stream : s.streams) finish(stream);
}

static cudaStream_t found(cudaStream_t stream)
{
    if (!stream || stream == &s.standard) return &s.standard;
    return s.streams.count(stream) ? stream : NULL;
}

cudaError_t outside_capture()
{
    for (cudaStream_t stream : s.streams)
        if (stream->capture != cudaStreamCaptureStatusNone &&
            stream->captor == std::this_thread::get_id()) {
            stream->capture = cudaStreamCaptureStatusInvalidated;
            return failed(cudaErrorStreamCaptureUnsupported);
        }
    return cudaSuccess;
}

cudaError_t enqueue(cudaStream_t stream, work w)
{
    stream = found(stream);
    if (!stream) return failed(cudaErrorInvalidResourceHandle);
    if (stream->capture == cudaStreamCaptureStatusInvalidated)
        return failed(cudaErrorStreamCaptureInvalidated);
    if (stream->capture == cudaStreamCaptureStatusActive) {
        stream->noted.push_back(std::move(w));
        return cudaSuccess;
    }
    stream->queue.push_back(std::move(w));
    if (s.blocking || stream->queue.size() > QUEUE) finish(stream);
    return cudaSuccess;
}

static bool launchable(const kernel &k)
{
    uint64_t threads = (uint64_t)k.block.x * k.block.y * k.block.z;
    return threads > 0 && threads <= THREADS && k.block.z <= 64 && k.grid.x > 0 && k.grid.y > 0 &&
           k.grid.z > 0 && k.grid.x <= 0x7fffffff && k.grid.y <= 0xffff && k.grid.z <= 0xffff;
}

cudaError_t launch(cudaStream_t stream, kernel k)
{
    if (!launchable(k)) return failed(cudaErrorInvalidConfiguration);
    auto it = s.shared.find(k.entry);
    size_t most = it == s.shared.end() ? SHARED : (size_t)it->second;
    if (k.shared > most) return failed(cudaErrorInvalidValue);
    return enqueue(stream, [k] { run(k); });
}

cudaError_t allow_shared(const void *entry, int bytes)
{
    if (bytes < 0 || (size_t)bytes > SHARED_MOST) return failed(cudaErrorInvalidValue);
    int &most = s.shared[entry];
    if (bytes > most || (size_t)bytes > SHARED) most = bytes;
    return cudaSuccess;
}

int blocks_per_sm(int threads, size_t shared)
{
    size_t by_shared = SHARED_PER_SM / (shared + SHARED_RESERVED);
    size_t by_threads = (size_t)(THREADS_PER_SM / ((threads + 31) / 32 * 32));
    size_t least = std::min(by_shared, by_threads);
    return (int)(std::min(least, (size_t)BLOCKS_PER_SM));
}

/* What a copy from `from` to `to` is by where they lie; false when a device would refuse it. */
static bool allowed(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, bool *host,
                    bool *pageable)
{
    enum home a = home_of(to, bytes), b = home_of(from, bytes);
    bool in = a == DEVICE, out = b == DEVICE;
    if (a == OUTSIDE || b == OUTSIDE) return false;
    *host = !in || !out;
    *pageable = a == PAGEABLE || b == PAGEABLE;
    switch (kind) {
    case cudaMemcpyHostToHost:
        return !in && !out;
    case cudaMemcpyHostToDevice:
        return in && !out;
    case cudaMemcpyDeviceToHost:
        return !in && out;
    case cudaMemcpyDeviceToDevice:
        return in && out;
    default:
        return true;
    }
}
} // namespace emulator

using namespace emulator;

/* ---- errors and the device ---- */

const char *cudaGetErrorString(cudaError_t e)
{
    switch (e) {
#define X(name, value, text)                                                                       \
    case name:                                                                                     \
        return text;
        WF_CUDA_ERRORS(X)
#undef X
    }
    return "unrecognized error code";
}

const char *cudaGetErrorName(cudaError_t e)
{
    switch (e) {
#define X(name, value, text)                                                                       \
    case name:                                                                                     \
        return #name;
        WF_CUDA_ERRORS(X)
#undef X
    }
    return "unrecognized error code";
}

cudaError_t cudaGetLastError()
{
    cudaError_t e = s.last;
    s.last = cudaSuccess;
    return e;
}

cudaError_t cudaPeekAtLastError()
{
    return s.last;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = 12000;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    *count = !visible || *visible;
    return *count ? cudaSuccess : failed(cudaErrorNoDevice);
}

cudaError_t cudaGetDevice(int *device)
{
    *device = 0;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    return device == 0 ? cudaSuccess : failed(cudaErrorInvalidDevice);
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    const struct {
        cudaDeviceAttr attribute;
        int value;
    } known[] = { { cudaDevAttrMaxThreadsPerBlock, THREADS },
                  { cudaDevAttrMaxSharedMemoryPerBlock, (int)SHARED },
                  { cudaDevAttrWarpSize, 32 },
                  { cudaDevAttrMultiProcessorCount, SMS },
                  { cudaDevAttrL2CacheSize, 512 << 10 },
                  { cudaDevAttrMaxThreadsPerMultiProcessor, THREADS_PER_SM },
                  { cudaDevAttrComputeCapabilityMajor, 9 },
                  { cudaDevAttrComputeCapabilityMinor, 0 },
                  { cudaDevAttrMaxSharedMemoryPerMultiprocessor, (int)SHARED_PER_SM },
                  { cudaDevAttrMaxSharedMemoryPerBlockOptin, (int)SHARED_MOST } };
    if (device != 0) return failed(cudaErrorInvalidDevice);
    for (const auto &k : known)
        if (k.attribute == attribute) {
            *value = k.value;
            return cudaSuccess;
        }
    return failed(cudaErrorInvalidValue);
}

cudaError_t cudaDeviceSynchronize()
{
    cudaError_t rc = outside_capture();
    if (rc == cudaSuccess) finish_all();
    return rc;
}

/* ---- copies ---- */

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind, cudaStream_t stream)
{
    bool host, pageable;
    if (width == 0 || height == 0) return cudaSuccess;
    if (width > to_pitch || width > from_pitch) return failed(cudaErrorInvalidValue);
    size_t last = height - 1, bytes = to_pitch > from_pitch ? from_pitch : to_pitch;
    bytes = last * bytes + width;
    if (!(stream = found(stream))) return failed(cudaErrorInvalidResourceHandle);
    if (!allowed(to, from, bytes, kind, &host, &pageable)) return failed(cudaErrorInvalidValue);
    bool capturing = stream->capture != cudaStreamCaptureStatusNone;
    if (capturing && pageable) {
        stream->capture = cudaStreamCaptureStatusInvalidated;
        return failed(cudaErrorStreamCaptureUnsupported);
    }
    auto copy = [=] {
        for (size_t i = 0; i < height; i++) {
            char *row = (char *)to + i * to_pitch;
            const char *source = (const char *)from + i * from_pitch;
            memcpy(row, source, width);
            watch_copied(row, source, width);
        }
    };
    /* Of page-locked memory: now, and once more when it is waited for. It may happen at either
     * time, so whoever may be surprised will be. */
    if (host && !capturing) {
        finish(stream);
        at_work now;
        copy();
        if (pageable) return cudaSuccess;
    }
    return enqueue(stream, copy);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    return cudaMemcpy2DAsync(to, bytes, from, bytes, bytes, 1, kind, stream);
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    cudaError_t rc = cudaMemcpyAsync(to, from, bytes, kind);
    return rc == cudaSuccess ? cudaStreamSynchronize(NULL) : rc;
}

cudaError_t cudaMemsetAsync(void *p, int byte, size_t bytes, cudaStream_t stream)
{
    if (bytes == 0) return cudaSuccess;
    if (home_of(p, bytes) != DEVICE) return failed(cudaErrorInvalidValue);
    return enqueue(stream, [=] {
        memset(p, byte, bytes);
        watch_copied(p, NULL, bytes);
    });
}

cudaError_t cudaMemset(void *p, int byte, size_t bytes)
{
    return cudaMemsetAsync(p, byte, bytes);
}

/* ---- streams and events ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    *stream = new CUstream_st();
    s.streams.insert(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
    return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    if (!stream || !found(stream)) return failed(cudaErrorInvalidResourceHandle);
    finish(stream);
    s.streams.erase(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    if (!(stream = found(stream))) return failed(cudaErrorInvalidResourceHandle);
    if (stream->capture != cudaStreamCaptureStatusNone) {
        stream->capture = cudaStreamCaptureStatusInvalidated;
        return failed(cudaErrorStreamCaptureUnsupported);
    }
    finish(stream);
    return cudaSuccess;
}

static void reach(const mark &m)
{
    if (m.done) return;
    at_work now;
    while (!m.done && found(m.stream) && step(m.stream)) {
    }
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    std::shared_ptr<mark> m = event->last;
    if (!(stream = found(stream))) return failed(cudaErrorInvalidResourceHandle);
    if (!m) return cudaSuccess;
    if (m->captured || stream->capture != cudaStreamCaptureStatusNone) {
        fprintf(stderr, "emulator: a capture of more than one stream\n");
        abort();
    }
    return enqueue(stream, [m] { reach(*m); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = new CUevent_st();
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    if (!(stream = found(stream))) return failed(cudaErrorInvalidResourceHandle);
    bool capturing = stream->capture != cudaStreamCaptureStatusNone;
    auto m = std::make_shared<mark>(mark{ stream, false, capturing, {} });
    event->last = m;
    return capturing ? cudaSuccess : enqueue(stream, [m] {
        m->done = true;
        m->at = std::chrono::steady_clock::now();
    });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    if (!event->last) return cudaSuccess;
    if (event->last->captured) return failed(cudaErrorCapturedEvent);
    reach(*event->last);
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to)
{
    if (!from || !to || !from->last || !to->last || from->last->captured || to->last->captured)
        return failed(cudaErrorInvalidResourceHandle);
    if (!from->last->done || !to->last->done) return failed(cudaErrorNotReady);
    *ms = std::chrono::duration<float, std::milli>(to->last->at - from->last->at).count();
    return cudaSuccess;
}

/* ---- captures ---- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    if (!stream) return failed(cudaErrorStreamCaptureUnsupported);
    if (!found(stream)) return failed(cudaErrorInvalidResourceHandle);
    if (stream->capture != cudaStreamCaptureStatusNone) return failed(cudaErrorIllegalState);
    stream->capture = cudaStreamCaptureStatusActive;
    stream->captor = std::this_thread::get_id();
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    *graph = NULL;
    if (!stream || !found(stream)) return failed(cudaErrorInvalidResourceHandle);
    cudaStreamCaptureStatus was = stream->capture;
    std::vector<work> noted = std::move(stream->noted);
    stream->capture = cudaStreamCaptureStatusNone;
    stream->noted.clear();
    if (was == cudaStreamCaptureStatusNone) return failed(cudaErrorIllegalState);
    if (was == cudaStreamCaptureStatusInvalidated) return failed(cudaErrorStreamCaptureInvalidated);
    *graph = new CUgraph_st{ std::move(noted) };
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status)
{
    if (!(stream = found(stream))) return failed(cudaErrorInvalidResourceHandle);
    *status = stream->capture;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    *exec = new CUgraphExec_st{ std::make_shared<std::vector<work>>(graph->nodes) };
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    auto nodes = exec->nodes;
    return enqueue(stream, [nodes] {
        for (const work &w : *nodes) w();
    });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete exec;
    return cudaSuccess;
}
