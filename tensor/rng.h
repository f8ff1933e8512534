/* rng.h - counter-based random numbers: Philox-4x32-10 (Salmon et al., SC'11).
 *
 * There is no generator state: a draw is a function of a key (seed, stream) and a counter, so the
 * same numbers come out on any number of threads, devices and ranks, and a resumed run goes on
 * where it stopped. */
#ifndef WF_RNG_H
#define WF_RNG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __CUDACC__
#define WF_HOST_DEVICE __host__ __device__
#else
#define WF_HOST_DEVICE
#endif

struct wf_philox {
    uint32_t v[4];
};

/* Returns four random words for counter (index, step) under key (seed, stream). */
WF_HOST_DEVICE static inline struct wf_philox wf_philox(uint64_t seed, uint32_t stream,
                                                        uint64_t step, uint64_t index)
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32) ^ stream;
    uint32_t c2 = (uint32_t)step, c3 = (uint32_t)(step >> 32) ^ (stream * 0x85EBCA6Bu);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    struct wf_philox r = { { c0, c1, c2, c3 } };
    return r;
}

/* Turn random words into numbers that are uniform in [0, 1), of 24 and of 53 bits. */
WF_HOST_DEVICE static inline float wf_uniform_f32(uint32_t u)
{
    return (float)(u >> 8) * 0x1p-24f;
}

WF_HOST_DEVICE static inline double wf_uniform_f64(uint32_t hi, uint32_t lo)
{
    return (double)(((uint64_t)hi << 21) ^ (lo >> 11)) * 0x1p-53;
}

/* Sequential draws for host code that fills an array. */
struct wf_rng {
    uint64_t seed, index;
    uint32_t stream;
};
double wf_rng_uniform(struct wf_rng *r); /* [0, 1) */
double wf_rng_normal(struct wf_rng *r);  /* mean 0, standard deviation 1 */

/* perm[0..n) becomes a random order of 0..n-1 (Fisher-Yates) for key (seed, stream, step). */
void wf_rng_permutation(uint64_t seed, uint32_t stream, uint64_t step, int n, int *perm);

/* Returns the 32-bit FNV-1a hash of a name, the stream of that parameter's initial values. */
uint32_t wf_rng_stream(const char *name);

#ifdef __cplusplus
}
#endif
#endif
