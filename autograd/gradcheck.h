/* gradcheck.h - checks a vjp against central differences; for the library's tests and a user's.
 *
 * With one random cotangent v of the output and one random direction u per input, it compares
 *     (f(x + e u) - f(x - e u)) / 2e  with  <u, df/dx>,  where f(x) = <v, y(x)>.
 * Unlike a check of sum(y), this sees every row of the Jacobian. Meaningful bounds need the double
 * build. */
#ifndef WF_GRADCHECK_H
#define WF_GRADCHECK_H

#include "autograd/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* build() makes one output from the leaves; it is called several times. Leaves hold their own data
 * and grad (contiguous) and have needs_grad set; those without are constants. */
struct wf_gradcheck {
    struct wf_tensor *(*build)(struct wf_tape *g, void *ctx);
    void *ctx;
    struct wf_tensor **leaf;
    int leaves;
    double eps; /* 0: 1e-6 in double, 1e-3 in float */
    uint64_t seed;
};

/* Writes the largest |numeric - analytic| / (1 + |numeric|) over the leaves to *worst, and the
 * number of its leaf to *which. The leaves' data are restored. Fails when the tape or an allocation
 * does. */
enum wf_status wf_gradcheck_run(const struct wf_gradcheck *c, struct wf_backend *be, double *worst,
                                int *which, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
