/* cpu.h - what the files of the CPU backend share. Private to tensor/cpu.
 *
 * Threads split work in pieces whose borders depend on shapes alone, and every sum has one order,
 * so results do not depend on the number of threads. */
#ifndef WF_CPU_H
#define WF_CPU_H

#include "tensor/backend.h"

#define K(name, params, args) enum wf_status wf_cpu_##name params;
#include "tensor/kernels.def"
#undef K

/* Scratch memory of the backend, aligned to 64 bytes, valid until the next call; NULL when there is
 * none. Kernels call it once, before their parallel region. */
void *wf_cpu_scratch(struct wf_backend *be, size_t bytes);

/* c [m, n] = op(a) [m, k] op(b) [k, n] + beta c, row-major, on the calling thread inside a parallel
 * region. ta: a is stored [k, m]; tb: b is stored [n, k]. The only caller of BLAS (gemm.c). */
void wf_cpu_blas(bool ta, bool tb, int m, int n, int k, const wf_real *a, int lda, const wf_real *b,
                 int ldb, wf_real beta, wf_real *c, int ldc);

#endif
