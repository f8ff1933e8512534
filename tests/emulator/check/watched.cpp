/* watched.cpp - whether watch.h finds what it says it does, and nothing else. Each kernel is right
 * where `wrong` is false. Exits with the first failure. */
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/emulator/check/check.h"
#include "tests/emulator/memory.h"

enum { N = 256 };

/* x: [N], written; y [2 N], not. */
using subject = void (*)(int *x, int *y, bool wrong);

static __global__ void reads_without_barrier(int *x, int *y, bool wrong)
{
    __shared__ int sh[N];
    int t = (int)threadIdx.x;
    sh[t] = x[t];
    if (!wrong) __syncthreads();
    y[blockIdx.x * N + t] = sh[N - 1 - t];
}

static __global__ void writes_without_barrier(int *x, int *y, bool wrong)
{
    DYNAMIC_SHARED(int, sh);
    int t = (int)threadIdx.x;
    sh[t] = x[t];
    __syncthreads();
    int v = sh[(t + 40) % N];
    if (!wrong) __syncthreads();
    sh[t] = v;
    y[blockIdx.x * N + t] = v;
}

/* A warp's own part of shared memory: __syncwarp orders it, a shuffle does not. */
static __global__ void shuffles_instead(int *x, int *y, bool wrong)
{
    __shared__ int sh[N];
    int t = (int)threadIdx.x;
    sh[t] = x[t];
    if (wrong)
        __shfl_xor_sync(~0u, t, 1);
    else
        __syncwarp();
    y[blockIdx.x * N + t] = sh[t ^ 5];
}

static __global__ void leaves_a_lane_out(int *x, int *y, bool wrong)
{
    __shared__ int sh[N];
    int t = (int)threadIdx.x, lane = t % 32;
    sh[t] = x[t];
    if (lane < 16) __syncwarp(0xffff);
    y[blockIdx.x * N + t] = sh[lane < 16 ? t ^ (wrong ? 16 : 15) : t];
}

static __global__ void has_a_barrier_of_a_warp_for_a_block(int *x, int *y, bool wrong)
{
    __shared__ int sh[N];
    int t = (int)threadIdx.x;
    sh[t] = x[t];
    __syncwarp();
    y[blockIdx.x * N + t] = sh[wrong ? t ^ 32 : t ^ 31];
}

static __global__ void two_blocks_write(int *, int *y, bool wrong)
{
    y[(wrong ? 0 : blockIdx.x * N) + threadIdx.x] = 1;
}

static __global__ void a_block_reads_the_other(int *x, int *y, bool wrong)
{
    int t = (int)threadIdx.x;
    if (blockIdx.x == 0) y[t] = x[t];
    if (blockIdx.x == 1) y[N + t] = wrong ? y[t] : x[t];
}

static __global__ void a_block_writes_what_the_other_read(int *x, int *y, bool wrong)
{
    int t = (int)threadIdx.x;
    y[blockIdx.x * N + t] = x[t];
    if (wrong && blockIdx.x == 1) x[t] = 0;
}

static __global__ void reads_what_nobody_wrote(int *x, int *y, bool wrong)
{
    int t = (int)threadIdx.x;
    if (blockIdx.x == 0) y[t] = wrong && t == 200 ? y[N + 3] : x[t];
}

static __global__ void reads_beyond(int *x, int *y, bool wrong)
{
    y[blockIdx.x * N + threadIdx.x] = x[threadIdx.x + wrong];
}

static __global__ void writes_beyond(int *, int *y, bool wrong)
{
    y[blockIdx.x * N + threadIdx.x - (wrong ? 1 : 0)] = 0;
}

static __global__ void writes_beyond_shared(int *, int *y, bool wrong)
{
    DYNAMIC_SHARED(int, sh);
    sh[threadIdx.x + wrong] = 1;
    y[blockIdx.x * N + threadIdx.x] = 1;
}

static int on_the_host[N];
static __global__ void reads_the_host(int *x, int *y, bool wrong)
{
    y[blockIdx.x * N + threadIdx.x] = (wrong ? on_the_host : x)[threadIdx.x];
}

static const struct {
    const char *name, *what;
    subject kernel;
} subjects[] = {
#define SUBJECT(name, what)                                                                        \
    {                                                                                              \
#name, what, name                                                                          \
    }
    SUBJECT(reads_without_barrier, "another thread"),
    SUBJECT(writes_without_barrier, "another thread"),
    SUBJECT(shuffles_instead, "another thread"),
    SUBJECT(leaves_a_lane_out, "another thread"),
    SUBJECT(has_a_barrier_of_a_warp_for_a_block, "another thread"),
    SUBJECT(two_blocks_write, "writes what another thread writes"),
    SUBJECT(a_block_reads_the_other, "another thread"),
    SUBJECT(a_block_writes_what_the_other_read, "another thread"),
    SUBJECT(reads_what_nobody_wrote, "reads what nobody wrote"),
    SUBJECT(reads_beyond, "reaches beyond the device's memory"),
    SUBJECT(writes_beyond, "reaches beyond the device's memory"),
    SUBJECT(writes_beyond_shared, "reaches beyond the device's memory"),
    SUBJECT(reads_the_host, "reaches beyond the device's memory"),
#undef SUBJECT
};

/* What a process says that does this, and how it ends. */
template <typename F> static std::string said(F work, int *status)
{
    int fd[2];
    std::string text;
    char part[512];
    CHECK(pipe(fd) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fd[1], 2);
        work();
        _exit(0);
    }
    close(fd[1]);
    for (ssize_t n; (n = read(fd[0], part, sizeof part)) > 0;) text.append(part, (size_t)n);
    close(fd[0]);
    CHECK(waitpid(child, status, 0) == child);
    return text;
}

static void run(const char *name, subject kernel, bool wrong)
{
    int *x, *y, host[N] = {};
    CHECK(cudaMalloc(&x, sizeof host) == cudaSuccess &&
          cudaMalloc(&y, 2 * sizeof host) == cudaSuccess);
    CHECK(cudaMemcpy(x, host, sizeof host, cudaMemcpyHostToDevice) == cudaSuccess);
    /* Both orders of blocks and threads. */
    for (int i = 0; i < 8; i++)
        emulator::configure(name, kernel, 2, N, sizeof host, NULL)(x, y, wrong);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

static void kernels()
{
    int status;
    for (const auto &s : subjects) {
        std::string right = said([&] { run(s.name, s.kernel, false); }, &status);
        if (status != 0 || !right.empty()) fprintf(stderr, "%s: %s", s.name, right.c_str());
        CHECK(status == 0 && right.empty());
        std::string wrong = said([&] { run(s.name, s.kernel, true); }, &status);
        bool found = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
        found = found && wrong.find(s.what) != std::string::npos;
        found = found && wrong.find("check/watched.cpp:") != std::string::npos;
        if (!found) fprintf(stderr, "%s: \"%s\"\n", s.name, wrong.c_str());
        CHECK(found);
    }
}

static void copies()
{
    int *x, host[N], status;
    CHECK(cudaMalloc(&x, sizeof host) == cudaSuccess);
    std::string text = said(
        [&] {
            cudaMemset(x, 0, sizeof host - 4);
            cudaMemcpy(host, x, sizeof host, cudaMemcpyDeviceToHost);
        },
        &status);
    CHECK(WIFSIGNALED(status) && text.find("reads what nobody wrote") != std::string::npos);
    said([&] { x[0] = 1; }, &status);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(cudaMemset(x, 0, sizeof host) == cudaSuccess);
    CHECK(cudaMemcpy(host, x, sizeof host, cudaMemcpyDeviceToHost) == cudaSuccess &&
          host[N - 1] == 0);
    CHECK(cudaFree(x) == cudaSuccess);
}

/* Whole pages of shadows: untouched, and with a word that was written. */
static void large_copies()
{
    enum { PAGE = 1 << 16, PAGES = 4 * PAGE };
    static char host[PAGES];
    char *x, *y;
    int status;
    CHECK(cudaMalloc(&x, PAGES + PAGE) == cudaSuccess && cudaMalloc(&y, PAGES) == cudaSuccess);
    char *from = x + (PAGE - (uintptr_t)x % PAGE) % PAGE;
    for (int touched = 0; touched < 2; touched++) {
        if (touched) CHECK(cudaMemset(from, 0, PAGES / 2 + 4) == cudaSuccess);
        std::string text =
            said([&] { cudaMemcpy(y, from, PAGES, cudaMemcpyDeviceToDevice); }, &status);
        CHECK(WIFSIGNALED(status) && text.find("reads what nobody wrote") != std::string::npos);
    }
    CHECK(cudaMemcpy(from, host, PAGES, cudaMemcpyHostToDevice) == cudaSuccess);
    CHECK(cudaMemcpy(y, from, PAGES, cudaMemcpyDeviceToDevice) == cudaSuccess);
    CHECK(cudaMemcpy(host, y, PAGES, cudaMemcpyDeviceToHost) == cudaSuccess);
    CHECK(cudaFree(x) == cudaSuccess && cudaFree(y) == cudaSuccess);
}

int main()
{
    CHECK(emulator::watched());
    kernels();
    copies();
    large_copies();
    puts("the emulator finds what it looks for");
}
