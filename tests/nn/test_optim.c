/* Optimizers compared with numbers that were computed in double by the formulas of PyTorch. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "nn/optim.h"
#include "tensor/alloc.h"
#include "tests/kit/rows.h"

enum { STEPS = 3, COUNT = 7 }; /* two parameters: [2, 2] and [3] */

static const double first[COUNT] = { .5, -1, 2, 0, 1, -.25, .125 };
static const double rate[STEPS] = { .1, .1, .05 };
static const double gradient[STEPS][COUNT] = { { 1, -2, .5, 0, .25, 3, -1 },
                                               { .5, 1, -.25, 0, 0, -.5, .75 },
                                               { -.125, .25, .5, 1e-3, .125, .0625, 0 } };
static const double gradient_norm[STEPS] = { 3.913118960624632, 1.4577379737113252,
                                             0.5896246687512319 };

/* Values after three steps. The rows are Adam plain, with weight decay, with amsgrad, where the
 * first second moment is the largest, with a large eps, and with clipping, which Adam shows only
 * through eps; then SGD likewise. */
static const struct {
    struct wf_optim_config cfg;
    double want[COUNT];
} sequence[] = {
    { { WF_ADAM, .1, .9, .999, 1e-8, 0, 0, 0, false },
      { 0.274528772099316, -0.866688307614239, 1.84439226533888, -0.0319401270272842,
        0.79553934123341, -0.425320792775822, 0.237384924072412 } },
    { { WF_ADAM, .1, .9, .999, 1e-8, .1, 0, 0, false },
      { 0.272847205187068, -0.858107756179016, 1.80058580239865, -0.0319401270272842,
        0.772712658996347, -0.423399967307619, 0.233977815584484 } },
    { { WF_ADAM, .1, .9, .5, 1e-8, 0, 0, 0, true },
      { 0.282053358120645, -0.868480182659591, 1.84590802389726, -0.0244069770436125,
        0.810012214891842, -0.413888157446244, 0.237576949451627 } },
    { { WF_ADAM, .1, .8, .9, 1e-2, 0, 0, 0, false },
      { 0.279698414040526, -0.875456881481327, 1.85241365925375, -0.00193183001189166,
        0.807709918819708, -0.419132748821931, 0.228299826418285 } },
    { { WF_ADAM, .1, .9, .999, .1, 0, 0, .5, false },
      { 0.372103500159401, -0.95831196357468, 1.94862671609273, -0.000155694116378744,
        0.948604998186154, -0.363525238379211, 0.147512956584903 } },
    { { WF_SGD, .1, 0, 0, 0, 0, 0, 0, false },
      { 0.35625, -0.9125, 1.95, -5e-05, 0.96875, -0.503125, 0.15 } },
    { { WF_SGD, .1, 0, 0, 0, 0, .9, 0, false },
      { 0.20325, -0.6965, 1.896, -5e-05, 0.936125, -0.872125, 0.24675 } },
    { { WF_SGD, .1, 0, 0, 0, .1, .9, 2, false },
      { 0.296285028705849, -0.881570057411699, 1.86831163935292, -5e-05, 0.922343319676462,
        -0.520064038882452, 0.127927158794151 } },
};

static struct wf_params two_params(void)
{
    struct wf_params ps;
    struct wf_init zero = { .kind = WF_INIT_CONSTANT };
    wf_params_init(&ps, wf_backend_cpu());
    wf_params_add(&ps, "a", 2, wf_dims(2, 2), zero);
    wf_params_add(&ps, "b", 1, wf_dims(3), zero);
    cr_assert_eq(wf_params_commit(&ps, 1, NULL), WF_OK);
    return ps;
}

static wf_real *scalar(const struct wf_params *ps, bool grad, int i)
{
    const struct wf_param *p = ps->param[i >= 4];
    return (grad ? p->grad.data : p->value.data) + i % 4;
}

static bool padding_is_zero(const struct wf_params *ps, const wf_real *block)
{
    int line = 64 / (int)sizeof *block;
    for (int i = 0; i < ps->value.shape[0]; i++)
        if ((i < line ? i >= 4 : i - line >= 3) && block[i] != 0) return false;
    return true;
}

/* The values are of size one, and every step rounds a few times. */
TEST_ROWS(optim, follows_pytorch, sizeof sequence / sizeof *sequence)
{
    struct wf_params ps = two_params();
    struct wf_optim o;
    struct wf_error err = { 0 };
    cr_assert_eq(wf_optim_init(&o, &ps, sequence[row].cfg, &err), WF_OK, "%s", err.message);
    for (int i = 0; i < COUNT; i++) *scalar(&ps, false, i) = (wf_real)first[i];
    for (int t = 0; t < STEPS; t++) {
        struct wf_step step = { .step = (uint64_t)t, .lr = rate[t] };
        for (int i = 0; i < COUNT; i++) *scalar(&ps, true, i) = (wf_real)gradient[t][i];
        cr_assert_eq(wf_optim_step(&o, &step), WF_OK);
        if (o.cfg.clip > 0)
            cr_assert_float_eq((double)o.norm.data[0], gradient_norm[t], 40 * WF_REAL_EPS);
    }
    for (int i = 0; i < COUNT; i++)
        cr_expect_float_eq((double)*scalar(&ps, false, i), sequence[row].want[i], 40 * WF_REAL_EPS,
                           "scalar %d: %.17g, expected %.17g", i, (double)*scalar(&ps, false, i),
                           sequence[row].want[i]);
    cr_expect(padding_is_zero(&ps, ps.value.data));
    cr_expect(padding_is_zero(&ps, o.m.data));
    if (o.v.data) cr_expect(padding_is_zero(&ps, o.v.data));
    wf_optim_free(&o);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(optim, keeps_only_the_moments_that_its_kind_needs)
{
    struct wf_params ps = two_params();
    struct wf_optim_config cfg = wf_optim_defaults();
    struct wf_optim o;
    cr_assert_eq(wf_optim_init(&o, &ps, cfg, NULL), WF_OK);
    cr_expect(o.m.data && o.v.data && !o.vmax.data && !o.norm.data);
    cr_expect(wf_tensor_same_shape(&o.m, &ps.value));
    wf_optim_free(&o);
    cfg.kind = WF_SGD;
    cfg.clip = 1;
    cr_assert_eq(wf_optim_init(&o, &ps, cfg, NULL), WF_OK);
    cr_expect(o.m.data && !o.v.data && !o.vmax.data && o.norm.data);
    wf_optim_free(&o);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

static const struct {
    struct wf_optim_config cfg;
    const char *says;
} refused[] = {
    { { (enum wf_optim_kind)7, .1, .9, .999, 1e-8, 0, 0, 0, false }, "unknown optimizer 7" },
    { { WF_ADAM, -1, .9, .999, 1e-8, 0, 0, 0, false }, "lr is -1" },
    { { WF_ADAM, NAN, .9, .999, 1e-8, 0, 0, 0, false }, "lr is " },
    { { WF_ADAM, .1, 1, .999, 1e-8, 0, 0, 0, false }, "beta1 is 1" },
    { { WF_ADAM, .1, .9, 1.5, 1e-8, 0, 0, 0, false }, "beta2 is 1.5" },
    { { WF_ADAM, .1, .9, .999, 0, 0, 0, 0, false }, "eps is 0" },
    { { WF_ADAM, .1, .9, .999, 1e-8, -1, 0, 0, false }, "weight_decay is -1" },
    { { WF_ADAM, .1, .9, .999, 1e-8, 0, .9, 0, false }, "momentum is 0.9" },
    { { WF_SGD, .1, 0, 0, 0, 0, -1, 0, false }, "momentum is -1" },
    { { WF_SGD, .1, 0, 0, 0, 0, 0, -5, false }, "clip is -5" },
    { { WF_SGD, .1, 0, 0, 0, 0, 0, 0, true }, "amsgrad is set" },
};

Test(optim, refuses_bad_configurations)
{
    struct wf_params ps = two_params();
    long held = wf_alloc_live();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct wf_optim o;
        struct wf_error err = { 0 };
        cr_expect_eq(wf_optim_init(&o, &ps, refused[i].cfg, &err), WF_EINVAL, "row %zu", i);
        cr_expect(strstr(err.message, refused[i].says), "row %zu: %s", i, err.message);
        cr_expect_eq(wf_alloc_live(), held, "row %zu", i);
    }
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(optim, refuses_an_eps_that_is_zero_once_rounded)
{
    struct wf_params ps = two_params();
    struct wf_optim_config cfg = wf_optim_defaults();
    struct wf_optim o;
    cfg.eps = 1e-60;
    enum wf_status want = sizeof(wf_real) == sizeof(float) ? WF_EINVAL : WF_OK;
    cr_expect_eq(wf_optim_init(&o, &ps, cfg, NULL), want);
    wf_optim_free(&o);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(optim, refuses_parameters_that_are_not_committed)
{
    struct wf_params ps;
    struct wf_optim o;
    struct wf_error err = { 0 };
    wf_params_init(&ps, wf_backend_cpu());
    cr_assert_eq(wf_optim_init(&o, &ps, wf_optim_defaults(), &err), WF_EINVAL);
    cr_expect(strstr(err.message, "not committed"));
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(optim, survives_every_failing_allocation)
{
    struct wf_params ps = two_params();
    struct wf_optim_config cfg = wf_optim_defaults();
    cfg.amsgrad = true;
    cfg.clip = 1;
    long held = wf_alloc_live(), n = 0;
    for (;; n++) {
        struct wf_optim o;
        struct wf_step step = { .lr = 1 };
        struct wf_error err = { 0 };
        wf_alloc_fail_after(n);
        enum wf_status s = wf_optim_init(&o, &ps, cfg, &err);
        bool made = s == WF_OK;
        if (made) s = wf_optim_step(&o, &step);
        wf_alloc_fail_after(-1);
        if (made) wf_optim_free(&o);
        cr_assert_eq(wf_alloc_live(), held);
        if (!s) break;
        cr_assert_eq(s, WF_ENOMEM, "allocation %ld", n);
    }
    cr_expect_geq(n, 4);
    wf_params_free(&ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(schedule, constant_stays)
{
    struct wf_schedule s = { .kind = WF_LR_CONSTANT };
    cr_assert_eq(wf_schedule_lr(&s, .25, 0), .25);
    cr_assert_eq(wf_schedule_lr(&s, .25, 1000), .25);
}

Test(schedule, multistep_falls_at_each_milestone)
{
    struct wf_schedule s = {
        .kind = WF_LR_MULTISTEP, .milestones = 2, .milestone = { 3, 5 }, .gamma = .1
    };
    static const double want[] = { 1, 1, 1, .1, .1, .01, .01 };
    for (int t = 0; t < 7; t++)
        cr_expect_float_eq(wf_schedule_lr(&s, 1, t), want[t], 1e-15, "t = %d", t);
}

Test(schedule, cosine_goes_from_lr_to_its_minimum_and_stays)
{
    struct wf_schedule s = { .kind = WF_LR_COSINE, .period = 4, .lr_min = .2 };
    /* The wanted numbers are .2 + .4 (1 + cos(pi t / 4)). */
    static const double want[] = { 1, 0.882842712474619, .6, 0.317157287525381, .2, .2, .2 };
    for (int t = 0; t < 7; t++)
        cr_expect_float_eq(wf_schedule_lr(&s, 1, t), want[t], 1e-15, "t = %d", t);
    s.period = 0; /* with no steps to go over, the minimum is reached at once */
    cr_expect_eq(wf_schedule_lr(&s, 1, 0), .2);
}
