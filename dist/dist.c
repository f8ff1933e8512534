#include "dist/dist.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "dist/clock.h"
#include "dist/dist_private.h"
#include "tensor/alloc.h"
#ifdef OPEN_MPI
#include <mpi-ext.h>
#endif

/* Bytes of one call to MPI, which counts elements in int. */
enum { BUCKET_BYTES = 16 << 20 };

static const MPI_Datatype *real_type(void)
{
    static const MPI_Datatype f = MPI_FLOAT, d = MPI_DOUBLE;
    return sizeof(wf_real) == sizeof(float) ? &f : &d;
}

enum wf_status wf_mpi_check(int rc, const char *what, struct wf_error *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int n;
    if (rc == MPI_SUCCESS) return WF_OK;
    MPI_Error_string(rc, text, &n);
    return wf_fail(err, WF_ECOMM, "%s failed: %.200s", what, text);
}

/* Whether a launcher started this process: it then finds its rank in the environment. */
static bool launched(void)
{
    static const char *const names[] = { "OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i])) return true;
    return false;
}

static bool reads_devices(void)
{
#if defined(MPIX_CUDA_AWARE_SUPPORT) && MPIX_CUDA_AWARE_SUPPORT
    return MPIX_Query_cuda_support() == 1;
#else
    return false;
#endif
}

static enum wf_status open_comms(struct wf_dist *d, struct wf_error *err)
{
    struct wf_mpi *m = d->mpi;
    int first = 0;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    WF_TRY(wf_mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &m->world), "MPI_Comm_dup", err));
    MPI_Comm_set_errhandler(m->world, MPI_ERRORS_RETURN);
    m->reads_devices = reads_devices();
    MPI_Comm_rank(m->world, &d->rank);
    MPI_Comm_size(m->world, &d->size);
    int rc = MPI_Comm_split_type(m->world, MPI_COMM_TYPE_SHARED, d->rank, MPI_INFO_NULL, &m->node);
    WF_TRY(wf_mpi_check(rc, "MPI_Comm_split_type", err));
    MPI_Comm_set_errhandler(m->node, MPI_ERRORS_RETURN);
    MPI_Comm_rank(m->node, &d->node_rank);
    MPI_Comm_size(m->node, &d->node_size);
    first = d->node_rank == 0;
    rc = MPI_Allreduce(&first, &d->nodes, 1, MPI_INT, MPI_SUM, m->world);
    return wf_mpi_check(rc, "MPI_Allreduce", err);
}

struct wf_dist wf_dist_alone(void)
{
    return (struct wf_dist){ .size = 1, .node_size = 1, .nodes = 1 };
}

enum wf_status wf_dist_init(struct wf_dist *d, struct wf_error *err)
{
    int level;
    *d = wf_dist_alone();
    if (!launched()) return WF_OK;
    struct wf_mpi *m = wf_calloc(1, sizeof *m);
    if (!m) return wf_fail(err, WF_ENOMEM, "no memory to join the other ranks");
    int rc = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    if (rc != MPI_SUCCESS || level < MPI_THREAD_FUNNELED) {
        wf_free(m);
        return wf_fail(err, WF_ECOMM, "MPI_Init_thread failed (%d, level %d)", rc, level);
    }
    m->world = m->node = MPI_COMM_NULL;
    d->mpi = m;
    enum wf_status s = open_comms(d, err);
    if (s != WF_OK) wf_dist_free(d);
    return s;
}

void wf_dist_free(struct wf_dist *d)
{
    if (!d->mpi) return;
    if (d->mpi->node != MPI_COMM_NULL) MPI_Comm_free(&d->mpi->node);
    if (d->mpi->world != MPI_COMM_NULL) MPI_Comm_free(&d->mpi->world);
    wf_free(d->mpi);
    d->mpi = NULL;
    MPI_Finalize();
}

void wf_dist_abort(struct wf_dist *d)
{
    if (d->mpi) MPI_Abort(MPI_COMM_WORLD, 1);
}

enum wf_status wf_dist_agree(struct wf_dist *d, enum wf_status s, struct wf_error *err)
{
    if (!d->mpi) return s;
    int mine = s == WF_OK ? INT_MAX : d->rank, first = INT_MAX;
    struct wf_error say = { s, "" };
    int rc = MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, d->mpi->world);
    WF_TRY(wf_mpi_check(rc, "MPI_Allreduce of the ranks' states", err));
    if (first == INT_MAX) return WF_OK;
    if (first == d->rank && err) memcpy(say.message, err->message, sizeof say.message);
    rc = MPI_Bcast(&say, sizeof say, MPI_BYTE, first, d->mpi->world);
    WF_TRY(wf_mpi_check(rc, "MPI_Bcast of a rank's error", err));
    return wf_fail(err, say.status, "rank %d: %.460s", first, say.message);
}

enum wf_status wf_dist_sum(struct wf_dist *d, double *v, int n, struct wf_error *err)
{
    if (!d->mpi) return WF_OK;
    double started = wf_now();
    int rc = MPI_Allreduce(MPI_IN_PLACE, v, n, MPI_DOUBLE, MPI_SUM, d->mpi->world);
    d->stats.lane_s += wf_now() - started;
    d->stats.lanes++;
    d->stats.lane_bytes += n * (int64_t)sizeof *v;
    return wf_mpi_check(rc, "MPI_Allreduce of counts", err);
}

enum wf_status wf_dist_max_times(struct wf_dist *d, int64_t *v, int64_t n, struct wf_error *err)
{
    const int64_t bucket = BUCKET_BYTES / sizeof *v;
    for (int64_t at = 0; d->mpi && at < n; at += bucket) {
        int count = (int)(n - at < bucket ? n - at : bucket);
        int rc = MPI_Allreduce(MPI_IN_PLACE, v + at, count, MPI_INT64_T, MPI_MAX, d->mpi->world);
        WF_TRY(wf_mpi_check(rc, "MPI_Allreduce of times", err));
    }
    return WF_OK;
}

/* The calls block: as measured, MPI_Iallreduce without a progress thread hides nothing of a step
 * and is itself slower. */
static enum wf_status sum_host(struct wf_dist *d, wf_real *x, ptrdiff_t n, struct wf_error *err)
{
    const ptrdiff_t bucket = BUCKET_BYTES / sizeof *x;
    for (ptrdiff_t at = 0; at < n; at += bucket) {
        int count = (int)(n - at < bucket ? n - at : bucket);
        int rc = MPI_Allreduce(MPI_IN_PLACE, x + at, count, *real_type(), MPI_SUM, d->mpi->world);
        WF_TRY(wf_mpi_check(rc, "MPI_Allreduce of gradients", err));
        d->stats.reduces++;
    }
    d->stats.reduce_bytes += n * (ptrdiff_t)sizeof *x;
    return WF_OK;
}

/* The ranks agree that each of them can join before any of them waits for the others in NCCL. */
enum wf_status wf_dist_join_devices(struct wf_dist *d, struct wf_backend *be, struct wf_error *err)
{
    char invitation[WF_INVITATION];
    if (!d->mpi) return WF_OK;
    enum wf_status s = be->device ? be->device->invite(be, invitation) : WF_EDEVICE;
    if (s != WF_OK)
        wf_fail(err, s, "--exchange nccl: %s", be->device ? be->reason : "the CPU computes");
    WF_TRY(wf_dist_agree(d, s, err));
    WF_TRY(wf_dist_broadcast(d, invitation, sizeof invitation, err));
    s = be->device->join(be, invitation, d->rank, d->size);
    if (s != WF_OK) wf_fail(err, s, "--exchange nccl: %s", be->reason);
    WF_TRY(wf_dist_agree(d, s, err));
    d->mpi->devices_sum = true;
    return WF_OK;
}

static enum wf_status sum_on_devices(struct wf_dist *d, struct wf_tensor *x, struct wf_error *err)
{
    ptrdiff_t n = wf_tensor_count(x);
    enum wf_status s = x->be->device->sum(x->be, x->data, (size_t)n);
    if (s != WF_OK) return wf_fail(err, WF_ECOMM, "sum of gradients: %s", x->be->reason);
    d->stats.reduces++;
    d->stats.reduce_bytes += n * (ptrdiff_t)sizeof *x->data;
    return WF_OK;
}

bool wf_dist_wants_staging(const struct wf_dist *d, const struct wf_backend *be)
{
    return d->mpi && be != wf_backend_cpu() && !d->mpi->reads_devices &&
           !(d->mpi->devices_sum && be->device);
}

enum wf_status wf_dist_sum_tensor(struct wf_dist *d, struct wf_tensor *x, wf_real *staging,
                                  struct wf_error *err)
{
    if (!d->mpi) return WF_OK;
    double started = wf_now();
    if (d->mpi->devices_sum && x->be->device) {
        enum wf_status done = sum_on_devices(d, x, err);
        d->stats.reduce_s += wf_now() - started;
        return done;
    }
    bool host = !wf_dist_wants_staging(d, x->be);
    enum wf_status s = host ? WF_OK : wf_tensor_download(x, staging);
    if (s != WF_OK)
        return wf_fail(err, WF_ECOMM, "cannot read the gradients from %s: %s", x->be->name,
                       x->be->reason);
    WF_TRY(sum_host(d, host ? x->data : staging, wf_tensor_count(x), err));
    if (!host) s = wf_tensor_upload(x, staging);
    d->stats.reduce_s += wf_now() - started;
    if (s == WF_OK) return WF_OK;
    return wf_fail(err, WF_ECOMM, "cannot write the gradients to %s: %s", x->be->name,
                   x->be->reason);
}

enum wf_status wf_dist_broadcast(struct wf_dist *d, void *x, size_t bytes, struct wf_error *err)
{
    if (!d->mpi) return WF_OK;
    for (size_t at = 0; at < bytes; at += BUCKET_BYTES) {
        int count = (int)(bytes - at < BUCKET_BYTES ? bytes - at : BUCKET_BYTES);
        int rc = MPI_Bcast((char *)x + at, count, MPI_BYTE, 0, d->mpi->world);
        WF_TRY(wf_mpi_check(rc, "MPI_Bcast", err));
    }
    return WF_OK;
}

/* Copies x to host memory, which the caller frees with wf_free. */
static enum wf_status host_copy(const struct wf_tensor *x, wf_real **out, struct wf_error *err)
{
    size_t n = (size_t)wf_tensor_count(x);
    *out = wf_malloc((n ? n : 1) * sizeof **out);
    if (!*out) return wf_fail(err, WF_ENOMEM, "no memory for %zu values", n);
    enum wf_status s = wf_tensor_download(x, *out);
    if (s == WF_OK) return WF_OK;
    wf_free(*out);
    return wf_fail(err, s, "cannot read %zu values from %s", n, x->be->name);
}

enum wf_status wf_dist_broadcast_tensor(struct wf_dist *d, struct wf_tensor *x,
                                        struct wf_error *err)
{
    wf_real *host = NULL;
    if (!d->mpi) return WF_OK;
    enum wf_status s = wf_dist_agree(d, host_copy(x, &host, err), err);
    if (s == WF_OK) s = wf_dist_broadcast(d, host, (size_t)wf_tensor_count(x) * sizeof *host, err);
    if (s == WF_OK && (s = wf_tensor_upload(x, host)) != WF_OK)
        wf_fail(err, s, "cannot write %td values to %s", wf_tensor_count(x), x->be->name);
    wf_free(host);
    return s;
}

/* The ranks' maximum of the bytes and their maximum of the inverted bytes are each other's inverse
 * only where all ranks hold the same. */
enum wf_status wf_dist_same(struct wf_dist *d, const struct wf_tensor *x, bool *same,
                            struct wf_error *err)
{
    enum { PIECE = 1024 };
    wf_real *host = NULL;
    *same = true;
    if (!d->mpi) return WF_OK;
    enum wf_status s = wf_dist_agree(d, host_copy(x, &host, err), err);
    size_t bytes = (size_t)wf_tensor_count(x) * sizeof *host;
    for (size_t at = 0; s == WF_OK && at < bytes; at += PIECE) {
        unsigned char v[2][PIECE], most[2][PIECE];
        size_t n = bytes - at < PIECE ? bytes - at : PIECE;
        memcpy(v[0], (const char *)host + at, n);
        for (size_t i = 0; i < n; i++) v[1][i] = (unsigned char)~v[0][i];
        memset(v[0] + n, 0, PIECE - n);
        memset(v[1] + n, 0xff, PIECE - n);
        int rc = MPI_Allreduce(v, most, 2 * PIECE, MPI_UNSIGNED_CHAR, MPI_MAX, d->mpi->world);
        s = wf_mpi_check(rc, "MPI_Allreduce of a check", err);
        for (size_t i = 0; i < n; i++)
            if ((most[0][i] ^ most[1][i]) != 0xff) *same = false;
    }
    wf_free(host);
    return s;
}
