/* These tests show that every model passes the model checks, and that a wrong model fails them. */
#include "models/check.h"
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "data/formats/h5.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"
#include "tests/kit/tiny.h"

static struct wf_check_config config_of(int row)
{
    struct tiny_config t = tiny_model(row);
    bool cell = strcmp(t.model, "dcrnn-pgt") == 0; /* its horizon equals the length of its input */
    return (struct wf_check_config){ .type = wf_model_find(t.model),
                                     .options = t.options,
                                     .Q = cell ? 4 : 0,
                                     .day_of_week = t.day_of_week,
                                     .seed = t.seed };
}

FOR_EVERY_MODEL(check, every_model_forecasts)
{
    struct wf_check c;
    struct wf_error err = { 0 };
    struct wf_check_config cfg = config_of(row);
    ok(wf_check_init(&c, &cfg, &err));
    ok(wf_check_smoke(&c, &err));
    wf_check_free(&c);
    expect_no_leaks();
}

Test(check, gradient_and_training_of_a_right_model)
{
    struct wf_check c;
    struct wf_error err = { 0 };
    struct wf_check_config cfg = { .type = &wf_gconvgru_type, .options = "hidden=4\n", .seed = 3 };
    double worst, first, last, again;
    const char *which;
    ok(wf_check_init(&c, &cfg, &err));
    ok(wf_check_gradient(&c, &worst, &which, &err));
    cr_expect(worst <= (sizeof(wf_real) == 8 ? 1e-7 : 2e-2), "%s off by %g", which, worst);
    ok(wf_check_train(&c, 60, 0.02, &first, &last, &err));
    cr_expect(last < 0.7 * first, "loss %g, then %g", first, last);
    wf_check_free(&c);
    ok(wf_check_init(&c, &cfg, &err));
    ok(wf_check_train(&c, 60, 0.02, &first, &again, &err));
    cr_expect_eq(last, again, "%.17g, then %.17g", last, again);
    wf_check_free(&c);
    expect_no_leaks();
}

/* ---- a model whose faults are its options ---- */

struct wf_faulty_config {
    int slope, shape, infinite, restless;
};
static struct wf_faulty_config wf_faulty_defaults(void)
{
    return (struct wf_faulty_config){ 0 };
}
struct wf_faulty {
    struct wf_faulty_config cfg;
    struct wf_task task;
    struct wf_tensor *weight;
};
static void wf_faulty_init(struct wf_faulty *m, struct wf_params *ps, struct wf_faulty_config cfg,
                           const struct wf_task *task)
{
    struct wf_init one = { .kind = WF_INIT_CONSTANT, .gain = 0.5 };
    *m = (struct wf_faulty){ .cfg = cfg, .task = *task };
    m->weight = wf_params_add(ps, "weight", 1, wf_dims(1), one);
}

/* Returns y = x, but its backward pass claims a gradient of 1.1. */
static void wrong_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dx = wf_tape_grad(g, n->in[0]), *dy = wf_tape_grad(g, n->out);
    for (ptrdiff_t i = 0; i < wf_tensor_count(dx); i++) dx->data[i] += (wf_real)1.1 * dy->data[i];
}
static const struct wf_op wrong = { "wrong", wrong_vjp };

static struct wf_tensor *wf_faulty_forward(struct wf_tape *g, const struct wf_faulty *m,
                                           const struct wf_batch *b)
{
    static int calls;
    struct wf_tensor *w = m->weight, *x = wf_slice(g, wf_tape_view(g, b->x), -1, 0, 1);
    struct wf_tensor *last = wf_slice(g, x, 1, b->T - 1, b->T); /* [B, 1, N, 1] */
    if (m->cfg.slope) {
        struct wf_tensor *same = wf_tape_new(g, 1, wf_dims(1));
        same->data[0] = w->data[0];
        w = wf_tape_record(g, (struct wf_node){ .op = &wrong, .out = same, .in = { w } });
    }
    if (m->cfg.infinite) w = wf_affine(g, w, INFINITY, 0);
    if (m->cfg.restless) w = wf_affine(g, w, 1, calls++);
    struct wf_tensor *y = wf_mul(g, last, w);
    if (m->cfg.shape) return y;
    return wf_contiguous(g, wf_expand(g, y, 4, wf_dims(b->B, m->task.Q, b->N, 1)));
}
static const struct wf_field fields[] = { WF_MODEL_FIELD(faulty, slope, INT, 0, 1, ""),
                                          WF_MODEL_FIELD(faulty, shape, INT, 0, 1, ""),
                                          WF_MODEL_FIELD(faulty, infinite, INT, 0, 1, ""),
                                          WF_MODEL_FIELD(faulty, restless, INT, 0, 1, ""),
                                          { 0 } };
extern const struct wf_model_type wf_faulty_type;
WF_MODEL_TYPE(faulty, "faulty", "wrong on request", fields, .graph = WF_NO_GRAPH);

static void open_faulty(struct wf_check *c, const char *options)
{
    struct wf_error err = { 0 };
    struct wf_check_config cfg = { .type = &wf_faulty_type, .options = options };
    ok(wf_check_init(c, &cfg, &err));
}

Test(check, a_wrong_gradient_is_seen)
{
    struct wf_check c;
    struct wf_error err = { 0 };
    double worst;
    const char *which;
    open_faulty(&c, "");
    ok(wf_check_gradient(&c, &worst, &which, &err));
    cr_expect(worst < 5e-3, "%s off by %g", which, worst);
    wf_check_free(&c);
    open_faulty(&c, "slope=1\n");
    ok(wf_check_gradient(&c, &worst, &which, &err));
    cr_expect(worst > 1e-2, "off by %g only", worst);
    cr_expect_str_eq(which, "weight");
    wf_check_free(&c);
    expect_no_leaks();
}

static void refused(const char *options, enum wf_status status, const char *why)
{
    struct wf_check c;
    struct wf_error err = { 0 };
    open_faulty(&c, options);
    cr_expect_eq(wf_check_smoke(&c, &err), status, "%s", options);
    cr_expect(strstr(err.message, why), "%s: %s", options, err.message);
    wf_check_free(&c);
}

Test(check, wrong_forecasts_are_refused)
{
    struct wf_check c;
    struct wf_error err = { 0 };
    open_faulty(&c, "");
    ok(wf_check_smoke(&c, &err));
    wf_check_free(&c);
    refused("shape=1\n", WF_EINVAL, "faulty: the forecast is [3, 1, 6, 1], want [3, 3, 6, 1]");
    refused("infinite=1\n", WF_ENUMERIC, "faulty: element 0 of the forecast is");
    refused("restless=1\n", WF_EINVAL, "are not the same bits");
    expect_no_leaks();
}

Test(check, what_does_not_fit_is_refused)
{
    struct wf_check c;
    struct wf_error err = { 0 };
    double first, last;
    struct wf_check_config cfg = { .type = &wf_faulty_type, .options = "slope=2\n" };
    cr_expect_eq(wf_check_init(&c, &cfg, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "--slope 2"), "%s", err.message);
    cfg = (struct wf_check_config){ .type = &wf_faulty_type, .T = 100, .Q = 50 };
    cr_expect_neq(wf_check_init(&c, &cfg, &err), WF_OK);
    open_faulty(&c, "");
    cr_expect_eq(wf_check_train(&c, 3, 0.1, &first, &last, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "3 steps, want 4 or more"), "%s", err.message);
    wf_check_free(&c);
    open_faulty(&c, "infinite=1\n");
    cr_expect_eq(wf_check_train(&c, 4, 0.1, &first, &last, &err), WF_ENUMERIC);
    cr_expect(strstr(err.message, "the loss of step 0 is"), "%s", err.message);
    wf_check_free(&c);
    cfg = (struct wf_check_config){ .type = &wf_faulty_type };
    EACH_ALLOCATION_FAILS(err, wf_check_init(&c, &cfg, &err), wf_check_free(&c));
    expect_no_leaks();
}

Test(check, tensors_against_a_file)
{
    struct wf_error err = { 0 };
    struct wf_h5 *f;
    struct wf_array a;
    double worst;
    wf_real value[6] = { 1, 2, 3, 4, 5, 7 };
    struct wf_tensor t = { .data = value, .be = wf_backend_cpu() };
    const char *path = scratch("values.h5");
    ok(wf_array_alloc(&a, WF_F64, 2, (ptrdiff_t[]){ 2, 3 }, &err));
    for (int i = 0; i < 6; i++) a.f64[i] = i + 1;
    ok(wf_h5_create(&f, path, &err));
    ok(wf_h5_write(f, "case/y", &a, &err));
    ok(wf_h5_commit(f, &err));
    wf_array_free(&a);
    wf_tensor_shape(&t, 2, wf_dims(2, 3));
    ok(wf_check_fixture(&t, path, "case/y", &worst, &err));
    cr_expect_float_eq(worst, 1.0 / 7, 1e-7);
    value[2] = NAN;
    ok(wf_check_fixture(&t, path, "case/y", &worst, &err));
    cr_expect(isnan(worst));
    wf_tensor_shape(&t, 2, wf_dims(3, 2));
    cr_expect_eq(wf_check_fixture(&t, path, "case/y", &worst, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "case/y is [2, 3], want the tensor's [3, 2]"), "%s", err.message);
    cr_expect_neq(wf_check_fixture(&t, path, "case/z", &worst, &err), WF_OK);
    cr_expect_neq(wf_check_fixture(&t, "none.h5", "case/y", &worst, &err), WF_OK);
    expect_no_leaks();
}
