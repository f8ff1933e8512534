/* eigen.c - eigenvalues of a small general matrix, by LAPACK. */
#include "tensor/eigen.h"
#include <math.h>
#include <stddef.h>
#include "tensor/alloc.h"

/* The Fortran routine of LAPACK, in OpenBLAS; the lengths of its string arguments come last. */
void dgeev_(const char *jobvl, const char *jobvr, const int *n, double *a, const int *lda,
            double *wr, double *wi, double *vl, const int *ldvl, double *vr, const int *ldvr,
            double *work, const int *lwork, int *info, size_t jobvl_length, size_t jobvr_length);

/* Computes the eigenvalues alone; with lwork -1 it asks how much work memory they take. LAPACK
 * reads A transposed, by columns, which does not change the eigenvalues. */
static int geev(int n, double *A, double *re, double *im, double *work, int lwork)
{
    int info = 0, one = 1;
    dgeev_("N", "N", &n, A, &n, re, im, NULL, &one, NULL, &one, work, &lwork, &info, 1, 1);
    return info;
}

enum wf_status wf_eigenvalues(int n, double *A, double *re, double *im, struct wf_error *err)
{
    double room = 0;
    if (n < 1) return wf_fail(err, WF_EINVAL, "eigenvalues: a matrix of %d rows", n);
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n * n; i++)
        if (!isfinite(A[i]))
            return wf_fail(err, WF_ENUMERIC, "eigenvalues: entry [%td, %td] is %g", i / n, i % n,
                           A[i]);
    geev(n, A, re, im, &room, -1);
    double *work = wf_malloc((size_t)room * sizeof *work);
    if (!work) return wf_fail(err, WF_ENOMEM, "no memory for the eigenvalues of %d rows", n);
    int info = 0;
    /* Inside a parallel region BLAS keeps to one thread, so sums have one order. */
#pragma omp parallel num_threads(2)
#pragma omp single
    info = geev(n, A, re, im, work, (int)room);
    wf_free(work);
    if (info == 0) return WF_OK;
    return wf_fail(err, WF_ENUMERIC, "eigenvalues: %d of %d do not converge", info, n);
}
