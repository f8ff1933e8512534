#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "autograd/gradcheck.h"
#include "models/dcrnn.h"
#include "tests/leaks.h"
#include "tests/tiny.h"

#define MUST(call) cr_assert_eq((call), WF_OK, "%s: %s", #call, err.message)

static const struct tiny_config models[] = {
    { .model = "dcrnn", .options = "hidden=4\nlayers=2\n", .seed = 1 },
    { .model = "dcrnn", .options = "hidden=3\nlayers=1\nsampling=False\n", .seed = 2 },
    { .model = "dcrnn", .options = "hidden=3\nlayers=1\n", .compat = WF_COMPAT_DCRNN, .seed = 3 },
    { .model = "dcrnn-pgt", .options = "hidden=0\n", .compat = WF_COMPAT_PGT, .seed = 4 },
    { .model = "dcrnn-pgt", .options = "hidden=5\n", .seed = 5 },
};
enum { MODELS = sizeof models / sizeof *models };

static const int starts[3] = { 0, 11, 40 };

static struct wf_tensor *build(struct wf_tape *g, void *ctx)
{
    struct tiny *t = ctx;
    struct wf_batch b;
    struct wf_step step = { .seed = 7, .teach = 0.5 };
    wf_tape_set_step(g, &step);
    WF_RUN(g, wf_windows_batch(&t->windows, &b, starts, 3));
    b.supports = &t->graph.supports;
    return t->model.type->forward(g, t->model.layers, &b);
}

/* Through every parameter of the whole model, the recurrence and the sampling included. */
Test(dcrnn, gradient_through_the_whole_model)
{
    for (int k = 0; k < MODELS; k++) {
        struct tiny t;
        struct wf_error err = { 0 };
        struct wf_tensor *leaf[64];
        double worst;
        int which, n = 0;
        tiny_init(&t, models[k], ".");
        for (int i = 0; i < t.params.count; i++) leaf[n++] = &t.params.param[i]->value;
        struct wf_gradcheck c = { .build = build, .ctx = &t, .leaf = leaf, .leaves = n, .seed = 2 };
        MUST(wf_gradcheck_run(&c, wf_backend_cpu(), &worst, &which, &err));
        double bar = sizeof(wf_real) == 8 ? 1e-7 : 2e-2;
        cr_expect(worst <= bar, "model %d, %s: off by %g", k, t.params.param[which]->name, worst);
        tiny_free(&t);
    }
    expect_no_leaks();
}

/* Inference gives memory back while it runs; its numbers must not change for that. */
Test(dcrnn, forecasts_are_the_same_bits_with_and_without_recording)
{
    for (int k = 0; k < MODELS; k++) {
        struct tiny t;
        struct wf_error err = { 0 };
        struct wf_tape g;
        wf_real out[2][3 * TINY_T * TINY_NODES];
        size_t used[2];
        tiny_init(&t, models[k], ".");
        MUST(wf_tape_init(&g, wf_backend_cpu(), &err));
        for (int pass = 0; pass < 2; pass++) {
            wf_tape_reset(&g);
            g.training = false;
            g.recording = pass == 0;
            struct wf_tensor *y = build(&g, &t);
            MUST(g.error.status);
            cr_assert_eq(wf_tensor_count(y), 3 * t.windows.cfg.Q * TINY_NODES);
            MUST(wf_tensor_download(y, out[pass]));
            used[pass] = g.mem.used;
        }
        size_t bytes = sizeof(wf_real) * 3 * (size_t)t.windows.cfg.Q * TINY_NODES;
        cr_expect_arr_eq(out[0], out[1], bytes, "model %d", k);
        cr_expect(used[1] < used[0] / 2, "model %d: %zu of %zu bytes", k, used[1], used[0]);
        wf_tape_free(&g);
        tiny_free(&t);
    }
    expect_no_leaks();
}

Test(dcrnn, the_paper_model_has_the_published_number_of_parameters)
{
    struct wf_params ps;
    struct wf_dcrnn m;
    struct wf_task task = {
        .nodes = 207, .channels = 2, .targets = 1, .T = 12, .Q = 12, .terms = 5
    };
    wf_params_init(&ps, wf_backend_cpu());
    wf_dcrnn_init(&m, &ps, wf_dcrnn_defaults(), &task);
    cr_expect_eq(wf_params_size(&ps), 372353, "%td parameters", wf_params_size(&ps));
    wf_params_free(&ps);
    expect_no_leaks();
}

Test(dcrnn, sizes_that_do_not_fit_are_refused)
{
    struct wf_params ps;
    struct wf_dcrnn_pgt m;
    struct wf_error err = { 0 };
    struct wf_task task = { .nodes = 5, .channels = 2, .targets = 1, .T = 12, .Q = 6, .terms = 5 };
    wf_params_init(&ps, wf_backend_cpu());
    wf_dcrnn_pgt_init(&m, &ps, wf_dcrnn_pgt_defaults(), &task);
    cr_expect_eq(wf_params_commit(&ps, 0, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "T is 12, Q is 6"), "message: %s", err.message);
    wf_params_free(&ps);
    expect_no_leaks();
}
