/* dist_private.h - MPI's own objects behind dist.h. */
#ifndef WF_DIST_PRIVATE_H
#define WF_DIST_PRIVATE_H

#include <mpi.h>
#include "dist/dist.h"

struct wf_mpi {
    MPI_Comm world, node;
    bool reads_devices; /* buffers may lie in a GPU's memory */
    bool devices_sum;   /* the GPUs add up by themselves */
};

/* Returns WF_OK, or WF_ECOMM with MPI's words for what failed. */
enum wf_status wf_mpi_check(int rc, const char *what, struct wf_error *err);

#endif
