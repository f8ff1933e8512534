/* These tests check the estimate of a run's memory that is made before the run takes it. */
#include <criterion/criterion.h>
#include <string.h>
#include "apps/experiment/plan.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"

static struct wf_error err;

static void open_small(struct wf_experiment *x, const char *model)
{
    char lines[900], data[512];
    snprintf(data, sizeof data, "%s", scratch("road.h5"));
    program_works("dataset", "synth '%s' --nodes 8 --days 2 --seed 3", data);
    snprintf(lines, sizeof lines,
             "model=%s\nout=%s\ndata=%s\nadjacency=\nmode=index\nbatch-size=24\ndevice=cpu\n",
             model, scratch("out"), data);
    ok(wf_experiment_init(x, lines, &err));
    FILE *log = fopen("/dev/null", "w");
    cr_assert(log);
    ok(wf_experiment_open(x, log, &err));
    fclose(log);
}

/* Returns the most that the arena of a real step and a real forecast held. */
static void expect_peaks(const char *model)
{
    struct wf_experiment x;
    struct wf_plan p;
    struct wf_step_result r;
    int start[24] = { 0 };
    static wf_real pred[24 * 12 * 8];
    open_small(&x, model);
    ok(wf_plan_make(&p, &x, 24, &err));
    ok(wf_trainer_predict(&x.trainer, start, 24, pred, &err));
    /* The trainer puts forecasts into the data's units: that takes two more tensors. */
    size_t forecast = 24 * 12 * 8 * sizeof(wf_real), units = 4 * (forecast + 64);
    const struct wf_arena *mem = &wf_trainer_tape(&x.trainer)->mem;
    cr_expect(mem->peak >= p.forecast && mem->peak <= p.forecast + units,
              "%s: forecast of %zu bytes, planned %zu", model, mem->peak, p.forecast);
    ok(wf_trainer_step(&x.trainer, start, 24, 24, &r, &err));
    cr_expect(mem->peak >= p.step && mem->peak <= p.step + units,
              "%s: step of %zu bytes, planned %zu", model, mem->peak, p.step);
    cr_expect(p.step > p.forecast, "%s", model);
    wf_experiment_free(&x);
}

Test(plan, tells_what_a_step_and_a_forecast_take)
{
    expect_peaks("dcrnn");
    expect_peaks("stgcn");
    expect_peaks("gwnet");
    expect_no_leaks();
}

Test(plan, finds_the_largest_batch_that_fits)
{
    struct wf_experiment x;
    struct wf_plan p;
    int B;
    open_small(&x, "tgcn");
    for (int want = 1; want < 40; want += 13) {
        ok(wf_plan_make(&p, &x, want, &err));
        ok(wf_plan_fit(&B, &x, wf_plan_total(&p), &err));
        cr_expect_eq(B, want, "%d windows fit, found %d", want, B);
    }
    ok(wf_plan_make(&p, &x, 1, &err));
    ok(wf_plan_fit(&B, &x, wf_plan_total(&p) - 1, &err));
    cr_expect_eq(B, 0);
    wf_experiment_free(&x);
    expect_no_leaks();
}

Test(plan, a_dry_run_says_it_and_stops)
{
    char data[512];
    snprintf(data, sizeof data, "%s", scratch("road.h5"));
    program_works("dataset", "synth '%s' --nodes 8 --days 2 --seed 3", data);
    program_works("pems_bay", "--data '%s' --adjacency '' --out '%s' --dry-run True --device cpu",
                  data, scratch("out"));
    cr_expect(strstr(program_said, "memory on cpu, MiB: parameters"), "said: %s", program_said);
    cr_expect_not(strstr(program_said, "epoch 1/"), "it trained: %s", program_said);
}

Test(plan, lack_of_memory_names_a_batch_that_fits)
{
#ifdef __SANITIZE_ADDRESS__
    cr_skip_test("a program with the sanitizer does not start under a limit of memory");
#endif
    struct wf_tape g;
    struct wf_tensor *t;
    ok(wf_tape_init(&g, wf_backend_dry(), &err));
    t = wf_zeros(&g, 3, wf_dims(1000, 1000, 1000)); /* the tape plans addresses without memory */
    cr_expect(g.error.status == WF_OK && wf_tensor_count(t) == 1000000000);
    wf_tape_free(&g);
    char data[512];
    snprintf(data, sizeof data, "%s", scratch("road.h5"));
    program_works("dataset", "synth '%s' --nodes 60 --days 9 --seed 3", data);
    int status = program_run("/bin/sh",
                             "-c 'ulimit -d 2000000; exec %s/bin/pems_bay --data %s --adjacency "
                             "\"\" --out %s --preset dcrnn-paper "
                             "--batch-size 1024 --device cpu'",
                             program_folder(), data, scratch("out"));
    cr_expect_eq(status, 1);
    cr_expect(strstr(program_complained, "wanted for") && strstr(program_complained, " free") &&
                  strstr(program_complained, " would fit"),
              "complained: %s", program_complained);
}
