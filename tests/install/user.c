/* A user's program, built against an installed Weft: d/dw of sum((x w)^2), by hand and by tape. */
#include <math.h>
#include <stdio.h>
#include "autograd/ops.h"

int main(void)
{
    struct wf_error err;
    struct wf_tape g;
    if (wf_tape_init(&g, wf_backend_cpu(), &err) != WF_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    wf_real x[] = { 1, 2, 3, 4 }, w[] = { 1, -2 }, dw[] = { 0, 0 };
    struct wf_tensor grad = { .data = dw, .be = g.be };
    struct wf_tensor leaf = { .data = w, .be = g.be, .grad = &grad, .needs_grad = true };
    wf_tensor_shape(&leaf, 2, wf_dims(2, 1));
    wf_tensor_shape(&grad, 2, wf_dims(2, 1));

    struct wf_tensor *y = wf_matmul(&g, wf_input(&g, x, 2, wf_dims(2, 2)), &leaf);
    wf_tape_backward(&g, wf_sum_all(&g, wf_square(&g, y)));

    /* y = [-3, -5], so dw = 2 x^T y = [-36, -52] */
    int failed = g.error.status != WF_OK || fabs(dw[0] + 36.0) > 1e-4 || fabs(dw[1] + 52.0) > 1e-4;
    if (failed)
        fprintf(stderr, "gradient [%g, %g], want [-36, -52] %s\n", (double)dw[0], (double)dw[1],
                g.error.message);
    wf_tape_free(&g);
    return failed;
}
