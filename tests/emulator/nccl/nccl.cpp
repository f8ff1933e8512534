/* nccl.cpp - NCCL for processes of one machine whose devices are emulated: they add up through
 * memory that they share, in the order of their ranks, a chunk at a time. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SUCCESS = 0, SYSTEM_ERROR = 2, INVALID = 4, FLOAT32 = 7, FLOAT64 = 8, SUM = 0 };
static const size_t CHUNK = (size_t)1 << 20; /* bytes that each rank adds at a time */

struct id {
    char name[128]; /* of the shared memory */
};
struct shared {
    pthread_barrier_t all;
    int ready;
    char pad[4096];
    unsigned char chunk[]; /* [ranks, CHUNK] */
};
struct comm {
    struct shared *s;
    size_t bytes;
    int rank, ranks;
};

static size_t bytes_of(int ranks)
{
    return sizeof(struct shared) + (size_t)ranks * CHUNK;
}

extern "C" int ncclGetUniqueId(struct id *id)
{
    static int made;
    memset(id, 0, sizeof *id);
    snprintf(id->name, sizeof id->name, "/weft-nccl-%d-%d", (int)getpid(), made++);
    return SUCCESS;
}

extern "C" const char *ncclGetErrorString(int rc)
{
    return rc == INVALID   ? "invalid argument"
           : rc == SUCCESS ? "no error"
                           : "unhandled system error";
}

/* The first rank makes the memory, the others wait for it. */
static struct shared *open_shared(const char *name, int rank, int ranks)
{
    int fd = -1, flags = rank == 0 ? O_RDWR | O_CREAT | O_EXCL : O_RDWR;
    for (int tries = 0; fd < 0 && tries < 3000; tries++) {
        fd = shm_open(name, flags, 0600);
        if (fd < 0) usleep(10000);
    }
    if (fd < 0) return NULL;
    bool sized = rank != 0 || ftruncate(fd, (off_t)bytes_of(ranks)) == 0;
    while (sized && lseek(fd, 0, SEEK_END) < (off_t)bytes_of(ranks)) usleep(1000);
    void *p =
        sized ? mmap(NULL, bytes_of(ranks), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    return p == MAP_FAILED ? NULL : (struct shared *)p;
}

extern "C" int ncclCommInitRank(struct comm **comm, int ranks, struct id id, int rank)
{
    if (rank < 0 || rank >= ranks) return INVALID;
    struct shared *s = open_shared(id.name, rank, ranks);
    struct comm *c = (struct comm *)calloc(1, sizeof *c);
    if (!s || !c) return SYSTEM_ERROR;
    if (rank == 0) {
        pthread_barrierattr_t across;
        pthread_barrierattr_init(&across);
        pthread_barrierattr_setpshared(&across, PTHREAD_PROCESS_SHARED);
        pthread_barrier_init(&s->all, &across, (unsigned)ranks);
        __atomic_store_n(&s->ready, 1, __ATOMIC_RELEASE);
    }
    while (!__atomic_load_n(&s->ready, __ATOMIC_ACQUIRE)) usleep(1000);
    pthread_barrier_wait(&s->all);
    if (rank == 0) shm_unlink(id.name);
    *c = (struct comm){ s, bytes_of(ranks), rank, ranks };
    *comm = c;
    return SUCCESS;
}

extern "C" int ncclCommDestroy(struct comm *c)
{
    munmap(c->s, c->bytes);
    free(c);
    return SUCCESS;
}

template <typename real> static void add_up(const struct comm *c, real *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        real sum = 0;
        for (int r = 0; r < c->ranks; r++) sum += ((const real *)(c->s->chunk + r * CHUNK))[i];
        to[i] = sum;
    }
}

/* The caller has waited for all that it had queued. */
extern "C" int ncclAllReduce(const void *from, void *to, size_t count, int type, int op,
                             struct comm *c, void *)
{
    size_t size = type == FLOAT32 ? 4 : 8, most = CHUNK / size;
    if ((type != FLOAT32 && type != FLOAT64) || op != SUM) return INVALID;
    for (size_t at = 0; at < count; at += most) {
        size_t n = count - at < most ? count - at : most;
        memcpy(c->s->chunk + c->rank * CHUNK, (const char *)from + at * size, n * size);
        pthread_barrier_wait(&c->s->all);
        if (type == FLOAT32)
            add_up(c, (float *)to + at, n);
        else
            add_up(c, (double *)to + at, n);
        pthread_barrier_wait(&c->s->all);
    }
    return SUCCESS;
}
