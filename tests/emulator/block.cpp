/* block.cpp - runs a kernel: block after block, the threads of a block as fibers. */
#include <algorithm>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <vector>
#include "tests/emulator/cuda_runtime.h"
#include "tests/emulator/fiber.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace emulator
{
enum state { NEW, RUNNING, AT_BARRIER, IN_WARP, READY, RETURNED };

struct thread {
    enum state state;
    struct fiber *fiber;
    struct place where; /* it waits */
    enum exchange exchange;
    unsigned mask;
    int from;
    uint64_t value, result;
};

/* The block that runs; never destroyed, as its threads' stacks. */
static struct block {
    const kernel *k;
    bool backwards;
    int threads, started, live, waiting, predicates;
    struct place barrier;
    std::vector<thread> all;
    std::vector<unsigned> alive, at; /* of each warp: lanes that have not returned, that wait */
    std::vector<int> ready;          /* threads that may go on, the next one at head */
    size_t head;
    int current;
    struct fiber *host;
    std::vector<struct fiber *> idle;
    std::vector<char> shared; /* the dynamic part */
    range fixed;              /* the static part, of all kernels */
} &b = *new block();

[[noreturn]] static void broken(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void broken(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "emulator: %s, block (%u, %u, %u): ", b.k->name, blockIdx.x, blockIdx.y,
            blockIdx.z);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    abort();
}

static void become(int t)
{
    unsigned i = (unsigned)t, row = blockDim.x, plane = row * blockDim.y;
    b.current = t;
    b.all[t].state = RUNNING;
    threadIdx = { i % row, i / row % blockDim.y, i / plane };
    watch_thread(t, fiber_stack(b.all[t].fiber));
}

static void make_ready(int t)
{
    b.all[t].state = READY;
    b.ready.push_back(t);
}

/* Everybody has come: all but `self` are made ready, in the order of the launch. */
static void open_barrier(int self)
{
    for (int i = 0; i < b.threads; i++) {
        int t = b.backwards ? b.threads - 1 - i : i;
        if (b.all[t].state != AT_BARRIER) continue;
        b.all[t].result = (uint64_t)b.predicates;
        if (t != self) make_ready(t);
    }
    b.waiting = b.predicates = 0;
    watch_barrier();
}

/* True when all lanes that t waits for have come; then they have their results. */
static bool exchange(int t, int self)
{
    int warp = t / 32 * 32;
    const struct thread &one = b.all[t];
    unsigned want = one.mask & b.alive[warp / 32], ballot = 0;
    if (want & ~b.at[warp / 32]) return false;
    for (int l = 0; l < 32; l++) {
        if (!(want >> l & 1)) continue;
        const struct thread &other = b.all[warp + l];
        if (other.mask != one.mask) return false;
        if (other.exchange != one.exchange)
            broken("threads %d and %d meet in different operations, at %s:%d and %s:%d", t,
                   warp + l, one.where.file, one.where.line, other.where.file, other.where.line);
        ballot |= (unsigned)(other.value & 1) << l;
    }
    b.at[warp / 32] &= ~want;
    if (one.exchange == SYNC) watch_warp(warp / 32, want);
    for (int i = 0; i < 32; i++) {
        int l = b.backwards ? 31 - i : i;
        if (!(want >> l & 1)) continue;
        struct thread &other = b.all[warp + l];
        bool given = want >> (other.from & 31) & 1;
        if (other.exchange == BALLOT)
            other.result = ballot;
        else
            other.result = given ? b.all[warp + (other.from & 31)].value : ~(uint64_t)0;
        if (warp + l != self) make_ready(warp + l);
    }
    return true;
}

static void returned(int t)
{
    int warp = t / 32;
    b.all[t].state = RETURNED;
    b.alive[warp] &= ~(1u << t % 32);
    b.live--;
    if (b.live > 0 && b.waiting == b.live) open_barrier(-1);
    for (int l = 0; l < 32 && b.at[warp]; l++)
        if (b.at[warp] >> l & 1) exchange(warp * 32 + l, -1);
}

/* Runs threads from their start; one that never waits costs no switch. */
static void worker()
{
    for (;;) {
        while (b.started < b.threads) {
            int i = b.started++, t = b.backwards ? b.threads - 1 - i : i;
            b.all[t].fiber = fiber_self();
            become(t);
            b.k->thread();
            returned(b.current);
        }
        b.idle.push_back(fiber_self());
        fiber_switch(b.host);
    }
}

static struct fiber *idle_worker()
{
    if (b.idle.empty()) return fiber_new(worker);
    struct fiber *f = b.idle.back();
    b.idle.pop_back();
    return f;
}

static void stuck()
{
    int barrier = -1, warp = -1;
    for (int t = 0; t < b.threads; t++) {
        if (b.all[t].state == AT_BARRIER) barrier = t;
        if (b.all[t].state == IN_WARP) warp = t;
    }
    if (warp < 0) broken("no thread can go on");
    const struct thread &w = b.all[warp];
    if (barrier < 0)
        broken("thread %d waits for ever for lanes %08x of its warp, at %s:%d", warp, w.mask,
               w.where.file, w.where.line);
    broken("thread %d waits for its block at %s:%d, thread %d for lanes %08x of its warp at %s:%d",
           barrier, b.all[barrier].where.file, b.all[barrier].where.line, warp, w.mask,
           w.where.file, w.where.line);
}

/* Touched, so that the variables of this thread are there. */
static thread_local volatile char touched;

/* This library's part of the thread-local variables. */
static int find_shared(struct dl_phdr_info *info, size_t, void *result)
{
    bool ours = false;
    size_t bytes = 0;
    const ElfW(Addr) here = (ElfW(Addr))(&blockIdx) - info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) &p = info->dlpi_phdr[i];
        if (p.p_type == PT_TLS) bytes = p.p_memsz;
        if (p.p_type == PT_LOAD && here - p.p_vaddr < p.p_memsz) ours = true;
    }
    if (ours) *(range *)result = { (char *)info->dlpi_tls_data, bytes };
    return ours;
}

/* What a block finds in its shared memory: NaN in any precision. */
static void spoil_shared()
{
    std::fill(b.shared.begin(), b.shared.end(), (char)0xff);
    std::fill(b.fixed.at, b.fixed.at + b.fixed.bytes, (char)0xff);
}

static void run_block()
{
    b.started = b.waiting = b.predicates = 0;
    b.live = b.threads;
    b.all.assign((size_t)b.threads, thread());
    for (size_t w = 0; w < b.alive.size(); w++) {
        int lanes = b.threads - (int)w * 32;
        b.alive[w] = lanes >= 32 ? 0xffffffffu : (1u << lanes) - 1;
        b.at[w] = 0;
    }
    b.ready.clear();
    b.head = 0;
    spoil_shared();
    watch_block();
    while (b.live > 0) {
        if (b.started < b.threads) {
            fiber_switch(idle_worker());
        } else if (b.head < b.ready.size()) {
            int t = b.ready[b.head++];
            become(t);
            fiber_switch(b.all[t].fiber);
        } else {
            stuck();
        }
        if (b.head == b.ready.size()) b.ready.clear(), b.head = 0;
    }
    watch_thread(-1, {});
}

/* The current thread waits; returns when it has been made ready and its turn has come. */
static void wait()
{
    fiber_switch(b.host);
}

int barrier(int predicate, struct place p)
{
    int t = b.current;
    struct thread &self = b.all[t];
    if (b.waiting == 0)
        b.barrier = p;
    else if (p.line != b.barrier.line || strcmp(p.file, b.barrier.file) != 0)
        broken("divergent barrier: thread %d waits at %s:%d, others at %s:%d", t, p.file, p.line,
               b.barrier.file, b.barrier.line);
    self.where = p;
    self.state = AT_BARRIER;
    b.waiting++;
    b.predicates += predicate != 0;
    if (b.waiting == b.live)
        open_barrier(t);
    else
        wait();
    self.state = RUNNING;
    return (int)self.result;
}

uint64_t meet(enum exchange e, unsigned mask, uint64_t value, int from, struct place p)
{
    int t = b.current;
    struct thread &self = b.all[t];
    if (!(mask >> t % 32 & 1))
        broken("thread %d waits for lanes %08x, which are without itself, at %s:%d", t, mask,
               p.file, p.line);
    self.where = p;
    self.exchange = e;
    self.mask = mask;
    self.value = value;
    self.from = from;
    self.state = IN_WARP;
    b.at[t / 32] |= 1u << t % 32;
    if (!exchange(t, t)) wait();
    self.state = RUNNING;
    return self.result;
}

int lane()
{
    return b.current % 32;
}

void *dynamic_shared()
{
    return b.shared.data();
}

/* Whether launch number n runs from last to first: a coin that falls the same way each time. */
static bool coin(unsigned n)
{
    n *= 0x9e3779b9u;
    return (n ^ n >> 15) >> 7 & 1;
}

void run(const kernel &k)
{
    static unsigned launches;
    b.k = &k;
    b.backwards = coin(launches++);
    b.threads = (int)(k.block.x * k.block.y * k.block.z);
    b.alive.resize((size_t)(b.threads + 31) / 32);
    b.at.resize(b.alive.size());
    b.shared = std::vector<char>(k.shared);
    b.host = fiber_self();
    touched = 1;
    dl_iterate_phdr(find_shared, &b.fixed);
    watch_launch(k, b.fixed, { b.shared.data(), b.shared.size() });
    blockDim = k.block;
    gridDim = k.grid;
    uint64_t blocks = (uint64_t)k.grid.x * k.grid.y * k.grid.z;
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t at = b.backwards ? blocks - 1 - i : i, plane = (uint64_t)k.grid.x * k.grid.y;
        blockIdx = { (unsigned)(at % k.grid.x), (unsigned)(at / k.grid.x % k.grid.y),
                     (unsigned)(at / plane) };
        run_block();
    }
}
} // namespace emulator
