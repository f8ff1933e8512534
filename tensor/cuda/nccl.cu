/* nccl.cu - sums over the devices of several processes, by NCCL.
 *
 * NCCL is not part of the CUDA Toolkit, so the library is loaded at first use, and the few
 * declarations that are needed are repeated here. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include "tensor/cuda/cuda.cuh"

/* This is ncclUniqueId, which is passed by value; the constants are those of nccl.h (NCCL 2). */
struct invitation {
    char byte[WF_INVITATION];
};
enum { SUCCESS = 0, FLOAT32 = 7, FLOAT64 = 8, SUM = 0 };

static struct {
    int (*get_unique_id)(struct invitation *);
    int (*comm_init_rank)(void **comm, int ranks, struct invitation id, int rank);
    int (*all_reduce)(const void *from, void *to, size_t count, int type, int op, void *comm,
                      cudaStream_t stream);
    int (*comm_destroy)(void *comm);
    const char *(*error_string)(int rc);
} nccl;

static enum wf_status check(struct wf_backend *be, int rc, const char *what)
{
    if (rc == SUCCESS) return WF_OK;
    snprintf(be->reason, sizeof be->reason, "%s: %s", what, nccl.error_string(rc));
    return WF_EDEVICE;
}

static enum wf_status load(struct wf_backend *be)
{
    const struct {
        const char *name;
        void **entry;
    } wanted[] = {
        { "ncclGetUniqueId", (void **)&nccl.get_unique_id },
        { "ncclCommInitRank", (void **)&nccl.comm_init_rank },
        { "ncclAllReduce", (void **)&nccl.all_reduce },
        { "ncclCommDestroy", (void **)&nccl.comm_destroy },
        { "ncclGetErrorString", (void **)&nccl.error_string },
    };
    if (nccl.all_reduce) return WF_OK;
    void *lib = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!lib) snprintf(be->reason, sizeof be->reason, "no NCCL: %s", dlerror());
    if (!lib) return WF_EDEVICE;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].entry = dlsym(lib, wanted[i].name);
        if (*wanted[i].entry) continue;
        snprintf(be->reason, sizeof be->reason, "libnccl.so.2 has no %s", wanted[i].name);
        nccl.all_reduce = NULL;
        return WF_EDEVICE;
    }
    return WF_OK;
}

enum wf_status wf_cuda_invite(struct wf_backend *be, char invitation[WF_INVITATION])
{
    struct invitation id;
    WF_TRY(load(be));
    WF_TRY(check(be, nccl.get_unique_id(&id), "ncclGetUniqueId"));
    memcpy(invitation, id.byte, sizeof id.byte);
    return WF_OK;
}

enum wf_status wf_cuda_join(struct wf_backend *be, const char invitation[WF_INVITATION], int rank,
                            int ranks)
{
    struct invitation id;
    WF_TRY(load(be));
    memcpy(id.byte, invitation, sizeof id.byte);
    return check(be, nccl.comm_init_rank(&wf_cuda_of(be)->comm, ranks, id, rank),
                 "ncclCommInitRank");
}

enum wf_status wf_cuda_sum(struct wf_backend *be, wf_real *x, size_t n)
{
    struct wf_cuda *c = wf_cuda_of(be);
    int type = sizeof(wf_real) == sizeof(float) ? FLOAT32 : FLOAT64;
    WF_TRY(be->sync(be));
    WF_TRY(check(be, nccl.all_reduce(x, x, n, type, SUM, c->comm, c->stream), "ncclAllReduce"));
    return be->sync(be);
}

void wf_cuda_leave(struct wf_backend *be)
{
    struct wf_cuda *c = wf_cuda_of(be);
    if (c->comm) nccl.comm_destroy(c->comm);
    c->comm = NULL;
}
