/* watch.cpp - see watch.h. Each word of memory has a shadow: which of its bytes were written, and
 * who used it last. */
#include <algorithm>
#include <dlfcn.h>
#include <stdio.h>
#include <string>
#include <unordered_map>
#include <vector>
#include "tests/emulator/memory.h"
#include "tests/emulator/watch.h"

namespace emulator
{
enum { WORD = 4, PAGE = 1 << 16, LANES = 32, WARPS = 32 };

struct access {
    uint32_t block; /* its number of all, from 1 on; 0: no access */
    uint32_t barrier, clock;
    int32_t code; /* how far behind `watching` */
    uint16_t thread;
    uint8_t bytes; /* of the word, a bit for each */
};

struct word {
    access write, read[2];
    uint32_t owner; /* of shared memory: the block */
    uint8_t known;  /* bytes that were written */
};

/* Where words is empty all of its bytes are alike. */
struct page {
    bool known;
    std::vector<word> words;
};

static bool watching;

/* Never destroyed, as the memory. */
static std::unordered_map<uintptr_t, page> &pages = *new std::unordered_map<uintptr_t, page>;
static std::vector<word> &fixed_words = *new std::vector<word>,
                         &dynamic_words = *new std::vector<word>;
static range device; /* a piece of the device's memory that was used last */

static const kernel *running;
static uint32_t first_block, block, barriers; /* of the launch; the one that runs */
static range fixed, dynamic, stack;
static int thread = -1;

/* Of each lane of a warp, how often the lanes have met others, as far as it can know. */
static uint32_t seen[WARPS][LANES][LANES];
static bool met;

bool watched()
{
    return watching;
}

static bool within(const range &r, const char *p, size_t bytes)
{
    return p >= r.at && bytes <= r.bytes && (size_t)(p - r.at) <= r.bytes - bytes;
}

/* ---- what is wrong ---- */

/* "FILE:LINE" where addr2line is at hand. */
static std::string source(int32_t code)
{
    Dl_info info;
    char command[4096], line[1024] = "?";
    const char *at = (const char *)&watching + code - 1; /* within the call */
    if (!dladdr(at, &info)) return line;
    snprintf(command, sizeof command, "addr2line -i -e %s 0x%zx 2>/dev/null | paste -s -d ' '",
             info.dli_fname, (size_t)(at - (const char *)info.dli_fbase));
    FILE *f = popen(command, "r");
    if (f && fgets(line, sizeof line, f)) line[strcspn(line, "\n")] = 0;
    if (f) pclose(f);
    return line;
}

static std::string place(const char *p)
{
    char text[64];
    if (within(fixed, p, 1))
        snprintf(text, sizeof text, "static shared memory");
    else if (within(dynamic, p, 1))
        snprintf(text, sizeof text, "shared memory + %td", p - dynamic.at);
    else
        snprintf(text, sizeof text, "%p", (const void *)p);
    return text;
}

[[noreturn]] static void broken(const char *what, const char *p, size_t bytes, int32_t code,
                                const access *other)
{
    if (thread >= 0)
        fprintf(stderr, "emulator: %s, block (%u, %u, %u), thread %d: ", running->name, blockIdx.x,
                blockIdx.y, blockIdx.z, thread);
    else
        fputs("emulator: outside of kernels: ", stderr);
    fprintf(stderr, "%s, %zu bytes, %s\n  at %s\n", what, bytes, place(p).c_str(),
            code ? source(code).c_str() : "a copy");
    if (other)
        fprintf(stderr, "  and thread %d of %s block at %s\n", other->thread,
                other->block == block ? "the same" : "another", source(other->code).c_str());
    abort();
}

/* ---- order ---- */

static bool ordered(const access &a)
{
    if (a.block < first_block) return true;
    if (a.block != block) return false;
    if (a.thread == thread || a.barrier != barriers) return true;
    int warp = thread / LANES;
    return a.thread / LANES == warp && a.clock < seen[warp][thread % LANES][a.thread % LANES];
}

void watch_launch(const kernel &k, range of_all, range own)
{
    running = &k;
    first_block = block + 1;
    fixed = of_all;
    dynamic = own;
    if (!watching) return;
    fixed_words.resize(fixed.bytes / WORD + 2);
    dynamic_words.resize(dynamic.bytes / WORD + 2);
}

void watch_block()
{
    block++;
    barriers = 0;
    if (met) memset(seen, 0, sizeof seen);
    met = false;
}

void watch_thread(int t, range on)
{
    thread = t;
    stack = on;
}

void watch_barrier()
{
    barriers++;
}

void watch_warp(int warp, unsigned lanes)
{
    uint32_t most[LANES] = {};
    for (int l = 0; l < LANES; l++)
        for (int o = 0; o < LANES && (lanes >> l & 1); o++)
            most[o] = std::max(most[o], seen[warp][l][o]);
    for (int l = 0; l < LANES; l++)
        if (lanes >> l & 1) most[l]++;
    for (int l = 0; l < LANES; l++)
        if (lanes >> l & 1) memcpy(seen[warp][l], most, sizeof most);
    met = true;
}

/* ---- shadows ---- */

static page &page_of(const char *p)
{
    static uintptr_t number;
    static page *last;
    if (last && (uintptr_t)p / PAGE == number) return *last;
    number = (uintptr_t)p / PAGE;
    last = &pages[number]; /* elements of an unordered_map stay where they are */
    return *last;
}

static word &word_of(const char *p)
{
    page &g = page_of(p);
    if (g.words.empty()) {
        g.words.resize(PAGE / WORD);
        for (word &w : g.words) w.known = g.known ? 0xf : 0;
    }
    return g.words[(uintptr_t)p % PAGE / WORD];
}

/* page(page) of each page that lies within; of the rest word(first byte, bytes, a bit for each). */
template <typename F, typename G> static void each(const char *p, size_t bytes, F page, G word)
{
    const char *end = p + bytes;
    while (p < end) {
        struct page &g = page_of(p);
        size_t size = WORD - (uintptr_t)p % WORD;
        if ((uintptr_t)p % PAGE == 0 && end - p >= PAGE) {
            size = PAGE;
            page(g);
        } else {
            if ((size_t)(end - p) < size) size = (size_t)(end - p);
            word(p, ((1u << size) - 1) << (uintptr_t)p % WORD);
        }
        p += size;
    }
}

static void set_known(const void *p, size_t bytes, bool known)
{
    each((const char *)p, bytes,
         [&](page &g) {
             g.words.clear();
             g.known = known;
         },
         [&](const char *at, unsigned mask) {
             word &w = word_of(at);
             w.known = (uint8_t)(known ? w.known | mask : w.known & ~mask);
             if (!known) w.write = w.read[0] = w.read[1] = {};
         });
}

void watch_new(const void *p, size_t bytes)
{
    device = {};
    if (watching) set_known(p, bytes, false);
}

void watch_read(const void *p, size_t bytes)
{
    if (!watching) return;
    bool known = true;
    each((const char *)p, bytes,
         [&](page &g) {
             known &= g.words.empty() ? g.known : true;
             for (const word &w : g.words) known &= w.known == 0xf;
         },
         [&](const char *at, unsigned mask) { known &= !(mask & ~(unsigned)word_of(at).known); });
    if (!known) broken("reads what nobody wrote", (const char *)p, bytes, 0, NULL);
}

void watch_copied(const void *p, const void *from, size_t bytes)
{
    if (!watching) return;
    if (home_of(from, bytes) == DEVICE) watch_read(from, bytes);
    set_known(p, bytes, true);
}

/* ---- accesses ---- */

static bool on_device(const char *p, size_t bytes)
{
    if (within(device, p, bytes)) return true;
    device = piece_of(p);
    return within(device, p, bytes) || home_of(p, bytes) == DEVICE;
}

static bool is_index(const char *p)
{
    for (const void *v :
         { (void *)&threadIdx, (void *)&blockIdx, (void *)&blockDim, (void *)&gridDim })
        if (p >= (const char *)v && p < (const char *)v + sizeof(uint3)) return true;
    return within({ (char *)running, sizeof *running }, p, 1); /* the arguments on their way */
}

/* One word of an access; shared: memory of this block. */
static void visit(word &w, const char *p, unsigned bytes, bool write, int32_t code, bool shared)
{
    if (shared && w.owner != block) {
        w = {};
        w.owner = block;
    }
    if (!shared && !write && (bytes & ~(unsigned)w.known))
        broken("reads what nobody wrote", p, WORD, code, NULL);
    if (write) w.known = (uint8_t)(w.known | bytes);
    if (thread < 0) return;
    int lane = thread % LANES;
    access a = { block, barriers,         seen[thread / LANES][lane][lane],
                 code,  (uint16_t)thread, (uint8_t)bytes };
    if ((w.write.bytes & bytes) && !ordered(w.write))
        broken(write ? "writes what another thread writes" : "reads what another thread writes", p,
               WORD, code, &w.write);
    if (write) {
        for (const access &r : w.read)
            if ((r.bytes & bytes) && !ordered(r))
                broken("writes what another thread reads", p, WORD, code, &r);
        w.write = a;
        w.read[0] = w.read[1] = {};
        return;
    }
    access &first = w.read[0];
    bool same = first.block == block && first.thread == thread && first.barrier == barriers;
    if (same) a.bytes = (uint8_t)(a.bytes | first.bytes);
    (same || ordered(first) ? first : w.read[1]) = a;
}

static void look(const void *at, size_t bytes, bool write, const void *caller)
{
    const char *p = (const char *)at, *end = p + bytes;
    int32_t code = (int32_t)((const char *)caller - (const char *)&watching);
    if (thread >= 0 && within(stack, p, bytes)) return;
    std::vector<word> *shadow = NULL;
    const char *base = NULL;
    if (thread >= 0 && within(fixed, p, bytes))
        shadow = &fixed_words, base = fixed.at;
    else if (thread >= 0 && within(dynamic, p, bytes))
        shadow = &dynamic_words, base = dynamic.at;
    else if (!on_device(p, bytes)) {
        if (thread < 0 || is_index(p)) return;
        broken("reaches beyond the device's memory", p, bytes, code, NULL);
    }
    while (p < end) {
        size_t size = WORD - (uintptr_t)p % WORD;
        if ((size_t)(end - p) < size) size = (size_t)(end - p);
        unsigned mask = ((1u << size) - 1) << (uintptr_t)p % WORD;
        word &w =
            shadow ? (*shadow)[((uintptr_t)p - (uintptr_t)base / WORD * WORD) / WORD] : word_of(p);
        visit(w, p, mask, write, code, shadow != NULL);
        p += size;
    }
}
} // namespace emulator

/* ---- what the compiler calls ---- */

#define WF_LOOK(name, bytes, write)                                                                \
    extern "C" void __tsan_##name##bytes(void *p)                                                  \
    {                                                                                              \
        emulator::look(p, bytes, write, __builtin_return_address(0));                              \
    }
#define WF_LOOKS(bytes)                                                                            \
    WF_LOOK(read, bytes, false)                                                                    \
    WF_LOOK(write, bytes, true)                                                                    \
    WF_LOOK(unaligned_read, bytes, false)                                                          \
    WF_LOOK(unaligned_write, bytes, true)
WF_LOOKS(1)
WF_LOOKS(2)
WF_LOOKS(4)
WF_LOOKS(8)
WF_LOOKS(16)

extern "C" void __tsan_read_range(void *p, long bytes)
{
    emulator::look(p, (size_t)bytes, false, __builtin_return_address(0));
}

extern "C" void __tsan_write_range(void *p, long bytes)
{
    emulator::look(p, (size_t)bytes, true, __builtin_return_address(0));
}

extern "C" void __tsan_init()
{
    emulator::watching = true;
}
