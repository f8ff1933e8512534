/* bench_exchange - what the exchange of gradients costs over MPI's own all-reduce: run by mpirun on
 * two ranks or more. Both are timed in turn, on a vector of DCRNN's size at METR-LA (372,353
 * floats), and so is a step's exchange of counts. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include "dist/dist.h"
#include "dist/clock.h"

enum { ROUNDS = 400, COUNT = 372353 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, ROUNDS, sizeof *v, by_value);
    return v[ROUNDS / 2];
}

int main(void)
{
    static double own[ROUNDS], bare[ROUNDS], lane[ROUNDS];
    struct wf_dist d;
    struct wf_error err = { 0 };
    struct wf_tensor x;
    int n = COUNT;
    if (wf_dist_init(&d, &err) || wf_tensor_alloc(&x, wf_backend_cpu(), 1, &n, &err)) {
        fprintf(stderr, "bench_exchange: %s\n", err.message);
        return 1;
    }
    if (d.size == 1) {
        fprintf(stderr, "bench_exchange: start it with mpirun -n 2\n");
        return 1;
    }
    for (int k = 0; k < ROUNDS; k++) {
        double counts[5] = { 1, 1, 1, 0, 0 }, at[4];
        MPI_Barrier(MPI_COMM_WORLD);
        at[0] = wf_now();
        if (wf_dist_sum_tensor(&d, &x, NULL, &err)) return 1;
        at[1] = wf_now();
        MPI_Barrier(MPI_COMM_WORLD);
        at[2] = wf_now();
        MPI_Allreduce(MPI_IN_PLACE, x.data, COUNT, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        at[3] = wf_now();
        own[k] = at[1] - at[0];
        bare[k] = at[3] - at[2];
        MPI_Barrier(MPI_COMM_WORLD);
        at[0] = wf_now();
        if (wf_dist_sum(&d, counts, 5, &err)) return 1;
        lane[k] = wf_now() - at[0];
    }
    double a = median(own), b = median(bare), c = median(lane);
    if (d.rank == 0)
        printf("%d ranks, %.2f MB: gradients %.3f ms, counts %.4f ms, together %.2f x a bare "
               "all-reduce of %.3f ms\n",
               d.size, COUNT * sizeof(float) / 1e6, 1e3 * a, 1e3 * c, (a + c) / b, 1e3 * b);
    wf_tensor_free(&x);
    wf_dist_free(&d);
    return 0;
}
