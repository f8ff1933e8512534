#include "tensor/rng.h"
#include <math.h>

double wf_rng_uniform(struct wf_rng *r)
{
    struct wf_philox p = wf_philox(r->seed, r->stream, 0, r->index++);
    return wf_uniform_f64(p.v[0], p.v[1]);
}

/* Box and Muller's transform; 1 - u keeps the logarithm finite. */
double wf_rng_normal(struct wf_rng *r)
{
    struct wf_philox p = wf_philox(r->seed, r->stream, 0, r->index++);
    double u = wf_uniform_f64(p.v[0], p.v[1]), v = wf_uniform_f64(p.v[2], p.v[3]);
    return sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * v);
}

void wf_rng_permutation(uint64_t seed, uint32_t stream, uint64_t step, int n, int *perm)
{
    for (int i = 0; i < n; i++) perm[i] = i;
    for (int i = n - 1; i > 0; i--) {
        struct wf_philox p = wf_philox(seed, stream, step, (uint64_t)i);
        int k = (int)(wf_uniform_f64(p.v[0], p.v[1]) * (i + 1));
        int t = perm[i];
        perm[i] = perm[k];
        perm[k] = t;
    }
}

uint32_t wf_rng_stream(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 16777619u;
    return h;
}
