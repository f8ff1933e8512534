/* peak.h - what the machine can do at most: the yardstick of the benchmarks. */
#ifndef WF_BENCH_PEAK_H
#define WF_BENCH_PEAK_H

#include <omp.h>
#include "tensor/cpu/vec.h"

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

#endif
