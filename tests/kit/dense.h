/* dense.h - what the tests of the dense layers share: a tape with parameters, reproducible numbers,
 * and comparison of tensors. */
#ifndef WF_TEST_DENSE_H
#define WF_TEST_DENSE_H

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "autograd/gradcheck.h"
#include "nn/params.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"

/* Layers are declared between dense_init() and dense_commit(). */
struct dense {
    struct wf_params ps;
    struct wf_tape g;
};
void dense_init(struct dense *d);
void dense_commit(struct dense *d, uint64_t seed);
void dense_free(struct dense *d); /* also asserts that nothing leaks */

/* Numbers in [-1, 1) that depend on seed and position alone. Inputs are leaves on the tape. */
double dense_noise(int seed, ptrdiff_t i);
struct wf_tensor *dense_input(struct dense *d, int seed, int ndim, const int *shape);
double dense_at(const struct wf_tensor *t, ptrdiff_t i); /* element i in row-major order */

/* Expects every element of y to be within bar of want(i, ctx). */
void dense_expect(struct dense *d, const struct wf_tensor *y,
                  double (*want)(ptrdiff_t i, const void *ctx), const void *ctx, double bar);
void dense_expect_same(struct dense *d, const struct wf_tensor *a, const struct wf_tensor *b,
                       double bar);

/* Asserts that the tape has failed with a message that holds `why`, and resets it. */
void dense_expect_refusal(struct dense *d, const char *why);

/* Checks the gradients of build() in its inputs, which have the given shapes (ended by 0). */
enum { DENSE_LEAVES = 6 };
struct dense_grad {
    struct wf_tensor *(*build)(struct wf_tape *g, struct wf_tensor **in, const void *ctx);
    const void *ctx;
    int shape[DENSE_LEAVES][WF_MAXDIM];
};
void dense_expect_gradient(const struct dense_grad *c);

#endif
