/* eigen.h - eigenvalues of a small general matrix, on the host, in double in every build.
 *
 * Not an op: no gradient, no backend. LAPACK does the work (tensor/cpu/eigen.c). */
#ifndef WF_EIGEN_H
#define WF_EIGEN_H

#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Computes all eigenvalues re[k] + i im[k], k < n, of A [n, n], which is destroyed; complex ones
 * come in pairs, the one with im > 0 first. The results are the same bits for any number of
 * threads. Returns WF_EINVAL when n < 1, WF_ENUMERIC when an entry is not finite or the QR
 * iteration does not converge. */
enum wf_status wf_eigenvalues(int n, double *A, double *re, double *im, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
