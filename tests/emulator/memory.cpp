/* memory.cpp - the device's memory, page-locked memory, and addresses that are backed later. */
#include <map>
#include <stdlib.h>
#include <sys/mman.h>
#include "tests/emulator/cuda.h"
#include "tests/emulator/memory.h"
#include "tests/emulator/stream.h"

namespace emulator
{
static const size_t TOTAL = (size_t)8 << 30, PAGE = (size_t)2 << 20, HOST_PAGE = 4096;

struct piece {
    size_t bytes;
    enum home home;
    CUmemGenericAllocationHandle backing; /* 0: from cudaMalloc or cudaMallocHost */
};

/* What cuMemCreate makes: memory that only counts until it is mapped. */
struct backing {
    size_t bytes;
    int users; /* the handle and the mapping */
};

/* Never destroyed: a program may still use the device while it ends. */
static struct {
    std::map<const char *, piece> &pieces;
    std::map<CUmemGenericAllocationHandle, backing> &backings;
    CUmemGenericAllocationHandle last;
    size_t used;
} m = { *new std::map<const char *, piece>, *new std::map<CUmemGenericAllocationHandle, backing>, 0,
        0 };

range piece_of(const void *p)
{
    auto next = m.pieces.upper_bound((const char *)p);
    if (next == m.pieces.begin()) return {};
    auto it = std::prev(next);
    if (it->second.home != DEVICE) return {};
    return { (char *)it->first, it->second.bytes };
}

enum home home_of(const void *p, size_t bytes)
{
    const char *at = (const char *)p;
    auto next = m.pieces.upper_bound(at);
    if (next == m.pieces.begin()) return PAGEABLE;
    auto it = std::prev(next);
    if (at >= it->first + it->second.bytes) return PAGEABLE;
    enum home home = it->second.home;
    /* Neighbours in a range that was backed in steps are one piece of memory. */
    const char *end = it->first + it->second.bytes;
    while (end < at + bytes && next != m.pieces.end() && next->first == end &&
           next->second.home == home)
        end += next++->second.bytes;
    return at + bytes <= end ? home : OUTSIDE;
}

/* Without watch.h none is closed. */
static void protect(const void *p, size_t bytes, int how)
{
    if (watched()) mprotect((void *)p, (bytes + HOST_PAGE - 1) / HOST_PAGE * HOST_PAGE, how);
}

static int working;

static void protect_all(int how)
{
    for (const auto &piece : m.pieces)
        if (piece.second.home == DEVICE) protect(piece.first, piece.second.bytes, how);
}

at_work::at_work()
{
    if (working++ == 0 && watched()) protect_all(PROT_READ | PROT_WRITE);
}

at_work::~at_work()
{
    if (--working == 0 && watched()) protect_all(PROT_NONE);
}

/* Memory with pages of its own where it is watched; else not a byte more than was asked for, so
 * that AddressSanitizer knows where it ends. */
static void *new_memory(size_t bytes)
{
    size_t alignment = watched() ? HOST_PAGE : 256;
    void *q;
    if (watched()) bytes = (bytes + HOST_PAGE - 1) / HOST_PAGE * HOST_PAGE;
    return posix_memalign(&q, alignment, bytes) == 0 ? q : NULL;
}

static cudaError_t allocate(void **p, size_t bytes, enum home home)
{
    *p = NULL;
    if (home == DEVICE && bytes > TOTAL - m.used) return failed(cudaErrorMemoryAllocation);
    void *q = new_memory(bytes);
    if (!q) return failed(cudaErrorMemoryAllocation);
    memset(q, 0xff, bytes);
    m.pieces[(const char *)q] = { bytes, home, 0 };
    if (home == DEVICE) {
        m.used += bytes;
        watch_new(q, bytes);
        if (!working) protect(q, bytes, PROT_NONE);
    }
    *p = q;
    return cudaSuccess;
}

static cudaError_t release(void *p, enum home home)
{
    if (!p) return cudaSuccess;
    auto it = m.pieces.find((const char *)p);
    if (it == m.pieces.end() || it->second.home != home || it->second.backing)
        return failed(cudaErrorInvalidValue);
    if (home == DEVICE) {
        m.used -= it->second.bytes;
        watch_new(p, it->second.bytes);
        protect(p, it->second.bytes, PROT_READ | PROT_WRITE);
    }
    m.pieces.erase(it);
    free(p);
    return cudaSuccess;
}

/* ---- the driver's functions ---- */

static CUresult address_reserve(CUdeviceptr *p, size_t bytes, size_t, CUdeviceptr,
                                unsigned long long)
{
    if (bytes == 0 || bytes % PAGE) return CUDA_ERROR_INVALID_VALUE;
    /* One page more, so that what is returned begins on a page of the device. */
    char *at = (char *)mmap(NULL, bytes + PAGE, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    size_t before = (PAGE - (size_t)at % PAGE) % PAGE;
    if (before) munmap(at, before);
    munmap(at + before + bytes, PAGE - before);
    *p = (CUdeviceptr)(at + before);
    return CUDA_SUCCESS;
}

static CUresult address_free(CUdeviceptr p, size_t bytes)
{
    auto it = m.pieces.lower_bound((const char *)p);
    if (it != m.pieces.end() && it->first < (const char *)p + bytes)
        return CUDA_ERROR_INVALID_VALUE; /* still mapped */
    return munmap((void *)p, bytes) == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static CUresult create(CUmemGenericAllocationHandle *h, size_t bytes, const CUmemAllocationProp *,
                       unsigned long long)
{
    if (bytes == 0 || bytes % PAGE) return CUDA_ERROR_INVALID_VALUE;
    if (bytes > TOTAL - m.used) return CUDA_ERROR_OUT_OF_MEMORY;
    m.used += bytes;
    *h = ++m.last;
    m.backings[*h] = { bytes, 1 };
    return CUDA_SUCCESS;
}

static CUresult drop(CUmemGenericAllocationHandle h)
{
    auto it = m.backings.find(h);
    if (it == m.backings.end()) return CUDA_ERROR_INVALID_VALUE;
    if (--it->second.users == 0) {
        m.used -= it->second.bytes;
        m.backings.erase(it);
    }
    return CUDA_SUCCESS;
}

static CUresult map(CUdeviceptr p, size_t bytes, size_t offset, CUmemGenericAllocationHandle h,
                    unsigned long long)
{
    auto it = m.backings.find(h);
    if (p % PAGE || offset || it == m.backings.end() || it->second.bytes != bytes ||
        home_of((void *)p, bytes) != PAGEABLE)
        return CUDA_ERROR_INVALID_VALUE;
    it->second.users++;
    m.pieces[(const char *)p] = { bytes, DEVICE, h };
    return CUDA_SUCCESS;
}

/* Only now may it be reached. */
static CUresult set_access(CUdeviceptr p, size_t bytes, const CUmemAccessDesc *, size_t)
{
    if (home_of((void *)p, bytes) != DEVICE) return CUDA_ERROR_INVALID_VALUE;
    if (mprotect((void *)p, bytes, PROT_READ | PROT_WRITE) != 0) return CUDA_ERROR_OUT_OF_MEMORY;
    memset((void *)p, 0xff, bytes);
    watch_new((void *)p, bytes);
    if (!working) protect((void *)p, bytes, PROT_NONE);
    return CUDA_SUCCESS;
}

/* The range is that of whole mappings. Its addresses stay reserved. */
static CUresult unmap(CUdeviceptr p, size_t bytes)
{
    const char *at = (const char *)p, *end = at + bytes;
    while (at < end) {
        auto it = m.pieces.find(at);
        if (it == m.pieces.end() || !it->second.backing || at + it->second.bytes > end)
            return CUDA_ERROR_INVALID_VALUE;
        at += it->second.bytes;
        drop(it->second.backing);
        m.pieces.erase(it);
    }
    void *again = mmap((void *)p, bytes, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return again == MAP_FAILED ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}
} // namespace emulator

using namespace emulator;

cudaError_t cudaGetDriverEntryPointByVersion(const char *symbol, void **entry, unsigned,
                                             unsigned long long,
                                             cudaDriverEntryPointQueryResult *found)
{
    const struct {
        const char *name;
        void *entry;
    } functions[] = { { "cuMemAddressReserve", (void *)address_reserve },
                      { "cuMemAddressFree", (void *)address_free },
                      { "cuMemCreate", (void *)create },
                      { "cuMemRelease", (void *)drop },
                      { "cuMemMap", (void *)map },
                      { "cuMemUnmap", (void *)unmap },
                      { "cuMemSetAccess", (void *)set_access } };
    *entry = NULL;
    for (const auto &f : functions)
        if (strcmp(f.name, symbol) == 0) *entry = f.entry;
    *found = *entry ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    cudaError_t rc = outside_capture();
    return rc == cudaSuccess ? allocate(p, bytes, DEVICE) : rc;
}

/* Waits for the device, as on a device. */
cudaError_t cudaFree(void *p)
{
    cudaError_t rc = outside_capture();
    if (rc != cudaSuccess) return rc;
    finish_all();
    return release(p, DEVICE);
}

cudaError_t cudaMallocHost(void **p, size_t bytes, unsigned)
{
    cudaError_t rc = outside_capture();
    return rc == cudaSuccess ? allocate(p, bytes, PAGE_LOCKED) : rc;
}

cudaError_t cudaFreeHost(void *p)
{
    cudaError_t rc = outside_capture();
    if (rc != cudaSuccess) return rc;
    finish_all();
    return release(p, PAGE_LOCKED);
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    *total = TOTAL;
    *available = TOTAL - m.used;
    return cudaSuccess;
}
