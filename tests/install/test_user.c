/* A stranger's Criterion tests with the helpers that the library installs: of an op, of a model,
 * and against reference values in a file. */
#include <criterion/criterion.h>
#include "autograd/gradcheck.h"
#include "data/formats/h5.h"
#include "models/check.h"
#include "models/stgcn.h"
#include "nn/layers.h"

#define MUST(call) cr_assert_eq((call), WF_OK, "%s: %s", #call, err.message)

static struct wf_tensor *swish(struct wf_tape *g, void *x)
{
    return wf_mul(g, x, wf_sigmoid(g, x));
}

Test(user, an_op_has_the_gradient_of_its_differences)
{
    struct wf_error err = { 0 };
    wf_real value[] = { -2, -1, 0, 1, 2, 3 }, slope[6] = { 0 };
    struct wf_tensor grad = { .data = slope, .be = wf_backend_cpu() };
    struct wf_tensor x = { .data = value, .be = grad.be, .grad = &grad, .needs_grad = true };
    struct wf_tensor *leaf = &x;
    wf_tensor_shape(&x, 2, wf_dims(2, 3));
    wf_tensor_shape(&grad, 2, wf_dims(2, 3));
    struct wf_gradcheck c = { .build = swish, .ctx = &x, .leaf = &leaf, .leaves = 1, .seed = 1 };
    double worst;
    int which;
    MUST(wf_gradcheck_run(&c, grad.be, &worst, &which, &err));
    cr_expect(worst < 5e-3, "off by %g", worst);
}

Test(user, a_model_passes_its_checks)
{
    struct wf_error err = { 0 };
    struct wf_check c;
    struct wf_check_config cfg = { .type = &wf_stgcn_type,
                                   .options = "channels=8\nhidden=4\n",
                                   .T = 9 };
    double worst, first, last;
    const char *which;
    MUST(wf_check_init(&c, &cfg, &err));
    MUST(wf_check_smoke(&c, &err));
    MUST(wf_check_gradient(&c, &worst, &which, &err));
    cr_expect(worst < 0.05, "%s off by %g", which, worst);
    MUST(wf_check_train(&c, 60, 0.01, &first, &last, &err));
    cr_expect(last < 0.8 * first, "loss %g, then %g", first, last);
    wf_check_free(&c);
}

/* PyTorch's linear layer, from a file of reference values: FIXTURE is its path. */
Test(user, a_layer_gives_the_reference_values)
{
    struct wf_error err = { 0 };
    struct wf_params ps;
    struct wf_linear layer;
    struct wf_renames names = { 0 };
    struct wf_array x = { 0 };
    struct wf_h5 *f;
    struct wf_tape g;
    double worst;
    MUST(wf_h5_open(&f, FIXTURE, &err));
    MUST(wf_h5_read(f, "bias/inputs/X", WF_F32, &x, &err));
    wf_h5_close(f);
    int shape[WF_MAXDIM], in = (int)x.dim[x.ndim - 1];
    for (int i = 0; i < x.ndim; i++) shape[i] = (int)x.dim[i];
    wf_params_init(&ps, wf_backend_cpu());
    wf_linear_init(&layer, &ps, "linear", in, 2);
    MUST(wf_params_commit(&ps, 1, &err));
    wf_linear_names(&names, NULL, "linear");
    MUST(wf_weights_load(&ps, FIXTURE, "bias/params", &names, &err));
    MUST(wf_tape_init(&g, wf_backend_cpu(), &err));
    struct wf_tensor *y = wf_linear(&g, &layer, wf_input(&g, x.f32, x.ndim, shape));
    cr_assert_eq(g.error.status, WF_OK, "%s", g.error.message);
    MUST(wf_check_fixture(y, FIXTURE, "bias/outputs/out", &worst, &err));
    cr_expect(worst < 1e-5, "off by %g", worst);
    wf_tape_free(&g);
    wf_renames_free(&names);
    wf_array_free(&x);
    wf_params_free(&ps);
}
