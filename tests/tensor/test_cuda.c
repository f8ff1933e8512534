/* The kernels of the CUDA backend compared with those of the CPU, and recorded kernels compared
 * with kernels that run at once. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "tensor/alloc.h"
#include "tensor/rng.h"
#include "tests/kit/cases.h"
#include "tests/kit/device.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/tiny.h"

/* A row of the table of ops on a backend. v holds its output and then the gradients of its inputs;
 * part i of v ends at end[i]. */
struct step {
    struct case_run run;
    struct wf_tape g;
    struct wf_tensor cotangent, *out;
    wf_real *v;
    int parts;
    ptrdiff_t end[1 + CASE_INPUTS];
    char error[sizeof((struct wf_error *)0)->message]; /* empty if the row ran */
};

/* Runs forward and backward without a call that a recording would refuse. */
static void work(struct step *s)
{
    struct wf_tape *g = &s->g;
    struct case_run *r = &s->run;
    wf_tape_reset(g);
    for (int i = 0; i < r->n; i++) WF_RUN(g, wfk_fill(g->be, &r->grad[i], 0));
    s->out = wf_contiguous(g, case_run_build(g, r));
    struct wf_tensor *dy = wf_tape_grad(g, s->out);
    WF_RUN(g, wfk_copy(g->be, dy, &s->cotangent, false));
    wf_tape_sweep(g);
}

static void add_part(struct step *s, const struct wf_tensor *t)
{
    ptrdiff_t from = s->parts ? s->end[s->parts - 1] : 0, to = from + wf_tensor_count(t);
    wf_real *v = wf_realloc(s->v, (size_t)to * sizeof *v);
    cr_assert(v);
    s->v = v;
    s->end[s->parts++] = to;
    WF_RUN(&s->g, wf_tensor_download(t, v + from));
}

/* Copies the output and the gradients that the last work() computed into v. */
static void look(struct step *s)
{
    s->parts = 0;
    if (s->g.error.status == WF_OK) add_part(s, s->out);
    for (int i = 0; i < s->run.n && s->g.error.status == WF_OK; i++) add_part(s, &s->run.grad[i]);
    snprintf(s->error, sizeof s->error, "%s", s->g.error.message);
}

static void begin(struct step *s, struct wf_backend *be, const struct op_case *row,
                  enum case_inputs how, bool large)
{
    struct wf_error err = { 0 };
    memset(s, 0, sizeof *s);
    ok(case_run_init(&s->run, be, row, how, large, &err));
    ok(wf_tape_init(&s->g, be, &err));
    struct wf_tensor *y = case_run_build(&s->g, &s->run);
    snprintf(s->error, sizeof s->error, "%s", s->g.error.message);
    if (s->error[0]) return;
    ok(wf_tensor_alloc(&s->cotangent, be, y->ndim, y->shape, &err));
    ptrdiff_t n = wf_tensor_count(y);
    struct wf_rng rng = { .seed = 3 };
    cr_assert(s->v = wf_malloc((size_t)n * sizeof *s->v));
    for (ptrdiff_t i = 0; i < n; i++) s->v[i] = (wf_real)(2 * wf_rng_uniform(&rng) - 1);
    ok(wf_tensor_upload(&s->cotangent, s->v));
    work(s);
    look(s);
}

static void end(struct step *s)
{
    wf_free(s->v);
    wf_tensor_free(&s->cotangent);
    wf_tape_free(&s->g);
    case_run_free(&s->run);
}

/* The largest relative error of a part: its largest difference over its largest number, or over a
 * hundredth of the largest number of all parts if that is more. tests/parity does the same. */
static double error_of(const struct step *got, const struct step *want)
{
    double peak[1 + CASE_INPUTS] = { 0 }, diff[1 + CASE_INPUTS] = { 0 }, most = 0, worst = 0;
    for (int i = 0; i < want->parts; i++) {
        for (ptrdiff_t k = i ? want->end[i - 1] : 0; k < want->end[i]; k++) {
            double d = fabs((double)got->v[k] - (double)want->v[k]);
            if (!(d <= diff[i])) diff[i] = d == d ? d : INFINITY;
            peak[i] = fmax(peak[i], fabs((double)want->v[k]));
        }
        most = fmax(most, peak[i]);
    }
    for (int i = 0; i < want->parts; i++)
        if (diff[i] > 0) worst = fmax(worst, diff[i] / fmax(peak[i], 0.01 * most));
    return worst;
}

static bool same_bits(const struct step *a, const wf_real *v)
{
    return memcmp(a->v, v, (size_t)a->end[a->parts - 1] * sizeof *v) == 0;
}

/* The rows are divided into parts, each of which runs in a process of its own, because a device
 * that has failed once does nothing more in that process. */
enum { PARTS = 8 };

#define IN_PARTS(name)                                                                             \
    ParameterizedTestParameters(cuda, name)                                                        \
    {                                                                                              \
        static int part[PARTS];                                                                    \
        for (int i = 0; i < PARTS; i++) part[i] = i;                                               \
        return cr_make_param_array(int, part, PARTS);                                              \
    }                                                                                              \
    ParameterizedTest(int *part, cuda, name)

/* Calls check() for every row of a part, with inputs of every kind. */
static void each_row(int part, void (*check)(struct wf_backend *be, const struct op_case *row,
                                             enum case_inputs how, bool large))
{
    struct wf_backend *be = device_open();
    for (int i = part; i < op_cases_count + large_cases_count; i += PARTS)
        for (enum case_inputs how = CASE_LEAVES; how <= CASE_FRESH; how++) {
            bool large = i >= op_cases_count;
            check(be, large ? &large_cases[i - op_cases_count] : &op_cases[i], how, large);
        }
    wf_backend_close(be);
    expect_no_leaks();
}

static const char *kind(enum case_inputs how, bool large)
{
    static const char *const text[][2] = { { "small", "large" },
                                           { "strided", "large, strided" },
                                           { "fresh", "large, fresh" } };
    return text[how][large];
}

static void expect_the_cpu(struct wf_backend *be, const struct op_case *row, enum case_inputs how,
                           bool large)
{
    static struct step cpu, device;
    begin(&cpu, wf_backend_cpu(), row, how, large);
    begin(&device, be, row, how, large);
    cr_assert(!cpu.error[0], "%s", cpu.error);
    cr_expect(!device.error[0], "%s, %s: %s", row->name, kind(how, large), device.error);
    /* The device adds in another order than the CPU, so that sums differ by rounding. */
    double bar = sizeof(wf_real) == 8 ? 1e-11 : 2e-5;
    double e = device.error[0] ? 0 : error_of(&device, &cpu);
    cr_expect(e <= bar, "%s, %s: off by %.3g", row->name, kind(how, large), e);
    end(&cpu);
    end(&device);
}

IN_PARTS(every_row_gives_what_the_cpu_gives)
{
    each_row(*part, expect_the_cpu);
}

/* Runs the row again, at once or from a recording, and expects the same bits. */
static void expect_again(struct step *s, bool recorded)
{
    struct wf_error err = { 0 };
    struct wf_backend *be = s->g.be;
    struct wf_recording *rec = NULL;
    wf_real *first = s->v;
    s->v = NULL;
    if (recorded) {
        ok(be->device->record(be));
        work(s);
        cr_expect_eq(be->device->recorded(be, &rec), WF_OK, "%s: %s", s->run.row->name, be->reason);
        for (int i = 0; i < s->run.n; i++) WF_RUN(&s->g, wfk_fill(be, &s->run.grad[i], 1));
        if (!s->out->base) WF_RUN(&s->g, wfk_fill(be, s->out, 1));
        if (rec) WF_RUN(&s->g, be->device->replay(be, rec));
    } else {
        work(s);
    }
    look(s);
    cr_expect(!s->error[0], "%s: %s", s->run.row->name, s->error);
    if (!s->error[0])
        cr_expect(same_bits(s, first), "%s: other bits, %s", s->run.row->name,
                  recorded ? "recorded" : "run again");
    be->device->forget(be, rec);
    wf_free(first);
}

/* Large rows are here because they take more blocks; one kind of inputs is enough for that. */
static void expect_the_same_bits(struct wf_backend *be, const struct op_case *row,
                                 enum case_inputs how, bool large)
{
    static struct step s;
    if (large && how != CASE_LEAVES) return;
    begin(&s, be, row, how, large);
    cr_expect(!s.error[0], "%s, %s: %s", row->name, kind(how, large), s.error);
    for (int recorded = 0; recorded < 2 && !s.error[0]; recorded++) expect_again(&s, recorded);
    end(&s);
}

IN_PARTS(every_row_gives_the_same_bits_again_and_recorded)
{
    each_row(*part, expect_the_same_bits);
}

/* Numbers of elements, and of samples to which they belong; 0 samples: they are of no batch. One
 * draw gives random numbers to four elements. These are of one sample, or reach across samples, or,
 * in the last row, the number of elements is no multiple of four. */
static const int dropped[][2] = { { 4096, 0 }, { 96, 8 }, { 36, 4 }, { 36, 8 }, { 35, 7 } };

/* Applies dropout to a tensor of ones on a backend. */
static void drop(struct wf_backend *be, int n, const struct wf_step *step, bool add, wf_real *out)
{
    struct wf_error err = { 0 };
    struct wf_tensor x, y;
    struct wf_step *there = be->alloc(be, sizeof *there);
    cr_assert(there);
    ok(wf_tensor_alloc(&x, be, 1, &n, &err));
    ok(wf_tensor_alloc(&y, be, 1, &n, &err));
    ok(be->upload(be, there, step, sizeof *step));
    ok(wfk_fill(be, &x, 1));
    ok(wfk_fill(be, &y, 3));
    ok(wfk_dropout(be, &y, &x, 0.3, there, 11, add));
    ok(wf_tensor_download(&y, out));
    be->free(be, there, sizeof *there);
    wf_tensor_free(&x);
    wf_tensor_free(&y);
}

Test(cuda, drops_what_the_cpu_drops)
{
    static wf_real cpu[4096], device[4096];
    struct wf_backend *be = device_open();
    for (int i = 0; i < 2 * (int)(sizeof dropped / sizeof *dropped); i++) {
        int n = dropped[i / 2][0], samples = dropped[i / 2][1];
        struct wf_step step = { .seed = 5, .step = 9, .samples = samples, .first = 3, .stride = 2 };
        drop(wf_backend_cpu(), n, &step, i % 2, cpu);
        drop(be, n, &step, i % 2, device);
        cr_expect(memcmp(cpu, device, (size_t)n * sizeof *cpu) == 0, "%d elements, %d samples", n,
                  samples);
    }
    wf_backend_close(be);
    expect_no_leaks();
}

/* ---- models ---- */

enum { STEPS = 5, BATCH = 3 }; /* a device replays its recording from the third step on */

static const int starts[STEPS][BATCH] = {
    { 0, 11, 40 }, { 5, 2, 77 }, { 60, 1, 33 }, { 90, 8, 21 }, { 13, 54, 3 }
};

struct run {
    struct tiny tiny;
    double loss[STEPS];
    wf_real *value, *forecast; /* values of the parameters, forecast of the first windows */
    ptrdiff_t values, forecasts;
};

/* Trains for STEPS steps, then makes a forecast. */
static void run_model(struct run *r, struct tiny_config config)
{
    struct wf_error err = { 0 };
    struct tiny *t = &r->tiny;
    tiny_init(t, config, ".");
    tiny_trainer(t);
    for (int i = 0; i < STEPS; i++) {
        struct wf_step_result now, late;
        ok(wf_trainer_step(&t->trainer, starts[i], BATCH, BATCH, &now, &err));
        ok(wf_trainer_losses(&t->trainer, &late, &err));
        r->loss[i] = now.windows ? now.loss : late.loss;
    }
    r->values = wf_tensor_count(&t->params.value);
    r->forecasts = (ptrdiff_t)BATCH * t->windows.cfg.Q * TINY_NODES;
    cr_assert(r->value = wf_malloc((size_t)r->values * sizeof *r->value));
    cr_assert(r->forecast = wf_malloc((size_t)r->forecasts * sizeof *r->forecast));
    ok(wf_tensor_download(&t->params.value, r->value));
    ok(wf_trainer_predict(&t->trainer, starts[0], BATCH, r->forecast, &err));
}

static void run_free(struct run *r)
{
    wf_free(r->value);
    wf_free(r->forecast);
    tiny_free(&r->tiny);
}

/* The largest difference over the largest number. */
static double difference(const wf_real *a, const wf_real *b, ptrdiff_t n)
{
    double most = 0, peak = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= most)) most = d == d ? d : INFINITY;
        peak = fmax(peak, fabs((double)b[i]));
    }
    return most / peak;
}

static void expect_same_training(struct tiny_config config)
{
    static struct run cpu, device;
    /* Differences by rounding grow with every step of training. */
    double bar = sizeof(wf_real) == 8 ? 1e-9 : 1e-3;
    const char *how = config.dynamic ? ", graphs that change" : "";
    struct tiny_config there = config;
    config.be = NULL;
    run_model(&cpu, config);
    run_model(&device, there);
    for (int i = 0; i < STEPS; i++)
        cr_expect_lt(fabs(device.loss[i] - cpu.loss[i]), bar * cpu.loss[i],
                     "%s%s: loss of step %d is %.12g, on the CPU %.12g", config.model, how, i,
                     device.loss[i], cpu.loss[i]);
    double e = difference(device.value, cpu.value, cpu.values);
    cr_expect_lt(e, bar, "%s%s: parameters off by %.3g", config.model, how, e);
    e = difference(device.forecast, cpu.forecast, cpu.forecasts);
    cr_expect_lt(e, bar, "%s%s: forecasts off by %.3g", config.model, how, e);
    run_free(&cpu);
    run_free(&device);
}

/* Models train with the series on the device or on the host, and on graphs that change if the model
 * can read them. */
IN_PARTS(every_model_trains_as_on_the_cpu)
{
    struct wf_backend *be = device_open();
    for (int row = *part; row < tiny_model_count(); row += PARTS)
        for (int k = 0; k < 2; k++) {
            struct tiny_config config = tiny_model(row);
            if (k && !tiny_changing(row, &config)) break;
            config.be = be;
            config.resident = (row + k) % 2;
            expect_same_training(config);
        }
    wf_backend_close(be);
    expect_no_leaks();
}
