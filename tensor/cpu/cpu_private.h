/* cpu_private.h - what the files of the CPU backend share. Private to tensor/cpu.
 *
 * Threads split work in pieces whose borders depend on shapes alone, and every sum has one order,
 * so results do not depend on the number of threads. */
#ifndef WF_CPU_H
#define WF_CPU_H

#if defined(__SSE2__)
#include <immintrin.h>
#endif
#include "tensor/backend.h"

#define K(name, params, args) enum wf_status wf_cpu_##name params;
#include "tensor/kernels.def"
#undef K

/* Returns scratch memory of the backend, aligned to 64 bytes and valid until the next call; NULL
 * when there is none. Kernels call this once, before their parallel region. */
void *wf_cpu_scratch(struct wf_backend *be, size_t bytes);

/* Between flush_begin and flush_end, the calling thread takes subnormal numbers for 0. Hops along
 * edges of tiny weights make many of them, and each costs as much as a hundred others. */
static inline unsigned wf_cpu_flush_begin(void)
{
#if defined(__SSE2__)
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* flush to zero: results (0x8000), operands (0x40) */
    return before;
#else
    return 0;
#endif
}

static inline void wf_cpu_flush_end(unsigned before)
{
#if defined(__SSE2__)
    _mm_setcsr(before);
#else
    (void)before;
#endif
}

/* A strided matrix: element (i, j) is data[i * row + j * col]. */
struct wf_matrix {
    wf_real *data;
    ptrdiff_t row, col;
};

/* c [M, N] = a [M, K] b [K, N] + beta c with c row-major. The calling thread, which is inside a
 * parallel region, computes all of it. One stride of each of a and b is 1, where its axis is longer
 * than 1. */
void wf_cpu_product(int M, int N, int K, struct wf_matrix a, struct wf_matrix b, wf_real beta,
                    wf_real *c, ptrdiff_t ldc);

/* Products whose operands are used again take panels. A panel is a matrix of at most 32 columns,
 * its rows 32 numbers apart (tile_private.h), with zeros up to a whole vector of 16. The functions
 * below compute on the calling thread. */

/* Copies b into the panel [K, cols]; its strides are as in wf_cpu_product(). The panel has room for
 * K rounded up to a multiple of 16 rows; what lies behind row K is overwritten. */
void wf_cpu_pack(wf_real *panel, struct wf_matrix b, int K, int cols);

/* c [cols, K], with rows ldc apart, = the transpose of panel [K, cols], or += it with `add`. */
void wf_cpu_unpack(wf_real *c, ptrdiff_t ldc, const wf_real *panel, int K, int cols, bool add);

/* c [M, cols] = a [M, K] panel [K, cols] + beta c; c may be a panel too. */
void wf_cpu_panel_product(int M, int cols, int K, struct wf_matrix a, const wf_real *panel,
                          wf_real beta, wf_real *c, ptrdiff_t ldc);

#endif
