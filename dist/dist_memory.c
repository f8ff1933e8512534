/* dist_memory.c - memory that the ranks of a machine share, and memory that ranks read from each
 * other. */
#include <string.h>
#include "dist/clock.h"
#include "dist/dist_private.h"
#include "tensor/alloc.h"

struct wf_shared_mpi {
    MPI_Win win;
};
struct wf_remote_mpi {
    MPI_Win win;
};

static enum wf_status share(struct wf_shared *s, struct wf_dist *d, size_t bytes,
                            struct wf_error *err)
{
    MPI_Aint size = d->node_rank == 0 ? (MPI_Aint)bytes : 0;
    int unit;
    void *own;
    int rc = MPI_Win_allocate_shared(size, 1, MPI_INFO_NULL, d->mpi->node, &own, &s->mpi->win);
    WF_TRY(wf_mpi_check(rc, "MPI_Win_allocate_shared", err));
    rc = MPI_Win_shared_query(s->mpi->win, 0, &size, &unit, &s->base);
    if (rc == MPI_SUCCESS) rc = MPI_Win_lock_all(MPI_MODE_NOCHECK, s->mpi->win);
    return wf_mpi_check(rc, "MPI_Win_shared_query", err);
}

enum wf_status wf_shared_init(struct wf_shared *s, struct wf_dist *d, size_t bytes,
                              struct wf_error *err)
{
    enum wf_status rc = WF_OK;
    *s = (struct wf_shared){ 0 };
    if (d->node_size == 1) {
        s->base = wf_calloc(1, bytes);
        if (!s->base) rc = wf_fail(err, WF_ENOMEM, "no memory for %zu bytes", bytes);
        return wf_dist_agree(d, rc, err);
    }
    s->mpi = wf_calloc(1, sizeof *s->mpi);
    if (!s->mpi) rc = wf_fail(err, WF_ENOMEM, "no memory for a shared block");
    WF_TRY(wf_dist_agree(d, rc, err));
    s->mpi->win = MPI_WIN_NULL;
    rc = wf_dist_agree(d, share(s, d, bytes, err), err);
    if (rc != WF_OK) wf_shared_free(s);
    return rc;
}

enum wf_status wf_shared_sync(struct wf_shared *s, struct wf_dist *d, struct wf_error *err)
{
    if (!s->mpi) return WF_OK;
    int rc = MPI_Win_sync(s->mpi->win);
    if (rc == MPI_SUCCESS) rc = MPI_Barrier(d->mpi->node);
    if (rc == MPI_SUCCESS) rc = MPI_Win_sync(s->mpi->win);
    return wf_mpi_check(rc, "MPI_Win_sync", err);
}

void wf_shared_free(struct wf_shared *s)
{
    if (!s->mpi) {
        wf_free(s->base);
    } else if (s->mpi->win != MPI_WIN_NULL) {
        MPI_Win_unlock_all(s->mpi->win);
        MPI_Win_free(&s->mpi->win);
    }
    wf_free(s->mpi);
    *s = (struct wf_shared){ 0 };
}

enum wf_status wf_remote_init(struct wf_remote *r, struct wf_dist *d, void *base, size_t bytes,
                              struct wf_error *err)
{
    *r = (struct wf_remote){ 0 };
    if (!d->mpi) return WF_OK;
    r->mpi = wf_calloc(1, sizeof *r->mpi);
    enum wf_status s = r->mpi ? WF_OK : wf_fail(err, WF_ENOMEM, "no memory to open windows");
    WF_TRY(wf_dist_agree(d, s, err));
    r->mpi->win = MPI_WIN_NULL;
    int rc = MPI_Win_create(base, (MPI_Aint)bytes, 1, MPI_INFO_NULL, d->mpi->world, &r->mpi->win);
    if (rc == MPI_SUCCESS) rc = MPI_Win_set_errhandler(r->mpi->win, MPI_ERRORS_RETURN);
    if (rc == MPI_SUCCESS) rc = MPI_Win_lock_all(MPI_MODE_NOCHECK, r->mpi->win);
    return wf_mpi_check(rc, "MPI_Win_create", err);
}

enum wf_status wf_remote_get(struct wf_remote *r, struct wf_dist *d, int owner, size_t offset,
                             void *to, size_t bytes, struct wf_error *err)
{
    double started = wf_now();
    int rc = MPI_Get(to, (int)bytes, MPI_BYTE, owner, (MPI_Aint)offset, (int)bytes, MPI_BYTE,
                     r->mpi->win);
    d->stats.gets++;
    d->stats.get_bytes += (int64_t)bytes;
    d->stats.get_s += wf_now() - started;
    return wf_mpi_check(rc, "MPI_Get", err);
}

enum wf_status wf_remote_finish(struct wf_remote *r, struct wf_dist *d, struct wf_error *err)
{
    if (!r->mpi) return WF_OK;
    double started = wf_now();
    int rc = MPI_Win_flush_local_all(r->mpi->win);
    d->stats.get_s += wf_now() - started;
    return wf_mpi_check(rc, "MPI_Win_flush_local_all", err);
}

void wf_remote_free(struct wf_remote *r)
{
    if (r->mpi && r->mpi->win != MPI_WIN_NULL) {
        MPI_Win_unlock_all(r->mpi->win);
        MPI_Win_free(&r->mpi->win);
    }
    wf_free(r->mpi);
    *r = (struct wf_remote){ 0 };
}
