/* peak.h - what the machine can do at most: the yardstick of the benchmarks. */
#ifndef WF_BENCH_PEAK_H
#define WF_BENCH_PEAK_H

#include <omp.h>
#include <stdlib.h>
#include "tensor/cpu/vec_private.h"

/* Multiply-adds in registers, FLOP/s over all threads; the best of three rounds of `repetitions`
 * of 12 independent vectors. */
static inline double fma_peak(int repetitions)
{
    double best = 0;
    for (int k = 0; k < 3; k++) {
        wf_real sink = 0;
        double t = omp_get_wtime();
#pragma omp parallel reduction(+ : sink)
        {
            wf_vec s[12], a = vec_set((wf_real)0.999), b = vec_set((wf_real)0.001);
            for (int i = 0; i < 12; i++) s[i] = vec_set((wf_real)i);
            for (int r = 0; r < repetitions; r++)
                WF_UNROLL for (int i = 0; i < 12; i++) s[i] = vec_fma(s[i], a, b);
            for (int i = 0; i < 12; i++) sink += vec_sum(s[i]);
        }
        t = omp_get_wtime() - t;
        double rate = 2.0 * 12 * WF_LANES * repetitions * omp_get_max_threads() / t;
        if (rate > best && sink > 0) best = rate;
    }
    return best;
}

/* Triad over arrays far larger than the caches, GB/s, three streams counted. */
static inline double stream_peak(void)
{
    ptrdiff_t n = (ptrdiff_t)32 << 20;
    float *a = malloc((size_t)n * 4), *b = malloc((size_t)n * 4), *c = malloc((size_t)n * 4);
    double best = 0;
    if (a && b && c)
        for (int k = 0; k < 5; k++) {
            double t = omp_get_wtime();
#pragma omp parallel for simd schedule(static)
            for (ptrdiff_t i = 0; i < n; i++) a[i] = k ? b[i] + 0.5f * c[i] : (b[i] = c[i] = 1.0f);
            double rate = 12e-9 * (double)n / (omp_get_wtime() - t);
            if (k && rate > best) best = rate;
        }
    free(a);
    free(b);
    free(c);
    return best;
}

#endif
